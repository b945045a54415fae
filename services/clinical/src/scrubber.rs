//! The one door into the clinical world.

mod address;
mod ages;
mod bare;
mod calendar;
mod codes;
mod contacts;
mod context;
mod dates;
mod extend;
mod facility;
mod fraction;
mod gazetteer;
mod hit;
mod holiday;
mod keys;
mod known;
mod known_address;
mod known_values;
mod lexicon;
mod logins;
mod measured;
mod name_run;
mod names;
mod places;
mod redaction;
mod rules;
mod spelling;
mod surrogate;
mod surrogate_code;
mod surrogate_contacts;
mod tagged;
mod tagger;
pub mod tagging;
mod tags;
mod token;
mod typo;
mod view;
mod wide;
mod words;
mod write;

#[cfg(test)]
mod tests;

use crate::{DeidentifiedNote, ScrubberVersion};
use address::Addresses;
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
pub use redaction::{Finder, PhiClass, Redaction};
use tagger::Tagger;
pub use tags::RESTRICTED_AREAS;
use wide::Wide;
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

/// What stands where an identifier stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replacement {
    /// Surrogates of the same form, the same within a patient and unlinkable across patients: names for names, shifted
    /// dates that keep their intervals. Dates other than the year stay in the text, so that this is for Expert
    /// Determination (45 CFR 164.514(b)(1)) and is not Safe Harbor.
    Surrogates,
    /// Tags such as `[NAME]` and `[DATE 2019]`: what Safe Harbor lists is gone (45 CFR 164.514(b)(2)(i)). Whether the
    /// hospital has *actual knowledge* that the rest identifies somebody (164.514(b)(2)(ii)) is its own to say.
    Tags {
        /// The current year: years that make somebody older than 89 in it go too.
        year: i32,
    },
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
/// let note = clinical::DeidentifiedNote::from_scrubbed("Heart size is normal.".to_owned(), Vec::new(), clinical::Scrubber::VERSION);
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
    addresses: Addresses,
    gazetteer: Gazetteer,
    tagger: Tagger,
    wide: Wide,
    replacement: Replacement,
}

impl Scrubber {
    /// Version of the rules in this build.
    pub const VERSION: ScrubberVersion = ScrubberVersion(6);

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
            addresses: Addresses::new().expect(COMPILES),
            tagger: Tagger::new(),
            wide: Wide::new(),
            replacement: Replacement::Surrogates,
        }
    }

    /// This scrubber with other weights for its statistical tagger, as [`tagging::train`] makes them; `None` where `weights` are none.
    #[must_use]
    pub fn with_tagger(mut self, weights: &[u8]) -> Option<Self> {
        self.tagger = Tagger::from_bytes(weights)?;
        Some(self)
    }

    /// This scrubber with another way to replace what it finds.
    #[must_use]
    pub const fn replacing(mut self, replacement: Replacement) -> Self {
        self.replacement = replacement;
        self
    }

    /// Replaces every known identifier, every format of identifier and every name and place that the tagger sees.
    #[must_use]
    pub fn scrub(&self, text: &str, known: &Known<'_>) -> Scrubbed {
        match self.replacement {
            Replacement::Surrogates => self.with_surrogates(text, known),
            Replacement::Tags { year } => self.with_tags(text, known, year),
        }
    }

    /// Everything that is to be replaced, in order, without overlaps, in bytes of the view.
    fn hits(&self, text: &str, known: &Known<'_>, names: &KnownNames) -> Vec<Hit> {
        let words = Words::new(text, &self.lexicon);
        let mut hits = self.found_by_rules(&words, known, names);
        tagged::find(&self.tagger, &self.lexicon, &words, &mut hits);
        measured::without(&words, &mut hits);
        let mut hits = hit::resolve(text, hits);
        extend::without_wide(&self.wide, &words, &mut hits);
        ages::behind_names(text, &mut hits);
        self.addresses.complete(&words, &mut hits);
        extend::extend(&words, &mut hits);
        hits
    }

    /// What the hospital's data and the rules of format and of context find.
    fn found_by_rules(&self, words: &Words<'_>, known: &Known<'_>, names: &KnownNames) -> Vec<Hit> {
        let text = words.text;
        let mut hits = Vec::new();
        let mut by = |finder: Finder, find: &dyn Fn(&mut Vec<Hit>)| {
            let from = hits.len();
            find(&mut hits);
            for hit in &mut hits[from..] {
                hit.finder = finder;
                hit.sure = finder.sure();
            }
        };
        by(Finder::KnownName, &|hits| names.find(words, &self.lexicon, hits));
        by(Finder::KnownValue, &|hits| {
            KnownValues::new(known, &self.lexicon).find(words, hits);
        });
        by(Finder::ContactFormat, &|hits| self.contacts.find(text, hits));
        by(Finder::DateFormat, &|hits| self.dates.find(text, hits));
        by(Finder::AgeFormat, &|hits| self.ages.find(text, hits));
        by(Finder::Code, &|hits| self.codes.find(text, hits));
        by(Finder::Key, &|hits| keys::keys(text, hits));
        by(Finder::Login, &|hits| self.logins.find(text, hits));
        by(Finder::BareValue, &|hits| bare::find(words, hits));
        by(Finder::PlaceFormat, &|hits| {
            self.places.find(&self.lexicon, text, hits);
            Addresses::find(words, hits);
        });
        by(Finder::Gazetteer, &|hits| {
            self.gazetteer.find(&self.lexicon, text, hits);
        });
        by(Finder::NameContext, &|hits| Names::new(words).find(hits));
        tagged::without_terms(&self.lexicon, words, &mut hits);
        hits
    }
}
