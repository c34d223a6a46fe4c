//! Tests of the name of a log, by an independent statement of the encoding.

use std::collections::BTreeSet;

use alloy_primitives::{Address, U256, keccak256};
use cotrain_log::{Admission, Terms};
use cotrain_protocol::classifier::Classifier;

use crate::support::{TIME, learners};

#[test]
fn name_is_the_hash_of_all_terms() {
    let parameters = learners()[2];
    let mut words = vec![U256::ZERO; parameters.word_count()];
    words[1] = U256::from(5);
    let model = Classifier::from_words(parameters, &words).expect("a model");
    let authors = [Address::with_last_byte(9), Address::with_last_byte(4)];
    let terms = Terms::new(model, TIME, Admission::authors(authors)).expect("terms");

    let words: Vec<u8> = words.iter().flat_map(U256::to_be_bytes::<32>).collect();
    let number = |value: u64| U256::from(value).to_be_bytes::<32>();
    let text = [
        &b"cotrain.log.1\x02"[..],
        &number(3),
        &number(20),
        &number(256),
        keccak256(words).as_slice(),
        &TIME.to_be_bytes(),
        &[0],
        authors[1].as_slice(),
        authors[0].as_slice(),
    ]
    .concat();
    assert_eq!(terms.name(), Address::from_word(keccak256(text)));
    assert_eq!(terms.domain().chain_id, Some(U256::ZERO));
    assert_eq!(terms.domain().verifying_contract, Some(terms.name()));
}

#[test]
fn name_changes_with_each_term() {
    let ann = Address::with_last_byte(1);
    let found = |parameters, time, admission| {
        let model = Classifier::new(parameters).expect("parameters");
        Terms::new(model, time, admission).expect("terms").name()
    };
    let mut names = BTreeSet::new();
    for parameters in learners() {
        names.insert(found(parameters, TIME, Admission::authors([ann])));
    }
    names.insert(found(learners()[0], TIME + 1, Admission::authors([ann])));
    names.insert(found(
        learners()[0],
        TIME,
        Admission::authors([ann, Address::ZERO]),
    ));
    names.insert(found(learners()[0], TIME, Admission::Stamp(0)));
    names.insert(found(learners()[0], TIME, Admission::Stamp(1)));
    assert_eq!(names.len(), 9);
}
