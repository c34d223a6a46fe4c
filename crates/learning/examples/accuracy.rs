//! Prints the accuracy of each learner and the duration of each step. The data is the embedded
//! reviews, or libsvm files given as `TRAIN TEST`.
#![allow(clippy::print_stdout, reason = "an example's result")]

use std::error::Error;
use std::time::Instant;

use cotrain_learning::accuracy;
use cotrain_learning::data::{Source, load};
use cotrain_learning::encode::encode;
use cotrain_learning::train::{Options, train};
use cotrain_protocol::classifier::Kind;

fn main() -> Result<(), Box<dyn Error>> {
    let files: Vec<_> = std::env::args_os().skip(1).collect();
    let (source, features, sizes) = if let [train, test] = files.as_slice() {
        let source = Source::Libsvm {
            train: train.into(),
            test: Some(test.into()),
        };
        (source, vec![None], vec![2_000, 25_000])
    } else {
        let features = vec![Some(1_000), Some(2_000), Some(4_000)];
        (Source::MovieReviews, features, vec![usize::MAX])
    };
    let start = Instant::now();
    let dataset = load(&source, 0.2, 0)?;
    println!(
        "load: {} + {} examples in {:.0?}",
        dataset.train.labels().len(),
        dataset.test.labels().len(),
        start.elapsed()
    );
    for features in features {
        for kind in [
            Kind::SparsePerceptron,
            Kind::NaiveBayes,
            Kind::SparseNearestCentroid,
        ] {
            let start = Instant::now();
            let encoded = encode(&dataset, kind, features)?;
            let encoding = start.elapsed();
            for &size in &sizes {
                let samples = encoded.train.take(0..size.min(encoded.train.len()));
                let start = Instant::now();
                let trained = train(kind, &samples, &Options::default(), &encoded.test)?;
                let training = start.elapsed();
                let start = Instant::now();
                let reached = accuracy(&trained.classifier, &encoded.test);
                println!(
                    "{kind}, features {features:?}, {} samples: {reached:.4} (floats {:.4}) after {} epochs; \
                     rounded by at most {:.0e} where a unit is {:.0e}; encode {encoding:.0?}, train and report {training:.0?}, evaluate {:.1?}",
                    samples.len(),
                    trained.quantization.accuracy_float,
                    trained.epochs,
                    trained.quantization.max_abs_error,
                    1.0 / trained.quantization.scale,
                    start.elapsed()
                );
            }
        }
    }
    Ok(())
}
