//! A paragraph in lines.

use std::ops::Range;

use krilla::text::KrillaGlyph;
use unicode_bidi::BidiInfo;

use super::face::Faces;
use super::sheet::Ink;

/// How a run of text looks.
#[derive(Clone, Copy)]
pub(super) struct Style {
    /// In the bold face.
    pub bold: bool,
    /// Size in points.
    pub size: f32,
    /// Colour.
    pub ink: Ink,
    /// Points above the line.
    pub rise: f32,
    /// How it is marked.
    pub mark: Option<Mark>,
}

/// How evidence is marked: never by colour alone.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Mark {
    /// Behind the text.
    pub ground: Ink,
    /// Of the line below.
    pub line: Ink,
    /// Dotted, or solid.
    pub dotted: bool,
}

/// Text of one style.
pub(super) struct Run<'a> {
    /// Text; characters that the faces have.
    pub text: &'a str,
    /// Style.
    pub style: Style,
}

/// Glyphs of one style and one direction on a line.
pub(super) struct Piece {
    /// Its text.
    pub text: String,
    /// Its style.
    pub style: Style,
    /// Its glyphs, from left to right.
    pub glyphs: Vec<KrillaGlyph>,
    /// Its width in points.
    pub width: f32,
}

/// A line.
pub(super) struct Line {
    /// From left to right.
    pub pieces: Vec<Piece>,
    /// Points from the left edge.
    pub left: f32,
}

/// Breaks `runs` into lines that are at most `width` points wide: at white space, and within a word only where it alone is wider
/// than a line. A line break in the text ends a line. Each line is ordered by the bidirectional algorithm (Unicode Standard Annex 9).
pub(super) fn lines(faces: &Faces, runs: &[Run<'_>], width: f32) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut paragraph = Paragraph::new(faces);
    for run in runs {
        for (nth, text) in run.text.split('\n').enumerate() {
            if nth > 0 {
                paragraph.set(width, &mut lines);
                paragraph = Paragraph::new(faces);
            }
            paragraph.push(text, run.style);
        }
    }
    paragraph.set(width, &mut lines);
    lines
}

/// Text between two line breaks.
struct Paragraph<'a> {
    faces: &'a Faces,
    text: String,
    styles: Vec<(Range<usize>, Style)>,
}

impl<'a> Paragraph<'a> {
    const fn new(faces: &'a Faces) -> Self {
        Self {
            faces,
            text: String::new(),
            styles: Vec::new(),
        }
    }

    fn push(&mut self, text: &str, style: Style) {
        let start = self.text.len();
        self.text.push_str(text);
        self.styles.push((start..self.text.len(), style));
    }

    /// The parts of `range` that have one style each.
    fn parts(&self, range: &Range<usize>) -> impl DoubleEndedIterator<Item = (Range<usize>, Style)> {
        let (start, end) = (range.start, range.end);
        self.styles
            .iter()
            .map(move |(of, style)| (of.start.max(start)..of.end.min(end), *style))
            .filter(|(part, _)| part.start < part.end)
    }

    /// Points that the text would take in one direction; all that breaking lines needs.
    fn width(&self, range: Range<usize>) -> f32 {
        self.parts(&range)
            .map(|(part, style)| {
                self.faces.face(style.bold).shape(&self.text[part], false).width * style.size
            })
            .sum()
    }

    fn set(&self, width: f32, lines: &mut Vec<Line>) {
        let bidi = BidiInfo::new(&self.text, None);
        let Some(paragraph) = bidi.paragraphs.first() else {
            lines.push(Line {
                pieces: Vec::new(),
                left: 0.0,
            });
            return;
        };
        for mut range in self.broken(width) {
            let to_the_left = paragraph.level.is_rtl();
            // The blank that was broken at stays with the text, for those who copy it or hear it read.
            let blank = self.text[range.end..].starts_with(' ');
            if blank && !to_the_left {
                range.end += 1;
            }
            let (levels, visual) = bidi.visual_runs(paragraph, range);
            let mut pieces = Vec::new();
            for part in visual {
                let turned = levels.get(part.start).is_some_and(unicode_bidi::Level::is_rtl);
                let mut styled: Vec<_> = self.parts(&part).collect();
                if turned {
                    styled.reverse();
                }
                pieces.extend(
                    styled
                        .into_iter()
                        .map(|(part, style)| self.piece(part, style, turned)),
                );
            }
            let taken: f32 = pieces.iter().map(|piece| piece.width).sum();
            let left = if to_the_left {
                (width - taken).max(0.0)
            } else {
                0.0
            };
            lines.push(Line { pieces, left });
        }
    }

    fn piece(&self, range: Range<usize>, style: Style, to_the_left: bool) -> Piece {
        let text = &self.text[range];
        let shaped = self.faces.face(style.bold).shape(text, to_the_left);
        Piece {
            text: text.to_owned(),
            style,
            glyphs: shaped.glyphs,
            width: shaped.width * style.size,
        }
    }

    /// Where the lines begin and end.
    fn broken(&self, width: f32) -> Vec<Range<usize>> {
        let mut lines = Vec::new();
        let (mut start, mut end, mut taken) = (0, 0, 0.0);
        for word in words(&self.text) {
            let more = self.width(end..word.start) + self.width(word.clone());
            if taken + more <= width {
                taken += more;
                end = word.end;
                continue;
            }
            if end > start {
                lines.push(start..end);
            }
            (start, end, taken) = (word.start, word.end, self.width(word.clone()));
            if taken > width {
                (start, taken) = self.cut(word, width, &mut lines);
            }
        }
        lines.push(start..end.max(start));
        lines
    }

    /// Cuts a word that is wider than a line; its last part begins the next line.
    fn cut(&self, word: Range<usize>, width: f32, lines: &mut Vec<Range<usize>>) -> (usize, f32) {
        let (mut start, mut taken) = (word.start, 0.0);
        for (at, c) in self.text[word.clone()].char_indices() {
            let at = word.start + at;
            let more = self.width(at..at + c.len_utf8());
            if taken + more > width && at > start {
                lines.push(start..at);
                (start, taken) = (at, 0.0);
            }
            taken += more;
        }
        (start, taken)
    }
}

/// Words: what stands between white space, of which a blank that does not break is none.
fn words(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    text.split(|c: char| c.is_whitespace() && c != '\u{a0}')
        .map(move |word| {
            let start = at;
            at += word.len() + text[at + word.len()..].chars().next().map_or(0, char::len_utf8);
            start..start + word.len()
        })
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::print::PrintError;

    const STYLE: Style = Style {
        bold: false,
        size: 10.0,
        ink: Ink::BLACK,
        rise: 0.0,
        mark: None,
    };

    fn set(text: &str, width: f32) -> Result<Vec<(String, f32, f32)>, PrintError> {
        let faces = Faces::new()?;
        let run = Run { text, style: STYLE };
        Ok(lines(&faces, &[run], width)
            .iter()
            .map(|line| {
                (
                    line.pieces.iter().map(|piece| piece.text.as_str()).collect(),
                    line.pieces.iter().map(|piece| piece.width).sum(),
                    line.left,
                )
            })
            .collect())
    }

    #[test]
    fn lines_break_at_blanks_and_lose_nothing() -> Result<(), PrintError> {
        let text = "  The heart is of normal size,\n\nand the lungs are clear.";
        let got = set(text, 70.0)?;
        assert!(got.len() > 4, "{got:?}");
        let joined: String = got.iter().map(|(line, ..)| line.as_str()).collect();
        assert_eq!(joined, text.replace('\n', ""));
        assert!(got.iter().any(|(line, ..)| line.is_empty()));
        for (line, ..) in &got {
            let inked = set(line.trim_end(), 1000.0)?;
            assert!(inked.iter().all(|(_, width, _)| *width <= 70.0), "{line}");
        }
        Ok(())
    }

    #[test]
    fn a_word_wider_than_a_line_is_cut() -> Result<(), PrintError> {
        let word = "W".repeat(100);
        let got = set(&format!("a {word} b"), 100.0)?;
        assert!(got.iter().all(|(_, width, _)| *width <= 104.0), "{got:?}");
        let joined: String = got.iter().map(|(line, ..)| line.as_str()).collect();
        assert_eq!(joined, format!("a {word} b"));
        Ok(())
    }

    #[test]
    fn what_is_read_from_the_right_is_set_from_the_right() -> Result<(), PrintError> {
        let got = set("שלום עולם", 200.0)?;
        assert_eq!(got.len(), 1);
        let (_, width, left) = got[0];
        assert!(left > 0.0 && (left + width - 200.0).abs() < 0.01);
        // Within a line from the left it is turned, and the line stays where it is.
        let got = set("name שלום 12", 200.0)?;
        assert_eq!(got[0].2.to_bits(), 0.0_f32.to_bits());
        assert_eq!(got[0].0, "name 12שלום ");
        Ok(())
    }
}
