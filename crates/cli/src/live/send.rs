//! Sending transactions and waiting until they are part of the chain.

use std::time::Duration;

use alloy_primitives::{Address, B256, U256};
use anyhow::{Context, anyhow};
use clap::Args;
use cotrain_chain::{
    TRANSACTION_GAS_LIMIT,
    keys::{Key, Signed, Unsigned},
    node::{Node, NodeError, NodeReceipt},
};
use cotrain_client::fees::{self, Next, Offer};
use cotrain_protocol::{Amount, GasPrice};
use tokio::time::{Instant, sleep};

use super::{
    connection::{Connection, ModelArg},
    key::KeyArgs,
    spending::{Budget, SpendingArgs},
    wei::Wei,
};
use crate::failure::Failure;

/// How long a transaction may wait before it is sent again with higher fees.
const BUMP_AFTER: Duration = Duration::from_mins(1);
/// The first and the longest wait between two looks for a receipt.
const LOOKS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// How long a receipt may be missing of a transaction whose nonce is used.
pub(crate) const LAG: Duration = Duration::from_secs(5);

/// Who acts on which model, and where.
#[derive(Debug, Args)]
pub(crate) struct Acting {
    #[command(flatten)]
    pub(crate) model: ModelArg,
    #[command(flatten)]
    pub(crate) connection: Connection,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    #[command(flatten)]
    pub(crate) fees: FeeArgs,
    #[command(flatten)]
    pub(crate) spending: SpendingArgs,
    /// Print one JSON object to stdout
    #[arg(long, help_heading = None::<&str>)]
    pub(crate) json: bool,
}

/// What a transaction may cost.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Chain")]
pub(crate) struct FeeArgs {
    /// The most to pay for a unit of gas, such as 30gwei [default: twice what it costs now, up to
    /// four times that if the transaction waits for long]
    #[arg(long, value_name = "WEI")]
    pub(crate) max_fee: Option<Wei>,
}

/// An account that sends transactions.
pub(crate) struct Sender<'a> {
    pub(crate) node: &'a Node,
    pub(crate) key: &'a Key,
    pub(crate) max_fee: Option<Wei>,
    /// Its limit; the gas of each delivered transaction is taken off it.
    pub(crate) budget: Budget,
}

/// A transaction on its way, under each hash that it was signed with.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub(crate) unsigned: Unsigned,
    pub(crate) signed: Vec<Signed>,
}

impl Sender<'_> {
    /// Sends a transaction and waits for it. What would fail is not sent.
    pub(crate) async fn send(
        &self,
        to: Option<Address>,
        value: u128,
        data: Vec<u8>,
    ) -> Result<NodeReceipt, Failure> {
        let mut outgoing = self.prepare(to, value, data).await?;
        self.deliver(&mut outgoing, &mut |_| Ok(())).await
    }

    /// As [`send`](Self::send), with so much gas, whatever the node thinks of it.
    pub(crate) async fn send_with_gas(
        &self,
        to: Option<Address>,
        data: Vec<u8>,
        gas_limit: u64,
    ) -> Result<NodeReceipt, Failure> {
        let mut outgoing = self.sign(to, U256::ZERO, data, gas_limit).await?;
        self.deliver(&mut outgoing, &mut |_| Ok(())).await
    }

    /// Signs a transaction. What would fail is an error.
    pub(crate) async fn prepare(
        &self,
        to: Option<Address>,
        value: u128,
        data: Vec<u8>,
    ) -> Result<Outgoing, Failure> {
        let from = self.key.address();
        let value = U256::from(value);
        let gas = match self.node.estimate(from, to, value, data.clone()).await {
            Err(error) => return Err(self.unpaid(value, error).await),
            Ok(gas) => gas,
        };
        if gas > TRANSACTION_GAS_LIMIT {
            return Err(anyhow!(
                "the transaction would use {gas} gas, at most {TRANSACTION_GAS_LIMIT} are possible"
            )
            .into());
        }
        self.sign(to, value, data, gas_limit(gas)).await
    }

    async fn sign(
        &self,
        to: Option<Address>,
        value: U256,
        data: Vec<u8>,
        gas_limit: u64,
    ) -> Result<Outgoing, Failure> {
        let Offer {
            max_fee,
            priority_fee,
        } = self.offer().await?;
        let at_most = cost(value, gas_limit, max_fee);
        self.budget.check(at_most)?;
        let has = self.node.balance(self.key.address()).await?;
        let at_most = U256::from(at_most);
        if has < at_most {
            return Err(self.poor(has, value, at_most));
        }
        let unsigned = Unsigned {
            chain_id: self.node.chain_id(),
            nonce: self.node.nonce(self.key.address()).await?,
            to,
            value,
            data: data.into(),
            gas_limit,
            max_fee,
            priority_fee,
        };
        let signed = vec![self.key.sign_transaction(&unsigned)];
        Ok(Outgoing { unsigned, signed })
    }

    /// Sends what is signed until one of it is part of the chain. Where it takes long, signs it anew
    /// with higher fees; `keep` is called before anything newly signed is sent.
    pub(crate) async fn deliver(
        &self,
        outgoing: &mut Outgoing,
        keep: &mut (dyn FnMut(&Outgoing) -> Result<(), Failure> + Send),
    ) -> Result<NodeReceipt, Failure> {
        let mut sent = false;
        match self.deliver_noting(outgoing, keep, &mut sent).await {
            Ok(receipt) => {
                self.budget.spend(gas_cost(&receipt));
                succeeded(receipt)
            }
            Err(failure) if sent => Err(maybe_included(outgoing, failure)),
            Err(failure) => Err(failure),
        }
    }

    /// As [`deliver`](Self::deliver); whether the node took any of it is in `sent`.
    async fn deliver_noting(
        &self,
        outgoing: &mut Outgoing,
        keep: &mut (dyn FnMut(&Outgoing) -> Result<(), Failure> + Send),
        sent: &mut bool,
    ) -> Result<NodeReceipt, Failure> {
        let mut at_maximum = false;
        loop {
            for signed in &outgoing.signed {
                match self.node.broadcast(&signed.raw).await {
                    Ok(()) | Err(NodeError::Underpriced) => *sent = true,
                    Err(NodeError::NonceTooLow) => return self.included(outgoing, LAG).await,
                    // It may have come through, and only the answer not.
                    Err(error) if error.is_transient() => {
                        *sent = true;
                        tracing::warn!(%error, "sending goes on");
                    }
                    Err(error) => {
                        return Err(self.unpaid(outgoing.unsigned.value, error).await);
                    }
                }
                tracing::info!(hash = %signed.hash, nonce = outgoing.unsigned.nonce, "sent");
            }
            if let Some(receipt) = self.receipt(outgoing, BUMP_AFTER).await? {
                return Ok(receipt);
            }
            let Some(raised) = self.raised(&outgoing.unsigned).await? else {
                if !at_maximum {
                    tracing::warn!(
                        "the transaction {} still waits, and its fee is as high as it may be, {} for a unit of \
                         gas; --max-fee and --max-total allow more",
                        outgoing
                            .signed
                            .last()
                            .map_or(B256::ZERO, |signed| signed.hash),
                        GasPrice(outgoing.unsigned.max_fee)
                    );
                }
                at_maximum = true;
                continue;
            };
            tracing::info!(max_fee = raised.max_fee, "still waiting; offers more");
            outgoing.signed.push(self.key.sign_transaction(&raised));
            outgoing.unsigned = raised;
            keep(outgoing)?;
        }
    }

    /// The receipt of a transaction whose nonce is used.
    async fn included(
        &self,
        outgoing: &Outgoing,
        patience: Duration,
    ) -> Result<NodeReceipt, Failure> {
        match self.receipt(outgoing, patience).await? {
            Some(receipt) => Ok(receipt),
            None => Err(anyhow!(NodeError::NonceTooLow)
                .context(format!(
                    "another transaction of {} took the nonce {}; let nothing else send from this account \
                     meanwhile, and run the same again",
                    self.key.address(),
                    outgoing.unsigned.nonce
                ))
                .into()),
        }
    }

    /// The receipt of any of what was signed, once there is one.
    pub(crate) async fn receipt(
        &self,
        outgoing: &Outgoing,
        patience: Duration,
    ) -> Result<Option<NodeReceipt>, Failure> {
        let start = Instant::now();
        let mut pause = LOOKS.0;
        loop {
            for signed in &outgoing.signed {
                match self.node.receipt(signed.hash).await {
                    Ok(Some(receipt)) => return Ok(Some(receipt)),
                    Ok(None) => {}
                    Err(error) if error.is_transient() => tracing::warn!(%error, "waiting goes on"),
                    Err(error) => return Err(error.into()),
                }
            }
            if start.elapsed() >= patience {
                return Ok(None);
            }
            sleep(pause).await;
            pause = (pause * 2).min(LOOKS.1);
        }
    }

    /// A node's error, in words about the account where it cannot pay.
    pub(crate) async fn unpaid(&self, value: U256, error: NodeError) -> Failure {
        if !matches!(error, NodeError::InsufficientFunds { .. }) {
            return error.into();
        }
        match self.node.balance(self.key.address()).await {
            Ok(has) => self.poor(has, value, value),
            Err(_) => error.into(),
        }
    }

    /// The account has less than it needs: `value`, and gas besides.
    fn poor(&self, has: U256, value: U256, at_most: U256) -> Failure {
        let wei = |amount: U256| Amount(amount.saturating_to());
        let gas = at_most.saturating_sub(value);
        let needs = if gas.is_zero() {
            format!("{}, and gas besides", wei(value))
        } else if value.is_zero() {
            format!("up to {} for gas", wei(gas))
        } else {
            format!(
                "up to {}: {}, and up to {} for gas",
                wei(at_most),
                wei(value),
                wei(gas)
            )
        };
        Failure::Mistake(anyhow!(
            "the account {} has {} on chain {}, and this needs {needs}; send it money, or use another account",
            self.key.address(),
            wei(has),
            self.node.chain_id(),
        ))
    }

    /// Returns the first offer for a unit of gas.
    async fn offer(&self) -> Result<Offer, Failure> {
        let fees = self.node.fees().await?;
        fees::first(&fees, self.maximum()).map_err(|dear| {
            Failure::Mistake(anyhow!(
                "--max-fee is {}, and a unit of gas costs {} now; allow more, or wait",
                GasPrice(dear.maximum),
                GasPrice(dear.base)
            ))
        })
    }

    /// Returns the maximum for a unit of gas, in wei, if one was given.
    fn maximum(&self) -> Option<u128> {
        self.max_fee.map(|Wei(maximum)| maximum)
    }

    /// Returns the same transaction with fees that replace it; `None` if they would exceed what may be paid.
    async fn raised(&self, before: &Unsigned) -> Result<Option<Unsigned>, Failure> {
        let offer = Offer {
            max_fee: before.max_fee,
            priority_fee: before.priority_fee,
        };
        let Next::Raise(offer) = fees::next(offer, &self.node.fees().await?, self.maximum()) else {
            return Ok(None);
        };
        let at_most = cost(before.value, before.gas_limit, offer.max_fee);
        Ok(self.budget.check(at_most).is_ok().then(|| Unsigned {
            max_fee: offer.max_fee,
            priority_fee: offer.priority_fee,
            ..before.clone()
        }))
    }
}

/// Returns the gas limit of a transaction that would use so much now: that may change until it is included.
pub(crate) fn gas_limit(gas: u64) -> u64 {
    gas.saturating_add(gas / 4).min(TRANSACTION_GAS_LIMIT)
}

/// Returns the most that a transaction takes from its sender, in wei.
fn cost(value: U256, gas_limit: u64, max_fee: u128) -> u128 {
    let gas = u128::from(gas_limit).saturating_mul(max_fee);
    value.saturating_to::<u128>().saturating_add(gas)
}

/// What a transaction cost its sender for gas, in wei.
pub(crate) fn gas_cost(receipt: &NodeReceipt) -> u128 {
    u128::from(receipt.gas_used).saturating_mul(receipt.gas_price)
}

/// Something went wrong after a transaction was handed over: it may be included all the same.
fn maybe_included(outgoing: &Outgoing, failure: Failure) -> Failure {
    let hashes: Vec<String> = outgoing
        .signed
        .iter()
        .map(|signed| signed.hash.to_string())
        .collect();
    let context = format!(
        "the transaction {} was sent and may still become part of the chain; look for it before you send the \
         same again",
        hashes.join(" or ")
    );
    failure.context(context)
}

fn succeeded(receipt: NodeReceipt) -> Result<NodeReceipt, Failure> {
    if receipt.success {
        return Ok(receipt);
    }
    Err(anyhow!(
        "the transaction {} failed in block {}, after {} gas",
        receipt.transaction,
        receipt.block,
        receipt.gas_used
    ))
    .context("the chain changed meanwhile; look at it and try again")
    .map_err(Failure::Fault)
}
