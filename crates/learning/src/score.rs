//! Scores of predictions: how sure a model is, by its own rules.
//!
//! The contract compares integers and returns only the best class. A score is computed from the
//! same integers, off chain. Its meaning depends on the learner; [`Meaning::describe`] says it.

use alloy_primitives::U256;
use cotrain_protocol::ContractError;
use cotrain_protocol::classifier::{Classifier, Evidence, Fraction, Kind};

/// Meaning of a model's scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Share of the weighted evidence of a perceptron that speaks for the predicted class.
    ///
    /// With the positive parts `P` and the negative parts `N` of the weighted sum, intercept
    /// included, it is `max(P, N) / (P + N)`: 0.5 to 1.
    ShareOfVotes,
    /// Posterior probability of the predicted class by the assumptions of naive Bayes: one divided
    /// by the number of classes, to 1.
    Posterior,
    /// Nearness of a centroid, compared with the second one. With the distances `d1` and `d2` of the
    /// nearest and the second nearest centroid, it is `d2 / (d1 + d2)`: 0.5 to 1.
    RelativeDistance,
}

impl Meaning {
    /// Returns the meaning of the scores of a learner.
    #[must_use]
    pub fn of(kind: Kind) -> Self {
        match kind {
            Kind::SparsePerceptron | Kind::DensePerceptron => Self::ShareOfVotes,
            Kind::NaiveBayes => Self::Posterior,
            Kind::SparseNearestCentroid | Kind::DenseNearestCentroid => Self::RelativeDistance,
        }
    }

    /// Returns the name in JSON and in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ShareOfVotes => "share-of-votes",
            Self::Posterior => "posterior",
            Self::RelativeDistance => "relative-distance",
        }
    }

    /// Returns a sentence for people.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::ShareOfVotes => {
                "the share of the weighted evidence for the class; 0.5 is undecided"
            }
            Self::Posterior => {
                "the probability of the class as naive Bayes counts it, usually too sure of itself"
            }
            Self::RelativeDistance => {
                "the distance to the second nearest class, divided by the sum of the distances to \
                 both; 0.5 is undecided"
            }
        }
    }
}

/// Returns the predicted class of a sample and its score, from 0 to 1.
///
/// The class is what the contract predicts. The score is `None` if there is nothing to compare: no
/// evidence, or no class with samples. With samples of one class only, it is 1.
///
/// # Errors
/// Those of [`Classifier::predict`].
pub fn predict(
    classifier: &Classifier,
    sample: &[u8],
) -> Result<(u16, Option<f64>), ContractError> {
    let label = classifier.predict(sample)?;
    let score = match classifier.evidence(sample)? {
        Evidence::Votes { one, zero } => {
            let all = float(U256::from(one) + U256::from(zero));
            let best = if label == 1 { one } else { zero };
            (all > 0.0).then(|| float(U256::from(best)) / all)
        }
        Evidence::Scores(scores) => posterior(&scores, label),
        Evidence::SquaredDistances(squares) => relative_distance(&squares, label),
    };
    Ok((label, score))
}

/// Returns the share of the best class in the sum of all scores.
fn posterior(scores: &[Option<Fraction>], best: u16) -> Option<f64> {
    let best = (*scores.get(usize::from(best))?)?;
    let sum: f64 = scores.iter().flatten().map(|it| ratio(*it, best)).sum();
    Some(1.0 / sum)
}

/// Returns `d2 / (d1 + d2)` for the distances of the nearest and the second nearest centroid.
fn relative_distance(squares: &[Option<Fraction>], nearest: u16) -> Option<f64> {
    let nearest = usize::from(nearest);
    let d1 = value((*squares.get(nearest)?)?).sqrt();
    let others = squares.iter().enumerate();
    let others = others.filter(|(class, _)| *class != nearest);
    let second = others.filter_map(|(_, square)| *square).map(value);
    let Some(second) = second.min_by(f64::total_cmp) else {
        return Some(1.0);
    };
    let d2 = second.sqrt();
    // The sample is on both centroids.
    Some(if d1 + d2 > 0.0 { d2 / (d1 + d2) } else { 0.5 })
}

/// Returns the value of a fraction whose exponent is 0.
fn value(fraction: Fraction) -> f64 {
    float(fraction.numerator) / float(fraction.denominator)
}

/// Returns a fraction divided by another one, which is not 0. Below 2^-1022, it is 0.
fn ratio(of: Fraction, to: Fraction) -> f64 {
    let mantissa = (float(of.numerator) / float(of.denominator))
        / (float(to.numerator) / float(to.denominator));
    mantissa * power_of_two(of.exponent.saturating_sub(to.exponent))
}

/// Returns `2^exponent` exactly; 0 below the normal numbers, infinity above all.
fn power_of_two(exponent: i64) -> f64 {
    match u64::try_from(exponent.saturating_add(1_023)) {
        Ok(biased @ 1..=2_046) => f64::from_bits(biased << 52),
        Ok(0) | Err(_) => 0.0,
        Ok(_) => f64::INFINITY,
    }
}

/// Returns a number, cut to the highest 64 bits and rounded to a float.
// A float has 53 bits; the scores are for people and for ranking.
#[allow(clippy::cast_precision_loss)]
fn float(number: U256) -> f64 {
    let shift = number.bit_len().saturating_sub(64);
    let high: u64 = (number >> shift).to();
    // At most 192.
    high as f64 * power_of_two(i64::try_from(shift).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use cotrain_protocol::classifier::Parameters;
    use cotrain_protocol::sample::{Item, encode_dense16, encode_dense32, encode_sparse};
    use proptest::prelude::*;

    use super::*;

    fn taught(parameters: Parameters, items: &[(u16, Vec<u8>)]) -> Classifier {
        let mut classifier = Classifier::new(parameters).expect("a model");
        let items: Vec<Item<'_>> = items
            .iter()
            .map(|(label, sample)| Item {
                label: *label,
                sample,
            })
            .collect();
        classifier.learn(&items).expect("learned");
        classifier
    }

    fn bayes(classes: u16, features: u32, items: &[(u16, Vec<u8>)]) -> Classifier {
        let parameters = Parameters::NaiveBayes {
            classes,
            features,
            smoothing: 256,
        };
        taught(parameters, items)
    }

    fn near(score: Option<f64>, expected: f64) {
        let score = score.expect("a score");
        assert!((score - expected).abs() < 1e-12, "{score}, not {expected}");
    }

    #[test]
    fn predict_gives_the_posterior_of_naive_bayes() {
        let items = [
            (0, encode_sparse(&[0])),
            (0, encode_sparse(&[0, 1])),
            (1, encode_sparse(&[1])),
        ];
        let classifier = bayes(2, 2, &items);
        // Priors 2 and 1. Class 0 has counts 2 and 1 of 3, class 1 has 0 and 1 of 1; 1 is added to
        // each count and 2 to each sum.
        let (label, score) = predict(&classifier, &encode_sparse(&[0])).expect("predicted");
        let (of_0, of_1) = (2.0 * 3.0 / 5.0, 1.0 / 3.0);
        assert_eq!(label, 0);
        near(score, of_0 / (of_0 + of_1));
        // Without a known word, the prior is left.
        near(predict(&classifier, &[]).expect("predicted").1, 2.0 / 3.0);
        assert_eq!(
            predict(&bayes(2, 2, &[]), &encode_sparse(&[0])),
            Ok((0, None))
        );
        let one_class = bayes(3, 2, &items[..2]);
        near(
            predict(&one_class, &encode_sparse(&[1])).expect("one").1,
            1.0,
        );
    }

    #[test]
    fn predict_gives_the_posterior_of_a_thousand_words() {
        let all: Vec<u16> = (0..1_000).collect();
        let items = [(0, encode_sparse(&all)), (1, encode_sparse(&all[..999]))];
        let classifier = bayes(2, 1_000, &items);
        let (label, score) = predict(&classifier, &encode_sparse(&all)).expect("predicted");
        let ratio = (0..1_000).fold(1.0, |product, word| {
            let of_1 = if word == 999 { 1.0 } else { 2.0 };
            product * (of_1 / 1_999.0) / (2.0 / 2_000.0)
        });
        assert_eq!(label, 0);
        assert!((score.expect("a score") - 1.0 / (1.0 + ratio)).abs() < 1e-9);
    }

    #[test]
    fn predict_gives_the_relative_distance_of_centroids() {
        let parameters = Parameters::SparseNearestCentroid {
            classes: 2,
            features: 3,
        };
        let items = [(0, encode_sparse(&[0])), (1, encode_sparse(&[1, 2]))];
        let sparse = taught(parameters, &items);
        // The distances are 1 and the square root of 2.
        let (label, score) = predict(&sparse, &[]).expect("predicted");
        assert_eq!(label, 0);
        near(score, 2_f64.sqrt() / (1.0 + 2_f64.sqrt()));
        near(
            predict(&sparse, &encode_sparse(&[0])).expect("on it").1,
            1.0,
        );

        let widest = cotrain_protocol::classifier::Bounds::widest(
            cotrain_protocol::sample::Encoding::Dense32,
            2,
        );
        let parameters = Parameters::DenseNearestCentroid {
            classes: 3,
            features: 2,
            bounds: widest.expect("bounds of numbers"),
        };
        let items = [
            (0, encode_dense32(&[0, 0])),
            (1, encode_dense32(&[40, 0])),
            (1, encode_dense32(&[40, 0])),
        ];
        let dense = taught(parameters, &items);
        let (label, score) = predict(&dense, &encode_dense32(&[30, 0])).expect("predicted");
        assert_eq!(label, 1);
        near(score, 0.75);
        near(
            predict(&dense, &encode_dense32(&[20, 7]))
                .expect("between")
                .1,
            0.5,
        );
    }

    #[test]
    fn predict_gives_the_share_of_votes_of_perceptrons() {
        let parameters = Parameters::SparsePerceptron {
            features: 3,
            learning_rate: 2,
            intercept: 1,
        };
        // It predicts 1 without evidence, so it learns from class 0 only.
        let sparse = taught(parameters, &[(0, encode_sparse(&[0, 1]))]);
        let (label, score) = predict(&sparse, &encode_sparse(&[0, 1, 2])).expect("predicted");
        assert_eq!(label, 0);
        near(score, 4.0 / 5.0);
        near(predict(&sparse, &[]).expect("the intercept").1, 1.0);
        let parameters = Parameters::SparsePerceptron {
            features: 3,
            learning_rate: 2,
            intercept: 0,
        };
        assert_eq!(predict(&taught(parameters, &[]), &[]), Ok((0, None)));
    }

    #[test]
    fn predict_refuses_what_the_contract_refuses() {
        let classifier = bayes(2, 2, &[(0, encode_sparse(&[0]))]);
        assert_eq!(
            predict(&classifier, &encode_sparse(&[5])).map(|it| it.0),
            classifier.predict(&encode_sparse(&[5]))
        );
        classifier
            .predict(&encode_sparse(&[5]))
            .expect_err("no such feature");
    }

    proptest! {
        #[test]
        fn predict_agrees_with_the_contract(
            taught_items in prop::collection::vec((0..4_u16, prop::collection::btree_set(0..12_u16, 0..8)), 0..30),
            asked in prop::collection::btree_set(0..12_u16, 0..8),
            sparse in any::<bool>(),
        ) {
            let encoded = |features: &std::collections::BTreeSet<u16>| {
                encode_sparse(&features.iter().copied().collect::<Vec<_>>())
            };
            let parameters = if sparse {
                Parameters::SparseNearestCentroid { classes: 4, features: 12 }
            } else {
                Parameters::NaiveBayes { classes: 4, features: 12, smoothing: 256 }
            };
            let items: Vec<(u16, Vec<u8>)> =
                taught_items.iter().map(|(label, features)| (*label, encoded(features))).collect();
            let classifier = taught(parameters, &items);
            let (label, score) = predict(&classifier, &encoded(&asked)).expect("predicted");
            prop_assert_eq!(classifier.predict(&encoded(&asked)), Ok(label));
            prop_assert_eq!(score.is_none(), items.is_empty());
            if let Some(score) = score {
                // The predicted class is the best one, so none has a larger share.
                let least = if sparse { 0.5 } else { 0.25 };
                prop_assert!((least - 1e-9..=1.0).contains(&score), "{}", score);
            }
        }

        #[test]
        fn predict_of_a_dense_perceptron_is_above_a_half(
            weights in prop::collection::vec(any::<i16>(), 4),
            values in prop::collection::vec(any::<i16>(), 4),
            intercept in -1_000_000_i64..1_000_000,
        ) {
            let parameters = Parameters::DensePerceptron {
                features: 4,
                learning_rate: 1,
                intercept,
                bounds: cotrain_protocol::classifier::Bounds::widest(
                    cotrain_protocol::sample::Encoding::Dense16, 4).expect("bounds of numbers"),
            };
            let bytes: Vec<u8> = weights.iter().flat_map(|weight| weight.to_le_bytes()).collect();
            let words = [U256::from_le_slice(&bytes)];
            let classifier = Classifier::from_words(parameters, &words).expect("a model");
            let (label, score) = predict(&classifier, &encode_dense16(&values)).expect("predicted");
            let sum: i64 = weights.iter().zip(&values).map(|(a, b)| i64::from(*a) * i64::from(*b)).sum();
            prop_assert_eq!(label, u16::from(sum + intercept > 0));
            prop_assert!(score.is_none_or(|score| (0.5..=1.0).contains(&score)));
        }
    }
}
