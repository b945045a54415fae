//! `AdamW` with groups, warm-up, decay and clipping, and a moving average of what it trains.

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, Var};
use rayon::prelude::*;

use crate::slice;

/// Decay rates of the moments and the divisor's floor: the defaults of Kingma and Ba 2014 (arXiv:1412.6980).
const BETA1: f32 = 0.9;
const BETA2: f32 = 0.999;
const EPSILON: f32 = 1e-8;
/// Values that one thread takes at a time.
const CHUNK: usize = 1 << 14;

/// Linear warm-up, then linear decay to zero, as in BERT's own training (arXiv:1810.04805, appendix A.2).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    /// Steps in all.
    pub(crate) steps: u32,
    /// Part of them in which the rate rises.
    pub(crate) warm_up: f64,
}

impl Schedule {
    /// Factor of the learning rate at `step`, counted from 0.
    pub(crate) fn factor(&self, step: u32) -> f64 {
        let (step, steps) = (f64::from(step), f64::from(self.steps.max(1)));
        let rising = (steps * self.warm_up).max(1.0);
        if step + 1.0 < rising {
            (step + 1.0) / rising
        } else {
            ((steps - step) / (steps - rising + 1.0).max(1.0)).clamp(0.0, 1.0)
        }
    }
}

/// Everything that changes from step to step.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Moments {
    pub(crate) step: i32,
    pub(crate) values: Vec<Vec<f32>>,
    pub(crate) first: Vec<Vec<f32>>,
    pub(crate) second: Vec<Vec<f32>>,
    /// Moving averages of the values; empty without one.
    pub(crate) average: Vec<Vec<f32>>,
}

/// One variable with its moments.
struct Slot {
    var: Var,
    first: Vec<f32>,
    second: Vec<f32>,
    average: Vec<f32>,
    rate: f64,
    decay: f64,
}

/// `AdamW` (Loshchilov and Hutter 2017, arXiv:1711.05101): Adam whose weight decay is not part of the gradient.
pub(crate) struct AdamW {
    slots: Vec<Slot>,
    clip: f64,
    decay: f64,
    step: i32,
}

impl AdamW {
    /// An optimiser without variables that scales the whole gradient down to norm `clip`, and keeps a moving average of
    /// the values with this `decay`, or none at 0.
    pub(crate) fn new(clip: f64, decay: f64) -> Self {
        Self {
            slots: Vec::new(),
            clip,
            decay,
            step: 0,
        }
    }

    /// Steps so far, and values and moments of each variable, in the order in which they were added.
    pub(crate) fn state(&self) -> Result<Moments> {
        let mut moments = Moments {
            step: self.step,
            ..Moments::default()
        };
        for slot in &self.slots {
            moments
                .values
                .push(slice::with(&slot.var, |values| Ok(values.to_vec()))?);
            moments.first.push(slot.first.clone());
            moments.second.push(slot.second.clone());
            if self.decay > 0.0 {
                moments.average.push(slot.average.clone());
            }
        }
        Ok(moments)
    }

    /// Takes up where a state was taken. `false`, with nothing changed, when it is not that of these variables.
    pub(crate) fn restore(&mut self, moments: Moments) -> Result<bool> {
        let Moments {
            step,
            values,
            first,
            second,
            average,
        } = moments;
        let fits = |all: &[Vec<f32>]| {
            all.len() == self.slots.len()
                && all
                    .iter()
                    .zip(&self.slots)
                    .all(|(own, slot)| own.len() == slot.first.len())
        };
        let averaged = if self.decay > 0.0 {
            fits(&average)
        } else {
            average.is_empty()
        };
        if !(fits(&values) && fits(&first) && fits(&second) && averaged) {
            return Ok(false);
        }
        self.step = step;
        self.set(values)?;
        for ((slot, first), second) in self.slots.iter_mut().zip(first).zip(second) {
            (slot.first, slot.second) = (first, second);
        }
        for (slot, average) in self.slots.iter_mut().zip(average) {
            slot.average = average;
        }
        Ok(true)
    }

    /// What is measured and packed: the averages, or without them the values.
    pub(crate) fn taken(&self) -> Result<Vec<Vec<f32>>> {
        if self.decay > 0.0 {
            return Ok(self.slots.iter().map(|slot| slot.average.clone()).collect());
        }
        self.values()
    }

    /// The values of every variable.
    pub(crate) fn values(&self) -> Result<Vec<Vec<f32>>> {
        self.slots
            .iter()
            .map(|slot| slice::with(&slot.var, |values| Ok(values.to_vec())))
            .collect()
    }

    /// Calls `look` while every variable is what [`AdamW::taken`] says, and sets it back.
    pub(crate) fn with_taken<T, E: From<candle_core::Error>>(
        &self,
        look: impl FnOnce() -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        if self.decay <= 0.0 {
            return look();
        }
        let values = self.values()?;
        self.set(self.taken()?)?;
        let seen = look();
        self.set(values)?;
        seen
    }

    /// Sets every variable, and leaves the moments.
    pub(crate) fn set(&self, values: Vec<Vec<f32>>) -> Result<()> {
        for (slot, values) in self.slots.iter().zip(values) {
            slot.var
                .set(&Tensor::from_vec(values, slot.var.shape(), slot.var.device())?)?;
        }
        Ok(())
    }

    /// Sets every variable before the first step, so that the averages begin there too.
    pub(crate) fn begin(&mut self, values: Vec<Vec<f32>>) -> Result<()> {
        self.set(values)?;
        if self.decay > 0.0 {
            for slot in &mut self.slots {
                slot.average = slice::with(&slot.var, |values| Ok(values.to_vec()))?;
            }
        }
        Ok(())
    }

    /// Adds variables with their peak learning rate and weight decay.
    pub(crate) fn add(&mut self, vars: &[Var], rate: f64, decay: f64) -> Result<()> {
        for var in vars {
            self.slots.push(Slot {
                var: var.clone(),
                first: vec![0.0; var.elem_count()],
                second: vec![0.0; var.elem_count()],
                average: if self.decay > 0.0 {
                    slice::with(var, |values| Ok(values.to_vec()))?
                } else {
                    Vec::new()
                },
                rate,
                decay,
            });
        }
        Ok(())
    }

    /// One step with `factor` times the peak rates; returns the norm of the gradient before clipping. A gradient that
    /// is no number changes nothing.
    pub(crate) fn step(&mut self, grads: &GradStore, factor: f64) -> Result<f64> {
        let mut square = 0.0_f64;
        for slot in &self.slots {
            if let Some(grad) = grads.get(&slot.var) {
                square += slice::with(grad, |grad| {
                    Ok(grad.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>())
                })?;
            }
        }
        let norm = square.sqrt();
        if !norm.is_finite() {
            return Ok(norm);
        }
        self.step += 1;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "rates and scales are used in the weights' precision"
        )]
        let to32 = |value: f64| value as f32;
        let scale = to32(if norm > self.clip { self.clip / norm } else { 1.0 });
        let (fix1, fix2) = (1.0 - BETA1.powi(self.step), 1.0 - BETA2.powi(self.step));
        // The first averages forget soon, so that they do not remember the beginning (the rule of TensorFlow's
        // ExponentialMovingAverage with `num_updates`).
        let taken = f64::from(self.step);
        let decay = to32(self.decay.min((1.0 + taken) / (10.0 + taken)));
        for slot in &mut self.slots {
            let Some(grad) = grads.get(&slot.var) else {
                continue;
            };
            let rate = to32(slot.rate * factor);
            let keep = 1.0 - rate * to32(slot.decay);
            let mut values = slice::with(&slot.var, |values| Ok(values.to_vec()))?;
            slice::with(grad, |grad| {
                values
                    .par_chunks_mut(CHUNK)
                    .zip(slot.first.par_chunks_mut(CHUNK))
                    .zip(slot.second.par_chunks_mut(CHUNK))
                    .zip(grad.par_chunks(CHUNK))
                    .for_each(|(((values, first), second), grad)| {
                        for (((value, first), second), grad) in
                            values.iter_mut().zip(first).zip(second).zip(grad)
                        {
                            let grad = grad * scale;
                            *first = BETA1 * *first + (1.0 - BETA1) * grad;
                            *second = BETA2 * *second + (1.0 - BETA2) * grad * grad;
                            let change = (*first / fix1) / ((*second / fix2).sqrt() + EPSILON);
                            *value = *value * keep - rate * change;
                        }
                    });
                Ok(())
            })?;
            slot.average
                .par_chunks_mut(CHUNK)
                .zip(values.par_chunks(CHUNK))
                .for_each(|(average, values)| {
                    for (average, value) in average.iter_mut().zip(values) {
                        *average += (1.0 - decay) * (value - *average);
                    }
                });
            slot.var
                .set(&Tensor::from_vec(values, slot.var.shape(), slot.var.device())?)?;
        }
        Ok(norm)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn the_rate_rises_and_falls() {
        let schedule = Schedule {
            steps: 100,
            warm_up: 0.1,
        };
        assert!((schedule.factor(0) - 0.1).abs() < 1e-9);
        assert!((schedule.factor(9) - 1.0).abs() < 1e-9);
        assert!(schedule.factor(50) < 0.6 && schedule.factor(50) > 0.5);
        assert!(schedule.factor(99) < 0.02 && schedule.factor(99) > 0.0);
        assert!(
            Schedule {
                steps: 0,
                warm_up: 0.1
            }
            .factor(0)
            .is_finite()
        );
    }

    #[test]
    fn one_step_is_that_of_the_paper() -> Result<()> {
        let var = Var::new(&[1.0_f32, -2.0], &Device::Cpu)?;
        let loss = (var.as_tensor() * 3.0)?.sum_all()?;
        let mut adam = AdamW::new(1.0, 0.0);
        adam.add(std::slice::from_ref(&var), 0.1, 0.5)?;
        let norm = adam.step(&loss.backward()?, 1.0)?;
        assert!((norm - 18.0_f64.sqrt()).abs() < 1e-6);
        // The first step of Adam is the rate in the gradient's sign, whatever its size; decay takes rate × decay.
        let values = var.to_vec1::<f32>()?;
        assert!((values[0] - (0.95 - 0.1)).abs() < 1e-6 && (values[1] - (-1.9 - 0.1)).abs() < 1e-6);
        Ok(())
    }

    #[test]
    fn a_gradient_that_is_no_number_changes_nothing() -> Result<()> {
        let var = Var::new(&[1.0_f32], &Device::Cpu)?;
        let loss = (var.as_tensor() * f64::NAN)?.sum_all()?;
        let mut adam = AdamW::new(1.0, 0.0);
        adam.add(std::slice::from_ref(&var), 0.1, 0.0)?;
        assert!(adam.step(&loss.backward()?, 1.0)?.is_nan());
        assert_eq!(var.to_vec1::<f32>()?, [1.0]);
        Ok(())
    }

    #[test]
    fn the_average_follows_the_values_and_is_looked_at_in_their_place() -> Result<()> {
        let var = Var::new(&[0.0_f32], &Device::Cpu)?;
        let mut adam = AdamW::new(1.0, 0.9);
        adam.add(std::slice::from_ref(&var), 0.1, 0.0)?;
        let mut wanted = 0.0;
        for step in 1..=40_u8 {
            adam.step(&(var.as_tensor() * 3.0)?.sum_all()?.backward()?, 1.0)?;
            let step = f32::from(step);
            let decay = 0.9_f32.min((1.0 + step) / (10.0 + step));
            wanted += (1.0 - decay) * (var.to_vec1::<f32>()?[0] - wanted);
        }
        let taken = adam.taken()?[0][0];
        assert!((taken - wanted).abs() < 1e-5, "{taken}, not {wanted}");
        let before = var.to_vec1::<f32>()?;
        assert!(before[0] < taken - 0.1);
        let seen = adam.with_taken(|| var.to_vec1::<f32>())?;
        assert_eq!((seen, var.to_vec1::<f32>()?), (vec![taken], before));
        // A state of a run without averages is that of another run.
        let mut moments = adam.state()?;
        assert!(adam.restore(moments.clone())?);
        moments.average.clear();
        assert!(!adam.restore(moments)?);
        Ok(())
    }
}
