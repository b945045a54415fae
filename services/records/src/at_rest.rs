//! The doors back from storage. `store` alone may call them (`tests/house/doors.rs`).

use clinical::{NoteDigest, Outcome};
use serde::Deserialize;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::{
    AssessedCase, CaseRef, CaseState, Claim, ClaimedCase, DeidentifiedCase, Demographics, Event, Id,
    LiveVersion, PhiText, Receipt, ReceivedCase, Recorded, ReleasedReport, SignedReport, SignedResult,
    VoidCase, kind,
};

/// Says that the row of event `event` was written in the transaction now open.
#[must_use]
pub const fn receipt(event: Id<kind::Event>) -> Receipt {
    Receipt { event }
}

/// The next state, to write its row before the commit that opens it.
#[must_use]
pub const fn peek<T>(recorded: &Recorded<T>) -> &T {
    &recorded.next
}

/// A case that waits for the gateway.
#[must_use]
pub const fn received(case: CaseRef) -> ReceivedCase {
    ReceivedCase { case }
}

/// A case that waits for the classifier.
#[must_use]
pub const fn deidentified(case: CaseRef, note: NoteDigest) -> DeidentifiedCase {
    DeidentifiedCase { case, note }
}

/// A case in the queue.
#[must_use]
pub const fn assessed(case: CaseRef, note: NoteDigest, outcome: Outcome) -> AssessedCase {
    AssessedCase { case, note, outcome }
}

/// A case with a physician.
#[must_use]
pub const fn claimed(case: CaseRef, note: NoteDigest, outcome: Outcome, claim: Claim) -> ClaimedCase {
    ClaimedCase {
        case,
        note,
        outcome,
        claim,
    }
}

/// The current version by its state alone.
#[must_use]
pub const fn live(case: CaseRef, state: CaseState) -> LiveVersion {
    LiveVersion { case, state }
}

/// A void case.
#[must_use]
pub const fn void(case: CaseRef) -> VoidCase {
    VoidCase { case }
}

/// Columns of a signature.
pub struct SignatureRow {
    /// Which case.
    pub case: CaseRef,
    /// Id.
    pub id: Id<kind::Signature>,
    /// Lease.
    pub claim: Id<kind::Claim>,
    /// Who.
    pub signer: Id<kind::Account>,
    /// When.
    pub signed_at: OffsetDateTime,
    /// Signed bytes.
    pub statement: Vec<u8>,
    /// Signature.
    pub signature: Vec<u8>,
    /// Comment.
    pub comment: PhiText,
    /// What may leave.
    pub result: SignedResult,
}

/// The stored signature does not fit the signed bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stored signature does not verify")]
pub struct SignatureMismatch;

/// A signed report, when its signature verifies.
///
/// # Errors
/// [`SignatureMismatch`].
pub fn signed(row: SignatureRow, key: &seal::VerifyingKey) -> Result<SignedReport, SignatureMismatch> {
    let signature = seal::Signature::from_slice(&row.signature).ok_or(SignatureMismatch)?;
    key.verify(&row.statement, &signature)
        .map_err(|_| SignatureMismatch)?;
    let SignatureRow {
        case,
        id,
        claim,
        signer,
        signed_at,
        statement,
        signature,
        comment,
        result,
    } = row;
    Ok(SignedReport {
        case,
        id,
        claim,
        signer,
        signed_at,
        comment,
        result,
        statement,
        signature,
    })
}

/// Columns of a release.
pub struct ReleaseRow {
    /// Which case.
    pub case: CaseRef,
    /// Id.
    pub id: Id<kind::Release>,
    /// Signature.
    pub signature: Id<kind::Signature>,
    /// Who signed.
    pub signer: Id<kind::Account>,
    /// Who may read it.
    pub recipient: Id<kind::Client>,
    /// When it was signed.
    pub signed_at: OffsetDateTime,
    /// When it was let go.
    pub released_at: OffsetDateTime,
    /// What leaves.
    pub result: SignedResult,
}

/// A released report.
#[must_use]
pub fn released(row: ReleaseRow) -> ReleasedReport {
    let ReleaseRow {
        case,
        id,
        signature,
        signer,
        recipient,
        signed_at,
        released_at,
        result,
    } = row;
    ReleasedReport {
        case,
        id,
        signature,
        signer,
        recipient,
        signed_at,
        released_at,
        result,
    }
}

/// The parts of an event that become columns, in one canonical text: JSON with keys in order (RFC 8785).
#[must_use]
pub fn facts_json(event: &Event) -> String {
    let pairs = event
        .facts
        .iter()
        .map(|(name, fact)| ((*name).to_owned(), fact.to_json()));
    serde_json::Value::Object(pairs.collect()).to_string()
}

#[derive(Deserialize)]
struct DemographicsWire {
    names: Vec<String>,
    others: Vec<String>,
    identifiers: Vec<String>,
    phones: Vec<String>,
    emails: Vec<String>,
    address: Vec<String>,
    birth_date: Option<String>,
    gender: Option<String>,
}

impl DemographicsWire {
    fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "names": self.names,
            "others": self.others,
            "identifiers": self.identifiers,
            "phones": self.phones,
            "emails": self.emails,
            "address": self.address,
            "birth_date": self.birth_date,
            "gender": self.gender,
        })
    }
}

/// Demographics as bytes, for encryption and nothing else.
#[must_use]
pub fn encode_demographics(demographics: &Demographics) -> Zeroizing<Vec<u8>> {
    let list = |texts: &[PhiText]| texts.iter().map(|text| text.expose().to_owned()).collect();
    let one = |text: &Option<PhiText>| text.as_ref().map(|text| text.expose().to_owned());
    let wire = DemographicsWire {
        names: list(&demographics.names),
        others: list(&demographics.others),
        identifiers: list(&demographics.identifiers),
        phones: list(&demographics.phones),
        emails: list(&demographics.emails),
        address: list(&demographics.address),
        birth_date: one(&demographics.birth_date),
        gender: one(&demographics.gender),
    };
    Zeroizing::new(wire.to_json().to_string().into_bytes())
}

/// The bytes are no demographics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stored demographics do not parse")]
pub struct NotDemographics;

/// Demographics from decrypted bytes.
///
/// # Errors
/// [`NotDemographics`].
pub fn decode_demographics(bytes: &[u8]) -> Result<Demographics, NotDemographics> {
    let wire: DemographicsWire = serde_json::from_slice(bytes).map_err(|_| NotDemographics)?;
    let list = |texts: Vec<String>| texts.into_iter().map(PhiText::new).collect();
    Ok(Demographics {
        names: list(wire.names),
        others: list(wire.others),
        identifiers: list(wire.identifiers),
        phones: list(wire.phones),
        emails: list(wire.emails),
        address: list(wire.address),
        birth_date: wire.birth_date.map(PhiText::new),
        gender: wire.gender.map(PhiText::new),
    })
}
