//! What was replaced, and on what evidence.

use crate::Span;

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
    /// (P), (Q), (R) biometric identifiers, images, and any other unique number or code.
    Other,
}

impl PhiClass {
    /// The word in a tag.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Name => "NAME",
            Self::Location => "LOCATION",
            Self::Date => "DATE",
            Self::Age => "AGE",
            Self::Phone => "PHONE",
            Self::Email => "EMAIL",
            Self::Ssn => "SSN",
            Self::Mrn => "MRN",
            Self::Account => "ACCOUNT",
            Self::Device => "DEVICE",
            Self::Url => "URL",
            Self::Ip => "IP",
            Self::Other => "ID",
        }
    }
}

/// What found an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finder {
    /// A name that the hospital told.
    KnownName,
    /// A number, an address or another value that the hospital told.
    KnownValue,
    /// The form of a telephone number, an e-mail, web or network address.
    ContactFormat,
    /// The form of a date.
    DateFormat,
    /// An age over 89.
    AgeFormat,
    /// A label such as `MRN:`, or a code of a form of its own, with its checksum where it has one.
    Code,
    /// Letters and digits in turn, like a key.
    Key,
    /// A login name, a file, a machine-readable zone.
    Login,
    /// A text that is nothing but a value.
    BareValue,
    /// The form of an address, or a word that leads to a place.
    PlaceFormat,
    /// A list of cities and centres of care.
    Gazetteer,
    /// A title, a credential, a label, a relation or a frequent given name.
    NameContext,
    /// The statistical tagger.
    #[default]
    Tagger,
}

impl Finder {
    /// How sure a find is, in percent. For the tagger each find has a probability of its own; for the rules this is the
    /// share of their finds that touched an annotated span in the completely annotated development sets, 99 for 99 % or more
    /// (`countersign deid evaluate`, docs/deidentification.md); what the hospital told is certain.
    #[must_use]
    pub const fn sure(self) -> u8 {
        match self {
            Self::KnownName | Self::KnownValue => 100,
            Self::ContactFormat
            | Self::DateFormat
            | Self::Code
            | Self::Gazetteer
            | Self::AgeFormat
            | Self::PlaceFormat
            | Self::NameContext
            | Self::Key => 99,
            // Too few in those sets to count.
            Self::Login | Self::BareValue | Self::Tagger => 95,
        }
    }
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
    /// Whether the hospital's own data named it, or a rule or the tagger found it.
    pub known: bool,
    /// What found it. Maps that were stored before this was kept say the tagger at 0 %.
    #[serde(default)]
    pub finder: Finder,
    /// How sure that is, in percent.
    #[serde(default)]
    pub sure: u8,
}
