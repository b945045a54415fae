//! Reports and their versions as they come in and are read back.

use records::{
    CaseRef, CaseState, Id, IdentifiedNote, LiveVersion, Patient, PhiText, StoredSubmission, Submission,
    Version, at_rest, kind,
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{Result, Row, StoreError, Tx};

/// A report that is there already.
#[derive(Debug)]
pub struct Found {
    /// Its current version.
    pub live: LiveVersion,
    /// Who sent it first.
    pub client: Id<kind::Client>,
    /// Whether what comes now has the same content.
    pub same_content: bool,
}

/// Where a report stands, without what was suggested.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Current version.
    pub case: CaseRef,
    /// Its state.
    pub state: CaseState,
    /// `DiagnosticReport.status` as it came.
    pub status: String,
    /// Who sent it.
    pub client: Id<kind::Client>,
    /// Whose report it is.
    pub patient: Id<kind::Patient>,
    /// When this version came.
    pub received_at: OffsetDateTime,
    /// When something last happened to it.
    pub changed_at: OffsetDateTime,
}

pub(crate) fn case_state(text: &str, row: Uuid) -> Result<CaseState> {
    CaseState::parse(text).ok_or(StoreError::Corrupt {
        table: "report_version",
        column: "state",
        row,
    })
}

pub(crate) fn version(number: i32, row: Uuid) -> Result<Version> {
    u32::try_from(number)
        .ok()
        .and_then(Version::new)
        .ok_or(StoreError::Corrupt {
            table: "report_version",
            column: "version",
            row,
        })
}

impl Tx {
    fn content(
        &self,
        tenant: Id<kind::Tenant>,
        submission: &Submission,
        patient: Id<kind::Patient>,
    ) -> Vec<u8> {
        let patient = patient.to_string();
        self.blind(
            tenant,
            "content",
            &[&patient, submission.status.as_str(), submission.content.expose()],
        )
    }

    /// The report that this submission repeats or replaces. Until the transaction ends nobody else can bring
    /// the same report, known or new.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_report(
        &mut self,
        tenant: Id<kind::Tenant>,
        submission: &Submission,
        patient: Id<kind::Patient>,
    ) -> Result<Option<Found>> {
        let identity = self.blind(tenant, "report", &[submission.identity.expose()]);
        let (head, _) = identity.split_first_chunk::<8>().ok_or(StoreError::Sealing)?;
        sqlx::query!("SELECT pg_advisory_xact_lock($1)", i64::from_be_bytes(*head))
            .fetch_one(&mut *self.sql)
            .await?;
        let row = sqlx::query!(
            r#"SELECT r.id, r.client_id, v.id AS row, v.version, v.state::text AS "state!", v.content
               FROM report r JOIN report_version v ON v.report_id = r.id AND v.version = r.current_version
               WHERE r.tenant_id = $1 AND r.identity = $2 FOR UPDATE OF r, v"#,
            tenant.uuid(),
            identity
        )
        .fetch_optional(&mut *self.sql)
        .await?;
        let content = self.content(tenant, submission, patient);
        row.map(|row| {
            let case = CaseRef {
                tenant,
                report: Id::from_uuid(row.id),
                version: version(row.version, row.row)?,
                row: Id::from_uuid(row.row),
            };
            Ok(Found {
                live: at_rest::live(case, case_state(&row.state, row.row)?),
                client: Id::from_uuid(row.client_id),
                same_content: row.content == content,
            })
        })
        .transpose()
    }

    /// Where a report stands; locked when `lock` says so, for a transition that follows.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn standing(
        &mut self,
        tenant: Id<kind::Tenant>,
        report: Id<kind::Report>,
    ) -> Result<Option<Standing>> {
        let row = sqlx::query!(
            r#"SELECT v.id, v.version, v.state::text AS "state!", v.status, v.client_id, v.patient_id, v.received_at,
                      greatest(v.received_at, v.voided_at, (SELECT max(e.at) FROM audit_entry e
                          WHERE e.tenant_id = v.tenant_id AND e.subject_id = v.report_id
                            AND e.kind IN ('CaseAssessed', 'CaseClaimed', 'CaseUnclaimed', 'ClaimExpired', 'ReportReleased'))) AS "changed_at!"
               FROM report r JOIN report_version v ON v.report_id = r.id AND v.version = r.current_version
               WHERE r.tenant_id = $1 AND r.id = $2"#,
            tenant.uuid(),
            report.uuid()
        )
        .fetch_optional(&mut *self.sql)
        .await?;
        row.map(|row| {
            let version = version(row.version, row.id)?;
            Ok(Standing {
                case: CaseRef {
                    tenant,
                    report,
                    version,
                    row: Id::from_uuid(row.id),
                },
                state: case_state(&row.state, row.id)?,
                status: row.status,
                client: Id::from_uuid(row.client_id),
                patient: Id::from_uuid(row.patient_id),
                received_at: row.received_at,
                changed_at: row.changed_at,
            })
        })
        .transpose()
    }

    /// The `DiagnosticReport` of one version as it stood in its request; `None` where there is no such version.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn resource(
        &mut self,
        tenant: Id<kind::Tenant>,
        report: Id<kind::Report>,
        version: Version,
    ) -> Result<Option<(PhiText, OffsetDateTime)>> {
        let row = sqlx::query!(
            "SELECT id, resource, received_at FROM report_version WHERE tenant_id = $1 AND report_id = $2 AND version = $3",
            tenant.uuid(),
            report.uuid(),
            i32::try_from(version.get()).unwrap_or(i32::MAX)
        )
        .fetch_optional(&mut *self.sql)
        .await?;
        row.map(|row| {
            let text = self.open_text(tenant, "report_version", "resource", row.id, &row.resource)?;
            Ok((PhiText::new(text), row.received_at))
        })
        .transpose()
    }

    /// The request that brought one version, byte for byte.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn submitted(
        &mut self,
        tenant: Id<kind::Tenant>,
        report: Id<kind::Report>,
        version: Version,
    ) -> Result<Option<PhiText>> {
        let row = sqlx::query!(
            "SELECT id, submitted FROM report_version WHERE tenant_id = $1 AND report_id = $2 AND version = $3",
            tenant.uuid(),
            report.uuid(),
            i32::try_from(version.get()).unwrap_or(i32::MAX)
        )
        .fetch_optional(&mut *self.sql)
        .await?;
        row.map(|row| {
            Ok(PhiText::new(self.open_text(
                tenant,
                "report_version",
                "submitted",
                row.id,
                &row.submitted,
            )?))
        })
        .transpose()
    }

    /// The note of a version with its owner. The caller has a permit to read it and has written the event that says so.
    pub(crate) async fn identified(&mut self, case: &CaseRef) -> Result<IdentifiedNote> {
        let row = sqlx::query!(
            "SELECT v.id, v.note, v.mentioned, v.patient_id, p.demographics FROM report_version v
             JOIN patient p ON p.id = v.patient_id WHERE v.tenant_id = $1 AND v.id = $2",
            case.tenant.uuid(),
            case.row.uuid()
        )
        .fetch_one(&mut *self.sql)
        .await?;
        let tenant = case.tenant;
        let text = self.open_text(tenant, "report_version", "note", row.id, &row.note)?;
        let mentioned = self.demographics(tenant, "report_version", "mentioned", row.id, &row.mentioned)?;
        let demographics = self.demographics(
            tenant,
            "patient",
            "demographics",
            row.patient_id,
            &row.demographics,
        )?;
        let patient = Patient {
            id: Id::from_uuid(row.patient_id),
            demographics: demographics.joined(mentioned),
        };
        Ok(IdentifiedNote::new(PhiText::new(text), patient))
    }
}

impl Row for StoredSubmission {
    async fn write(&self, tx: &mut Tx, _event: Id<kind::Event>) -> Result<()> {
        let (case, submission) = (self.case(), self.submission());
        let (tenant, row) = (case.tenant, case.row.uuid());
        let number = i32::try_from(case.version.get()).unwrap_or(i32::MAX);
        sqlx::query!(
            "INSERT INTO report (id, tenant_id, identity, client_id, current_version, created_at)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO UPDATE SET current_version = excluded.current_version",
            case.report.uuid(),
            tenant.uuid(),
            tx.blind(tenant, "report", &[submission.identity.expose()]),
            self.client().uuid(),
            number,
            self.received_at(),
        )
        .execute(&mut *tx.sql)
        .await?;
        let live = self.received().is_some();
        let state = if live {
            CaseState::Received
        } else {
            CaseState::Void
        };
        let seal = |column, text: &[u8]| tx.seal(tenant, "report_version", column, row, text);
        let mentioned = at_rest::encode_demographics(&submission.mentioned);
        let (submitted, resource) = (
            seal("submitted", submission.submitted.expose().as_bytes())?,
            seal("resource", submission.resource.expose().as_bytes())?,
        );
        let (note, mentioned) = (
            seal("note", submission.note.expose().as_bytes())?,
            seal("mentioned", &mentioned)?,
        );
        sqlx::query!(
            "INSERT INTO report_version (id, tenant_id, report_id, version, state, status, service, patient_id, client_id,
                 content, submitted, resource, note, mentioned, received_at, voided_at)
             VALUES ($1, $2, $3, $4, $5::text::case_state, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
            row,
            tenant.uuid(),
            case.report.uuid(),
            number,
            state.as_str(),
            submission.status.as_str(),
            submission.service.as_str(),
            self.patient().uuid(),
            self.client().uuid(),
            tx.content(tenant, submission, self.patient()),
            submitted,
            resource,
            note,
            mentioned,
            self.received_at(),
            (!live).then_some(self.received_at()),
        )
        .execute(&mut *tx.sql)
        .await?;
        if live {
            tx.enqueue(&case, crate::JobKind::Deidentify, self.received_at())
                .await?;
        }
        Ok(())
    }
}
