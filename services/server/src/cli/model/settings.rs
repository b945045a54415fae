//! How a model is trained, as flags.

use clap::Args;
use training::{Options, Target};

/// How the model is trained; the defaults are those of the default model.
#[derive(Args)]
#[command(next_help_heading = "Training settings")]
pub struct Settings {
    /// Times that each report is seen
    #[arg(long, default_value_t = Options::default().epochs, value_name = "N")]
    epochs: u32,
    /// Word pieces in a batch
    #[arg(long, default_value_t = Options::default().batch_tokens, value_name = "N")]
    batch_tokens: usize,
    /// Rank of LoRA
    #[arg(long, default_value_t = Options::default().rank, value_name = "N")]
    rank: usize,
    /// LoRA's alpha: its change is scaled by alpha / rank
    #[arg(long, default_value_t = Options::default().alpha, value_name = "X")]
    alpha: f64,
    /// Matrices that LoRA changes
    #[arg(long, value_delimiter = ',', default_values_t = Options::default().targets, value_name = "NAMES")]
    targets: Vec<Target>,
    /// Peak learning rate of LoRA and the layer norms
    #[arg(long, default_value_t = Options::default().learning_rate, value_name = "X")]
    learning_rate: f64,
    /// Peak learning rate of the head
    #[arg(long, default_value_t = Options::default().head_learning_rate, value_name = "X")]
    head_learning_rate: f64,
    /// Part of the hidden values that is dropped
    #[arg(long, default_value_t = Options::default().dropout, value_name = "X")]
    dropout: f32,
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
    /// Seed of initialisation, order, dropout and split: the same seed gives the same model
    #[arg(long, default_value_t = Options::default().seed, value_name = "N")]
    seed: u64,
}

impl Settings {
    /// The same as a value.
    pub(super) fn options(&self) -> Options {
        Options {
            epochs: self.epochs,
            batch_tokens: self.batch_tokens,
            rank: self.rank,
            alpha: self.alpha,
            targets: self.targets.clone(),
            learning_rate: self.learning_rate,
            head_learning_rate: self.head_learning_rate,
            dropout: self.dropout,
            class_balance: self.class_balance,
            held_out: self.held_out,
            least_notes: self.least_notes,
            least_supporting: self.least_supporting,
            window: self.window,
            overlap: self.overlap,
            seed: self.seed,
            ..Options::default()
        }
    }

    /// The same as flags, for the card.
    pub(super) fn flags(&self) -> String {
        let targets: Vec<String> = self.targets.iter().map(ToString::to_string).collect();
        format!(
            "--epochs {} --batch-tokens {} --rank {} --alpha {} --targets {} --learning-rate {} --head-learning-rate {} \
             --dropout {} --class-balance {} --held-out {} --least-notes {} --least-supporting {} --window {} --overlap {} \
             --seed {}",
            self.epochs,
            self.batch_tokens,
            self.rank,
            self.alpha,
            targets.join(","),
            self.learning_rate,
            self.head_learning_rate,
            self.dropout,
            self.class_balance,
            self.held_out,
            self.least_notes,
            self.least_supporting,
            self.window,
            self.overlap,
            self.seed
        )
    }
}
