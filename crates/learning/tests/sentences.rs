//! Models of the numbers of a sentence encoder, which runs elsewhere.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cotrain_learning::data::{Columns, Dataset, Example, Reading, Source, TableFormat, load};
use cotrain_learning::encode::{
    EncodeError, Encoder, Options, TextOptions, encode_with, suited_with,
};
use cotrain_learning::sentences::{
    SentenceEncoder, SentenceFault, SentenceId, SentenceIdError, SentenceVector, Sentences,
};
use cotrain_learning::vectors::embedded;
use cotrain_protocol::classifier::Kind;
use serde_json::{Value, json};

const SHA256: &str = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db";

/// Gives the bytes of a text as numbers, each divided by 100.
#[derive(Debug, Default)]
struct Bytes {
    asked: AtomicUsize,
}

impl SentenceEncoder for Bytes {
    fn encode(&self, text: &str) -> Result<SentenceVector, SentenceFault> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        match text {
            "crash" => return Err(SentenceFault("it crashed".to_owned())),
            "infinite" => {
                return Ok(SentenceVector {
                    numbers: vec![0.0, f32::INFINITY, 0.0],
                    pieces: 1,
                });
            }
            _ => {}
        }
        let bytes = text.bytes().map(|byte| f32::from(byte) / 100.0);
        Ok(SentenceVector {
            numbers: bytes.collect(),
            pieces: text.trim().len(),
        })
    }
}

fn id(width: usize) -> SentenceId {
    SentenceId::new("bytes", SHA256, width).unwrap()
}

fn texts() -> Dataset {
    dataset("0,abc\n1,cba\n0,abe\n")
}

fn dataset(rows: &str) -> Dataset {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("train");
    fs::write(&path, format!("class,text\n{rows}")).unwrap();
    let source = Source::Table {
        format: TableFormat::Csv,
        train: path.clone(),
        test: Some(path),
        label: "class".to_owned(),
        text: Some("text".to_owned()),
        reading: Reading::default(),
        columns: Columns::default(),
    };
    load(&source, 0.5, 0).unwrap()
}

fn options(dimensions: usize) -> (Arc<Bytes>, Options) {
    let bytes = Arc::new(Bytes::default());
    let encoder: Arc<dyn SentenceEncoder> = Arc::<Bytes>::clone(&bytes);
    let options = Options {
        sentences: Some(Sentences::new(id(3), dimensions, encoder).unwrap()),
        ..Options::default()
    };
    (bytes, options)
}

/// Returns an encoder of so many dimensions, and the same one after writing and reading its card.
fn written(dimensions: usize) -> (Encoder, Encoder) {
    let (bytes, options) = options(dimensions);
    let kind = suited_with(&texts(), &options);
    let encoder = encode_with(&texts(), kind, &options).unwrap().encoder;
    // Training reads each of the three texts several times.
    assert_eq!(bytes.asked.load(Ordering::Relaxed), 3);
    let card = serde_json::to_value(&encoder).unwrap();
    let features = &card["features"]["sentence"];
    assert_eq!(
        (&features["name"], &features["sha256"], &features["width"]),
        (&json!("bytes"), &json!(SHA256), &json!(3))
    );
    let axes = features["axes"].as_array().map(Vec::len);
    assert_eq!(axes, (dimensions < 3).then_some(dimensions));
    assert_eq!(card["classifier"], "dense-nearest-centroid");
    (encoder, serde_json::from_value(card).unwrap())
}

#[test]
fn encoder_without_its_sentence_encoder_refuses_texts_until_it_has_one() {
    for dimensions in [2, 3] {
        let (encoder, mut read) = written(dimensions);
        let text = Example::Text("bbb");
        assert_eq!(read.missing_sentences(), Some(&id(3)));
        let refused = read.encode(text).unwrap_err();
        assert_eq!(refused, EncodeError::NoSentences { id: id(3) });
        let refused = refused.to_string();
        assert!(refused.contains("`bytes` with SHA-256 53aa51"), "{refused}");
        assert!(refused.contains("or send samples"), "{refused}");
        let bytes: Arc<dyn SentenceEncoder> = Arc::new(Bytes::default());
        read.set_sentences(&bytes);
        assert_eq!(read.missing_sentences(), None);
        let noted = read.encode_noting(text).unwrap();
        assert_eq!(noted, encoder.encode_noting(text).unwrap());
        assert_eq!(noted.known, 3);
        assert_eq!(noted.sample.len(), 4 * dimensions);
        assert_eq!(read.encode_noting(Example::Text("   ")).unwrap().known, 0);
        assert_eq!(read.name(dimensions - 1), Some(dimensions.to_string()));
        assert_eq!(read.name(dimensions), None);
        assert!(read.encode(Example::Numbers(&[0.0; 3])).is_err());
    }
}

#[test]
fn set_sentences_leaves_encoders_of_words_alone() {
    let encoded = encode_with(&texts(), Kind::NaiveBayes, &Options::default()).unwrap();
    let mut words = encoded.encoder;
    let before = serde_json::to_value(&words).unwrap();
    assert_eq!(words.missing_sentences(), None);
    let bytes: Arc<dyn SentenceEncoder> = Arc::new(Bytes::default());
    words.set_sentences(&bytes);
    assert_eq!(serde_json::to_value(&words).unwrap(), before);
}

#[test]
fn encode_tells_the_faults_of_a_sentence_encoder() {
    let (_, options) = options(3);
    let sentences = options.sentences.unwrap();
    let fault = |text| sentences.encode(text).unwrap_err().to_string();
    assert_eq!(fault("crash"), "it crashed");
    assert!(fault("four").contains("gave 4 numbers, expected 3"));
    assert!(fault("infinite").contains("the number inf, expected a finite one"));
    let (encoder, _) = written(3);
    let refused = encoder.encode(Example::Text("crash")).unwrap_err();
    assert_eq!(refused.to_string(), "cannot read texts: it crashed");
}

/// Gives each text a vector of 40 numbers that varies on two axes, much on the first.
#[derive(Debug)]
struct Plane;

impl SentenceEncoder for Plane {
    fn encode(&self, text: &str) -> Result<SentenceVector, SentenceFault> {
        let bytes = text.as_bytes();
        let mut numbers = vec![0.5; 40];
        numbers[3] += f32::from(bytes[0]);
        numbers[7] -= f32::from(bytes[0]);
        numbers[11] += f32::from(bytes[2]) / 10.0;
        Ok(SentenceVector { numbers, pieces: 1 })
    }
}

#[test]
fn encode_projects_on_the_axes_on_which_texts_vary_most() {
    let id = SentenceId::new("plane", SHA256, 40).unwrap();
    let options = Options {
        sentences: Some(Sentences::new(id, 2, Arc::new(Plane)).unwrap()),
        ..Options::default()
    };
    let texts = dataset("0,a b\n0,c b\n1,b a\n1,b c\n");
    let encoded = encode_with(&texts, Kind::DenseNearestCentroid, &options).unwrap();
    let card = serde_json::to_value(&encoded.encoder).unwrap();
    let axes = &card["features"]["sentence"]["axes"];
    let [first, second] =
        ["0007000900000000000", "0000000000070000000"].map(|it| format!("{it:0<40}"));
    assert_eq!(axes, &json!([first, second]), "9 is -7");
    // One deviation scales both numbers: a step on the second axis counts less.
    let deviation = &card["scaling"]["deviation"];
    assert_eq!(deviation[0], deviation[1]);
    let number = |text: &str, at: usize| {
        let sample = encoded.encoder.encode(Example::Text(text)).unwrap();
        i32::from_be_bytes(sample[4 * at..][..4].try_into().unwrap())
    };
    let one = 65_536.0 / deviation[0].as_f64().unwrap();
    let step = f64::from(number("c b", 0) - number("a b", 0));
    assert!((step - one * 8.0_f64.sqrt()).abs() <= 1.0, "{step}");
    let step = f64::from(number("b c", 1) - number("b a", 1));
    assert!((step - one * 0.2).abs() <= 1.0, "{step}");
}

#[test]
fn sentence_id_is_checked() {
    fn refused(name: &str, sha256: &str, width: usize) -> SentenceIdError {
        SentenceId::new(name, sha256, width).unwrap_err()
    }
    for wrong in [
        SHA256.to_uppercase(),
        format!("0x{SHA256}"),
        SHA256[1..].to_owned(),
    ] {
        assert_eq!(refused("x", &wrong, 3), SentenceIdError::Sha256(wrong));
    }
    for width in [0, 1_025] {
        assert_eq!(refused("x", SHA256, width), SentenceIdError::Width(width));
    }
    for name in ["", "a\u{1b}b", &"x".repeat(1_000)] {
        assert!(matches!(refused(name, SHA256, 3), SentenceIdError::Name(_)));
    }
    let same = SentenceId::new("another name", SHA256, 3).unwrap();
    assert!(same.is_same(&id(3)) && !same.is_same(&id(4)));
    for dimensions in [0, 4] {
        let refused = Sentences::new(id(3), dimensions, Arc::new(Bytes::default()));
        let refused = refused.unwrap_err().to_string();
        assert!(
            refused.contains(&format!("{dimensions}, expected 1 to 3")),
            "{refused}"
        );
    }
}

#[test]
fn encoder_of_a_card_is_checked() {
    let (encoder, _) = written(2);
    let card = serde_json::to_value(&encoder).unwrap();
    let refused = |key: &str, value: Value| {
        let mut card = card.clone();
        *card.pointer_mut(key).unwrap() = value;
        let refused = serde_json::from_value::<Encoder>(card);
        refused.unwrap_err().to_string()
    };
    let error = refused("/features/sentence/sha256", json!("ab"));
    assert!(error.contains("64 hexadecimal digits"), "{error}");
    let error = refused("/features/sentence/width", json!(1));
    assert!(
        error.contains("there are 2 axes, expected 1 to 1"),
        "{error}"
    );
    let error = refused("/features/sentence/width", json!(10_000_000));
    assert!(error.contains("10000000 numbers"), "{error}");
    let error = refused("/features/sentence/name", json!("\u{202e}x"));
    assert!(error.contains("name of the sentence encoder"), "{error}");
    for (axis, fault) in [
        ("12", "axis 1 has not 3 hexadecimal digits"),
        ("00A", "axis 1 has not 3 hexadecimal digits"),
        ("000", "all numbers of axis 1 are 0"),
    ] {
        let error = refused("/features/sentence/axes/1", json!(axis));
        assert!(error.contains(fault), "{error}");
    }
    let error = refused("/features/sentence/axes", json!([]));
    assert!(error.contains("0 features"), "{error}");
    let mut sparse = card.clone();
    sparse["classifier"] = json!("naive-bayes");
    sparse.as_object_mut().unwrap().remove("scaling");
    sparse.as_object_mut().unwrap().remove("bounds");
    let error = serde_json::from_value::<Encoder>(sparse)
        .unwrap_err()
        .to_string();
    assert!(error.contains("numbers of a sentence encoder"), "{error}");
    let mut tokenizer = card;
    tokenizer["tokenizer"] = json!("unicode");
    let error = serde_json::from_value::<Encoder>(tokenizer)
        .unwrap_err()
        .to_string();
    assert!(error.contains("rule for texts"), "{error}");
}

#[test]
fn options_of_words_exclude_a_sentence_encoder() {
    let refused = |change: &dyn Fn(&mut Options), kind| {
        let (_, mut options) = options(2);
        change(&mut options);
        encode_with(&texts(), kind, &options)
            .unwrap_err()
            .to_string()
    };
    let dense = Kind::DenseNearestCentroid;
    let error = refused(&|_| {}, Kind::NaiveBayes);
    assert!(
        error.contains("cannot use a sentence encoder with a naive Bayes"),
        "{error}"
    );
    let error = refused(&|it| it.vectors = Some(embedded().clone()), dense);
    assert!(
        error.contains("leave out the table of word vectors"),
        "{error}"
    );
    let error = refused(&|it| it.features = Some(3), dense);
    assert!(error.contains("is 3, but the extractor makes 2"), "{error}");
    let pairs = TextOptions {
        word_pairs: true,
        ..TextOptions::default()
    };
    let error = refused(&|it| it.text = pairs.clone(), dense);
    assert!(error.contains("reads the examples itself"), "{error}");
}
