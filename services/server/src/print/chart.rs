//! The chart of a printed explanation.

use super::report::{Column, LEADING, PLAIN, Print, QUIET, SMALL, STRONG, TEXT, inks, style};
use super::sheet::{Ink, MARGIN, Part, Role};
use crate::pages::{Bar, Suggestion, Tone};

/// The chart: width of its words, its zero, and the length of a bar of width 100, in points from the left edge of the text.
const WORDS: f32 = 262.0;
const ZERO: f32 = 394.0;
const LONGEST: f32 = 108.0;

impl Print {
    /// What moved the suggestion; or why that is not known.
    pub(super) fn evidence(&mut self, suggestion: &Suggestion) {
        self.heading("Evidence, strongest first");
        let bars = match &suggestion.evidence {
            Ok(bars) => bars,
            Err(reason) => {
                let said = format!("{reason}.");
                return self.paragraph(&[("No reliable explanation: ", STRONG), (&said, PLAIN)]);
            }
        };
        let axis = self.sheet.part(Role::Paragraph, None);
        let column = Column(MARGIN + ZERO - 68.0, 150.0);
        self.lay(
            &[("against ◂ 0 ▸ for abnormal", QUIET)],
            column,
            SMALL * LEADING,
            axis,
        );
        let list = self.sheet.part(Role::List, None);
        for bar in bars {
            self.bar(bar, list);
        }
        let fit = format!(
            "Weights are in log-odds of abnormal. Fit of the explanation on masks that it did not see: R² {}; {} calls of the model.",
            suggestion.fit, suggestion.calls
        );
        self.sheet.y += 3.0;
        self.paragraph(&[(&fit, QUIET)]);
        if let Some(counterfactual) = &suggestion.counterfactual {
            self.paragraph(&[(counterfactual, PLAIN)]);
        }
        self.paragraph(&[("Influence on this model’s output, not proof.", STRONG)]);
    }

    fn bar(&mut self, bar: &Bar, list: Part) {
        let (ink, _) = inks(bar.tone);
        let name = format!("{}{} ", bar.number, bar.tone.sign());
        let words = [
            (name.as_str(), style(TEXT, true, ink)),
            (bar.before.as_str(), PLAIN),
            (bar.phrase.as_str(), STRONG),
            (bar.after.as_str(), PLAIN),
        ];
        let interval = match bar.interval.as_str() {
            "" => String::new(),
            interval => format!(" (99 % interval {interval})"),
        };
        let said = format!("{}, {}{interval}", bar.tone.direction(), bar.weight);
        let (words, said) = (self.set(&words, WORDS), self.set(&[(&said, QUIET)], WORDS));
        let (upper, lower) = (TEXT * 1.35, SMALL * 1.35);
        let height = words.iter().fold(7.0, |height, _| height + upper)
            + said.iter().fold(0.0, |height, _| height + lower);
        self.sheet.keep(height);
        let item = self.sheet.part(Role::Item, Some(list));
        let body = self.sheet.part(Role::Body, Some(item));
        let (top, zero) = (self.sheet.y, MARGIN + ZERO);
        self.sheet.rule(
            (zero, top - 2.0),
            (zero, top + height - 2.0),
            (Ink::BLACK, 0.75),
            None,
        );
        self.shape(bar, top + (height - 7.0) / 2.0);
        for line in words {
            self.sheet.line(line, MARGIN, upper, body);
        }
        for line in said {
            self.sheet.line(line, MARGIN, lower, body);
        }
        self.sheet.y = top + height;
    }

    /// The bar and its interval, around a height.
    fn shape(&mut self, bar: &Bar, middle: f32) {
        let (zero, (ink, ground)) = (MARGIN + ZERO, inks(bar.tone));
        let reach = |width: f64| length(width) * LONGEST / 100.0;
        let long = reach(bar.width.abs());
        if bar.tone == Tone::Normal {
            // Hatched: printed without colour it is still another bar.
            self.sheet.fill((zero - long, middle - 7.0, long, 14.0), ground);
            let mut at = zero - long;
            while at < zero {
                let to = (at + 7.0).min(zero);
                self.sheet.rule(
                    (at, middle + 7.0),
                    (to, middle + 7.0 - 2.0 * (to - at)),
                    (ink, 0.9),
                    None,
                );
                at += 3.5;
            }
            for y in [middle - 7.0, middle + 7.0] {
                self.sheet.rule((zero - long, y), (zero, y), (ink, 0.75), None);
            }
            self.sheet.rule(
                (zero - long, middle - 7.0),
                (zero - long, middle + 7.0),
                (ink, 0.75),
                None,
            );
        } else {
            self.sheet.fill((zero, middle - 7.0, long, 14.0), ink);
        }
        if let Some(whisker) = bar.whisker {
            let (low, high) = (zero + reach(whisker.low), zero + reach(whisker.high));
            // Light around it, for where it lies on the bar.
            for (ink, width) in [(Ink(255, 255, 255), 3.0), (Ink::BLACK, 1.2)] {
                self.sheet.rule((low, middle), (high, middle), (ink, width), None);
                for x in [low, high] {
                    self.sheet
                        .rule((x, middle - 3.5), (x, middle + 3.5), (ink, width), None);
                }
            }
        }
    }
}

/// A width of the chart that may be drawn.
#[expect(clippy::cast_possible_truncation, reason = "between −100 and 100")]
fn length(width: f64) -> f32 {
    if width.is_finite() {
        width.clamp(-100.0, 100.0) as f32
    } else {
        0.0
    }
}
