//! Threads that stay on one processor each (`sched_setaffinity(2)`).

use std::io;

/// The processors that threads are kept on, each thread on the next.
#[derive(Debug)]
pub(crate) struct Processors(Vec<usize>);

#[cfg(target_os = "linux")]
mod linux {
    use std::io;

    use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
    use nix::unistd::Pid;

    use super::Processors;

    /// In the calls: the calling thread.
    const SELF: Pid = Pid::from_raw(0);

    impl Processors {
        pub(super) fn of_caller() -> io::Result<Self> {
            let allowed = sched_getaffinity(SELF)?;
            let is_allowed = |&processor: &usize| allowed.is_set(processor).unwrap_or(false);
            Ok(Self((0..CpuSet::count()).filter(is_allowed).collect()))
        }
    }

    pub(super) fn keep_on(processor: usize) -> io::Result<()> {
        let mut only = CpuSet::new();
        only.set(processor)?;
        Ok(sched_setaffinity(SELF, &only)?)
    }
}

impl Processors {
    /// Those that the calling thread may use.
    ///
    /// # Errors
    /// What the operating system says; [`io::ErrorKind::Unsupported`] on others than Linux.
    pub(crate) fn allowed() -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        return Self::of_caller();
        #[cfg(not(target_os = "linux"))]
        Err(io::ErrorKind::Unsupported.into())
    }

    /// How many there are.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Keeps the calling thread, which is the `nth`, on its processor. With more threads than processors they share.
    ///
    /// # Errors
    /// What the operating system says, as when the process may no longer use that processor.
    pub(crate) fn keep(&self, nth: usize) -> io::Result<()> {
        let Some(&processor) = self.0.get(nth % self.0.len().max(1)) else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        #[cfg(target_os = "linux")]
        return linux::keep_on(processor);
        #[cfg(not(target_os = "linux"))]
        {
            let _ = processor;
            Err(io::ErrorKind::Unsupported.into())
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn threads_stay_on_processors_in_turn() -> io::Result<()> {
        let all = Processors::allowed()?;
        assert!(!all.0.is_empty());
        for nth in 0..2 * all.0.len() {
            // A thread of its own, so that the test's own may go on anywhere.
            let own = std::thread::scope(|scope| {
                let kept = scope.spawn(|| all.keep(nth).and_then(|()| Processors::allowed()));
                kept.join().expect("no panic")
            })?;
            assert_eq!(own.0, [all.0[nth % all.0.len()]]);
        }
        Ok(())
    }
}
