//! Numbers and codes in the form of those that they replace.

use super::surrogate::Surrogates;

impl Surrogates<'_> {
    /// Digit for digit and letter for letter. The value without separators and leading zeros decides, counted from its
    /// end, so that `00-123` and `123` agree.
    pub(super) fn code(&self, old: &str) -> String {
        self.spelled("code", old, |_, byte, old| match old {
            '0'..='9' => char::from(b'0' + byte % 10),
            'a'..='z' => char::from(b'a' + byte % 26),
            'A'..='Z' => char::from(b'A' + byte % 26),
            other if other.is_alphanumeric() => char::from(b'a' + byte % 26),
            other => other,
        })
    }

    /// Rewrites the letters and digits of `old` by `write(position from the end, random byte, character)`, again with
    /// other bytes while nothing has changed.
    pub(super) fn spelled(&self, class: &str, old: &str, write: impl Fn(usize, u8, char) -> char) -> String {
        let canonical: String = old
            .chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_uppercase)
            .collect();
        // Its digest stands for the value, so that a run of any length is hashed once.
        let canonical = seal::Digest::of(canonical.trim_start_matches('0').as_bytes()).to_string();
        let old_chars: Vec<char> = old.chars().collect();
        let black = blacked_out(&old_chars);
        let length = old_chars.iter().filter(|c| c.is_alphanumeric()).count();
        for counter in 0..16 {
            let mut left = length;
            let mut drawn = (usize::MAX, [0; 32]);
            let new: String = old_chars
                .iter()
                .zip(&black)
                .map(|(&c, &black)| {
                    if !c.is_alphanumeric() {
                        return c;
                    }
                    left -= 1;
                    if black {
                        return c;
                    }
                    if drawn.0 != left / 32 {
                        let salt = counter + 16 * u32::try_from(left / 32).unwrap_or(0);
                        drawn = (left / 32, self.bytes(class, &canonical, salt));
                    }
                    write(left, drawn.1[left % 32], c)
                })
                .collect();
            if new != old {
                return new;
            }
        }
        // Sixteen draws alike leave one digit a chance of 10^-16: say that something was here.
        old.chars()
            .map(|c| if c.is_alphanumeric() { 'X' } else { c })
            .collect()
    }
}

/// Which characters earlier de-identification blacked out: runs of three X or more, which stay as they are.
fn blacked_out(chars: &[char]) -> Vec<bool> {
    let mut black = Vec::with_capacity(chars.len());
    for run in chars.chunk_by(|a, b| a == b) {
        black.extend(std::iter::repeat_n(
            run.first() == Some(&'X') && run.len() > 2,
            run.len(),
        ));
    }
    black
}
