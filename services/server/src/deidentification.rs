//! The policy of de-identification: `policies/deidentification.toml`, built in or the hospital's own.

use std::path::Path;

use clinical::Replacement;
use interop::deid::{Rules, RulesError};
use serde::Deserialize;

/// How texts and structured data lose their patients.
pub struct Deidentification {
    /// What stands in texts where an identifier stood.
    pub mode: TextMode,
    /// Rules for structured data.
    pub rules: Rules,
}

/// What stands in a text where an identifier stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum TextMode {
    /// Values of the same form; for Expert Determination, not Safe Harbor
    Surrogates,
    /// Tags such as [NAME] and [DATE 2019]; what Safe Harbor lists is gone
    Tags,
}

impl TextMode {
    /// As the scrubber takes it; `year` is the current one.
    #[must_use]
    pub const fn replacement(self, year: i32) -> Replacement {
        match self {
            Self::Surrogates => Replacement::Surrogates,
            Self::Tags => Replacement::Tags { year },
        }
    }
}

/// The policy was not taken. The process stops.
#[derive(Debug, thiserror::Error)]
pub enum DeidentificationError {
    /// The file cannot be read.
    #[error("the de-identification policy cannot be read")]
    File(#[from] std::io::Error),
    /// Not TOML, or the table `[text]` is missing or has something unknown.
    #[error("table [text] of the de-identification policy is wrong")]
    Text(#[from] toml::de::Error),
    /// A rule for structured data is wrong.
    #[error("a rule of the de-identification policy is wrong")]
    Rules(#[from] RulesError),
}

#[derive(Deserialize)]
struct File {
    text: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    mode: TextMode,
}

const BUILT_IN: &str = include_str!("../../../policies/deidentification.toml");

impl Deidentification {
    /// The policy in `file`, or without one the built-in.
    ///
    /// # Errors
    /// [`DeidentificationError`].
    pub fn read(file: Option<&Path>) -> Result<Self, DeidentificationError> {
        match file {
            Some(file) => Self::from_toml(&std::fs::read_to_string(file)?),
            None => Self::from_toml(BUILT_IN),
        }
    }

    /// # Errors
    /// [`DeidentificationError`] for a policy that is not whole.
    pub fn from_toml(text: &str) -> Result<Self, DeidentificationError> {
        let file: File = toml::from_str(text)?;
        Ok(Self {
            mode: file.text.mode,
            rules: Rules::from_toml(text)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_structured_data_know_the_same_small_areas() {
        let file: toml::Table = BUILT_IN.parse().expect("TOML");
        let listed: Vec<&str> = file["fhir"]["restricted_zips"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(toml::Value::as_str)
            .collect();
        assert_eq!(listed, clinical::RESTRICTED_AREAS);
    }

    #[test]
    fn the_built_in_policy_parses_and_a_wrong_one_is_refused() {
        let policy = Deidentification::read(None).expect("built in");
        assert_eq!(policy.mode, TextMode::Surrogates);
        let tags = BUILT_IN.replace("mode = \"surrogates\"", "mode = \"tags\"");
        assert_eq!(
            Deidentification::from_toml(&tags).expect("tags").mode,
            TextMode::Tags
        );
        for wrong in ["", "[text]\nmode = \"blur\"", "[text]\nmode = \"tags\"\nblur = 1"] {
            assert!(Deidentification::from_toml(wrong).is_err(), "{wrong}");
        }
    }
}
