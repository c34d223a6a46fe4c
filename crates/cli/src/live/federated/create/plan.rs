//! Data, terms and test set of a trainer that is to be founded.

use std::time::Duration;

use alloy_primitives::Address;
use anyhow::anyhow;
use cotrain_bindings::federated::RoundTerms;
use cotrain_client::{
    card::Card,
    federated::{Founding, LocalData, Token},
};
use cotrain_learning::{data::Source, federated::Examples};
use cotrain_protocol::federated::{Softmax, Width, squared_norm};
use cotrain_results::format::counted;

use super::{
    super::view::{no_token, unusable},
    Create,
};
use crate::{
    error::CommandError,
    live::{connection::Session, key::DEVELOPMENT_CHAIN},
};

/// Maximum number of updates of a round, which the contract has.
const MAX_CLIENTS: u8 = 32;
/// Maximum number of parts of a test set, which the contract has.
const MAX_PARTS: usize = 256;
/// Maximum size of a part, in bytes: nodes take transactions of at most 128 KiB.
const MAX_PART: usize = 100_000;
/// Size of the chunks of an update's root, in bytes.
const CHUNK: u32 = 1_024;
/// Minimum wait for a reveal on a chain with money.
const SHORTEST_WAIT: Duration = Duration::from_mins(10);

impl Create {
    /// Checks what the contract checks, and what could lose the bond on a chain with money.
    pub(super) fn check(&self, chain_id: u64) -> Result<(), CommandError> {
        let mistake = |message: String| Err(CommandError::Mistake(anyhow!(message)));
        let needed = self.rule.needed(self.f.into());
        if usize::from(self.clients) < needed || self.clients > MAX_CLIENTS {
            return mistake(format!(
                "--clients is {}; expected {needed} to {MAX_CLIENTS}: {} with --f {} needs {needed} updates",
                self.clients, self.rule, self.f
            ));
        }
        if !(1..=MAX_PARTS).contains(&self.parts) {
            return mistake(format!(
                "--parts is {}; expected 1 to {MAX_PARTS}",
                self.parts
            ));
        }
        if self.samples == 0 {
            return mistake("--samples is 0; expected at least 1".to_owned());
        }
        if self.halving == 0 {
            return mistake("--halving is 0; expected at least 1".to_owned());
        }
        for (option, wait) in [
            ("--open-for", self.open_for),
            ("--reveal-wait", self.reveal_wait),
            ("--work-wait", self.work_wait),
        ] {
            if wait.as_secs() == 0 || u32::try_from(wait.as_secs()).is_err() {
                return mistake(format!(
                    "{option} is {} s; expected 1 to 2^32 - 1",
                    wait.as_secs()
                ));
            }
        }
        if chain_id == DEVELOPMENT_CHAIN {
            return Ok(());
        }
        if self.token.is_none() {
            return mistake(
                "no token is named for stakes and bond; name an ERC-20 token with --token"
                    .to_owned(),
            );
        }
        if self.reveal_wait < SHORTEST_WAIT {
            return mistake(format!(
                "--reveal-wait is {}; expected at least {}: a reveal may be pending while fees rise",
                humantime::format_duration(self.reveal_wait),
                humantime::format_duration(SHORTEST_WAIT)
            ));
        }
        if self.test.is_none() && Source::embedded(&self.data).is_some() {
            return mistake(
                "the test set would be of data that comes with cotrain, and who knows it earns by it; name data with \
                 --test that nobody else has"
                    .to_owned(),
            );
        }
        Ok(())
    }

    /// Reads the data, and returns what is to be founded with the stake token.
    pub(super) async fn founding(
        &self,
        session: &Session,
        owner: Address,
        registry: Option<Address>,
    ) -> Result<(Founding, Token), CommandError> {
        let source = self
            .columns
            .founding(&self.data, self.test.as_deref(), &self.types)?;
        let data = LocalData::read(&source, self.seed).map_err(unusable)?;
        let features = data.train.width;
        let model = Softmax::new(features, data.classes.len(), data.max_feature, self.scale);
        let model = model.map_err(CommandError::mistake)?;
        let parts = self.parts(&data.test)?;
        let token = match self.token {
            Some(address) => Token::read(&session.node, address)
                .await
                .map_err(no_token)?,
            None => Token::own(Address::ZERO, "TUSD", 6),
        };
        let reward = Token::own(Address::ZERO, &self.reward_symbol, 18);
        let amount = |text: &str| token.parse(text).map_err(no_token);
        let stake = amount(&self.stake)?;
        let slash = self.slash.as_deref().map_or(Ok(stake / 2), amount)?;
        let bond = self
            .bond
            .as_deref()
            .map_or(Ok(stake.saturating_mul(10)), amount)?;
        let emission = reward.parse(&self.emission).map_err(no_token)?;
        let width = if self.width == "8" {
            Width::Eight
        } else {
            Width::Sixteen
        };
        // An update of the largest numbers: no honest one is refused.
        let largest = squared_norm(&vec![width.min(); model.parameters()]);
        let seconds = |wait: Duration| u32::try_from(wait.as_secs()).unwrap_or(u32::MAX);
        let terms = RoundTerms {
            stake_token: self.token.unwrap_or_default(),
            reward_token: Address::ZERO,
            stake,
            slash,
            margin: self.margin,
            open_wait: seconds(self.open_for),
            reveal_wait: seconds(self.reveal_wait),
            work_wait: seconds(self.work_wait),
            clients: self.clients,
            rule: self.rule,
            hostile: self.f,
            width,
            max_squared_norm: largest,
            chunk: CHUNK,
            emission,
            halving: self.halving,
            bond,
        };
        let halving = u128::from(self.halving);
        let founding = Founding {
            owner,
            model,
            terms,
            stake_token: self.token,
            reward: (
                self.reward_name
                    .clone()
                    .unwrap_or_else(|| self.name.clone()),
                self.reward_symbol.clone(),
            ),
            // All rounds together emit less than twice what those before the first halving do.
            cap: emission.saturating_mul(2).saturating_mul(halving).max(1),
            card: Card {
                name: self.name.clone(),
                description: self.description.clone(),
                classes: data.classes,
                encoder: None,
                from_block: 0,
            },
            parts,
            registry,
        };
        Ok((founding, token))
    }

    /// Encodes the parts of the test set, from the first test examples on.
    fn parts(&self, test: &Examples) -> Result<Vec<Vec<u8>>, CommandError> {
        let needed = self.parts.saturating_mul(self.samples);
        if test.len() < needed {
            return Err(CommandError::Mistake(anyhow!(
                "{} parts of {} need {needed} examples, and the test data have {}; make fewer or smaller parts, or give \
                 more data",
                self.parts,
                counted(self.samples as u64, "sample"),
                test.len()
            )));
        }
        let bytes = self.samples * (test.width + 1);
        if bytes > MAX_PART {
            return Err(CommandError::Mistake(anyhow!(
                "a part would have {bytes} bytes, and at most {MAX_PART} fit into a transaction; take fewer --samples"
            )));
        }
        let item = |index: usize| {
            // A softmax regression has at most 256 classes.
            let label = u8::try_from(test.labels[index]).unwrap_or(u8::MAX);
            std::iter::once(label).chain(test.row(index).iter().copied())
        };
        let part = |part: usize| {
            let samples = part * self.samples..(part + 1) * self.samples;
            samples.flat_map(item).collect()
        };
        Ok((0..self.parts).map(part).collect())
    }
}
