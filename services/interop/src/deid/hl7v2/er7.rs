//! Delimiters and escapes of HL7 v2's ER7 encoding (HL7 v2.5.1, sections 2.5.4 and 2.7).

/// What a header segment declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delimiters {
    pub field: char,
    pub component: char,
    pub repetition: char,
    pub escape: char,
    pub subcomponent: char,
    /// The truncation character of v2.7.
    truncation: Option<char>,
}

impl Delimiters {
    /// The delimiters that a header declares; none for any other segment.
    pub(super) fn of(segment: &str) -> Option<Self> {
        if !matches!(segment.get(..3)?, "MSH" | "FHS" | "BHS") {
            return None;
        }
        let mut chars = segment.get(3..)?.chars();
        let field = chars.next()?;
        let all: Vec<char> = chars.take_while(|&c| c != field).collect();
        let sign = |at: usize, usual: char| all.get(at).copied().unwrap_or(usual);
        let found = Self {
            field,
            component: sign(0, '^'),
            repetition: sign(1, '~'),
            escape: sign(2, '\\'),
            subcomponent: sign(3, '&'),
            truncation: all.get(4).copied(),
        };
        let signs = [
            found.field,
            found.component,
            found.repetition,
            found.escape,
            found.subcomponent,
        ];
        let usable = |c: char| c.is_ascii_punctuation();
        let distinct = (1..signs.len()).all(|at| !signs[..at].contains(&signs[at]));
        (signs.into_iter().all(usable) && distinct && all.len() < 6 && found.truncation.is_none_or(usable))
            .then_some(found)
    }

    /// The second field of the header.
    pub(super) fn declared(&self) -> String {
        let signs = [self.component, self.repetition, self.escape, self.subcomponent];
        signs.into_iter().chain(self.truncation).collect()
    }

    /// The characters that escapes stand for; marks of layout become line breaks or nothing.
    pub(super) fn unescape(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(self.escape) {
            out.push_str(before);
            let Some((code, behind)) = after.split_once(self.escape) else {
                // A lone escape character stands for itself.
                out.push(self.escape);
                rest = after;
                continue;
            };
            match code {
                "F" => out.push(self.field),
                "S" => out.push(self.component),
                "R" => out.push(self.repetition),
                "E" => out.push(self.escape),
                "T" => out.push(self.subcomponent),
                "P" => out.extend(self.truncation),
                _ if code.starts_with('X') => out.extend(hexadecimal(&code[1..])),
                _ if code.starts_with(".br") || code.starts_with(".sp") || code.starts_with(".ce") => {
                    out.push('\n');
                }
                "H" | "N" => {}
                _ if code.starts_with('.') || code.starts_with(['C', 'M', 'Z']) && code.len() < 10 => {}
                // No escape: two of the characters stand in a text by chance.
                _ => {
                    out.push(self.escape);
                    rest = after;
                    continue;
                }
            }
            rest = behind;
        }
        out.push_str(rest);
        out
    }

    /// The text with escapes where it has delimiters, line breaks as `.br`.
    pub(super) fn escape(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            let code = match c {
                c if c == self.field => "F",
                c if c == self.component => "S",
                c if c == self.repetition => "R",
                c if c == self.escape => "E",
                c if c == self.subcomponent => "T",
                '\n' => ".br",
                '\r' => continue,
                c => {
                    out.push(c);
                    continue;
                }
            };
            out.push(self.escape);
            out.push_str(code);
            out.push(self.escape);
        }
        out
    }
}

fn hexadecimal(digits: &str) -> Option<char> {
    let code = u32::from_str_radix(digits, 16).ok()?;
    // Control characters would end a segment or worse.
    char::from_u32(code).map(|c| if c.is_control() { ' ' } else { c })
}

/// The segments of a message: lines, without the framing of MLLP.
pub(super) fn segments(text: &str) -> Vec<&str> {
    let lines = text
        .split(['\r', '\n'])
        .map(|line| line.trim_matches(['\u{b}', '\u{1c}', ' ']));
    lines.filter(|line| !line.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MSH: &str = r"MSH|^~\&|A";

    #[test]
    fn headers_declare_their_delimiters() {
        let found = Delimiters::of("MSH$%~?!$A").expect("a header");
        assert_eq!(
            (found.field, found.component, found.subcomponent),
            ('$', '%', '!')
        );
        assert_eq!(
            Delimiters::of(r"MSH|^~\&#|A").expect("a header").declared(),
            r"^~\&#"
        );
        for segment in ["PID|1", "MSH", "MSHA^~", "MSH|^^^^|", "MSH||"] {
            assert!(
                Delimiters::of(segment).is_none() || segment == "MSH||",
                "{segment}"
            );
        }
    }

    #[test]
    fn escapes_are_resolved() {
        let delimiters = Delimiters::of(MSH).expect("a header");
        assert_eq!(delimiters.unescape(r"a\F\b\S\c\T\d\R\e\E\f"), r"a|b^c&d~e\f");
        assert_eq!(
            delimiters.unescape(r"one\.br\two\H\three\N\ \X41\"),
            "one\ntwothree A"
        );
        assert_eq!(delimiters.unescape(r"C:\dir"), r"C:\dir");
        assert_eq!(delimiters.unescape(r"a \or\ b"), r"a \or\ b");
    }

    proptest! {
        #[test]
        fn what_is_escaped_comes_back(text in "[ -~é\n]{0,60}") {
            let delimiters = Delimiters::of(MSH).expect("a header");
            let escaped = delimiters.escape(&text);
            prop_assert!(!escaped.contains(['|', '^', '~', '&', '\n']));
            prop_assert_eq!(delimiters.unescape(&escaped), text);
        }
    }
}
