//! `countersign data`: labelled reports before anything learns from them.

mod page;
mod source;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use askama::Template as _;
use clap::{Args, Subcommand};
use clinical::Scrubber;
use indicatif::{ProgressBar, ProgressStyle};
use training::cleaning::{self, CleaningOptions, Place, Row, Share};

use super::{Failure, say};

/// Look after labelled reports
#[derive(Subcommand)]
pub enum DataCommand {
    /// Find what is wrong with labelled reports, and write clean parts that share no patient and no text
    ///
    /// Looks for copies and near copies (`MinHash`), patients and texts on both sides of a split, labels that contradict one
    /// another, empty texts, sentences that many reports share, other languages, and identifiers that the gateway finds.
    /// Every text goes through the gateway first; nothing that is printed or written holds an identifier that it found.
    Clean(Box<CleanArgs>),
}

/// Arguments of `data clean`.
#[derive(Args)]
pub struct CleanArgs {
    /// Files: CSV (uid, Problems or labels, findings and impression or text; patient, split), NDJSON with the same names,
    /// or NDJSON of FHIR's `DiagnosticReport` and `DocumentReference`. Rows that name no split belong to that of their file's name
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Folder to write the clean parts to: one CSV each, with the scrubbed texts
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Page to write, with charts; the same as JSON beside it
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// New parts and their sizes; without it rows keep the part that they are in
    #[arg(long, value_delimiter = ',', value_parser = share, value_name = "NAME=PART,…")]
    split: Vec<Share>,
    /// Seed of the new parts
    #[arg(long, default_value_t = CleaningOptions::default().seed, value_name = "N")]
    seed: u64,
    /// Similarity from which texts are near copies: shared runs of three words over all of them
    #[arg(long, default_value_t = CleaningOptions::default().near, value_parser = unit, value_name = "X")]
    near: f64,
    /// Part of the texts from which a sentence that they share is boilerplate
    #[arg(long, default_value_t = CleaningOptions::default().boilerplate, value_parser = unit, value_name = "X")]
    boilerplate: f64,
    /// Words that a text needs to say something
    #[arg(long, default_value_t = CleaningOptions::default().least_words, value_name = "N")]
    least_words: usize,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
    /// Secret of the surrogates in the clean parts, 32 bytes or more, as for `deid`. Without it each run draws its own
    #[arg(long, env = "COUNTERSIGN_DEID_KEY", value_name = "FILE")]
    key: Option<PathBuf>,
}

/// `NAME=PART`, such as `train=0.8`.
fn share(text: &str) -> Result<Share, String> {
    let (name, part) = text
        .split_once('=')
        .ok_or("a part is written NAME=PART, such as train=0.8")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || !name.chars().all(plain) {
        return Err("a part's name has letters, digits, - and _".to_owned());
    }
    Ok(Share {
        name: name.to_owned(),
        part: unit(part)?,
    })
}

/// A number above 0, at most 1.
fn unit(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|&part: &f64| part > 0.0 && part <= 1.0)
        .ok_or_else(|| "a number above 0, at most 1, is wanted".to_owned())
}

/// Does what a `data` command says.
///
/// # Errors
/// [`Failure`] when a file cannot be read or written.
pub fn run(command: DataCommand) -> Result<(), Failure> {
    match command {
        DataCommand::Clean(args) => clean(&args),
    }
}

fn scrubber(key: Option<&Path>) -> Result<Scrubber, Failure> {
    let Some(file) = key else {
        return Ok(Scrubber::new(seal::MacKey::new(&seal::random()?)));
    };
    let secret = fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    if secret.len() < 32 {
        return Err(format!("{} holds fewer than 32 bytes", file.display()).into());
    }
    Ok(Scrubber::new(seal::MacKey::new(
        seal::Digest::of(&secret).as_bytes(),
    )))
}

fn clean(args: &CleanArgs) -> Result<(), Failure> {
    let sum: f64 = args.split.iter().map(|share| share.part).sum();
    if !args.split.is_empty() && (sum - 1.0).abs() > 1e-6 {
        return Err(format!("the new parts are {sum} together; they must be 1").into());
    }
    let scrubber = scrubber(args.key.as_deref())?;
    let bar = ProgressBar::new(args.files.len() as u64);
    if let Ok(style) = ProgressStyle::with_template("{msg:32} [{bar:32}] {pos}/{len} files, {elapsed}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_message("reading and de-identifying");
    let mut rows = Vec::new();
    let mut skipped = 0;
    for file in &args.files {
        let read = source::read(file, &scrubber)?;
        skipped += read.skipped;
        rows.extend(read.rows);
        bar.inc(1);
    }
    bar.set_message("comparing");
    let options = CleaningOptions {
        near: args.near,
        boilerplate: args.boilerplate,
        least_words: args.least_words,
        shares: args.split.clone(),
        seed: args.seed,
    };
    let (found, places) = cleaning::examine(&rows, &options);
    bar.finish_and_clear();
    let json = serde_json::to_string_pretty(&found)?;
    if let Some(path) = &args.report {
        write(path, page::page(&found, &options, skipped).render()?.as_bytes())?;
        write(&path.with_extension("json"), json.as_bytes())?;
    }
    if let Some(folder) = &args.out {
        write_parts(folder, &rows, &places)?;
    }
    if args.json {
        say(json);
    } else {
        for (name, value) in page::summary(&found, skipped) {
            say(format_args!("{name:<44} {value:>8}"));
        }
        if let Some(path) = &args.report {
            say(format_args!("report: {}", path.display()));
        }
        if let Some(folder) = &args.out {
            say(format_args!("clean parts: {}", folder.display()));
        }
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// One CSV a part, in the form that `model train` reads. The scrubbed text is whole in `findings`; whose a report is, is not
/// written.
fn write_parts(folder: &Path, rows: &[Row], places: &[Place]) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut parts: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for (row, place) in rows.iter().zip(places) {
        if let Ok(part) = place {
            parts.entry(part).or_default().push(row);
        }
    }
    for (part, rows) in parts {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["uid", "Problems", "findings", "impression"])?;
        for row in rows {
            writer.write_record([&row.uid, &row.labels.join(";"), &row.text, ""])?;
        }
        let mut bytes = writer.into_inner().map_err(|error| error.to_string())?;
        bytes.flush()?;
        write(&folder.join(format!("{part}.csv")), &bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean_files(files: &[(&str, &str)], more: &[&str]) -> Result<(tempfile::TempDir, PathBuf), Failure> {
        use clap::Parser;
        #[derive(Parser)]
        struct Program {
            #[command(subcommand)]
            command: DataCommand,
        }
        let folder = tempfile::tempdir()?;
        let out = folder.path().join("out");
        let report = folder.path().join("report.html");
        let mut words = vec!["data".to_owned(), "clean".to_owned()];
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::write(&path, text)?;
            words.push(path.display().to_string());
        }
        words.extend(["--out".to_owned(), out.display().to_string()]);
        words.extend(["--report".to_owned(), report.display().to_string()]);
        words.extend(more.iter().map(|&word| word.to_owned()));
        run(Program::try_parse_from(words)?.command)?;
        Ok((folder, report))
    }

    #[test]
    fn every_format_is_read_cleaned_and_written() -> Result<(), Failure> {
        let csv = "uid,patient,Problems,findings,impression\n\
                   1,p1,normal,The heart is normal in size and the lungs are clear.,No acute disease.\n\
                   2,p2,normal,The heart is normal in size and the lungs are clear.,No acute disease.\n\
                   3,p3,Edema,Seen by Dr. Margaret Ferncastle: there is interstitial edema in both lungs.,Edema.\n\
                   4,p4,normal,,\n";
        let fhir = concat!(
            r#"{"resourceType":"DiagnosticReport","id":"d1","subject":{"reference":"Patient/p3"},"conclusion":"The heart is large and there is a small effusion on the left.","conclusionCode":[{"text":"Cardiomegaly"}]}"#,
            "\n",
            r#"{"resourceType":"Patient","id":"p3"}"#,
            "\n",
            r#"{"uid":"n1","text":"There is a nodule in the right upper lobe of the lung.","labels":["Nodule"],"split":"dev"}"#,
            "\n",
        );
        let (folder, report) = clean_files(&[("train.csv", csv), ("more.ndjson", fhir)], &[])?;
        let found: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(report.with_extension("json"))?)?;
        assert_eq!(found["rows"], 6);
        assert_eq!(found["exact"], serde_json::json!([["1", "2"]]));
        assert_eq!(found["empty"], serde_json::json!(["4"]));
        assert_eq!(found["patient_leaks"][0]["rows"], serde_json::json!(["3", "d1"]));
        assert!(
            found["identifiers"]["NAME"]
                .as_u64()
                .is_some_and(|rows| rows >= 1),
            "{found}"
        );
        let train = fs::read_to_string(folder.path().join("out/train.csv"))?;
        assert_eq!(train.lines().count(), 3);
        assert!(!train.contains("Ferncastle") && train.contains("Edema"));
        let dev = fs::read_to_string(folder.path().join("out/dev.csv"))?;
        assert!(dev.starts_with("uid,Problems,findings,impression\nn1,Nodule,There is a nodule"));
        let html = fs::read_to_string(&report)?;
        assert!(html.contains("<svg") && !html.contains("Ferncastle"));
        Ok(())
    }

    #[test]
    fn what_makes_no_sense_is_refused_without_its_text() {
        for (files, more) in [
            (
                vec![("a.csv", "uid,text\n1,secret")],
                vec!["--split", "train=0.8,dev=0.1"],
            ),
            (vec![("a.csv", "uid,text\n1,secret")], vec!["--split", "../x=1"]),
            (vec![("a.csv", "uid,words\n1,secret")], vec![]),
            (vec![("a.csv", "uid,text\n1,secret,secret")], vec![]),
            (vec![("a.ndjson", "{\"secret\": ")], vec![]),
            (vec![("a.txt", "secret")], vec![]),
        ] {
            let Err(refused) = clean_files(&files, &more) else {
                panic!("{files:?} was read");
            };
            assert!(!refused.to_string().contains("secret"), "{refused}");
        }
    }
}
