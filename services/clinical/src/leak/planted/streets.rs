//! Streets and addresses as several countries write them.

use super::super::draws::Draws;
use super::people::{Lists, capital};

const STATES: [&str; 20] = [
    "TX",
    "CA",
    "NY",
    "OH",
    "IL",
    "PA",
    "MA",
    "GA",
    "WA",
    "Texas",
    "Ohio",
    "California",
    "FL",
    "MI",
    "NJ",
    "NC",
    "Oregon",
    "Vermont",
    "MO",
    "MN",
];

const COUNTRIES: [&str; 16] = [
    "Germany",
    "France",
    "Spain",
    "Italy",
    "Poland",
    "Sweden",
    "Norway",
    "Canada",
    "Australia",
    "United Kingdom",
    "Brazil",
    "Austria",
    "Belgium",
    "Finland",
    "South Africa",
    "New Zealand",
];

const TYPES: [&str; 22] = [
    "Street", "St", "Avenue", "Ave", "Road", "Rd", "Drive", "Dr", "Lane", "Ln", "Court", "Way", "Place",
    "Blvd", "Circle", "Terrace", "Crescent", "Close", "Parkway", "Trail", "Square", "Hill",
];

pub(super) fn state(draws: &mut Draws) -> &'static str {
    draws.one(&STATES)
}

pub(super) fn country(draws: &mut Draws) -> &'static str {
    draws.one(&COUNTRIES)
}

/// The name of a street without its number.
pub(super) fn street_name(lists: &Lists, draws: &mut Draws) -> String {
    let word = if draws.chance(60) {
        lists.surnames.one(draws)
    } else {
        lists.cities.one(draws)
    };
    let name = capital(word);
    match draws.below(20) {
        0 => format!("{name}strasse"),
        1 => format!("{name}weg"),
        2 => format!("ul. {name}"),
        3 => format!("Rua {name}"),
        4 => format!("Via {name}"),
        5 => format!("Rue de {name}"),
        6 => format!("{name}gatan"),
        7 => format!("Calle {name}"),
        _ => format!("{name} {}", draws.one(&TYPES)),
    }
}

/// A street with its number, before or behind it, sometimes with a flat.
pub(super) fn street(lists: &Lists, draws: &mut Draws) -> String {
    let most = if draws.chance(70) { 400 } else { 9999 };
    let number = 1 + draws.below(most);
    let name = street_name(lists, draws);
    let behind = name.ends_with("strasse")
        || name.ends_with("weg")
        || name.ends_with("gatan")
        || ["ul. ", "Rua ", "Via ", "Calle "]
            .iter()
            .any(|kind| name.starts_with(kind))
        || draws.chance(10);
    let line = if behind {
        format!("{name} {number}")
    } else {
        format!("{number} {name}")
    };
    match draws.below(12) {
        0 => format!("{line}, Apt {}", 1 + draws.below(40)),
        1 => format!("{line} Suite {}", 100 + draws.below(900)),
        _ => line,
    }
}

/// A whole address on one line or on several.
pub(super) fn address(lists: &Lists, draws: &mut Draws) -> String {
    let street = street(lists, draws);
    let mut city = capital(lists.cities.one(draws));
    if draws.chance(20) {
        city = format!("{city} {}", capital(lists.cities.one(draws)));
    }
    if draws.chance(15) {
        city = city.to_uppercase();
    }
    let between = if draws.chance(50) {
        ", "
    } else if draws.chance(60) {
        "\n"
    } else {
        " "
    };
    let zip = format!("{:05}", draws.below(99_999));
    match draws.below(4) {
        0 => format!("{street}{between}{city}"),
        1 => format!("{street}{between}{city}, {} {zip}", state(draws)),
        2 => format!("{street}{between}{city}{between}{} {zip}", country(draws)),
        _ => format!("{street}{between}{city}, {zip}"),
    }
}
