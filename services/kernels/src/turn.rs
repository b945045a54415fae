//! Rows into columns: how words that lie row by row get side by side for the tiles, and back.

/// Words that are turned at once, in each direction.
pub(crate) const SIDE: usize = 4;

/// A 32-bit word in one of the forms in which rows hold them.
///
/// # Safety
/// The type is four bytes without padding, in which any bits are valid.
pub(crate) unsafe trait Word: Copy {
    /// Its bits.
    fn bits(self) -> u32;
}

// SAFETY: four bytes.
unsafe impl Word for u32 {
    #[inline(always)]
    fn bits(self) -> u32 {
        self
    }
}

// SAFETY: four bytes.
unsafe impl Word for i32 {
    #[inline(always)]
    fn bits(self) -> u32 {
        self.cast_unsigned()
    }
}

// SAFETY: four bytes, and any bits are some f32.
unsafe impl Word for f32 {
    #[inline(always)]
    fn bits(self) -> u32 {
        self.to_bits()
    }
}

// SAFETY: four bytes. The first is in the lowest bits.
unsafe impl Word for [u8; 4] {
    #[inline(always)]
    fn bits(self) -> u32 {
        u32::from_le_bytes(self)
    }
}

/// Where the columns go.
pub(crate) trait Columns {
    /// Takes four words of a column, from rows `row..row + 4`.
    fn put(&mut self, column: usize, row: usize, four: Four);
    /// Takes one word.
    fn put_one(&mut self, column: usize, row: usize, word: u32);
}

/// Gives every word of `rows` rows to `out`; `row` gives each row. All are as long as the first.
///
/// # Panics
/// When a row is shorter than the first.
#[inline(always)]
pub(crate) fn turn<'a, T: Word + 'a>(rows: usize, row: impl Fn(usize) -> &'a [T], out: &mut impl Columns) {
    let mut first = 0;
    while first + SIDE <= rows {
        let (a, b, c, d) = (row(first), row(first + 1), row(first + 2), row(first + 3));
        let columns = a.len();
        let (b, c, d) = (&b[..columns], &c[..columns], &d[..columns]);
        let mut column = 0;
        for (((a, b), c), d) in fours(a).zip(fours(b)).zip(fours(c)).zip(fours(d)) {
            let [a, b, c, d] = square(Four::load(a), Four::load(b), Four::load(c), Four::load(d));
            out.put(column, first, a);
            out.put(column + 1, first, b);
            out.put(column + 2, first, c);
            out.put(column + 3, first, d);
            column += SIDE;
        }
        for column in column..columns {
            out.put_one(column, first, a[column].bits());
            out.put_one(column, first + 1, b[column].bits());
            out.put_one(column, first + 2, c[column].bits());
            out.put_one(column, first + 3, d[column].bits());
        }
        first += SIDE;
    }
    for index in first..rows {
        for (column, word) in row(index).iter().enumerate() {
            out.put_one(column, index, word.bits());
        }
    }
}

#[inline(always)]
fn fours<T>(row: &[T]) -> std::slice::Iter<'_, [T; SIDE]> {
    row.as_chunks::<SIDE>().0.iter()
}

#[cfg(target_arch = "x86_64")]
pub(crate) use sse2::Four;
#[cfg(target_arch = "x86_64")]
use sse2::square;

/// Four loads, eight shuffles and four stores, where the compiler moves word by word. SSE2 is part of every x86-64.
#[cfg(target_arch = "x86_64")]
mod sse2 {
    use std::arch::x86_64::{
        __m128i, _mm_castps_si128, _mm_castsi128_ps, _mm_loadu_si128, _mm_mul_ps, _mm_set1_ps, _mm_storeu_ps,
        _mm_storeu_si128, _mm_unpackhi_epi32, _mm_unpackhi_epi64, _mm_unpacklo_epi32, _mm_unpacklo_epi64,
    };

    use super::{SIDE, Word};

    /// Four words in a register.
    #[derive(Clone, Copy)]
    pub(crate) struct Four(__m128i);

    impl Four {
        #[inline(always)]
        pub(crate) fn load<T: Word>(words: &[T; SIDE]) -> Self {
            // SAFETY: 16 bytes to read, by the promise of `Word`, with an instruction that every x86-64 has.
            Self(unsafe { _mm_loadu_si128(words.as_ptr().cast()) })
        }

        /// Multiplies each, read as an f32.
        #[inline(always)]
        pub(crate) fn times(self, factor: f32) -> Self {
            // SAFETY: every x86-64 has these instructions.
            Self(unsafe { times(self.0, factor) })
        }

        #[inline(always)]
        pub(crate) fn store(self, words: &mut [u32; SIDE]) {
            // SAFETY: 16 bytes to write, with an instruction that every x86-64 has.
            unsafe { _mm_storeu_si128(words.as_mut_ptr().cast(), self.0) };
        }

        /// Writes them as f32.
        #[inline(always)]
        pub(crate) fn store_floats(self, values: &mut [f32; SIDE]) {
            // SAFETY: every x86-64 has this instruction.
            let floats = unsafe { _mm_castsi128_ps(self.0) };
            // SAFETY: 16 bytes to write, with an instruction that every x86-64 has.
            unsafe { _mm_storeu_ps(values.as_mut_ptr(), floats) };
        }
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn times(words: __m128i, factor: f32) -> __m128i {
        _mm_castps_si128(_mm_mul_ps(_mm_castsi128_ps(words), _mm_set1_ps(factor)))
    }

    /// A square, turned over its diagonal.
    #[inline(always)]
    pub(super) fn square(a: Four, b: Four, c: Four, d: Four) -> [Four; SIDE] {
        // SAFETY: every x86-64 has these instructions.
        unsafe { shuffle(a.0, b.0, c.0, d.0) }
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn shuffle(a: __m128i, b: __m128i, c: __m128i, d: __m128i) -> [Four; SIDE] {
        let (low, high) = (_mm_unpacklo_epi32(a, b), _mm_unpackhi_epi32(a, b));
        let (low_after, high_after) = (_mm_unpacklo_epi32(c, d), _mm_unpackhi_epi32(c, d));
        [
            Four(_mm_unpacklo_epi64(low, low_after)),
            Four(_mm_unpackhi_epi64(low, low_after)),
            Four(_mm_unpacklo_epi64(high, high_after)),
            Four(_mm_unpackhi_epi64(high, high_after)),
        ]
    }
}

#[cfg(not(target_arch = "x86_64"))]
pub(crate) use plain::Four;
#[cfg(not(target_arch = "x86_64"))]
use plain::square;

/// The same in plain Rust.
#[cfg(any(test, not(target_arch = "x86_64")))]
mod plain {
    use super::{SIDE, Word};

    #[derive(Clone, Copy)]
    pub(crate) struct Four([u32; SIDE]);

    impl Four {
        #[inline(always)]
        pub(crate) fn load<T: Word>(words: &[T; SIDE]) -> Self {
            Self(words.map(Word::bits))
        }

        #[inline(always)]
        pub(crate) fn times(self, factor: f32) -> Self {
            Self(self.0.map(|word| (f32::from_bits(word) * factor).to_bits()))
        }

        #[inline(always)]
        pub(crate) fn store(self, words: &mut [u32; SIDE]) {
            *words = self.0;
        }

        #[inline(always)]
        pub(crate) fn store_floats(self, values: &mut [f32; SIDE]) {
            *values = self.0.map(f32::from_bits);
        }
    }

    #[inline(always)]
    pub(super) fn square(a: Four, b: Four, c: Four, d: Four) -> [Four; SIDE] {
        [0, 1, 2, 3].map(|column| Four([a.0[column], b.0[column], c.0[column], d.0[column]]))
    }
}

/// Columns one after the other, `pitch` words apart.
pub(crate) struct Words<'a> {
    pub(crate) words: &'a mut [u32],
    pub(crate) pitch: usize,
}

impl Columns for Words<'_> {
    #[inline(always)]
    fn put(&mut self, column: usize, row: usize, four: Four) {
        if let Some(words) = self.words[column * self.pitch + row..].first_chunk_mut() {
            four.store(words);
        }
    }

    #[inline(always)]
    fn put_one(&mut self, column: usize, row: usize, word: u32) {
        self.words[column * self.pitch + row] = word;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_gets_to_its_place() {
        for rows in 0..14 {
            for columns in 0..14 {
                let pitch = columns + 3;
                let source: Vec<u32> = (0..).take(rows * pitch).collect();
                let mut words = vec![u32::MAX; rows * columns];
                let row = |row: usize| &source[row * pitch..][..columns];
                turn(
                    rows,
                    row,
                    &mut Words {
                        words: &mut words,
                        pitch: rows,
                    },
                );
                for row in 0..rows {
                    for column in 0..columns {
                        assert_eq!(words[column * rows + row], source[row * pitch + column]);
                    }
                }
            }
        }
    }

    #[test]
    fn words_keep_their_bits() {
        assert_eq!([1, 2, 3, 4].bits(), 0x0403_0201);
        assert_eq!((-0.0_f32).bits(), 0x8000_0000);
        assert_eq!(7_u32.bits(), 7);
    }

    #[test]
    fn four_words_are_the_same_with_and_without_instructions() {
        let rows = [
            [1.5_f32, -0.0, 3.25, f32::MAX],
            [f32::MIN_POSITIVE; 4],
            [-7.0, 8.0, f32::INFINITY, 0.1],
            [0.0; 4],
        ];
        let [first, second, third, last] = rows.map(|row| Four::load(&row));
        let own = square(first, second, third, last);
        let [first, second, third, last] = rows.map(|row| plain::Four::load(&row));
        let plain = plain::square(first, second, third, last);
        for (own, plain) in own.into_iter().zip(plain) {
            let (mut words, mut plain_words) = ([0; SIDE], [0; SIDE]);
            own.times(0.3).store(&mut words);
            plain.times(0.3).store(&mut plain_words);
            assert_eq!(words, plain_words);
            let (mut values, mut plain_values) = ([0.0; SIDE], [0.0; SIDE]);
            own.times(0.3).store_floats(&mut values);
            plain.times(0.3).store_floats(&mut plain_values);
            assert_eq!(words, values.map(f32::to_bits));
            assert_eq!(words, plain_values.map(f32::to_bits));
        }
    }
}
