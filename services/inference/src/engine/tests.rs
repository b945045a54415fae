use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::LazyLock;

use clinical::{Basis, Span};
use proptest::prelude::*;

use super::*;
use crate::testing::{Tiny, note};
use crate::weights::{HEAD_BIAS, HEAD_SCORE};
use crate::{Cloud, Familiarity, FloatTensor, Int8Matrix};

/// The committed model, loaded once for all tests.
static DEFAULT: LazyLock<Engine> = LazyLock::new(|| {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models/default");
    let options = EngineOptions {
        budget: Budget {
            samples: 96,
            ..Budget::default()
        },
        max_windows: 4,
        ..EngineOptions::default()
    };
    Engine::load(&folder, options).expect("the committed model")
});

const ABNORMAL: &str = "The heart is markedly enlarged. There is a moderate left pleural effusion with adjacent \
                        atelectasis. No pneumothorax.";
const NORMAL: &str = "An ordinary heart. Both lungs are clear. Neither effusion nor pneumothorax is seen. \
                      Nothing acute.";

fn tiny(change: impl FnOnce(&mut Tiny)) -> Result<Engine, LoadError> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model");
    let mut parts = Tiny::new();
    change(&mut parts);
    parts.write(&path)?;
    Engine::load(&path, EngineOptions::default())
}

fn assessed(engine: &Engine, text: &str) -> Box<Assessment> {
    match engine.assess(&note(text)) {
        Outcome::Assessed(assessment) => assessment,
        Outcome::NotAssessed(reason) => panic!("not assessed: {}", reason.as_str()),
    }
}

fn covered(text: &str, span: Span) -> &str {
    text.get(span.start as usize..span.end as usize)
        .expect("a span lies in its text")
}

#[test]
fn an_abnormal_report_is_told_with_its_findings_and_its_grounds() {
    let assessment = assessed(&DEFAULT, ABNORMAL);
    assert_eq!(assessment.impression, Impression::Abnormal);
    assert!(assessment.abnormal.get() > 0.9);
    assert_eq!(assessment.note, note(ABNORMAL).digest());
    assert_eq!(assessment.model, DEFAULT.digest());
    assert_eq!(assessment.model_name, DEFAULT.card().title());
    let names: HashSet<&str> = assessment
        .findings
        .iter()
        .map(|finding| finding.label.as_str())
        .collect();
    for name in ["Cardiomegaly", "Pleural Effusion", "Pulmonary Atelectasis"] {
        assert!(names.contains(name), "{names:?}");
    }
    let falling = assessment
        .findings
        .is_sorted_by(|a, b| a.probability >= b.probability);
    assert!(
        falling
            && assessment
                .findings
                .iter()
                .all(|finding| finding.probability >= finding.threshold)
    );
    assert_eq!((assessment.reading.windows, assessment.reading.overlap), (1, 0));
    assert_eq!(assessment.explanation.score, assessment.abnormal);
    let text = note(ABNORMAL).text().to_owned();
    for phrase in assessment.explanation.phrases() {
        assert!(!covered(&text, phrase.span).trim().is_empty());
    }
    // The same note gets the same answer to the last bit.
    assert_eq!(assessed(&DEFAULT, ABNORMAL), assessment);
}

#[test]
fn a_normal_report_is_normal_and_has_no_findings() {
    let assessment = assessed(&DEFAULT, NORMAL);
    assert_eq!(assessment.impression, Impression::Normal);
    assert!(assessment.findings.is_empty(), "{:?}", assessment.findings);
}

#[test]
fn the_phrase_that_decides_leads_the_explanation() {
    let text = "The heart has an ordinary size. There is a large right pleural effusion, and a nodule in the left upper lobe. \
                No pneumothorax.";
    let assessment = assessed(&DEFAULT, text);
    let Basis::Verified { first, .. } = &assessment.explanation.basis else {
        panic!("no explanation: {:?}", assessment.explanation.basis);
    };
    assert!(covered(text, first.span).contains("effusion"));
    assert!(first.weight > 0.1);
}

#[test]
fn a_batch_gives_what_each_text_gives_alone() -> Result<(), ScoreError> {
    let long = NORMAL.repeat(3);
    let texts = [ABNORMAL, "Nodule.", NORMAL, "", long.as_str()];
    let together = DEFAULT.score_batch(&texts)?;
    assert_eq!(together.len(), texts.len());
    for (text, batched) in texts.iter().zip(&together) {
        let alone = &DEFAULT.score_batch(&[text])?[0];
        let pairs = batched.findings.iter().zip(&alone.findings);
        for (a, b) in pairs.chain([(&batched.abnormal, &alone.abnormal)]) {
            assert!((a.get() - b.get()).abs() < 1e-4, "{} is not {}", a.get(), b.get());
        }
    }
    assert!(DEFAULT.score_batch(&[])?.is_empty());
    Ok(())
}

#[test]
fn the_default_model_is_served_in_int8_and_says_what_candle_says() -> Result<(), ScoreError> {
    assert_eq!(DEFAULT.compute(), Compute::Int8);
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models/default");
    let options = EngineOptions {
        compute: Compute::Candle,
        ..EngineOptions::default()
    };
    let candle = Engine::load(&folder, options).expect("the committed model");
    assert!(candle.load_now().is_none() && DEFAULT.load_now().is_some());
    let long = NORMAL.repeat(12);
    let texts = [ABNORMAL, NORMAL, "Nodule.", long.as_str()];
    for (ours, theirs) in DEFAULT
        .score_batch(&texts)?
        .iter()
        .zip(candle.score_batch(&texts)?)
    {
        let findings = ours.findings.iter().zip(&theirs.findings);
        for (a, b) in findings.chain([(&ours.abnormal, &theirs.abnormal)]) {
            assert!((a.get() - b.get()).abs() < 0.05, "{} is not {}", a.get(), b.get());
        }
    }
    Ok(())
}

#[test]
fn a_note_that_is_late_gets_no_answer() {
    let urgency = Urgency {
        lane: Lane::Stat,
        deadline: Some(std::time::Instant::now()),
        patient: false,
    };
    assert_eq!(
        DEFAULT.assess_with(&note(ABNORMAL), &[], urgency),
        Err(Busy::Late)
    );
    assert!(DEFAULT.load_now().expect("a queue").late > 0);
}

#[test]
fn a_long_note_is_read_in_windows_and_the_deciding_one_is_explained() {
    let text = format!("{}{ABNORMAL}", format!("{NORMAL} ").repeat(12));
    let assessment = assessed(&DEFAULT, &text);
    assert_eq!(assessment.impression, Impression::Abnormal);
    assert!(assessment.reading.windows > 1 && assessment.reading.overlap > 0);
    assert!(assessment.reading.tokens > 254);
    assert!(covered(&text, assessment.explanation.window).contains("effusion with adjacent"));
    assert!((assessment.explanation.score.get() - assessment.abnormal.get()).abs() < 1e-9);
}

#[test]
fn what_cannot_be_read_is_said_plainly() {
    for text in ["", "  \n", "XXXX XXXX."] {
        let outcome = DEFAULT.assess(&note(text));
        assert_eq!(outcome, Outcome::NotAssessed(NotAssessedReason::NothingToRead));
    }
    let outcome = DEFAULT.assess(&note(&"The lungs are clear. ".repeat(400)));
    assert_eq!(outcome, Outcome::NotAssessed(NotAssessedReason::TooLong));
}

#[test]
fn a_score_that_is_no_number_is_a_failure_of_the_model() {
    // Scores beyond f32 make the softmax take infinity from infinity.
    let engine = tiny(|parts| {
        let score = parts.weights.floats.get_mut(HEAD_SCORE).expect("a head");
        score.values.fill(f32::MAX);
    })
    .expect("finite weights");
    let outcome = engine.assess(&note("heart is large"));
    assert_eq!(outcome, Outcome::NotAssessed(NotAssessedReason::ModelFailed));
    assert!(engine.score_batch(&["heart is large"]).is_err());
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    assert!(tiny(|_| ()).is_ok());
    let refused = tiny(|parts| parts.config.vocab_size = 11);
    assert!(matches!(
        refused,
        Err(LoadError::Vocabulary {
            tokenizer: 12,
            encoder: 11
        })
    ));
    let refused = tiny(|parts| {
        parts.labels.findings.pop();
    });
    assert!(matches!(refused, Err(LoadError::Shape(_))));
    let refused = tiny(|parts| {
        parts.weights.floats.remove("encoder.layer.0.output.dense.bias");
    });
    assert!(matches!(refused, Err(LoadError::Shape(_))));
    let refused = tiny(|parts| {
        let bias = FloatTensor {
            shape: vec![4],
            values: vec![f32::NAN; 4],
        };
        parts.weights.floats.insert(HEAD_BIAS.into(), bias);
    });
    assert!(matches!(refused, Err(LoadError::Weights(_))));
    let refused = tiny(|parts| parts.labels.window = 17);
    assert!(matches!(refused, Err(LoadError::Labels(_))));
    let refused = tiny(|parts| parts.tokenizer.push('!'));
    assert!(matches!(refused, Err(LoadError::Tokenizer(_))));
    let refused = tiny(|parts| parts.config.num_attention_heads = 3);
    assert!(matches!(refused, Err(LoadError::Config(_))));
}

#[test]
fn an_explanation_is_drawn_by_its_case_and_comes_out_again() {
    let note = note(ABNORMAL);
    let of = |case: &[u8]| match DEFAULT.assess_with(&note, case, Urgency::default()) {
        Ok(Outcome::Assessed(assessment)) => assessment,
        other => panic!("{other:?}"),
    };
    let (one, again, other) = (of(b"one"), of(b"one"), of(b"other"));
    assert_eq!(
        one.explanation.seed,
        seed(b"one", note.digest(), DEFAULT.digest())
    );
    assert_eq!(one, again);
    assert_ne!(one.explanation.seed, other.explanation.seed);
    assert_eq!(one.abnormal, other.abnormal);
}

/// Statistics around nothing, wide enough for whatever the tiny model says.
fn known(parts: &mut Tiny, limit: f64) {
    let cloud = |spread: f32| {
        let direction = Int8Matrix::quantize(8, &[1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]).expect("a row");
        let samples = [[spread; 8], [-spread; 8], [0.0; 8]];
        Cloud::new(vec![0.0; 8], direction, &samples).expect("a cloud")
    };
    Familiarity::new(cloud(1.0), cloud(2.0)).store(&mut parts.weights);
    parts.labels.unfamiliar = Some(limit);
}

#[test]
fn a_text_unlike_the_training_reports_is_not_assessed() -> Result<(), Box<dyn std::error::Error>> {
    let text = "heart is large";
    let plain = tiny(|_| ())?;
    assert!(!plain.is_unfamiliar(&plain.score_batch(&[text])?[0]));
    let near = tiny(|parts| known(parts, 1e6))?;
    let scored = &near.score_batch(&[text, "no nodule", text])?;
    let distance = scored[0].distance.ok_or("no distance")?;
    assert!(distance > 0.0 && scored[1].distance != scored[0].distance);
    assert_eq!(scored[2], scored[0]);
    assert!(matches!(near.assess(&note(text)), Outcome::Assessed(_)));
    // The probabilities are the same bits, measured or not.
    let silent = &plain.score_batch(&[text])?[0];
    assert_eq!(
        (silent.abnormal, &silent.findings),
        (scored[0].abnormal, &scored[0].findings)
    );
    assert_eq!(silent.distance, None);

    let far = tiny(|parts| known(parts, distance * 0.99))?;
    assert!(far.is_unfamiliar(&far.score_batch(&[text])?[0]));
    let outcome = far.assess(&note(text));
    assert_eq!(outcome, Outcome::NotAssessed(NotAssessedReason::Unfamiliar));
    // A long note has the distance of its furthest window.
    let long = &far.score_batch(&[&format!("{text} {}", "no nodule ".repeat(6))])?[0];
    assert!(long.distance.ok_or("no distance")? > 0.0);

    // candle's encoder measures the same.
    let folder = tempfile::tempdir()?;
    let mut parts = Tiny::new();
    known(&mut parts, 1.0);
    let path = folder.path().join("model");
    parts.write(&path)?;
    for compute in [Compute::F32, Compute::Candle] {
        let options = EngineOptions {
            compute,
            ..EngineOptions::default()
        };
        let own = Engine::load(&path, options)?.score_batch(&[text, "no"])?[0].distance;
        assert!(
            (own.ok_or("no distance")? / distance - 1.0).abs() < 0.02,
            "{compute}"
        );
    }
    Ok(())
}

#[test]
fn a_limit_without_statistics_is_refused() {
    let refused = tiny(|parts| parts.labels.unfamiliar = Some(1.0));
    assert!(matches!(refused, Err(LoadError::Statistics)));
    let refused = tiny(|parts| known(parts, -1.0));
    assert!(matches!(refused, Err(LoadError::Labels(_))));
    let refused = tiny(|parts| {
        known(parts, 1.0);
        parts.weights.floats.remove("familiar.states.mean");
    });
    assert!(matches!(refused, Err(LoadError::Weights(_))));
}

#[cfg(target_os = "linux")]
#[test]
fn threads_that_stay_where_they_are_give_the_same_bits() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("model");
    Tiny::new().write(&path)?;
    let on = |pinned| {
        let options = EngineOptions {
            compute: Compute::Int8,
            threads: Threads {
                number: NonZeroUsize::new(2),
                pinned,
            },
            ..EngineOptions::default()
        };
        let scores = Engine::load(&path, options)?.score_batch(&["heart is large", "no nodule"])?;
        Ok::<_, Box<dyn std::error::Error>>(scores)
    };
    assert_eq!(on(true)?, on(false)?);
    Ok(())
}

#[test]
fn an_engine_is_shared_by_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&*DEFAULT);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn no_note_makes_the_engine_panic(text in "(\\PC{0,30}|heart |is |large |no |nodule |\\[|X|\n){0,30}") {
        static TINY: LazyLock<Engine> = LazyLock::new(|| tiny(|_| ()).expect("a tiny model"));
        let note = note(&text);
        match TINY.assess(&note) {
            Outcome::Assessed(assessment) => {
                prop_assert!(note.text().get(
                    assessment.explanation.window.start as usize..assessment.explanation.window.end as usize
                ).is_some());
                for phrase in assessment.explanation.phrases() {
                    prop_assert!(note.text().get(phrase.span.start as usize..phrase.span.end as usize).is_some());
                }
            }
            Outcome::NotAssessed(reason) => prop_assert_ne!(reason, NotAssessedReason::ModelFailed),
        }
    }
}
