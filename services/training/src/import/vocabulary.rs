//! The tokenizer of a BERT: `tokenizer.json` as it is, or made from `vocab.txt`.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Casing, ImportError, text};

/// A vocabulary with more of its pieces in capitals than this part was not made for lower-cased text.
const CAPITALS: f64 = 0.02;

/// `tokenizer.json` as it is, or made from `vocab.txt`.
pub(super) fn tokenizer(folder: &Path, said: Option<Casing>) -> Result<(Vec<u8>, Casing), ImportError> {
    let path = folder.join("tokenizer.json");
    if path.is_file() {
        let json = text(&path)?;
        let casing = casing_of(&json)?;
        if said.is_some_and(|said| said != casing) {
            return Err(ImportError::Contradiction(
                "tokenizer.json says another casing than the command line; leave it out",
            ));
        }
        return Ok((json, casing));
    }
    let path = folder.join("vocab.txt");
    if !path.is_file() {
        return Err(ImportError::NoTokenizer(folder.to_owned()));
    }
    let vocabulary = text(&path)?;
    let vocabulary =
        std::str::from_utf8(&vocabulary).map_err(|_| ImportError::Vocabulary("it is no UTF-8"))?;
    let settings = settings(folder)?;
    let pieces: Vec<&str> = vocabulary
        .lines()
        .map(|line| line.trim_end_matches('\r'))
        .collect();
    let capitals = pieces
        .iter()
        .filter(|piece| !piece.starts_with('[') && piece.chars().any(char::is_uppercase))
        .count();
    let casing = match (said, settings.do_lower_case) {
        (Some(said), _) => said,
        (None, Some(false)) => Casing::Cased,
        (None, Some(true)) if !many(capitals, pieces.len()) => Casing::Uncased,
        (None, Some(true)) => {
            return Err(ImportError::Contradiction(
                "tokenizer_config.json says do_lower_case, but vocab.txt is full of capitals: say --cased or --uncased",
            ));
        }
        (None, None) => return Err(ImportError::Casing(capitals)),
    };
    Ok((word_piece(&pieces, casing, &settings)?, casing))
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn many(part: usize, whole: usize) -> bool {
    part as f64 > CAPITALS * whole as f64
}

/// What `tokenizer_config.json` says about the basic tokenizer of BERT.
#[derive(Default, Deserialize)]
struct TokenizerSettings {
    #[serde(default)]
    do_lower_case: Option<bool>,
    #[serde(default)]
    strip_accents: Option<bool>,
    #[serde(default)]
    tokenize_chinese_chars: Option<bool>,
}

fn settings(folder: &Path) -> Result<TokenizerSettings, ImportError> {
    let path = folder.join("tokenizer_config.json");
    if !path.is_file() {
        return Ok(TokenizerSettings::default());
    }
    serde_json::from_slice(&text(&path)?).map_err(|_| ImportError::Json("tokenizer_config.json"))
}

/// Whether the normalizer of a `tokenizer.json` lower-cases.
fn casing_of(json: &[u8]) -> Result<Casing, ImportError> {
    fn lowers(value: &Value) -> bool {
        match value.get("type").and_then(Value::as_str) {
            Some("BertNormalizer") => value.get("lowercase") == Some(&Value::Bool(true)),
            Some("Lowercase") => true,
            Some("Sequence") => value
                .get("normalizers")
                .and_then(Value::as_array)
                .is_some_and(|parts| parts.iter().any(lowers)),
            _ => false,
        }
    }
    let value: Value = serde_json::from_slice(json).map_err(|_| ImportError::Json("tokenizer.json"))?;
    Ok(if value.get("normalizer").is_some_and(lowers) {
        Casing::Uncased
    } else {
        Casing::Cased
    })
}

/// The `tokenizer.json` that Hugging Face's own conversion makes of a BERT's vocabulary (transformers,
/// `convert_slow_tokenizer.py`, `BertConverter`). The number of a piece is its line.
fn word_piece(pieces: &[&str], casing: Casing, settings: &TokenizerSettings) -> Result<Vec<u8>, ImportError> {
    let mut vocabulary = Map::new();
    for (id, piece) in pieces.iter().enumerate() {
        if vocabulary.insert((*piece).to_owned(), json!(id)).is_some() {
            return Err(ImportError::Vocabulary("a piece stands in two lines"));
        }
    }
    let mut added = Vec::new();
    for name in ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] {
        match vocabulary.get(name) {
            Some(id) => added.push(json!({
                "id": id, "content": name, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true
            })),
            None if name == "[MASK]" => {}
            None => return Err(ImportError::Vocabulary("[PAD], [UNK], [CLS] or [SEP] is missing")),
        }
    }
    let special = |name: &str| json!({"id": name, "ids": [vocabulary[name]], "tokens": [name]});
    let json = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
        "normalizer": {
            "type": "BertNormalizer", "clean_text": true,
            "handle_chinese_chars": settings.tokenize_chinese_chars.unwrap_or(true),
            "strip_accents": settings.strip_accents, "lowercase": casing == Casing::Uncased
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                       {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
            "pair": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                     {"SpecialToken": {"id": "[SEP]", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}},
                     {"SpecialToken": {"id": "[SEP]", "type_id": 1}}],
            "special_tokens": {"[CLS]": special("[CLS]"), "[SEP]": special("[SEP]")}
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocabulary
        }
    });
    serde_json::to_vec(&json).map_err(|_| ImportError::Vocabulary("it cannot be written"))
}
