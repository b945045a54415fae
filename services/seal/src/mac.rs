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

    /// A key from secret bytes of any length (RFC 2104, section 2: longer ones than a block are hashed first).
    #[must_use]
    pub fn of(secret: &[u8]) -> Self {
        Self(ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret))
    }

    /// HMAC over `message` alone, as other systems compute it. For more than one part take [`MacKey::digest`].
    #[must_use]
    pub fn plain(&self, message: &[u8]) -> Digest {
        let mut out = [0; 32];
        out.copy_from_slice(ring::hmac::sign(&self.0, message).as_ref());
        Digest::from_bytes(out)
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
    fn the_plain_one_is_that_of_the_rfc() {
        // RFC 4231, test cases 2 and 6: a short key and one longer than a block.
        for (key, message, expected) in [
            (
                b"Jefe".as_slice(),
                b"what do ya want for nothing?".as_slice(),
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ] {
            assert_eq!(MacKey::of(key).plain(message).to_string(), expected);
        }
    }

    #[test]
    fn parts_do_not_run_together() {
        let key = MacKey::new(&[1; 32]);
        assert_ne!(key.digest(&[b"ab", b"c"]), key.digest(&[b"a", b"bc"]));
        assert_ne!(key.digest(&[b"abc"]), key.digest(&[b"abc", b""]));
        assert_ne!(key.digest(&[b"abc"]), MacKey::new(&[2; 32]).digest(&[b"abc"]));
    }
}
