//! Doubts about a data set that only its user can settle, such as codes that look like numbers.

use std::fmt;

use super::{ColumnKind, Dataset, Example, Part};
use crate::text::escaped;

/// Something that a table may mean otherwise than it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// Numeric columns have few different whole numbers, as codes of kinds do.
    Codes {
        /// Names of the columns, each with its number of values.
        columns: Vec<(String, usize)>,
    },
    /// A column has another large whole number in each row, as names of rows do.
    Names {
        /// Name of the column.
        column: String,
    },
    /// All commas of a column are before three digits, and were read as decimal commas.
    Thousands {
        /// Name of the column.
        column: String,
        /// One of its fields.
        field: String,
    },
    /// The classes are numbers with fractions, as of something to estimate.
    Classes {
        /// Number of classes.
        classes: usize,
        /// Name of one of them.
        class: String,
    },
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Codes { columns } => {
                const SHOWN: usize = 5;
                let shown = columns.iter().take(SHOWN);
                let shown: Vec<String> = shown
                    .map(|(name, values)| format!("`{}` ({values})", escaped(name)))
                    .collect();
                let more = match columns.len().saturating_sub(SHOWN) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                write!(
                    f,
                    "few different whole numbers are in {}{more}; if they are codes of kinds, say --type NAME=categorical",
                    shown.join(", ")
                )
            }
            Self::Names { column } => write!(
                f,
                "the column `{0}` has another whole number in each row; if they name the rows, leave it out with --drop {0}",
                escaped(column)
            ),
            Self::Thousands { column, field } => write!(
                f,
                "all commas of the column `{}` are before three digits, as in `{}`, and were read as decimal commas; if they separate thousands, remove them",
                escaped(column),
                escaped(field)
            ),
            Self::Classes { classes, class } => write!(
                f,
                "the classes are {classes} different numbers, such as `{}`; a model tells classes apart and estimates no numbers, so choose another --label-column, or write names of ranges instead",
                escaped(class)
            ),
        }
    }
}

impl Dataset {
    /// Returns what the table may mean otherwise than it was read; nothing for other data.
    #[must_use]
    pub fn doubts(&self) -> Vec<Doubt> {
        let mut doubts = Vec::new();
        if self.pictures.is_some() {
            return doubts;
        }
        let mut codes = Vec::new();
        let mut feature = 0;
        let row_numbers = self.row_numbers();
        for column in self.schema.columns() {
            let name = &column.name;
            if column.kind == ColumnKind::Numeric && !row_numbers.contains(name) {
                let numbers = values(&self.train, feature);
                if let Some(values) = codes_of(&numbers) {
                    codes.push((name.clone(), values));
                } else if may_name_rows(numbers) {
                    let column = name.clone();
                    doubts.push(Doubt::Names { column });
                }
            }
            feature += column.width();
        }
        if !codes.is_empty() {
            doubts.push(Doubt::Codes { columns: codes });
        }
        let commas = self.commas.iter().cloned();
        doubts.extend(commas.map(|(column, field)| Doubt::Thousands { column, field }));
        doubts.extend(self.doubtful_classes());
        doubts
    }

    fn doubtful_classes(&self) -> Option<Doubt> {
        /// Names of few classes may well be numbers, such as versions.
        const FEW: usize = 10;
        let number = |class: &String| class.parse::<f64>().ok();
        let has_fraction = |class: &&String| number(class).is_some_and(|it| !is_whole(it));
        let class = self.classes.iter().find(has_fraction)?;
        let are_numbers = self.classes.iter().all(|class| number(class).is_some());
        (self.classes.len() > FEW && are_numbers).then(|| Doubt::Classes {
            classes: self.classes.len(),
            class: class.clone(),
        })
    }
}

/// Returns the values of a feature in a part's rows of numbers.
pub(super) fn values(part: &Part, feature: usize) -> Vec<f64> {
    let value = |example| match example {
        Example::Numbers(numbers) => numbers.get(feature).copied(),
        Example::Text(_) | Example::Indexed { .. } => None,
    };
    part.examples().filter_map(value).collect()
}

pub(super) fn is_whole(number: f64) -> bool {
    number.fract().abs().total_cmp(&0.0).is_eq()
}

/// Returns how many different values a column has, if it may be one of codes.
///
/// With two values, it makes no difference.
fn codes_of(numbers: &[f64]) -> Option<usize> {
    const MAX: usize = 10;
    let mut different: Vec<f64> = Vec::with_capacity(MAX + 1);
    for &number in numbers {
        if !different
            .iter()
            .any(|known| known.total_cmp(&number).is_eq())
        {
            if !is_whole(number) || different.len() == MAX {
                return None;
            }
            different.push(number);
        }
    }
    let count = different.len();
    (count > 2 && numbers.len() >= count * 5).then_some(count)
}

/// Returns `true` if the numbers differ in each row, and lie far apart as counts of few do not.
fn may_name_rows(mut numbers: Vec<f64>) -> bool {
    /// With fewer rows, different numbers are nothing special.
    const ROWS: usize = 20;
    if numbers.len() <= ROWS || !numbers.iter().all(|it| is_whole(*it)) {
        return false;
    }
    numbers.sort_unstable_by(f64::total_cmp);
    let range = numbers[numbers.len() - 1] - numbers[0];
    // Numbers of rows are far below 2^52.
    #[allow(clippy::cast_precision_loss)]
    let far = range > 20.0 * numbers.len() as f64;
    far && numbers.windows(2).all(|pair| pair[0] < pair[1])
}
