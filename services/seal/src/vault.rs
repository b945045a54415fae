//! Encryption of single fields, bound to the place they lie in.

use ring::{aead, hkdf};
use zeroize::Zeroizing;

use crate::{EntropyError, MacKey, random};

/// First byte of every sealed value; another layout gets another number.
const VERSION: u8 = 1;
/// Bytes of a key's id. It picks a key, it proves nothing, so 32 bits do.
const ID: usize = 4;
/// Bytes of salt, one draw a message: two of 2^64 messages share one with probability 2^-129.
const SALT: usize = 32;
/// Bytes before the ciphertext.
const HEADER: usize = 1 + ID + SALT;
/// Bytes of a GCM tag (NIST SP 800-38D section 5.2.1.2, the longest).
const TAG: usize = 16;
/// What the derived key is for (RFC 5869 section 3.2, `info`).
const MESSAGE_KEY: &[u8] = b"countersign/seal/vault/v1/message-key";
/// What the key id is made for.
const KEY_ID: &[u8] = b"countersign/seal/vault/v1/key-id";

/// A key that fields are sealed with. Neither printed nor compared; wiped when dropped.
pub struct VaultKey {
    bytes: Zeroizing<[u8; 32]>,
    id: [u8; ID],
}

impl VaultKey {
    /// A key from 32 secret random bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        let bytes = Zeroizing::new(bytes);
        let digest = MacKey::new(&bytes).digest(&[KEY_ID]);
        let [a, b, c, d, ..] = *digest.as_bytes();
        Self {
            bytes,
            id: [a, b, c, d],
        }
    }

    /// The key for the one message with this salt: HKDF-SHA-256 (RFC 5869).
    fn message_key(&self, salt: &[u8]) -> Result<aead::LessSafeKey, ring::error::Unspecified> {
        let pseudorandom = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(self.bytes.as_slice());
        let derived = pseudorandom.expand(&[MESSAGE_KEY], &aead::AES_256_GCM)?;
        Ok(aead::LessSafeKey::new(aead::UnboundKey::from(derived)))
    }
}

/// Where a sealed value lies. It is authenticated with the value and not stored in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The hospital's id.
    pub tenant: [u8; 16],
    /// Table.
    pub table: &'a str,
    /// The row's id.
    pub row: [u8; 16],
    /// Column.
    pub column: &'a str,
}

impl Place<'_> {
    /// The associated data: the header, then each part after its length (eight bytes, big-endian), so that no two places and
    /// no two layouts give the same bytes.
    fn associated_data(&self, header: &[u8]) -> Vec<u8> {
        let parts = [
            &self.tenant[..],
            self.table.as_bytes(),
            &self.row,
            self.column.as_bytes(),
        ];
        let mut out = Vec::with_capacity(HEADER + parts.iter().map(|part| 8 + part.len()).sum::<usize>());
        out.extend_from_slice(header);
        for part in parts {
            out.extend_from_slice(&(part.len() as u64).to_be_bytes());
            out.extend_from_slice(part);
        }
        out
    }
}

/// Why a value was not sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// No salt.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// Longer than AES-GCM may encrypt at once (2^36 - 32 bytes, NIST SP 800-38D section 5.2.1.1).
    #[error("{length} bytes are too many to seal")]
    TooLong {
        /// Bytes of the plaintext.
        length: usize,
    },
    /// Too short, or of an unknown version.
    #[error("{length} bytes are not a sealed value of this version")]
    Form {
        /// Bytes of what was given.
        length: usize,
    },
    /// Sealed with a key that this vault does not hold.
    #[error("sealed with a key that is not here")]
    UnknownKey,
    /// Changed since, or sealed for another place.
    #[error("the sealed value was changed, or belongs elsewhere")]
    Forged,
}

/// Seals and opens fields: AES-256-GCM (NIST SP 800-38D) under a key of its own for each message.
///
/// A sealed value is `version (1) ‖ key id (4) ‖ salt (32) ‖ ciphertext ‖ tag (16)`, 53 bytes longer than the plaintext.
///
/// Why a key a message: with random 96-bit nonces, SP 800-38D section 8.3 ends a key's life at 2^32 messages. Here the salt, not
/// the nonce, is random; the key derived from it encrypts once, so the nonce may be constant, and a master key serves without
/// counting. The construction is that of C2SP XAES-256-GCM and of the AWS Encryption SDK's message format, with HKDF
/// (RFC 5869; NIST SP 800-56C) as the derivation.
pub struct Vault {
    /// The first one writes.
    keys: Vec<VaultKey>,
}

impl Vault {
    /// A vault that seals with `first` and opens with `first` and `older`: to change the key, put a new one first.
    #[must_use]
    pub fn new(first: VaultKey, older: Vec<VaultKey>) -> Self {
        let mut keys = older;
        keys.insert(0, first);
        Self { keys }
    }

    /// Encrypts `plaintext` for its place.
    ///
    /// # Errors
    /// [`VaultError::Entropy`], [`VaultError::TooLong`].
    pub fn seal(&self, place: &Place<'_>, plaintext: &[u8]) -> Result<Vec<u8>, VaultError> {
        let too_long = VaultError::TooLong {
            length: plaintext.len(),
        };
        // Index safety: `new` puts a key at 0 and nothing takes one out.
        let key = &self.keys[0];
        let salt: [u8; SALT] = random()?;
        // Room for all at once: no reallocation leaves a piece of plaintext behind.
        let mut out = Vec::with_capacity(HEADER + plaintext.len() + TAG);
        out.push(VERSION);
        out.extend_from_slice(&key.id);
        out.extend_from_slice(&salt);
        let associated = aead::Aad::from(place.associated_data(&out));
        out.extend_from_slice(plaintext);
        let tag = key
            .message_key(&salt)
            .and_then(|key| key.seal_in_place_separate_tag(nonce(), associated, &mut out[HEADER..]))
            .map_err(|_| too_long)?;
        out.extend_from_slice(tag.as_ref());
        Ok(out)
    }

    /// Decrypts a value that was sealed for this place. The plaintext is wiped when dropped.
    ///
    /// # Errors
    /// [`VaultError::Form`], [`VaultError::UnknownKey`], [`VaultError::Forged`].
    pub fn open(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let form = VaultError::Form { length: sealed.len() };
        let Some((header, body)) = sealed.split_at_checked(HEADER) else {
            return Err(form);
        };
        if header[0] != VERSION || body.len() < TAG {
            return Err(form);
        }
        let (id, salt) = header[1..].split_at(ID);
        let associated = place.associated_data(header);
        let mut found = false;
        // Two keys may share an id by chance; the tag tells which it was.
        for key in self.keys.iter().filter(|key| key.id == id) {
            found = true;
            let mut plain = Zeroizing::new(body.to_vec());
            let opened = key.message_key(salt).and_then(|key| {
                key.open_in_place(nonce(), aead::Aad::from(&associated), &mut plain)
                    .map(|plain| plain.len())
            });
            if let Ok(length) = opened {
                plain.truncate(length);
                return Ok(plain);
            }
        }
        Err(if found {
            VaultError::Forged
        } else {
            VaultError::UnknownKey
        })
    }
}

/// Constant, because each derived key encrypts one message.
fn nonce() -> aead::Nonce {
    aead::Nonce::assume_unique_for_key([0; aead::NONCE_LEN])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HERE: Place<'_> = Place {
        tenant: [1; 16],
        table: "report",
        row: [2; 16],
        column: "note",
    };

    const PINNED: &[u8] = b"015268a12509090909090909090909090909090909090909090909090909090909090909091f7d817cebb13a72668ade60faf33e42\
        9d4ea5c4faa30f0a87bfc56eb34c09cb95";

    fn vault(first: u8, older: &[u8]) -> Vault {
        let key = |byte: &u8| VaultKey::new([*byte; 32]);
        Vault::new(key(&first), older.iter().map(key).collect())
    }

    #[test]
    fn the_format_is_pinned() -> Result<(), VaultError> {
        // Made with Python's `cryptography` (HKDF, AESGCM) from the description above: key 07…07, salt 09…09.
        let sealed = PINNED.as_chunks::<2>().0.iter().map(|pair| {
            let digit = |byte: u8| char::from(byte).to_digit(16).expect("a hexadecimal digit");
            u8::try_from(digit(pair[0]) * 16 + digit(pair[1])).expect("two digits are a byte")
        });
        let sealed: Vec<u8> = sealed.collect();
        assert_eq!(*vault(7, &[]).open(&HERE, &sealed)?, b"no acute findings");
        Ok(())
    }

    #[test]
    fn it_opens_nowhere_else() -> Result<(), VaultError> {
        let vault = vault(7, &[]);
        let sealed = vault.seal(&HERE, b"text")?;
        let elsewhere = [
            Place {
                tenant: [9; 16],
                ..HERE
            },
            Place {
                table: "patient",
                ..HERE
            },
            Place { row: [9; 16], ..HERE },
            Place {
                column: "other",
                ..HERE
            },
            Place {
                table: "repor",
                column: "tnote",
                ..HERE
            },
        ];
        for place in elsewhere {
            assert_eq!(vault.open(&place, &sealed), Err(VaultError::Forged), "{place:?}");
        }
        Ok(())
    }

    #[test]
    fn the_first_key_writes_and_all_read() -> Result<(), VaultError> {
        let old = vault(1, &[]).seal(&HERE, b"old")?;
        let both = vault(2, &[1]);
        assert_eq!(*both.open(&HERE, &old)?, b"old");
        let new = both.seal(&HERE, b"new")?;
        assert_eq!(*vault(2, &[]).open(&HERE, &new)?, b"new");
        assert_eq!(vault(1, &[]).open(&HERE, &new), Err(VaultError::UnknownKey));
        Ok(())
    }

    #[test]
    fn a_key_with_the_right_id_and_the_wrong_bytes_opens_nothing() -> Result<(), VaultError> {
        let sealed = vault(1, &[]).seal(&HERE, b"text")?;
        let right = VaultKey::new([1; 32]);
        let twin = VaultKey {
            bytes: Zeroizing::new([2; 32]),
            id: right.id,
        };
        let vault = Vault::new(twin, Vec::new());
        assert_eq!(vault.open(&HERE, &sealed), Err(VaultError::Forged));
        let twin = VaultKey {
            bytes: Zeroizing::new([2; 32]),
            id: right.id,
        };
        assert_eq!(*Vault::new(twin, vec![right]).open(&HERE, &sealed)?, b"text");
        Ok(())
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens(plain: Vec<u8>) {
            let vault = vault(7, &[]);
            let sealed = vault.seal(&HERE, &plain).expect("short");
            prop_assert_eq!(sealed.len(), plain.len() + 53);
            prop_assert_eq!(&*vault.open(&HERE, &sealed).expect("just sealed"), &plain);
            // The same text twice has nothing in common, so equal fields cannot be told.
            prop_assert_ne!(vault.seal(&HERE, &plain).expect("short")[5..].to_vec(), sealed[5..].to_vec());
        }

        #[test]
        fn one_flipped_bit_is_noticed(plain in prop::collection::vec(any::<u8>(), 0..64), at: prop::sample::Index, bit in 0..8u8) {
            let vault = vault(7, &[]);
            let mut sealed = vault.seal(&HERE, &plain).expect("short");
            let at = at.index(sealed.len());
            sealed[at] ^= 1 << bit;
            prop_assert!(vault.open(&HERE, &sealed).is_err());
        }

        #[test]
        fn no_bytes_make_it_panic(sealed: Vec<u8>) {
            prop_assert!(vault(7, &[]).open(&HERE, &sealed).is_err());
        }
    }
}
