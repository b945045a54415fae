//! Probabilities of texts that share their words.

use crate::engine::{Engine, part};
use crate::lane::Urgency;
use crate::scores::{ScoreError, Scores};
use crate::seen::Seen;

/// Scores texts and remembers the word pieces of their words, for those that hold the same words again.
pub struct Scorer<'a> {
    engine: &'a Engine,
    seen: Seen<'a>,
}

impl<'a> Scorer<'a> {
    pub(crate) fn new(engine: &'a Engine) -> Self {
        Self {
            engine,
            seen: engine.seen(),
        }
    }

    /// As [`Engine::score_batch`].
    ///
    /// # Errors
    /// [`ScoreError`] when a text cannot be split, or the model returns what is no probability.
    pub fn score(&mut self, texts: &[&str]) -> Result<Vec<Scores>, ScoreError> {
        let mut inputs = Vec::with_capacity(texts.len());
        let mut counts = Vec::with_capacity(texts.len());
        for &text in texts {
            if let Some(input) = self.engine.whole_input(&mut self.seen, text)? {
                inputs.push(input);
                counts.push(1);
                continue;
            }
            let (_, windows) = self.engine.windows(text)?;
            for window in &windows {
                inputs.push(self.engine.input(&mut self.seen, part(text, window))?);
            }
            counts.push(windows.len());
        }
        let urgency = Urgency {
            patient: true,
            ..Urgency::default()
        };
        let mut scored = self.engine.scores(&inputs, urgency)?.into_iter();
        Ok(counts
            .into_iter()
            .filter_map(|count| scored.by_ref().take(count).reduce(|a, b| a.max(&b)))
            .collect())
    }
}
