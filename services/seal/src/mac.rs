//! Keyed digests (HMAC-SHA-256, RFC 2104).

use crate::Digest;

/// A key for pseudonyms and blind indexes. Neither printed nor compared.
#[derive(Clone)]
pub struct MacKey(ring::hmac::Key);

impl MacKey {
    /// A key from 32 secret bytes.
    #[must_use]
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(ring::hmac::Key::new(ring::hmac::HMAC_SHA256, bytes))
    }

    /// HMAC over `parts`, each preceded by its length as eight big-endian bytes, so that no two lists of parts collide.
    #[must_use]
    pub fn digest(&self, parts: &[&[u8]]) -> Digest {
        let mut context = ring::hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut out = [0; 32];
        out.copy_from_slice(context.sign().as_ref());
        Digest::from_bytes(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_hmac_over_the_framed_parts() {
        // HMAC-SHA-256 over 00 00 00 00 00 00 00 08 "Hi There" with the key of RFC 4231 case 1 padded to 32 bytes,
        // computed with Python's `hmac`.
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        let expected = "70454c00e162637b41588d34d6e73e7ab2fb58fdde827b1e084ecaeb378dca60";
        assert_eq!(MacKey::new(&key).digest(&[b"Hi There"]).to_string(), expected);
    }

    #[test]
    fn parts_do_not_run_together() {
        let key = MacKey::new(&[1; 32]);
        assert_ne!(key.digest(&[b"ab", b"c"]), key.digest(&[b"a", b"bc"]));
        assert_ne!(key.digest(&[b"abc"]), key.digest(&[b"abc", b""]));
        assert_ne!(key.digest(&[b"abc"]), MacKey::new(&[2; 32]).digest(&[b"abc"]));
    }
}
