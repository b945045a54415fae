//! `countersign explain --replay CASE`: an explanation computed again from what the audit log pinned.

use std::num::NonZeroUsize;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use clinical::{Assessment, DeidentifiedNote, Explanation, NoteDigest, Outcome, Span};
use inference::{Busy, Engine, EngineOptions, Kernel, Threads, Urgency};
use records::{AnyCase, Event, EventKind, Fact, Id, SystemClock, SystemIds, kind};
use serde_json::{Map, Value};
use store::{AuditFilter, Door};

use super::ExplainCliError;
use crate::cli::{
    Failure, block_on,
    database::{Opened, WhichArgs},
    say,
};

/// Arguments of `explain --replay`.
#[derive(Args)]
pub(super) struct ReplayArgs {
    /// Compute the explanation of this case again, from the pins in the audit log and the stored note, and compare it with
    /// the stored one; exits with 1 where they differ more than the kernels explain
    #[arg(long, value_name = "CASE", conflicts_with_all = ["csv", "seed", "mode", "samples", "rows", "html", "pdf"])]
    pub(super) replay: Option<String>,
    /// Instructions to use instead of those of the log: `reference` gives the bits of AVX2 and AVX-512 on any processor
    #[arg(long, requires = "replay")]
    kernel: Option<Kernel>,
    /// Threads; the answer does not depend on them
    #[arg(long, requires = "replay")]
    threads: Option<NonZeroUsize>,
    #[command(flatten)]
    which: WhichArgs,
}

/// What the audit log says an assessment was made with.
struct Pins {
    model: String,
    kernel: Kernel,
    precision: inference::Compute,
    method: u64,
    samples: u32,
    seed: String,
    outcome: String,
}

impl Pins {
    fn of(facts: &Map<String, Value>) -> Option<Self> {
        let word = |name: &str| facts.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            model: word("model")?,
            kernel: word("kernel")?.parse().ok()?,
            precision: inference::Compute::named(&word("precision")?)?,
            // The first method had no number.
            method: facts.get("method").map_or(Some(1), Value::as_u64)?,
            samples: u32::try_from(facts.get("samples")?.as_u64()?).ok()?,
            seed: word("seed")?,
            outcome: word("outcome")?,
        })
    }

    /// Whether this program makes explanations as the one that made this one did.
    fn same_method(&self) -> Result<(), String> {
        let [made, have] = [self.method, explanation::METHOD.into()];
        if made == have {
            return Ok(());
        }
        Err(format!(
            "this explanation was made by method {made}, and this program has method {have}: the version of Countersign that was running then can make it again"
        ))
    }
}

/// What is stored of a case.
struct Stored {
    note: DeidentifiedNote,
    outcome: Outcome,
    pins: Pins,
}

pub(super) fn run(case: &str, args: &ReplayArgs, model: Option<&Path>) -> Result<ExitCode, Failure> {
    let report: Id<kind::Report> = case
        .parse()
        .map_err(|_| "a case has the id of its report, as the address of its page does: /cases/ID")?;
    block_on(async {
        let opened = args.which.open()?;
        let stored = load(&opened, report).await?;
        opened.store.close().await;
        let Stored { note, outcome, pins } = stored;
        pins.same_method()?;
        let kernel = args.kernel.unwrap_or(pins.kernel);
        let engine = engine(model, &pins, kernel, args.threads)?;
        let again = tokio::task::spawn_blocking(move || {
            engine
                .assess_with(&note, report.uuid().as_bytes(), Urgency::default())
                .map(|again| (again, note.digest()))
        })
        .await?
        .map_err(|_: Busy| "the engine gave no answer")?;
        Ok(compare(&pins, kernel, &outcome, again))
    })
}

async fn load(opened: &Opened, report: Id<kind::Report>) -> Result<Stored, Failure> {
    let tenant = opened.tenant().await?;
    let mut tx = opened.store.begin(Door::Work).await?;
    let case = tx
        .case(tenant, report)
        .await?
        .as_ref()
        .map(AnyCase::case)
        .ok_or("there is no such case in this hospital")?;
    let not_yet = "the model has not read this case";
    let outcome = tx.said(&case).await?.ok_or(not_yet)?;
    let (note, _) = tx.deidentified_note(&case).await?.ok_or(not_yet)?;
    let filter = AuditFilter {
        kind: Some(EventKind::CaseAssessed.as_str().to_owned()),
        subject: Some(report.uuid()),
        ..AuditFilter::default()
    };
    let version = case.version.get();
    let facts = tx
        .audit_entries(tenant, &filter, 1000)
        .await?
        .into_iter()
        .find(|entry| u32::try_from(entry.subject_version).is_ok_and(|entry| entry == version))
        .and_then(|entry| serde_json::from_str::<Map<String, Value>>(&entry.facts).ok());
    let pins = facts.as_ref().and_then(Pins::of).ok_or(
        "the audit log has no pins for this case: it got no suggestion, or was assessed before explanations were pinned",
    )?;
    let event = Event::observed(
        &records::worker(tenant),
        EventKind::ExplanationReplayed,
        case.subject(),
        &SystemClock,
        &SystemIds,
    );
    tx.note(&event.with("by", Fact::word("command-line"))).await?;
    tx.finish().await?;
    Ok(Stored { note, outcome, pins })
}

fn engine(
    model: Option<&Path>,
    pins: &Pins,
    kernel: Kernel,
    threads: Option<NonZeroUsize>,
) -> Result<Engine, Failure> {
    let folder = model.map_or_else(crate::model::bundled, Path::to_owned);
    let defaults = EngineOptions::default();
    let options = EngineOptions {
        budget: explanation::Budget {
            samples: pins.samples,
            ..defaults.budget
        },
        compute: pins.precision,
        kernel: Some(kernel),
        threads: Threads {
            number: threads,
            pinned: false,
        },
        ..defaults
    };
    let engine = Engine::load(&folder, options).map_err(|error| ExplainCliError::Load(folder, error))?;
    if engine.digest().get().to_string() == pins.model {
        Ok(engine)
    } else {
        Err("this is another model than the one that assessed the case: name its folder with --model".into())
    }
}

/// Says how the two compare; a success where they are the same, or where another kernel shows the same phrases.
fn compare(pins: &Pins, kernel: Kernel, stored: &Outcome, (again, note): (Outcome, NoteDigest)) -> ExitCode {
    let digest = |outcome| records::outcome_digest(outcome, note).map(|digest| digest.to_string());
    let pinned = |outcome| digest(outcome).as_deref() == Some(&pins.outcome);
    if !pinned(stored) {
        say("The stored suggestion is not the one that the audit log pinned.");
        return ExitCode::FAILURE;
    }
    let (Outcome::Assessed(stored), Outcome::Assessed(again_made)) = (stored, &again) else {
        say("There is no suggestion to explain.");
        return ExitCode::FAILURE;
    };
    say(format!(
        "case assessed on kernel {} in {}, seed {}, at most {} texts; computed again on kernel {}",
        pins.kernel.as_str(),
        pins.precision,
        pins.seed,
        pins.samples,
        kernel.as_str()
    ));
    if pinned(&again) {
        say(format!(
            "Byte for byte the explanation that the audit log pinned ({} words, {} texts).",
            stored.explanation.phrases().count(),
            stored.explanation.calls
        ));
        return ExitCode::SUCCESS;
    }
    let (same, largest) = difference(&stored.explanation, &again_made.explanation);
    say(format!(
        "Not the same bytes. The words shown are {}; the largest difference of a weight is {largest:.2e}, of the probability {:.2e}.",
        if same { "the same" } else { "others" },
        probability(stored, again_made)
    ));
    if kernel != pins.kernel && same {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn probability(a: &Assessment, b: &Assessment) -> f64 {
    (a.abnormal.get() - b.abnormal.get()).abs()
}

/// Whether two explanations show the same phrases, and the largest difference between weights of those that both show.
fn difference(a: &Explanation, b: &Explanation) -> (bool, f64) {
    let weights = |explanation: &Explanation| -> std::collections::BTreeMap<(u32, u32), f64> {
        let key = |span: Span| (span.start, span.end);
        explanation
            .phrases()
            .map(|phrase| (key(phrase.span), phrase.weight))
            .collect()
    };
    let (a, b) = (weights(a), weights(b));
    let largest = a
        .iter()
        .filter_map(|(span, weight)| Some((weight - b.get(span)?).abs()))
        .fold(0.0, f64::max);
    (a.keys().eq(b.keys()), largest)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pins(method: Option<u32>) -> Pins {
        let mut facts = json!({
            "model": "aa", "kernel": "avx2", "precision": "int8", "samples": 512, "seed": "07", "outcome": "bb"
        });
        if let Some(method) = method {
            facts["method"] = method.into();
        }
        let facts = facts.as_object().expect("an object");
        Pins::of(facts).expect("every pin is there")
    }

    #[test]
    fn what_another_method_made_is_not_made_again() {
        assert!(pins(Some(explanation::METHOD)).same_method().is_ok());
        // The first method had no number.
        for (other, said) in [
            (None, "made by method 1,"),
            (Some(explanation::METHOD + 1), "by method 5,"),
        ] {
            let refused = pins(other).same_method().expect_err("another method");
            assert!(refused.contains(said), "{refused}");
        }
    }
}
