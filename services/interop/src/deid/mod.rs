//! De-identification of structured data: FHIR R4 (JSON, NDJSON), HL7 v2 (ER7) and C-CDA (XML).
//!
//! Rules say what happens to which element. Ours (`policies/deidentification.toml`) are a list of what may stay, be shifted,
//! be scrubbed or become a pseudonym; what is not on it goes. Rule sets of Microsoft's FHIR anonymizer are read too, and
//! mean what they mean there.
//!
//! ```
//! use interop::deid::{Origin, Rules};
//!
//! let scrubber = clinical::Scrubber::with_secret(&[7; 32]);
//! let today = time::Date::from_calendar_date(2026, time::Month::March, 14)?;
//! let patient = r#"{"resourceType": "Patient", "name": [{"family": "Example"}], "gender": "female"}"#;
//! let shared = Rules::standard().apply(&scrubber, &Origin::on(today), patient)?;
//! assert!(shared.contains("female") && !shared.contains("Example"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod ccda;
mod compact;
mod elements;
mod evaluate;
mod hl7v2;
mod json;
mod methods;
mod microsoft;
mod moment;
mod numbers;
mod path;
mod people;
mod reference;
mod resource;
mod rules;
mod shift;
mod substitute;
mod tree;
mod write;

#[cfg(test)]
mod tests;

use clinical::Scrubber;
use time::Date;

use json::Json;
use methods::Methods;
use people::{People, Texts};
pub use rules::{Rules, RulesError};
use tree::Tree;

/// Where a document comes from, and when it is de-identified.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The day on which ages are counted.
    pub today: Date,
    /// Name of the file, for rule sets that shift dates by file.
    pub file: &'a str,
    /// Name of the folder, for rule sets that shift dates by folder.
    pub folder: &'a str,
}

impl Origin<'_> {
    /// A document from nowhere in particular, de-identified on `today`.
    #[must_use]
    pub const fn on(today: Date) -> Self {
        Self {
            today,
            file: "",
            folder: "",
        }
    }
}

/// A document cannot be de-identified. No message repeats what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeidError {
    /// The text is neither JSON, nor begins with MSH, FHS or BHS, nor is XML.
    #[error("the document is neither FHIR JSON nor HL7 v2 nor C-CDA")]
    Unrecognised,
    /// It begins like JSON and is none, or stands too deep in itself.
    #[error("the document is not JSON, or too deep")]
    NotJson,
    /// The outermost object is no resource of R4.
    #[error("the document is no FHIR R4 resource")]
    UnknownResource,
    /// A member stands twice in one object: nobody knows which one others read.
    #[error("a member stands twice in one object")]
    Repeated,
    /// A rule compares or calculates with a value of another type.
    #[error("a rule does not fit the value that it meets")]
    Misfit,
    /// A rule generalises an element that is no primitive.
    #[error("a rule generalises an element that is no primitive")]
    NotApplicable,
    /// A message has no usable header segment.
    #[error("the message's header does not declare its delimiters")]
    NotEr7,
    /// It begins like XML and is not well formed, or is no `ClinicalDocument`.
    #[error("the document is no well-formed ClinicalDocument")]
    NotCcda,
}

impl Rules {
    /// De-identifies one document: a FHIR resource or Bundle in JSON, several of them line by line (NDJSON), an HL7 v2
    /// message or batch (it begins with `MSH`, `FHS` or `BHS`), or a C-CDA document.
    ///
    /// # Errors
    /// If the document is none of these, or if a rule of the set does not fit what it meets.
    pub fn apply(
        &self,
        scrubber: &Scrubber,
        origin: &Origin<'_>,
        document: &str,
    ) -> Result<String, DeidError> {
        let text = document
            .trim_start_matches('\u{feff}')
            .trim_start_matches(['\u{b}', '\r', '\n', ' ', '\t']);
        if text.starts_with("MSH") || text.starts_with("FHS") || text.starts_with("BHS") {
            hl7v2::apply(&self.hl7v2, scrubber, origin, text)
        } else if text.starts_with('<') {
            ccda::apply(&self.ccda, scrubber, origin, text)
        } else if text.starts_with('{') {
            self.fhir(scrubber, origin, text)
        } else {
            Err(DeidError::Unrecognised)
        }
    }

    fn fhir(&self, scrubber: &Scrubber, origin: &Origin<'_>, text: &str) -> Result<String, DeidError> {
        let (documents, lines) = match Json::read(text) {
            Ok(json) => (vec![json], false),
            Err(error) => {
                // Several resources, one a line.
                let lines = text.lines().filter(|line| !line.trim().is_empty());
                let documents: Result<Vec<Json>, _> = lines.map(Json::read).collect();
                let documents = documents.map_err(|_| DeidError::NotJson)?;
                if documents.len() < 2 {
                    let json::NotJson = error;
                    return Err(DeidError::NotJson);
                }
                (documents, true)
            }
        };
        let mut trees = documents.iter().map(Tree::read).collect::<Result<Vec<_>, _>>()?;
        let mut people = People::default();
        for tree in &trees {
            people.read(tree);
        }
        let texts = Texts::new(scrubber, people);
        let mut out = String::with_capacity(text.len());
        for tree in &mut trees {
            let patients = people::patients(tree, &texts.pseudonyms([0; 16]));
            let mut methods = Methods::new(&self.fhir.parameters, *origin, &texts, patients);
            resource::apply(&self.fhir, &mut methods, tree)?;
            tree.write().write(&mut out);
            if lines {
                out.push('\n');
            }
        }
        Ok(out)
    }
}
