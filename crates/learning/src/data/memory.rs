//! Data sets of rows in memory.

use std::path::PathBuf;

use ndarray::Array2;

use super::part::Inputs;
use super::{Dataset, Part, Raw, Schema};

impl Dataset {
    /// Returns a data set of rows of numbers, all of them to train on; `None` if there is not one
    /// class, by its number, for each row.
    ///
    /// The columns are called `0`, `1` and so on.
    #[must_use]
    pub fn of_numbers(rows: &Array2<f64>, labels: Vec<u16>, classes: Vec<String>) -> Option<Self> {
        let is_class = |&label: &u16| usize::from(label) < classes.len();
        if rows.nrows() != labels.len() || !labels.iter().all(is_class) {
            return None;
        }
        let part = |rows: Array2<f64>, labels: Vec<u16>| {
            let raw = Raw {
                path: PathBuf::from("rows"),
                lines: (1..).take(labels.len()).collect(),
                labels: Vec::new(),
                inputs: Inputs::Numbers(rows),
            };
            Part::new(raw, labels)
        };
        let names = (0..rows.ncols()).map(|column| column.to_string());
        let schema = Schema::numbers(names).ok()?;
        Some(Self {
            test: part(Array2::zeros((0, rows.ncols())), Vec::new()),
            train: part(rows.as_standard_layout().into_owned(), labels),
            classes,
            columns: schema.features(),
            schema,
            zero_based: false,
            pictures: None,
            commas: Vec::new(),
        })
    }
}
