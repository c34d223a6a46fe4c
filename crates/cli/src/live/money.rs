//! `cotrain deposit` and `cotrain withdraw`: prepaid money, from which signed contributions are paid.

use alloy_primitives::{Address, B256};
use anyhow::anyhow;
use clap::Args;
use cotrain_bindings::{self as bindings, state};
use serde::Serialize;

use super::{
    block_on,
    model::{LiveModel, number},
    send::{Acting, Sender, gas_cost},
    show,
    wei::Wei,
};
use crate::failure::Failure;

const DEPOSIT_EXAMPLES: &str = "\
Examples:
  cotrain deposit 0.1ether --dev 1
  cotrain deposit 5000000gwei --keystore key.json --model spam
  cotrain deposit 0.1ether --for 0x7099… --dev 0     for somebody else";

/// Prepay: money that a model's contract keeps for your signed contributions
///
/// What is not spent can be withdrawn at any time. Refunds that others pushed for you are added to
/// the same balance.
#[derive(Debug, Args)]
#[command(after_help = DEPOSIT_EXAMPLES)]
pub(crate) struct Deposit {
    /// How much: a number of wei, or with a unit, such as 0.1ether or 5gwei
    amount: Wei,
    /// Whose balance it is added to [default: your own]
    #[arg(long = "for", value_name = "ADDR")]
    account: Option<Address>,
    #[command(flatten)]
    common: Acting,
}

const WITHDRAW_EXAMPLES: &str = "\
Examples:
  cotrain withdraw --dev 1                           all of it
  cotrain withdraw 0.05ether --to 0x7099… --dev 1    some of it, to somebody else";

/// Withdraw prepaid or refunded money from a model's contract
#[derive(Debug, Args)]
#[command(after_help = WITHDRAW_EXAMPLES)]
pub(crate) struct Withdraw {
    /// How much [default: all of the balance]
    amount: Option<Wei>,
    /// Who is paid [default: you]
    #[arg(long, value_name = "ADDR")]
    to: Option<Address>,
    #[command(flatten)]
    common: Acting,
}

#[derive(Serialize)]
struct Moved {
    model: Address,
    account: Address,
    /// Wei, as text, like the others.
    amount: String,
    balance: String,
    transaction: B256,
    block: u64,
    gas_cost: String,
}

/// Prepays.
pub(crate) fn deposit(arguments: &Deposit) -> Result<(), Failure> {
    let Wei(amount) = arguments.amount;
    move_money(&arguments.common, "deposited", &|mine, _| {
        let account = arguments.account.unwrap_or(mine);
        Ok((account, amount, amount, bindings::deposit_to(account)))
    })
}

/// Withdraws.
pub(crate) fn withdraw(arguments: &Withdraw) -> Result<(), Failure> {
    move_money(&arguments.common, "withdrawn", &|mine, balance| {
        let amount = arguments.amount.map_or(balance, |Wei(amount)| amount);
        if amount == 0 || amount > balance {
            return Err(Failure::Mistake(anyhow!(
                "the balance of {mine} is {}; {} cannot be withdrawn",
                Wei(balance),
                Wei(amount)
            )));
        }
        let to = arguments.to.unwrap_or(mine);
        Ok((mine, amount, 0, bindings::withdraw_to(to, amount)))
    })
}

/// Account, amount, wei sent along and the call, of a sender's address and balance.
type Call<'a> = &'a dyn Fn(Address, u128) -> Result<(Address, u128, u128, Vec<u8>), Failure>;

fn move_money(common: &Acting, done: &str, call: Call<'_>) -> Result<(), Failure> {
    block_on(async {
        let session = common.connection.open().await?;
        let node = &session.node;
        let key = common.key.key(node.chain_id())?;
        let model = LiveModel::find(&session, &common.model).await?;
        let balance = async |account| {
            number(node, model.trainer, state::balance_of(account), "balanceOf").await
        };
        let before = balance(key.address()).await?;
        let (account, amount, value, data) = call(key.address(), before)?;
        let sender = Sender {
            node,
            key: &key,
            max_fee: common.fees.max_fee,
        };
        let receipt = sender.send(Some(model.trainer), value, data).await?;
        let after = balance(account).await?;
        let moved = Moved {
            model: model.trainer,
            account,
            amount: amount.to_string(),
            balance: after.to_string(),
            transaction: receipt.transaction,
            block: receipt.block,
            gas_cost: gas_cost(&receipt).to_string(),
        };
        show(common.json, &moved, || {
            format!(
                "{done}  {}\nbalance    {} of {account}\ngas        {}\n",
                Wei(amount),
                Wei(after),
                Wei(gas_cost(&receipt))
            )
        })
    })
}
