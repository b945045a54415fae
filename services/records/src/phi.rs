//! Text that says, or may say, whose it is.

use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

/// Protected health information (45 CFR 160.103). It can be read from the wire and shown at the listed
/// doors; it can be neither printed nor written by accident.
///
/// ```
/// let name = records::PhiText::new("Alex Example".to_owned());
/// assert_eq!(name.chars(), 12);
/// ```
/// ```compile_fail
/// let name = records::PhiText::new("Alex Example".to_owned());
/// println!("{name}");
/// ```
/// ```compile_fail
/// let name = records::PhiText::new("Alex Example".to_owned());
/// println!("{name:?}");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PhiText(Zeroizing<String>);

impl PhiText {
    /// Takes a text in.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text. Called only where it is scrubbed, encrypted or shown at a listed door (HOUSE rule 4);
    /// `tests/house/doors.rs` holds the list.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Length in Unicode code points, which is all that an error may say about it.
    #[must_use]
    pub fn chars(&self) -> usize {
        self.0.chars().count()
    }

    /// Whether nothing but white space is in it.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.0.trim().is_empty()
    }
}

impl<'de> Deserialize<'de> for PhiText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}
