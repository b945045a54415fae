//! Released results: the only rows that the EHR's results are made of.

use records::{CaseRef, Id, ReleasedReport, SignedResult, at_rest, kind};

use crate::{Result, Tx, case::corrupt, report};

/// A released result with what the EHR needs to place it.
pub struct Released {
    /// The result.
    pub report: ReleasedReport,
    /// Printed name of the physician who signed.
    pub signer_name: String,
    /// Whose report it is.
    pub patient: Id<kind::Patient>,
    /// A newer version came after the release.
    pub superseded: bool,
}

impl Tx {
    pub(crate) async fn release_of(&mut self, case: &CaseRef) -> Result<Option<ReleasedReport>> {
        Ok(self
            .released(case.tenant, ReleaseKey::Version(case.row))
            .await?
            .map(|released| released.report))
    }

    /// The released result of that id, or of a report's current version.
    ///
    /// # Errors
    /// [`crate::StoreError`].
    pub async fn released(&mut self, tenant: Id<kind::Tenant>, key: ReleaseKey) -> Result<Option<Released>> {
        let (by_id, by_version, by_report) = match key {
            ReleaseKey::Id(id) => (Some(id.uuid()), None, None),
            ReleaseKey::Version(id) => (None, Some(id.uuid()), None),
            ReleaseKey::Report(id) => (None, None, Some(id.uuid())),
        };
        let row = sqlx::query!(
            r#"SELECT l.id, l.result, l.client_id, l.released_at, l.signature_id, s.account_id, s.signed_at,
                      a.display_name, v.id AS row, v.report_id, v.version, v.patient_id, v.state = 'void' AS "superseded!"
               FROM release l JOIN signature s ON s.id = l.signature_id JOIN account a ON a.id = s.account_id
               JOIN report_version v ON v.id = l.version_id JOIN report r ON r.id = v.report_id
               WHERE l.tenant_id = $1
                 AND (l.id = $2 OR l.version_id = $3 OR (r.id = $4 AND r.current_version = v.version))"#,
            tenant.uuid(),
            by_id,
            by_version,
            by_report
        )
        .fetch_optional(&mut *self.sql)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let plain = self.open(tenant, "release", "result", row.id, &row.result)?;
        let result: SignedResult =
            serde_json::from_slice(&plain).map_err(|_| corrupt("release", "result", row.id))?;
        let version = report::version(row.version, row.row)?;
        let case = CaseRef {
            tenant,
            report: Id::from_uuid(row.report_id),
            version,
            row: Id::from_uuid(row.row),
        };
        let report = at_rest::released(at_rest::ReleaseRow {
            case,
            id: Id::from_uuid(row.id),
            signature: Id::from_uuid(row.signature_id),
            signer: Id::from_uuid(row.account_id),
            recipient: Id::from_uuid(row.client_id),
            signed_at: row.signed_at,
            released_at: row.released_at,
            result,
        });
        Ok(Some(Released {
            report,
            signer_name: row.display_name,
            patient: Id::from_uuid(row.patient_id),
            superseded: row.superseded,
        }))
    }
}

/// How to find a released result.
#[derive(Clone, Copy, Debug)]
pub enum ReleaseKey {
    /// By its own id.
    Id(Id<kind::Release>),
    /// By the version that it belongs to.
    Version(Id<kind::ReportVersion>),
    /// The current version of this report.
    Report(Id<kind::Report>),
}
