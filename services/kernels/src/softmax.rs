//! Softmax, shifted by the largest value, so that nothing overflows.

use crate::kernel::{Arithmetic, Op};
use crate::lanes::{self, larger};
use crate::math::exp;
use crate::step::{COLUMNS, Step};

/// Which keys of a row take part in a softmax; the others get 0, whatever they hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys<'a> {
    /// All of them.
    All,
    /// So many from the start: the tokens of a sequence before its padding. Nothing is computed for the others.
    First(usize),
    /// Those marked `true`, the same in every row.
    Marked(&'a [bool]),
}

pub(crate) struct Softmax<'a> {
    pub(crate) columns: usize,
    pub(crate) keys: Keys<'a>,
    pub(crate) x: &'a mut [f32],
}

impl Op for Softmax<'_> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        for row in self.x.chunks_exact_mut(self.columns) {
            let row = match self.keys {
                Keys::All => row,
                Keys::First(count) => {
                    let (row, rest) = row.split_at_mut(count.min(row.len()));
                    rest.fill(0.0);
                    row
                }
                Keys::Marked(marks) => {
                    for (x, &mark) in row.iter_mut().zip(marks) {
                        *x = if mark { *x } else { f32::NEG_INFINITY };
                    }
                    if !marks.contains(&true) {
                        row.fill(0.0);
                        continue;
                    }
                    row
                }
            };
            softmax::<A>(row);
        }
    }
}

#[inline(always)]
fn softmax<A: Arithmetic>(row: &mut [f32]) {
    let most = lanes::largest(row);
    for x in row.iter_mut() {
        *x = exp::<A>(*x - most);
    }
    let inverse = 1.0 / lanes::sum(row, |sum, x| sum + x);
    for x in row.iter_mut() {
        *x *= inverse;
    }
}

/// Softmax down the columns of `scores`, but for the division: returns what to multiply each column with.
pub(crate) struct Columnwise<'a> {
    pub(crate) scores: &'a mut [Step],
    /// Only the first half of the columns.
    pub(crate) half: bool,
}

impl Op for Columnwise<'_> {
    type Output = [f32; COLUMNS];
    #[inline(always)]
    fn run<A: Arithmetic>(self) -> [f32; COLUMNS] {
        if self.half {
            down::<A, { COLUMNS / 2 }>(self.scores)
        } else {
            down::<A, COLUMNS>(self.scores)
        }
    }
}

/// Of the first `C` columns; the others stay as they were.
#[inline(always)]
fn down<A: Arithmetic, const C: usize>(scores: &mut [Step]) -> [f32; COLUMNS] {
    let mut most = [f32::NEG_INFINITY; C];
    for step in scores.iter() {
        for column in 0..C {
            most[column] = larger(f32::from_bits(step.0[column]), most[column]);
        }
    }
    let mut sums = [0.0; C];
    for step in scores.iter_mut() {
        for column in 0..C {
            let value = exp::<A>(f32::from_bits(step.0[column]) - most[column]);
            sums[column] += value;
            step.0[column] = value.to_bits();
        }
    }
    let mut inverse = [0.0; COLUMNS];
    for column in 0..C {
        inverse[column] = 1.0 / sums[column];
    }
    inverse
}
