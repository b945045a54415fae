//! The text of an attachment (FHIR R4, `Attachment`): media type, character set, base64.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use zeroize::Zeroizing;

use super::{refusal::Fault, wire};

/// What an attachment holds.
pub(super) enum Form {
    /// Text, perhaps blank.
    Text(Zeroizing<String>),
    /// Something that is no text, or text that is somewhere else; with the element that says so.
    NotText(Fault),
    /// Nothing.
    Empty,
}

#[derive(Clone, Copy)]
enum Charset {
    Utf8,
    Ascii,
    /// Also for `iso-8859-1`, as the WHATWG Encoding Standard (section 4.2) has it: nobody sends C1 control characters.
    Windows1252,
}

/// Characters 0x80 to 0x9F of windows-1252 (WHATWG Encoding Standard, `index-windows-1252`).
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}',
    '‘', '’', '“', '”', '•', '–', '—', '\u{2dc}', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// Standard base64 (RFC 4648, section 4); the padding may be missing.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Reads the attachment that stands at `at`.
pub(super) fn read(attachment: &wire::Attachment, at: &str) -> Result<Form, Fault> {
    let content_type = attachment.content_type.as_ref().map_or("", wire::Code::as_str);
    let (media, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    let media = media.trim();
    if !media.is_empty() && !media.eq_ignore_ascii_case("text/plain") {
        return Ok(Form::NotText(Fault::unsupported(
            "The attachment is not text: only text/plain is read. Send the report's text as text/plain, in text.div or in conclusion.",
            format!("{at}.contentType"),
        )));
    }
    let Some(data) = &attachment.data else {
        return Ok(match attachment.url {
            Some(_) => Form::NotText(Fault::unsupported(
                "The attachment is somewhere else: nothing is fetched from a url. Send its text in data.",
                format!("{at}.url"),
            )),
            None => Form::Empty,
        });
    };
    let charset = charset(parameters).ok_or_else(|| {
        Fault::unsupported(
            "The character set is not one of utf-8, us-ascii, iso-8859-1 and windows-1252.",
            format!("{at}.contentType"),
        )
    })?;
    let packed: Zeroizing<Vec<u8>> = Zeroizing::new(
        data.expose()
            .bytes()
            .filter(|byte| !byte.is_ascii_whitespace())
            .collect(),
    );
    let bytes = Zeroizing::new(
        BASE64
            .decode(packed.as_slice())
            .map_err(|_| Fault::value("The data is not base64.", format!("{at}.data")))?,
    );
    decode(&bytes, charset).map(Form::Text).ok_or_else(|| {
        Fault::value(
            "The data is not text in the character set that contentType says (utf-8 where it says none).",
            format!("{at}.data"),
        )
    })
}

fn charset(parameters: &str) -> Option<Charset> {
    let named = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("charset")
            .then(|| value.trim().trim_matches('"').to_ascii_lowercase())
    });
    match named.as_deref() {
        None | Some("" | "utf-8" | "utf8") => Some(Charset::Utf8),
        Some("us-ascii" | "ascii") => Some(Charset::Ascii),
        Some("iso-8859-1" | "iso8859-1" | "latin1" | "windows-1252" | "cp1252") => Some(Charset::Windows1252),
        Some(_) => None,
    }
}

fn decode(bytes: &[u8], charset: Charset) -> Option<Zeroizing<String>> {
    let text = match charset {
        Charset::Utf8 => std::str::from_utf8(bytes)
            .ok()?
            .trim_start_matches('\u{feff}')
            .to_owned(),
        Charset::Ascii => bytes
            .is_ascii()
            .then(|| std::str::from_utf8(bytes).ok())??
            .to_owned(),
        Charset::Windows1252 => bytes
            .iter()
            .map(|byte| match byte {
                0x80..=0x9f => WINDOWS_1252[usize::from(byte - 0x80)],
                other => char::from(*other),
            })
            .collect(),
    };
    Some(Zeroizing::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::{Refusal, RefusalClass};

    fn form(json: &str) -> Result<Form, Refusal> {
        let attachment = serde_json::from_str(json).expect("an attachment");
        read(&attachment, "DiagnosticReport.presentedForm[0]").map_err(Refusal::from)
    }

    fn text(json: &str) -> String {
        match form(json) {
            Ok(Form::Text(text)) => text.to_string(),
            Ok(Form::NotText(_) | Form::Empty) | Err(_) => panic!("{json} is text"),
        }
    }

    #[test]
    fn every_character_set_is_read() {
        assert_eq!(text(r#"{"contentType": "text/plain", "data": "YWJj"}"#), "abc");
        assert_eq!(text(r#"{"data": "YW\r\n Jj"}"#), "abc");
        assert_eq!(
            text(r#"{"contentType": "TEXT/Plain ; charset=\"UTF-8\"", "data": "w6k"}"#),
            "é"
        );
        assert_eq!(
            text(r#"{"contentType": "text/plain;charset=us-ascii", "data": "YWI="}"#),
            "ab"
        );
        assert_eq!(
            text(r#"{"contentType": "text/plain;charset=iso-8859-1", "data": "6Q=="}"#),
            "é"
        );
        assert_eq!(
            text(r#"{"contentType": "text/plain; format=flowed; charset=windows-1252", "data": "k5Q="}"#),
            "“”"
        );
        assert_eq!(
            text(r#"{"contentType": "text/plain", "data": "77u/YWJj"}"#),
            "abc"
        );
        assert_eq!(text(r#"{"data": ""}"#), "");
    }

    #[test]
    fn what_is_no_text_is_said_with_its_element() {
        let cases = [
            (
                r#"{"contentType": "application/pdf", "data": "YWJj"}"#,
                "contentType",
            ),
            (r#"{"contentType": "text/html", "data": "YWJj"}"#, "contentType"),
            (
                r#"{"contentType": "text/plain", "url": "https://zebra.example/1"}"#,
                "url",
            ),
        ];
        for (json, element) in cases {
            let Ok(Form::NotText(fault)) = form(json) else {
                panic!("{json} is no text")
            };
            let refusal = Refusal::from(fault);
            assert_eq!(refusal.class, RefusalClass::NotSupported);
            assert_eq!(
                refusal.issues[0].expression,
                [format!("DiagnosticReport.presentedForm[0].{element}")]
            );
            assert!(!format!("{refusal:?}").contains("zebra"));
        }
        assert!(matches!(form(r#"{"title": "x"}"#), Ok(Form::Empty)));
    }

    #[test]
    fn data_that_does_not_decode_is_refused() {
        let cases = [
            (r#"{"data": "not*base64"}"#, "data", "value"),
            (r#"{"data": "6Q=="}"#, "data", "value"),
            (
                r#"{"contentType": "text/plain;charset=us-ascii", "data": "6Q=="}"#,
                "data",
                "value",
            ),
            (
                r#"{"contentType": "text/plain;charset=zebra", "data": "YWJj"}"#,
                "contentType",
                "not-supported",
            ),
        ];
        for (json, element, code) in cases {
            let Err(refusal) = form(json) else {
                panic!("{json} does not decode")
            };
            assert_eq!(
                refusal.issues[0].expression,
                [format!("DiagnosticReport.presentedForm[0].{element}")]
            );
            assert_eq!(refusal.issues[0].code.as_str(), code);
            assert!(!format!("{refusal:?}").contains("zebra"));
        }
    }
}
