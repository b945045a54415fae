//! Bundles: search results and the answer to a transaction.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::moment::instant;

/// A `searchset` of `resources`, each with its address below `base_url`, the address of the service without `/fhir`.
#[must_use]
pub fn searchset(base_url: &str, resources: impl IntoIterator<Item = Value>) -> Value {
    let base = base_url.trim_end_matches('/');
    let entries: Vec<Value> = resources
        .into_iter()
        .map(|resource| {
            let part = |name: &str| {
                resource
                    .get(name)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            let url = format!("{base}/fhir/{}/{}", part("resourceType"), part("id"));
            json!({ "fullUrl": url, "resource": resource, "search": { "mode": "match" } })
        })
        .collect();
    let mut bundle = json!({ "resourceType": "Bundle", "type": "searchset", "total": entries.len() });
    if !entries.is_empty() {
        bundle["entry"] = Value::Array(entries);
    }
    bundle
}

/// What became of one entry of a transaction.
#[derive(Clone, Debug)]
pub struct ResponseEntry {
    /// Its address below the base; `None` for what has none.
    pub location: Option<String>,
    /// HTTP status, such as `201 Created`.
    pub status: &'static str,
    /// Entity tag, where it has a version.
    pub etag: Option<String>,
    /// When it was stored.
    pub last_modified: OffsetDateTime,
}

/// A `transaction-response` with one entry for each of the request, in order.
#[must_use]
pub fn transaction_response(entries: &[ResponseEntry]) -> Value {
    let entry = |entry: &ResponseEntry| {
        let mut response = json!({
            "status": entry.status,
            "lastModified": instant(entry.last_modified),
        });
        if let Some(location) = &entry.location {
            response["location"] = json!(location);
        }
        if let Some(etag) = &entry.etag {
            response["etag"] = json!(etag);
        }
        json!({ "response": response })
    };
    json!({
        "resourceType": "Bundle",
        "type": "transaction-response",
        "entry": entries.iter().map(entry).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::emit::schema;

    #[test]
    fn search_results_have_addresses() {
        let found = json!({"resourceType": "Patient", "id": "7"});
        let bundle = searchset("https://c.example/", [found]);
        assert_eq!(bundle["total"], 1);
        assert_eq!(bundle["entry"][0]["fullUrl"], "https://c.example/fhir/Patient/7");
        schema::assert_valid(&bundle);
        let none = searchset("https://c.example", Vec::new());
        assert_eq!(
            none,
            json!({"resourceType": "Bundle", "type": "searchset", "total": 0})
        );
        schema::assert_valid(&none);
    }

    #[test]
    fn every_entry_is_answered() {
        let moment = datetime!(2027-01-02 03:04:05 UTC);
        let bundle = transaction_response(&[
            ResponseEntry {
                location: Some("Patient/1".to_owned()),
                status: "200 OK",
                etag: None,
                last_modified: moment,
            },
            ResponseEntry {
                location: Some("DiagnosticReport/2/_history/1".to_owned()),
                status: "201 Created",
                etag: Some("W/\"1\"".to_owned()),
                last_modified: moment,
            },
        ]);
        assert_eq!(bundle["entry"][0]["response"]["location"], "Patient/1");
        assert!(bundle["entry"][0]["response"].get("etag").is_none());
        assert_eq!(bundle["entry"][1]["response"]["etag"], "W/\"1\"");
        assert_eq!(
            bundle["entry"][1]["response"]["lastModified"],
            "2027-01-02T03:04:05.000Z"
        );
        schema::assert_valid(&bundle);
    }
}
