//! Tables as people have them: separators, encodings, types, missing values and Parquet.

use std::error::Error as _;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use cotrain_learning::data::{
    Columns, DataError, Dataset, Example, Reading, Source, load, load_for, load_more,
};
use cotrain_learning::encode::{Encoder, Options, encode, encode_with, suited};
use cotrain_learning::input::{encode_row, row_of};
use cotrain_protocol::classifier::Kind;
use flate2::Compression;
use flate2::write::GzEncoder;
use parquet::basic::{Compression as Codec, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
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

// ---------------------------------------------------------------- Reading

/// The same two rows in the forms that usual programs write.
#[test]
fn load_reads_tables_as_usual_programs_write_them() {
    let utf16 = |text: &str, big: bool| -> Vec<u8> {
        let bytes = |unit: u16| {
            if big {
                unit.to_be_bytes()
            } else {
                unit.to_le_bytes()
            }
        };
        format!("\u{feff}{text}")
            .encode_utf16()
            .flat_map(bytes)
            .collect()
    };
    let commas = "class,x,y\né,1,2.5\nb,-3,0\n";
    let plain = commas.as_bytes().to_vec();
    let with = |separator: &str| commas.replace(',', separator).into_bytes();
    for (name, content) in [
        ("t.csv", plain.clone()),
        ("t.txt", plain.clone()),
        ("t.csv.gz", gzipped(&plain)),
        ("t.csv", with(";")),
        ("t.csv", with("\t")),
        ("t.csv", with("|")),
        ("t.tsv", with("\t")),
        ("t.tsv", with(",")),
        ("t.txt", with("|")),
        ("t.csv", commas.replace('\n', "\r\n").into_bytes()),
        ("t.csv", commas.replace('\n', "\r").into_bytes()),
        ("t.csv", format!("\u{feff}{commas}").into_bytes()),
        ("t.csv", utf16(commas, false)),
        ("t.csv", utf16(commas, true)),
        ("t.csv", gzipped(&utf16(commas, false))),
        ("t.csv", commas.replace("x,", "\"x\",").into_bytes()),
        ("t.csv", commas.trim_end().as_bytes().to_vec()),
    ] {
        let table = Table::new(name, &content).with_test(&content);
        let dataset = table
            .load()
            .unwrap_or_else(|error| panic!("{name}, {content:?}: {error}"));
        assert_eq!(dataset.columns, ["x", "y"], "{name}");
        assert_eq!(dataset.classes, ["b", "é"], "{name}");
        assert_eq!(numbers(&dataset), [[1.0, 2.5], [-3.0, 0.0]], "{name}");
    }
}

#[test]
fn load_needs_to_be_told_a_separator_that_the_header_does_not_tell() {
    let mut table = Table::csv("class;a,b\n0;1\n1;2\n");
    assert_eq!(
        table.told(),
        "the header of `t.csv`, `class;a,b`, has more than one separator: semicolon, comma; name \
         the one between its fields with --separator (in a scenario, data.separator)"
    );
    table.reading.separator = Some("semicolon".parse().unwrap());
    assert_eq!(table.load().unwrap().columns, ["a,b"]);
    // In quotation marks, and beside the tabs of a .tsv file, other separators are no question.
    let quoted = Table::csv("class,\"a;b\"\n0,1\n1,2\n");
    assert_eq!(quoted.load().unwrap().columns, ["a;b"]);
    let tabs = Table::new("t.tsv", "class\ta, b\n0\t1\n1\t2\n");
    assert_eq!(tabs.load().unwrap().columns, ["a, b"]);
}

#[test]
fn load_reads_decimal_commas_if_asked() {
    let text = "class;x;y\n0;1,5;2\n1;-,25;1,5e2\n";
    let mut table = Table::csv(text).with_test(text);
    assert_eq!(
        table.told(),
        "`t.csv` has 2 malformed lines; correct or remove them:
  line 2: column `x` has `1,5`, expected a number with a decimal point; for decimal commas, say \
         --decimal-comma (in a scenario, data.decimal_comma)
  line 3: column `x` has `-,25`, expected a number with a decimal point; for decimal commas, say \
         --decimal-comma (in a scenario, data.decimal_comma)"
    );
    table.reading.decimal_comma = true;
    assert_eq!(table.rows(), [[1.5, 2.0], [-0.25, 150.0]]);
    let mut points = Table::csv("class;x\n0;1.500\n1;2,5\n");
    points.reading.decimal_comma = true;
    assert_eq!(
        points.told(),
        "`t.csv` has 1 malformed line; correct or remove it:\n  line 2: column `x` has `1.500`, \
         expected a number with a decimal comma and no point"
    );
}

#[test]
fn load_reads_other_encodings_if_asked() {
    let latin = b"class,x\r\n\"a\r\n\",1\r\nM\xfcller,2\r\n".as_slice();
    let mut table = Table::csv(latin).with_test(latin);
    for content in [latin.to_vec(), gzipped(latin)] {
        assert_eq!(
            Table::csv(content).told(),
            "line 4 of `t.csv` is not UTF-8: `M\u{fffd}ller,2`; name its encoding, such as \
             --encoding windows-1252 (in a scenario, data.encoding)"
        );
    }
    table.reading.encoding = Some("windows-1252".parse().unwrap());
    assert_eq!(table.load().unwrap().classes, ["Müller", "a"]);
    // Lines count as in the file, also after decoding.
    let mut bad = Table::csv(b"class,x\r\n\xe4,1\r\nb,2\r\nb,\xfc\r\n");
    bad.reading.encoding = table.reading.encoding;
    assert!(
        bad.told()
            .ends_with("line 4: column `x` has `ü`, expected a number"),
        "{}",
        bad.told()
    );
    // UTF-16 without a mark is recognized for the advice only.
    let unmarked: Vec<u8> = "class,x\n0,1\né,2\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let mut table = Table::csv(unmarked);
    assert!(
        table.told().contains("--encoding UTF-16LE"),
        "{}",
        table.told()
    );
    table.reading.encoding = Some("utf-16le".parse().unwrap());
    assert_eq!(table.load().unwrap().classes, ["0", "é"]);
    let mut wrong = Table::csv(b"class,x\n\xff\xff,1\n");
    wrong.reading.encoding = Some("shift_jis".parse().unwrap());
    assert!(
        wrong.told().starts_with("`t.csv` is not Shift_JIS"),
        "{}",
        wrong.told()
    );
}

#[test]
fn chosen_refuses_choices_for_data_that_is_no_table() {
    let columns = Columns {
        drop: vec!["a".to_owned()],
        ..Columns::default()
    };
    for data in ["movie-reviews", "x.libsvm"] {
        let refused = Source::chosen(
            data,
            None,
            "class",
            None,
            Reading::default(),
            columns.clone(),
        );
        assert_eq!(
            refused.unwrap_err().to_string(),
            format!(
                "--drop is for tables of numbers, categories and truth values; leave it out for `{data}`"
            )
        );
    }
}

// ---------------------------------------------------------------- libsvm

#[test]
fn load_reads_libsvm_as_scikit_learn_writes_it() {
    let row = |indices: &'static [u32], values: Option<&'static [f64]>| Example::Indexed {
        indices,
        values,
    };
    // `dump_svmlight_file` counts from 0 by default, and writes labels as it has them.
    let zero = "# Generated by dump_svmlight_file from scikit-learn 1.5.2\n# Column indices are zero-based\n\
                -1.0 qid:1 0:0.5 3:1\r\n1.000000e+00 qid:2 2:2 1:4 # noted\n";
    let table = Table::new("t.svm", zero).with_test("1 3:1\n");
    let dataset = table.load().unwrap();
    assert!(dataset.zero_based);
    assert_eq!(dataset.classes, ["-1", "1"]);
    let rows: Vec<_> = dataset.train.examples().collect();
    assert_eq!(
        rows,
        [
            row(&[0, 3], Some(&[0.5, 1.0])),
            row(&[1, 2], Some(&[4.0, 2.0]))
        ]
    );
    // One file that counts from 0 is enough for both.
    assert_eq!(dataset.test.examples().next(), Some(row(&[3], None)));
    let one = Table::new("t.svm", "0 1:1\n1 3:1\n")
        .with_test("1 2:1\n")
        .load()
        .unwrap();
    assert!(!one.zero_based);
    assert_eq!(one.train.examples().next(), Some(row(&[0], None)));
    let test_only = Table::new("t.svm", "0 1:1\n1 3:1\n")
        .with_test("1 0:1\n")
        .load()
        .unwrap();
    assert_eq!(test_only.train.examples().next(), Some(row(&[1], None)));
}

#[test]
fn load_more_counts_libsvm_indices_as_the_model_does() {
    let classes = ["0".to_owned(), "1".to_owned()];
    let indices = |table: &Table, encoder: &Encoder| {
        let part = load_more(&table.source(), &classes, encoder.inputs()).unwrap();
        let Some(Example::Indexed { indices, .. }) = part.examples().next() else {
            panic!("no indices");
        };
        indices.to_vec()
    };
    let encoder = |text: &str| {
        let dataset = Table::new("t.svm", text).with_test(text).load().unwrap();
        let encoder = encode(&dataset, Kind::NaiveBayes, None).unwrap().encoder;
        let card = serde_json::to_string(&encoder).unwrap();
        (serde_json::from_str::<Encoder>(&card).unwrap(), card)
    };
    let (zero, card) = encoder("0 0:1\n1 2:1\n");
    assert!(card.contains(r#""zero-based":true"#), "{card}");
    let (one, card) = encoder("0 1:1\n1 3:1\n");
    assert!(!card.contains("zero-based"), "{card}");
    let (with_zero, without) = (
        Table::new("m.svm", "0 0:1\n"),
        Table::new("m.svm", "0 1:1\n"),
    );
    // A file alone cannot tell that it counts from 0 if it has no such index; the model can.
    assert_eq!(indices(&without, &zero), [1]);
    assert_eq!(indices(&with_zero, &zero), [0]);
    assert_eq!(indices(&without, &one), [0]);
    assert_eq!(indices(&with_zero, &one), [0]);
    assert_eq!(encode_row(&zero, "0:1 2:1").unwrap().sample, [0, 0, 0, 2]);
    assert_eq!(encode_row(&one, "1:1 3:1").unwrap().sample, [0, 0, 0, 2]);
    assert!(encode_row(&one, "0:1").is_err());
    let example = Example::Indexed {
        indices: &[0, 2],
        values: None,
    };
    assert_eq!(row_of(&zero, example).as_deref(), Some("0:1 2:1"));
    assert_eq!(zero.name(0).as_deref(), Some("0"));
    let refused = r#"{"classifier":"naive-bayes","features":{"words":["ab"]},"zero-based":true}"#;
    assert!(serde_json::from_str::<Encoder>(refused).is_err());
}

// ---------------------------------------------------------------- Columns and types

/// Passengers of a ship, in the form of a well-known table.
const SHIP: &str = "\
id,class,age,sex,port,paid,name
1,no,22,male,S,true,Braund
2,yes,38,female,C,false,Cumings
3,yes,26,female,S,true,Heikkinen
4,yes,35,female,S,yes,Futrelle
5,no,35,male,S,true,Allen
6,no,54,male,Q,false,Moran
7,no,2,male,S,true,McCarthy
8,yes,27,female,S,false,Palsson
9,yes,14,female,C,true,Johnson
10,yes,4,female,S,false,Nasser
11,no,31,male,S,true,Sandstrom
12,no,40,male,C,true,Bonnell
";

#[test]
fn load_guesses_the_types_of_columns() {
    let ship = SHIP.replace("35,female,S,yes", "35,female,S,true");
    let table = Table::csv(&ship).with_test(&ship);
    assert_eq!(
        table.told(),
        "the column `name` of `t.csv` has 12 different texts in 12 rows, such as `Allen`; leave it \
         out with --drop (in a scenario, data.drop), learn from the words in it with --text-column \
         (in a scenario, data.text), or say --type 'name=categorical' (in a scenario, data.types)"
    );
    let table = table.choosing(&[], &["name"]);
    let dataset = table.load().unwrap();
    assert_eq!(dataset.row_numbers(), ["id"]);
    let table = table.choosing(&[], &["name", "id"]);
    let dataset = table.load().unwrap();
    // `Q` occurs once, so it is a rare text.
    assert_eq!(
        dataset.columns,
        [
            "age",
            "sex=female",
            "sex=male",
            "port=C",
            "port=S",
            "port=(other)",
            "paid"
        ]
    );
    let rows = numbers(&dataset);
    assert_eq!(rows[0], [22.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0]);
    assert_eq!(rows[5], [54.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0]);
    assert_eq!(suited(&dataset), Kind::DenseNearestCentroid);
    let described = dataset.schema.describe();
    assert_eq!(described[0], ("age".to_owned(), "numeric".to_owned()));
    assert_eq!(described[2].1, "categorical (C, S, rare ones together)");
    // Without numbers, presence suffices.
    let present = table
        .choosing(&["sex", "port", "paid"], &[])
        .load()
        .unwrap();
    assert_eq!(suited(&present), Kind::NaiveBayes);
}

#[test]
fn load_takes_types_that_are_given() {
    let table = Table::csv(SHIP)
        .with_test(SHIP)
        .choosing(&["id", "age", "paid"], &[])
        .typed("paid=boolean age=categorical id=ignored");
    let dataset = table.load().unwrap();
    // Only 35 occurs twice.
    assert_eq!(dataset.columns, ["age=35", "age=(other)", "paid"]);
    assert_eq!(numbers(&dataset)[3], [1.0, 0.0, 1.0]);
    let text = Table::csv(SHIP)
        .with_test(SHIP)
        .typed("name=text")
        .load()
        .unwrap();
    assert_eq!(text.train.examples().next(), Some(Example::Text("Braund")));
    for (table, wanted) in [
        (
            Table::csv(SHIP)
                .typed("sex=numeric")
                .choosing(&["sex"], &[]),
            "line 2: column `sex` has `male`, expected a number",
        ),
        (
            Table::csv(SHIP)
                .typed("sex=boolean")
                .choosing(&["sex"], &[]),
            "line 2: column `sex` has `male`, expected true or false, yes or no, 1 or 0",
        ),
        (
            Table::csv(SHIP)
                .typed("name=categorical")
                .choosing(&["name"], &[]),
            "each text in the column `name` of `t.csv` occurs once, so nothing can be learned from it",
        ),
        (
            Table::csv(SHIP).choosing(&[], &["nmae"]),
            "--drop names the column `nmae`, which is none of the table's; the columns of `t.csv` are \
             id, age, sex, port, paid, name",
        ),
        (
            Table::csv(SHIP).choosing(&["class"], &[]),
            "--columns names the column `class`, which has the classes",
        ),
        (
            Table::csv(SHIP).choosing(&["age"], &["age"]),
            "--columns and --drop contradict each other for the column `age`",
        ),
        (
            Table::csv(SHIP).typed("age=numeric age=boolean"),
            "two of --type contradict each other for the column `age`",
        ),
        (
            Table::csv(SHIP).typed("name=text age=numeric"),
            "--type is for tables of numbers, categories and truth values; leave it out for `",
        ),
        (
            Table::csv(SHIP).typed("name=text").missing("mean"),
            "--missing is for tables of numbers",
        ),
    ] {
        assert!(
            table.told().contains(wanted),
            "{}\nwanted {wanted}",
            table.told()
        );
    }
}

#[test]
fn load_replaces_missing_values_by_the_rule_of_their_column() {
    let text =
        "class,age,port,paid\n0,,S,yes\n1,20,?,no\n0,30,S,NA\n1,40,C,no\n0,50,C,yes\n1,NaN,-,yes\n";
    let table = || Table::csv(text).with_test(text);
    assert_eq!(
        table().told(),
        "`t.csv` has 5 missing values, the first in line 2: 2 in `age`, 2 in `port`, 1 in `paid`; \
         replace them with --missing, such as --missing mean, median or own (in a scenario, \
         data.missing), or leave the columns out with --drop (in a scenario, data.drop)"
    );
    let mean = table().missing("mean").load().unwrap();
    assert_eq!(
        mean.columns,
        ["age", "port=C", "port=S", "port=(missing)", "paid"]
    );
    let rows = numbers(&mean);
    assert_eq!(rows[0], [35.0, 0.0, 1.0, 0.0, 1.0]);
    assert_eq!(rows[1], [20.0, 0.0, 0.0, 1.0, 0.0]);
    assert_eq!(rows[2], [30.0, 0.0, 1.0, 0.0, 0.6]);
    let own = table().missing("own").load().unwrap();
    assert_eq!(
        own.columns,
        [
            "age",
            "age (missing)",
            "port=C",
            "port=S",
            "port=(missing)",
            "paid",
            "paid (missing)"
        ]
    );
    let rows = numbers(&own);
    assert_eq!(rows[5], [35.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0]);
    assert_eq!(rows[2], [30.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
    let each = table()
        .missing("age=median port=own paid=own")
        .load()
        .unwrap();
    assert_eq!(numbers(&each)[0][..2], [35.0, 0.0]);
    assert!(
        table()
            .missing("port=mean")
            .told()
            .starts_with("the column `port` is categorical")
    );
    let some = table().missing("age=mean").told();
    assert!(
        some.starts_with("`t.csv` has 3 missing values, the first in line 3: 2 in `port`, 1 in"),
        "{some}"
    );
    let none = Table::csv("class,x,y\n0,,1\n1,,2\n").told();
    assert!(
        none.starts_with("no row to learn from has a value in the column `x`"),
        "{none}"
    );
    for value in ["N/A", "nan", "null", "NULL", "None", "."] {
        let text = format!("class,x\n0,1\n1,{value}\n0,2\n");
        let rows = Table::csv(&text).with_test(&text).missing("mean").rows();
        assert_eq!(rows[1], [1.5], "{value}");
    }
    let infinite = Table::csv("class,x\n0,1\n1,inf\n").missing("mean").told();
    assert!(
        infinite.contains("column `x` has `inf`, expected a number between"),
        "{infinite}"
    );
}

#[test]
fn load_finds_the_columns_of_test_data_by_their_names() {
    let table = Table::csv("class,x,y,z\n0,1,2,9\n1,3,4,9\n")
        .with_test("y,class,x\n4,1,3\n")
        .choosing(&[], &["z"]);
    let dataset = table.load().unwrap();
    assert_eq!(
        dataset.test.examples().next(),
        Some(Example::Numbers(&[3.0, 4.0]))
    );
}

#[test]
fn encode_with_reserves_columns_but_no_categories() {
    let rows = "no,C,1\nyes,S,0\nno,C,0\nyes,S,1\n".repeat(10);
    let text = format!("class,port,paid\n{rows}");
    let dataset = Table::csv(&text).typed("paid=boolean").load().unwrap();
    let reserving = |name: &str| {
        let options = Options {
            reserved: vec![name.to_owned()],
            ..Options::default()
        };
        encode_with(&dataset, Kind::NaiveBayes, &options).map(|encoded| encoded.encoder)
    };
    let told = |name: &str| reserving(name).unwrap_err().to_string();
    assert_eq!(
        told("port=Q"),
        "cannot reserve the feature `port=Q`: the categories of the column `port` are those of the \
         data; add an example with `Q` to the data, or leave it out"
    );
    let known = "the data or another reserved feature has that name already; leave it out";
    for name in ["port", "port=C", "paid"] {
        assert_eq!(
            told(name),
            format!("cannot reserve the feature `{name}`: {known}")
        );
    }
    // Only columns of categories have such features.
    for name in ["paid=1", "harbor=Q"] {
        let encoder = reserving(name).unwrap();
        assert_eq!((encoder.reserved(), encoder.features()), (1, 4));
    }
}

#[test]
fn encoder_of_typed_columns_comes_back_from_its_card() {
    let text = SHIP
        .replace("26,female", ",female")
        .replace("40,male", "NA,male");
    let table = Table::csv(&text)
        .with_test(&text)
        .choosing(&[], &["id", "name"])
        .typed("paid=boolean")
        .missing("own");
    let dataset = table.load().unwrap();
    let encoded = encode(&dataset, Kind::DenseNearestCentroid, None).unwrap();
    let card = serde_json::to_string(&encoded.encoder).unwrap();
    assert!(
        card.contains(
            r#""features":{"table":[{"name":"age","type":"numeric","missing":{"own":"#
        ) && card.contains(
            r#"{"name":"port","type":"categorical","values":["C","S"],"other":true},{"name":"paid","type":"boolean"}]}"#
        ),
        "{card}"
    );
    let read: Encoder = serde_json::from_str(&card).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), card);
    for example in dataset.train.examples() {
        let sample = encoded.encoder.encode(example).unwrap();
        assert_eq!(read.encode(example).unwrap(), sample);
        // The fields of a row, as `cotrain predict --row` takes them.
        let row = row_of(&read, example).unwrap();
        assert_eq!(encode_row(&read, &row).unwrap().sample, sample, "{row}");
    }
    // The model's types decide for further data, in any order of columns.
    let more = Table::csv("paid,port,class,age,sex\n1,X,no,,male\n0,S,yes,7,female\n");
    let part = load_more(&more.source(), &encoded.classes, read.inputs()).unwrap();
    let rows: Vec<_> = part.examples().collect();
    let Example::Numbers(first) = rows[0] else {
        panic!("no row")
    };
    assert_eq!(first[1..], [1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0]);
    let again = load_for(&table.source(), 0.5, 7, read.inputs()).unwrap();
    assert_eq!(numbers(&again), numbers(&dataset));
    assert_eq!(
        again.test_for(read.columns()).unwrap().labels(),
        again.test.labels()
    );
    for (text, wanted) in [
        ("class,age,sex,port\nno,1,male,S\n", "unknown"),
        ("class,age,sex,port,paid,x\nno,1,male,S,1,1\n", "unknown x"),
        (
            "class,age,sex,port,paid\nno,1,male,,1\n",
            "1 in `port`; the model takes no missing values there",
        ),
        (
            "class,age,sex,port,paid\nno,old,male,S,1\n",
            "column `age` has `old`, expected a number",
        ),
    ] {
        let more = Table::csv(text);
        let told = load_more(&more.source(), &encoded.classes, read.inputs())
            .unwrap_err()
            .to_string();
        let wanted = if wanted == "unknown" {
            "missing paid"
        } else {
            wanted
        };
        assert!(told.contains(wanted), "{told}");
    }
    assert!(
        encode_row(&read, "1,male")
            .unwrap_err()
            .to_string()
            .contains("has 2 fields, expected 4")
    );
}

#[test]
fn encoder_counts_texts_that_no_feature_stands_for() {
    let text = "class,port\n0,S\n1,C\n0,S\n1,C\n";
    let dataset = Table::csv(text).with_test(text).load().unwrap();
    let encoder = encode(&dataset, Kind::NaiveBayes, None).unwrap().encoder;
    let seen = encode_row(&encoder, "S").unwrap();
    assert_eq!((seen.unseen, seen.known), (0, Some(1)));
    let unseen = encode_row(&encoder, "Q").unwrap();
    assert_eq!(
        (unseen.unseen, unseen.known, unseen.sample),
        (1, Some(0), Vec::new())
    );
}

#[test]
fn encoder_refuses_cards_of_impossible_columns() {
    let refused = |table: &str| {
        let card = format!(r#"{{"classifier":"naive-bayes","features":{{"table":[{table}]}}}}"#);
        serde_json::from_str::<Encoder>(&card)
            .unwrap_err()
            .to_string()
    };
    for (table, wanted) in [
        ("", "there are 0 features"),
        (r#"{"name":"a","type":"number"}"#, "unknown variant"),
        (r#"{"name":"a","type":"numeric","x":1}"#, "unknown field"),
        (
            r#"{"name":"a","type":"numeric","values":["x"]}"#,
            "the column `a` has values",
        ),
        (
            r#"{"name":"a","type":"categorical"}"#,
            "there are 0 features",
        ),
        (
            r#"{"name":"a","type":"categorical","values":["y","x"]}"#,
            "not in increasing order",
        ),
        (
            r#"{"name":"a","type":"categorical","values":["x","x"]}"#,
            "not in increasing order",
        ),
        (
            r#"{"name":"a","type":"numeric"},{"name":"a","type":"boolean"}"#,
            "are called `a`",
        ),
        (
            r#"{"name":"a=x","type":"numeric"},{"name":"a","type":"categorical","values":["x"]}"#,
            "are called `a=x`",
        ),
        (
            r#"{"name":"a","type":"boolean","missing":{"mean":2}}"#,
            "missing values of `a` become 2",
        ),
        (
            r#"{"name":"a","type":"numeric","missing":{"own":1e101}}"#,
            "expected a number between",
        ),
        (
            r#"{"name":"a","type":"categorical","values":["x"],"missing":{"mean":0}}"#,
            "expected a feature of their own",
        ),
    ] {
        let told = refused(table);
        assert!(told.contains(wanted), "{table}: {told}");
    }
    let many: Vec<String> = (0..70_000).map(|at| format!("\"{at:05}\"")).collect();
    let many = format!(
        r#"{{"name":"a","type":"categorical","values":[{}]}}"#,
        many.join(",")
    );
    assert!(refused(&many).contains("there are 70000 features"));
}

// ---------------------------------------------------------------- Parquet

/// Writes a Parquet file with two columns of classes and numbers, and one of each other type.
fn parquet(codec: Codec, dictionary: bool) -> Vec<u8> {
    let schema = "message table {
        REQUIRED BYTE_ARRAY class (UTF8);
        OPTIONAL DOUBLE x;
        REQUIRED INT32 n;
        OPTIONAL INT64 big (INTEGER(64,false));
        REQUIRED BOOLEAN flag;
        OPTIONAL BYTE_ARRAY port (UTF8);
    }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = WriterProperties::builder()
        .set_compression(codec)
        .set_dictionary_enabled(dictionary)
        .build();
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::new(properties)).unwrap();
    for group in 0..2 {
        let mut rows = writer.next_row_group().unwrap();
        let text = |it: &str| ByteArray::from(it);
        let mut column = rows.next_column().unwrap().unwrap();
        let classes = ["a", "b", "a"].map(text);
        column
            .typed::<ByteArrayType>()
            .write_batch(&classes, None, None)
            .unwrap();
        column.close().unwrap();
        let mut column = rows.next_column().unwrap().unwrap();
        let numbers = [0.1, 1e300];
        column
            .typed::<DoubleType>()
            .write_batch(&numbers, Some(&[1, 0, 1]), None)
            .unwrap();
        column.close().unwrap();
        let mut column = rows.next_column().unwrap().unwrap();
        column
            .typed::<Int32Type>()
            .write_batch(&[-1, 0, group], None, None)
            .unwrap();
        column.close().unwrap();
        let mut column = rows.next_column().unwrap().unwrap();
        column
            .typed::<Int64Type>()
            .write_batch(&[-1, 5, 7], Some(&[1, 1, 1]), None)
            .unwrap();
        column.close().unwrap();
        let mut column = rows.next_column().unwrap().unwrap();
        column
            .typed::<BoolType>()
            .write_batch(&[true, false, true], None, None)
            .unwrap();
        column.close().unwrap();
        let mut column = rows.next_column().unwrap().unwrap();
        let ports = ["S", "S"].map(text);
        column
            .typed::<ByteArrayType>()
            .write_batch(&ports, Some(&[1, 1, 0]), None)
            .unwrap();
        column.close().unwrap();
        rows.close().unwrap();
    }
    writer.close().unwrap();
    bytes
}

#[test]
fn load_reads_parquet_as_it_reads_csv() {
    for codec in [
        Codec::UNCOMPRESSED,
        Codec::SNAPPY,
        Codec::ZSTD(ZstdLevel::default()),
        Codec::GZIP(parquet::basic::GzipLevel::default()),
    ] {
        for dictionary in [false, true] {
            let bytes = parquet(codec, dictionary);
            for (name, bytes) in [("t.parquet", bytes.clone()), ("t.pq.gz", gzipped(&bytes))] {
                let table = Table::new(name, &bytes)
                    .with_test(&bytes)
                    .missing("own x=mean");
                let told = table.told();
                assert!(
                    told.contains("line 3: column `x` has `1e300`"),
                    "{codec}: {told}"
                );
                let table = table.choosing(&[], &["x"]);
                let table = Table {
                    columns: Columns {
                        missing: Vec::new(),
                        ..table.columns.clone()
                    },
                    ..table
                };
                let dataset = table.load().unwrap();
                assert_eq!(
                    dataset.columns,
                    ["n", "big", "flag", "port=S", "port=(missing)"]
                );
                let rows = numbers(&dataset);
                assert_eq!(rows.len(), 6);
                assert_eq!(rows[0], [-1.0, 18_446_744_073_709_551_615.0, 1.0, 1.0, 0.0]);
                assert_eq!(rows[5], [1.0, 7.0, 1.0, 0.0, 1.0]);
            }
        }
    }
}

#[test]
fn load_refuses_parquet_that_is_no_flat_table() {
    let written = |schema: &str| {
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let properties = Arc::new(WriterProperties::builder().build());
        let mut bytes = Vec::new();
        let mut writer = SerializedFileWriter::new(&mut bytes, schema, properties).unwrap();
        let mut rows = writer.next_row_group().unwrap();
        while let Some(mut column) = rows.next_column().unwrap() {
            match column.untyped() {
                parquet::column::writer::ColumnWriter::Int32ColumnWriter(writer) => {
                    writer.write_batch(&[1, 2], None, None).unwrap();
                }
                _ => panic!("another type"),
            }
            column.close().unwrap();
        }
        rows.close().unwrap();
        writer.close().unwrap();
        bytes
    };
    for (schema, wanted) in [
        (
            "message m { REQUIRED INT32 class; REQUIRED group g { REQUIRED INT32 a; REQUIRED INT32 b; } }",
            "the column `g` of `t.parquet` has nested values, expected numbers, truth values or texts; leave it \
             out with --drop",
        ),
        (
            "message m { REQUIRED INT32 class; REQUIRED INT32 day (DATE); }",
            "the column `day` of `t.parquet` has values of the type Date",
        ),
    ] {
        let table = Table::new("t.parquet", written(schema));
        assert!(table.told().contains(wanted), "{}", table.told());
        let dropped = table.choosing(&[], &["g", "day"]).told();
        assert!(dropped.contains("--drop names the column"), "{dropped}");
    }
    let mut option = Table::new("t.parquet", parquet(Codec::SNAPPY, true));
    option.reading.separator = Some("tab".parse().unwrap());
    assert!(
        option.told().contains("--separator says nothing about"),
        "{}",
        option.told()
    );
    for damaged in [&b"PAR1"[..], b"", b"class,x\n1,2\n"] {
        let told = Table::new("t.parquet", damaged).told();
        assert!(
            told.starts_with("cannot read `t.parquet` as Parquet: "),
            "{told}"
        );
    }
}

// ---------------------------------------------------------------- Any data

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
