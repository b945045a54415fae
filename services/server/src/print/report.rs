//! The explanation of a suggestion as a printed document: what [`ReportPage`] says, in the same order.

use krilla::metadata::{DateTime, Metadata};
use time::{OffsetDateTime, UtcOffset};

use super::PrintError;
use super::lines::{Line, Mark, Run, Style, lines};
use super::sheet::{HEIGHT, Ink, MARGIN, Part, Role, Sheet, WIDTH};
use crate::pages::{PatientBanner, ReportPage, SignedView, Tone};

/// Width of the text.
const MEASURE: f32 = WIDTH - 2.0 * MARGIN;
/// Sizes of text, in points.
pub(super) const TEXT: f32 = 9.5;
pub(super) const SMALL: f32 = 8.25;
/// Distance of lines, in parts of their size.
pub(super) const LEADING: f32 = 1.42;

const MUTED: Ink = Ink(0x44, 0x52, 0x5f);
const FAINT: Ink = Ink(0xc9, 0xd2, 0xda);
const SOFT: Ink = Ink(0xf4, 0xf6, 0xf9);
const ALERT: Ink = Ink(0x94, 0x1b, 0x1b);
const ALERT_SOFT: Ink = Ink(0xfd, 0xec, 0xeb);

/// Lines and ground of evidence.
pub(super) const fn inks(tone: Tone) -> (Ink, Ink) {
    match tone {
        Tone::Abnormal => (Ink(0x8a, 0x3f, 0x00), Ink(0xfd, 0xf0, 0xe2)),
        Tone::Normal => (Ink(0x0a, 0x5c, 0x54), Ink(0xe3, 0xf4, 0xf1)),
        Tone::Neutral => (Ink::BLACK, SOFT),
    }
}

pub(super) const fn style(size: f32, bold: bool, ink: Ink) -> Style {
    Style {
        bold,
        size,
        ink,
        rise: 0.0,
        mark: None,
    }
}

pub(super) const PLAIN: Style = style(TEXT, false, Ink::BLACK);
pub(super) const STRONG: Style = style(TEXT, true, Ink::BLACK);
pub(super) const QUIET: Style = style(SMALL, false, MUTED);

/// A column of text: left edge and width.
#[derive(Clone, Copy)]
pub(super) struct Column(pub f32, pub f32);

const FULL: Column = Column(MARGIN, MEASURE);

/// The page as PDF/A-2a, made at `at`.
///
/// # Errors
/// [`PrintError`]
pub fn report(page: &ReportPage, at: OffsetDateTime) -> Result<Vec<u8>, PrintError> {
    let metadata = Metadata::new()
        .title(page.title.clone())
        .language("en".to_owned())
        .creator(concat!("Countersign ", env!("CARGO_PKG_VERSION")).to_owned())
        .creation_date(date(at));
    laid_out(page)?.finish(metadata)
}

/// The sheets as they will be written.
fn laid_out(page: &ReportPage) -> Result<Sheet, PrintError> {
    let mut print = Print {
        sheet: Sheet::new()?,
        replaced: 0,
    };
    print.head(page);
    if let Some(signed) = &page.signed {
        print.decision(signed);
    }
    print.suggestion(page);
    print.note(page);
    if let Ok(suggestion) = &page.suggestion {
        print.evidence(suggestion);
    }
    print.reading(page);
    print.model(page);
    print.margins(page);
    Ok(print.sheet)
}

/// A document while it is laid out.
pub(super) struct Print {
    /// Where it is laid out.
    pub(super) sheet: Sheet,
    /// Characters that the faces do not have.
    replaced: usize,
}

impl Print {
    /// Lines of `runs`, whose characters are made to fit the faces.
    pub(super) fn set(&mut self, runs: &[(&str, Style)], width: f32) -> Vec<Line> {
        let fitted: Vec<(String, Style)> = runs
            .iter()
            .map(|(text, style)| {
                let (text, replaced) = self.sheet.faces.fit(text);
                self.replaced += replaced;
                (text, *style)
            })
            .collect();
        let runs: Vec<Run<'_>> = fitted
            .iter()
            .map(|(text, style)| Run { text, style: *style })
            .collect();
        lines(&self.sheet.faces, &runs, width)
    }

    pub(super) fn lay(
        &mut self,
        runs: &[(&str, Style)],
        Column(left, width): Column,
        leading: f32,
        part: Part,
    ) {
        for line in self.set(runs, width) {
            self.sheet.keep(leading);
            self.sheet.line(line, left, leading, part);
        }
    }

    pub(super) fn paragraph(&mut self, runs: &[(&str, Style)]) {
        let size = runs.iter().map(|(_, style)| style.size).fold(SMALL, f32::max);
        let part = self.sheet.part(Role::Paragraph, None);
        self.lay(runs, FULL, size * LEADING, part);
        self.sheet.y += 2.0;
    }

    pub(super) fn heading(&mut self, title: &str) {
        self.sheet.keep(64.0);
        self.sheet.y += 9.0;
        let y = self.sheet.y;
        self.sheet
            .rule((MARGIN, y), (MARGIN + MEASURE, y), (FAINT, 0.75), None);
        self.sheet.y += 7.0;
        let part = self.sheet.part(Role::Heading(2, title.to_owned()), None);
        self.lay(&[(title, style(11.0, true, Ink::BLACK))], FULL, 16.0, part);
        self.sheet.y += 1.0;
    }

    /// A dash and what it says, for each.
    fn list<'a>(&mut self, of: impl IntoIterator<Item = &'a str>, size: f32) {
        let list = self.sheet.part(Role::List, None);
        for text in of {
            self.sheet.keep(size * LEADING);
            let item = self.sheet.part(Role::Item, Some(list));
            let body = self.sheet.part(Role::Body, Some(item));
            let y = self.sheet.y + size * 0.78;
            self.sheet
                .rule((MARGIN, y), (MARGIN + 5.0, y), (MUTED, 0.8), None);
            let column = Column(MARGIN + 11.0, MEASURE - 11.0);
            self.lay(
                &[(text, style(size, false, Ink::BLACK))],
                column,
                size * LEADING,
                body,
            );
            self.sheet.y += 1.0;
        }
    }

    fn head(&mut self, page: &ReportPage) {
        let part = self.sheet.part(Role::Heading(1, page.title.clone()), None);
        self.lay(&[(&page.title, style(15.0, true, Ink::BLACK))], FULL, 20.0, part);
        self.paragraph(&[(&page.subtitle, QUIET)]);
        if let Some(warning) = &page.warning {
            self.boxed(
                &[(warning, STRONG)],
                Frame {
                    ground: Some(ALERT_SOFT),
                    edge: Some(ALERT),
                    all: false,
                },
            );
        }
        if let Some(patient) = &page.patient {
            let text = who(patient);
            let rest = text.strip_prefix(patient.name.as_str()).unwrap_or_default();
            let frame = Frame {
                ground: None,
                edge: Some(Ink::BLACK),
                all: true,
            };
            self.boxed(
                &[(&patient.name, style(11.0, true, Ink::BLACK)), (rest, PLAIN)],
                frame,
            );
        }
    }

    /// Text in a box that is not broken between pages.
    fn boxed(&mut self, runs: &[(&str, Style)], frame: Frame) {
        let leading = TEXT * 1.6;
        let column = Column(MARGIN + 9.0, MEASURE - 18.0);
        let set = self.set(runs, column.1);
        let height = set.iter().fold(10.0, |height, _| height + leading);
        self.sheet.y += 5.0;
        self.sheet.keep(height);
        let y = self.sheet.y;
        if let Some(ground) = frame.ground {
            self.sheet.fill((MARGIN, y, MEASURE, height), ground);
        }
        if let Some(edge) = frame.edge {
            let (left, right, below) = (MARGIN, MARGIN + MEASURE, y + height);
            let width = if frame.all { 1.4 } else { 3.5 };
            self.sheet.rule((left, y), (left, below), (edge, width), None);
            if frame.all {
                for (from, to) in [
                    ((left, y), (right, y)),
                    ((right, y), (right, below)),
                    ((left, below), (right, below)),
                ] {
                    self.sheet.rule(from, to, (edge, width), None);
                }
            }
        }
        self.sheet.y += 5.0;
        let part = self.sheet.part(Role::Paragraph, None);
        for line in set {
            self.sheet.line(line, column.0, leading, part);
        }
        self.sheet.y = y + height + 3.0;
    }

    fn decision(&mut self, signed: &SignedView) {
        self.heading("The physician’s decision");
        let said = match signed.reason {
            Some(reason) => format!(": {reason}"),
            None if signed.findings.is_empty() => format!(": {}", signed.impression),
            None => format!(": {}; {}", signed.impression, signed.findings.join(", ")),
        };
        self.paragraph(&[(signed.verdict, STRONG), (&said, PLAIN)]);
        if !signed.comment.is_empty() {
            self.paragraph(&[(&signed.comment, PLAIN)]);
        }
        let by = if signed.by.is_empty() {
            signed.at.clone()
        } else {
            format!("{}, {}", signed.by, signed.at)
        };
        self.paragraph(&[(&by, QUIET)]);
    }

    fn suggestion(&mut self, page: &ReportPage) {
        self.heading("The model’s suggestion");
        let suggestion = match &page.suggestion {
            Ok(suggestion) => suggestion,
            Err(reason) => return self.paragraph(&[("No suggestion: ", STRONG), (reason, PLAIN)]),
        };
        let (ink, _) = inks(suggestion.tone);
        self.paragraph(&[(suggestion.impression, style(12.0, true, ink))]);
        let percent = format!("{} %", suggestion.percent);
        let mut rest = format!(", operating point {} %.", suggestion.threshold);
        if let Some(frequency) = &page.frequency {
            rest.push(' ');
            rest.push_str(frequency);
        }
        self.paragraph(&[
            ("Probability of abnormal ", PLAIN),
            (&percent, STRONG),
            (&rest, PLAIN),
        ]);
        if suggestion.findings.is_empty() {
            return self.paragraph(&[("No finding above its operating point.", style(TEXT, false, MUTED))]);
        }
        let list = self.sheet.part(Role::List, None);
        for finding in &suggestion.findings {
            let leading = TEXT * 1.55;
            // Both columns begin on one page, a name of two lines too.
            self.sheet.keep(2.0 * leading);
            let item = self.sheet.part(Role::Item, Some(list));
            let label = self.sheet.part(Role::Label, Some(item));
            let body = self.sheet.part(Role::Body, Some(item));
            let top = self.sheet.y;
            self.lay(&[(&finding.label, PLAIN)], Column(MARGIN, 200.0), leading, label);
            let below = std::mem::replace(&mut self.sheet.y, top);
            let percent = format!("{} %", finding.percent);
            self.lay(&[(&percent, PLAIN)], Column(MARGIN + 215.0, 60.0), leading, body);
            self.sheet.y = below;
            self.sheet
                .rule((MARGIN, below), (MARGIN + 260.0, below), (FAINT, 0.75), Some(2.4));
        }
    }

    fn note(&mut self, page: &ReportPage) {
        let evidence = page.note.iter().any(|piece| piece.number != 0);
        self.heading(if evidence {
            "The text, with what moved the suggestion"
        } else {
            "The text"
        });
        if evidence {
            let (abnormal, normal) = (marked(Tone::Abnormal), marked(Tone::Normal));
            self.paragraph(&[
                ("Marks: ", QUIET),
                (
                    "solid",
                    Style {
                        size: SMALL,
                        ..abnormal
                    },
                ),
                (" 1+", number(Tone::Abnormal)),
                (" speaks for abnormal, ", QUIET),
                (
                    "dotted",
                    Style {
                        size: SMALL,
                        ..normal
                    },
                ),
                (" 2\u{2212}", number(Tone::Normal)),
                (" against. The number leads to the chart.", QUIET),
            ]);
        }
        let signs: Vec<String> = page
            .note
            .iter()
            .map(|piece| format!("\u{a0}{}{}", piece.number, piece.tone.sign()))
            .collect();
        let mut runs = Vec::new();
        for (piece, sign) in page.note.iter().zip(&signs) {
            if piece.number == 0 {
                runs.push((piece.text.as_str(), PLAIN));
            } else {
                runs.push((piece.text.as_str(), marked(piece.tone)));
                runs.push((sign.as_str(), number(piece.tone)));
            }
        }
        let (column, leading) = (Column(MARGIN + 9.0, MEASURE - 18.0), TEXT * 1.75);
        let part = self.sheet.part(Role::Paragraph, None);
        self.sheet.y += 2.0;
        for line in self.set(&runs, column.1) {
            self.sheet.keep(leading);
            let y = self.sheet.y;
            self.sheet.fill((MARGIN, y, MEASURE, leading), SOFT);
            self.sheet.line(line, column.0, leading, part);
        }
        self.sheet.y += 2.0;
    }

    fn reading(&mut self, page: &ReportPage) {
        self.heading("What the model read");
        self.list(page.reading.iter().map(String::as_str), TEXT);
        let replaced = match self.replaced {
            0 => return,
            1 => "1 character of this document has no sign in its typeface and is printed as \u{fffd}; the page of the case shows it.".to_owned(),
            more => format!("{more} characters of this document have no sign in its typeface and are printed as \u{fffd}; the page of the case shows them."),
        };
        self.list([replaced.as_str()], TEXT);
    }

    fn model(&mut self, page: &ReportPage) {
        self.heading("The model");
        let use_ = format!(". {}", page.intended_use);
        self.paragraph(&[(&page.model, STRONG), (&use_, PLAIN)]);
        self.list(page.limits.iter().map(String::as_str), SMALL);
        self.heading("How to make this again");
        let list = self.sheet.part(Role::List, None);
        for (name, value) in &page.pins {
            let leading = SMALL * LEADING;
            self.sheet.keep(2.0 * leading);
            let item = self.sheet.part(Role::Item, Some(list));
            let label = self.sheet.part(Role::Label, Some(item));
            let body = self.sheet.part(Role::Body, Some(item));
            let top = self.sheet.y;
            self.lay(&[(name, QUIET)], Column(MARGIN, 130.0), leading, label);
            let below = std::mem::replace(&mut self.sheet.y, top);
            let value = [(value.as_str(), style(SMALL, false, Ink::BLACK))];
            self.lay(&value, Column(MARGIN + 135.0, MEASURE - 135.0), leading, body);
            self.sheet.y = self.sheet.y.max(below);
        }
    }

    /// Whose each sheet is, what it is, and which of how many: a sheet that is alone still says so.
    fn margins(&mut self, page: &ReportPage) {
        let count = self.sheet.pages();
        for nth in 0..count {
            let base = HEIGHT - MARGIN + 8.0;
            let place = format!("{} of {count}", nth + 1);
            let mut text = page.subtitle.clone();
            if let Some(patient) = &page.patient {
                text = format!("{} · {text}", who(patient));
            }
            // Small, so that it is one line; of a longer one the end is left out.
            let foot = style(7.0, false, MUTED);
            let left = self.set(&[(&text, foot)], MEASURE - 50.0).into_iter().next();
            if let Some(line) = left {
                self.sheet.margin(nth, line, MARGIN, base);
            }
            if let Some(line) = self.set(&[(&place, QUIET)], 50.0).into_iter().next() {
                let width: f32 = line.pieces.iter().map(|piece| piece.width).sum();
                self.sheet.margin(nth, line, MARGIN + MEASURE - width, base);
            }
        }
    }
}

/// What surrounds a box.
#[derive(Clone, Copy)]
struct Frame {
    ground: Option<Ink>,
    edge: Option<Ink>,
    /// On all sides, or on the left alone.
    all: bool,
}

fn date(at: OffsetDateTime) -> DateTime {
    let at = at.to_offset(UtcOffset::UTC);
    DateTime::new(u16::try_from(at.year()).unwrap_or_default())
        .month(at.month().into())
        .day(at.day())
        .hour(at.hour())
        .minute(at.minute())
        .second(at.second())
        .utc_offset_hour(0)
        .utc_offset_minute(0)
}

fn who(patient: &PatientBanner) -> String {
    let mut text = format!(
        "{}   born {}   {}",
        patient.name, patient.birth_date, patient.gender
    );
    for identifier in &patient.identifiers {
        text.push_str("   ");
        text.push_str(identifier);
    }
    text
}

const fn marked(tone: Tone) -> Style {
    let (line, ground) = inks(tone);
    Style {
        mark: Some(Mark {
            ground,
            line,
            dotted: matches!(tone, Tone::Normal),
        }),
        ..PLAIN
    }
}

const fn number(tone: Tone) -> Style {
    let (ink, _) = inks(tone);
    Style {
        rise: 3.0,
        ..style(6.5, true, ink)
    }
}

#[cfg(test)]
mod tests;
