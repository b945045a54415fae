//! Where documents without their patients go.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use askama::Template as _;
use clinical::Redaction;
use clinical::leak::code_points;
use indicatif::ProgressBar;
use interop::deid::DeidError;
use serde::Serialize;

use super::super::Failure;
use super::Format;
use super::document::{Clean, CleanText, Gateway};
use super::page;
use super::source::Source;

/// Standard output, or a folder.
pub struct Sink<'a> {
    format: Format,
    folder: Option<&'a Path>,
}

/// A document that was refused.
pub struct Refused {
    /// Line of the file; 0 for a file that is one document.
    pub line: usize,
    pub what: DeidError,
}

/// What `--format json` says of a text.
#[derive(Serialize)]
struct Answer<'a> {
    id: &'a str,
    text: &'a str,
    scrubber: u32,
    redactions: Vec<Evidence>,
}

/// One replacement, in code points.
#[derive(Serialize)]
struct Evidence {
    start: usize,
    end: usize,
    scrubbed_start: usize,
    scrubbed_end: usize,
    class: clinical::PhiClass,
    finder: clinical::Finder,
    sure_percent: u8,
    known: bool,
}

impl<'a> Sink<'a> {
    pub fn new(format: Format, folder: Option<&'a Path>) -> Result<Self, Failure> {
        if let Some(folder) = folder {
            std::fs::create_dir_all(folder)?;
        }
        Ok(Self { format, folder })
    }

    /// De-identifies `source` and writes what came of it. A file that is one refused document leaves no file behind.
    pub fn write(
        &self,
        gateway: &Gateway,
        source: &Source,
        bar: &ProgressBar,
    ) -> Result<Vec<Refused>, Failure> {
        let text = source.read()?;
        let name = source.name();
        let mut out = String::new();
        let mut refused = Vec::new();
        if source.is_lines() {
            for (number, line) in (1..).zip(text.lines()) {
                if !line.trim().is_empty() {
                    match gateway.line(&name, line, number) {
                        Ok(Clean::Structured(text)) => out.push_str(&text),
                        Ok(Clean::Text(clean)) => self.row(&clean, &mut out)?,
                        Err(what) => refused.push(Refused { line: number, what }),
                    }
                    if !out.is_empty() && !out.ends_with('\n') {
                        out.push('\n');
                    }
                }
                bar.inc(line.len() as u64 + 1);
            }
        } else {
            let length = text.len() as u64;
            match gateway.document(&name, text) {
                Ok(Clean::Structured(text)) => out.push_str(&text),
                Ok(Clean::Text(clean)) => self.one(&clean, &mut out)?,
                Err(what) => refused.push(Refused { line: 0, what }),
            }
            bar.inc(length);
        }
        if !out.is_empty() || refused.is_empty() {
            self.put(gateway, source, &out)?;
        }
        Ok(refused)
    }

    /// A text of its own.
    fn one(&self, clean: &CleanText, out: &mut String) -> Result<(), Failure> {
        match self.format {
            Format::Text => out.push_str(&clean.text),
            Format::Json => {
                out.push_str(&serde_json::to_string_pretty(&answer(clean))?);
                out.push('\n');
            }
            Format::Html => out.push_str(&page::page(clean).render()?),
        }
        Ok(())
    }

    /// A text that is a row: rows stay rows, but for pages.
    fn row(&self, clean: &CleanText, out: &mut String) -> Result<(), Failure> {
        match self.format {
            Format::Text => {
                let row = serde_json::json!({ "id": clean.id, "text": clean.text });
                out.push_str(&row.to_string());
            }
            Format::Json => out.push_str(&serde_json::to_string(&answer(clean))?),
            Format::Html => out.push_str(&page::page(clean).render()?),
        }
        Ok(())
    }

    fn put(&self, gateway: &Gateway, source: &Source, out: &str) -> Result<(), Failure> {
        let Some(folder) = self.folder else {
            let mut stdout = std::io::stdout().lock();
            stdout.write_all(out.as_bytes())?;
            return Ok(stdout.flush()?);
        };
        let mut file: PathBuf = folder.join(gateway.file_name(&source.relative));
        match self.format {
            Format::Text => {}
            Format::Json if source.is_lines() => {}
            Format::Json => file
                .add_extension("json")
                .then_some(())
                .ok_or("a file without a name")?,
            Format::Html => file
                .add_extension("html")
                .then_some(())
                .ok_or("a file without a name")?,
        }
        if let Some(parent) = file.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&file, out).map_err(|error| format!("{}: {error}", file.display()).into())
    }
}

fn answer(clean: &CleanText) -> Answer<'_> {
    let original = code_points(&clean.original, &clean.redactions);
    let moved: Vec<Redaction> = clean
        .redactions
        .iter()
        .map(|redaction| Redaction {
            original: redaction.scrubbed,
            ..*redaction
        })
        .collect();
    let scrubbed = code_points(&clean.text, &moved);
    let redactions = clean
        .redactions
        .iter()
        .zip(original.iter().zip(&scrubbed))
        .map(
            |(redaction, (&(start, end), &(scrubbed_start, scrubbed_end)))| Evidence {
                start,
                end,
                scrubbed_start,
                scrubbed_end,
                class: redaction.class,
                finder: redaction.finder,
                sure_percent: redaction.sure,
                known: redaction.known,
            },
        )
        .collect();
    Answer {
        id: &clean.id,
        text: &clean.text,
        scrubber: clinical::Scrubber::VERSION.0,
        redactions,
    }
}
