//! The two faces of a printed document, and how a text becomes glyphs.

use std::ops::Range;

use krilla::text::{Font, GlyphId, KrillaGlyph};
use rustybuzz::{Direction, UnicodeBuffer};

use super::PrintError;

/// `DejaVu` Sans Condensed 2.37: Latin, Greek, Cyrillic, Arabic, Hebrew and more; its licence is beside it.
static REGULAR: &[u8] = include_bytes!("../../../../templates/assets/fonts/DejaVuSansCondensed.ttf");
static BOLD: &[u8] = include_bytes!("../../../../templates/assets/fonts/DejaVuSansCondensed-Bold.ttf");

/// What stands for a character that the faces do not have.
const MISSING: char = '\u{fffd}';

/// A face.
pub(super) struct Face {
    shaper: rustybuzz::Face<'static>,
    /// The same for the writer.
    pub font: Font,
    units: f32,
}

/// Both faces.
pub(super) struct Faces {
    regular: Face,
    bold: Face,
}

/// A text as glyphs, from left to right.
pub(super) struct Shaped {
    /// Glyphs; lengths in parts of the size.
    pub glyphs: Vec<KrillaGlyph>,
    /// Their width in parts of the size.
    pub width: f32,
}

impl Faces {
    /// Reads them.
    ///
    /// # Errors
    /// [`PrintError::Face`] where one is not a font.
    pub fn new() -> Result<Self, PrintError> {
        Ok(Self {
            regular: Face::new(REGULAR)?,
            bold: Face::new(BOLD)?,
        })
    }

    /// The one asked for.
    pub fn face(&self, bold: bool) -> &Face {
        if bold { &self.bold } else { &self.regular }
    }

    /// `text` in characters that both faces have, and how many had to be replaced. Line breaks stay; marks of direction and
    /// joiners, which no face draws, go.
    pub fn fit(&self, text: &str) -> (String, usize) {
        let (mut out, mut replaced) = (String::with_capacity(text.len()), 0);
        let mut characters = text.chars().peekable();
        while let Some(c) = characters.next() {
            match c {
                '\r' if characters.peek() == Some(&'\n') => {}
                '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => out.push('\n'),
                '\t' => out.push_str("    "),
                '\u{ad}'
                | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}' => {}
                _ if self.has(c) => out.push(c),
                _ => {
                    out.push(MISSING);
                    replaced += 1;
                }
            }
        }
        (out, replaced)
    }

    /// Private characters mean something else in each font, and PDF/A allows none (ISO 19005-2, 6.2.11.7.3).
    fn has(&self, c: char) -> bool {
        let private = matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..);
        let known = |face: &Face| face.shaper.glyph_index(c).is_some();
        !c.is_control() && !private && known(&self.regular) && known(&self.bold)
    }
}

impl Face {
    fn new(bytes: &'static [u8]) -> Result<Self, PrintError> {
        let font = Font::new(bytes.into(), 0).ok_or(PrintError::Face)?;
        let shaper = rustybuzz::Face::from_slice(bytes, 0).ok_or(PrintError::Face)?;
        Ok(Self {
            units: font.units_per_em(),
            shaper,
            font,
        })
    }

    /// The glyphs of `text`, which is on one line and runs in one direction.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a font's units are below 2^24, which an f32 holds exactly"
    )]
    pub fn shape(&self, text: &str, to_the_left: bool) -> Shaped {
        let mut buffer = UnicodeBuffer::new();
        buffer.push_str(text);
        buffer.guess_segment_properties();
        buffer.set_direction(if to_the_left {
            Direction::RightToLeft
        } else {
            Direction::LeftToRight
        });
        let shaped = rustybuzz::shape(&self.shaper, &[], buffer);
        let clusters = clusters(shaped.glyph_infos().iter().map(|info| info.cluster), text.len());
        let part = |units: i32| units as f32 / self.units;
        let mut width = 0.0;
        let glyphs = shaped
            .glyph_infos()
            .iter()
            .zip(shaped.glyph_positions())
            .zip(clusters)
            .map(|((info, at), cluster)| {
                width += part(at.x_advance);
                KrillaGlyph::new(
                    GlyphId::new(info.glyph_id),
                    part(at.x_advance),
                    part(at.x_offset),
                    part(at.y_offset),
                    part(at.y_advance),
                    cluster,
                    None,
                )
            })
            .collect();
        Shaped { glyphs, width }
    }
}

/// The bytes that each glyph stands for: from its cluster's first to the next cluster's, in whichever direction they run.
fn clusters(starts: impl Iterator<Item = u32>, length: usize) -> Vec<Range<usize>> {
    let starts: Vec<usize> = starts.map(|start| start as usize).collect();
    let mut ordered = starts.clone();
    ordered.sort_unstable();
    ordered.dedup();
    starts
        .into_iter()
        .map(|start| {
            let after = ordered.partition_point(|&other| other <= start);
            start..ordered.get(after).copied().unwrap_or(length)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_face_has_is_replaced_and_counted() -> Result<(), PrintError> {
        let faces = Faces::new()?;
        let (fit, replaced) = faces.fit("a\r\nb\tµ\u{200f}שלום \u{1f9ea}\u{e000}\u{7}");
        assert_eq!(fit, "a\nb    µשלום \u{fffd}\u{fffd}\u{fffd}");
        assert_eq!(replaced, 3);
        Ok(())
    }

    #[test]
    fn every_byte_belongs_to_a_glyph_in_either_direction() -> Result<(), PrintError> {
        let faces = Faces::new()?;
        for (text, to_the_left) in [("office fi é", false), ("سلام", true), ("שָׁלוֹם", true)] {
            let shaped = faces.face(false).shape(text, to_the_left);
            let mut at = vec![false; text.len()];
            for glyph in &shaped.glyphs {
                at[glyph.text_range.clone()].fill(true);
            }
            assert!(at.iter().all(|&there| there), "{text}");
            assert!(shaped.width > 0.0);
            assert!(shaped.glyphs.iter().all(|glyph| glyph.glyph_id.to_u32() != 0));
        }
        Ok(())
    }
}
