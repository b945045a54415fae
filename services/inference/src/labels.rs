//! `labels.json`: what the outputs of the head mean, and from which probability each is reported.

use std::collections::HashSet;

use clinical::{Label, Probability};
use serde::{Deserialize, Serialize};

use crate::{Isotonic, Reads};

/// Findings that a model may have at most.
const MAX_FINDINGS: usize = 4096;

/// Bytes of what stands for a redaction, at most.
const MAX_STAND_IN: usize = 32;

/// How the probability of *abnormal* is made, and its operating point: `sigmoid(bias + own × z + any × e)`, where `z` is
/// the logit of the head's own output and `e` the log-odds that any finding is there, if findings were independent
/// (noisy-or, Pearl 1988). A stack of two (Wolpert 1992, Neural Networks 5(2)), which errs less than either alone, and
/// a calibration at once (Platt 1999).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AbnormalPoint {
    /// Weight of the own logit.
    pub own: f64,
    /// Weight of the log-odds of any finding.
    pub any: f64,
    /// Bias.
    pub bias: f64,
    /// Abnormal at or above this probability.
    pub threshold: Probability,
}

/// An output that has too few notes to be reported: it only speaks for *abnormal*.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SupportingLabel {
    /// Its name.
    pub label: Label,
    /// Temperature of its logit.
    pub temperature: f64,
}

/// Calibration and operating point of one finding.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatingPoint {
    /// The logit is divided by it before the sigmoid (temperature scaling, Guo et al. 2017, arXiv:1706.04599).
    pub temperature: f64,
    /// Reported at or above this probability.
    pub threshold: Probability,
}

/// One finding of the label set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FindingLabel {
    /// Its name.
    pub label: Label,
    /// Its calibration and operating point.
    pub point: OperatingPoint,
}

/// The outputs of a model in the order of its head (abnormal, findings, supporting), and how it reads long notes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelSet {
    /// Normal or abnormal.
    pub abnormal: AbnormalPoint,
    /// The findings that are reported, in the order of the head.
    pub findings: Vec<FindingLabel>,
    /// The findings that are not reported, in the order of the head.
    pub supporting: Vec<SupportingLabel>,
    /// Word pieces that are read at once, special tokens included.
    pub window: usize,
    /// Word pieces that neighbouring windows share.
    pub overlap: usize,
    /// How the probability of abnormal is bent after all else; label sets before version 1.1 do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isotonic: Option<Isotonic>,
    /// Distance from the training reports above which a text is not assessed; `None` in label sets before version 1.2, whose
    /// models never abstain for this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unfamiliar: Option<f64>,
    /// What is read of a note; before version 1.3, all of it as it came from the gateway.
    #[serde(default, skip_serializing_if = "Reads::is_whole")]
    pub reads: Reads,
}

/// Why a label set is refused.
#[derive(Debug, thiserror::Error)]
pub enum LabelSetError {
    /// Not the JSON of a label set.
    #[error("labels.json is no label set")]
    Json(#[from] serde_json::Error),
    /// A number or a name makes no sense.
    #[error("labels.json: {0}")]
    Rule(&'static str),
}

impl LabelSet {
    /// Reads `labels.json` of a model whose encoder reads up to `positions` word pieces.
    ///
    /// # Errors
    /// [`LabelSetError`] when it is not JSON of this form, or a number or name makes no sense.
    pub fn from_json(json: &[u8], positions: usize) -> Result<Self, LabelSetError> {
        let labels: Self = serde_json::from_slice(json)?;
        if !labels.temperatures().all(|t| t.is_finite() && t > 0.0) {
            return Err(LabelSetError::Rule("a temperature is no positive number"));
        }
        if labels
            .unfamiliar
            .is_some_and(|limit| !(limit.is_finite() && limit > 0.0))
        {
            return Err(LabelSetError::Rule(
                "the limit of unfamiliar is no positive number",
            ));
        }
        if labels
            .reads
            .redacted
            .as_ref()
            .is_some_and(|text| text.len() > MAX_STAND_IN)
        {
            return Err(LabelSetError::Rule("what stands for a redaction is too long"));
        }
        // Weights below zero would turn a finding into a sign of health.
        let abnormal = labels.abnormal;
        let weights = [abnormal.own, abnormal.any];
        if !(abnormal.bias.is_finite() && weights.iter().all(|w| w.is_finite() && *w >= 0.0)) {
            return Err(LabelSetError::Rule("a weight of abnormal is no number from zero"));
        }
        let supporting = labels.supporting.iter().map(|supporting| &supporting.label);
        let all = || {
            labels
                .findings
                .iter()
                .map(|finding| &finding.label)
                .chain(supporting.clone())
        };
        let names: HashSet<&str> = all().map(Label::as_str).collect();
        if names.len() != all().count() || names.iter().any(|name| name.trim().is_empty()) {
            return Err(LabelSetError::Rule("a finding has no name, or two have the same"));
        }
        if labels.outputs() > MAX_FINDINGS {
            return Err(LabelSetError::Rule("too many findings"));
        }
        if labels.window > positions {
            return Err(LabelSetError::Rule("the window is longer than the encoder reads"));
        }
        // Two special tokens, and at least one new word piece a window.
        if labels.overlap.saturating_add(2) >= labels.window {
            return Err(LabelSetError::Rule("the overlap leaves no room in the window"));
        }
        Ok(labels)
    }

    /// Outputs of the head: abnormal, the findings and the supporting ones.
    #[must_use]
    pub fn outputs(&self) -> usize {
        1 + self.findings.len() + self.supporting.len()
    }

    /// Temperature of each output after the first, in the order of the head.
    pub(crate) fn temperatures(&self) -> impl Iterator<Item = f64> {
        let findings = self.findings.iter().map(|finding| finding.point.temperature);
        findings.chain(self.supporting.iter().map(|supporting| supporting.temperature))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"abnormal": {"own": 0.5, "any": 0.5, "bias": -0.1, "threshold": 0.5},
        "findings": [{"label": "Edema", "point": {"temperature": 1.0, "threshold": 0.4}},
                     {"label": "Nodule", "point": {"temperature": 1.0, "threshold": 0.3}}],
        "supporting": [{"label": "Pneumonia", "temperature": 1.5}], "window": 256, "overlap": 64}"#;

    #[test]
    fn a_label_set_is_read() -> Result<(), LabelSetError> {
        let labels = LabelSet::from_json(GOOD.as_bytes(), 512)?;
        assert_eq!(labels.outputs(), 4);
        assert_eq!(labels.findings[1].label.as_str(), "Nodule");
        Ok(())
    }

    #[test]
    fn label_sets_that_make_no_sense_are_refused() {
        for (from, to) in [
            ("\"temperature\": 1.5", "\"temperature\": 0.0"),
            ("\"own\": 0.5", "\"own\": -0.5"),
            ("\"bias\": -0.1", "\"bias\": null"),
            ("Pneumonia", "Edema"),
            ("\"threshold\": 0.4", "\"threshold\": 1.4"),
            ("Nodule", "Edema"),
            ("Nodule", " "),
            ("\"window\": 256", "\"window\": 513"),
            ("\"overlap\": 64", "\"overlap\": 254"),
            ("\"overlap\": 64", "\"overlap\": 64, \"more\": 1"),
        ] {
            let json = GOOD.replace(from, to);
            assert_ne!(json, GOOD, "{from}");
            assert!(LabelSet::from_json(json.as_bytes(), 512).is_err(), "{to}");
        }
    }
}
