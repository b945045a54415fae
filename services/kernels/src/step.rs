//! The unit in which matrices are packed.

/// Columns of a panel: two AVX-512 registers or four of AVX2.
pub(crate) const COLUMNS: usize = 32;

/// One step along `k` of one panel: a 32-bit word for each column, holding one f32, two bf16 or four int8 in the order
/// of `k`, the first in the lowest bits. Cache-line aligned, because a 64-byte load across two lines costs two.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Step(pub(crate) [u32; COLUMNS]);

impl Step {
    pub(crate) const ZERO: Self = Self([0; COLUMNS]);
}

impl Default for Step {
    fn default() -> Self {
        Self::ZERO
    }
}

/// The bits of f32 values where they lie.
pub(crate) const fn bits(values: &[f32]) -> &[u32] {
    // SAFETY: an f32 has the size and alignment of a u32, for which any bits are valid, and the borrow is the same.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), values.len()) }
}
