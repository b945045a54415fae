//! From labelled, scrubbed reports to a packed model and its card, on a CPU, from a seed.
//!
//! [`Base::open`] checks and reads a pretrained BERT and rounds its large matrices to int8; [`Corpus::new`] joins
//! copies, keeps a part out and takes the frequent findings; [`train`] fits LoRA (Hu et al. 2021, arXiv:2106.09685) or whole
//! matrices, layer norms and a head of label-wise attention, then temperatures and operating points on the part that was kept
//! out, and what the training reports look like, so that a text unlike them gets no answer;
//! [`Run::pack`] writes what `inference` loads; [`evaluate`] measures it as it is served. LoRA sees the rounded base,
//! and whole matrices are rounded before calibration, so packing changes no answer. Batches are ragged: no padding is computed, none can be forgotten in a mask. Every
//! operation whose gradient is written here is compared with finite differences, and the whole encoder with candle's.
//!
//! ```
//! use training::{Options, metrics};
//!
//! let options = Options { epochs: 3, ..Options::default() };
//! assert_eq!(options.targets.len(), 6);
//! // What a run is judged by: here one normal note scores above one abnormal note, of four pairs.
//! let area = metrics::auroc(&[0.1, 0.4, 0.35, 0.8], &[false, false, true, true]);
//! assert_eq!(area, Some(0.75));
//! ```

mod activation;
mod attention;
mod base;
mod baseline;
mod calibration;
mod checkpoint;
mod checkpointing;
pub mod cleaning;
mod composed;
mod corpus;
mod curriculum;
mod dense;
mod dropout;
mod evaluation;
mod familiarity;
mod fitting;
mod import;
mod linear;
mod memory;
pub mod metrics;
mod model;
mod normalization;
mod optimizer;
mod options;
mod packing;
mod pooling;
mod quantization;
mod run;
mod shuffle;
mod slice;
mod soup;
mod standing;
#[cfg(test)]
mod testing;

pub use base::{Base, BaseError};
pub use checkpoint::{Checkpoint, CheckpointError, Format, PickleError};
pub use checkpointing::{CheckpointingError, Checkpoints};
pub use corpus::{Corpus, CorpusError, LabelledNote};
pub use evaluation::{Comparison, Confusion, EvaluateError, Evaluation, compare, evaluate};
pub use fitting::{Trained, TrainedFinding};
pub use import::{Agreement, Casing, Import, ImportError, Vectors};
pub use memory::Memory;
pub use model::ModelError;
pub use options::{Calibration, NotACalibration, NotATarget, Options, Target};
pub use packing::{Description, PackError, Run, Source};
pub use quantization::{QuantizationLoss, Scheme, quantization_loss};
pub use run::{HeldOut, Progress, TrainError, train, train_one, train_with, trained_share};
