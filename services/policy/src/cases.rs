//! Runs `policies/cases.toml`, and the promises that are not single cases.

use std::{collections::BTreeSet, sync::LazyLock};

use proptest::prelude::*;
use serde::Deserialize;
use uuid::Uuid;

use crate::{Actor, Facts, Policy, PolicyError, ReadModel, Resource, ResourceKind, Role, VERBS, Verb};

const SCHEMA: &str = include_str!("../../../policies/schema.cedarschema");
const HOSPITAL: Uuid = Uuid::from_u128(1);
const ELSEWHERE: Uuid = Uuid::from_u128(2);

/// Loaded once: validation is most of a property's time.
static POLICY: LazyLock<Policy> = LazyLock::new(|| Policy::built_in().expect("the built-in policies load"));

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    who: String,
    verb: String,
    what: String,
    #[serde(default)]
    elsewhere: bool,
    #[serde(default)]
    facts: Vec<String>,
    answer: Answer,
    by: Vec<String>,
    #[serde(default)]
    fault: bool,
}

#[derive(Deserialize, Debug, PartialEq, Eq, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Allow,
    Deny,
}

impl Case {
    fn actor(&self) -> Result<Actor, String> {
        let id = Uuid::from_u128(3);
        Ok(match self.who.as_str() {
            "client" => Actor::client(id, HOSPITAL),
            "system" => Actor::system(id, HOSPITAL),
            "nobody" => Actor::user(id, HOSPITAL, Vec::new()),
            names => {
                let role = |name| Role::parse(name).ok_or_else(|| format!("no role is called {name}"));
                Actor::user(
                    id,
                    HOSPITAL,
                    names.split(" and ").map(role).collect::<Result<_, _>>()?,
                )
            }
        })
    }

    fn resource(&self) -> Result<Resource, String> {
        let kind = ResourceKind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == self.what);
        let kind = kind.ok_or_else(|| format!("nothing is called {}", self.what))?;
        let tenant = if self.elsewhere { ELSEWHERE } else { HOSPITAL };
        let id = if kind == ResourceKind::Report {
            Uuid::from_u128(4)
        } else {
            tenant
        };
        Ok(Resource {
            kind,
            id,
            tenant,
            version: 1,
        })
    }

    fn facts(&self) -> Result<Facts, String> {
        self.facts.iter().try_fold(Facts::default(), |mut facts, name| {
            let fact = match name.as_str() {
                "care_relation" => &mut facts.care_relation,
                "claim_holder" => &mut facts.claim_holder,
                "reauthenticated" => &mut facts.reauthenticated,
                "author" => &mut facts.author,
                "submitter" => &mut facts.submitter,
                "signed" => &mut facts.signed,
                "signer" => &mut facts.signer,
                "released" => &mut facts.released,
                other => return Err(format!("no fact is called {other}")),
            };
            *fact = true;
            Ok(facts)
        })
    }
}

#[test]
fn every_case_has_its_answer() -> Result<(), Box<dyn std::error::Error>> {
    let policy = Policy::built_in()?;
    let table: Table = toml::from_str(include_str!("../../../policies/cases.toml"))?;
    let mut deciding = BTreeSet::new();
    let mut answers = BTreeSet::new();
    for (row, case) in (1..).zip(&table.case) {
        let verb = VERBS.iter().map(|verb| verb.0).find(|verb| *verb == case.verb);
        let verb = verb.ok_or_else(|| format!("case {row}: no verb is called {}", case.verb))?;
        let (answer, mut by, fault) =
            match policy.decide(verb, &case.actor()?, &case.resource()?, &case.facts()?) {
                Ok(by) => (Answer::Allow, by, false),
                Err(denied) => (Answer::Deny, denied.policies, denied.errors),
            };
        let mut expected = case.by.clone();
        expected.sort();
        by.sort();
        let what = format!(
            "case {row}: {} {} {} with {:?}",
            case.who, case.verb, case.what, case.facts
        );
        assert_eq!(
            (answer, &by, fault),
            (case.answer, &expected, case.fault),
            "{what}"
        );
        deciding.extend(by);
        answers.insert((verb, case.answer == Answer::Allow));
    }
    assert_eq!(deciding, policy.ids(), "every policy decides a case");
    assert_eq!(
        answers.len(),
        2 * VERBS.len(),
        "every verb is allowed once and denied once"
    );
    Ok(())
}

#[test]
fn mistakes_in_the_files_are_found() {
    let load = |text: &str| Policy::load(SCHEMA, &[("x.cedar", text)]);
    let ok = r#"@id("a") permit (principal is User, action == Action::"ReadModel", resource);"#;
    assert!(load(ok).is_ok());
    assert!(matches!(
        load("permit (principal"),
        Err(PolicyError::Syntax { .. })
    ));
    assert!(matches!(
        load(&ok.replace("@id(\"a\")", "")),
        Err(PolicyError::NoId { .. })
    ));
    assert!(matches!(
        load(&ok.replace("\"a\"", "\"\"")),
        Err(PolicyError::NoId { .. })
    ));
    assert!(matches!(
        load(&format!("{ok}{ok}")),
        Err(PolicyError::SecondId { .. })
    ));
    let template = r#"@id("a") permit (principal == ?principal, action, resource);"#;
    assert!(matches!(load(template), Err(PolicyError::Syntax { .. })));
    let invalid = [
        // A verb, a role, a fact and an attribute that do not exist; a comparison of unlike things; a rule that never applies.
        ok.replace("ReadModel", "ReadModels"),
        ok.replace("User,", "User in Role::\"surgeon\","),
        ok.replace(';', " when { context.licensed };"),
        ok.replace(';', " when { principal.name == \"x\" };"),
        ok.replace(';', " when { principal.tenant == 1 };"),
        ok.replace(';', " when { principal is Client };"),
    ];
    for text in invalid {
        assert!(matches!(load(&text), Err(PolicyError::Invalid(_))), "{text}");
    }
}

#[test]
fn schema_and_code_have_the_same_verbs() {
    let load = |schema: &str| Policy::load(schema, &[]);
    assert!(load(SCHEMA).is_ok());
    assert!(matches!(load("entity"), Err(PolicyError::Schema(_))));
    let differing = [
        SCHEMA.replace("action ReadModel ", "action ReadModels "),
        SCHEMA.replace("resource: Model,", "resource: Report,"),
        SCHEMA.replace("resource: Model,", "resource: [Model, Report],"),
        format!("{SCHEMA}\naction Peek appliesTo {{ principal: User, resource: Report, context: Facts }};"),
    ];
    for schema in differing {
        assert!(matches!(load(&schema), Err(PolicyError::Verb(_))));
    }
}

#[test]
fn a_policy_that_fails_denies() -> Result<(), PolicyError> {
    // Cedar skips what overflows, and says so only in the diagnostics; by itself it would answer «allow».
    let permit = r#"@id("yes") permit (principal is User, action == Action::"ReadModel", resource);"#;
    let overflow = r#"@id("no") forbid (principal, action == Action::"ReadModel", resource)
        when { 9223372036854775807 + 1 > 0 };"#;
    let resource = Resource {
        kind: ResourceKind::Model,
        id: HOSPITAL,
        tenant: HOSPITAL,
        version: 0,
    };
    let actor = Actor::user(Uuid::from_u128(3), HOSPITAL, Vec::new());
    let ask = |text: &str| {
        let policy = Policy::load(SCHEMA, &[("x.cedar", text)])?;
        Ok::<_, PolicyError>(policy.authorize::<ReadModel>(&actor, &resource, &Facts::default()))
    };
    assert!(ask(permit)?.is_ok());
    let denied = ask(&format!("{permit}{overflow}"))?.expect_err("a failing guard denies");
    assert_eq!(
        (denied.verb, denied.policies.len(), denied.errors),
        (ReadModel::NAME, 0, true)
    );
    Ok(())
}

#[test]
fn a_permit_is_for_one_version_of_one_thing() -> Result<(), Box<dyn std::error::Error>> {
    let resource = Resource {
        kind: ResourceKind::Model,
        id: HOSPITAL,
        tenant: HOSPITAL,
        version: 7,
    };
    let actor = Actor::user(Uuid::from_u128(3), HOSPITAL, Vec::new());
    let permit = Policy::built_in()?.authorize::<ReadModel>(&actor, &resource, &Facts::default())?;
    assert_eq!((permit.actor(), permit.resource()), (&actor, &resource));
    assert!(permit.covers(ResourceKind::Model, HOSPITAL, 7));
    assert!(!permit.covers(ResourceKind::Model, HOSPITAL, 8));
    assert!(!permit.covers(ResourceKind::Model, ELSEWHERE, 7));
    assert!(!permit.covers(ResourceKind::Report, HOSPITAL, 7));
    Ok(())
}

#[test]
fn it_is_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Policy>();
    shared::<crate::Permit<ReadModel>>();
}

fn anybody() -> impl Strategy<Value = Actor> {
    let roles = proptest::sample::subsequence(Role::ALL.to_vec(), 0..=3);
    (roles, 0..3_u8).prop_map(|(roles, kind)| match kind {
        0 => Actor::user(Uuid::from_u128(3), HOSPITAL, roles),
        1 => Actor::client(Uuid::from_u128(3), HOSPITAL),
        _ => Actor::system(Uuid::from_u128(3), HOSPITAL),
    })
}

proptest! {
    #[test]
    fn nothing_is_allowed_across_hospitals(actor in anybody(), bits: u8, verb in proptest::sample::select(VERBS), id: u128) {
        let id = if verb.1 == ResourceKind::Tenant { ELSEWHERE } else { Uuid::from_u128(id) };
        let resource = Resource { kind: verb.1, id, tenant: ELSEWHERE, version: 1 };
        let denied = POLICY.decide(verb.0, &actor, &resource, &Facts::from_bits(u32::from(bits)));
        let denied = denied.expect_err("another hospital's");
        prop_assert!(!denied.errors);
        prop_assert!(denied.policies.iter().any(|id| id == "guard-own-hospital-only"));
    }

    #[test]
    fn a_verb_on_the_wrong_thing_is_a_fault(actor in anybody(), bits: u8, verb in proptest::sample::select(VERBS),
                                            kind in proptest::sample::select(&ResourceKind::ALL[..])) {
        prop_assume!(kind != verb.1);
        let resource = Resource { kind, id: HOSPITAL, tenant: HOSPITAL, version: 1 };
        let denied = POLICY.decide(verb.0, &actor, &resource, &Facts::from_bits(u32::from(bits)));
        prop_assert!(denied.is_err_and(|denied| denied.errors));
    }

    #[test]
    fn no_signature_without_all_its_conditions(actor in anybody(), bits: u8) {
        let resource = Resource { kind: ResourceKind::Report, id: Uuid::from_u128(4), tenant: HOSPITAL, version: 1 };
        let facts = Facts::from_bits(u32::from(bits));
        let physician = actor.roles().contains(&Role::Physician) && !actor.roles().contains(&Role::Administrator);
        let expected = physician && facts.care_relation && facts.claim_holder && facts.reauthenticated
            && !facts.author && !facts.signed;
        prop_assert_eq!(POLICY.decide("SignReport", &actor, &resource, &facts).is_ok(), expected);
    }
}
