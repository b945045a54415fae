//! Bearer tokens and session secrets.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::{Digest, EntropyError, random};

/// Random bytes in a token: 256 bits, so that its plain SHA-256 is enough at rest (there is nothing to guess, hence nothing to
/// slow down as for passwords).
const BYTES: usize = 32;

/// A secret that its holder shows to be let in: 32 random bytes, written as 43 characters of base64url (RFC 4648 section 5,
/// no padding). Shown once, stored as its digest. Neither printed nor compared.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let token = seal::Token::generate()?;
/// let shown = seal::Token::parse(token.reveal())?;
/// assert_eq!(shown.digest(), token.digest());
/// # Ok(())
/// # }
/// ```
///
/// It cannot be printed by accident:
/// ```compile_fail
/// fn show(token: &seal::Token) -> String { format!("{token:?}") }
/// ```
/// The twin that compiles:
/// ```
/// fn show(token: &seal::Token) -> String { format!("{:?}", token.digest()) }
/// ```
pub struct Token {
    text: Zeroizing<String>,
    digest: Digest,
}

/// Not the text of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token is 43 characters of base64url")]
pub struct NotAToken;

impl Token {
    /// A new token.
    ///
    /// # Errors
    /// [`EntropyError`].
    pub fn generate() -> Result<Self, EntropyError> {
        let bytes = Zeroizing::new(random::<BYTES>()?);
        let text = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(bytes.as_slice()));
        Ok(Self {
            text,
            digest: Digest::of(bytes.as_slice()),
        })
    }

    /// A token that somebody shows.
    ///
    /// # Errors
    /// [`NotAToken`] when it has not the form of one.
    pub fn parse(text: &str) -> Result<Self, NotAToken> {
        let mut bytes = Zeroizing::new([0; BYTES]);
        // 43 characters hold 258 bits; the engine refuses other characters and set bits at the end, so one token has one text.
        match BASE64_URL_SAFE_NO_PAD.decode_slice(text, bytes.as_mut_slice()) {
            Ok(BYTES) => Ok(Self {
                text: Zeroizing::new(text.to_owned()),
                digest: Digest::of(bytes.as_slice()),
            }),
            Ok(_) | Err(_) => Err(NotAToken),
        }
    }

    /// What is stored and looked up.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The text, for its holder alone.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn its_digest_is_that_of_the_bytes() -> Result<(), NotAToken> {
        assert_eq!(Token::parse(&"A".repeat(43))?.digest(), Digest::of(&[0; 32]));
        Ok(())
    }

    #[test]
    fn other_texts_are_refused() {
        let long = "A".repeat(44);
        for bad in [
            "",
            &long[..42],
            &long,
            &format!("{}=", &long[..43]),
            &format!("{}B", &long[..42]),
            "é",
        ] {
            assert!(Token::parse(bad).is_err(), "{} characters", bad.len());
        }
    }

    proptest! {
        #[test]
        fn whatever_parses_is_written_the_same(text in "[A-Za-z0-9_-]{43}") {
            if let Ok(token) = Token::parse(&text) {
                prop_assert_eq!(token.reveal(), text.as_str());
            }
        }
    }
}
