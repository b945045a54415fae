//! Reports from a CSV file.

use std::path::Path;

use super::ExplainCliError;

/// A report.
pub(super) struct Report {
    /// Its name in the file.
    pub uid: String,
    /// Findings, a blank, impression.
    pub text: String,
}

/// Reads every row, the empty ones too: they get a line that says so.
pub(super) fn read(path: &Path) -> Result<Vec<Report>, ExplainCliError> {
    let trouble = |error| ExplainCliError::Read(path.to_owned(), error);
    let mut reader = csv::Reader::from_path(path).map_err(trouble)?;
    let headers = reader.headers().map_err(trouble)?.clone();
    let column = |name: &'static str| {
        headers
            .iter()
            .position(|header| header.trim().eq_ignore_ascii_case(name))
            .ok_or(ExplainCliError::Column(path.to_owned(), name))
    };
    let (uid, findings, impression) = (column("uid")?, column("findings")?, column("impression")?);
    reader
        .records()
        .map(|record| {
            let record = record.map_err(trouble)?;
            let field = |at: usize| record.get(at).unwrap_or_default();
            Ok(Report {
                uid: field(uid).to_owned(),
                text: format!("{} {}", field(findings), field(impression)),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_findings_a_blank_and_impression() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "uid,findings,impression\n7, A b.,C.\n8,,\n").expect("writable");
        let reports = read(file.path()).expect("a table");
        let texts: Vec<&str> = reports.iter().map(|report| report.text.as_str()).collect();
        assert_eq!(texts, [" A b. C.", " "]);
        std::fs::write(file.path(), "uid,impression\n").expect("writable");
        assert!(matches!(
            read(file.path()),
            Err(ExplainCliError::Column(_, "findings"))
        ));
    }
}
