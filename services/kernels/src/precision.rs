//! What a product computes with.

/// The number format of a packed matrix, which decides the arithmetic of its product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Precision {
    /// Single precision throughout.
    F32,
    /// Weights and inputs rounded to bfloat16 (to nearest, ties to even), sums in f32.
    Bf16,
    /// Weights in int8 with a scale for each output; inputs in unsigned 8 bits with a scale and a zero point for each
    /// row, found when they are multiplied; sums in int32, exact.
    Int8,
}

impl Precision {
    /// Values in one 32-bit word of a packed matrix.
    pub(crate) const fn per_word(self) -> usize {
        match self {
            Self::F32 => 1,
            Self::Bf16 => 2,
            Self::Int8 => 4,
        }
    }

    /// Its name in tables and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        }
    }
}

/// The upper half of an f32, rounded to nearest, ties to even; NaN stays NaN.
#[inline(always)]
pub(crate) const fn to_bf16(value: f32) -> u32 {
    let bits = value.to_bits();
    let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16;
    if value.is_nan() {
        (bits >> 16) | 0x40
    } else {
        rounded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bf16_is_rounded_to_nearest_even() {
        let back = |value: f32| f32::from_bits(to_bf16(value) << 16);
        for (value, want) in [
            (0.0, 0.0),
            (-1.0, -1.0),
            (1.0 + 1.0 / 256.0, 1.0),
            (1.0 + 3.0 / 256.0, 1.0 + 1.0 / 64.0),
            (f32::INFINITY, f32::INFINITY),
            (f32::MAX, f32::INFINITY),
        ] {
            assert_eq!(back(value).to_bits(), f32::to_bits(want), "{value}");
        }
        assert!(back(f32::NAN).is_nan() && back(f32::from_bits(0x7f80_0001)).is_nan());
    }
}
