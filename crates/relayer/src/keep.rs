//! Claims for accounts that have delegated them, if the claims pay more than their gas costs.

use std::{sync::Arc, time::Duration};

use alloy_primitives::{Address, U256};
use cotrain_chain::{TRANSACTION_GAS_LIMIT, node::Node};
use cotrain_client::{
    claims::{self, Act},
    estimate::Misfit,
    gas, gas_fees,
    send::SendError,
    split::{Attempt, Split, split_to_fit},
};
use cotrain_indexer::{
    HostedModel, StoreError,
    rows::{ContributionRow, Page},
    with_sources,
};
use cotrain_protocol::{
    record::{Contribution, group_by_record},
    trainer::{Delegation, Trainer, domain, is_contract},
};

use crate::{
    outbox::{Call, Outbox, OutboxError},
    rows::DelegationRow,
    store::RelayStore,
};

/// Maximum number of contributions read at once.
const PAGE: u32 = 2_000;

/// Options of the keeper, which claims for authors and reporters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeepOptions {
    /// Interval between two searches for claims.
    pub interval: Duration,
    /// Maximum price of gas, in wei per unit; `None` if unlimited.
    /// If the price is higher, the keeper sends no claims, and no sent transaction offers more.
    pub max_gas_price: Option<u128>,
    /// Maximum number of claims in one transaction.
    pub max_claims: u32,
    /// Minimum gain of a transaction above the cost of its gas, in wei.
    pub min_gain: u128,
}

/// Keeper of one model.
#[derive(Debug)]
pub(crate) struct Keeper {
    pub(crate) node: Node,
    pub(crate) store: RelayStore,
    pub(crate) model: Arc<HostedModel>,
    pub(crate) options: KeepOptions,
}

/// A claim that would succeed now.
#[derive(Debug)]
struct Possible {
    row: ContributionRow,
    /// Money that the claim pays, in wei.
    gain: u128,
    /// `true` if another account has announced a report, so the refund may be lost soon.
    urgent: bool,
}

impl Keeper {
    /// Sends the claims that are worth their gas.
    ///
    /// At most one transaction of refunds, one of announcements, and one of reports per account.
    pub(crate) async fn run(&self, outbox: &mut Outbox) -> Result<(), OutboxError> {
        let now = self.node.now().await?;
        let accounts = self.store.delegations(self.model.id(), now).await?;
        if accounts.is_empty() {
            return Ok(());
        }
        let gas_fees = self.node.gas_fees().await?;
        if gas_fees::is_too_dear(&gas_fees, self.options.max_gas_price) {
            return Ok(());
        }
        let price = gas_fees::price(&gas_fees);
        let due = now.saturating_sub(self.model.waits().refund);
        if !self.store.is_on_its_way(self.model.id(), "refund").await? {
            self.refunds(outbox, &accounts, (due, now), price).await?;
        }
        if !self.store.is_on_its_way(self.model.id(), "report").await? {
            self.reports(outbox, &accounts, (due, now), price).await?;
        }
        if self.model.waits().report_notice != 0
            && !self
                .store
                .is_on_its_way(self.model.id(), "announce")
                .await?
        {
            self.announcements(outbox, &accounts, (due, now), price)
                .await?;
        }
        Ok(())
    }

    /// Announces contributions that accounts can report later, if the shares together pay for it.
    ///
    /// They must be worth two transactions: a report takes about as much gas as its announcement.
    async fn announcements(
        &self,
        outbox: &mut Outbox,
        accounts: &[(DelegationRow, Vec<u8>)],
        (due, now): (u64, u64),
        price: u128,
    ) -> Result<(), OutboxError> {
        let rows = self.open(due, None).await?;
        let possible = {
            let state = self.model.state();
            let trainer = state.trainer();
            let possible = rows.into_iter().filter_map(|row| {
                let one = &row.contribution;
                let predicted = trainer.classifier().predict(&one.sample).ok()?;
                let accounts = accounts.iter().map(|(it, _)| (it.account, it.until));
                let gain = worth_announcing(trainer, now, one, predicted, accounts)?;
                Some(Possible {
                    row,
                    gain,
                    urgent: false,
                })
            });
            possible.collect()
        };
        let price = price.saturating_mul(2);
        let when = (now, price);
        self.claim(outbox, Act::Announce, possible, when).await
    }

    async fn refunds(
        &self,
        outbox: &mut Outbox,
        accounts: &[(DelegationRow, Vec<u8>)],
        (due, now): (u64, u64),
        price: u128,
    ) -> Result<(), OutboxError> {
        let mut possible = Vec::new();
        for (account, _) in accounts {
            if !self.can_push(account.account).await? {
                continue;
            }
            let rows = self.open(due, Some(account.account)).await?;
            let state = self.model.state();
            for row in rows {
                let one = &row.contribution;
                let predicted = state.trainer().classifier().predict(&one.sample);
                if predicted.is_ok_and(|label| label == one.label) {
                    let gain = one.deposit - row.taken;
                    let announced = state.trainer().announcement(one.position);
                    let urgent = announced.is_some_and(|announced| now <= announced.until);
                    possible.push(Possible { row, gain, urgent });
                }
            }
        }
        let when = (now, price);
        self.claim(outbox, Act::Refund, possible, when).await
    }

    /// Returns `true` if the trainer lets others send refunds for an account.
    async fn can_push(&self, account: Address) -> Result<bool, OutboxError> {
        if self.model.state().trainer().has_nonces(account) {
            return Ok(true);
        }
        Ok(!is_contract(&self.node.code(account).await?))
    }

    async fn reports(
        &self,
        outbox: &mut Outbox,
        accounts: &[(DelegationRow, Vec<u8>)],
        (due, now): (u64, u64),
        price: u128,
    ) -> Result<(), OutboxError> {
        let reporters: Vec<_> = {
            let state = self.model.state();
            let has_good =
                |(row, _): &&(DelegationRow, Vec<u8>)| state.trainer().good(row.account) > 0;
            accounts.iter().filter(has_good).collect()
        };
        if reporters.is_empty() {
            return Ok(());
        }
        let rows = self.open(due, None).await?;
        for (account, signature) in reporters {
            let reporter = account.account;
            let possible = {
                let state = self.model.state();
                let trainer = state.trainer();
                let possible = rows.iter().filter_map(|row| {
                    let one = &row.contribution;
                    let predicted = trainer.classifier().predict(&one.sample).ok()?;
                    let gain = worth_reporting(trainer, reporter, now, one, predicted)?;
                    Some(Possible {
                        row: row.clone(),
                        gain,
                        urgent: false,
                    })
                });
                possible.collect()
            };
            let delegation = Delegation {
                reporter,
                keeper: outbox.address(),
                until: account.until,
                signature: signature.clone(),
            };
            let when = (now, price);
            self.claim(outbox, Act::ReportFor(&delegation), possible, when)
                .await?;
        }
        Ok(())
    }

    /// Sends as many claims as fit, if together they pay more than their gas costs.
    ///
    /// Urgent claims go first, then those that pay most.
    /// By the keeper's own state, all of them are due at `now`, the time of the next block.
    async fn claim(
        &self,
        outbox: &mut Outbox,
        act: Act<'_>,
        mut possible: Vec<Possible>,
        (now, price): (u64, u128),
    ) -> Result<(), OutboxError> {
        possible.sort_by_key(|one| {
            let first = std::cmp::Reverse((one.urgent, one.gain));
            (first, one.row.contribution.position)
        });
        let max = usize::try_from(self.options.max_claims).unwrap_or(usize::MAX);
        possible.truncate(max);
        let facts = &self.model.info().facts;
        let trainer = facts.trainer;
        // A contract wallet's code may use more gas in the block than the claims are worth.
        let may_go_untried = match act {
            Act::ReportFor(delegation) => {
                delegation.signer(&domain(facts.chain_id, trainer)) == Some(delegation.reporter)
            }
            Act::Refund | Act::Announce | Act::Report | Act::ClaimLate => true,
        };
        let (sender, all) = (outbox.address(), &possible);
        let split = split_to_fit(all.len(), all.len(), |size| async move {
            let some = &all[..size];
            let gain: u128 = some.iter().map(|one| one.gain).sum();
            let positions = some
                .iter()
                .map(|one| (one.row.first_position, one.row.contribution.position));
            let batches = group_by_record(positions);
            let claims = self.store.chain().proved(self.model.id(), batches).await?;
            let data = act.call(&claims);
            let (node, value) = (&self.node, U256::ZERO);
            let estimate = node.estimate_next(sender, Some(trainer), value, data.clone());
            let judged = claims::judge(size, estimate.await.map_err(SendError::Node), now);
            let gas = gas_of(judged, may_go_untried).map_err(|error| *error)?;
            let Some(gas) = gas else {
                return Ok(Attempt::TooMany(()));
            };
            if gain <= self.least_gain(gas, price) {
                // A smaller number of claims that pay most may still be worth its gas.
                return Ok(Attempt::TooMany(()));
            }
            tracing::info!(purpose = act.name(), claims = size, gain, "claiming");
            Ok::<_, OutboxError>(Attempt::Fits(Call {
                model: self.model.id(),
                purpose: act.name(),
                to: trainer,
                data: data.into(),
                gas_limit: gas::limit(gas),
            }))
        });
        if let Split::Fits { transaction, .. } = split.await? {
            outbox.send(transaction, &[]).await?;
        }
        Ok(())
    }

    /// Returns the gain, in wei, that a transaction with this much gas must exceed.
    fn least_gain(&self, gas: u64, price: u128) -> u128 {
        price
            .saturating_mul(gas.into())
            .saturating_add(self.options.min_gain)
    }

    /// Returns all open contributions that were made up to `due`.
    async fn open(
        &self,
        due: u64,
        author: Option<Address>,
    ) -> Result<Vec<ContributionRow>, StoreError> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = Page { after, limit: PAGE };
            let rows = self
                .store
                .chain()
                .open_until(self.model.id(), due, author, page)
                .await?;
            let Some(last) = rows.last() else {
                return Ok(all);
            };
            after = i64::try_from(last.contribution.position).ok();
            all.extend(rows);
        }
    }
}

/// Returns the gas that claims would use; `None` if they have to wait, or if fewer may succeed.
///
/// One claim that the contract refuses does not block the others.
/// If the node cannot estimate claims that `may_go_untried`, the result is a transaction's maximum.
/// This is safe because the keeper's own state has found them due in the next block.
///
/// # Errors
/// A failure that a smaller number of claims cannot avoid.
/// The node has failed, or the keeper has no money.
fn gas_of(
    judged: Result<u64, Misfit>,
    may_go_untried: bool,
) -> Result<Option<u64>, Box<SendError>> {
    match judged {
        Ok(gas) => Ok(Some(gas)),
        Err(Misfit::NotYet(_)) if may_go_untried => Ok(Some(TRANSACTION_GAS_LIMIT)),
        Err(Misfit::Failed(error)) => Err(error),
        Err(misfit) => {
            tracing::debug!(error = %with_sources(&misfit), "these claims fail together");
            Ok(None)
        }
    }
}

/// Returns the sum that accounts would get from reports after an announcement, in wei.
/// `None` if no account could report.
///
/// Each account comes with the last second of its delegation.
fn worth_announcing(
    trainer: &Trainer,
    now: u64,
    one: &Contribution,
    predicted: u16,
    accounts: impl Iterator<Item = (Address, u64)>,
) -> Option<u128> {
    trainer.can_announce(now, one, predicted).ok()?;
    let waits = trainer.waits();
    let report = now.saturating_add(waits.report_notice);
    // From the owner's claim on, the owner may take the money that a report would pay.
    if report >= one.time.saturating_add(waits.owner_claim) {
        return None;
    }
    let shares = accounts
        // The delegation must still be valid at the time of the report.
        .filter(|(_, until)| *until >= report)
        .filter_map(|(account, _)| trainer.could_report(account, now, one, predicted).ok());
    let gain = shares.fold(0, u128::saturating_add);
    (gain > 0).then_some(gain)
}

/// Returns the share that a report pays an account, in wei; `None` if the share is 0.
///
/// A report without a share marks the reporter and costs gas.
fn worth_reporting(
    trainer: &Trainer,
    reporter: Address,
    now: u64,
    one: &Contribution,
    predicted: u16,
) -> Option<u128> {
    let gain = trainer.can_report(reporter, now, one, predicted).ok()?;
    (gain > 0).then_some(gain)
}

#[cfg(test)]
mod tests {
    use cotrain_bindings::Revert;
    use cotrain_chain::node::NodeError;
    use cotrain_protocol::{
        ContractError,
        classifier::{Classifier, Parameters},
        record::Record,
        sample::{Item, encode_batch, encode_sparse, parse_batch},
        trainer::{Incentive, Waits},
    };

    use super::*;

    const NOTICE: u64 = 200;
    const WAITS: Waits = Waits {
        refund: 100,
        owner_claim: 1_000,
        any_address_claim: 5_000,
        report_notice: NOTICE,
    };
    /// A time later than any in these tests.
    const LATE: u64 = 1 << 40;

    fn account(number: u8) -> Address {
        Address::with_last_byte(number)
    }

    /// Contributes that feature 3 belongs to class 1, at `now`.
    fn contribute(trainer: &mut Trainer, author: Address, now: u64) -> Record {
        let sample = encode_sparse(&[3]);
        let item = Item {
            label: 1,
            sample: &sample,
        };
        let batch = encode_batch(&[item]).expect("short");
        let price = trainer.price(1, now);
        let done = trainer.contribute(author, now, price, &batch);
        let done = done.expect("accepted");
        let items = parse_batch(&batch).expect("a batch");
        Record::new(done.first_position, done.deposit, now, &[(author, items)])
    }

    /// Returns a trainer, and a contribution of another account whose deposit is `cost_weight`.
    /// Each of the `authors` has one refunded contribution.
    fn trainer(authors: &[Address], cost_weight: u128, waits: Waits) -> (Trainer, Contribution) {
        let model = Classifier::new(Parameters::SparsePerceptron {
            features: 20,
            learning_rate: 1,
            intercept: 0,
        });
        let incentive = Incentive::DepositRefundTake { cost_weight };
        let model = model.expect("valid");
        let trainer = Trainer::new(account(1), 31_337, account(2), incentive, waits, model, 0);
        let mut trainer = trainer.expect("valid");
        let mut now = 0;
        for author in authors {
            now += 3_600;
            let record = contribute(&mut trainer, *author, now);
            let claims = [record.claims(&[record.first_position()])];
            let refunded = trainer.refund(*author, now + WAITS.refund, &claims);
            refunded.expect("a refund");
        }
        // After 3600 * 3600 seconds, the price equals the cost weight.
        let record = contribute(&mut trainer, account(9), now + 3_600 * 3_600);
        let one = record.contributions()[0].clone();
        assert_eq!(one.deposit, cost_weight);
        (trainer, one)
    }

    #[test]
    fn worth_announcing_leaves_out_what_is_too_late_or_brings_nothing() {
        let (anna, ben) = (account(11), account(12));
        let (both, one) = trainer(&[anna, ben], 1_000, WAITS);
        let worth = |now, predicted, accounts: &[(Address, u64)]| {
            worth_announcing(&both, now, &one, predicted, accounts.iter().copied())
        };
        let due = one.time + WAITS.refund;
        assert_eq!(worth(due, 0, &[(anna, LATE)]), Some(500));
        assert_eq!(worth(due, 0, &[(anna, LATE), (ben, LATE)]), Some(1_000));
        // Nothing is worth announcing before the wait is over, or if the model agrees.
        assert_eq!(worth(due - 1, 0, &[(anna, LATE)]), None);
        assert_eq!(worth(due, 1, &[(anna, LATE)]), None);
        // The last possible report is one second before the owner may claim.
        let last = one.time + WAITS.owner_claim - NOTICE - 1;
        assert_eq!(worth(last, 0, &[(anna, LATE)]), Some(500));
        assert_eq!(worth(last + 1, 0, &[(anna, LATE)]), None);
        // The delegation must last at least until the second of the report.
        assert_eq!(worth(due, 0, &[(anna, due + NOTICE)]), Some(500));
        assert_eq!(worth(due, 0, &[(anna, due + NOTICE - 1)]), None);
        let some = [(anna, due + NOTICE - 1), (ben, LATE)];
        assert_eq!(worth(due, 0, &some), Some(500));
        // An account without a refunded contribution has no share.
        assert_eq!(worth(due, 0, &[(account(13), LATE)]), None);

        // A share of 1 wei counts; half a wei rounds down to no share.
        let ask = |authors: &[Address]| {
            let (trainer, one) = trainer(authors, 1, WAITS);
            let now = one.time + WAITS.refund;
            worth_announcing(&trainer, now, &one, 0, [(anna, LATE)].into_iter())
        };
        assert_eq!(ask(&[anna]), Some(1));
        assert_eq!(ask(&[anna, ben]), None);
    }

    #[test]
    fn worth_reporting_leaves_out_what_brings_nothing() {
        let (anna, ben) = (account(11), account(12));
        let waits = Waits {
            report_notice: 0,
            ..WAITS
        };
        let ask = |authors: &[Address], predicted| {
            let (trainer, one) = trainer(authors, 1, waits);
            let now = one.time + waits.refund;
            worth_reporting(&trainer, anna, now, &one, predicted)
        };
        assert_eq!(ask(&[anna], 0), Some(1));
        assert_eq!(ask(&[anna, ben], 0), None, "half a wei");
        assert_eq!(ask(&[anna], 1), None, "the model agrees");
        assert_eq!(ask(&[ben], 0), None, "no share");
    }

    #[test]
    fn gas_of_is_all_gas_only_for_what_is_due_in_the_next_block() {
        let ask = |error: NodeError| gas_of(claims::judge(2, Err(error.into()), 100), true);
        let contract = |rejection| NodeError::Reverted(Revert::Contract(rejection));
        let early = |earliest| contract(ContractError::TooEarly { now: 5, earliest });
        assert!(matches!(
            gas_of(claims::judge(2, Ok(50_000), 100), true),
            Ok(Some(50_000))
        ));
        assert!(matches!(ask(early(100)), Ok(Some(TRANSACTION_GAS_LIMIT))));
        assert!(matches!(ask(early(101)), Ok(None)));
        let waiting = gas_of(claims::judge(2, Err(early(100).into()), 100), false);
        assert!(matches!(waiting, Ok(None)), "{waiting:?}");
        let refused = ContractError::NothingLeft { position: 1 };
        assert!(matches!(ask(contract(refused)), Ok(None)));
        assert!(matches!(
            ask(contract(ContractError::ClassifierFailed)),
            Ok(None)
        ));
        let message = "words".to_owned();
        assert!(ask(NodeError::InsufficientFunds { message }).is_err());
    }
}
