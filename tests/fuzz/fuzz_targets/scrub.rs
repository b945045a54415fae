//! Arbitrary bytes through the gateway, in both modes: no panic, no text lost, and in tag mode twice equals once.
//!
//! `cargo fuzz run scrub --fuzz-dir tests/fuzz` (with a nightly compiler, or RUSTC_BOOTSTRAP=1).

#![no_main]

use std::sync::LazyLock;

use clinical::{Known, Replacement, Scrubber, Span, to_original, to_scrubbed};
use libfuzzer_sys::fuzz_target;

static SURROGATES: LazyLock<Scrubber> = LazyLock::new(|| Scrubber::new(seal::MacKey::new(&[7; 32])));
static TAGS: LazyLock<Scrubber> =
    LazyLock::new(|| Scrubber::new(seal::MacKey::new(&[7; 32])).replacing(Replacement::Tags { year: 2026 }));

fuzz_target!(|data: &[u8]| {
    // The first line may be a known name, the rest is the text.
    let text = String::from_utf8_lossy(data);
    let (name, text) = text.split_once('\n').unwrap_or(("", &text));
    let known = Known {
        patient: [1; 16],
        names: vec![name],
        identifiers: vec!["A0048213"],
        birth_date: None,
        ..Known::default()
    };
    for scrubber in [&*SURROGATES, &*TAGS] {
        let scrubbed = scrubber.scrub(text, &known);
        let out = scrubbed.note.text();
        let mut from = (0, 0);
        for redaction in &scrubbed.redactions {
            let (original, new) = (redaction.original, redaction.scrubbed);
            assert!(text.get(original.start as usize..original.end as usize).is_some());
            assert_eq!(text.get(from.0..original.start as usize), out.get(from.1..new.start as usize));
            from = (original.end as usize, new.end as usize);
            assert_eq!(to_scrubbed(&scrubbed.redactions, original), new);
            assert_eq!(to_original(&scrubbed.redactions, new), original);
        }
        assert_eq!(text.get(from.0..), out.get(from.1..));
        let whole = Span { start: 0, end: u32::try_from(text.len()).unwrap_or(0) };
        assert_eq!(to_scrubbed(&scrubbed.redactions, whole).end as usize, out.len());
    }
    let once = TAGS.scrub(text, &known);
    let twice = TAGS.scrub(once.note.text(), &known);
    assert_eq!(once.note.text(), twice.note.text());
});
