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

fn letter(draws: &mut Draws) -> char {
    char::from(b"ABCEGHJKLMNPRSTVXY"[draws.below(18)])
}

/// The name of a street without its number.
pub(super) fn street_name(lists: &Lists, draws: &mut Draws) -> String {
    let word = if draws.chance(60) {
        lists.surnames.one(draws)
    } else {
        lists.cities.one(draws)
    };
    let name = capital(word);
    let given = |draws: &mut Draws| capital(lists.forenames.one(draws));
    match draws.below(72) {
        0 => format!("{name}strasse"),
        1 => format!("{name}weg"),
        2 => format!("ul. {name}"),
        3 => format!("Rua {name}"),
        4 => format!("Via {name}"),
        5 => format!("Rue de {name}"),
        6 => format!("{name}gatan"),
        7 => format!("Calle {name}"),
        8 => format!("{name} u."),
        9 => format!("{name} út"),
        10 => format!("{name} tee"),
        11 => format!("{name}katu"),
        12 => format!("{name}vej"),
        13 => format!("{name}straat"),
        14 => format!("rue {name}"),
        15 => format!("Avenida {name}"),
        16 => format!("Boulevard {} {name}", capital(lists.forenames.one(draws))),
        17 => format!("Rúa do {name}"),
        18 => name,
        19 => format!(
            "{}-{name}-{}",
            given(draws),
            draws.one(&["Platz", "Allee", "Weg", "Ring", "Straße"])
        ),
        20 => format!(
            "{name}{}",
            draws.one(&[
                "laan", "singel", "dreef", "gracht", "plein", "gasse", "gränd", "vägen", "platz", "stigen"
            ])
        ),
        21 => format!(
            "{} {name}",
            draws.one(&[
                "Piazza", "Viale", "Corso", "Vicolo", "Contrada", "Largo", "Strada", "Borgo"
            ])
        ),
        22 => format!(
            "{} {} {name}",
            draws.one(&["Avenida", "Calle", "Paseo", "Plaza", "Camino", "C.", "Av."]),
            given(draws)
        ),
        23 => format!(
            "{} de {name}",
            draws.one(&["Rua", "Travessa", "Praça", "Vale", "Alameda", "Largo"])
        ),
        24 => format!(
            "{} {name}",
            draws.one(&["ul.", "pl.", "al.", "plac", "aleja", "os."])
        ),
        25 => format!(
            "{} {name}",
            draws.one(&["chemin", "boulevard", "avenue", "impasse", "place", "rue de"])
        ),
        26 => format!(
            "{name} {}",
            draws.one(&["utca", "tér", "ulica", "cesta", "put", "tie", "polku"])
        ),
        27 => format!(
            "{name} {}",
            draws.one(&[
                "Villas", "Locks", "Mill", "Island", "Ramp", "Pass", "Crest", "Radial", "Forges", "Points",
                "Walks"
            ])
        ),
        _ => format!("{name} {}", draws.one(&TYPES)),
    }
}

/// A street with its number, before or behind it, sometimes with a flat or with another number before it.
pub(super) fn street(lists: &Lists, draws: &mut Draws) -> String {
    let most = if draws.chance(70) { 400 } else { 9999 };
    let number = 1 + draws.below(most);
    let name = street_name(lists, draws);
    let number = match draws.below(16) {
        0 => format!("{number}{}", draws.one(&["a", "b", "c", "A", "B"])),
        1 => format!("{number}/{}", 1 + draws.below(90)),
        _ => number.to_string(),
    };
    let english = TYPES.iter().any(|kind| name.ends_with(kind));
    let behind = if english {
        draws.chance(10)
    } else {
        draws.chance(85)
    };
    let mut line = if behind {
        format!("{name} {number}")
    } else {
        format!("{number} {name}")
    };
    if draws.chance(4) {
        line = format!(
            "{} {}\n{line}",
            draws.one(&["Flat", "Studio", "Level", "Unit", "Apt."]),
            1 + draws.below(99)
        );
    }
    if draws.chance(15) {
        line = format!("{} {line}", draws.below(99_999));
    }
    match draws.below(12) {
        0 => format!("{line}, Apt {}", 1 + draws.below(40)),
        1 => format!("{line} Suite {}", 100 + draws.below(900)),
        2 => format!("{line} Apt. {}", 100 + draws.below(900)),
        _ => line,
    }
}

/// The name of a city as addresses write it.
fn town(lists: &Lists, draws: &mut Draws) -> String {
    let city = capital(lists.cities.one(draws));
    let city = match draws.below(12) {
        0 => format!("{city} {}", capital(lists.cities.one(draws))),
        1 => format!(
            "{city} {} {}",
            draws.one(&["u", "v", "do", "de", "am", "sur", "del", "la"]),
            capital(lists.cities.one(draws))
        ),
        2 => format!("{city} {}", draws.one(&["K", "V", "C", "S", "N"])),
        3 => format!("Cite {city}"),
        _ => city,
    };
    if draws.chance(20) {
        city.to_uppercase()
    } else {
        city
    }
}

/// A whole address on one line or on several.
pub(super) fn address(lists: &Lists, draws: &mut Draws) -> String {
    let street = street(lists, draws);
    let city = town(lists, draws);
    let between = if draws.chance(50) {
        ", "
    } else if draws.chance(60) {
        "\n"
    } else {
        " "
    };
    let zip = match draws.below(10) {
        0 => format!("{:02}-{:03}", draws.below(99), draws.below(999)),
        1 => format!(
            "{}{}{} {}{}{}",
            letter(draws),
            draws.below(9),
            letter(draws),
            draws.below(9),
            letter(draws),
            draws.below(9)
        ),
        2 => format!(
            "{}{} {}{}{}",
            letter(draws),
            1 + draws.below(29),
            draws.below(9),
            letter(draws),
            letter(draws)
        ),
        3 => format!(
            "{:04}{}{}",
            1000 + draws.below(8999),
            letter(draws),
            letter(draws)
        ),
        4 => format!("{:04}", 1000 + draws.below(8999)),
        _ => format!("{:05}", draws.below(99_999)),
    };
    match draws.below(7) {
        6 => format!(
            "{street}{between}{zip}, {city} ({}{})",
            letter(draws),
            letter(draws)
        ),
        0 => format!("{street}{between}{city}"),
        4 => format!("{street}{between}{zip} {city}"),
        5 => format!("{street}{between}{city}{between}{}", country(draws)),
        1 => format!("{street}{between}{city}, {} {zip}", state(draws)),
        2 => format!("{street}{between}{city}{between}{} {zip}", country(draws)),
        _ => format!("{street}{between}{city}, {zip}"),
    }
}
