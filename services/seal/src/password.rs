//! Passwords at rest: argon2id (RFC 9106).

use std::fmt;

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version,
    password_hash::phc::PasswordHash as Phc,
};
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

use crate::{EntropyError, random};

/// Memory in KiB: 19 MiB, with two passes and one lane, the first choice of OWASP's Password Storage Cheat Sheet. RFC 9106
/// section 4 recommends 64 MiB and three passes where memory is scarce; this is the least that OWASP counts as equal to it, and
/// leaves room for many sign-ins at once on a small machine.
const MEMORY_KIB: u32 = 19 * 1024;
/// Passes over that memory.
const PASSES: u32 = 2;
/// Lanes.
const LANES: u32 = 1;
/// Bytes of output (RFC 9106 section 4).
const OUTPUT: usize = 32;
/// Bytes of salt (RFC 9106 section 4: 128 bits).
const SALT: usize = 16;
/// Bytes of a password at most, so that a megabyte of it costs nothing. NIST SP 800-63B section 3.1.1.2 wants 64 characters at least.
pub const LONGEST: usize = 1024;

/// Why a password was not hashed, or a hash not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// No salt.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// Empty, or too long.
    #[error("a password has 1 to {LONGEST} bytes; this has {length}")]
    Length {
        /// Its bytes.
        length: usize,
    },
    /// The stored text is not a hash as this module writes it.
    #[error("not an argon2id hash in PHC form")]
    Form,
}

/// What is stored of a password: a PHC string with algorithm, costs, salt and output.
///
/// ```
/// # fn main() -> Result<(), seal::password::PasswordError> {
/// let hash = seal::password::hash_password("a long enough sentence")?;
/// assert!(hash.verify("a long enough sentence"));
/// assert!(!hash.verify("another sentence"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PasswordHash {
    text: String,
    parsed: Phc,
}

/// Hashes a password with a salt of its own. How long a password must be is the caller's rule.
///
/// # Errors
/// [`PasswordError::Length`], [`PasswordError::Entropy`].
pub fn hash_password(password: &str) -> Result<PasswordHash, PasswordError> {
    let prepared = prepare(password)?;
    let salt: [u8; SALT] = random()?;
    // Both fail only on parameters out of range, and ours are constants in range.
    let parsed = hasher()?
        .hash_password_with_salt(prepared.as_bytes(), &salt)
        .map_err(|_| PasswordError::Form)?;
    Ok(PasswordHash {
        text: parsed.to_string(),
        parsed,
    })
}

impl PasswordHash {
    /// Reads what was stored.
    ///
    /// # Errors
    /// [`PasswordError::Form`].
    pub fn parse(text: &str) -> Result<Self, PasswordError> {
        let parsed = Phc::new(text).map_err(|_| PasswordError::Form)?;
        let complete = parsed.salt.is_some() && parsed.hash.is_some();
        let params = Params::try_from(&parsed).map_err(|_| PasswordError::Form)?;
        // A planted row with huge costs would turn a sign-in into an outage.
        let bearable =
            params.m_cost() <= 4 * MEMORY_KIB && params.t_cost() <= 4 * PASSES && params.p_cost() <= 4;
        if parsed.algorithm.as_str() != Algorithm::Argon2id.as_str() || !complete || !bearable {
            return Err(PasswordError::Form);
        }
        Ok(Self {
            text: text.to_owned(),
            parsed,
        })
    }

    /// A hash that no password is known for, at the same cost: verify against it where there is no such user, so that time does not
    /// tell who exists. Its output is all zeros; to find a password for it is to invert argon2.
    ///
    /// # Panics
    /// Never: the text is a constant that the tests read.
    #[must_use]
    pub fn decoy() -> Self {
        const TEXT: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        // Expect safety: a constant, which `nobody_signs_in_as_the_decoy` reads.
        Self::parse(TEXT).expect("the decoy is a PHC string")
    }

    /// The PHC string, to be stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it was made from `password`. Takes tens of milliseconds on purpose: call it off the event loop.
    #[must_use]
    pub fn verify(&self, password: &str) -> bool {
        let (Ok(prepared), Ok(hasher)) = (prepare(password), hasher()) else {
            return false;
        };
        // The costs are read from the hash, so old hashes go on working when the constants rise; outputs are compared in
        // constant time.
        hasher.verify_password(prepared.as_bytes(), &self.parsed).is_ok()
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

fn hasher() -> Result<Argon2<'static>, PasswordError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(OUTPUT)).map_err(|_| PasswordError::Form)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Unicode NFC (RFC 8265 section 4.2.2, OpaqueString): keyboards differ in how they compose an é.
fn prepare(password: &str) -> Result<Zeroizing<String>, PasswordError> {
    let length = password.len();
    if !(1..=LONGEST).contains(&length) {
        return Err(PasswordError::Length { length });
    }
    // NFC at most triples the bytes (Unicode Standard Annex 15), so nothing is reallocated and left behind.
    let mut prepared = Zeroizing::new(String::with_capacity(3 * length));
    prepared.extend(password.nfc());
    Ok(prepared)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameters_are_in_the_hash() -> Result<(), PasswordError> {
        let (one, two) = (hash_password("correct horse")?, hash_password("correct horse")?);
        assert!(
            one.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{}",
            one.as_str()
        );
        assert_ne!(one.as_str(), two.as_str());
        let read = PasswordHash::parse(one.as_str())?;
        assert!(read.verify("correct horse"));
        assert!(!read.verify("correct horsf"));
        Ok(())
    }

    #[test]
    fn a_hash_of_another_implementation_verifies() -> Result<(), PasswordError> {
        // Made with PyPI's `argon2-cffi` (the reference implementation in C).
        let theirs = PasswordHash::parse(
            "$argon2id$v=19$m=19456,t=2,p=1$HD5IcooZci/Y7foRecjlVw$Bw2MEqui/lAP279CRIzE5XUcEpxtyXqFAhGVq1QwA28",
        )?;
        assert!(theirs.verify("battery staple"));
        assert!(!theirs.verify("Battery staple"));
        Ok(())
    }

    #[test]
    fn composed_and_decomposed_letters_are_one() -> Result<(), PasswordError> {
        assert!(hash_password("caf\u{e9}")?.verify("cafe\u{301}"));
        Ok(())
    }

    #[test]
    fn nobody_signs_in_as_the_decoy() {
        let decoy = PasswordHash::decoy();
        let costs = |hash: &PasswordHash| hash.as_str().split('$').nth(3).map(str::to_owned);
        assert_eq!(costs(&decoy), hash_password("x").ok().as_ref().and_then(costs));
        assert!(!decoy.verify("x") && !decoy.verify(""));
    }

    #[test]
    fn lengths_are_bounded() {
        assert_eq!(hash_password("").err(), Some(PasswordError::Length { length: 0 }));
        let long = "x".repeat(LONGEST + 1);
        assert_eq!(
            hash_password(&long).err(),
            Some(PasswordError::Length { length: LONGEST + 1 })
        );
    }

    #[test]
    fn other_texts_are_refused() {
        let bad = [
            "",
            "secret",
            "$argon2id$v=19$m=19456,t=2,p=1",
            "$argon2i$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=4194304,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
        ];
        for text in bad {
            assert_eq!(
                PasswordHash::parse(text).err(),
                Some(PasswordError::Form),
                "{text}"
            );
        }
    }
}
