//! The policies, loaded once, and the question they answer.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    str::FromStr,
};

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicyId,
    PolicySet, Request, RestrictedExpression, Schema, ValidationMode, Validator,
};
use uuid::Uuid;

use crate::{Actor, ActorKind, Denied, Facts, Permit, Resource, ResourceKind, VERBS, Verb};

/// Why the policies were not taken. The process stops; texts in here are policies, never data.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The schema does not parse.
    #[error("the schema is wrong: {0}")]
    Schema(String),
    /// A file does not parse.
    #[error("{file} does not parse: {why}")]
    Syntax {
        /// Which file.
        file: String,
        /// What the parser says.
        why: String,
    },
    /// A policy has no `@id`, which is what the log names it by.
    #[error("{file} has a policy without @id")]
    NoId {
        /// Which file.
        file: String,
    },
    /// Two policies have one `@id`.
    #[error("{file} has a second policy {id}")]
    SecondId {
        /// The file of the second.
        file: String,
        /// The `@id`.
        id: String,
    },
    /// A policy misspells something, compares what cannot be compared, or can never apply.
    #[error("the policies do not fit the schema: {0}")]
    Invalid(String),
    /// The schema and this crate do not have the same verbs, or not for the same resources.
    #[error("schema and code differ on the verb {0}")]
    Verb(String),
}

/// The policies in force. `Send` and `Sync`; a decision takes a fraction of a millisecond and no lock.
#[derive(Debug)]
pub struct Policy {
    schema: Schema,
    policies: PolicySet,
    authorizer: Authorizer,
}

impl Policy {
    /// The policies that were compiled in, from the repository's `policies/`.
    ///
    /// # Errors
    /// [`PolicyError`], which the tests rule out.
    pub fn built_in() -> Result<Self, PolicyError> {
        Self::load(
            include_str!("../../../policies/schema.cedarschema"),
            &[
                ("access.cedar", include_str!("../../../policies/access.cedar")),
                ("guards.cedar", include_str!("../../../policies/guards.cedar")),
            ],
        )
    }

    /// Reads a schema and files of policies, each with a name for messages.
    ///
    /// # Errors
    /// [`PolicyError`] when anything in them is wrong or even suspicious: warnings of the validator count.
    pub fn load(schema: &str, policies: &[(&str, &str)]) -> Result<Self, PolicyError> {
        let (schema, warnings) =
            Schema::from_cedarschema_str(schema).map_err(|error| PolicyError::Schema(error.to_string()))?;
        if let Some(warning) = { warnings }.next() {
            return Err(PolicyError::Schema(warning.to_string()));
        }
        check_verbs(&schema)?;
        let mut all = PolicySet::new();
        for &(file, text) in policies {
            add(&mut all, file, text)?;
        }
        let outcome = Validator::new(schema.clone()).validate(&all, ValidationMode::Strict);
        let errors = outcome.validation_errors().map(ToString::to_string);
        // A warning is a policy that can never apply, or a name that looks like another: both are mistakes here.
        let warnings = outcome.validation_warnings().map(ToString::to_string);
        let wrong: Vec<String> = errors.chain(warnings).collect();
        if !wrong.is_empty() {
            return Err(PolicyError::Invalid(wrong.join("; ")));
        }
        Ok(Self {
            schema,
            policies: all,
            authorizer: Authorizer::new(),
        })
    }

    /// Asks whether `actor` may do `V` to `resource`, given `facts`.
    ///
    /// # Errors
    /// [`Denied`] when nothing allows it, a guard forbids it, the question is malformed, or any policy failed while it was
    /// evaluated.
    pub fn authorize<V: Verb>(
        &self,
        actor: &Actor,
        resource: &Resource,
        facts: &Facts,
    ) -> Result<Permit<V>, Denied> {
        let policies = self.decide(V::NAME, actor, resource, facts)?;
        Ok(Permit::new(actor.clone(), *resource, policies))
    }

    /// The `@id`s of all policies, in alphabetical order.
    #[must_use]
    pub fn ids(&self) -> BTreeSet<String> {
        self.policies
            .policies()
            .map(|policy| policy.id().to_string())
            .collect()
    }

    pub(crate) fn decide(
        &self,
        verb: &'static str,
        actor: &Actor,
        resource: &Resource,
        facts: &Facts,
    ) -> Result<Vec<String>, Denied> {
        let Some((request, entities)) = self.question(verb, actor, resource, facts) else {
            return Err(Denied {
                verb,
                policies: Vec::new(),
                errors: true,
            });
        };
        let response = self.authorizer.is_authorized(&request, &self.policies, &entities);
        let mut policies: Vec<String> = response.diagnostics().reason().map(ToString::to_string).collect();
        policies.sort_unstable();
        // Cedar skips a policy that fails, even a forbid, even after strict validation: any failure denies.
        let errors = response.diagnostics().errors().next().is_some();
        match response.decision() {
            Decision::Allow if !errors => Ok(policies),
            // With a failure, the permits that were found decided nothing.
            Decision::Allow => Err(Denied {
                verb,
                policies: Vec::new(),
                errors,
            }),
            Decision::Deny => Err(Denied {
                verb,
                policies,
                errors,
            }),
        }
    }

    /// The question in Cedar's terms, checked against the schema twice: request and entities. `None` when it does not fit.
    fn question(
        &self,
        verb: &str,
        actor: &Actor,
        resource: &Resource,
        facts: &Facts,
    ) -> Option<(Request, Entities)> {
        let principal = uid(kind_name(&actor.kind), &actor.id)?;
        let object = uid(resource.kind.as_str(), &resource.id)?;
        let roles: Option<HashSet<EntityUid>> = actor
            .roles()
            .iter()
            .map(|role| uid("Role", role.as_str()))
            .collect();
        let entities = [
            entity(principal.clone(), &actor.tenant, roles?)?,
            entity(object.clone(), &resource.tenant, HashSet::new())?,
        ];
        // A hospital is its own; where the resource says otherwise, it contradicts itself.
        if resource.kind == ResourceKind::Tenant && resource.id != resource.tenant {
            return None;
        }
        let entities = Entities::from_entities(entities, Some(&self.schema)).ok()?;
        let context = facts
            .pairs()
            .map(|(name, value)| (name.to_owned(), RestrictedExpression::new_bool(value)));
        let context = Context::from_pairs(context).ok()?;
        let request = Request::new(
            principal,
            uid("Action", verb)?,
            object,
            context,
            Some(&self.schema),
        )
        .ok()?;
        Some((request, entities))
    }
}

const fn kind_name(kind: &ActorKind) -> &'static str {
    match kind {
        ActorKind::User(_) => "User",
        ActorKind::Client => "Client",
        ActorKind::System => "System",
    }
}

fn uid(kind: &str, id: &(impl ToString + ?Sized)) -> Option<EntityUid> {
    let kind = EntityTypeName::from_str(kind).ok()?;
    Some(EntityUid::from_type_name_and_id(
        kind,
        EntityId::new(id.to_string()),
    ))
}

fn entity(which: EntityUid, tenant: &Uuid, parents: HashSet<EntityUid>) -> Option<Entity> {
    let tenant = RestrictedExpression::new_entity_uid(uid(ResourceKind::Tenant.as_str(), tenant)?);
    Entity::new(which, HashMap::from([("tenant".to_owned(), tenant)]), parents).ok()
}

/// Adds a file's policies under their `@id`s.
fn add(all: &mut PolicySet, file: &str, text: &str) -> Result<(), PolicyError> {
    let syntax = |why: String| PolicyError::Syntax {
        file: file.to_owned(),
        why,
    };
    let read = PolicySet::from_str(text).map_err(|error| syntax(error.to_string()))?;
    if read.templates().next().is_some() {
        return Err(syntax("templates are not used here".to_owned()));
    }
    for policy in read.policies() {
        let id = policy.annotation("id").filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| PolicyError::NoId {
            file: file.to_owned(),
        })?;
        all.add(policy.new_id(PolicyId::new(id)))
            .map_err(|_| PolicyError::SecondId {
                file: file.to_owned(),
                id: id.to_owned(),
            })?;
    }
    Ok(())
}

/// That schema and code have the same verbs on the same resources.
fn check_verbs(schema: &Schema) -> Result<(), PolicyError> {
    let code: BTreeSet<(String, String)> = VERBS
        .iter()
        .map(|(verb, kind)| ((*verb).to_owned(), kind.as_str().to_owned()))
        .collect();
    let written: BTreeSet<(String, String)> = schema
        .request_envs()
        .map(|env| {
            (
                env.action().id().unescaped().to_owned(),
                env.resource().to_string(),
            )
        })
        .collect();
    match code.symmetric_difference(&written).next() {
        Some((verb, _)) => Err(PolicyError::Verb(verb.clone())),
        None => Ok(()),
    }
}
