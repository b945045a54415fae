//! Contacts that lead nowhere: numbers and addresses that are reserved for fiction and documentation.

use super::surrogate::{Surrogates, replaced};
use super::token::tokens;

impl Surrogates<'_> {
    /// Ten digits end in 555-01xx, which the North American numbering plan reserves for fiction; what is left is drawn.
    /// An extension is drawn too.
    pub(super) fn phone(&self, old: &str) -> String {
        let cut = old.find(|c: char| c.is_alphabetic()).unwrap_or(old.len());
        let (main, extension) = old.split_at(cut);
        let digits: Vec<char> = main.chars().filter(char::is_ascii_digit).collect();
        if digits.len() < 7 {
            return self.code(old);
        }
        // The country code of the plan stays, so that the form does.
        let country = digits.len() == 11 && digits.first() == Some(&'1');
        let main = self.spelled("phone", main, |at, byte, old| match at {
            2 => '1',
            3 => '0',
            4..=6 => '5',
            9 => char::from(b'2' + byte % 8),
            10 if country => old,
            _ => char::from(b'0' + byte % 10),
        });
        let extension: String = tokens(extension).iter().fold(extension.to_owned(), |out, token| {
            if token.is_word() {
                out
            } else {
                replaced(&out, &token.range(), &self.code(&extension[token.range()]))
            }
        });
        main + &extension
    }

    pub(super) fn email(&self, old: &str) -> String {
        format!(
            "u{:08x}@example.org",
            self.number("email", &old.to_lowercase(), 0) >> 32
        )
    }

    pub(super) fn url(&self, old: &str) -> String {
        let scheme = old.find("://").and_then(|at| old.get(..at + 3)).unwrap_or("");
        format!(
            "{scheme}example.org/{:08x}",
            self.number("url", &old.to_lowercase(), 0) >> 32
        )
    }

    /// Documentation addresses: RFC 5737 (IPv4), RFC 3849 (IPv6), RFC 7042 (MAC).
    pub(super) fn address(&self, old: &str) -> String {
        let number = self.number("address", &old.to_lowercase(), 0);
        let [.., high, low] = number.to_be_bytes();
        let new = if old.contains("::") || old.matches(':').count() == 7 || old.matches(':').count() == 6 {
            format!("2001:db8::{high:x}{low:02x}")
        } else if old.contains('.') && !old.contains(':') && old.matches('.').count() == 3 {
            format!("192.0.2.{}", 1 + low % 254)
        } else {
            let separator = if old.contains('-') { '-' } else { ':' };
            ["00", "00", "5e", "00", "53", &format!("{low:02x}")].join(&separator.to_string())
        };
        if new.eq_ignore_ascii_case(old) {
            format!("192.0.2.{}", 1 + high % 254)
        } else {
            new
        }
    }
}
