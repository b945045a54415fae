//! Other ways to write a name.

use super::token::fold;

/// Scripts that are written without blanks between words.
pub(crate) fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{eff}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{20000}'..='\u{2fa1f}')
}

/// Spellings of one word of a name with and without umlauts: `Müller`, `Mueller`, `Muller`.
pub(crate) fn spellings(word: &str) -> Vec<String> {
    let lower = word.to_lowercase();
    let mut out = Vec::new();
    if lower.chars().any(|c| matches!(c, 'ä' | 'ö' | 'ü' | 'ø' | 'å')) {
        let wide: String = lower
            .chars()
            .map(|c| match c {
                'ä' => "ae".to_owned(),
                'ö' | 'ø' => "oe".to_owned(),
                'ü' => "ue".to_owned(),
                'å' => "aa".to_owned(),
                other => other.to_string(),
            })
            .collect();
        out.push(fold(&wide));
    }
    let folded = fold(word);
    if folded.is_ascii()
        && folded.len() > 4
        && ["ae", "oe", "ue", "aa"].iter().any(|pair| folded.contains(pair))
    {
        out.push(
            folded
                .replace("ae", "a")
                .replace("oe", "o")
                .replace("ue", "u")
                .replace("aa", "a"),
        );
    }
    out.retain(|word| word.chars().all(char::is_alphanumeric));
    out
}
