//! The mean of several runs' weights.

/// A mean that grows: what each run ended with is in memory once.
#[derive(Default)]
pub(crate) struct Soup {
    mean: Vec<Vec<f32>>,
    runs: f32,
}

impl Soup {
    /// Adds the values of one more run, in the same order as the others'.
    pub(crate) fn add(&mut self, values: Vec<Vec<f32>>) {
        self.runs += 1.0;
        if self.mean.is_empty() {
            self.mean = values;
            return;
        }
        for (mean, value) in self.mean.iter_mut().flatten().zip(values.iter().flatten()) {
            *mean += (value - *mean) / self.runs;
        }
    }

    /// The mean; that of one run has its bits.
    pub(crate) fn mean(self) -> Vec<Vec<f32>> {
        self.mean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_run_counts_as_much_as_another() {
        let mut soup = Soup::default();
        for value in [1.0, 4.0, 1.0] {
            soup.add(vec![vec![value, -value], vec![8.0]]);
        }
        assert_eq!(soup.mean(), [vec![2.0, -2.0], vec![8.0]]);
    }
}
