//! Scaled dot-product attention (Vaswani et al. 2017, arXiv:1706.03762) over sequences of different lengths, side by side
//! without padding.
//!
//! Columns of the tiles are queries, 32 at once: scores are `K Qᵀ`, a row for each key, so that the softmax runs down the
//! columns without shuffling, and the result is `Vᵀ P`, for which a key's values and probabilities lie as the tile wants
//! them. All keys' scores of 32 queries are kept (`128 B × keys`), and so there is no running maximum to rescale by.

use std::sync::PoisonError;

use crate::area::Area;
use crate::disjoint::Disjoint;
use crate::executor::Executor;
use crate::inputs::grow;
use crate::kernel::{Arithmetic, Isa, Op};
use crate::precision::Precision;
use crate::softmax::Columnwise;
use crate::step::{COLUMNS, Step};
use crate::tile;

/// Queries, keys and values where they lie: head `h` of token `t` is `[t × pitch + h × width..][..width]` of each.
#[derive(Clone, Copy, Debug)]
pub struct Qkv<'a> {
    q: &'a [f32],
    k: &'a [f32],
    v: &'a [f32],
    pitch: usize,
}

impl<'a> Qkv<'a> {
    /// Three matrices whose rows start `pitch` values apart.
    #[must_use]
    pub const fn new(q: &'a [f32], k: &'a [f32], v: &'a [f32], pitch: usize) -> Self {
        Self { q, k, v, pitch }
    }

    /// The result of one product: in each row the queries of all heads, then their keys, then their values.
    ///
    /// # Panics
    /// When there are no whole rows of `3 × width`.
    #[must_use]
    pub fn fused(qkv: &'a [f32], width: usize) -> Self {
        assert!(
            width > 0 && qkv.len().is_multiple_of(3 * width),
            "rows of q, k and v"
        );
        let part = |index: usize| qkv.get(index * width..).unwrap_or_default();
        Self::new(part(0), part(1), part(2), 3 * width)
    }
}

/// The heads that share a token's vector evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// How many.
    pub count: usize,
    /// Values of a query, a key or a value of one head.
    pub width: usize,
}

/// One head of one sequence.
#[derive(Clone, Copy)]
struct Head<'a> {
    qkv: Qkv<'a>,
    /// First token.
    start: usize,
    /// Tokens.
    length: usize,
    /// First value in a token.
    offset: usize,
    width: usize,
}

impl Head<'_> {
    #[inline(always)]
    fn row<'a>(&self, matrix: &'a [f32], token: usize) -> &'a [f32] {
        &matrix[(self.start + token) * self.qkv.pitch + self.offset..][..self.width]
    }
}

impl Executor {
    /// `softmax(q kᵀ / √width) v` for each head within each of the sequences, whose lengths add up to the tokens of
    /// `out`. A sequence's result does not depend on its neighbours: the same bits alone and in any batch. NaN and +∞ in
    /// a query or key make the result of the query (of all queries for a key) NaN; in values, they stay in the head.
    ///
    /// # Panics
    /// When the lengths do not add up, or a matrix is too short.
    pub fn attention(&mut self, qkv: Qkv<'_>, heads: Heads, lengths: &[usize], out: &mut [f32]) {
        let Heads { count, width } = heads;
        let starts = &mut self.shared.starts;
        starts.clear();
        let mut tokens = 0;
        for length in lengths {
            starts.push(tokens);
            tokens += length;
        }
        let hidden = count * width;
        assert!(hidden > 0, "heads of some width");
        assert_eq!(out.len(), tokens * hidden, "a result for each token");
        let needed = if tokens == 0 {
            0
        } else {
            (tokens - 1) * qkv.pitch + hidden
        };
        let shortest = qkv.q.len().min(qkv.k.len()).min(qkv.v.len());
        assert!(
            qkv.pitch >= hidden && shortest >= needed,
            "q, k and v for each token"
        );
        let (isa, areas, starts) = (self.isa, &self.areas, &self.shared.starts);
        let out = Disjoint::new(out);
        self.pool.run(lengths.len() * count, |worker, task| {
            let (sequence, head) = (task / count, task % count);
            let head = Head {
                qkv,
                start: starts[sequence],
                length: lengths[sequence],
                offset: head * width,
                width,
            };
            let mut area = areas[worker].lock().unwrap_or_else(PoisonError::into_inner);
            // SAFETY: tasks have different heads or sequences, and a task writes to its own only.
            unsafe { attend(isa, head, &mut area, &out, hidden) };
        });
    }
}

/// # Safety
/// While it runs, nobody else may touch this head's columns of its sequence's rows of `out`.
unsafe fn attend(isa: Isa, head: Head<'_>, area: &mut Area, out: &Disjoint<'_, f32>, hidden: usize) {
    let (length, width) = (head.length, head.width);
    let most = tile::rows(isa, Precision::F32);
    grow(&mut area.keys, length * width);
    grow(&mut area.values, length * width);
    grow(&mut area.queries, width);
    grow(&mut area.result, width);
    grow(&mut area.scores, length);
    let (keys, values) = (
        &mut area.keys[..length * width],
        &mut area.values[..length * width],
    );
    let (queries, result) = (&mut area.queries[..width], &mut area.result[..width]);
    let scores = &mut area.scores[..length];
    isa.run(Gather {
        head,
        most,
        keys,
        values,
    });
    for first in (0..length).step_by(COLUMNS) {
        let count = COLUMNS.min(length - first);
        isa.run(Queries {
            head,
            first,
            count,
            steps: queries,
        });
        for rows in tile::cut(length, most) {
            let keys = &keys[rows.start * width..];
            tile::multiply(isa, Precision::F32, rows.len(), keys, queries, &mut scores[rows]);
        }
        let inverse = isa.run(Columnwise { scores });
        for rows in tile::cut(width, most) {
            let values = &values[rows.start * length..];
            tile::multiply(isa, Precision::F32, rows.len(), values, scores, &mut result[rows]);
        }
        for (query, inverse) in inverse.iter().enumerate().take(count) {
            let place = (head.start + first + query) * hidden + head.offset;
            // SAFETY: this head's columns of one row of its sequence, which the caller promises nobody else touches.
            let out = unsafe { out.part(place, width) };
            for (out, step) in out.iter_mut().zip(&*result) {
                *out = f32::from_bits(step.0[query]) * inverse;
            }
        }
    }
}

/// Interleaves keys (all keys of a tile together) and values (all dimensions of a tile together).
struct Gather<'a> {
    head: Head<'a>,
    most: usize,
    keys: &'a mut [u32],
    values: &'a mut [u32],
}

impl Op for Gather<'_> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Self {
            head,
            most,
            keys,
            values,
        } = self;
        for rows in tile::cut(head.length, most) {
            let words = &mut keys[rows.start * head.width..rows.end * head.width];
            for (index, key) in rows.clone().enumerate() {
                let row = head.row(head.qkv.k, key);
                for (word, value) in words[index..].iter_mut().step_by(rows.len()).zip(row) {
                    *word = value.to_bits();
                }
            }
        }
        for dimensions in tile::cut(head.width, most) {
            let words = &mut values[dimensions.start * head.length..dimensions.end * head.length];
            for (key, words) in words.chunks_exact_mut(dimensions.len()).enumerate() {
                let row = &head.row(head.qkv.v, key)[dimensions.clone()];
                for (word, value) in words.iter_mut().zip(row) {
                    *word = value.to_bits();
                }
            }
        }
    }
}

/// Up to 32 queries side by side, scaled by 1/√width; unused columns are zero.
struct Queries<'a> {
    head: Head<'a>,
    first: usize,
    count: usize,
    steps: &'a mut [Step],
}

impl Op for Queries<'_> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        #[expect(clippy::cast_precision_loss, reason = "heads are far narrower than 2²⁴")]
        let scale = 1.0 / (self.head.width as f32).sqrt();
        if self.count < COLUMNS {
            self.steps.fill(Step::ZERO);
        }
        for query in 0..self.count {
            let row = self.head.row(self.head.qkv.q, self.first + query);
            for (step, value) in self.steps.iter_mut().zip(row) {
                step.0[query] = (value * scale).to_bits();
            }
        }
    }
}
