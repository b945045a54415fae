//! What is wrong with labelled notes before anything learns from them: copies and near copies, patients and texts on both
//! sides of a split, labels that contradict one another, texts that say nothing, other languages, identifiers that the
//! gateway still finds. No I/O; rows come in scrubbed, and what comes out names rows by their numbers.

mod language;
pub(crate) mod minhash;
mod split;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use clinical::PhiClass;
use seal::Digest;
use serde::Serialize;

use minhash::{Groups, Shingles};
pub use split::Share;

/// A labelled note, scrubbed.
#[derive(Clone, Debug)]
pub struct Row {
    /// Number or name of the row in its file.
    pub uid: String,
    /// Whose it is, as an opaque text; `None` where the file does not say.
    pub patient: Option<String>,
    /// Part of the data set that it belongs to so far.
    pub split: Option<String>,
    /// The scrubbed text.
    pub text: String,
    /// Labels, in any order.
    pub labels: Vec<String>,
    /// Class of each identifier that the gateway took out of the text.
    pub identifiers: Vec<PhiClass>,
}

/// From where something counts as wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct CleaningOptions {
    /// Least similarity of near copies, in (0, 1].
    pub near: f64,
    /// A sentence is boilerplate when it stands in this part of the distinct texts, and in at least ten.
    pub boilerplate: f64,
    /// A text with fewer words says nothing.
    pub least_words: usize,
    /// The new parts; empty to keep those that the rows have.
    pub shares: Vec<Share>,
    /// Seed of the new parts.
    pub seed: u64,
}

impl Default for CleaningOptions {
    /// Near copies from 0.9, boilerplate from 5 % of the texts, three words, parts as they are.
    fn default() -> Self {
        Self {
            near: 0.9,
            boilerplate: 0.05,
            least_words: 3,
            shares: Vec::new(),
            seed: 2026,
        }
    }
}

/// A sentence that many texts share.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Boilerplate {
    /// The sentence, scrubbed, in lower case.
    pub sentence: String,
    /// Distinct texts that have it.
    pub texts: usize,
}

/// A patient or a group of texts on both sides of a split.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Leak {
    /// The parts.
    pub splits: Vec<String>,
    /// The rows' uids.
    pub rows: Vec<String>,
}

/// Everything that was found. Rows are named by uid.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Findings {
    /// Rows that were read.
    pub rows: usize,
    /// Distinct texts, in lower case and without regard to blanks and punctuation.
    pub distinct_texts: usize,
    /// Patients, where rows say whose they are.
    pub patients: usize,
    /// Rows of each part.
    pub splits: BTreeMap<String, usize>,
    /// Rows of each label, the most frequent first.
    pub labels: Vec<(String, usize)>,
    /// Rows by number of words: 0–9, 10–19, …; the last holds the rest.
    pub lengths: Vec<usize>,
    /// Rows with fewer words than asked for.
    pub empty: Vec<String>,
    /// Groups of rows with the same text.
    pub exact: Vec<Vec<String>>,
    /// Groups of rows whose texts nearly agree, exact copies among them.
    pub near: Vec<Vec<String>>,
    /// Pairs of near copies by similarity: 0.80, 0.81, … 0.99 at least.
    pub similarities: BTreeMap<String, usize>,
    /// Patients in more than one part.
    pub patient_leaks: Vec<Leak>,
    /// Texts, or near copies, in more than one part.
    pub text_leaks: Vec<Leak>,
    /// Groups of rows with the same text and other labels.
    pub conflicts: Vec<Vec<String>>,
    /// Sentences that many texts share.
    pub boilerplate: Vec<Boilerplate>,
    /// Rows of nothing but boilerplate.
    pub only_boilerplate: Vec<String>,
    /// Rows in another language, and which.
    pub foreign: Vec<(String, String)>,
    /// Rows in which the gateway found identifiers, by class.
    pub identifiers: BTreeMap<String, usize>,
    /// Rows in which it found any.
    pub rows_with_identifiers: usize,
    /// Rows of each new part, without those left out.
    pub parts: BTreeMap<String, usize>,
    /// Rows left out, by reason; a row has the first that fits.
    pub left_out: BTreeMap<String, usize>,
}

/// Where each row goes: the name of its part, or why it is left out.
pub type Place = Result<String, &'static str>;

/// Words of a text, in lower case.
fn words(lower: &str) -> Vec<&str> {
    lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect()
}

/// Sentences of a text, in lower case: cut after `.`, `!`, `?` and line ends.
fn sentences(lower: &str) -> impl Iterator<Item = String> {
    lower
        .split(['.', '!', '?', '\n'])
        .map(|sentence| words(sentence).join(" "))
        .filter(|sentence| !sentence.is_empty())
}

/// Groups of more than one row, as uids.
fn groups_of(rows: &[Row], groups: impl IntoIterator<Item = Vec<usize>>) -> Vec<Vec<String>> {
    groups
        .into_iter()
        .filter(|group| group.len() > 1)
        .map(|group| uids(rows, &group))
        .collect()
}

fn uids(rows: &[Row], group: &[usize]) -> Vec<String> {
    group.iter().map(|&at| rows[at].uid.clone()).collect()
}

/// Groups whose rows lie in more than one part.
fn leaks(rows: &[Row], groups: impl IntoIterator<Item = Vec<usize>>) -> Vec<Leak> {
    groups
        .into_iter()
        .filter_map(|group| {
            let splits: BTreeSet<&String> = group.iter().filter_map(|&at| rows[at].split.as_ref()).collect();
            (splits.len() > 1).then(|| Leak {
                splits: splits.into_iter().cloned().collect(),
                rows: uids(rows, &group),
            })
        })
        .collect()
}

fn by_group(groups: &mut Groups, count: usize) -> Vec<Vec<usize>> {
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for at in 0..count {
        members.entry(groups.find(at)).or_default().push(at);
    }
    members.into_values().collect()
}

/// Looks at all rows, and says where each should go: texts that are empty, foreign or copied are left out, and so
/// are rows whose labels are not those of more than half of the copies of their text (what is nothing but boilerplate is only named: many a normal report is), and the others keep their part, or get one of the new parts, none of which shares a patient or a text, or near
/// copies, with another.
#[must_use]
pub fn examine(rows: &[Row], options: &CleaningOptions) -> (Findings, Vec<Place>) {
    let lower: Vec<String> = rows.iter().map(|row| row.text.to_lowercase()).collect();
    let tokens: Vec<Vec<&str>> = lower.iter().map(|text| words(text)).collect();
    let mut found = Findings {
        rows: rows.len(),
        ..Findings::default()
    };
    counts(rows, &tokens, options.least_words, &mut found);

    // Exact copies: one text, whatever its blanks, punctuation and capitals.
    let mut copies: HashMap<&[&str], Vec<usize>> = HashMap::new();
    for (at, words) in tokens.iter().enumerate() {
        copies.entry(words.as_slice()).or_default().push(at);
    }
    let mut copies: Vec<Vec<usize>> = copies.into_values().collect();
    copies.sort_unstable();
    let empty: Vec<bool> = tokens
        .iter()
        .map(|words| words.len() < options.least_words)
        .collect();
    let texts: Vec<&Vec<usize>> = copies.iter().filter(|group| !empty[group[0]]).collect();
    found.distinct_texts = texts.len();
    found.exact = groups_of(rows, texts.iter().map(|group| (*group).clone()));
    found.conflicts = groups_of(
        rows,
        texts
            .iter()
            .filter(|group| conflicting(rows, group))
            .map(|group| (*group).clone()),
    );

    // Near copies, among the distinct texts.
    let shingles: Vec<Shingles> = texts
        .iter()
        .map(|group| Shingles::of(&tokens[group[0]]))
        .collect();
    let mut alike = Groups::new(rows.len());
    for group in &texts {
        for &other in &group[1..] {
            alike.join(group[0], other);
        }
    }
    let mut near_members = BTreeSet::new();
    for pair in minhash::pairs(&shingles, options.near) {
        let (a, b) = (texts[pair.first][0], texts[pair.second][0]);
        alike.join(a, b);
        near_members.extend([a, b]);
        *found
            .similarities
            .entry(format!("{:.2}", (pair.similarity * 100.0).floor() / 100.0))
            .or_default() += 1;
    }
    let near_roots: HashSet<usize> = near_members.iter().map(|&at| alike.find(at)).collect();
    let groups = by_group(&mut alike, rows.len());
    found.near = groups_of(
        rows,
        groups
            .iter()
            .filter(|group| near_roots.contains(&group[0]))
            .cloned(),
    );
    found.text_leaks = leaks(rows, groups);

    // Patients.
    let mut patients: BTreeMap<&String, Vec<usize>> = BTreeMap::new();
    for (at, row) in rows.iter().enumerate() {
        if let Some(patient) = &row.patient {
            patients.entry(patient).or_default().push(at);
        }
    }
    found.patients = patients.len();
    found.patient_leaks = leaks(rows, patients.values().cloned());

    boilerplate(rows, &lower, &texts, options, &mut found);
    let foreign: Vec<Option<&str>> = tokens.iter().map(|words| language::foreign(words)).collect();
    found.foreign = rows
        .iter()
        .zip(&foreign)
        .filter_map(|(row, language)| Some((row.uid.clone(), (*language)?.to_owned())))
        .collect();

    // New parts: whoever shares a patient or a text stays together.
    for members in patients.values() {
        for &other in &members[1..] {
            alike.join(members[0], other);
        }
    }
    let reasons = reasons(rows, &copies, &empty, &foreign);
    let parts = new_parts(rows, &tokens, &mut alike, &reasons, options);
    let places: Vec<Place> = reasons
        .iter()
        .zip(parts)
        .map(|(reason, part)| reason.map_or(Ok(part), Err))
        .collect();
    for place in &places {
        match place {
            Ok(part) => *found.parts.entry(part.clone()).or_default() += 1,
            Err(reason) => *found.left_out.entry((*reason).to_owned()).or_default() += 1,
        }
    }
    (found, places)
}

/// Why each row is left out, if it is.
fn reasons(
    rows: &[Row],
    copies: &[Vec<usize>],
    empty: &[bool],
    foreign: &[Option<&str>],
) -> Vec<Option<&'static str>> {
    let mut reasons: Vec<Option<&'static str>> = vec![None; rows.len()];
    for group in copies {
        let kept = majority(rows, group);
        let mut first = true;
        for &at in group {
            reasons[at] = if empty[at] {
                Some("empty")
            } else if foreign[at].is_some() {
                Some("another language")
            } else if kept.as_ref() != Some(&label_set(&rows[at])) {
                Some("labels contradict those of its copies")
            } else if !std::mem::take(&mut first) {
                Some("copy")
            } else {
                None
            };
        }
    }
    reasons
}

fn new_parts(
    rows: &[Row],
    tokens: &[Vec<&str>],
    alike: &mut Groups,
    reasons: &[Option<&str>],
    options: &CleaningOptions,
) -> Vec<String> {
    if options.shares.is_empty() {
        let own = |row: &Row| row.split.clone().unwrap_or_else(|| "all".to_owned());
        return rows.iter().map(own).collect();
    }
    // Only rows that stay count for the sizes; a row that is left out still ties its group together.
    let kept: Vec<usize> = (0..rows.len()).filter(|&at| reasons[at].is_none()).collect();
    let mut first: HashMap<usize, usize> = HashMap::new();
    let mut groups = Groups::new(kept.len());
    for (place, &at) in kept.iter().enumerate() {
        let start = *first.entry(alike.find(at)).or_insert(place);
        groups.join(start, place);
    }
    let keys: Vec<[u8; 32]> = kept
        .iter()
        .map(|&at| {
            let text = tokens[at].join(" ");
            *Digest::of_parts(&[&options.seed.to_le_bytes(), text.as_bytes()]).as_bytes()
        })
        .collect();
    let assigned = split::assign(&mut groups, &keys, &options.shares);
    let mut parts = vec![String::new(); rows.len()];
    for (&at, part) in kept.iter().zip(assigned) {
        parts[at].clone_from(&options.shares[part].name);
    }
    parts
}

fn label_set(row: &Row) -> BTreeSet<&str> {
    row.labels.iter().map(String::as_str).collect()
}

/// Whether rows of one text have other labels.
fn conflicting(rows: &[Row], group: &[usize]) -> bool {
    group
        .windows(2)
        .any(|pair| label_set(&rows[pair[0]]) != label_set(&rows[pair[1]]))
}

/// The labels that more than half of the rows of one text have.
fn majority<'a>(rows: &'a [Row], group: &[usize]) -> Option<BTreeSet<&'a str>> {
    let mut votes: BTreeMap<BTreeSet<&str>, usize> = BTreeMap::new();
    for &at in group {
        *votes.entry(label_set(&rows[at])).or_default() += 1;
    }
    votes
        .into_iter()
        .find(|(_, votes)| 2 * votes > group.len())
        .map(|(labels, _)| labels)
}

fn counts(rows: &[Row], tokens: &[Vec<&str>], least: usize, found: &mut Findings) {
    let mut labels: BTreeMap<&String, usize> = BTreeMap::new();
    found.lengths = vec![0; 21];
    for (row, words) in rows.iter().zip(tokens) {
        let split = row.split.clone().unwrap_or_else(|| "all".to_owned());
        *found.splits.entry(split).or_default() += 1;
        for label in row.labels.iter().collect::<BTreeSet<_>>() {
            *labels.entry(label).or_default() += 1;
        }
        found.lengths[(words.len() / 10).min(20)] += 1;
        if words.len() < least {
            found.empty.push(row.uid.clone());
        }
        for class in row
            .identifiers
            .iter()
            .map(|class| class.tag())
            .collect::<BTreeSet<_>>()
        {
            *found.identifiers.entry(class.to_owned()).or_default() += 1;
        }
        found.rows_with_identifiers += usize::from(!row.identifiers.is_empty());
    }
    found.labels = labels
        .into_iter()
        .map(|(label, count)| (label.clone(), count))
        .collect();
    found
        .labels
        .sort_by_key(|(label, count)| (std::cmp::Reverse(*count), label.clone()));
}

/// Sentences that many distinct texts share, and which rows have no other.
fn boilerplate(
    rows: &[Row],
    lower: &[String],
    texts: &[&Vec<usize>],
    options: &CleaningOptions,
    found: &mut Findings,
) {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for group in texts {
        for sentence in sentences(&lower[group[0]]).collect::<BTreeSet<_>>() {
            *seen.entry(sentence).or_default() += 1;
        }
    }
    let least = (crate::metrics::count(texts.len()) * options.boilerplate).max(10.0);
    seen.retain(|_, texts| crate::metrics::count(*texts) >= least);
    let flags: Vec<bool> = lower
        .iter()
        .map(|text| {
            let mut any = false;
            let all = sentences(text).all(|sentence| {
                any = true;
                seen.contains_key(&sentence)
            });
            any && all
        })
        .collect();
    found.boilerplate = seen
        .into_iter()
        .map(|(sentence, texts)| Boilerplate { sentence, texts })
        .collect();
    found
        .boilerplate
        .sort_by_key(|one| (std::cmp::Reverse(one.texts), one.sentence.clone()));
    found.only_boilerplate = rows
        .iter()
        .zip(&flags)
        .filter(|(_, only)| **only)
        .map(|(row, _)| row.uid.clone())
        .collect();
}

#[cfg(test)]
mod tests;
