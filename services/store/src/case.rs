//! The states of a case: how each is written, and how it is found again.

use clinical::{DeidentifiedNote, NoteDigest, Outcome, ScrubberVersion};
use policy::{Actor, Facts, Permit, ReadNote};
use records::{
    AnyCase, AssessedCase, CaseRef, CaseState, Claim, ClaimedCase, Clock, DeidentifiedCase, Event, EventKind,
    Id, IdSource, IdentifiedNote, PhiText, RedactionMap, ReleasedReport, SignedReport, SignedResult,
    VoidCase, at_rest, kind,
};
use seal::Digest;
use uuid::Uuid;

use crate::{JobKind, Result, Row, StoreError, Tx, report};

/// What the gateway made, on its way into the row of its version.
pub struct Scrubbed<'a> {
    /// The note without its owner.
    pub note: &'a DeidentifiedNote,
    /// The map back.
    pub map: &'a RedactionMap,
}

impl Tx {
    /// The current version of a report in its state, locked until the transaction ends.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn case(
        &mut self,
        tenant: Id<kind::Tenant>,
        report: Id<kind::Report>,
    ) -> Result<Option<AnyCase>> {
        let row = sqlx::query!(
            r#"SELECT v.id, v.version, v.state::text AS "state!", v.scrubbed_digest FROM report r
               JOIN report_version v ON v.report_id = r.id AND v.version = r.current_version
               WHERE r.tenant_id = $1 AND r.id = $2 FOR UPDATE OF v"#,
            tenant.uuid(),
            report.uuid()
        )
        .fetch_optional(&mut *self.sql)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let version = report::version(row.version, row.id)?;
        let case = CaseRef {
            tenant,
            report,
            version,
            row: Id::from_uuid(row.id),
        };
        let state = report::case_state(&row.state, row.id)?;
        self.in_state(case, state, row.scrubbed_digest).await.map(Some)
    }

    /// One version in its state, locked until the transaction ends.
    pub(crate) async fn version(&mut self, row_id: Id<kind::ReportVersion>) -> Result<Option<AnyCase>> {
        let row = sqlx::query!(
            r#"SELECT id, tenant_id, report_id, version, state::text AS "state!", scrubbed_digest FROM report_version
               WHERE id = $1 FOR UPDATE"#,
            row_id.uuid()
        )
        .fetch_optional(&mut *self.sql)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let case = CaseRef {
            tenant: Id::from_uuid(row.tenant_id),
            report: Id::from_uuid(row.report_id),
            version: report::version(row.version, row.id)?,
            row: row_id,
        };
        let state = report::case_state(&row.state, row.id)?;
        self.in_state(case, state, row.scrubbed_digest).await.map(Some)
    }

    async fn in_state(&mut self, case: CaseRef, state: CaseState, note: Option<Vec<u8>>) -> Result<AnyCase> {
        let note = || digest(note.as_deref(), case.row.uuid());
        Ok(match state {
            CaseState::Received => AnyCase::Received(at_rest::received(case)),
            CaseState::Deidentified => AnyCase::Deidentified(at_rest::deidentified(case, note()?)),
            CaseState::Assessed => {
                AnyCase::Assessed(at_rest::assessed(case, note()?, self.outcome(&case).await?))
            }
            CaseState::Claimed => {
                let outcome = self.outcome(&case).await?;
                AnyCase::Claimed(at_rest::claimed(
                    case,
                    note()?,
                    outcome,
                    self.open_claim(&case).await?,
                ))
            }
            CaseState::Signed => AnyCase::Signed(self.signed(&case).await?),
            CaseState::Released => match self.release_of(&case).await? {
                Some(released) => AnyCase::Released(released),
                None => return Err(corrupt("report_version", "state", case.row.uuid())),
            },
            CaseState::Void => AnyCase::Void(at_rest::void(case)),
        })
    }

    /// What the store knows for the policy about a person or system and a case, at this moment.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn facts(&mut self, actor: &Actor, case: &CaseRef, clock: &dyn Clock) -> Result<Facts> {
        let now = clock.now();
        let row = sqlx::query!(
            r#"SELECT v.client_id = $2 AS "submitter!", v.state IN ('signed', 'released') AS "signed!",
                      v.state = 'released' AS "released!",
                      EXISTS (SELECT FROM claim c WHERE c.version_id = v.id AND c.ended_at IS NULL
                              AND c.account_id = $2 AND c.until > $3) AS "claim_holder!",
                      EXISTS (SELECT FROM signature s WHERE s.version_id = v.id AND s.account_id = $2) AS "signer!"
               FROM report_version v WHERE v.id = $1"#,
            case.row.uuid(),
            actor.id,
            now
        )
        .fetch_one(&mut *self.sql)
        .await?;
        let care_relation = self.has_care_relation(case, Id::from_uuid(actor.id), now).await?;
        Ok(Facts {
            care_relation,
            claim_holder: row.claim_holder,
            submitter: row.submitter,
            signed: row.signed,
            signer: row.signer,
            released: row.released,
            ..Facts::default()
        })
    }

    /// What the classifier said of a version, whatever became of it since; `None` before it has. The database opens it for
    /// the portal and for background work alone until the case is signed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn said(&mut self, case: &CaseRef) -> Result<Option<Outcome>> {
        let row = sqlx::query!(
            "SELECT id, outcome FROM assessment WHERE version_id = $1",
            case.row.uuid()
        )
        .fetch_optional(&mut *self.sql)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let plain = self.open(case.tenant, "assessment", "outcome", row.id, &row.outcome)?;
        serde_json::from_slice(&plain)
            .map(Some)
            .map_err(|_| corrupt("assessment", "outcome", row.id))
    }

    async fn outcome(&mut self, case: &CaseRef) -> Result<Outcome> {
        self.said(case)
            .await?
            .ok_or_else(|| corrupt("report_version", "state", case.row.uuid()))
    }

    async fn open_claim(&mut self, case: &CaseRef) -> Result<Claim> {
        let row = sqlx::query!(
            "SELECT id, account_id, since, until FROM claim WHERE version_id = $1 AND ended_at IS NULL",
            case.row.uuid()
        )
        .fetch_optional(&mut *self.sql)
        .await?
        .ok_or_else(|| corrupt("report_version", "state", case.row.uuid()))?;
        Ok(Claim {
            id: Id::from_uuid(row.id),
            holder: Id::from_uuid(row.account_id),
            since: row.since,
            until: row.until,
        })
    }

    async fn signed(&mut self, case: &CaseRef) -> Result<SignedReport> {
        let row = sqlx::query!(
            "SELECT id, claim_id, account_id, statement, signature, comment, result, signed_at FROM signature
             WHERE version_id = $1",
            case.row.uuid()
        )
        .fetch_one(&mut *self.sql)
        .await?;
        let tenant = case.tenant;
        let statement = self
            .open(tenant, "signature", "statement", row.id, &row.statement)?
            .to_vec();
        let comment = self.open_text(tenant, "signature", "comment", row.id, &row.comment)?;
        let result = self.open(tenant, "signature", "result", row.id, &row.result)?;
        let result: SignedResult =
            serde_json::from_slice(&result).map_err(|_| corrupt("signature", "result", row.id))?;
        let columns = at_rest::SignatureRow {
            case: *case,
            id: Id::from_uuid(row.id),
            claim: Id::from_uuid(row.claim_id),
            signer: Id::from_uuid(row.account_id),
            signed_at: row.signed_at,
            statement,
            signature: row.signature,
            comment: PhiText::new(comment),
            result,
        };
        at_rest::signed(columns, &self.keys.reports).map_err(|_| corrupt("signature", "signature", row.id))
    }

    /// The de-identified note of a case and its map back; `None` before the gateway.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn deidentified_note(
        &mut self,
        case: &CaseRef,
    ) -> Result<Option<(DeidentifiedNote, RedactionMap)>> {
        let row = sqlx::query!(
            "SELECT id, scrubbed, scrubbed_digest, scrubber, redactions FROM report_version WHERE id = $1",
            case.row.uuid()
        )
        .fetch_one(&mut *self.sql)
        .await?;
        let (Some(text), Some(scrubber), Some(map)) = (row.scrubbed, row.scrubber, row.redactions) else {
            return Ok(None);
        };
        let text = self.open_text(case.tenant, "report_version", "scrubbed", row.id, &text)?;
        let digest = digest(row.scrubbed_digest.as_deref(), row.id)?;
        let scrubber = ScrubberVersion(u32::try_from(scrubber).unwrap_or(u32::MAX));
        let map = self.open(case.tenant, "report_version", "redactions", row.id, &map)?;
        let map: RedactionMap =
            serde_json::from_slice(&map).map_err(|_| corrupt("report_version", "redactions", row.id))?;
        let redacted = map.redactions().iter().map(|redaction| redaction.scrubbed);
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the store, the one room that brings a note back"
        )]
        let note = clinical::at_rest::restore_note(text, redacted.collect(), digest, scrubber)
            .map_err(|_| corrupt("report_version", "scrubbed", row.id))?;
        Ok(Some((note, map)))
    }

    /// Writes what the gateway made into the version's row, before the commit that says so.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_scrubbed(&mut self, case: &CaseRef, scrubbed: &Scrubbed<'_>) -> Result<()> {
        let row = case.row.uuid();
        let text = self.seal(
            case.tenant,
            "report_version",
            "scrubbed",
            row,
            scrubbed.note.text().as_bytes(),
        )?;
        let map = serde_json::to_vec(scrubbed.map).map_err(|_| StoreError::Sealing)?;
        let map = self.seal(case.tenant, "report_version", "redactions", row, &map)?;
        let digest = scrubbed.note.digest();
        sqlx::query!(
            "UPDATE report_version SET scrubbed = $2, scrubbed_digest = $3, scrubber = $4, redactions = $5 WHERE id = $1",
            row,
            text,
            digest.get().as_bytes().as_slice(),
            i32::try_from(scrubbed.note.scrubber().0).unwrap_or(i32::MAX),
            map
        )
        .execute(&mut *self.sql)
        .await?;
        Ok(())
    }

    /// Reads a note with its owner for a person. The access event is written before the note is opened.
    ///
    /// # Errors
    /// [`StoreError`]; [`records::TransitionError::WrongPermit`] when the permit is for another case.
    pub async fn open_note(
        &mut self,
        permit: &Permit<ReadNote>,
        case: &CaseRef,
        clock: &dyn Clock,
        ids: &dyn IdSource,
    ) -> Result<IdentifiedNote> {
        if *permit.resource() != case.resource() {
            return Err(records::TransitionError::WrongPermit.into());
        }
        self.note(&Event::permitted(
            permit,
            EventKind::NoteRead,
            case.subject(),
            clock,
            ids,
        ))
        .await?;
        self.identified(case).await
    }

    /// Reads a note with its owner for the gateway, which is about to take the owner out.
    ///
    /// # Errors
    /// [`StoreError`]; [`records::TransitionError::WrongPermit`] when the permit is for another case.
    pub async fn note_to_scrub(
        &mut self,
        permit: &Permit<policy::AssessCase>,
        case: &CaseRef,
    ) -> Result<IdentifiedNote> {
        if *permit.resource() != case.resource() {
            return Err(records::TransitionError::WrongPermit.into());
        }
        self.identified(case).await
    }

    pub(crate) async fn set_state(
        &mut self,
        case: &CaseRef,
        from: &[CaseState],
        to: CaseState,
    ) -> Result<()> {
        let from: Vec<String> = from.iter().map(|state| state.as_str().to_owned()).collect();
        let done = sqlx::query!(
            "UPDATE report_version SET state = $2::text::case_state WHERE id = $1 AND state::text = ANY($3)",
            case.row.uuid(),
            to.as_str(),
            &from
        )
        .execute(&mut *self.sql)
        .await?;
        if done.rows_affected() == 1 {
            Ok(())
        } else {
            Err(StoreError::Conflict)
        }
    }

    async fn end_claim(&mut self, case: &CaseRef, at: time::OffsetDateTime, reason: &str) -> Result<()> {
        sqlx::query!(
            "UPDATE claim SET ended_at = $2, end_reason = $3 WHERE version_id = $1 AND ended_at IS NULL",
            case.row.uuid(),
            at,
            reason
        )
        .execute(&mut *self.sql)
        .await?;
        sqlx::query!(
            "UPDATE care_relation SET ends_at = greatest($2, starts_at + interval '1 microsecond')
             WHERE report_id = $1 AND basis = 'claim' AND ends_at > $2",
            case.report.uuid(),
            at
        )
        .execute(&mut *self.sql)
        .await?;
        Ok(())
    }

    pub(crate) async fn event_time(&mut self, event: Id<kind::Event>) -> Result<time::OffsetDateTime> {
        Ok(
            sqlx::query_scalar!("SELECT at FROM audit_entry WHERE id = $1", event.uuid())
                .fetch_one(&mut *self.sql)
                .await?,
        )
    }
}

pub(crate) fn corrupt(table: &'static str, column: &'static str, row: Uuid) -> StoreError {
    StoreError::Corrupt { table, column, row }
}

fn digest(bytes: Option<&[u8]>, row: Uuid) -> Result<NoteDigest> {
    bytes
        .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
        .map(|bytes| NoteDigest::new(Digest::from_bytes(bytes)))
        .ok_or_else(|| corrupt("report_version", "scrubbed_digest", row))
}

impl Row for DeidentifiedCase {
    async fn write(&self, tx: &mut Tx, event: Id<kind::Event>) -> Result<()> {
        let case = self.case();
        tx.set_state(&case, &[CaseState::Received], CaseState::Deidentified)
            .await?;
        let at = tx.event_time(event).await?;
        tx.enqueue(&case, JobKind::Assess, at).await
    }
}

impl Row for AssessedCase {
    async fn write(&self, tx: &mut Tx, event: Id<kind::Event>) -> Result<()> {
        let case = self.case();
        let at = tx.event_time(event).await?;
        let claimed = sqlx::query_scalar!(
            r#"SELECT state = 'claimed' AS "claimed!" FROM report_version WHERE id = $1"#,
            case.row.uuid()
        )
        .fetch_one(&mut *tx.sql)
        .await?;
        if claimed {
            tx.end_claim(&case, at, "given-back").await?;
            return tx
                .set_state(&case, &[CaseState::Claimed], CaseState::Assessed)
                .await;
        }
        let id = event.uuid();
        let outcome = serde_json::to_vec(self.outcome()).map_err(|_| StoreError::Sealing)?;
        let outcome = tx.seal(case.tenant, "assessment", "outcome", id, &outcome)?;
        let model = match self.outcome() {
            Outcome::Assessed(assessment) => assessment.model.get().as_bytes().to_vec(),
            Outcome::NotAssessed(_) => vec![0; 32],
        };
        sqlx::query!(
            "INSERT INTO assessment (id, tenant_id, version_id, model, outcome, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
            id,
            case.tenant.uuid(),
            case.row.uuid(),
            model,
            outcome,
            at
        )
        .execute(&mut *tx.sql)
        .await?;
        tx.set_state(&case, &[CaseState::Deidentified], CaseState::Assessed)
            .await
    }
}

impl Row for ClaimedCase {
    async fn write(&self, tx: &mut Tx, _event: Id<kind::Event>) -> Result<()> {
        let (case, claim) = (self.case(), self.claim());
        tx.set_state(&case, &[CaseState::Assessed], CaseState::Claimed)
            .await?;
        sqlx::query!(
            "INSERT INTO claim (id, tenant_id, version_id, account_id, since, until) VALUES ($1, $2, $3, $4, $5, $6)",
            claim.id.uuid(),
            case.tenant.uuid(),
            case.row.uuid(),
            claim.holder.uuid(),
            claim.since,
            claim.until
        )
        .execute(&mut *tx.sql)
        .await?;
        Ok(())
    }
}

impl Row for SignedReport {
    async fn write(&self, tx: &mut Tx, _event: Id<kind::Event>) -> Result<()> {
        let (case, row) = (self.case(), self.id().uuid());
        let result = serde_json::to_vec(self.result()).map_err(|_| StoreError::Sealing)?;
        let statement = tx.seal(case.tenant, "signature", "statement", row, self.statement())?;
        let comment = tx.seal(
            case.tenant,
            "signature",
            "comment",
            row,
            self.comment().expose().as_bytes(),
        )?;
        let result = tx.seal(case.tenant, "signature", "result", row, &result)?;
        let key = tx.keys.reports.name().to_owned();
        sqlx::query!(
            "INSERT INTO signature (id, tenant_id, version_id, claim_id, account_id, key_name, statement, signature,
                 comment, result, signed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            row,
            case.tenant.uuid(),
            case.row.uuid(),
            self.claim().uuid(),
            self.signer().uuid(),
            key,
            statement,
            self.signature(),
            comment,
            result,
            self.signed_at()
        )
        .execute(&mut *tx.sql)
        .await?;
        tx.end_claim(&case, self.signed_at(), "signed").await?;
        tx.set_state(&case, &[CaseState::Claimed], CaseState::Signed)
            .await
    }
}

impl Row for ReleasedReport {
    async fn write(&self, tx: &mut Tx, _event: Id<kind::Event>) -> Result<()> {
        let (case, row) = (self.case(), self.id().uuid());
        let result = serde_json::to_vec(self.result()).map_err(|_| StoreError::Sealing)?;
        let result = tx.seal(case.tenant, "release", "result", row, &result)?;
        sqlx::query!(
            "INSERT INTO release (id, tenant_id, version_id, signature_id, client_id, result, released_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            row,
            case.tenant.uuid(),
            case.row.uuid(),
            self.signature().uuid(),
            self.recipient().uuid(),
            result,
            self.released_at()
        )
        .execute(&mut *tx.sql)
        .await?;
        tx.set_state(&case, &[CaseState::Signed], CaseState::Released)
            .await
    }
}

impl Row for VoidCase {
    async fn write(&self, tx: &mut Tx, event: Id<kind::Event>) -> Result<()> {
        let case = self.case();
        let at = tx.event_time(event).await?;
        tx.end_claim(&case, at, "superseded").await?;
        tx.drop_jobs(&case).await?;
        let done = sqlx::query!(
            "UPDATE report_version SET state = 'void', voided_at = $2 WHERE id = $1 AND state <> 'void'",
            case.row.uuid(),
            at
        )
        .execute(&mut *tx.sql)
        .await?;
        // A version that the hospital had taken back is void already.
        debug_assert!(done.rows_affected() <= 1, "an id names one row");
        Ok(())
    }
}

impl Tx {
    /// Who holds a case now: printed name and end of the lease.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn holder(&mut self, case: &CaseRef) -> Result<Option<(String, time::OffsetDateTime)>> {
        Ok(sqlx::query!(
            "SELECT a.display_name, c.until FROM claim c JOIN account a ON a.id = c.account_id
             WHERE c.version_id = $1 AND c.ended_at IS NULL",
            case.row.uuid()
        )
        .fetch_optional(&mut *self.sql)
        .await?
        .map(|row| (row.display_name, row.until)))
    }

    /// Printed name of who signed a case.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn signer_name(&mut self, case: &CaseRef) -> Result<Option<String>> {
        Ok(sqlx::query_scalar!(
            "SELECT a.display_name FROM signature s JOIN account a ON a.id = s.account_id WHERE s.version_id = $1",
            case.row.uuid()
        )
        .fetch_optional(&mut *self.sql)
        .await?)
    }
}
