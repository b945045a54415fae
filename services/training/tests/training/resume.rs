//! A run that is killed goes on from its checkpoint and ends with the same bits.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clinical::{Known, Label, Scrubber};
use training::{
    Base, CheckpointingError, Checkpoints, Corpus, LabelledNote, Options, TrainError, train, train_one,
    train_with,
};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// The variable in which a test tells its child where to keep checkpoints.
const FOLDER: &str = "COUNTERSIGN_TEST_CHECKPOINTS";
/// A file beside the checkpoint that tells it to train whole matrices.
const WHOLE: &str = "whole";

fn base() -> Result<Base, Box<dyn std::error::Error>> {
    let folder: PathBuf =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/import/mini-safetensors");
    Ok(Base::open(&folder, None)?)
}

fn options() -> Options {
    Options {
        epochs: 30,
        batch_tokens: 60,
        rank: 2,
        dropout: 0.1,
        held_out: 0.3,
        least_notes: 5,
        window: 16,
        overlap: 4,
        curriculum: 1,
        patience: 25,
        average: 0.9,
        ..Options::default()
    }
}

/// The same with whole matrices.
fn whole() -> Options {
    Options {
        full: true,
        learning_rate: 1e-3,
        ..options()
    }
}

fn corpus(base: &Base) -> Result<Corpus, training::CorpusError> {
    let scrubber = Scrubber::new(seal::MacKey::new(&[7; 32]));
    let mut notes = Vec::new();
    for place in ["left", "small", "large", "the", "lungs"] {
        for end in [".", ", clear", "( x )", "- 3 cm"] {
            for (finding, abnormal) in [
                ("nodule", true),
                ("effusion", true),
                ("no nodule", false),
                ("heart", false),
            ] {
                let note = scrubber
                    .scrub(&format!("{finding} {place} {end}"), &Known::default())
                    .note;
                let findings = if abnormal {
                    vec![Label::new(finding)]
                } else {
                    Vec::new()
                };
                notes.push(LabelledNote {
                    note,
                    abnormal,
                    findings,
                });
            }
        }
    }
    Corpus::new(&notes, base, &options())
}

/// Not a test by itself: the process that the next one kills.
#[test]
#[ignore = "a child of another test"]
fn child() -> Outcome {
    #[expect(clippy::disallowed_methods, reason = "how a test speaks to its child")]
    let folder = PathBuf::from(std::env::var_os(FOLDER).ok_or("no folder")?);
    let options = if folder.join(WHOLE).exists() {
        whole()
    } else {
        options()
    };
    let base = base()?;
    let checkpoints = Checkpoints {
        folder: &folder,
        every: 3,
    };
    train_with(&base, &corpus(&base)?, &options, Some(&checkpoints), |_| {
        std::thread::sleep(Duration::from_millis(5));
    })?;
    Ok(())
}

#[test]
fn a_killed_run_ends_with_the_same_bits() -> Outcome {
    kill_and_resume(&options())
}

#[test]
fn a_killed_run_of_whole_matrices_ends_with_the_same_bits() -> Outcome {
    kill_and_resume(&whole())
}

fn kill_and_resume(options: &Options) -> Outcome {
    let base = base()?;
    let corpus = corpus(&base)?;
    let whole = train(&base, &corpus, options, |_| ())?;
    assert_eq!(whole.weights.adapters.is_empty(), options.full);
    let folder = tempfile::tempdir()?;
    if options.full {
        std::fs::write(folder.path().join(WHOLE), "")?;
    }
    let file = folder.path().join("checkpoint.bin");
    // Killed three times, each time further on.
    for _ in 0..3 {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--exact", "resume::child", "--ignored"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let before = std::fs::metadata(&file).and_then(|file| file.modified()).ok();
        let start = Instant::now();
        while std::fs::metadata(&file).and_then(|file| file.modified()).ok() == before {
            assert!(start.elapsed() < Duration::from_mins(1), "no checkpoint");
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(Duration::from_millis(40));
        child.kill()?;
        assert!(!child.wait()?.success(), "the run was over before it was killed");
    }
    let checkpoints = Checkpoints {
        folder: folder.path(),
        every: 1000,
    };
    let mut first = 0;
    let resumed = train_with(&base, &corpus, options, Some(&checkpoints), |progress| {
        if first == 0 {
            first = progress.step;
        }
    })?;
    assert!(first > 9, "it began again at step {first}");
    assert_eq!(resumed.weights, whole.weights);
    assert_eq!(resumed.losses, whole.losses);
    assert_eq!((resumed.epochs, resumed.epoch), (whole.epochs, whole.epoch));
    assert_eq!(
        (resumed.abnormal, resumed.findings),
        (whole.abnormal, whole.findings)
    );
    // Once more: it is over already, and the same.
    let again = train_with(&base, &corpus, options, Some(&checkpoints), |_| ())?;
    assert_eq!(again.weights, resumed.weights);
    // With another seed it is another run.
    let other = Options {
        seed: 1,
        ..options.clone()
    };
    assert!(matches!(
        train_with(&base, &corpus, &other, Some(&checkpoints), |_| ()),
        Err(TrainError::Checkpointing(CheckpointingError::OtherRun))
    ));
    Ok(())
}

#[test]
fn several_runs_are_averaged_whoever_trained_them() -> Outcome {
    let base = base()?;
    let corpus = corpus(&base)?;
    let options = |runs| Options {
        epochs: 3,
        patience: 0,
        runs,
        ..whole()
    };
    let mut seen = Vec::new();
    let three = train(&base, &corpus, &options(3), |progress| {
        seen.push((progress.run, progress.step, progress.steps));
    })?;
    assert_eq!((three.epochs.len(), three.losses.len()), (9, seen.len()));
    assert_eq!(
        seen.last(),
        Some(&(3, seen.len().try_into()?, seen.len().try_into()?))
    );
    // Two processes train the second and the third; whoever trains the first finds theirs.
    let folder = tempfile::tempdir()?;
    let checkpoints = Checkpoints {
        folder: folder.path(),
        every: 4,
    };
    for run in [3, 2] {
        train_one(&base, &corpus, &options(3), run, &checkpoints, |_| ())?;
    }
    assert!(matches!(
        train_one(&base, &corpus, &options(3), 4, &checkpoints, |_| ()),
        Err(TrainError::Option("run"))
    ));
    let mut steps = 0;
    let shared = train_with(&base, &corpus, &options(3), Some(&checkpoints), |_| steps += 1)?;
    assert_eq!((shared.weights, steps * 3), (three.weights.clone(), seen.len()));
    // The first is what it is alone, and the others are others.
    let one = train(&base, &corpus, &options(1), |_| ())?;
    let (first, others) = three.losses.split_at(steps);
    assert_eq!(first, one.losses);
    assert!(
        others
            .chunks(steps)
            .all(|other| other != first && other.len() == steps)
    );
    assert_ne!(one.weights, three.weights);
    // Factors of low rank cannot be averaged.
    let low = Options {
        full: false,
        ..options(2)
    };
    assert!(matches!(
        train(&base, &corpus, &low, |_| ()),
        Err(TrainError::Option("runs"))
    ));
    Ok(())
}

#[test]
fn training_ends_when_nothing_gets_better_and_takes_the_best() -> Outcome {
    let base = base()?;
    let corpus = corpus(&base)?;
    let options = Options {
        epochs: 200,
        patience: 3,
        ..options()
    };
    let trained = train(&base, &corpus, &options, |_| ())?;
    let epochs = u32::try_from(trained.epochs.len())?;
    assert!(
        epochs < 200 && trained.epoch + 3 == epochs,
        "{} of {epochs}",
        trained.epoch
    );
    assert_eq!(trained.held_out, trained.epochs[trained.epoch as usize - 1]);
    // The weights are those of that epoch: training to it and no further gives the same, but for the schedule; so the
    // quality is measured anew instead, on weights that were restored.
    let score = |quality: &training::HeldOut| f64::midpoint(quality.auroc, quality.macro_f1);
    assert!(
        trained
            .epochs
            .iter()
            .all(|quality| score(quality) <= score(&trained.held_out))
    );
    Ok(())
}

#[test]
fn the_small_preset_trains_less_than_one_part_in_a_hundred_of_a_bert() -> Outcome {
    let base = base()?;
    let corpus = corpus(&base)?;
    let (trained, all) = training::trained_share(&base, &corpus, &options());
    assert_eq!(
        trained,
        train(
            &base,
            &corpus,
            &Options {
                epochs: 1,
                ..options()
            },
            |_| ()
        )?
        .trained_values
    );
    assert!(all > trained);
    let full = Options { epochs: 1, ..whole() };
    let (trained, same) = training::trained_share(&base, &corpus, &full);
    assert_eq!(
        (train(&base, &corpus, &full, |_| ())?.trained_values, same),
        (trained, all)
    );
    // MiniLM-L6 with 58 outputs, and BERT-base with the same: layers, width, values.
    for (layers, width, values) in [(6, 384, 22_713_216), (12, 768, 107_719_680)] {
        let small = Options::small();
        let adapters = layers * small.rank * small.targets.len() * 2 * width;
        let rest = (2 * layers + 1) * 2 * width + 58 * (2 * width + 1);
        assert!(
            (adapters + rest) * 100 < values,
            "{} of {values}",
            adapters + rest
        );
    }
    Ok(())
}
