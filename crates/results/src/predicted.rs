//! Predictions for test data as a table of a page.

use cotrain_learning::{evaluation::Confusion, text::escaped};
use serde::Serialize;

use crate::{
    format::{count, share},
    measured::of,
};

/// Maximum number of classes whose confusion matrix a page shows.
const MATRIX: usize = 20;

/// Confusion matrix with the figures of each class, for `predicted.html`.
#[derive(Serialize)]
pub(crate) struct Predicted {
    /// Whether the table has the counts of each predicted class.
    has_matrix: bool,
    classes: Vec<Class>,
    /// Number of samples that the model refuses to predict, if there are any.
    refused: Option<String>,
}

/// Row of the confusion matrix, with the figures of its class.
#[derive(Serialize)]
struct Class {
    name: String,
    counts: Vec<String>,
    recall: String,
    precision: String,
    f1: String,
}

impl Predicted {
    /// Creates the table of a matrix, with the name of each class.
    pub(crate) fn new(confusion: &Confusion, names: &[String]) -> Self {
        let has_matrix = names.len() <= MATRIX;
        let figures = confusion.classes();
        let classes = figures.into_iter().zip(confusion.rows()).zip(names);
        let classes = classes.map(|((it, counts), name)| Class {
            name: escaped(name).to_string(),
            counts: counts.iter().copied().map(count).collect(),
            recall: of(it.recall, it.correct, it.support),
            precision: of(it.precision, it.correct, it.predicted),
            f1: it.f1.map_or_else(|| "-".to_owned(), share),
        });
        let refused = confusion.refused();
        Self {
            has_matrix,
            classes: classes.collect(),
            refused: (refused > 0).then(|| count(refused)),
        }
    }
}
