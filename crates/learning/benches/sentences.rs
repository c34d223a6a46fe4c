//! Measures models of few film sentences: the numbers of a sentence encoder, in all or in fewer
//! dimensions, beside the embedded table of word vectors, and words as control.
//!
//! Takes two files: the sentences, one a line, and their vectors as CSV with a header, as
//! `cotrain-sentence encode` writes them (`scripts/sentence --measure`). Prints a table in Markdown.

use std::collections::HashMap;
use std::sync::Arc;
use std::{env, fs};

use cotrain_learning::data::{Dataset, Source, load};
use cotrain_learning::encode::{Options, encode_with, suited_with};
use cotrain_learning::sentences::{
    SentenceEncoder, SentenceFault, SentenceId, SentenceVector, Sentences,
};
use cotrain_learning::train;
use cotrain_learning::vectors::embedded;

/// Splits of the scenario `young-model`, whose runs have these seeds.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=20;
const TEST_SHARE: f64 = 0.2;

/// Numbers of labeled sentences.
const LABELED: [usize; 2] = [200, 848];

/// Numbers of dimensions that a model takes of the encoder.
const DIMENSIONS: [usize; 3] = [32, 64, 384];

/// Quantile of Student's t for a 95 % interval of 20 values.
const QUANTILE: f64 = 2.093;

/// Vectors that were written before.
#[derive(Debug)]
struct Written(HashMap<String, Vec<f32>>);

impl SentenceEncoder for Written {
    fn encode(&self, text: &str) -> Result<SentenceVector, SentenceFault> {
        // Lines of the file of the sentences end with a line feed alone.
        let numbers = self.0.get(text.trim_end_matches('\r')).cloned();
        let missing = || SentenceFault(format!("there is no vector of `{text}`"));
        Ok(SentenceVector {
            numbers: numbers.ok_or_else(missing)?,
            pieces: 1,
        })
    }
}

impl Written {
    fn read(texts: &str, vectors: &str) -> Self {
        let [texts, vectors] = [texts, vectors].map(|it| fs::read_to_string(it).expect("a file"));
        let numbers = |line: &str| {
            line.split(',')
                .map(|it| it.parse().expect("a number"))
                .collect()
        };
        let vectors = vectors.lines().skip(1).map(numbers);
        Self(texts.lines().map(ToOwned::to_owned).zip(vectors).collect())
    }
}

fn main() {
    let files: Vec<String> = env::args().skip(1).filter(|it| it != "--bench").collect();
    let [texts, vectors] = files.as_slice() else {
        panic!("expected the file of the sentences and that of their vectors");
    };
    let written = Arc::new(Written::read(texts, vectors));
    let id = SentenceId::new("written", &"00".repeat(32), 384).expect("an identity");
    let of = |dimensions| {
        let sentences = Sentences::new(id.clone(), dimensions, Arc::<Written>::clone(&written));
        Options {
            sentences: Some(sentences.expect("at most the width")),
            ..Options::default()
        }
    };
    let table = Options {
        vectors: Some(embedded().clone()),
        ..Options::default()
    };
    let mut rows = vec![
        ("words".to_owned(), Options::default()),
        ("table of word vectors, 128".to_owned(), table),
    ];
    for dimensions in DIMENSIONS {
        rows.push((format!("sentence encoder, {dimensions}"), of(dimensions)));
    }
    let datasets: Vec<(u64, Dataset)> = SEEDS
        .map(|seed| {
            (
                seed,
                load(&Source::MovieReviews, TEST_SHARE, seed).expect("data"),
            )
        })
        .collect();
    let mut control: Vec<[f64; 2]> = Vec::new();
    let head = LABELED.map(|labeled| format!(" {labeled} labeled, mean | gain in points (95 %) |"));
    print(&format!("| features |{}", head.concat()));
    print(&format!("| --- |{}", " --- | --- |".repeat(LABELED.len())));
    for (name, options) in rows {
        let measured = datasets
            .iter()
            .map(|(seed, dataset)| measure(dataset, *seed, &options));
        let measured: Vec<[f64; 2]> = measured.collect();
        let is_control = control.is_empty();
        if is_control {
            control.clone_from(&measured);
        }
        let cell = |at: usize| {
            let all: Vec<f64> = measured.iter().map(|it| it[at]).collect();
            let pairs = measured.iter().zip(&control);
            let gains: Vec<f64> = pairs.map(|(it, of)| 100.0 * (it[at] - of[at])).collect();
            let (gain, half) = interval(&gains);
            let (mean, _) = interval(&all);
            if is_control {
                return format!(" {mean:.3} | |");
            }
            let (low, high) = (gain - half, gain + half);
            format!(" {mean:.3} | {gain:+.1} ({low:+.1} to {high:+.1}) |")
        };
        print(&format!("| {name} |{}{}", cell(0), cell(1)));
    }
}

/// Returns the accuracies of the contract's models that learned from the first sentences.
fn measure(dataset: &Dataset, seed: u64, options: &Options) -> [f64; 2] {
    let kind = suited_with(dataset, options);
    let encoded = encode_with(dataset, kind, options).expect("samples");
    LABELED.map(|labeled| {
        let samples = encoded.train.take(0..labeled);
        let settings = train::Options {
            seed,
            ..train::Options::default()
        };
        let trained = train::train(kind, &samples, &settings, &encoded.test).expect("a model");
        trained.confusion.accuracy().expect("test samples")
    })
}

/// Returns the mean, and half the width of its 95 % interval.
// There are twenty values.
#[allow(clippy::cast_precision_loss)]
fn interval(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, QUANTILE * (squares / (count - 1.0) / count).sqrt())
}

// A benchmark's result goes to stdout.
#[allow(clippy::print_stdout)]
fn print(line: &str) {
    println!("{line}");
}
