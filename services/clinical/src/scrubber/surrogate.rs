//! What stands where an identifier stood: the same for the same patient and value, unlinkable to any other patient's.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::calendar::{self, in_case_of};
use super::hit::{Hit, Kind};
use super::lexicon::{Classes, Lexicon, is_placeholder};
use super::token::{Case, fold, tokens};

/// Makes surrogates for one note of one patient.
pub(crate) struct Surrogates<'k> {
    key: &'k seal::MacKey,
    lexicon: &'k Lexicon,
    patient: [u8; 16],
    /// Days that every date of this patient moves back, 1 to 364.
    days: u16,
    /// Folded names that no surrogate may be: a known name must not come back for another.
    forbidden: HashSet<String>,
    /// Folded given names that a lone initial may stand for, by their first letter.
    initials: HashMap<char, String>,
    names: HashMap<String, &'static str>,
}

impl<'k> Surrogates<'k> {
    /// Surrogates drawn with `key` for `patient`, none of which is one of the folded names in `forbidden`.
    pub(crate) fn new(
        key: &'k seal::MacKey,
        lexicon: &'k Lexicon,
        patient: [u8; 16],
        forbidden: HashSet<String>,
        first: &[String],
    ) -> Self {
        let mut initials = HashMap::new();
        for name in first {
            if let Some(letter) = name.chars().next() {
                initials.entry(letter).or_insert_with(|| name.clone());
            }
        }
        Self {
            key,
            lexicon,
            patient,
            days: crate::pseudonym::days(key, &patient),
            forbidden,
            initials,
            names: HashMap::new(),
        }
    }

    /// The text that replaces `hit`; never the text that it replaces.
    pub(crate) fn replace(&mut self, text: &str, hit: &Hit, day_first: bool) -> String {
        let Some(old) = text.get(hit.range.clone()) else {
            return String::new();
        };
        let new = match &hit.kind {
            Kind::Name => self.name(old),
            Kind::Code => self.code(old),
            Kind::Labelled(value) => {
                let (label, value) = old.split_at_checked(*value).unwrap_or(("", old));
                [label, &self.code(value)].concat()
            }
            Kind::Phone => self.phone(old),
            Kind::Email => self.email(old),
            Kind::Url => self.url(old),
            Kind::Address => self.address(old),
            Kind::Age => age(old),
            Kind::Street | Kind::Place => self.located(old),
            Kind::Date(parts) => {
                let mut parts = (**parts).clone();
                if parts.ambiguous && day_first {
                    parts.swap();
                }
                let moved = calendar::shifted(text, &hit.range, &parts, self.days).or_else(|| {
                    // Read the other way round it may be a date of the calendar.
                    let mut parts = parts.clone();
                    parts.swap();
                    parts
                        .ambiguous
                        .then(|| calendar::shifted(text, &hit.range, &parts, self.days))
                        .flatten()
                });
                moved.unwrap_or_else(|| self.code(old))
            }
        };
        if new == old { self.code(old) } else { new }
    }

    /// Bytes that belong to (patient, class, value, counter): HMAC-SHA-256, so that without the key nothing can be
    /// recomputed from a list of names, and two patients' surrogates have nothing in common.
    pub(super) fn bytes(&self, class: &str, value: &str, counter: u32) -> [u8; 32] {
        let parts: [&[u8]; 5] = [
            b"surrogate",
            &self.patient,
            class.as_bytes(),
            value.as_bytes(),
            &counter.to_be_bytes(),
        ];
        *self.key.digest(&parts).as_bytes()
    }

    pub(super) fn number(&self, class: &str, value: &str, counter: u32) -> u64 {
        let bytes = self.bytes(class, value, counter);
        bytes
            .iter()
            .take(8)
            .fold(0, |number, &byte| (number << 8) | u64::from(byte))
    }

    fn pick(&self, pool: &[&'static str], class: &str, folded: &str) -> &'static str {
        // The pool is larger than what a note forbids, but the hospital may send any number of names: give up then.
        for counter in 0..256 {
            let at = self.number(class, folded, counter) % pool.len() as u64;
            let name = usize::try_from(at)
                .ok()
                .and_then(|at| pool.get(at))
                .copied()
                .unwrap_or("Avery");
            let new = fold(name);
            if new != folded && !self.forbidden.contains(&new) {
                return name;
            }
        }
        pool.iter()
            .find(|name| fold(name) != folded)
            .copied()
            .unwrap_or("Avery")
    }

    fn person(&mut self, folded: &str) -> &'static str {
        if let Some(&name) = self.names.get(folded) {
            return name;
        }
        let name = self.pick(self.lexicon.names_like(folded), "name", folded);
        self.names.insert(folded.to_owned(), name);
        name
    }

    /// Every word of a name becomes a name in the same capitals; titles, placeholders and what stands between stay.
    fn name(&mut self, old: &str) -> String {
        self.words(old, |this, word, case| {
            let folded = fold(word);
            if is_placeholder(&folded) || is_title(&folded) {
                return word.to_owned();
            }
            if word.chars().count() == 1 {
                return this.initial(word, &folded);
            }
            let name = this.person(&folded);
            match case {
                Case::Upper => name.to_uppercase(),
                Case::Lower => name.to_lowercase(),
                _ => name.to_owned(),
            }
        })
    }

    /// The initial of the surrogate of the name that it stands for, where that is known.
    fn initial(&mut self, old: &str, folded: &str) -> String {
        let letter = folded.chars().next().unwrap_or('a');
        let known = self.initials.get(&letter).cloned();
        let first = known
            .and_then(|name| self.person(&name).chars().next())
            .map(|c| c.to_ascii_lowercase());
        let new = first.filter(|&new| new != letter).unwrap_or_else(|| {
            // Any letter but the old one.
            let step = 1 + self.number("initial", folded, 0) % 25;
            let from = if letter.is_ascii_lowercase() {
                u64::from(u32::from(letter) - u32::from('a'))
            } else {
                0
            };
            u32::try_from((from + step) % 26)
                .ok()
                .and_then(|at| char::from_u32(u32::from('a') + at))
                .unwrap_or('q')
        });
        in_case_of(old, new.encode_utf8(&mut [0; 4]))
    }

    /// Applies `write` to every word, and digit by digit surrogates to every number.
    fn words(&mut self, old: &str, mut write: impl FnMut(&mut Self, &str, Case) -> String) -> String {
        let mut out = String::with_capacity(old.len() + 8);
        let mut from = 0;
        for token in tokens(old) {
            out.push_str(&old[from..token.start]);
            let word = &old[token.range()];
            let new = if token.is_word() {
                write(self, word, token.case)
            } else {
                self.code(word)
            };
            out.push_str(&new);
            from = token.end;
        }
        out.push_str(&old[from..]);
        out
    }

    /// [`Surrogates::place`], with a name before a place that had none of its own (`County Hospital`).
    fn located(&mut self, old: &str) -> String {
        let new = self.place(old);
        if new != old {
            return new;
        }
        let kind = old.rsplit(' ').next().unwrap_or(old);
        format!("{} {kind}", self.pick(self.lexicon.places(), "place", &fold(old)))
    }

    /// A street line or a place: what says *what* it is (street, hospital, state) stays, digits become digits, names
    /// become names of places that do not exist.
    fn place(&mut self, old: &str) -> String {
        let mut last_was_name = false;
        let mut out = String::with_capacity(old.len() + 8);
        let mut from = 0;
        for token in tokens(old) {
            let word = &old[token.range()];
            let between = &old[from..token.start];
            let folded = fold(word);
            let kept = token.is_word()
                && (self.lexicon.classes(&folded).is(Classes::PLACE)
                    || is_placeholder(&folded)
                    || (word.len() == 2 && token.case == Case::Upper));
            let named = token.is_word() && !kept;
            // Two words of one name (`San Antonio`) become one name.
            if named && last_was_name && between.chars().all(|c| c == ' ' || c == '-' || c == '\'') {
                from = token.end;
                continue;
            }
            out.push_str(between);
            if kept {
                out.push_str(word);
            } else if named {
                let name = self.pick(self.lexicon.places(), "place", &folded);
                out.push_str(&in_case_of(word, &name.to_lowercase()));
            } else {
                out.push_str(&self.code(word));
            }
            last_was_name = named;
            from = token.end;
        }
        out.push_str(&old[from..]);
        out
    }
}

pub(super) fn replaced(text: &str, range: &Range<usize>, new: &str) -> String {
    [&text[..range.start], new, &text[range.end..]].concat()
}

/// `94-year-old` → `90+-year-old`, `aged ninety-four` → `aged 90+`: the first number goes, the rest stays.
fn age(old: &str) -> String {
    let start = old.find(|c: char| c.is_ascii_digit()).unwrap_or(0);
    let digits = old[start..].bytes().take_while(u8::is_ascii_digit).count();
    if digits > 0 {
        return replaced(old, &(start..start + digits), "90+");
    }
    "90+".to_owned()
}

/// Words before or behind a name that are not the name.
pub(crate) fn is_title(folded: &str) -> bool {
    matches!(
        folded,
        "dr" | "doctor"
            | "mr"
            | "mrs"
            | "ms"
            | "miss"
            | "mx"
            | "prof"
            | "professor"
            | "jr"
            | "sr"
            | "ii"
            | "iii"
            | "md"
            | "do"
            | "rn"
            | "np"
            | "phd"
            | "dds"
            | "dmd"
            | "dvm"
            | "mbbs"
            | "esq"
            | "sir"
            | "dame"
            | "rev"
            | "fr"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PhiClass;

    static LEXICON: std::sync::LazyLock<Lexicon> = std::sync::LazyLock::new(Lexicon::new);

    fn surrogates(key: &seal::MacKey, patient: u8) -> Surrogates<'_> {
        let forbidden = HashSet::from(["smith".to_owned(), "mary".to_owned()]);
        Surrogates::new(key, &LEXICON, [patient; 16], forbidden, &["mary".to_owned()])
    }

    fn replace(surrogates: &mut Surrogates<'_>, old: &str, kind: Kind) -> String {
        let hit = Hit::found(0..old.len(), PhiClass::Other, kind);
        surrogates.replace(old, &hit, false)
    }

    #[test]
    fn names_agree_within_a_patient_in_any_writing() {
        let key = seal::MacKey::new(&[3; 32]);
        let mut one = surrogates(&key, 1);
        let full = replace(&mut one, "Mary Smith", Kind::Name);
        let (given, family) = full.split_once(' ').expect("two words");
        assert_eq!(
            replace(&mut one, "SMITH, MARY", Kind::Name),
            format!("{family}, {given}").to_uppercase()
        );
        assert_eq!(replace(&mut one, "smith", Kind::Name), family.to_lowercase());
        assert_eq!(
            replace(&mut one, "Dr. Smith", Kind::Name),
            format!("Dr. {family}")
        );
        assert_eq!(
            replace(&mut one, "M. Smith", Kind::Name),
            format!("{}. {family}", &given[..1])
        );
        let others: HashSet<String> = (2..30)
            .map(|patient| replace(&mut surrogates(&key, patient), "Mary Smith", Kind::Name))
            .collect();
        assert!(others.len() > 20);
    }

    #[test]
    fn numbers_keep_their_form_and_agree_across_forms() {
        let key = seal::MacKey::new(&[3; 32]);
        let mut one = surrogates(&key, 1);
        let plain = replace(&mut one, "123456", Kind::Code);
        let dashed = replace(&mut one, "00-123-456", Kind::Code);
        assert_eq!(dashed[3..].replace('-', ""), plain);
        let code = replace(&mut one, "AB-12c", Kind::Code);
        let form: String = code
            .chars()
            .map(|c| {
                if c.is_ascii_digit() {
                    '9'
                } else {
                    c.to_ascii_lowercase()
                }
            })
            .collect();
        assert_eq!(form.len(), 6);
        assert!(form.starts_with(|c: char| c.is_ascii_lowercase()) && form.contains("-99"));
        assert!(replace(&mut one, "02/010/XXXX", Kind::Code).ends_with("/XXXX"));
        for digit in 0..10 {
            let old = digit.to_string();
            assert_ne!(replace(&mut one, &old, Kind::Code), old);
        }
    }

    #[test]
    fn contacts_lead_nowhere() {
        let key = seal::MacKey::new(&[3; 32]);
        let mut one = surrogates(&key, 1);
        let phone = replace(&mut one, "(312) 867-5309 ext. 42", Kind::Phone);
        assert!(
            phone.contains(") 555-01") && phone.contains(" ext. ") && phone.len() == 22,
            "{phone}"
        );
        assert!(replace(&mut one, "+1 312 867 5309", Kind::Phone).starts_with("+1 "));
        assert!(replace(&mut one, "a@b.com", Kind::Email).ends_with("@example.org"));
        assert!(replace(&mut one, "https://a.b/c", Kind::Url).starts_with("https://example.org/"));
        assert!(replace(&mut one, "10.1.2.3", Kind::Address).starts_with("192.0.2."));
        assert!(replace(&mut one, "fe80::1", Kind::Address).starts_with("2001:db8::"));
        assert!(replace(&mut one, "aa:bb:cc:dd:ee:ff", Kind::Address).starts_with("00:00:5e:00:53:"));
    }

    #[test]
    fn places_keep_what_they_are() {
        let key = seal::MacKey::new(&[3; 32]);
        let mut one = surrogates(&key, 1);
        let street = replace(&mut one, "12 Acorn Street, Apt 4", Kind::Street);
        assert!(
            street.contains("Street, Apt ") && !street.contains("Acorn"),
            "{street}"
        );
        let city = replace(&mut one, "San Antonio, TX 78201", Kind::Place);
        assert!(
            city.contains(", TX ") && !city.contains("Antonio") && !city.contains("78201"),
            "{city}"
        );
        let generic = replace(&mut one, "County Hospital", Kind::Place);
        assert!(
            generic.ends_with(" Hospital") && !generic.contains("County"),
            "{generic}"
        );
        assert_eq!(replace(&mut one, "94-year-old", Kind::Age), "90+-year-old");
        assert_eq!(replace(&mut one, "ninety-four", Kind::Age), "90+");
    }
}
