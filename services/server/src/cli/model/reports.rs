//! Labelled reports from a CSV file, with the patients taken out.

use std::fs;
use std::path::{Path, PathBuf};

use clinical::{DeidentifiedNote, Known, Label, Scrubber};
use seal::Digest;
use training::LabelledNote;

use super::ModelCliError;

/// A CSV file of reports, open at its first row.
struct Table {
    path: PathBuf,
    reader: csv::Reader<fs::File>,
    headers: csv::StringRecord,
}

impl Table {
    fn open(path: &Path) -> Result<Self, ModelCliError> {
        let file = fs::File::open(path).map_err(|error| ModelCliError::Read(path.to_owned(), error))?;
        let mut reader = csv::Reader::from_reader(file);
        let headers = reader.headers().map_err(|error| trouble(path, &error))?.clone();
        Ok(Self {
            path: path.to_owned(),
            reader,
            headers,
        })
    }

    fn position(&self, column: &str) -> Option<usize> {
        self.headers
            .iter()
            .position(|header| header.trim().eq_ignore_ascii_case(column))
    }

    fn column(&self, column: &str) -> Result<usize, ModelCliError> {
        self.position(column).ok_or_else(|| ModelCliError::Column {
            path: self.path.clone(),
            column: column.to_owned(),
        })
    }

    fn records(mut self) -> impl Iterator<Item = Result<csv::StringRecord, ModelCliError>> {
        let mut record = csv::StringRecord::new();
        std::iter::from_fn(move || match self.reader.read_record(&mut record) {
            Ok(true) => Some(Ok(record.clone())),
            Ok(false) => None,
            Err(error) => Some(Err(trouble(&self.path, &error))),
        })
    }
}

fn trouble(path: &Path, error: &csv::Error) -> ModelCliError {
    ModelCliError::Csv {
        path: path.to_owned(),
        line: error.position().map(csv::Position::line),
    }
}

/// A field without the blanks around it.
fn field(record: &csv::StringRecord, at: usize) -> &str {
    record.get(at).unwrap_or_default().trim()
}

/// Findings and impression with a blank between.
fn text(record: &csv::StringRecord, findings: usize, impression: usize) -> String {
    format!("{} {}", field(record, findings), field(record, impression))
        .trim()
        .to_owned()
}

/// The gateway of this command. Surrogates must be the same in every run, so that a model can be made again; nobody is
/// linked by them, because the scrubbed reports are not kept.
fn scrubber() -> Scrubber {
    Scrubber::new(seal::MacKey::new(Digest::of(b"countersign model").as_bytes()))
}

/// Labelled reports and how they are named and grouped.
pub(super) struct Labelled {
    pub(super) notes: Vec<LabelledNote>,
    /// The uid of each, or its row's number from 1.
    pub(super) uids: Vec<String>,
    /// Columns to group by, with each report's value.
    pub(super) groups: Vec<(String, Vec<String>)>,
}

/// Reads labelled reports and takes the patients out. The text is findings and impression with a blank between.
pub(super) fn read(path: &Path) -> Result<Labelled, ModelCliError> {
    read_by(path, &[])
}

/// The same, with the values of some columns.
pub(super) fn read_by(path: &Path, by: &[String]) -> Result<Labelled, ModelCliError> {
    let table = Table::open(path)?;
    let (problems, findings, impression) = (
        table.column("Problems")?,
        table.column("findings")?,
        table.column("impression")?,
    );
    let uid = table.position("uid");
    let columns = by
        .iter()
        .map(|by| table.column(by))
        .collect::<Result<Vec<_>, _>>()?;
    let scrubber = scrubber();
    let mut labelled = Labelled {
        notes: Vec::new(),
        uids: Vec::new(),
        groups: by.iter().map(|by| (by.clone(), Vec::new())).collect(),
    };
    for (number, record) in (1_usize..).zip(table.records()) {
        let record = record?;
        let text = text(&record, findings, impression);
        let problems = field(&record, problems);
        if text.is_empty() || problems.is_empty() || problems.eq_ignore_ascii_case("no indexing") {
            continue;
        }
        let abnormal = !problems.eq_ignore_ascii_case("normal");
        let terms = problems.split(';').map(str::trim);
        labelled.notes.push(LabelledNote {
            note: scrubber.scrub(&text, &Known::default()).note,
            abnormal,
            findings: terms
                .filter(|term| abnormal && !term.is_empty())
                .map(Label::new)
                .collect(),
        });
        labelled
            .uids
            .push(uid.map_or_else(|| number.to_string(), |at| field(&record, at).to_owned()));
        for ((_, values), &at) in labelled.groups.iter_mut().zip(&columns) {
            values.push(field(&record, at).to_owned());
        }
    }
    Ok(labelled)
}

/// Reads every row, labelled or not, and takes the patients out: the row's uid (its number from 1 where there is no
/// such column) and its text.
pub(super) fn read_rows(path: &Path) -> Result<Vec<(String, DeidentifiedNote)>, ModelCliError> {
    let table = Table::open(path)?;
    let uid = table.position("uid");
    let (findings, impression) = (table.column("findings")?, table.column("impression")?);
    let scrubber = scrubber();
    let mut rows = Vec::new();
    for record in table.records() {
        let record = record?;
        let uid = uid.map_or_else(
            || (rows.len() + 1).to_string(),
            |at| field(&record, at).to_owned(),
        );
        let text = text(&record, findings, impression);
        rows.push((uid, scrubber.scrub(&text, &Known::default()).note));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_csv(csv: &str) -> Result<Vec<LabelledNote>, ModelCliError> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(file.path(), csv).expect("writable");
        Ok(read(file.path())?.notes)
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
    fn reports_keep_their_names_and_groups() -> Result<(), ModelCliError> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let csv =
            "uid,sex,Problems,findings,impression\na,F,normal,Clear.,\nb,M,,Text.,\nc,M,Edema,Edema.,\n";
        fs::write(file.path(), csv).expect("writable");
        let labelled = read_by(file.path(), &["sex".to_owned()])?;
        assert_eq!(labelled.uids, ["a", "c"]);
        assert_eq!(
            labelled.groups,
            [("sex".to_owned(), vec!["F".to_owned(), "M".to_owned()])]
        );
        assert!(matches!(
            read_by(file.path(), &["site".to_owned()]),
            Err(ModelCliError::Column { column, .. }) if column == "site"
        ));
        Ok(())
    }

    #[test]
    fn every_row_is_read_for_predictions() -> Result<(), ModelCliError> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let numbered = |csv: &str| {
            fs::write(file.path(), csv).expect("writable");
            let rows = read_rows(file.path())?;
            Ok::<_, ModelCliError>(
                rows.iter()
                    .map(|(uid, note)| format!("{uid}={}", note.text()))
                    .collect::<Vec<_>>(),
            )
        };
        assert_eq!(
            numbered("findings,uid,impression\nClear lungs., a7 ,No disease.\n,b,\n")?,
            ["a7=Clear lungs. No disease.", "b="]
        );
        assert_eq!(
            numbered("Impression,Findings\nOne.,\n,Two.\n")?,
            ["1=One.", "2=Two."]
        );
        assert!(matches!(
            numbered("uid,impression\n1,One.\n"),
            Err(ModelCliError::Column { column, .. }) if column == "findings"
        ));
        Ok(())
    }

    #[test]
    fn what_is_no_such_file_is_said_without_its_text() {
        let missing = read_csv("uid,findings,impression\n1,a,b\n");
        assert!(matches!(
            missing,
            Err(ModelCliError::Column { column, .. }) if column == "Problems"
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
