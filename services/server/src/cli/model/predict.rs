//! `countersign model predict`: what a model says about each row of a CSV file.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use clinical::DeidentifiedNote;
use inference::{Engine, ReadText, Scores};
use serde::Serialize;

use super::{ModelCliError, ModelSource, bar, reports};

/// Rows that are scored at once: they are batched by length inside, and printed in the order of the file.
const CHUNK: usize = 64;

/// Arguments of `model predict`.
#[derive(Args)]
pub struct PredictArgs {
    #[command(flatten)]
    source: ModelSource,
    /// Reports: CSV with the columns uid, findings, impression; other columns are passed over. The text is findings and
    /// impression with a blank between, de-identified first. Without a column uid, rows are numbered from 1
    #[arg(long, value_name = "FILE")]
    csv: PathBuf,
    /// Print one JSON object a row: {uid, abnormal, findings: {name: probability}, abstained, ood}. A row that the model does
    /// not read (no word in it, or too long) has `abstained` true, `abnormal` null and no findings. A row that it reads, but
    /// that is unlike the reports it was trained on, has `abstained` true and the numbers that it will not stand for. `ood`
    /// is how unlike them the row is: about 1 for one of them; null where the model does not know them
    #[arg(long)]
    json: bool,
}

/// One line of the answer.
#[derive(Serialize)]
struct Line<'a> {
    uid: &'a str,
    /// Probability that the report says something abnormal; `null` where the report was not read.
    abnormal: Option<f64>,
    /// Probability of every finding of the label set.
    findings: BTreeMap<&'a str, f64>,
    /// Whether the model has no answer: then a person reads the report without a suggestion.
    abstained: bool,
    /// How unlike the training reports the row is.
    ood: Option<f64>,
}

/// Scores every row and prints it; progress goes to standard error.
pub(super) fn run(args: &PredictArgs) -> Result<(), ModelCliError> {
    let engine = args.source.load()?;
    let rows = reports::read_rows(&args.csv)?;
    let bar = bar(rows.len() as u64, "reports");
    bar.set_message("predicting");
    let mut out = io::BufWriter::new(io::stdout().lock());
    if !args.json {
        writeln!(out, "uid\tabnormal\tfindings at or above their operating points")?;
    }
    for chunk in rows.chunks(CHUNK) {
        let read: Vec<&DeidentifiedNote> = chunk
            .iter()
            .map(|(_, note)| note)
            .filter(|note| engine.reads(note))
            .collect();
        let read: Vec<ReadText<'_>> = read.iter().map(|note| engine.reading(note)).collect();
        let texts: Vec<&str> = read.iter().map(ReadText::text).collect();
        let mut scores = engine.score_batch(&texts)?.into_iter();
        for (uid, note) in chunk {
            let answer = if engine.reads(note) { scores.next() } else { None };
            if args.json {
                let line = line(&engine, uid, answer.as_ref());
                writeln!(out, "{}", serde_json::to_string(&line).map_err(io::Error::from)?)?;
            } else {
                table(&mut out, &engine, uid, answer.as_ref())?;
            }
        }
        bar.inc(chunk.len() as u64);
    }
    out.flush()?;
    bar.finish_and_clear();
    Ok(())
}

fn line<'a>(engine: &'a Engine, uid: &'a str, scored: Option<&Scores>) -> Line<'a> {
    let findings = scored.map_or_else(BTreeMap::new, |scores| {
        let labels = engine.labels().findings.iter();
        labels
            .zip(&scores.findings)
            .map(|(finding, probability)| (finding.label.as_str(), probability.get()))
            .collect()
    });
    Line {
        uid,
        abnormal: scored.map(|scores| scores.abnormal.get()),
        findings,
        abstained: scored.is_none_or(|scores| engine.is_unfamiliar(scores)),
        // An infinite distance is no JSON number.
        ood: scored
            .and_then(|scores| scores.distance)
            .map(|distance| distance.min(f64::from(f32::MAX))),
    }
}

fn table(out: &mut impl Write, engine: &Engine, uid: &str, answer: Option<&Scores>) -> io::Result<()> {
    let Some(scores) = answer else {
        return writeln!(out, "{uid}\t-\tnot read");
    };
    if engine.is_unfamiliar(scores) {
        return writeln!(out, "{uid}\t-\tunlike the reports that the model was trained on");
    }
    let labels = engine.labels().findings.iter().zip(&scores.findings);
    let named: Vec<String> = labels
        .filter(|(finding, probability)| **probability >= finding.point.threshold)
        .map(|(finding, probability)| format!("{} {:.3}", finding.label.as_str(), probability.get()))
        .collect();
    writeln!(out, "{uid}\t{:.3}\t{}", scores.abnormal.get(), named.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_is_not_read_has_no_number() -> Result<(), Box<dyn std::error::Error>> {
        let engine = ModelSource::default().load()?;
        let scores = engine.score_batch(&["The heart is enlarged. Small left pleural effusion."])?;
        let said = serde_json::to_value(line(&engine, "7", scores.first()))?;
        assert_eq!(said["uid"], "7");
        assert_eq!(said["abstained"], false);
        assert!(said["abnormal"].as_f64().is_some_and(|p| p > 0.5));
        let findings = said["findings"].as_object().ok_or("findings are an object")?;
        assert_eq!(findings.len(), engine.labels().findings.len());
        assert!(findings["Cardiomegaly"].as_f64().is_some_and(|p| p > 0.5));

        let silent = serde_json::to_value(line(&engine, "8", None))?;
        assert_eq!(
            silent,
            serde_json::json!({"uid": "8", "abnormal": null, "findings": {}, "abstained": true, "ood": null})
        );
        Ok(())
    }
}
