//! What a note and a model are called without saying what is in them.

use serde::{Deserialize, Serialize};

macro_rules! digest {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(seal::Digest);

        impl $name {
            /// Wraps a SHA-256 digest.
            #[must_use]
            pub const fn new(digest: seal::Digest) -> Self {
                Self(digest)
            }

            /// The SHA-256 digest.
            #[must_use]
            pub const fn get(&self) -> &seal::Digest {
                &self.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

digest! {
    /// SHA-256 of a de-identified note's text: an assessment is pinned to the note it was made for.
    NoteDigest
}
digest! {
    /// SHA-256 over every file of a packed model: no suggestion comes from an anonymous model.
    ModelDigest
}
