//! A transaction Bundle at the door.

use std::{collections::HashSet, sync::Arc};

use records::PhiText;
use serde_json::value::RawValue;

use super::{
    json::Source,
    patient::{self, PatientIn},
    reference::{Entries, Located, type_and_id, unversioned},
    refusal::{Fault, Faults, IssueCode, RefusalClass},
    report::{ReportIn, Request, report},
    resource_type::resource_type,
    wire,
};

/// A transaction as it was sent.
pub struct BundleIn {
    /// Its entries, in order.
    pub entries: Vec<BundleEntry>,
}

/// One entry of a transaction.
#[expect(
    clippy::large_enum_variant,
    reason = "a patient is as large as a report is boxed; entries live for one request"
)]
pub enum BundleEntry {
    /// A patient.
    Patient(PatientIn),
    /// A report.
    Report(Box<ReportIn>),
    /// A resource that is kept in the verbatim body alone.
    Other {
        /// Its type, as R4 spells it.
        resource_type: &'static str,
    },
}

/// Reads the Bundle.
pub(super) fn bundle<'a>(
    source: Source<'a>,
    raw: &'a RawValue,
    submitted: &Arc<PhiText>,
) -> Result<BundleIn, Faults> {
    let wire: wire::Bundle<'a> = source.read(raw, "Bundle").map_err(|fault| vec![fault])?;
    match wire.kind.as_ref().map(wire::Code::as_str) {
        Some("transaction") => {}
        Some(_) => {
            return Err(vec![Fault::unsupported(
                "Only Bundles of type transaction are taken.",
                "Bundle.type",
            )]);
        }
        None => return Err(vec![Fault::required("The Bundle has no type.", "Bundle.type")]),
    }
    let (entries, mut faults) = index(source, &wire);
    if !faults.is_empty() {
        return Err(faults);
    }
    if !entries
        .resources
        .iter()
        .any(|resource| matches!(resource.kind, "Patient" | "DiagnosticReport"))
    {
        return Err(vec![Fault::required(
            "The Bundle holds neither a DiagnosticReport nor a Patient.",
            "Bundle.entry",
        )]);
    }

    let mut patients = Vec::with_capacity(entries.resources.len());
    for (entry, resource) in wire.entry.iter().zip(&entries.resources) {
        patients.push(if resource.kind == "Patient" {
            match patient::patient(source, resource.raw, &resource.at, put_alias(entry)) {
                Ok(patient) => Some(patient),
                Err(more) => {
                    faults.extend(more);
                    None
                }
            }
        } else {
            None
        });
    }
    let request = Request {
        source,
        submitted,
        entries: &entries,
        patients: &patients,
    };
    let mut reports = Vec::with_capacity(entries.resources.len());
    for resource in &entries.resources {
        reports.push(if resource.kind == "DiagnosticReport" {
            match report(request, resource.raw, &resource.at) {
                Ok(report) => Some(report),
                Err(more) => {
                    faults.extend(more);
                    None
                }
            }
        } else {
            None
        });
    }
    faults.extend(twice(&reports, &entries));
    if !faults.is_empty() {
        return Err(faults);
    }
    let read = entries.resources.iter().zip(patients).zip(reports);
    let entries = read.map(|((resource, patient), report)| match (patient, report) {
        (Some(patient), _) => BundleEntry::Patient(patient),
        (None, Some(report)) => BundleEntry::Report(Box::new(report)),
        (None, None) => BundleEntry::Other {
            resource_type: resource.kind,
        },
    });
    Ok(BundleIn {
        entries: entries.collect(),
    })
}

/// Files every entry under what may refer to it.
fn index<'a>(source: Source<'a>, wire: &wire::Bundle<'a>) -> (Entries<'a>, Faults) {
    let (mut entries, mut faults) = (Entries::default(), Vec::new());
    for (index, entry) in wire.entry.iter().enumerate() {
        let at = format!("Bundle.entry[{index}]");
        match located(source, entry, &at, index) {
            Ok((resource, references)) => {
                if let Err(fault) = entries.add(resource, references) {
                    faults.push(fault);
                }
            }
            Err(fault) => faults.push(fault),
        }
    }
    (entries, faults)
}

fn located<'a>(
    source: Source<'a>,
    entry: &wire::Entry<'a>,
    at: &str,
    index: usize,
) -> Result<(Located<'a>, HashSet<String>), Fault> {
    // A transaction's entry says what is to be done with it; one that says nothing is stored like a POST.
    let method = entry.request.as_ref().and_then(|request| request.method.as_ref());
    if method.is_some_and(|method| !matches!(method.as_str(), "POST" | "PUT")) {
        return Err(Fault::unsupported(
            "An entry is taken by POST or PUT.",
            format!("{at}.request.method"),
        ));
    }
    let at = format!("{at}.resource");
    let raw = entry
        .resource
        .ok_or_else(|| Fault::required("The entry has no resource.", at.clone()))?;
    let envelope: wire::Envelope = source.read(raw, &at)?;
    let kind = envelope
        .resource_type
        .as_ref()
        .and_then(|kind| resource_type(kind.as_str()))
        .ok_or_else(|| {
            Fault::unsupported(
                "The entry is not a resource of FHIR R4.",
                format!("{at}.resourceType"),
            )
        })?;

    let mut references = HashSet::new();
    if let Some(id) = envelope.id.as_ref().filter(|id| !id.as_str().is_empty()) {
        references.insert(format!("{kind}/{}", id.as_str()));
    }
    if let Some(url) = entry
        .full_url
        .as_ref()
        .map(|url| url.expose().trim())
        .filter(|url| !url.is_empty())
    {
        references.insert(url.to_owned());
        references.extend(relative(url, kind));
    }
    if let Some(url) = put_url(entry) {
        references.extend(relative(url, kind));
    }
    Ok((
        Located {
            raw,
            at,
            kind,
            entry: Some(index),
        },
        references,
    ))
}

/// `Type/id` of a URL that ends so.
fn relative(url: &str, kind: &str) -> Option<String> {
    type_and_id(url)
        .filter(|(found, _)| *found == kind)
        .map(|(found, id)| format!("{found}/{id}"))
}

fn put_url<'e>(entry: &'e wire::Entry<'_>) -> Option<&'e str> {
    let request = entry.request.as_ref()?;
    let put = request
        .method
        .as_ref()
        .is_some_and(|method| method.as_str() == "PUT");
    put.then_some(request.url.as_ref())
        .flatten()
        .map(|url| url.expose().trim())
}

/// What a Patient that is put at an address of the sender's choice is also known as.
fn put_alias(entry: &wire::Entry<'_>) -> Option<PhiText> {
    let url = unversioned(put_url(entry)?);
    type_and_id(url)
        .filter(|(kind, _)| *kind == "Patient")
        .map(|(kind, id)| patient::alias(&format!("{kind}/{id}")))
}

/// Two entries for one report: which of them stands would depend on their order (FHIR R4, section 3.1.0.11.2).
fn twice(reports: &[Option<ReportIn>], entries: &Entries<'_>) -> Faults {
    let mut seen = HashSet::new();
    let both = reports.iter().zip(&entries.resources);
    both.filter_map(|(report, resource)| {
        let identity = report.as_ref()?.submission.identity.expose();
        (!seen.insert(identity)).then(|| {
            Fault::new(
                RefusalClass::Unprocessable,
                IssueCode::Duplicate,
                "Two entries are the same report.",
                resource.at.clone(),
            )
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fhir::{
        SubjectRef,
        samples::{ZEBRA, bundle, changed, entry, good, patient, refused, transaction},
    };

    #[test]
    fn bad_transactions_say_what_and_where() {
        use RefusalClass::{NotSupported, Unprocessable};
        let cases = [
            (
                json!({ "resourceType": "Bundle", "entry": [] }),
                Unprocessable,
                "required",
                "Bundle.type",
            ),
            (
                json!({ "resourceType": "Bundle", "type": "batch" }),
                NotSupported,
                "not-supported",
                "Bundle.type",
            ),
            (
                json!({ "resourceType": "Bundle", "type": ZEBRA }),
                NotSupported,
                "not-supported",
                "Bundle.type",
            ),
            (transaction(&[]), Unprocessable, "required", "Bundle.entry"),
            (
                transaction(&[entry("urn:uuid:1", &json!({ "resourceType": "Observation" }))]),
                Unprocessable,
                "required",
                "Bundle.entry",
            ),
            (
                transaction(&[json!({ "fullUrl": ZEBRA })]),
                Unprocessable,
                "required",
                "Bundle.entry[0].resource",
            ),
            (
                transaction(&[entry("urn:uuid:1", &json!({ "resourceType": ZEBRA }))]),
                NotSupported,
                "not-supported",
                "Bundle.entry[0].resource.resourceType",
            ),
            (
                transaction(&[
                    json!({ "resource": patient("1"), "request": { "method": "DELETE", "url": ZEBRA } }),
                ]),
                NotSupported,
                "not-supported",
                "Bundle.entry[0].request.method",
            ),
            (
                transaction(&[
                    entry("urn:uuid:1", &patient("1")),
                    entry("urn:uuid:1", &patient("2")),
                ]),
                Unprocessable,
                "invariant",
                "Bundle.entry[1].resource",
            ),
            (
                transaction(&[entry("urn:uuid:1", &good()), entry("urn:uuid:2", &good())]),
                Unprocessable,
                "duplicate",
                "Bundle.entry[1].resource",
            ),
            (
                transaction(&[entry(
                    "urn:uuid:1",
                    &changed("/subject", json!({ "reference": "urn:uuid:zebra" })),
                )]),
                Unprocessable,
                "not-found",
                "Bundle.entry[0].resource.subject.reference",
            ),
        ];
        refused(cases);
    }

    #[test]
    fn a_bundle_is_the_same_under_other_transport_ids() {
        let sent = |patient_url: &str, encounter_url: &str, mrn: &str| {
            let mut report = good();
            report["subject"] = json!({ "reference": patient_url });
            report["encounter"] = json!({ "reference": encounter_url });
            let entries = bundle(&transaction(&[
                entry(patient_url, &patient(mrn)),
                entry(
                    encounter_url,
                    &json!({ "resourceType": "Encounter", "status": "finished" }),
                ),
                entry("urn:uuid:report", &report),
            ]));
            let [
                BundleEntry::Patient(_),
                BundleEntry::Other {
                    resource_type: "Encounter",
                },
                BundleEntry::Report(report),
            ] = entries.as_slice()
            else {
                panic!("three entries in order")
            };
            let SubjectRef::Given(given) = &report.subject else {
                panic!("given in the Bundle")
            };
            assert_eq!(given.identifiers[0].expose(), format!("urn:mrn|{mrn}"));
            report.submission.content.expose().to_owned()
        };
        let base = sent("urn:uuid:1", "urn:uuid:2", "M-1");
        assert_eq!(
            sent("urn:uuid:8", "https://ehr.example/fhir/Encounter/9", "M-1"),
            base
        );
        // The same report of another patient is another content.
        assert_ne!(sent("urn:uuid:1", "urn:uuid:2", "M-2"), base);
    }

    #[test]
    fn references_resolve_by_type_and_id_and_put_gives_an_alias() {
        let mut report = good();
        report["subject"] = json!({ "reference": "Patient/p-1" });
        let mut unnamed = patient("M-1");
        unnamed.as_object_mut().expect("an object").remove("identifier");
        let entries = bundle(&transaction(&[
            json!({ "resource": report, "request": { "method": "POST", "url": "DiagnosticReport" } }),
            json!({ "resource": unnamed, "request": { "method": "PUT", "url": "Patient/p-1" } }),
        ]));
        let [BundleEntry::Report(report), BundleEntry::Patient(patient)] = entries.as_slice() else {
            panic!("two entries")
        };
        let SubjectRef::Given(given) = &report.subject else {
            panic!("given in the Bundle")
        };
        for patient in [given, patient] {
            let texts: Vec<&str> = patient.identifiers.iter().map(PhiText::expose).collect();
            assert_eq!(texts, ["urn:countersign:reference|Patient/p-1"]);
        }
    }
}
