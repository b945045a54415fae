//! The whole policy on one page, for people who do not read code.

use std::fmt::Write as _;

use uuid::Uuid;

use crate::{Actor, Facts, Policy, Resource, Role, VERBS};

/// Columns: who, by the name that the table shows.
fn columns(tenant: Uuid) -> [(&'static str, Actor); 6] {
    let id = Uuid::from_u128(2);
    let user = |role: Role| (role.as_str(), Actor::user(id, tenant, vec![role]));
    [
        user(Role::Physician),
        user(Role::Auditor),
        user(Role::Administrator),
        ("no role", Actor::user(id, tenant, Vec::new())),
        ("client", Actor::client(id, tenant)),
        ("system", Actor::system(id, tenant)),
    ]
}

impl Policy {
    /// The matrix of actors and verbs, within one hospital: `yes`, `-` for never, or the number of the condition below it.
    /// Found by asking about every combination of facts, so it says what the policies do and not what they look like.
    #[must_use]
    pub fn matrix(&self) -> String {
        let tenant = Uuid::from_u128(1);
        let columns = columns(tenant);
        let mut conditions: Vec<String> = Vec::new();
        let mut out = format!("{:<16}", "");
        for (name, _) in &columns {
            let _ = write!(out, "{name:<15}");
        }
        let mut out = format!("{}\n", out.trim_end());
        for &(verb, kind) in VERBS {
            let mut row = format!("{verb:<16}");
            for (_, actor) in &columns {
                let resource = Resource {
                    kind,
                    id: tenant,
                    tenant,
                    version: 1,
                };
                let allowed: Vec<u32> = (0..1 << Facts::NAMES.len())
                    .filter(|bits| {
                        self.decide(verb, actor, &resource, &Facts::from_bits(*bits))
                            .is_ok()
                    })
                    .collect();
                let cell = match condition(&allowed) {
                    None => "-".to_owned(),
                    Some(condition) if condition.is_empty() => "yes".to_owned(),
                    Some(condition) => {
                        let known = conditions.iter().position(|known| *known == condition);
                        let number = known.unwrap_or_else(|| {
                            conditions.push(condition);
                            conditions.len() - 1
                        });
                        format!("if {}", number + 1)
                    }
                };
                let _ = write!(row, "{cell:<15}");
            }
            out.push_str(row.trim_end());
            out.push('\n');
        }
        out.push_str(
            "\nNever across hospitals. A person who is an administrator too loses what shows patients.\n",
        );
        for (number, condition) in conditions.iter().enumerate() {
            let _ = writeln!(out, "if {}: {condition}", number + 1);
        }
        out
    }
}

/// The condition under which exactly these combinations of facts are allowed; empty for always, `None` for never.
fn condition(allowed: &[u32]) -> Option<String> {
    let all = (1_u32 << Facts::NAMES.len()) - 1;
    let needed = allowed.iter().copied().reduce(|a, b| a & b)?;
    let excluded = all & !allowed.iter().fold(0, |a, b| a | b);
    // Facts that are neither needed nor excluded may be either; if that does not give all combinations, it is not a plain «and».
    let free = (all & !needed & !excluded).count_ones();
    if allowed.len() != 1 << free {
        return Some(format!("one of {} combinations of facts", allowed.len()));
    }
    let names = |bits: u32| {
        Facts::NAMES
            .iter()
            .enumerate()
            .filter(move |(bit, _)| bits >> bit & 1 == 1)
            .map(|(_, name)| *name)
    };
    let needed = names(needed).map(str::to_owned);
    let parts: Vec<String> = needed
        .chain(names(excluded).map(|name| format!("not {name}")))
        .collect();
    Some(parts.join(" and "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read_off_the_combinations() {
        let all = 1_u32 << Facts::NAMES.len();
        assert_eq!(condition(&[]), None);
        assert_eq!(condition(&(0..all).collect::<Vec<_>>()), Some(String::new()));
        let first_not_second: Vec<u32> = (0..all).filter(|bits| bits & 0b11 == 0b01).collect();
        assert_eq!(
            condition(&first_not_second).as_deref(),
            Some("care_relation and not claim_holder")
        );
        let either: Vec<u32> = (0..all).filter(|bits| bits & 0b11 != 0).collect();
        assert_eq!(
            condition(&either).as_deref(),
            Some("one of 192 combinations of facts")
        );
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "a test that rewrites its snapshot when a person asks for it"
    )]
    fn the_snapshot_is_current() -> Result<(), Box<dyn std::error::Error>> {
        let matrix = Policy::built_in()?.matrix();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies/matrix.txt");
        if std::env::var_os("UPDATE_MATRIX").is_some() {
            std::fs::write(path, &matrix)?;
        }
        let snapshot = std::fs::read_to_string(path)?;
        assert_eq!(
            matrix, snapshot,
            "review the change, then run with UPDATE_MATRIX=1"
        );
        Ok(())
    }
}
