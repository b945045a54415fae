//! Explanations over any scoring function: take words away, score what is left, and show the words whose effect on the score
//! is certain, or say that there are none. No model, no I/O, no clock: the same text, seed and scorer give the same answer.
//!
//! [`explain_at`] is the verified mode: a search for the words that move the suggestion most when they are gone together, then
//! their neighbourhood, every combination of them, of which a seed draws what is scored, and the line through its log-odds with
//! an interval for each weight. [`lime()`] is the reference method of Ribeiro, Singh and Guestrin (KDD 2016, arXiv:1602.04938),
//! for comparison.
//!
//! ```
//! use clinical::{Impression, Span};
//! use explanation::{Budget, explain};
//!
//! let text = "Heart size is enlarged. Large left pleural effusion, mild edema. Lungs otherwise clear.";
//! let window = Span { start: 0, end: u32::try_from(text.len())? };
//! let scorer = |texts: &[String]| -> Result<Vec<f64>, std::convert::Infallible> {
//!     let weights = [("enlarged", 1.0), ("effusion", 2.5), ("edema", 0.9)];
//!     let odds = |t: &String| weights.iter().filter(|(word, _)| t.contains(word)).map(|(_, w)| w).sum::<f64>();
//!     Ok(texts.iter().map(|t| 1.0 / (1.0 + (1.2 - odds(t)).exp())).collect())
//! };
//! let explanation = explain(text, window, Impression::Abnormal, Budget::default(), 7, scorer)?;
//! let strongest = explanation.phrases().next().ok_or("no word")?;
//! let shown = &text[strongest.span.start as usize..strongest.span.end as usize];
//! assert_eq!(shown, "effusion");
//! assert!(strongest.weight > 2.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod explain;
mod lime;
mod local;
mod moments;
mod neighbourhood;
mod phrase;
mod random;
mod search;
mod settle;
mod surface;
mod word;

pub use explain::{Budget, ExplainError, MIN_R2, MIN_SPREAD, MIN_WEIGHT, explain, explain_at};
pub use lime::{Lime, LimeFeature, LimeOptions, Words, lime};
pub use phrase::MAX_PHRASES;
pub use random::SplitMix64;
pub use settle::{FEWEST, INTERVAL};

/// Number of the method of [`explain_at`]: another one when the same text, seed and scorer give another explanation.
///
/// 1: phrases, their combinations, a cut at a settled gap. 2: words found by a search, and their combinations.
/// 3: the search asks what holds the suggestion, too. 4: in the end it exchanges words.
pub const METHOD: u32 = 4;

/// The words of a text that [`explain_at`] may take away, in bytes: all but articles, auxiliaries and pronouns.
#[must_use]
pub fn words(text: &str) -> Vec<clinical::Span> {
    word::words(text)
        .iter()
        .map(|word| clinical::Span {
            start: word.start,
            end: word.end,
        })
        .collect()
}

/// The phrases that a text is cut into, in bytes: what a shown word is read in.
#[must_use]
pub fn phrases(text: &str) -> Vec<clinical::Span> {
    phrase::units(text)
        .iter()
        .map(|unit| clinical::Span {
            start: unit.start,
            end: unit.end,
        })
        .collect()
}
