//! What `data clean` found, for people.

use training::cleaning::{CleaningOptions, Findings, Leak};

use super::super::figures::{Bars, Figures, Table};

/// Rows of a table at most; the JSON beside the page has all.
const MOST_ROWS: usize = 200;

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn float(count: usize) -> f64 {
    count as f64
}

/// Rows in groups, beyond the first of each.
fn beyond(groups: &[Vec<String>]) -> usize {
    groups.iter().map(|group| group.len() - 1).sum()
}

/// The numbers in one list.
pub(super) fn summary(found: &Findings, skipped: usize) -> Vec<(String, String)> {
    let mut lines: Vec<(String, usize)> = vec![("rows".to_owned(), found.rows)];
    lines.extend(
        found
            .splits
            .iter()
            .map(|(split, rows)| (format!("  in {split}"), *rows)),
    );
    for (name, count) in [
        ("patients", found.patients),
        ("resources without a report, passed over", skipped),
        ("distinct texts", found.distinct_texts),
        ("rows that say nothing", found.empty.len()),
        ("exact copies beyond the first", beyond(&found.exact)),
        ("groups of near copies", found.near.len()),
        ("patients in more than one part", found.patient_leaks.len()),
        ("texts in more than one part", found.text_leaks.len()),
        ("texts with contradicting labels", found.conflicts.len()),
        ("sentences that many texts share", found.boilerplate.len()),
        ("rows of nothing else", found.only_boilerplate.len()),
        ("rows in another language", found.foreign.len()),
        (
            "rows in which the gateway found identifiers",
            found.rows_with_identifiers,
        ),
    ] {
        lines.push((name.to_owned(), count));
    }
    lines.extend(
        found
            .identifiers
            .iter()
            .map(|(class, rows)| (format!("  {class}"), *rows)),
    );
    lines.extend(
        found
            .left_out
            .iter()
            .map(|(reason, rows)| (format!("left out: {reason}"), *rows)),
    );
    lines.extend(
        found
            .parts
            .iter()
            .map(|(part, rows)| (format!("clean part {part}"), *rows)),
    );
    lines
        .into_iter()
        .map(|(name, count)| (name, count.to_string()))
        .collect()
}

/// The page.
pub(super) fn page(found: &Findings, options: &CleaningOptions, skipped: usize) -> Figures {
    let lengths = found.lengths.iter().enumerate().map(|(at, rows)| {
        let label = if at == 20 {
            "200 words and more".to_owned()
        } else {
            format!("{}–{} words", at * 10, at * 10 + 9)
        };
        (label, float(*rows))
    });
    let trouble = [
        ("say nothing", found.empty.len()),
        ("exact copies", beyond(&found.exact)),
        ("near copies", beyond(&found.near)),
        ("contradicting labels", found.conflicts.iter().map(Vec::len).sum()),
        ("nothing but boilerplate", found.only_boilerplate.len()),
        ("another language", found.foreign.len()),
        ("identifiers found", found.rows_with_identifiers),
        ("patient in two parts", rows_of(&found.patient_leaks)),
        ("text in two parts", rows_of(&found.text_leaks)),
    ];
    let named = |map: &std::collections::BTreeMap<String, usize>| -> Vec<(String, f64)> {
        map.iter()
            .map(|(name, count)| (name.clone(), float(*count)))
            .collect()
    };
    let mut bars = vec![
        Bars::new(
            "Rows with trouble",
            trouble.map(|(name, count)| (name.to_owned(), float(count))),
        ),
        Bars::new("Rows by length", lengths),
        Bars::new(
            "Rows by label",
            found
                .labels
                .iter()
                .map(|(label, rows)| (label.clone(), float(*rows))),
        ),
    ];
    for (title, map) in [
        ("Pairs of near copies by similarity", &found.similarities),
        (
            "Rows in which the gateway found identifiers, by class",
            &found.identifiers,
        ),
        ("Rows of each clean part", &found.parts),
    ] {
        if !map.is_empty() {
            bars.push(Bars::new(title, named(map)));
        }
    }
    Figures {
        title: "Labelled reports, looked over".to_owned(),
        lead: vec![
            "Rows are named by their uid. Texts are not shown; sentences of boilerplate are shown as the gateway left them.".to_owned(),
            format!(
                "Near copies share {} of their runs of three words or more; boilerplate stands in {} of the distinct texts or more, and in ten at least.",
                options.near, options.boilerplate
            ),
        ],
        bars,
        curves: Vec::new(),
        tables: tables(found, skipped),
    }
}

fn rows_of(leaks: &[Leak]) -> usize {
    leaks.iter().map(|leak| leak.rows.len()).sum()
}

fn tables(found: &Findings, skipped: usize) -> Vec<Table> {
    let table = |title: &str, note: &str, heads: [&str; 2], rows: Vec<Vec<String>>| Table {
        title: format!("{title} ({})", rows.len()),
        note: if rows.len() > MOST_ROWS {
            format!("{note} The first {MOST_ROWS} are shown; the JSON beside this page has all.")
        } else {
            note.to_owned()
        },
        heads: heads.map(str::to_owned).to_vec(),
        rows: rows.into_iter().take(MOST_ROWS).collect(),
    };
    let groups = |groups: &[Vec<String>]| -> Vec<Vec<String>> {
        groups
            .iter()
            .map(|group| vec![group.join(", "), group.len().to_string()])
            .collect()
    };
    let leaks = |leaks: &[Leak]| -> Vec<Vec<String>> {
        leaks
            .iter()
            .map(|leak| vec![leak.rows.join(", "), leak.splits.join(", ")])
            .collect()
    };
    let summary = summary(found, skipped)
        .into_iter()
        .map(|(name, value)| vec![name, value])
        .collect();
    let mut all = vec![Table {
        title: "In numbers".to_owned(),
        note: String::new(),
        heads: vec!["What".to_owned(), "How many".to_owned()],
        rows: summary,
    }];
    let boilerplate = found
        .boilerplate
        .iter()
        .map(|one| vec![one.sentence.clone(), one.texts.to_string()])
        .collect();
    let foreign = found
        .foreign
        .iter()
        .map(|(uid, language)| vec![uid.clone(), language.clone()])
        .collect();
    for one in [
        table(
            "Patients in more than one part",
            "Whatever is measured on such a part is too good.",
            ["Rows", "Parts"],
            leaks(&found.patient_leaks),
        ),
        table(
            "Texts in more than one part",
            "Copies and near copies.",
            ["Rows", "Parts"],
            leaks(&found.text_leaks),
        ),
        table(
            "Contradicting labels",
            "The same text with other labels: the labels of more than half of the rows stay, the other rows are left out.",
            ["Rows", "Count"],
            groups(&found.conflicts),
        ),
        table(
            "Exact copies",
            "The first of each stays.",
            ["Rows", "Count"],
            groups(&found.exact),
        ),
        table(
            "Near copies",
            "They stay, in the same part.",
            ["Rows", "Count"],
            groups(&found.near),
        ),
        table(
            "Sentences that many texts share",
            "They stay.",
            ["Sentence", "Texts"],
            boilerplate,
        ),
        table("Other languages", "Left out.", ["Row", "Language"], foreign),
        table(
            "Texts that say nothing",
            "Left out.",
            ["Row", ""],
            found
                .empty
                .iter()
                .map(|uid| vec![uid.clone(), String::new()])
                .collect(),
        ),
    ] {
        if !one.rows.is_empty() {
            all.push(one);
        }
    }
    all
}
