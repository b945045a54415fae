//! How good a packed model is on labelled notes, within groups of them, with intervals, and against a bag of words.

use std::collections::BTreeMap;

use clinical::Label;
use inference::{
    BaselineMetrics, Bin, Engine, FindingMetrics, Interval, LabelSet, Metrics, ReadText, ScoreError,
    SubgroupMetrics,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rayon::prelude::*;
use serde::Serialize;

use crate::baseline::{self, Baseline};
use crate::corpus::LabelledNote;
use crate::metrics;

/// Findings with fewer positive notes are not scored: their F1 would be one note's luck.
const LEAST_POSITIVES: usize = 3;
/// Bins of the expected calibration error, as in Guo et al. 2017 (arXiv:1706.04599).
const BINS: u32 = 15;
/// Notes that are scored between two calls of the observer.
const CHUNK: usize = 32;

/// Why a model cannot be evaluated.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// The model could not score the notes.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// Without normal and abnormal notes there is nothing to tell apart.
    #[error("{0} notes are too few: normal and abnormal ones are needed")]
    TooFew(usize),
    /// A grouping does not have one group for each note.
    #[error("a grouping has {groups} groups for {notes} notes")]
    Groups {
        /// Groups that were given.
        groups: usize,
        /// Notes.
        notes: usize,
    },
}

/// What is measured beside the metrics.
#[derive(Default)]
pub struct Comparison<'a> {
    /// Notes that the model was trained on, for the bag of words; without them there is no comparison.
    pub train: Option<&'a [LabelledNote]>,
    /// Groupings: what by, and the group of each note.
    pub groupings: Vec<(String, Vec<String>)>,
    /// Resamples of the notes for the intervals; 0 for none.
    pub resamples: u32,
    /// Seed of the resamples.
    pub seed: u64,
}

/// A model's answers with the truth.
pub struct Evaluation {
    /// The numbers.
    pub metrics: Metrics,
    /// Points of the ROC curve of abnormal: false positive rate, sensitivity.
    pub roc: Vec<(f64, f64)>,
    /// The same of the bag of words.
    pub baseline_roc: Vec<(f64, f64)>,
    /// For each bin that has notes: mean probability, frequency, notes.
    pub reliability: Vec<(f64, f64, usize)>,
    /// Decisions that are not those of the labels, the most certain first.
    pub confusions: Vec<Confusion>,
}

/// A decision that is not that of the labels.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Confusion {
    /// Which note, counted from 0.
    pub note: usize,
    /// What was decided on: `abnormal`, or the finding.
    pub label: String,
    /// Whether the labels have it.
    pub labelled: bool,
    /// What the model says.
    pub probability: f64,
    /// Its operating point.
    pub threshold: f64,
}

/// One question to all notes: scores, truth and operating point.
struct Answers {
    scores: Vec<f64>,
    truth: Vec<bool>,
    threshold: f64,
}

impl Answers {
    fn decisions(&self) -> Vec<bool> {
        self.scores.iter().map(|&score| score >= self.threshold).collect()
    }

    fn positives(&self) -> usize {
        self.truth.iter().filter(|&&positive| positive).count()
    }

    /// The same of some notes, which may come more than once.
    fn of(&self, notes: &[usize]) -> Self {
        Self {
            scores: notes.iter().map(|&at| self.scores[at]).collect(),
            truth: notes.iter().map(|&at| self.truth[at]).collect(),
            threshold: self.threshold,
        }
    }

    fn f1(&self) -> f64 {
        metrics::f1(&self.decisions(), &self.truth)
    }

    fn accuracy(&self) -> f64 {
        metrics::accuracy(&self.decisions(), &self.truth)
    }
}

/// Abnormal, and the findings with enough positive notes.
struct Exam {
    abnormal: Answers,
    findings: Vec<(Label, Answers)>,
}

impl Exam {
    fn of(&self, notes: &[usize]) -> Self {
        Self {
            abnormal: self.abnormal.of(notes),
            findings: self
                .findings
                .iter()
                .map(|(label, answers)| (label.clone(), answers.of(notes)))
                .collect(),
        }
    }

    /// Mean F1 of the findings; those that a resample lost count nothing.
    fn macro_f1(&self) -> f64 {
        let each: Vec<f64> = self
            .findings
            .iter()
            .filter(|(_, answers)| answers.truth.contains(&true))
            .map(|(_, answers)| answers.f1())
            .collect();
        metrics::mean(&each)
    }
}

fn exam(
    notes: &[LabelledNote],
    labels: &LabelSet,
    scores: &[(f64, Vec<f64>)],
    thresholds: Option<f64>,
) -> Exam {
    let findings = labels
        .findings
        .iter()
        .enumerate()
        .map(|(at, finding)| {
            let answers = Answers {
                scores: scores
                    .iter()
                    .map(|(_, all)| all.get(at).copied().unwrap_or_default())
                    .collect(),
                truth: notes
                    .iter()
                    .map(|note| note.findings.contains(&finding.label))
                    .collect(),
                threshold: thresholds.unwrap_or_else(|| finding.point.threshold.get()),
            };
            (finding.label.clone(), answers)
        })
        .filter(|(_, answers)| answers.positives() >= LEAST_POSITIVES)
        .collect();
    Exam {
        abnormal: Answers {
            scores: scores.iter().map(|(abnormal, _)| *abnormal).collect(),
            truth: notes.iter().map(|note| note.abnormal).collect(),
            threshold: thresholds.unwrap_or_else(|| labels.abnormal.threshold.get()),
        },
        findings,
    }
}

/// Scores `notes` (without explanations) and compares with their labels. `data` says in the result what they are;
/// `observe` is called with the number of notes done.
///
/// # Errors
/// [`EvaluateError`] when the model fails, or the notes are all normal or all abnormal.
pub fn evaluate(
    engine: &Engine,
    notes: &[LabelledNote],
    data: &str,
    observe: impl FnMut(usize),
) -> Result<Metrics, EvaluateError> {
    compare(engine, notes, data, &Comparison::default(), observe).map(|evaluation| evaluation.metrics)
}

/// The same, with what `comparison` asks for.
///
/// # Errors
/// [`EvaluateError`] when the model fails, the notes are all normal or all abnormal, or a grouping does not fit them.
pub fn compare(
    engine: &Engine,
    notes: &[LabelledNote],
    data: &str,
    comparison: &Comparison<'_>,
    mut observe: impl FnMut(usize),
) -> Result<Evaluation, EvaluateError> {
    for (_, groups) in &comparison.groupings {
        if groups.len() != notes.len() {
            return Err(EvaluateError::Groups {
                groups: groups.len(),
                notes: notes.len(),
            });
        }
    }
    let mut scores = Vec::with_capacity(notes.len());
    let mut unfamiliar = 0;
    for chunk in notes.chunks(CHUNK) {
        let read: Vec<_> = chunk.iter().map(|note| engine.reading(&note.note)).collect();
        let texts: Vec<&str> = read.iter().map(ReadText::text).collect();
        scores.extend(engine.score_batch(&texts)?.into_iter().map(|scores| {
            unfamiliar += usize::from(engine.is_unfamiliar(&scores));
            let findings = scores.findings.iter().map(|probability| probability.get());
            (scores.abnormal.get(), findings.collect::<Vec<_>>())
        }));
        observe(scores.len());
    }
    let own = exam(notes, engine.labels(), &scores, None);
    let mut metrics = numbers(&own, data).ok_or(EvaluateError::TooFew(notes.len()))?;
    metrics.abstained = engine
        .labels()
        .unfamiliar
        .map(|_| metrics::count(unfamiliar) / metrics::count(notes.len()));
    metrics.intervals = intervals(&own, comparison);
    metrics.subgroups = comparison
        .groupings
        .iter()
        .flat_map(|(by, groups)| subgroups(&own.abnormal, by, groups))
        .collect();
    let baseline = comparison
        .train
        .map(|train| bag_of_words(train, notes, engine.labels()));
    if let Some(baseline) = &baseline {
        metrics.baseline = versus(&own, baseline, comparison);
    }
    Ok(Evaluation {
        roc: metrics::roc(&own.abnormal.scores, &own.abnormal.truth),
        baseline_roc: baseline.map_or_else(Vec::new, |exam| {
            metrics::roc(&exam.abnormal.scores, &exam.abnormal.truth)
        }),
        reliability: metrics::reliability(&own.abnormal.scores, &own.abnormal.truth, BINS),
        confusions: confusions(&own),
        metrics,
    })
}

fn numbers(exam: &Exam, data: &str) -> Option<Metrics> {
    let abnormal = &exam.abnormal;
    let (scores, truth, decisions) = (&abnormal.scores, &abnormal.truth, abnormal.decisions());
    let findings = exam
        .findings
        .iter()
        .map(|(label, own)| {
            let said = own.decisions();
            Some(FindingMetrics {
                label: label.clone(),
                positives: own.positives(),
                auroc: metrics::auroc(&own.scores, &own.truth)?,
                f1: own.f1(),
                auprc: metrics::average_precision(&own.scores, &own.truth),
                sensitivity: Some(metrics::recall(&said, &own.truth, true)),
                specificity: Some(metrics::recall(&said, &own.truth, false)),
                ece: Some(metrics::calibration_error(&own.scores, &own.truth, BINS)),
            })
        })
        .collect::<Option<Vec<_>>>()?;
    Some(Metrics {
        data: data.to_owned(),
        notes: truth.len(),
        auroc: metrics::auroc(scores, truth)?,
        auprc: metrics::average_precision(scores, truth)?,
        accuracy: metrics::accuracy(&decisions, truth),
        sensitivity: metrics::recall(&decisions, truth, true),
        specificity: metrics::recall(&decisions, truth, false),
        ece: metrics::calibration_error(scores, truth, BINS),
        macro_f1: exam.macro_f1(),
        findings,
        brier: Some(metrics::brier(scores, truth)),
        abstained: None,
        intervals: BTreeMap::new(),
        subgroups: Vec::new(),
        reliability: bins(scores, truth),
        baseline: None,
    })
}

/// The bins of the card: how many notes have a probability in each, and how many of them are abnormal.
fn bins(scores: &[f64], truth: &[bool]) -> Vec<Bin> {
    let mut bins = vec![Bin::default(); Metrics::BINS];
    for (score, &abnormal) in scores.iter().zip(truth) {
        let bin = &mut bins[Metrics::bin(*score)];
        bin.notes += 1;
        bin.abnormal += usize::from(abnormal);
    }
    bins
}

/// What `measure` says of each resample of `notes` notes with replacement: the n-th draws from its own seed.
fn resample<T: Send>(
    notes: usize,
    comparison: &Comparison<'_>,
    measure: impl Fn(&[usize]) -> T + Sync,
) -> Vec<T> {
    (0..comparison.resamples)
        .into_par_iter()
        .map(|number| {
            let mut random = StdRng::seed_from_u64(comparison.seed ^ (u64::from(number) << 32));
            let drawn: Vec<usize> = (0..notes).map(|_| random.random_range(0..notes)).collect();
            measure(&drawn)
        })
        .collect()
}

/// From the 2.5th to the 97.5th percentile.
fn percentiles(mut values: Vec<f64>) -> Option<Interval> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let at = |part: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a part of a length is one"
        )]
        let place = (part * metrics::count(last)).round() as usize;
        values[place.min(last)]
    };
    Some(Interval {
        low: at(0.025),
        high: at(0.975),
    })
}

fn intervals(exam: &Exam, comparison: &Comparison<'_>) -> BTreeMap<String, Interval> {
    const NAMES: [&str; 8] = [
        "auroc",
        "auprc",
        "accuracy",
        "sensitivity",
        "specificity",
        "ece",
        "brier",
        "macro_f1",
    ];
    let drawn = resample(exam.abnormal.truth.len(), comparison, |notes| {
        let part = exam.of(notes);
        let (own, said) = (&part.abnormal, part.abnormal.decisions());
        Some([
            metrics::auroc(&own.scores, &own.truth)?,
            metrics::average_precision(&own.scores, &own.truth)?,
            own.accuracy(),
            metrics::recall(&said, &own.truth, true),
            metrics::recall(&said, &own.truth, false),
            metrics::calibration_error(&own.scores, &own.truth, BINS),
            metrics::brier(&own.scores, &own.truth),
            part.macro_f1(),
        ])
    });
    NAMES
        .iter()
        .enumerate()
        .filter_map(|(at, name)| {
            let values = drawn.iter().flatten().map(|all| all[at]).collect();
            Some(((*name).to_owned(), percentiles(values)?))
        })
        .collect()
}

fn subgroups(abnormal: &Answers, by: &str, groups: &[String]) -> Vec<SubgroupMetrics> {
    let mut members: BTreeMap<&String, Vec<usize>> = BTreeMap::new();
    for (at, group) in groups.iter().enumerate() {
        members.entry(group).or_default().push(at);
    }
    members
        .into_iter()
        .map(|(group, notes)| {
            let own = abnormal.of(&notes);
            let said = own.decisions();
            let has = |class| own.truth.contains(&class);
            SubgroupMetrics {
                by: by.to_owned(),
                group: group.clone(),
                notes: notes.len(),
                positives: own.positives(),
                auroc: metrics::auroc(&own.scores, &own.truth),
                sensitivity: has(true).then(|| metrics::recall(&said, &own.truth, true)),
                specificity: has(false).then(|| metrics::recall(&said, &own.truth, false)),
                ece: metrics::calibration_error(&own.scores, &own.truth, BINS),
            }
        })
        .collect()
}

/// The bag of words on the same notes, at one half.
fn bag_of_words(train: &[LabelledNote], notes: &[LabelledNote], labels: &LabelSet) -> Exam {
    let texts: Vec<Vec<u64>> = train
        .iter()
        .map(|note| baseline::words(note.note.text()))
        .collect();
    let mut targets = vec![train.iter().map(|note| note.abnormal).collect::<Vec<_>>()];
    for finding in &labels.findings {
        targets.push(
            train
                .iter()
                .map(|note| note.findings.contains(&finding.label))
                .collect(),
        );
    }
    let fitted = Baseline::fit(&texts, &targets);
    let scores: Vec<(f64, Vec<f64>)> = notes
        .iter()
        .map(|note| {
            let mut said = fitted.predict(&baseline::words(note.note.text()));
            let findings = said.split_off(1);
            (said[0], findings)
        })
        .collect();
    exam(notes, labels, &scores, Some(0.5))
}

fn versus(own: &Exam, other: &Exam, comparison: &Comparison<'_>) -> Option<BaselineMetrics> {
    let drawn = resample(own.abnormal.truth.len(), comparison, |notes| {
        let (a, b) = (own.of(notes), other.of(notes));
        Some([
            metrics::auroc(&a.abnormal.scores, &a.abnormal.truth)?
                - metrics::auroc(&b.abnormal.scores, &b.abnormal.truth)?,
            a.abnormal.accuracy() - b.abnormal.accuracy(),
            a.macro_f1() - b.macro_f1(),
        ])
    });
    let gain = |at: usize| {
        let values: Vec<f64> = drawn.iter().flatten().map(|all| all[at]).collect();
        percentiles(values).unwrap_or(Interval {
            low: f64::MIN,
            high: f64::MAX,
        })
    };
    Some(BaselineMetrics {
        name: "TF-IDF of one and two words, logistic regression".to_owned(),
        auroc: metrics::auroc(&other.abnormal.scores, &other.abnormal.truth)?,
        accuracy: other.abnormal.accuracy(),
        macro_f1: other.macro_f1(),
        auroc_gain: gain(0),
        accuracy_gain: gain(1),
        macro_f1_gain: gain(2),
    })
}

fn confusions(exam: &Exam) -> Vec<Confusion> {
    let wrong = |label: &str, answers: &Answers| -> Vec<Confusion> {
        let each = answers.scores.iter().zip(&answers.truth).enumerate();
        each.filter(|&(_, (&score, &truth))| (score >= answers.threshold) != truth)
            .map(|(note, (&probability, &labelled))| Confusion {
                note,
                label: label.to_owned(),
                labelled,
                probability,
                threshold: answers.threshold,
            })
            .collect()
    };
    let mut all = wrong("abnormal", &exam.abnormal);
    for (label, answers) in &exam.findings {
        all.extend(wrong(label.as_str(), answers));
    }
    let certainty = |one: &Confusion| (one.probability - one.threshold).abs();
    all.sort_by(|a, b| certainty(b).total_cmp(&certainty(a)).then(a.note.cmp(&b.note)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(scores: &[f64], truth: &[bool]) -> Answers {
        Answers {
            scores: scores.to_vec(),
            truth: truth.to_vec(),
            threshold: 0.5,
        }
    }

    /// Two hundred notes; the scores of the first are right nine times in ten, those of the second seven times.
    fn two() -> (Exam, Exam) {
        let truth: Vec<bool> = (0..200).map(|at| at % 2 == 0).collect();
        let score = |wrong: usize| -> Vec<f64> {
            (0..200)
                .map(|at| {
                    if (at % 2 == 0) == (at / 2 % 10 >= wrong) {
                        0.9
                    } else {
                        0.1
                    }
                })
                .collect()
        };
        let exam = |wrong| Exam {
            abnormal: answers(&score(wrong), &truth),
            findings: vec![(Label::new("edema"), answers(&score(wrong), &truth))],
        };
        (exam(1), exam(3))
    }

    #[test]
    fn intervals_hold_the_number_and_a_better_model_is_seen() -> Result<(), &'static str> {
        let (good, weak) = two();
        let comparison = Comparison {
            resamples: 400,
            seed: 1,
            ..Comparison::default()
        };
        let metrics = numbers(&good, "a test").ok_or("numbers")?;
        assert!((metrics.accuracy - 0.9).abs() < 1e-9 && (metrics.auroc - 0.9).abs() < 1e-9);
        let found = intervals(&good, &comparison);
        // The standard error of 200 draws at 0.9 is 0.021.
        let accuracy = found["accuracy"];
        assert!(accuracy.low < 0.88 && accuracy.low > 0.82 && accuracy.high > 0.92 && accuracy.high < 0.97);
        assert_eq!(found.len(), 8);
        let against = versus(&good, &weak, &comparison).ok_or("a baseline")?;
        assert!((against.accuracy - 0.7).abs() < 1e-9 && against.accuracy_gain.low > 0.1);
        let same = versus(&good, &good, &comparison).ok_or("a baseline")?;
        assert!(same.auroc_gain.low.abs() < 1e-12 && same.auroc_gain.high.abs() < 1e-12);
        // The same seed draws the same notes.
        assert_eq!(intervals(&good, &comparison), found);
        assert!(intervals(&good, &Comparison::default()).is_empty());
        Ok(())
    }

    #[test]
    fn groups_and_confusions_are_counted() {
        let (good, _) = two();
        let groups: Vec<String> = (0..200)
            .map(|at| if at < 100 { "a" } else { "b" }.to_owned())
            .collect();
        let found = subgroups(&good.abnormal, "ward", &groups);
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].notes, found[0].positives, found[0].sensitivity),
            (100, 50, Some(0.9))
        );
        let all_one = subgroups(&answers(&[0.9], &[true]), "ward", &["c".to_owned()]);
        assert_eq!((all_one[0].auroc, all_one[0].specificity), (None, None));
        let wrong = confusions(&good);
        assert_eq!(wrong.len(), 40);
        assert!(wrong.iter().all(|one| (one.probability >= 0.5) != one.labelled));
    }
}
