//! Word pieces of many texts that are made of the same words.

use std::collections::HashMap;
use std::ops::Range;

use crate::tokenizer::{Tokenizer, TokenizerError};

/// What stays a blank in every BERT's normalisation. Other white space is a control character there and goes.
const BLANKS: [char; 4] = [' ', '\t', '\n', '\r'];

/// The words that were split so far. The masked texts of an explanation hold the same few words in a thousand
/// combinations; each is split into word pieces once.
pub(crate) struct Seen<'a> {
    tokenizer: &'a Tokenizer,
    words: HashMap<String, Range<usize>>,
    pieces: Vec<u32>,
}

impl<'a> Seen<'a> {
    pub(crate) fn new(tokenizer: &'a Tokenizer) -> Self {
        Self {
            tokenizer,
            words: HashMap::new(),
            pieces: Vec::new(),
        }
    }

    /// The word pieces of a text, without special tokens: those of [`Tokenizer::pieces`].
    ///
    /// # Errors
    /// [`TokenizerError::Text`] when the library refuses a word.
    pub(crate) fn ids(&mut self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        if !self.tokenizer.splits_at_blanks() {
            return Ok(self.tokenizer.pieces(text)?.ids);
        }
        let mut ids = Vec::new();
        for word in text.split(BLANKS).filter(|word| !word.is_empty()) {
            let range = match self.words.get(word) {
                Some(range) => range.clone(),
                None => self.split(word)?,
            };
            ids.extend_from_slice(self.pieces.get(range).unwrap_or_default());
        }
        Ok(ids)
    }

    fn split(&mut self, word: &str) -> Result<Range<usize>, TokenizerError> {
        let start = self.pieces.len();
        self.pieces.extend(self.tokenizer.pieces(word)?.ids);
        let range = start..self.pieces.len();
        self.words.insert(word.to_owned(), range.clone());
        Ok(range)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::Tiny;

    fn same(tokenizer: &Tokenizer, texts: &[String]) -> Result<(), TokenizerError> {
        let mut seen = Seen::new(tokenizer);
        for text in texts.iter().chain(texts) {
            assert_eq!(seen.ids(text)?, tokenizer.pieces(text)?.ids);
        }
        Ok(())
    }

    fn tokenizer(json: &str) -> Tokenizer {
        Tokenizer::from_json(json.as_bytes()).expect("a tokenizer")
    }

    #[test]
    fn texts_of_the_same_words_split_each_once() -> Result<(), TokenizerError> {
        let tokenizer = tokenizer(&Tiny::new().tokenizer);
        assert!(tokenizer.splits_at_blanks());
        let mut seen = Seen::new(&tokenizer);
        seen.ids("heart is large. heart\nis")?;
        seen.ids("is\t\tlarge.  ")?;
        assert_eq!(seen.words.len(), 3);
        let odd = [
            "a\u{85}b \u{b} heart\u{c}is",
            " \u{301}a\u{301} [MASK]x [MASK]",
            "",
            " \r\n",
            "心 heart",
        ];
        same(&tokenizer, &odd.map(str::to_owned))
    }

    /// Nothing is known of where another kind of tokenizer splits.
    #[test]
    fn a_tokenizer_of_another_kind_reads_the_whole_text() -> Result<(), TokenizerError> {
        let json = Tiny::new().tokenizer.replace(
            r#"{"type":"BertPreTokenizer"}"#,
            r#"{"type":"Punctuation","behavior":"Isolated"}"#,
        );
        let tokenizer = tokenizer(&json);
        assert!(!tokenizer.splits_at_blanks());
        same(&tokenizer, &["heart is".to_owned(), "is heart".to_owned()])
    }

    proptest! {
        #[test]
        fn any_text_has_the_pieces_of_its_words(texts in prop::collection::vec("[\\PC\\s]{0,30}", 1..4)) {
            prop_assert!(same(&tokenizer(&Tiny::new().tokenizer), &texts).is_ok());
        }
    }
}
