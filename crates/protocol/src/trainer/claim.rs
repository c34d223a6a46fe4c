//! Refunds, announcements, reports and late claims.

use alloy_primitives::Address;

use super::{Announcement, Delegation, Status, Trainer};
use crate::{
    ContractError,
    record::{Claims, Contribution},
};

/// Outcome of claims that were made together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settled {
    /// Amount paid to the caller, in wei.
    pub paid: u128,
    /// Positions of the settled contributions, each with its amount in wei.
    ///
    /// The amount is paid to the caller, or added to the balance of the author or the reporter.
    pub settled: Vec<(u64, u128)>,
    /// Positions of the skipped contributions, each with the reason.
    pub skipped: Vec<(u64, ContractError)>,
}

impl Settled {
    fn push(&mut self, position: u64, outcome: Result<u128, ContractError>) {
        match outcome {
            Ok(amount) => self.settled.push((position, amount)),
            Err(reason) => self.skipped.push((position, reason)),
        }
    }

    /// Returns itself, or the first reason if nothing was settled.
    fn unless_all_skipped(self) -> Result<Self, ContractError> {
        if !self.settled.is_empty() {
            return Ok(self);
        }
        let first = self.skipped.into_iter().next();
        Err(first.map_or(ContractError::NoClaims, |(_, reason)| reason))
    }
}

impl Trainer {
    /// Gives the authors the rest of their deposits if the model now predicts the label.
    ///
    /// The caller is paid their own. Others get theirs added to their balances.
    /// A contribution is skipped, and stays as it is, for an error of
    /// [`can_refund`](Self::can_refund).
    /// Another author's is also skipped for an error of [`can_push`](Self::can_push) or
    /// [`ContractError::BalanceOverflow`] of its author.
    ///
    /// # Errors
    /// [`ContractError::UnknownContribution`]; the reason of the first one if all are skipped;
    /// [`ContractError::NoClaims`]. Nothing has changed then.
    pub fn refund(
        &mut self,
        caller: Address,
        now: u64,
        claims: &[Claims],
    ) -> Result<Settled, ContractError> {
        let mut all = Settled::default();
        for (contribution, predicted) in self.predicted(claims)? {
            let (author, position) = (contribution.author, contribution.position);
            let refund = self
                .can_refund(now, contribution, predicted)
                .and_then(|left| {
                    let mut account = self.account(author);
                    if author == caller {
                        all.paid += left;
                    } else {
                        self.can_push(author)?;
                        account.credit(author, left)?;
                    }
                    account.good += 1;
                    self.accounts.insert(author, account);
                    self.total_good += 1;
                    self.close(position);
                    Ok(left)
                });
            all.push(position, refund);
        }
        self.pay(all)
    }

    /// Announces that contributions may be reported, because the model does not predict their
    /// labels.
    ///
    /// Anyone may announce. The announcement serves all reporters once the notice is over.
    /// A contribution is skipped, and stays as it is, for an error of
    /// [`can_announce`](Self::can_announce).
    /// Nothing is paid.
    ///
    /// # Errors
    /// [`ContractError::NoNotice`]; those of [`refund`](Self::refund).
    pub fn announce(&mut self, now: u64, claims: &[Claims]) -> Result<Settled, ContractError> {
        if self.waits.report_notice == 0 {
            return Err(ContractError::NoNotice);
        }
        let mut all = Settled::default();
        for (contribution, predicted) in self.predicted(claims)? {
            let position = contribution.position;
            let announcement = self.can_announce(now, contribution, predicted);
            if announcement.is_ok() {
                self.announcements.insert(position, now);
            }
            all.push(position, announcement.map(|()| 0));
        }
        all.unless_all_skipped()
    }

    /// Gives the caller their share of contributions whose label the model does not predict.
    ///
    /// A contribution is skipped, and stays as it is, for an error of
    /// [`can_report`](Self::can_report).
    ///
    /// # Errors
    /// Those of [`refund`](Self::refund).
    pub fn report(
        &mut self,
        caller: Address,
        now: u64,
        claims: &[Claims],
    ) -> Result<Settled, ContractError> {
        let all = self.take_shares(caller, now, claims)?;
        self.pay(all)
    }

    /// Reports for a reporter who has signed a delegation to the caller, the keeper.
    ///
    /// The reporter's shares are added to their balance. The keeper is paid nothing.
    /// A contribution is skipped, and stays as it is, for an error of
    /// [`can_report`](Self::can_report) of the reporter.
    ///
    /// No account has code here, as for [`relay`](Self::relay).
    ///
    /// # Errors
    /// [`ContractError::Expired`]; [`ContractError::InvalidSignature`] of the reporter, also if the
    /// delegation names another keeper; those of [`refund`](Self::refund);
    /// [`ContractError::BalanceOverflow`] of the reporter.
    /// Nothing has changed then.
    pub fn report_for(
        &mut self,
        keeper: Address,
        now: u64,
        delegation: &Delegation,
        claims: &[Claims],
    ) -> Result<Settled, ContractError> {
        let &Delegation {
            reporter,
            until: deadline,
            ..
        } = delegation;
        if now > deadline {
            return Err(ContractError::Expired { deadline, now });
        }
        if delegation.keeper != keeper || delegation.signer(&self.domain()) != Some(reporter) {
            return Err(ContractError::InvalidSignature { author: reporter });
        }
        // Copies for the only error that fails the whole call, which shows up only at the end.
        let before = (self.settlements.clone(), self.later_reporters.clone());
        let all = self.take_shares(reporter, now, claims)?;
        if let Err(overflow) = self.credit(reporter, all.paid) {
            (self.settlements, self.later_reporters) = before;
            return Err(overflow);
        }
        Ok(Settled { paid: 0, ..all })
    }

    /// Gives the caller the rest of deposits that have long been claimable and that nobody has
    /// claimed.
    ///
    /// A contribution is skipped, and stays as it is, for an error of
    /// [`can_claim_late`](Self::can_claim_late).
    ///
    /// # Errors
    /// Those of [`refund`](Self::refund).
    pub fn claim_late(
        &mut self,
        caller: Address,
        now: u64,
        claims: &[Claims],
    ) -> Result<Settled, ContractError> {
        claims
            .iter()
            .try_for_each(|group| self.check_record(group))?;
        let mut all = Settled::default();
        for contribution in claims.iter().flat_map(|group| &group.contributions) {
            let position = contribution.position;
            let claim = self.can_claim_late(caller, now, contribution);
            if let Ok(left) = claim {
                self.close(position);
                all.paid += left;
            }
            all.push(position, claim);
        }
        self.pay(all)
    }

    /// Checks that the claimed contributions were made: their proof leads to the root of their
    /// batch.
    ///
    /// # Errors
    /// [`ContractError::UnknownContribution`].
    pub fn check_record(&self, claims: &Claims) -> Result<(), ContractError> {
        let first_position = claims.first_position;
        if self
            .roots
            .get(&first_position)
            .is_some_and(|root| claims.verify(*root))
        {
            Ok(())
        } else {
            Err(ContractError::UnknownContribution { first_position })
        }
    }

    /// Returns the amount that a refund would give the author now, in wei, if the model predicts
    /// `predicted`.
    ///
    /// This and its siblings assume that the contribution is recorded, which needs no hashes.
    /// Clients know the source of their contributions. Otherwise
    /// [`check_record`](Self::check_record) verifies them.
    ///
    /// # Errors
    /// [`ContractError::NothingLeft`], [`ContractError::TooEarly`], [`ContractError::PredictionDiffers`].
    pub fn can_refund(
        &self,
        now: u64,
        contribution: &Contribution,
        predicted: u16,
    ) -> Result<u128, ContractError> {
        let left = self.left(contribution)?;
        let label = contribution.label;
        check_time(now, contribution.time, self.waits.refund)?;
        if predicted != label {
            return Err(ContractError::PredictionDiffers { label, predicted });
        }
        Ok(left)
    }

    /// Checks that others may push refunds to an author.
    ///
    /// A contract must have used or canceled a nonce. Otherwise nobody knows that it can withdraw.
    ///
    /// # Errors
    /// [`ContractError::AuthorIsContract`].
    pub fn can_push(&self, author: Address) -> Result<(), ContractError> {
        if self.contracts.contains(&author) && !self.account(author).nonces.any() {
            Err(ContractError::AuthorIsContract { author })
        } else {
            Ok(())
        }
    }

    /// Returns the amount that a report would pay the caller now, in wei, if the model predicts
    /// `predicted`.
    ///
    /// It assumes that the contribution is recorded.
    ///
    /// # Errors
    /// [`ContractError::OwnContribution`], [`ContractError::NothingLeft`], [`ContractError::TooEarly`],
    /// [`ContractError::NoGoodContribution`], [`ContractError::AlreadyReported`],
    /// [`ContractError::NotAnnounced`], [`ContractError::PredictionAgrees`].
    pub fn can_report(
        &self,
        caller: Address,
        now: u64,
        contribution: &Contribution,
        predicted: u16,
    ) -> Result<u128, ContractError> {
        let notice = self.check_notice(now, contribution.position);
        self.report_after(notice, caller, now, contribution, predicted)
    }

    /// Returns the amount that a report would pay the caller now, in wei, if the contribution had
    /// been announced in time.
    ///
    /// A reporter thus learns beforehand whether an announcement pays.
    /// Otherwise it is like [`can_report`](Self::can_report).
    ///
    /// # Errors
    /// Those of [`can_report`](Self::can_report), except those of the announcement.
    pub fn could_report(
        &self,
        caller: Address,
        now: u64,
        contribution: &Contribution,
        predicted: u16,
    ) -> Result<u128, ContractError> {
        self.report_after(Ok(()), caller, now, contribution, predicted)
    }

    /// Returns the amount that a report would pay. `notice` is the result of the notice's check.
    fn report_after(
        &self,
        notice: Result<(), ContractError>,
        caller: Address,
        now: u64,
        contribution: &Contribution,
        predicted: u16,
    ) -> Result<u128, ContractError> {
        let &Contribution {
            author,
            label,
            position,
            ..
        } = contribution;
        if caller == author {
            return Err(ContractError::OwnContribution { author });
        }
        let left = self.left(contribution)?;
        check_time(now, contribution.time, self.waits.refund)?;
        let good = self.good(caller);
        if good == 0 {
            return Err(ContractError::NoGoodContribution { caller });
        }
        if self.reported(position, caller) {
            return Err(ContractError::AlreadyReported { position, caller });
        }
        notice?;
        if predicted == label {
            return Err(ContractError::PredictionAgrees { label });
        }
        Ok(self
            .incentive
            .share(contribution.deposit, left, good, self.total_good))
    }

    /// Checks that a contribution can be announced now if the model predicts `predicted`.
    ///
    /// It assumes that the contribution is recorded.
    ///
    /// # Errors
    /// [`ContractError::NoNotice`], [`ContractError::NothingLeft`], [`ContractError::TooEarly`],
    /// [`ContractError::AlreadyAnnounced`], [`ContractError::PredictionAgrees`].
    pub fn can_announce(
        &self,
        now: u64,
        contribution: &Contribution,
        predicted: u16,
    ) -> Result<(), ContractError> {
        let &Contribution {
            label, position, ..
        } = contribution;
        if self.waits.report_notice == 0 {
            return Err(ContractError::NoNotice);
        }
        self.left(contribution)?;
        check_time(now, contribution.time, self.waits.refund)?;
        if let Some(Announcement { until, .. }) = self.announcement(position)
            && now <= until
        {
            return Err(ContractError::AlreadyAnnounced { position, until });
        }
        if predicted == label {
            return Err(ContractError::PredictionAgrees { label });
        }
        Ok(())
    }

    /// Returns the period in which a contribution's last announcement serves; `None` if never
    /// announced.
    #[must_use]
    pub fn announcement(&self, position: u64) -> Option<Announcement> {
        self.announced(position)
            .map(|time| Announcement::new(time, self.waits.report_notice))
    }

    fn check_notice(&self, now: u64, position: u64) -> Result<(), ContractError> {
        if self.waits.report_notice == 0 {
            return Ok(());
        }
        match self.announcement(position) {
            Some(Announcement { earliest, .. }) if now < earliest => {
                Err(ContractError::TooEarly { now, earliest })
            }
            Some(Announcement { until, .. }) if now <= until => Ok(()),
            _ => Err(ContractError::NotAnnounced { position }),
        }
    }

    /// Returns the amount that a late claim would pay the caller now, in wei.
    ///
    /// It assumes that the contribution is recorded.
    ///
    /// # Errors
    /// [`ContractError::NothingLeft`], [`ContractError::TooEarly`].
    pub fn can_claim_late(
        &self,
        caller: Address,
        now: u64,
        contribution: &Contribution,
    ) -> Result<u128, ContractError> {
        let left = self.left(contribution)?;
        let wait = if caller == self.owner {
            self.waits.owner_claim
        } else {
            self.waits.any_address_claim
        };
        check_time(now, contribution.time, wait)?;
        Ok(left)
    }

    /// Takes a reporter's shares of the deposits. Fails if every contribution is skipped.
    fn take_shares(
        &mut self,
        reporter: Address,
        now: u64,
        claims: &[Claims],
    ) -> Result<Settled, ContractError> {
        let mut all = Settled::default();
        for (contribution, predicted) in self.predicted(claims)? {
            let position = contribution.position;
            let report = self.can_report(reporter, now, contribution, predicted);
            if let Ok(share) = report {
                let settlement = self.settlements.entry(position).or_default();
                if settlement.first_reporter.is_none() {
                    settlement.first_reporter = Some(reporter);
                } else {
                    self.later_reporters.insert((position, reporter));
                }
                settlement.taken += share;
                settlement.status = Status::after_report(settlement.taken, contribution.deposit);
                all.paid += share;
            }
            all.push(position, report);
        }
        all.unless_all_skipped()
    }

    /// Returns all contributions of the claims, each with the label that the model predicts.
    ///
    /// It fails if one of them is not recorded.
    fn predicted<'a>(
        &self,
        claims: &'a [Claims],
    ) -> Result<Vec<(&'a Contribution, u16)>, ContractError> {
        let mut all = Vec::new();
        for group in claims {
            self.check_record(group)?;
            let samples: Vec<_> = group
                .contributions
                .iter()
                .map(|contribution| contribution.sample.as_slice())
                .collect();
            let predicted = self.classifier().predict_all(&samples)?;
            all.extend(group.contributions.iter().zip(predicted));
        }
        Ok(all)
    }

    /// Returns the rest of the contribution's deposit, in wei.
    fn left(&self, contribution: &Contribution) -> Result<u128, ContractError> {
        let position = contribution.position;
        self.settlement(position)
            .left(contribution.deposit)
            .ok_or(ContractError::NothingLeft { position })
    }

    fn close(&mut self, position: u64) {
        self.settlements.entry(position).or_default().status = Status::Closed;
    }

    /// Pays the caller. Fails if nothing was settled.
    fn pay(&mut self, all: Settled) -> Result<Settled, ContractError> {
        let all = all.unless_all_skipped()?;
        self.held = self.held.saturating_sub(all.paid);
        Ok(all)
    }
}

fn check_time(now: u64, contributed: u64, wait: u64) -> Result<(), ContractError> {
    let earliest = contributed.saturating_add(wait);
    if now < earliest {
        Err(ContractError::TooEarly { now, earliest })
    } else {
        Ok(())
    }
}
