//! Labelled notes, made ready for training.

use std::collections::{BTreeMap, HashMap};

use clinical::{DeidentifiedNote, Label};
use inference::{Pieces, ReadText, TokenizerError};
use seal::Digest;

use crate::base::Base;
use crate::cleaning::minhash::{self, Groups, Shingles};
use crate::options::Options;

/// A scrubbed note with what a reader said about it.
pub struct LabelledNote {
    /// The note.
    pub note: DeidentifiedNote,
    /// Whether it reports something abnormal.
    pub abnormal: bool,
    /// What it reports; empty for a normal note.
    pub findings: Vec<Label>,
}

/// Notes as numbers, one for each distinct text, and the labels that occur often enough to be learned.
pub struct Corpus {
    pub(crate) train: Vec<Example>,
    pub(crate) held_out: Vec<Example>,
    labels: Vec<Label>,
    supporting: Vec<Label>,
    rows: usize,
    digest: Digest,
}

/// One distinct text.
#[derive(Clone, Debug)]
pub(crate) struct Example {
    /// Word pieces with special tokens, at most one window.
    pub(crate) ids: Vec<u32>,
    /// Where its sentences end in `ids`: one past each full stop.
    pub(crate) ends: Vec<usize>,
    /// Target of each output (abnormal, findings, supporting): the mean of its copies, so that a conflict becomes a doubt.
    pub(crate) targets: Vec<f32>,
    /// Copies of the text.
    pub(crate) copies: f32,
}

/// Why there is nothing to train on.
#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    /// A note could not be split into word pieces.
    #[error("a note could not be read")]
    Tokenizer(#[from] TokenizerError),
    /// Training or held-out part lacks normal or abnormal notes.
    #[error("{0} notes are too few: both parts need normal and abnormal notes")]
    TooFew(usize),
}

/// Similarity from which texts are near copies of one another, which are never on both sides.
const NEAR: f64 = 0.9;

/// A number in [0, 1) for each example: the first eight bytes of its digest, or of the least digest among its near copies,
/// whose examples so stay together.
fn places(examples: BTreeMap<[u8; 32], Example>) -> impl Iterator<Item = (f64, Example)> {
    let pieces: Vec<Shingles> = examples
        .values()
        .map(|example| Shingles::of_pieces(&example.ids))
        .collect();
    let mut groups = Groups::new(pieces.len());
    for pair in minhash::pairs(&pieces, NEAR) {
        groups.join(pair.first, pair.second);
    }
    let keys: Vec<[u8; 32]> = examples.keys().copied().collect();
    examples.into_values().enumerate().map(move |(at, example)| {
        // A group's number is that of its first member, and the examples are in the order of their digests.
        let least = keys[groups.find(at)];
        let place = least[..8]
            .iter()
            .fold(0.0_f64, |place, &byte| place.mul_add(256.0, f64::from(byte)));
        (place / 2.0_f64.powi(64), example)
    })
}

/// One past each full stop that ends a sentence, in word pieces after one special token: a stop within a number or a word
/// has no blank behind it.
fn sentence_ends(text: &str, pieces: &Pieces) -> Vec<usize> {
    (2..)
        .zip(&pieces.spans)
        .filter(|(_, span)| {
            let rest = text.get(span.start as usize..).unwrap_or_default();
            rest.strip_prefix('.')
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
        })
        .map(|(end, _)| end)
        .collect()
}

impl Corpus {
    /// Splits notes into word pieces, joins those that read the same to the model, keeps a part out by the digest of
    /// the text (so that neither the same text nor a near copy is on both sides), and takes the findings with `least_notes` notes or
    /// more to be reported, and those with `least_supporting` or more to speak for abnormal. Notes without a word are left out.
    ///
    /// # Errors
    /// [`CorpusError`] when a note cannot be read, or too few are left.
    pub fn new(notes: &[LabelledNote], base: &Base, options: &Options) -> Result<Self, CorpusError> {
        let mut counts: BTreeMap<&Label, usize> = BTreeMap::new();
        for note in notes {
            let mut own: Vec<&Label> = note.findings.iter().collect();
            own.sort_unstable();
            own.dedup();
            for label in own {
                *counts.entry(label).or_default() += 1;
            }
        }
        let mut frequent: Vec<(&Label, usize)> = counts
            .into_iter()
            .filter(|&(_, count)| count >= options.least_notes.min(options.least_supporting))
            .collect();
        // The most frequent first; equal counts by name, so that the order depends on the data alone.
        frequent.sort_by_key(|&(label, count)| (std::cmp::Reverse(count), label));
        let (reported, rest): (Vec<_>, Vec<_>) = frequent
            .into_iter()
            .partition(|&(_, count)| count >= options.least_notes);
        let names =
            |part: &[(&Label, usize)]| part.iter().map(|&(label, _)| label.clone()).collect::<Vec<_>>();
        let (labels, supporting) = (names(&reported), names(&rest));
        let index: HashMap<&Label, usize> = labels.iter().chain(&supporting).zip(1..).collect();
        let outputs = 1 + index.len();

        let mut examples: BTreeMap<[u8; 32], Example> = BTreeMap::new();
        let mut digests = Vec::with_capacity(notes.len());
        for note in notes {
            let read = ReadText::of_note(&note.note, &options.reads);
            let pieces = base.tokenizer.pieces(read.text())?;
            if pieces.is_empty() {
                continue;
            }
            let room = options.window.saturating_sub(2);
            let mut ends = sentence_ends(read.text(), &pieces);
            ends.retain(|&end| end <= room + 1);
            let mut ids = pieces.ids;
            ids.truncate(room);
            let ids = base.tokenizer.input(&ids);
            let mut targets = vec![0.0; outputs];
            targets[0] = f32::from(u8::from(note.abnormal));
            for at in note.findings.iter().filter_map(|label| index.get(label)) {
                targets[*at] = 1.0;
            }
            let bytes: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes()).collect();
            let key = *Digest::of_parts(&[&options.seed.to_le_bytes(), &bytes]).as_bytes();
            let flags: Vec<u8> = targets.iter().map(|&t| u8::from(t > 0.5)).collect();
            digests.push(*Digest::of_parts(&[note.note.digest().get().as_bytes(), &flags]).as_bytes());
            let example = examples.entry(key).or_insert_with(|| Example {
                ids,
                ends,
                targets: vec![0.0; targets.len()],
                copies: 0.0,
            });
            example.copies += 1.0;
            for (sum, target) in example.targets.iter_mut().zip(&targets) {
                *sum += target;
            }
        }
        digests.sort_unstable();
        let rows = digests.len();
        let digest = Digest::of_parts(&digests.iter().map(<[u8; 32]>::as_slice).collect::<Vec<_>>());
        let (mut train, mut held_out) = (Vec::new(), Vec::new());
        for (place, mut example) in places(examples) {
            for target in &mut example.targets {
                *target /= example.copies;
            }
            if place < options.held_out {
                &mut held_out
            } else {
                &mut train
            }
            .push(example);
        }
        let both = |part: &[Example]| {
            part.iter().any(|example| example.targets[0] > 0.5)
                && part.iter().any(|example| example.targets[0] < 0.5)
        };
        if !(both(&train) && both(&held_out)) {
            return Err(CorpusError::TooFew(rows));
        }
        Ok(Self {
            train,
            held_out,
            labels,
            supporting,
            rows,
            digest,
        })
    }

    /// The findings that are reported, the most frequent first.
    #[must_use]
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// The findings that are learned, but have too few notes to be reported.
    #[must_use]
    pub fn supporting(&self) -> &[Label] {
        &self.supporting
    }

    /// Outputs of the head: abnormal, findings, supporting.
    pub(crate) fn outputs(&self) -> usize {
        1 + self.labels.len() + self.supporting.len()
    }

    /// Notes with at least one word.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Distinct texts to train on, and distinct texts that are kept out.
    #[must_use]
    pub const fn parts(&self) -> (usize, usize) {
        (self.train.len(), self.held_out.len())
    }

    /// SHA-256 over the notes' digests and labels, whatever their order.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn base() -> Base {
        let folder = tempfile::tempdir().expect("a folder");
        testing::write_base(folder.path()).expect("a base");
        Base::open(folder.path(), None).expect("a base that opens")
    }

    fn options() -> Options {
        Options {
            least_notes: 20,
            held_out: 0.3,
            window: 16,
            ..Options::default()
        }
    }

    #[test]
    fn copies_are_joined_and_no_text_is_on_both_sides() -> Result<(), CorpusError> {
        let base = base();
        let mut notes = testing::notes();
        notes.extend(testing::notes());
        // The same text with another label: a conflict.
        let first = &notes[0];
        notes.push(LabelledNote {
            note: first.note.clone(),
            abnormal: !first.abnormal,
            findings: Vec::new(),
        });
        let corpus = Corpus::new(&notes, &base, &options())?;
        let (train, held_out) = corpus.parts();
        assert_eq!((corpus.rows(), train + held_out), (161, 80));
        let all = || corpus.train.iter().chain(&corpus.held_out);
        assert!((all().map(|example| example.copies).sum::<f32>() - 161.0).abs() < 1e-3);
        assert!(all().any(|example| (example.targets[0] - 2.0 / 3.0).abs() < 1e-6));
        let sides: std::collections::HashSet<&[u32]> = corpus
            .train
            .iter()
            .map(|example| example.ids.as_slice())
            .collect();
        assert!(
            corpus
                .held_out
                .iter()
                .all(|example| !sides.contains(example.ids.as_slice()))
        );
        Ok(())
    }

    #[test]
    fn near_copies_stay_on_one_side() {
        // A hundred texts of forty pieces, each with a copy whose last piece is another.
        let mut examples = BTreeMap::new();
        let ids = |number: u32, last: u32| -> Vec<u32> {
            (0..39).map(|at| number * 39 + at).chain([last]).collect()
        };
        for number in 0..100 {
            for last in [90_000, 90_001] {
                let ids = ids(number, last);
                let bytes: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes()).collect();
                let example = Example {
                    ids,
                    ends: Vec::new(),
                    targets: Vec::new(),
                    copies: 1.0,
                };
                examples.insert(*Digest::of(&bytes).as_bytes(), example);
            }
        }
        let placed: HashMap<Vec<u32>, f64> = places(examples)
            .map(|(place, example)| (example.ids, place))
            .collect();
        assert_eq!(placed.len(), 200);
        for number in 0..100 {
            let (one, other) = (placed[&ids(number, 90_000)], placed[&ids(number, 90_001)]);
            assert!((one - other).abs() < 1e-15 && (0.0..1.0).contains(&one));
        }
        let first = placed[&ids(0, 90_000)];
        assert!(placed.values().any(|place| (place - first).abs() > 0.1));
    }

    #[test]
    fn rare_findings_are_not_learned_and_seldom_ones_not_reported() -> Result<(), CorpusError> {
        let base = base();
        let mut notes = testing::notes();
        for note in notes.iter_mut().take(3) {
            note.findings.push(Label::new("rare"));
        }
        for note in notes.iter_mut().take(12) {
            note.findings.push(Label::new("seldom"));
        }
        let corpus = Corpus::new(&notes, &base, &options())?;
        let names = |labels: &[Label]| {
            labels
                .iter()
                .map(Label::as_str)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(names(corpus.labels()), ["effusion", "nodule"]);
        assert_eq!(names(corpus.supporting()), ["seldom"]);
        assert_eq!(corpus.train[0].targets.len(), 4);
        Ok(())
    }

    #[test]
    fn the_digest_follows_notes_and_labels_but_not_their_order() -> Result<(), CorpusError> {
        let (base, options) = (base(), options());
        let digest =
            |notes: &[LabelledNote]| Ok::<_, CorpusError>(Corpus::new(notes, &base, &options)?.digest());
        let mut notes = testing::notes();
        let before = digest(&notes)?;
        notes.reverse();
        assert_eq!(digest(&notes)?, before);
        notes[0].abnormal = !notes[0].abnormal;
        assert_ne!(digest(&notes)?, before);
        Ok(())
    }

    #[test]
    fn notes_of_one_kind_are_too_few() {
        let notes: Vec<LabelledNote> = testing::notes()
            .into_iter()
            .filter(|note| note.abnormal)
            .collect();
        assert!(matches!(
            Corpus::new(&notes, &base(), &options()),
            Err(CorpusError::TooFew(40))
        ));
        assert!(matches!(
            Corpus::new(&[], &base(), &options()),
            Err(CorpusError::TooFew(0))
        ));
    }
}
