//! Tests the bounds of the samples that dense models learn from.

use cotrain_protocol::{
    ContractError,
    classifier::{Bounds, Classifier, Parameters},
    sample::{Encoding, Item, encode_batch, encode_dense16, encode_dense32},
};
use proptest::{collection::vec, prelude::*};

use crate::support::cases;

fn bounds(max_number: u32, max_squared_length: u128) -> Bounds {
    Bounds {
        max_number,
        max_squared_length,
    }
}

fn perceptron(features: u32, bounds: Bounds) -> Parameters {
    Parameters::DensePerceptron {
        features,
        learning_rate: 1,
        intercept: 0,
        bounds,
    }
}

fn centroid(features: u32, bounds: Bounds) -> Parameters {
    Parameters::DenseNearestCentroid {
        classes: 2,
        features,
        bounds,
    }
}

#[test]
fn validate_refuses_bounds_that_nothing_could_reach() {
    for allowed in [
        perceptron(3, bounds(1, 1)),
        perceptron(3, bounds(7, 147)),
        perceptron(4_096, bounds(1 << 15, 1 << 42)),
        centroid(1, bounds(7, 49)),
        centroid(4_096, bounds(1 << 31, 1 << 74)),
    ] {
        assert_eq!(allowed.validate(), Ok(()), "{allowed:?}");
    }
    for (parameters, name, value) in [
        (perceptron(3, bounds(0, 0)), "maxNumber", 0),
        (perceptron(3, bounds(32_769, 1)), "maxNumber", 32_769),
        (perceptron(3, bounds(7, 0)), "maxSquaredLength", 0),
        (perceptron(3, bounds(7, 148)), "maxSquaredLength", 148),
        (
            centroid(1, bounds((1 << 31) + 1, 1)),
            "maxNumber",
            (1 << 31) + 1,
        ),
        (
            centroid(4_096, bounds(1 << 31, (1 << 74) + 1)),
            "maxSquaredLength",
            (1 << 74) + 1,
        ),
        (
            centroid(1, bounds(1, u128::MAX)),
            "maxSquaredLength",
            u128::MAX,
        ),
    ] {
        let error = ContractError::InvalidParameter { name, value };
        assert_eq!(parameters.validate(), Err(error), "{parameters:?}");
    }
}

#[test]
fn learn_refuses_what_is_out_of_bounds_and_predict_takes_it() {
    let mut model = Classifier::new(perceptron(2, bounds(4, 25))).expect("valid");
    let within = encode_dense16(&[3, -4]);
    let large = encode_dense16(&[-5, 0]);
    let long = encode_dense16(&[4, 4]);
    let item = |sample| Item { label: 1, sample };
    let too_large = ContractError::NumberTooLarge {
        item: 1,
        feature: 0,
        number: -5,
        max: 4,
    };
    let too_long = ContractError::SquaredLengthTooLarge {
        item: 1,
        squared_length: 32,
        max: 25,
    };
    for (sample, error) in [(&large, too_large), (&long, too_long)] {
        let items = [item(&within), item(sample)];
        assert_eq!(model.check(&items), Err(error.clone()));
        let batch = encode_batch(&items).expect("short");
        assert_eq!(model.check_batch(&batch), Err(error.clone()));
        assert_eq!(model.learn(&items), Err(error));
        assert_eq!(model.predict(sample), Ok(0));
        assert_eq!(model.predict_all(&[sample]), Ok(vec![0]));
        assert_eq!(model.evaluate(&[item(sample)]), Ok(0));
    }
    assert_eq!(model.version(), 0, "nothing was learned");
    assert_eq!(model.check(&[item(&within)]), Ok(()));
}

/// Checks that the smallest number counts by its absolute value, which is one above the largest
/// number.
#[test]
fn check_takes_the_smallest_number_for_its_size() {
    let narrow = encode_dense16(&[i16::MIN]);
    let wide = encode_dense32(&[i32::MIN]);
    let check = |encoding, number, sample: &[u8]| {
        bounds(number, u128::from(number).pow(2)).check(encoding, 7, sample)
    };
    assert_eq!(check(Encoding::Dense16, 1 << 15, &narrow), Ok(()));
    assert_eq!(check(Encoding::Dense32, 1 << 31, &wide), Ok(()));
    let error = |number, max| {
        Err(ContractError::NumberTooLarge {
            item: 7,
            feature: 0,
            number,
            max,
        })
    };
    assert_eq!(
        check(Encoding::Dense16, (1 << 15) - 1, &narrow),
        error(-32_768, (1 << 15) - 1)
    );
    assert_eq!(
        check(Encoding::Dense32, (1 << 31) - 1, &wide),
        error(i32::MIN, (1 << 31) - 1)
    );
}

proptest! {
    #![proptest_config(cases(1_000))]

    /// Checks that bounds around samples take each of them, and that 1 less of either bound refuses
    /// one.
    #[test]
    fn around_is_as_narrow_as_may_be(
        samples in vec(vec(prop_oneof![-3..4, any::<i32>()], 5), 1..6),
    ) {
        let encoded: Vec<Vec<u8>> = samples.iter().map(|numbers| encode_dense32(numbers)).collect();
        let all = || encoded.iter().map(Vec::as_slice);
        let encoding = Encoding::Dense32;
        let around = Bounds::around(encoding, all()).expect("numbers");
        prop_assert_eq!(centroid(5, around).validate(), Ok(()));
        for sample in all() {
            prop_assert_eq!(around.check(encoding, 0, sample), Ok(()));
        }
        let refuses = |bounds: Bounds| all().any(|sample| bounds.check(encoding, 0, sample).is_err());
        if samples.iter().flatten().any(|number| *number != 0) {
            prop_assert!(refuses(bounds(around.max_number - 1, around.max_squared_length)));
            prop_assert!(refuses(bounds(around.max_number, around.max_squared_length - 1)));
        }
    }
}
