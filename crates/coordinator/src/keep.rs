//! Claims for accounts that have asked for it, when that brings more than the gas costs.

use std::{collections::BTreeMap, sync::Arc};

use alloy_primitives::{Address, Bytes, U256};
use cotrain_bindings as bindings;
use cotrain_chain::{TRANSACTION_GAS_LIMIT, node::Node};
use cotrain_protocol::{
    record::{Claims, Record},
    sample::Item,
    trainer::{Delegation, is_contract},
};

use crate::{
    config::KeepSection,
    model::HostedModel,
    outbox::{Call, Outbox, OutboxError, with_sources},
    rows::{ContributionRow, DelegationRow, Page},
    store::{Store, StoreError},
};

/// Contributions that are looked at in one go.
const PAGE: u32 = 2_000;

/// Claims for one model.
#[derive(Debug)]
pub(crate) struct Keeper {
    pub(crate) node: Node,
    pub(crate) store: Store,
    pub(crate) model: Arc<HostedModel>,
    pub(crate) options: KeepSection,
}

/// A claim that would succeed now.
#[derive(Debug)]
struct Possible {
    row: ContributionRow,
    /// What it brings, in wei.
    gain: u128,
    /// `true` if it may be lost soon: somebody has announced a report of it.
    urgent: bool,
}

impl Keeper {
    /// Makes the claims that are worth it: at most one transaction of refunds, one of announcements, and one of reports an
    /// account.
    pub(crate) async fn run(&self, outbox: &mut Outbox) -> Result<(), OutboxError> {
        let now = self.node.now().await?;
        let accounts = self.store.delegations(self.model.id, now).await?;
        if accounts.is_empty() {
            return Ok(());
        }
        let fees = self.node.fees().await?;
        let price = fees.base + fees.priority;
        if self.options.max_gas_price.is_some_and(|most| price > most) {
            return Ok(());
        }
        let due = now.saturating_sub(self.model.info().waits.refund);
        if !self.store.is_on_its_way(self.model.id, "refund").await? {
            self.refunds(outbox, &accounts, (due, now), price).await?;
        }
        if !self.store.is_on_its_way(self.model.id, "report").await? {
            self.reports(outbox, &accounts, (due, now), price).await?;
        }
        if self.model.info().waits.report_notice != 0
            && !self.store.is_on_its_way(self.model.id, "announce").await?
        {
            self.announcements(outbox, &accounts, (due, now), price)
                .await?;
        }
        Ok(())
    }

    /// Announces what accounts could report then, if their shares together are worth two transactions: the report that
    /// comes later takes about as much gas as its announcement.
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
                trainer.can_announce(now, one, predicted).ok()?;
                let waits = trainer.waits();
                let report = now.saturating_add(waits.report_notice);
                // From then on, the owner may take what a report would pay.
                if report >= one.time.saturating_add(waits.owner_claim) {
                    return None;
                }
                let shares = accounts.iter().filter_map(|(account, _)| {
                    // The delegation must still be good then.
                    (account.until >= report).then(|| {
                        trainer
                            .could_report(account.account, now, one, predicted)
                            .ok()
                    })?
                });
                let gain = shares.fold(0, u128::saturating_add);
                (gain > 0).then_some(Possible {
                    row,
                    gain,
                    urgent: false,
                })
            });
            possible.collect()
        };
        let claims = |claims: &[Claims]| bindings::announce(claims);
        self.claim(
            outbox,
            "announce",
            possible,
            price.saturating_mul(2),
            &claims,
        )
        .await
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
        let claims = |claims: &[Claims]| bindings::refund(claims);
        self.claim(outbox, "refund", possible, price, &claims).await
    }

    /// Returns whether the trainer lets others push refunds to an account.
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
        let good: Vec<_> = {
            let state = self.model.state();
            let has_good =
                |(row, _): &&(DelegationRow, Vec<u8>)| state.trainer().good(row.account) > 0;
            accounts.iter().filter(has_good).collect()
        };
        if good.is_empty() {
            return Ok(());
        }
        let rows = self.open(due, None).await?;
        for (account, signature) in good {
            let reporter = account.account;
            let possible = {
                let state = self.model.state();
                let trainer = state.trainer();
                let possible = rows.iter().filter_map(|row| {
                    let predicted = trainer
                        .classifier()
                        .predict(&row.contribution.sample)
                        .ok()?;
                    let gain = trainer
                        .can_report(reporter, now, &row.contribution, predicted)
                        .ok()?;
                    // A share of nothing marks the reporter, and costs gas.
                    (gain > 0).then(|| Possible {
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
            let claims = |claims: &[Claims]| bindings::report_for(&delegation, claims);
            self.claim(outbox, "report", possible, price, &claims)
                .await?;
        }
        Ok(())
    }

    /// Sends the claims that are urgent or bring most, as many as fit, if together they bring more than their gas costs.
    async fn claim(
        &self,
        outbox: &mut Outbox,
        purpose: &'static str,
        mut possible: Vec<Possible>,
        price: u128,
        call: &(dyn Fn(&[Claims]) -> Vec<u8> + Sync),
    ) -> Result<(), OutboxError> {
        possible.sort_by_key(|one| {
            let first = std::cmp::Reverse((one.urgent, one.gain));
            (first, one.row.contribution.position)
        });
        let most = usize::try_from(self.options.max_claims).unwrap_or(usize::MAX);
        possible.truncate(most);
        let trainer = self.model.info().trainer;
        while !possible.is_empty() {
            let gain: u128 = possible.iter().map(|one| one.gain).sum();
            let data = call(&self.groups(&possible).await?);
            let estimate = self
                .node
                .estimate(outbox.address(), Some(trainer), U256::ZERO, data.clone())
                .await;
            match estimate {
                Ok(gas)
                    if gas + gas / 8 <= TRANSACTION_GAS_LIMIT
                        && gain
                            > price
                                .saturating_mul(gas.into())
                                .saturating_add(self.options.min_gain) =>
                {
                    let call = Call {
                        model: self.model.id,
                        purpose,
                        to: trainer,
                        data: Bytes::from(data),
                        gas_limit: gas + gas / 8,
                    };
                    tracing::info!(purpose, claims = possible.len(), gain, "claiming");
                    outbox.send(call, &[]).await?;
                    return Ok(());
                }
                // The half that brings less may cost more than it brings.
                Ok(_) => {}
                Err(error) if error.is_transient() => return Err(error.into()),
                Err(error) => {
                    tracing::debug!(purpose, error = %with_sources(&error), "these claims fail together");
                }
            }
            let half = possible.len() / 2;
            possible.truncate(half);
        }
        Ok(())
    }

    /// All that is open and was contributed until `due`.
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
                .open_until(self.model.id, due, author, page)
                .await?;
            let Some(last) = rows.last() else {
                return Ok(all);
            };
            after = i64::try_from(last.contribution.position).ok();
            all.extend(rows);
        }
    }

    async fn groups(&self, possible: &[Possible]) -> Result<Vec<Claims>, StoreError> {
        let mut batches: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for one in possible {
            batches
                .entry(one.row.batch)
                .or_default()
                .push(one.row.contribution.position);
        }
        let mut groups = Vec::with_capacity(batches.len());
        for (batch, positions) in batches {
            let record = record(&self.store.batch(self.model.id, batch).await?);
            groups.push(record.claims(&positions));
        }
        Ok(groups)
    }
}

/// The record of all contributions of one batch, from its rows.
pub(crate) fn record(rows: &[ContributionRow]) -> Record {
    let first = rows.first();
    let added: Vec<_> = rows
        .iter()
        .map(|row| {
            let one = &row.contribution;
            (
                one.author,
                vec![Item {
                    label: one.label,
                    sample: &one.sample,
                }],
            )
        })
        .collect();
    Record::new(
        first.map_or(0, |row| row.batch),
        first.map_or(0, |row| row.contribution.deposit),
        first.map_or(0, |row| row.contribution.time),
        &added,
    )
}
