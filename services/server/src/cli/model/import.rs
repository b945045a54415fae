//! `countersign model import`: any BERT of Hugging Face's layout becomes a base to train from.

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Args;
use training::{Casing, Import, Vectors};

use super::ModelCliError;

/// Largest difference from the reference that is accepted: f32 sums in another order differ by less.
const TOLERANCE: f64 = 1e-4;

/// Arguments of `model import`.
#[derive(Args)]
pub struct ImportArgs {
    /// Folder of a BERT as Hugging Face keeps it: `config.json`; `tokenizer.json` or `vocab.txt`; `model.safetensors` or
    /// `pytorch_model.bin`
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Folder to make: config.json, tokenizer.json and model.safetensors in one layout, for `model train --base`
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// The vocabulary tells capitals from small letters (that of `Bio_ClinicalBERT` does)
    #[arg(long, conflicts_with = "uncased")]
    cased: bool,
    /// Text is lower-cased before it is split
    #[arg(long)]
    uncased: bool,
    /// Compare with what PyTorch computes: JSON of `make.py vectors FOLDER` (services/training/tests/fixtures/import)
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
}

/// Reads, checks and writes an encoder.
pub(super) fn run(args: &ImportArgs) -> Result<(), ModelCliError> {
    let casing = match (args.cased, args.uncased) {
        (true, _) => Some(Casing::Cased),
        (_, true) => Some(Casing::Uncased),
        _ => None,
    };
    let vectors = args.check.as_deref().map(Vectors::read).transpose()?;
    let import = Import::read(&args.folder, casing)?;
    let config = import.config();
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "BERT, {} layers of width {}, {} heads, {} word pieces ({}), {} positions, {:.1} million values\nread from {}{}, SHA-256 {}",
        config.num_hidden_layers,
        config.hidden_size,
        config.num_attention_heads,
        config.vocab_size,
        match import.casing {
            Casing::Cased => "cased",
            Casing::Uncased => "uncased",
        },
        config.max_position_embeddings,
        millions(import.values()),
        import.format,
        match import.prefix.as_str() {
            "" => String::new(),
            prefix => format!(", names behind `{prefix}`"),
        },
        import.digest
    )?;
    let digest = import.write(&args.out)?;
    writeln!(
        out,
        "written to {}; train from it with\n  countersign model train --base {} --base-sha256 {digest} …",
        args.out.display(),
        args.out.display()
    )?;
    if let Some(vectors) = vectors {
        let agreement = import.compare(&vectors)?;
        writeln!(
            out,
            "word pieces are those of the reference; {} values of the last layer differ by at most {:.1e}",
            agreement.values, agreement.largest
        )?;
        if agreement.largest >= TOLERANCE {
            return Err(ModelCliError::Disagrees(agreement.largest));
        }
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn millions(values: usize) -> f64 {
    values as f64 / 1e6
}
