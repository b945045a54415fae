//! The words of a narrative (FHIR R4, `Narrative.div`: XHTML 1.0 without scripts) as lines of text.

use quick_xml::{
    Reader,
    escape::resolve_html5_entity,
    events::{BytesRef, Event},
};

/// The narrative cannot be read.
pub(super) struct NotXhtml;

/// Elements that begin and end a line.
const BLOCKS: [&str; 24] = [
    "address",
    "blockquote",
    "br",
    "caption",
    "center",
    "dd",
    "div",
    "dl",
    "dt",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "li",
    "ol",
    "p",
    "pre",
    "table",
    "tr",
    "ul",
    "tbody",
];
/// Elements whose content nobody reads.
const UNREAD: [&str; 3] = ["script", "style", "head"];

/// The text of a `div`: blocks become lines, entities characters, runs of white space one space (but in `pre`).
pub(super) fn to_text(xhtml: &str) -> Result<String, NotXhtml> {
    let mut reader = Reader::from_str(xhtml);
    // Narratives are written by many hands: a `<br>` that is never closed, or a lone `&`, loses no words.
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;

    let mut lines = Lines::default();
    let mut unread: Option<String> = None;
    loop {
        let event = reader.read_event().map_err(|_| NotXhtml)?;
        if let Some(name) = &unread {
            match &event {
                Event::End(end) if end.local_name().as_ref().eq_ignore_ascii_case(name) => unread = None,
                Event::Eof => break,
                _ => {}
            }
            continue;
        }
        match event {
            Event::Start(start) => {
                let name = start.local_name().as_ref().to_ascii_lowercase();
                lines.element(&name);
                if name == "pre" {
                    lines.pre += 1;
                } else if UNREAD.contains(&name.as_str()) {
                    unread = Some(name);
                }
            }
            Event::Empty(empty) => lines.element(&empty.local_name().as_ref().to_ascii_lowercase()),
            Event::End(end) => {
                let name = end.local_name().as_ref().to_ascii_lowercase();
                if name == "pre" {
                    lines.pre = lines.pre.saturating_sub(1);
                }
                lines.element(&name);
            }
            Event::Text(text) => lines.text(&text.html_content()),
            Event::CData(data) => lines.text(&data.html_content()),
            Event::GeneralRef(entity) => match resolve(&entity) {
                Some(text) => lines.text(&text),
                // An entity that nobody defined is kept as it is written: it may be part of a measure.
                None => lines.text(&format!("&{};", &*entity)),
            },
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
            Event::Eof => break,
        }
    }
    Ok(lines.finish())
}

fn resolve(entity: &BytesRef<'_>) -> Option<String> {
    if entity.is_char_ref() {
        return entity.resolve_char_ref().ok().flatten().map(String::from);
    }
    resolve_html5_entity(entity).map(str::to_owned)
}

/// Text that grows line by line.
#[derive(Default)]
struct Lines {
    out: String,
    /// A space is due before the next word.
    space: bool,
    /// How many `pre` are open.
    pre: usize,
}

impl Lines {
    fn element(&mut self, name: &str) {
        if BLOCKS.contains(&name) {
            self.space = false;
            // A `br` may follow another on purpose, but an empty line says nothing to a reader of text.
            if !self.out.is_empty() && !self.out.ends_with('\n') {
                self.out.push('\n');
            }
        } else if name == "td" || name == "th" {
            self.space = true;
        }
    }

    fn text(&mut self, text: &str) {
        if self.pre > 0 {
            self.out.push_str(text);
            return;
        }
        for c in text.chars() {
            // XHTML's white space; a no-break space is a character like any other there, and a space in a note.
            if matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{a0}') {
                self.space = true;
                continue;
            }
            if self.space && !self.out.is_empty() && !self.out.ends_with('\n') {
                self.out.push(' ');
            }
            self.space = false;
            self.out.push(c);
        }
    }

    fn finish(self) -> String {
        self.out.trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(xhtml: &str) -> String {
        to_text(xhtml).unwrap_or_else(|NotXhtml| panic!("{xhtml} is readable"))
    }

    #[test]
    fn blocks_are_lines_and_white_space_folds() {
        let xhtml = "<div xmlns=\"http://www.w3.org/1999/xhtml\">\n <p>FINDINGS: <b>Lungs</b>\n  are clear.</p><p>No effusion.<br/>Stable.</p><ul><li>one</li><li>two</li></ul></div>";
        assert_eq!(
            text(xhtml),
            "FINDINGS: Lungs are clear.\nNo effusion.\nStable.\none\ntwo"
        );
        assert_eq!(
            text("<div><table><tr><td>Heart</td><td>normal</td></tr><tr><td>Bone</td></tr></table></div>"),
            "Heart normal\nBone"
        );
        assert_eq!(text("<div>a<b>b</b>c <i>d</i></div>"), "abc d");
        assert_eq!(text("<div><pre>a\n  b</pre>c</div>"), "a\n  b\nc");
    }

    #[test]
    fn entities_become_characters() {
        assert_eq!(
            text("<div>3&nbsp;mm &lt; 5 &amp; &#233;&#x3b1; &ge;1</div>"),
            "3 mm < 5 & éα ≥1"
        );
        assert_eq!(
            text("<div>&nosuch; left & right <![CDATA[a < b]]></div>"),
            "&nosuch; left & right a < b"
        );
    }

    #[test]
    fn scripts_and_styles_are_dropped() {
        assert_eq!(
            text("<div>a<script>if (1 &lt; 2) { x(); }</script><style>p{}</style>b<!-- c --></div>"),
            "ab"
        );
        assert_eq!(text("<div>a<SCRIPT>zebra</script>b</div>"), "ab");
    }

    #[test]
    fn what_is_never_closed_is_read_all_the_same() {
        assert_eq!(text("<div>one<br>two"), "one\ntwo");
        assert_eq!(text("<div><p>one</div>two</p>"), "one\ntwo");
        assert!(to_text("<div>one <b").is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(xhtml in ".{0,200}") {
            let _ = to_text(&xhtml);
        }

        #[test]
        fn plain_words_come_through(words in proptest::collection::vec("[a-z]{1,8}", 1..10)) {
            let xhtml = format!("<div><p>{}</p></div>", words.join("\n \t"));
            prop_assert_eq!(text(&xhtml), words.join(" "));
        }
    }
}
