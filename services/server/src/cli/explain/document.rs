//! `countersign explain --html FOLDER --pdf FOLDER`: a document for each row.

use std::path::{Path, PathBuf};

use askama::Template as _;
use clinical::{Outcome, Span};
use inference::ModelCard;
use records::{Clock as _, SystemClock};

use super::{ExplainCliError, reports::Report};
use crate::cli::Failure;
use crate::pages::ReportPage;
use crate::print;
use crate::view::report::{Reported, report_page};

/// Folders that documents go to.
pub(super) struct Folders {
    html: Option<PathBuf>,
    pdf: Option<PathBuf>,
}

impl Folders {
    /// Makes those that are not there yet.
    pub(super) fn make(html: Option<&Path>, pdf: Option<&Path>) -> Result<Self, ExplainCliError> {
        for folder in html.iter().chain(&pdf) {
            std::fs::create_dir_all(folder)
                .map_err(|error| ExplainCliError::Write(folder.to_path_buf(), error))?;
        }
        Ok(Self {
            html: html.map(Path::to_owned),
            pdf: pdf.map(Path::to_owned),
        })
    }

    /// Writes the documents of a row; their name is its number and its uid, as far as that makes a file's name.
    pub(super) fn write(
        &self,
        (row, report): (usize, &Report),
        outcome: &Outcome,
        card: &ModelCard,
    ) -> Result<(), Failure> {
        if self.html.is_none() && self.pdf.is_none() {
            return Ok(());
        }
        let page = page((row, report), outcome, card);
        let save = |folder: &Path, extension: &str, bytes: &[u8]| {
            let path = folder.join(format!("{}.{extension}", name(row, &report.uid)));
            std::fs::write(&path, bytes).map_err(|error| ExplainCliError::Write(path, error))
        };
        if let Some(folder) = &self.html {
            save(folder, "html", page.render()?.as_bytes())?;
        }
        if let Some(folder) = &self.pdf {
            save(folder, "pdf", &print::report(&page, SystemClock.now())?)?;
        }
        Ok(())
    }
}

fn page((row, report): (usize, &Report), outcome: &Outcome, card: &ModelCard) -> ReportPage {
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
    report_page(Reported {
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
    })
}

/// `17-CXR12`: the row makes it unlike all others, whatever the uid.
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
    format!("{row}-{plain}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_in_the_folder() {
        assert_eq!(name(3, "CXR12"), "3-CXR12");
        assert_eq!(name(4, "../etc/passwd"), "4-___etc_passwd");
    }
}
