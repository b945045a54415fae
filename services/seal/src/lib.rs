//! The one room where bytes become unreadable, unforgeable or undeniable; the only user of ring (and of argon2).
//!
//! What it promises:
//! - A value that a [`Vault`] sealed opens only with its key and only at its [`Place`]: copied into another row, column,
//!   table or hospital, it does not open.
//! - A [`Signature`] under a [`VerifyingKey`] was made by its [`Signer`] over exactly those bytes.
//! - A [`log::Frontier`] of a few hashes commits to every entry ever logged, in order (RFC 6962), and a
//!   [`log::Checkpoint`] says so under a signature that strangers can check (C2SP signed notes).
//! - A [`password::PasswordHash`] or a [`Token`]'s digest can be stolen without the password or the token.
//!
//! Secrets have no `Debug` and no `Display`, errors name a rule and never a value. Keys come in as bytes: which file they lie in
//! is the server's business. Randomness is drawn here (ring's generator cannot be injected).
//!
//! ```
//! use seal::{Place, Signer, Vault, VaultKey, log::{Checkpoint, Frontier, leaf_hash}};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let vault = Vault::new(VaultKey::new([7; 32]), Vec::new());
//! let here = Place { tenant: [1; 16], table: "patient", row: [2; 16], column: "demographics" };
//! let sealed = vault.seal(&here, b"born in spring")?;
//! assert_eq!(*vault.open(&here, &sealed)?, b"born in spring");
//! assert!(vault.open(&Place { row: [3; 16], ..here }, &sealed).is_err());
//!
//! let mut frontier = Frontier::new();
//! frontier.push(leaf_hash(b"first entry"));
//! let signer = Signer::from_seed("log.example/audit", &[9; 32])?;
//! let head = Checkpoint { origin: "log.example/audit".to_owned(), size: frontier.size(), root: frontier.root() };
//! let note = head.sign(&signer);
//! assert_eq!(Checkpoint::verify(&note, &signer.public())?, head);
//! # Ok(())
//! # }
//! ```

mod digest;
mod entropy;
pub mod log;
mod mac;
pub mod note;
pub mod password;
mod signature;
mod token;
mod vault;

pub use digest::{Digest, NotADigest};
pub use entropy::{EntropyError, random};
pub use mac::MacKey;
pub use signature::{BadSignature, KeyError, Signature, Signer, VerifyingKey};
pub use token::{NotAToken, Token};
pub use vault::{Place, Vault, VaultError, VaultKey};
