//! The engine: a packed model that assesses notes.

use std::path::Path;

use clinical::{
    Assessment, DeidentifiedNote, Finding, Impression, ModelDigest, NotAssessedReason, Outcome, Reading,
};
use explanation::{Budget, ExplainError};

use crate::classifier::Classifier;
use crate::config::{Config, ConfigError};
use crate::labels::{LabelSet, LabelSetError};
use crate::package::{self, Files, PackageError};
use crate::scores::{ScoreError, Scores};
use crate::tokenizer::{Tokenizer, TokenizerError};
use crate::weights::{Weights, WeightsError};
use crate::window::{self, Window};
use crate::{ModelCard, legible};

/// What an engine may spend on a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineOptions {
    /// Cost of an explanation.
    pub budget: Budget,
    /// Seed of the explanations' masks: the same note gets the same explanation.
    pub seed: u64,
    /// Windows that one note may take; a longer note is not assessed.
    pub max_windows: u32,
    /// Word pieces in a batch, padding included (a single longer input is a batch of its own).
    pub batch_tokens: usize,
}

impl Default for EngineOptions {
    /// The default budget, seed 1, 64 windows (some 8,000 words), batches of 2,048 word pieces.
    fn default() -> Self {
        Self {
            budget: Budget::default(),
            seed: 1,
            max_windows: 64,
            batch_tokens: 2048,
        }
    }
}

/// Why a folder cannot be loaded as a model.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The folder does not verify.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The configuration is not that of a BERT.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The label set makes no sense.
    #[error(transparent)]
    Labels(#[from] LabelSetError),
    /// The tokenizer cannot be used.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The tokenizer knows more word pieces than the encoder.
    #[error("the tokenizer has {tokenizer} word pieces, the encoder {encoder}")]
    Vocabulary {
        /// Word pieces of the tokenizer.
        tokenizer: usize,
        /// Rows of the encoder's table.
        encoder: usize,
    },
    /// The weights are damaged.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The weights do not fit the configuration or the label set.
    #[error("the weights do not fit config.json or labels.json")]
    Shape(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The model card is not in its form.
    #[error("card.json is no model card")]
    Card(#[source] serde_json::Error),
}

/// Why a note could not be assessed, for the log.
#[derive(Debug, thiserror::Error)]
enum AssessError {
    #[error(transparent)]
    Score(#[from] ScoreError),
    #[error("no explanation")]
    Explain(#[from] ExplainError<ScoreError>),
}

/// A loaded model. It is immutable: threads share it, and each call computes on the caller's thread and candle's pool.
pub struct Engine {
    classifier: Classifier,
    tokenizer: Tokenizer,
    labels: LabelSet,
    card: ModelCard,
    digest: ModelDigest,
    options: EngineOptions,
}

impl Engine {
    /// Loads the packed model in `folder`, after checking every file against the manifest. The int8 matrices are
    /// turned into f32 and LoRA is merged into them.
    ///
    /// # Errors
    /// [`LoadError`] when a file is missing, extra, changed or damaged, or the parts do not fit one another.
    pub fn load(folder: &Path, options: EngineOptions) -> Result<Self, LoadError> {
        let files = Files::read(folder)?;
        let config = Config::from_json(files.get(package::CONFIG)?)?;
        let labels = LabelSet::from_json(files.get(package::LABELS)?, config.max_position_embeddings)?;
        let tokenizer = Tokenizer::from_json(files.get(package::TOKENIZER)?)?;
        if tokenizer.vocabulary() > config.vocab_size {
            return Err(LoadError::Vocabulary {
                tokenizer: tokenizer.vocabulary(),
                encoder: config.vocab_size,
            });
        }
        let card = serde_json::from_slice(files.get(package::CARD)?).map_err(LoadError::Card)?;
        let tensors = Weights::from_bytes(files.get(package::WEIGHTS)?)?.merge()?;
        let classifier = Classifier::new(&config, labels.outputs(), tensors)
            .map_err(|error| LoadError::Shape(error.into()))?;
        Ok(Self {
            classifier,
            tokenizer,
            labels,
            card,
            digest: files.digest,
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

    /// Assesses a note: scores it, in overlapping windows if it is long, and explains the window that decided. Takes
    /// as long as some hundred scores of the note; call it from a thread that may block. Every failure of the model is
    /// [`NotAssessedReason::ModelFailed`], with its cause in the log.
    pub fn assess(&self, note: &DeidentifiedNote) -> Outcome {
        let span = tracing::info_span!("inference.note.assess", model = %self.digest);
        let _entered = span.enter();
        match self.try_assess(note) {
            Ok(outcome) => outcome,
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a note could not be assessed"
                );
                Outcome::NotAssessed(NotAssessedReason::ModelFailed)
            }
        }
    }

    fn try_assess(&self, note: &DeidentifiedNote) -> Result<Outcome, AssessError> {
        let text = note.text();
        if !legible::has_words(text) {
            return Ok(Outcome::NotAssessed(NotAssessedReason::NothingToRead));
        }
        let (pieces, windows) = self.windows(text)?;
        let count = u32::try_from(windows.len()).unwrap_or(u32::MAX);
        if count > self.options.max_windows {
            return Ok(Outcome::NotAssessed(NotAssessedReason::TooLong));
        }
        let parts: Vec<&str> = windows.iter().map(|window| part(text, window)).collect();
        let scored = self.score_windows(&parts)?;
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
        let whole = part(text, window);
        let explanation = explanation::explain_at(
            text,
            window.span,
            (Impression::Abnormal, self.labels.abnormal.threshold.get()),
            self.options.budget,
            self.options.seed,
            |texts| self.score_masked(whole, deciding, texts),
        )?;
        let threshold = self.labels.abnormal.threshold;
        Ok(Outcome::Assessed(Box::new(Assessment {
            note: note.digest(),
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
            explanation,
        })))
    }

    /// Probability of abnormal for each text; the whole window is scored already.
    fn score_masked(&self, whole: &str, known: &Scores, texts: &[String]) -> Result<Vec<f64>, ScoreError> {
        let masked: Vec<&str> = texts
            .iter()
            .map(String::as_str)
            .filter(|text| *text != whole)
            .collect();
        let mut scores = self.score_windows(&masked)?.into_iter();
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

    /// Calibrated probabilities of each text, without explanations. A long text is read in windows, each output being
    /// the largest over the windows; a text without a word gets the model's answer to nothing.
    ///
    /// # Errors
    /// [`ScoreError`] when a text cannot be split, or the model returns what is no probability.
    pub fn score_batch(&self, texts: &[&str]) -> Result<Vec<Scores>, ScoreError> {
        let mut parts = Vec::new();
        let mut counts = Vec::with_capacity(texts.len());
        for &text in texts {
            let (_, windows) = self.windows(text)?;
            if windows.is_empty() {
                parts.push("");
            }
            parts.extend(windows.iter().map(|window| part(text, window)));
            counts.push(windows.len().max(1));
        }
        let mut scored = self.score_windows(&parts)?.into_iter();
        Ok(counts
            .into_iter()
            .filter_map(|count| scored.by_ref().take(count).reduce(|a, b| a.max(&b)))
            .collect())
    }

    /// Number of word pieces of a text, and its windows.
    fn windows(&self, text: &str) -> Result<(usize, Vec<Window>), ScoreError> {
        let pieces = self.tokenizer.pieces(text)?;
        let size = self.labels.window.saturating_sub(2);
        Ok((pieces.len(), window::windows(&pieces, size, self.labels.overlap)))
    }

    /// Scores texts of at most one window each, in batches of similar length, in the order given.
    fn score_windows(&self, texts: &[&str]) -> Result<Vec<Scores>, ScoreError> {
        let mut inputs = Vec::with_capacity(texts.len());
        for text in texts {
            let mut ids = self.tokenizer.pieces(text)?.ids;
            ids.truncate(self.labels.window.saturating_sub(2));
            inputs.push(self.tokenizer.input(&ids));
        }
        let mut order: Vec<usize> = (0..inputs.len()).collect();
        order.sort_by_key(|&at| std::cmp::Reverse(inputs[at].len()));
        let mut scored: Vec<(usize, Scores)> = Vec::with_capacity(inputs.len());
        let mut rest = order.as_slice();
        while let Some(&first) = rest.first() {
            // The first is the longest: it sets the width of the batch.
            let size = (self.options.batch_tokens / inputs[first].len().max(1)).clamp(1, rest.len());
            let (batch, after) = rest.split_at(size);
            rest = after;
            let rows: Vec<&[u32]> = batch.iter().map(|&at| inputs[at].as_slice()).collect();
            let logits = self
                .classifier
                .logits(&rows)
                .map_err(|error| ScoreError::Computation(error.into()))?;
            for (&at, logits) in batch.iter().zip(&logits) {
                scored.push((at, Scores::from_logits(logits, &self.labels)?));
            }
        }
        scored.sort_by_key(|(at, _)| *at);
        Ok(scored.into_iter().map(|(_, scores)| scores).collect())
    }
}

/// The text of a window. The tokenizer's offsets lie on characters, so the empty fallback is never taken.
fn part<'a>(text: &'a str, window: &Window) -> &'a str {
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
