//! Many patterns in one automaton, one pass over the text.

use std::ops::Range;

use regex_automata::meta::{BuildError, Regex};
use regex_automata::util::captures::Captures;
use regex_automata::{Anchored, Input};

/// Patterns with what each of them means. Matches are sought from left to right; where several patterns match at one
/// place, the first of the list wins.
///
/// Every pattern bounds its repetitions, or is accepted whenever it matches: otherwise a long run that keeps one pattern
/// hoping while another one matches again and again would cost the square of its length.
pub(crate) struct RuleSet<R> {
    regex: Regex,
    rules: Vec<R>,
}

/// Bytes of the lazily built automaton of one rule set and one thread, at most: enough for the states that clinical text
/// visits, so that none is built twice.
const CACHE: usize = 32 << 20;

/// A refused match longer than this is not searched for matches inside it.
const LONGEST_RETRY: usize = 256;

impl<R: Copy> RuleSet<R> {
    pub(crate) fn new(patterns: Vec<(R, String)>) -> Result<Self, Box<BuildError>> {
        let (rules, patterns): (Vec<R>, Vec<String>) = patterns.into_iter().unzip();
        Ok(Self {
            regex: Regex::builder()
                .configure(Regex::config().hybrid_cache_capacity(CACHE))
                .build_many(&patterns)
                .map_err(Box::new)?,
            rules,
        })
    }

    /// Offers every match to `accept`, which returns whether it took it. Behind a match that was taken the search goes
    /// on at its end, behind a refused one at the end of its first word.
    pub(crate) fn each(&self, text: &str, mut accept: impl FnMut(R, Range<usize>, &Captures) -> bool) {
        let mut captures = self.regex.create_captures();
        let mut from = 0;
        while from < text.len() {
            let Some(found) = self.regex.search(&Input::new(text).range(from..)) else {
                break;
            };
            let range = found.range();
            captures.clear();
            // Groups cost another look at the match, which most patterns are spared.
            if self.regex.group_info().group_len(found.pattern()) > 1 {
                let again = Input::new(text)
                    .range(range.clone())
                    .anchored(Anchored::Pattern(found.pattern()));
                self.regex.search_captures(&again, &mut captures);
            }
            let taken = self
                .rules
                .get(found.pattern().as_usize())
                .is_some_and(|&rule| accept(rule, range.clone(), &captures));
            from = if taken || range.len() > LONGEST_RETRY {
                range.end
            } else {
                let word = text[range.clone()]
                    .find(|c: char| !c.is_alphanumeric())
                    .unwrap_or(range.len());
                let first = text[range.clone()].chars().next().map_or(1, char::len_utf8);
                range.start + word.max(first)
            };
        }
    }
}

/// The bytes of a named group.
pub(crate) fn group(captures: &Captures, name: &str) -> Option<Range<usize>> {
    captures.get_group_by_name(name).map(|span| span.range())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_matches_are_searched_again_behind_their_first_word() {
        let rules =
            RuleSet::new(vec![(1, "[a-z]+ [a-z]+".to_owned()), (2, "[0-9]+".to_owned())]).expect("compiles");
        let text = "ab cd ef 12";
        let mut seen = Vec::new();
        rules.each(text, |rule, range, _| {
            seen.push((rule, text[range.clone()].to_owned()));
            &text[range] != "ab cd"
        });
        assert_eq!(
            seen,
            [
                (1, "ab cd".to_owned()),
                (1, "cd ef".to_owned()),
                (2, "12".to_owned())
            ]
        );
    }
}
