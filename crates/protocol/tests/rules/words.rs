//! Tests a model's words and versions, who may change it, and errors that change nothing.

use alloy_primitives::{Address, U256};
use cotrain_protocol::{
    ContractError,
    classifier::{Bounds, Classifier, Hosted, Parameters},
    sample::{Encoding, Item, encode_batch},
};
use proptest::{collection::vec, prelude::*};

use crate::support::{address, cases, classifier, sample_for, word};

#[test]
fn write_rejects_words_beyond_the_model() {
    let parameters = Parameters::NaiveBayes {
        classes: 2,
        features: 17,
        smoothing: 1,
    };
    let mut model = Classifier::new(parameters).expect("valid");
    let words = vec![U256::MAX; 7];
    let rejected = |offset, count| {
        Err(ContractError::WordsOutOfRange {
            offset,
            count,
            size: 6,
        })
    };
    assert_eq!(model.write(0, &words), rejected(0, 7));
    assert_eq!(model.write(5, &words[..2]), rejected(5, 2));
    assert_eq!(model.write(7, &[]), rejected(7, 0));
    assert_eq!(model.write(u64::MAX, &words[..1]), rejected(u64::MAX, 1));
    assert_eq!(model.version(), 0);
    assert_eq!(model.write(6, &[]), Ok(()));
    assert_eq!(model.write(5, &words[..1]), Ok(()));
    assert_eq!(model.words()[4..], [U256::ZERO, U256::MAX]);
    for length in [0_usize, 5, 7] {
        let error = Classifier::from_words(parameters, &words[..length]).err();
        assert_eq!(error, rejected(0, length as u64).err());
    }
}

#[test]
fn hosted_takes_writes_until_closing_and_only_the_trainers_lessons_after() {
    let [owner, trainer, other] = [1, 2, 3].map(address);
    let parameters = Parameters::SparsePerceptron {
        features: 20,
        learning_rate: 1,
        intercept: 0,
    };
    let mut hosted = Hosted::new(owner, Classifier::new(parameters).expect("valid"));
    let batch = encode_batch(&[Item {
        label: 1,
        sample: &[0, 3],
    }])
    .expect("short");
    let not_owner = Err(ContractError::NotOwner {
        caller: other,
        owner,
    });

    assert_eq!(
        hosted.learn(trainer, &batch),
        Err(ContractError::InitializationOpen)
    );
    assert_eq!(
        hosted.learn(trainer, &[]),
        Err(ContractError::InitializationOpen)
    );
    assert_eq!(hosted.write(other, 9, &[U256::MAX]), not_owner);
    assert_eq!(hosted.close(other, Address::ZERO), not_owner);
    let out_of_range = ContractError::WordsOutOfRange {
        offset: 2,
        count: 1,
        size: 2,
    };
    assert_eq!(hosted.write(owner, 2, &[U256::MAX]), Err(out_of_range));
    assert_eq!(
        hosted.close(owner, Address::ZERO),
        Err(ContractError::InvalidTrainer)
    );
    assert_eq!(hosted.write(owner, 1, &[U256::MAX]), Ok(()));
    assert_eq!(hosted.write(owner, 1, &[U256::from(5)]), Ok(()));
    assert_eq!(hosted.trainer(), None);

    assert_eq!(hosted.close(owner, trainer), Ok(()));
    assert_eq!(hosted.trainer(), Some(trainer));
    assert_eq!(
        hosted.close(owner, Address::ZERO),
        Err(ContractError::InitializationClosed)
    );
    assert_eq!(
        hosted.write(owner, 9, &[]),
        Err(ContractError::InitializationClosed)
    );
    assert_eq!(hosted.write(other, 9, &[]), not_owner);
    assert_eq!(
        hosted.learn(owner, &[]),
        Err(ContractError::NotTrainer {
            caller: owner,
            trainer
        })
    );
    assert_eq!(hosted.learn(trainer, &[]), Err(ContractError::EmptyBatch));
    assert_eq!(hosted.learn(trainer, &batch), Ok(1));
    assert_eq!(
        hosted.classifier().words(),
        [U256::from(1_u64 << 48), U256::from(5)]
    );
}

#[test]
fn check_batch_checks_items_before_the_malformed_end_behind_them() {
    let parameters = Parameters::SparsePerceptron {
        features: 20,
        learning_rate: 1,
        intercept: 0,
    };
    let model = Classifier::new(parameters).expect("valid");
    let out_of_range = ContractError::LabelOutOfRange {
        item: 1,
        label: 2,
        classes: 2,
    };
    // A good item, one with a label out of range and a bad sample, and half an item.
    let batch = [0, 1, 0, 0, 0, 2, 0, 1, 9, 0];
    assert_eq!(model.check_batch(&batch), Err(out_of_range));
    assert_eq!(
        model.check_batch(&batch[..7]),
        Err(ContractError::MalformedBatch { offset: 4 })
    );
    let odd = ContractError::OddSampleLength { item: 1, length: 1 };
    assert_eq!(model.check_batch(&[0, 1, 0, 0, 0, 1, 0, 1, 9, 0]), Err(odd));
}

#[test]
fn predict_all_names_the_first_sample_that_is_wrong() {
    let parameters = Parameters::DensePerceptron {
        features: 1,
        learning_rate: 1,
        intercept: 1,
        bounds: Bounds::widest(Encoding::Dense16, 1).expect("numbers"),
    };
    let model = Classifier::new(parameters).expect("valid");
    let wrong = |item, length| ContractError::WrongSampleLength {
        item,
        length,
        expected: 2,
    };
    assert_eq!(model.predict(&[1]), Err(wrong(0, 1)));
    assert_eq!(
        model.predict_all(&[&[0, 1], &[1, 2, 3], &[1]]),
        Err(wrong(1, 3))
    );
    assert_eq!(model.predict_all(&[&[0, 1], &[1, 2]]), Ok(vec![1, 1]));
    assert_eq!(model.predict_all(&[]), Ok(vec![]));
    let item = |label, sample| Item { label, sample };
    assert_eq!(
        model.evaluate(&[item(1, &[0, 1]), item(0, &[0, 1]), item(1, &[1, 1])]),
        Ok(2)
    );
    let out_of_range = ContractError::LabelOutOfRange {
        item: 1,
        label: 2,
        classes: 2,
    };
    assert_eq!(
        model.evaluate(&[item(1, &[0, 1]), item(2, &[0])]),
        Err(out_of_range)
    );
}

/// Draws a model and labeled samples that it accepts.
fn model_and_items() -> impl Strategy<Value = (Classifier, Vec<(u16, Vec<u8>)>)> {
    classifier().prop_flat_map(|model| {
        let item = (0..model.classes(), sample_for(*model.parameters()));
        (Just(model), vec(item, 1..6))
    })
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn write_keeps_every_bit_of_every_word(
        (model, words) in classifier().prop_flat_map(|model| {
            let size = model.parameters().word_count();
            (Just(model), vec(word(), size))
        }),
        offset: proptest::sample::Index,
    ) {
        let mut model = model;
        let before = model.words();
        let offset = offset.index(words.len());
        model.write(offset as u64, &words[offset..]).expect("in range");
        prop_assert_eq!(&model.words()[..offset], &before[..offset]);
        prop_assert_eq!(&model.words()[offset..], &words[offset..]);
        prop_assert_eq!(model.version(), 1);
        let copy = Classifier::from_words(*model.parameters(), &model.words()).expect("its own");
        prop_assert_eq!(copy.words(), model.words());
    }

    #[test]
    fn learn_teaches_items_together_as_one_by_one((model, items) in model_and_items()) {
        let items: Vec<_> = items.iter().map(|(label, sample)| Item { label: *label, sample }).collect();
        let (mut together, mut single) = (model.clone(), model.clone());
        let mut changed = 0;
        for item in &items {
            let (words, version) = (single.words(), single.version());
            let lessons = single.learn(&[*item]).expect("valid");
            prop_assert_eq!(lessons == 1, words != single.words());
            prop_assert_eq!(single.version() > version, words != single.words());
            changed += lessons;
        }
        prop_assert_eq!(together.learn(&items), Ok(changed));
        prop_assert_eq!(together.words(), single.words());
        prop_assert_eq!(together.version() > 0, changed > 0);

        let samples: Vec<_> = items.iter().map(|item| item.sample).collect();
        let labels = together.predict_all(&samples).expect("valid");
        let right = labels.iter().zip(&items).filter(|(label, item)| **label == item.label).count();
        prop_assert_eq!(together.evaluate(&items), Ok(right));
        for (label, sample) in labels.into_iter().zip(samples) {
            prop_assert!(label < together.classes());
            prop_assert_eq!(together.predict(sample), Ok(label));
        }
    }

    #[test]
    fn learn_changes_nothing_if_it_fails(
        (model, items) in model_and_items(),
        bad in (any::<u16>(), vec(any::<u8>(), 0..20)),
        index: proptest::sample::Index,
    ) {
        let mut items: Vec<_> = items.iter().map(|(label, sample)| Item { label: *label, sample }).collect();
        let bad = Item { label: bad.0, sample: &bad.1 };
        let index = index.index(items.len() + 1);
        items.insert(index, bad);
        let mut taught = model.clone();
        let label_error = (bad.label >= model.classes()).then(|| ContractError::LabelOutOfRange {
            item: index as u64,
            label: bad.label,
            classes: model.classes(),
        });
        let expected = label_error.map_or_else(
            || model.encoding().check(index as u64, bad.sample, model.features()),
            Err,
        );
        prop_assert_eq!(model.check(&items), expected.clone());
        prop_assert_eq!(taught.learn(&items).map(|_| ()), expected.clone());
        if expected.is_err() {
            prop_assert_eq!(taught, model);
        }
    }

    #[test]
    fn classifier_answers_any_bytes(model in classifier(), bytes in vec(any::<u8>(), 0..200)) {
        let mut model = model;
        let checked = model.encoding().check(0, &bytes, model.features());
        prop_assert_eq!(model.predict(&bytes).map(|_| ()), checked);
        let items = model.check_batch(&bytes).map(|items| items.len());
        let mut hosted = Hosted::new(address(1), model.clone());
        hosted.close(address(1), address(2)).expect("its owner");
        prop_assert_eq!(hosted.learn(address(2), &bytes).is_ok(), items.is_ok());
        let _ = model.learn(&[Item { label: 0, sample: &bytes }]);
    }
}
