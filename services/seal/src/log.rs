//! The verifiable log: a Merkle tree over all entries, and signed statements of its size and root.
//!
//! The tree is that of RFC 6962 section 2.1: leaves and inner nodes are hashed with different first bytes, and a tree of `n`
//! leaves splits at the largest power of two below `n`. A [`Frontier`] keeps only the roots of the full subtrees on the right
//! edge, which is all that appending needs. A [`Checkpoint`] is C2SP tlog-checkpoint in a C2SP signed note.

use base64::{Engine as _, prelude::BASE64_STANDARD};

use crate::{
    Digest, Signer, VerifyingKey,
    note::{self, NoteError},
};

/// The hash of an entry: `SHA-256(0x00 ‖ entry)` (RFC 6962 section 2.1).
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Digest {
    Digest::of_parts(&[&[0], entry])
}

/// The hash of an inner node: `SHA-256(0x01 ‖ left ‖ right)` (RFC 6962 section 2.1).
#[must_use]
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    Digest::of_parts(&[&[1], left.as_bytes(), right.as_bytes()])
}

/// The root over leaf hashes, straight from the definition in RFC 6962 section 2.1.
#[must_use]
pub fn root_of(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => Digest::of(&[]),
        [leaf] => *leaf,
        _ => {
            // The largest power of two below the number of leaves.
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&root_of(left), &root_of(right))
        }
    }
}

/// The right edge of a growing tree: its size, and the root of each full subtree, largest first. As many as the size has
/// ones in binary, so 64 at most; each append costs one or two hashes on average.
///
/// ```
/// use seal::log::{Frontier, leaf_hash, root_of};
///
/// let leaves: Vec<_> = (0..5_u8).map(|n| leaf_hash(&[n])).collect();
/// let mut frontier = Frontier::new();
/// leaves.iter().for_each(|leaf| frontier.push(*leaf));
/// assert_eq!(frontier.root(), root_of(&leaves));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    hashes: Vec<Digest>,
}

/// Size and hashes that cannot be the edge of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a frontier of {size} leaves has {} hashes, not {hashes}", size.count_ones())]
pub struct NotAFrontier {
    /// The size given.
    pub size: u64,
    /// How many hashes were given.
    pub hashes: usize,
}

impl Frontier {
    /// Of the empty tree.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            size: 0,
            hashes: Vec::new(),
        }
    }

    /// Appends a leaf's hash.
    pub fn push(&mut self, leaf: Digest) {
        let mut hash = leaf;
        // As in adding one in binary: each trailing one is a full subtree that this leaf completes.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.hashes.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.hashes.push(hash);
        self.size += 1;
    }

    /// The root over all leaves; of the empty tree SHA-256 of nothing.
    #[must_use]
    pub fn root(&self) -> Digest {
        let mut rest = self.hashes.iter().rev();
        let Some(&smallest) = rest.next() else {
            return root_of(&[]);
        };
        rest.fold(smallest, |right, left| node_hash(left, &right))
    }

    /// Leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Roots of the full subtrees, largest first.
    #[must_use]
    pub fn hashes(&self) -> &[Digest] {
        &self.hashes
    }

    /// What is stored: size and hashes.
    #[must_use]
    pub fn to_parts(&self) -> (u64, &[Digest]) {
        (self.size, &self.hashes)
    }

    /// Back from storage. That the hashes are right is for a [`Checkpoint`] to say.
    ///
    /// # Errors
    /// [`NotAFrontier`] when the number of hashes does not fit the size.
    pub fn from_parts(size: u64, hashes: Vec<Digest>) -> Result<Self, NotAFrontier> {
        if size.count_ones() as usize == hashes.len() {
            Ok(Self { size, hashes })
        } else {
            Err(NotAFrontier {
                size,
                hashes: hashes.len(),
            })
        }
    }
}

/// What a log had in it at one moment: the statement that is signed, witnessed and compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log: a URL without schema by custom. Not empty, no control character.
    pub origin: String,
    /// Leaves.
    pub size: u64,
    /// Root over them.
    pub root: Digest,
}

/// Why a checkpoint was not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not a signed note.
    #[error("not a signed note")]
    Note,
    /// No signature of the key asked for.
    #[error("the checkpoint is not signed by this key")]
    Unsigned,
    /// The signature does not fit the text.
    #[error("the checkpoint was changed after it was signed")]
    Forged,
    /// Signed, but the text is no checkpoint.
    #[error("the signed text is not a checkpoint")]
    Form,
}

impl From<NoteError> for CheckpointError {
    fn from(error: NoteError) -> Self {
        match error {
            NoteError::Form => Self::Note,
            NoteError::Unsigned => Self::Unsigned,
            NoteError::Forged => Self::Forged,
        }
    }
}

impl Checkpoint {
    /// Signs it as a note: origin, size and root, a line each, an empty line and the signature. A control character in the
    /// origin becomes U+FFFD, so that no origin writes a line of its own.
    #[must_use]
    pub fn sign(&self, signer: &Signer) -> String {
        let origin = self.origin.replace(char::is_control, "\u{fffd}");
        let root = BASE64_STANDARD.encode(self.root.as_bytes());
        note::sign(&format!("{origin}\n{}\n{root}\n", self.size), signer)
    }

    /// Reads a note that `key` signed. Whether origin and size are the expected ones is for the caller to compare.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn verify(note: &str, key: &VerifyingKey) -> Result<Self, CheckpointError> {
        Self::parse(note::verify(note, key)?).ok_or(CheckpointError::Form)
    }

    /// Reads the text, C2SP tlog-checkpoint section "Note text". Extension lines are allowed and not kept.
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let (origin, digits, root) = (lines.next()?, lines.next()?, lines.next()?);
        if origin.is_empty() || lines.any(str::is_empty) {
            return None;
        }
        let size: u64 = digits.parse().ok()?;
        let root = BASE64_STANDARD.decode(root).ok()?.try_into().ok()?;
        // No sign, no leading zero.
        (size.to_string() == digits).then(|| Self {
            origin: origin.to_owned(),
            size,
            root: Digest::from_bytes(root),
        })
    }
}

#[cfg(test)]
mod tests {
    use ct_merkle::mem_backed_tree::MemoryBackedTree;
    use proptest::prelude::*;

    use super::*;

    fn signer() -> Signer {
        Signer::from_seed("log.example/audit", &[5; 32]).expect("a good name")
    }

    fn digest(hex: &str) -> Digest {
        hex.parse().expect("a digest")
    }

    #[test]
    fn known_roots() {
        // The eight entries and roots of Google's certificate-transparency reference implementation
        // (`merkle_tree_test`), which RFC 6962 implementations test against.
        let entries: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut frontier = Frontier::new();
        assert_eq!(
            frontier.root(),
            digest("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        );
        for (entry, root) in entries.iter().zip(roots) {
            frontier.push(leaf_hash(entry));
            assert_eq!(frontier.root(), digest(root), "{} leaves", frontier.size());
        }
    }

    #[test]
    fn an_entry_that_looks_like_a_node_is_none() {
        // Second preimages across levels are what the first bytes prevent (RFC 6962 section 2.1).
        let (left, right) = (leaf_hash(b"a"), leaf_hash(b"b"));
        let fake = [left.as_bytes().as_slice(), right.as_bytes()].concat();
        assert_ne!(leaf_hash(&fake), node_hash(&left, &right));
    }

    #[test]
    fn a_wrong_edge_is_refused() {
        let one = vec![leaf_hash(b"a")];
        assert_eq!(
            Frontier::from_parts(3, one.clone()),
            Err(NotAFrontier { size: 3, hashes: 1 })
        );
        assert!(Frontier::from_parts(4, one).is_ok());
        let message = NotAFrontier { size: 3, hashes: 1 }.to_string();
        assert_eq!(message, "a frontier of 3 leaves has 2 hashes, not 1");
    }

    #[test]
    fn the_example_of_the_specification_parses() {
        // The example note text of C2SP tlog-checkpoint.
        let text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        let read = Checkpoint::parse(text).map(|checkpoint| (checkpoint.origin, checkpoint.size));
        assert_eq!(read, Some(("example.com/behind-the-sofa".to_owned(), 20_852_163)));
    }

    #[test]
    fn other_texts_are_no_checkpoints() {
        let root = BASE64_STANDARD.encode([1; 32]);
        let short = BASE64_STANDARD.encode([1; 31]);
        let bad = [
            format!("\n1\n{root}\n"),
            format!("a\n01\n{root}\n"),
            format!("a\n+1\n{root}\n"),
            format!("a\n-1\n{root}\n"),
            format!("a\n18446744073709551616\n{root}\n"),
            format!("a\n1\n{short}\n"),
            format!("a\n1\n{root}"),
            format!("a\n1\n{root}\n\nmore\n"),
            "a\n1\n".to_owned(),
        ];
        for text in bad {
            let note = note::sign(&text, &signer());
            assert!(Checkpoint::verify(&note, &signer().public()).is_err(), "{text:?}");
        }
        let extended = note::sign(&format!("a\n1\n{root}\nmore\n"), &signer());
        assert!(Checkpoint::verify(&extended, &signer().public()).is_ok());
    }

    #[test]
    fn an_origin_cannot_write_lines() {
        let root = leaf_hash(b"a");
        let sly = Checkpoint {
            origin: format!("a\n9\n{}", BASE64_STANDARD.encode([9; 32])),
            size: 1,
            root,
        };
        let read = Checkpoint::verify(&sly.sign(&signer()), &signer().public());
        assert!(
            read.is_ok_and(|read| read.size == 1
                && read.root == root
                && read.origin.starts_with("a\u{fffd}9"))
        );
    }

    #[test]
    fn each_fault_has_its_name() {
        let head = Checkpoint {
            origin: "o".to_owned(),
            size: 7,
            root: leaf_hash(b"a"),
        };
        let note = head.sign(&signer());
        let other = Signer::from_seed("log.example/audit", &[6; 32])
            .expect("a good name")
            .public();
        let key = signer().public();
        assert_eq!(Checkpoint::verify("o\n7\n", &key), Err(CheckpointError::Note));
        assert_eq!(Checkpoint::verify(&note, &other), Err(CheckpointError::Unsigned));
        assert_eq!(
            Checkpoint::verify(&note.replacen('7', "8", 1), &key),
            Err(CheckpointError::Forged)
        );
        let no = note::sign("o\n", &signer());
        assert_eq!(Checkpoint::verify(&no, &key), Err(CheckpointError::Form));
    }

    proptest! {
        #[test]
        fn all_four_ways_to_a_root_agree(entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 0..130)) {
            let mut frontier = Frontier::new();
            let mut tree = MemoryBackedTree::<sha2::Sha256, Vec<u8>>::new();
            let mut stored: Vec<tlog_tiles::tlog::Hash> = Vec::new();
            for (n, entry) in (0_u64..).zip(&entries) {
                frontier.push(leaf_hash(entry));
                tree.push(entry.clone());
                let more = tlog_tiles::tlog::stored_hashes(n, entry, &Stored(&stored)).expect("hashes are there");
                stored.extend(more);
            }
            let leaves: Vec<Digest> = entries.iter().map(|entry| leaf_hash(entry)).collect();
            prop_assert_eq!(frontier.root(), root_of(&leaves));
            prop_assert_eq!(frontier.size(), entries.len() as u64);
            let root = *frontier.root().as_bytes();
            let theirs = tree.root();
            prop_assert_eq!(root.as_slice(), theirs.as_bytes().as_slice());
            if !entries.is_empty() {
                let theirs = tlog_tiles::tlog::tree_hash(frontier.size(), &Stored(&stored)).expect("hashes are there");
                prop_assert_eq!(root, theirs.0);
            }
        }

        #[test]
        fn a_stored_edge_goes_on(before in 0..70_u8, after in 0..70_u8) {
            let mut whole = Frontier::new();
            (0..before).for_each(|n| whole.push(leaf_hash(&[n])));
            let (size, hashes) = whole.to_parts();
            let mut resumed = Frontier::from_parts(size, hashes.to_vec()).expect("an edge");
            for n in 0..after {
                whole.push(leaf_hash(&[n]));
                resumed.push(leaf_hash(&[n]));
            }
            prop_assert_eq!(resumed.root(), whole.root());
        }

        #[test]
        fn others_read_our_checkpoints(origin in "[a-z./ -]{1,30}", size: u64, root: [u8; 32]) {
            let ours = Checkpoint { origin, size, root: Digest::from_bytes(root) };
            let note = ours.sign(&signer());
            prop_assert_eq!(Checkpoint::verify(&note, &signer().public()), Ok(ours.clone()));
            let note = signed_note::Note::from_bytes(note.as_bytes()).expect("a note");
            let theirs = tlog_tiles::Checkpoint::from_bytes(note.text()).expect("a checkpoint");
            prop_assert_eq!((theirs.origin(), theirs.size(), &theirs.hash().0), (ours.origin.as_str(), size, &root));
        }
    }

    /// What `tlog_tiles` reads hashes from.
    struct Stored<'a>(&'a [tlog_tiles::tlog::Hash]);

    impl tlog_tiles::tlog::HashReader for Stored<'_> {
        fn read_hashes(
            &self,
            indexes: &[u64],
        ) -> Result<Vec<tlog_tiles::tlog::Hash>, tlog_tiles::tlog::Error> {
            let at = |index: &u64| self.0[usize::try_from(*index).expect("small")];
            Ok(indexes.iter().map(at).collect())
        }
    }
}
