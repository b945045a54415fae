//! `countersign deid`: documents of every kind through the command line, and what must not come out.

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use server::cli::deid::{DeidArgs, run};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: DeidArgs,
}

fn deid(args: &[&str]) -> ExitCode {
    let line = std::iter::once("deid").chain(args.iter().copied());
    let line = Line::try_parse_from(line).expect("the arguments are accepted");
    run(line.args).expect("the command runs")
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).expect("the output is there")
}

const NOTE: &str = "Patient: Thoralf Quillfeather   MRN: 00482913   DOB: 03/14/1956\n\
                    Seen by Dr. Ysolde Marchbanks at Lakeview Hospital on 2026-11-02. Foley catheter in place; EF 55%.\n";
const GONE: [&str; 7] = [
    "Thoralf",
    "Quillfeather",
    "482913",
    "03/14/1956",
    "Marchbanks",
    "Lakeview",
    "2026-11-02",
];

#[test]
fn a_folder_of_everything_loses_its_patients() {
    let folder = tempfile::tempdir().expect("a folder");
    let (from, to) = (folder.path().join("in"), folder.path().join("out"));
    std::fs::create_dir_all(from.join("ward")).expect("a folder");
    let put = |name: &str, body: &str| std::fs::write(from.join(name), body).expect("written");
    put("note.txt", NOTE);
    put("ward/Quillfeather_Thoralf.txt", NOTE);
    let row = serde_json::json!({ "id": 7, "text": NOTE, "known": { "names": ["Thoralf Quillfeather"] } });
    put(
        "rows.ndjson",
        &format!(
            "{row}\n{{\"resourceType\":\"Patient\",\"id\":\"q1\",\"name\":[{{\"family\":\"Quillfeather\"}}],\"gender\":\"male\"}}\n"
        ),
    );
    put(
        "patient.json",
        r#"{"resourceType":"Patient","id":"q1","name":[{"family":"Quillfeather","given":["Thoralf"]}],"gender":"male","birthDate":"1956-03-14"}"#,
    );
    put(
        "message.hl7",
        "MSH|^~\\&|A|B|C|D|20261102||ORU^R01|M1|P|2.5\rPID|1||00482913^^^A^MR||Quillfeather^Thoralf||19560314|M\rOBX|1|TX|1||Mr. Quillfeather has a small effusion||||||F\r",
    );
    let (from, to) = (from.display().to_string(), to);
    let code = deid(&[&from, "--out", &to.display().to_string()]);
    assert_eq!(code, ExitCode::SUCCESS);
    let mut seen = Vec::new();
    let mut folders = vec![to.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let out = text(&path);
                for gone in GONE.into_iter().chain(["19560314", "1956-03-14"]) {
                    assert!(!out.contains(gone), "{gone} in {}", path.display());
                }
                seen.push(path.strip_prefix(&to).expect("below").display().to_string());
            }
        }
    }
    seen.sort();
    assert_eq!(seen.len(), 5, "{seen:?}");
    assert!(!seen.iter().any(|name| name.contains("Quill")), "{seen:?}");
    let note = text(&to.join("note.txt"));
    assert!(note.contains("Foley catheter in place; EF 55%."), "{note}");
    assert!(text(&to.join("message.hl7")).contains("has a small effusion"));
    assert_eq!(text(&to.join("rows.ndjson")).lines().count(), 2);
}

#[test]
fn evidence_and_pages_are_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("note.txt");
    std::fs::write(&file, NOTE).expect("written");
    let (file, out) = (file.display().to_string(), folder.path().join("out"));
    let to = out.display().to_string();
    assert_eq!(
        deid(&[&file, "--format", "json", "--mode", "tags", "--out", &to]),
        ExitCode::SUCCESS
    );
    let answer: serde_json::Value = serde_json::from_str(&text(&out.join("note.txt.json"))).expect("JSON");
    let redactions = answer["redactions"].as_array().expect("redactions");
    assert!(redactions.len() >= 6);
    let chars: Vec<char> = NOTE.chars().collect();
    for redaction in redactions {
        let at = |name: &str| usize::try_from(redaction[name].as_u64().expect("a number")).expect("small");
        assert!(at("start") < at("end") && at("end") <= chars.len());
        assert!((1..=100).contains(&at("sure_percent")), "{redaction}");
        let new: String = answer["text"]
            .as_str()
            .expect("text")
            .chars()
            .skip(at("scrubbed_start"))
            .take(at("scrubbed_end") - at("scrubbed_start"))
            .collect();
        assert!(new.starts_with('[') && new.ends_with(']'), "{new}");
    }
    assert_eq!(
        deid(&[&file, "--format", "html", "--out", &to]),
        ExitCode::SUCCESS
    );
    let page = text(&out.join("note.txt.html"));
    assert!(
        page.contains("Thoralf Quillfeather")
            && page.contains("name context")
            && page.contains("Confidential")
    );
}

#[test]
fn what_cannot_be_read_is_refused_and_not_passed_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("patient.json");
    std::fs::write(
        &file,
        r#"{"resourceType":"Patient","name":[{"family":"Quillfeather""#,
    )
    .expect("written");
    let out = folder.path().join("out");
    let code = deid(&[&file.display().to_string(), "--out", &out.display().to_string()]);
    assert_eq!(code, ExitCode::FAILURE);
    assert!(!out.join("patient.json").exists());
}

#[test]
fn one_key_makes_one_set_of_surrogates() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(at("note.txt"), NOTE).expect("written");
    std::fs::write(at("key"), [5; 32]).expect("written");
    for out in ["one", "two"] {
        deid(&[
            &at("note.txt"),
            "--key",
            &at("key"),
            "--patient",
            "7",
            "--out",
            &at(out),
        ]);
    }
    deid(&[&at("note.txt"), "--patient", "7", "--out", &at("other")]);
    let read = |out: &str| text(&folder.path().join(out).join("note.txt"));
    assert_eq!(read("one"), read("two"));
    assert_ne!(read("one"), read("other"));
}
