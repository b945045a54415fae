//! A few threads that wait for work: spawning one costs tens of microseconds, as much as a small product.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crate::affinity::Processors;

/// Rounds a thread spins before it sleeps: about 20 µs, more than lies between two operations of a forward pass.
const SPINS: u32 = 1 << 10;

/// What [`Pool::run`] calls: (worker, task).
type Task<'a> = dyn Fn(usize, usize) + Sync + 'a;

/// A task whose lifetime was taken away, and how often it is to be called.
#[derive(Clone, Copy)]
struct Job {
    task: *const Task<'static>,
    tasks: usize,
}

// SAFETY: the pointer is to a `Sync` closure, so that other threads may call it; that it is still there when they do is
// promised by `Pool::run`, which withdraws the job and waits for everybody who joined before it returns.
unsafe impl Send for Job {}

#[derive(Default)]
struct State {
    job: Option<Job>,
    /// Workers inside the current job.
    active: usize,
    /// A task panicked.
    failed: bool,
    stop: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    idle: Condvar,
    /// Counts jobs, so that a spinning worker sees a new one without the lock.
    epoch: AtomicU64,
    /// The next task of the current job.
    next: AtomicUsize,
}

impl Shared {
    /// A poisoned lock holds nothing half-done here: every change is a single store.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes tasks until there are none; says whether one panicked.
    fn drain(&self, worker: usize, tasks: usize, task: &Task<'_>) -> bool {
        let done = catch_unwind(AssertUnwindSafe(|| {
            loop {
                let index = self.next.fetch_add(1, Ordering::Relaxed);
                if index >= tasks {
                    break;
                }
                task(worker, index);
            }
        }));
        match done {
            Ok(()) => false,
            Err(payload) => {
                // Not dropped: a payload may panic again when it is, and then nobody would be waited for.
                std::mem::forget(payload);
                true
            }
        }
    }

    fn work(&self, worker: usize) {
        let mut seen = 0;
        loop {
            let mut spins = 0;
            while self.epoch.load(Ordering::Acquire) == seen && spins < SPINS {
                std::hint::spin_loop();
                spins += 1;
            }
            let mut state = self.lock();
            while self.epoch.load(Ordering::Acquire) == seen && !state.stop {
                state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if state.stop {
                return;
            }
            seen = self.epoch.load(Ordering::Acquire);
            // Too late for it: the others have done all of it.
            let Some(job) = state.job else { continue };
            state.active += 1;
            drop(state);
            // SAFETY: `active` was raised under the lock while the job was there, and `Pool::run` does not return (and
            // so does not let the closure go) before `active` is zero again.
            let task = unsafe { &*job.task };
            let failed = self.drain(worker, job.tasks, task);
            let mut state = self.lock();
            state.active -= 1;
            state.failed |= failed;
            if state.active == 0 {
                self.idle.notify_one();
            }
        }
    }
}

/// `threads - 1` waiting threads; whoever calls is the last one.
pub(crate) struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

impl Pool {
    /// Starts the threads, each on one of `processors` if there are any; the first is for who calls.
    ///
    /// # Errors
    /// What the operating system says when it gives no more threads, or does not let them stay.
    pub(crate) fn new(threads: usize, processors: Option<&Arc<Processors>>) -> std::io::Result<Self> {
        let mut pool = Self {
            shared: Arc::default(),
            workers: Vec::new(),
        };
        let (tell, told) = mpsc::channel();
        for worker in 1..threads {
            let (shared, tell, processors) = (Arc::clone(&pool.shared), tell.clone(), processors.cloned());
            let builder = std::thread::Builder::new().name(format!("kernels-{worker}"));
            pool.workers.push(builder.spawn(move || {
                let kept = processors.map_or(Ok(()), |processors| processors.keep(worker));
                // Nobody listens where an earlier thread could not be started.
                let _ = tell.send(kept);
                drop(tell);
                shared.work(worker);
            })?);
        }
        drop(tell);
        told.iter().collect::<std::io::Result<()>>()?;
        Ok(pool)
    }

    /// Threads, the caller's included.
    pub(crate) const fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `task(worker, index)` once for each index below `tasks`, on any worker, and returns when all are done. A
    /// worker (below [`Pool::threads`]) does one task at a time. `&mut self`: one job at a time.
    ///
    /// # Panics
    /// When a task does.
    pub(crate) fn run<F: Fn(usize, usize) + Sync>(&mut self, tasks: usize, task: F) {
        if tasks <= 1 || self.workers.is_empty() {
            for index in 0..tasks {
                task(0, index);
            }
            return;
        }
        let task: &Task<'_> = &task;
        // SAFETY: only the lifetime changes. Workers use the reference between raising and lowering `active`, and below
        // the job is withdrawn and `active` awaited before `task` ends; nothing in between can unwind.
        let task: &Task<'static> = unsafe { std::mem::transmute::<&Task<'_>, &Task<'static>>(task) };
        {
            let mut state = self.shared.lock();
            state.job = Some(Job { task, tasks });
            self.shared.next.store(0, Ordering::Relaxed);
            self.shared.epoch.fetch_add(1, Ordering::Release);
        }
        self.shared.wake.notify_all();
        let own = self.shared.drain(0, tasks, task);
        let mut state = self.shared.lock();
        state.job = None;
        let mut spins = 0;
        while state.active > 0 {
            if spins < SPINS {
                drop(state);
                std::hint::spin_loop();
                spins += 1;
                state = self.shared.lock();
            } else {
                state = self
                    .shared
                    .idle
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
        }
        let failed = std::mem::take(&mut state.failed) || own;
        drop(state);
        assert!(!failed, "a kernel's task panicked");
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.wake.notify_all();
        // Wakes those that spin on the epoch; they see `stop` under the lock.
        self.shared.epoch.fetch_add(1, Ordering::Release);
        for worker in self.workers.drain(..) {
            // A worker catches its tasks' panics, so that there is nothing to learn from the result.
            let _ = worker.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_is_done_once_by_a_worker_of_the_pool() -> std::io::Result<()> {
        for threads in [1, 2, 3, 7] {
            let mut pool = Pool::new(threads, None)?;
            for tasks in [0, 1, 2, 5, 100, 1000] {
                let done: Vec<AtomicUsize> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
                pool.run(tasks, |worker, index| {
                    assert!(worker < threads);
                    done[index].fetch_add(1, Ordering::Relaxed);
                });
                assert!(done.iter().all(|count| count.load(Ordering::Relaxed) == 1));
            }
        }
        Ok(())
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_lives_on() -> std::io::Result<()> {
        let mut pool = Pool::new(3, None)?;
        for bad in [0, 7] {
            let caught = catch_unwind(AssertUnwindSafe(|| {
                pool.run(8, |_, index| assert_ne!(index, bad));
            }));
            assert!(caught.is_err());
            let sum = AtomicUsize::new(0);
            pool.run(8, |_, index| {
                sum.fetch_add(index, Ordering::Relaxed);
            });
            assert_eq!(sum.into_inner(), 28);
        }
        Ok(())
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn pinned_workers_have_one_processor_each() -> std::io::Result<()> {
        let processors = Arc::new(Processors::allowed()?);
        let mut pool = Pool::new(3, Some(&processors))?;
        let pinned = AtomicUsize::new(0);
        // One task for each worker: none ends before all have begun.
        let all = std::sync::Barrier::new(3);
        pool.run(3, |worker, _| {
            all.wait();
            let own = Processors::allowed().map_or(0, |own| own.count());
            pinned.fetch_add(usize::from(worker > 0 && own == 1), Ordering::Relaxed);
        });
        assert_eq!(pinned.into_inner(), 2);
        Ok(())
    }

    #[test]
    fn sleeping_workers_wake() -> std::io::Result<()> {
        let mut pool = Pool::new(2, None)?;
        for _ in 0..3 {
            std::thread::sleep(std::time::Duration::from_millis(3));
            let seen = AtomicUsize::new(0);
            pool.run(64, |_, _| {
                seen.fetch_add(1, Ordering::Relaxed);
            });
            assert_eq!(seen.into_inner(), 64);
        }
        Ok(())
    }
}
