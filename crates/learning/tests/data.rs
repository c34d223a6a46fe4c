//! Reading data sets: accepted forms, and the message for each kind of mistake.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use cotrain_learning::data::{
    Columns, DataError, Dataset, Example, ModelColumns, ModelInputs, Reading, Schema, Source,
    Table, TableFormat, load, load_more,
};
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use tempfile::TempDir;

/// Folder with `train` and perhaps `test`.
struct Files {
    folder: TempDir,
    test: bool,
}

impl Files {
    fn new(train: impl AsRef<[u8]>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("train"), train).unwrap();
        Self {
            folder,
            test: false,
        }
    }

    fn with_test(train: impl AsRef<[u8]>, test: impl AsRef<[u8]>) -> Self {
        let files = Self::new(train);
        fs::write(files.folder.path().join("test"), test).unwrap();
        Self {
            test: true,
            ..files
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn libsvm(&self) -> Result<Dataset, DataError> {
        self.load(|train, test| Source::Libsvm { train, test })
    }

    fn csv(&self, text: Option<&str>) -> Result<Dataset, DataError> {
        self.table(TableFormat::Csv, text)
    }

    fn tsv(&self, text: Option<&str>) -> Result<Dataset, DataError> {
        self.table(TableFormat::Tsv, text)
    }

    fn table(&self, format: TableFormat, text: Option<&str>) -> Result<Dataset, DataError> {
        self.load(|train, test| Source::Table {
            format,
            train,
            test,
            label: "class".to_owned(),
            text: text.map(ToOwned::to_owned),
            reading: Reading::default(),
            columns: Columns::default(),
        })
    }

    fn load(
        &self,
        source: impl Fn(PathBuf, Option<PathBuf>) -> Source,
    ) -> Result<Dataset, DataError> {
        let test = self.test.then(|| self.path("test"));
        load(&source(self.path("train"), test), 0.5, 7)
    }

    /// Returns the message of a mistake, with file names in place of paths.
    fn told(&self, result: Result<Dataset, DataError>) -> String {
        let folder = format!("{}/", self.folder.path().display());
        result.unwrap_err().to_string().replace(&folder, "")
    }
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn texts(dataset: &Dataset) -> Vec<&str> {
    let text = |example| match example {
        Example::Text(text) => text,
        other => panic!("{other:?} is no text"),
    };
    dataset.train.examples().map(text).collect()
}

// ---------------------------------------------------------------- Splitting

#[test]
fn load_splits_reviews_by_seed() {
    let first = load(&Source::MovieReviews, 0.2, 1).unwrap();
    assert_eq!(
        (first.train.labels().len(), first.test.labels().len()),
        (8_300, 2_075)
    );
    assert_eq!(first.classes, ["negative", "positive"]);
    let positive = |labels: &[u16]| labels.iter().filter(|&&label| label == 1).count();
    assert_eq!(
        positive(first.train.labels()) + positive(first.test.labels()),
        5_144
    );

    let again = load(&Source::MovieReviews, 0.2, 1).unwrap();
    assert_eq!(texts(&first), texts(&again));
    let other = load(&Source::MovieReviews, 0.2, 2).unwrap();
    assert_ne!(texts(&first), texts(&other));
}

#[test]
fn load_leaves_both_parts_something_whatever_the_share() {
    let files = Files::new("0 1:1\n1 2:1\n");
    for share in [0.001, 0.999] {
        let source = Source::Libsvm {
            train: files.path("train"),
            test: None,
        };
        let dataset = load(&source, share, 0).unwrap();
        assert_eq!(
            (dataset.train.labels().len(), dataset.test.labels().len()),
            (1, 1)
        );
    }
}

#[test]
fn load_needs_a_share_above_0_and_below_1() {
    for share in [0.0, 1.0, -0.5, f64::NAN] {
        let told = load(&Source::MovieReviews, share, 0)
            .unwrap_err()
            .to_string();
        assert_eq!(
            told,
            format!("the share of test data is {share}, expected a number above 0 and below 1")
        );
    }
}

#[test]
fn load_keeps_values_in_a_split() {
    let lines = "0 1:0.5 3:1\n1 2:1\n0 1:2\n1 9:9\n";
    let dataset = Files::new(lines).libsvm().unwrap();
    let all = dataset.train.examples().chain(dataset.test.examples());
    let mut values: Vec<f64> = all
        .flat_map(|example| match example {
            Example::Indexed {
                values: Some(values),
                ..
            } => values.to_vec(),
            Example::Indexed { indices, .. } => vec![1.0; indices.len()],
            other => panic!("{other:?} has no indices"),
        })
        .collect();
    values.sort_by(f64::total_cmp);
    assert_eq!(values, [0.5, 1.0, 1.0, 2.0, 9.0]);
}

// ---------------------------------------------------------------- Accepted forms

#[test]
fn load_reads_libsvm_as_it_stands() {
    let train = "+1 1:1 4:-2.5e1 # noted\n\n# a comment\n-1\r\n1 2:1 3:0 16777216:1\n";
    let files = Files::with_test(train, "-1 1:1\n");
    let dataset = files.libsvm().unwrap();
    assert_eq!(dataset.classes, ["-1", "1"]);
    assert_eq!(dataset.train.labels(), [1, 0, 1]);
    assert_eq!(dataset.test.labels(), [0]);
    let rows: Vec<(&[u32], &[f64])> = vec![
        (&[0, 3], &[1.0, -25.0]),
        (&[], &[]),
        (&[1, 16_777_215], &[1.0, 1.0]),
    ];
    for (example, (indices, values)) in dataset.train.examples().zip(rows) {
        let values = Some(values);
        assert_eq!(example, Example::Indexed { indices, values });
    }
    let indices = &[0][..];
    let values = None;
    assert_eq!(
        dataset.test.examples().next(),
        Some(Example::Indexed { indices, values })
    );
}

#[test]
fn load_sorts_classes_as_numbers_if_all_are() {
    let dataset = Files::new("10 1:1\n9 1:1\n-3 1:1\n+9 1:1")
        .libsvm()
        .unwrap();
    assert_eq!(dataset.classes, ["-3", "9", "10"]);
    let dataset = Files::new("class,x\n10,1\n9,2\nb,3\n").csv(None).unwrap();
    assert_eq!(dataset.classes, ["10", "9", "b"]);
}

#[test]
fn load_knows_gzipped_files_by_their_content() {
    let plain = "class,text\nyes,good\nno,bad\n";
    let test = gzipped(b"text,class\nfine,no\n");
    let dataset = Files::with_test(gzipped(plain.as_bytes()), test)
        .csv(Some("text"))
        .unwrap();
    assert_eq!(texts(&dataset), ["good", "bad"]);
    assert_eq!(dataset.test.examples().next(), Some(Example::Text("fine")));
    assert_eq!(dataset.test.labels(), [0]);

    let mut cut = gzipped(plain.as_bytes());
    cut.truncate(cut.len() - 9);
    let files = Files::new(cut);
    let error = files.csv(Some("text")).unwrap_err();
    assert!(error.source().is_some());
    assert_eq!(
        files.told(Err(error)),
        "`train` starts as gzip does but cannot be unpacked; fetch or pack it again"
    );
}

#[test]
fn load_reads_quoted_texts_beside_other_columns_in_csv() {
    let train = "\u{feff}id,class,text\r\n1, yes ,\"so \"\"good\"\",\nreally\"\r\n2,no,bad\r\n";
    let files = Files::with_test(train, "id,class,text\n3,yes,x\n");
    let dataset = files.csv(Some("text")).unwrap();
    assert_eq!(texts(&dataset), ["so \"good\",\nreally", "bad"]);
    assert_eq!(dataset.classes, ["no", "yes"]);
    assert!(dataset.columns.is_empty());
}

#[test]
fn load_keeps_the_columns_of_tables_of_numbers() {
    let files = Files::with_test("x,class,y\n1, 0 ,2.5\n-3e2,1,0\n", "x,class,y\n7,0,8\n");
    let dataset = files.csv(None).unwrap();
    assert_eq!(dataset.columns, ["x", "y"]);
    let rows: Vec<Example<'_>> = dataset.train.examples().collect();
    assert_eq!(
        rows,
        [
            Example::Numbers(&[1.0, 2.5]),
            Example::Numbers(&[-300.0, 0.0])
        ]
    );
    assert_eq!(
        dataset.test.examples().next(),
        Some(Example::Numbers(&[7.0, 8.0]))
    );
}

#[test]
fn load_gives_quotation_marks_no_meaning_in_tsv() {
    let files = Files::with_test("class\ttext\n0\t\"so\n1\tit, is\n", "class\ttext\n0\tx\n");
    assert_eq!(texts(&files.tsv(Some("text")).unwrap()), ["\"so", "it, is"]);
}

// ---------------------------------------------------------------- Columns

#[test]
fn row_numbers_names_columns_that_number_the_rows() {
    let table = |header: &str, from: i32| {
        let rows =
            (0..20).map(|row| format!("{},{},{},{}\n", row + from, row * 2, row / 2, row % 2));
        Files::new(format!("{header}\n{}", rows.collect::<String>()))
    };
    for (header, from, wanted) in [
        ("n,x,y,class", 0, vec!["n"]),
        ("n,x,y,class", 1, vec!["n"]),
        (",x,y,class", 7, vec![""]),
        ("n,Unnamed: 0,y,class", 7, vec!["n", "Unnamed: 0"]),
    ] {
        let files = table(header, from);
        assert_eq!(files.csv(None).unwrap().row_numbers(), wanted, "{header}");
    }
    let files = Files::new("x,class\n1,0\n2,1\n3,0\n");
    assert!(files.csv(None).unwrap().row_numbers().is_empty());
    let files = Files::new("0 1:1\n1 1:2\n");
    assert!(files.libsvm().unwrap().row_numbers().is_empty());
}

#[test]
fn row_numbers_knows_the_names_of_identifiers() {
    let named = |name: &str| {
        let rows = (0..30).map(|row| format!("{},{},{}\n", row * 37 + 5, row % 4, row % 2));
        let text = format!("{name},y,class\n{}", rows.collect::<String>());
        !Files::new(text).csv(None).unwrap().row_numbers().is_empty()
    };
    for name in [
        "id",
        "user_id",
        "PassengerId",
        "customer_no",
        "Customer No.",
        "isbn",
        "ISBN",
        "OrderNumber",
        "zip code",
        "key",
    ] {
        assert!(named(name), "{name}");
    }
    for name in ["paid", "GRID", "piano", "turkey", "barcodes", "x", "ÄNo1"] {
        assert!(!named(name), "{name}");
    }
}

#[test]
fn doubts_names_columns_that_may_be_codes_or_names_of_rows() {
    let rows = (0..60_i32).map(|row| {
        let (far, near, real) = (row * row * 7_919 + 11, row * 2, f64::from(row) / 4.0);
        format!("{far},{near},{real},{},{},{}\n", row % 3, row % 2, row % 5)
    });
    let text = format!(
        "far,near,real,grade,flag,class\n{}",
        rows.collect::<String>()
    );
    let dataset = Files::new(text).csv(None).unwrap();
    assert!(dataset.row_numbers().is_empty());
    let doubts: Vec<String> = dataset.doubts().iter().map(ToString::to_string).collect();
    assert_eq!(
        doubts,
        [
            "the column `far` has another whole number in each row; if they name the rows, leave it \
             out with --drop far",
            "few different whole numbers are in `grade` (3); if they are codes of kinds, say --type \
             NAME=categorical",
        ]
    );
}

#[test]
fn table_reads_fields_by_the_names_of_their_columns() {
    let files = Files::new("\u{feff}x,class,\"y, z\"\r\n1,a,\"2\n\"\r\n\r\n3,b,4\r\n");
    let read =
        |files: &Files| Table::read(&files.path("train"), TableFormat::Csv, &Reading::default());
    let table = read(&files).unwrap();
    assert_eq!(table.names(), ["x", "class", "y, z"]);
    let texts: Vec<&str> = table.texts("y, z").unwrap().collect();
    assert_eq!(texts, ["2", "4"]);
    assert_eq!((table.len(), table.line(0), table.line(1)), (2, 2, 5));
    assert_eq!((table.field(1, 0), table.field(1, 1)), ("3", "b"));
    let missing = table.texts("w").map(drop).unwrap_err().to_string();
    assert!(
        missing.ends_with("has no column `w`; its columns are x, class, y, z; name another with --text-column (in a \
         scenario, data.text)"),
        "{missing}"
    );
    let files = Files::new("x,y\n1,2\n3\n");
    let short = read(&files).map(drop).unwrap_err();
    assert!(
        short
            .to_string()
            .ends_with("line 3: 1 field, expected 2 as in the header")
    );
}

#[test]
fn table_of_one_column_refuses_a_blank_line_between_its_rows() {
    for end in ["\n", "\r\n", "\r"] {
        let read = |rows: &[&str]| {
            let files = Files::new(format!("{}{end}", rows.join(end)));
            Table::read(&files.path("train"), TableFormat::Csv, &Reading::default())
        };
        let told = read(&["text", "a", "", "b"]).map(drop).unwrap_err();
        assert!(
            told.to_string().contains("line 4: it follows a blank line"),
            "{told}"
        );
        read(&["text", "", "a"]).map(drop).unwrap_err();
        let texts = |table: Table| -> Vec<String> {
            table.texts("text").unwrap().map(str::to_owned).collect()
        };
        let table = read(&["text", "a", "\"\"", "b", "", ""]).unwrap();
        assert_eq!(texts(table), ["a", "", "b"], "{end:?}");
        let table = read(&["", "text", "a", "b"]).unwrap();
        assert_eq!(texts(table), ["a", "b"], "{end:?}");
    }
}

// ---------------------------------------------------------------- Mistakes

#[test]
fn load_names_every_malformed_libsvm_line() {
    let files = Files::new(
        "0 1:1\nyes 1:1\n1.5 1:1\n1 5\n1 -1:1\n1 x:1\n1 16777217:1\n1 3:1 3:1\n1 3:1 2:1 3:0\n\
         1 2:abc\n1 2:nan\n1 2:-inf\n1 2:1e101\n1 qid:x 2:1\n1 2:1 qid:3\n",
    );
    assert_eq!(
        files.told(files.libsvm()),
        "`train` has 14 malformed lines; correct or remove them:
  line 2: the label is `yes`, expected an integer
  line 3: the label is `1.5`, expected an integer
  line 4: there is `5`, expected `index:value`
  line 5: there is the index `-1`, expected a whole number from 0 to 16777216
  line 6: there is the index `x`, expected a whole number from 0 to 16777216
  line 7: there is the index `16777217`, expected a whole number from 0 to 16777216
  line 8: the index 3 occurs more than once, expected each index once
  line 9: the index 3 occurs more than once, expected each index once
  line 10: index 2 has the value `abc`, expected a number between -1e100 and 1e100
  line 11: index 2 has the value `nan`, expected a number between -1e100 and 1e100
  and 4 more
  a model tells classes apart and estimates no numbers: give each range of values an integer"
    );
    // Counted from 0, the largest index is one less.
    let files = Files::with_test("0 0:1\n1 2:1\n", "1 2:1\n\n1 16777216:1\n");
    assert_eq!(
        files.told(files.libsvm()),
        "`test` has 1 malformed line; correct or remove it:\n  line 3: there is the index \
         `16777216`, expected a whole number from 0 to 16777215"
    );
}

#[test]
fn load_names_every_malformed_line_of_a_table() {
    let files = Files::new(
        "class,x\n0,1\n1,abc\n0\n1,2,3\n,4\n1,inf\n1,NaN\n1,-1e101\n1,2\n1,0x10\n1,\n0,15 %\n",
    );
    assert_eq!(
        files.told(files.csv(None)),
        "`train` has 8 malformed lines; correct or remove them:
  line 3: column `x` has `abc`, expected a number
  line 4: 1 field, expected 2 as in the header
  line 5: 3 fields, expected 2 as in the header
  line 6: column `class` is empty, expected a class
  line 7: column `x` has `inf`, expected a number between -1e100 and 1e100
  line 9: column `x` has `-1e101`, expected a number between -1e100 and 1e100
  line 11: column `x` has `0x10`, expected a number
  line 13: column `x` has `15 %`, expected a number
  if a value is missing, leave its field empty and say --missing (in a scenario, data.missing)"
    );
}

/// Lines are counted as in editors, for any kind of line break. Byte order marks, blank lines,
/// quoted line breaks and gzip make no difference.
#[test]
fn load_counts_lines_as_editors_do() {
    let plain = "\n\nx,class\n\"1\",a\n\n2,\"b\nc\"\nno,b\n3,a\n\n\nnot,a\n";
    let mixed = plain.replacen('\n', "\r\n", 4);
    for text in [
        plain.to_owned(),
        plain.replace('\n', "\r\n"),
        plain.replace('\n', "\r"),
        mixed,
    ] {
        for bytes in [
            text.clone().into_bytes(),
            format!("\u{feff}{text}").into_bytes(),
            gzipped(text.as_bytes()),
            text.trim_end().as_bytes().to_vec(),
        ] {
            let files = Files::new(bytes);
            assert_eq!(
                files.told(files.csv(None)),
                "`train` has 2 malformed lines; correct or remove them:
  line 8: column `x` has `no`, expected a number
  line 12: column `x` has `not`, expected a number
  if a value is missing, leave its field empty and say --missing (in a scenario, data.missing)",
                "{text:?}"
            );
        }
    }
    // The class of a line, and a malformed header.
    let files = Files::with_test("x,class\r\n1,a\r\n2,b\r\n", "x,class\r\n1,c\r\n");
    assert_eq!(
        files.told(files.csv(None)),
        "line 2 of `test` has the class `c`, which `train` does not have; its classes are a, b"
    );
    let files = Files::new(b"\r\n\r\nx\xff,class\r\n1,a\r\n".as_slice());
    assert!(files.told(files.csv(None)).starts_with("line 3 of `train`"));
    // Tables with tabs, and libsvm.
    let files = Files::new("class\tx\r\na\t1\r\nb\tno\r\n");
    assert!(
        files
            .told(files.tsv(None))
            .contains("line 3: column `x` has `no`")
    );
    for end in ["\n", "\r\n", "\r"] {
        let text = ["\u{feff}1 1:1", "", "# noted", "0 1:1", "no 1:1", ""].join(end);
        for bytes in [text.clone().into_bytes(), gzipped(text.as_bytes())] {
            let files = Files::new(bytes);
            assert_eq!(
                files.told(files.libsvm()),
                "`train` has 1 malformed line; correct or remove it:\n  line 5: the label is `no`, \
                 expected an integer"
            );
        }
    }
}

#[test]
fn load_shows_names_and_values_of_files_escaped() {
    let files = Files::new("class,\u{1b}[2Jx\nred,\u{202e}1\ngreen\u{9b}31m,2\n");
    let told = files.told(files.csv(None));
    assert!(
        told.contains("column `\\u{1b}[2Jx` has `\\u{202e}1`"),
        "{told}"
    );
    let files = Files::with_test("class,x\na\u{1b},1\nb,2\n", "class,x\n\u{7},1\n");
    let told = files.told(files.csv(None));
    assert!(
        told.contains(
            "has the class `\\u{7}`, which `train` does not have; its classes are a\\u{1b}, b"
        ),
        "{told}"
    );
    for train in [
        "cl\u{1b}ass,x\n1,2\n",
        "class,x\u{1b},x\u{1b}\n1,2,3\n",
        "class,x\n\u{1b},1\n\u{1b},2\n",
        "class\u{1b};x\n1;2\n",
    ] {
        let files = Files::new(train);
        let told = files.told(files.csv(None));
        assert!(
            !told.contains('\u{1b}') && told.contains("\\u{1b}"),
            "{told:?}"
        );
    }
    // The message about a header is bounded, however wide the header is.
    let wide: Vec<String> = (0..5_000).map(|column| format!("c{column}")).collect();
    let files = Files::new(format!("{}\n", wide.join(",")));
    let told = files.told(files.csv(None));
    assert!(
        told.contains("c18, c19 and 4980 more; name another"),
        "{told}"
    );
}

#[test]
fn load_cuts_a_long_value() {
    let files = Files::new(format!("class,x\n1,1\n0,{}\n", "é".repeat(50)));
    assert_eq!(
        files.told(files.csv(None)),
        format!(
            "`train` has 1 malformed line; correct or remove it:\n  \
             line 3: column `x` has `{}…`, expected a number\n  if a value is missing, leave its field \
             empty and say --missing (in a scenario, data.missing)",
            "é".repeat(40)
        )
    );
}

#[test]
fn load_names_mistakes_in_a_header() {
    let told = |train: &[u8], text| {
        let files = Files::new(train);
        files.told(files.csv(text))
    };
    let cases: [(&[u8], _, _); 7] = [
        (
            b"",
            None,
            "`train` is empty, expected a header with the names of the columns",
        ),
        (
            b"x,y\n1,2\n",
            None,
            "`train` has no column `class`; its columns are x, y; name another with --label-column (in a \
             scenario, data.label)",
        ),
        (
            b"class,y\n1,2\n",
            Some("text"),
            "`train` has no column `text`; its columns are class, y; name another with --text-column (in a \
             scenario, data.text)",
        ),
        (
            b"class,x,x\n1,2,3\n",
            None,
            "`train` has more than one column of x; rename or remove all but one of each",
        ),
        (
            b"class\n1\n0\n",
            None,
            "`train` has nothing to learn from beside the label column `class`; name another label \
             or text column",
        ),
        (
            b"class,x\n1,2\n0,1\n",
            Some("class"),
            "`train` has nothing to learn from beside the label column `class`; name another label \
             or text column",
        ),
        (
            b"class,\xff\n1,2\n",
            None,
            "line 1 of `train` is not UTF-8; it seems to be windows-1252, as `class,ÿ`: if that is right, \
             say --encoding windows-1252 (in a scenario, data.encoding)",
        ),
    ];
    for (train, text, wanted) in cases {
        assert_eq!(told(train, text), wanted);
    }
}

#[test]
fn load_names_a_quote_that_never_ends() {
    let files = Files::new("class,text\n1,\"so\n0,it\n1,is\n");
    assert_eq!(
        files.told(files.csv(Some("text"))),
        "`train` has an odd number of quotation marks, so a quoted field never ends; inside quotes, \
         double a mark that belongs to the text"
    );
}

#[test]
fn load_refuses_what_cannot_be_learned_from() {
    let many: Vec<String> = (0..257).map(|class| format!("{class} 1:1")).collect();
    let many = many.join("\n");
    for (train, wanted) in [
        (
            "",
            "the number of examples in `train` is 0, expected at least 2",
        ),
        (
            "1 1:1\n",
            "the number of examples in `train` is 1, expected at least 2",
        ),
        (
            "1 1:1\n+1 1:1\n",
            "all 2 examples in `train` have the class `1`; a model needs at least two classes",
        ),
        (
            many.as_str(),
            "`train` has 257 classes, at most 256 are possible; is the label column the right one?",
        ),
    ] {
        let files = Files::new(train);
        assert_eq!(files.told(files.libsvm()), wanted);
    }
}

#[test]
fn load_needs_test_data_that_fit_the_training_data() {
    let files = Files::with_test("0 1:1\n1 1:1\n", "");
    assert_eq!(
        files.told(files.libsvm()),
        "the number of examples in `test` is 0, expected at least 1"
    );

    let files = Files::with_test("0 1:1\n1 1:1\n", "1 1:1\n\n2 1:1\n");
    assert_eq!(
        files.told(files.libsvm()),
        "line 3 of `test` has the class `2`, which `train` does not have; its classes are 0, 1"
    );

    let files = Files::with_test("class,x,y\n0,1,2\n1,1,2\n", "class,y,z\n0,1,2\n");
    assert_eq!(
        files.told(files.csv(None)),
        "`test` has the columns y, z, but `train` has x, y; give both the same columns, in any order"
    );
}

#[test]
fn load_names_a_missing_file_with_its_reason() {
    let source = Source::Libsvm {
        train: Path::new("no-such-file").to_owned(),
        test: None,
    };
    let error = load(&source, 0.2, 0).unwrap_err();
    assert_eq!(error.to_string(), "cannot read `no-such-file`");
    assert!(error.source().is_some());
}

// ---------------------------------------------------------------- Any data

proptest! {
    #[test]
    fn load_survives_any_bytes(bytes: Vec<u8>, more in "[0-9:., \"\t\n#a-z+-]{0,80}") {
        let header = [b"class,text\n", more.as_bytes(), &bytes].concat();
        let files = Files::new(&header);
        let _ = files.csv(Some("text"));
        let _ = files.csv(None);
        let _ = files.tsv(Some("text"));
        let files = Files::new([more.as_bytes(), &bytes].concat());
        let _ = files.libsvm();
        let _ = files.csv(None);
    }

    #[test]
    fn load_reads_the_libsvm_that_was_written(rows in rows()) {
        let lines: Vec<String> = rows.iter().map(line).collect();
        let lines = lines.join("\n");
        let files = Files::with_test(&lines, &lines);
        let dataset = match files.libsvm() {
            Ok(dataset) => dataset,
            Err(DataError::OneClass { .. }) => {
                prop_assert!(rows.iter().all(|(label, _)| *label == rows[0].0));
                return Ok(());
            }
            Err(error) => panic!("{error}"),
        };
        for (example, (_, entries)) in dataset.train.examples().zip(&rows) {
            let Example::Indexed { indices, values } = example else {
                panic!("{example:?} has no indices")
            };
            let values = values.map_or(vec![1.0; indices.len()], <[f64]>::to_vec);
            let read: Vec<(u32, f64)> = indices.iter().map(|index| index + 1).zip(values).collect();
            let mut written: Vec<(u32, f64)> = entries.clone().into_iter().collect();
            written.retain(|&(_, value)| value != 0.0);
            prop_assert_eq!(read, written);
        }
        for (&class, (label, _)) in dataset.train.labels().iter().zip(&rows) {
            prop_assert_eq!(&dataset.classes[usize::from(class)], &label.to_string());
        }
    }
}

type Row = (i64, BTreeMap<u32, f64>);

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let entries = prop::collection::btree_map(1_u32..99, -1e9..1e9, 0..9);
    prop::collection::vec((-3_i64..3, entries), 2..20)
}

fn line((label, entries): &Row) -> String {
    let words = entries
        .iter()
        .map(|(index, value)| format!("{index}:{value}"));
    let words: Vec<String> = std::iter::once(label.to_string()).chain(words).collect();
    words.join(" ")
}

#[test]
fn load_reads_the_embedded_digits() {
    let dataset = load(&Source::Digits, 0.2, 1).unwrap();
    assert_eq!(dataset.train.labels().len(), 1_438);
    assert_eq!(dataset.test.labels().len(), 359);
    assert_eq!(
        dataset.classes,
        ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
    );
    assert_eq!(dataset.columns.len(), 64);
    assert_eq!(dataset.columns[..2], ["r0c0", "r0c1"]);
    assert_eq!(dataset.columns[63], "r7c7");
    assert_eq!(dataset.row_numbers(), Vec::<String>::new());
    for example in dataset.train.examples().chain(dataset.test.examples()) {
        let Example::Numbers(pixels) = example else {
            panic!("{example:?}");
        };
        assert!(pixels.iter().all(|pixel| (0.0..=16.0).contains(pixel)));
    }
    // The first picture of the file is a 0: dark around a light middle.
    let all = |names: &[String]| {
        let schema = Schema::numbers(names.iter().cloned()).unwrap();
        let model = ModelInputs {
            columns: Some(ModelColumns {
                schema: &schema,
                reserved: 0,
            }),
            ..ModelInputs::default()
        };
        let part = load_more(&Source::Digits, &dataset.classes, model)?;
        let Some(Example::Numbers(first)) = part.examples().next() else {
            panic!("no row");
        };
        Ok::<_, DataError>((part.labels().to_vec(), first.to_vec()))
    };
    let (labels, first) = all(&dataset.columns).unwrap();
    assert_eq!((labels.len(), labels[0]), (1_797, 0));
    assert_eq!(first[..8], [0.0, 0.0, 5.0, 13.0, 9.0, 1.0, 0.0, 0.0]);
    assert_eq!(first[24..32], [0.0, 4.0, 12.0, 0.0, 0.0, 8.0, 8.0, 0.0]);
    // A model with the pixels in another order gets them in that order; others get none.
    let turned: Vec<String> = dataset.columns.iter().rev().cloned().collect();
    let (_, last) = all(&turned).unwrap();
    assert!(last.iter().rev().eq(&first));
    let refused = all(&dataset.columns[1..]).unwrap_err();
    assert!(
        matches!(refused, DataError::NotTheColumns { .. }),
        "{refused}"
    );
}
