//! The encoder against known vectors. `scripts/sentence` runs it, with the encoder in a folder.

use cotrain_sentence::{PROTOCOL, SentenceEncoder, serve};
use serde_json::{Value, json};

/// Begin of the vector of "This is an example sentence", as the model's page shows it.
const KNOWN: [f32; 8] = [
    0.067_657, 0.063_496, 0.048_713, 0.079_305, 0.037_448, 0.002_653, 0.039_375, -0.007_098,
];

fn encoder() -> SentenceEncoder {
    let folder = std::env::var_os("SENTENCE_ENCODER").expect("set SENTENCE_ENCODER to a folder");
    SentenceEncoder::open(folder.as_ref()).expect("an encoder")
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[test]
fn encode_returns_the_known_vector() {
    let vector = encoder().encode("This is an example sentence").unwrap();
    assert_eq!(vector.pieces, 5);
    let found = vector.numbers;
    assert_eq!(found.len(), 384);
    for (found, known) in found.iter().zip(KNOWN) {
        assert!((found - known).abs() < 1e-4, "{found} is not {known}");
    }
    assert!((cosine(&found, &found) - 1.0).abs() < 1e-5);
}

#[test]
fn encode_puts_similar_sentences_near() {
    let encoder = encoder();
    let of = |text: &str| encoder.encode(text).unwrap().numbers;
    let film = of("A touching film with a great cast.");
    let similar = cosine(&film, &of("The actors are wonderful and the movie moved me."));
    let other = cosine(&film, &of("Add the flour and stir until the dough is smooth."));
    assert!(similar > other + 0.2, "{similar} and {other}");
}

#[test]
fn encode_knows_no_piece_of_an_empty_text() {
    let encoder = encoder();
    for text in ["", "  ", "\u{1f995}"] {
        let vector = encoder.encode(text).unwrap();
        assert_eq!((vector.pieces, vector.numbers.len()), (0, 384), "{text}");
    }
}

#[test]
fn serve_names_the_encoder_and_answers_each_line() {
    let encoder = encoder();
    let lines = "{\"id\":5,\"text\":\"a dull film\"}\nno JSON\n{\"id\":6,\"text\":\"two\\nlines\"}\n{\"id\":7,\"txt\":1}\n";
    let mut out = Vec::new();
    serve(&encoder, lines.as_bytes(), &mut out).unwrap();
    let out = String::from_utf8(out).unwrap();
    let out: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        out[0],
        json!({
            "protocol": PROTOCOL,
            "name": "all-MiniLM-L6-v2",
            "sha256": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            "width": 384,
        })
    );
    let expected = encoder.encode("a dull film").unwrap();
    let numbers: Vec<f32> = serde_json::from_value(out[1]["numbers"].clone()).unwrap();
    assert_eq!((numbers, &out[1]["pieces"]), (expected.numbers, &json!(3)));
    assert_eq!((&out[3]["id"], &out[3]["pieces"]), (&json!(6), &json!(2)));
    assert_eq!((&out[1]["id"], &out[2]["id"], &out[4]["id"]), (&json!(5), &Value::Null, &json!(7)));
    for at in [2, 4] {
        assert!(out[at]["error"].as_str().unwrap().contains("\"text\": …"), "{}", out[at]);
    }
    assert_eq!(out.len(), 5);
}

#[test]
fn encode_cuts_long_texts() {
    let encoder = encoder();
    let long = encoder.encode(&"word ".repeat(5_000)).unwrap();
    assert_eq!(long, encoder.encode(&"word ".repeat(6_000)).unwrap());
}

#[test]
fn piece_vectors_need_one_place_in_the_template() {
    let encoder = encoder();
    for template in ["none", "{} and {}"] {
        assert!(encoder.piece_vectors(&[1_996], template, |_| ()).is_err(), "{template}");
    }
    let (mut seen, pieces) = (0, [1_996, 1_997]);
    let vectors = encoder.piece_vectors(&pieces, "this is {}.", |done| seen = done).unwrap();
    assert_eq!((vectors.len(), vectors[0].len(), seen), (2, 384, 2));
    assert_ne!(vectors[0], vectors[1]);
}

#[test]
fn piece_names_all_but_special_ones() {
    let encoder = encoder();
    assert_eq!(encoder.pieces(), 30_522);
    assert_eq!(encoder.piece(101), None, "[CLS]");
    assert_eq!(encoder.piece(1_996).as_deref(), Some("the"));
}
