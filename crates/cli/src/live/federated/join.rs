//! `cotrain federated join`: the stake of a client.

use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::SolCall;
use anyhow::anyhow;
use clap::Args;
use cotrain_bindings::federated::FederatedTrainer;
use cotrain_client::{
    federated::Token,
    send::{Call, gas_cost},
};
use serde::Serialize;

use super::view::{View, no_token, send};
use crate::{
    error::CommandError,
    live::{acting::Acting, block_on, connection::Session, show, wei::Wei},
};

/// About the gas of minting test tokens, of an approval, and of a deposit.
const GAS: [u64; 3] = [55_000, 50_000, 95_000];

/// Deposit the stake of an update with the trainer
///
/// It approves the transfer of exactly this amount, and deposits it. The stake stays yours: an update
/// locks it for a round, and `cotrain federated leave` takes it back. After an interruption, run the
/// same again.
#[derive(Debug, Args)]
pub(crate) struct Join {
    /// Amount to deposit, in whole tokens [default: what is missing for one stake]
    #[arg(long, value_name = "TOKENS")]
    amount: Option<String>,
    /// Mint missing test tokens first, on a development chain
    #[arg(long)]
    mint: bool,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Serialize)]
struct Joined {
    chain_id: u64,
    trainer: Address,
    account: Address,
    /// Deposited amount in the smallest units, as text, like all amounts here.
    deposited: String,
    free: String,
    transactions: Vec<B256>,
    gas_cost: String,
}

/// Deposits a stake.
pub(crate) fn run(arguments: &Join) -> Result<(), CommandError> {
    block_on(async {
        let acting = &arguments.acting;
        let session = acting.connection.open().await?;
        let key = acting.key.key(session.node.chain_id())?;
        let view = View::find(&session, &acting.model).await?;
        let (account, facts, token) = (key.address(), &view.facts, &view.stake_token);
        let amount = arguments.amount(&session, &view, account).await?;
        let missing = arguments.missing(&session, &view, account, amount).await?;
        let allowed = token.allowance(&session.node, account, facts.trainer);
        let allowed = allowed.await?;
        let deposit = FederatedTrainer::depositCall {
            amount: U256::from(amount),
        };
        let approve = Token::approve(facts.trainer, amount);
        let calls = [
            (missing > 0, token.address, Token::mint(account, missing)),
            (allowed < amount, token.address, approve),
            (true, facts.trainer, deposit.abi_encode().into()),
        ];
        let gas = calls.iter().zip(GAS).filter(|(call, _)| call.0);
        let gas = gas.map(|(_, gas)| gas).sum();
        let action = format!("deposit {} with the trainer", token.show(amount));
        let notes = vec![(
            "stake",
            format!(
                "an update locks {} for a round; a harmful one loses {}, and one that is not revealed all of it",
                token.show(facts.terms.stake),
                token.show(facts.terms.slash)
            ),
        )];
        let paying = (&acting.gas_fees, &acting.spending);
        let bill = view.bill(&session, account, paying, (action, gas), notes);
        if !acting
            .spending
            .agreed(&session, &bill.await?, acting.json)?
        {
            return Ok(());
        }
        let budget = acting.spending.budget();
        let sender = acting.gas_fees.sender(&session.node, &key, &budget);
        let (mut transactions, mut cost) = (Vec::new(), 0_u128);
        for (_, to, data) in calls.into_iter().filter(|call| call.0) {
            let call = Call {
                to: Some(to),
                value: 0,
                data,
            };
            let receipt = send(&sender, call).await?;
            transactions.push(receipt.transaction);
            cost = cost.saturating_add(gas_cost(&receipt));
        }
        let (free, _) = view.account(&session, account).await?;
        let joined = Joined {
            chain_id: facts.chain_id,
            trainer: facts.trainer,
            account,
            deposited: amount.to_string(),
            free: free.to_string(),
            transactions,
            gas_cost: cost.to_string(),
        };
        show(acting.json, &joined, || {
            format!(
                "deposited  {}\nfree       {}\ngas        {}\n",
                token.show(amount),
                token.show(free),
                Wei(cost)
            )
        })?;
        view.remember(&session).await.map(drop)
    })
}

impl Join {
    /// Returns the amount to deposit.
    async fn amount(
        &self,
        session: &Session,
        view: &View,
        account: Address,
    ) -> Result<u128, CommandError> {
        let (facts, token) = (&view.facts, &view.stake_token);
        if account == facts.owner {
            return Err(CommandError::Mistake(anyhow!(
                "nothing was sent: {account} owns the model and knows the test set, so it cannot take part; join with \
                 another account"
            )));
        }
        let (free, _) = view.account(session, account).await?;
        let amount = match &self.amount {
            Some(text) => token.parse(text).map_err(no_token)?,
            None => facts.terms.stake.saturating_sub(free),
        };
        if amount > 0 {
            return Ok(amount);
        }
        Err(CommandError::Mistake(anyhow!(
            "nothing was sent: {account} has {} free with the trainer, which is enough for a stake of {}; name more with \
             --amount",
            token.show(free),
            token.show(facts.terms.stake)
        )))
    }

    /// Returns the amount to mint before the deposit.
    async fn missing(
        &self,
        session: &Session,
        view: &View,
        account: Address,
        amount: u128,
    ) -> Result<u128, CommandError> {
        let token = &view.stake_token;
        if self.mint && !view.takes_test_token() {
            return Err(CommandError::Mistake(anyhow!(
                "nothing was sent: only the test token of a development chain can be minted, and the stake token is {}; \
                 leave out --mint",
                token.address
            )));
        }
        let has = token.balance(&session.node, account).await?;
        let missing = amount.saturating_sub(has);
        if missing == 0 || self.mint {
            return Ok(missing);
        }
        let hint = if view.takes_test_token() {
            ", such as by --mint"
        } else {
            ""
        };
        Err(CommandError::Mistake(anyhow!(
            "nothing was sent: {account} has {}, and {} are to be deposited; get {} more{hint}",
            token.show(has),
            token.show(amount),
            token.show(missing)
        )))
    }
}
