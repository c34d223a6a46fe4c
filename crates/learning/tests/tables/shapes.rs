//! Shapes of data that people have: what is right, and what is refused with its line.
//!
//! `tests/shapes.md` has a table of all shapes with the tests that hold them.

use std::fmt::Write as _;
use std::fs;

use cotrain_learning::encode::encode;
use cotrain_protocol::classifier::Kind;

use cotrain_learning::data::{Example, Source, load};

use super::{Table, gzipped, numbers};

#[test]
fn load_reads_any_number_within_the_bounds() {
    let text = "class,x\na,1e18\nb,-1e-300\na,1e100\nb,-0\n";
    let rows = Table::csv(text).with_test(text).rows();
    assert_eq!(rows, [[1e18], [-1e-300], [1e100], [-0.0]]);
}

#[test]
fn load_names_values_that_are_no_numbers() {
    let values = [
        "1e308",
        "1e400",
        "-Infinity",
        "$15",
        "\"1,000\"",
        "2020-01-31",
    ];
    for value in values {
        let rows: String = (0..9).fold(String::new(), |mut rows, row| {
            let _ = writeln!(rows, "{},{row}", row % 2);
            rows
        });
        let told = Table::csv(format!("class,x\n{rows}1,{value}\n")).told();
        let wanted = format!(
            "line 11: column `x` has `{}`, expected",
            value.trim_matches('"')
        );
        assert!(told.contains(&wanted), "{told}");
    }
}

#[test]
fn load_reads_gzip_of_several_members_and_plain_files_that_are_named_so() {
    let members = [gzipped(b"class,x\na,1\n"), gzipped(b"b,2\n")].concat();
    for content in [members, b"class,x\na,1\nb,2\n".to_vec()] {
        let table = Table::new("t.csv.gz", &content).with_test(&content);
        assert_eq!(table.rows(), [[1.0], [2.0]]);
    }
}

#[test]
fn load_takes_256_classes() {
    let rows: String = (0..256).fold("class,x\n".to_owned(), |mut rows, row| {
        let _ = writeln!(rows, "k{row},{row}");
        rows
    });
    let dataset = Table::csv(&rows).with_test(&rows).load().unwrap();
    assert_eq!(dataset.classes.len(), 256);
    let encoded = encode(&dataset, Kind::DenseNearestCentroid, None).unwrap();
    assert_eq!(encoded.classes.len(), 256);
}

#[test]
fn encode_refuses_more_columns_than_a_model_has_features() {
    for columns in [5_000, 70_000] {
        let line = |of: &dyn Fn(usize) -> String| (0..columns).map(of).collect::<Vec<_>>();
        let header = line(&|column| format!("c{column}")).join(",");
        let [one, two] = ["1.5", "2.5"].map(|value| line(&|_| value.to_owned()).join(","));
        let text = format!("class,{header}\na,{one}\nb,{two}\n");
        let dataset = Table::csv(&text).with_test(&text).load().unwrap();
        let told = encode(&dataset, Kind::DenseNearestCentroid, None).unwrap_err();
        let wanted = format!("gives {columns} features, but a dense nearest centroid has at most");
        assert!(told.to_string().contains(&wanted), "{told}");
    }
}

#[test]
fn load_reads_headers_and_classes_of_any_script() {
    let text =
        "Größe in cm,\u{5e74} \u{9f84},class\n1,2,gut\n3,4,\u{4e0d}\u{597d}\n5,6,\u{1f642}\n";
    let dataset = Table::csv(text).with_test(text).load().unwrap();
    assert_eq!(dataset.columns, ["Größe in cm", "\u{5e74} \u{9f84}"]);
    assert_eq!(dataset.classes, ["gut", "\u{4e0d}\u{597d}", "\u{1f642}"]);
    assert_eq!(numbers(&dataset), [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
}

#[test]
fn encode_takes_long_texts_of_any_language() {
    for word in ["gut ", "größte ", "\u{597d}\u{5929} ", "<b>good</b> "] {
        let long = word.repeat(5_000);
        let text = format!("class,body\na,{long}\nb,{word}rest\n");
        let table = Table::csv(&text).with_test(&text).typed("body=text");
        let dataset = table.load().unwrap();
        let encoded = encode(&dataset, Kind::NaiveBayes, None).unwrap();
        let noted = encoded.encoder.encode_noting(Example::Text(&long)).unwrap();
        assert!(noted.known > 0, "{word}");
        assert_eq!(noted.sample, encoded.train.iter().next().unwrap().0);
    }
}

/// A column without differences tells nothing, and must not spoil the others.
#[test]
fn encode_makes_nothing_of_a_constant_column() {
    let rows = |constant: &str| {
        let text =
            format!("class,x,y\na,1,{constant}\nb,2,{constant}\na,3,{constant}\nb,4,{constant}\n");
        let dataset = Table::csv(&text).with_test(&text).load().unwrap();
        assert_eq!(numbers(&dataset)[0].len(), 2);
        let encoded = encode(&dataset, Kind::DenseNearestCentroid, None).unwrap();
        let samples = encoded.train.iter().map(|(sample, _)| sample.to_vec());
        samples.collect::<Vec<_>>()
    };
    assert_eq!(rows("7"), rows("1e18"));
    // The second number of a sample has four bytes.
    assert!(rows("7").iter().all(|sample| sample[4..] == [0; 4]));
}

#[test]
fn load_reads_texts_with_tags_as_they_are() {
    let html = "<p class=\"\"x\"\">good, <b>very</b> good</p>";
    let text = format!("class,body\na,\"{html}\"\nb,\"<p>bad</p>\n<br>\"\n");
    let table = Table::csv(&text).with_test(&text).typed("body=text");
    let dataset = table.load().unwrap();
    let texts: Vec<Example<'_>> = dataset.train.examples().collect();
    assert_eq!(
        texts,
        [
            Example::Text("<p class=\"x\">good, <b>very</b> good</p>"),
            Example::Text("<p>bad</p>\n<br>"),
        ]
    );
    let words = encode(&dataset, Kind::NaiveBayes, None).unwrap().encoder;
    assert_eq!(words.name(1).as_deref(), Some("br"));
}

#[test]
fn load_takes_a_folder_for_pictures_whatever_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    fs::create_dir(&path).unwrap();
    let source = Source::named(path.to_str().unwrap(), None, "class", None).unwrap();
    assert!(matches!(source, Source::Pictures { .. }));
    let told = load(&source, 0.2, 1).unwrap_err().to_string();
    assert!(told.contains("t.csv") && told.contains("folder"), "{told}");
}

#[test]
fn load_reads_each_of_100_000_rows() {
    let rows: String = (0..100_000).fold("class,x,y\n".to_owned(), |mut rows, row| {
        let _ = writeln!(rows, "{},{row},{}", row % 3, row / 7);
        rows
    });
    let table = Table::csv(&rows).with_test("class,x,y\n0,1,2\n");
    let read = numbers(&table.load().unwrap());
    assert_eq!(read.len(), 100_000);
    assert_eq!(read[99_999], [99_999.0, 14_285.0]);
}
