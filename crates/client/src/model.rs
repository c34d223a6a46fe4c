//! A model, read from its contracts.

use alloy_primitives::{Address, Bytes, U256};
use cotrain_bindings::{self as bindings, DescriptionError, state};
use cotrain_chain::node::{At, Node, NodeError};
use cotrain_protocol::{
    ContractError,
    classifier::Parameters,
    mechanism::{Mechanism, Terms},
    payload::PayloadVersion,
    trainer::Waits,
};

/// Maximum number of words that one call reads: nodes answer so many without complaint.
const WORDS_PER_CALL: usize = 2_048;

/// The facts of a model that never change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFacts {
    /// Id of the chain that the model is on.
    pub chain_id: u64,
    /// Contract that holds money and records.
    pub trainer: Address,
    /// Contract that holds the weights.
    pub classifier: Address,
    /// Account that may claim late before others.
    pub owner: Address,
    /// Terms of the mechanism.
    pub terms: Terms,
    /// Parameters of the learner, within their bounds.
    pub parameters: Parameters,
    /// `true` if trainer and classifier are clones of this release's code, byte for byte.
    pub own_code: bool,
    /// `true` if the classifier's initialization is closed for this trainer, so that it obeys no
    /// other. A model cannot lose this, but a node that lags may not know it yet.
    pub closed: bool,
}

/// Failure to read a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The node failed.
    #[error("cannot read the model {trainer} from the node")]
    Node {
        /// Trainer of the model.
        trainer: Address,
        /// The node's failure.
        source: NodeError,
    },
    /// The contracts at the address are not a model.
    #[error(
        "{trainer} is no trainer of a model that this version knows: `{call}` gave no answer of its form; check the address and the chain, {chain_id}"
    )]
    NoModel {
        /// The address.
        trainer: Address,
        /// Id of the chain.
        chain_id: u64,
        /// Call that gave no valid answer.
        call: &'static str,
    },
    /// The classifier reads contributions of a payload version that no learner of this release
    /// reads.
    #[error(
        "cannot use the model {trainer}: its classifier takes payloads of version {}, expected one of {}; use a release that reads version {number}, or another model",
        named(*number),
        versions_read()
    )]
    Payload {
        /// Trainer of the model.
        trainer: Address,
        /// Number of the version, as the classifier describes itself.
        number: u8,
    },
    /// The learner's parameters are outside their bounds, so that its predictions are not defined.
    #[error(
        "the model {trainer} has parameters that this version does not take; use another model"
    )]
    Parameters {
        /// Trainer of the model.
        trainer: Address,
        /// Parameter that is outside its bounds.
        source: ContractError,
    },
}

impl ModelFacts {
    /// Reads a model's facts from a chain.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn read(node: &Node, trainer: Address) -> Result<Self, ReadError> {
        let ask = Reader::new(node, trainer, None);
        let classifier = ask.address("classifier", state::classifier()).await?;
        let owner = ask.address("owner", state::owner()).await?;
        let answer = ask
            .fact("describe", classifier, bindings::describe())
            .await?;
        let description = bindings::read_description(&answer).map_err(|error| match error {
            DescriptionError::NoLearner => ask.no_model("describe"),
            DescriptionError::Payload(number) => ReadError::Payload { trainer, number },
        })?;
        let mut answers = Vec::new();
        for getter in description.getters() {
            answers.push(
                ask.fact("the classifier's parameters", classifier, getter)
                    .await?,
            );
        }
        let parameters = description
            .parameters(&answers)
            .ok_or_else(|| ask.no_model("the classifier's parameters"))?;
        parameters
            .validate()
            .map_err(|source| ReadError::Parameters { trainer, source })?;
        let (mechanism, kind) = code_of(node, trainer, classifier)
            .await
            .map_err(|source| ReadError::Node { trainer, source })?;
        let terms = match mechanism {
            Some(mechanism) => ask.terms(mechanism).await?,
            None => ask.unknown_terms().await?,
        };
        Ok(Self {
            chain_id: node.chain_id(),
            trainer,
            classifier,
            owner,
            terms,
            parameters,
            own_code: mechanism.is_some() && kind == Some(parameters.kind()),
            closed: description.trainer == Some(trainer),
        })
    }

    /// Returns the waits before claims; `None` if the mechanism has no claims.
    #[must_use]
    pub fn waits(&self) -> Option<Waits> {
        self.terms.waits()
    }

    /// Returns the current deposit of each contribution, in wei, if one transaction makes `n` of
    /// them.
    ///
    /// # Errors
    /// [`ReadError::Node`] or [`ReadError::NoModel`].
    pub async fn price(&self, node: &Node, n: u64) -> Result<u128, ReadError> {
        Reader::new(node, self.trainer, None)
            .number("price", state::price(n))
            .await
    }

    /// Reads all words of the model, after a block or now.
    ///
    /// # Errors
    /// [`ReadError::Node`] or [`ReadError::NoModel`].
    pub async fn words(&self, node: &Node, at: Option<At>) -> Result<Vec<U256>, ReadError> {
        Reader::new(node, self.trainer, at)
            .words(self.classifier, self.parameters.word_count())
            .await
    }
}

/// Reader of the contracts of one model, after a block or now.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    node: &'a Node,
    trainer: Address,
    at: Option<At>,
}

impl<'a> Reader<'a> {
    /// Returns a reader of the model of a trainer.
    #[must_use]
    pub fn new(node: &'a Node, trainer: Address, at: Option<At>) -> Self {
        Self { node, trainer, at }
    }

    /// Returns the error of a call without a valid answer.
    fn no_model(&self, call: &'static str) -> ReadError {
        ReadError::NoModel {
            trainer: self.trainer,
            chain_id: self.node.chain_id(),
            call,
        }
    }

    /// Calls one of the model's contracts.
    ///
    /// # Errors
    /// [`ReadError::Node`].
    async fn call(&self, to: Address, data: Vec<u8>) -> Result<Bytes, ReadError> {
        let answer = self.node.call(to, data, self.at).await;
        answer.map_err(|source| ReadError::Node {
            trainer: self.trainer,
            source,
        })
    }

    /// Asks for a fact that every model has. A contract that reverts is no model.
    async fn fact(
        &self,
        call: &'static str,
        to: Address,
        data: Vec<u8>,
    ) -> Result<Bytes, ReadError> {
        match self.call(to, data).await {
            Err(ReadError::Node { source, .. }) if is_revert(&source) => Err(self.no_model(call)),
            answer => answer,
        }
    }

    /// Asks the trainer for a number.
    ///
    /// # Errors
    /// [`ReadError::Node`]; [`ReadError::NoModel`] if the number does not fit.
    pub async fn number<T: TryFrom<U256>>(
        &self,
        call: &'static str,
        data: Vec<u8>,
    ) -> Result<T, ReadError> {
        let answer = self.call(self.trainer, data).await?;
        bindings::read_number(&answer)
            .and_then(|number| number.try_into().ok())
            .ok_or_else(|| self.no_model(call))
    }

    /// Reads `count` words of a classifier, from the first one on.
    ///
    /// # Errors
    /// [`ReadError::Node`]; [`ReadError::NoModel`] if the answer does not consist of words.
    pub async fn words(&self, classifier: Address, count: usize) -> Result<Vec<U256>, ReadError> {
        let mut words = Vec::with_capacity(count);
        for call in word_calls(count) {
            let answer = self.call(classifier, call.data()).await?;
            words.extend(call.read(&answer).ok_or_else(|| self.no_model("words"))?);
        }
        Ok(words)
    }

    async fn address(&self, call: &'static str, data: Vec<u8>) -> Result<Address, ReadError> {
        let answer = self.fact(call, self.trainer, data).await?;
        bindings::read_address(&answer).ok_or_else(|| self.no_model(call))
    }

    /// Reads the terms of a mechanism's contract.
    async fn terms(&self, mechanism: Mechanism) -> Result<Terms, ReadError> {
        let terms = mechanism.description().terms;
        let mut values = Vec::with_capacity(terms.len());
        for term in terms {
            let answer = self.call(self.trainer, bindings::term(term)).await?;
            let value = bindings::read_number(&answer).and_then(|value| value.try_into().ok());
            values.push(value.ok_or_else(|| self.no_model(term.name))?);
        }
        let last = terms.last().map_or("terms", |term| term.name);
        Terms::from_values(mechanism, &values).ok_or_else(|| self.no_model(last))
    }

    /// Reads the terms of a contract whose code is not this release's: those of the first mechanism
    /// whose terms it all has.
    async fn unknown_terms(&self) -> Result<Terms, ReadError> {
        for mechanism in Mechanism::ALL {
            match self.terms(mechanism).await {
                Err(ReadError::Node { source, .. }) if is_revert(&source) => {}
                Err(ReadError::NoModel { .. }) => {}
                terms => return terms,
            }
        }
        Err(self.no_model("refundWait"))
    }
}

/// Call that reads some words of a classifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WordCall {
    offset: usize,
    count: usize,
}

/// Returns the calls that read the first `count` words of a classifier, in order.
pub fn word_calls(count: usize) -> impl Iterator<Item = WordCall> {
    (0..count)
        .step_by(WORDS_PER_CALL)
        .map(move |offset| WordCall {
            offset,
            count: WORDS_PER_CALL.min(count - offset),
        })
}

impl WordCall {
    /// Returns the calldata.
    #[must_use]
    pub fn data(self) -> Vec<u8> {
        bindings::words(self.offset, self.count)
    }

    /// Reads the answer; `None` if it has another number of words.
    #[must_use]
    pub fn read(self, answer: &[u8]) -> Option<Vec<U256>> {
        bindings::read_words(answer).filter(|read| read.len() == self.count)
    }
}

/// Returns which of this release's contracts a trainer and a classifier are clones of.
///
/// # Errors
/// If the node fails.
pub async fn code_of(
    node: &Node,
    trainer: Address,
    classifier: Address,
) -> Result<
    (
        Option<Mechanism>,
        Option<cotrain_protocol::classifier::Kind>,
    ),
    NodeError,
> {
    let trainer = implementation(node, trainer).await?;
    let classifier = implementation(node, classifier).await?;
    Ok((
        trainer.and_then(|code| bindings::known_mechanism(&code)),
        classifier.and_then(|code| bindings::known_classifier(&code)),
    ))
}

/// Returns the code of the contract that an account is a clone of, or `None` if it is no clone.
async fn implementation(node: &Node, clone: Address) -> Result<Option<Bytes>, NodeError> {
    let code = node.code(clone).await?;
    match bindings::implementation_of(&code) {
        Some(implementation) => Ok(Some(node.code(implementation).await?)),
        None => Ok(None),
    }
}

/// Returns the number of a payload version, with its name if this release knows it.
fn named(number: u8) -> String {
    match PayloadVersion::try_from(number) {
        Ok(version) => format!("{number} ({version})"),
        Err(_) => number.to_string(),
    }
}

/// Returns the payload versions that learners of this release read.
fn versions_read() -> String {
    let read = PayloadVersion::ALL
        .into_iter()
        .filter(|version| matches!(version, PayloadVersion::Inline(_)));
    let read: Vec<_> = read.map(|version| named(version.number())).collect();
    read.join(", ")
}

fn is_revert(error: &NodeError) -> bool {
    matches!(error, NodeError::Reverted { .. })
}

#[cfg(test)]
mod tests {
    use cotrain_chain::{
        anvil::{Anvil, AnvilConfig},
        keys::Key,
        node::NodeOptions,
    };

    use super::*;
    use crate::{
        budget::Budget,
        send::{Call, Sender},
    };

    /// Deploys a contract that answers every call with these bytes.
    async fn answering(node: &Node, answer: &[u8]) -> Address {
        let two = |number: usize| u16::try_from(number).expect("short").to_be_bytes();
        // The code copies the answer to memory 0 (CODECOPY) and returns it (RETURN).
        let code = |length: usize, data: &[u8]| {
            let [high, low] = two(length);
            let copy = [0x61, high, low, 0x60, 0x0c, 0x5f, 0x39];
            let end = [0x61, high, low, 0x5f, 0xf3];
            [&copy[..], &end, data].concat()
        };
        let runtime = code(answer.len(), answer);
        let sender = Sender {
            node,
            key: &Key::development(0),
            max_fee: None,
            budget: &Budget::default(),
            settings: "none",
        };
        let create = Call {
            to: None,
            value: 0,
            data: code(runtime.len(), &runtime).into(),
        };
        let receipt = sender.send(create).await.expect("a contract");
        receipt.created.expect("an address")
    }

    /// Returns a classifier's answer to `describe`, with this number as its encoding.
    fn description(kind: &str, encoding: u64) -> Vec<u8> {
        let numbers = [0x20, 0xe0, encoding, 2, 7, 1, 1, 3, kind.len() as u64];
        let words = numbers.map(|number| U256::from(number).to_be_bytes::<32>());
        let mut bytes = words.as_flattened().to_vec();
        bytes.extend(kind.bytes());
        bytes.resize(bytes.len().next_multiple_of(32), 0);
        bytes
    }

    #[tokio::test]
    async fn read_names_a_payload_version_that_no_learner_reads() {
        let anvil =
            Anvil::spawn(&AnvilConfig::default()).expect("anvil: scripts/setup installs it");
        let node = Node::connect(anvil.url(), NodeOptions::default());
        let node = node.await.expect("a node");
        let (mut trainers, mut errors) = (Vec::new(), Vec::new());
        for (kind, encoding) in [
            ("federated softmax", 3),
            ("naive Bayes", 9),
            ("federated softmax", 0),
            ("naive Bayes", 1),
        ] {
            let classifier = answering(&node, &description(kind, encoding)).await;
            let trainer = answering(&node, classifier.into_word().as_slice()).await;
            let error = ModelFacts::read(&node, trainer)
                .await
                .expect_err("no learner");
            trainers.push(trainer);
            errors.push(error.to_string());
        }
        let message = |trainer: Address, version: &str| {
            format!(
                "cannot use the model {trainer}: its classifier takes payloads of version {version}, expected one of 0 (sparse), 1 (dense16), 2 (dense32); use a release that reads version {}, or another model",
                &version[..1]
            )
        };
        let no_model = |trainer: Address| {
            format!(
                "{trainer} is no trainer of a model that this version knows: `describe` gave no answer of its form; check the address and the chain, 31337"
            )
        };
        let expected = [
            message(trainers[0], "3 (commitment)"),
            message(trainers[1], "9"),
            no_model(trainers[2]),
            no_model(trainers[3]),
        ];
        assert_eq!(errors, expected);
    }

    #[test]
    fn word_calls_read_each_word_once() {
        let parts = |count| -> Vec<_> {
            word_calls(count)
                .map(|call| (call.offset, call.count))
                .collect()
        };
        assert_eq!(parts(0), []);
        assert_eq!(parts(1), [(0, 1)]);
        assert_eq!(parts(WORDS_PER_CALL), [(0, WORDS_PER_CALL)]);
        assert_eq!(
            parts(2 * WORDS_PER_CALL + 7),
            [
                (0, WORDS_PER_CALL),
                (WORDS_PER_CALL, WORDS_PER_CALL),
                (2 * WORDS_PER_CALL, 7)
            ]
        );
    }
}
