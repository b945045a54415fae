//! Where a run stands, on disk: written beside the training by a thread of its own, whole or not at all, and read back
//! bit for bit.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use safetensors::{Dtype, SafeTensors, View};
use seal::Digest;
use serde::{Deserialize, Serialize};

use crate::run::HeldOut;

/// The file in the folder of checkpoints.
const FILE: &str = "checkpoint.bin";
/// Bytes of the SHA-256 that stands before the rest.
const DIGEST: usize = 32;

/// Where checkpoints are kept and how often.
#[derive(Clone, Copy, Debug)]
pub struct Checkpoints<'a> {
    /// Folder of the one checkpoint of a run; a run that finds its own there goes on from it. Those of the second run and
    /// later ones are in folders of their own below it.
    pub folder: &'a Path,
    /// Steps between two checkpoints.
    pub every: u32,
}

impl Checkpoints<'_> {
    /// Where that of a run is, counted from 0.
    pub(crate) fn of_run(&self, run: u32) -> PathBuf {
        if run == 0 {
            self.folder.to_owned()
        } else {
            self.folder.join(format!("run-{}", run + 1))
        }
    }
}

/// Why a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointingError {
    /// The folder cannot be read or written.
    #[error("cannot read or write {}", path.display())]
    Access {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is not what was written.
    #[error("the checkpoint is damaged; delete it to start again")]
    Damaged,
    /// It is that of a run with other data, base or settings.
    #[error(
        "the checkpoint is of a run with other data, base or settings; delete it, or name another folder"
    )]
    OtherRun,
}

/// The numbers that a run consists of between two steps. Randomness is not among them: what is drawn in a step follows from the seed
/// and the step's number.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct State {
    pub(crate) facts: Facts,
    /// Values of each trained variable.
    pub(crate) values: Vec<Vec<f32>>,
    /// First and second moments of each.
    pub(crate) first: Vec<Vec<f32>>,
    pub(crate) second: Vec<Vec<f32>>,
    /// Moving averages of the values; empty without them.
    pub(crate) average: Vec<Vec<f32>>,
    /// Values after the best epoch so far; empty before the first, or when nothing is kept.
    pub(crate) best: Vec<Vec<f32>>,
    /// Loss of each step.
    pub(crate) losses: Vec<f32>,
}

/// The small part of a state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Facts {
    /// Which run this is: a digest over data, base and settings.
    pub(crate) run: String,
    /// Steps done.
    pub(crate) step: u32,
    /// Steps of the optimiser, which leaves out those whose gradient was no number.
    pub(crate) optimizer: i32,
    /// Quality on the held-out notes after each epoch. Kept as bits beside these facts: JSON would round it.
    #[serde(skip)]
    pub(crate) epochs: Vec<HeldOut>,
    /// The best epoch so far, from 1.
    pub(crate) best_epoch: Option<u32>,
}

fn access(path: &Path) -> impl FnOnce(io::Error) -> CheckpointingError + '_ {
    move |source| CheckpointingError::Access {
        path: path.to_owned(),
        source,
    }
}

/// Numbers on their way into a file: turned into bytes one tensor at a time, so that a whole model is not in memory a third
/// time.
struct Numbers<'a> {
    shape: [usize; 1],
    values: Values<'a>,
}

enum Values<'a> {
    Single(&'a [f32]),
    Double(&'a [f64]),
}

impl<'a> Numbers<'a> {
    const fn single(values: &'a [f32]) -> Self {
        Self {
            shape: [values.len()],
            values: Values::Single(values),
        }
    }

    const fn double(values: &'a [f64]) -> Self {
        Self {
            shape: [values.len()],
            values: Values::Double(values),
        }
    }
}

impl View for Numbers<'_> {
    fn dtype(&self) -> Dtype {
        match self.values {
            Values::Single(_) => Dtype::F32,
            Values::Double(_) => Dtype::F64,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        match self.values {
            Values::Single(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Values::Double(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        }
    }

    fn data_len(&self) -> usize {
        match self.values {
            Values::Single(values) => size_of_val(values),
            Values::Double(values) => size_of_val(values),
        }
    }
}

impl State {
    /// The digest of the rest, and the rest.
    fn to_bytes(&self) -> Option<(Digest, Vec<u8>)> {
        let mut named = vec![("losses".to_owned(), Numbers::single(&self.losses))];
        for (name, all) in [
            ("value", &self.values),
            ("first", &self.first),
            ("second", &self.second),
            ("average", &self.average),
            ("best", &self.best),
        ] {
            named.extend(
                all.iter()
                    .enumerate()
                    .map(|(at, values)| (format!("{name}.{at}"), Numbers::single(values))),
            );
        }
        let epochs: Vec<f64> = self
            .facts
            .epochs
            .iter()
            .flat_map(|quality| [quality.auroc, quality.accuracy, quality.macro_f1])
            .collect();
        named.push(("epochs".to_owned(), Numbers::double(&epochs)));
        let facts = HashMap::from([("facts".to_owned(), serde_json::to_string(&self.facts).ok()?)]);
        let rest = safetensors::serialize(named, Some(facts)).ok()?;
        Some((Digest::of(&rest), rest))
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (digest, rest) = bytes.split_at_checked(DIGEST)?;
        if Digest::of(rest).as_bytes() != digest {
            return None;
        }
        let (_, header) = SafeTensors::read_metadata(rest).ok()?;
        let mut facts: Facts = serde_json::from_str(header.metadata().as_ref()?.get("facts")?).ok()?;
        let file = SafeTensors::deserialize(rest).ok()?;
        let epochs = file.tensor("epochs").ok()?;
        let number = |bytes: &[u8]| Some(f64::from_le_bytes(bytes.try_into().ok()?));
        facts.epochs = epochs
            .data()
            .chunks_exact(3 * 8)
            .map(|three| {
                Some(HeldOut {
                    auroc: number(&three[..8])?,
                    accuracy: number(&three[8..16])?,
                    macro_f1: number(&three[16..])?,
                })
            })
            .collect::<Option<Vec<_>>>()?;
        let read = |name: &str| -> Option<Vec<f32>> {
            let view = file.tensor(name).ok()?;
            let (values, rest) = view.data().as_chunks::<4>();
            (view.dtype() == Dtype::F32 && rest.is_empty())
                .then(|| values.iter().map(|four| f32::from_le_bytes(*four)).collect())
        };
        let all = |name: &str| -> Vec<Vec<f32>> {
            (0..)
                .map_while(|at: usize| read(&format!("{name}.{at}")))
                .collect()
        };
        Some(Self {
            facts,
            values: all("value"),
            first: all("first"),
            second: all("second"),
            average: all("average"),
            best: all("best"),
            losses: read("losses")?,
        })
    }

    /// The checkpoint in `folder`, `None` when there is none. It must be that of `run`.
    pub(crate) fn read(folder: &Path, run: &str) -> Result<Option<Self>, CheckpointingError> {
        let path = folder.join(FILE);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(access(&path)(error)),
        };
        let state = Self::from_bytes(&bytes).ok_or(CheckpointingError::Damaged)?;
        if state.facts.run == run {
            Ok(Some(state))
        } else {
            Err(CheckpointingError::OtherRun)
        }
    }

    /// Replaces the checkpoint in `folder`: the new one is written beside it and on the disk before it takes its name, so
    /// that a process that is killed at any time leaves a whole one.
    fn write(&self, folder: &Path) -> Result<(), CheckpointingError> {
        let path = folder.join(FILE);
        let partial = folder.join(format!("{FILE}.partial"));
        let (digest, rest) = self.to_bytes().ok_or(CheckpointingError::Damaged)?;
        let mut file = File::create(&partial).map_err(access(&partial))?;
        file.write_all(digest.as_bytes())
            .and_then(|()| file.write_all(&rest))
            .and_then(|()| file.sync_all())
            .map_err(access(&partial))?;
        fs::rename(&partial, &path).map_err(access(&path))?;
        // The name is in the folder, which is a file of its own.
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(access(folder))
    }
}

/// The thread that writes checkpoints.
pub(crate) struct Writer {
    sender: SyncSender<State>,
    thread: JoinHandle<Result<(), CheckpointingError>>,
    every: u32,
}

impl Writer {
    pub(crate) fn start(folder: PathBuf, every: u32) -> Result<Self, CheckpointingError> {
        let named = folder.clone();
        fs::create_dir_all(&folder).map_err(access(&folder))?;
        let (sender, receiver) = sync_channel::<State>(1);
        let thread = std::thread::Builder::new()
            .name("checkpoints".to_owned())
            .spawn(move || receiver.iter().try_for_each(|state| state.write(&folder)))
            .map_err(access(&named))?;
        Ok(Self {
            sender,
            thread,
            every: every.max(1),
        })
    }

    /// Whether a checkpoint is due after `step` steps.
    pub(crate) fn is_due(&self, step: u32) -> bool {
        step.is_multiple_of(self.every)
    }

    /// Hands a state over without waiting: while the disk is slower than the training, states are left out. `false` when
    /// the thread has ended, because it could not write.
    pub(crate) fn offer(&self, state: State) -> bool {
        !matches!(self.sender.try_send(state), Err(TrySendError::Disconnected(_)))
    }

    /// Writes a last state, if any, and waits until it is on the disk.
    pub(crate) fn finish(self, last: Option<State>) -> Result<(), CheckpointingError> {
        if let Some(state) = last {
            // A thread that has ended says why below.
            let _ = self.sender.send(state);
        }
        drop(self.sender);
        self.thread.join().unwrap_or(Err(CheckpointingError::Damaged))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        State {
            facts: Facts {
                run: "a run".to_owned(),
                step: 7,
                optimizer: 6,
                best_epoch: Some(1),
                epochs: vec![HeldOut {
                    auroc: 0.1 + 0.2,
                    accuracy: 1.0 / 3.0,
                    macro_f1: 9.338_479_326_265_871e-9,
                }],
            },
            values: vec![vec![1.0, f32::MIN_POSITIVE / 2.0], vec![-0.0]],
            first: vec![vec![0.1, 0.2], vec![0.3]],
            second: vec![vec![1e-30, 2.0], vec![3.0]],
            average: vec![vec![0.5, 1.5], vec![2.5]],
            best: Vec::new(),
            losses: vec![3.0, 2.0],
        }
    }

    #[test]
    fn what_is_written_is_read_bit_for_bit() -> Result<(), CheckpointingError> {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(State::read(folder.path(), "a run")?.is_none());
        let writer = Writer::start(folder.path().to_owned(), 5)?;
        assert!(writer.is_due(10) && !writer.is_due(11));
        writer.finish(Some(state()))?;
        let again = State::read(folder.path(), "a run")?.expect("a checkpoint");
        assert_eq!(again, state());
        assert_eq!(again.values[1][0].to_bits(), (-0.0_f32).to_bits());
        assert!(matches!(
            State::read(folder.path(), "another"),
            Err(CheckpointingError::OtherRun)
        ));
        // A torn file is seen; one that was being written when the process died is not looked at.
        let path = folder.path().join(FILE);
        let bytes = fs::read(&path).expect("readable");
        fs::write(folder.path().join("checkpoint.bin.partial"), &bytes[..9]).expect("writable");
        assert!(State::read(folder.path(), "a run")?.is_some());
        for cut in [0, 31, 40, bytes.len() - 1] {
            fs::write(&path, &bytes[..cut]).expect("writable");
            assert!(matches!(
                State::read(folder.path(), "a run"),
                Err(CheckpointingError::Damaged)
            ));
        }
        Ok(())
    }
}
