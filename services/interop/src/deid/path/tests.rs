//! The vocabulary of rules, and any text.

use proptest::prelude::*;

use super::*;

#[test]
fn rules_vocabulary_parses() {
    for text in [
        "Patient.nodesByType('Address').where(city='KeepTest')",
        "nodesByName(\"telecom\").value",
        "FamilyMemberHistory.condition.onset as Age",
        "Condition.onset | Condition.abatement as Age",
        "(nodesByType('Observation').value as Quantity).value",
        "Device.where(id.exists()).id",
        "$this in ('en-AU' | 'en-CA' | 'en-GB')",
        "('es-AR' | 'es-ES') contains $this",
        "$this <= @2020-01-01T00:00:00Z and $this >= @1990-01-01",
        "$this.startsWith('123') or $this.startsWith('234')",
        "$this.substring(0,2)+'****'",
        "($this div 10)*10",
        r"$this.replaceMatches('(?<y>\\d{4})-\d\d', '${y}')",
        "Observation.component[0].value.ofType(FHIR.Quantity)",
        "name.where(use != 'official' and (family.exists() or given.empty().not())).text",
    ] {
        assert!(Expression::parse(text).is_ok(), "{text}");
    }
    for text in [
        "",
        "Patient.",
        "a b",
        "x('",
        "unknown(1)",
        "a..b",
        "(a",
        "a)",
        "%x",
        "$that",
    ] {
        assert_eq!(Expression::parse(text), Err(NotAPath), "{text}");
    }
    assert_eq!(Expression::parse(&"(".repeat(10_000)), Err(NotAPath));
}

#[test]
fn types_bind_stronger_than_unions() {
    let Ok(Expression::Binary(Operator::Union, _, right)) = Expression::parse("a | b as Age") else {
        panic!("a union")
    };
    assert!(matches!(*right, Expression::Typed(false, _, _)));
    let Ok(Expression::Binary(Operator::Minus, left, _)) = Expression::parse("1 - 2 - 3") else {
        panic!("a difference")
    };
    assert!(matches!(*left, Expression::Binary(Operator::Minus, _, _)));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[-a-z$@'\"`().,|&<>=!~{}\\[\\]\\\\ 0-9é+*/]{0,60}") {
        let _ = Expression::parse(&text);
    }
}
