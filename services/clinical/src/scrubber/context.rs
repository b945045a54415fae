//! What stands around a find: the word before, the word behind, a unit of measurement.

/// Units that turn a number before them into a measurement, folded.
const UNITS: &str = "bag beats bottles bpm breaths calories caps capsules cc cells cfu cm cmh copies cubic cycles db degrees dl \
    doses drops f feet fl fr french ft g gauge gm gms grams gtt gy h hours hr hrs hz inch inches iu joules kcal \
    kg kilograms kpa l lb lbs liters litres lpm ma mcg mci mcl mcm meq meters mg mhz micrograms microns milligrams \
    min mins minutes ml mm mmhg mmol mosm mpa ms msec mv ng nm oz packs patches pg pounds puffs sec seconds sprays \
    tab tablets tabs torr u ug units x";

/// Units that are written with a capital: after Charrière (`19 Fr`), Hertz and Gray.
const CAPITAL_UNITS: [&str; 3] = ["fr", "gy", "hz"];

/// The word that ends before `at`, in small letters, past blanks and light punctuation; empty where there is none.
pub(crate) fn word_before(text: &str, at: usize) -> String {
    let head = text.get(..at).unwrap_or("");
    let head = head.trim_end_matches([' ', '\t', '\n', '\r', ':', ',', '(', '#', '.', '=', '~', '-']);
    // No word of a language that is asked for here is longer.
    let reach = floor(head, head.len().saturating_sub(24));
    let start = head[reach..]
        .rfind(|c: char| !c.is_alphanumeric() && c != '/')
        .map_or(reach, |found| {
            let width = head[reach + found..].chars().next().map_or(1, char::len_utf8);
            reach + found + width
        });
    head[start..].to_ascii_lowercase()
}

/// The word that starts behind `at`, in small letters, past blanks and one hyphen; empty where there is none.
pub(crate) fn word_after(text: &str, at: usize) -> String {
    let tail = text.get(at..).unwrap_or("");
    let tail = tail.trim_start_matches([' ', '\t', '-', '\n', '\r']);
    let end = tail
        .char_indices()
        .take(24)
        .find(|(_, c)| !c.is_alphabetic())
        .map_or(tail.len().min(24), |(end, _)| end);
    tail.get(..end).unwrap_or("").to_ascii_lowercase()
}

/// Whether the number that ends at `at` is followed by a unit, a percent or a degree sign.
pub(crate) fn has_unit(text: &str, at: usize) -> bool {
    let tail = text.get(at..).unwrap_or("").trim_start_matches([' ', '-']);
    if tail.starts_with(['%', '°', 'µ', 'μ', '×', 'ｘ']) {
        return true;
    }
    // A unit stands on the line of its number, and only its first letter alone is ever written large (`5 L`; `Ms` is a title).
    let length = tail.chars().take_while(|c| c.is_alphabetic()).count();
    let mut letters = tail.chars().take(length.min(2));
    let title =
        letters.next().is_some_and(char::is_uppercase) && letters.next().is_some_and(char::is_lowercase);
    let word = word_after(text, at);
    length > 0 && (!title || CAPITAL_UNITS.contains(&word.as_str())) && is_unit(&word)
}

/// Whether the digits that end at `at` go on behind one of `signs`: a decimal, a date, a range.
pub(crate) fn goes_on(text: &str, at: usize, signs: &[char]) -> bool {
    let mut rest = text.get(at..).unwrap_or("").chars();
    rest.next().is_some_and(|c| signs.contains(&c)) && rest.next().is_some_and(|c| c.is_ascii_digit())
}

/// Whether a folded word is a unit.
pub(crate) fn is_unit(word: &str) -> bool {
    listed(UNITS, word)
}

/// Whether `word` is one of the words of `list`, which blanks separate.
pub(crate) fn listed(list: &str, word: &str) -> bool {
    !word.is_empty() && list.split(' ').any(|other| other == word)
}

/// The last `bytes` bytes before `at`, in small letters.
pub(crate) fn before(text: &str, at: usize, bytes: usize) -> String {
    let from = floor(text, at.saturating_sub(bytes));
    text.get(from..at).unwrap_or("").to_ascii_lowercase()
}

/// The nearest character boundary at or below `at`.
pub(crate) fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len()))
        .rev()
        .find(|&at| text.is_char_boundary(at))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_found() {
        let text = "Seen on 3/14 mm, é: 5 mg";
        let at = text.find('3').unwrap_or(0);
        assert_eq!(word_before(text, at), "on");
        assert_eq!(word_after(text, at + 4), "mm");
        assert!(has_unit(text, at + 4) && has_unit("5-mg", 1) && has_unit("5 %", 1) && !has_unit("5 of", 1));
        assert_eq!(word_before(text, text.find('5').unwrap_or(0)), "é");
        assert!(goes_on("3.5", 1, &['.']) && !goes_on("3.", 1, &['.']) && !goes_on("3/5", 1, &['.']));
        assert_eq!(before(text, 7, 3), " on");
        assert_eq!(
            (word_before("", 0), word_after("", 0)),
            (String::new(), String::new())
        );
    }
}
