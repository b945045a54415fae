//! One slice, written by several threads, each to its own places.

use std::marker::PhantomData;

/// A mutable slice that threads share because they write to different parts of it.
pub(crate) struct Disjoint<'a, T> {
    start: *mut T,
    length: usize,
    slice: PhantomData<&'a mut [T]>,
}

// SAFETY: it stands for an exclusive borrow whose parts are handed out by `part`, whose callers promise that no two
// threads hold the same element at once; sending the parts needs `T: Send`.
unsafe impl<T: Send> Sync for Disjoint<'_, T> {}

impl<'a, T> Disjoint<'a, T> {
    pub(crate) fn new(slice: &'a mut [T]) -> Self {
        Self {
            start: slice.as_mut_ptr(),
            length: slice.len(),
            slice: PhantomData,
        }
    }

    /// `length` elements from `start`.
    ///
    /// # Panics
    /// When they are not all in the slice.
    ///
    /// # Safety
    /// While the part lives, no other part that overlaps it may.
    #[expect(
        clippy::mut_from_ref,
        reason = "handing out disjoint parts is what this is for; the caller promises it"
    )]
    pub(crate) unsafe fn part(&self, start: usize, length: usize) -> &mut [T] {
        assert!(start <= self.length && length <= self.length - start);
        // SAFETY: `start` is within the slice.
        let first = unsafe { self.start.add(start) };
        // SAFETY: the range is within the slice, which is borrowed exclusively for `'a`, and the caller promises that
        // nobody else holds any of it.
        unsafe { std::slice::from_raw_parts_mut(first, length) }
    }
}
