//! Accounts and their passwords.

use policy::Role;
use records::{Account, Event, Id, PhiText, Username, kind};
use seal::password::PasswordHash;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::{Result, StoreError, Tx};

/// Wrong passwords in a row after which an account is locked.
const FAILURES: i32 = 5;
/// How long it is locked (NIST SP 800-63B, section 5.2.2 asks for a limit on failed attempts).
const LOCK: Duration = Duration::minutes(15);

/// An account with what its sign-in needs.
pub struct Credentials {
    /// The account.
    pub account: Account,
    /// Hash of its password.
    pub password: PasswordHash,
    /// Locked until then.
    pub locked_until: Option<OffsetDateTime>,
}

/// A new account.
pub struct NewAccount {
    /// The account.
    pub account: Account,
    /// Hash of its first password.
    pub password: PasswordHash,
    /// System and value of the identifier by which reports name this person.
    pub practitioner: Option<PhiText>,
    /// Now.
    pub created_at: OffsetDateTime,
}

pub(crate) fn roles(names: &[String], row: Uuid) -> Result<Vec<Role>> {
    names
        .iter()
        .map(|name| Role::parse(name))
        .collect::<Option<_>>()
        .ok_or(StoreError::Corrupt {
            table: "account",
            column: "roles",
            row,
        })
}

macro_rules! account {
    ($row:ident) => {
        records::Account {
            id: records::Id::from_uuid($row.id),
            tenant: records::Id::from_uuid($row.tenant_id),
            username: records::Username::parse(&$row.username).map_err(|_| $crate::StoreError::Corrupt {
                table: "account",
                column: "username",
                row: $row.id,
            })?,
            display_name: $row.display_name,
            roles: $crate::account::roles(&$row.roles, $row.id)?,
            demo: $row.demo,
        }
    };
}
pub(crate) use account;

impl Tx {
    /// Makes an account; `event` says so in the log.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when the user name is taken.
    pub async fn create_account(&mut self, new: &NewAccount, event: &Event) -> Result<()> {
        let account = &new.account;
        let practitioner = new
            .practitioner
            .as_ref()
            .map(|text| self.blind(account.tenant, "practitioner", &[text.expose()]));
        let roles: Vec<String> = account
            .roles
            .iter()
            .map(|role| role.as_str().to_owned())
            .collect();
        let done = sqlx::query!(
            "INSERT INTO account (id, tenant_id, username, display_name, roles, password_hash, practitioner, demo, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING",
            account.id.uuid(),
            account.tenant.uuid(),
            account.username.as_str(),
            account.display_name,
            &roles,
            new.password.as_str(),
            practitioner,
            account.demo,
            new.created_at,
        )
        .execute(&mut *self.sql)
        .await?;
        if done.rows_affected() == 0 {
            return Err(StoreError::Taken);
        }
        self.note(event).await
    }

    /// The account of that user name, locked for this transaction.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn credentials(
        &mut self,
        tenant: Id<kind::Tenant>,
        username: &Username,
    ) -> Result<Option<Credentials>> {
        let row = sqlx::query!(
            "SELECT id, tenant_id, username, display_name, roles, demo, password_hash, locked_until
             FROM account WHERE tenant_id = $1 AND username = $2 AND disabled_at IS NULL FOR UPDATE",
            tenant.uuid(),
            username.as_str()
        )
        .fetch_optional(&mut *self.sql)
        .await?;
        row.map(|row| {
            let password = PasswordHash::parse(&row.password_hash).map_err(|_| StoreError::Corrupt {
                table: "account",
                column: "password_hash",
                row: row.id,
            })?;
            Ok(Credentials {
                locked_until: row.locked_until,
                password,
                account: account!(row),
            })
        })
        .transpose()
    }

    /// Every account of a hospital, by user name.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn accounts(&mut self, tenant: Id<kind::Tenant>) -> Result<Vec<Account>> {
        sqlx::query!(
            "SELECT id, tenant_id, username, display_name, roles, demo FROM account
             WHERE tenant_id = $1 AND disabled_at IS NULL ORDER BY username",
            tenant.uuid()
        )
        .fetch_all(&mut *self.sql)
        .await?
        .into_iter()
        .map(|row| Ok(account!(row)))
        .collect()
    }

    /// Counts a wrong password, and locks the account after five in a row.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn password_failed(&mut self, account: Id<kind::Account>, event: &Event) -> Result<()> {
        sqlx::query!(
            "UPDATE account SET failed_logins = failed_logins + 1,
                 locked_until = CASE WHEN (failed_logins + 1) % $2 = 0 THEN $3::timestamptz ELSE locked_until END
             WHERE id = $1",
            account.uuid(),
            FAILURES,
            event.at() + LOCK,
        )
        .execute(&mut *self.sql)
        .await?;
        self.note(event).await
    }

    /// Forgets wrong passwords after a right one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn password_matched(&mut self, account: Id<kind::Account>) -> Result<()> {
        sqlx::query!(
            "UPDATE account SET failed_logins = 0, locked_until = NULL WHERE id = $1",
            account.uuid()
        )
        .execute(&mut *self.sql)
        .await?;
        Ok(())
    }

    /// Replaces a password and ends every session of the account.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_password(
        &mut self,
        account: Id<kind::Account>,
        password: &PasswordHash,
        event: &Event,
    ) -> Result<()> {
        sqlx::query!(
            "UPDATE account SET password_hash = $2, failed_logins = 0, locked_until = NULL WHERE id = $1",
            account.uuid(),
            password.as_str()
        )
        .execute(&mut *self.sql)
        .await?;
        sqlx::query!(
            "UPDATE session SET ended_at = $2 WHERE account_id = $1 AND ended_at IS NULL",
            account.uuid(),
            event.at()
        )
        .execute(&mut *self.sql)
        .await?;
        self.note(event).await
    }

    /// Closes an account for good and ends its sessions; what it signed stays.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn disable_account(&mut self, account: Id<kind::Account>, event: &Event) -> Result<()> {
        sqlx::query!(
            "UPDATE account SET disabled_at = $2 WHERE id = $1 AND disabled_at IS NULL",
            account.uuid(),
            event.at()
        )
        .execute(&mut *self.sql)
        .await?;
        sqlx::query!(
            "UPDATE session SET ended_at = $2 WHERE account_id = $1 AND ended_at IS NULL",
            account.uuid(),
            event.at()
        )
        .execute(&mut *self.sql)
        .await?;
        self.note(event).await
    }
}
