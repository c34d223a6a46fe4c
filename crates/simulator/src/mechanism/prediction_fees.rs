//! Paid predictions: the contract that sells a trainer's predictions, and its reference model.

use alloy_primitives::{Address, U256};
use cotrain_bindings::{self as bindings, prediction_fees as calls};
use cotrain_chain::{Chain, Transaction};
use cotrain_client::deploy::{DeploymentCost, deploy_prediction_fees};
use cotrain_protocol::{prediction_fees, trainer::Trainer};

use super::{
    Asked, Collected,
    contract::{OWNER, accepted, same, send},
};
use crate::SimulateError;

/// Contract that sells a trainer's predictions, with its reference model.
pub(crate) struct PredictionFees {
    address: Address,
    reference: prediction_fees::PredictionFees,
}

impl PredictionFees {
    /// Deploys the contract for a trainer, at a price per prediction in wei.
    pub(crate) fn deploy(
        chain: &mut dyn Chain,
        trainer: Address,
        price: u128,
        cost: &mut DeploymentCost,
    ) -> Result<Self, SimulateError> {
        Ok(Self {
            address: deploy_prediction_fees(chain, OWNER, trainer, price, cost)?,
            reference: prediction_fees::PredictionFees::new(price).map_err(accepted("create"))?,
        })
    }

    /// Returns the price of one prediction, in wei.
    pub(crate) fn price(&self) -> u128 {
        self.reference.price()
    }

    /// Pays for predictions; returns `None` if the caller cannot pay for them and the gas.
    pub(crate) fn ask(
        &mut self,
        chain: &mut dyn Chain,
        trainer: &Trainer,
        caller: Address,
        samples: &[&[u8]],
    ) -> Result<Option<Asked>, SimulateError> {
        const CALL: &str = "predict";
        let paid = self.price() * samples.len() as u128;
        let transaction = Transaction::call(caller, self.address, bindings::predict(samples))
            .with_value(U256::from(paid));
        let Some(receipt) = send(chain, transaction)? else {
            return Ok(None);
        };
        let predicted = self.reference.predict(trainer.classifier(), paid, samples);
        let predicted = predicted.map_err(accepted(CALL))?;
        let seen = bindings::read_labels(&receipt.output);
        same(CALL, &seen, &Some(predicted.labels.clone()))?;
        Ok(Some(Asked {
            labels: predicted.labels,
            paid,
            gas: receipt.gas_used,
        }))
    }

    /// Returns the money that an account has earned by its registered contributions, in wei.
    pub(crate) fn dues(&self, account: Address) -> u128 {
        self.reference.earned(account)
    }

    /// Collects for an account; returns `None` if nothing is due, or it cannot pay for the gas.
    pub(crate) fn collect(
        &mut self,
        chain: &mut dyn Chain,
        trainer: &Trainer,
        account: Address,
    ) -> Result<Option<Collected>, SimulateError> {
        if self.dues(account) == 0 {
            return Ok(None);
        }
        let transaction = Transaction::call(account, self.address, calls::collect());
        let Some(receipt) = send(chain, transaction)? else {
            return Ok(None);
        };
        let collected = self.reference.collect(account, trainer.good(account));
        Ok(Some(Collected {
            amount: collected.map_err(accepted("collect"))?.amount,
            gas: receipt.gas_used,
        }))
    }

    /// Registers an account's good contributions, if their number has changed since the last time.
    /// Returns the gas used; `None` if there is nothing to register, or it cannot pay for the gas.
    pub(crate) fn register(
        &mut self,
        chain: &mut dyn Chain,
        trainer: &Trainer,
        account: Address,
    ) -> Result<Option<u64>, SimulateError> {
        if trainer.good(account) == self.reference.shares(account) {
            return Ok(None);
        }
        let transaction = Transaction::call(account, self.address, calls::register(account));
        let Some(receipt) = send(chain, transaction)? else {
            return Ok(None);
        };
        self.reference.register(account, trainer.good(account));
        Ok(Some(receipt.gas_used))
    }

    /// Compares the chain with the reference model.
    pub(crate) fn compare(
        &self,
        chain: &mut dyn Chain,
        accounts: &[Address],
    ) -> Result<(), SimulateError> {
        let held = chain.balance(self.address)?;
        same("balance", &held, &U256::from(self.reference.held()))?;
        for account in accounts {
            let call =
                Transaction::call(Address::ZERO, self.address, calls::state::earned(*account));
            let earned = bindings::read_number(&chain.call(call)?.output);
            let expected = U256::from(self.reference.earned(*account));
            same("earned", &earned, &Some(expected))?;
        }
        Ok(())
    }
}
