//! Telephone and fax numbers, e-mail, web and network addresses.

use std::net::Ipv6Addr;
use std::ops::Range;

use regex_automata::meta::BuildError;

use super::context::{before, floor, has_unit};
use super::hit::{Hit, Kind};
use super::rules::{RuleSet, group};
use crate::PhiClass;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    SpokenEmail,
    Url,
    Domain,
    Ip4,
    Ip6,
    Mac,
    /// A number in a telephone's own form.
    Phone,
    /// A number that needs a word of telephony before it.
    ShortPhone,
    /// A word of telephony with its number.
    LabelledPhone,
    /// A number with a word of telephony behind it.
    TrailedPhone,
    /// An extension of a house alone: `x5512`.
    Extension,
    Handle,
}

/// The rules for contacts.
pub(crate) struct Contacts {
    rules: RuleSet<Rule>,
}

/// Top-level domains that occur in notes; others need a scheme or `www`.
const TOP: &str = "(?:com|org|net|edu|gov|mil|info|biz|health|care|clinic|hospital|med|example|test|invalid|io|ai|app|dev|us|uk|ca|de|fr|eu|au|in|\
                   il|nl|it|es|ch|se|no|dk|fi|be|at|pl|cz|ie|nz|jp|cn|br|mx|za|ru)";

/// Words that announce a telephone number.
const TELEPHONY: &str = "phone tel fax cell mobile pager page call contact reach ext line beeper dial text home work whatsapp number \
    sms voicemail hotline facsimile registered ph:";

impl Contacts {
    pub(crate) fn new() -> Result<Self, Box<BuildError>> {
        let rules: Vec<(Rule, String)> = vec![
            (Rule::Url, "(?i)(?-u:\\b)(?:https?|ftp|sftp|mailto|tel)://?[^\\s<>\"|]*[A-Za-z0-9/]".into()),
            (Rule::Url, "(?i)(?-u:\\b)www\\.[^\\s<>\"|]*[A-Za-z0-9/]".into()),
            (
                Rule::SpokenEmail,
                format!("(?i)(?-u:\\b)[a-z0-9._-]{{1,40}}[ ]?(?:\\[at\\]|\\(at\\)|[ ]at[ ])[ ]?[a-z0-9-]{{1,40}}(?:[ ]?(?:\\.|\\[dot\\]|\\(dot\\)|[ ]dot[ ])[ ]?[a-z0-9-]{{1,40}}){{0,4}}[ ]?(?:\\.|\\[dot\\]|\\(dot\\)|[ ]dot[ ])[ ]?{TOP}(?-u:\\b)"),
            ),
            (Rule::Handle, "@[A-Za-z_][A-Za-z0-9_]{2,30}(?-u:\\b)".into()),
            (
                Rule::Domain,
                format!("(?i)(?-u:\\b)(?:[a-z0-9](?:[a-z0-9-]{{0,40}}[a-z0-9])?\\.){{1,6}}{TOP}(?-u:\\b)(?::[0-9]{{2,5}})?(?:/[^\\s<>\"|]*[A-Za-z0-9/])?"),
            ),
            (Rule::Mac, "(?i)(?-u:\\b)(?:(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}|(?:[0-9a-f]{4}\\.){2}[0-9a-f]{4})(?-u:\\b)".into()),
            (Rule::Ip6, "(?i)(?:[0-9a-f]{1,4}:|::)[0-9a-f:.]{0,45}(?:[0-9a-f]|:)?(?:%[a-z0-9]{1,16}(?-u:\\b))?(?:/[0-9]{1,3}(?-u:\\b))?".into()),
            // France and Belgium: five pairs, of which the first four would look like an address of the internet.
            (Rule::Phone, "(?-u:\\b)[0-9]{2}(?:\\.[0-9]{2}){4}(?-u:\\b)".into()),
            (Rule::Ip4, "(?-u:\\b)(?:[0-9]{1,3}\\.){3}[0-9]{1,3}(?-u:\\b)(?:(?::[0-9]{2,5}|/[0-9]{1,2})(?-u:\\b))?".into()),
            (
                Rule::LabelledPhone,
                "(?i)(?-u:\\b)(?:tele)?(?:phone|tel|fax|cell|mobile|pager|pgr|pg|bleep|beeper|facsimile|callback|contact number|extension|ext)(?:[ ]?(?:no|number|num|#))?\\.?(?:[ ]?(?:is|at|:|#|=|\\|)){0,2}[ \\t]{0,3}\\n?[ \\t]{0,3}(?P<v>\\+?[0-9(][0-9() .+-]{2,20}[0-9])(?-u:\\b)(?P<x>[ ]?(?:x|ext\\.?|extension|#)[ ]?[0-9]{1,6}(?-u:\\b))?"
                    .into(),
            ),
            (
                Rule::Phone,
                "(?i)(?:(?:\\+|(?-u:\\b)00)?(?-u:\\b)?1[ .\\n-]{0,2})?(?:\\([ ]?[0-9]{3}[ ]?\\)[ .\\n-]{0,2}|(?-u:\\b)[0-9]{3}(?:[.\\n-]|[ ]-?[ ]?))[0-9]{3}[ .\\n-]{1,2}[0-9]{4}(?:(?P<x>,?[ ]{0,2}(?:x|ext\\.?|extension|#)[ ]?[0-9]{1,6})(?-u:\\b)|(?-u:\\b))"
                    .into(),
            ),
            // `call me on 21 22 23 24`, `messages to 699 95 91 15`.
            (
                Rule::LabelledPhone,
                "(?i)(?-u:\\b)(?:call(?:s|ed|ing)?|ring|reach(?:ed)?|text(?:s|ed)?|messages?|sms|dial(?:ed)?|fax(?:ed)?|phone[sd]?|contact(?:ed)?)(?:[ ](?:me|us|her|him|them|back|up)){0,2}[ ](?:on|at|to|@)[ ](?P<v>\\+?[0-9(][0-9() .-]{5,20}[0-9])(?-u:\\b)(?P<x>[ ]?(?:x|ext\\.?|extension|#)[ ]?[0-9]{1,6}(?-u:\\b))?"
                    .into(),
            ),
            // `416 60 039 office`, `(37) 788-063-Office`.
            (
                Rule::TrailedPhone,
                "(?i)(?P<v>(?:\\+|(?-u:\\b)|\\()[0-9][0-9() .-]{5,20}[0-9])[ ]?[-(]?[ ]?(?:office|fax|mobile|cell|home|desk|work|phone|direct|main|landline)(?-u:\\b)"
                    .into(),
            ),
            // ITU-T E.164: a country code and up to fifteen digits in all.
            (Rule::Phone, "(?:\\+|(?-u:\\b)00[ ]?)[1-9][0-9]{0,3}(?:[ ./()-]{0,2}[0-9]){6,13}(?:(?P<x>[ ]?(?:x|ext\\.?)[ ]?[0-9]{1,6})(?-u:\\b)|(?-u:\\b))".into()),
            // Trunk prefix 0, as in Europe and Asia.
            (Rule::Phone, "(?:\\(0[0-9]{1,4}\\)|(?-u:\\b)0[0-9]{1,4})(?:[ .-][0-9]{3,4}[ .-][0-9]{3,4}|(?:[ .-][0-9]{2,3}){3,4})(?-u:\\b)".into()),
            (Rule::Phone, "(?-u:\\b)07[0-9]{3}[ ]?[0-9]{6}(?-u:\\b)".into()),
            (Rule::Phone, "(?-u:\\b)[2-9][0-9]{2}/[0-9]{3}-[0-9]{4}(?-u:\\b)".into()),
            (Rule::ShortPhone, "(?-u:\\b)[0-9]{3}[ .-][0-9]{4}(?-u:\\b)(?P<x>[ ]?(?:x|ext\\.?)[ ]?[0-9]{1,6})?".into()),
            (Rule::ShortPhone, "(?-u:\\b)[0-9]{10,11}(?-u:\\b)".into()),
            (Rule::Extension, "(?-u:\\b)x[0-9](?:[0-9]{3,4}|-[0-9]{3,4})(?-u:\\b)".into()),
            (Rule::ShortPhone, "(?-u:\\b)[0-9]{3,5}(?:[ .-][0-9]{2,4}){2,4}(?-u:\\b)".into()),
        ];
        Ok(Self {
            rules: RuleSet::new(rules)?,
        })
    }

    /// The contacts of `text`, in order.
    pub(crate) fn find(&self, text: &str, hits: &mut Vec<Hit>) {
        emails(text, hits);
        self.rules.each(text, |rule, range, captures| {
            let hit = find_one(text, rule, range, group(captures, "v"));
            let taken = hit.is_some();
            hits.extend(hit.map(|(range, class, kind)| Hit::found(range, class, kind)));
            taken
        });
    }
}

fn find_one(
    text: &str,
    rule: Rule,
    range: Range<usize>,
    value: Option<Range<usize>>,
) -> Option<(Range<usize>, PhiClass, Kind)> {
    let (fits, class, kind) = match rule {
        Rule::SpokenEmail => (is_spoken(&text[range.clone()]), PhiClass::Email, Kind::Email),
        Rule::Handle => {
            let alone = !text[..range.start].ends_with(|c: char| c.is_alphanumeric() || c == '.');
            (alone, PhiClass::Other, Kind::Name)
        }
        Rule::Url => (true, PhiClass::Url, Kind::Url),
        Rule::Domain => (is_domain(text, &range), PhiClass::Url, Kind::Url),
        Rule::Ip4 => (is_ip4(text, &range), PhiClass::Ip, Kind::Address),
        Rule::Ip6 => (is_ip6(text, &range), PhiClass::Ip, Kind::Address),
        Rule::Mac => (true, PhiClass::Device, Kind::Address),
        Rule::Phone => (is_free(text, &range), PhiClass::Phone, Kind::Phone),
        Rule::LabelledPhone => {
            let value = value?;
            let fits = is_number(&text[value.clone()]);
            return fits.then_some((value.start..range.end, PhiClass::Phone, Kind::Phone));
        }
        Rule::TrailedPhone => {
            let value = value?;
            let digits = text[value.clone()].bytes().filter(u8::is_ascii_digit).count();
            return (digits >= 7 && is_free(text, &value)).then_some((value, PhiClass::Phone, Kind::Phone));
        }
        Rule::Extension => (is_extension(text, &range), PhiClass::Phone, Kind::Phone),
        Rule::ShortPhone => {
            let fits = is_free(text, &range) && is_announced(text, range.start) && !has_unit(text, range.end);
            (fits, PhiClass::Phone, Kind::Phone)
        }
    };
    fits.then_some((range, class, kind))
}

/// E-mail addresses: what stands around an @ without blanks (RFC 5321 and 6531), by hand, because a pattern that
/// starts with any word would keep every search alive to the end of that word.
fn emails(text: &str, hits: &mut Vec<Hit>) {
    let local = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '%' | '+' | '-' | '\'');
    let host = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-');
    let mut from = 0;
    for (at, _) in text.match_indices('@') {
        // An address holds 64 bytes before the @ and 255 behind it.
        let head = &text[floor(text, at.saturating_sub(64)).max(from).min(at)..at];
        let start = head
            .char_indices()
            .rev()
            .take_while(|&(_, c)| local(c))
            .last()
            .map(|(start, _)| start);
        let tail = &text[at + 1..floor(text, text.len().min(at + 256))];
        let end = tail.find(|c| !host(c)).unwrap_or(tail.len());
        let tail = tail[..end].trim_end_matches(['.', '-']);
        if let (Some(start), true) = (start, tail.contains('.')) {
            let start = at - head.len() + start;
            from = at + 1 + tail.len();
            hits.push(Hit::found(start..from, PhiClass::Email, Kind::Email));
        }
    }
}

/// Whether a number stands on its own, not inside a longer one.
fn is_free(text: &str, range: &Range<usize>) -> bool {
    let before = text[..range.start].chars().next_back();
    let mut after = text[range.end..].chars();
    let next = after.next();
    let glued = next.is_some_and(|c| matches!(c, '-' | '.' | '/'))
        && after.next().is_some_and(|c| c.is_ascii_digit());
    !before.is_some_and(|c| c.is_ascii_digit() || matches!(c, '.' | '/')) && !glued
}

/// Whether `x5512` is an extension: `2 x5000 units` is a dose, and `x1000 mL` a volume.
fn is_extension(text: &str, range: &Range<usize>) -> bool {
    let head = text[..range.start].trim_end_matches([' ', '\t']);
    !head.ends_with(|c: char| c.is_ascii_digit() || matches!(c, '.' | '/' | '='))
        && head.len() < range.start
        && !has_unit(text, range.end)
}

fn is_announced(text: &str, start: usize) -> bool {
    let context = before(text, start, 28);
    // A full stop ends what the word speaks of, unless it shortens it.
    let context = context.rsplit(['\n', ';']).next().unwrap_or("");
    TELEPHONY.split(' ').any(|word| context.contains(word))
}

/// At least three digits, not a year, not a decimal.
fn is_number(value: &str) -> bool {
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    digits >= 4 || (digits == 3 && value.len() == 3)
}

/// `jane at clinic.org`: a plain `at` needs one of the old endings, because sentences end in `in` and `it` too.
fn is_spoken(address: &str) -> bool {
    let marked = ["(at)", "[at]", " dot ", "(dot)", "[dot]"]
        .iter()
        .any(|mark| address.contains(mark));
    marked
        || ["com", "org", "net", "edu", "gov"]
            .iter()
            .any(|top| address.ends_with(top))
}

fn is_ip4(text: &str, range: &Range<usize>) -> bool {
    let address = text[range.clone()].split([':', '/']).next().unwrap_or("");
    let octets = address.split('.').all(|octet| octet.parse::<u8>().is_ok());
    octets && !text[..range.start].ends_with('.') && !text[range.end..].starts_with(".0")
}

fn is_ip6(text: &str, range: &Range<usize>) -> bool {
    let alone = !text[..range.start].ends_with(|c: char| c.is_alphanumeric() || c == ':');
    let address = text[range.clone()].split(['/', '%']).next().unwrap_or("");
    let prefix = text[range.clone()].contains('/');
    let spoken = address.bytes().any(|b| b.is_ascii_digit())
        || address.matches(':').count() > 2
        || (address == "::" && (prefix || range.len() == text.len()));
    alone
        && spoken
        && !text[range.end..].starts_with(|c: char| c.is_alphanumeric())
        && address.parse::<Ipv6Addr>().is_ok()
}

/// Whether a bare name with a known ending is a domain: `e.g.in` and `mg.no` are not.
fn is_domain(text: &str, range: &Range<usize>) -> bool {
    let name = text[range.clone()].split(['/', ':']).next().unwrap_or("");
    let labels: Vec<&str> = name.split('.').collect();
    let (Some(top), Some(first)) = (labels.last(), labels.first()) else {
        return false;
    };
    // Two-letter endings are words of English too (`in`, `no`, `it`): they need another sign of an address.
    let sure = top.len() > 2
        || labels.len() > 2 && labels.iter().all(|label| label.len() > 1)
        || text[range.clone()].contains('/');
    let number = labels
        .iter()
        .all(|label| label.bytes().all(|b| b.is_ascii_digit()));
    let sentence =
        top.starts_with(|c: char| c.is_ascii_uppercase()) && first.bytes().any(|b| b.is_ascii_lowercase());
    sure && !number && !sentence && !text[..range.start].ends_with(['@', '.'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contacts(text: &str) -> Vec<(&str, PhiClass)> {
        let mut hits = Vec::new();
        Contacts::new().expect("patterns compile").find(text, &mut hits);
        hits.into_iter()
            .map(|hit| (&text[hit.range], hit.class))
            .collect()
    }

    #[test]
    fn phones_are_found_in_every_form() {
        for phone in [
            "(312) 867-5309",
            "312-867-5309",
            "312.867.5309",
            "312 867 5309",
            "+1 312 867 5309",
            "1-312-867-5309",
            "+1 (312) 867-5309",
            "(312)867-5309",
            "312-867-5309 x12",
            "312-867-5309 ext. 12",
            "+44 20 7946 0018",
            "020 7946 0018",
            "07700 900123",
            "+49 (0)30 901820",
            "0049 30 901820",
        ] {
            for text in [
                format!("at {phone}, please"),
                phone.to_owned(),
                format!("Phone: {phone}."),
            ] {
                let found = contacts(&text);
                assert_eq!(found, [(phone, PhiClass::Phone)], "{text}");
            }
        }
        assert_eq!(contacts("call 867-5309 now"), [("867-5309", PhiClass::Phone)]);
        assert_eq!(
            contacts("sent to my registered 867 5309"),
            [("867 5309", PhiClass::Phone)]
        );
        assert_eq!(contacts("pager 4471"), [("4471", PhiClass::Phone)]);
        assert_eq!(contacts("Fax #: 3128675309"), [("3128675309", PhiClass::Phone)]);
    }

    #[test]
    fn addresses_of_the_network_are_found() {
        for (text, wanted, class) in [
            (
                "write j.doe+x@mail.example.com.",
                "j.doe+x@mail.example.com",
                PhiClass::Email,
            ),
            ("write jörg@müller.de", "jörg@müller.de", PhiClass::Email),
            (
                "jane (at) clinic (dot) org",
                "jane (at) clinic (dot) org",
                PhiClass::Email,
            ),
            (
                "see https://a.example/p?x=1.",
                "https://a.example/p?x=1",
                PhiClass::Url,
            ),
            (
                "see www.clinic-x.fr/here, please",
                "www.clinic-x.fr/here",
                PhiClass::Url,
            ),
            (
                "see portal.hospital.org/u",
                "portal.hospital.org/u",
                PhiClass::Url,
            ),
            ("from 10.1.2.3", "10.1.2.3", PhiClass::Ip),
            ("from fe80::1 and", "fe80::1", PhiClass::Ip),
            (
                "from 2001:db8:0:0:8:800:200c:417a",
                "2001:db8:0:0:8:800:200c:417a",
                PhiClass::Ip,
            ),
            ("mac 00:1b:44:11:3a:b7", "00:1b:44:11:3a:b7", PhiClass::Device),
            ("on @jane_doe", "@jane_doe", PhiClass::Other),
        ] {
            assert_eq!(contacts(text), [(wanted, class)], "{text}");
        }
    }

    #[test]
    fn measurements_and_times_are_left() {
        for text in [
            "at 10:30:15",
            "ratio 1:2",
            "T: 37.5",
            "120-1500 cells",
            "3.4.2",
            "std::vector",
            "e.g.in",
            "5 mg.no change",
            "150-4000 mL",
            "Dr. Who at work.In",
            "300 1500 units",
            "WBC 4500 - 11000",
            "@ 10 mg",
            "x::",
            "10.5.3 cm",
        ] {
            assert!(contacts(text).is_empty(), "{text}: {:?}", contacts(text));
        }
    }
}
