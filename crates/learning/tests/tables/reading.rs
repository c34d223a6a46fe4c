use cotrain_learning::data::{Columns, Example, ModelInputs, Reading, Source, load_more};
use cotrain_learning::encode::{Encoder, encode};
use cotrain_learning::input::{encode_row, row_of};
use cotrain_protocol::classifier::Kind;

use super::{Table, gzipped, numbers};

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
fn load_tells_thousands_from_decimal_commas() {
    let rows = |fields: [&str; 4]| {
        let rows = fields.iter().enumerate();
        let rows = rows.map(|(at, field)| format!("{};{field}\n", at % 2));
        std::iter::once("class;x\n".to_owned())
            .chain(rows)
            .collect::<String>()
    };
    let told = |fields| Table::csv(rows(fields)).told();
    let message = told(["102", "2,700", "0,5", "1,234.5"]);
    assert_eq!(
        message,
        "`t.csv` has 3 malformed lines; correct or remove them:
  line 3: column `x` has `2,700`, expected a number without a comma between thousands; remove the \
         commas of the column, or say --decimal-comma (in a scenario, data.decimal_comma) if it means 2.7
  line 4: column `x` has `0,5`, expected a number with a decimal point; for decimal commas, say \
         --decimal-comma (in a scenario, data.decimal_comma)
  line 5: column `x` has `1,234.5`, expected a number without commas between thousands; remove them"
    );
    let message = told(["1.000,00", "2.500,50", "3.000,25", "4.100,75"]);
    assert!(
        message.contains("`1.000,00`, expected a number without points between thousands"),
        "{message}"
    );
    // With decimal commas, a column in which they may separate thousands is doubted.
    let doubts = |fields| {
        let text = rows(fields);
        let mut table = Table::csv(&text).with_test(&text);
        table.reading.decimal_comma = true;
        let doubts = table.load().unwrap().doubts();
        doubts.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        doubts(["102", "2,700", "3,100", "7"]),
        [
            "all commas of the column `x` are before three digits, as in `2,700`, and were read as \
             decimal commas; if they separate thousands, remove them"
        ]
    );
    assert_eq!(doubts(["102", "2,700", "3,1", "7"]), [""; 0]);
}

#[test]
fn load_takes_the_separator_of_a_first_line_for_spreadsheets() {
    let table = "sep=;\r\nclass;a,b\r\n0;1\r\n1;x\r\n1;2\r\n0;3\r\n";
    let told = Table::csv(table).told();
    assert!(told.contains("line 4: column `a,b` has `x`"), "{told}");
    let right = table.replace(";x", ";4");
    for content in [right.clone(), format!("\u{feff}{right}")] {
        let table = Table::csv(&content).with_test(&content);
        assert_eq!(table.rows(), [[1.0], [4.0], [2.0], [3.0]]);
    }
    // What the user says counts, and other lines are a header.
    let mut other = Table::csv("sep=;\nclass,x\n0,1\n1,2\n");
    other.reading.separator = Some("comma".parse().unwrap());
    assert_eq!(other.load().unwrap().columns, ["x"]);
    let header = "sep=,class\n1,0\n2,1\n";
    assert_eq!(Table::csv(header).load().unwrap().columns, ["sep="]);
}

#[test]
fn load_says_that_a_file_is_no_text() {
    let mut random = [7_u8; 600];
    for (at, byte) in random.iter_mut().enumerate() {
        *byte = u8::try_from(at * 91 % 251).unwrap();
    }
    for (content, wanted) in [
        (
            b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0rest".as_slice(),
            "it seems to be a zip archive or a spreadsheet",
        ),
        (b"\x28\xb5\x2f\xfd\x04\x58\x01\x02", "packed by Zstandard"),
        (b"\xfd7zXZ\0\0\x04", "packed by xz"),
        (b"BZh91AY&SY\x01\x02\xff", "packed by bzip2"),
        (b"PAR1\x15\x04\x15\xff", "it seems to be Parquet"),
        (&random, "it has many bytes that no text has"),
    ] {
        let told = Table::csv(content).told();
        assert!(told.starts_with("`t.csv` is no text: "), "{told}");
        assert!(told.contains(wanted), "{told}");
    }
    // Texts may begin with the same letters.
    let text = "BZh,class\n1,0\n2,1\n";
    assert_eq!(Table::csv(text).load().unwrap().columns, ["BZh"]);
    // UTF-16 of ASCII letters is UTF-8, too.
    let bytes = "class,x\n0,1\n1,2\n".encode_utf16();
    for (unmarked, encoding) in [
        (
            bytes.clone().flat_map(u16::to_le_bytes).collect::<Vec<_>>(),
            "UTF-16LE",
        ),
        (bytes.flat_map(u16::to_be_bytes).collect(), "UTF-16BE"),
    ] {
        let told = Table::csv(unmarked).told();
        assert!(
            told.contains(&format!("say --encoding {encoding}")),
            "{told}"
        );
    }
}

#[test]
fn load_reads_other_encodings_if_asked() {
    let latin = b"class,x\r\n\"a\r\n\",1\r\nM\xfcller,2\r\n".as_slice();
    let mut table = Table::csv(latin).with_test(latin);
    for content in [latin.to_vec(), gzipped(latin)] {
        assert_eq!(
            Table::csv(content).told(),
            "line 4 of `t.csv` is not UTF-8; it seems to be windows-1252, as `Müller,2`: if that is \
             right, say --encoding windows-1252 (in a scenario, data.encoding)"
        );
    }
    for (encoding, text) in [
        ("windows-1250", "Žlutý kůň pěl ďábelské ódy"),
        ("windows-1251", "Съешь ещё этих мягких булок"),
        ("windows-1253", "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία"),
    ] {
        let charset = encoding_rs::Encoding::for_label(encoding.as_bytes()).unwrap();
        let content = format!("class,x\n{text},1\nb,2\n");
        let told = Table::csv(&*charset.encode(&content).0).told();
        assert!(
            told.contains(&format!("seems to be {encoding}, as `{text}")),
            "{told}"
        );
    }
    table.reading.encoding = Some("windows-1252".parse().unwrap());
    assert_eq!(table.load().unwrap().classes, ["Müller", "a"]);
    // Lines count as in the file, also after decoding.
    let mut bad = Table::csv(b"class,x\r\n\xe4,1\r\nb,2\r\nb,\xfc\r\n");
    bad.reading.encoding = table.reading.encoding;
    assert!(
        bad.told()
            .contains("line 4: column `x` has `ü`, expected a number\n"),
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
        let (reading, columns) = (Reading::default(), Columns::default());
        let refused = Source::chosen(data, None, "class", Some("text"), reading, columns);
        assert_eq!(
            refused.unwrap_err().to_string(),
            format!("--text-column is for tables of texts; leave it out for `{data}`")
        );
    }
}

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

/// A query has no meaning for a model here, which is no reason to drop it silently.
#[test]
fn load_counts_queries() {
    let lines = "1 qid:1 1:1\n0 2:1\n1 qid:2 2:1\n0 qid:2 1:1\n";
    let table = Table::new("t.svm", lines).with_test("1 qid:7 1:1\n0 1:1\n");
    let dataset = table.load().unwrap();
    assert_eq!((dataset.train.queries(), dataset.test.queries()), (3, 1));
    let split = Table::new("t.svm", lines).load().unwrap();
    assert_eq!(split.train.queries() + split.test.queries(), 3);
    let part = load_more(&table.source(), &dataset.classes, ModelInputs::default()).unwrap();
    assert_eq!(part.queries(), 3);
    let none = Table::csv("class,a\n0,1\n1,2\n").load().unwrap();
    assert_eq!(none.train.queries() + none.test.queries(), 0);
}
