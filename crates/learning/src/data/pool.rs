//! Rows of a table without classes, as numbers.

use ndarray::Array2;

use super::options::Columns;
use super::rows::{bounded, checked, chosen};
use super::{DataError, Schema, Table, guess};

/// Rows of a table as numbers, with the columns that these stand for.
#[derive(Clone, Debug)]
pub struct PoolRows {
    /// Columns with their types.
    pub schema: Schema,
    /// Rows × numbers, in the order of the table.
    pub rows: Array2<f64>,
}

impl Table {
    /// Returns the rows as numbers. All rows tell the types of the columns, and what replaces missing
    /// values.
    ///
    /// The columns `apart` are no features, such as the one with the classes.
    ///
    /// # Errors
    /// If a chosen column is unknown, a field does not fit its column, or a value is missing without
    /// a rule.
    pub fn learned(
        &self,
        apart: &[&str],
        columns: &Columns,
        decimal_comma: bool,
    ) -> Result<PoolRows, DataError> {
        let grid = &self.grid;
        let (path, header) = (&grid.path, &grid.names);
        let inputs = chosen(path, header, None, columns, false)?;
        let is_feature = |&column: &usize| !apart.contains(&header[column].as_str());
        let inputs: Vec<usize> = inputs.into_iter().filter(is_feature).collect();
        if inputs.is_empty() {
            return Err(DataError::NoInputs {
                path: path.clone(),
                label: apart.first().copied().unwrap_or_default().to_owned(),
            });
        }
        let grid = grid.arranged(&inputs);
        // Each column becomes at least one feature.
        bounded(&grid, grid.names.len())?;
        let all: Vec<usize> = (0..grid.rows()).collect();
        let (schema, values) = guess::learn(&grid, &all, columns, decimal_comma)?;
        let rows = checked(grid, &schema, Some(values), decimal_comma, false)?.all();
        Ok(PoolRows { schema, rows })
    }
}
