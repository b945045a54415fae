//! Sheets of paper: what is drawn where, and what it is to those who hear it read.

use std::num::NonZeroU16;

use krilla::color::rgb;
use krilla::configure::{Archival, ConfigurationBuilder, validate::Accessibility};
use krilla::destination::XyzDestination;
use krilla::geom::{PathBuilder, Point, Rect};
use krilla::metadata::Metadata;
use krilla::outline::{Outline, OutlineNode};
use krilla::page::PageSettings;
use krilla::paint::{Fill, LineCap, Stroke, StrokeDash};
use krilla::surface::Surface;
use krilla::tagging::{
    Artifact, ArtifactType, ContentTag, ListNumbering, Node, SpanTag, Tag, TagGroup, TagKind, TagTree,
};
use krilla::{Document, SerializeSettings};

use super::PrintError;
use super::face::Faces;
use super::lines::{Line, Piece};

/// Width in points: A4's, 210 mm.
pub(super) const WIDTH: f32 = 595.28;
/// Height in points: Letter's, 11 inches.
pub(super) const HEIGHT: f32 = 792.0;
/// White on every side, 16 mm.
pub(super) const MARGIN: f32 = 45.0;
/// Where text ends; below it stands the foot.
const BOTTOM: f32 = HEIGHT - MARGIN - 14.0;

/// A colour, red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ink(pub u8, pub u8, pub u8);

impl Ink {
    /// Of text.
    pub const BLACK: Self = Self(0x16, 0x21, 0x2c);

    fn fill(self) -> Fill {
        Fill {
            paint: rgb::Color::new(self.0, self.1, self.2).into(),
            ..Fill::default()
        }
    }
}

/// What something is, in the document's logical structure (ISO 32000-1, 14.8.4).
#[derive(Clone)]
pub(super) enum Role {
    /// A heading of this level.
    Heading(u16, String),
    /// A paragraph.
    Paragraph,
    /// A list.
    List,
    /// An item of a list.
    Item,
    /// What names an item.
    Label,
    /// What an item says.
    Body,
}

impl Role {
    fn tag(self) -> TagKind {
        match self {
            Self::Heading(level, title) => {
                Tag::Hn(NonZeroU16::new(level).unwrap_or(NonZeroU16::MIN), Some(title)).into()
            }
            Self::Paragraph => Tag::P.into(),
            Self::List => Tag::L(ListNumbering::None).into(),
            Self::Item => Tag::LI.into(),
            Self::Label => Tag::Lbl.into(),
            Self::Body => Tag::LBody.into(),
        }
    }
}

/// A part of the structure, by its number.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Part(usize);

enum Mark {
    Text {
        piece: Piece,
        x: f32,
        y: f32,
    },
    Fill {
        rect: Rect,
        ink: Ink,
    },
    Line {
        from: Point,
        to: Point,
        ink: Ink,
        width: f32,
        dots: Option<f32>,
    },
}

enum Child {
    Part(usize),
    Mark { page: usize, nth: usize },
}

struct Structure {
    role: Role,
    children: Vec<Child>,
}

/// The sheets of a document, filled from top to bottom.
pub(super) struct Sheet {
    /// The faces.
    pub faces: Faces,
    pages: Vec<Vec<(Mark, Option<Part>)>>,
    /// Where the next line begins, in points from the top.
    pub y: f32,
    structure: Vec<Structure>,
    top: Vec<usize>,
    outline: Vec<(String, usize, f32)>,
}

impl Sheet {
    /// An empty document.
    ///
    /// # Errors
    /// [`PrintError::Face`]
    pub fn new() -> Result<Self, PrintError> {
        Ok(Self {
            faces: Faces::new()?,
            pages: vec![Vec::new()],
            y: MARGIN,
            structure: Vec::new(),
            top: Vec::new(),
            outline: Vec::new(),
        })
    }

    /// A new part of the structure, within another or at the top.
    pub fn part(&mut self, role: Role, within: Option<Part>) -> Part {
        let part = self.structure.len();
        if let Role::Heading(_, title) = &role {
            self.outline.push((title.clone(), self.pages.len() - 1, self.y));
        }
        self.structure.push(Structure {
            role,
            children: Vec::new(),
        });
        match within.and_then(|Part(within)| self.structure.get_mut(within)) {
            Some(within) => within.children.push(Child::Part(part)),
            None => self.top.push(part),
        }
        Part(part)
    }

    /// Goes on a new page where `height` points do not fit on this one.
    pub fn keep(&mut self, height: f32) {
        if self.y + height > BOTTOM && self.y > MARGIN {
            self.pages.push(Vec::new());
            self.y = MARGIN;
        }
    }

    /// Draws a line of text with its left edge at `x` and its top at the current height; `leading` is the distance to the next.
    pub fn line(&mut self, line: Line, x: f32, leading: f32, part: Part) {
        let size = line
            .pieces
            .iter()
            .map(|piece| piece.style.size)
            .fold(0.0, f32::max);
        let base = self.y + f32::midpoint(leading, size * 0.72);
        let mut at = x + line.left;
        for piece in line.pieces {
            let (width, style) = (piece.width, piece.style);
            if let Some(mark) = style.mark {
                self.fill(
                    (at - 0.5, base - size * 0.95, width + 1.0, size * 1.25),
                    mark.ground,
                );
                let below = base + size * 0.38;
                let dots = mark.dotted.then_some(2.4);
                self.rule((at, below), (at + width, below), (mark.line, 1.4), dots);
            }
            self.draw(
                Mark::Text {
                    piece,
                    x: at,
                    y: base - style.rise,
                },
                Some(part),
            );
            at += width;
        }
        self.y += leading;
    }

    /// Fills a rectangle: left, top, width, height.
    pub fn fill(&mut self, (x, y, width, height): (f32, f32, f32, f32), ink: Ink) {
        if let Some(rect) = Rect::from_xywh(x, y, width, height) {
            self.draw(Mark::Fill { rect, ink }, None);
        }
    }

    /// Draws a line; `dots` is the distance of its dots.
    pub fn rule(&mut self, from: (f32, f32), to: (f32, f32), (ink, width): (Ink, f32), dots: Option<f32>) {
        let point = |(x, y): (f32, f32)| Point::from_xy(x, y);
        let mark = Mark::Line {
            from: point(from),
            to: point(to),
            ink,
            width,
            dots,
        };
        self.draw(mark, None);
    }

    fn draw(&mut self, mark: Mark, part: Option<Part>) {
        let page = self.pages.len() - 1;
        let nth = self.pages[page].len();
        self.pages[page].push((mark, part));
        if let Some(within) = part.and_then(|Part(part)| self.structure.get_mut(part)) {
            within.children.push(Child::Mark { page, nth });
        }
    }

    /// How many pages there are.
    pub const fn pages(&self) -> usize {
        self.pages.len()
    }

    /// All text, in the order of drawing.
    #[cfg(test)]
    pub fn text(&self) -> String {
        let marks = self.pages.iter().flatten();
        marks
            .filter_map(|(mark, _)| match mark {
                Mark::Text { piece, .. } => Some(piece.text.as_str()),
                _ => None,
            })
            .collect()
    }

    /// Goes back to a page, counted from 0, to draw what belongs to no part: its head and foot.
    pub fn margin(&mut self, page: usize, line: Line, x: f32, y: f32) {
        let Some(page) = self.pages.get_mut(page) else {
            return;
        };
        let mut at = x + line.left;
        for piece in line.pieces {
            let width = piece.width;
            page.push((Mark::Text { piece, x: at, y }, None));
            at += width;
        }
    }

    /// Writes the document.
    ///
    /// # Errors
    /// [`PrintError::Write`] where it does not keep the rules of PDF/A-2a and PDF/UA-1.
    pub fn finish(self, metadata: Metadata) -> Result<Vec<u8>, PrintError> {
        let configuration = ConfigurationBuilder::new()
            .with_archival_validator(Archival::A2_A)
            .with_accessibility_validator(Accessibility::UA1)
            .finish()
            .map_err(|_| PrintError::Write("its two standards contradict each other"))?;
        let mut document = Document::new_with(SerializeSettings {
            configuration,
            enable_tagging: true,
            ..SerializeSettings::default()
        });
        let mut identifiers = Vec::with_capacity(self.pages.len());
        for marks in &self.pages {
            let settings =
                PageSettings::from_wh(WIDTH, HEIGHT).ok_or(PrintError::Write("its paper has no size"))?;
            let mut page = document.start_page_with(settings);
            let mut surface = page.surface();
            let mut of_page = Vec::with_capacity(marks.len());
            for (mark, part) in marks {
                let tag = if part.is_some() {
                    ContentTag::Span(SpanTag::empty())
                } else {
                    ContentTag::Artifact(Artifact::with_kind(ArtifactType::Layout))
                };
                of_page.push(surface.start_tagged(tag));
                put(&mut surface, mark, &self.faces);
                surface.end_tagged();
            }
            identifiers.push(of_page);
            surface.finish();
            page.finish();
        }
        let mut tree = TagTree::new();
        for &part in &self.top {
            tree.push(group(&self.structure, part, &identifiers));
        }
        document.set_tag_tree(tree);
        let mut outline = Outline::new();
        for (title, page, y) in self.outline {
            let place = XyzDestination::new(page, Point::from_xy(0.0, y));
            outline.push_child(OutlineNode::new(title, place));
        }
        document.set_outline(outline);
        document.set_metadata(metadata);
        document
            .finish()
            .map_err(|_| PrintError::Write("it does not keep the rules of PDF/A and PDF/UA"))
    }
}

fn group(structure: &[Structure], part: usize, identifiers: &[Vec<krilla::tagging::Identifier>]) -> TagGroup {
    let Structure { role, children } = &structure[part];
    let children = children
        .iter()
        .filter_map(|child| match child {
            Child::Part(part) => Some(Node::Group(group(structure, *part, identifiers))),
            Child::Mark { page, nth } => Some(Node::Leaf(identifiers.get(*page)?.get(*nth).copied()?)),
        })
        .collect();
    TagGroup::with_children(role.clone().tag(), children)
}

fn put(surface: &mut Surface<'_>, mark: &Mark, faces: &Faces) {
    match mark {
        Mark::Text { piece, x, y } => {
            surface.set_stroke(None);
            surface.set_fill(Some(piece.style.ink.fill()));
            surface.draw_glyphs(
                Point::from_xy(*x, *y),
                &piece.glyphs,
                faces.face(piece.style.bold).font.clone(),
                &piece.text,
                piece.style.size,
                false,
            );
        }
        Mark::Fill { rect, ink } => {
            let mut path = PathBuilder::new();
            path.push_rect(*rect);
            surface.set_stroke(None);
            surface.set_fill(Some(ink.fill()));
            if let Some(path) = path.finish() {
                surface.draw_path(&path);
            }
        }
        Mark::Line {
            from,
            to,
            ink,
            width,
            dots,
        } => {
            let mut path = PathBuilder::new();
            path.move_to(from.x, from.y);
            path.line_to(to.x, to.y);
            surface.set_fill(None);
            surface.set_stroke(Some(Stroke {
                paint: ink.fill().paint,
                width: *width,
                line_cap: if dots.is_some() {
                    LineCap::Round
                } else {
                    LineCap::Butt
                },
                dash: dots.map(|distance| StrokeDash {
                    array: vec![0.0, distance],
                    offset: 0.0,
                }),
                ..Stroke::default()
            }));
            if let Some(path) = path.finish() {
                surface.draw_path(&path);
            }
        }
    }
}
