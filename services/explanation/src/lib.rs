//! LIME over any scoring function: take phrases away, score what is left, fit a local linear model, and show the
//! phrases that moved the score. No model, no I/O, no clock: the same text, seed and scorer give the same answer.
//!
//! The method is that of Ribeiro, Singh and Guestrin, "Why Should I Trust You?" (KDD 2016, arXiv:1602.04938), with the
//! constants of the authors' own code (marcotcr/lime, `lime_text.py`, `lime_base.py`): an exponential kernel of width 25
//! on 100 × the cosine distance of the masks, and ridge regression with a penalty of 1 and a free intercept. What
//! differs is the unit, a phrase instead of a word, because a physician reads phrases.
//!
//! ```
//! use clinical::{Impression, Span};
//! use explanation::{Budget, explain};
//!
//! let text = "Heart size is normal. Large left pleural effusion, lungs otherwise clear.";
//! let window = Span { start: 0, end: u32::try_from(text.len())? };
//! let scorer = |texts: &[String]| -> Result<Vec<f64>, std::convert::Infallible> {
//!     Ok(texts.iter().map(|t| if t.contains("effusion") { 0.9 } else { 0.2 }).collect())
//! };
//! let explanation = explain(text, window, Impression::Abnormal, Budget::default(), 7, scorer)?;
//! let strongest = explanation.phrases().next().ok_or("no phrase")?;
//! let shown = &text[strongest.span.start as usize..strongest.span.end as usize];
//! assert_eq!(shown, "Large left pleural effusion");
//! assert!(strongest.weight > 0.3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod explain;
mod lime;
mod mask;
mod moments;
mod phrase;
mod random;
mod ridge;

pub use explain::{Budget, ExplainError, MIN_R2, MIN_RANGE, MIN_WEIGHT, explain};
pub use lime::{Lime, LimeFeature, LimeOptions, Words, lime};
pub use phrase::MAX_PHRASES;
