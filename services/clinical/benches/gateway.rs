//! How fast the gateway is: megabytes a second on one core with everything on, by length of the note and by mode, beside
//! a peer where one is named.
//!
//! `cargo bench -p clinical --bench gateway [-- --peer "python3 ../shared/peers/presidio_spans.py"]`; the peer reads a
//! file of JSON lines and ends with a line of JSON on standard error that has `bytes_per_s`.
#![expect(clippy::print_stdout, reason = "a benchmark answers on standard output")]

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Instant;

use clinical::leak::Planter;
use clinical::{Known, Replacement, Scrubber};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let peer = args
        .iter()
        .position(|arg| arg == "--peer")
        .and_then(|at| args.get(at + 1));
    let tags = Replacement::Tags { year: 2026 };
    let scrubbers = [
        ("surrogates", Scrubber::new(seal::MacKey::new(&[7; 32]))),
        ("tags", Scrubber::new(seal::MacKey::new(&[7; 32])).replacing(tags)),
    ];
    println!(
        "{:<28}{:>12}{:>12}{:>14}",
        "planted notes", "notes", "MB/s", "ms per note"
    );
    let mut ours = 0.0;
    for (bytes, count) in [
        (500, 4000),
        (2_000, 1000),
        (20_000, 100),
        (200_000, 10),
        (1_000_000, 2),
    ] {
        let notes = notes(bytes, count);
        for (mode, scrubber) in &scrubbers {
            let speed = speed(scrubber, &notes);
            if bytes == 2_000 && *mode == "surrogates" {
                ours = speed;
            }
            #[expect(clippy::cast_precision_loss, reason = "for display")]
            let each = bytes as f64 / speed / 1e3;
            println!(
                "{:<28}{count:>12}{speed:>12.2}{each:>14.3}",
                format!("{bytes} bytes, {mode}")
            );
        }
    }
    let began = Instant::now();
    drop(Scrubber::new(seal::MacKey::new(&[7; 32])));
    println!(
        "a scrubber is made in {:.0} ms",
        began.elapsed().as_secs_f64() * 1e3
    );
    if let Some(command) = peer {
        match peers(command, &notes(2_000, 100)) {
            Some(theirs) => println!(
                "peer: {:.3} MB/s on the first hundred notes of 2,000 bytes; ours is {:.0} times that",
                theirs / 1e6,
                ours * 1e6 / theirs
            ),
            None => println!("peer: no speed came of `{command}`"),
        }
    }
}

/// `count` notes of about `bytes` bytes, each of several planted ones.
fn notes(bytes: usize, count: usize) -> Vec<String> {
    let mut planter = Planter::new(1);
    (0..count)
        .map(|_| {
            let mut text = String::new();
            while text.len() < bytes {
                text.push_str(&planter.note().text);
                text.push('\n');
            }
            let mut end = bytes;
            while !text.is_char_boundary(end) {
                end += 1;
            }
            text.truncate(end);
            text
        })
        .collect()
}

/// The best of five passes, in megabytes a second: what disturbs a pass only makes it slower.
fn speed(scrubber: &Scrubber, notes: &[String]) -> f64 {
    let known = Known {
        patient: [1; 16],
        names: vec!["Thora Ferncastle-Quill"],
        others: vec!["Ysolde Marchbanks", "Rex Umber"],
        identifiers: vec!["MR-0048213", "V8812345"],
        phones: vec!["+1 312 867 5309"],
        address: vec!["3309 Old Mill Road", "Oakhollow", "75001"],
        birth_date: time::Date::from_calendar_date(1956, time::Month::March, 14).ok(),
        ..Known::default()
    };
    let bytes: usize = notes.iter().map(String::len).sum();
    let pass = || {
        let began = Instant::now();
        for note in notes {
            std::hint::black_box(scrubber.scrub(note, &known));
        }
        began.elapsed().as_secs_f64()
    };
    #[expect(clippy::cast_precision_loss, reason = "for display")]
    let size = bytes as f64 / 1e6;
    size / (0..5).map(|_| pass()).fold(f64::INFINITY, f64::min)
}

/// The peer's bytes a second on `notes`.
fn peers(command: &str, notes: &[String]) -> Option<f64> {
    let file = std::env::temp_dir().join(format!("countersign-bench-{}.jsonl", std::process::id()));
    let mut out = std::fs::File::create(&file).ok()?;
    for (number, text) in notes.iter().enumerate() {
        let row = serde_json::json!({ "id": number.to_string(), "text": text, "spans": [] });
        writeln!(out, "{row}").ok()?;
    }
    let mut words = command.split(' ');
    let ran = Command::new(words.next()?)
        .args(words)
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output();
    // The file is of planted notes: nothing is lost if it stays.
    let _ = std::fs::remove_file(&file);
    let said = String::from_utf8(ran.ok()?.stderr).ok()?;
    let last = said.lines().rev().find(|line| line.starts_with('{'))?;
    serde_json::from_str::<serde_json::Value>(last)
        .ok()?
        .get("bytes_per_s")?
        .as_f64()
}
