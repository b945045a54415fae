//! Connecting to the server that another process of ours keeps running.

use std::path::Path;

use super::{Connection, NAME, PostgresError, folder::Folder, postmaster::Postmaster, psql, secret::Secret};

impl Connection {
    /// The facts of the server that runs in `folder`; `None` where none runs, or nothing was ever made there.
    ///
    /// # Errors
    /// [`PostgresError`] when the folder's secrets cannot be read.
    pub fn of_running(folder: &Path) -> Result<Option<Self>, PostgresError> {
        if !folder.join("data").is_dir() {
            return Ok(None);
        }
        let folder = Folder::create(folder)?;
        // Where it listens is the server's word: a TCP port of our own choice would be another one.
        let found = Postmaster::find(&folder.data());
        let Some(endpoint) = found.and_then(|postmaster| postmaster.endpoint) else {
            return Ok(None);
        };
        let Some(password) = Secret::read(&folder.role_password())? else {
            return Ok(None);
        };
        Ok(Some(Self {
            endpoint,
            user: NAME,
            password,
            database: NAME.to_owned(),
        }))
    }

    /// The same database as its superuser: above the triggers and row policies, for proofs and repairs alone.
    ///
    /// # Errors
    /// [`PostgresError`] when the folder's secrets cannot be read.
    pub fn as_superuser(&self, folder: &Path) -> Result<Self, PostgresError> {
        let folder = Folder::create(folder)?;
        let password =
            Secret::read(&folder.superuser_password())?.ok_or_else(|| PostgresError::SecretLost {
                path: folder.superuser_password(),
            })?;
        Ok(Self {
            user: psql::SUPERUSER,
            password,
            ..self.clone()
        })
    }
}
