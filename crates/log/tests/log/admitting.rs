//! Tests of what a log takes for an item.

use alloy_primitives::Address;
use cotrain_log::{Admission, ITEM_BYTES, Item, Refusal, Terms, TermsError};
use cotrain_protocol::{
    ContractError,
    classifier::{Classifier, Parameters},
};
use proptest::{collection::vec, prelude::*};

use crate::support::{Fault, TIME, Written, items, learners, people, terms, written};

fn one(fault: Option<Fault>) -> Written {
    Written {
        author: 0,
        nonce: 4,
        content: 7,
        fault,
    }
}

#[test]
fn item_names_the_reason_of_each_fault() {
    let terms = terms(learners()[0]);
    let author = people()[0].address();
    let good = one(None).bytes(&terms);
    let length = good.len();
    let item = terms.item(&good).expect("an item");
    assert_eq!(item.bytes(), good);
    assert_eq!(item.batch(), one(None).batch(&terms).items);
    assert_eq!(item.turn().author, author);
    assert_eq!(item.turn().nonce, 4);
    assert_eq!(item.id(), Item::id_of(&good));

    let forged = || Refusal::Rule(ContractError::InvalidSignature { author });
    let fee = ContractError::BalanceTooLow {
        required: 1,
        balance: 0,
    };
    let expired = ContractError::Expired {
        deadline: TIME - 1,
        now: TIME,
    };
    let label = u16::from_be_bytes([1, one(None).batch(&terms).items[1]]);
    let label = ContractError::LabelOutOfRange {
        item: 0,
        label,
        classes: 2,
    };
    let half = ContractError::MalformedBatch { offset: 0 };
    for (fault, expected) in [
        (Fault::Truncated, Refusal::Malformed { length: length - 1 }),
        (Fault::Longer, Refusal::Malformed { length: length + 1 }),
        (Fault::Bound, Refusal::Bound),
        (Fault::Expired, expired.into()),
        (Fault::Fee, fee.into()),
        (Fault::NoItems, ContractError::EmptyBatch.into()),
        (Fault::HalfItem, half.into()),
        (Fault::Label, label.into()),
        (Fault::Forged, forged()),
        (Fault::HighS, forged()),
        (Fault::Short, forged()),
        (Fault::Nonce, forged()),
    ] {
        let found = terms.item(&one(Some(fault)).bytes(&terms));
        assert_eq!(found, Err(expected), "{fault:?}");
    }
    let large = vec![0; ITEM_BYTES + 1];
    let found = terms.item(&large);
    assert_eq!(
        found,
        Err(Refusal::TooLarge {
            length: ITEM_BYTES + 1,
            max: ITEM_BYTES
        })
    );
}

#[test]
fn item_of_another_log_is_none() {
    let parameters = learners();
    let [first, second] = [parameters[0], parameters[2]].map(terms);
    let bytes = one(None).bytes(&first);
    first.item(&bytes).expect("an item");
    assert!(matches!(second.item(&bytes), Err(Refusal::Rule(_))));
}

#[test]
fn item_of_a_stranger_is_none() {
    let model = Classifier::new(learners()[0]).expect("parameters");
    let [ann, bob, _] = people();
    let terms = Terms::new(model, TIME, Admission::authors([ann.address()])).expect("terms");
    for (key, is_admitted) in [(ann, true), (bob, false)] {
        let author = key.address();
        let draft = terms.draft(author, 0, items(learners()[0], 1));
        let bytes = draft.clone().signed(key.sign(draft.hash()).to_vec());
        match terms.item(&bytes) {
            Ok(_) => assert!(is_admitted),
            Err(refusal) => {
                assert!(!is_admitted);
                assert_eq!(refusal, Refusal::Stranger { author });
            }
        }
    }
}

#[test]
fn item_needs_the_stamp_that_draft_makes() {
    const BITS: u32 = 8;
    let model = Classifier::new(learners()[0]).expect("parameters");
    let terms = Terms::new(model.clone(), TIME, Admission::Stamp(BITS)).expect("terms");
    let easy = Terms::new(model, TIME, Admission::Stamp(0)).expect("terms");
    let key = &people()[0];
    let mut refused = 0;
    for content in 0..20 {
        let items = items(learners()[0], content);
        let draft = terms.draft(key.address(), content, items.clone());
        assert_eq!(draft.hash()[31], 0);
        let bytes = draft.clone().signed(key.sign(draft.hash()).to_vec());
        terms.item(&bytes).expect("stamped");
        assert!(easy.item(&bytes).is_err(), "another log");

        let draft = easy.draft(key.address(), content, items);
        let bytes = draft.clone().signed(key.sign(draft.hash()).to_vec());
        easy.item(&bytes).expect("no stamp");
        refused += u32::from(matches!(
            terms.item(&bytes),
            Err(Refusal::Stamp { bits: BITS, .. })
        ));
    }
    assert!(refused > 15, "{refused}");
}

#[test]
fn terms_error_names_wrong_terms() {
    let model = || Classifier::new(learners()[0]).expect("parameters");
    let none = Terms::new(model(), TIME, Admission::authors([]));
    assert!(matches!(none, Err(TermsError::Authors { found: 0, .. })));
    let long = Terms::new(model(), TIME, Admission::Stamp(33));
    assert_eq!(long, Err(TermsError::Stamp { bits: 33, max: 32 }));
    assert!(long.unwrap_err().to_string().contains("33 bits"));
}

#[test]
fn draft_fits_a_batch_of_many_samples() {
    let parameters = Parameters::SparsePerceptron {
        features: 1_000,
        learning_rate: 1,
        intercept: 0,
    };
    let terms = terms(parameters);
    let key = &people()[0];
    let mut many = Vec::new();
    while many.len() < ITEM_BYTES - 4_000 {
        many.extend(items(parameters, many.len() as u64));
    }
    let draft = terms.draft(key.address(), 0, many.clone());
    let bytes = draft.clone().signed(key.sign(draft.hash()).to_vec());
    assert_eq!(terms.item(&bytes).expect("an item").batch(), many);
}

proptest! {
    #[test]
    fn item_survives_any_bytes(bytes in vec(any::<u8>(), 0..300)) {
        terms(learners()[0]).item(&bytes).expect_err("nobody signed it");
    }

    #[test]
    fn item_survives_any_change_of_a_good_one(
        written in written(),
        at in any::<prop::sample::Index>(),
        to in any::<u8>(),
        learner in 0_usize..5,
    ) {
        let terms = terms(learners()[learner]);
        let mut bytes = Written { fault: None, ..written }.bytes(&terms);
        let good = terms.item(&bytes).expect("an item");
        let at = at.index(bytes.len());
        let from = bytes[at];
        bytes[at] = to;
        // Each byte is signed or part of the one signature: any change makes it no item.
        prop_assert_eq!(terms.item(&bytes).is_ok(), from == to);
        prop_assert_ne!(good.turn().author, Address::ZERO);
    }
}
