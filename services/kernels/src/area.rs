//! A thread's own memory.

use crate::inputs::Inputs;
use crate::memory::Memory;
use crate::step::Step;

/// Grown when needed, kept for the next call.
#[derive(Debug, Default)]
pub(crate) struct Area {
    /// Rows on their way into a product.
    pub(crate) inputs: Inputs,
    /// A panel whose int8 weights were widened for the tile.
    pub(crate) panel: Vec<Step>,
    /// Between the two products of a feed-forward layer.
    pub(crate) middle: Memory,
    /// Small sums.
    pub(crate) most: Vec<f32>,
    pub(crate) spare: Vec<f32>,
    /// Attention: keys of a head, interleaved for the tiles.
    pub(crate) keys: Vec<u32>,
    /// Attention: 32 queries, a step for each of their dimensions; the same of the result.
    pub(crate) queries: Vec<Step>,
    pub(crate) result: Vec<Step>,
    /// Attention: a step for each key.
    pub(crate) scores: Vec<Step>,
    /// Where each sequence starts.
    pub(crate) starts: Vec<usize>,
}
