//! Tables as people have them: separators, encodings, types, missing values and Parquet.

#[path = "tables/known.rs"]
mod known;
#[path = "tables/labels.rs"]
mod labels;
#[path = "tables/parquet.rs"]
mod parquet;
#[path = "tables/pool.rs"]
mod pool;
#[path = "tables/reading.rs"]
mod reading;
#[path = "tables/shapes.rs"]
mod shapes;
#[path = "tables/types.rs"]
mod types;

use std::error::Error as _;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use ::parquet::basic::Compression as Codec;
use cotrain_learning::data::{Columns, DataError, Dataset, Example, Reading, Source, load};
use flate2::Compression;
use flate2::write::GzEncoder;
use parquet::parquet;
use proptest::prelude::*;
use tempfile::TempDir;

/// Table in a file of its own, with the choices for reading it.
struct Table {
    folder: TempDir,
    name: String,
    test: Option<PathBuf>,
    reading: Reading,
    columns: Columns,
}

impl Table {
    fn new(name: &str, content: impl AsRef<[u8]>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(name), content).unwrap();
        Self {
            folder,
            name: name.to_owned(),
            test: None,
            reading: Reading::default(),
            columns: Columns::default(),
        }
    }

    fn csv(content: impl AsRef<[u8]>) -> Self {
        Self::new("t.csv", content)
    }

    fn with_test(mut self, content: impl AsRef<[u8]>) -> Self {
        let path = self.folder.path().join(format!("test-{}", self.name));
        fs::write(&path, content).unwrap();
        self.test = Some(path);
        self
    }

    /// Sets the types of columns: `a=numeric b=text`.
    fn typed(mut self, types: &str) -> Self {
        for one in types.split_whitespace() {
            let (name, kind) = one.split_once('=').unwrap();
            self.columns
                .types
                .push((name.to_owned(), kind.parse().unwrap()));
        }
        self
    }

    /// Sets rules for missing values: `a=mean own`.
    fn missing(mut self, rules: &str) -> Self {
        for one in rules.split_whitespace() {
            match one.split_once('=') {
                Some((name, rule)) => {
                    let rule = (name.to_owned(), rule.parse().unwrap());
                    self.columns.missing.push(rule);
                }
                None => self.columns.missing_everywhere = one.parse().unwrap(),
            }
        }
        self
    }

    fn choosing(mut self, only: &[&str], drop: &[&str]) -> Self {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        self.columns.only = owned(only);
        self.columns.drop = owned(drop);
        self
    }

    fn source(&self) -> Source {
        let path = self.folder.path().join(&self.name);
        let path = path.to_str().unwrap();
        let test = self.test.as_deref();
        Source::chosen(
            path,
            test,
            "class",
            None,
            self.reading,
            self.columns.clone(),
        )
        .unwrap()
    }

    fn load(&self) -> Result<Dataset, DataError> {
        load(&self.source(), 0.5, 7)
    }

    /// Returns the message of a mistake, with file names in place of paths.
    fn told(&self) -> String {
        let folder = format!("{}/", self.folder.path().display());
        let error = self.load().unwrap_err();
        let cause = error
            .source()
            .map(|it| format!(": {it}"))
            .unwrap_or_default();
        format!("{error}{cause}").replace(&folder, "")
    }

    /// Returns the numbers of all training rows, which must be before a test file.
    fn rows(&self) -> Vec<Vec<f64>> {
        numbers(&self.load().unwrap())
    }
}

fn numbers(dataset: &Dataset) -> Vec<Vec<f64>> {
    let row = |example| match example {
        Example::Numbers(numbers) => numbers.to_vec(),
        other => panic!("{other:?} is no row"),
    };
    dataset.train.examples().map(row).collect()
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Fields of tables, among them missing ones and texts that are quoted.
fn field() -> impl Strategy<Value = String> {
    prop_oneof![
        "-?[0-9]{1,4}(\\.[0-9]{1,3})?",
        Just(String::new()),
        Just("NA".to_owned()),
        Just("true".to_owned()),
        "[a-c]",
        "[a-z ,;\"\n]{0,6}",
    ]
}

fn quoted(field: &str) -> String {
    format!("\"{}\"", field.replace('"', "\"\""))
}

proptest! {
    /// A table whose columns have one type each is read, with all its rows.
    #[test]
    fn load_reads_every_row_of_columns_with_types(
        rows in prop::collection::vec(
            (-1_000..1_000_i32, "[a-c]", prop::option::of(-10.0..10.0_f64)), 12..40,
        ),
        rule in prop::sample::select(vec!["mean", "median", "own"]),
        separator in prop::sample::select(vec![",", ";", "\t", "|"]),
        ending in prop::sample::select(vec!["\n", "\r\n", "\r"]),
    ) {
        let line = |(at, (number, letter, maybe)): (usize, &(i32, String, Option<f64>))| {
            // A column without any value has no type.
            let maybe = if at == 0 { Some(0.5) } else { *maybe };
            let maybe = maybe.map_or_else(|| "NA".to_owned(), |it| it.to_string());
            [format!("c{}", at % 2), number.to_string(), letter.clone(), maybe].join(separator)
        };
        let header = ["class", "a", "b", "c"].join(separator);
        let lines = std::iter::once(header).chain(rows.iter().enumerate().map(line));
        let text = lines.collect::<Vec<_>>().join(ending);
        let dataset = Table::csv(&text).with_test(&text).missing(rule).load().unwrap();
        let read = numbers(&dataset);
        prop_assert_eq!(read.len(), rows.len());
        for (row, (number, ..)) in read.iter().zip(&rows) {
            prop_assert!(row[0].total_cmp(&f64::from(*number)).is_eq());
        }
    }

    /// No row gets lost: all are read, or the file is refused.
    #[test]
    fn load_keeps_every_row_of_a_table(
        rows in prop::collection::vec(prop::collection::vec(field(), 3), 2..30),
        rule in prop::sample::select(vec!["refuse", "mean", "median", "own"]),
        separator in prop::sample::select(vec![",", ";", "\t", "|"]),
    ) {
        let line = |(at, row): (usize, &Vec<String>)| {
            let fields: Vec<String> = row.iter().map(|it| quoted(it)).collect();
            format!("c{}{separator}{}\n", at % 2, fields.join(separator))
        };
        let header = ["class", "a", "b", "c"].join(separator);
        let text = format!("{header}\n{}", rows.iter().enumerate().map(line).collect::<String>());
        let table = Table::csv(&text).with_test(&text).missing(rule);
        if let Ok(dataset) = table.load() {
            prop_assert_eq!(dataset.train.labels().len(), rows.len());
            let read = numbers(&dataset);
            prop_assert!(read.iter().all(|row| row.len() == dataset.schema.width()));
            prop_assert_eq!(dataset.columns.len(), dataset.schema.width());
            // What the schema says of a row says the same row again.
            for row in &read {
                let fields = dataset.schema.fields(row);
                let fields = fields.iter().map(|it| cotrain_learning::data::Field::Text(it));
                prop_assert_eq!(&dataset.schema.row(fields).unwrap(), row);
            }
        }
    }

    #[test]
    fn load_survives_any_table(bytes: Vec<u8>, more in "[0-9:.,;|? \t\n\"#a-z=+-]{0,120}") {
        for name in ["t.csv", "t.tsv", "t.txt", "t.svm"] {
            let content = [b"class,a,b\n", more.as_bytes(), &bytes].concat();
            let _ = Table::new(name, content).missing(if name == "t.svm" { "" } else { "own" }).load();
            let _ = Table::new(name, more.as_bytes()).load();
        }
    }

    /// A damaged Parquet file is refused, or read with all its rows.
    #[test]
    fn load_survives_damaged_parquet(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let mut bytes = parquet(Codec::SNAPPY, true);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let table = Table::new("t.parquet", &bytes).with_test(&bytes).choosing(&["n", "flag"], &[]);
        if let Ok(dataset) = table.load() {
            // The table has two groups of three rows.
            prop_assert_eq!(dataset.train.labels().len(), 6);
        }
    }
}
