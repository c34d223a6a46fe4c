//! Layers around a mechanism: they pass all calls on, and add something.

use alloy_primitives::Address;
use cotrain_chain::Chain;
use cotrain_client::deploy::DeploymentCost;
use cotrain_protocol::{classifier::Classifier, record::Contribution, sample::Item};

use super::{
    Asked, ClaimKind, Claimed, Collected, Fact, Mechanism, Opportunity, Pending, Relaying,
    ReportStage, Sent, Upkeep, Vocabulary,
};
use crate::SimulateError;

/// A layer around another mechanism: it passes every call on, and then adds something.
///
/// Each layer is a [`Mechanism`] itself.
pub trait MechanismLayer {
    /// Returns the title for readers.
    fn title(&self) -> &'static str;

    /// Returns the wrapped mechanism.
    fn inner(&self) -> &dyn Mechanism;

    /// Returns the wrapped mechanism, mutably.
    fn inner_mut(&mut self) -> &mut dyn Mechanism;

    /// Reacts to the contributions of one transaction.
    ///
    /// # Errors
    /// If an action of the layer fails.
    fn contributed(&mut self, _author: Address, _sent: &Sent) -> Result<(), SimulateError> {
        Ok(())
    }

    /// Reacts to the paid claims of one transaction.
    ///
    /// # Errors
    /// If an action of the layer fails.
    fn claimed(
        &mut self,
        _claimer: Address,
        _kind: ClaimKind,
        _paid: &Claimed,
    ) -> Result<(), SimulateError> {
        Ok(())
    }
}

impl<T: MechanismLayer> Mechanism for T {
    fn title(&self) -> &'static str {
        MechanismLayer::title(self)
    }

    fn chain(&self) -> &dyn Chain {
        self.inner().chain()
    }

    fn chain_mut(&mut self) -> &mut dyn Chain {
        self.inner_mut().chain_mut()
    }

    fn classifier(&self) -> &Classifier {
        self.inner().classifier()
    }

    fn deployment_cost(&self) -> DeploymentCost {
        self.inner().deployment_cost()
    }

    fn price(&self, n: usize) -> u128 {
        self.inner().price(n)
    }

    fn is_open(&self) -> bool {
        self.inner().is_open()
    }

    fn balance(&self, account: Address) -> u128 {
        self.inner().balance(account)
    }

    fn good(&self, account: Address) -> u64 {
        self.inner().good(account)
    }

    fn total_good(&self) -> u64 {
        self.inner().total_good()
    }

    fn contribute(
        &mut self,
        author: Address,
        items: &[Item<'_>],
    ) -> Result<Option<Sent>, SimulateError> {
        let sent = self.inner_mut().contribute(author, items)?;
        if let Some(sent) = &sent {
            self.contributed(author, sent)?;
        }
        Ok(sent)
    }

    fn edges(&self, contribution: &Contribution) -> Vec<u64> {
        self.inner().edges(contribution)
    }

    fn is_settled(&self, pending: &Pending) -> bool {
        self.inner().is_settled(pending)
    }

    fn report_stage(&self, contribution: &Contribution) -> ReportStage {
        self.inner().report_stage(contribution)
    }

    fn opportunity(&self, claimer: Address, pending: &mut Pending) -> Option<Opportunity> {
        self.inner().opportunity(claimer, pending)
    }

    fn claim(
        &mut self,
        claimer: Address,
        kind: ClaimKind,
        pending: &[&Pending],
    ) -> Result<Option<Claimed>, SimulateError> {
        let paid = self.inner_mut().claim(claimer, kind, pending)?;
        if let Some(paid) = &paid {
            self.claimed(claimer, kind, paid)?;
        }
        Ok(paid)
    }

    fn claim_gas(
        &mut self,
        claimer: Address,
        kind: ClaimKind,
        pending: &Pending,
    ) -> Result<u64, SimulateError> {
        self.inner_mut().claim_gas(claimer, kind, pending)
    }

    fn dues(&self, account: Address) -> u128 {
        self.inner().dues(account)
    }

    fn collect(&mut self, account: Address) -> Result<Option<Collected>, SimulateError> {
        self.inner_mut().collect(account)
    }

    fn prediction_price(&self) -> Option<u128> {
        self.inner().prediction_price()
    }

    fn ask(&mut self, caller: Address, samples: &[&[u8]]) -> Result<Option<Asked>, SimulateError> {
        self.inner_mut().ask(caller, samples)
    }

    fn register(&mut self, account: Address) -> Result<Option<u64>, SimulateError> {
        self.inner_mut().register(account)
    }

    fn next_event(&self) -> Option<u64> {
        self.inner().next_event()
    }

    fn advance(&mut self) -> Result<Upkeep, SimulateError> {
        self.inner_mut().advance()
    }

    fn facts(&self) -> Vec<Fact> {
        self.inner().facts()
    }

    fn words(&self) -> Vocabulary {
        self.inner().words()
    }

    fn outcome(&self) -> String {
        self.inner().outcome()
    }

    fn compare(&mut self, accounts: &[Address]) -> Result<(), SimulateError> {
        self.inner_mut().compare(accounts)
    }

    /// Returns `None`: relayed contributions would bypass [`MechanismLayer::contributed`].
    fn relaying(&mut self) -> Option<&mut dyn Relaying> {
        None
    }
}
