//! The sections of a radiology report: which of them say what was seen.
//!
//! Headings are those of the American College of Radiology's practice parameter for communication of diagnostic imaging
//! findings (revised 2020, part II.B: demographics, history, comparison, technique, findings, impression) with their
//! usual other names. What stands under a heading that is not known here is read.

use clinical::Span;

/// What was seen.
const FINDINGS: [&str; 8] = [
    "findings",
    "finding",
    "imaging findings",
    "findings and impression",
    "observations",
    "description",
    "results",
    "report",
];
/// What it means.
const CONCLUSION: [&str; 12] = [
    "impression",
    "impressions",
    "conclusion",
    "conclusions",
    "opinion",
    "interpretation",
    "summary",
    "recommendation",
    "recommendations",
    "addendum",
    "critical results",
    "diagnosis",
];
/// What frames it.
const ASIDE: [&str; 40] = [
    "accession",
    "accession number",
    "clinical data",
    "clinical details",
    "clinical history",
    "clinical indication",
    "clinical information",
    "clinical question",
    "clinical statement",
    "comparison",
    "comparison studies",
    "comparisons",
    "contrast",
    "date",
    "date of birth",
    "date of exam",
    "date of service",
    "dob",
    "exam",
    "exam date",
    "exam type",
    "examination",
    "history",
    "indication",
    "indications",
    "mrn",
    "name",
    "ordering physician",
    "ordering provider",
    "patient",
    "patient name",
    "procedure",
    "protocol",
    "reason for exam",
    "reason for examination",
    "reason for study",
    "referring",
    "referring physician",
    "study",
    "technique",
];
/// With what a signature begins. It goes on to the next heading of findings or a conclusion.
const SIGNATURE: [&str; 8] = [
    "attending radiologist",
    "dictated",
    "electronically signed",
    "interpreted by",
    "reading radiologist",
    "read by",
    "signed",
    "transcribed",
];
/// Longest heading in bytes.
const LONGEST: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Findings,
    Conclusion,
    Aside,
    Signature,
    Other,
}

/// The passages of `text` that are not read: headings of what is read, and of a report with a heading for its findings, what stands before it, the sections
/// that frame it and its signature; of one that has a heading for its conclusion alone, the lines or paragraphs that frame it.
/// Nothing where there is no such heading, or nothing would be left.
pub(crate) fn unread(text: &str) -> Vec<Span> {
    let headings = headings(text);
    let first = |kind| headings.iter().position(|heading| heading.kind == kind);
    let findings = first(Kind::Findings);
    let conclusion = first(Kind::Conclusion);
    let Some(start) = findings.or(conclusion) else {
        return Vec::new();
    };
    // What was seen may stand without a heading before a conclusion that has one.
    let headed = findings.is_some() && conclusion.is_none_or(|conclusion| start < conclusion);
    let mut parts: Vec<(usize, usize, bool)> = Vec::new();
    let mut push = |start: usize, end: usize, read: bool| {
        if start < end {
            parts.push((start, end, read));
        }
    };
    let top = headings.first().map_or(text.len(), |heading| heading.start);
    push(0, top, !headed);
    let mut signed = false;
    for (
        nth,
        &Heading {
            start: at,
            end: body,
            kind,
        },
    ) in headings.iter().enumerate()
    {
        let end = headings.get(nth + 1).map_or(text.len(), |next| next.start);
        signed = match kind {
            Kind::Findings | Kind::Conclusion => false,
            Kind::Signature => true,
            Kind::Aside | Kind::Other => signed,
        };
        if headed && nth < start {
            push(at, end, false);
        } else if matches!(kind, Kind::Findings | Kind::Conclusion) {
            let body = body.min(end);
            push(at, body, false);
            push(body, end, true);
        } else if kind == Kind::Aside && !signed {
            // What follows without a heading of its own may be what was seen.
            let aside = aside(text, body, end);
            push(at, aside, false);
            push(aside, end, true);
        } else {
            push(at, end, !signed);
        }
    }
    let words = |&(start, end, read): &(usize, usize, bool)| {
        read && text[start..end].chars().any(char::is_alphanumeric)
    };
    if !parts.iter().any(words) {
        return Vec::new();
    }
    let mut unread: Vec<Span> = Vec::new();
    for (start, end, _) in parts.into_iter().filter(|(.., read)| !read) {
        let (Ok(start), Ok(end)) = (u32::try_from(start), u32::try_from(end)) else {
            return Vec::new();
        };
        match unread.last_mut() {
            Some(last) if last.end == start => last.end = end,
            _ => unread.push(Span { start, end }),
        }
    }
    unread
}

/// Where the text under a heading that frames a report ends, within `body..end`: with its line, or, if nothing stands on that,
/// with its paragraph.
fn aside(text: &str, body: usize, end: usize) -> usize {
    let (mut at, mut begun) = (body, false);
    for (nth, line) in text[body..end].split_inclusive('\n').enumerate() {
        let blank = line.trim().is_empty();
        if begun && blank {
            break;
        }
        at += line.len();
        begun |= !blank;
        if nth == 0 && begun {
            break;
        }
    }
    at
}

/// A heading, its colon included, and what stands under it.
#[derive(Clone, Copy)]
struct Heading {
    start: usize,
    end: usize,
    kind: Kind,
}

/// The headings: at the beginning of a line before a colon, on a line of its own in capitals, or in capitals
/// before a colon within a line.
fn headings(text: &str) -> Vec<Heading> {
    let mut found: Vec<Heading> = Vec::new();
    let mut push = |start: usize, length: usize, kind: Kind| {
        found.push(Heading {
            start,
            end: start + length,
            kind,
        });
    };
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let body = line.trim_start();
        let start = at + (line.len() - body.len());
        at += line.len();
        let lower = body
            .get(..body.floor_char_boundary(LONGEST))
            .unwrap_or(body)
            .to_lowercase();
        if SIGNATURE.iter().any(|begins| lower.starts_with(begins)) {
            push(start, 0, Kind::Signature);
            continue;
        }
        let bare = body.trim_end();
        if !bare.contains(':') && bare == bare.to_uppercase() && kind(bare) != Kind::Other {
            push(start, bare.len(), kind(bare));
            continue;
        }
        for (nth, (colon, _)) in body.match_indices(':').enumerate() {
            let before = &body[..colon];
            if nth == 0 && before.len() <= LONGEST && is_name(before) {
                push(start, colon + 1, kind(before));
            } else if let Some(name) = capitals(before) {
                push(start + colon - name.len(), name.len() + 1, kind(name));
            }
        }
    }
    found
}

/// Whether a text before a colon may be a heading: up to four words without digits.
fn is_name(text: &str) -> bool {
    let words = text.split_whitespace().count();
    (1..=4).contains(&words) && !text.contains(|c: char| c.is_ascii_digit() || ".,;".contains(c))
}

/// The known heading in capitals that a text ends with: a sentence before it ended.
fn capitals(before: &str) -> Option<&str> {
    let starts = before.char_indices().filter_map(|(at, c)| {
        let sentence = before[..at].trim_end();
        let begins = sentence.is_empty() || sentence.ends_with(['.', '!', '?', ')', ';']);
        (c.is_uppercase() && begins && sentence.len() < at && before.len() - at <= LONGEST).then_some(at)
    });
    starts
        .map(|at| &before[at..])
        .find(|name| *name == name.to_uppercase() && kind(name) != Kind::Other)
}

fn kind(name: &str) -> Kind {
    let name = name.to_lowercase().replace(['/', '&'], " and ");
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    let is = |of: &[&str]| of.contains(&name.as_str());
    if is(&FINDINGS) {
        Kind::Findings
    } else if is(&CONCLUSION) {
        Kind::Conclusion
    } else if is(&ASIDE) {
        Kind::Aside
    } else if SIGNATURE.iter().any(|begins| name.starts_with(begins)) {
        Kind::Signature
    } else {
        Kind::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        let (mut out, mut at) = (String::new(), 0);
        for span in unread(text) {
            out.push_str(&text[at..span.start as usize]);
            at = span.end as usize;
        }
        out.push_str(&text[at..]);
        out
    }

    #[test]
    fn a_report_is_read_without_its_frame() {
        let text = "CHEST, TWO VIEWS\nPatient: A. Quill\nCLINICAL HISTORY: Cough, effusion?\nTechnique: PA.\nCOMPARISON: none\n\n\
                    FINDINGS:\nLUNGS: clear.\nHeart: large.\n\nIMPRESSION:\n1. Large heart.\n\nElectronically signed by: B. Quill, MD\nTime: 10:14\n\
                    ADDENDUM: a nodule as well.\n";
        assert_eq!(
            read(text),
            "\nLUNGS: clear.\nHeart: large.\n\n\n1. Large heart.\n\n a nodule as well.\n"
        );
    }

    #[test]
    fn headings_in_capitals_are_found_within_a_line() {
        let text = "INDICATION: cough. COMPARISON: 2019. FINDINGS: Clear lungs. RECOMMENDATION: none. IMPRESSION: Normal.";
        assert_eq!(read(text), " Clear lungs.  none.  Normal.");
        // In small letters, within a sentence, it is a word.
        let text = "In comparison: larger. With COMPARISON: unknown. Not a Findings: no.";
        assert_eq!(read(&format!("FINDINGS:{text}")), text);
    }

    #[test]
    fn what_was_seen_without_a_heading_is_read() {
        let text = "INDICATION: cough.\n\nThe lungs are clear.\n\nCOMPARISON: none.\nIMPRESSION\nNormal.";
        assert_eq!(read(text), "\nThe lungs are clear.\n\n\nNormal.");
        // Whatever ends the lines, and where the frame stands on lines of its own.
        let text = "INDICATION:\r\ncough,\r\nfever\r\n\r\nThe lungs are clear.\r\nIMPRESSION: Normal.";
        assert_eq!(read(text), "\r\nThe lungs are clear.\r\n Normal.");
        let text = "FINDINGS: Clear.\nCOMPARISON: none.\nThe heart is large.";
        assert_eq!(read(text), " Clear.\nThe heart is large.");
        let text = "A large effusion.\nIMPRESSION: Effusion.\nFINDINGS: see above.";
        assert_eq!(read(text), "A large effusion.\n Effusion.\n see above.");
    }

    #[test]
    fn without_headings_or_without_a_rest_everything_is_read() {
        for text in [
            "",
            "The heart is large. No effusion.",
            "HISTORY: cough.\nNothing else.",
            "COMPARISON: none.\nFINDINGS",
            ":::\n: :",
            "FINDINGS",
        ] {
            assert_eq!(read(text), text);
        }
    }
}
