//! Identifiers that the hospital told us: numbers, contacts, addresses, the date of birth.

use std::collections::HashMap;

use super::context::has_unit;
use super::hit::{Hit, Kind};
use super::known_address::{Part, Phrase, is_street_type, phrase_at, slip_at, street_word};
use super::lexicon::{Classes, Lexicon};
use super::token::{Case, Token, fold, tokens};
use super::typo::is_near;
use super::words::Words;
use crate::{Known, PhiClass};

/// A value to be sought as a run of letters and digits, whatever separates them.
#[derive(Clone)]
struct Value {
    /// Small letters and digits without separators; leading zeros of every run of digits are gone.
    canonical: Vec<char>,
    class: PhiClass,
    kind: Kind,
    /// Zeros before digits do not count.
    zeros: bool,
}

/// Everything but names that is known of one patient, ready to be sought.
pub(crate) struct KnownValues<'k> {
    values: HashMap<char, Vec<Value>>,
    phrases: Vec<Phrase>,
    contacts: Vec<&'k str>,
    /// Digits of the identifiers that have six or more.
    numbers: Vec<String>,
}

/// Fewest letters and digits of a value that is sought without a label; the rules of format find shorter ones by
/// their labels.
const LEAST: usize = 5;

/// What may separate the groups of one number.
const SEPARATORS: &str = " \t\n\r-./#_:()+";

impl<'k> KnownValues<'k> {
    pub(crate) fn new(known: &Known<'k>, lexicon: &Lexicon) -> Self {
        let mut this = Self {
            values: HashMap::new(),
            phrases: Vec::new(),
            contacts: Vec::new(),
            numbers: Vec::new(),
        };
        for identifier in &known.identifiers {
            let whole = canonical(identifier, true);
            let digits: String = identifier.chars().filter(char::is_ascii_digit).collect();
            if digits.len() > 5 {
                this.numbers.push(digits.clone());
            }
            this.value(whole, PhiClass::Mrn, Kind::Code, true);
            // The digits alone identify where they are many (`MR-00123456` written `123456`).
            this.value(canonical(&digits, true), PhiClass::Mrn, Kind::Code, true);
        }
        for phone in &known.phones {
            let digits: Vec<char> = phone.chars().filter(char::is_ascii_digit).collect();
            for length in [digits.len(), 11, 10, 9, 7] {
                // Without country code, without trunk prefix, without area code.
                if let Some(tail) = digits
                    .len()
                    .checked_sub(length)
                    .map(|from| digits[from..].to_vec())
                    && length >= 7
                {
                    this.value(tail, PhiClass::Phone, Kind::Phone, false);
                }
            }
        }
        for contact in &known.emails {
            if contact.trim().len() > 3 {
                this.contacts.push(contact.trim());
            }
        }
        for line in &known.address {
            this.address(line, lexicon);
        }
        if let Some(birth) = known.birth_date {
            let (year, month, day) = (birth.year(), u8::from(birth.month()), birth.day());
            // Only the writings without any separator, which the rules of format cannot tell from other numbers.
            for text in [
                format!("{month:02}{day:02}{year:04}"),
                format!("{day:02}{month:02}{year:04}"),
                format!("{year:04}{month:02}{day:02}"),
                format!("{month:02}{day:02}{:02}", year.rem_euclid(100)),
                format!("{day:02}{month:02}{:02}", year.rem_euclid(100)),
                format!("{:02}{month:02}{day:02}", year.rem_euclid(100)),
            ] {
                this.value(text.chars().collect(), PhiClass::Date, Kind::Code, false);
            }
        }
        this
    }

    fn value(&mut self, canonical: Vec<char>, class: PhiClass, kind: Kind, zeros: bool) {
        if canonical.len() < LEAST || !canonical.iter().any(char::is_ascii_digit) {
            return;
        }
        let Some(&first) = canonical.first() else { return };
        let values = self.values.entry(first).or_default();
        if !values.iter().any(|value| value.canonical == canonical) {
            values.push(Value {
                canonical,
                class,
                kind,
                zeros,
            });
        }
    }

    /// Takes an address apart: street line, city, postal code. States and countries are no identifiers.
    fn address(&mut self, line: &str, lexicon: &Lexicon) {
        for segment in line.split([',', '\n', ';']) {
            let mut words: Vec<(Part, bool)> = tokens(segment)
                .into_iter()
                .map(|token| (Part::new(fold(&segment[token.range()])), token.is_word()))
                .collect();
            // A postal code at the end of a segment stands for itself.
            while let Some((last, word)) = words.last() {
                let number = !word && last.told.len() >= 4 && words.len() > 1;
                let state = *word && last.form.len() == 2 && words.len() > 1 && !is_street_type(&last.form);
                if number {
                    self.value(last.told.chars().collect(), PhiClass::Location, Kind::Code, false);
                } else if !state {
                    break;
                }
                words.pop();
            }
            let letters: Vec<Part> = words
                .iter()
                .filter(|(_, word)| *word)
                .map(|(part, _)| part.clone())
                .collect();
            let numbered = words.first().is_some_and(|(_, word)| !word);
            match (numbered, letters.len()) {
                (true, 0) => {
                    let digits = words.iter().flat_map(|(part, _)| part.told.chars()).collect();
                    self.value(digits, PhiClass::Location, Kind::Code, false);
                }
                (true, _) => {
                    // The line, and the street without its number where it has a name and a type.
                    let line: Vec<Part> = words.iter().map(|(part, _)| part.clone()).collect();
                    let named = letters.iter().any(|word| {
                        !lexicon.classes(&word.form).is(Classes::PLACE) && word.form.chars().count() > 2
                    });
                    if let (true, Some(end)) = (
                        letters.len() > 1,
                        line.iter().rposition(|word| is_street_type(&word.form)),
                    ) {
                        self.phrase(line[..=end].to_vec(), true, Kind::Street, lexicon);
                        let street = line[1..=end].to_vec();
                        if street.len() > 1 {
                            self.phrase(street, named, Kind::Street, lexicon);
                        }
                    }
                    self.phrase(line, true, Kind::Street, lexicon);
                }
                (false, 0) => {}
                (false, _) => {
                    let short = letters.iter().map(|word| word.form.len()).sum::<usize>() < 4;
                    if !short {
                        self.phrase(letters, true, Kind::Place, lexicon);
                    }
                }
            }
        }
    }

    /// Seeks a run of words; one that is not `named`, and one word that is also a word of the language, only in capitals.
    fn phrase(&mut self, words: Vec<Part>, named: bool, kind: Kind, lexicon: &Lexicon) {
        let word = words.len() == 1
            && words.iter().all(|word| {
                lexicon
                    .classes(&word.form)
                    .is(Classes::COMMON.or(Classes::EPONYM))
            });
        let common = word || !named;
        if !words.is_empty() {
            self.phrases.push(Phrase { words, common, kind });
        }
    }

    /// The known values in `text`.
    pub(crate) fn find(&self, words: &Words<'_>, hits: &mut Vec<Hit>) {
        let (text, tokens) = (words.text, words.tokens.as_slice());
        for contact in &self.contacts {
            contact_hits(text, contact, hits);
        }
        if self.values.is_empty() && self.phrases.is_empty() {
            return;
        }
        for at in 0..tokens.len() {
            let folded = fold(&text[tokens[at].range()]);
            self.values_at(text, tokens, at, &folded, hits);
            if tokens[at].case == Case::Digits && self.is_slip(&folded) && !has_unit(text, tokens[at].end) {
                hits.push(Hit::known(tokens[at].range(), PhiClass::Other, Kind::Code));
            }
            let form = street_word(&folded);
            for phrase in &self.phrases {
                let exact = phrase
                    .words
                    .first()
                    .filter(|first| first.form == form)
                    .and_then(|_| phrase_at(words, at, phrase));
                if let Some(range) = exact.or_else(|| slip_at(words, at, &folded, phrase)) {
                    hits.push(Hit::known(range, PhiClass::Location, phrase.kind.clone()));
                }
            }
        }
    }

    /// Whether a run of digits is a known number of six digits or more, written with one slip.
    fn is_slip(&self, digits: &str) -> bool {
        digits.len() > 4
            && self.numbers.iter().any(|number| {
                number.len() > 5 && number != digits && is_near(number.as_bytes(), digits.as_bytes())
            })
    }

    fn values_at(&self, text: &str, tokens: &[Token], at: usize, folded: &str, hits: &mut Vec<Hit>) {
        let token = &tokens[at];
        let stripped = folded.trim_start_matches('0');
        let firsts = [
            folded.chars().next(),
            stripped.chars().next().filter(|_| stripped.len() < folded.len()),
        ];
        for value in firsts
            .into_iter()
            .flatten()
            .filter_map(|first| self.values.get(&first))
            .flatten()
        {
            let possible = value.zeros || (!stripped.is_empty() && folded.starts_with(value.canonical[0]));
            if let (true, Some(end)) = (possible, reaches(text, tokens, at, value)) {
                hits.push(Hit::known(token.start..end, value.class, value.kind.clone()));
            }
        }
    }
}

/// Small letters and digits of a value; zeros that lead a run of digits are dropped where they do not count.
fn canonical(text: &str, zeros: bool) -> Vec<char> {
    let mut out: Vec<char> = Vec::new();
    for c in text
        .chars()
        .flat_map(char::to_lowercase)
        .filter(|c| c.is_alphanumeric())
    {
        if zeros && c == '0' && !out.last().is_some_and(char::is_ascii_digit) {
            continue;
        }
        out.push(c);
    }
    out
}

/// Where `value` ends if it starts at token `at`: its characters follow each other through the tokens, with single
/// separators between.
fn reaches(text: &str, tokens: &[Token], at: usize, value: &Value) -> Option<usize> {
    let mut left = value.canonical.iter();
    let mut after_digit = false;
    let mut end = tokens.get(at)?.start;
    for token in &tokens[at..] {
        let between = text.get(end..token.start)?;
        if between.len() > 3 || !between.chars().all(|c| SEPARATORS.contains(c)) {
            return None;
        }
        for c in text[token.range()]
            .chars()
            .flat_map(char::to_lowercase)
            .filter(|c| c.is_alphanumeric())
        {
            if value.zeros && c == '0' && !after_digit {
                continue;
            }
            if left.next() != Some(&c) {
                return None;
            }
            after_digit = c.is_ascii_digit();
        }
        end = token.end;
        if left.len() == 0 {
            return Some(end);
        }
    }
    None
}

/// Every place where `contact` stands, whatever its capitals.
fn contact_hits(text: &str, contact: &str, hits: &mut Vec<Hit>) {
    let (class, kind) = if contact.contains('@') {
        (PhiClass::Email, Kind::Email)
    } else {
        (PhiClass::Url, Kind::Url)
    };
    let Some(first) = contact.bytes().next() else {
        return;
    };
    let bytes = text.as_bytes();
    let mut at = 0;
    while at + contact.len() <= bytes.len() {
        let here = bytes[at].eq_ignore_ascii_case(&first)
            && bytes[at..at + contact.len()].eq_ignore_ascii_case(contact.as_bytes())
            && text.is_char_boundary(at)
            && text.is_char_boundary(at + contact.len());
        if here {
            hits.push(Hit::known(at..at + contact.len(), class, kind.clone()));
            at += contact.len();
        } else {
            at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(known: &Known<'_>, text: &str) -> Vec<String> {
        let lexicon = Lexicon::new();
        let mut hits = Vec::new();
        KnownValues::new(known, &lexicon).find(&Words::new(text, &lexicon), &mut hits);
        let hits = super::super::hit::resolve(text, hits);
        hits.into_iter().map(|hit| text[hit.range].to_owned()).collect()
    }

    #[test]
    fn numbers_are_found_with_other_separators() {
        let known = Known {
            identifiers: vec!["MR-0048213"],
            ..Known::default()
        };
        for (text, wanted) in [
            ("MR-0048213", "MR-0048213"),
            ("mr48213", "mr48213"),
            ("MR 00 48213", "MR 00 48213"),
            ("# 0048213.", "0048213"),
            ("48-213", "48-213"),
            ("x 48 213 y", "48 213"),
            ("MR#48213", "MR#48213"),
        ] {
            assert_eq!(found(&known, text), [wanted], "{text}");
        }
        for text in ["482130", "148213", "48 21", "4821 mg 3", "48, 213"] {
            assert!(
                found(&known, text).is_empty(),
                "{text}: {:?}",
                found(&known, text)
            );
        }
    }

    #[test]
    fn phones_are_found_in_any_format() {
        let known = Known {
            phones: vec!["+1 (312) 867-5309"],
            ..Known::default()
        };
        for (text, wanted) in [
            ("3128675309", "3128675309"),
            ("312.867.5309", "312.867.5309"),
            ("1-312-867-5309", "1-312-867-5309"),
            ("867 5309", "867 5309"),
            ("(312) 867 5309", "312) 867 5309"),
            ("31 28 67 53 09", "31 28 67 53 09"),
        ] {
            assert_eq!(found(&known, text), [wanted], "{text}");
        }
        assert!(found(&known, "867 5310").is_empty());
    }

    #[test]
    fn addresses_are_found_in_parts() {
        let known = Known {
            address: vec!["3309 Old Mill Road, Apt 2", "Oak Hollow", "75001", "Normal", "TX"],
            ..Known::default()
        };
        for (text, wanted) in [
            ("at 3309 Old Mill RD.", "3309 Old Mill RD"),
            ("on Old Mill Rd", "Old Mill Rd"),
            ("from oak\nhollow", "oak\nhollow"),
            ("in Normal today", "Normal"),
            ("zip 75001-1234", "75001"),
        ] {
            assert_eq!(found(&known, text), [wanted], "{text}");
        }
        for text in ["normal heart", "old mill", "TX", "hollow oak"] {
            assert!(found(&known, text).is_empty(), "{text}");
        }
    }

    #[test]
    fn addresses_are_found_with_a_slip() {
        let known = Known {
            address: vec!["3309 Willowmere Road", "Oakhollow", "12 Elm Street, Orange"],
            ..Known::default()
        };
        for (text, wanted) in [
            ("at 3309 Willowmre Road", "3309 Willowmre Road"),
            ("at 3390 Willowmere Rd", "3390 Willowmere Rd"),
            ("at 3309 Willowmere Raod", "3309 Willowmere Raod"),
            ("on iWllowmere Road", "iWllowmere Road"),
            ("from oakholow", "oakholow"),
            ("FROM OAKHOLLLOW", "OAKHOLLLOW"),
            ("at 12 Elmm St", "12 Elmm St"),
        ] {
            let got = found(&known, text);
            assert!(got.iter().any(|got| got == wanted), "{text}: {got:?}");
        }
        // Two slips, and one slip that makes a word of the language.
        for text in [
            "on Wilowmre Road",
            "range of motion",
            "12 elms on the street",
            "Range",
        ] {
            assert!(
                found(&known, text).is_empty(),
                "{text}: {:?}",
                found(&known, text)
            );
        }
    }

    #[test]
    fn birth_dates_without_separators_are_found() {
        let birth = time::Date::from_calendar_date(1956, time::Month::March, 14).expect("a date");
        let known = Known {
            birth_date: Some(birth),
            emails: vec!["Thora@clinic.example"],
            ..Known::default()
        };
        for text in ["03141956", "14031956", "19560314", "031456", "560314"] {
            assert_eq!(found(&known, text), [text]);
        }
        assert_eq!(
            found(&known, "write THORA@clinic.EXAMPLE é"),
            ["THORA@clinic.EXAMPLE"]
        );
    }
}
