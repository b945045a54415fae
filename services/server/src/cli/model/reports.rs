//! Labelled reports from a CSV file, with the patients taken out.

use std::fs;
use std::path::Path;

use clinical::{Known, Label, Scrubber};
use seal::Digest;
use training::LabelledNote;

use super::ModelCliError;

/// Reads labelled reports and takes the patients out. The text is findings and impression with a blank between.
pub(super) fn read(path: &Path) -> Result<Vec<LabelledNote>, ModelCliError> {
    let trouble = |error: &csv::Error| ModelCliError::Csv {
        path: path.to_owned(),
        line: error.position().map(csv::Position::line),
    };
    let file = fs::File::open(path).map_err(|error| ModelCliError::Read(path.to_owned(), error))?;
    let mut reader = csv::Reader::from_reader(file);
    let headers = reader.headers().map_err(|error| trouble(&error))?.clone();
    let column = |column: &'static str| {
        headers
            .iter()
            .position(|header| header.trim().eq_ignore_ascii_case(column))
            .ok_or(ModelCliError::Column {
                path: path.to_owned(),
                column,
            })
    };
    let (problems, findings, impression) = (column("Problems")?, column("findings")?, column("impression")?);
    // Surrogates must be the same in every run, so that a model can be made again; nobody is linked by them, because
    // the scrubbed reports are not kept.
    let scrubber = Scrubber::new(seal::MacKey::new(Digest::of(b"countersign model").as_bytes()));
    let mut notes = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| trouble(&error))?;
        let field = |at: usize| record.get(at).unwrap_or_default().trim();
        let text = format!("{} {}", field(findings), field(impression));
        let problems = field(problems);
        if text.trim().is_empty() || problems.is_empty() || problems.eq_ignore_ascii_case("no indexing") {
            continue;
        }
        let abnormal = !problems.eq_ignore_ascii_case("normal");
        let terms = problems.split(';').map(str::trim);
        notes.push(LabelledNote {
            note: scrubber.scrub(text.trim(), &Known::default()).note,
            abnormal,
            findings: terms
                .filter(|term| abnormal && !term.is_empty())
                .map(Label::new)
                .collect(),
        });
    }
    Ok(notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_csv(csv: &str) -> Result<Vec<LabelledNote>, ModelCliError> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(file.path(), csv).expect("writable");
        read(file.path())
    }

    #[test]
    fn rows_become_labelled_notes() -> Result<(), ModelCliError> {
        let notes = read_csv(
            "uid,Problems,findings,impression\n1,normal,Clear lungs.,No disease.\n2,Edema; Nodule ,,Edema and a nodule.\n\
             3,No Indexing,Text.,Text.\n4,normal,,\n5,,Text.,Text.\n",
        )?;
        assert_eq!(notes.len(), 2);
        assert_eq!(
            (notes[0].note.text(), notes[0].abnormal),
            ("Clear lungs. No disease.", false)
        );
        assert!(notes[0].findings.is_empty() && notes[1].abnormal);
        assert_eq!(notes[1].findings, [Label::new("Edema"), Label::new("Nodule")]);
        assert_eq!(notes[1].note.text(), "Edema and a nodule.");
        Ok(())
    }

    #[test]
    fn what_is_no_such_file_is_said_without_its_text() {
        let missing = read_csv("uid,findings,impression\n1,a,b\n");
        assert!(matches!(
            missing,
            Err(ModelCliError::Column {
                column: "Problems",
                ..
            })
        ));
        let Err(ragged) = read_csv("Problems,findings,impression\nnormal,secret\n") else {
            panic!("a short row was read");
        };
        assert!(ragged.to_string().contains("line 2") && !ragged.to_string().contains("secret"));
        assert!(matches!(
            read(Path::new("/no/such/file")),
            Err(ModelCliError::Read(..))
        ));
    }
}
