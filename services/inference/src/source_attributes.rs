//! The 31 source attributes that certified health IT in the United States shows for a predictive decision support
//! intervention: 45 CFR 170.315(b)(11)(iv)(B), as the HTI-1 final rule (89 FR 1192, 9 January 2024) made it.

use serde::{Deserialize, Serialize};

/// One attribute as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceAttribute<'a> {
    /// Its paragraph below 45 CFR 170.315(b)(11)(iv)(B), such as `(1)(i)`.
    pub paragraph: &'static str,
    /// What it is, in short.
    pub title: &'static str,
    /// What is said; empty where nothing is known, which the rule wants shown as such.
    pub text: &'a str,
}

macro_rules! attributes {
    ($($field:ident $paragraph:literal $title:literal,)*) => {
        /// What the developer says about each attribute. A field that is left out is empty: not known.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct SourceAttributes {
            $(#[doc = concat!("45 CFR 170.315(b)(11)(iv)(B)", $paragraph, ": ", $title, ".")]
            pub $field: String,)*
        }

        impl SourceAttributes {
            /// All 31, in the order of the rule.
            #[must_use]
            pub fn rows(&self) -> Vec<SourceAttribute<'_>> {
                vec![$(SourceAttribute { paragraph: $paragraph, title: $title, text: &self.$field },)*]
            }
        }
    };
}

attributes! {
    developer "(1)(i)" "Name and contact of the developer",
    funding "(1)(ii)" "Funding source of the technical implementation",
    output "(1)(iii)" "Value that it produces",
    output_kind "(1)(iv)" "Kind of output: prediction, classification, recommendation, evaluation, analysis or another",
    intended_use "(2)(i)" "Intended use",
    intended_patients "(2)(ii)" "Intended patients",
    intended_users "(2)(iii)" "Intended users",
    decision_role "(2)(iv)" "Intended role in decisions: informs, augments or replaces clinical management",
    out_of_scope "(3)(i)" "Tasks, situations or populations to be cautious with",
    risks "(3)(ii)" "Known risks, inappropriate settings and uses, limitations",
    inclusion_criteria "(4)(i)" "Inclusion and exclusion criteria of the training data",
    sensitive_inputs "(4)(ii)" "Race, ethnicity, language, orientation, gender identity, sex, age, social needs and health status as input",
    representativeness "(4)(iii)" "Demographic representativeness of the training data",
    relevance "(4)(iv)" "Relevance of the training data to the setting",
    fairness_approach "(5)(i)" "Approach to a fair output",
    bias_management "(5)(ii)" "Approach to manage, reduce or eliminate bias",
    external_data "(6)(i)" "Data or setting of the external validation",
    external_party "(6)(ii)" "Who did the external validation",
    external_representativeness "(6)(iii)" "Demographic representativeness of the external data",
    external_process "(6)(iv)" "Process of the external validation",
    validity_internal "(7)(i)" "Validity in test data of the training data's source",
    fairness_internal "(7)(ii)" "Fairness in test data of the training data's source",
    validity_external "(7)(iii)" "Validity in data of another source",
    fairness_external "(7)(iv)" "Fairness in data of another source",
    outcomes "(7)(v)" "References to evaluations of outcomes",
    validity_monitoring "(8)(i)" "How and how often validity is monitored",
    validity_local "(8)(ii)" "Validity in local data",
    fairness_monitoring "(8)(iii)" "How and how often fairness is monitored",
    fairness_local "(8)(iv)" "Fairness in local data",
    updates "(9)(i)" "How and how often it is updated",
    corrections "(9)(ii)" "How often its performance is corrected when risks are found",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_thirty_one_and_each_has_its_place() -> Result<(), serde_json::Error> {
        let attributes: SourceAttributes = serde_json::from_str(r#"{"developer": "A", "corrections": "Z"}"#)?;
        let rows = attributes.rows();
        assert_eq!(rows.len(), 31);
        assert_eq!((rows[0].text, rows[30].text, rows[1].text), ("A", "Z", ""));
        let mut paragraphs: Vec<&str> = rows.iter().map(|row| row.paragraph).collect();
        // In the order of the rule, none twice, and as many below each number as the rule has.
        let below = |number: &str| paragraphs.iter().filter(|one| one.starts_with(number)).count();
        let counts = ["(1)", "(2)", "(3)", "(4)", "(5)", "(6)", "(7)", "(8)", "(9)"].map(below);
        assert_eq!(counts, [4, 4, 2, 4, 2, 4, 5, 4, 2]);
        paragraphs.sort_unstable();
        paragraphs.dedup();
        assert_eq!(paragraphs.len(), 31);
        assert!(serde_json::from_str::<SourceAttributes>(r#"{"more": ""}"#).is_err());
        Ok(())
    }
}
