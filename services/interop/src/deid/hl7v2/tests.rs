//! Messages that lose their patients, and any text.

use proptest::prelude::*;

use super::*;
use crate::deid::{
    Rules,
    compact::compact_date,
    tests::{apply, scrubber, today},
};

const MESSAGE: &str = "MSH|^~\\&|LAB|ZZHOSPITAL|EHR|ZZSITE|20260101101500-0500||ORU^R01^ORU_R01|MSG00001|P|2.5.1\r\
PID|1||M-4711^^^ZZAUTH^MR~999-11-2222^^^SSA^SS||Ferncastle^Rosalind^Q||19620314|F|||12 Acorn St^^Springfield^IL^62704^USA^H||(312)867-5309\r\
NK1|1|Ferncastle^Albert|SPO^Spouse\r\
PV1|1|I|ZZWARD^101||||1234^Physician^Paula|||MED|||||||||V-99\r\
ORC|RE|P-1|F-1\r\
OBR|1|P-1|F-1|36643-5^Chest X-ray^LN|||20260101093000||||||||||||||||||F\r\
OBX|1|TX|36643-5^Chest X-ray^LN||Mrs. Ferncastle\\F\\ Rosalind has a small effusion.~Called Dr. Physician on 01/01/2026.||||||F\r\
OBX|2|NM|2951-2^Sodium^LN||140|mmol/L^^UCUM|||||F\r\
OBX|3|XPN|1^x^L||ZZSECRET^NAME||||||F\r\
OBX|4|NM|30525-0^Age^LN||94|a^^UCUM|||||F\r\
NTE|1||ZZNOTE was here, see Rosalind Ferncastle\r\
ZPI|1|ZZVENDOR\r";

#[test]
fn a_message_loses_its_patient_and_keeps_its_findings() {
    let out = apply(MESSAGE);
    for gone in [
        "ZZ",
        "Ferncastle",
        "Rosalind",
        "Albert",
        "4711",
        "999-11",
        "Acorn",
        "Springfield",
        "867",
        "Physician",
        "V-99",
        "MSG00001",
        "19620314",
        "20260101",
        "01/01/2026",
        "P-1",
    ] {
        assert!(!out.contains(gone), "{gone}: {out}");
    }
    for kept in [
        "MSH|^~\\&|",
        "ORU^R01^ORU_R01",
        "|P|2.5.1\r",
        "^^^^MR~",
        "|F|||^^^IL^62700^USA^H",
        "36643-5^Chest X-ray^LN",
        "small effusion",
        "2951-2^Sodium^LN||140|mmol/L^^UCUM|||||F",
        "OBX|4|NM|30525-0^Age^LN||90|",
        "SPO^Spouse",
    ] {
        assert!(out.contains(kept), "{kept}: {out}");
    }
    let field = |segment: &str, number: usize| {
        let line = out
            .split('\r')
            .find(|line| line.starts_with(segment))
            .expect("a segment");
        line.split('|').nth(number).unwrap_or("").to_owned()
    };
    assert_eq!(field("ORC", 2), field("OBR", 2));
    assert_eq!(field("OBX|3", 5), "");
    // The birthday and the examination move by the same days.
    let day = |text: &str| compact_date(text).expect("a date");
    let moved = day("20260101") - day(&field("OBR", 7));
    assert_eq!(day("19620314") - day(&field("PID", 7)), moved);
    assert!(field("OBR", 7).ends_with("093000"));
}

#[test]
fn other_delimiters_and_lines_are_read() {
    let other = MESSAGE.replace('\r', "\n");
    let other = other.replace('&', "!").replace('^', "*").replace('|', "$");
    let out = apply(&other);
    assert!(
        out.starts_with("MSH$*~\\!$")
            && out.contains("36643-5*Chest X-ray*LN")
            && !out.contains("Ferncastle"),
        "{out}"
    );
    assert_eq!(
        Rules::standard().apply(scrubber(), &Origin::on(today()), "MSH"),
        Err(DeidError::NotEr7)
    );
}

proptest! {
    #[test]
    fn no_message_makes_it_panic(text in "(MSH|FHS)[|^~&\\\\A-Z0-9\r\n é.-]{0,200}") {
        let _ = Rules::standard().apply(scrubber(), &Origin::on(today()), &text);
    }

    #[test]
    fn what_stands_in_no_listed_field_goes(number in 1_usize..60, segment in "(PID|PV1|NK1|ORC|OBR|IN1|ZXX|GT1)") {
        let text = format!("{MESSAGE}{segment}{}QQSENTINELQQ\r", "|".repeat(number));
        let rules = Rules::standard();
        let listed = rules.hl7v2.fields.get(segment.as_str()).is_some_and(|fields| fields.contains_key(&number));
        let out = rules.apply(scrubber(), &Origin::on(today()), &text).expect("a message");
        prop_assert!(listed || !out.contains("QQSENTINELQQ"));
    }
}
