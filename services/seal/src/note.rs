//! C2SP signed notes: a text, an empty line, and lines with signatures. Log checkpoints are such notes, and so is the
//! signature of a packed model; what a note's text begins with says which of them it is.
//!
//! ```
//! use seal::{Signer, note};
//!
//! let signer = Signer::from_seed("hospital.example/models", &[7; 32])?;
//! let signed = note::sign("a text\n", &signer);
//! assert_eq!(note::verify(&signed, &signer.public()), Ok("a text\n"));
//! # Ok::<(), seal::KeyError>(())
//! ```

use base64::{Engine as _, prelude::BASE64_STANDARD};

use crate::{Signature, Signer, VerifyingKey};

/// Bytes of a note at most, so that a hostile one costs little. Sixteen post-quantum signatures must fit (C2SP signed-note).
const LONGEST: usize = 1 << 20;

/// Why a note was not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Not the form of a signed note.
    #[error("the text is no signed note")]
    Form,
    /// No signature of this key.
    #[error("the note is not signed by this key")]
    Unsigned,
    /// A signature that says it is of this key, and is not.
    #[error("the note carries a false signature of this key")]
    Forged,
}

/// Signs `text`, which ends in a newline.
#[must_use]
pub fn sign(text: &str, signer: &Signer) -> String {
    let key = signer.public();
    let mut bytes = Vec::with_capacity(4 + 64);
    bytes.extend_from_slice(&key.id());
    bytes.extend_from_slice(signer.sign(text.as_bytes()).as_bytes());
    format!("{text}\n— {} {}\n", key.name(), BASE64_STANDARD.encode(bytes))
}

/// The text of a note that `key` signed. Signatures of other keys are not looked at, as the specification demands.
///
/// # Errors
/// [`NoteError`].
pub fn verify<'a>(note: &'a str, key: &VerifyingKey) -> Result<&'a str, NoteError> {
    if note.len() > LONGEST || note.chars().any(|c| c.is_ascii_control() && c != '\n') {
        return Err(NoteError::Form);
    }
    // The text ends at the last empty line.
    let end = note.rfind("\n\n").ok_or(NoteError::Form)?;
    let (text, signatures) = (&note[..=end], &note[end + 2..]);
    let signatures = signatures.strip_suffix('\n').ok_or(NoteError::Form)?;
    let mut signed = false;
    for line in signatures.split('\n') {
        let (name, signature) = line
            .strip_prefix("— ")
            .and_then(|line| line.split_once(' '))
            .ok_or(NoteError::Form)?;
        let bytes = BASE64_STANDARD.decode(signature).map_err(|_| NoteError::Form)?;
        let (id, bytes) = bytes.split_first_chunk::<4>().ok_or(NoteError::Form)?;
        if name.is_empty() || bytes.is_empty() {
            return Err(NoteError::Form);
        }
        if name == key.name() && *id == key.id() {
            let signature = Signature::from_slice(bytes).ok_or(NoteError::Forged)?;
            key.verify(text.as_bytes(), &signature)
                .map_err(|_| NoteError::Forged)?;
            signed = true;
        }
    }
    if signed {
        Ok(text)
    } else {
        Err(NoteError::Unsigned)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use signed_note::{Note, StandardVerifier, VerifierList};

    use super::*;

    fn signer(byte: u8) -> Signer {
        Signer::from_seed("log.example", &[byte; 32]).expect("a good name")
    }

    #[test]
    fn more_signatures_of_others_do_no_harm() {
        let ours = sign("text\n", &signer(1));
        let theirs = sign("text\n", &signer(2));
        let both = format!("{ours}{}", theirs.rsplit_once("\n\n").expect("a note").1);
        for byte in [1, 2] {
            assert_eq!(verify(&both, &signer(byte).public()), Ok("text\n"));
        }
        assert_eq!(verify(&both, &signer(3).public()), Err(NoteError::Unsigned));
    }

    #[test]
    fn a_false_signature_of_a_known_key_spoils_the_note() {
        let other = sign("other\n", &signer(1));
        let good = sign("text\n", &signer(1));
        let moved = format!("{good}{}", other.rsplit_once("\n\n").expect("a note").1);
        assert_eq!(verify(&moved, &signer(1).public()), Err(NoteError::Forged));
        assert_eq!(
            verify(&good.replace("text", "next"), &signer(1).public()),
            Err(NoteError::Forged)
        );
    }

    #[test]
    fn other_forms_are_refused() {
        let good = sign("text\n", &signer(1));
        let key = signer(1).public();
        let bad = [
            String::new(),
            "text\n".to_owned(),
            "text\n\n".to_owned(),
            good.trim_end().to_owned(),
            good.replace('\n', "\r\n"),
            good.replace("— ", "- "),
            good.replace("log.example ", "log.example"),
            format!("{good}more\n"),
            format!("{good}\n"),
            format!("{}\n\n— a AAAA\n", "x".repeat(LONGEST)),
        ];
        for note in bad {
            assert_eq!(verify(&note, &key), Err(NoteError::Form), "{} bytes", note.len());
        }
    }

    proptest! {
        #[test]
        fn others_read_what_we_write(seed: [u8; 32], lines in prop::collection::vec("[^\\x00-\\x1f\\x7f]{0,20}", 1..5)) {
            let text = format!("first\n{}\n", lines.join("\n"));
            let signer = Signer::from_seed("log.example/a", &seed).expect("a good name");
            let note = sign(&text, &signer);
            prop_assert_eq!(verify(&note, &signer.public()), Ok(text.as_str()));
            let theirs = StandardVerifier::new(&signer.public().to_string()).expect("a verifier key");
            let read = Note::from_bytes(note.as_bytes()).expect("a note");
            prop_assert_eq!(read.text(), text.as_bytes());
            let (good, rest) = read.verify(&VerifierList::new(vec![Box::new(theirs)])).expect("signed");
            prop_assert_eq!((good.len(), rest.len()), (1, 0));
        }

        #[test]
        fn we_read_what_others_write(seed: [u8; 32], text in "[a-z\n]{0,20}\n") {
            use signed_note::{StandardSigner, key_id};
            let ours = Signer::from_seed("log.example/a", &seed).expect("a good name").public();
            let public = [&[1], &ours.as_bytes()[..]].concat();
            let secret = BASE64_STANDARD.encode([&[1], &seed[..]].concat());
            let key = format!("PRIVATE+KEY+log.example/a+{:08x}+{secret}", key_id("log.example/a", &public));
            let theirs = StandardSigner::new(&key).expect("a signer key");
            let mut note = Note::new(text.as_bytes(), &[]).expect("a text");
            note.add_sigs(&[&theirs]).expect("a signer");
            let note = String::from_utf8(note.to_bytes()).expect("UTF-8");
            prop_assert_eq!(verify(&note, &ours), Ok(text.as_str()));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[a— \n+/=A-Z]{0,200}") {
            prop_assert!(verify(&text, &signer(1).public()).is_err());
        }
    }
}
