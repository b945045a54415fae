use super::*;

fn row(uid: &str, patient: &str, split: &str, text: &str, labels: &[&str]) -> Row {
    Row {
        uid: uid.to_owned(),
        patient: (!patient.is_empty()).then(|| patient.to_owned()),
        split: (!split.is_empty()).then(|| split.to_owned()),
        text: text.to_owned(),
        labels: labels.iter().map(|&label| label.to_owned()).collect(),
        identifiers: Vec::new(),
    }
}

/// A text of its own for each number: nouns that no other number shares.
fn story(number: usize) -> String {
    (0..30)
        .map(|at| format!("word{number}x{at}"))
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn each_kind_of_trouble_is_found_and_named() {
    let near = format!("{} changed", story(1));
    let mut rows = vec![
        row("a", "p1", "train", &story(0), &["edema"]),
        row(
            "b",
            "p2",
            "dev",
            &format!("  {}.", story(0).to_uppercase()),
            &["edema"],
        ),
        row("c", "p3", "train", &story(1), &["edema"]),
        row("d", "p4", "train", &near, &["nodule"]),
        row("e", "p1", "dev", &story(2), &["normal"]),
        row("f", "p5", "train", &story(3), &["normal"]),
        row("g", "p6", "train", &story(3), &["edema"]),
        row("h", "p7", "train", "Normal.", &["normal"]),
        row(
            "i",
            "p8",
            "train",
            "Das Herz ist nicht vergrößert und die Lungen sind ohne Infiltrate.",
            &[],
        ),
    ];
    rows[0].identifiers = vec![PhiClass::Name, PhiClass::Name, PhiClass::Date];
    let (found, places) = examine(&rows, &CleaningOptions::default());
    assert_eq!((found.rows, found.distinct_texts, found.patients), (9, 6, 8));
    assert_eq!(found.exact, [["a", "b"], ["f", "g"]]);
    assert_eq!(found.near, [["c", "d"]]);
    assert_eq!(found.conflicts, [["f", "g"]]);
    assert_eq!(found.empty, ["h"]);
    assert_eq!(found.foreign, [("i".to_owned(), "German".to_owned())]);
    assert_eq!(found.patient_leaks.len(), 1);
    assert_eq!(found.patient_leaks[0].rows, ["a", "e"]);
    assert_eq!(found.text_leaks.len(), 1);
    assert_eq!(found.text_leaks[0].splits, ["dev", "train"]);
    assert_eq!(
        found.identifiers,
        BTreeMap::from([("DATE".to_owned(), 1), ("NAME".to_owned(), 1)])
    );
    assert_eq!(found.rows_with_identifiers, 1);
    let said: Vec<&str> = places
        .iter()
        .map(|place| place.as_ref().map_or_else(|reason| *reason, String::as_str))
        .collect();
    let conflict = "labels contradict those of its copies";
    assert_eq!(
        said,
        [
            "train",
            "copy",
            "train",
            "train",
            "dev",
            conflict,
            conflict,
            "empty",
            "another language"
        ]
    );
    assert_eq!(
        found.left_out.values().sum::<usize>() + found.parts.values().sum::<usize>(),
        9
    );
}

#[test]
fn the_majority_of_the_copies_is_right_and_a_draw_is_nobodys() {
    let rows: Vec<Row> = [("a", "edema"), ("b", "normal"), ("c", "normal"), ("d", "normal")]
        .map(|(uid, label)| row(uid, "", "train", &story(0), &[label]))
        .to_vec();
    let (found, places) = examine(&rows, &CleaningOptions::default());
    assert_eq!(found.conflicts, [["a", "b", "c", "d"]]);
    let conflict = Err("labels contradict those of its copies");
    assert_eq!(
        places,
        [conflict.clone(), Ok("train".to_owned()), Err("copy"), Err("copy")]
    );
    let (_, draw) = examine(&rows[..2], &CleaningOptions::default());
    assert_eq!(draw, [conflict.clone(), conflict]);
}

#[test]
fn clean_rows_have_nothing_wrong() {
    let rows: Vec<Row> = (0..20)
        .map(|number| {
            row(
                &number.to_string(),
                &number.to_string(),
                "train",
                &story(number),
                &["normal"],
            )
        })
        .collect();
    let (found, places) = examine(&rows, &CleaningOptions::default());
    assert!(found.exact.is_empty() && found.near.is_empty() && found.text_leaks.is_empty());
    assert!(found.conflicts.is_empty() && found.foreign.is_empty() && found.patient_leaks.is_empty());
    assert!(places.iter().all(|place| *place == Ok("train".to_owned())));
    assert_eq!(
        examine(&[], &CleaningOptions::default()).0,
        Findings {
            lengths: vec![0; 21],
            ..Findings::default()
        }
    );
}

#[test]
fn boilerplate_is_named_and_stays() {
    let mut rows: Vec<Row> = (0..40)
        .map(|number| {
            let text = format!("The lungs are clear. {}.", story(number));
            row(&number.to_string(), "", "", &text, &["normal"])
        })
        .collect();
    rows.push(row("all", "", "", "THE LUNGS ARE CLEAR", &["normal"]));
    let (found, places) = examine(&rows, &CleaningOptions::default());
    assert_eq!(found.boilerplate.len(), 1);
    assert_eq!(
        (found.boilerplate[0].sentence.as_str(), found.boilerplate[0].texts),
        ("the lungs are clear", 41)
    );
    assert_eq!(found.only_boilerplate, ["all"]);
    assert_eq!(places[40], Ok("all".to_owned()));
}

#[test]
fn new_parts_share_no_patient_and_no_text() {
    // Ninety patients with three notes each; the last note of each is nearly that of the next patient's first.
    let mut rows = Vec::new();
    for patient in 0..90 {
        for note in 0..3 {
            let text = if note == 2 && patient % 3 != 2 {
                format!("{} again", story(3 * (patient + 1)))
            } else {
                story(3 * patient + note)
            };
            let uid = format!("{patient}-{note}");
            rows.push(row(&uid, &patient.to_string(), "train", &text, &["normal"]));
        }
    }
    let options = CleaningOptions {
        shares: [("train", 0.8), ("dev", 0.2)]
            .map(|(name, part)| Share {
                name: name.to_owned(),
                part,
            })
            .to_vec(),
        ..CleaningOptions::default()
    };
    let (found, places) = examine(&rows, &options);
    assert_eq!(found.near.len(), 60);
    let mut moved = rows.clone();
    for (row, place) in moved.iter_mut().zip(&places) {
        row.split = place.clone().ok();
    }
    let (again, _) = examine(&moved, &CleaningOptions::default());
    assert!(again.patient_leaks.is_empty() && again.text_leaks.is_empty());
    assert!(
        found.parts["dev"] >= 45 && found.parts["dev"] <= 63,
        "{:?}",
        found.parts
    );
    // A part that follows the row's number instead leaks at once: the check can fail.
    for (at, row) in moved.iter_mut().enumerate() {
        row.split = Some(if at % 2 == 0 { "train" } else { "dev" }.to_owned());
    }
    let (leaky, _) = examine(&moved, &CleaningOptions::default());
    assert!(!leaky.patient_leaks.is_empty() && !leaky.text_leaks.is_empty());
}
