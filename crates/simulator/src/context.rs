//! Views and actions of an agent in its turn.

use std::rc::Rc;

use alloy_primitives::Address;
use cotrain_learning::encode::Samples;
use cotrain_protocol::{classifier::Parameters, sample::Item, signature::Key};

use crate::{
    SimulateError,
    chance::Chance,
    mechanism::{Asked, Collected, Mechanism, Opportunity, Pending, ReportStage},
    run::{Counts, Gas},
};

/// Number of samples that a choosy agent looks ahead.
const AHEAD: usize = 64;
/// Assumed gas of a transaction before there was one of its kind.
pub(crate) const ROUGH_GAS: u64 = 150_000;

/// A sample to contribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample(pub(crate) Origin);

/// Origin of a sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Index into the scenario's data. Each of these samples is contributed at most once.
    Data(usize),
    /// Bytes of somebody else's contribution, or of the agent's invention.
    Copy(Rc<[u8]>),
}

impl Sample {
    /// Returns a sample with the bytes of somebody else's contribution. It uses up none of the
    /// scenario's data.
    #[must_use]
    pub fn copied(bytes: &[u8]) -> Self {
        Self(Origin::Copy(bytes.into()))
    }

    /// Returns a sample of the agent's own making. It uses up none of the scenario's data.
    #[must_use]
    pub fn made(bytes: &[u8]) -> Self {
        Self(Origin::Copy(bytes.into()))
    }

    /// Returns the sample's bytes. `data` holds the scenario's samples.
    pub(crate) fn bytes<'s>(&'s self, data: &'s Samples) -> &'s [u8] {
        match &self.0 {
            Origin::Data(index) => data.get(*index).0,
            Origin::Copy(bytes) => bytes,
        }
    }
}

/// Labeled sample to contribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The sample.
    pub sample: Sample,
    /// The label to send.
    pub label: u16,
}

impl Piece {
    /// Returns the item for a batch. `data` holds the scenario's samples.
    pub(crate) fn item<'s>(&'s self, data: &'s Samples) -> Item<'s> {
        Item {
            label: self.label,
            sample: self.sample.bytes(data),
        }
    }
}

/// The agent's own contribution that has something left to claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// Simulated second of the contribution.
    pub seconds: u64,
    /// Label of the contribution.
    pub label: u16,
    /// Bytes of the sample.
    pub sample: Vec<u8>,
    /// `true` if the model predicts its label now.
    pub agrees: bool,
}

/// Somebody else's contribution whose first wait is over and that has something left to claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// Position among all contributions, from 0.
    pub position: u64,
    /// Label of the contribution.
    pub label: u16,
    /// Bytes of the sample.
    pub sample: Vec<u8>,
    /// Deposit of the contribution, in wei.
    pub deposit: u128,
    /// `true` if the model predicts its label now.
    pub agrees: bool,
    /// Next step towards a report.
    pub stage: ReportStage,
}

/// An agent's turn: its views and its actions. Every change is a transaction on the chain, or
/// signed for a relayer. Reading is free.
///
/// `identity` is the index of one of the agent's addresses, from 0. An agent cannot name other
/// addresses, so it cannot act for others. An index beyond the last stands for the last.
pub struct AgentContext<'a> {
    world: &'a mut dyn World,
    chance: &'a mut Chance,
    agent: usize,
}

impl<'a> AgentContext<'a> {
    pub(crate) fn new(world: &'a mut dyn World, chance: &'a mut Chance, agent: usize) -> Self {
        Self {
            world,
            chance,
            agent,
        }
    }

    fn view(&self) -> View<'_> {
        self.world.view(self.agent)
    }

    /// Returns the agent's own random numbers.
    pub fn chance(&mut self) -> &mut Chance {
        self.chance
    }

    /// Returns the simulated seconds since the start.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.view().seconds
    }

    /// Returns the number of the model's classes. Labels run from 0 to that number minus 1.
    #[must_use]
    pub fn classes(&self) -> u16 {
        self.view().classes
    }

    /// Returns the label that a liar sends instead of `label`: the next class.
    #[must_use]
    pub fn flipped(&self, label: u16) -> u16 {
        (label + 1) % self.classes()
    }

    /// Returns the parameters that the model was created with.
    #[must_use]
    pub fn parameters(&self) -> Parameters {
        *self.view().mechanism.classifier().parameters()
    }

    /// Returns the accuracy at the latest evaluation, in [0, 1].
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        self.view().accuracy
    }

    /// Returns `true` if the mechanism accepts contributions now.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.view().mechanism.is_open()
    }

    /// Returns the price of each of `n` contributions in one transaction now, in wei.
    #[must_use]
    pub fn price(&self, n: usize) -> u128 {
        self.view().mechanism.price(n)
    }

    /// Returns the price of a unit of gas, in wei.
    #[must_use]
    pub fn gas_price(&self) -> u128 {
        self.view().mechanism.chain().gas_price()
    }

    /// Returns the average gas of a contribution (`true`) or a claim (`false`) so far in this run,
    /// over all agents. Before the first one, returns a rough figure.
    #[must_use]
    pub fn usual_gas(&self, contribution: bool) -> u64 {
        let View { counts, gas, .. } = self.view();
        let (gas, of) = if contribution {
            (gas.contributions, counts.contributions)
        } else {
            let claims = counts.refunds + counts.reports + counts.late_claims;
            (gas.claims, claims)
        };
        gas.checked_div(of).unwrap_or(ROUGH_GAS)
    }

    /// Returns the number of the agent's identities.
    #[must_use]
    pub fn identities(&self) -> usize {
        self.view().identities.len()
    }

    /// Returns the wei that an identity can still deposit.
    ///
    /// # Errors
    /// Returns an error if the chain fails.
    pub fn funds(&mut self, identity: usize) -> Result<u128, SimulateError> {
        let account = self.view().account(identity);
        self.world.funds(account)
    }

    /// Returns the number of good contributions of an identity, and that of all accounts.
    #[must_use]
    pub fn good(&self, identity: usize) -> (u64, u64) {
        let view = self.view();
        let good = view.mechanism.good(view.account(identity));
        (good, view.mechanism.total_good())
    }

    /// Returns the next sample of the data that nobody has contributed, with its true label; `None`
    /// if none is left.
    #[must_use]
    pub fn next_sample(&self) -> Option<(Sample, u16)> {
        self.next_samples(1).pop()
    }

    /// Returns the next samples, at most `n`, in the order of the data.
    #[must_use]
    pub fn next_samples(&self, n: usize) -> Vec<(Sample, u16)> {
        let view = self.view();
        let upcoming = view.upcoming().take(n);
        upcoming
            .map(|(index, _, label)| (Sample(Origin::Data(index)), label))
            .collect()
    }

    /// Returns the first of the next 64 samples that `wanted` accepts. `wanted` gets the sample's
    /// bytes and its true label.
    pub fn find_sample(&self, mut wanted: impl FnMut(&[u8], u16) -> bool) -> Option<(Sample, u16)> {
        let view = self.view();
        let mut upcoming = view.upcoming().take(AHEAD);
        let (index, _, label) = upcoming.find(|(_, bytes, label)| wanted(bytes, *label))?;
        Some((Sample(Origin::Data(index)), label))
    }

    /// Returns a sample's bytes.
    #[must_use]
    pub fn bytes<'s>(&'s self, sample: &'s Sample) -> &'s [u8] {
        sample.bytes(self.view().data)
    }

    /// Returns the model's current prediction for a sample.
    #[must_use]
    pub fn predict(&self, sample: &Sample) -> u16 {
        let View {
            mechanism, data, ..
        } = self.view();
        // Samples of the data and of contributions are well formed, so the fallback is never used.
        let predicted = mechanism.classifier().predict(sample.bytes(data));
        predicted.unwrap_or_default()
    }

    /// Contributes in one transaction, if the mechanism is open, each deposit is at most
    /// `max_deposit` wei, and the identity can pay. Returns `true` if the contribution was sent, or
    /// signed for a relayer.
    ///
    /// # Errors
    /// Returns an error if the chain refuses what the rules allow, or diverges from the reference
    /// model.
    pub fn contribute(
        &mut self,
        identity: usize,
        pieces: &[Piece],
        max_deposit: u128,
    ) -> Result<bool, SimulateError> {
        self.world
            .contribute(self.agent, identity, pieces, max_deposit)
    }

    /// Makes all claims of an identity that are possible now, that `wanted` accepts, and whose gas
    /// it can pay.
    ///
    /// # Errors
    /// Returns the errors of [`AgentContext::contribute`].
    pub fn claim(
        &mut self,
        identity: usize,
        wanted: &mut dyn FnMut(&Opportunity) -> bool,
    ) -> Result<(), SimulateError> {
        self.world.claim(self.agent, identity, wanted)
    }

    /// Makes all possible claims of all identities.
    ///
    /// # Errors
    /// Returns the errors of [`AgentContext::contribute`].
    pub fn claim_all(&mut self) -> Result<(), SimulateError> {
        for identity in 0..self.identities() {
            self.claim(identity, &mut |_| true)?;
        }
        Ok(())
    }

    /// Returns the agent's contributions that have something left to claim, oldest first.
    pub fn own(&mut self) -> Vec<Own> {
        self.world.own(self.agent)
    }

    /// Returns others' contributions whose first wait is over, oldest first.
    pub fn foreign(&mut self) -> Vec<Foreign> {
        self.world.foreign(self.agent)
    }

    /// Returns the wei that reports of all agents have taken of others' deposits so far.
    #[must_use]
    pub fn taken(&self) -> u128 {
        self.view().taken_from_others
    }

    /// Returns the next simulated second, after this one, at which other claims become possible;
    /// `None` if nothing is pending.
    #[must_use]
    pub fn next_edge(&self) -> Option<u64> {
        let View {
            mechanism,
            pending,
            start,
            seconds,
            ..
        } = self.view();
        let now = start + seconds;
        let edge = |pending: &Pending, which: usize| {
            let edges = mechanism.edges(pending.contribution());
            edges.get(which).copied()
        };
        let kinds = pending
            .first()
            .map_or(0, |first| mechanism.edges(first.contribution()).len());
        // Contributions are in order of time, and so are their edges of each kind.
        (0..kinds)
            .filter_map(|which| {
                let past = |pending: &Pending| edge(pending, which).is_none_or(|edge| edge <= now);
                let next = pending.partition_point(past);
                edge(pending.get(next)?, which)
            })
            .min()
            .map(|edge| edge - start)
    }

    /// Moves money between two identities of the agent. Returns `true` if that was possible.
    ///
    /// # Errors
    /// Returns an error if the chain fails.
    pub fn transfer(&mut self, from: usize, to: usize, wei: u128) -> Result<bool, SimulateError> {
        self.world.transfer(self.agent, (from, to), wei)
    }

    /// Pays for the predictions of `n` samples of the test data, from a random index on. Returns
    /// `None` if the identity cannot pay, or if predictions have no price.
    ///
    /// # Errors
    /// Returns the errors of [`AgentContext::contribute`].
    pub fn ask(&mut self, identity: usize, n: usize) -> Result<Option<Asked>, SimulateError> {
        let chance = self.chance.uniform();
        self.world.ask(self.agent, identity, n, chance)
    }

    /// Collects the money due to an identity apart from claims, such as its share of paid
    /// predictions.
    ///
    /// # Errors
    /// Returns the errors of [`AgentContext::contribute`].
    pub fn collect(&mut self, identity: usize) -> Result<Option<Collected>, SimulateError> {
        self.world.collect(self.agent, identity)
    }

    /// Returns the wei that [`AgentContext::collect`] would bring.
    #[must_use]
    pub fn dues(&self, identity: usize) -> u128 {
        let view = self.view();
        view.mechanism.dues(view.account(identity))
    }
}

/// The engine as agents see it in their turns: one view of everything free, and all actions.
/// `agent` is an index into the scenario's agents.
pub(crate) trait World {
    /// Returns the view of everything that an agent can read for free.
    fn view(&self, agent: usize) -> View<'_>;

    /// Returns the wei that an account can still deposit. This asks the chain, which takes `&mut`.
    fn funds(&mut self, account: Address) -> Result<u128, SimulateError>;

    fn contribute(
        &mut self,
        agent: usize,
        identity: usize,
        pieces: &[Piece],
        max_deposit: u128,
    ) -> Result<bool, SimulateError>;

    fn claim(
        &mut self,
        agent: usize,
        identity: usize,
        wanted: &mut dyn FnMut(&Opportunity) -> bool,
    ) -> Result<(), SimulateError>;

    /// Returns the agent's contributions that have something left to claim. It caches predictions,
    /// which takes `&mut`.
    fn own(&mut self, agent: usize) -> Vec<Own>;

    /// Returns others' contributions whose first wait is over.
    fn foreign(&mut self, agent: usize) -> Vec<Foreign>;

    /// Moves money between two of the agent's identities.
    fn transfer(
        &mut self,
        agent: usize,
        identities: (usize, usize),
        wei: u128,
    ) -> Result<bool, SimulateError>;

    /// Pays for predictions. `chance`, in [0, 1), selects the first sample.
    fn ask(
        &mut self,
        agent: usize,
        identity: usize,
        n: usize,
        chance: f64,
    ) -> Result<Option<Asked>, SimulateError>;

    fn collect(
        &mut self,
        agent: usize,
        identity: usize,
    ) -> Result<Option<Collected>, SimulateError>;
}

/// View of the economy at one moment, as far as one agent can read it for free.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) mechanism: &'a dyn Mechanism,
    /// Training data, from which agents contribute.
    pub(crate) data: &'a Samples,
    pub(crate) classes: u16,
    /// Index of the first sample that may still be contributed.
    pub(crate) next_sample: usize,
    /// For each sample, `true` if it has been contributed.
    pub(crate) taken: &'a [bool],
    /// Contributions that have something left to claim, oldest first.
    pub(crate) pending: &'a [Pending],
    /// Keys of the agent, at least one.
    pub(crate) identities: &'a [Key],
    /// Start of the simulation, in Unix seconds.
    pub(crate) start: u64,
    /// Simulated seconds since the start.
    pub(crate) seconds: u64,
    pub(crate) accuracy: f64,
    pub(crate) counts: Counts,
    pub(crate) gas: Gas,
    /// Wei that reports took of others' deposits.
    pub(crate) taken_from_others: u128,
}

impl<'a> View<'a> {
    /// Returns the address of an identity, or that of the last one if there are fewer.
    fn account(&self, identity: usize) -> Address {
        self.identities[identity.min(self.identities.len() - 1)].address()
    }

    /// Returns the samples that nobody has contributed, in order: index, bytes and true label.
    fn upcoming(&self) -> impl Iterator<Item = (usize, &'a [u8], u16)> {
        let Self { data, taken, .. } = *self;
        let left = self.next_sample..taken.len();
        left.filter(move |index| !taken[*index]).map(move |index| {
            let (bytes, label) = data.get(index);
            (index, bytes, label)
        })
    }
}
