//! The explanation as a document that stands alone.

use askama::Template;

use super::{Bar, PatientBanner, Segment, SignedView, Suggestion, Tone};

/// Its stylesheet, which goes into the page.
pub const STYLE: &str = include_str!("../../../../templates/assets/report.css");

/// Height of a row of the chart, in its units.
const ROW: usize = 40;
/// Height of its head.
const HEAD: usize = 20;
/// Where its zero stands.
const MIDDLE: f64 = 472.0;
/// Length of a bar of width 100.
const LONGEST: f64 = 160.0;

/// The document. For a case it is one of the listed doors: it shows who the patient is, and exists once a physician has
/// signed.
#[derive(Template)]
#[template(path = "pages/report/show.html")]
pub struct ReportPage {
    /// Heading.
    pub title: String,
    /// Which case or row, and when.
    pub subtitle: String,
    /// What the reader must know first.
    pub warning: Option<String>,
    /// [`STYLE`].
    pub style: &'static str,
    /// Who the patient is; for those allowed.
    pub patient: Option<PatientBanner>,
    /// What was signed.
    pub signed: Option<SignedView>,
    /// The text, cut where evidence begins and ends.
    pub note: Vec<Segment>,
    /// What the model suggests; the reason in words where there is no suggestion.
    pub suggestion: Result<Suggestion, &'static str>,
    /// What the probability means in the evaluation set.
    pub frequency: Option<String>,
    /// What was read and what was not.
    pub reading: Vec<String>,
    /// Name of the model.
    pub model: String,
    /// What it is for.
    pub intended_use: String,
    /// What it cannot do.
    pub limits: Vec<String>,
    /// What it was made with: name and value.
    pub pins: Vec<(&'static str, String)>,
}

/// A bar in its place.
pub struct Row<'a> {
    /// Upper edge.
    pub y: usize,
    /// The bar.
    pub bar: &'a Bar,
    /// Its left end.
    pub x: String,
    /// Its length.
    pub width: String,
    /// Ends of its interval.
    pub whisker: Option<Ends>,
}

/// Ends of an interval, in the chart's units.
pub struct Ends {
    /// Left.
    pub low: String,
    /// Right.
    pub high: String,
}

impl ReportPage {
    fn bars(&self) -> &[Bar] {
        match &self.suggestion {
            Ok(Suggestion {
                evidence: Ok(bars), ..
            }) => bars,
            _ => &[],
        }
    }

    /// Whether anything is marked in the text.
    fn has_evidence(&self) -> bool {
        self.note.iter().any(|piece| piece.number != 0)
    }

    /// Height of the chart.
    fn chart_height(&self) -> usize {
        HEAD + ROW * self.bars().len()
    }

    /// The bars in their places.
    fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        let at = |width: f64| format!("{:.1}", MIDDLE + width * LONGEST / 100.0);
        self.bars().iter().enumerate().map(move |(nth, bar)| {
            let width = if bar.width.is_finite() {
                bar.width.clamp(0.0, 100.0)
            } else {
                0.0
            };
            Row {
                y: HEAD + ROW * nth,
                x: at(if bar.tone == Tone::Normal { -width } else { 0.0 }),
                width: format!("{:.1}", width * LONGEST / 100.0),
                whisker: bar.whisker.map(|whisker| Ends {
                    low: at(whisker.low.clamp(-100.0, 100.0)),
                    high: at(whisker.high.clamp(-100.0, 100.0)),
                }),
                bar,
            }
        })
    }
}
