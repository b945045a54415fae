//! The one door into the clinical world.

mod ages;
mod bare;
mod calendar;
mod codes;
mod contacts;
mod context;
mod dates;
mod facility;
mod fraction;
mod gazetteer;
mod hit;
mod keys;
mod known;
mod known_address;
mod known_values;
mod lexicon;
mod logins;
mod name_run;
mod names;
mod places;
mod rules;
mod spelling;
mod surrogate;
mod surrogate_code;
mod surrogate_contacts;
mod tagged;
mod tagger;
pub mod tagging;
mod token;
mod typo;
mod view;
mod words;

#[cfg(test)]
mod tests;

use crate::{DeidentifiedNote, ScrubberVersion, Span};
use ages::Ages;
use codes::Codes;
use contacts::Contacts;
use dates::Dates;
use gazetteer::Gazetteer;
use hit::Hit;
use known::KnownNames;
use known_values::KnownValues;
use lexicon::Lexicon;
use logins::Logins;
use names::Names;
use places::Places;
use surrogate::Surrogates;
use tagger::Tagger;
use view::View;
use words::Words;

/// What the hospital told us about the patient: every one of these is taken out of the text, whatever its form.
/// No `Debug`: it holds identifiers.
#[derive(Clone, Default)]
pub struct Known<'a> {
    /// Opaque id of the patient (never shown): surrogates agree within it and are unlinkable across.
    pub patient: [u8; 16],
    /// Full names and name parts of the patient, in any order.
    pub names: Vec<&'a str>,
    /// Names of relatives, contacts and clinicians.
    pub others: Vec<&'a str>,
    /// MRN, account, visit, accession and other numbers.
    pub identifiers: Vec<&'a str>,
    /// Phone and fax numbers.
    pub phones: Vec<&'a str>,
    /// E-mail addresses and URLs.
    pub emails: Vec<&'a str>,
    /// Street lines, city, postal code; not state or country.
    pub address: Vec<&'a str>,
    /// Date of birth.
    pub birth_date: Option<time::Date>,
}

/// Class of an identifier, after the list of 45 CFR 164.514(b)(2)(i).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PhiClass {
    /// (A) names.
    Name,
    /// (B) geographic subdivisions smaller than a state.
    Location,
    /// (C) elements of dates other than the year.
    Date,
    /// (C) ages over 89.
    Age,
    /// (D), (E) telephone and fax numbers.
    Phone,
    /// (F) e-mail addresses.
    Email,
    /// (G) social security numbers.
    Ssn,
    /// (H) medical record numbers.
    Mrn,
    /// (I), (J), (K) health plan, account, certificate and licence numbers.
    Account,
    /// (L), (M) vehicle and device identifiers.
    Device,
    /// (N) web addresses.
    Url,
    /// (O) IP addresses.
    Ip,
    /// (R) any other unique number or code.
    Other,
}

/// One replacement: where it stood, where its surrogate stands, and why. It holds no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Redaction {
    /// Byte range in the original text.
    pub original: Span,
    /// Byte range in the scrubbed text.
    pub scrubbed: Span,
    /// Class of the identifier.
    pub class: PhiClass,
    /// Whether the hospital's own data named it, or a rule of format found it.
    pub known: bool,
}

/// A scrubbed note and the map back; `records` keeps the two apart.
pub struct Scrubbed {
    /// The note for the classifier.
    pub note: DeidentifiedNote,
    /// Replacements in order of position; neither their originals nor their surrogates overlap.
    pub redactions: Vec<Redaction>,
}

/// Takes out who the patient is.
///
/// What the hospital told us ([`Known`]) is found in whatever form the text has it, then whatever has the format of an
/// identifier (45 CFR 164.514(b)(2)(i)); each becomes a surrogate of the same form, the same within a patient and
/// unlinkable across patients. All rules are finite automata or single passes over words: no text can make them
/// backtrack.
///
/// A note is made by a scrubber, and by nothing else outside this crate:
///
/// ```
/// let scrubber = clinical::Scrubber::new(seal::MacKey::new(&[7; 32]));
/// let note = scrubber.scrub("Heart size is normal.", &clinical::Known::default()).note;
/// # let _: clinical::DeidentifiedNote = note;
/// ```
///
/// ```compile_fail
/// let scrubber = clinical::Scrubber::new(seal::MacKey::new(&[7; 32]));
/// let note = clinical::DeidentifiedNote::from_scrubbed("Heart size is normal.".to_owned(), clinical::Scrubber::VERSION);
/// # let _: clinical::DeidentifiedNote = note;
/// ```
pub struct Scrubber {
    pub(crate) key: seal::MacKey,
    lexicon: Lexicon,
    contacts: Contacts,
    dates: Dates,
    ages: Ages,
    codes: Codes,
    logins: Logins,
    places: Places,
    gazetteer: Gazetteer,
    tagger: Tagger,
}

impl Scrubber {
    /// Version of the rules in this build.
    pub const VERSION: ScrubberVersion = ScrubberVersion(1);

    /// A scrubber whose surrogates are drawn with `key`. Compiles every rule: make one and share it.
    ///
    /// # Panics
    /// Never: the patterns are constants, and a test compiles them.
    #[must_use]
    pub fn new(key: seal::MacKey) -> Self {
        // Expect safety: the patterns are constants of this crate; the test `patterns_compile` builds them all.
        const COMPILES: &str = "constant patterns compile";
        let lexicon = Lexicon::new();
        Self {
            key,
            gazetteer: Gazetteer::new(&lexicon).expect(COMPILES),
            lexicon,
            contacts: Contacts::new().expect(COMPILES),
            dates: Dates::new().expect(COMPILES),
            ages: Ages::new().expect(COMPILES),
            codes: Codes::new().expect(COMPILES),
            logins: Logins::new().expect(COMPILES),
            places: Places::new().expect(COMPILES),
            tagger: Tagger::new(),
        }
    }

    /// This scrubber with other weights for its statistical tagger, as [`tagging::train`] makes them; `None` where `weights` are none.
    #[must_use]
    pub fn with_tagger(mut self, weights: &[u8]) -> Option<Self> {
        self.tagger = Tagger::from_bytes(weights)?;
        Some(self)
    }

    /// Replaces every known identifier and every format of identifier by a surrogate.
    #[must_use]
    pub fn scrub(&self, text: &str, known: &Known<'_>) -> Scrubbed {
        let view = View::new(text);
        let read = view.text();
        let names = KnownNames::new(known, &self.lexicon);
        let hits = self.hits(read, known, &names);
        let day_first = dates::is_day_first(read, &hits);

        let mut surrogates = Surrogates::new(
            &self.key,
            &self.lexicon,
            known.patient,
            names.forbidden(),
            names.order(),
        );
        let mut out = String::with_capacity(text.len() + text.len() / 16);
        let mut redactions = Vec::with_capacity(hits.len());
        let mut from = 0;
        for hit in hits {
            let original = view.original(&hit.range);
            let Some(kept) = text.get(from..original.start) else {
                continue;
            };
            out.push_str(kept);
            let start = out.len();
            out.push_str(&surrogates.replace(read, &hit, day_first));
            redactions.push(Redaction {
                original: span(&original),
                scrubbed: span(&(start..out.len())),
                class: hit.class,
                known: hit.known,
            });
            from = original.end;
        }
        out.push_str(text.get(from..).unwrap_or(""));
        Scrubbed {
            note: DeidentifiedNote::from_scrubbed(out, Self::VERSION),
            redactions,
        }
    }

    /// Everything that is to be replaced, in order, without overlaps, in bytes of the view.
    fn hits(&self, text: &str, known: &Known<'_>, names: &KnownNames) -> Vec<Hit> {
        let words = Words::new(text, &self.lexicon);
        let mut hits = self.found_by_rules(&words, known, names);
        tagged::find(&self.tagger, &self.lexicon, &words, &mut hits);
        hit::resolve(text, hits)
    }

    /// What the hospital's data and the rules of format and of context find.
    fn found_by_rules(&self, words: &Words<'_>, known: &Known<'_>, names: &KnownNames) -> Vec<Hit> {
        let (text, tokens) = (words.text, &words.tokens);
        let mut hits = Vec::new();
        names.find(words, &self.lexicon, &mut hits);
        KnownValues::new(known, &self.lexicon).find(text, tokens, &mut hits);
        self.contacts.find(text, &mut hits);
        self.dates.find(text, &mut hits);
        self.ages.find(text, &mut hits);
        self.codes.find(text, &mut hits);
        keys::keys(text, &mut hits);
        self.logins.find(text, &mut hits);
        bare::find(words, &mut hits);
        self.places.find(&self.lexicon, text, &mut hits);
        self.gazetteer.find(&self.lexicon, text, &mut hits);
        Names::new(words).find(&mut hits);
        hits
    }
}

fn span(range: &std::ops::Range<usize>) -> Span {
    // Cast safety: offsets are of 32 bits as `Span` has them; the doors admit texts of a few megabytes. Beyond 4 GiB
    // they saturate.
    let at = |byte: usize| u32::try_from(byte).unwrap_or(u32::MAX);
    Span {
        start: at(range.start),
        end: at(range.end),
    }
}
