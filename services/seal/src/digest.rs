//! SHA-256 as a value.

use std::fmt;

use base64::{Engine as _, prelude::BASE64_STANDARD};

/// A SHA-256 digest (FIPS 180-4). Written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

/// Not 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a digest is 64 hexadecimal digits")]
pub struct NotADigest;

impl Digest {
    /// SHA-256 of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::of_parts(&[bytes])
    }

    /// SHA-256 of the concatenation of `parts`. Parts are not separated: give each a fixed length or a length prefix.
    #[must_use]
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        for part in parts {
            context.update(part);
        }
        let mut out = [0; 32];
        out.copy_from_slice(context.finish().as_ref());
        Self(out)
    }

    /// Wraps 32 bytes that are a digest already.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// In base64 with padding (RFC 4648, section 4), as Content Security Policy writes it.
    #[must_use]
    pub fn base64(&self) -> String {
        BASE64_STANDARD.encode(self.0)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl std::str::FromStr for Digest {
    type Err = NotADigest;

    /// Reads 64 hexadecimal digits, of either case.
    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != 32 || !rest.is_empty() {
            return Err(NotADigest);
        }
        let mut out = [0; 32];
        for (byte, [high, low]) in out.iter_mut().zip(pairs) {
            *byte = nibble(*high)? << 4 | nibble(*low)?;
        }
        Ok(Self(out))
    }
}

/// A digit's value. Not `from_str_radix`, which takes a sign too.
const fn nibble(digit: u8) -> Result<u8, NotADigest> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(NotADigest),
    }
}

impl serde::Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_standard_example() {
        // FIPS 180-4's example "abc" (NIST CSRC, SHA-256 example values).
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Digest::of(b"abc").to_string(), expected);
        assert_eq!(Digest::of_parts(&[b"a", b"", b"bc"]), Digest::of(b"abc"));
    }

    #[test]
    fn signs_blanks_and_wrong_lengths_are_refused() {
        let good = "0f".repeat(32);
        let bad = [
            "",
            "+f",
            &good[1..],
            &format!("{good}0"),
            &format!("+f{}", &good[2..]),
            &format!(" f{}", &good[2..]),
        ];
        for text in bad {
            assert_eq!(text.parse::<Digest>(), Err(NotADigest), "{text}");
        }
        // 64 bytes that are not 64 characters.
        assert_eq!("é".repeat(32).parse::<Digest>(), Err(NotADigest));
    }

    proptest! {
        #[test]
        fn text_and_json_come_back(bytes: [u8; 32]) {
            let digest = Digest::from_bytes(bytes);
            prop_assert_eq!(digest.to_string().parse(), Ok(digest));
            prop_assert_eq!(digest.to_string().to_uppercase().parse(), Ok(digest));
            let json = serde_json::to_string(&digest).expect("a string");
            prop_assert_eq!(serde_json::from_str::<Digest>(&json).expect("just written"), digest);
        }

        #[test]
        fn only_hexadecimal_digits_parse(text in "\\PC{0,70}") {
            let good = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            prop_assert_eq!(text.parse::<Digest>().is_ok(), good);
        }
    }
}
