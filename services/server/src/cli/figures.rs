//! A page of figures that stands alone: bars, curves and tables, in one file without scripts, for the reports that the
//! subcommands write.

use askama::Template;

/// Bars in one chart at most: more are no picture.
const MOST_BARS: usize = 30;
/// Height of a bar with its gap, in pixels.
const STEP: usize = 20;
/// Length of the longest bar.
const LONGEST: f64 = 380.0;

/// The page.
#[derive(Template, Default)]
#[template(path = "pages/data/figures.html")]
pub struct Figures {
    /// Heading.
    pub title: String,
    /// What the reader must know first.
    pub lead: Vec<String>,
    /// Bar charts.
    pub bars: Vec<Bars>,
    /// Curves.
    pub curves: Vec<Curves>,
    /// Tables; the first column is text, the others are numbers.
    pub tables: Vec<Table>,
}

/// A table.
pub struct Table {
    /// Heading.
    pub title: String,
    /// A sentence on it; empty for none.
    pub note: String,
    /// Heads of the columns.
    pub heads: Vec<String>,
    /// Cells, row by row.
    pub rows: Vec<Vec<String>>,
}

/// Lengths side by side.
pub struct Bars {
    /// Heading.
    pub title: String,
    bars: Vec<(String, f64)>,
}

/// A bar in its place.
pub struct Bar {
    /// What it stands for.
    pub label: String,
    /// Its number.
    pub value: String,
    /// Upper edge.
    pub y: usize,
    /// Line of the texts.
    pub text_y: usize,
    /// Length.
    pub width: String,
    /// Where its number stands.
    pub value_x: String,
}

impl Bars {
    /// A chart of the first thirty.
    pub fn new(title: &str, bars: impl IntoIterator<Item = (String, f64)>) -> Self {
        Self {
            title: title.to_owned(),
            bars: bars.into_iter().take(MOST_BARS).collect(),
        }
    }

    /// Height of the picture.
    #[must_use]
    pub fn height(&self) -> usize {
        self.bars.len() * STEP + 6
    }

    /// Every bar in its place; the longest takes the whole width.
    #[must_use]
    pub fn placed(&self) -> Vec<Bar> {
        let most = self
            .bars
            .iter()
            .map(|(_, value)| *value)
            .fold(f64::MIN_POSITIVE, f64::max);
        self.bars
            .iter()
            .enumerate()
            .map(|(at, (label, value))| {
                let width = (value.max(0.0) / most * LONGEST).max(0.5);
                Bar {
                    label: short(label),
                    value: number(*value),
                    y: at * STEP + 3,
                    text_y: at * STEP + 15,
                    width: format!("{width:.1}"),
                    value_x: format!("{:.1}", 266.0 + width),
                }
            })
            .collect()
    }
}

/// A label that fits beside its bar.
fn short(label: &str) -> String {
    if label.chars().count() <= 36 {
        return label.to_owned();
    }
    label.chars().take(35).chain(['…']).collect()
}

/// A count as it is, another number with three decimals.
fn number(value: f64) -> String {
    if value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.3}")
    }
}

/// A named line of points.
pub struct Line {
    /// Name.
    pub name: String,
    /// Its points as SVG writes them.
    pub points: String,
    /// Where its key begins, and the name in it.
    pub key_x: usize,
    /// Where the name begins.
    pub name_x: usize,
}

/// Curves over the same axes.
pub struct Curves {
    /// Heading.
    pub title: String,
    /// Name of the axis to the right.
    pub x_name: String,
    /// Name of the axis upwards.
    pub y_name: String,
    /// Ends of the axes.
    pub x_low: String,
    /// Right end.
    pub x_high: String,
    /// Lower end.
    pub y_low: String,
    /// Upper end.
    pub y_high: String,
    /// The lines.
    pub lines: Vec<Line>,
}

impl Curves {
    /// Curves in a frame from `x.0` to `x.1` and from `y.0` to `y.1`; what is outside is moved to the edge.
    pub fn new(
        title: &str,
        (x_name, x): (&str, (f64, f64)),
        (y_name, y): (&str, (f64, f64)),
        lines: Vec<(String, Vec<(f64, f64)>)>,
    ) -> Self {
        let part = |value: f64, (low, high): (f64, f64)| {
            ((value - low) / (high - low).max(f64::MIN_POSITIVE)).clamp(0.0, 1.0)
        };
        let lines = lines
            .into_iter()
            .enumerate()
            .map(|(at, (name, points))| Line {
                name,
                key_x: 50 + at * 145,
                name_x: 68 + at * 145,
                points: points
                    .iter()
                    .map(|&(a, b)| {
                        format!(
                            "{:.1},{:.1}",
                            50.0 + 420.0 * part(a, x),
                            290.0 - 280.0 * part(b, y)
                        )
                    })
                    .collect::<Vec<_>>()
                    .join(" "),
            })
            .collect();
        Self {
            title: title.to_owned(),
            x_name: x_name.to_owned(),
            y_name: y_name.to_owned(),
            x_low: number(x.0),
            x_high: number(x.1),
            y_low: number(y.0),
            y_high: number(y.1),
            lines,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_made_of_its_parts_and_escapes_text() -> Result<(), askama::Error> {
        let page = Figures {
            title: "A <title>".to_owned(),
            bars: vec![Bars::new(
                "Bars",
                [("a & b".to_owned(), 4.0), ("c".to_owned(), 1.0)],
            )],
            curves: vec![Curves::new(
                "Curves",
                ("x", (0.0, 1.0)),
                ("y", (0.0, 1.0)),
                vec![("line".to_owned(), vec![(0.0, 0.0), (1.0, 2.0)])],
            )],
            ..Figures::default()
        };
        let html = page.render()?;
        assert!(html.contains("A &#60;title&#62;") && !html.contains("<title>A <"));
        assert!(html.contains("width=\"380.0\"") && html.contains("width=\"95.0\""));
        assert!(html.contains("50.0,290.0 470.0,10.0"), "{html}");
        assert!(!html.contains("<script"));
        Ok(())
    }
}
