//! Values from call to call.

/// A cache line.
const LINE: usize = 64;

/// Memory for values that starts where a cache line does: a row of a result that lies across two lines costs two stores,
/// which is a third of a product's time. It grows to what the largest call needs and never shrinks.
#[derive(Debug, Default)]
pub struct Memory(Vec<f32>);

impl Memory {
    /// The first `length` values, whatever was in them.
    pub fn take(&mut self, length: usize) -> &mut [f32] {
        let whole = length + LINE / size_of::<f32>();
        if self.0.len() < whole {
            self.0.resize(whole, 0.0);
        }
        // Where the allocation starts within a line; the whole of `usize` only where nothing can be said.
        let start = self.0.as_ptr().align_offset(LINE).min(whole - length);
        &mut self.0[start..start + length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_starts_a_line_and_keeps_what_is_in_it_while_it_need_not_grow() {
        let mut memory = Memory::default();
        for length in [0, 1, 1000, 17, 1000] {
            let values = memory.take(length);
            assert_eq!((values.len(), values.as_ptr().align_offset(LINE)), (length, 0));
        }
        memory.take(1000)[999] = 7.0;
        assert!(memory.take(1000)[999].to_bits() == 7.0_f32.to_bits());
    }
}
