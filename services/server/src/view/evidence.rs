//! What moved the suggestion, as pages show it: marks in the note, bars in the chart.

use std::ops::Range;

use clinical::{Assessment, Basis, DeidentifiedNote, Explanation, Phrase, Reading, Span};

use crate::{
    pages::{Bar, FindingRow, Segment, Suggestion, Tone, Whisker},
    view::words,
};

/// Characters of evidence in the chart, and of its phrase on either side.
const PHRASE: usize = 48;
const CONTEXT: usize = 22;

fn tone(weight: f64) -> Tone {
    if weight >= 0.0 {
        Tone::Abnormal
    } else {
        Tone::Normal
    }
}

fn signed_number(weight: f64) -> String {
    format!("{weight:+.2}").replace('-', "\u{2212}")
}

/// Cuts `text` where evidence begins and ends. Evidence that overlaps an earlier piece is left to its number in the chart.
#[must_use]
pub fn segments(text: &str, evidence: &[(Span, f64)]) -> Vec<Segment> {
    let mut numbered: Vec<(usize, usize, usize, f64)> = evidence
        .iter()
        .enumerate()
        .map(|(index, (span, weight))| (span.start as usize, span.end as usize, index + 1, *weight))
        .filter(|(start, end, ..)| start < end && text.get(*start..*end).is_some())
        .collect();
    numbered.sort_by_key(|(start, ..)| *start);
    let plain = |from: usize, to: usize| Segment {
        text: text[from..to].to_owned(),
        tone: Tone::Neutral,
        number: 0,
        weight: String::new(),
        unread: false,
    };
    let (mut pieces, mut at) = (Vec::new(), 0);
    for (start, end, number, weight) in numbered {
        if start < at {
            continue;
        }
        if start > at {
            pieces.push(plain(at, start));
        }
        pieces.push(Segment {
            text: text[start..end].to_owned(),
            tone: tone(weight),
            number,
            weight: signed_number(weight),
            unread: false,
        });
        at = end;
    }
    if at < text.len() {
        pieces.push(plain(at, text.len()));
    }
    pieces
}

/// What the model read of a note: [`segments`] of its text, where the passages that it did not read stand apart, and what it
/// read for a redaction stands in its place.
#[must_use]
pub fn read_segments(note: &DeidentifiedNote, evidence: &[(Span, f64)], said: &Assessment) -> Vec<Segment> {
    let text = note.text();
    let unread = said.unread.iter().map(|&span| (span, None));
    let stand_in = said.redacted.as_deref();
    let redacted = note.redacted().iter().filter(|_| stand_in.is_some());
    let mut cuts: Vec<(Span, Option<&str>)> = redacted.map(|&span| (span, stand_in)).chain(unread).collect();
    cuts.sort_by_key(|(span, _)| (span.start, std::cmp::Reverse(span.end)));
    let (mut pieces, mut end) = (Vec::new(), 0);
    for piece in segments(text, evidence) {
        let mut start = end;
        end += piece.text.len();
        for &(span, instead) in &cuts {
            let (from, to) = (span.start as usize, (span.end as usize).min(end));
            if from < start || to <= from {
                continue;
            }
            pieces.extend(part(&piece, text, start..from));
            pieces.extend(part(&piece, text, from..to).map(|part| Segment {
                unread: instead.is_none(),
                text: instead.map_or(part.text, str::to_owned),
                ..part
            }));
            start = to;
        }
        pieces.extend(part(&piece, text, start..end));
    }
    pieces
}

/// A part of a piece, if there is any.
fn part(piece: &Segment, text: &str, range: Range<usize>) -> Option<Segment> {
    let part = text.get(range).filter(|part| !part.is_empty())?;
    Some(Segment {
        text: part.to_owned(),
        weight: piece.weight.clone(),
        ..*piece
    })
}

/// The suggestion with its evidence on `text`, where `original` says the phrases are.
#[must_use]
pub fn suggestion(assessment: &Assessment, text: &str, original: &[(Span, f64)]) -> Suggestion {
    let explanation = &assessment.explanation;
    let Explanation { basis, r2, calls, .. } = explanation;
    let whole = |phrase: &Phrase| {
        let interval = phrase
            .interval
            .map_or(0.0, |interval| interval.low.abs().max(interval.high.abs()));
        phrase.weight.abs().max(interval)
    };
    // The longest of bars and intervals reaches the chart's edge.
    let largest = explanation
        .phrases()
        .map(whole)
        .filter(|reach| reach.is_finite())
        .fold(f64::MIN_POSITIVE, f64::max);
    let phrases = explanation::phrases(text);
    let evidence = match basis {
        Basis::Verified { .. } => Ok(original
            .iter()
            .zip(explanation.phrases())
            .enumerate()
            .map(|(index, ((span, weight), phrase))| Bar {
                interval: phrase.interval.map_or_else(String::new, |interval| {
                    format!(
                        "{} to {}",
                        signed_number(interval.low),
                        signed_number(interval.high)
                    )
                }),
                whisker: phrase.interval.map(|interval| Whisker {
                    low: 100.0 * interval.low / largest,
                    high: 100.0 * interval.high / largest,
                }),
                number: index + 1,
                before: before(text, &phrases, *span),
                phrase: shortened(covered(text, span.start, span.end)),
                after: after(text, &phrases, *span),
                width: 100.0 * weight.abs() / largest,
                tone: tone(*weight),
                weight: signed_number(*weight),
            })
            .collect()),
        Basis::Unreliable(reason) => Err(reason.as_str()),
    };
    let reading = assessment.reading;
    Suggestion {
        impression: assessment.impression.as_str(),
        tone: words::tone(assessment.impression),
        percent: words::percent(assessment.abnormal),
        threshold: words::percent(assessment.threshold),
        findings: assessment
            .findings
            .iter()
            .map(|finding| FindingRow {
                label: finding.label.as_str().to_owned(),
                percent: words::percent(finding.probability),
            })
            .collect(),
        evidence,
        fit: format!("{r2:.2}"),
        counterfactual: counterfactual(explanation),
        calls: *calls,
        reading: words_of(reading, assessment.unread.is_empty()),
        model: assessment.model_name.clone(),
    }
}

/// How much was read, in words.
fn words_of(reading: Reading, whole: bool) -> String {
    let pieces = reading.tokens;
    let mut said = if whole {
        format!("The model read the whole report ({pieces} word pieces).")
    } else {
        format!(
            "The model read the findings and the conclusion of the report ({pieces} word pieces); what else there is (head, history, technique, comparison, headings, signature) it did not read."
        )
    };
    if reading.windows > 1 {
        let more = format!(
            " That is longer than the model's window: it was read in {} overlapping windows ({} word pieces shared by neighbours), and the evidence is from the window that decided.",
            reading.windows, reading.overlap
        );
        said.push_str(&more);
    }
    said
}

/// The counterfactual by the numbers of the evidence.
fn counterfactual(explanation: &Explanation) -> Option<String> {
    let turned = explanation.counterfactual.as_ref()?;
    let numbers: Vec<String> = explanation
        .phrases()
        .enumerate()
        .filter(|(_, phrase)| turned.removed.contains(&phrase.span))
        .map(|(index, _)| (index + 1).to_string())
        .collect();
    Some(format!(
        "Without evidence {} the model gives {} % for abnormal, and the suggestion turns.",
        numbers.join(", "),
        words::percent(turned.score)
    ))
}

fn covered(text: &str, start: u32, end: u32) -> &str {
    text.get(start as usize..end as usize).unwrap_or_default()
}

/// The phrase that a word is read in, if there is one.
fn around(phrases: &[Span], word: Span) -> Span {
    let holds = |phrase: &&Span| phrase.start <= word.start && word.end <= phrase.end;
    phrases.iter().find(holds).copied().unwrap_or(word)
}

/// The end of what stands before a word in its phrase.
fn before(text: &str, phrases: &[Span], word: Span) -> String {
    let all = spaced(covered(text, around(phrases, word).start, word.start));
    let count = all.chars().count();
    if count <= CONTEXT {
        return all;
    }
    let cut: String = all.chars().skip(count - CONTEXT).collect();
    // From the first whole word on.
    let whole = cut.split_once(' ').map_or("", |(_, whole)| whole);
    format!("… {whole}")
}

/// The beginning of what stands behind it.
fn after(text: &str, phrases: &[Span], word: Span) -> String {
    let all = spaced(covered(text, word.end, around(phrases, word).end));
    if all.chars().count() <= CONTEXT {
        return all;
    }
    let cut: String = all.chars().take(CONTEXT).collect();
    let whole = cut.rsplit_once(' ').map_or("", |(whole, _)| whole);
    format!("{whole} …")
}

/// Every run of white space as one blank.
fn spaced(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if !c.is_whitespace() {
            out.push(c);
        } else if !out.ends_with(' ') {
            out.push(' ');
        }
    }
    out
}

fn shortened(phrase: &str) -> String {
    let phrase = phrase.split_whitespace().collect::<Vec<_>>().join(" ");
    if phrase.chars().count() <= PHRASE {
        return phrase;
    }
    let mut short: String = phrase.chars().take(PHRASE - 1).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_cut_without_losing_a_byte() {
        let text = "Große Herz, kleine Lunge.";
        let span = |start, end| Span { start, end };
        let evidence = [
            (span(0, 6), 0.4),
            (span(13, 25), -0.2),
            (span(14, 18), 0.1),
            (span(3, 4), 0.1),
        ];
        let pieces = segments(text, &evidence);
        let joined: String = pieces.iter().map(|piece| piece.text.as_str()).collect();
        assert_eq!(joined, text);
        let numbers: Vec<usize> = pieces.iter().map(|piece| piece.number).collect();
        assert_eq!(numbers, [1, 0, 2, 0]);
        assert_eq!(pieces[2].weight, "\u{2212}0.20");
    }

    #[test]
    fn what_the_model_read_has_no_head_and_no_surrogates() {
        let text = "Head of 03/02/2019. FINDINGS: large heart on 03/04/2019. Signed";
        let scrubber = clinical::Scrubber::new(seal::MacKey::new(&[7; 32]));
        let note = scrubber.scrub(text, &clinical::Known::default()).note;
        assert_eq!(note.redacted().len(), 2);
        let span = |part: &str| {
            let start = note.text().find(part).expect("there");
            let at = |at: usize| u32::try_from(at).expect("short");
            Span {
                start: at(start),
                end: at(start + part.len()),
            }
        };
        let head = Span {
            start: 0,
            end: span("FINDINGS").start,
        };
        let said = assessment(vec![head, span("Signed")]);
        let pieces = read_segments(&note, &[(span("large"), 0.4)], &said);
        let shown: Vec<(&str, usize, bool)> = pieces
            .iter()
            .map(|piece| (piece.text.as_str(), piece.number, piece.unread))
            .collect();
        assert_eq!(
            shown[1..],
            [
                ("FINDINGS: ", 0, false),
                ("large", 1, false),
                (" heart on ", 0, false),
                ("XXXX", 0, false),
                (". ", 0, false),
                ("Signed", 0, true)
            ]
        );
        assert!(shown[0].0.starts_with("Head of ") && shown[0].2);
    }

    fn assessment(unread: Vec<Span>) -> Assessment {
        let half = clinical::Probability::new(0.5).expect("a probability");
        let digest = seal::Digest::of(b"");
        Assessment {
            note: clinical::NoteDigest::new(digest),
            model: clinical::ModelDigest::new(digest),
            model_name: String::new(),
            impression: clinical::Impression::Abnormal,
            abnormal: half,
            threshold: half,
            findings: Vec::new(),
            reading: Reading {
                tokens: 1,
                windows: 1,
                overlap: 0,
            },
            explanation: Explanation {
                target: clinical::Impression::Abnormal,
                basis: Basis::Unreliable(clinical::Unreliable::Flat),
                base: 0.0,
                r2: 0.0,
                score: half,
                calls: 1,
                seed: 1,
                window: Span { start: 0, end: 1 },
                stability: None,
                counterfactual: None,
            },
            unread,
            redacted: Some("XXXX".to_owned()),
        }
    }

    #[test]
    fn a_word_is_read_in_its_phrase() {
        let text = "Clear. Moderate  left pleural effusion with a very long tail of words. No change.";
        let phrases = explanation::phrases(text);
        let of = |word: &str| {
            let at = text
                .find(word)
                .and_then(|at| u32::try_from(at).ok())
                .expect("there");
            let end = u32::try_from(word.len()).expect("short") + at;
            Span { start: at, end }
        };
        let word = of("effusion");
        assert_eq!(before(text, &phrases, word), "Moderate left pleural ");
        assert_eq!(after(text, &phrases, word), "");
        assert_eq!(before(text, &phrases, of("words")), "… a very long tail of ");
        assert_eq!(after(text, &phrases, of("with")), " a very long tail of …");
        assert_eq!(before(text, &[], word), "");
    }

    #[test]
    fn a_long_phrase_is_shortened_for_the_chart() {
        assert_eq!(shortened("a  b\nc"), "a b c");
        assert_eq!(shortened(&"x".repeat(60)).chars().count(), PHRASE);
    }
}
