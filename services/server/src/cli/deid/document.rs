//! One document through the gateway.

use std::path::{Path, PathBuf};

use clinical::leak::GoldKnown;
use clinical::{Redaction, Scrubber};
use interop::deid::{DeidError, Origin, Rules};
use serde::Deserialize;
use time::Date;

/// What documents go through.
pub struct Gateway {
    pub scrubber: Scrubber,
    pub rules: Rules,
    pub known: GoldKnown,
    /// The patient of all documents.
    pub patient: Option<String>,
    pub today: Date,
}

/// A document without its patient.
pub enum Clean {
    /// A text, with what was replaced.
    Text(CleanText),
    /// Structured data.
    Structured(String),
}

/// A text, before and after.
pub struct CleanText {
    /// Name of the row or the file.
    pub id: String,
    pub original: String,
    pub text: String,
    pub redactions: Vec<Redaction>,
}

/// A row of a file of notes; other members are passed over and do not come back.
#[derive(Deserialize)]
struct Row {
    text: String,
    #[serde(default)]
    id: Option<serde_json::Value>,
    #[serde(default)]
    patient: Option<serde_json::Value>,
    #[serde(default)]
    known: Option<GoldKnown>,
}

impl Gateway {
    /// De-identifies the document `text`, named `name`.
    pub fn document(&self, name: &str, text: String) -> Result<Clean, DeidError> {
        if is_structured(&text) {
            return self.structured(name, &text).map(Clean::Structured);
        }
        Ok(Clean::Text(self.text(name, name, text, None)))
    }

    /// De-identifies one line of a file of lines: a resource, or a row with a text.
    pub fn line(&self, name: &str, line: &str, number: usize) -> Result<Clean, DeidError> {
        if is_structured(line) {
            return self.structured(name, line).map(Clean::Structured);
        }
        let row: Row = serde_json::from_str(line).map_err(|_| DeidError::NotJson)?;
        let id = row.id.as_ref().map_or_else(|| number.to_string(), plain);
        let patient = row.patient.as_ref().map_or_else(|| format!("{name}/{id}"), plain);
        Ok(Clean::Text(self.text(
            &id,
            &patient,
            row.text,
            row.known.as_ref(),
        )))
    }

    /// Where below the folder of outputs a file goes: under its own name, unless a part of the name identifies somebody;
    /// such a part becomes a pseudonym.
    pub fn file_name(&self, relative: &Path) -> PathBuf {
        relative
            .components()
            .map(|part| {
                let part = part.as_os_str().to_string_lossy();
                let (stem, extension) = part
                    .rsplit_once('.')
                    .map_or((&*part, String::new()), |(stem, extension)| {
                        (stem, format!(".{extension}"))
                    });
                // `Quill_Thora_19560314` is read as words; digits glued to a name are not part of it.
                let mut words = String::with_capacity(stem.len() + 8);
                let mut last = ' ';
                for c in stem.chars() {
                    if last.is_alphabetic() && c.is_ascii_digit() {
                        words.push(' ');
                    }
                    words.push(if c.is_alphanumeric() { c } else { ' ' });
                    last = c;
                }
                let known = self.known.known([0; 16]);
                if self.scrubber.scrub(&words, &known).redactions.is_empty() {
                    part.into_owned()
                } else {
                    let id = self
                        .scrubber
                        .pseudonyms([0; 16])
                        .id("file name", stem)
                        .to_string();
                    format!("document-{}{extension}", id.get(..16).unwrap_or(&id))
                }
            })
            .collect()
    }

    fn structured(&self, name: &str, text: &str) -> Result<String, DeidError> {
        let path = Path::new(name);
        let part = |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().into_owned());
        let file = part(path.file_name()).unwrap_or_default();
        let folder = part(path.parent().and_then(|folder| folder.file_name())).unwrap_or_default();
        let origin = Origin {
            file: &file,
            folder: &folder,
            ..Origin::on(self.today)
        };
        self.rules.apply(&self.scrubber, &origin, text)
    }

    fn text(&self, id: &str, patient: &str, original: String, known: Option<&GoldKnown>) -> CleanText {
        let patient = self.patient.as_deref().unwrap_or(patient);
        let digest = seal::Digest::of(patient.as_bytes());
        let mut opaque = [0; 16];
        opaque.copy_from_slice(&digest.as_bytes()[..16]);
        let scrubbed = self
            .scrubber
            .scrub(&original, &known.unwrap_or(&self.known).known(opaque));
        CleanText {
            id: id.to_owned(),
            text: scrubbed.note.text().to_owned(),
            redactions: scrubbed.redactions,
            original,
        }
    }
}

fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Whether a document is FHIR, HL7 v2 or C-CDA by its beginning: no clinical text starts so.
fn is_structured(text: &str) -> bool {
    let start = text.trim_start_matches(['\u{feff}', '\u{b}', '\r', '\n', ' ', '\t']);
    let message = ["MSH", "FHS", "BHS"].iter().any(|segment| {
        start
            .strip_prefix(segment)
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_punctuation()))
    });
    let resource = start.starts_with('{') && start.contains("\"resourceType\"");
    let document = start.starts_with('<') && start.contains("ClinicalDocument");
    message || resource || document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_identify_nobody() {
        let gateway = Gateway {
            scrubber: Scrubber::with_secret(&[7; 32]),
            rules: Rules::standard(),
            known: GoldKnown::default(),
            patient: None,
            today: Date::MIN,
        };
        let name = |path: &str| gateway.file_name(Path::new(path)).display().to_string();
        for kept in [
            "report.txt",
            "note_1.txt",
            "ward/chest-xray-12.txt",
            "batch.ndjson",
        ] {
            assert_eq!(name(kept), kept);
        }
        for gone in [
            "Margaret_Ferncastle.txt",
            "19560314-A0048213.txt",
            "Carolee951_Sanford861_d88f994a.json",
        ] {
            let new = name(gone);
            assert!(new.starts_with("document-") && new.len() > 24, "{gone}: {new}");
            assert_eq!(new, name(gone));
        }
    }

    #[test]
    fn documents_are_told_by_their_beginning() {
        for text in [
            "MSH|^~\\&|",
            "\u{b}MSH|^~\\&|",
            " {\"resourceType\":\"Patient\"}",
            "<?xml?><ClinicalDocument>",
        ] {
            assert!(is_structured(text), "{text}");
        }
        for text in ["MSH was normal", "{braces}", "<5 mm nodule", "", "BHS"] {
            assert!(!is_structured(text), "{text}");
        }
    }
}
