use std::collections::HashMap;
use std::convert::Infallible;

use super::exchange::probability;
use super::*;
use crate::word;

/// What the search finds in `text`, and how often it asks.
fn found(text: &str, texts: usize, odds: impl Fn(&str) -> f64) -> (Vec<String>, usize) {
    let probability = |text: &str| 1.0 / (1.0 + (-odds(text)).exp());
    let words = word::words(text);
    let note = Note {
        read: text,
        words: &words,
        score: probability(text),
    };
    let scorer = |texts: &[String]| -> Result<Vec<f64>, Infallible> {
        Ok(texts.iter().map(|t| probability(t)).collect())
    };
    let mut asked = Asked {
        scorer,
        known: HashMap::new(),
    };
    let limits = Limits {
        texts,
        words: 6,
        threshold: 0.0,
    };
    let found = search(&note, limits, &mut asked).expect("scores");
    let mut shown = found.words[..found.show].to_vec();
    shown.sort_unstable();
    let text = |at: &usize| text[words[*at].start as usize..words[*at].end as usize].to_owned();
    (shown.iter().map(text).collect(), asked.count())
}

fn has(text: &str, word: &str) -> f64 {
    f64::from(u8::from(text.contains(word)))
}

#[test]
fn what_is_said_twice_is_found_together() {
    // Spelled alike: neither is missed alone, not even a little.
    let text = "Heart enlarged today. Something else there. Still enlarged. Lungs clear now.";
    let (words, asked) = found(text, 384, |t| 4.0 * has(t, "enlarged") - has(t, "clear") - 1.0);
    assert_eq!(words, ["enlarged", "enlarged", "clear"]);
    assert!(asked < 60, "{asked}");
    // In other words: each is missed a little while the other is there, and then very much.
    let text = "Heart enlarged today. Something else there. Known cardiomegaly. Lungs clear now.";
    let odds = |t: &str| {
        (1.0 + 50.0 * has(t, "enlarged") + 50.0 * has(t, "cardiomegaly")).ln() - 2.0 - 0.2 * has(t, "clear")
    };
    assert_eq!(found(text, 384, odds).0, ["enlarged", "cardiomegaly", "clear"]);
}

#[test]
fn the_model_is_asked_anew_at_each_step() {
    // Beside the first word the second moves less than each of six others; once the first is gone, more than all of them.
    let text = "Heart enlarged with cardiomegaly. Edema, effusion, nodule, mass, fracture, scar.";
    let others = ["Edema", "effusion", "nodule", "mass", "fracture", "scar"];
    let odds = |t: &str| {
        let heart = (1.0 + 60.0 * has(t, "enlarged") + 40.0 * has(t, "cardiomegaly")).ln();
        heart + others.iter().map(|word| 0.6 * has(t, word)).sum::<f64>() - 3.0
    };
    let (words, _) = found(text, 384, odds);
    assert!(
        words.starts_with(&["enlarged".to_owned(), "cardiomegaly".to_owned()]),
        "{words:?}"
    );
}

#[test]
fn what_holds_the_suggestion_alone_comes_before_what_is_only_missed() {
    // Each of a pair is missed a little more than a single word, but says nothing without the other.
    let text = "Edema, effusion, nodule. Small mass. Old fracture. Thin scar.";
    let single = ["Edema", "effusion", "nodule"];
    let pairs = [("Small", "mass"), ("Old", "fracture"), ("Thin", "scar")];
    let odds = |t: &str| {
        let singles: f64 = single.iter().map(|word| has(t, word)).sum();
        let pairs: f64 = pairs.iter().map(|(a, b)| 1.1 * has(t, a) * has(t, b)).sum();
        singles + pairs - 3.5
    };
    let (words, _) = found(text, 384, odds);
    assert!(words.starts_with(&single.map(str::to_owned)), "{words:?}");
}

#[test]
fn of_a_long_text_the_phrases_that_matter_are_searched() {
    let text = format!(
        "{} The heart is enlarged. {}",
        "Word after word here. ".repeat(300),
        "And more of it. ".repeat(300)
    );
    let (found, asked) = found(&text, 384, |t| 2.0 * has(t, "enlarged") - 1.0);
    assert_eq!(found, ["enlarged"]);
    assert!(asked <= 384, "{asked}");
}

#[test]
fn both_sides_share_what_may_be_shown() {
    let path: Vec<(usize, f64)> = (0..6).map(|at| (at, 1.0)).collect();
    let against = [(10, 2.0), (11, 0.5)];
    let shown =
        |path: &[(usize, f64)], against: &[(usize, f64)], most| shares(path, against, &[], most).words;
    assert_eq!(shown(&path, &against, 6), [0, 1, 2, 3, 4, 10]);
    assert_eq!(shown(&path[..1], &against, 6), [0, 10, 11]);
    assert_eq!(shown(&[], &[], 6), Vec::<usize>::new());
    assert_eq!(shown(&path, &against, 2), [0, 1]);
    let alone = [(vec![7], 0.5), (vec![7, 8], 0.5), (vec![8], 0.0)].map(Tried::new);
    assert_eq!(shown(&path, &[(5, 3.0), (10, 2.0)], 6), [0, 1, 2, 3, 4, 10]);
    let found = shares(&path[..2], &against, &alone, 6);
    assert_eq!((found.words, found.show), (vec![0, 1, 10, 11, 7, 8], 5));
}

#[test]
fn a_word_is_exchanged_once_the_later_ones_are_known() {
    // What is said, by which words, and what it is worth: the first says what the next two say, the last something else.
    let text = "Edema, effusion, nodule, scar.";
    let said: [(&[&str], f64); 5] = [
        (&["Edema", "effusion"], 1.1),
        (&["Edema", "nodule"], 1.1),
        (&["effusion"], 1.0),
        (&["nodule"], 1.0),
        (&["scar"], 2.5),
    ];
    let score = |t: &str| {
        let lost = |by: &[&str]| by.iter().any(|word| has(t, word) < 1.0);
        let lost: f64 = said
            .iter()
            .map(|(by, worth)| worth * f64::from(u8::from(lost(by))))
            .sum();
        probability(2.0 - lost)
    };
    let words = word::words(text);
    let note = Note {
        read: text,
        words: &words,
        score: score(text),
    };
    let suggestion = Suggestion {
        note: &note,
        side: 1.0,
        score: 2.0,
    };
    let ranked = [(3, 2.5), (0, 2.2), (1, 2.1), (2, 2.1)].map(|(word, cost)| Tried::new((vec![word], cost)));
    let exchanged = |ranked: &[Tried], texts| {
        let scorer = |texts: &[String]| -> Result<Vec<f64>, Infallible> {
            Ok(texts.iter().map(|t| score(t)).collect())
        };
        let mut asked = Asked {
            scorer,
            known: HashMap::new(),
        };
        let mut path = [(0, 2.2), (1, 1.0), (2, 1.0)];
        suggestion
            .exchange(&mut path, ranked, texts, &mut asked)
            .expect("scores");
        (path, asked.count())
    };
    let (path, asked) = exchanged(&ranked, 384);
    assert_eq!(path.map(|(word, _)| word), [0, 1, 3]);
    assert!((path[2].1 - 2.5).abs() < 1e-9, "{path:?}");
    assert!(asked <= 20, "{asked}");
    // Not beyond what may be asked, and not for a word that moves nothing alone.
    let unchanged = [(0, 2.2), (1, 1.0), (2, 1.0)];
    assert_eq!(exchanged(&ranked, 10), (unchanged, 0));
    let idle = [(0, 2.2), (1, 2.1), (2, 2.1), (3, 0.0)].map(|(word, cost)| Tried::new((vec![word], cost)));
    assert_eq!(exchanged(&idle, 384).0, unchanged);
}
