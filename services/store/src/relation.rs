//! Care relations and the pools that some arise from.

use records::{CareRelation, CaseRef, Event, Id, PhiText, Related, ServiceCode, kind};
use time::OffsetDateTime;

use crate::{Result, Row, Tx};

impl Row for CareRelation {
    async fn write(&self, tx: &mut Tx, event: Id<kind::Event>) -> Result<()> {
        let (account, pool) = match self.related() {
            Related::Account(account) => (Some(account.uuid()), None),
            Related::Pool(pool) => (None, Some(pool.uuid())),
        };
        sqlx::query!(
            "INSERT INTO care_relation (id, tenant_id, report_id, account_id, pool_id, basis, starts_at, ends_at, event_id)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            self.id().uuid(),
            self.case().tenant.uuid(),
            self.case().report.uuid(),
            account,
            pool,
            self.basis().as_str(),
            self.starts(),
            self.ends(),
            event.uuid(),
        )
        .execute(&mut *tx.sql)
        .await?;
        Ok(())
    }
}

impl Tx {
    /// The pool that reads for `service`, if there is one.
    ///
    /// # Errors
    /// [`crate::StoreError`].
    pub async fn pool_for(
        &mut self,
        tenant: Id<kind::Tenant>,
        service: &ServiceCode,
    ) -> Result<Option<Id<kind::ReadingPool>>> {
        Ok(sqlx::query_scalar!(
            "SELECT id FROM reading_pool WHERE tenant_id = $1 AND service = $2",
            tenant.uuid(),
            service.as_str()
        )
        .fetch_optional(&mut *self.sql)
        .await?
        .map(Id::from_uuid))
    }

    /// Makes the pool for `service` where there is none, and puts the account in it.
    ///
    /// # Errors
    /// [`crate::StoreError`].
    pub async fn join_pool(
        &mut self,
        pool: Id<kind::ReadingPool>,
        service: &ServiceCode,
        account: Id<kind::Account>,
        event: &Event,
    ) -> Result<()> {
        let tenant = event.tenant();
        sqlx::query!(
            "INSERT INTO reading_pool (id, tenant_id, service, created_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (tenant_id, service) DO NOTHING",
            pool.uuid(),
            tenant.uuid(),
            service.as_str(),
            event.at(),
        )
        .execute(&mut *self.sql)
        .await?;
        sqlx::query!(
            "INSERT INTO reading_pool_member (tenant_id, pool_id, account_id, since)
             SELECT $1, id, $3, $4 FROM reading_pool WHERE tenant_id = $1 AND service = $2 ON CONFLICT DO NOTHING",
            tenant.uuid(),
            service.as_str(),
            account.uuid(),
            event.at(),
        )
        .execute(&mut *self.sql)
        .await?;
        self.note(event).await
    }

    /// The account that reports name by this identifier.
    ///
    /// # Errors
    /// [`crate::StoreError`].
    pub async fn account_of_practitioner(
        &mut self,
        tenant: Id<kind::Tenant>,
        identifier: &PhiText,
    ) -> Result<Option<Id<kind::Account>>> {
        let digest = self.blind(tenant, "practitioner", &[identifier.expose()]);
        Ok(sqlx::query_scalar!(
            "SELECT id FROM account WHERE tenant_id = $1 AND practitioner = $2 AND disabled_at IS NULL",
            tenant.uuid(),
            digest
        )
        .fetch_optional(&mut *self.sql)
        .await?
        .map(Id::from_uuid))
    }

    /// Whether the account may see identified text of the report at `now`: by a relation of its own or of a pool
    /// that it belongs to.
    ///
    /// # Errors
    /// [`crate::StoreError`].
    pub async fn has_care_relation(
        &mut self,
        case: &CaseRef,
        account: Id<kind::Account>,
        now: OffsetDateTime,
    ) -> Result<bool> {
        Ok(sqlx::query_scalar!(
            r#"SELECT EXISTS (
                 SELECT FROM care_relation r LEFT JOIN reading_pool_member m
                     ON m.pool_id = r.pool_id AND m.account_id = $3 AND m.since <= $4 AND (m.until IS NULL OR m.until > $4)
                 WHERE r.tenant_id = $1 AND r.report_id = $2 AND r.starts_at <= $4 AND r.ends_at > $4
                   AND (r.account_id = $3 OR m.account_id IS NOT NULL)) AS "related!""#,
            case.tenant.uuid(),
            case.report.uuid(),
            account.uuid(),
            now
        )
        .fetch_one(&mut *self.sql)
        .await?)
    }
}
