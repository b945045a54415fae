//! What the tests of this crate share: finite differences, and a tiny base to train from.

use std::fmt::Write as _;
use std::path::Path;

use candle_core::{Result, Tensor, Var};
use clinical::{Known, Label, Scrubber};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use safetensors::{Dtype, serialize, tensor::TensorView};

use crate::corpus::LabelledNote;
use crate::options::Options;
use crate::slice;

/// Words of the tiny tokenizer, after the special tokens.
const WORDS: [&str; 14] = [
    "no", "heart", "is", "large", "clear", "lungs", "are", "nodule", "seen", "small", "effusion", "left",
    "right", ".",
];

/// Settings for the tiny base and its few notes.
pub(crate) fn options() -> Options {
    Options {
        held_out: 0.3,
        least_notes: 5,
        window: 16,
        overlap: 4,
        ..Options::default()
    }
}

/// The same, quick to learn all of them by heart.
pub(crate) fn quick() -> Options {
    Options {
        epochs: 12,
        batch_tokens: 64,
        rank: 2,
        learning_rate: 1e-2,
        head_learning_rate: 2e-2,
        dropout: 0.0,
        ..options()
    }
}

/// Values in ±1 from a seed.
pub(crate) fn values(count: usize, seed: u64) -> Vec<f32> {
    let mut random = StdRng::seed_from_u64(seed);
    (0..count).map(|_| random.random_range(-1.0..=1.0)).collect()
}

/// A variable of values in ±1.
pub(crate) fn var(shape: &[usize], seed: u64) -> Result<Var> {
    Var::from_vec(
        values(shape.iter().product(), seed),
        shape,
        &candle_core::Device::Cpu,
    )
}

/// Compares the gradients of `forward` (any output, weighted at random and summed) with central differences, for up
/// to `entries` values of each variable. The sum is in f64, so that the differences lose little.
pub(crate) fn check_gradients(
    vars: &[&Var],
    entries: usize,
    forward: impl Fn() -> Result<Tensor>,
) -> Result<()> {
    let out = forward()?;
    let weights = values(out.elem_count(), 99);
    let weighted = Tensor::from_vec(weights.clone(), out.shape(), out.device())?;
    let grads = (&out * weighted)?.sum_all()?.backward()?;
    let sum = || -> Result<f64> {
        slice::with(&forward()?, |out| {
            Ok(out
                .iter()
                .zip(&weights)
                .map(|(&a, &b)| f64::from(a) * f64::from(b))
                .sum())
        })
    };
    for (number, var) in vars.iter().enumerate() {
        let grad = grads.get(var).expect("every variable has a gradient");
        let grad = slice::with(grad, |grad| Ok(grad.to_vec()))?;
        let before = slice::with(var, |values| Ok(values.to_vec()))?;
        let step = (before.len() / entries).max(1);
        for at in (0..before.len()).step_by(step) {
            let shifted = |by: f32| -> Result<f64> {
                let mut values = before.clone();
                values[at] += by;
                var.set(&Tensor::from_vec(values, var.shape(), var.device())?)?;
                sum()
            };
            let eps = 1e-3;
            let difference = (shifted(eps)? - shifted(-eps)?) / (2.0 * f64::from(eps));
            var.set(&Tensor::from_vec(before.clone(), var.shape(), var.device())?)?;
            let got = f64::from(grad[at]);
            assert!(
                (difference - got).abs() < 2e-3 + 1e-2 * difference.abs(),
                "variable {number}, value {at}: gradient {got}, difference {difference}"
            );
        }
    }
    Ok(())
}

/// Writes a random BERT of two layers of width 16 in the layout of Hugging Face.
pub(crate) fn write_base(folder: &Path) -> std::io::Result<()> {
    write_base_of(folder, 32)
}

/// The same with this inner width; from 4,096 on its feed-forward matrices are stored in int8.
pub(crate) fn write_base_of(folder: &Path, inner: usize) -> std::io::Result<()> {
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"];
    let vocabulary: String =
        special
            .iter()
            .chain(&WORDS)
            .enumerate()
            .fold(String::new(), |mut list, (at, word)| {
                let comma = if at == 0 { "" } else { "," };
                let _ = write!(list, "{comma}\"{word}\":{at}");
                list
            });
    let tokenizer = format!(
        r###"{{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],
        "normalizer":{{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true}},
        "pre_tokenizer":{{"type":"BertPreTokenizer"}},"post_processor":null,"decoder":null,
        "model":{{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##","max_input_chars_per_word":100,
        "vocab":{{{vocabulary}}}}}}}"###
    );
    std::fs::write(folder.join("tokenizer.json"), tokenizer)?;
    let (words, width, positions) = (special.len() + WORDS.len(), 16, 32);
    std::fs::write(
        folder.join("config.json"),
        format!(
            r#"{{"vocab_size":{words},"hidden_size":{width},"num_hidden_layers":2,"num_attention_heads":4,
            "intermediate_size":{inner},"hidden_act":"gelu","max_position_embeddings":{positions},"type_vocab_size":2,
            "layer_norm_eps":1e-12,"pad_token_id":0}}"#
        ),
    )?;
    let mut shapes = vec![
        ("embeddings.word_embeddings.weight".to_owned(), vec![words, width]),
        (
            "embeddings.position_embeddings.weight".to_owned(),
            vec![positions, width],
        ),
        (
            "embeddings.token_type_embeddings.weight".to_owned(),
            vec![2, width],
        ),
        ("embeddings.LayerNorm.weight".to_owned(), vec![width]),
        ("embeddings.LayerNorm.bias".to_owned(), vec![width]),
    ];
    for layer in 0..2 {
        for (name, rows, columns) in [
            ("attention.self.query", width, width),
            ("attention.self.key", width, width),
            ("attention.self.value", width, width),
            ("attention.output.dense", width, width),
            ("intermediate.dense", inner, width),
            ("output.dense", width, inner),
        ] {
            shapes.push((
                format!("encoder.layer.{layer}.{name}.weight"),
                vec![rows, columns],
            ));
            shapes.push((format!("encoder.layer.{layer}.{name}.bias"), vec![rows]));
        }
        for name in ["attention.output.LayerNorm", "output.LayerNorm"] {
            shapes.push((format!("encoder.layer.{layer}.{name}.weight"), vec![width]));
            shapes.push((format!("encoder.layer.{layer}.{name}.bias"), vec![width]));
        }
    }
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = (0_u64..)
        .zip(shapes)
        .map(|(seed, (name, shape))| {
            // Layer norms near the identity, everything else small, as after pretraining.
            let middle = if name.ends_with("LayerNorm.weight") {
                1.0
            } else {
                0.0
            };
            let bytes = values(shape.iter().product(), seed)
                .iter()
                .flat_map(|value| (middle + 0.3 * value).to_le_bytes())
                .collect();
            (name, shape, bytes)
        })
        .collect();
    let views = tensors.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes).expect("the length fits the shape");
        (name.clone(), view)
    });
    let bytes = serialize(views, None).map_err(std::io::Error::other)?;
    std::fs::write(folder.join("model.safetensors"), bytes)
}

/// Forty short reports in the tiny tokenizer's words, half of them normal.
pub(crate) fn notes() -> Vec<LabelledNote> {
    let scrubber = Scrubber::new(seal::MacKey::new(&[7; 32]));
    let sides = ["left", "right", "small", "large", "clear"];
    let ends = [".", ". .", "seen .", "is seen ."];
    let mut notes = Vec::new();
    for side in sides {
        for end in ends {
            for (finding, abnormal) in [
                ("nodule", true),
                ("effusion", true),
                ("no nodule", false),
                ("lungs are", false),
            ] {
                let text = format!("{finding} {side} {end}");
                notes.push(LabelledNote {
                    note: scrubber.scrub(&text, &Known::default()).note,
                    abnormal,
                    findings: if abnormal {
                        vec![Label::new(finding)]
                    } else {
                        Vec::new()
                    },
                });
            }
        }
    }
    notes
}
