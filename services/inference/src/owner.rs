//! The one owner of a runner: a thread that takes work from a bounded queue and fills each batch with whatever waits, up
//! to a number of word pieces. Sequences lie side by side, so that a batch costs what its word pieces cost, whatever
//! their lengths; and a request of hundreds of texts lets others in between two batches (continuous batching, as in Yu
//! et al. 2022, "Orca", OSDI, section 3.1, at the grain of sequences).

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use kernels::ExecutorError;

use crate::lane::{Lane, Refusal, Urgency};
use crate::runner::Runner;

/// Share of the queue that is kept for [`Lane::Stat`], in percent: the reserve for bursts.
const RESERVE: usize = 20;
/// Share of a batch, in quarters, that new notes may take while explanations wait, so that these go on under any load.
const NEW_QUARTERS: usize = 3;
/// Weight of the speed of a full batch against what was measured before: about the last ten count.
const NEWEST: f64 = 0.1;

/// How much may wait.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Limits {
    /// Word pieces in a batch (a single longer input is a batch of its own).
    pub(crate) batch_tokens: usize,
    /// Time that a full queue may take: with the measured speed, the word pieces that may wait.
    pub(crate) longest_wait: Duration,
    /// Word pieces a second before anything was measured.
    pub(crate) speed: f64,
}

/// What the queue holds and does, for figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Word pieces that wait, by lane.
    pub waiting: [usize; 3],
    /// Word pieces that may wait.
    pub capacity: usize,
    /// Measured word pieces a second.
    pub tokens_per_s: f64,
    /// Batches so far.
    pub batches: u64,
    /// Requests that were refused, the queue being full.
    pub refused: u64,
    /// Requests whose deadline passed.
    pub late: u64,
}

type Answer = Result<Vec<f32>, Refusal>;

/// A request on its way.
struct Work {
    ids: Vec<u32>,
    lengths: Vec<usize>,
    /// Sequences and word pieces that were taken into batches.
    taken: (usize, usize),
    logits: Vec<f32>,
    deadline: Option<Instant>,
    reply: Sender<Answer>,
}

impl Work {
    fn waiting(&self) -> usize {
        self.ids.len() - self.taken.1
    }

    fn next_length(&self) -> Option<usize> {
        self.lengths.get(self.taken.0).copied()
    }

    fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}

struct State {
    lanes: [VecDeque<Work>; 3],
    waiting: [usize; 3],
    speed: f64,
    batches: u64,
    refused: u64,
    late: u64,
    stop: bool,
}

struct Shared {
    state: Mutex<State>,
    work: Condvar,
    room: Condvar,
    limits: Limits,
    vocabulary: usize,
    positions: usize,
}

impl Shared {
    /// A poisoned lock holds nothing half-done: counters are changed together with the queues they count.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive, and a cast of a float saturates"
    )]
    fn capacity(&self, state: &State) -> usize {
        let tokens = state.speed * self.limits.longest_wait.as_secs_f64();
        (tokens as usize).max(self.limits.batch_tokens)
    }

    /// Whether a request of this lane may wait now. An empty queue takes any request, however large. Explanations do not
    /// count against new notes, which go before them.
    fn has_room(&self, state: &State, lane: Lane, tokens: usize) -> bool {
        let waiting: usize = match lane {
            Lane::Stat | Lane::Routine => {
                state.waiting[Lane::Stat as usize] + state.waiting[Lane::Routine as usize]
            }
            Lane::Explain => state.waiting.iter().sum(),
        };
        let capacity = self.capacity(state);
        let most = match lane {
            Lane::Stat => capacity,
            Lane::Routine | Lane::Explain => capacity - capacity * RESERVE / 100,
        };
        waiting == 0 || waiting.saturating_add(tokens) <= most
    }
}

/// The owner's handle; when it is dropped, the thread finishes its batch and stops.
pub(crate) struct Owner {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Owner {
    /// Starts the thread.
    pub(crate) fn start(runner: Runner, limits: Limits) -> Result<Self, ExecutorError> {
        let mut owner = Self::idle(runner.limits(), limits);
        let shared = Arc::clone(&owner.shared);
        let (tell, told) = channel();
        let thread = std::thread::Builder::new()
            .name("engine".into())
            .spawn(move || {
                let settled = runner.settle();
                let is_settled = settled.is_ok();
                // Nobody listens only if the thread could not be started.
                let _ = tell.send(settled);
                if is_settled {
                    Loop::new(&shared, runner).run();
                }
            })
            .map_err(ExecutorError::Spawn)?;
        owner.thread = Some(thread);
        if let Ok(settled) = told.recv() {
            settled?;
        }
        Ok(owner)
    }

    /// A queue that nobody empties yet.
    fn idle((vocabulary, positions): (usize, usize), limits: Limits) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                lanes: [const { VecDeque::new() }; 3],
                waiting: [0; 3],
                speed: limits.speed.max(1.0),
                batches: 0,
                refused: 0,
                late: 0,
                stop: false,
            }),
            work: Condvar::new(),
            room: Condvar::new(),
            limits,
            vocabulary,
            positions,
        });
        Self { shared, thread: None }
    }

    /// The logits of each input, a row after the other, once it is their turn; each row ends with the input's distance from
    /// the training reports where the model knows them.
    pub(crate) fn logits(&self, inputs: &[Vec<u32>], urgency: Urgency) -> Answer {
        if inputs.is_empty() {
            return Ok(Vec::new());
        }
        self.submit(inputs, urgency)?
            .recv()
            .unwrap_or(Err(Refusal::Stopped))
    }

    fn submit(&self, inputs: &[Vec<u32>], urgency: Urgency) -> Result<Receiver<Answer>, Refusal> {
        let shared = &*self.shared;
        for input in inputs {
            if input.is_empty() {
                return Err(Refusal::Empty);
            }
            if input.len() > shared.positions {
                return Err(Refusal::TooLong(input.len()));
            }
            if input.iter().any(|&id| id as usize >= shared.vocabulary) {
                return Err(Refusal::Vocabulary);
            }
        }
        let (reply, answer) = channel();
        let work = Work {
            ids: inputs.concat(),
            lengths: inputs.iter().map(Vec::len).collect(),
            taken: (0, 0),
            logits: Vec::new(),
            deadline: urgency.deadline,
            reply,
        };
        let tokens = work.waiting();
        let mut state = shared.lock();
        while !shared.has_room(&state, urgency.lane, tokens) {
            if state.stop {
                return Err(Refusal::Stopped);
            }
            if work.is_late() {
                state.late += 1;
                return Err(Refusal::Late);
            }
            if !urgency.patient {
                state.refused += 1;
                return Err(Refusal::Overloaded);
            }
            // Looks again from time to time, for the deadline.
            let (again, _) = shared
                .room
                .wait_timeout(state, Duration::from_millis(50))
                .unwrap_or_else(PoisonError::into_inner);
            state = again;
        }
        if state.stop {
            return Err(Refusal::Stopped);
        }
        let lane = urgency.lane as usize;
        state.waiting[lane] += tokens;
        state.lanes[lane].push_back(work);
        drop(state);
        shared.work.notify_one();
        Ok(answer)
    }

    /// What it holds and does now.
    pub(crate) fn load(&self) -> Load {
        let state = self.shared.lock();
        Load {
            waiting: state.waiting,
            capacity: self.shared.capacity(&state),
            tokens_per_s: state.speed,
            batches: state.batches,
            refused: state.refused,
            late: state.late,
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.work.notify_all();
        self.shared.room.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic in it was answered by dropping the replies: there is nothing more to learn.
            let _ = thread.join();
        }
    }
}

/// The thread's side.
struct Loop<'a> {
    shared: &'a Shared,
    runner: Runner,
    ids: Vec<u32>,
    lengths: Vec<usize>,
    logits: Vec<f32>,
    /// What is in the batch: whose, and how many sequences of it.
    taken: Vec<(usize, Work, usize)>,
}

/// When the loop ends, by a panic too, whoever waits must hear of it.
struct Closing<'a>(&'a Shared);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.stop = true;
        state.waiting = [0; 3];
        // Dropping the works drops their replies, and whoever waits for one gets `Stopped`.
        state.lanes.iter_mut().for_each(VecDeque::clear);
        drop(state);
        self.0.room.notify_all();
    }
}

impl<'a> Loop<'a> {
    fn new(shared: &'a Shared, runner: Runner) -> Self {
        Self {
            shared,
            runner,
            ids: Vec::new(),
            lengths: Vec::new(),
            logits: Vec::new(),
            taken: Vec::new(),
        }
    }

    fn run(mut self) {
        let _closing = Closing(self.shared);
        while self.fill() {
            let start = Instant::now();
            let done = self.runner.logits(&self.ids, &self.lengths, &mut self.logits);
            self.give_back(done.is_ok(), start.elapsed());
        }
    }

    /// Waits for work and takes a batch of it; `false` when it is time to stop.
    fn fill(&mut self) -> bool {
        self.ids.clear();
        self.lengths.clear();
        let mut state = self.shared.lock();
        loop {
            if state.stop {
                return false;
            }
            let most = self.shared.limits.batch_tokens;
            let explaining = !state.lanes[Lane::Explain as usize].is_empty();
            let for_new = if explaining { most * NEW_QUARTERS / 4 } else { most };
            for lane in Lane::ALL {
                let most = if lane == Lane::Explain { most } else { for_new };
                self.take(&mut state, lane as usize, most);
            }
            if !self.lengths.is_empty() {
                return true;
            }
            state = self
                .shared
                .work
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes sequences of a lane, the oldest request first, while they fit.
    fn take(&mut self, state: &mut State, lane: usize, most: usize) {
        while let Some(mut work) = state.lanes[lane].pop_front() {
            if work.is_late() {
                state.waiting[lane] -= work.waiting();
                state.late += 1;
                let _ = work.reply.send(Err(Refusal::Late));
                continue;
            }
            let mut sequences = 0;
            while let Some(length) = work.next_length() {
                if !self.lengths.is_empty() && self.ids.len() + length > most {
                    break;
                }
                let from = work.taken.1;
                self.ids.extend_from_slice(&work.ids[from..from + length]);
                self.lengths.push(length);
                work.taken = (work.taken.0 + 1, from + length);
                state.waiting[lane] -= length;
                sequences += 1;
            }
            if sequences == 0 {
                state.lanes[lane].push_front(work);
                return;
            }
            let more = work.next_length().is_some();
            self.taken.push((lane, work, sequences));
            if more {
                return;
            }
        }
    }

    /// Hands the logits out; a request with sequences left goes back to the head of its lane.
    fn give_back(&mut self, done: bool, took: Duration) {
        let outputs = self.runner.labels();
        let mut rows = self.logits.chunks_exact(outputs);
        let mut state = self.shared.lock();
        state.batches += 1;
        if done && took > Duration::ZERO {
            let (tokens, whole) = (self.ids.len(), self.shared.limits.batch_tokens.max(1));
            #[expect(clippy::cast_precision_loss, reason = "some thousand word pieces")]
            let (speed, share) = (tokens as f64 / took.as_secs_f64(), tokens as f64 / whole as f64);
            state.speed += NEWEST * share.min(1.0) * (speed - state.speed);
        }
        let mut distances = self.runner.distances().iter();
        for (_, work, sequences) in &mut self.taken {
            for row in rows.by_ref().take(*sequences) {
                work.logits.extend_from_slice(row);
                work.logits.extend(distances.next());
            }
        }
        // From the last to the first, so that the order at the head of a lane is kept.
        while let Some((lane, work, _)) = self.taken.pop() {
            if !done {
                // Inputs were checked when they came, so that this cannot happen; nobody may wait for ever if it does.
                state.waiting[lane] -= work.waiting();
                let _ = work.reply.send(Err(Refusal::Vocabulary));
            } else if work.next_length().is_some() {
                state.lanes[lane].push_front(work);
            } else {
                // Whoever asked may have gone: that is no failure of ours.
                let _ = work.reply.send(Ok(work.logits));
            }
        }
        drop(state);
        self.shared.room.notify_all();
    }
}

#[cfg(test)]
mod tests;
