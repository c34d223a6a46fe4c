//! Line charts of text, drawn with Braille points, eight a character. Dashes, labels at the ends
//! and, if available, colors tell lines apart.

use std::cmp::Ordering;

use console::{Color, measure_text_width, style};

/// Line over time.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// Text at the line's end.
    pub(crate) label: String,
    /// Values, one for each day of the chart.
    pub(crate) values: Vec<f64>,
    pub(crate) dash: Dash,
    pub(crate) color: Color,
}

/// Dash pattern of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dash {
    Solid,
    Dashed,
    Dotted,
}

impl Dash {
    /// Returns `true` if the point in column `x` is drawn.
    fn draws(self, x: usize) -> bool {
        match self {
            Self::Solid => true,
            Self::Dashed => x % 6 < 4,
            Self::Dotted => x.is_multiple_of(4),
        }
    }
}

/// Lines over the same days.
#[derive(Debug)]
pub(crate) struct Chart<'a> {
    /// Text above the plot.
    pub(crate) title: &'a str,
    /// Days, ascending, or counts in another unit.
    pub(crate) days: &'a [f64],
    /// Unit in the plural.
    pub(crate) unit: &'a str,
    pub(crate) lines: Vec<Line>,
    /// Approximate maximum number of rows of the plot itself.
    pub(crate) height: usize,
}

/// Points of a character: columns, then rows.
const ACROSS: usize = 2;
const DOWN: usize = 4;
/// Row of a character's point that stands for its tick.
const MIDDLE: usize = 2;
/// Width of the narrowest useful plot, in characters.
const NARROWEST: usize = 16;

impl Chart<'_> {
    /// Returns the lines of the chart, `width` characters wide.
    pub(crate) fn draw(&self, width: usize, colors: bool) -> Vec<String> {
        let values = || {
            self.lines
                .iter()
                .flat_map(|line| line.values.iter().copied())
        };
        let scale = Scale::around(values(), self.height / 2);
        let height = scale.rows(self.height);
        let ticks = scale.ticks();
        let left = ticks.iter().map(|tick| tick.text.len()).max().unwrap_or(0);
        let labels: Vec<_> = self
            .lines
            .iter()
            .map(|line| measure_text_width(&line.label))
            .collect();
        let right = labels.into_iter().max().unwrap_or(0).min(width / 3);
        let across = width.saturating_sub(left + right + 4).max(NARROWEST);

        let mut canvas = Canvas::new(across, height);
        for (owner, line) in self.lines.iter().enumerate() {
            self.plot(line, owner, &scale, &mut canvas);
        }
        let ends = self.ends(&scale, height);
        let mut text = vec![self.title.to_owned()];
        for (row, end) in ends.into_iter().enumerate() {
            let tick = ticks
                .iter()
                .find(|tick| scale.row(tick.value, height) == row);
            let number = tick.map_or("", |tick| tick.text.as_str());
            let axis = if tick.is_some() { '┤' } else { '│' };
            let plot = canvas.row(row, |owner, cell| {
                paint(cell, self.lines[owner].color, colors)
            });
            let end = end.map_or_else(String::new, |owner| {
                let line = &self.lines[owner];
                format!(
                    " {}",
                    paint(&shortened(&line.label, right), line.color, colors)
                )
            });
            text.push(
                format!("{number:>left$} {axis}{plot}{end}")
                    .trim_end()
                    .to_owned(),
            );
        }
        text.extend(self.time_axis(left, across));
        text
    }

    fn plot(&self, line: &Line, owner: usize, scale: &Scale, canvas: &mut Canvas) {
        let (Some(first), Some(last)) = (self.days.first(), self.days.last()) else {
            return;
        };
        let points = canvas.across * ACROSS;
        let mut before: Option<usize> = None;
        for x in 0..points {
            let day = first + (last - first) * ratio(x, points - 1);
            let y = scale.point(self.value_at(line, day), canvas.down);
            // A steep line stays whole: every point between two columns is drawn.
            let from = before.map_or(y, |before| match before.cmp(&y) {
                Ordering::Less => before + 1,
                Ordering::Equal => y,
                Ordering::Greater => before - 1,
            });
            if line.dash.draws(x) {
                (from.min(y)..=from.max(y)).for_each(|y| canvas.set(x, y, owner));
            }
            before = Some(y);
        }
    }

    /// Returns the value of a line on a day, interpolated between two of its values.
    fn value_at(&self, line: &Line, day: f64) -> f64 {
        let after = self
            .days
            .partition_point(|&it| it < day)
            .min(self.days.len() - 1);
        let before = after.saturating_sub(1);
        let span = self.days[after] - self.days[before];
        if span <= 0.0 {
            return line.values[after];
        }
        let share = ((day - self.days[before]) / span).clamp(0.0, 1.0);
        line.values[before] + share * (line.values[after] - line.values[before])
    }

    /// Returns for each row the index of the line whose label stands there. It is the row in which
    /// the line ends, or one nearby if others end there, too. The labels are in the order of the
    /// values, from top to bottom.
    fn ends(&self, scale: &Scale, height: usize) -> Vec<Option<usize>> {
        let last = |line: &Line| line.values.last().copied().unwrap_or(scale.low);
        let mut order: Vec<_> = (0..self.lines.len()).collect();
        order.sort_by(|&a, &b| last(&self.lines[b]).total_cmp(&last(&self.lines[a])));
        order.truncate(height);

        let mut rows: Vec<usize> = Vec::new();
        for &owner in &order {
            let wanted = scale.row(last(&self.lines[owner]), height);
            rows.push(rows.last().map_or(wanted, |above| wanted.max(above + 1)));
        }
        let mut below = height;
        for row in rows.iter_mut().rev() {
            *row = (*row).min(below - 1);
            below = *row;
        }
        let mut ends = vec![None; height];
        rows.into_iter()
            .zip(order)
            .for_each(|(row, owner)| ends[row] = Some(owner));
        ends
    }

    fn time_axis(&self, left: usize, across: usize) -> [String; 2] {
        let scale = Scale::exactly(self.days.iter().copied(), across / 12);
        let mut line = vec!['─'; across];
        let mut numbers = String::new();
        for tick in scale.ticks() {
            let x = round(scale.share(tick.value) * ratio(across - 1, 1), across - 1);
            let start = (x + 1).saturating_sub(tick.text.len().div_ceil(2));
            if numbers.is_empty() || start > numbers.len() {
                line[x] = '┬';
                numbers = format!("{numbers:<start$}{}", tick.text);
            }
        }
        let line: String = line.into_iter().collect();
        [
            format!("{:left$} └{line}", ""),
            format!(
                "{:left$} {:<across$} {}",
                "",
                format!(" {numbers}"),
                self.unit
            ),
        ]
    }
}

/// Values from `low` to `high`, with ticks at round numbers.
#[derive(Debug)]
struct Scale {
    low: f64,
    high: f64,
    step: f64,
}

#[derive(Debug)]
struct Tick {
    value: f64,
    text: String,
}

impl Scale {
    /// Returns the range from the lowest to the highest value, with about `ticks` ticks.
    fn exactly(values: impl Iterator<Item = f64>, ticks: usize) -> Self {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        let (low, high) = if low < high { (low, high) } else { (0.0, 1.0) };
        let rough = (high - low) / ratio(ticks.max(1), 1);
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0]
            .into_iter()
            .find(|step| step * power >= rough)
            .unwrap_or(10.0);
        Self {
            low,
            high,
            step: step * power,
        }
    }

    /// Returns the same range, widened to the next ticks.
    fn around(values: impl Iterator<Item = f64>, ticks: usize) -> Self {
        let Self { low, high, step } = Self::exactly(values, ticks);
        Self {
            low: (low / step).floor() * step,
            high: (high / step).ceil() * step,
            step,
        }
    }

    /// Returns the relative position of `value`: 0 is low, 1 is high.
    fn share(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }

    /// Returns the number of rows so that ticks have rows of their own at equal distances. It is at
    /// most `max` if they fit.
    fn rows(&self, max: usize) -> usize {
        let steps = round((self.high - self.low) / self.step, 100).max(1);
        steps * (max.saturating_sub(1) / steps).max(1) + 1
    }

    /// Returns the point of `value`, counted from the top, in a plot of `height` rows.
    fn point(&self, value: f64, height: usize) -> usize {
        let span = (height - 1) * DOWN;
        MIDDLE + span - round(self.share(value) * ratio(span, 1), span)
    }

    /// Returns the row of that point.
    fn row(&self, value: f64, height: usize) -> usize {
        self.point(value, height) / DOWN
    }

    fn ticks(&self) -> Vec<Tick> {
        let first = (self.low / self.step).ceil() * self.step;
        let decimals = if self.step < 1.0 {
            round(-self.step.log10().floor(), 9)
        } else {
            0
        };
        (0..100)
            .map(|index| first + ratio(index, 1) * self.step)
            .take_while(|&value| value <= self.high + self.step * 1e-6)
            .map(|value| Tick {
                value,
                text: format!("{value:.decimals$}"),
            })
            .collect()
    }
}

/// Returns `part / whole` for small counts.
#[allow(clippy::cast_precision_loss)]
fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// Rounds to the nearest integer from 0 to `max`.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn round(value: f64, max: usize) -> usize {
    // A cast of a float saturates, and turns NaN into 0.
    (value.round() as usize).min(max)
}

fn paint(text: &str, color: Color, colors: bool) -> String {
    style(text).fg(color).force_styling(colors).to_string()
}

fn shortened(label: &str, width: usize) -> String {
    console::truncate_str(label, width, "…").into_owned()
}

/// Grid of Braille characters.
struct Canvas {
    across: usize,
    down: usize,
    /// The points of each character, and the line that drew the first of them.
    cells: Vec<(u8, usize)>,
}

impl Canvas {
    fn new(across: usize, down: usize) -> Self {
        Self {
            across,
            down,
            cells: vec![(0, 0); across * down],
        }
    }

    /// Draws a point, counted from the upper left.
    fn set(&mut self, x: usize, y: usize, owner: usize) {
        // Unicode numbers the points down the left column, then down the right one, the last row at
        // the end.
        const BITS: [[u8; ACROSS]; DOWN] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
        let cell = &mut self.cells[y / DOWN * self.across + x / ACROSS];
        if cell.0 == 0 {
            cell.1 = owner;
        }
        cell.0 |= BITS[y % DOWN][x % ACROSS];
    }

    fn row(&self, row: usize, paint: impl Fn(usize, &str) -> String) -> String {
        let cells = &self.cells[row * self.across..][..self.across];
        let runs = cells.chunk_by(|left, right| {
            left.0 == 0 && right.0 == 0 || left.0 != 0 && right.0 != 0 && left.1 == right.1
        });
        runs.map(|run| match run {
            [(0, _), ..] => " ".repeat(run.len()),
            [(_, owner), ..] => paint(
                *owner,
                &run.iter()
                    .map(|&(dots, _)| braille(dots))
                    .collect::<String>(),
            ),
            [] => String::new(),
        })
        .collect()
    }
}

fn braille(dots: u8) -> char {
    char::from_u32(0x2800 + u32::from(dots)).unwrap_or(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(label: &str, values: &[f64], dash: Dash) -> Line {
        Line {
            label: label.to_owned(),
            values: values.to_vec(),
            dash,
            color: Color::Blue,
        }
    }

    fn chart(days: &[f64], lines: Vec<Line>) -> Chart<'_> {
        Chart {
            title: "a title",
            days,
            unit: "days",
            lines,
            height: 6,
        }
    }

    #[test]
    fn draw_distinguishes_lines_by_dashes_and_labels() {
        let lines = vec![
            line("up", &[0.0, 50.0, 100.0], Dash::Solid),
            line("down", &[100.0, 90.0, 0.0], Dash::Dashed),
            line("goal", &[80.0; 3], Dash::Dotted),
        ];
        insta::assert_snapshot!(chart(&[0.0, 5.0, 10.0], lines).draw(60, false).join("\n"), @r"
        a title
        100 ┤⠤⠤ ⠤⠤ ⠤⠤ ⣀⣀ ⣀⣀ ⣀⣀ ⣀⣀ ⣀⣀                     ⣀⣀⣀⠤⠤ up
            │⠂ ⠂ ⠂ ⠂ ⠂ ⠂ ⠂ ⠂ ⠂ ⠂ ⠂ ⠂ ⠋⠉⠂⠢⠦ ⣂ ⣂⣀⣂⠤⠦⠤⠒⠒⠒⠉⠋⠉⠂ ⠂ ⠂ goal
         50 ┤                    ⣀⣀⣀⠤⠤⠤⠒⠒⠒⠉⠉⠉ ⠒⠢ ⣀⣀
            │        ⣀⣀⣀⠤⠤⠤⠒⠒⠒⠉⠉⠉                   ⠑⠒ ⠤⣀
          0 ┤⠤⠤⠒⠒⠒⠉⠉⠉                                     ⠉⠒ ⠤ down
            └┬───────────────────────┬───────────────────────┬
             0                       5                       10 days
        ");
    }

    #[test]
    fn draw_uses_colors_only_if_they_are_wanted() {
        let drawn = |colors| {
            chart(&[0.0, 1.0], vec![line("it", &[1.0, 2.0], Dash::Solid)])
                .draw(40, colors)
                .join("\n")
        };
        assert!(drawn(true).contains("\u{1b}[34m"));
        assert!(!drawn(false).contains('\u{1b}'));
    }

    #[test]
    fn draw_is_as_wide_as_asked() {
        let lines = || vec![line("a label of some length", &[0.0, 1.0], Dash::Solid)];
        for width in [40, 80, 132] {
            let drawn = chart(&[0.0, 1.0], lines()).draw(width, false);
            let widest = drawn.iter().map(|row| measure_text_width(row)).max();
            assert!(widest <= Some(width + 1), "{widest:?} of {width}");
            assert!(widest >= Some(width - 2), "{widest:?} of {width}");
        }
    }

    #[test]
    fn draw_shows_a_line_without_time_or_change() {
        for days in [&[0.0][..], &[0.0, 0.0]] {
            let lines = vec![line("flat", &vec![100.0; days.len()], Dash::Solid)];
            assert!(chart(days, lines).draw(40, false).len() > 6);
        }
    }

    #[test]
    fn draw_puts_labels_that_end_together_below_each_other_in_order() {
        let ending = |ends: &[(&'static str, f64)]| {
            let lines = ends
                .iter()
                .map(|&(label, end)| line(label, &[0.0, end], Dash::Solid));
            let drawn = chart(&[0.0, 1.0], lines.collect()).draw(40, false);
            let row = |&(label, _): &(&str, f64)| drawn.iter().position(|row| row.ends_with(label));
            ends.iter().map(row).collect::<Vec<_>>()
        };
        assert_eq!(
            ending(&[("one", 1.0), ("two", 1.0), ("three", 1.0)]),
            [Some(1), Some(2), Some(3)]
        );
        assert_eq!(
            ending(&[("top", 1.0), ("low", 0.0), ("zero", 0.01)]),
            [Some(1), Some(5), Some(4)]
        );
        let many: Vec<_> = ["a", "b", "c", "d", "e", "f", "g"]
            .map(|label| (label, 0.0))
            .to_vec();
        let shown = ending(&many).into_iter().flatten().count();
        assert!(shown < many.len(), "those without a row go without a label");
    }
}
