//! Vectors for other implementations of the encoders: texts and rows with what comes of them.
//!
//! The test compares the files in `vectors` with what this crate makes of their inputs. With the
//! variable `COTRAIN_WRITE_VECTORS` it writes them.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use cotrain_learning::Encoder;
use cotrain_learning::data::{Example, Field};
use cotrain_learning::encode::{EncodeError, Noted, Sort, TextRules, Tokenizer, hash};
use cotrain_learning::input::{encode_fields, encode_row, encode_text};
use cotrain_learning::pictures::{Form, Grey};
use serde_json::{Value, json};

/// Longest list of tokens that is written in full.
const MAX_LISTED: usize = 100;

/// Texts, with the reason why each is there.
const TEXTS: &[(&str, &str)] = &[
    ("empty", ""),
    ("no word", " … — !? \t\n"),
    ("English", "It's a GOOD film, isn’t it? 10 of 10!"),
    ("quotation marks", "'quoted' ‘so’ rock 'n' roll"),
    ("digits", "3.14 1,000 1, 2 007 v2.0 ½ Ⅷ ²"),
    (
        "underscores and hyphens",
        "snake_case _x_ __ well-known e-mail",
    ),
    ("addresses", "me@example.com https://example.com/a?b=c #tag"),
    ("é composed", "café É"),
    ("é decomposed", "cafe\u{301} E\u{301}"),
    (
        "two marks in either order",
        "a\u{323}\u{302} a\u{302}\u{323}",
    ),
    ("dotted and dotless I", "İstanbul ISTANBUL ıI"),
    ("sharp s", "Straße STRASSE ẞ"),
    ("sigma, final and not", "ΟΔΟΣ ΣΟΦΟΣ ΟΔΟΣ. Σ ΑΣ'Σ ΑΣ\u{301}"),
    (
        "Kelvin and angstrom signs",
        "\u{212a}elvin \u{212b}ngstr\u{f6}m",
    ),
    ("ligatures and full width", "ﬁlm ＦＩＬＭ ﾌｨﾙﾑ"),
    (
        "soft hyphens and marks of direction",
        "co\u{ad}operate \u{200f}ab\u{200e}c \u{feff}x\u{2060}y",
    ),
    ("Cyrillic", "Очень хороший фильм. Ёлка Ёлка"),
    ("Arabic", "فيلم جيد جداً، ٣٤ مشاهد"),
    ("Persian with a joiner", "می\u{200c}خواهم"),
    ("Hebrew", "צה\"ל ג'ירפה סרט"),
    ("Hindi", "बहुत अच्छी फ़िल्म"),
    ("Chinese", "我爱这部电影。很好！123分"),
    ("Chinese with Latin", "iPhone手机2台，5G网络"),
    ("Chinese with a variation selector", "葛\u{e0100}城 𠮷野家"),
    (
        "Japanese",
        "この映画はとても面白いです。カラー映画ー！人々〆切",
    ),
    ("Japanese in half width", "ﾃﾞｰﾀ が か\u{3099}"),
    ("Korean", "이 영화는 정말 좋다"),
    ("Korean decomposed", "\u{1112}\u{1161}\u{11ab}"),
    ("Thai", "หนังเรื่องนี้ดีมาก ๒๕๖๗"),
    ("Thai with a zero-width space", "ภาษา\u{200b}ไทย"),
    ("Lao, Khmer and Myanmar", "ຮູບເງົາ ភាពយន្ត ရုပ်ရှင်"),
    ("emoji", "good 😀😀 👍🏽 ❤\u{fe0f} ❤ ™ 1\u{fe0f}\u{20e3}"),
    (
        "emoji with joiners",
        "👩\u{200d}🚀 👨\u{200d}👩\u{200d}👧x \u{200d}😀",
    ),
    (
        "flags",
        "🇩🇪🇫🇷 🇩 🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
    ),
    ("not assigned", "a\u{378}b \u{10ffff}"),
    (
        "line breaks",
        "one\r\ntwo\u{85}three\u{2028}four\u{a0}five\u{3000}six",
    ),
];

/// Cards of texts. Each encodes all texts.
const TEXT_CARDS: &[&str] = &[
    r#"{"classifier":"naive-bayes","features":{"words":["film","good","10","isn","it","фильм","映画はとても面白いです"]}}"#,
    r#"{"classifier":"sparse-perceptron","features":{"words":["it's","a","good","good film","电影","很好","很好 123","👍🏽","หนั"]},"tokenizer":"unicode","word-pairs":true}"#,
    r#"{"classifier":"naive-bayes","features":{"hashed":1000}}"#,
    r#"{"classifier":"naive-bayes","features":{"hashed":65536},"tokenizer":"unicode"}"#,
    r#"{"classifier":"sparse-nearest-centroid","features":{"hashed":4096},"tokenizer":"unicode","word-pairs":true}"#,
    r#"{"classifier":"dense-nearest-centroid","features":{"hashed":3},"tokenizer":"unicode","scaling":{"mean":[0.1,0.5,0.75],"deviation":[0.3,0.5,1.0]}}"#,
    r#"{"classifier":"dense-perceptron","features":{"hashed":2},"scaling":{"mean":[0.25,0.6],"deviation":[0.5,0.01]},"bounds":{"largest-number":8192,"largest-squared-length":"50331648"},"constant":4096}"#,
];

/// Cards of rows, with rows as numbers.
const TABLES: &[(&str, &[&[f64]])] = &[
    (
        r#"{"classifier":"naive-bayes","features":{"columns":["a","b","c"]},"reserved":1}"#,
        &[
            &[0.0, 1.0, 1.0],
            &[-0.0, 0.0, 0.0],
            &[1.0, 1.0],
            &[1.0],
            &[1.0, 0.5, 0.0],
            &[1.0, 0.0, 0.0, 0.0],
        ],
    ),
    (
        r#"{"classifier":"dense-perceptron","features":{"columns":["x","y"]},"scaling":{"mean":[1.5,0.0],"deviation":[0.5,3.0]},"bounds":{"largest-number":8192,"largest-squared-length":"100663296"},"constant":4096}"#,
        &[
            &[1.5, 0.0],
            &[2.0, 3.0],
            // Halves are rounded away from 0.
            &[1.500_061_035_156_25, -0.000_366_210_937_5],
            // Beyond the largest number, and within the largest length with it.
            &[9.0, 0.0],
            // Beyond both: the numbers are moved, then shortened.
            &[-9.0, 99.0],
            &[2.5, 5.0],
            &[1e100, -1e100],
            &[1.1e100, 0.0],
            &[5e-324, 0.1],
        ],
    ),
    (
        r#"{"classifier":"dense-nearest-centroid","features":{"columns":["x","y","z"]},"scaling":{"mean":[0.1,-2.0,100.0],"deviation":[0.3,7.0,1e-3]},"bounds":{"largest-number":2147483647,"largest-squared-length":"4611686014132420609"}}"#,
        &[
            &[0.1, -2.0, 100.0],
            &[0.2, 0.3, 100.1],
            &[-1e100, 1e100, 0.0],
            &[1e9, 1e9, 1e9],
            &[0.100_002_288_818_359_38, -2.0, 100.0],
        ],
    ),
];

/// Cards of indices, with lines as in libsvm files without the label.
const LINES: &[(&str, &[&str])] = &[
    (
        r#"{"classifier":"naive-bayes","features":{"indices":[5,2,9]}}"#,
        &[
            "2:1 9:1", "9:1 2:1", "1:1 3:7", "", "5:0 9:1", "2:0.5", "0:1", "2",
        ],
    ),
    (
        r#"{"classifier":"dense-nearest-centroid","features":{"indices-up-to":3},"scaling":{"mean":[0.0,1.0,0.5],"deviation":[1.0,2.0,0.1]}}"#,
        &["1:0.5 3:-2", "2:1e3", "", "4:1", "1:NaN", "3:1e101"],
    ),
];

/// Cards of tables with types, with rows as the API takes them.
const TYPED: &[(&str, &str)] = &[
    (
        r#"{"classifier":"naive-bayes","features":{"table":[{"name":"paid","type":"boolean","missing":{"mean":1.0}},{"name":"port","type":"categorical","values":["C","S","é","𠮷"],"missing":{"own":0.0}},{"name":"size","type":"categorical","values":["1","10000000000000000000000","2.5"],"other":true},{"name":"new","type":"numeric"}]},"reserved":1}"#,
        r#"[["yes","C","1"],[true,"S",1,0],["FALSE","Q","x",1],[null,null,"2.5",1],["?"," é ",2.5,"1"],[0,"𠮷",1e22,0.0],[1,"C",-0.0,"0"],["maybe","C","1"],["y","C",null],["y","C"],["t","NA","",0],["T","c",true,0],["n","S","1",0.5],["n","S","1","one"]]"#,
    ),
    (
        r#"{"classifier":"dense-nearest-centroid","features":{"table":[{"name":"age","type":"numeric","missing":{"median":28.5}},{"name":"fare","type":"numeric","missing":{"own":-1.0}},{"name":"sex","type":"categorical","values":["female","male"]}]},"scaling":{"mean":[29.7,32.2,0.1,0.35,0.65],"deviation":[14.5,49.7,0.3,0.48,0.48]},"bounds":{"largest-number":400000,"largest-squared-length":"200000000000"}}"#,
        r#"[[22,7.25,"male"],["38","71.2833","female"],["","","other"],[null,null,null],["+.5e1","1.","male"],[" 26 ","8.05\u0085","female"],["\ufeff26",8,"male"],["0x10",8,"male"],["1_000",8,"male"],["inf",8,"male"],["1,5",8,"male"],[1e300,8,"male"],[-1e99,1e99,"male"],[true,8,"male"],["-","NaN","None"]]"#,
    ),
    (
        r##"{"classifier":"naive-bayes","features":{"table":[{"name":"new","type":"categorical","values":["S","na"],"other":true,"missing":{"own":0.0},"markers":["#N/A","n/a"]},{"name":"old","type":"categorical","values":["S","n/a"],"missing":{"own":0.0}},{"name":"paid","type":"boolean","missing":{"mean":1.0}}]}}"##,
        r##"[["n/a","n/a","n/a"],["#N/A","#N/A","#N/A"],["#NA","-nan","<NA>"],["NA","NaN",null],["na","S","1.#IND"],["S","n/a","none"],[" n/a ","","-NaN"]]"##,
    ),
];

/// Returns a value of a row as the API reads it.
fn field(value: &Value) -> Field<'_> {
    match value {
        Value::Null => Field::Missing,
        Value::Bool(true) => Field::Text("true"),
        Value::Bool(false) => Field::Text("false"),
        Value::Number(number) => Field::Number(number.as_f64().expect("a float")),
        Value::String(text) => Field::Text(text.trim()),
        other => panic!("no value: {other}"),
    }
}

fn typed() -> Vec<Value> {
    let tables = TYPED.iter().map(|(text, rows)| {
        let encoder = encoder(text);
        let rows = card(rows);
        let rows = rows.as_array().expect("rows").iter().map(|row| {
            let fields: Vec<Field<'_>> = row.as_array().expect("a row").iter().map(field).collect();
            let mut value = match encode_fields(&encoder, &fields) {
                Ok(one) => json!({
                    "sample": hex(&one.sample),
                    "known": one.known,
                    "clipped": one.clipped,
                    "unseen": one.unseen,
                }),
                Err(error) => json!({"error": error.to_string()}),
            };
            value["row"] = row.clone();
            value
        });
        json!({"encoder": card(text), "rows": rows.collect::<Vec<_>>()})
    });
    tables.collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn encoder(card: &str) -> Encoder {
    serde_json::from_str(card).expect("a card")
}

fn card(card: &str) -> Value {
    serde_json::from_str(card).expect("JSON")
}

/// Returns 5,000 different words in a fixed order.
fn long() -> String {
    let words = (0..5_000_u32).map(|number| {
        let syllable = |of: u32| ["ba", "Ke", "li", "mo", "né", "ru", "şi"][(of % 7) as usize];
        let (first, second) = (syllable(number), syllable(number / 7));
        format!("{first}{second}{number}")
    });
    words.collect::<Vec<_>>().join(" ")
}

fn texts() -> Value {
    let long = long();
    let texts = TEXTS.iter().copied().chain([("5,000 words", &*long)]);
    let tokens = |text: &str, tokenizer, word_pairs| {
        let rules = TextRules {
            tokenizer,
            word_pairs,
        };
        let tokens = rules.tokens(text);
        if tokens.len() <= MAX_LISTED {
            return json!(tokens);
        }
        json!({"count": tokens.len(), "hash-of-lines": hash(&tokens.join("\n"))})
    };
    let read = texts.clone().map(|(about, text)| {
        json!({
            "about": about,
            "text": text,
            "simple": tokens(text, Tokenizer::Simple, false),
            "unicode": tokens(text, Tokenizer::Unicode, false),
            "unicode-with-pairs": tokens(text, Tokenizer::Unicode, true),
        })
    });
    let hashes = [
        "",
        "a",
        "foobar",
        "café",
        "电影",
        "good film",
        "👩\u{200d}🚀",
    ];
    let hashes = hashes.map(|token| json!({"token": token, "hash": hash(token)}));
    let encoders = TEXT_CARDS.iter().map(|text| {
        let encoder = encoder(text);
        let samples = texts.clone().map(|(_, text)| {
            let one = encode_text(&encoder, text).expect("a sample");
            json!({"sample": hex(&one.sample), "known": one.known, "clipped": one.clipped})
        });
        json!({"encoder": card(text), "encoded": samples.collect::<Vec<_>>()})
    });
    json!({
        "texts": read.collect::<Vec<_>>(),
        "hashes": hashes,
        "encoders": encoders.collect::<Vec<_>>(),
    })
}

fn noted(noted: Result<Noted, EncodeError>) -> Value {
    match noted {
        Ok(noted) => {
            json!({"sample": hex(&noted.sample), "known": noted.known, "clipped": noted.clamped})
        }
        Err(error) => json!({"error": error.to_string()}),
    }
}

fn rows() -> Value {
    let tables = TABLES.iter().map(|(text, rows)| {
        let encoder = encoder(text);
        assert_eq!(encoder.takes(), Sort::Numbers);
        let rows = rows.iter().map(|row| {
            let mut value = noted(encoder.encode_noting(Example::Numbers(row)));
            value["row"] = json!(row);
            value
        });
        json!({"encoder": card(text), "rows": rows.collect::<Vec<_>>()})
    });
    let lines = LINES.iter().map(|(text, lines)| {
        let encoder = encoder(text);
        assert_eq!(encoder.takes(), Sort::Indexed);
        let lines = lines.iter().map(|line| {
            let mut value = match encode_row(&encoder, line) {
                Ok(one) => json!({
                    "sample": hex(&one.sample),
                    "known": one.known,
                    "clipped": one.clipped,
                    "unseen": one.unseen,
                }),
                Err(error) => json!({"error": error.to_string()}),
            };
            value["line"] = json!(line);
            value
        });
        json!({"encoder": card(text), "lines": lines.collect::<Vec<_>>()})
    });
    json!({
        "tables": tables.collect::<Vec<_>>(),
        "libsvm": lines.collect::<Vec<_>>(),
        "typed": typed(),
    })
}

/// Compares a file with what the inputs give now, or writes it.
fn check(name: &str, vectors: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("vectors")
        .join(name);
    if env::var_os("COTRAIN_WRITE_VECTORS").is_some() {
        let pretty = serde_json::to_string_pretty(vectors).expect("JSON");
        fs::write(&path, pretty + "\n").expect("written");
    }
    let committed = fs::read_to_string(&path).expect("the vectors");
    let committed: Value = serde_json::from_str(&committed).expect("JSON");
    for (key, now) in vectors.as_object().expect("an object") {
        let (now, then) = (now.as_array(), committed[key].as_array());
        let (now, then) = (now.expect("a list"), then.expect("a list"));
        for (now, then) in now.iter().zip(then) {
            assert_eq!(now, then, "{name}, {key}: now and as committed");
        }
        assert_eq!(now.len(), then.len(), "{name}, {key}");
    }
}

#[test]
fn encoder_of_texts_keeps_its_vectors() {
    check("texts.json", &texts());
}

#[test]
fn encoder_of_rows_keeps_its_vectors() {
    check("rows.json", &rows());
}

/// Forms of pictures, as in cards.
const FORMS: &[&str] = &[
    r#"{"width":1,"height":1,"levels":256}"#,
    r#"{"width":3,"height":2,"levels":256}"#,
    r#"{"width":2,"height":3,"levels":17,"ink":true}"#,
    r#"{"width":5,"height":4,"levels":2}"#,
    r#"{"width":4,"height":4,"levels":3,"ink":true}"#,
];

/// Sizes of pictures. Their bytes come from a formula, so that every byte occurs.
const SIZES: &[(u32, u32)] = &[(1, 1), (3, 2), (4, 4), (7, 5), (2, 9)];

/// Cards of pictures. Each encodes all pictures.
const PICTURE_CARDS: &[&str] = &[
    r#"{"classifier":"naive-bayes","features":{"pictures":{"width":3,"height":3,"levels":2,"ink":true}}}"#,
    r#"{"classifier":"dense-nearest-centroid","features":{"pictures":{"width":2,"height":2,"levels":17,"ink":true}},"scaling":{"mean":[8.5,4.25,0.0,16.0],"deviation":[4.0,3.3,1.0,0.1]}}"#,
    r#"{"classifier":"dense-perceptron","features":{"pictures":{"width":2,"height":1,"levels":256}},"scaling":{"mean":[127.5,100.0],"deviation":[64.0,30.0]},"bounds":{"largest-number":8192,"largest-squared-length":"100663296"},"constant":4096}"#,
];

/// Returns the pixels of a picture in red, green, blue and opacity. Every second picture is opaque.
fn rgba(number: u32, (width, height): (u32, u32)) -> Vec<u8> {
    let byte = |at: u32| {
        let byte = (at * 167 + at / 4 * 29 + number * 71) % 256;
        let opaque = at % 4 == 3 && number.is_multiple_of(2);
        u8::try_from(if opaque { 255 } else { byte }).expect("a byte")
    };
    (0..width * height * 4).map(byte).collect()
}

fn pictures() -> Value {
    let all: Vec<_> = (0..)
        .zip(SIZES)
        .map(|(number, &(width, height))| {
            let rgba = rgba(number, (width, height));
            let grey = Grey::of_rgba(width, height, &rgba).expect("a picture");
            (rgba, grey)
        })
        .collect();
    let read = all.iter().map(|(rgba, grey)| {
        let levels = FORMS.iter().map(|text| {
            let form: Form = serde_json::from_str(text).expect("a form");
            json!({"form": card(text), "levels": form.apply(grey)})
        });
        let (width, height) = (grey.width(), grey.height());
        let same = Form::new(
            format!("{width}x{height}").parse().expect("a size"),
            None,
            false,
        );
        json!({
            "width": width,
            "height": height,
            "rgba": hex(rgba),
            "grey": same.expect("a form").apply(grey),
            "scaled": levels.collect::<Vec<_>>(),
        })
    });
    let encoders = PICTURE_CARDS.iter().map(|text| {
        let encoder = encoder(text);
        let form = encoder.pictures().expect("pictures");
        let samples = all
            .iter()
            .map(|(_, grey)| noted(encoder.encode_noting(Example::Numbers(&form.apply(grey)))));
        json!({"encoder": card(text), "encoded": samples.collect::<Vec<_>>()})
    });
    json!({
        "pictures": read.collect::<Vec<_>>(),
        "encoders": encoders.collect::<Vec<_>>(),
    })
}

#[test]
fn encoder_of_pictures_keeps_its_vectors() {
    check("pictures.json", &pictures());
}
