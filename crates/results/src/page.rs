//! Parts that the pages of runs and of sweeps share.

use minijinja::{AutoEscape, Environment, Value, value::Serde};
use serde::Serialize;

use crate::error::ResultsError;

/// Template of a table of predictions, which the templates of both pages include.
const PREDICTED: &str = include_str!("../assets/predicted.html");

/// Style sheet of both pages.
pub(crate) const STYLE: &str = include_str!("../assets/report.css");
pub(crate) const PLOT_STYLE: &str = include_str!("../assets/uPlot.min.css");
pub(crate) const PLOT_SCRIPT: &str = concat!(
    include_str!("../assets/uPlot.iife.min.js"),
    include_str!("../assets/plot.js")
);

/// Shapes and dashes of agents' lines. Harmless agents have filled shapes, and solid lines or long
/// dashes. Hostile agents have hollow shapes and short dashes. A dash pattern lists the points drawn
/// and left out, in turn. The style sheet has one color a side for each shape.
const SHAPES: [&str; 4] = ["circle", "square", "diamond", "triangle"];
const HARMLESS_DASHES: [&[u8]; 3] = [&[], &[18, 4], &[18, 4, 3, 4]];
const HOSTILE_DASHES: [&[u8]; 3] = [&[7, 4], &[2, 3], &[7, 3, 2, 3]];

/// Renders a page. It escapes every value unless the template says otherwise.
pub(crate) fn render(template: &str, page: &impl Serialize) -> Result<String, ResultsError> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_template("predicted.html", PREDICTED)?;
    Ok(environment.render_str(template, Value::from(Serde(page)))?)
}

/// Color, dashes and shape of an agent's line.
#[derive(Debug, Serialize, PartialEq, Eq, Hash)]
pub(crate) struct LineStyle {
    /// Name of a variable of the style sheet.
    color: String,
    dash: &'static [u8],
    shape: &'static str,
}

impl LineStyle {
    /// Returns the style of the agent at `index` among those of its side. Colors repeat after four
    /// agents. Every four agents the shapes shift and the dashes change, so that 48 styles a side
    /// differ.
    pub(crate) fn of(harmless: bool, index: usize) -> Self {
        let kinds = SHAPES.len();
        let (color, round) = (index % kinds, index / kinds);
        let shape = (color + round) % kinds;
        let (side, dashes, shape) = if harmless {
            ("harmless", HARMLESS_DASHES, shape)
        } else {
            ("hostile", HOSTILE_DASHES, kinds - 1 - shape)
        };
        Self {
            color: format!("{side}-{color}"),
            dash: dashes[round % dashes.len()],
            shape: SHAPES[shape],
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn line_style_differs_for_each_of_many_agents() {
        let styles: HashSet<_> = (0..48)
            .flat_map(|index| [true, false].map(|harmless| LineStyle::of(harmless, index)))
            .collect();
        assert_eq!(styles.len(), 96);
        // The first 12 of each side differ without colors, too.
        let plain: HashSet<_> = (0..12)
            .flat_map(|index| [true, false].map(|harmless| LineStyle::of(harmless, index)))
            .map(|style| (style.dash, style.shape))
            .collect();
        assert_eq!(plain.len(), 24);
        assert!(styles.iter().all(|style| STYLE.contains(&style.color)));
    }
}
