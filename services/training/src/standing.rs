//! How far a run has come.

use crate::checkpointing::{CheckpointingError, Facts, State};
use crate::optimizer::{AdamW, Moments};
use crate::run::{HeldOut, TrainError};

/// Where a run stands, besides weights and moments.
pub(crate) struct Standing {
    facts: Facts,
    best: Vec<Vec<f32>>,
    losses: Vec<f32>,
}

/// What a run ended with.
pub(crate) struct Ended {
    /// What is taken of each variable.
    pub(crate) values: Vec<Vec<f32>>,
    /// Quality on the held-out notes after each epoch.
    pub(crate) epochs: Vec<HeldOut>,
    /// The epoch whose values these are, from 1.
    pub(crate) taken: u32,
    /// Loss of each step.
    pub(crate) losses: Vec<f32>,
}

impl Standing {
    /// Before the first step of `run`.
    pub(crate) fn of(run: String) -> Self {
        Self {
            facts: Facts {
                run,
                ..Facts::default()
            },
            best: Vec::new(),
            losses: Vec::new(),
        }
    }

    /// Which run this is.
    pub(crate) fn run(&self) -> &str {
        &self.facts.run
    }

    /// Steps done.
    pub(crate) const fn steps(&self) -> u32 {
        self.facts.step
    }

    /// Notes a step.
    pub(crate) fn step(&mut self, step: u32, loss: f32) {
        self.facts.step = step;
        self.losses.push(loss);
    }

    /// Quality after the last epoch.
    pub(crate) fn quality(&self) -> Option<HeldOut> {
        self.facts.epochs.last().copied()
    }

    /// The end: the best epoch's values where they were kept, else the last.
    pub(crate) fn ended(self, optimizer: &AdamW) -> Result<Ended, TrainError> {
        let last = u32::try_from(self.facts.epochs.len()).unwrap_or(u32::MAX);
        Ok(Ended {
            values: if self.best.is_empty() {
                optimizer.taken()?
            } else {
                self.best
            },
            taken: self.facts.best_epoch.unwrap_or(last),
            epochs: self.facts.epochs,
            losses: self.losses,
        })
    }

    /// Goes on from a state.
    pub(crate) fn take_up(&mut self, state: State, optimizer: &mut AdamW) -> Result<(), TrainError> {
        let moments = Moments {
            step: state.facts.optimizer,
            values: state.values,
            first: state.first,
            second: state.second,
            average: state.average,
        };
        if !optimizer.restore(moments)? {
            return Err(CheckpointingError::Damaged.into());
        }
        (self.facts, self.best, self.losses) = (state.facts, state.best, state.losses);
        Ok(())
    }

    /// All of it, to be written.
    pub(crate) fn state(&self, optimizer: &AdamW) -> Result<State, TrainError> {
        let moments = optimizer.state()?;
        Ok(State {
            facts: Facts {
                optimizer: moments.step,
                ..self.facts.clone()
            },
            values: moments.values,
            first: moments.first,
            second: moments.second,
            average: moments.average,
            best: self.best.clone(),
            losses: self.losses.clone(),
        })
    }

    /// Notes an epoch's quality and, where the best counts, keeps its weights.
    pub(crate) fn epoch(
        &mut self,
        quality: HeldOut,
        keep: bool,
        optimizer: &AdamW,
    ) -> Result<(), TrainError> {
        let best = self
            .facts
            .best_epoch
            .and_then(|best| self.facts.epochs.get(best as usize - 1));
        let better = best.is_none_or(|best| quality.score() > best.score());
        self.facts.epochs.push(quality);
        if keep && better {
            self.facts.best_epoch = u32::try_from(self.facts.epochs.len()).ok();
            self.best = optimizer.taken()?;
        }
        Ok(())
    }

    /// Whether so many epochs have passed since the best one that training ends.
    pub(crate) fn is_over(&self, patience: u32) -> bool {
        let epochs = u32::try_from(self.facts.epochs.len()).unwrap_or(u32::MAX);
        patience > 0
            && self
                .facts
                .best_epoch
                .is_some_and(|best| epochs >= best.saturating_add(patience))
    }
}
