//! Features of a model, and bounds of the samples that a dense one learns from, as text and in
//! JSON.

use std::fmt::Write as _;

use cotrain_learning::Encoder;
use cotrain_protocol::classifier::{Bounds, Parameters};
use cotrain_results::format::counted;
use serde::Serialize;

/// The bounds in JSON.
#[derive(Debug, Serialize)]
pub(crate) struct ShownBounds {
    max_number: u32,
    /// Decimal digits as text, because the value may exceed the numbers of JSON.
    max_squared_length: String,
}

impl From<Bounds> for ShownBounds {
    fn from(bounds: Bounds) -> Self {
        Self {
            max_number: bounds.max_number,
            max_squared_length: bounds.max_squared_length.to_string(),
        }
    }
}

/// Returns the number of features as text. The constant of a dense perceptron does not count.
pub(crate) fn describe_features(parameters: &Parameters, encoder: Option<&Encoder>) -> String {
    let all = u64::from(parameters.features());
    let mut text = match encoder.and_then(Encoder::constant) {
        Some(_) => format!(
            "{} and a learned intercept",
            counted(all.saturating_sub(1), "feature")
        ),
        None => counted(all, "feature"),
    };
    if let Some(summary) = encoder.and_then(Encoder::summary) {
        let _ = write!(text, " ({summary})");
    }
    if let Some(reserved @ 1..) = encoder.map(Encoder::reserved) {
        let _ = write!(text, ", {reserved} of them reserved");
    }
    text
}

/// Returns the bounds as text; `None` if the model's samples have no numbers. The unit is the
/// standard deviation if the encoder says how many of the contract's integers make one.
pub(crate) fn describe_bounds(
    parameters: &Parameters,
    encoder: Option<&Encoder>,
) -> Option<String> {
    let bounds = parameters.bounds()?;
    let Some(scale) = encoder.and_then(Encoder::scale) else {
        return Some(format!(
            "numbers of {} either way and rows of a squared length of {} at most",
            bounds.max_number, bounds.max_squared_length
        ));
    };
    // The constant is not a number of the user's row.
    let constant = encoder.and_then(Encoder::constant).unwrap_or(0);
    let square = u128::from(constant).pow(2);
    // The root is at most 2^37, and only its first digits are shown.
    #[allow(clippy::cast_precision_loss)]
    let length = (bounds.max_squared_length.saturating_sub(square) as f64).sqrt() / scale;
    let number = f64::from(bounds.max_number) / scale;
    Some(format!(
        "numbers of {number:.2} either way and rows of length {length:.2} at most, in standard deviations"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn describe_bounds_gives_standard_deviations_if_an_encoder_is_known() {
        let parameters = Parameters::DenseNearestCentroid {
            classes: 2,
            features: 2,
            bounds: Bounds {
                max_number: 98_304,
                max_squared_length: 17_179_869_184,
            },
        };
        assert_eq!(
            describe_bounds(&parameters, None).unwrap(),
            "numbers of 98304 either way and rows of a squared length of 17179869184 at most"
        );
        let encoder = r#"{"classifier":"dense-nearest-centroid","features":{"columns":["x","y"]},
            "scaling":{"mean":[0,0],"deviation":[1,1]}}"#;
        let encoder: Encoder = serde_json::from_str(encoder).unwrap();
        assert_eq!(
            describe_bounds(&parameters, Some(&encoder)).unwrap(),
            "numbers of 1.50 either way and rows of length 2.00 at most, in standard deviations"
        );
        let sparse = Parameters::SparseNearestCentroid {
            classes: 2,
            features: 2,
        };
        assert_eq!(describe_bounds(&sparse, None), None);
    }

    #[test]
    fn describe_features_leaves_out_the_constant_and_counts_reserved_ones() {
        let text = |encoder: &str, parameters| {
            let encoder: Encoder = serde_json::from_str(encoder).unwrap();
            describe_features(&parameters, Some(&encoder))
        };
        let bounds = Bounds {
            max_number: 8_192,
            max_squared_length: 4 * 4_096 * 4_096 + 4_096 * 4_096,
        };
        let dense = Parameters::DensePerceptron {
            features: 2,
            learning_rate: 1,
            intercept: 0,
            bounds,
        };
        let encoder = r#"{"classifier":"dense-perceptron","features":{"columns":["x"]},
            "scaling":{"mean":[0],"deviation":[1]},"constant":4096}"#;
        assert_eq!(text(encoder, dense), "1 feature and a learned intercept");
        // The constant does not count in the length of a row either.
        let encoder: Encoder = serde_json::from_str(encoder).unwrap();
        assert_eq!(
            describe_bounds(&dense, Some(&encoder)).unwrap(),
            "numbers of 2.00 either way and rows of length 2.00 at most, in standard deviations"
        );
        let sparse = Parameters::SparseNearestCentroid {
            classes: 2,
            features: 3_000,
        };
        assert_eq!(describe_features(&sparse, None), "3,000 features");
        let encoder = r#"{"classifier":"naive-bayes","features":{"hashed":3000},
            "tokenizer":"unicode","word-pairs":true}"#;
        let encoder: Encoder = serde_json::from_str(encoder).unwrap();
        assert_eq!(
            describe_features(&sparse, Some(&encoder)),
            "3,000 features (hashed words and word pairs by the tokenizer `unicode`)"
        );
        let encoder = r#"{"classifier":"sparse-nearest-centroid","features":{"indices-up-to":3000},"reserved":2}"#;
        assert_eq!(text(encoder, sparse), "3,000 features, 2 of them reserved");
    }
}
