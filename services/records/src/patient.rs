//! Who the patient is, as the hospital's system told us.

use clinical::Known;

use crate::{Id, PhiText, kind};

/// Demographics of one patient. Every text is [`PhiText`]; there is no `Debug` and no `Serialize`.
#[derive(Clone, Default)]
pub struct Demographics {
    /// Names in full and in parts.
    pub names: Vec<PhiText>,
    /// Names of contacts, relatives and clinicians.
    pub others: Vec<PhiText>,
    /// Values of identifiers: MRN, account, accession, …
    pub identifiers: Vec<PhiText>,
    /// Phone and fax numbers.
    pub phones: Vec<PhiText>,
    /// E-mail and web addresses.
    pub emails: Vec<PhiText>,
    /// Street lines, cities, postal codes.
    pub address: Vec<PhiText>,
    /// Date of birth as FHIR `date` (`YYYY`, `YYYY-MM` or `YYYY-MM-DD`).
    pub birth_date: Option<PhiText>,
    /// Administrative gender as FHIR spells it.
    pub gender: Option<PhiText>,
}

/// A patient under our id.
#[derive(Clone)]
pub struct Patient {
    /// Our id: random, so that it says nothing.
    pub id: Id<kind::Patient>,
    /// What is known.
    pub demographics: Demographics,
}

impl Demographics {
    /// Everything that the scrubber must find.
    pub(crate) fn known(&self, patient: Id<kind::Patient>) -> Known<'_> {
        fn exposed(texts: &[PhiText]) -> Vec<&str> {
            texts.iter().map(PhiText::expose).collect()
        }
        Known {
            patient: patient.bytes(),
            names: exposed(&self.names),
            others: exposed(&self.others),
            identifiers: exposed(&self.identifiers),
            phones: exposed(&self.phones),
            emails: exposed(&self.emails),
            address: exposed(&self.address),
            birth_date: self.birth_date.as_ref().and_then(|text| {
                time::Date::parse(
                    text.expose(),
                    time::macros::format_description!("[year]-[month]-[day]"),
                )
                .ok()
            }),
        }
    }

    /// What both know: used when a report brings names of its own (performers, accession numbers).
    #[must_use]
    pub fn joined(mut self, other: Self) -> Self {
        self.names.extend(other.names);
        self.others.extend(other.others);
        self.identifiers.extend(other.identifiers);
        self.phones.extend(other.phones);
        self.emails.extend(other.emails);
        self.address.extend(other.address);
        self.birth_date = self.birth_date.or(other.birth_date);
        self.gender = self.gender.or(other.gender);
        self
    }
}
