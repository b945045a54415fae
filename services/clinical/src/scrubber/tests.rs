//! The scrubber as a whole: what goes, what stays, and the way back.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::token::{fold, tokens};
use super::*;
use crate::{Span, to_original, to_scrubbed};

static SCRUBBER: LazyLock<Scrubber> = LazyLock::new(|| Scrubber::new(seal::MacKey::new(&[11; 32])));

fn known() -> Known<'static> {
    Known {
        patient: [1; 16],
        names: vec!["Thoralf Quillfeather-Brandt", "Foley"],
        others: vec!["Dr. Ysolde Marchbanks"],
        identifiers: vec!["MR-0048213"],
        phones: vec!["+1 312 867 5309"],
        emails: vec!["thoralf@quill.example"],
        address: vec!["3309 Old Mill Road", "Oakhollow", "75001"],
        birth_date: time::Date::from_calendar_date(1956, time::Month::March, 14).ok(),
    }
}

pub(super) fn scrub(text: &str) -> Scrubbed {
    SCRUBBER.scrub(text, &Known::default())
}

/// Clinical language without any identifier, a sentence a line: not a byte may change.
const CLEAN: &str = include_str!("clean.txt");

#[test]
fn clean_text_is_unchanged() {
    assert!(CLEAN.lines().count() >= 40);
    for text in CLEAN.lines() {
        let scrubbed = SCRUBBER.scrub(text, &known());
        let touched: Vec<&str> = scrubbed
            .redactions
            .iter()
            .map(|r| &text[r.original.start as usize..r.original.end as usize])
            .collect();
        assert!(touched.is_empty(), "{text}: {touched:?}");
        assert_eq!(scrubbed.note.text(), text);
    }
    assert_eq!(SCRUBBER.scrub(CLEAN, &known()).note.text(), CLEAN);
}

#[test]
fn a_known_date_of_birth_moves_with_the_other_dates() {
    let parts = |text: &str| -> Vec<time::Date> {
        text.split([' ', ',', '.'])
            .filter_map(|word| {
                let numbers: Vec<i32> = word
                    .split(['/', '-'])
                    .map_while(|part| part.parse().ok())
                    .collect();
                let &[a, b, c] = numbers.as_slice() else {
                    return None;
                };
                let (year, month, day) = if a > 1000 { (a, b, c) } else { (c, a, b) };
                let month = time::Month::try_from(u8::try_from(month).ok()?).ok()?;
                time::Date::from_calendar_date(year, month, u8::try_from(day).ok()?).ok()
            })
            .collect()
    };
    for born in ["03/14/1956", "1956-03-14", "3/14/1956", "03-14-1956"] {
        let text = format!("Patient born {born}, seen 11/02/2026, again 11/30/2026 at age 70.");
        let (before, scrubbed) = (parts(&text), SCRUBBER.scrub(&text, &known()));
        let after = parts(scrubbed.note.text());
        assert_eq!((before.len(), after.len()), (3, 3), "{}", scrubbed.note.text());
        assert_ne!(before, after);
        for (pair, shifted) in before.windows(2).zip(after.windows(2)) {
            assert_eq!(pair[1] - pair[0], shifted[1] - shifted[0], "{born}");
        }
        // What is not written with two digits each the rules of format find alone.
        assert!(scrubbed.redactions[0].known || born.starts_with("3/"));
    }
}

#[test]
fn a_report_loses_its_owner_and_keeps_its_findings() {
    let text = "Patient: Thoralf Quillfeather-Brandt  MRN: 0048213  DOB: 03/14/1956\n\
                Exam date: 2026-11-02. Mr. Quillfeather-Brandt, a 70-year-old man of 3309 Old Mill Rd, Oakhollow, TX 75001.\n\
                FINDINGS: The heart measures 12.4 cm. Foley catheter in place. Small left effusion, compared to 10/28/2026.\n\
                Reported to Y. Marchbanks, MD, phone (312) 867-5309, thoralf@quill.example.";
    let scrubbed = SCRUBBER.scrub(text, &known());
    let out = scrubbed.note.text();
    for gone in [
        "Thoralf",
        "Quillfeather",
        "Brandt",
        "48213",
        "1956-",
        "03/14",
        "2026-11-02",
        "3309",
        "Old Mill",
        "Oakhollow",
        "75001",
        "10/28",
        "Marchbanks",
        "867-5309",
        "quill",
    ] {
        assert!(!out.contains(gone), "{gone}: {out}");
    }
    for kept in [
        "FINDINGS: The heart measures 12.4 cm. Foley catheter in place. Small left effusion",
        "70-year-old man",
        "TX",
        "MD",
    ] {
        assert!(out.contains(kept), "{kept}: {out}");
    }
    assert!(
        scrubbed
            .redactions
            .iter()
            .any(|r| r.known && r.class == PhiClass::Name)
    );
    assert!(
        scrubbed
            .redactions
            .iter()
            .any(|r| !r.known && r.class == PhiClass::Date)
    );
}

#[test]
fn surrogates_agree_within_a_patient_and_differ_between_patients() {
    let text = "Thoralf Quillfeather, MRN 0048213, seen 2026-03-14 and 2026-03-20.";
    let one = known();
    let other = Known {
        patient: [2; 16],
        ..known()
    };
    let first = SCRUBBER.scrub(text, &one);
    assert_eq!(first.note.text(), SCRUBBER.scrub(text, &one).note.text());
    assert_ne!(first.note.text(), SCRUBBER.scrub(text, &other).note.text());
    let elsewhere = Scrubber::new(seal::MacKey::new(&[12; 32]));
    assert_ne!(first.note.text(), elsewhere.scrub(text, &one).note.text());
    // Intervals stay: six days lie between the two dates before and after.
    let days = |text: &str| -> Vec<time::Date> {
        let form = time::macros::format_description!("[year]-[month]-[day]");
        text.split([' ', ','])
            .filter_map(|word| time::Date::parse(word.trim_end_matches('.'), form).ok())
            .collect()
    };
    let dates = days(first.note.text());
    assert_eq!(dates.len(), 2, "{}", first.note.text());
    assert_eq!((dates[1] - dates[0]).whole_days(), 6);
    assert!((1..=364).contains(&(days(text)[0] - dates[0]).whole_days()));
}

#[test]
fn dates_of_a_day_first_text_are_read_so() {
    let scrubbed = scrub("Vu le 25/03/2026 et le 04/05/2026.");
    let out = scrubbed.note.text();
    let read = |part: &str| -> time::Date {
        let numbers: Vec<i32> = part.split('/').filter_map(|number| number.parse().ok()).collect();
        let month = u8::try_from(numbers[1])
            .ok()
            .and_then(|m| time::Month::try_from(m).ok())
            .expect("a month");
        time::Date::from_calendar_date(numbers[2], month, u8::try_from(numbers[0]).expect("a day"))
            .expect("a date")
    };
    let dates: Vec<time::Date> = out
        .split(' ')
        .filter(|word| word.contains('/'))
        .map(|word| read(word.trim_end_matches('.')))
        .collect();
    assert_eq!((dates[1] - dates[0]).whole_days(), 40);
}

#[test]
fn odd_texts_are_scrubbed_without_harm() {
    for text in [
        "",
        " ",
        "\u{feff}",
        "XXXX",
        "@",
        "Dr.",
        "Dr. ",
        "MRN:",
        "1/",
        "\u{301}\u{301}",
        "👩\u{200d}👩\u{200d}👧 12 \u{202e}abc",
        "Mr. \u{200b}",
    ] {
        let scrubbed = scrub(text);
        assert!(scrubbed.redactions.is_empty(), "{text:?}");
        assert_eq!(scrubbed.note.text(), text);
    }
}

#[test]
fn long_runs_of_anything_are_scrubbed() {
    for unit in [
        "a.",
        "3128675309.",
        "1/2 ",
        "@",
        "A. ",
        "Dr. A. ",
        "1",
        "a:",
        "mrn ",
        "é",
        "Xy Hospital of ",
        "12 Oak ",
        "1-2-",
        "De La ",
    ] {
        let text: String = unit.chars().cycle().take(20_000).collect();
        let scrubbed = SCRUBBER.scrub(&text, &known());
        assert!(scrubbed.note.text().len() >= text.len() / 2, "{unit}");
    }
}

/// What must hold of every scrubbed text.
fn check(text: &str, scrubbed: &Scrubbed) {
    let out = scrubbed.note.text();
    let (mut original, mut new) = (0, 0);
    for redaction in &scrubbed.redactions {
        let (from, to) = (redaction.original.start as usize, redaction.original.end as usize);
        let (new_from, new_to) = (redaction.scrubbed.start as usize, redaction.scrubbed.end as usize);
        assert!(original <= from && from < to && new <= new_from && new_from < new_to);
        // What lies between two replacements is the same in both texts, and no surrogate is what it replaces.
        assert_eq!(text.get(original..from), out.get(new..new_from));
        assert_ne!(text.get(from..to), out.get(new_from..new_to));
        assert_eq!(
            to_original(&scrubbed.redactions, redaction.scrubbed),
            redaction.original
        );
        assert_eq!(
            to_scrubbed(&scrubbed.redactions, redaction.original),
            redaction.scrubbed
        );
        (original, new) = (to, new_to);
    }
    assert_eq!(text.get(original..), out.get(new..));
    for (at, _) in out.char_indices() {
        let here = u32::try_from(at).expect("short text");
        let back = to_original(
            &scrubbed.redactions,
            Span {
                start: here,
                end: here,
            },
        );
        assert!(text.is_char_boundary(back.start as usize) && back.start <= back.end);
    }
}

const PROSE: [&str; 16] = [
    "the lungs are clear",
    "no focal consolidation",
    "heart size is normal",
    "stable since the prior study",
    "with mild edema",
    "FINDINGS:",
    "measures 3.4 x 2.1 cm",
    "BP 120/80",
    "seen today",
    "reports chest pain",
    "was discharged",
    "IMPRESSION:",
    "for follow up",
    "2 L of oxygen",
    "5 mg daily",
    "and denies dyspnea",
];

/// One way to write a name of a given and a family part.
fn written(given: &str, family: &str, way: usize, case: usize) -> String {
    let initial = given.chars().next().unwrap_or('T');
    let name = match way {
        0 => format!("{given} {family}"),
        1 => format!("{family}, {given}"),
        2 => format!("{family},{given}"),
        3 => format!("{initial}. {family}"),
        4 => format!("{family} {initial}"),
        5 => format!("{given}\n{family}"),
        6 => format!("{given}  {family}"),
        7 => format!("{given}\u{a0}{family}"),
        8 => family.to_owned(),
        9 => given.to_owned(),
        10 => format!("Mr. {family}'s"),
        11 => format!("{given} B. {family}"),
        12 => format!("({given}-{family})"),
        _ => format!("{family}^{given}"),
    };
    match case {
        0 => name,
        1 => name.to_uppercase(),
        _ => name.to_lowercase(),
    }
}

fn split_digits(digits: &str, separator: &str, group: usize) -> String {
    let chars: Vec<char> = digits.chars().collect();
    chars
        .chunks(group)
        .map(|chunk| chunk.iter().collect::<String>())
        .collect::<Vec<_>>()
        .join(separator)
}

/// What the redactions of a scrubbed text cover.
fn taken(text: &str) -> Vec<&str> {
    SCRUBBER
        .scrub(text, &Known::default())
        .redactions
        .iter()
        .map(|redaction| &text[redaction.original.start as usize..redaction.original.end as usize])
        .collect()
}

#[test]
fn organisms_stay_beside_names() {
    for text in [
        "Guideline for new dx of H. pylori in 47yo F",
        "E. coli, C. difficile and S. aureus grew",
        "K. pneumoniae and P. aeruginosa; C. diff negative",
        "M. tuberculosis, H influenzae, N. gonorrhoeae",
    ] {
        assert_eq!(taken(text), Vec::<&str>::new(), "{text}");
    }
    assert_eq!(taken("Dr. H. Pylorus grew H. pylori"), ["Dr. H. Pylorus"]);
}

#[test]
fn labels_before_numbers_and_holidays() {
    assert_eq!(
        taken("Seen Tues 3/4, fell on Christmas Day. Acct 7734-221-A, Job: 554213, zip 03601, group 88213."),
        [
            "Tues 3/4",
            "Christmas Day",
            "7734-221-A",
            "554213",
            "03601",
            "88213"
        ]
    );
    // The tagger takes these labels and this graft for names, were they not left.
    assert_eq!(
        taken("DOB: 04.11.62  MRN#00-8812-45  Acct 7734-221-A  SSN xxx-xx-4471"),
        ["04.11.62", "00-8812-45", "7734-221-A", "xxx-xx-4471"]
    );
    assert_eq!(
        taken("Ms. Quill is a 61F w/ HTN, s/p CABG x3 (LIMA-LAD) at OSH in 2011."),
        ["Ms. Quill"]
    );
    assert_eq!(
        taken("Compare to 6/2 study. Case mgr at x5512; heparin 2 x5000 units, x1000 mL."),
        ["6/2", "x5512"]
    );
    assert_eq!(
        taken(
            "Christmas disease, Labor day 2 of stay? No: strength Mon 1/2 tab. High resolution CT. WHO group 2 PH, CABG x3 (LIMA-LAD)."
        ),
        [] as [&str; 0]
    );
}

#[test]
fn two_strangers_side_by_side_are_a_name() {
    assert_eq!(taken("Vrabelgo Zholtaku was seen"), ["Vrabelgo Zholtaku"]);
}

#[test]
fn what_belongs_to_a_find_goes_with_it() {
    for (text, wanted) in [
        ("signed by Thora Ferncastle MD today", "Thora Ferncastle MD"),
        (
            "signed by Thora Ferncastle, MD, PhD.",
            "Thora Ferncastle, MD, PhD",
        ),
        (
            "lives at 12 Acorn Street, Oakville, South Africa",
            "Oakville, South Africa",
        ),
        ("her home city Oakville del Roblar is far", "Oakville del Roblar"),
    ] {
        assert!(taken(text).contains(&wanted), "{text}: {:?}", taken(text));
    }
    // A degree alone, a country without an address, and a facility that is only of a kind.
    for text in [
        "MD to bedside, RN aware",
        "a trip to Portugal, South Africa and Italy",
        "travelled to Kenya and back from Georgia",
    ] {
        assert_eq!(taken(text), Vec::<&str>::new(), "{text}");
    }
    let scrubbed = SCRUBBER.scrub("signed by Thora Ferncastle, MD", &Known::default());
    assert!(
        scrubbed.note.text().ends_with(", MD"),
        "the surrogate keeps the degree"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn known_identifiers_never_survive(
        person in 0_usize..6,
        way in 0_usize..14,
        case in 0_usize..3,
        number in 10_000_u32..99_999_999,
        separator in 0_usize..5,
        group in 2_usize..5,
        phone in 2_002_000_000_u64..9_999_999_999,
        phone_way in 0_usize..6,
        before in 0_usize..16,
        after in 0_usize..16,
    ) {
        let (given, family) = [
            ("Thoralf", "Quillfeather"), ("Zoë", "Brandtner"), ("Siobhán", "O'Farrelly"), ("Jörg", "Mühlenbeck"),
            ("Grzegorz", "Wójcik"), ("Marisol", "Vandersloot"),
        ][person];
        let mrn = format!("0{number}");
        let digits = phone.to_string();
        let full = format!("{given} {family}");
        let known = Known {
            patient: [7; 16],
            names: vec![&full],
            identifiers: vec![&mrn],
            phones: vec![&digits],
            ..Known::default()
        };
        let name = written(given, family, way, case);
        let spelled = split_digits(&number.to_string(), ["", "-", " ", ".", "/"][separator], group);
        let (a, b, c) = (&digits[..3], &digits[3..6], &digits[6..]);
        let call = match phone_way {
            0 => digits.clone(),
            1 => format!("({a}) {b}-{c}"),
            2 => format!("{a}.{b}.{c}"),
            3 => format!("+1 {a} {b} {c}"),
            4 => format!("1-{a}-{b}-{c}"),
            _ => format!("{a}-{b}{c}"),
        };
        let text = format!("{} {name} {} #{spelled}, {} {call}; {}", PROSE[before], PROSE[after], PROSE[after], PROSE[before]);
        let scrubbed = SCRUBBER.scrub(&text, &known);
        let out = scrubbed.note.text();
        let (given, family) = (fold(given), fold(family));
        for token in tokens(out) {
            let word = fold(&out[token.range()]);
            prop_assert!(word != given && word != family, "a name survived");
        }
        let bare: String = out.chars().filter(|c| !" -./()+#".contains(*c)).collect();
        prop_assert!(!bare.contains(&number.to_string()), "a number survived");
        prop_assert!(!bare.contains(&digits), "a phone survived");
        check(&text, &scrubbed);
    }

    #[test]
    fn offsets_lead_back_from_any_text(text in "(\\PC|[0-9/.,: -]|Dr\\. [A-Z][a-z]{3,6}|MRN 12[0-9]{4}|\n){0,60}") {
        let scrubbed = SCRUBBER.scrub(&text, &known());
        check(&text, &scrubbed);
    }

    #[test]
    fn any_unicode_is_scrubbed(text in any::<String>()) {
        let scrubbed = SCRUBBER.scrub(&text, &known());
        check(&text, &scrubbed);
    }

    #[test]
    fn dates_in_prose_never_survive(year in 1930_i32..2030, ordinal in 1_u16..366, way in 0_usize..9, before in 0_usize..16) {
        let date = time::Date::from_ordinal_date(year, ordinal.min(365)).expect("a day of the year");
        let (m, d) = (u8::from(date.month()), date.day());
        let month = date.month().to_string();
        let written = match way {
            0 => format!("{year}-{m:02}-{d:02}"),
            1 => format!("{m}/{d}/{year}"),
            2 => format!("{m:02}-{d:02}-{year}"),
            3 => format!("{d} {month} {year}"),
            4 => format!("{month} {d}, {year}"),
            5 => format!("{d:02}-{}-{year}", &month[..3].to_uppercase()),
            6 => format!("{year}{m:02}{d:02}"),
            7 => format!("{d:02}.{m:02}.{year}"),
            _ => format!("{year}/{m:02}/{d:02}"),
        };
        let text = format!("{} on {written}. {}", PROSE[before], PROSE[15 - before]);
        let scrubbed = scrub(&text);
        prop_assert!(!scrubbed.note.text().contains(&written));
        prop_assert_eq!(scrubbed.redactions.len(), 1 );
        check(&text, &scrubbed);
    }
}

static TAGS: LazyLock<Scrubber> =
    LazyLock::new(|| Scrubber::new(seal::MacKey::new(&[11; 32])).replacing(Replacement::Tags { year: 2026 }));

#[test]
fn tags_say_what_stood_there_and_no_more() {
    let known = known();
    for (text, wanted) in [
        (
            "Thoralf Quillfeather, seen 03/14/2026 at Lakeview Hospital. ZIP: 78701.",
            "[NAME], seen [DATE 2026] at [LOCATION]. ZIP: [ZIP 787**].",
        ),
        ("ZIP 03601 is small.", "ZIP [ZIP 000**] is small."),
        (
            "a 94-year-old woman, born in 1931",
            "a [AGE 90+] woman, born in [DATE]",
        ),
        ("born in 1961; DOB 05/02/1931", "born in 1961; DOB [DATE]"),
        ("SSN 219-09-9999, call 312-867-5309.", "SSN [SSN], call [PHONE]."),
        ("WBC 1900, in 1900 mL", "WBC 1900, in 1900 mL"),
    ] {
        assert_eq!(TAGS.scrub(text, &known).note.text(), wanted, "{text}");
    }
}

#[test]
fn evidence_says_what_found_it_and_how_sure() {
    let scrubbed = SCRUBBER.scrub(
        "Thoralf Quillfeather saw Ysabel Thornquist on 03/14/2026.",
        &known(),
    );
    let evidence: Vec<(Finder, bool)> = scrubbed.redactions.iter().map(|r| (r.finder, r.known)).collect();
    assert_eq!(evidence.first(), Some(&(Finder::KnownName, true)));
    assert_eq!(evidence.last(), Some(&(Finder::DateFormat, false)));
    assert!(
        scrubbed.redactions.iter().all(|r| r.sure > 20 && r.sure <= 100),
        "{:?}",
        scrubbed.redactions
    );
}

/// Texts that look like notes, which the tagger and the rules find more in than in noise.
fn noteish() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "Dr. ",
        "Quill",
        "Thornquist",
        "Mary ",
        "MRN ",
        "1234567",
        " on ",
        "03/14/2026",
        " at ",
        "Oakville",
        ", TX ",
        "78701",
        "\n",
        ". ",
        "John ",
        "94-year-old",
        "[NAME]",
        "[",
        "]",
        "St. ",
        "Hospital",
        " denies pain",
        "Mrs. ",
        "é",
        "in 1931",
        "de la ",
        "II",
        "A. ",
        "12 Acorn Street",
        "ZIP ",
        "555-0199",
        " x@y.example ",
        "small effusion ",
        "NOTE: ",
        "\u{200b}",
        "‘",
        "ﬁ",
    ]);
    prop::collection::vec(part, 0..24).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn tagging_twice_is_tagging_once(text in noteish()) {
        let once = TAGS.scrub(&text, &known());
        let twice = TAGS.scrub(once.note.text(), &known());
        prop_assert_eq!(once.note.text(), twice.note.text());
        check(&text, &once);
    }

    #[test]
    fn tagging_any_text_twice_is_tagging_once(text in any::<String>()) {
        let once = TAGS.scrub(&text, &known());
        let twice = TAGS.scrub(once.note.text(), &known());
        prop_assert_eq!(once.note.text(), twice.note.text());
    }

    #[test]
    fn offsets_round_trip_at_every_boundary(text in noteish()) {
        for scrubber in [&*SCRUBBER, &*TAGS] {
            let scrubbed = scrubber.scrub(&text, &known());
            for (at, c) in text.char_indices() {
                let span = Span { start: u32::try_from(at).unwrap_or(0), end: u32::try_from(at + c.len_utf8()).unwrap_or(0) };
                let there = to_scrubbed(&scrubbed.redactions, span);
                let back = to_original(&scrubbed.redactions, there);
                prop_assert!(back.start <= span.start && back.end >= span.end);
                let out = scrubbed.note.text();
                prop_assert!(out.is_char_boundary(there.start as usize) && out.is_char_boundary(there.end as usize));
                // Outside every replacement the way there and back is exact.
                if !scrubbed.redactions.iter().any(|r| r.original.start < span.end && span.start < r.original.end) {
                    prop_assert_eq!(back, span);
                    prop_assert_eq!(out.get(there.start as usize..there.end as usize), text.get(at..at + c.len_utf8()));
                }
            }
        }
    }
}

/// A thousand eponyms, drugs, scores and doses, a line each, from terminology and not from any set of notes.
const TERMS: &str = include_str!("terms.txt");

#[test]
fn a_thousand_terms_are_left() {
    assert_eq!(TERMS.lines().count(), 1000);
    let touched: Vec<&str> = TERMS
        .lines()
        .filter(|line| !scrub(line).redactions.is_empty())
        .collect();
    assert!(touched.is_empty(), "{touched:#?}");
}

#[test]
fn surrogates_keep_the_gender_of_a_name() {
    let key = seal::MacKey::new(&[3; 32]);
    let scrubber = Scrubber::new(key);
    let women: std::collections::HashSet<&str> = include_str!("../lexicon/surrogate_women.txt")
        .split_whitespace()
        .collect();
    let men: std::collections::HashSet<&str> = include_str!("../lexicon/surrogate_men.txt")
        .split_whitespace()
        .collect();
    for patient in 0..50 {
        let known = Known {
            patient: [patient; 16],
            ..Known::default()
        };
        let out = scrubber.scrub(
            "Mrs. Margaret Whitfield and her son Robert Whitfield came.",
            &known,
        );
        let words: Vec<&str> = out.note.text().split([' ', '.']).collect();
        assert!(words.iter().any(|word| women.contains(word)), "{words:?}");
        assert!(words.iter().any(|word| men.contains(word)), "{words:?}");
    }
}

fn found_in(text: &str) -> Vec<(&str, Finder)> {
    let redactions = scrub(text).redactions;
    let at = |r: &Redaction| &text[r.original.start as usize..r.original.end as usize];
    redactions.iter().map(|r| (at(r), r.finder)).collect()
}

#[test]
fn the_tagger_finds_names_and_places_that_no_rule_announces() {
    for (text, wanted) in [
        ("Ysabel Thornquist denies chest pain.", "Ysabel Thornquist"),
        (
            "Her case resembles that of Odalys Brankovic, who did well.",
            "Odalys Brankovic",
        ),
        ("We grew up together in Winterthur, he says.", "Winterthur"),
        (
            "ferncastle denies pain. sent to oakhollow by marchbanks.",
            "ferncastle",
        ),
    ] {
        let found = found_in(text);
        assert!(found.contains(&(wanted, Finder::Tagger)), "{text}: {found:?}");
    }
}

#[test]
fn small_parts_go_with_what_they_belong_to() {
    for (text, wanted) in [
        (
            "Odalys van der Brankovic denies pain.",
            "Odalys van der Brankovic",
        ),
        ("Spoke with Odalys Brankovic Jr about it.", "Odalys Brankovic Jr"),
        ("Seen at the Winterthur clinic again.", "Winterthur clinic"),
        ("Moved to 48 12 Thornquistgatan 15, Winterthur.", "48 12"),
    ] {
        let found = found_in(text);
        assert!(
            found.iter().any(|(found, _)| *found == wanted),
            "{text}: {found:?}"
        );
    }
}

#[test]
fn what_shorthand_says_of_a_patient_is_found() {
    for (text, wanted) in [
        ("Seen with Thora Ferncastle, 94.", "94"),
        ("Overnight on the 18th she had a fever.", "18th"),
        ("Next hearing the 22nd.", "22nd"),
        ("Return Thursday the ninth.", "ninth"),
        ("Form to Ferncastle's daughter.", "Ferncastle"),
        ("for a 57-year-old man, Rune K., admitted last week", "Rune K"),
        ("Her car has plate 7KRX 204 today.", "7KRX 204"),
        ("SSN last4 0094 confirmed", "0094"),
        ("Self-pay, acct ending 3308.", "3308"),
        ("SSN: ***-**-8841", "***-**-8841"),
        ("License NY 288104", "288104"),
        ("Notified at 419/555-0107.", "419/555-0107"),
        ("Please call 20.46.59.48.18 at home", "20.46.59.48.18"),
        ("A man assessed at 94103 for cough", "94103"),
        ("Knee replaced at 33101 on the left", "33101"),
        ("Patients like him from 33101, treated with rest", "33101"),
        ("Exchange transfusion 2/2 via L fem", "2/2"),
        ("Anuric 10/4 13:02 again.", "10/4"),
        ("RTC 9/4.", "9/4"),
        ("Moved here from Port Thornquist in spring", "Port Thornquist"),
    ] {
        let found = found_in(text);
        assert!(
            found.iter().any(|(found, _)| *found == wanted),
            "{text}: {found:?}"
        );
    }
}

#[test]
fn what_looks_like_it_in_shorthand_is_left() {
    for text in [
        "On the 5th metatarsal; by the 3rd rib; the 25th percentile.",
        "BiPAP 14/6, IOP 14/16, nodes 4/12.",
        "Common in California, Texas and Ohio.",
        "Seen at 12000 feet; WBC 12500.",
        "Tokyo III, Vienna 1.0, Ottawa knee neg.",
        "Quincke, Duroziez and Corrigan signs are absent.",
        "Hasson 12, Veress 5.",
        "BP 94, HR 98.",
    ] {
        let found = found_in(text);
        assert!(found.is_empty(), "{text}: {found:?}");
    }
}

/// The floor below which a change of rules or of weights must not push names that nobody told: 99.4 % were covered when the
/// floor was set.
#[test]
fn names_of_third_persons_are_found_in_planted_notes() {
    let mut planter = crate::leak::Planter::new(77);
    let mut score = crate::leak::Score::default();
    for _ in 0..1500 {
        let note = planter.note();
        score.add(&note, &scrub(&note.text).redactions);
    }
    let names = score.by_class["NAME"].full_cover();
    assert!(
        names.whole > 2000 && names.part * 1000 >= names.whole * 990,
        "{names:?}"
    );
    assert!(
        score.other_chars.part * 100 <= score.other_chars.whole * 3,
        "{:?}",
        score.other_chars
    );
}

/// Found by fuzzing: parts of known names were compared in an order that differed from run to run, so that a word near two of
/// them was taken for one once and for the other the next time.
#[test]
fn a_slip_near_several_known_names_is_read_the_same_each_time() {
    let known = Known {
        patient: [1; 16],
        names: vec!["Quillfeather e-ncounter"],
        ..Known::default()
    };
    let text = "twice a day, uncounter came";
    let words = Words::new(text, &SCRUBBER.lexicon);
    for _ in 0..40 {
        let mut hits = Vec::new();
        KnownNames::new(&known, &SCRUBBER.lexicon).find(&words, &SCRUBBER.lexicon, &mut hits);
        let found: Vec<&str> = hits.into_iter().map(|hit| &text[hit.range]).collect();
        assert_eq!(found, ["uncounter"]);
    }
}
