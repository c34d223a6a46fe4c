//! Operations that change nothing: predictions, evaluations, and calls without the right.

use alloy_primitives::U256;
use cotrain_bindings::{self as bindings, Revert};
use cotrain_chain::{Chain, Transaction};
use cotrain_protocol::{
    ContractError,
    sample::{Item, encode_batch},
};
use rand::RngExt;

use crate::{
    pair::Pair,
    people::{OWNER, STRANGER},
};

impl Pair {
    pub(crate) fn predict(&mut self) {
        let bad = self.chance.random_bool(0.3);
        let samples: Vec<_> = (0..3)
            .map(|_| {
                if bad {
                    self.bad_sample()
                } else {
                    self.sample()
                }
            })
            .collect();
        let samples: Vec<&[u8]> = samples.iter().map(Vec::as_slice).collect();
        let expected = self.reference.classifier().predict_all(&samples);
        let call = Transaction::call(STRANGER, self.model.classifier, bindings::predict(&samples));
        self.tally.count("predict", expected.is_ok());
        match (self.chain.call(call), expected) {
            (Ok(answer), Ok(expected)) => {
                let labels = bindings::read_labels(&answer.output).expect("labels");
                assert_eq!(labels, expected, "{}", self.at());
            }
            (answer, expected) => self.same_refusal(answer, expected),
        }
    }

    pub(crate) fn evaluate(&mut self) {
        let samples: Vec<_> = (0..5).map(|_| self.sample()).collect();
        let samples: Vec<&[u8]> = samples.iter().map(Vec::as_slice).collect();
        let labels: Vec<u16> = (0..5).map(|_| self.label()).collect();
        let predicted = self
            .reference
            .classifier()
            .predict_all(&samples)
            .expect("good samples");
        let right = predicted
            .iter()
            .zip(&labels)
            .filter(|(a, b)| a == b)
            .count();
        let call = bindings::evaluate(&samples, &labels);
        let answer = self
            .chain
            .call(Transaction::call(STRANGER, self.model.classifier, call))
            .expect("an answer");
        assert_eq!(
            bindings::read_number(&answer.output),
            Some(U256::from(right)),
            "{}",
            self.at()
        );
        self.tally.count("evaluate", true);
        // The same call lacks a label.
        let call = bindings::evaluate(&samples, &labels[1..]);
        let answer = self
            .chain
            .call(Transaction::call(STRANGER, self.model.classifier, call));
        let expected = Revert::LengthsDiffer {
            samples: 5,
            labels: 4,
        };
        self.refused(&answer, &expected);
        self.tally.count("evaluate", false);
    }

    /// Tries calls without the right: strangers teach, and owners write after the closing. Also
    /// checks batches.
    pub(crate) fn meddle(&mut self) {
        let classifier = self.model.classifier;
        let good = (self.label(), self.sample());
        let bad = (self.bad_label(), self.bad_sample());
        let items = [
            Item {
                label: good.0,
                sample: &good.1,
            },
            Item {
                label: bad.0,
                sample: &bad.1,
            },
        ];
        let batch = encode_batch(&items).expect("short samples");
        let learned = self.chain.send(Transaction::call(
            STRANGER,
            classifier,
            bindings::learn(&batch),
        ));
        let expected = ContractError::NotTrainer {
            caller: STRANGER,
            trainer: self.model.trainer,
        };
        self.same_refusal(learned, Err::<(), _>(expected));

        let written = self.chain.send(Transaction::call(
            OWNER,
            classifier,
            bindings::write(0, &[U256::MAX]),
        ));
        self.same_refusal(written, Err::<(), _>(ContractError::InitializationClosed));
        let closed = self.chain.send(Transaction::call(
            STRANGER,
            classifier,
            bindings::close(STRANGER),
        ));
        let expected = ContractError::NotOwner {
            caller: STRANGER,
            owner: OWNER,
        };
        self.same_refusal(closed, Err::<(), _>(expected));

        let checked = self.chain.call(Transaction::call(
            STRANGER,
            classifier,
            bindings::check(&batch),
        ));
        self.same_refusal(checked, self.reference.classifier().check(&items));
    }
}
