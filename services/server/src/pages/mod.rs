//! The pages of the portal: what each shows. They borrow display types only; the case page alone shows who the patient is.

mod account;
mod audit;
mod case;
mod error;
mod login;
mod model;
mod queue;
mod report;

pub use account::{AccountRow, AccountsPage};
pub use audit::{AuditPage, AuditRow, LogStatus};
pub use case::{
    Bar, CaseActions, CasePage, CaseState, Choice, Draft, FindingRow, PatientBanner, Segment, SignedView,
    Suggestion, Tone, Whisker,
};
pub use error::ErrorPage;
pub use login::LoginPage;
pub use model::{CardSection, ModelPage};
pub use queue::{QueuePage, QueueRow, Tab};
pub use report::{ReportPage, STYLE};

/// What frames every page.
pub struct Chrome {
    /// Title of the page.
    pub title: String,
    /// Who is signed in: printed name and role.
    pub user: Option<(String, &'static str)>,
    /// Links of the navigation: address, text, whether it is this page.
    pub links: Vec<(&'static str, &'static str, bool)>,
    /// Hidden token that each form sends back.
    pub csrf: String,
    /// The installation is a trial: demo accounts and synthetic cases.
    pub demo: bool,
    /// The model may be used for evaluation only.
    pub evaluation_only: bool,
}

#[cfg(test)]
mod tests {
    use askama::Template;

    use super::*;

    fn chrome() -> Chrome {
        Chrome {
            title: "A <title>".to_owned(),
            user: Some(("Dr. Ada \"Quill\"".to_owned(), "Physician")),
            links: vec![("/queue", "Review queue", true)],
            csrf: "token".to_owned(),
            demo: true,
            evaluation_only: true,
        }
    }

    fn piece(text: &str, tone: Tone, number: usize, weight: &str) -> Segment {
        Segment {
            text: text.to_owned(),
            tone,
            number,
            weight: weight.to_owned(),
            unread: false,
        }
    }

    fn bar(number: usize, width: f64, tone: Tone, weight: &str) -> Bar {
        Bar {
            number,
            before: "in ".to_owned(),
            phrase: "a word".to_owned(),
            after: String::new(),
            width,
            tone,
            weight: weight.to_owned(),
            whisker: (number == 1).then_some(Whisker {
                low: 30.0,
                high: 52.0,
            }),
            interval: if number == 1 {
                "+0.30 to +0.52".to_owned()
            } else {
                String::new()
            },
        }
    }

    fn case() -> CasePage {
        CasePage {
            chrome: chrome(),
            href: "/cases/1".to_owned(),
            short: "00000001".to_owned(),
            version: 2,
            received: "2026-11-24 15:04 UTC".to_owned(),
            state: CaseState::Mine,
            patient: PatientBanner {
                name: "Wetherby, Constance".to_owned(),
                birth_date: "1948-03-09".to_owned(),
                gender: "female".to_owned(),
                identifiers: vec!["MRN 1".to_owned()],
            },
            note: vec![
                piece("FINDINGS:\n  The ", Tone::Neutral, 0, ""),
                piece("heart <is> large", Tone::Abnormal, 1, "+0.41"),
                piece(", ", Tone::Neutral, 0, ""),
                piece("lungs clear", Tone::Normal, 2, "\u{2212}0.10"),
                piece(".\n", Tone::Neutral, 0, ""),
            ],
            scrubbed: vec![piece("heart <is> large", Tone::Abnormal, 1, "+0.41")],
            redactions: 1,
            suggestion: Ok(Suggestion {
                impression: "abnormal",
                tone: Tone::Abnormal,
                percent: "97.1".to_owned(),
                threshold: "42.5".to_owned(),
                findings: vec![FindingRow {
                    label: "Cardiomegaly".to_owned(),
                    percent: "96.3".to_owned(),
                }],
                evidence: Ok(vec![
                    bar(1, 100.0, Tone::Abnormal, "+0.41"),
                    bar(2, 24.4, Tone::Normal, "\u{2212}0.10"),
                    bar(3, f64::NAN, Tone::Normal, "\u{2212}0.00"),
                ]),
                fit: "0.87".to_owned(),
                counterfactual: Some("Without evidence 1 the suggestion turns.".to_owned()),
                calls: 1000,
                reading: "The model read the whole report.".to_owned(),
                model: "a model".to_owned(),
            }),
            actions: CaseActions {
                unclaim: true,
                sign: true,
                until: Some("15:34 UTC".to_owned()),
                findings: vec![Choice {
                    label: "Cardiomegaly".to_owned(),
                    chosen: true,
                }],
                reasons: vec![("other", "Another reason")],
                ..CaseActions::default()
            },
            signed: None,
            alert: None,
            draft: None,
        }
    }

    /// What stands between two marks, tags left out.
    fn text_of(html: &str, from: &str, to: &str) -> String {
        let start = html.find(from).expect("the first mark is there") + from.len();
        let end = start + html[start..].find(to).expect("the second mark is there");
        let (mut text, mut inside) = (String::new(), false);
        for character in html[start..end].chars() {
            match character {
                '<' => inside = true,
                '>' => inside = false,
                _ if !inside => text.push(character),
                _ => {}
            }
        }
        text
    }

    #[test]
    fn a_page_keeps_the_strict_content_policy() -> Result<(), askama::Error> {
        let signed = CasePage {
            actions: CaseActions::default(),
            state: CaseState::Signed,
            suggestion: Err("the decision stands in its place"),
            ..case()
        };
        let model = ModelPage {
            chrome: chrome(),
            name: String::new(),
            digest: String::new(),
            sections: Vec::new(),
        };
        let accounts = AccountsPage {
            chrome: chrome(),
            rows: Vec::new(),
        };
        let login = LoginPage {
            chrome: chrome(),
            error: Some("wrong"),
            next: "/queue".to_owned(),
        };
        let pages = [
            case().render()?,
            signed.render()?,
            model.render()?,
            accounts.render()?,
            login.render()?,
        ];
        for html in pages {
            for forbidden in [
                "style=",
                "<style",
                "<script",
                "onclick=",
                "javascript:",
                "A <title>",
            ] {
                assert!(!html.contains(forbidden), "{forbidden} in {html}");
            }
        }
        Ok(())
    }

    #[test]
    fn the_note_is_shown_as_it_is_with_its_evidence_marked() -> Result<(), askama::Error> {
        let html = case().render()?;
        let note = text_of(&html, "<div class=\"note\">", "</div>");
        assert_eq!(
            note,
            "FINDINGS:\n  The heart &#60;is&#62; large1+Evidence 1, for abnormal, +0.41, lungs clear2\u{2212}Evidence 2, against, \u{2212}0.10.\n"
        );
        assert!(html.contains("<mark class=\"ev abnormal\" title=\"+0.41\" id=\"evidence-1\">"));
        for once in ["id=\"evidence-1\"", "id=\"evidence-2\"", "id=\"bar-3\""] {
            assert_eq!(html.matches(once).count(), 1, "{once}");
        }
        // One of the three has an interval; it is read out once and shown once.
        assert_eq!(html.matches("99 % interval +0.30 to +0.52").count(), 1);
        assert_eq!(html.matches("99 % interval").count(), 2);
        assert!(
            html.contains("(+0.30 to +0.52)") && html.contains("Without evidence 1 the suggestion turns.")
        );
        // The third phrase lies inside another: it has a bar, and no link to a mark that is not there.
        assert!(!html.contains("#evidence-3"));
        Ok(())
    }

    #[test]
    fn bars_grow_to_the_side_they_speak_for() {
        let for_abnormal = bar(1, 250.0, Tone::Abnormal, "");
        assert_eq!(
            (for_abnormal.left(), for_abnormal.length()),
            ("0".to_owned(), "100.0".to_owned())
        );
        let against = bar(1, 24.4, Tone::Normal, "");
        assert_eq!(
            (against.left(), against.length()),
            ("-24.4".to_owned(), "24.4".to_owned())
        );
        assert_eq!(bar(1, f64::NAN, Tone::Normal, "").length(), "0.0");
    }

    #[test]
    fn agreeing_needs_a_suggestion() -> Result<(), askama::Error> {
        let agree = "name=\"decision\" value=\"agree\"";
        let html = case().render()?;
        assert!(html.contains(agree));
        assert!(html.contains("name=\"impression\" value=\"abnormal\" checked"));
        assert!(html.contains("I have read the report and its assessment, and this is my decision."));
        let html = CasePage {
            suggestion: Err("the report is empty"),
            ..case()
        }
        .render()?;
        assert!(!html.contains(agree));
        assert!(html.contains("value=\"amend\"") && html.contains("value=\"reject\""));
        assert!(!html.contains("name=\"impression\" value=\"abnormal\" checked"));
        assert!(html.contains("<b>No suggestion:</b> the report is empty"));
        Ok(())
    }

    #[test]
    fn what_was_typed_stays_in_the_form() -> Result<(), askama::Error> {
        let page = CasePage {
            draft: Some(Draft {
                decision: "amend".to_owned(),
                impression: "normal".to_owned(),
                findings: Vec::new(),
                reason: "other".to_owned(),
                comment: "<b>seen</b> before".to_owned(),
            }),
            ..case()
        };
        let html = page.render()?;
        for kept in [
            "value=\"amend\" required checked",
            "name=\"impression\" value=\"normal\" checked",
            "<option value=\"other\" selected>",
            ">&#60;b&#62;seen&#60;/b&#62; before</textarea>",
        ] {
            assert!(html.contains(kept), "{kept}");
        }
        assert!(
            !html.contains("value=\"abnormal\" checked")
                && !html.contains("value=\"agree\" required checked")
        );
        Ok(())
    }

    #[test]
    fn every_form_sends_the_token_and_the_version() -> Result<(), askama::Error> {
        let html = case().render()?;
        let forms: Vec<&str> = html.split("<form ").skip(1).collect();
        assert_eq!(forms.len(), 3, "sign out, sign, give back");
        for form in forms {
            let form = form.split("</form>").next().unwrap_or_default();
            assert!(form.contains("name=\"csrf\" value=\"token\""), "{form}");
            assert!(
                form.starts_with("method=\"post\" action=\"/logout\"")
                    || form.contains("name=\"version\" value=\"2\"")
            );
        }
        Ok(())
    }
}
