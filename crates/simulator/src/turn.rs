//! What an agent sees and can do when it is its turn.

use std::rc::Rc;

use cotrain_protocol::classifier::Parameters;

use crate::{
    SimulateError,
    chance::Chance,
    mechanism::{Asked, Collected, Opportunity, ReportStage},
};

/// How many samples ahead an agent that is choosy looks.
const AHEAD: usize = 64;

/// A sample to contribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample(pub(crate) Origin);

/// Where a sample is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The scenario's data, at this place: each is contributed once.
    Data(usize),
    /// These bytes: somebody else's contribution, or the agent's invention.
    Copy(Rc<[u8]>),
}

impl Sample {
    /// The same bytes as somebody else's contribution. It takes nothing of the scenario's data.
    #[must_use]
    pub fn copied(bytes: &[u8]) -> Self {
        Self(Origin::Copy(bytes.into()))
    }

    /// Returns a sample of the agent's own making, which takes nothing of the scenario's data.
    #[must_use]
    pub fn made(bytes: &[u8]) -> Self {
        Self(Origin::Copy(bytes.into()))
    }
}

/// A labelled sample to contribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The sample.
    pub sample: Sample,
    /// The label to send.
    pub label: u16,
}

/// A contribution of one's own of which something is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// The simulated second in which it was made.
    pub seconds: u64,
    /// Its label.
    pub label: u16,
    /// Its sample's bytes.
    pub sample: Vec<u8>,
    /// Whether the model predicts its label now.
    pub agrees: bool,
}

/// Somebody else's contribution whose first wait is over and of which something is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// Its place among all contributions, from 0.
    pub position: u64,
    /// Its label.
    pub label: u16,
    /// Its sample's bytes.
    pub sample: Vec<u8>,
    /// Its deposit, in wei.
    pub deposit: u128,
    /// `true` if the model predicts its label now.
    pub agrees: bool,
    /// The next step towards a report of it.
    pub stage: ReportStage,
}

/// One turn of one agent. Whatever changes anything is a transaction on the chain (or signed for a relayer);
/// what is only read is free.
///
/// `identity` is one of the agent's addresses, from 0; there is no other way to name one, so that an agent
/// cannot act for others. One that it does not have is taken for its last.
pub struct Turn<'a> {
    floor: &'a mut dyn Floor,
    chance: &'a mut Chance,
    agent: usize,
}

impl<'a> Turn<'a> {
    pub(crate) fn new(floor: &'a mut dyn Floor, chance: &'a mut Chance, agent: usize) -> Self {
        Self {
            floor,
            chance,
            agent,
        }
    }

    /// The agent's own random numbers.
    pub fn chance(&mut self) -> &mut Chance {
        self.chance
    }

    /// Simulated seconds since the start.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.floor.now()
    }

    /// Classes of the model; labels run from 0 to one below.
    #[must_use]
    pub fn classes(&self) -> u16 {
        self.floor.classes()
    }

    /// Returns the parameters that the model was created with.
    #[must_use]
    pub fn parameters(&self) -> Parameters {
        self.floor.parameters()
    }

    /// The accuracy that was last measured, in [0, 1].
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        self.floor.accuracy()
    }

    /// Whether the mechanism takes contributions now.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.floor.is_open()
    }

    /// Wei that each of `n` contributions in one transaction deposits now.
    #[must_use]
    pub fn price(&self, n: usize) -> u128 {
        self.floor.price(n)
    }

    /// Wei a unit of gas costs.
    #[must_use]
    pub fn gas_price(&self) -> u128 {
        self.floor.gas_price()
    }

    /// Gas that a contribution (`true`) or a claim (`false`) has used on average so far in this run, of all
    /// agents; a rough figure before there were any.
    #[must_use]
    pub fn usual_gas(&self, contribution: bool) -> u64 {
        self.floor.usual_gas(contribution)
    }

    /// How many identities the agent has.
    #[must_use]
    pub fn identities(&self) -> usize {
        self.floor.identities(self.agent)
    }

    /// Wei that an identity can still deposit.
    ///
    /// # Errors
    /// Where the chain fails.
    pub fn funds(&mut self, identity: usize) -> Result<u128, SimulateError> {
        self.floor.funds(self.agent, identity)
    }

    /// Good contributions of an identity, and of all accounts.
    #[must_use]
    pub fn good(&self, identity: usize) -> (u64, u64) {
        self.floor.good(self.agent, identity)
    }

    /// The next sample of the data that nobody has contributed, with its true label; none where there is no
    /// more.
    #[must_use]
    pub fn next_sample(&self) -> Option<(Sample, u16)> {
        self.next_samples(1).pop()
    }

    /// The next samples, at most `n`, in the order of the data.
    #[must_use]
    pub fn next_samples(&self, n: usize) -> Vec<(Sample, u16)> {
        let places = self.floor.upcoming(n).into_iter();
        places
            .map(|place| (Sample(Origin::Data(place)), self.floor.label(place)))
            .collect()
    }

    /// The first of the next 64 samples for which `wanted` holds, given the sample's bytes and its true label.
    pub fn find_sample(&self, mut wanted: impl FnMut(&[u8], u16) -> bool) -> Option<(Sample, u16)> {
        let label = |place| self.floor.label(place);
        let places = self.floor.upcoming(AHEAD).into_iter();
        let mut chosen = places.filter(|place| wanted(self.floor.bytes(*place), label(*place)));
        let place = chosen.next()?;
        Some((Sample(Origin::Data(place)), label(place)))
    }

    /// A sample's bytes.
    #[must_use]
    pub fn bytes<'s>(&'s self, sample: &'s Sample) -> &'s [u8] {
        match &sample.0 {
            Origin::Data(place) => self.floor.bytes(*place),
            Origin::Copy(bytes) => bytes,
        }
    }

    /// The label that the model predicts for a sample now.
    #[must_use]
    pub fn predict(&self, sample: &Sample) -> u16 {
        self.floor.predict(sample)
    }

    /// Contributes in one transaction, if each deposit is at most `most` wei, the identity can pay, and the
    /// mechanism is open: whether it was sent (or signed, where a relayer sends).
    ///
    /// # Errors
    /// Where the chain refuses what the rules allow, or computes something else than they do.
    pub fn contribute(
        &mut self,
        identity: usize,
        pieces: &[Piece],
        most: u128,
    ) -> Result<bool, SimulateError> {
        self.floor.contribute(self.agent, identity, pieces, most)
    }

    /// Claims everything that an identity can get out of deposits now and that `wanted` holds for, and pay the
    /// gas for.
    ///
    /// # Errors
    /// As [`Turn::contribute`].
    pub fn claim(
        &mut self,
        identity: usize,
        wanted: &mut dyn FnMut(&Opportunity) -> bool,
    ) -> Result<(), SimulateError> {
        self.floor.claim(self.agent, identity, wanted)
    }

    /// Claims all that can be claimed now by any identity.
    ///
    /// # Errors
    /// As [`Turn::contribute`].
    pub fn claim_all(&mut self) -> Result<(), SimulateError> {
        for identity in 0..self.identities() {
            self.claim(identity, &mut |_| true)?;
        }
        Ok(())
    }

    /// The agent's contributions of which something is left, oldest first.
    pub fn own(&mut self) -> Vec<Own> {
        self.floor.own(self.agent)
    }

    /// Returns others' contributions that can be refunded or reported as far as their time goes, oldest first.
    pub fn foreign(&mut self) -> Vec<Foreign> {
        self.floor.foreign(self.agent)
    }

    /// Wei that all agents have taken so far of others' deposits, by reports.
    #[must_use]
    pub fn taken(&self) -> u128 {
        self.floor.taken()
    }

    /// The next simulated second, after this one, at which other claims become possible; none where nothing is
    /// pending.
    #[must_use]
    pub fn next_edge(&self) -> Option<u64> {
        self.floor.next_edge()
    }

    /// Moves money between two identities of the agent: whether it could.
    ///
    /// # Errors
    /// Where the chain fails.
    pub fn transfer(&mut self, from: usize, to: usize, wei: u128) -> Result<bool, SimulateError> {
        self.floor.transfer(self.agent, from, to, wei)
    }

    /// Pays for the predictions of `n` samples of the test data, from a place on that is left to chance.
    /// None where the identity cannot pay, or nobody is paid for predictions.
    ///
    /// # Errors
    /// As [`Turn::contribute`].
    pub fn ask(&mut self, identity: usize, n: usize) -> Result<Option<Asked>, SimulateError> {
        let chance = self.chance.uniform();
        self.floor.ask(self.agent, identity, n, chance)
    }

    /// Collects what is due to an identity apart from claims: its share of what was paid for predictions, say.
    ///
    /// # Errors
    /// As [`Turn::contribute`].
    pub fn collect(&mut self, identity: usize) -> Result<Option<Collected>, SimulateError> {
        self.floor.collect(self.agent, identity)
    }

    /// Wei that [`Turn::collect`] would bring.
    #[must_use]
    pub fn dues(&self, identity: usize) -> u128 {
        self.floor.dues(self.agent, identity)
    }
}

/// The engine, as turns see it. `agent` is a place in the scenario.
pub(crate) trait Floor {
    fn now(&self) -> u64;
    fn classes(&self) -> u16;
    fn parameters(&self) -> Parameters;
    fn accuracy(&self) -> f64;
    fn is_open(&self) -> bool;
    fn price(&self, n: usize) -> u128;
    fn gas_price(&self) -> u128;
    fn usual_gas(&self, contribution: bool) -> u64;
    fn identities(&self, agent: usize) -> usize;
    fn funds(&mut self, agent: usize, identity: usize) -> Result<u128, SimulateError>;
    fn good(&self, agent: usize, identity: usize) -> (u64, u64);
    fn upcoming(&self, most: usize) -> Vec<usize>;
    fn bytes(&self, place: usize) -> &[u8];
    fn label(&self, place: usize) -> u16;
    fn predict(&self, sample: &Sample) -> u16;
    fn contribute(
        &mut self,
        agent: usize,
        identity: usize,
        pieces: &[Piece],
        most: u128,
    ) -> Result<bool, SimulateError>;
    fn claim(
        &mut self,
        agent: usize,
        identity: usize,
        wanted: &mut dyn FnMut(&Opportunity) -> bool,
    ) -> Result<(), SimulateError>;
    fn own(&mut self, agent: usize) -> Vec<Own>;
    fn foreign(&mut self, agent: usize) -> Vec<Foreign>;
    fn taken(&self) -> u128;
    fn next_edge(&self) -> Option<u64>;
    fn transfer(
        &mut self,
        agent: usize,
        from: usize,
        to: usize,
        wei: u128,
    ) -> Result<bool, SimulateError>;
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
    fn dues(&self, agent: usize, identity: usize) -> u128;
}
