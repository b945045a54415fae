//! One case: the note with its evidence, the suggestion, and the decision.

use askama::Template;

use super::Chrome;

/// The page of a case. It is one of the listed doors: it shows who the patient is.
#[derive(Template)]
#[template(path = "pages/case/show.html")]
pub struct CasePage {
    /// Frame.
    pub chrome: Chrome,
    /// Address of the case; forms post below it.
    pub href: String,
    /// Eight digits that name the case.
    pub short: String,
    /// Version of the report; forms send it back, so that a decision on an old version is refused.
    pub version: u32,
    /// When it came.
    pub received: String,
    /// Where it stands.
    pub state: CaseState,
    /// Who the patient is.
    pub patient: PatientBanner,
    /// The note as it came, cut where evidence begins and ends.
    pub note: Vec<Segment>,
    /// The note as the model read it.
    pub scrubbed: Vec<Segment>,
    /// Replacements that the gateway made.
    pub redactions: usize,
    /// What the model suggests; the reason in words where there is no suggestion.
    pub suggestion: Result<Suggestion, &'static str>,
    /// What may be done now.
    pub actions: CaseActions,
    /// What was signed.
    pub signed: Option<SignedView>,
    /// What went wrong with the last form, if anything.
    pub alert: Option<String>,
    /// What that form had in it.
    pub draft: Option<Draft>,
}

/// What a form that was not signed had in it, so that nobody types it again; the password is no part of it.
#[derive(Clone, Default)]
pub struct Draft {
    /// `agree`, `amend` or `reject`.
    pub decision: String,
    /// `normal` or `abnormal`.
    pub impression: String,
    /// Findings.
    pub findings: Vec<String>,
    /// Code of the reason of a rejection.
    pub reason: String,
    /// Comment.
    pub comment: String,
}

impl CasePage {
    /// Whether the form begins with this decision: as it was sent last.
    fn decides(&self, decision: &str) -> bool {
        self.draft
            .as_ref()
            .is_some_and(|draft| draft.decision == decision)
    }

    /// Whether it begins with this reason.
    fn gives(&self, reason: &str) -> bool {
        self.draft.as_ref().is_some_and(|draft| draft.reason == reason)
    }

    /// The comment that it begins with.
    fn comment(&self) -> &str {
        self.draft.as_ref().map_or("", |draft| draft.comment.as_str())
    }

    /// Whether the note shows the evidence of this number: evidence inside other evidence is in the chart alone.
    fn marked(&self, number: usize) -> bool {
        self.note.iter().any(|piece| piece.number == number)
    }

    /// Whether anything is marked in the note.
    fn has_evidence(&self) -> bool {
        self.note.iter().any(|piece| piece.number != 0)
    }

    /// Whether the amendment starts from this impression: as it was sent last, or the model's.
    fn suggests(&self, impression: &str) -> bool {
        if let Some(draft) = self.draft.as_ref().filter(|draft| !draft.impression.is_empty()) {
            return draft.impression == impression;
        }
        self.suggestion
            .as_ref()
            .is_ok_and(|suggestion| suggestion.impression == impression)
    }
}

/// Where a case stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaseState {
    /// Nobody holds it.
    Waiting,
    /// The reader holds it.
    Mine,
    /// Somebody else holds it.
    Others,
    /// Signed.
    Signed,
}

impl CaseState {
    /// Its class in the stylesheet.
    #[must_use]
    pub const fn class(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Mine => "mine",
            Self::Others => "others",
            Self::Signed => "signed",
        }
    }

    /// Its name on the page.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Mine => "claimed by you",
            Self::Others => "claimed by somebody else",
            Self::Signed => "signed",
        }
    }
}

/// Colour of a suggestion; always with a word beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Abnormal.
    Abnormal,
    /// Normal.
    Normal,
    /// Neither.
    Neutral,
}

impl Tone {
    /// Its class in the stylesheet.
    #[must_use]
    pub const fn class(self) -> &'static str {
        match self {
            Self::Abnormal => "abnormal",
            Self::Normal => "normal",
            Self::Neutral => "neutral",
        }
    }

    /// Which way evidence of this tone speaks.
    #[must_use]
    pub const fn direction(self) -> &'static str {
        match self {
            Self::Abnormal => "for abnormal",
            Self::Normal => "against",
            Self::Neutral => "neither way",
        }
    }

    /// The sign of its weight, so that colour never speaks alone.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Abnormal => "+",
            Self::Normal => "\u{2212}",
            Self::Neutral => "",
        }
    }
}

/// Who the patient is.
pub struct PatientBanner {
    /// Name in full.
    pub name: String,
    /// Date of birth.
    pub birth_date: String,
    /// Administrative gender.
    pub gender: String,
    /// Identifiers.
    pub identifiers: Vec<String>,
}

/// A piece of the note.
pub struct Segment {
    /// Its text.
    pub text: String,
    /// `Abnormal` speaks for abnormal, `Normal` against; `Neutral` is plain text.
    pub tone: Tone,
    /// Number of the evidence in the chart, from 1; 0 for plain text.
    pub number: usize,
    /// Weight in words, as `+0.21`.
    pub weight: String,
    /// The model did not read it.
    pub unread: bool,
}

/// What the model suggests.
pub struct Suggestion {
    /// `abnormal` or `normal`.
    pub impression: &'static str,
    /// Colour.
    pub tone: Tone,
    /// Probability of abnormal in percent, one decimal, without the sign: it is also a length in the drawing.
    pub percent: String,
    /// Operating point in percent, without the sign.
    pub threshold: String,
    /// Findings.
    pub findings: Vec<FindingRow>,
    /// Evidence, strongest first; or the reason why there is none.
    pub evidence: Result<Vec<Bar>, &'static str>,
    /// R² of the local model, two decimals.
    pub fit: String,
    /// Which evidence, taken away, turns the suggestion.
    pub counterfactual: Option<String>,
    /// Times the model was asked.
    pub calls: u32,
    /// How much was read, in words; says so when the note was longer than the model's window.
    pub reading: String,
    /// Name of the model.
    pub model: String,
}

/// A finding.
pub struct FindingRow {
    /// Name.
    pub label: String,
    /// Probability in percent, without the sign.
    pub percent: String,
}

/// A bar of the chart; widths are in the chart's units: 0 to 100 to either side of the middle.
pub struct Bar {
    /// Number, as in the note.
    pub number: usize,
    /// What of its phrase stands before the word or words, shortened for the chart.
    pub before: String,
    /// The word or words.
    pub phrase: String,
    /// What of its phrase stands behind, shortened.
    pub after: String,
    /// Width.
    pub width: f64,
    /// For or against abnormal.
    pub tone: Tone,
    /// Weight in words, as `+0.21`.
    pub weight: String,
    /// Its interval in the chart's units, to either side of the middle.
    pub whisker: Option<Whisker>,
    /// Its interval in words, as `+0.12 to +0.30`; empty where there is none.
    pub interval: String,
}

/// An interval in the chart's units: 0 to 100 to either side of the middle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Whisker {
    /// Its left end.
    pub low: f64,
    /// Its right end.
    pub high: f64,
}

impl Whisker {
    /// The line as a path across the middle of the bar.
    #[must_use]
    pub fn path(&self) -> String {
        let (low, high) = (self.low.clamp(-101.0, 101.0), self.high.clamp(-101.0, 101.0));
        if low.is_nan() || high.is_nan() {
            return String::new();
        }
        format!("M{low:.1} 4V10M{low:.1} 7H{high:.1}M{high:.1} 4V10")
    }
}

impl Bar {
    /// Its length, within the chart; nothing for a width that is no number.
    #[must_use]
    pub fn length(&self) -> String {
        let width = if self.width.is_finite() {
            self.width.clamp(0.0, 100.0)
        } else {
            0.0
        };
        format!("{width:.1}")
    }

    /// Where it begins: what speaks against abnormal grows to the left of the middle.
    #[must_use]
    pub fn left(&self) -> String {
        if self.tone == Tone::Normal {
            format!("-{}", self.length())
        } else {
            "0".to_owned()
        }
    }
}

/// What may be done now.
#[derive(Default)]
pub struct CaseActions {
    /// Take the case.
    pub claim: bool,
    /// Give it back.
    pub unclaim: bool,
    /// Decide and sign: agree is offered only where there is a suggestion.
    pub sign: bool,
    /// Until when the claim runs, as `15:34 UTC`.
    pub until: Option<String>,
    /// Who else holds it.
    pub holder: Option<String>,
    /// Findings to choose from when amending; chosen ones are the model's.
    pub findings: Vec<Choice>,
    /// Reasons to choose from when rejecting: code and sentence.
    pub reasons: Vec<(&'static str, &'static str)>,
}

/// One box to tick.
pub struct Choice {
    /// Value and text.
    pub label: String,
    /// Ticked at first.
    pub chosen: bool,
}

/// What was signed.
pub struct SignedView {
    /// `agreed`, `amended`, `rejected`.
    pub verdict: &'static str,
    /// Impression as signed, or a dash.
    pub impression: String,
    /// Findings as signed.
    pub findings: Vec<String>,
    /// Reason of a rejection.
    pub reason: Option<&'static str>,
    /// Comment.
    pub comment: String,
    /// Who.
    pub by: String,
    /// When.
    pub at: String,
}
