//! What paths find and what expressions calculate.

use super::*;
use crate::deid::json::Json;

const PATIENT: &str = r#"{"resourceType": "Patient", "id": "1", "active": true, "birthDate": "1950-02-03",
    "contained": [{"resourceType": "Observation", "id": "o", "valueQuantity": {"value": 4.5}}],
    "multipleBirthInteger": 18, "deceasedDateTime": "2001",
    "address": [{"city": "A", "postalCode": "12345", "_city": {"extension": [{"url": "u", "valueString": "x"}]}}, {"city": "B"}]}"#;

fn tree() -> Tree {
    Tree::read(&Json::read(PATIENT).expect("JSON")).expect("a resource")
}

fn count(path: &str) -> usize {
    let tree = tree();
    nodes(&Expression::parse(path).expect("a path"), &tree, Tree::ROOT)
        .expect("it fits")
        .len()
}

#[test]
fn paths_find_elements() {
    for (path, wanted) in [
        ("Patient", 1),
        ("Resource.id", 1),
        ("Observation", 0),
        ("address.city", 2),
        ("address[1].city", 1),
        ("nodesByType('Address').where(city='A').postalCode", 1),
        ("nodesByType('string')", 4),
        ("nodesByType('Quantity')", 0),
        ("contained", 1),
        ("contained.value.ofType(Quantity).value", 1),
        ("nodesByName('city') | address.city", 2),
        ("address.city.extension('u')", 1),
        ("multipleBirth as integer", 1),
        ("multipleBirth as boolean", 0),
        ("address.where(city = 'B' or postalCode.startsWith('123'))", 2),
        ("descendants()", 13),
    ] {
        assert_eq!(count(path), wanted, "{path}");
    }
}

#[test]
fn expressions_calculate() {
    let tree = tree();
    let of = |path: &str, text: &str| {
        let node = nodes(&Expression::parse(path).expect("a path"), &tree, Tree::ROOT).expect("it fits")[0];
        let expression = Expression::parse(text).expect("an expression");
        scalar(&expression, &tree, node).map(|value| value.map(|value| value.text().to_owned()))
    };
    let some = |text: &str| Ok(Some(text.to_owned()));
    assert_eq!(of("multipleBirth", "($this div 10)*10"), some("10"));
    assert_eq!(of("multipleBirth", "$this / 4"), some("4.5"));
    assert_eq!(of("multipleBirth", "$this in (17 | 18)"), some("true"));
    assert_eq!(
        of("birthDate", "$this >= @1950-01-01 and $this < @1951"),
        some("true")
    );
    assert_eq!(of("birthDate", "$this > @1950"), Ok(None));
    assert_eq!(of("deceased", "$this <= @2020-01-01T00:00:00Z"), some("true"));
    assert_eq!(
        of("birthDate", r"$this.replaceMatches('(\\d+)-(\\d+)-\\d+', '$1')"),
        some("1950")
    );
    assert_eq!(
        of("address[0].postalCode", "$this.substring(0,3)+'**'"),
        some("123**")
    );
    assert_eq!(of("address[0].postalCode", "$this >= 0"), Err(Misfit));
    assert_eq!(of("active", "iif($this, 'a' & 'b', 'c')"), some("ab"));
    assert_eq!(of("address[0].city", "$this.lower().length() + 1"), some("2"));
    assert_eq!(of("address[0].city", "'a' = {} or true"), some("true"));
}
