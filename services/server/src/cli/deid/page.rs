//! The page that shows a text before and after.

use askama::Template;

use super::document::CleanText;

/// Both texts side by side. It holds the original: it is as confidential as the note.
#[derive(Template)]
#[template(path = "pages/deid/compare.html")]
pub struct ComparePage {
    /// Name of the document.
    pub name: String,
    /// The original in pieces.
    pub before: Vec<Piece>,
    /// The scrubbed text in pieces.
    pub after: Vec<Piece>,
    /// What was replaced.
    pub rows: Vec<Row>,
}

/// A piece of a text: plain, or replaced.
pub struct Piece {
    /// The text.
    pub text: String,
    /// Number of the replacement, from 1; 0 for plain text.
    pub number: usize,
    /// Word for its class.
    pub class: &'static str,
}

/// A replacement.
pub struct Row {
    /// Number.
    pub number: usize,
    /// Word for its class.
    pub class: &'static str,
    /// What found it.
    pub finder: String,
    /// How sure, in percent.
    pub sure: u8,
}

/// The page of one text.
pub fn page(clean: &CleanText) -> ComparePage {
    let rows = (1..)
        .zip(&clean.redactions)
        .map(|(number, redaction)| Row {
            number,
            class: redaction.class.tag(),
            finder: serde_json::to_value(redaction.finder)
                .ok()
                .and_then(|finder| finder.as_str().map(|finder| finder.replace('-', " ")))
                .unwrap_or_default(),
            sure: redaction.sure,
        })
        .collect();
    ComparePage {
        name: clean.id.clone(),
        before: pieces(&clean.original, clean, |redaction| redaction.original),
        after: pieces(&clean.text, clean, |redaction| redaction.scrubbed),
        rows,
    }
}

fn pieces(text: &str, clean: &CleanText, at: impl Fn(&clinical::Redaction) -> clinical::Span) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut from = 0;
    let mut put = |text: &str, number: usize, class: &'static str| {
        if !text.is_empty() {
            pieces.push(Piece {
                text: text.to_owned(),
                number,
                class,
            });
        }
    };
    for (number, redaction) in (1..).zip(&clean.redactions) {
        let span = at(redaction);
        let (start, end) = (span.start as usize, span.end as usize);
        put(text.get(from..start).unwrap_or(""), 0, "");
        put(text.get(start..end).unwrap_or(""), number, redaction.class.tag());
        from = end;
    }
    put(text.get(from..).unwrap_or(""), 0, "");
    pieces
}
