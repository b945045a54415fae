//! The engine: a packed model that assesses notes.

use std::path::Path;
use std::time::Duration;

use clinical::{
    Assessment, Basis, DeidentifiedNote, Explanation, Finding, Impression, ModelDigest, NotAssessedReason,
    NoteDigest, Outcome, Phrase, Reading,
};
use explanation::{Budget, ExplainError};
use kernels::Kernel;
use seal::MacKey;

use crate::agreement;
use crate::classifier::Classifier;
use crate::labels::LabelSet;
use crate::lane::{Lane, Refusal, Urgency};
use crate::load::{LoadError, Parts, Prepared};
use crate::owner::{Limits, Load, Owner};
use crate::package::Trust;
use crate::reading::ReadText;
use crate::runner::{Compute, Place, Threads};
use crate::scorer::Scorer;
use crate::scores::{ScoreError, Scores};
use crate::seen::Seen;
use crate::tokenizer::Tokenizer;
use crate::window::{self, Window};
use crate::{ModelCard, legible};

/// What an engine may spend on a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineOptions {
    /// Cost of an explanation.
    pub budget: Budget,
    /// Windows that one note may take; a longer note is not assessed.
    pub max_windows: u32,
    /// Word pieces in a batch; there is no padding (a single longer input is a batch of its own).
    pub batch_tokens: usize,
    /// What the model computes with.
    pub compute: Compute,
    /// Instructions to use; `None` for the best that this processor has. An explanation that was made with AVX2,
    /// AVX-512 or NEON is made again bit for bit with [`Kernel::Reference`] on any processor.
    pub kernel: Option<Kernel>,
    /// Threads of the model.
    pub threads: Threads,
    /// How much work may wait, as the time that it takes at the measured speed.
    pub longest_wait: Duration,
}

impl Default for EngineOptions {
    /// The default budget, 64 windows (some 8,000 words), batches of 1,024 word pieces, the fastest precision that agrees
    /// with f32, the best kernel, a thread for each processor, not pinned, and a minute of work waiting.
    fn default() -> Self {
        Self {
            budget: Budget::default(),
            max_windows: 64,
            batch_tokens: 1024,
            compute: Compute::Auto,
            kernel: None,
            threads: Threads::default(),
            longest_wait: Duration::from_mins(1),
        }
    }
}

/// Why a text could not be assessed.
#[derive(Debug, thiserror::Error)]
pub enum AssessError {
    /// The model gave no usable score.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// It gave none to a masked text.
    #[error("no explanation")]
    Explain(#[from] ExplainError<ScoreError>),
}

/// Why a note got no answer in time; anything else is an [`Outcome`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Busy {
    /// As much work waits as may wait.
    #[error("the engine has as much work waiting as it may have")]
    Overloaded,
    /// The deadline passed first.
    #[error("the deadline passed before the engine came to it")]
    Late,
}

/// Seed of the masks of a case's explanation: the first eight bytes of HMAC-SHA-256 with the case as the key over the
/// digests of note and model. Whoever has the three can draw the masks again; nobody can choose them.
#[must_use]
pub fn seed(case: &[u8], note: NoteDigest, model: ModelDigest) -> u64 {
    let mac = MacKey::of(case).digest(&[note.get().as_bytes(), model.get().as_bytes()]);
    mac.as_bytes()
        .first_chunk()
        .map_or(0, |first| u64::from_be_bytes(*first))
}

/// Who turns word pieces into logits.
enum Backend {
    /// Our own kernels, on one thread that owns them.
    Kernels {
        owner: Owner,
        compute: Compute,
        kernel: &'static str,
    },
    /// candle's BERT, on the caller's thread and candle's pool.
    Candle(Box<Classifier>),
}

/// A loaded model. It is immutable: threads share it, and their work shares batches.
pub struct Engine {
    backend: Backend,
    tokenizer: Tokenizer,
    labels: LabelSet,
    card: ModelCard,
    digest: ModelDigest,
    /// Whether each row of logits ends with a distance.
    measures_distance: bool,
    options: EngineOptions,
}

impl Engine {
    /// Loads the packed model in `folder`, after checking every file against the manifest, whoever made it, and packs
    /// its weights with LoRA merged: for a model that this process has packed, and for tests; what serves patients is
    /// loaded by [`Engine::load_trusted`]. Takes a fraction of a second for a `MiniLM`.
    ///
    /// # Errors
    /// [`LoadError`] when a file is missing, extra, changed or damaged, or the parts do not fit one another.
    pub fn load(folder: &Path, options: EngineOptions) -> Result<Self, LoadError> {
        Self::load_trusted(folder, Trust::Anybody, options)
    }

    /// The same, after checking that a key that `trust` names signed the manifest.
    ///
    /// # Errors
    /// As [`Engine::load`], and when nobody trusted signed the model.
    pub fn load_trusted(folder: &Path, trust: Trust<'_>, options: EngineOptions) -> Result<Self, LoadError> {
        Self::start(Parts::read(folder, trust)?, options)
    }

    /// The model in `folder` with the values of each of its matrices in another order: knows nothing, and computes as much.
    /// For checks of explanations (Adebayo et al. 2018, arXiv:1810.03292), which must not look like those of the model
    /// itself.
    ///
    /// # Errors
    /// As [`Engine::load`].
    pub fn load_shuffled(folder: &Path, options: EngineOptions, seed: u64) -> Result<Self, LoadError> {
        let mut parts = Parts::read(folder, Trust::Anybody)?;
        parts.shuffle(seed);
        Self::start(parts, options)
    }

    fn start(mut parts: Parts, options: EngineOptions) -> Result<Self, LoadError> {
        let backend = match parts.prepare(options.compute, Place::new(options.kernel, options.threads))? {
            Prepared::Candle(classifier) => Backend::Candle(classifier),
            Prepared::Kernels(mut runner) => {
                let limits = Limits {
                    batch_tokens: options.batch_tokens,
                    longest_wait: options.longest_wait,
                    speed: agreement::speed(&mut runner, &parts.tokenizer, &parts.labels).unwrap_or_default(),
                };
                let (compute, kernel) = (runner.precision().into(), runner.kernel().as_str());
                let owner =
                    Owner::start(*runner, limits).map_err(|error| LoadError::Threads(error.into()))?;
                Backend::Kernels {
                    owner,
                    compute,
                    kernel,
                }
            }
        };
        let Parts {
            tokenizer,
            labels,
            card,
            digest,
            measures_distance,
            ..
        } = parts;
        Ok(Self {
            backend,
            tokenizer,
            labels,
            card,
            digest,
            measures_distance,
            options,
        })
    }

    /// The model card.
    #[must_use]
    pub const fn card(&self) -> &ModelCard {
        &self.card
    }

    /// SHA-256 of the manifest: the identity that every assessment carries.
    #[must_use]
    pub const fn digest(&self) -> ModelDigest {
        self.digest
    }

    /// Findings, operating points and window.
    #[must_use]
    pub const fn labels(&self) -> &LabelSet {
        &self.labels
    }

    /// What it computes with: what was asked for, or what [`Compute::Auto`] chose.
    #[must_use]
    pub const fn compute(&self) -> Compute {
        match &self.backend {
            Backend::Kernels { compute, .. } => *compute,
            Backend::Candle(classifier) => classifier.compute(),
        }
    }

    /// The instructions it uses, for tables and logs.
    #[must_use]
    pub const fn kernel(&self) -> &'static str {
        match &self.backend {
            Backend::Kernels { kernel, .. } => kernel,
            Backend::Candle(classifier) => classifier.compute().as_str(),
        }
    }

    /// Masked texts that an explanation may take.
    #[must_use]
    pub const fn samples(&self) -> u32 {
        self.options.budget.samples
    }

    /// What waits and how fast it goes; `None` for candle, which has no queue.
    #[must_use]
    pub fn load_now(&self) -> Option<Load> {
        match &self.backend {
            Backend::Kernels { owner, .. } => Some(owner.load()),
            Backend::Candle(_) => None,
        }
    }

    /// Assesses a note: scores it, in overlapping windows if it is long, and explains the window that decided. Takes
    /// as long as some hundred scores of the note; call it from a thread that may block. Every failure of the model is
    /// [`NotAssessedReason::ModelFailed`], with its cause in the log. Waits for its turn however long that takes.
    pub fn assess(&self, note: &DeidentifiedNote) -> Outcome {
        let urgency = Urgency {
            patient: true,
            ..Urgency::default()
        };
        // Who waits without a deadline is neither refused nor late.
        self.assess_with(note, &[], urgency)
            .unwrap_or(Outcome::NotAssessed(NotAssessedReason::ModelFailed))
    }

    /// The same with a lane, a deadline, and either patience or a refusal at once when the queue is full. `case` names
    /// the case in bytes that mean nothing here: the masks of the explanation are drawn by [`seed`].
    ///
    /// # Errors
    /// [`Busy`].
    pub fn assess_with(
        &self,
        note: &DeidentifiedNote,
        case: &[u8],
        urgency: Urgency,
    ) -> Result<Outcome, Busy> {
        let span =
            tracing::info_span!("inference.note.assess", model = %self.digest, lane = urgency.lane.as_str());
        let _entered = span.enter();
        match self.try_assess(note, case, urgency) {
            Ok(outcome) => Ok(outcome),
            Err(
                AssessError::Score(ScoreError::Refused(Refusal::Overloaded))
                | AssessError::Explain(ExplainError::Scorer(ScoreError::Refused(Refusal::Overloaded))),
            ) => Err(Busy::Overloaded),
            Err(
                AssessError::Score(ScoreError::Refused(Refusal::Late))
                | AssessError::Explain(ExplainError::Scorer(ScoreError::Refused(Refusal::Late))),
            ) => Err(Busy::Late),
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a note could not be assessed"
                );
                Ok(Outcome::NotAssessed(NotAssessedReason::ModelFailed))
            }
        }
    }

    fn try_assess(
        &self,
        note: &DeidentifiedNote,
        case: &[u8],
        urgency: Urgency,
    ) -> Result<Outcome, AssessError> {
        let drawn = (seed(case, note.digest(), self.digest), self.options.budget);
        self.assess_as(&self.reading(note), note.digest(), drawn, urgency)
    }

    /// Assesses a text that no patient is behind, such as a row of a collection: as [`Engine::assess`] does, with masks by
    /// `seed` within `budget`.
    ///
    /// # Errors
    /// [`AssessError`].
    pub fn assess_text(&self, text: &str, seed: u64, budget: Budget) -> Result<Outcome, AssessError> {
        let digest = NoteDigest::new(seal::Digest::of(text.as_bytes()));
        let urgency = Urgency {
            patient: true,
            ..Urgency::default()
        };
        let read = ReadText::of(text, &[], &self.labels.reads);
        self.assess_as(&read, digest, (seed, budget), urgency)
    }

    /// What the model reads of a note.
    #[must_use]
    pub fn reading<'a>(&self, note: &'a DeidentifiedNote) -> ReadText<'a> {
        ReadText::of_note(note, &self.labels.reads)
    }

    fn assess_as(
        &self,
        read: &ReadText<'_>,
        digest: NoteDigest,
        (seed, budget): (u64, Budget),
        urgency: Urgency,
    ) -> Result<Outcome, AssessError> {
        let text = read.text();
        if !legible::has_words(text) {
            return Ok(Outcome::NotAssessed(NotAssessedReason::NothingToRead));
        }
        let (pieces, windows) = self.windows(text)?;
        let count = u32::try_from(windows.len()).unwrap_or(u32::MAX);
        if count > self.options.max_windows {
            return Ok(Outcome::NotAssessed(NotAssessedReason::TooLong));
        }
        let parts: Vec<&str> = windows.iter().map(|window| part(text, window)).collect();
        let mut split = self.seen();
        let scored = self.score_windows(&mut split, &parts, urgency)?;
        // The first of the windows with the largest probability decides.
        let decided = windows.iter().zip(&scored).reduce(|best, next| {
            if next.1.abnormal > best.1.abnormal {
                next
            } else {
                best
            }
        });
        let Some((window, deciding)) = decided else {
            return Ok(Outcome::NotAssessed(NotAssessedReason::NothingToRead));
        };
        let overall = scored.iter().fold(deciding.clone(), Scores::max);
        if overall.is_unfamiliar(&self.labels) {
            return Ok(Outcome::NotAssessed(NotAssessedReason::Unfamiliar));
        }
        let whole = part(text, window);
        // An admitted note's explanation waits for room.
        let explaining = Urgency {
            lane: Lane::Explain,
            patient: true,
            ..urgency
        };
        let explanation = explanation::explain_at(
            text,
            window.span,
            (Impression::Abnormal, self.labels.abnormal.threshold.get()),
            budget,
            seed,
            |texts| self.score_masked(&mut split, (whole, deciding), texts, explaining),
        )?;
        let threshold = self.labels.abnormal.threshold;
        Ok(Outcome::Assessed(Box::new(Assessment {
            note: digest,
            model: self.digest,
            model_name: self.card.title(),
            impression: if overall.abnormal >= threshold {
                Impression::Abnormal
            } else {
                Impression::Normal
            },
            abnormal: overall.abnormal,
            threshold,
            findings: self.findings(&overall),
            reading: Reading {
                tokens: u32::try_from(pieces).unwrap_or(u32::MAX),
                windows: count,
                overlap: overlap(&windows),
            },
            explanation: in_note(explanation, read),
            unread: read.unread().to_vec(),
            redacted: self.labels.reads.redacted.clone(),
        })))
    }

    /// Probability of abnormal for each text; the whole window is scored already.
    fn score_masked(
        &self,
        seen: &mut Seen<'_>,
        (whole, known): (&str, &Scores),
        texts: &[String],
        urgency: Urgency,
    ) -> Result<Vec<f64>, ScoreError> {
        let masked: Vec<&str> = texts
            .iter()
            .map(String::as_str)
            .filter(|text| *text != whole)
            .collect();
        let mut scores = self.score_windows(seen, &masked, urgency)?.into_iter();
        Ok(texts
            .iter()
            .map_while(|text| {
                if text == whole {
                    Some(known.abnormal.get())
                } else {
                    scores.next().map(|scores| scores.abnormal.get())
                }
            })
            .collect())
    }

    /// The findings at or above their operating points, the most probable first.
    fn findings(&self, scores: &Scores) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self
            .labels
            .findings
            .iter()
            .zip(&scores.findings)
            .filter(|(finding, probability)| **probability >= finding.point.threshold)
            .map(|(finding, &probability)| Finding {
                label: finding.label.clone(),
                probability,
                threshold: finding.point.threshold,
            })
            .collect();
        findings.sort_by(|a, b| b.probability.get().total_cmp(&a.probability.get()));
        findings
    }

    /// Whether the model has an answer to `note`: it has a word, and fits into the windows that one note may take. What
    /// it does not read, [`Engine::assess`] does not assess.
    #[must_use]
    pub fn reads(&self, note: &DeidentifiedNote) -> bool {
        let fits =
            |windows: usize| u32::try_from(windows).is_ok_and(|count| count <= self.options.max_windows);
        let read = self.reading(note);
        legible::has_words(read.text())
            && self
                .windows(read.text())
                .is_ok_and(|(_, windows)| fits(windows.len()))
    }

    /// Whether a text is so unlike the training reports that [`Engine::assess`] does not assess it. Never, for a model that
    /// does not know them.
    #[must_use]
    pub fn is_unfamiliar(&self, scores: &Scores) -> bool {
        scores.is_unfamiliar(&self.labels)
    }

    /// Calibrated probabilities of each text, without explanations. A long text is read in windows, each output being
    /// the largest over the windows; a text without a word gets the model's answer to nothing.
    ///
    /// # Errors
    /// [`ScoreError`] when a text cannot be split, or the model returns what is no probability.
    pub fn score_batch(&self, texts: &[&str]) -> Result<Vec<Scores>, ScoreError> {
        self.scorer().score(texts)
    }

    /// What scores one batch of texts after the other and splits a word that comes again only once.
    #[must_use]
    pub fn scorer(&self) -> Scorer<'_> {
        Scorer::new(self)
    }

    pub(crate) fn seen(&self) -> Seen<'_> {
        Seen::new(&self.tokenizer)
    }

    /// Number of word pieces of a text, and its windows.
    pub(crate) fn windows(&self, text: &str) -> Result<(usize, Vec<Window>), ScoreError> {
        let pieces = self.tokenizer.pieces(text)?;
        let windows = window::windows(&pieces, self.window_pieces(), self.labels.overlap);
        Ok((pieces.len(), windows))
    }

    /// Most word pieces of a window, special tokens left out.
    const fn window_pieces(&self) -> usize {
        self.labels.window.saturating_sub(2)
    }

    /// Scores texts of at most one window each, in the order given.
    fn score_windows(
        &self,
        seen: &mut Seen<'_>,
        texts: &[&str],
        urgency: Urgency,
    ) -> Result<Vec<Scores>, ScoreError> {
        let inputs: Vec<Vec<u32>> = texts
            .iter()
            .map(|text| self.input(seen, text))
            .collect::<Result<_, _>>()?;
        self.scores(&inputs, urgency)
    }

    /// What the encoder reads of a text, unless that is more than one window.
    pub(crate) fn whole_input(
        &self,
        seen: &mut Seen<'_>,
        text: &str,
    ) -> Result<Option<Vec<u32>>, ScoreError> {
        let ids = seen.ids(text)?;
        Ok((ids.len() <= self.window_pieces()).then(|| self.tokenizer.input(&ids)))
    }

    /// What the encoder reads of a text of at most one window.
    pub(crate) fn input(&self, seen: &mut Seen<'_>, text: &str) -> Result<Vec<u32>, ScoreError> {
        let mut ids = seen.ids(text)?;
        ids.truncate(self.window_pieces());
        Ok(self.tokenizer.input(&ids))
    }

    pub(crate) fn scores(&self, inputs: &[Vec<u32>], urgency: Urgency) -> Result<Vec<Scores>, ScoreError> {
        self.logits(inputs, urgency)?
            .chunks_exact(self.labels.outputs() + usize::from(self.measures_distance))
            .map(|row| Scores::from_row(row, &self.labels))
            .collect()
    }

    /// The logits of each input, a row after the other, each with its distance where the model knows the training reports.
    fn logits(&self, inputs: &[Vec<u32>], urgency: Urgency) -> Result<Vec<f32>, ScoreError> {
        match &self.backend {
            Backend::Kernels { owner, .. } => Ok(owner.logits(inputs, urgency)?),
            Backend::Candle(classifier) => classifier
                .all_logits(inputs, self.options.batch_tokens)
                .map_err(|error| ScoreError::Computation(error.into())),
        }
    }
}

/// An explanation of what was read, with its places in the note.
fn in_note(mut explanation: Explanation, read: &ReadText<'_>) -> Explanation {
    let place = |phrase: &mut Phrase| phrase.span = read.to_note(phrase.span);
    if let Basis::Verified { first, rest } = &mut explanation.basis {
        place(first);
        rest.iter_mut().for_each(place);
    }
    if let Some(turned) = &mut explanation.counterfactual {
        for span in &mut turned.removed {
            *span = read.to_note(*span);
        }
    }
    explanation.window = read.to_note(explanation.window);
    explanation
}

/// The text of a window. The tokenizer's offsets lie on characters, so the empty fallback is never taken.
pub(crate) fn part<'a>(text: &'a str, window: &Window) -> &'a str {
    text.get(window.span.start as usize..window.span.end as usize)
        .unwrap_or_default()
}

/// Most word pieces that two neighbouring windows share.
fn overlap(windows: &[Window]) -> u32 {
    let most = windows
        .windows(2)
        .map(|pair| pair[0].pieces.end.saturating_sub(pair[1].pieces.start))
        .max()
        .unwrap_or(0);
    u32::try_from(most).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
