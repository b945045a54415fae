use std::convert::Infallible;

use clinical::{Basis, Unreliable};
use proptest::prelude::*;

use super::*;

const NOTE: &str = "FINDINGS: The heart is enlarged. Small left pleural effusion, mild pulmonary edema. \
                    Lungs are clear. No pneumothorax. Bones are intact.";

fn all(text: &str) -> Span {
    Span {
        start: 0,
        end: u32::try_from(text.len()).expect("short text"),
    }
}

/// A scorer that is additive on log-odds: a base and known weights for words.
#[expect(clippy::unnecessary_wraps, reason = "the signature of a scorer")]
fn lexicon(texts: &[String]) -> Result<Vec<f64>, Infallible> {
    let words = [
        ("enlarged", 1.5),
        ("effusion", 2.5),
        ("edema", 1.0),
        ("clear", -2.0),
        ("intact", -0.1),
    ];
    Ok(texts
        .iter()
        .map(|text| {
            let known = words.iter().filter(|(word, _)| text.contains(word));
            1.0 / (1.0 + (-(0.4 + known.map(|(_, w)| w).sum::<f64>())).exp())
        })
        .collect())
}

fn run(text: &str, seed: u64) -> Explanation {
    explain(
        text,
        all(text),
        Impression::Abnormal,
        Budget::default(),
        seed,
        lexicon,
    )
    .expect("the lexicon scores")
}

fn shown(text: &str, explanation: &Explanation) -> Vec<(String, f64)> {
    explanation
        .phrases()
        .map(|p| {
            (
                text[p.span.start as usize..p.span.end as usize].to_owned(),
                p.weight,
            )
        })
        .collect()
}

#[test]
fn known_weights_come_back_in_order_and_sign() {
    let explanation = run(NOTE, 1);
    let shown = shown(NOTE, &explanation);
    let texts: Vec<&str> = shown.iter().map(|(text, _)| text.as_str()).collect();
    assert_eq!(texts, ["effusion", "clear", "enlarged", "edema"]);
    let signs: Vec<bool> = shown.iter().map(|(_, weight)| *weight > 0.0).collect();
    assert_eq!(signs, [true, false, true, true]);
    assert!((shown[0].1 - 2.5).abs() < 0.1, "{}", shown[0].1);
    assert!((shown[1].1 + 2.0).abs() < 0.1, "{}", shown[1].1);
    assert!(explanation.r2 > 0.95);
    assert!((explanation.base - 0.4).abs() < 1.0);
    assert!((explanation.score.get() - 1.0 / (1.0 + (-3.3_f64).exp())).abs() < 1e-9);
    assert!(explanation.calls <= 192);
}

#[test]
fn same_seed_same_answer_and_another_seed_other_masks() {
    assert_eq!(run(NOTE, 5), run(NOTE, 5));
    assert_ne!(run(NOTE, 5).base.to_bits(), run(NOTE, 6).base.to_bits());
}

#[test]
fn a_window_is_explained_in_offsets_of_the_whole_text() {
    let prefix = "History: cough — 3 weeks. ";
    let text = format!("{prefix}{NOTE}");
    let window = Span {
        start: u32::try_from(prefix.len()).expect("short"),
        end: u32::try_from(text.len()).expect("short"),
    };
    let explanation = explain(
        &text,
        window,
        Impression::Normal,
        Budget {
            samples: 64,
            phrases: 4,
        },
        3,
        |texts| {
            assert!(
                texts
                    .iter()
                    .all(|text| !text.contains("cough") && !text.trim().is_empty())
            );
            lexicon(texts)
        },
    )
    .expect("the lexicon scores");
    let shown = shown(&text, &explanation);
    assert_eq!(shown.len(), 4);
    assert_eq!(shown[0].0, "effusion");
    assert_eq!(explanation.target, Impression::Normal);
    assert_eq!(explanation.window, window);
}

#[test]
fn reasons_are_given_where_nothing_may_be_shown() {
    assert_eq!(run("", 1).basis, Basis::Unreliable(Unreliable::TooFewPhrases));
    assert_eq!(
        run("effusion", 1).basis,
        Basis::Unreliable(Unreliable::TooFewPhrases)
    );
    assert_eq!(
        run("Nothing here. Nor there.", 1).basis,
        Basis::Unreliable(Unreliable::Flat)
    );
    // A score that has nothing to do with the phrases: no line follows it.
    let noise = |texts: &[String]| -> Result<Vec<f64>, Infallible> {
        let hash = |text: &String| {
            text.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
                (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
            })
        };
        Ok(texts
            .iter()
            .map(|text| f64::from(hash(text) >> 8) / f64::from(1_u32 << 24))
            .collect())
    };
    let text = "One. Two. Three. Four. Five. Six. Seven. Eight. Nine. Ten. Eleven. Twelve.";
    let odd = explain(text, all(text), Impression::Abnormal, Budget::default(), 1, noise).expect("scores");
    assert_eq!(odd.basis, Basis::Unreliable(Unreliable::PoorFit));
}

#[test]
fn every_seed_shows_the_same_with_intervals_around_the_truth() {
    for seed in 0..20 {
        let got = run(NOTE, seed);
        let shown = shown(NOTE, &got);
        assert_eq!(shown.len(), 4, "seed {seed}");
        let interval = got
            .phrases()
            .next()
            .and_then(|p| p.interval)
            .expect("an interval");
        assert!(interval.low <= 2.5 && 2.5 <= interval.high, "{interval:?}");
        assert!(got.stability.expect("a stability") > 0.99);
    }
}

#[test]
fn a_counterfactual_turns_the_suggestion_and_needs_all_it_takes() {
    let got = run(NOTE, 1);
    let counterfactual = got.counterfactual.expect("there is one");
    assert!(counterfactual.score.get() < 0.5 && got.score.get() > 0.5);
    let left = |away: &[Span]| {
        let mut text = NOTE.to_owned();
        for span in away.iter().rev() {
            text.replace_range(span.start as usize..span.end as usize, "");
        }
        lexicon(&[text]).expect("scores")[0]
    };
    assert!(left(&counterfactual.removed) < 0.5);
    for at in 0..counterfactual.removed.len() {
        let mut fewer = counterfactual.removed.clone();
        fewer.remove(at);
        assert!(left(&fewer) >= 0.5);
    }
}

#[test]
fn five_thousand_words_stay_within_the_budget() {
    let text = "The heart is enlarged. Lungs are clear. A word more. ".repeat(500);
    let budget = Budget {
        samples: 128,
        phrases: 6,
    };
    let got = explain(&text, all(&text), Impression::Abnormal, budget, 1, lexicon).expect("scores");
    assert!(got.calls <= 128 + 11);
}

#[test]
fn a_text_without_words_is_never_asked_for() {
    for text in ["Heart enlarged.", "Large effusion, edema."] {
        let scorer = |texts: &[String]| {
            let words = |text: &String| text.chars().any(char::is_alphanumeric);
            assert!(texts.iter().all(words), "{texts:?}");
            lexicon(texts)
        };
        explain(
            text,
            all(text),
            Impression::Abnormal,
            Budget::default(),
            1,
            scorer,
        )
        .expect("scores");
    }
}

#[test]
fn scorers_that_misbehave_are_errors() {
    type Answer = Result<Vec<f64>, &'static str>;
    let ask = |answer: &dyn Fn(&[String]) -> Answer| {
        explain(
            NOTE,
            all(NOTE),
            Impression::Abnormal,
            Budget::default(),
            1,
            answer,
        )
        .map(|e| e.calls)
    };
    assert_eq!(ask(&|_| Err("down")), Err(ExplainError::Scorer("down")));
    assert!(matches!(
        ask(&|texts| Ok(vec![0.5; texts.len() - 1])),
        Err(ExplainError::Count { .. })
    ));
    assert_eq!(
        ask(&|_| Ok(Vec::new())).map_err(|e| matches!(e, ExplainError::Count { got: 0, .. })),
        Err(true)
    );
    for bad in [f64::NAN, f64::INFINITY, -0.1, 1.1] {
        let answer = move |texts: &[String]| -> Answer {
            let mut scores = vec![0.5; texts.len()];
            if let Some(score) = scores.get_mut(3) {
                *score = bad;
            }
            Ok(scores)
        };
        assert_eq!(ask(&answer), Err(ExplainError::NotAProbability { index: 4 }));
    }
}

#[test]
fn a_window_outside_the_text_or_inside_a_character_is_an_error() {
    for (start, end) in [(0, 99), (3, 2), (1, 3)] {
        let got = explain(
            "é é",
            Span { start, end },
            Impression::Normal,
            Budget::default(),
            1,
            lexicon,
        );
        assert!(
            matches!(got, Err(ExplainError::Window { len: 5, .. })),
            "{start}..{end}"
        );
    }
}

#[test]
fn a_budget_of_nothing_asks_once_and_shows_nothing() {
    let budget = Budget {
        samples: 0,
        phrases: 0,
    };
    let got = explain(NOTE, all(NOTE), Impression::Normal, budget, 1, lexicon).expect("scores");
    assert_eq!((got.calls, got.basis), (1, Basis::Unreliable(Unreliable::Flat)));
}

#[test]
fn emoji_and_right_to_left_texts_are_explained() {
    let text = "القلب متضخم، الرئتان سليمتان. 😀👍🏽. לב תקין, ריאות נקיות. 心臓は正常。肺は正常。";
    let scorer = |texts: &[String]| -> Result<Vec<f64>, Infallible> {
        Ok(texts
            .iter()
            .map(|t| {
                let odds = [("متضخم", 3.0), ("תקין", -2.0), ("心臓", 1.0)];
                let known = odds.iter().filter(|(word, _)| t.contains(word));
                1.0 / (1.0 + (-known.map(|(_, w)| w).sum::<f64>()).exp())
            })
            .collect())
    };
    let got = explain(
        text,
        all(text),
        Impression::Abnormal,
        Budget::default(),
        1,
        scorer,
    )
    .expect("scores");
    assert_eq!(shown(text, &got)[0].0, "متضخم");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_text_is_explained_without_panic(text in "\\PC{0,120}", seed: u64) {
        let scorer = |texts: &[String]| -> Result<Vec<f64>, Infallible> {
            Ok(texts.iter().map(|t| f64::from(u32::try_from(t.len() % 97).unwrap_or(0)) / 97.0).collect())
        };
        let budget = Budget { samples: 32, phrases: 6 };
        let got = explain(&text, all(&text), Impression::Abnormal, budget, seed, scorer).expect("scores");
        for phrase in got.phrases() {
            prop_assert!(text.get(phrase.span.start as usize..phrase.span.end as usize).is_some());
            prop_assert!(phrase.weight.is_finite());
        }
        prop_assert!(got.base.is_finite() && got.r2.is_finite());
    }
}
