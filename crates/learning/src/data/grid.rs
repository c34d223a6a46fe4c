use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::DataError;
use super::content::Bounds;
use super::error::Malformed;

/// Fields of a table's columns, as texts.
pub(super) struct Grid {
    pub(super) path: PathBuf,
    /// Name of each column.
    pub(super) names: Vec<String>,
    pub(super) columns: Vec<Cells>,
    /// Line of the file where each row starts, from 1; the number of the row in Parquet.
    pub(super) lines: Vec<u64>,
    /// Rows that have no fields here, as they are malformed.
    pub(super) malformed: Malformed,
    pub(super) bounds: Bounds,
}

impl Grid {
    /// Returns the number of rows.
    pub(super) fn rows(&self) -> usize {
        self.lines.len()
    }

    /// Returns the fields of a column, in the order of the rows.
    pub(super) fn column(&self, column: usize) -> &Cells {
        &self.columns[column]
    }

    /// Removes the first column and returns its fields.
    pub(super) fn take_first(&mut self) -> Cells {
        if self.columns.is_empty() {
            return Cells::default();
        }
        self.names.remove(0);
        self.columns.remove(0)
    }

    /// Returns a grid of only these columns, in this order.
    pub(super) fn arranged(&self, columns: &[usize]) -> Self {
        Self {
            path: self.path.clone(),
            names: columns.iter().map(|&it| self.names[it].clone()).collect(),
            columns: columns.iter().map(|&it| self.columns[it].clone()).collect(),
            lines: self.lines.clone(),
            malformed: Malformed::new(&self.path),
            bounds: self.bounds,
        }
    }
}

/// Fields of a column.
#[derive(Clone, Default)]
pub(super) struct Cells {
    /// Text of all fields.
    text: String,
    /// Offset of each field's end in `text`, which is at most [`MAX_BYTES`](super::MAX_BYTES) long.
    ends: Vec<u32>,
}

impl Cells {
    /// Returns the field of a row.
    pub(super) fn get(&self, row: usize) -> &str {
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start as usize..self.ends[row] as usize]
    }

    /// Returns the number of fields.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns all fields in order.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let field = &self.text[start..end as usize];
            start = end as usize;
            field
        })
    }
}

/// Grid that is being read.
pub(super) struct Builder {
    path: PathBuf,
    names: Vec<String>,
    columns: Vec<(Vec<u8>, Vec<u32>)>,
    lines: Vec<u64>,
    pub(super) malformed: Malformed,
    /// Number of bytes and fields, which the bounds limit.
    size: u64,
    bounds: Bounds,
}

impl Builder {
    pub(super) fn new(path: &Path, names: Vec<String>, bounds: Bounds) -> Self {
        Self {
            path: path.to_owned(),
            columns: names.iter().map(|_| (Vec::new(), Vec::new())).collect(),
            names,
            lines: Vec::new(),
            malformed: Malformed::new(path),
            size: 0,
            bounds,
        }
    }

    /// Returns the name of a column.
    pub(super) fn name(&self, column: usize) -> &str {
        &self.names[column]
    }

    /// Adds a field to a column.
    ///
    /// Every field counts as a byte more, as the separator after it does in a file. So this refuses
    /// no table that could be read, and Parquet cannot claim any number of empty fields.
    pub(super) fn push(&mut self, column: usize, field: &[u8]) -> Result<(), DataError> {
        self.size += field.len() as u64 + 1;
        let (text, ends) = &mut self.columns[column];
        text.extend_from_slice(field);
        match u32::try_from(text.len()) {
            Ok(end) if self.size <= self.bounds.bytes + 1 => {
                ends.push(end);
                Ok(())
            }
            _ => Err(DataError::TooLarge {
                path: self.path.clone(),
                max: self.bounds.bytes,
            }),
        }
    }

    /// Ends a row that has a field in each column.
    pub(super) fn end_row(&mut self, line: u64) {
        self.lines.push(line);
    }

    /// Returns the grid. The bytes of all fields must be UTF-8.
    pub(super) fn finish(self) -> Grid {
        let cells = |(text, ends): (Vec<u8>, Vec<u32>)| Cells {
            text: String::from_utf8(text).unwrap_or_default(),
            ends,
        };
        let columns: Vec<Cells> = self.columns.into_iter().map(cells).collect();
        Grid {
            path: self.path,
            names: self.names,
            columns,
            lines: self.lines,
            malformed: self.malformed,
            bounds: self.bounds,
        }
    }
}

/// Checks that the names of columns differ.
pub(super) fn check_names(path: &Path, names: &[String]) -> Result<(), DataError> {
    let (mut seen, mut told) = (HashSet::new(), HashSet::new());
    let mut doubled: Vec<String> = Vec::new();
    for name in names {
        if !seen.insert(name) && told.insert(name) {
            doubled.push(name.clone());
        }
    }
    if doubled.is_empty() {
        return Ok(());
    }
    Err(DataError::DuplicateColumns {
        path: path.to_owned(),
        columns: doubled,
    })
}
