//! The two answers.

use std::{fmt, marker::PhantomData};

use uuid::Uuid;

use crate::{Actor, Resource, ResourceKind, Verb};

/// The policy's yes to one verb, for one actor, on one version of one thing. Not `Clone`, and made only by
/// [`crate::Policy::authorize`].
///
/// Nobody else can write one down:
/// ```compile_fail
/// fn forge(actor: policy::Actor, resource: policy::Resource) -> policy::Permit<policy::SignReport> { policy::Permit { actor, resource, policies: Vec::new(), verb: std::marker::PhantomData } }
/// ```
/// The twin that compiles asks:
/// ```
/// fn ask(policy: &policy::Policy, actor: policy::Actor, resource: policy::Resource) -> Result<policy::Permit<policy::SignReport>, policy::Denied> { policy.authorize(&actor, &resource, &policy::Facts::default()) }
/// ```
/// A permit for one verb is none for another:
/// ```compile_fail
/// fn swap(permit: policy::Permit<policy::ReadNote>) -> policy::Permit<policy::SignReport> { permit }
/// ```
/// ```
/// fn keep(permit: policy::Permit<policy::SignReport>) -> policy::Permit<policy::SignReport> { permit }
/// ```
pub struct Permit<V: Verb> {
    actor: Actor,
    resource: Resource,
    policies: Vec<String>,
    verb: PhantomData<fn() -> V>,
}

impl<V: Verb> Permit<V> {
    pub(crate) const fn new(actor: Actor, resource: Resource, policies: Vec<String>) -> Self {
        Self {
            actor,
            resource,
            policies,
            verb: PhantomData,
        }
    }

    /// Who may.
    #[must_use]
    pub const fn actor(&self) -> &Actor {
        &self.actor
    }

    /// On what.
    #[must_use]
    pub const fn resource(&self) -> &Resource {
        &self.resource
    }

    /// The `@id`s of the policies that allowed it, in alphabetical order.
    #[must_use]
    pub fn policies(&self) -> &[String] {
        &self.policies
    }

    /// Whether it is for this thing in this version, and the thing is of the actor's hospital.
    #[must_use]
    pub fn covers(&self, kind: ResourceKind, id: Uuid, version: u64) -> bool {
        let Resource {
            kind: k,
            id: i,
            tenant,
            version: v,
        } = self.resource;
        (k, i, v) == (kind, id, version) && k == V::RESOURCE && tenant == self.actor.tenant
    }
}

impl<V: Verb> fmt::Debug for Permit<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("verb", &V::NAME)
            .field("actor", &self.actor)
            .field("resource", &self.resource)
            .field("policies", &self.policies)
            .finish()
    }
}

/// The policy's no.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the policy denies {verb}")]
pub struct Denied {
    /// What was asked for.
    pub verb: &'static str,
    /// The `@id`s of the guards that forbid it, in alphabetical order; none where simply nothing allows it.
    pub policies: Vec<String>,
    /// Whether the question was malformed or a policy failed while it was evaluated: a fault of ours, worth an alarm.
    pub errors: bool,
}
