//! Documents that lose their patients, and any text.

use proptest::prelude::*;

use super::*;
use crate::deid::{
    Rules,
    tests::{apply, scrubber, today},
};

const DOCUMENT: &str = r#"<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:v="urn:vendor:secret">
  <id root="1.2.3" extension="D-1"/><effectiveTime value="20260102103000-0500"/>
  <recordTarget><patientRole><id root="1.2.3" extension="M-4711"/>
<addr><city>Springfield</city><state>IL</state><postalCode>62704</postalCode></addr>
<telecom value="tel:+1-312-867-5309"/>
<patient><name><given>Rosalind</given><family>Ferncastle</family></name><birthTime value="19620314"/></patient>
  </patientRole></recordTarget>
  <component><structuredBody><component><section>
<title>Findings of Rosalind Ferncastle</title>
<text><table><tr><td>Rosalind Ferncastle</td><td>sodium 140 mmol/L</td></tr></table></text>
<entry><observation classCode="OBS" moodCode="EVN"><id root="1.2.3" extension="M-4711"/>
  <code code="2951-2" displayName="Sodium"/><effectiveTime><low value="20260101"/></effectiveTime>
  <value xsi:type="PQ" value="140" unit="mmol/L"/><value xsi:type="ST">seen by Rosalind Ferncastle</value>
  <value xsi:type="PN"><given>Secret</given></value><v:note>Secret</v:note><vendorNote>Secret</vendorNote>
  <value xsi:type="PQ" value="94" unit="a"/><value xsi:type="CD" code="M-4711"/>
</observation></entry></section></component></structuredBody></component>
</ClinicalDocument>"#;

#[test]
fn a_document_loses_its_patient_and_keeps_its_findings() {
    let out = apply(DOCUMENT);
    for gone in [
        "Rosalind",
        "Ferncastle",
        "4711",
        "867",
        "Springfield",
        "Secret",
        "vendor",
        "19620314",
        "20260101",
        "20260102",
        "D-1",
        "\"94\"",
        "1.2.3",
    ] {
        assert!(!out.contains(gone), "{gone}: {out}");
    }
    for kept in [
        "<state>IL</state><postalCode>62700</postalCode>",
        "sodium 140 mmol/L",
        "displayName=\"Sodium\"",
        "value=\"140\" unit=\"mmol/L\"",
        "value=\"90\" unit=\"a\"",
        "103000-0500",
        "seen by",
    ] {
        assert!(out.contains(kept), "{kept}: {out}");
    }
    // The same number is the same pseudonym in both places.
    let root = out
        .split("root=\"")
        .map(|part| &part[..part.find('"').unwrap_or(0)])
        .collect::<Vec<_>>();
    assert_eq!(root[2], root[3]);
}

#[test]
fn a_prefix_is_no_matter() {
    let open = DOCUMENT
        .replace("xmlns=", "xmlns:c=")
        .replace("<v:note>", "<v_note>")
        .replace("</v:note>", "</v_note>");
    let prefixed = open
        .replace("</", "\u{1}")
        .replace('<', "<c:")
        .replace('\u{1}', "</c:");
    let out = apply(&prefixed);
    assert!(
        out.contains("<c:state>IL</c:state>") && out.contains("seen by") && !out.contains("Secret"),
        "{out}"
    );
}

#[test]
fn another_document_is_refused() {
    let refused = |text: &str| Rules::standard().apply(scrubber(), &Origin::on(today()), text);
    assert_eq!(refused("<html/>"), Err(DeidError::NotCcda));
    assert_eq!(refused("<ClinicalDocument>"), Err(DeidError::NotCcda));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "<(ClinicalDocument|id|value|/|[a-z:]{1,4}|[ =\"'<>&;!?-]){1,30}") {
        let _ = Rules::standard().apply(scrubber(), &Origin::on(today()), &text);
    }
}
