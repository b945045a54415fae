//! Text to word pieces, and where each stands in the text.

use clinical::Span;
use tokenizers::{NormalizerWrapper, PreTokenizerWrapper};

/// Splits text into the word pieces of a BERT (`WordPiece`, Wu et al. 2016, arXiv:1609.08144).
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    start: u32,
    end: u32,
    splits_at_blanks: bool,
}

/// The word pieces of one text, without special tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pieces {
    /// Vocabulary index of each piece.
    pub ids: Vec<u32>,
    /// Byte range of each piece in the text.
    pub spans: Vec<Span>,
    /// Word that each piece belongs to, counted from 0: pieces of one word are neighbours.
    pub words: Vec<u32>,
}

impl Pieces {
    /// Number of word pieces.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether the text has no word at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

/// Why a tokenizer cannot be used. It never holds text.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// `tokenizer.json` is not one that Hugging Face `tokenizers` reads.
    #[error("tokenizer.json is not readable")]
    Format,
    /// A special token is not in the vocabulary.
    #[error("tokenizer.json has no token {0}")]
    Special(&'static str),
    /// A text could not be split.
    #[error("a text of {0} bytes could not be split into word pieces")]
    Text(usize),
}

impl Tokenizer {
    /// Reads `tokenizer.json`. Truncation and padding in the file are switched off: windows and batches are ours.
    ///
    /// # Errors
    /// [`TokenizerError`] when the file is not readable or has no `[CLS]` and `[SEP]`.
    pub fn from_json(json: &[u8]) -> Result<Self, TokenizerError> {
        // The cause is dropped on purpose: it may quote the file. Texts are never put together from pieces, and the library
        // panics at a decoder that is none (tokenizers 0.23, decoders/mod.rs), so that it is left out.
        let mut read: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(json).map_err(|_| TokenizerError::Format)?;
        read.remove("decoder");
        let json = serde_json::to_vec(&read).map_err(|_| TokenizerError::Format)?;
        let mut inner = tokenizers::Tokenizer::from_bytes(json).map_err(|_| TokenizerError::Format)?;
        inner.with_truncation(None).map_err(|_| TokenizerError::Format)?;
        inner.with_padding(None);
        let special = |name| inner.token_to_id(name).ok_or(TokenizerError::Special(name));
        let (start, end) = (special("[CLS]")?, special("[SEP]")?);
        let splits_at_blanks = splits_at_blanks(&inner);
        Ok(Self {
            inner,
            start,
            end,
            splits_at_blanks,
        })
    }

    /// Whether the pieces of a text are those of what lies between its blanks, one after the other.
    pub(crate) const fn splits_at_blanks(&self) -> bool {
        self.splits_at_blanks
    }

    /// Word pieces in the vocabulary, special tokens included.
    #[must_use]
    pub fn vocabulary(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// Splits `text`.
    ///
    /// # Errors
    /// [`TokenizerError::Text`] when the library refuses the text.
    pub fn pieces(&self, text: &str) -> Result<Pieces, TokenizerError> {
        let refused = || TokenizerError::Text(text.len());
        // A text above 4 GiB has no byte offsets of 32 bits.
        u32::try_from(text.len()).map_err(|_| refused())?;
        let encoding = self.inner.encode(text, false).map_err(|_| refused())?;
        let mut pieces = Pieces::default();
        for ((&id, &(start, end)), word) in encoding
            .get_ids()
            .iter()
            .zip(encoding.get_offsets())
            .zip(encoding.get_word_ids())
        {
            pieces.ids.push(id);
            pieces.spans.push(Span {
                start: u32::try_from(start).map_err(|_| refused())?,
                end: u32::try_from(end).map_err(|_| refused())?,
            });
            // Special tokens that stand in the text itself belong to no word; each is one of its own.
            pieces.words.push(word.unwrap_or(u32::MAX));
        }
        Ok(pieces)
    }

    /// `[CLS]`, the pieces, `[SEP]`: what the encoder reads.
    #[must_use]
    pub fn input(&self, ids: &[u32]) -> Vec<u32> {
        let mut input = Vec::with_capacity(ids.len() + 2);
        input.push(self.start);
        input.extend_from_slice(ids);
        input.push(self.end);
        input
    }
}

/// A BERT's normaliser and splitter do not look across a blank, and no token of the file has one.
fn splits_at_blanks(inner: &tokenizers::Tokenizer) -> bool {
    let normalizer = matches!(inner.get_normalizer(), Some(NormalizerWrapper::BertNormalizer(_)));
    let splitter = matches!(
        inner.get_pre_tokenizer(),
        Some(PreTokenizerWrapper::BertPreTokenizer(_))
    );
    let tokens = inner.get_added_tokens_decoder();
    normalizer
        && splitter
        && !tokens
            .values()
            .any(|token| token.content.contains(char::is_whitespace))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::Tiny;

    fn tokenizer() -> Tokenizer {
        Tokenizer::from_json(Tiny::new().tokenizer.as_bytes()).expect("a tokenizer")
    }

    #[test]
    fn pieces_know_where_they_stand() -> Result<(), TokenizerError> {
        let text = "Heart  is\nlarge. Ünknown";
        let pieces = tokenizer().pieces(text)?;
        let read: Vec<&str> = pieces
            .spans
            .iter()
            .filter_map(|span| text.get(span.start as usize..span.end as usize))
            .collect();
        assert_eq!(read, ["Heart", "is", "large", ".", "Ünknown"]);
        assert_eq!(pieces.ids, [4, 7, 8, 1, 1]);
        assert_eq!(pieces.words, [0, 1, 2, 3, 4]);
        assert_eq!(tokenizer().input(&pieces.ids[..2]), [2, 4, 7, 3]);
        Ok(())
    }

    #[test]
    fn truncation_in_the_file_is_switched_off() -> Result<(), TokenizerError> {
        assert_eq!(tokenizer().pieces(&"no nodule ".repeat(50))?.len(), 100);
        assert!(tokenizer().pieces(" \n")?.is_empty());
        Ok(())
    }

    #[test]
    fn what_is_no_tokenizer_is_refused() {
        let json = Tiny::new().tokenizer;
        assert!(matches!(Tokenizer::from_json(b"{}"), Err(TokenizerError::Format)));
        let headless = json.replace("[CLS]", "[SOS]");
        assert!(matches!(
            Tokenizer::from_json(headless.as_bytes()),
            Err(TokenizerError::Special("[CLS]"))
        ));
    }

    #[test]
    fn a_decoder_is_not_read() {
        let sound = Tiny::new().tokenizer;
        let wanted = tokenizer().pieces("no nodule").expect("pieces").ids;
        for decoder in ["5", "\"\"", "{}", "{\"type\":\"None\"}", "[{\"type\":0}]"] {
            let damaged = sound.replace("\"decoder\":null", &format!("\"decoder\":{decoder}"));
            assert_ne!(damaged, sound);
            let read = Tokenizer::from_json(damaged.as_bytes()).expect("a tokenizer");
            assert_eq!(read.pieces("no nodule").expect("pieces").ids, wanted, "{decoder}");
        }
    }

    proptest! {
        #[test]
        fn spans_lie_on_characters_in_order(text in "\\PC{0,40}") {
            let pieces = tokenizer().pieces(&text).expect("any text can be split");
            let mut end = 0;
            for span in &pieces.spans {
                prop_assert!(text.get(span.start as usize..span.end as usize).is_some());
                prop_assert!(span.start >= end && span.end >= span.start);
                end = span.end;
            }
        }
    }
}
