//! Ed25519 signatures (RFC 8032) and the names of the keys that make them.

use std::{fmt, str::FromStr, sync::Arc};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use crate::Digest;

/// The type byte of Ed25519 signatures in C2SP signed-note, section "Signature types".
const ED25519_NOTE: u8 = 1;

/// Why a key was refused. Carries no part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Empty, or with a blank, a control character or a plus (C2SP signed-note, section "Format").
    #[error("a key's name is not empty and has no blank, control character or plus")]
    Name,
    /// Not `name+hash+base64`.
    #[error("a verifier key is written name+hash+base64")]
    Form,
    /// Not an Ed25519 key.
    #[error("the key is not for Ed25519")]
    Algorithm,
    /// The hash in the text is not that of name and key: one of them was changed.
    #[error("the key's hash does not fit its name and bytes")]
    Hash,
}

/// A signature of 64 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature([u8; 64]);

/// The signature is not of this key over these bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature is not of this key over these bytes")]
pub struct BadSignature;

impl Signature {
    /// Wraps 64 bytes that are said to be a signature.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The same from a slice; `None` when it has not 64 bytes.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The 64 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

/// A secret Ed25519 key and its name. Not printed; clones share the key.
#[derive(Clone)]
pub struct Signer {
    pair: Arc<Ed25519KeyPair>,
    public: VerifyingKey,
}

impl Signer {
    /// The key that grows from 32 secret random bytes (RFC 8032 section 5.1.5). The name should be a URL without schema
    /// (C2SP signed-note), such as `hospital.example/countersign/reports`.
    ///
    /// # Errors
    /// [`KeyError::Name`].
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, KeyError> {
        // Ring refuses only seeds that have not 32 bytes.
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyError::Form)?;
        let bytes = pair
            .public_key()
            .as_ref()
            .try_into()
            .map_err(|_| KeyError::Form)?;
        Ok(Self {
            public: VerifyingKey::new(name, bytes)?,
            pair: Arc::new(pair),
        })
    }

    /// The same key under another name: C2SP tlog-checkpoint wants a log's checkpoints signed under the log's origin.
    ///
    /// # Errors
    /// [`KeyError::Name`].
    pub fn named(&self, name: &str) -> Result<Self, KeyError> {
        Ok(Self {
            pair: Arc::clone(&self.pair),
            public: VerifyingKey::new(name, self.public.bytes)?,
        })
    }

    /// What others verify with.
    #[must_use]
    pub fn public(&self) -> VerifyingKey {
        self.public.clone()
    }

    /// Signs `message`.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Signature {
        let mut bytes = [0; 64];
        // Length safety: an Ed25519 signature has 64 bytes (RFC 8032 section 5.1.6).
        bytes.copy_from_slice(self.pair.sign(message).as_ref());
        Signature(bytes)
    }
}

/// A public Ed25519 key and its name. Its text is the verifier key of C2SP signed notes, `name+hash+base64`.
///
/// ```
/// # fn main() -> Result<(), seal::KeyError> {
/// let key = seal::Signer::from_seed("hospital.example/reports", &[7; 32])?.public();
/// assert_eq!(key.to_string().parse(), Ok(key));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VerifyingKey {
    name: String,
    bytes: [u8; 32],
}

impl VerifyingKey {
    /// A key from its name and its 32 bytes.
    ///
    /// # Errors
    /// [`KeyError::Name`].
    pub fn new(name: &str, bytes: [u8; 32]) -> Result<Self, KeyError> {
        let bad = |c: char| c.is_whitespace() || c.is_control() || c == '+';
        if name.is_empty() || name.contains(bad) {
            return Err(KeyError::Name);
        }
        Ok(Self {
            name: name.to_owned(),
            bytes,
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its 32 bytes (RFC 8032 section 5.1.2).
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// Four bytes that, with the name, say which key made a signature: the first ones of
    /// `SHA-256(name ‖ "\n" ‖ 0x01 ‖ key)` (C2SP signed-note, section "Signatures").
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        let digest = Digest::of_parts(&[self.name.as_bytes(), b"\n", &[ED25519_NOTE], &self.bytes]);
        let [a, b, c, d, ..] = *digest.as_bytes();
        [a, b, c, d]
    }

    /// Whether this key's holder signed `message`.
    ///
    /// # Errors
    /// [`BadSignature`].
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), BadSignature> {
        UnparsedPublicKey::new(&ED25519, self.bytes)
            .verify(message, &signature.0)
            .map_err(|_| BadSignature)
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = [ED25519_NOTE; 33];
        key[1..].copy_from_slice(&self.bytes);
        let id = u32::from_be_bytes(self.id());
        write!(f, "{}+{id:08x}+{}", self.name, BASE64_STANDARD.encode(key))
    }
}

impl FromStr for VerifyingKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (name, rest) = text.split_once('+').ok_or(KeyError::Form)?;
        // The base64 may have a plus of its own.
        let (id, key) = rest.split_once('+').ok_or(KeyError::Form)?;
        let key = BASE64_STANDARD.decode(key).map_err(|_| KeyError::Form)?;
        let (&algorithm, bytes) = key.split_first().ok_or(KeyError::Form)?;
        if algorithm != ED25519_NOTE {
            return Err(KeyError::Algorithm);
        }
        let key = Self::new(name, bytes.try_into().map_err(|_| KeyError::Form)?)?;
        // Written lower-case by all implementations; compared as text, so that one key has one text.
        let expected = u32::from_be_bytes(key.id());
        if format!("{expected:08x}") == id {
            Ok(key)
        } else {
            Err(KeyError::Hash)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use signed_note::Verifier as _;

    use super::*;

    #[test]
    fn rfc_8032_test_2() -> Result<(), KeyError> {
        // RFC 8032 section 7.1, TEST 2: the message is the byte 72.
        let seed = hex::<32>("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
        let public = hex::<32>("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
        let expected = hex::<64>(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        );
        let signer = Signer::from_seed("rfc8032", &seed)?;
        assert_eq!(signer.public().as_bytes(), &public);
        assert_eq!(signer.sign(&[0x72]).as_bytes(), &expected);
        assert_eq!(
            signer.public().verify(&[0x72], &Signature::from_bytes(expected)),
            Ok(())
        );
        Ok(())
    }

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        let mut out = [0; N];
        for (byte, pair) in out.iter_mut().zip(text.as_bytes().as_chunks::<2>().0) {
            let pair = std::str::from_utf8(pair).expect("ASCII");
            *byte = u8::from_str_radix(pair, 16).expect("hexadecimal");
        }
        out
    }

    #[test]
    fn only_its_own_message_under_its_own_key() -> Result<(), KeyError> {
        let (one, two) = (
            Signer::from_seed("k", &[1; 32])?,
            Signer::from_seed("k", &[2; 32])?,
        );
        let signature = one.sign(b"yes");
        assert_eq!(one.public().verify(b"no", &signature), Err(BadSignature));
        assert_eq!(two.public().verify(b"yes", &signature), Err(BadSignature));
        assert!(Signature::from_slice(&[0; 63]).is_none());
        Ok(())
    }

    #[test]
    fn names_follow_the_rule() {
        for bad in ["", "a b", "a+b", "a\u{a0}b", "a\nb", "a\u{7}"] {
            assert!(
                matches!(Signer::from_seed(bad, &[1; 32]), Err(KeyError::Name)),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn a_changed_text_is_refused() -> Result<(), KeyError> {
        let key = Signer::from_seed("a.example", &[1; 32])?.public();
        let text = key.to_string();
        assert_eq!(
            text.replace("a.example", "b.example").parse::<VerifyingKey>(),
            Err(KeyError::Hash)
        );
        assert_eq!("a.example".parse::<VerifyingKey>(), Err(KeyError::Form));
        // 0x02 is ECDSA.
        let other = format!("a.example+00000000+{}", BASE64_STANDARD.encode([2; 33]));
        assert_eq!(other.parse::<VerifyingKey>(), Err(KeyError::Algorithm));
        Ok(())
    }

    proptest! {
        #[test]
        fn the_text_is_what_others_read(seed: [u8; 32], message: Vec<u8>, name in "[a-z.]{1,12}(/[a-z0-9-]{1,8})?") {
            let signer = Signer::from_seed(&name, &seed).expect("a good name");
            let key = signer.public();
            prop_assert_eq!(key.to_string().parse(), Ok(key.clone()));
            let theirs = signed_note::StandardVerifier::new(&key.to_string()).expect("a verifier key");
            prop_assert_eq!(theirs.key_id().to_be_bytes(), key.id());
            prop_assert!(theirs.verify(&message, signer.sign(&message).as_bytes()));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,80}") {
            if let Ok(key) = text.parse::<VerifyingKey>() {
                prop_assert_eq!(key.to_string(), text);
            }
        }
    }
}
