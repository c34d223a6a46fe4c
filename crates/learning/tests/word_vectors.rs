//! Tables of word vectors: their bytes, how texts become numbers, and encoders that use them.

use std::fs;
use std::path::Path;

use cotrain_learning::Encoder;
use cotrain_learning::data::{Columns, Dataset, Example, Reading, Source, TableFormat, load};
use cotrain_learning::encode::{EncodeError, Options, TextOptions, encode_with, suited_with};
use cotrain_learning::initial::{self, Initial, Prepared};
use cotrain_learning::vectors::{
    MakeError, Making, NamedTableError, OpenError, SourceError, Table, TableError, TableId,
    TextVector, WordVectors, embedded,
};
use cotrain_protocol::classifier::Kind;
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::Digest as _;

/// Returns the bytes of a table of two dimensions that share a byte, as docs/spec.md says.
///
/// The vector of piece number `n` is `(n + 1, -2 n)`.
fn bytes(pieces: &[&str]) -> Vec<u8> {
    let mut bytes = b"cotvec\x00\x01\x00\x02\x02".to_vec();
    bytes.extend(u32::try_from(pieces.len()).unwrap().to_be_bytes());
    bytes.extend(b"\x00\x00\x00\x05by us");
    for piece in pieces {
        bytes.push(u8::try_from(piece.len()).unwrap());
        bytes.extend(piece.as_bytes());
    }
    for code in 0..256_i32 {
        let number = |value: i32| {
            i8::try_from(value.clamp(-128, 127))
                .unwrap()
                .cast_unsigned()
        };
        bytes.extend([number(code + 1), number(-2 * code)]);
    }
    bytes.extend((0..pieces.len()).map(|number| u8::try_from(number).unwrap()));
    bytes
}

const PIECES: [&str; 6] = ["!", "##ing", "##s", "film", "films", "go"];

fn small() -> Table {
    Table::read(&bytes(&PIECES)).unwrap()
}

#[test]
fn table_reads_the_bytes_of_the_specification_and_writes_them() {
    let table = small();
    assert_eq!(
        (table.dimensions(), table.pieces(), table.notice()),
        (2, 6, "by us")
    );
    assert_eq!(table.to_bytes(), bytes(&PIECES));
    assert_eq!(
        table.id().to_string(),
        format!("SHA-256 {} and 2 dimensions", table.id().hexadecimal())
    );
}

#[test]
fn table_refuses_every_other_file() {
    let good = bytes(&PIECES);
    for length in 0..good.len() {
        assert!(Table::read(&good[..length]).is_err(), "{length} bytes");
    }
    assert_eq!(
        Table::read(&[good.as_slice(), &[0]].concat()),
        Err(TableError::Long { count: 1 })
    );
    let changed = |at: usize, to: u8| {
        let mut bytes = good.clone();
        bytes[at] = to;
        Table::read(&bytes).unwrap_err().to_string()
    };
    assert!(changed(7, 2).contains("0x636f747665630002, expected 0x636f747665630001"));
    assert!(changed(8, 0x80).contains("dimensions is 32770, expected 1 to 1024"));
    assert!(changed(9, 3).contains("stands for 2 of 3 dimensions"));
    assert!(changed(10, 0).contains("width of a code is 0, expected 1 to 16"));
    assert!(changed(11, 1).contains("pieces is 16777222, expected 1 to 1048576"));
    assert!(changed(15, 1).contains("notice is 16777221"));
    assert!(changed(19, 0xff).contains("notice is not UTF-8, from byte 19"));
    // 24 is the length of the first piece, "!".
    assert!(changed(25, b'A').contains("piece 0 is `A`, expected one word"));
    assert!(changed(25, b'z').contains("piece 1 is `##ing`, expected pieces in the order"));
    for wrong in [
        "", "a b", "a!", "##", "##!", "é", "e\u{301}", "###", "好的", "Σ",
    ] {
        let error = Table::read(&bytes(&[wrong])).unwrap_err();
        assert!(
            matches!(error, TableError::Piece { number: 0, .. }),
            "{wrong}: {error}"
        );
    }
    let twice = Table::read(&bytes(&["a", "a"])).unwrap_err();
    assert!(
        matches!(twice, TableError::Order { number: 1, .. }),
        "{twice}"
    );
}

#[test]
fn encode_adds_the_rows_of_the_longest_pieces() {
    let table = small();
    let of = |text: &str| {
        let TextVector {
            numbers,
            known,
            unknown,
        } = table.encode(text);
        (numbers, known, unknown)
    };
    // The rows are "!": (1, 0), "film": (4, -6), "films": (5, -8), "go": (6, -10) and
    // "##ing": (2, -2).
    // Punctuation is added to words, but says nothing alone.
    assert_eq!(of("!"), (vec![0, 0], 0, 0));
    assert_eq!(of("! unheard !"), (vec![0, 0], 0, 1));
    assert_eq!((of("film!").1, of("film!").2), (1, 0));
    assert_ne!(of("film!").0, of("film").0);
    assert_eq!(table.pieces_of("Films"), Some(vec!["films"]));
    assert_eq!(table.pieces_of("going"), Some(vec!["go", "##ing"]));
    // (8, -12): the root of 65,536 * 208 is 3,692.1, and 8 * 32,767 * 256 / 3,693 is 18,171.4.
    assert_eq!(of("GOING"), (vec![18_171, -27_257], 1, 0));
    // A word with an unknown rest is unknown as a whole.
    assert_eq!(of("gone, go"), (of("go").0, 1, 1));
    assert_eq!(of("ing s"), (vec![0, 0], 0, 2));
    assert_eq!(of(" \n"), (vec![0, 0], 0, 0));
    assert_eq!(table.pieces_of("film films"), None);
    assert_eq!(table.pieces_of(""), None);
}

#[test]
fn read_named_takes_only_the_table_that_a_card_names() {
    let (table, bytes) = (small(), small().to_bytes());
    assert_eq!(Table::read_named(&bytes, table.id()).unwrap(), table);
    let mut damaged = bytes.clone();
    *damaged.last_mut().unwrap() ^= 1;
    for other in [&damaged[..], &bytes[1..], b""] {
        let error = Table::read_named(other, table.id()).unwrap_err();
        let text = error.to_string();
        let NamedTableError::Sha256 { found, .. } = error else {
            panic!("{error}");
        };
        assert_ne!(found, table.id());
        for id in [found, table.id()] {
            assert!(text.contains(&id.hexadecimal()), "{text}");
        }
    }
    let wider = TableId {
        dimensions: 3,
        ..table.id()
    };
    let error = Table::read_named(&bytes, wider).unwrap_err();
    assert!(
        matches!(error, NamedTableError::Dimensions { found: 2, .. }),
        "{error}"
    );
    // A card may name anything, also what is no table.
    let sha256 = sha2::Sha256::digest(b"no table").into();
    let error = Table::read_named(b"no table", TableId { sha256, ..wider }).unwrap_err();
    assert!(matches!(error, NamedTableError::Table(_)), "{error}");
}

#[test]
fn nearest_leaves_out_the_pieces_of_the_text() {
    let near = small().nearest("films!", 2);
    let pieces: Vec<&str> = near.iter().map(|near| near.piece.as_str()).collect();
    // The text's row is (6, -8), and that of "##s" (3, -4).
    assert_eq!(pieces, ["##s", "film"]);
    assert!((near[0].cosine - 1.0).abs() < 1e-9 && near[0].cosine > near[1].cosine);
    assert_eq!(small().nearest("unheard", 2), []);
    assert_eq!(small().nearest("!", 2), []);
}

#[test]
fn embedded_is_at_most_a_megabyte_and_has_its_notice() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/words-128.cotvec.gz");
    assert!(fs::metadata(file).unwrap().len() <= 1_000_000);
    let table = embedded();
    assert_eq!((table.dimensions(), table.pieces()), (128, 27_590));
    assert!(table.notice().contains("all-MiniLM-L6-v2") && table.notice().contains("Apache-2.0"));
    let notice = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/NOTICE.md");
    let notice = fs::read_to_string(notice).unwrap();
    assert!(
        notice.contains(&table.id().hexadecimal()),
        "{:?}",
        table.id()
    );
    let near: Vec<String> = table
        .nearest("terrible", 10)
        .into_iter()
        .map(|near| near.piece)
        .collect();
    assert!(near.iter().any(|piece| piece == "awful"), "{near:?}");
}

/// Texts with every sort of character that programs in other languages could read differently.
const TEXTS: [&str; 14] = [
    "",
    "a warm and funny film",
    "It's a 10/10, déjà-vu! x_1",
    "De\u{301}ja\u{300} VU",
    "İSTANBUL Straße ΟΔΟΣ",
    "unwatchable antidisestablishmentarianism",
    "好看的电影",
    "映画はよかった",
    "❤\u{fe0f}👍🏽 great",
    "ﬁne\u{a0}print\u{200b}here",
    "1,234.56 €",
    "\u{1f1}x NAÏVE café CAFE\u{301}",
    "... !? + €",
    "👍🏽 …",
];

#[test]
fn encode_agrees_with_the_vectors_for_other_languages() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/word-vectors.json");
    let of = |text: &str| {
        let vector = embedded().encode(text);
        json!({
            "text": text, "numbers": vector.numbers, "known": vector.known, "unknown": vector.unknown,
        })
    };
    let found = json!({
        "sha256": embedded().id().hexadecimal(),
        "texts": TEXTS.map(of),
    });
    if std::env::var_os("COTRAIN_WRITE_VECTORS").is_some() {
        fs::write(&path, serde_json::to_string_pretty(&found).unwrap() + "\n").unwrap();
    }
    let texts = |of: &Value| of["texts"].as_array().expect("texts").clone();
    let committed: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    // Printed in full, the numbers would hide what differs.
    for (found, committed) in texts(&found).iter().zip(texts(&committed)) {
        assert!(*found == committed, "{}", found["text"]);
    }
    assert!(
        found == committed,
        "set COTRAIN_WRITE_VECTORS to write the file anew"
    );
}

fn making(dimensions: usize, width: usize) -> Making {
    Making {
        dimensions,
        width,
        half: 0.0,
        notice: String::new(),
    }
}

fn source(lines: &str) -> Result<WordVectors, SourceError> {
    WordVectors::read(lines.as_bytes(), 1_000)
}

#[test]
fn word_vectors_are_read_from_both_forms_of_text() {
    let plain = source("the 1 2\nof 3.5 -4e-1\n").unwrap();
    assert_eq!(source("2 2\nthe 1 2\r\nof 3.5 -4e-1").unwrap(), plain);
    assert_eq!((plain.len(), plain.width(), plain.passed_over()), (2, 2, 0));
    let some = source("the 1 2\nThe 1 2\nthe 1 2\nof_it 1 2\n##s 1 2\n\n").unwrap();
    assert_eq!((some.len(), some.passed_over()), (2, 3));
    assert_eq!(
        WordVectors::read("a 1\nb 2\nc 3\n".as_bytes(), 2)
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn word_vectors_name_the_line_of_a_fault() {
    let error = |lines: &str| source(lines).unwrap_err().to_string();
    assert!(error("the 1 2\nof 1\n").contains("line 2 has 1 numbers, expected 2"));
    assert!(error("the 1 2\nof 1 x\n").contains("line 2 has `x`, expected a finite number"));
    assert!(error("the 1 inf\n").contains("line 1 has `inf`"));
    assert!(error("the 1 NaN\n").contains("line 1 has `NaN`"));
    assert!(error("the 1 2\nof\n").contains("line 2 has 0 numbers"));
    assert!(error("").contains("none of 0 lines"));
    assert!(error("The 1 2\n").contains("none of 1 lines"));
    assert!(error(&"1 ".repeat(5_000)).contains("line 1 has 4999 numbers, expected 1 to 4096"));
    assert!(error(&"x".repeat(1 << 21)).contains("line 1 has more than 1048576 bytes"));
    let binary = WordVectors::read(&b"the 1 2\n\xff 1 2\n"[..], 9).unwrap_err();
    assert!(
        matches!(binary, SourceError::NotUtf8 { line: 2 }),
        "{binary}"
    );
    assert!(matches!(
        WordVectors::read(&b""[..], 0),
        Err(SourceError::Pieces(0))
    ));
}

#[test]
fn make_keeps_the_directions_of_most_variance() {
    // All points lie on a line in three dimensions, so that one dimension keeps everything.
    let lines = "d -6 8 5\nb -3 4 5\na 0 0 5\nc 3 -4 5\ne 6 -8 5\n";
    let (table, kept) = Table::make(&source(lines).unwrap(), &making(1, 1)).unwrap();
    assert!((kept - 1.0).abs() < 1e-12, "{kept}");
    let signs = ["d", "b", "a", "c", "e"].map(|piece| table.encode(piece).numbers[0].signum());
    // The largest number of the direction, that of the second column, is positive.
    assert_eq!(signs, [1, 1, 0, -1, -1]);
    assert_eq!(Table::read(&table.to_bytes()).unwrap(), table);
    // "d" and "c" together are as far on one side as "b" is: 2 - 1 = 1.
    assert_eq!(table.encode("d c").numbers, table.encode("b").numbers);
}

#[test]
fn make_weights_frequent_pieces_less() {
    let lines = "a 8 0\nb -8 0\nc 0 8\nd 0 -8\n";
    let making = Making {
        half: 2.0,
        ..making(2, 2)
    };
    let (table, _) = Table::make(&source(lines).unwrap(), &making).unwrap();
    // The weights are 1/3 and 2/4: "b" outweighs "a", which is on the other side.
    assert_eq!(table.encode("a b").numbers, table.encode("b").numbers);
    assert_ne!(table.encode("a").numbers, table.encode("b").numbers);
}

#[test]
fn make_refuses_what_gives_no_table() {
    let vectors = source("a 1 2\nb 2 1\nc 0 1\n").unwrap();
    let error = |making: Making| Table::make(&vectors, &making).unwrap_err();
    for dimensions in [0, 3] {
        assert!(matches!(
            error(making(dimensions, 1)),
            MakeError::Dimensions { max: 2, .. }
        ));
    }
    for (dimensions, width) in [(2, 0), (1, 2), (2, 17)] {
        assert!(matches!(
            error(making(dimensions, width)),
            MakeError::Width { .. }
        ));
    }
    for half in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(
            error(Making {
                half,
                ..making(1, 1)
            }),
            MakeError::Half(_)
        ));
    }
    let notice = "x".repeat(20_000);
    assert_eq!(
        error(Making {
            notice,
            ..making(1, 1)
        }),
        MakeError::Notice(20_000)
    );
    let equal = source("a 1 2\nb 1 2\n").unwrap();
    assert_eq!(Table::make(&equal, &making(1, 1)), Err(MakeError::Equal));
}

#[test]
fn open_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.cotvec");
    assert!(matches!(Table::open(&path), Err(OpenError::Read { .. })));
    fs::write(&path, "text").unwrap();
    let error = Table::open(&path).unwrap_err().to_string();
    assert!(
        error.contains("a.cotvec: cannot read the table: it begins with 0x74657874"),
        "{error}"
    );
    fs::write(&path, bytes(&PIECES)).unwrap();
    assert_eq!(Table::open(&path).unwrap(), small());
}

fn texts(lines: &str, text: bool) -> Dataset {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("train");
    fs::write(&path, lines).unwrap();
    let source = Source::Table {
        format: TableFormat::Csv,
        train: path.clone(),
        test: Some(path),
        label: "class".to_owned(),
        text: text.then(|| "text".to_owned()),
        reading: Reading::default(),
        columns: Columns::default(),
    };
    load(&source, 0.5, 0).unwrap()
}

fn options(table: &Table) -> Options {
    Options {
        vectors: Some(table.clone()),
        ..Options::default()
    }
}

const REVIEWS: &str = "class,text\n0,go films\n1,going film!\n0,gone\n";

/// Returns an encoder with the small table, and the same one after writing and reading its card.
fn written() -> (Encoder, Encoder) {
    let dataset = texts(REVIEWS, true);
    let kind = suited_with(&dataset, &options(&small()));
    let encoder = encode_with(&dataset, kind, &options(&small()))
        .unwrap()
        .encoder;
    let card = serde_json::to_value(&encoder).unwrap();
    let id = small().id().hexadecimal();
    assert_eq!(
        card["features"],
        json!({ "vectors": { "sha256": id, "dimensions": 2 } })
    );
    assert_eq!(card["classifier"], "dense-nearest-centroid");
    let read = serde_json::from_value(card).unwrap();
    (encoder, read)
}

#[test]
fn encoder_without_its_table_refuses_until_it_has_the_right_one() {
    let (encoder, mut read) = written();
    let text = Example::Text("go on, film");
    assert_eq!(read.missing_table(), Some(small().id()));
    let refused = read.encode(text).unwrap_err();
    assert_eq!(refused, EncodeError::NoTable { id: small().id() });
    assert!(refused.to_string().contains("cotrain encoder add FILE"));
    assert_eq!(read.set_table(embedded()), Err(Some(small().id())));
    assert!(read.encode(text).is_err());
    read.set_table(&small()).unwrap();
    assert_eq!(read.missing_table(), None);
    let noted = read.encode_noting(text).unwrap();
    assert_eq!(noted, encoder.encode_noting(text).unwrap());
    assert_eq!(noted.known, 2, "go and film");
    assert_eq!(
        read.encode_noting(Example::Text("no idea")).unwrap().known,
        0
    );
    assert_eq!(read.name(1).as_deref(), Some("2"));
    assert_eq!(read.name(2), None);
}

#[test]
fn encoder_finds_the_embedded_table_by_itself() {
    let dataset = texts(REVIEWS, true);
    let kind = Kind::DensePerceptron;
    let encoded = encode_with(&dataset, kind, &options(embedded())).unwrap();
    let text = serde_json::to_string(&encoded.encoder).unwrap();
    let read: Encoder = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), text);
    assert_eq!(read.missing_table(), None);
    let example = Example::Text("a dull film");
    assert_eq!(read.encode(example), encoded.encoder.encode(example));
    let mut words = encode_with(&dataset, Kind::NaiveBayes, &Options::default())
        .unwrap()
        .encoder;
    assert_eq!(words.set_table(embedded()), Err(None));
}

#[test]
fn encoder_of_a_card_is_checked() {
    let (encoder, _) = written();
    let card = serde_json::to_value(&encoder).unwrap();
    let refused = |key: &str, value: Value| {
        let mut card = card.clone();
        *card.pointer_mut(key).unwrap() = value;
        serde_json::from_value::<Encoder>(card)
            .unwrap_err()
            .to_string()
    };
    let id = small().id().hexadecimal();
    for wrong in [id.to_uppercase(), format!("0x{id}"), id[1..].to_owned()] {
        let error = refused("/features/vectors/sha256", json!(wrong));
        assert!(error.contains("64 hexadecimal digits"), "{error}");
    }
    let error = refused("/features/vectors/dimensions", json!(2_000));
    assert!(
        error.contains("2000 dimensions, expected 1 to 1024"),
        "{error}"
    );
    let error = refused("/features/vectors/dimensions", json!(3));
    assert!(
        error.contains("the length of `mean` is 2, expected 3"),
        "{error}"
    );
    let sparse = json!({ "classifier": "naive-bayes", "features": card["features"] });
    let error = serde_json::from_value::<Encoder>(sparse)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("numbers of a table of word vectors"),
        "{error}"
    );
}

#[test]
fn encode_with_a_table_needs_texts_numbers_and_no_other_rule() {
    let reviews = texts(REVIEWS, true);
    let kind = Kind::DenseNearestCentroid;
    let refused = |dataset: &Dataset, kind, options: &Options| {
        encode_with(dataset, kind, options).unwrap_err().to_string()
    };
    let table = options(&small());
    let error = refused(&reviews, Kind::NaiveBayes, &table);
    assert!(
        error.contains("use the learner dense-nearest-centroid"),
        "{error}"
    );
    let error = refused(&texts("class,x\n0,1\n1,2\n", false), kind, &table);
    assert!(
        error.contains("has no texts for a table of word vectors"),
        "{error}"
    );
    let mut both = table.clone();
    both.features = Some(100);
    let error = refused(&reviews, kind, &both);
    assert!(error.contains("100, but the extractor makes 2"), "{error}");
    let mut rules = table;
    rules.text = TextOptions {
        word_pairs: true,
        ..TextOptions::default()
    };
    let error = refused(&reviews, kind, &rules);
    assert!(error.contains("leave out word pairs"), "{error}");
}

/// Returns the accuracy of a model of the film reviews that saw 200 of them.
fn young(vectors: Option<&Table>, seed: u64) -> f64 {
    let options = initial::Options {
        source: Source::MovieReviews,
        initial: Initial::Examples(200),
        seed,
        learner: None,
        reserved_classes: Vec::new(),
        encoding: Options {
            vectors: vectors.cloned(),
            ..Options::default()
        },
    };
    let trained = Prepared::read(&options).unwrap().train().unwrap();
    trained.quantization.accuracy_quantized
}

#[test]
fn embedded_teaches_a_young_model_more_than_words_do() {
    let gain = |seed| young(Some(embedded()), seed) - young(None, seed);
    let mean = [1, 2, 3].map(gain).iter().sum::<f64>() / 3.0;
    assert!(mean > 0.02, "{mean}");
}

proptest! {
    #[test]
    fn encode_takes_any_text(text in "\\PC{0,60}") {
        let vector = embedded().encode(&text);
        let square: i64 = vector.numbers.iter().map(|&number| i64::from(number).pow(2)).sum();
        prop_assert!(square <= 32_767 * 32_767);
        prop_assert_eq!(square == 0, vector.known == 0);
        let ascii = text.replace(|c: char| !c.is_ascii(), " ");
        prop_assert_eq!(embedded().encode(&ascii), embedded().encode(&ascii.to_uppercase()));
    }

    #[test]
    fn read_survives_changed_bytes(
        changes in proptest::collection::vec((0_usize..600, any::<u8>()), 1..8), cut in 0_usize..600,
    ) {
        let mut bytes = bytes(&PIECES);
        for (at, to) in changes {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = to;
            }
        }
        let length = if cut < 30 { bytes.len() } else { cut };
        bytes.truncate(length);
        if let Ok(table) = Table::read(&bytes) {
            prop_assert_eq!(table.to_bytes(), bytes);
        }
    }

    #[test]
    fn word_vectors_survive_any_text(text in "[a-z#0-9 .\\-e\n\u{e9}]{0,80}") {
        if let Ok(vectors) = source(&text) {
            prop_assert!(!vectors.is_empty() && vectors.width() > 0);
        }
    }
}

#[test]
fn encode_counts_texts_of_which_the_encoder_knows_nothing() {
    let chinese = ["好", "不好", "很好", "差", "太差", "很棒", "一般", "難看"];
    let rows = |texts: &[&str]| -> String {
        let rows = texts.iter().enumerate();
        let rows = rows.map(|(at, text)| format!("{},{text}\n", at % 2));
        std::iter::once("class,text\n".to_owned())
            .chain(rows)
            .collect()
    };
    let dataset = texts(&rows(&chinese), true);
    let kind = Kind::DenseNearestCentroid;
    let refused = encode_with(&dataset, kind, &options(embedded())).unwrap_err();
    let EncodeError::NothingKnown { texts: 8, .. } = refused else {
        panic!("{refused}");
    };
    assert!(
        refused
            .to_string()
            .starts_with("the encoder knows no word of the 8 texts")
    );
    // The words of the data itself are known.
    let words = encode_with(&dataset, Kind::NaiveBayes, &Options::default()).unwrap();
    assert!(words.unknown.is_empty());
    let mixed = [&["a good film"], &chinese[..3], &["a bad one"]].concat();
    let encoded = encode_with(&texts(&rows(&mixed), true), kind, &options(embedded())).unwrap();
    assert_eq!(
        (encoded.unknown.as_slice(), encoded.train.len()),
        ([1, 2, 3].as_slice(), 5)
    );
    assert_eq!(
        [0, 1, 2, 5].map(|samples| encoded.unknown_in(samples)),
        [0, 0, 1, 3]
    );
}
