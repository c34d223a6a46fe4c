//! Measures how fast the embedded table of word vectors encodes texts, on one core.
//!
//! Prints `name<TAB>value<TAB>unit`.

use std::hint::black_box;
use std::time::Instant;

use cotrain_learning::data::{Example, Source, load};
use cotrain_learning::vectors::embedded;

const TURNS: usize = 5;

fn main() {
    let dataset = load(&Source::MovieReviews, 0.2, 1).expect("data");
    let texts: Vec<&str> = dataset
        .train
        .examples()
        .filter_map(|example| match example {
            Example::Text(text) => Some(text),
            _ => None,
        })
        .collect();
    // Words as people count them: punctuation is none, though the table reads it.
    let words: usize = texts
        .iter()
        .map(|text| text.split_whitespace().count())
        .sum();
    let table = embedded();
    let mut times: Vec<f64> = (0..TURNS)
        .map(|_| {
            let started = Instant::now();
            for text in &texts {
                black_box(table.encode(black_box(text)));
            }
            started.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    print("word_vectors_encode", speed(words, times[TURNS / 2]));
}

#[allow(clippy::cast_precision_loss)]
fn speed(words: usize, seconds: f64) -> f64 {
    words as f64 / seconds
}

// A benchmark's result goes to stdout.
#[allow(clippy::print_stdout)]
fn print(name: &str, speed: f64) {
    println!("{name}\t{speed:.0}\twords a second");
}
