//! How a model is trained: every number that the result depends on, besides base and data.

use std::fmt;
use std::str::FromStr;

use inference::{Device, Reads};
use serde::{Deserialize, Serialize};

/// A matrix of each layer that LoRA may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// Attention: query.
    Query,
    /// Attention: key.
    Key,
    /// Attention: value.
    Value,
    /// Attention: the projection after the heads.
    Output,
    /// Feed-forward: the first matrix.
    Up,
    /// Feed-forward: the second matrix.
    Down,
}

impl Target {
    /// All six, in the order of computation.
    pub const ALL: [Self; 6] = [
        Self::Query,
        Self::Key,
        Self::Value,
        Self::Output,
        Self::Up,
        Self::Down,
    ];
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Query => "query",
            Self::Key => "key",
            Self::Value => "value",
            Self::Output => "output",
            Self::Up => "up",
            Self::Down => "down",
        })
    }
}

/// Not the name of a matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("LoRA changes query, key, value, output, up or down")]
pub struct NotATarget;

impl FromStr for Target {
    type Err = NotATarget;

    fn from_str(name: &str) -> Result<Self, NotATarget> {
        Self::ALL
            .into_iter()
            .find(|target| target.to_string() == name)
            .ok_or(NotATarget)
    }
}

/// Settings of a training run. The same settings, base and data give the same model on the same machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Times that each note is seen in a run.
    pub epochs: u32,
    /// Runs that differ in what they draw and whose weights are averaged. More than one only where every matrix is trained
    /// whole: the mean of LoRA's factors is not that of their products.
    pub runs: u32,
    /// Word pieces in a batch, at most (a longer note is a batch of its own).
    pub batch_tokens: usize,
    /// Train every matrix and bias of the layers whole, instead of LoRA on `targets`. The tables of words, positions and
    /// segments stay frozen either way.
    pub full: bool,
    /// Rank of LoRA.
    pub rank: usize,
    /// LoRA's α: the change is scaled by `α / rank`.
    pub alpha: f64,
    /// Matrices that LoRA changes.
    pub targets: Vec<Target>,
    /// Peak learning rate of LoRA, or of the matrices that are trained whole, and of the layer norms.
    pub learning_rate: f64,
    /// Peak learning rate of the head.
    pub head_learning_rate: f64,
    /// Decoupled weight decay of LoRA and the head's matrices.
    pub weight_decay: f64,
    /// Part of the steps in which the learning rate rises; then it falls to zero in a straight line.
    pub warm_up: f64,
    /// Largest norm of the whole gradient.
    pub clip: f64,
    /// Part of the hidden values that is dropped.
    pub dropout: f32,
    /// Decay of the moving average of what is trained, which is measured, kept and packed in its place; 0 for none.
    pub average: f64,
    /// Part of the notes whose sentences change places before each step: a report says the same in any order.
    pub shuffle: f64,
    /// Weight of normal/abnormal in the loss; a finding counts one.
    pub abnormal_weight: f32,
    /// A positive example of a label counts `(negatives / positives)^this`: 0 is unweighted.
    pub class_balance: f32,
    /// Part of the notes that is kept out of training, for calibration and operating points.
    pub held_out: f64,
    /// Findings with fewer notes than this are not reported.
    pub least_notes: usize,
    /// Findings with fewer notes than this are not learned at all; those between the two only speak for abnormal.
    pub least_supporting: usize,
    /// Word pieces that the model reads at once, special tokens included.
    pub window: usize,
    /// Word pieces that two windows of a long note share.
    pub overlap: usize,
    /// What is read of a note, in training as in service.
    #[serde(default)]
    pub reads: Reads,
    /// First epochs that go from easy notes to hard ones; 0 for none.
    pub curriculum: u32,
    /// Epochs without a better held-out quality after which training ends with the best weights so far; 0 trains to the
    /// end and takes the last.
    pub patience: u32,
    /// Sensitivity that the operating point of abnormal must reach on the held-out notes; `None` for more likely than not.
    pub sensitivity: Option<f64>,
    /// How the probability of abnormal is calibrated.
    pub calibration: Calibration,
    /// Seed of initialisation, order, dropout and split.
    pub seed: u64,
    /// Where the run computes.
    #[serde(default)]
    pub device: Device,
}

/// How the probability of abnormal is calibrated on the held-out notes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Calibration {
    /// By a slope and an offset of the log-odds, which need few notes (Platt 1999; Guo et al. 2017, arXiv:1706.04599).
    Temperature,
    /// By a rising line through the frequencies as well, which needs a thousand notes or so (Zadrozny and Elkan 2002, KDD '02).
    Isotonic,
}

impl fmt::Display for Calibration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Temperature => "temperature",
            Self::Isotonic => "isotonic",
        })
    }
}

impl FromStr for Calibration {
    type Err = NotACalibration;

    fn from_str(name: &str) -> Result<Self, NotACalibration> {
        match name {
            "temperature" => Ok(Self::Temperature),
            "isotonic" => Ok(Self::Isotonic),
            _ => Err(NotACalibration),
        }
    }
}

/// Not the name of a calibration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("calibration is temperature or isotonic")]
pub struct NotACalibration;

impl Options {
    /// LoRA on query and value alone, which with the head and the layer norms is below 1 % of a MiniLM's or a BERT's
    /// weights (Hu et al. 2021, arXiv:2106.09685, section 7.1: the two that pay most).
    #[must_use]
    pub fn small() -> Self {
        Self {
            rank: 16,
            alpha: 32.0,
            targets: vec![Target::Query, Target::Value],
            ..Self::default()
        }
    }

    /// All matrices, at a learning rate for weights that are trained already: the change of every value counts, where
    /// LoRA's begins at nothing.
    #[must_use]
    pub fn full() -> Self {
        Self {
            full: true,
            learning_rate: 1.5e-4,
            ..Self::default()
        }
    }

    /// Whether LoRA changes this matrix.
    pub(crate) fn adapts(&self, target: Target) -> bool {
        !self.full && self.targets.contains(&target)
    }

    /// LoRA's `α / r`.
    pub(crate) fn scale(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a rank is far below 2^52")]
        let rank = self.rank as f64;
        self.alpha / rank
    }
}

impl Default for Options {
    /// LoRA on all six matrices. The default model was trained with the rest of these settings, but [`Options::full`].
    fn default() -> Self {
        Self {
            epochs: 10,
            runs: 1,
            batch_tokens: 1024,
            full: false,
            rank: 16,
            alpha: 32.0,
            targets: Target::ALL.to_vec(),
            learning_rate: 5e-4,
            head_learning_rate: 2e-3,
            weight_decay: 0.01,
            warm_up: 0.06,
            clip: 1.0,
            dropout: 0.1,
            average: 0.99,
            shuffle: 0.5,
            abnormal_weight: 3.0,
            class_balance: 0.0,
            held_out: 0.1,
            least_notes: 50,
            least_supporting: 10,
            window: 256,
            overlap: 64,
            reads: Reads {
                redacted: Some("XXXX".to_owned()),
                sections: true,
            },
            curriculum: 0,
            patience: 0,
            sensitivity: None,
            calibration: Calibration::Temperature,
            seed: 2026,
            device: Device::Cpu,
        }
    }
}
