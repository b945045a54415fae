//! Patients, found again by keyed digests of their identifiers.

use records::{Demographics, Event, Id, Patient, PhiText, at_rest, kind};
use time::OffsetDateTime;

use crate::{Result, StoreError, Tx};

/// Whom identifiers lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatientMatch {
    /// Nobody who is known here.
    None,
    /// One patient.
    One(Id<kind::Patient>),
    /// Different patients: whoever sent them has to say which.
    Several,
}

impl Tx {
    /// The patient who has these identifiers (each the text of system and value). Until the transaction ends nobody
    /// else can look up or store a patient under any of them, so that two requests do not make one person two.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn patient_by_identifiers(
        &mut self,
        tenant: Id<kind::Tenant>,
        identifiers: &[PhiText],
    ) -> Result<PatientMatch> {
        let mut digests: Vec<Vec<u8>> = identifiers
            .iter()
            .map(|text| self.blind(tenant, "patient", &[text.expose()]))
            .collect();
        // In one order everywhere, so that two requests about the same people wait for each other and do not cross.
        digests.sort();
        digests.dedup();
        for digest in &digests {
            let (head, _) = digest.split_first_chunk::<8>().ok_or(StoreError::Sealing)?;
            sqlx::query!("SELECT pg_advisory_xact_lock($1)", i64::from_be_bytes(*head))
                .fetch_one(&mut *self.sql)
                .await?;
        }
        let found = sqlx::query_scalar!(
            "SELECT DISTINCT patient_id FROM patient_identifier WHERE tenant_id = $1 AND digest = ANY($2) LIMIT 2",
            tenant.uuid(),
            &digests
        )
        .fetch_all(&mut *self.sql)
        .await?;
        Ok(match found.as_slice() {
            [] => PatientMatch::None,
            [id] => PatientMatch::One(Id::from_uuid(*id)),
            _ => PatientMatch::Several,
        })
    }

    /// Stores a patient, or replaces what is known of him.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_patient(
        &mut self,
        patient: &Patient,
        identifiers: &[PhiText],
        resource: &PhiText,
        event: &Event,
    ) -> Result<()> {
        let (tenant, row) = (event.tenant(), patient.id.uuid());
        let demographics = at_rest::encode_demographics(&patient.demographics);
        let demographics = self.seal(tenant, "patient", "demographics", row, &demographics)?;
        let resource = self.seal(tenant, "patient", "resource", row, resource.expose().as_bytes())?;
        sqlx::query!(
            "INSERT INTO patient (id, tenant_id, demographics, resource, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $5)
             ON CONFLICT (id) DO UPDATE SET demographics = excluded.demographics, resource = excluded.resource,
                 updated_at = excluded.updated_at",
            row,
            tenant.uuid(),
            demographics,
            resource,
            event.at(),
        )
        .execute(&mut *self.sql)
        .await?;
        for identifier in identifiers {
            let digest = self.blind(tenant, "patient", &[identifier.expose()]);
            sqlx::query!(
                "INSERT INTO patient_identifier (tenant_id, digest, patient_id) VALUES ($1, $2, $3)
                 ON CONFLICT DO NOTHING",
                tenant.uuid(),
                digest,
                row
            )
            .execute(&mut *self.sql)
            .await?;
        }
        self.note(event).await
    }

    /// What is known of a patient, and since when.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn patient(
        &mut self,
        tenant: Id<kind::Tenant>,
        id: Id<kind::Patient>,
    ) -> Result<Option<(Patient, OffsetDateTime)>> {
        let row = sqlx::query!(
            "SELECT demographics, updated_at FROM patient WHERE tenant_id = $1 AND id = $2",
            tenant.uuid(),
            id.uuid()
        )
        .fetch_optional(&mut *self.sql)
        .await?;
        row.map(|row| {
            let demographics =
                self.demographics(tenant, "patient", "demographics", id.uuid(), &row.demographics)?;
            Ok((Patient { id, demographics }, row.updated_at))
        })
        .transpose()
    }

    pub(crate) fn demographics(
        &self,
        tenant: Id<kind::Tenant>,
        table: &'static str,
        column: &'static str,
        row: uuid::Uuid,
        sealed: &[u8],
    ) -> Result<Demographics> {
        let plain = self.open(tenant, table, column, row, sealed)?;
        at_rest::decode_demographics(&plain).map_err(|_| StoreError::Corrupt { table, column, row })
    }
}
