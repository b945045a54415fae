//! Which language a text is in, by its function words.
//!
//! A text of a language has its most frequent words in a share that texts of another do not reach; telling a few languages of
//! paragraphs apart needs no more (Grefenstette 1995, "Comparing two language identification schemes", JADT '95). Reports are
//! telegraphic, so few such words are enough, and a text without any says nothing.

/// Frequent short words that the other languages here do not share.
const LANGUAGES: [(&str, &str, &[&str]); 7] = [
    (
        "en",
        "English",
        &[
            "the", "is", "are", "of", "and", "with", "there", "was", "were", "within", "without", "has",
            "have", "been", "which", "this", "seen", "normal", "no", "not", "at", "or", "for", "to",
        ],
    ),
    (
        "de",
        "German",
        &[
            "der",
            "die",
            "das",
            "und",
            "ist",
            "sind",
            "nicht",
            "mit",
            "kein",
            "keine",
            "im",
            "des",
            "dem",
            "den",
            "bei",
            "auf",
            "zum",
            "zur",
            "sich",
            "ohne",
            "eine",
            "wird",
            "nach",
            "beidseits",
        ],
    ),
    (
        "fr",
        "French",
        &[
            "le", "la", "les", "des", "du", "est", "pas", "et", "une", "avec", "sans", "dans", "au", "aux",
            "sur", "sont", "il", "cette", "pour", "droit", "gauche",
        ],
    ),
    (
        "es",
        "Spanish",
        &[
            "el",
            "los",
            "las",
            "del",
            "una",
            "con",
            "sin",
            "por",
            "se",
            "es",
            "en",
            "y",
            "son",
            "para",
            "como",
            "derecho",
            "izquierdo",
            "observa",
            "al",
            "lo",
        ],
    ),
    (
        "it",
        "Italian",
        &[
            "il", "lo", "gli", "della", "del", "dei", "con", "senza", "non", "di", "nel", "nella", "sono",
            "alla", "per", "che", "destro", "sinistro", "si",
        ],
    ),
    (
        "pt",
        "Portuguese",
        &[
            "o", "os", "das", "dos", "do", "da", "não", "com", "sem", "uma", "um", "em", "na", "no", "são",
            "ao", "direito", "esquerdo", "e",
        ],
    ),
    (
        "nl",
        "Dutch",
        &[
            "het", "een", "van", "geen", "zijn", "met", "bij", "niet", "op", "en", "de", "voor", "naar",
            "wordt", "rechts", "aan", "te", "links",
        ],
    ),
];
/// Words below which nothing is said.
const LEAST_WORDS: usize = 8;
/// Another language is named from this many of its words, and this share of all words, and when English has fewer.
const LEAST_HITS: usize = 3;
const LEAST_SHARE: f64 = 0.08;

/// The language of a text other than English, where its words say so; `script` for letters that are mostly not Latin.
pub(super) fn foreign(words: &[&str]) -> Option<&'static str> {
    let letters = words
        .iter()
        .flat_map(|word| word.chars())
        .filter(|c| c.is_alphabetic());
    let (mut latin, mut other) = (0_usize, 0_usize);
    for letter in letters {
        // Latin, its supplements and extensions end at U+024F; U+1E00 to U+1EFF are more of it.
        if letter <= '\u{24f}' || ('\u{1e00}'..='\u{1eff}').contains(&letter) {
            latin += 1;
        } else {
            other += 1;
        }
    }
    if other > latin && other >= LEAST_WORDS {
        return Some("another script");
    }
    if words.len() < LEAST_WORDS {
        return None;
    }
    let hits = |list: &[&str]| words.iter().filter(|word| list.contains(word)).count();
    let english = hits(LANGUAGES[0].2);
    LANGUAGES[1..]
        .iter()
        .map(|(_, name, list)| (hits(list), *name))
        .max()
        .filter(|&(most, _)| {
            most >= LEAST_HITS
                && most > english
                && crate::metrics::count(most) >= LEAST_SHARE * crate::metrics::count(words.len())
        })
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<&'static str> {
        let text = text.to_lowercase();
        let words: Vec<&str> = text
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .collect();
        foreign(&words)
    }

    #[test]
    fn languages_are_told_apart() {
        for (text, language) in [
            (
                "The heart is normal in size. No pleural effusion is seen. The lungs are clear.",
                None,
            ),
            (
                "Heart size normal. Lungs clear. No pneumothorax. Stable scarring in left base.",
                None,
            ),
            (
                "Das Herz ist nicht vergrößert. Kein Pleuraerguss, keine Infiltrate in den Lungen. Der Befund ist unauffällig.",
                Some("German"),
            ),
            (
                "Le cœur est de taille normale. Pas d'épanchement pleural. Les poumons sont clairs et sans foyer dans les bases.",
                Some("French"),
            ),
            (
                "El corazón es de tamaño normal. No se observa derrame pleural. Los pulmones son claros y sin consolidación en las bases.",
                Some("Spanish"),
            ),
            (
                "Il cuore è nella norma. Non si osserva versamento pleurico. I campi polmonari sono liberi e senza consolidazioni nella base di destra.",
                Some("Italian"),
            ),
            (
                "Het hart is niet vergroot. Geen pleuravocht, en geen infiltraten in de longen. Bij het hart zijn geen afwijkingen.",
                Some("Dutch"),
            ),
            (
                "Сердце не увеличено. Лёгкие без очаговых и инфильтративных изменений.",
                Some("another script"),
            ),
            ("Unremarkable.", None),
            ("", None),
        ] {
            assert_eq!(of(text), language, "{text}");
        }
    }
}
