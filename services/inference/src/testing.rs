//! A tiny model for the tests of this crate: one layer of width 8, twelve words, weights from a formula.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clinical::{DeidentifiedNote, Known, Label, Probability, Scrubber};
use seal::Digest;

use crate::{
    AbnormalPoint, Activation, BaseModel, Config, FindingLabel, FloatTensor, HEAD_BIAS, HEAD_SCORE,
    HEAD_VALUE, Int8Matrix, LabelSet, ModelCard, OperatingPoint, Package, SupportingLabel, TrainingData,
    Weights,
};

/// Vocabulary in order.
const WORDS: [&str; 12] = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "heart", "lungs", "are", "is", "large", "clear", "no", "nodule",
];

/// The parts of a packed model, to be spoilt by a test before they are written.
pub(crate) struct Tiny {
    pub(crate) config: Config,
    pub(crate) tokenizer: String,
    pub(crate) labels: LabelSet,
    pub(crate) weights: Weights,
    pub(crate) card: ModelCard,
}

impl Tiny {
    pub(crate) fn new() -> Self {
        let config = Config {
            vocab_size: WORDS.len(),
            hidden_size: 8,
            num_hidden_layers: 1,
            num_attention_heads: 2,
            intermediate_size: 16,
            hidden_act: Activation::Gelu,
            max_position_embeddings: 16,
            type_vocab_size: 2,
            layer_norm_eps: 1e-12,
            pad_token_id: 0,
        };
        Self {
            weights: weights(&config),
            config,
            tokenizer: tokenizer(),
            labels: labels(),
            card: card(),
        }
    }

    /// Writes it to `folder`.
    pub(crate) fn write(
        &self,
        folder: &std::path::Path,
    ) -> Result<clinical::ModelDigest, crate::PackageError> {
        Package {
            config: &self.config,
            tokenizer: self.tokenizer.as_bytes(),
            labels: &self.labels,
            weights: &self.weights,
            card: &self.card,
            licence: "For tests.",
        }
        .write(folder)
    }
}

fn tokenizer() -> String {
    let mut vocabulary = String::new();
    for (at, word) in WORDS.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        let _ = write!(vocabulary, "{comma}\"{word}\":{at}");
    }
    format!(
        r###"{{"version":"1.0","truncation":{{"max_length":4,"strategy":"LongestFirst","stride":0,"direction":"Right"}},
        "padding":null,"added_tokens":[],
        "normalizer":{{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true}},
        "pre_tokenizer":{{"type":"BertPreTokenizer"}},"post_processor":null,"decoder":null,
        "model":{{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##","max_input_chars_per_word":100,
        "vocab":{{{vocabulary}}}}}}}"###
    )
}

fn labels() -> LabelSet {
    let point = OperatingPoint {
        temperature: 1.0,
        threshold: Probability::new(0.5).expect("a half"),
    };
    LabelSet {
        abnormal: AbnormalPoint {
            own: 0.5,
            any: 0.5,
            bias: 0.0,
            threshold: point.threshold,
        },
        findings: ["Nodule", "Cardiomegaly"]
            .map(|name| FindingLabel {
                label: Label::new(name),
                point,
            })
            .to_vec(),
        supporting: vec![SupportingLabel {
            label: Label::new("Hernia"),
            temperature: 1.0,
        }],
        window: 8,
        overlap: 2,
        isotonic: None,
        reads: crate::Reads::default(),
        unfamiliar: None,
    }
}

/// Values in ±1 that look random: the fractional parts of multiples of the golden ratio.
fn values(count: usize, seed: u32) -> Vec<f32> {
    (1..=u32::try_from(count).expect("small"))
        .map(|at| {
            let part = (f64::from(at + seed * 7919) * 0.618_033_988_749_895).fract();
            #[expect(clippy::cast_possible_truncation, reason = "a test value")]
            let value = (2.0 * part - 1.0) as f32;
            value
        })
        .collect()
}

fn weights(config: &Config) -> Weights {
    let (width, inner) = (config.hidden_size, config.intermediate_size);
    let mut weights = Weights::default();
    let words = values(config.vocab_size * width, 1);
    weights.matrices.insert(
        "embeddings.word_embeddings.weight".into(),
        Int8Matrix::quantize(width, &words).expect("whole rows"),
    );
    let mut shapes: BTreeMap<String, Vec<usize>> = BTreeMap::from([
        (
            "embeddings.position_embeddings.weight".into(),
            vec![config.max_position_embeddings, width],
        ),
        ("embeddings.token_type_embeddings.weight".into(), vec![2, width]),
        (HEAD_SCORE.into(), vec![4, width]),
        (HEAD_VALUE.into(), vec![4, width]),
        (HEAD_BIAS.into(), vec![4]),
    ]);
    let layer = "encoder.layer.0";
    for (name, rows, columns) in [
        ("attention.self.query", width, width),
        ("attention.self.key", width, width),
        ("attention.self.value", width, width),
        ("attention.output.dense", width, width),
        ("intermediate.dense", inner, width),
        ("output.dense", width, inner),
    ] {
        shapes.insert(format!("{layer}.{name}.weight"), vec![rows, columns]);
        shapes.insert(format!("{layer}.{name}.bias"), vec![rows]);
    }
    for name in [
        "embeddings.LayerNorm".to_owned(),
        format!("{layer}.attention.output.LayerNorm"),
        format!("{layer}.output.LayerNorm"),
    ] {
        shapes.insert(format!("{name}.weight"), vec![width]);
        shapes.insert(format!("{name}.bias"), vec![width]);
    }
    for (seed, (name, shape)) in (2..).zip(shapes) {
        let values = values(shape.iter().product(), seed);
        weights.floats.insert(name, FloatTensor { shape, values });
    }
    weights
}

fn card() -> ModelCard {
    ModelCard {
        name: "tiny".into(),
        version: "0.0.1".into(),
        summary: "A test.".into(),
        intended_use: "A test.".into(),
        limits: Vec::new(),
        architecture: "BERT".into(),
        base: BaseModel {
            name: "none".into(),
            source: "none".into(),
            sha256: Digest::of(b""),
            licence: "none".into(),
        },
        training_data: TrainingData {
            name: "none".into(),
            source: "none".into(),
            licence: "none".into(),
            notes: 0,
            distinct: 0,
            held_out: 0,
            sha256: Digest::of(b""),
        },
        settings: BTreeMap::new(),
        seed: 0,
        command: "none".into(),
        metrics: None,
        licence: "none".into(),
        evaluation_only: true,
        revision: None,
        source_attributes: None,
    }
}

/// A scrubbed note.
pub(crate) fn note(text: &str) -> DeidentifiedNote {
    Scrubber::new(seal::MacKey::new(&[7; 32]))
        .scrub(text, &Known::default())
        .note
}
