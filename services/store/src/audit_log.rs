//! The log over the entries: dense indices, RFC 6962 leaves, signed checkpoints; and the check of all three.

use records::{Clock, Id, kind};
use seal::{
    Digest,
    log::{Checkpoint, Frontier, leaf_hash},
};
use sqlx::{Acquire, PgConnection};

use crate::{AuditEntry, Result, Store, StoreError, audit_entry::entry};

/// The entry of a leaf, where its row is still there.
macro_rules! logged {
    ($row:ident) => {
        (|| {
            Some(AuditEntry {
                id: Id::from_uuid($row.id?),
                tenant: Id::from_uuid($row.tenant_id?),
                position: $row.position?,
                index: Some($row.leaf_index),
                at: $row.at?,
                actor_kind: $row.actor_kind?,
                actor_id: $row.actor_id?,
                roles: $row.roles?,
                kind: $row.kind?,
                subject_kind: $row.subject_kind?,
                subject_id: $row.subject_id?,
                subject_version: $row.subject_version?,
                policies: $row.policies?,
                facts: $row.facts?,
            })
        })()
    };
}

/// Entries that one checkpoint takes in at most.
const BATCH: i64 = 4096;

/// What the check of a log found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// Entries that fit.
    pub entries: u64,
    /// Checkpoints that fit.
    pub checkpoints: u64,
    /// Entries that have no index yet.
    pub pending: u64,
    /// Root over all indexed entries.
    pub root: Digest,
    /// The first thing that does not fit.
    pub fault: Option<Fault>,
}

/// The first thing that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An entry's row is not the one that was logged.
    EntryChanged {
        /// Index in the log.
        index: u64,
        /// Id of the entry.
        entry: Id<kind::Event>,
    },
    /// No entry at this index, though later ones exist or a checkpoint counts it.
    EntryMissing {
        /// Index in the log.
        index: u64,
    },
    /// Entry and leaf agree, but a signed checkpoint says otherwise: both were rewritten, or entries changed places.
    RootDiffers {
        /// First index that the last good checkpoint does not cover.
        from: u64,
        /// Size of the checkpoint that does not fit.
        to: u64,
    },
    /// A checkpoint's signature or form is wrong.
    CheckpointChanged {
        /// Its size.
        size: u64,
    },
    /// Entries have an index, but no checkpoint covers them.
    CheckpointMissing {
        /// Entries that are covered.
        covered: u64,
    },
}

impl Store {
    /// Gives indices to the entries that have none, computes their leaves and signs a checkpoint for each batch.
    /// Where another sequencer is at work, does nothing. Returns how many entries got an index.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn sequence(&self, tenant: Id<kind::Tenant>, clock: &dyn Clock) -> Result<u64> {
        let mut total = 0;
        loop {
            let done = self.sequence_batch(tenant, clock).await?;
            total += done;
            if done < BATCH.unsigned_abs() {
                return Ok(total);
            }
        }
    }

    async fn sequence_batch(&self, tenant: Id<kind::Tenant>, clock: &dyn Clock) -> Result<u64> {
        let mut connection = self.pool.acquire().await?;
        let mut sql = connection.begin().await?;
        sqlx::query!(
            "INSERT INTO audit_sequencer (tenant_id, epoch, size, frontier) VALUES ($1, 0, 0, '') ON CONFLICT DO NOTHING",
            tenant.uuid()
        )
        .execute(&mut *sql)
        .await?;
        // The row lock is the leadership: whoever holds it is alone until it commits, and each batch is a new epoch.
        let Some(state) = sqlx::query!(
            "SELECT epoch, size, frontier FROM audit_sequencer WHERE tenant_id = $1 FOR UPDATE SKIP LOCKED",
            tenant.uuid()
        )
        .fetch_optional(&mut *sql)
        .await?
        else {
            return Ok(0);
        };
        let rows = sqlx::query!(
            r#"SELECT e.*, NULL::bigint AS "index" FROM audit_pending p JOIN audit_entry e ON e.id = p.entry_id
               WHERE p.tenant_id = $1 ORDER BY e.position LIMIT $2"#,
            tenant.uuid(),
            BATCH
        )
        .fetch_all(&mut *sql)
        .await?;
        if rows.is_empty() {
            return Ok(0);
        }
        let mut frontier = frontier(state.size, &state.frontier, tenant)?;
        let (mut indices, mut ids, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
        for row in rows {
            let entry: AuditEntry = entry!(row);
            let hash = leaf_hash(&entry.leaf()?);
            indices.push(i64::try_from(frontier.size()).unwrap_or(i64::MAX));
            ids.push(entry.id.uuid());
            hashes.push(hash.as_bytes().to_vec());
            frontier.push(hash);
        }
        sqlx::query!(
            "INSERT INTO audit_leaf (tenant_id, index, entry_id, hash)
             SELECT $1, * FROM unnest($2::bigint[], $3::uuid[], $4::bytea[])",
            tenant.uuid(),
            &indices,
            &ids,
            &hashes
        )
        .execute(&mut *sql)
        .await?;
        sqlx::query!("DELETE FROM audit_pending WHERE entry_id = ANY($1)", &ids)
            .execute(&mut *sql)
            .await?;
        let checkpoint = Checkpoint {
            origin: origin(tenant),
            size: frontier.size(),
            root: frontier.root(),
        };
        let size = i64::try_from(frontier.size()).unwrap_or(i64::MAX);
        let epoch = state.epoch + 1;
        sqlx::query!(
            "INSERT INTO audit_checkpoint (tenant_id, size, epoch, note, created_at) VALUES ($1, $2, $3, $4, $5)",
            tenant.uuid(),
            size,
            epoch,
            checkpoint.sign(&self.keys.log),
            clock.now()
        )
        .execute(&mut *sql)
        .await?;
        let edge: Vec<u8> = frontier
            .hashes()
            .iter()
            .flat_map(|hash| *hash.as_bytes())
            .collect();
        sqlx::query!(
            "UPDATE audit_sequencer SET epoch = $2, size = $3, frontier = $4 WHERE tenant_id = $1 AND epoch = $2::bigint - 1",
            tenant.uuid(),
            epoch,
            size,
            edge
        )
        .execute(&mut *sql)
        .await?;
        sql.commit().await?;
        Ok(ids.len() as u64)
    }

    /// Recomputes a hospital's log from its rows, in one snapshot, and names the first thing that does not fit.
    /// `progress` gets the number of entries done and of all.
    ///
    /// # Errors
    /// [`StoreError`] when the rows cannot be read.
    pub async fn verify_log(
        &self,
        tenant: Id<kind::Tenant>,
        progress: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<Verification> {
        let mut connection = self.pool.acquire().await?;
        let mut sql = connection.begin().await?;
        sqlx::query!("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .execute(&mut *sql)
            .await?;
        let found = self.verify_snapshot(&mut sql, tenant, progress).await;
        // Ended here and not when it is dropped, so that the snapshot's locks are gone when the caller goes on.
        sql.rollback().await?;
        found
    }

    async fn verify_snapshot(
        &self,
        sql: &mut PgConnection,
        tenant: Id<kind::Tenant>,
        progress: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<Verification> {
        let (total, pending) = counts(&mut *sql, tenant).await?;
        let checkpoints = sqlx::query!(
            "SELECT size, note FROM audit_checkpoint WHERE tenant_id = $1 ORDER BY size",
            tenant.uuid()
        )
        .fetch_all(&mut *sql)
        .await?;
        let mut checkpoints = checkpoints.into_iter().peekable();
        let mut frontier = Frontier::new();
        let mut found = Verification {
            entries: 0,
            checkpoints: 0,
            pending,
            root: frontier.root(),
            fault: None,
        };
        let mut covered = 0;
        loop {
            let from = i64::try_from(frontier.size()).unwrap_or(i64::MAX);
            let rows = sqlx::query!(
                r#"SELECT l.index AS "leaf_index!", l.hash, l.entry_id, e.id AS "id?", e.tenant_id AS "tenant_id?",
                          e.position AS "position?", e.at AS "at?", e.actor_kind AS "actor_kind?",
                          e.actor_id AS "actor_id?", e.roles AS "roles?", e.kind AS "kind?",
                          e.subject_kind AS "subject_kind?", e.subject_id AS "subject_id?",
                          e.subject_version AS "subject_version?", e.policies AS "policies?", e.facts AS "facts?"
                   FROM audit_leaf l LEFT JOIN audit_entry e ON e.id = l.entry_id
                   WHERE l.tenant_id = $1 AND l.index >= $2 ORDER BY l.index LIMIT $3"#,
                tenant.uuid(),
                from,
                BATCH
            )
            .fetch_all(&mut *sql)
            .await?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                let index = frontier.size();
                if row.leaf_index.unsigned_abs() != index {
                    found.fault = Some(Fault::EntryMissing { index });
                    return Ok(found);
                }
                let Some(entry) = logged!(row) else {
                    found.fault = Some(Fault::EntryMissing { index });
                    return Ok(found);
                };
                let hash = leaf_hash(&entry.leaf()?);
                if hash.as_bytes().as_slice() != row.hash {
                    found.fault = Some(Fault::EntryChanged {
                        index,
                        entry: Id::from_uuid(row.entry_id),
                    });
                    return Ok(found);
                }
                frontier.push(hash);
                while let Some(next) = checkpoints.next_if(|next| next.size.unsigned_abs() <= frontier.size())
                {
                    let size = next.size.unsigned_abs();
                    let fault = self.check_checkpoint(tenant, &next.note, size, &frontier, covered);
                    if fault.is_some() {
                        found.fault = fault;
                        return Ok(found);
                    }
                    covered = size;
                    found.checkpoints += 1;
                }
                found.entries += 1;
                found.root = frontier.root();
            }
            progress(found.entries, total);
        }
        if checkpoints.next().is_some() {
            found.fault = Some(Fault::EntryMissing {
                index: frontier.size(),
            });
        } else if covered < frontier.size() {
            found.fault = Some(Fault::CheckpointMissing { covered });
        }
        Ok(found)
    }

    fn check_checkpoint(
        &self,
        tenant: Id<kind::Tenant>,
        note: &str,
        size: u64,
        frontier: &Frontier,
        covered: u64,
    ) -> Option<Fault> {
        let Ok(checkpoint) = Checkpoint::verify(note, &self.keys.log.public()) else {
            return Some(Fault::CheckpointChanged { size });
        };
        if checkpoint.size != size || checkpoint.origin != origin(tenant) || frontier.size() != size {
            return Some(Fault::CheckpointChanged { size });
        }
        (checkpoint.root != frontier.root()).then_some(Fault::RootDiffers {
            from: covered,
            to: size,
        })
    }
}

/// Entries that have an index, and entries that have none: those that wait for one, and any that were cut loose.
async fn counts(sql: &mut PgConnection, tenant: Id<kind::Tenant>) -> Result<(u64, u64)> {
    let row = sqlx::query!(
        r#"SELECT (SELECT count(*) FROM audit_leaf WHERE tenant_id = $1) AS "total!",
                  (SELECT count(*) FROM audit_entry e WHERE e.tenant_id = $1
                     AND NOT EXISTS (SELECT FROM audit_leaf l WHERE l.entry_id = e.id)) AS "pending!""#,
        tenant.uuid()
    )
    .fetch_one(sql)
    .await?;
    Ok((row.total.unsigned_abs(), row.pending.unsigned_abs()))
}

/// A log's name in its checkpoints.
fn origin(tenant: Id<kind::Tenant>) -> String {
    format!("countersign.example/audit/{tenant}")
}

fn frontier(size: i64, edge: &[u8], tenant: Id<kind::Tenant>) -> Result<Frontier> {
    let corrupt = StoreError::Corrupt {
        table: "audit_sequencer",
        column: "frontier",
        row: tenant.uuid(),
    };
    let (chunks, rest) = edge.as_chunks::<32>();
    if !rest.is_empty() {
        return Err(corrupt);
    }
    let hashes = chunks.iter().copied().map(Digest::from_bytes).collect();
    Frontier::from_parts(size.unsigned_abs(), hashes).map_err(|_| corrupt)
}
