//! All transactions of a deployment at once, for a wallet that sends them one after another.

use alloy_primitives::{Address, Bytes};
use cotrain_bindings as bindings;
use cotrain_chain::node::{Node, NodeError};

use super::{
    Blueprint, CLOSED, Given, MODEL, Part, REGISTERED, REGISTRY, StepGas, steps::has_code,
};

/// Contract of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Registry of models.
    Registry,
    /// Code that many models share.
    Part(Part),
    /// Contract of this model that holds money and records.
    Trainer,
    /// Contract of this model that holds its weights.
    Classifier,
}

impl Role {
    /// Returns its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Registry => "registry",
            Self::Part(Part::Factory) => "factory",
            Self::Part(Part::Trainer) => "trainer-code",
            Self::Part(Part::Classifier) => "classifier-code",
            Self::Trainer => "trainer",
            Self::Classifier => "classifier",
        }
    }
}

/// Receiver of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// No receiver: the data is code that creates a contract.
    Creation,
    /// This address.
    Address(Address),
    /// Contract that an earlier step creates, or that exists already.
    Contract(Role),
}

/// Address that belongs into calldata, once it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Insert {
    /// Offset of its 20 bytes.
    pub offset: usize,
    /// Contract whose address it is.
    pub contract: Role,
}

/// Transaction of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlined {
    /// Name of the step, which no other step has.
    pub name: String,
    /// Receiver.
    pub to: To,
    /// Calldata, or code to create. `None` of the registration: its card has the block of the
    /// closing.
    pub data: Option<Bytes>,
    /// Addresses that belong into the data.
    pub inserts: Vec<Insert>,
    /// Contracts that it creates.
    pub creates: Vec<Role>,
    /// Estimate of its gas.
    pub gas: u64,
}

/// Transactions of a deployment in order, with the addresses that are known before the first one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// The transactions.
    pub transactions: Vec<Outlined>,
    /// Contracts whose addresses are known, with `true` of those that exist.
    pub contracts: Vec<(Role, Address, bool)>,
}

impl Outline {
    /// Outlines the transactions that [`Deployer`](super::Deployer) would send on a node's chain. A
    /// part whose code the chain has is used as it is.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn of(
        node: &Node,
        blueprint: &Blueprint,
        given: &Given,
        gas: &StepGas,
    ) -> Result<Self, NodeError> {
        let deployer = bindings::is_deployer(&node.code(bindings::DEPLOYER).await?);
        let mut existing = Vec::new();
        for part in Part::ALL {
            let address = if let Some(address) = given.part(part) {
                Some(address)
            } else {
                let address = bindings::deployed_at(&blueprint.code(part));
                has_code(node, address).await?.then_some(address)
            };
            existing.push(address);
        }
        let mut outline = Self::with(blueprint, given.registry, &existing, deployer);
        for step in &mut outline.transactions {
            step.gas = gas.of(&[&step.name]);
        }
        Ok(outline)
    }

    /// Outlines the transactions without their gas. `deployer` is `true` if the chain has the
    /// CREATE2 deployer.
    fn with(
        blueprint: &Blueprint,
        registry: Option<Address>,
        parts: &[Option<Address>],
        deployer: bool,
    ) -> Self {
        let (mut transactions, mut contracts) = (Vec::new(), Vec::new());
        let mut add = |name: &str, to, data: Option<Bytes>, inserts, creates| {
            transactions.push(Outlined {
                name: name.to_owned(),
                to,
                data,
                inserts,
                creates,
                gas: 0,
            });
        };
        match registry {
            Some(address) => contracts.push((Role::Registry, address, true)),
            None => add(
                REGISTRY,
                To::Creation,
                Some(bindings::registry_code()),
                Vec::new(),
                vec![Role::Registry],
            ),
        }
        for (part, existing) in Part::ALL.into_iter().zip(parts) {
            let (role, code) = (Role::Part(part), blueprint.code(part));
            if let Some(address) = existing {
                contracts.push((role, *address, true));
                continue;
            }
            let (to, data) = if deployer {
                contracts.push((role, bindings::deployed_at(&code), false));
                let call = bindings::deploy_call(&code);
                (To::Address(bindings::DEPLOYER), Bytes::from(call))
            } else {
                (To::Creation, code)
            };
            add(part.name(), to, Some(data), Vec::new(), vec![role]);
        }
        let [trainer, classifier] = [Part::Trainer, Part::Classifier].map(Role::Part);
        let (factory, zero) = (To::Contract(Role::Part(Part::Factory)), Address::ZERO);
        let create = |trainer, classifier| blueprint.create(trainer, classifier);
        let inserts = [
            insert(trainer, |address| create(address, zero)),
            insert(classifier, |address| create(zero, address)),
        ];
        add(
            MODEL,
            factory,
            Some(create(zero, zero).into()),
            inserts.into_iter().flatten().collect(),
            vec![Role::Trainer, Role::Classifier],
        );
        let to = To::Contract(Role::Classifier);
        for (name, data) in blueprint.writes() {
            add(&name, to, Some(data.into()), Vec::new(), Vec::new());
        }
        add(
            CLOSED,
            to,
            Some(bindings::close(zero).into()),
            insert(Role::Trainer, bindings::close).into_iter().collect(),
            Vec::new(),
        );
        let registry = To::Contract(Role::Registry);
        add(REGISTERED, registry, None, Vec::new(), Vec::new());
        Self {
            transactions,
            contracts,
        }
    }
}

/// Finds the bytes of an argument in calldata.
fn insert(contract: Role, call: impl Fn(Address) -> Vec<u8>) -> Option<Insert> {
    let (zeros, ones) = (call(Address::ZERO), call(Address::repeat_byte(0xff)));
    let mut pairs = zeros.iter().zip(&ones);
    let offset = pairs.position(|(zero, one)| zero != one)?;
    Some(Insert { offset, contract })
}

#[cfg(test)]
mod tests {
    use cotrain_protocol::{
        classifier::Parameters,
        mechanism::Terms,
        trainer::{Incentive, Waits},
    };

    use super::*;

    fn blueprint() -> Blueprint {
        let waits = Waits {
            refund: 1,
            owner_claim: 2,
            any_address_claim: 3,
            report_notice: 0,
        };
        let incentive = Incentive::Points;
        Blueprint {
            terms: Terms::Trainer { incentive, waits },
            parameters: Parameters::SparsePerceptron {
                features: 20,
                learning_rate: 1,
                intercept: 0,
            },
            words: vec![alloy_primitives::U256::ONE],
        }
    }

    fn names(outline: &Outline) -> Vec<&str> {
        let steps = outline.transactions.iter();
        steps.map(|step| step.name.as_str()).collect()
    }

    #[test]
    fn with_makes_the_calls_of_the_sequence() {
        let blueprint = blueprint();
        let outline = Outline::with(&blueprint, None, &[None; 3], false);
        let all = [
            "registry",
            "factory",
            "trainer",
            "classifier",
            "model",
            "words 0",
            "closed",
            "registered",
        ];
        assert_eq!(names(&outline), all);
        assert_eq!(outline.contracts, []);
        let filled = |name: &str| {
            let step = outline.transactions.iter().find(|step| step.name == name);
            let step = step.expect("a step");
            let mut data = step.data.clone().expect("data").to_vec();
            for insert in &step.inserts {
                let byte = match insert.contract {
                    Role::Part(Part::Trainer) => 1,
                    Role::Part(Part::Classifier) => 2,
                    Role::Trainer => 3,
                    other => panic!("{other:?}"),
                };
                let place = insert.offset..insert.offset + 20;
                data[place].copy_from_slice(Address::repeat_byte(byte).as_slice());
            }
            data
        };
        let address = Address::repeat_byte;
        assert_eq!(filled(MODEL), blueprint.create(address(1), address(2)));
        assert_eq!(filled(CLOSED), bindings::close(address(3)));
        let words: Vec<_> = blueprint.writes().collect();
        assert_eq!(filled("words 0"), words[0].1);
    }

    #[test]
    fn with_leaves_out_what_exists_and_knows_what_the_deployer_creates() {
        let blueprint = blueprint();
        let address = Address::repeat_byte;
        let parts = [Some(address(1)), None, Some(address(3))];
        let registry = Some(address(9));
        let outline = Outline::with(&blueprint, registry, &parts, true);
        let left = ["trainer", "model", "words 0", "closed", "registered"];
        assert_eq!(names(&outline), left);
        let created = bindings::deployed_at(&blueprint.code(Part::Trainer));
        assert_eq!(
            outline.contracts,
            [
                (Role::Registry, address(9), true),
                (Role::Part(Part::Factory), address(1), true),
                (Role::Part(Part::Trainer), created, false),
                (Role::Part(Part::Classifier), address(3), true),
            ]
        );
        let first = &outline.transactions[0];
        assert_eq!(first.to, To::Address(bindings::DEPLOYER));
    }
}
