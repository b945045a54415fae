//! FHIR's own JSON schema as a judge of what is written, where the shared data are beside the repository.

use std::{path::Path, sync::OnceLock};

use jsonschema::Validator;
use serde_json::Value;

static VALIDATOR: OnceLock<Option<Validator>> = OnceLock::new();

/// Folder of the shared FHIR data; `None` in a clone without it.
pub(crate) fn shared() -> Option<&'static Path> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/fhir"));
    folder.is_dir().then_some(folder)
}

fn validator() -> Option<&'static Validator> {
    VALIDATOR
        .get_or_init(|| {
            let Some(folder) = shared() else {
                eprintln!("skipped: FHIR's JSON schema is not beside this clone");
                return None;
            };
            let text =
                std::fs::read_to_string(folder.join("fhir.schema.json")).expect("the schema is readable");
            let schema: Value = serde_json::from_str(&text).expect("the schema is JSON");
            Some(jsonschema::validator_for(&schema).expect("the schema is one"))
        })
        .as_ref()
}

/// Whether `resource` is valid FHIR R4; so is all where the schema is not there.
pub(crate) fn is_valid(resource: &Value) -> bool {
    validator().is_none_or(|validator| validator.is_valid(resource))
}

/// Fails unless `resource` is valid FHIR R4.
pub(crate) fn assert_valid(resource: &Value) {
    if let Some(validator) = validator() {
        assert!(
            validator.is_valid(resource),
            "not valid against FHIR's schema: {resource:#}"
        );
    }
}

#[test]
fn the_schema_tells_good_from_bad() {
    if let Some(validator) = validator() {
        assert!(validator.is_valid(&serde_json::json!({"resourceType": "Patient", "gender": "male"})));
        assert!(!validator.is_valid(&serde_json::json!({"resourceType": "Patient", "gender": "zebra"})));
        assert!(!validator.is_valid(&serde_json::json!({"resourceType": "Zebra"})));
    }
}
