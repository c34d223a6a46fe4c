//! Encoders that are written and read again.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use cotrain_learning::Encoder;
use cotrain_learning::data::{
    Columns, Dataset, Example, Field, ModelColumns, ModelInputs, Reading, Schema, Source,
    TableFormat, load, load_more,
};
use cotrain_learning::encode::{Options, Sort, TextOptions, Tokenizer, encode, encode_with};
use cotrain_learning::input::{encode_fields, encode_lines, encode_row, read_lines};
use cotrain_protocol::classifier::Kind;
use proptest::prelude::*;
use serde_json::{Value, json};

fn table(lines: &str, text: bool) -> Dataset {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("train");
    fs::write(&path, lines).unwrap();
    load(&source(path, text), 0.5, 0).unwrap()
}

fn source(path: std::path::PathBuf, text: bool) -> Source {
    Source::Table {
        format: TableFormat::Csv,
        train: path.clone(),
        test: Some(path),
        label: "class".to_owned(),
        text: text.then(|| "text".to_owned()),
        reading: Reading::default(),
        columns: Columns::default(),
    }
}

fn libsvm(lines: &str) -> Dataset {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("train");
    fs::write(&path, lines).unwrap();
    let test = Some(path.clone());
    load(&Source::Libsvm { train: path, test }, 0.5, 0).unwrap()
}

fn read(value: Value) -> Result<Encoder, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}

/// Returns the same encoder after writing it to JSON text and reading it.
fn again(encoder: &Encoder) -> Encoder {
    let text = serde_json::to_string(encoder).unwrap();
    let read: Encoder = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), text);
    read
}

#[test]
fn encoder_is_written_small_and_plain() {
    let written = |dataset: &Dataset, kind, features| {
        let encoder = encode(dataset, kind, features).unwrap().encoder;
        assert_eq!(again(&encoder).features(), encoder.features());
        serde_json::to_value(&encoder).unwrap()
    };
    let texts = table("class,text\n0,bad film\n1,good film\n", true);
    assert_eq!(
        written(&texts, Kind::SparsePerceptron, None),
        json!({"classifier": "sparse-perceptron", "features": {"words": ["film", "bad", "good"]}})
    );
    assert_eq!(
        written(
            &table("class,x\n0,1\n1,2\n", false),
            Kind::DensePerceptron,
            None
        ),
        json!({
            "classifier": "dense-perceptron",
            "features": {"columns": ["x"]},
            "scaling": {"mean": [1.5], "deviation": [0.5]},
            "bounds": {"largest-number": 4096, "largest-squared-length": "33554432"},
            "constant": 4096,
        })
    );
    let options = Options {
        reserved: vec!["scam".to_owned()],
        ..Options::default()
    };
    let reserved = encode_with(&texts, Kind::NaiveBayes, &options).unwrap();
    assert_eq!(again(&reserved.encoder).reserved(), 1);
    assert_eq!(
        serde_json::to_value(&reserved.encoder).unwrap(),
        json!({
            "classifier": "naive-bayes",
            "features": {"words": ["film", "bad", "good", "scam"]},
            "reserved": 1,
        })
    );
    let indexed = libsvm("0 2:1 5:1\n1 5:1\n");
    assert_eq!(
        written(&indexed, Kind::NaiveBayes, None)["features"],
        json!({"indices-up-to": 5})
    );
    assert_eq!(
        written(&indexed, Kind::NaiveBayes, Some(2))["features"],
        json!({"indices": [5, 2]})
    );
}

#[test]
fn encoder_of_texts_is_written_with_its_rules() {
    let texts = table("class,text\n0,it's bad\n1,很好 👍\n", true);
    let encoder = |text: TextOptions| {
        let options = Options {
            text,
            ..Options::default()
        };
        let encoded = encode_with(&texts, Kind::NaiveBayes, &options).unwrap();
        let read = again(&encoded.encoder);
        assert_eq!(read.text_rules(), encoded.encoder.text_rules());
        for (example, (sample, _)) in texts.train.examples().zip(encoded.train.iter()) {
            assert_eq!(read.encode(example).unwrap(), sample);
        }
        serde_json::to_value(&read).unwrap()
    };
    assert_eq!(
        encoder(TextOptions {
            word_pairs: true,
            ..TextOptions::default()
        }),
        json!({
            "classifier": "naive-bayes",
            "features": {"words": ["bad", "it's", "it's bad", "很好", "很好 👍", "👍"]},
            "tokenizer": "unicode",
            "word-pairs": true,
        })
    );
    assert_eq!(
        encoder(TextOptions {
            tokenizer: Some(Tokenizer::Simple),
            hashed: Some(65_536),
            ..TextOptions::default()
        }),
        json!({"classifier": "naive-bayes", "features": {"hashed": 65_536}})
    );
}

#[test]
fn encoder_of_texts_is_checked_if_it_is_read() {
    let card = |features: Value, tokenizer: &str, word_pairs: bool| {
        read(json!({
            "classifier": "naive-bayes",
            "features": features,
            "tokenizer": tokenizer,
            "word-pairs": word_pairs,
        }))
    };
    let words =
        |word: &str, tokenizer, pairs| card(json!({"words": ["fine", word]}), tokenizer, pairs);
    for word in ["a", "it's", "很好", "好", "👍", "é"] {
        assert!(words(word, "unicode", false).is_ok(), "{word}");
        assert!(
            words(&format!("{word} fine"), "unicode", true).is_ok(),
            "{word}"
        );
    }
    assert!(words("very fine", "simple", true).is_ok());
    for word in ["It", "two words", "很好的", "e\u{301}", "…", ""] {
        assert_eq!(
            words(word, "unicode", false).unwrap_err(),
            format!("feature 1 is `{word}`, expected one word as the tokenizer `unicode` makes it")
        );
    }
    assert_eq!(
        words("a fine", "simple", true).unwrap_err(),
        "feature 1 is `a fine`, expected one word, or two with a space between, as the tokenizer \
         `simple` makes it"
    );
    for features in [0, 1, 65_537, u32::MAX] {
        let told = card(json!({"hashed": features}), "simple", false).unwrap_err();
        let counted = "features, but a naive Bayes has 1 to 65536";
        let range = format!("tokens are hashed to {features} features, expected 2 to 65536");
        assert!(told == range || told.ends_with(counted), "{told}");
    }
    let reserved = json!({"classifier": "naive-bayes", "features": {"hashed": 9}, "reserved": 1});
    assert_eq!(
        read(reserved).unwrap_err(),
        "the number of reserved features is 1, expected 0: every word has a hashed one already; leave \
         it out"
    );
    for (tokenizer, pairs) in [("unicode", false), ("simple", true)] {
        for features in [json!({"columns": ["x"]}), json!({"indices-up-to": 4})] {
            assert_eq!(
                card(features, tokenizer, pairs).unwrap_err(),
                "there is a rule for texts, but the features are none of texts; leave out \
                 `tokenizer` and `word-pairs`"
            );
        }
    }
    let unknown = words("fine", "icu", false).unwrap_err();
    assert!(unknown.starts_with("unknown variant `icu`"), "{unknown}");
}

#[test]
fn encoder_is_checked_if_it_is_read() {
    let told = |value| read(value).unwrap_err();
    let words = |words: Value| json!({"classifier": "naive-bayes", "features": {"words": words}});
    assert!(read(words(json!(["good", "déjà", "x_1"]))).is_ok());
    assert_eq!(
        told(words(json!([]))),
        "there are 0 features, but a naive Bayes has 1 to 65536"
    );
    for word in ["Good", "a", "two words", ""] {
        assert_eq!(
            told(words(json!(["fine", word]))),
            format!(
                "feature 1 is `{word}`, expected one word of at least two letters, digits or \
                 underscores in lower case"
            )
        );
    }
    assert_eq!(
        told(words(json!(["good", "bad", "good"]))),
        "feature 2 is `good`, as another one is; name each once"
    );
    let indices = |list: Value| json!({"classifier": "naive-bayes", "features": {"indices": list}});
    assert_eq!(
        told(indices(json!([1, 0]))),
        "feature 1 is the index 0, expected a whole number from 1 to 16777216"
    );
    assert_eq!(
        told(
            json!({"classifier": "naive-bayes", "features": {"indices-up-to": 4_000_000_000_u32}})
        ),
        "there are 4000000000 features, but a naive Bayes has 1 to 65536"
    );
    assert_eq!(
        told(json!({"classifier": "forest", "features": {"words": ["good"]}})),
        "\"forest\" is no classifier; use one of sparse-perceptron, dense-perceptron, naive-bayes, \
         sparse-nearest-centroid, dense-nearest-centroid"
    );
    let dense = |scaling: Value| json!({"classifier": "dense-perceptron", "features": {"columns": ["x"]}, "scaling": scaling});
    assert!(read(dense(json!({"mean": [0.1], "deviation": [1]}))).is_ok());
    let bounded = |number: u32, length: &str| {
        let mut written = dense(json!({"mean": [0.1], "deviation": [1]}));
        written["bounds"] = json!({"largest-number": number, "largest-squared-length": length});
        written
    };
    assert!(read(bounded(5, "25")).is_ok());
    for (number, length) in [(0, "1"), (32_769, "1"), (5, "26"), (5, "0"), (5, "many")] {
        let longest = u64::from(number.min(32_768)).pow(2);
        assert_eq!(
            told(bounded(number, length)),
            format!(
                "the largest number is {number} and the largest squared length `{length}`, expected 1 to 32768 and \
                 1 to {longest}"
            )
        );
    }
    let mut sparse = words(json!(["good"]));
    sparse["bounds"] = json!({"largest-number": 1, "largest-squared-length": "1"});
    assert_eq!(
        told(sparse),
        "there are bounds, but the samples of a naive Bayes only say which features are present; leave them out"
    );
    assert_eq!(
        told(dense(Value::Null)),
        "there is no scaling, but the samples of a dense perceptron are numbers; give means and deviations"
    );
    assert_eq!(
        told(dense(json!({"mean": [], "deviation": [1]}))),
        "the length of `mean` is 0, expected 1, a number for each feature"
    );
    assert_eq!(
        told(dense(json!({"mean": [0], "deviation": [0]}))),
        "the deviation of feature 0 is 0, expected a finite number above 0"
    );
    assert_eq!(
        told(json!({
            "classifier": "naive-bayes", "features": {"words": ["good"]},
            "scaling": {"mean": [0], "deviation": [1]},
        })),
        "there is a scaling, but the samples of a naive Bayes only say which features are present; leave it \
         out"
    );
    assert!(
        told(json!({"classifier": "naive-bayes", "features": {}, "x": 1})).contains("expected")
    );
}

#[test]
fn encoder_is_checked_for_its_constant_and_reserved_features() {
    let told = |value| read(value).unwrap_err();
    let dense = |kind: &str, number: u32, length: &str| {
        json!({
            "classifier": kind,
            "features": {"columns": ["x"]},
            "scaling": {"mean": [0.1], "deviation": [1]},
            "bounds": {"largest-number": 5, "largest-squared-length": length},
            "constant": number,
        })
    };
    let kind = "dense-perceptron";
    assert_eq!(read(dense(kind, 5, "30")).unwrap().constant(), Some(5));
    for (number, length) in [(0, "30"), (6, "30"), (5, "25")] {
        assert_eq!(
            told(dense(kind, number, length)),
            format!(
                "the constant is {number}, expected 1 to 5, the square below the largest squared length {length}"
            )
        );
    }
    assert_eq!(
        told(dense("dense-nearest-centroid", 1, "20")),
        "there is a constant, but only a dense perceptron learns its intercept through one; leave it out"
    );
    let words = |reserved: usize| {
        json!({
            "classifier": "naive-bayes",
            "features": {"words": ["good", "bad"]},
            "reserved": reserved,
        })
    };
    assert_eq!(read(words(1)).unwrap().reserved(), 1);
    assert_eq!(
        told(words(2)),
        "2 of the 2 features are reserved, expected fewer than all, and none of a model of numbers"
    );
}

/// Cards from before constants and reserved features existed.
#[test]
fn encoder_of_an_old_card_encodes_the_same_bytes() {
    let old = json!({
        "classifier": "dense-perceptron",
        "features": {"columns": ["x", "y"]},
        "scaling": {"mean": [1.5, 0.0], "deviation": [0.5, 2.0]},
        "bounds": {"largest-number": 8192, "largest-squared-length": "67108864"},
    });
    let encoder = read(old.clone()).unwrap();
    assert_eq!((encoder.constant(), encoder.reserved()), (None, 0));
    assert_eq!(serde_json::to_value(&encoder).unwrap(), old);
    for (row, sample) in [
        ([2.0, -1.0], [0x10, 0, 0xf8, 0]),
        // The row is clipped to the largest number, and then to the largest length.
        ([9.0, 0.0], [0x20, 0, 0, 0]),
        ([9.0, 9.0], [0x16, 0xa0, 0x16, 0xa0]),
    ] {
        assert_eq!(encoder.encode(Example::Numbers(&row)).unwrap(), sample);
    }
    let words = json!({"classifier": "naive-bayes", "features": {"words": ["film", "good"]}});
    let encoder = read(words.clone()).unwrap();
    assert_eq!(serde_json::to_value(&encoder).unwrap(), words);
    let text = Example::Text("A good film");
    assert_eq!(encoder.encode(text).unwrap(), [0, 0, 0, 1]);
}

#[test]
fn load_more_needs_the_classes_of_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("more.csv");
    let source = source(path.clone(), false);
    let classes = ["3", "good", "10"].map(ToOwned::to_owned);
    fs::write(&path, "class,x\n10,1\ngood,2\n+3,2\n").unwrap();
    assert_eq!(
        load_more(&source, &classes, ModelInputs::default())
            .unwrap()
            .labels(),
        [2, 1, 0]
    );
    fs::write(&path, "class,x\n10,1\nfair,2\n").unwrap();
    let told = load_more(&source, &classes, ModelInputs::default())
        .unwrap_err()
        .to_string();
    assert!(
        told.ends_with(
            "more.csv` has the class `fair`, which the model does not have; the file has the classes 10, fair, \
             but the model has 3, good, 10; is the label column the right one?"
        ),
        "{told}"
    );
    fs::write(&path, "class,x\n").unwrap();
    load_more(&source, &classes, ModelInputs::default()).unwrap_err();
}

#[test]
fn load_more_finds_the_columns_of_the_model_by_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("more.csv");
    let source = source(path.clone(), false);
    let classes = ["a", "b"].map(ToOwned::to_owned);
    let columns = ["x", "y"].map(ToOwned::to_owned);
    let schema = Schema::numbers(columns).unwrap();
    let columns = ModelColumns {
        schema: &schema,
        reserved: 0,
    };
    let inputs = ModelInputs {
        columns: Some(columns),
        zero_based: false,
        ..ModelInputs::default()
    };
    for table in ["x,class,y\n1,a,2\n3,b,4\n", "y,x,class\n2,1,a\n4,3,b\n"] {
        fs::write(&path, table).unwrap();
        let more = load_more(&source, &classes, inputs).unwrap();
        assert_eq!(more.labels(), [0, 1]);
        let rows: Vec<_> = more.examples().collect();
        let expected = [[1.0, 2.0], [3.0, 4.0]];
        assert_eq!(rows, expected.each_ref().map(|row| Example::Numbers(row)));
        let test = load(&source, 0.5, 0)
            .unwrap()
            .test_for(Some(columns))
            .unwrap();
        let row = test.examples().next().unwrap();
        assert!(rows.contains(&row), "{row:?}");
    }
    for (header, found, fault) in [
        ("v,class,w", "v, w", "unknown v, w and missing x, y"),
        ("x,class,z", "x, z", "unknown z and missing y"),
        ("x,class", "x", "missing y"),
        ("x,class,y,z", "x, y, z", "unknown z"),
    ] {
        let rows = match header {
            "x,class" => "1,a\n3,b",
            "x,class,y,z" => "1,a,2,0\n3,b,4,0",
            _ => "1,a,2\n3,b,4",
        };
        fs::write(&path, format!("{header}\n{rows}\n")).unwrap();
        let wanted = format!(
            "more.csv` has the columns {found}, but the model has x, y: {fault}; give it the model's columns, in \
             any order{}",
            if fault.contains("unknown") {
                ", and leave others out with --drop"
            } else {
                ""
            }
        );
        let told = load_more(&source, &classes, inputs).unwrap_err();
        assert!(told.to_string().ends_with(&wanted), "{told}");
        let whole = load(&source, 0.5, 0).unwrap();
        let told = whole.test_for(Some(columns)).unwrap_err();
        assert!(told.to_string().ends_with(&wanted), "{told}");
    }
}

/// Cards of each sort of encoder.
const CARDS: [&str; 5] = [
    r#"{"classifier":"naive-bayes","features":{"words":["good","bad"]},"tokenizer":"unicode"}"#,
    r#"{"classifier":"naive-bayes","features":{"table":[{"name":"a","type":"categorical","values":["x","y"],"other":true,"missing":{"own":0.0},"markers":["n/a"]},{"name":"b","type":"boolean"}]},"reserved":0}"#,
    r#"{"classifier":"dense-nearest-centroid","features":{"columns":["x","y"]},"scaling":{"mean":[0.1,-2.0],"deviation":[0.3,7.0]},"bounds":{"largest-number":65536,"largest-squared-length":"8589934592"}}"#,
    r#"{"classifier":"naive-bayes","features":{"indices":[5,2,9]},"zero-based":true}"#,
    r#"{"classifier":"dense-nearest-centroid","features":{"indices-up-to":3},"scaling":{"mean":[0.0,1.0,0.5],"deviation":[1.0,2.0,0.1]}}"#,
];

proptest! {
    /// A card is that of a stranger: what is read comes back, and encodes without a panic.
    #[test]
    fn encoder_survives_changed_cards(
        card in prop::sample::select(CARDS.to_vec()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), "[0-9a-z\"{}\\[\\]:,.-]{0,4}", 0_usize..6), 0..4),
        row in "[0-9a-z:,. \"-]{0,20}",
    ) {
        let mut card = card.to_owned();
        for (at, text, cut) in &changes {
            let at = at.index(card.len());
            let end = (at + cut).min(card.len());
            card.replace_range(at..end, text);
        }
        if let Ok(encoder) = serde_json::from_str::<Encoder>(&card) {
            let written = serde_json::to_string(&encoder).unwrap();
            let read: Encoder = serde_json::from_str(&written).unwrap();
            prop_assert_eq!(serde_json::to_string(&read).unwrap(), written);
            let (one, other) = (encode_row(&encoder, &row), encode_row(&read, &row));
            prop_assert_eq!(one.ok(), other.ok());
            let _ = encoder.encode(Example::Text(&row));
        }
    }

    /// Files of `--file`: each line is encoded, or the file is refused.
    #[test]
    fn encode_lines_survives_any_file(bytes: Vec<u8>, more in "[0-9a-z:,. \"\r\n\t-]{0,80}") {
        let path = Path::new("rows.txt");
        for content in [more.as_bytes().to_vec(), [more.as_bytes(), &bytes].concat()] {
            let Ok(text) = read_lines(path, content.as_slice()) else {
                prop_assert!(std::str::from_utf8(&content).is_err());
                continue;
            };
            for card in CARDS {
                let encoder: Encoder = serde_json::from_str(card).unwrap();
                if let Ok(encoded) = encode_lines(&encoder, path, &text) {
                    let lines = text.trim_start_matches('\u{feff}').lines();
                    let lines = lines.filter(|line| !line.trim().is_empty());
                    prop_assert_eq!(encoded.len(), lines.count());
                }
            }
        }
    }

    /// Rows of `--row`: each is encoded or refused, as are rows by their fields.
    #[test]
    fn encode_row_survives_any_row(
        row in "\\PC{0,40}",
        fields in prop::collection::vec(
            prop_oneof![
                Just(Field::Missing),
                any::<f64>().prop_map(Field::Number),
                prop::sample::select(vec!["", "n/a", "x", "true", "1e5", "NaN", "\u{feff}1"]).prop_map(Field::Text),
            ],
            0..4,
        ),
    ) {
        for card in CARDS {
            let encoder: Encoder = serde_json::from_str(card).unwrap();
            let _ = encode_row(&encoder, &row);
            if let Ok(encoded) = encode_fields(&encoder, &fields) {
                prop_assert_eq!(encode_fields(&encoder, &fields).unwrap(), encoded);
            }
        }
    }
}

proptest! {
    #[test]
    fn encoder_of_words_comes_back(text: String, other: String, wanted in 1_usize..30) {
        let quoted = |text: &str| text.replace(['"', '\r', '\n'], " ");
        let lines = format!("class,text\n0,\"a film {}\"\n1,\"{}\"\n", quoted(&text), quoted(&other));
        for kind in [Kind::SparsePerceptron, Kind::DensePerceptron, Kind::DenseNearestCentroid] {
            let encoder = encode(&table(&lines, true), kind, Some(wanted)).unwrap().encoder;
            let read = again(&encoder);
            prop_assert_eq!(read.takes(), Sort::Text);
            for text in [&text, &other, "film"] {
                prop_assert_eq!(
                    read.encode(Example::Text(text)).unwrap(),
                    encoder.encode(Example::Text(text)).unwrap()
                );
            }
        }
    }

    #[test]
    fn encoder_of_numbers_comes_back_to_the_bit(rows in prop::collection::vec((-1e100..1e100, -2.0..2.0_f64), 2..9)) {
        let mut lines = "class,x,y\n".to_owned();
        for (row, (x, y)) in rows.iter().enumerate() {
            writeln!(lines, "{},{x},{y}", row % 2).unwrap();
        }
        for kind in [Kind::DensePerceptron, Kind::DenseNearestCentroid] {
            let encoder = encode(&table(&lines, false), kind, None).unwrap().encoder;
            let read = again(&encoder);
            prop_assert_eq!(read.kind(), kind);
            for &(x, y) in &rows {
                let example = Example::Numbers(&[x, y]);
                prop_assert_eq!(read.encode(example).unwrap(), encoder.encode(example).unwrap());
            }
        }
    }

    #[test]
    fn encoder_of_indices_comes_back(indices in prop::collection::btree_set(1_u32..300, 1..20), wanted in prop::option::of(1_usize..20)) {
        let entries: Vec<_> = indices.iter().map(|index| format!(" {index}:1")).collect();
        let entries = entries.concat();
        let dataset = libsvm(&format!("0{entries}\n1 3:1\n"));
        let encoder = encode(&dataset, Kind::NaiveBayes, wanted).unwrap().encoder;
        let read = again(&encoder);
        let indices: Vec<u32> = indices.into_iter().map(|index| index - 1).collect();
        let example = Example::Indexed { indices: &indices, values: None };
        prop_assert_eq!(read.encode(example).unwrap(), encoder.encode(example).unwrap());
    }
}
