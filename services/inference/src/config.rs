//! The shape of an encoder, as `config.json` of a Hugging Face BERT says it.

use candle_transformers::models::bert;
use serde::{Deserialize, Serialize};

/// Largest value of any dimension that is accepted: far above every BERT, and small enough that no product of two
/// dimensions overflows before a tensor's size is checked against its file.
const MAX_DIMENSION: usize = 1 << 20;

/// The activation between the two feed-forward matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// The exact GELU, `x Φ(x)` (Hendrycks and Gimpel 2016, arXiv:1606.08415).
    Gelu,
}

/// The dimensions of a BERT encoder (Devlin et al. 2018, arXiv:1810.04805), under their Hugging Face names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Word pieces in the vocabulary.
    pub vocab_size: usize,
    /// Width of a token's vector.
    pub hidden_size: usize,
    /// Layers of the encoder.
    pub num_hidden_layers: usize,
    /// Attention heads of each layer; they share `hidden_size` evenly.
    pub num_attention_heads: usize,
    /// Width between the two feed-forward matrices.
    pub intermediate_size: usize,
    /// Activation between them.
    pub hidden_act: Activation,
    /// Longest input in word pieces, special tokens included.
    pub max_position_embeddings: usize,
    /// Segment types; a note has only the first.
    pub type_vocab_size: usize,
    /// Added to the variance in layer normalisation.
    pub layer_norm_eps: f64,
    /// Word piece that fills a batch; it is masked.
    pub pad_token_id: u32,
}

/// Why a `config.json` is no encoder we can run.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not JSON, a field is missing, or a value is unknown.
    #[error("config.json is not the configuration of a BERT")]
    Json(#[from] serde_json::Error),
    /// A number is zero, too large, or does not fit another.
    #[error("config.json: {0}")]
    Dimension(&'static str),
}

impl Config {
    /// Reads `config.json`. Unknown fields are ignored: Hugging Face writes many that do not change the computation.
    ///
    /// # Errors
    /// [`ConfigError`] for anything that is no BERT with absolute positions and exact GELU.
    pub fn from_json(json: &[u8]) -> Result<Self, ConfigError> {
        #[derive(Deserialize)]
        struct Kind {
            #[serde(default)]
            position_embedding_type: Option<String>,
        }
        let kind: Kind = serde_json::from_slice(json)?;
        if kind
            .position_embedding_type
            .is_some_and(|kind| kind != "absolute")
        {
            return Err(ConfigError::Dimension("positions must be absolute"));
        }
        let config: Self = serde_json::from_slice(json)?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let dimensions = [
            self.vocab_size,
            self.hidden_size,
            self.num_hidden_layers,
            self.num_attention_heads,
            self.intermediate_size,
            self.max_position_embeddings,
            self.type_vocab_size,
        ];
        if dimensions.contains(&0) {
            return Err(ConfigError::Dimension("a dimension is zero"));
        }
        if dimensions.iter().any(|&dimension| dimension > MAX_DIMENSION) {
            return Err(ConfigError::Dimension("a dimension is too large"));
        }
        if !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            return Err(ConfigError::Dimension(
                "hidden_size is no multiple of num_attention_heads",
            ));
        }
        if self.max_position_embeddings < 3 {
            return Err(ConfigError::Dimension(
                "no room for a word between the special tokens",
            ));
        }
        if !(self.layer_norm_eps.is_finite() && self.layer_norm_eps >= 0.0) {
            return Err(ConfigError::Dimension("layer_norm_eps is no small number"));
        }
        if self.pad_token_id as usize >= self.vocab_size {
            return Err(ConfigError::Dimension("pad_token_id is outside the vocabulary"));
        }
        Ok(())
    }

    /// The same in candle's words.
    pub(crate) fn to_candle(&self) -> bert::Config {
        bert::Config {
            vocab_size: self.vocab_size,
            hidden_size: self.hidden_size,
            num_hidden_layers: self.num_hidden_layers,
            num_attention_heads: self.num_attention_heads,
            intermediate_size: self.intermediate_size,
            hidden_act: match self.hidden_act {
                Activation::Gelu => bert::HiddenAct::Gelu,
            },
            max_position_embeddings: self.max_position_embeddings,
            type_vocab_size: self.type_vocab_size,
            layer_norm_eps: self.layer_norm_eps,
            pad_token_id: self.pad_token_id as usize,
            ..bert::Config::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINI: &str = r#"{"vocab_size": 10, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
        "intermediate_size": 16, "hidden_act": "gelu", "max_position_embeddings": 16, "type_vocab_size": 2,
        "layer_norm_eps": 1e-12, "pad_token_id": 0, "model_type": "bert"}"#;

    #[test]
    fn a_hugging_face_configuration_is_read_and_written() -> Result<(), ConfigError> {
        let config = Config::from_json(MINI.as_bytes())?;
        assert_eq!(config.hidden_size, 8);
        let again = Config::from_json(&serde_json::to_vec(&config)?)?;
        assert_eq!(config, again);
        Ok(())
    }

    #[test]
    fn what_is_no_bert_is_refused() {
        for (from, to) in [
            ("\"hidden_size\": 8", "\"hidden_size\": 0"),
            ("\"hidden_size\": 8", "\"hidden_size\": 9"),
            ("\"hidden_size\": 8", "\"hidden_size\": -8"),
            ("\"vocab_size\": 10", "\"vocab_size\": 9999999"),
            ("\"pad_token_id\": 0", "\"pad_token_id\": 10"),
            ("\"gelu\"", "\"swiglu\""),
            (
                "\"max_position_embeddings\": 16",
                "\"max_position_embeddings\": 2",
            ),
            (
                "\"model_type\": \"bert\"",
                "\"position_embedding_type\": \"relative_key\"",
            ),
        ] {
            let json = MINI.replace(from, to);
            assert_ne!(json, MINI, "{from}");
            assert!(Config::from_json(json.as_bytes()).is_err(), "{to}");
        }
    }
}
