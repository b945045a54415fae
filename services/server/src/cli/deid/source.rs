//! Where documents come from.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::super::Failure;

/// A file, or standard input.
pub struct Source {
    /// `None` is standard input.
    path: Option<PathBuf>,
    /// Below the folder that was named, for the name of the output.
    pub relative: PathBuf,
    /// Size, as far as it is known.
    pub bytes: u64,
}

impl Source {
    /// For people.
    pub fn name(&self) -> String {
        self.relative.display().to_string()
    }

    /// Whether its lines are documents of their own.
    pub fn is_lines(&self) -> bool {
        self.relative
            .extension()
            .is_some_and(|extension| extension == "ndjson" || extension == "jsonl")
    }

    /// The whole text. A text that is no UTF-8 is read as ISO 8859-1, so that none is refused for an accent.
    pub fn read(&self) -> Result<String, Failure> {
        let bytes = if let Some(path) = &self.path {
            std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?
        } else {
            let mut bytes = Vec::new();
            std::io::stdin().lock().read_to_end(&mut bytes)?;
            bytes
        };
        Ok(match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => error.as_bytes().iter().map(|&byte| char::from(byte)).collect(),
        })
    }
}

/// The files that `named` are or hold, in order of their names; hidden files within folders are passed over.
pub fn find(named: &[PathBuf]) -> Result<Vec<Source>, Failure> {
    let mut sources = Vec::new();
    for path in named {
        if path.as_os_str() == "-" {
            sources.push(Source {
                path: None,
                relative: PathBuf::from("standard-input.txt"),
                bytes: 0,
            });
            continue;
        }
        let about = std::fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))?;
        if about.is_dir() {
            below(path, path, &mut sources)?;
        } else {
            sources.push(Source {
                path: Some(path.clone()),
                relative: path.file_name().map_or_else(|| path.clone(), PathBuf::from),
                bytes: about.len(),
            });
        }
    }
    Ok(sources)
}

fn below(root: &Path, folder: &Path, sources: &mut Vec<Source>) -> Result<(), Failure> {
    let mut entries: Vec<_> = std::fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        // Links are not followed: a loop would never end.
        let kind = entry.file_type()?;
        if kind.is_dir() {
            below(root, &path, sources)?;
        } else if kind.is_file() {
            sources.push(Source {
                relative: path.strip_prefix(root).unwrap_or(&path).to_owned(),
                bytes: entry.metadata()?.len(),
                path: Some(path),
            });
        }
    }
    Ok(())
}
