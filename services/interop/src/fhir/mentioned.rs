//! Who and what a report names besides its patient: performers, interpreters, the encounter's participants, numbers.

use records::{Demographics, PhiText, Practitioner, RelationBasis};

use super::{
    people,
    reference::{Located, Scope, conditional, type_and_id},
    refusal::Faults,
    wire,
};

/// What was found.
#[derive(Default)]
pub(super) struct Mentioned {
    pub(super) demographics: Demographics,
    pub(super) practitioners: Vec<Practitioner>,
}

/// Reads everything that `report` refers to.
pub(super) fn mentioned(
    report: &wire::DiagnosticReport<'_>,
    scope: &Scope<'_, '_>,
) -> Result<Mentioned, Faults> {
    let mut mentioned = Mentioned::default();
    let mut faults = Vec::new();
    people::values(&report.identifier, &mut mentioned.demographics.identifiers);
    let others = report
        .based_on
        .iter()
        .chain(&report.imaging_study)
        .chain(&report.subject);
    people::values(
        others.filter_map(|reference| reference.identifier.as_ref()),
        &mut mentioned.demographics.identifiers,
    );
    mentioned.demographics.names.extend(
        report
            .subject
            .iter()
            .filter_map(|subject| subject.display.clone()),
    );
    for person in report.performer.iter().chain(&report.results_interpreter) {
        mentioned.person(person, RelationBasis::Performer, scope, &mut faults);
    }
    if let Some(encounter) = &report.encounter {
        mentioned.encounter(encounter, scope, &mut faults);
    }
    if faults.is_empty() {
        people::tidy(&mut mentioned.demographics);
        mentioned.once_each();
        Ok(mentioned)
    } else {
        Err(faults)
    }
}

impl Mentioned {
    fn encounter(&mut self, reference: &wire::Reference, scope: &Scope<'_, '_>, faults: &mut Faults) {
        people::values(&reference.identifier, &mut self.demographics.identifiers);
        let Some(found) = target(reference, scope).filter(|found| found.kind == "Encounter") else {
            return;
        };
        match read::<wire::Encounter<'_>>(found, scope) {
            Ok(encounter) => {
                people::values(&encounter.identifier, &mut self.demographics.identifiers);
                within(found, &encounter.contained, scope, faults, |scope, faults| {
                    for person in encounter
                        .participant
                        .iter()
                        .filter_map(|participant| participant.individual.as_ref())
                    {
                        self.person(person, RelationBasis::Encounter, scope, faults);
                    }
                });
            }
            Err(more) => faults.extend(more),
        }
    }

    /// A performer, interpreter or participant: a Practitioner, or a `PractitionerRole` and whom it names.
    fn person(
        &mut self,
        reference: &wire::Reference,
        basis: RelationBasis,
        scope: &Scope<'_, '_>,
        faults: &mut Faults,
    ) {
        self.demographics.others.extend(reference.display.clone());
        let found = target(reference, scope);
        let literal = reference.literal.as_ref().map_or("", |text| text.expose());
        let condition = conditional(literal);
        let kind = found
            .map(|found| found.kind)
            .or_else(|| type_and_id(literal).map(|(kind, _)| kind))
            .or_else(|| condition.as_ref().map(|(kind, _)| *kind))
            .or_else(|| reference.kind.as_ref().map(wire::Code::as_str));
        // A reference that does not say what it points to may be a practitioner's; an organisation's is not.
        if !matches!(kind, None | Some("Practitioner" | "PractitionerRole")) {
            return;
        }
        let identifiers = reference.identifier.as_ref().and_then(people::identifier);
        self.practise(
            identifiers.into_iter().chain(condition.map(|(_, text)| text)),
            basis,
        );
        let Some(found) = found else { return };
        if found.kind == "Practitioner" {
            match read::<wire::Practitioner>(found, scope) {
                Ok(practitioner) => {
                    for name in &practitioner.name {
                        people::name(name, &mut self.demographics.others);
                    }
                    self.practise(people::ranked(&practitioner.identifier), basis);
                }
                Err(more) => faults.extend(more),
            }
        } else {
            match read::<wire::PractitionerRole<'_>>(found, scope) {
                Ok(role) => {
                    self.practise(people::ranked(&role.identifier), basis);
                    // Recursion safety: a role that names a role is followed no further.
                    let person = role.practitioner.filter(|person| {
                        target(person, scope).is_none_or(|found| found.kind == "Practitioner")
                    });
                    if let Some(person) = &person {
                        within(found, &role.contained, scope, faults, |scope, faults| {
                            if target(person, scope).is_none_or(|found| found.kind == "Practitioner") {
                                self.person(person, basis, scope, faults);
                            }
                        });
                    }
                }
                Err(more) => faults.extend(more),
            }
        }
    }

    fn practise(&mut self, identifiers: impl IntoIterator<Item = PhiText>, basis: RelationBasis) {
        self.practitioners.extend(
            identifiers
                .into_iter()
                .map(|identifier| Practitioner { identifier, basis }),
        );
    }

    /// Each identifier once for each basis.
    fn once_each(&mut self) {
        let mut seen = std::collections::HashSet::new();
        let keep: Vec<bool> = self
            .practitioners
            .iter()
            .map(|practitioner| seen.insert((practitioner.basis.as_str(), practitioner.identifier.expose())))
            .collect();
        let mut keep = keep.into_iter();
        self.practitioners.retain(|_| keep.next().unwrap_or(false));
    }
}

fn target<'a, 's>(reference: &wire::Reference, scope: &'s Scope<'a, '_>) -> Option<&'s Located<'a>> {
    scope.find(reference.literal.as_ref()?.expose().trim())
}

fn read<'a, T: serde::Deserialize<'a>>(found: &Located<'a>, scope: &Scope<'a, '_>) -> Result<T, Faults> {
    scope
        .entries
        .follow(found)
        .and_then(|()| scope.source.read(found.raw, &found.at))
        .map_err(|fault| vec![fault])
}

/// Goes on in the scope of `found`: an entry has contained resources of its own, a contained one shares its owner's.
fn within<'a>(
    found: &Located<'a>,
    contained: &[&'a serde_json::value::RawValue],
    scope: &Scope<'a, '_>,
    faults: &mut Faults,
    go_on: impl FnOnce(&Scope<'a, '_>, &mut Faults),
) {
    if found.entry.is_none() {
        go_on(scope, faults);
        return;
    }
    match Scope::new(scope.source, scope.entries, contained, &found.at) {
        Ok(own) => go_on(&own, faults),
        Err(more) => faults.extend(more),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::{BundleEntry, Incoming, ReportIn, parse};

    fn exposed(texts: &[PhiText]) -> Vec<&str> {
        texts.iter().map(PhiText::expose).collect()
    }

    fn practitioners(report: &ReportIn) -> Vec<(&str, &str)> {
        let list = &report.submission.practitioners;
        list.iter()
            .map(|one| (one.basis.as_str(), one.identifier.expose()))
            .collect()
    }

    #[test]
    fn contained_people_and_numbers_are_found() {
        let json = r##"{"resourceType": "DiagnosticReport", "status": "final", "conclusion": "Clear.",
            "identifier": [{"system": "urn:acc", "value": "A-1"}], "basedOn": [{"identifier": {"value": "O-1"}}],
            "imagingStudy": [{"identifier": {"system": "urn:dicom:uid", "value": "I-1"}}],
            "subject": {"identifier": {"system": "urn:mrn", "value": "M-1"}, "display": "Alex Example"},
            "encounter": {"reference": "#e", "identifier": {"value": "V-1"}},
            "contained": [
                {"resourceType": "Practitioner", "id": "d", "identifier": [{"system": "urn:npi", "value": "1"}], "name": [{"family": "Reader"}]},
                {"resourceType": "PractitionerRole", "id": "r", "identifier": [{"value": "role-1"}], "practitioner": {"reference": "#d"}},
                {"resourceType": "PractitionerRole", "id": "loop", "practitioner": {"reference": "#loop"}},
                {"resourceType": "Encounter", "id": "e", "identifier": [{"value": "V-2"}],
                 "participant": [{"individual": {"reference": "#d"}}, {"individual": {"display": "Nurse Kim", "reference": "RelatedPerson/1", "identifier": {"value": "x"}}}]}],
            "performer": [{"reference": "#r", "display": "Dr. Reader"}, {"reference": "#loop"},
                {"reference": "Organization/1", "display": "Clinic", "identifier": {"value": "org"}}],
            "resultsInterpreter": [{"reference": "Practitioner?identifier=urn:npi%7C2"}, {"identifier": {"system": "urn:npi", "value": "3"}}, {"reference": "#d"}]}"##;
        let Ok(Incoming::Report(report)) = parse(json.as_bytes()) else {
            panic!("a good report")
        };
        assert_eq!(
            practitioners(&report),
            [
                ("performer", "|role-1"),
                ("performer", "urn:npi|1"),
                ("performer", "urn:npi|2"),
                ("performer", "urn:npi|3"),
                ("encounter", "urn:npi|1"),
            ]
        );
        let known = &report.submission.mentioned;
        assert_eq!(exposed(&known.names), ["Alex Example"]);
        assert_eq!(
            exposed(&known.others),
            ["Dr. Reader", "Reader", "Clinic", "Nurse Kim"]
        );
        assert_eq!(
            exposed(&known.identifiers),
            ["A-1", "O-1", "I-1", "M-1", "V-1", "V-2"]
        );
    }

    #[test]
    fn an_entry_has_contained_resources_of_its_own() {
        let json = r##"{"resourceType": "Bundle", "type": "transaction", "entry": [
            {"fullUrl": "urn:uuid:e", "resource": {"resourceType": "Encounter", "participant": [{"individual": {"reference": "#d"}}, {"individual": {"reference": "urn:uuid:d"}}],
                "contained": [{"resourceType": "Practitioner", "id": "d", "identifier": [{"value": "inner"}]}]}},
            {"fullUrl": "urn:uuid:d", "resource": {"resourceType": "Practitioner", "identifier": [{"value": "entry"}]}},
            {"resource": {"resourceType": "DiagnosticReport", "status": "final", "conclusion": "Clear.", "subject": {"reference": "Patient/1"},
                "encounter": {"reference": "urn:uuid:e"},
                "contained": [{"resourceType": "Practitioner", "id": "d", "identifier": [{"value": "outer"}]}]}}]}"##;
        let Ok(Incoming::Bundle(bundle)) = parse(json.as_bytes()) else {
            panic!("a good Bundle")
        };
        let Some(BundleEntry::Report(report)) = bundle.entries.last() else {
            panic!("a report")
        };
        assert_eq!(
            practitioners(report),
            [("encounter", "|inner"), ("encounter", "|entry")]
        );
    }

    #[test]
    fn a_referenced_resource_that_does_not_fit_is_refused_in_its_place() {
        let json = r##"{"resourceType": "DiagnosticReport", "status": "final", "conclusion": "Clear.", "subject": {"reference": "Patient/1"},
            "performer": [{"reference": "#d"}], "contained": [{"resourceType": "Practitioner", "id": "d", "name": "zebra"}]}"##;
        let refusal = parse(json.as_bytes()).err().expect("a name is a list");
        assert_eq!(
            refusal.issues[0].expression,
            ["DiagnosticReport.contained[0].name"]
        );
        assert!(!format!("{refusal:?}").contains("zebra"));
    }
}
