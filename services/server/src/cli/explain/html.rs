//! `countersign explain --html FOLDER`: a page for each row.

use std::path::Path;

use askama::Template as _;
use clinical::{Outcome, Span};
use inference::ModelCard;

use super::{ExplainCliError, reports::Report};
use crate::cli::Failure;
use crate::view::report::{Reported, report_page};

/// Writes the page of a row; its name is the row's uid, as far as that makes a file's name.
pub(super) fn write(
    folder: &Path,
    (row, report): (usize, &Report),
    outcome: &Outcome,
    card: &ModelCard,
) -> Result<(), Failure> {
    let said = match outcome {
        Outcome::Assessed(assessment) => Ok(&**assessment),
        Outcome::NotAssessed(reason) => Err(reason.as_str()),
    };
    let evidence: Vec<(Span, f64)> = said.map_or_else(
        |_| Vec::new(),
        |assessment| {
            let phrases = assessment.explanation.phrases();
            phrases.map(|phrase| (phrase.span, phrase.weight)).collect()
        },
    );
    let page = report_page(Reported {
        title: "Explanation of a suggestion",
        subtitle: format!("Report {} (row {row} of the file)", report.uid),
        warning: Some("Of a row of a file: nobody decided, and nobody signed.".to_owned()),
        patient: None,
        signed: None,
        text: &report.text,
        evidence: &evidence,
        said,
        redactions: None,
        card: Some(card),
        pins: vec![(
            "Program",
            concat!("countersign ", env!("CARGO_PKG_VERSION")).to_owned(),
        )],
    });
    let path = folder.join(name(row, &report.uid));
    std::fs::write(&path, page.render()?).map_err(|error| ExplainCliError::Write(path, error))?;
    Ok(())
}

/// `17-CXR12.html`: the row makes it unlike all others, whatever the uid.
fn name(row: usize, uid: &str) -> String {
    let plain: String = uid
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '-' {
                c
            } else {
                '_'
            }
        })
        .take(64)
        .collect();
    format!("{row}-{plain}.html")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_in_the_folder() {
        assert_eq!(name(3, "CXR12"), "3-CXR12.html");
        assert_eq!(name(4, "../etc/passwd"), "4-___etc_passwd.html");
    }
}
