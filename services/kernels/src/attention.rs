//! Scaled dot-product attention (Vaswani et al. 2017, arXiv:1706.03762) over sequences of different lengths, side by side
//! without padding.
//!
//! Columns of the tiles are queries, 32 at once: scores are `K Qᵀ`, a row for each key, so that the softmax runs down the
//! columns without shuffling, and the result is `Vᵀ P`, for which a key's values and probabilities lie as the tile wants
//! them, so that only keys and queries are turned. All keys' scores of 32 queries are kept (`128 B × keys`), and so there is no running maximum to rescale by.

use std::sync::PoisonError;

use crate::area::Area;
use crate::disjoint::Disjoint;
use crate::executor::Executor;
use crate::inputs::grow;
use crate::kernel::{Arithmetic, Isa, Op};
use crate::precision::Precision;
use crate::softmax::Columnwise;
use crate::step::{self, COLUMNS, Step};
use crate::tile::{self, Left};
use crate::turn::{Columns, Four, SIDE, Words, turn};

/// Queries, keys and values where they lie: head `h` of token `t` is `[t × pitch + h × step..][..width]` of each.
#[derive(Clone, Copy, Debug)]
pub struct Qkv<'a> {
    q: &'a [f32],
    k: &'a [f32],
    v: &'a [f32],
    pitch: usize,
    /// From head to head; as much as a head is wide where there is nothing here.
    step: Option<usize>,
}

impl<'a> Qkv<'a> {
    /// Three matrices whose rows start `pitch` values apart.
    #[must_use]
    pub const fn new(q: &'a [f32], k: &'a [f32], v: &'a [f32], pitch: usize) -> Self {
        let step = None;
        Self { q, k, v, pitch, step }
    }

    /// The result of [`Executor::project`] where heads lie apart: all tokens' queries of a head, then those of the next;
    /// then the keys, and the values.
    pub(crate) fn by_head(qkv: &'a [f32], heads: Heads) -> Self {
        let (third, pitch) = (qkv.len() / 3, heads.width);
        let part = |index: usize| &qkv[index * third..(index + 1) * third];
        let step = Some(third / heads.count.max(1));
        Self {
            q: part(0),
            k: part(1),
            v: part(2),
            pitch,
            step,
        }
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

impl Heads {
    /// Values of a token over all heads.
    ///
    /// # Panics
    /// When they are more than there are addresses.
    pub(crate) const fn hidden(self) -> usize {
        exact(self.count.checked_mul(self.width))
    }
}

/// # Panics
/// When the arithmetic wrapped: nothing so large is in memory.
pub(crate) const fn exact(index: Option<usize>) -> usize {
    index.expect("shapes of what is in memory")
}

/// One head of one sequence.
#[derive(Clone, Copy)]
struct Head<'a> {
    qkv: Qkv<'a>,
    /// First token.
    start: usize,
    /// Tokens.
    length: usize,
    /// First value of the first token.
    offset: usize,
    /// First column of the result.
    column: usize,
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
            tokens = exact(tokens.checked_add(*length));
        }
        // Exact, because tasks have different places only where no index wraps.
        let hidden = heads.hidden();
        assert!(hidden > 0, "heads of some width");
        assert_eq!(
            out.len(),
            exact(tokens.checked_mul(hidden)),
            "a result for each token"
        );
        let step = qkv.step.unwrap_or(width);
        let needed = if tokens == 0 {
            0
        } else {
            let (rows, columns) = ((tokens - 1).checked_mul(qkv.pitch), (count - 1).checked_mul(step));
            let first = rows
                .zip(columns)
                .and_then(|(row, column)| row.checked_add(column));
            exact(first.and_then(|first| first.checked_add(width)))
        };
        let shortest = qkv.q.len().min(qkv.k.len()).min(qkv.v.len());
        assert!(
            qkv.pitch >= width && shortest >= needed,
            "q, k and v for each token"
        );
        let (isa, areas, starts) = (self.isa, &self.areas, &self.shared.starts);
        let out = Disjoint::new(out);
        self.pool
            .run(exact(lengths.len().checked_mul(count)), |worker, task| {
                let (sequence, head) = (task / count, task % count);
                let head = Head {
                    qkv,
                    start: starts[sequence],
                    length: lengths[sequence],
                    offset: head * step,
                    column: head * width,
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
    if length == 0 {
        return;
    }
    let most = tile::rows(isa, Precision::F32);
    grow(&mut area.keys, length * width);
    grow(&mut area.queries, width);
    grow(&mut area.result, width);
    grow(&mut area.scores, length);
    let keys = &mut area.keys[..length * width];
    let values = &step::bits(head.qkv.v)[head.start * head.qkv.pitch + head.offset..];
    let (queries, result) = (&mut area.queries[..width], &mut area.result[..width]);
    let scores = &mut area.scores[..length];
    isa.run(Gather {
        head,
        most,
        words: keys,
    });
    for first in (0..length).step_by(COLUMNS) {
        let count = COLUMNS.min(length - first);
        // Half of the columns, if no more are needed: a text of 33 to 48 tokens, or of 1 to 16.
        let half = count <= COLUMNS / 2;
        let multiply = |left: Left<'_>, right: &[Step], out: &mut [Step]| {
            if half {
                tile::multiply_half(isa, left, right, out);
            } else {
                tile::multiply(isa, Precision::F32, left, right, out);
            }
        };
        isa.run(Queries {
            head,
            first,
            count,
            steps: queries,
        });
        for rows in tile::cut(length, most) {
            let left = Left {
                words: &keys[rows.start * width..rows.end * width],
                pitch: rows.len(),
            };
            multiply(left, queries, &mut scores[rows]);
        }
        let inverse = isa.run(Columnwise { scores, half });
        for rows in tile::cut(width, most) {
            let left = Left {
                words: &values[rows.start..],
                pitch: head.qkv.pitch,
            };
            multiply(left, scores, &mut result[rows]);
        }
        isa.run(Results {
            head,
            first,
            count,
            inverse,
            steps: result,
            out,
            hidden,
        });
    }
}

/// Interleaves the keys, all of a tile together.
struct Gather<'a> {
    head: Head<'a>,
    most: usize,
    words: &'a mut [u32],
}

impl Op for Gather<'_> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Self {
            head,
            most,
            words: keys,
        } = self;
        for rows in tile::cut(head.length, most) {
            let words = &mut keys[rows.start * head.width..rows.end * head.width];
            turn(
                rows.len(),
                |row| head.row(head.qkv.k, rows.start + row),
                &mut Words {
                    words,
                    pitch: rows.len(),
                },
            );
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
        turn(
            self.count,
            |query| self.head.row(self.head.qkv.q, self.first + query),
            &mut Scaled {
                steps: self.steps,
                scale,
            },
        );
    }
}

/// Steps whose columns are multiplied on their way in.
struct Scaled<'a> {
    steps: &'a mut [Step],
    scale: f32,
}

impl Columns for Scaled<'_> {
    #[inline(always)]
    fn put(&mut self, dimension: usize, query: usize, four: Four) {
        if let Some(words) = self.steps[dimension].0[query..].first_chunk_mut() {
            four.times(self.scale).store(words);
        }
    }

    #[inline(always)]
    fn put_one(&mut self, dimension: usize, query: usize, word: u32) {
        self.steps[dimension].0[query] = (f32::from_bits(word) * self.scale).to_bits();
    }
}

/// The result of up to 32 queries, divided by the sum of their weights, to its place. Made by [`attend`] only, whose
/// caller's promise it relies on.
struct Results<'a> {
    head: Head<'a>,
    first: usize,
    count: usize,
    inverse: [f32; COLUMNS],
    steps: &'a [Step],
    out: &'a Disjoint<'a, f32>,
    hidden: usize,
}

impl Op for Results<'_> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let start = (self.head.start + self.first) * self.hidden + self.head.column;
        turn(
            self.steps.len(),
            |dimension| &self.steps[dimension].0[..self.count],
            &mut Divided {
                inverse: &self.inverse,
                out: self.out,
                start,
                pitch: self.hidden,
            },
        );
    }
}

/// Rows of the result whose values are divided on their way. Made by [`Results`] only.
struct Divided<'a> {
    inverse: &'a [f32; COLUMNS],
    out: &'a Disjoint<'a, f32>,
    /// First value of the first query.
    start: usize,
    /// From query to query.
    pitch: usize,
}

impl Columns for Divided<'_> {
    #[inline(always)]
    fn put(&mut self, query: usize, dimension: usize, four: Four) {
        // SAFETY: this head's columns of one row of its sequence, which `attend`'s caller promises nobody else touches;
        // they are let go before the next ones.
        let out = unsafe { self.out.part(self.start + query * self.pitch + dimension, SIDE) };
        if let Some(out) = out.first_chunk_mut() {
            four.times(self.inverse[query]).store_floats(out);
        }
    }

    #[inline(always)]
    fn put_one(&mut self, query: usize, dimension: usize, word: u32) {
        // SAFETY: as above.
        let out = unsafe { self.out.part(self.start + query * self.pitch + dimension, 1) };
        out[0] = f32::from_bits(word) * self.inverse[query];
    }
}
