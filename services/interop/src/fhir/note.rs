//! The text of a report: attachments, else the narrative, and the conclusion.

use std::collections::HashSet;

use records::PhiText;

use super::{
    MAX_NOTE_BYTES,
    attachment::{self, Form},
    narrative,
    refusal::{Fault, Faults, IssueCode, RefusalClass},
    wire,
};

/// The texts that were found, in order, each with the element that it stood in.
#[derive(Default)]
struct Pieces {
    found: Vec<(PhiText, String)>,
    /// The same with white space folded, to know what was said before.
    said: HashSet<String>,
}

impl Pieces {
    /// Adds a text, unless it is blank or was said word for word.
    fn add(&mut self, text: PhiText, at: String) {
        if !text.is_blank() && self.said.insert(fold(&text)) {
            self.found.push((text, at));
        }
    }

    /// Adds a text, unless it is blank or a part of what was said.
    fn add_unless_part(&mut self, text: PhiText, at: String) {
        let folded = fold(&text);
        if !self.said.iter().any(|said| said.contains(folded.as_str())) {
            self.add(text, at);
        }
    }
}

fn fold(text: &PhiText) -> String {
    text.expose().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The text to assess of the report that stands at `at`. A report that was withdrawn may have none: the hospital takes it
/// back by its identifier, and nothing is assessed.
pub(super) fn text(
    report: &wire::DiagnosticReport<'_>,
    at: &str,
    withdrawn: bool,
) -> Result<PhiText, Faults> {
    let (mut pieces, mut faults, mut not_text) = (Pieces::default(), Vec::new(), Vec::new());
    for (index, form) in report.presented_form.iter().enumerate() {
        let place = format!("{at}.presentedForm[{index}]");
        match attachment::read(form, &place) {
            Ok(Form::Text(text)) => pieces.add(PhiText::new(text.to_string()), format!("{place}.data")),
            Ok(Form::NotText(fault)) => not_text.push(fault),
            Ok(Form::Empty) => {}
            Err(fault) => faults.push(fault),
        }
    }
    if pieces.found.is_empty()
        && let Some(div) = report.text.as_ref().and_then(|narrative| narrative.div.as_ref())
    {
        let place = format!("{at}.text.div");
        match narrative::to_text(div.expose()) {
            Ok(text) => pieces.add(PhiText::new(text), place),
            Err(narrative::NotXhtml) => faults.push(Fault::new(
                RefusalClass::Unprocessable,
                IssueCode::Structure,
                "The narrative is not XHTML that can be read.",
                place,
            )),
        }
    }
    if let Some(conclusion) = &report.conclusion {
        pieces.add_unless_part(conclusion.clone(), format!("{at}.conclusion"));
    }

    for (text, at) in &pieces.found {
        if text.expose().contains('\0') {
            faults.push(Fault::value("The text holds a NUL character.", at.clone()));
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let Some((_, first)) = pieces.found.first() else {
        return match (withdrawn, not_text.is_empty()) {
            (true, _) => Ok(PhiText::new(String::new())),
            (false, false) => Err(not_text),
            (false, true) => Err(vec![Fault::required(
                "The report has no text: neither a text/plain attachment nor a narrative nor a conclusion says anything.",
                format!("{at}.presentedForm"),
            )]),
        };
    };
    let texts: Vec<&str> = pieces.found.iter().map(|(text, _)| text.expose()).collect();
    let text = PhiText::new(texts.join("\n\n"));
    let bytes = text.expose().len();
    if bytes > MAX_NOTE_BYTES {
        return Err(vec![Fault::new(
            RefusalClass::TooLarge,
            IssueCode::TooLong,
            format!("The text has {bytes} bytes in UTF-8; at most {MAX_NOTE_BYTES} are taken."),
            first.clone(),
        )]);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};

    use super::*;
    use crate::fhir::Refusal;

    fn read(json: &str, withdrawn: bool) -> Result<String, Refusal> {
        let report = serde_json::from_str(json).expect("a report");
        text(&report, "DiagnosticReport", withdrawn)
            .map(|text| text.expose().to_owned())
            .map_err(Refusal::from)
    }

    fn plain(text: &str) -> String {
        format!(
            r#"{{"contentType": "text/plain", "data": "{}"}}"#,
            STANDARD.encode(text)
        )
    }

    #[test]
    fn attachments_come_first_and_nothing_is_said_twice() {
        let json = format!(
            r#"{{"text": {{"div": "<div>narrative</div>"}}, "conclusion": "No  effusion.",
                "presentedForm": [{}, {{"contentType": "application/pdf", "data": "AA=="}}, {}, {}]}}"#,
            plain("FINDINGS: Clear.\nNo effusion."),
            plain("Addendum."),
            plain("FINDINGS: Clear.\r\nNo effusion."),
        );
        assert_eq!(
            read(&json, false).as_deref(),
            Ok("FINDINGS: Clear.\nNo effusion.\n\nAddendum.")
        );
    }

    #[test]
    fn the_narrative_speaks_where_no_attachment_does() {
        let json = r#"{"text": {"div": "<div><p>Clear lungs.</p></div>"}, "conclusion": "Normal.", "presentedForm": [{"data": "IA=="}]}"#;
        assert_eq!(read(json, false).as_deref(), Ok("Clear lungs.\n\nNormal."));
    }

    #[test]
    fn no_text_is_refused_unless_the_report_is_withdrawn() {
        for json in [
            "{}",
            r#"{"conclusion": " \n\t"}"#,
            r#"{"presentedForm": [{"data": ""}]}"#,
            r#"{"text": {"div": "<div/>"}}"#,
        ] {
            let refusal = read(json, false).expect_err("there is no text");
            assert_eq!(refusal.class, RefusalClass::Unprocessable);
            assert_eq!(refusal.issues[0].code, IssueCode::Required);
            assert_eq!(refusal.issues[0].expression, ["DiagnosticReport.presentedForm"]);
            assert_eq!(read(json, true).as_deref(), Ok(""));
        }
    }

    #[test]
    fn an_attachment_that_is_not_text_is_refused_only_alone() {
        let json = r#"{"presentedForm": [{"contentType": "application/pdf", "data": "AA=="}]}"#;
        let refusal = read(json, false).expect_err("a picture is no text");
        assert_eq!(refusal.class, RefusalClass::NotSupported);
        assert_eq!(
            refusal.issues[0].expression,
            ["DiagnosticReport.presentedForm[0].contentType"]
        );
        let json = r#"{"conclusion": "Clear.", "presentedForm": [{"contentType": "application/pdf", "data": "AA=="}]}"#;
        assert_eq!(read(json, false).as_deref(), Ok("Clear."));
    }

    #[test]
    fn a_megabyte_is_too_long_and_the_limit_is_not() {
        let json = format!(r#"{{"presentedForm": [{}]}}"#, plain(&"zebra ".repeat(200_000)));
        let refusal = read(&json, false).expect_err("too long");
        assert_eq!(refusal.class, RefusalClass::TooLarge);
        assert_eq!(refusal.issues[0].code, IssueCode::TooLong);
        assert_eq!(
            refusal.issues[0].expression,
            ["DiagnosticReport.presentedForm[0].data"]
        );
        assert!(!format!("{refusal:?}").contains("zebra"));
        let json = format!(r#"{{"conclusion": "{}"}}"#, "x".repeat(MAX_NOTE_BYTES));
        assert_eq!(read(&json, false).map(|text| text.len()), Ok(MAX_NOTE_BYTES));
    }

    #[test]
    fn nul_is_refused_and_other_control_characters_stay() {
        let refusal = read(r#"{"conclusion": "zebra \u0000"}"#, false).expect_err("NUL");
        assert_eq!(refusal.issues[0].code, IssueCode::Value);
        assert_eq!(refusal.issues[0].expression, ["DiagnosticReport.conclusion"]);
        assert_eq!(
            read(r#"{"conclusion": "a\u0007b\tc"}"#, false).as_deref(),
            Ok("a\u{7}b\tc")
        );
    }

    #[test]
    fn a_broken_narrative_is_refused() {
        let refusal = read(r#"{"text": {"div": "<div>zebra <b"}}"#, false).expect_err("not XHTML");
        assert_eq!(refusal.issues[0].expression, ["DiagnosticReport.text.div"]);
        assert!(!format!("{refusal:?}").contains("zebra"));
    }
}
