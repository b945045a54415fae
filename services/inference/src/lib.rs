//! A packed model that reads de-identified notes: it verifies before it loads, says how sure it is, shows what moved
//! it, and says plainly when it has no answer. It cannot name a patient: nothing here knows `records`.
//!
//! A packed model is one folder: `config.json` and `tokenizer.json` of the encoder, `weights.safetensors` (int8 base,
//! f32 LoRA and heads, and what the training reports look like), `labels.json` (outputs, calibration, operating points,
//! window, and the distance above which a text is unlike them and gets no answer), `card.json`, the weights' own
//! `LICENSE`, `manifest.json` with the SHA-256 of each, and `manifest.sig`, an Ed25519 signature over the manifest as a
//! C2SP signed note. The SHA-256 of the manifest is the model's name in every assessment. The encoder is a BERT (Devlin et al. 2018, arXiv:1810.04805) over the crate `kernels`, in int8 where that
//! agrees with f32, with sequences side by side and no padding; candle's is the reference. The head is one attention pooling for each output (Mullenbach et al. 2018, arXiv:1802.05695); a note beyond the window is
//! read in windows that overlap, and the largest probability of each output counts.
//!
//! ```
//! use clinical::{Impression, Known, Outcome, Scrubber};
//! use inference::{Engine, EngineOptions};
//!
//! let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models/default");
//! let engine = Engine::load(&folder, EngineOptions::default())?;
//! assert!(engine.card().evaluation_only);
//!
//! let scrubber = Scrubber::new(seal::MacKey::new(&[7; 32]));
//! let text = "The heart is enlarged. Small left pleural effusion. No pneumothorax.";
//! let note = scrubber.scrub(text, &Known::default()).note;
//! let Outcome::Assessed(assessment) = engine.assess(&note) else { return Err("not assessed".into()) };
//! assert_eq!(assessment.impression, Impression::Abnormal);
//! assert!(assessment.findings.iter().any(|finding| finding.label.as_str() == "Cardiomegaly"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod agreement;
#[cfg(test)]
mod bad_input;
mod card;
mod classifier;
mod config;
mod device;
mod encoder;
mod engine;
mod familiarity;
mod isotonic;
mod labels;
mod lane;
mod legible;
mod load;
mod meter;
mod owner;
mod package;
mod reading;
mod runner;
mod scorer;
mod scores;
mod sections;
mod seen;
mod source_attributes;
#[cfg(test)]
mod testing;
mod tokenizer;
mod weights;
mod window;

pub use card::{
    BaseModel, BaselineMetrics, Bin, FindingMetrics, Frequency, Interval, Metrics, ModelCard,
    SubgroupMetrics, TrainingData,
};
pub use config::{Activation, Config, ConfigError};
pub use device::{Device, DeviceError, NotADevice};
pub use engine::{AssessError, Busy, Engine, EngineOptions, seed};
pub use familiarity::{Cloud, Familiarity, orthonormal};
pub use isotonic::{Isotonic, NotIsotonic};
pub use kernels::Kernel;
pub use labels::{AbnormalPoint, FindingLabel, LabelSet, LabelSetError, OperatingPoint, SupportingLabel};
pub use lane::{Lane, Refusal, Urgency};
pub use load::LoadError;
pub use meter::{Meter, MeterError, Shape};
pub use owner::Load;
pub use package::{Package, PackageError, Trust, package_signer, sign_package};
pub use reading::{ReadText, Reads};
pub use runner::{Compute, Threads};
pub use scorer::Scorer;
pub use scores::{ScoreError, Scores, any_log_odds};
pub use source_attributes::{SourceAttribute, SourceAttributes};
pub use tokenizer::{Pieces, Tokenizer, TokenizerError};
pub use weights::{
    Adapter, FloatTensor, HEAD_BIAS, HEAD_SCORE, HEAD_VALUE, Int8Matrix, Weights, WeightsError,
};
