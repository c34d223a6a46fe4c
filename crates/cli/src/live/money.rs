//! `cotrain deposit` and `cotrain withdraw`: prepaid money, which pays for signed contributions.

use alloy_primitives::{Address, B256};
use anyhow::anyhow;
use clap::Args;
use cotrain_bindings::{self as bindings, state};
use cotrain_client::send::{Call, gas_cost};
use cotrain_protocol::parse_address;
use serde::Serialize;

use super::{
    acting::Acting,
    block_on,
    errors::unsent,
    model::LiveModel,
    show,
    spending::{Bill, Range, Target, gas_cost_of_all},
    wei::Wei,
};
use crate::error::CommandError;

const DEPOSIT_EXAMPLES: &str = "\
Examples:
  cotrain deposit 0.1ether --dev 1
  cotrain deposit 5000000gwei --keystore key.json --model spam
  cotrain deposit 0.1ether --for 0x7099… --dev 0     for another account";

/// Prepay money to a model's contract for your signed contributions
///
/// You can withdraw unspent money at any time. Refunds that others pushed for you are added to the
/// same balance.
#[derive(Debug, Args)]
#[command(after_help = DEPOSIT_EXAMPLES)]
pub(crate) struct Deposit {
    /// Amount in wei, or with a unit, such as 0.1ether or 5gwei
    amount: Wei,
    /// Account that gets the money [default: your own]
    #[arg(long = "for", value_name = "ADDR", value_parser = parse_address)]
    account: Option<Address>,
    #[command(flatten)]
    common: Acting,
}

const WITHDRAW_EXAMPLES: &str = "\
Examples:
  cotrain withdraw --dev 1                           all of it
  cotrain withdraw 0.05ether --to 0x7099… --dev 1    a part of it, to another address";

/// Withdraw prepaid or refunded money from a model's contract
#[derive(Debug, Args)]
#[command(after_help = WITHDRAW_EXAMPLES)]
pub(crate) struct Withdraw {
    /// Amount in wei, or with a unit [default: the whole balance]
    amount: Option<Wei>,
    /// Address that is paid [default: your own]
    #[arg(long, value_name = "ADDR", value_parser = parse_address)]
    to: Option<Address>,
    #[command(flatten)]
    common: Acting,
}

#[derive(Serialize)]
struct Moved {
    chain_id: u64,
    model: Address,
    account: Address,
    /// Amount in wei, as text, like the others.
    amount: String,
    balance: String,
    transaction: B256,
    block: u64,
    gas_cost: String,
}

/// Runs `cotrain deposit`.
pub(crate) fn deposit(arguments: &Deposit) -> Result<(), CommandError> {
    let Wei(amount) = arguments.amount;
    if amount == 0 {
        return Err(CommandError::Mistake(anyhow!(
            "nothing was sent: the amount is 0; say how much to prepay, such as 0.1ether"
        )));
    }
    move_money(&arguments.common, &|mine, _| {
        let account = arguments.account.unwrap_or(mine);
        let whose = if account == mine {
            String::new()
        } else {
            format!(" for {account}")
        };
        Ok(Move {
            action: format!("prepay {}{whose}", Wei(amount)),
            done: "deposited",
            account,
            amount,
            value: amount,
            call: bindings::deposit_to(account),
        })
    })
}

/// Runs `cotrain withdraw`.
pub(crate) fn withdraw(arguments: &Withdraw) -> Result<(), CommandError> {
    move_money(&arguments.common, &|mine, balance| {
        let amount = arguments.amount.map_or(balance, |Wei(amount)| amount);
        if amount == 0 || amount > balance {
            return Err(CommandError::Mistake(anyhow!(
                "nothing was sent: the account {mine} has {} prepaid with this model; {} cannot be withdrawn",
                Wei(balance),
                Wei(amount)
            )));
        }
        let to = arguments.to.unwrap_or(mine);
        Ok(Move {
            action: format!("withdraw {} to {to}", Wei(amount)),
            done: "withdrawn",
            account: mine,
            amount,
            value: 0,
            call: bindings::withdraw_to(to, amount),
        })
    })
}

/// A movement of prepaid money.
struct Move {
    /// Action as text.
    action: String,
    /// Action as text, once it is done.
    done: &'static str,
    /// The account whose prepaid balance changes.
    account: Address,
    amount: u128,
    /// Money that the transaction sends, in wei.
    value: u128,
    call: Vec<u8>,
}

/// Function that makes a movement from a sender's address and prepaid balance.
type Making<'a> = &'a dyn Fn(Address, u128) -> Result<Move, CommandError>;

fn move_money(common: &Acting, make: Making<'_>) -> Result<(), CommandError> {
    block_on(async {
        let session = common.connection.open().await?;
        let node = &session.node;
        let key = common.key.key(node.chain_id())?;
        let model = LiveModel::find_trainer(&session, &common.model).await?;
        let balance = async |account| {
            model
                .ask(node, "balanceOf", state::balance_of(account))
                .await
        };
        let before = balance(key.address()).await?;
        let one = make(key.address(), before)?;
        let budget = common.spending.budget();
        let sender = common.gas_fees.sender(node, &key, &budget);
        let call = Call {
            to: Some(model.facts.trainer),
            value: one.value,
            data: one.call.into(),
        };
        let gas = sender.estimate(&call).await.map_err(unsent)?;
        let bill = Bill {
            action: one.action,
            target: Target::new(&session, Some(&model)),
            account: key.address(),
            count: 1,
            each: None,
            value: Range::exactly(one.value),
            gas: Some(gas),
            gas_cost: gas_cost_of_all(
                gas,
                &node.gas_fees().await?,
                &common.gas_fees,
                &common.spending,
            ),
            notes: Vec::new(),
        };
        if !common.spending.agreed(&session, &bill, common.json)? {
            return Ok(());
        }
        let receipt = sender.send(call).await.map_err(unsent)?;
        let after = balance(one.account).await.map_err(|failure| {
            // The money has moved although the balance cannot be read.
            let done = format!(
                "{} {} in the transaction {}, but the balance cannot be read",
                one.done,
                Wei(one.amount),
                receipt.transaction
            );
            CommandError::Fault(anyhow!("{:#}", failure.error()).context(done))
        })?;
        let moved = Moved {
            chain_id: node.chain_id(),
            model: model.facts.trainer,
            account: one.account,
            amount: one.amount.to_string(),
            balance: after.to_string(),
            transaction: receipt.transaction,
            block: receipt.block,
            gas_cost: gas_cost(&receipt).to_string(),
        };
        show(common.json, &moved, || {
            format!(
                "{}  {}\nbalance    {} of {}\ngas        {}\n",
                one.done,
                Wei(one.amount),
                Wei(after),
                one.account,
                Wei(gas_cost(&receipt))
            )
        })
    })
}
