//! How a model is trained, as flags.

use clap::Args;
use inference::{Device, Reads};
use training::{Calibration, Options, Target};

/// How the model is trained; the default model adds `--full` to the defaults.
#[derive(Args)]
#[command(next_help_heading = "Training settings")]
pub struct Settings {
    /// Times that each report is seen in a run
    #[arg(long, default_value_t = Options::default().epochs, value_name = "N")]
    epochs: u32,
    /// Runs, each with an order of its own, whose weights are averaged; more than one only with `--full`
    #[arg(long, default_value_t = Options::default().runs, value_name = "N")]
    runs: u32,
    /// Word pieces in a batch
    #[arg(long, default_value_t = Options::default().batch_tokens, value_name = "N")]
    batch_tokens: usize,
    /// LoRA on query and value alone: below 1 % of the weights are trained, in less time and memory
    #[arg(long, conflicts_with_all = ["full", "rank", "alpha", "targets"])]
    small: bool,
    /// Train every matrix of the encoder's layers whole, instead of LoRA: half of the weights, in more time and memory.
    /// The tables of words and positions, the other half, stay as they are
    #[arg(long, conflicts_with_all = ["rank", "alpha", "targets"])]
    full: bool,
    /// Rank of LoRA
    #[arg(long, default_value_t = Options::default().rank, value_name = "N")]
    rank: usize,
    /// LoRA's alpha: its change is scaled by alpha / rank
    #[arg(long, default_value_t = Options::default().alpha, value_name = "X")]
    alpha: f64,
    /// Matrices that LoRA changes
    #[arg(long, value_delimiter = ',', default_values_t = Options::default().targets, value_name = "NAMES")]
    targets: Vec<Target>,
    /// Peak learning rate of LoRA, or of whole matrices, and of the layer norms [default: 5e-4, with --full 1.5e-4]
    #[arg(long, value_name = "X")]
    learning_rate: Option<f64>,
    /// Peak learning rate of the head
    #[arg(long, default_value_t = Options::default().head_learning_rate, value_name = "X")]
    head_learning_rate: f64,
    /// Part of the hidden values that is dropped
    #[arg(long, default_value_t = Options::default().dropout, value_name = "X")]
    dropout: f32,
    /// Decay of the moving average of what is trained, which is measured and packed in its place; 0: no average
    #[arg(long, default_value_t = Options::default().average, value_name = "X")]
    average: f64,
    /// Part of the reports whose sentences change places each time that they are seen
    #[arg(long, default_value_t = Options::default().shuffle, value_name = "X")]
    shuffle: f64,
    /// How far rare labels are weighted up: 0 not at all, 1 until positives and negatives weigh the same
    #[arg(long, default_value_t = Options::default().class_balance, value_name = "X")]
    class_balance: f32,
    /// Part of the reports that is kept out of training
    #[arg(long, default_value_t = Options::default().held_out, value_name = "X")]
    held_out: f64,
    /// Findings in fewer reports than this are not reported
    #[arg(long, default_value_t = Options::default().least_notes, value_name = "N")]
    least_notes: usize,
    /// Findings in fewer reports than this are not learned; those between the two only speak for abnormal
    #[arg(long, default_value_t = Options::default().least_supporting, value_name = "N")]
    least_supporting: usize,
    /// Word pieces that the model reads at once; a longer report is read in overlapping windows
    #[arg(long, default_value_t = Options::default().window, value_name = "N")]
    window: usize,
    /// Word pieces that neighbouring windows share
    #[arg(long, default_value_t = Options::default().overlap, value_name = "N")]
    overlap: usize,
    /// What is read wherever the gateway replaced something; empty: the surrogate itself
    #[arg(long, default_value = "XXXX", value_name = "TEXT")]
    redacted: String,
    /// Read all of a report, its head, history, technique, comparison and signature as well
    #[arg(long)]
    whole: bool,
    /// First epochs that go from easy reports to hard ones: short ones that a bag of words is sure of come first
    #[arg(long, default_value_t = Options::default().curriculum, value_name = "N")]
    curriculum: u32,
    /// End after so many epochs without a better quality on the reports kept out, with the best weights; 0: train to the
    /// end and take the last
    #[arg(long, default_value_t = Options::default().patience, value_name = "N")]
    patience: u32,
    /// Sensitivity that the operating point of abnormal must reach on the reports kept out; without it one half
    #[arg(long, value_name = "X")]
    sensitivity: Option<f64>,
    /// How the probability of abnormal is calibrated: temperature, or isotonic (which needs a thousand reports kept out)
    #[arg(long, default_value_t = Options::default().calibration, value_name = "NAME")]
    calibration: Calibration,
    /// Seed of initialisation, order, dropout and split: the same seed gives the same model
    #[arg(long, default_value_t = Options::default().seed, value_name = "N")]
    seed: u64,
    /// Where it computes: cpu, or cuda for the first NVIDIA GPU, in a build with `--features cuda`
    #[arg(long, default_value_t = Options::default().device, value_name = "NAME")]
    device: Device,
}

impl Settings {
    /// The same as a value.
    pub(super) fn options(&self) -> Options {
        let preset = if self.small {
            Options::small()
        } else if self.full {
            Options::full()
        } else {
            Options {
                rank: self.rank,
                alpha: self.alpha,
                targets: self.targets.clone(),
                ..Options::default()
            }
        };
        Options {
            epochs: self.epochs,
            runs: self.runs,
            batch_tokens: self.batch_tokens,
            curriculum: self.curriculum,
            patience: self.patience,
            sensitivity: self.sensitivity,
            calibration: self.calibration,
            learning_rate: self.learning_rate.unwrap_or(preset.learning_rate),
            head_learning_rate: self.head_learning_rate,
            dropout: self.dropout,
            average: self.average,
            shuffle: self.shuffle,
            class_balance: self.class_balance,
            held_out: self.held_out,
            least_notes: self.least_notes,
            least_supporting: self.least_supporting,
            window: self.window,
            overlap: self.overlap,
            reads: Reads {
                redacted: Some(self.redacted.clone()).filter(|text| !text.is_empty()),
                sections: !self.whole,
            },
            seed: self.seed,
            device: self.device,
            ..preset
        }
    }

    /// The same as flags, for the card.
    pub(super) fn flags(&self) -> String {
        let options = self.options();
        let targets: Vec<String> = options.targets.iter().map(ToString::to_string).collect();
        let sensitivity = self
            .sensitivity
            .map_or_else(String::new, |wanted| format!("--sensitivity {wanted} "));
        let whole = if self.whole { "--whole " } else { "" };
        let what = if options.full {
            "--full".to_owned()
        } else {
            format!(
                "--rank {} --alpha {} --targets {}",
                options.rank,
                options.alpha,
                targets.join(",")
            )
        };
        format!(
            "--epochs {} --runs {} --batch-tokens {} {what} --learning-rate {} --head-learning-rate {} --dropout {} --average {} \
             --shuffle {} --class-balance {} --held-out {} --least-notes {} --least-supporting {} --window {} --overlap {} \
             {whole}--redacted={} --curriculum {} --patience {} {sensitivity}--calibration {} --seed {} --device {}",
            self.epochs,
            self.runs,
            self.batch_tokens,
            options.learning_rate,
            self.head_learning_rate,
            self.dropout,
            self.average,
            self.shuffle,
            self.class_balance,
            self.held_out,
            self.least_notes,
            self.least_supporting,
            self.window,
            self.overlap,
            self.redacted,
            self.curriculum,
            self.patience,
            self.calibration,
            self.seed,
            self.device
        )
    }
}
