//! A trainer of federated rounds, for the commands about it.

use std::path::{Path, PathBuf};

use alloy_primitives::Address;
use anyhow::anyhow;
use cotrain_bindings::{self as bindings, channels};
use cotrain_chain::node::NodeReceipt;
use cotrain_client::{
    card::Card,
    federated::{
        Due, LocalError, Round, RoundFacts, RoundsError, Token, TokenError, Wait, WorkError,
    },
    registry::{self, NameError, RegistryError},
    send::{Call, Sender},
};
use cotrain_learning::text::escaped;
use cotrain_protocol::parse_address;
use cotrain_results::format::counted;

use crate::{
    error::CommandError,
    live::{
        connection::{ModelArg, Session},
        context::{CommandContext, state_directory},
        deploy::genesis,
        errors::unsent,
        gas_fees::GasFeeArgs,
        key::DEVELOPMENT_CHAIN,
        spending::{Bill, Range, SpendingArgs, Target, gas_cost_of_all},
        time::when,
    },
};

/// A trainer with its tokens.
pub(super) struct View {
    pub(super) facts: RoundFacts,
    pub(super) card: Option<Card>,
    /// Source of the trainer's address, as text.
    origin: String,
    pub(super) stake_token: Token,
    pub(super) reward_token: Token,
}

impl View {
    /// Finds the trainer that the options name, or the one created or joined last.
    pub(super) async fn find(session: &Session, argument: &ModelArg) -> Result<Self, CommandError> {
        let (trainer, origin) = match &argument.model {
            None => {
                let trainer = session.last_federated.ok_or_else(|| {
                    CommandError::Mistake(anyhow!(
                        "no trainer is named; name one with --model, or create one with `cotrain federated create`"
                    ))
                })?;
                (trainer, "the last one used, from context.toml".to_owned())
            }
            // An argument in the form of an address is one, so that a wrong digit is no name.
            Some(address) if address.starts_with("0x") && address.len() == 42 => {
                let trainer = parse_address(address).map_err(CommandError::mistake)?;
                (trainer, "--model or COTRAIN_MODEL".to_owned())
            }
            Some(name) => {
                let registry = session.registry()?;
                let found = registry::named(&session.node, registry, name, |_, _| {}).await;
                let (entry, _) = found.map_err(|error| match error {
                    NameError::Registry(error) => unlisted(*error),
                    error => CommandError::mistake(error),
                })?;
                let origin = format!("by its name, in the registry {registry}");
                (entry.trainer, origin)
            }
        };
        let view = Self::read(session, trainer, origin).await?;
        if !view.facts.verified {
            session.narrator.say(format_args!(
                "warning: {trainer} does not run this release's contracts at their addresses: nothing holds it to the \
                 rules"
            ));
        }
        Ok(view)
    }

    /// Reads a trainer.
    pub(super) async fn read(
        session: &Session,
        trainer: Address,
        origin: String,
    ) -> Result<Self, CommandError> {
        let facts = RoundFacts::read(&session.node, trainer).await;
        let facts = facts.map_err(unread)?;
        let card = registry::card(&session.node, session.registry, trainer).await;
        let card = card.map_err(unlisted)?.ok().map(|(card, _)| card);
        let token = async |address| {
            let token = Token::read(&session.node, address).await;
            token.map_err(no_token)
        };
        Ok(Self {
            stake_token: token(facts.terms.stake_token).await?,
            reward_token: token(facts.terms.reward_token).await?,
            facts,
            card,
            origin,
        })
    }

    /// Remembers the trainer for later commands.
    pub(super) async fn remember(&self, session: &Session) -> Result<PathBuf, CommandError> {
        CommandContext {
            chain_id: Some(session.node.chain_id()),
            genesis: Some(genesis(session).await?),
            rpc: Some(session.node.url().clone()),
            registry: session.registry,
            model: session.last_model,
            federated: Some(self.facts.trainer),
            coordinator: session.coordinator.clone(),
        }
        .save()
    }

    /// Returns the name of the trainer's model, or its address.
    pub(super) fn name(&self) -> String {
        let name = self.card.as_ref().map(|card| card.name.clone());
        name.unwrap_or_else(|| self.facts.trainer.to_string())
    }

    /// Returns the block in which the model was closed; the first one without a card.
    pub(super) fn first_block(&self) -> u64 {
        self.card.as_ref().map_or(0, |card| card.from_block)
    }

    /// Reads the current round.
    pub(super) async fn round(&self, session: &Session) -> Result<Round, CommandError> {
        let round = Round::read(&session.node, &self.facts).await;
        round.map_err(unread)
    }

    /// Returns an account's free balance of the stake token, and its rewards to collect.
    pub(super) async fn account(
        &self,
        session: &Session,
        account: Address,
    ) -> Result<(u128, u128), CommandError> {
        let found = self.facts.account(&session.node, account).await;
        found.map_err(unread)
    }

    /// Describes the trainer as the target of a command.
    pub(super) fn target(&self, session: &Session) -> Target {
        let name = self.card.as_ref().map(|card| card.name.clone());
        Target::of_trainer(session, self.facts.trainer, name, self.origin.clone())
    }

    /// Makes the bill of transactions about the trainer. Tokens are in its notes.
    pub(super) async fn bill(
        &self,
        session: &Session,
        account: Address,
        (gas_fees, spending): (&GasFeeArgs, &SpendingArgs),
        (action, gas): (String, u64),
        notes: Vec<(&'static str, String)>,
    ) -> Result<Bill, CommandError> {
        let now = session.node.gas_fees().await?;
        Ok(Bill {
            action,
            target: self.target(session),
            account,
            count: 1,
            each: None,
            value: Range::exactly(0),
            gas: Some(gas),
            gas_cost: gas_cost_of_all(gas, &now, gas_fees, spending),
            notes,
        })
    }

    /// Returns the file of the owner's test set.
    pub(super) fn test_set(&self, named: Option<&Path>) -> Result<PathBuf, CommandError> {
        let state = state_directory()?;
        let (chain, trainer) = (self.facts.chain_id, self.facts.trainer);
        Ok(test_set_file(named, &state, chain, trainer))
    }

    /// Returns `true` if the stake token is the test token of a development chain.
    pub(super) fn takes_test_token(&self) -> bool {
        self.facts.chain_id == DEVELOPMENT_CHAIN
            && self.facts.terms.stake_token == bindings::deployed_at(&channels::token_code())
    }
}

/// Returns the file of the test set of a trainer.
pub(super) fn test_set_file(
    named: Option<&Path>,
    state: &Path,
    chain: u64,
    trainer: Address,
) -> PathBuf {
    let default = || state.join(format!("federated-{chain}-{trainer}.json"));
    named.map_or_else(default, Path::to_owned)
}

/// Sends a call, and waits until it is included. It may be due only in the next block.
pub(super) async fn send(sender: &Sender<'_>, call: Call) -> Result<NodeReceipt, CommandError> {
    let gas = sender.estimate_next(&call).await.map_err(unsent)?;
    sender.send_estimated(call, gas).await.map_err(unsent)
}

/// Returns as text what a round needs next, and from whom.
pub(super) fn next(round: &Round, due: Due) -> String {
    let until = |deadline| format!("until {}", when(deadline));
    match due {
        Due::Later(Wait::FirstCommitment) if round.parts_left == 0 => {
            "nothing: no part of the test set is left".to_owned()
        }
        Due::Later(Wait::FirstCommitment) => {
            "the first client commits to an update (`cotrain federated submit`)".to_owned()
        }
        Due::Later(Wait::Commitments(deadline)) => format!(
            "clients commit to updates, {} (`cotrain federated submit`)",
            until(deadline)
        ),
        Due::Later(Wait::Reveals(deadline)) => format!(
            "clients reveal their updates, {}, or lose their stakes (`cotrain federated submit`)",
            until(deadline)
        ),
        Due::Later(Wait::Block(block)) => {
            format!("block {block}, after which anyone draws (`cotrain federated run`)")
        }
        Due::Later(Wait::Test(deadline)) => format!(
            "the owner reveals the drawn part, {}, or loses its bond (`cotrain federated run`)",
            until(deadline)
        ),
        Due::Now(action) => format!("{} (`cotrain federated run`)", action.name()),
    }
}

/// Returns as text the sum of values over samples, as bits of each.
pub(super) fn bits(value: i64, samples: u64) -> String {
    // Sums of losses have 32 bits.
    #[allow(clippy::cast_precision_loss)]
    let mean = value as f64 / 256.0 / samples.max(1) as f64;
    format!("{mean:+.3} bit of {}", counted(samples, "sample"))
}

/// Returns the failure for rounds that cannot be read, and decides whether the user made a mistake.
pub(super) fn unread(error: RoundsError) -> CommandError {
    match error {
        RoundsError::NoTrainer { .. } => CommandError::mistake(error),
        error => error.into(),
    }
}

/// Returns `true` if a failure to read a round may go away by itself.
pub(super) fn is_transient(error: &RoundsError) -> bool {
    match error {
        RoundsError::Node { source, .. } => source.is_transient(),
        error => matches!(error, RoundsError::Contradictory { .. }),
    }
}

/// Returns the failure for an action that was not done, and decides whether the user made a mistake.
pub(super) fn undone(error: WorkError) -> CommandError {
    match error {
        WorkError::Rounds(error) => unread(error),
        WorkError::Send(error) => unsent(error),
        WorkError::TestSet(error) => CommandError::mistake(error),
        error => error.into(),
    }
}

/// Returns the failure for an unusable token, and decides whether the user made a mistake.
pub(super) fn no_token(error: TokenError) -> CommandError {
    match error {
        TokenError::Node(error) => error.into(),
        error => CommandError::mistake(error),
    }
}

/// Returns the failure for data or an update, which is the user's mistake.
pub(super) fn unusable(error: LocalError) -> CommandError {
    CommandError::mistake(error)
}

fn unlisted(error: RegistryError) -> CommandError {
    match error {
        RegistryError::NoRegistry { .. } => CommandError::mistake(error),
        RegistryError::Node { .. } => error.into(),
    }
}

/// Returns a name of strangers as text.
pub(super) fn shown(name: &str) -> String {
    escaped(name).to_string()
}
