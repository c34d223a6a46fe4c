//! Submission: checks and stores signed batches before the reply, and takes delegations.

use crate::{
    clock,
    pending::Pending,
    relayer::{RelayTerms, Relayer, account_of},
    rows::{DelegationRow, Novelty, Progress, Submission},
    store::{Inserted, NewSubmission},
};
use alloy_primitives::{Address, B256};
use cotrain_bindings as bindings;
use cotrain_chain::node::NodeError;
use cotrain_indexer::{
    HostedModel, StoreError,
    rows::{ContributionFilter, Page},
};
use cotrain_protocol::{
    Amount, ContractError,
    sample::parse_batch,
    signature::recover,
    trainer::{Delegation, NONCE_WINDOW, SignedBatch, domain, usual_signature},
};

/// Reason why a submission was rejected.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The contract would skip the batch.
    #[error(transparent)]
    Rejected(ContractError),
    /// Another unfinished batch of the author has the same nonce.
    #[error(
        "another signed batch of {author} with the nonce {nonce} is pending, {other}; sign it anew with the nonce {next}"
    )]
    Conflict {
        /// Account that signed both.
        author: Address,
        /// Nonce of both.
        nonce: u64,
        /// Id of the other batch.
        other: B256,
        /// Lowest nonce above all used and pending ones.
        next: u64,
    },
    /// The batch was signed for another relayer.
    #[error(
        "it was signed for the relayer {relayer}, this coordinator's is {expected}; sign it anew for {expected}"
    )]
    OtherRelayer {
        /// Relayer that the batch names.
        relayer: Address,
        /// The relayer of this coordinator.
        expected: Address,
    },
    /// The nonce is too far ahead; it would make the account's lowest nonces useless.
    #[error(
        "the nonce {nonce} is too far ahead: at most {max} may be used now; wait until earlier ones are part of the chain"
    )]
    NonceTooFar {
        /// Nonce of the batch.
        nonce: u64,
        /// Highest nonce that may be used now.
        max: u64,
    },
    /// The fee is below the relayer's minimum.
    #[error(
        "the relayer's fee is {}, expected at least {}: {contributions} times the minimum; sign it anew with more",
        Amount(*fee),
        Amount(*wanted)
    )]
    FeeTooLow {
        /// Fee that the batch offers, in wei.
        fee: u128,
        /// Minimum fee for the whole batch, in wei.
        wanted: u128,
        /// Number of its contributions.
        contributions: u32,
    },
    /// The relayer already has the maximum number of pending batches.
    #[error("{waiting} signed batches are pending, and the maximum is {max}; try again later")]
    TooManyWaiting {
        /// Number of pending batches.
        waiting: u64,
        /// Maximum number of pending batches.
        max: u64,
    },
    /// The prepaid balance does not cover this batch and the pending ones.
    #[error(
        "the account {author} has {} prepaid, and this with what is pending needs {}: {} is missing; prepay it with `cotrain deposit`",
        Amount(*balance),
        Amount(*required),
        Amount(required.saturating_sub(*balance))
    )]
    BalanceTooLow {
        /// Account that signed the batch.
        author: Address,
        /// Maximum cost of the pending batches and this one, in wei.
        required: u128,
        /// Prepaid balance, in wei.
        balance: u128,
    },
    /// This coordinator does not offer the named service.
    #[error("this coordinator does not {0}")]
    NotServed(&'static str),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The node failed while it checked a contract wallet's signature.
    #[error("the node failed")]
    Node(#[from] NodeError),
}

impl Relayer {
    /// Checks a signed batch and stores it; it is durable when this returns.
    ///
    /// If the batch was submitted before, returns it with its progress.
    /// The database decides on nonces and money.
    /// Other processes may take batches for the same model.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub async fn submit(
        &self,
        model: &HostedModel,
        mut batch: SignedBatch,
    ) -> Result<(Submission, Novelty), SubmitError> {
        let terms = self.terms().ok_or(SubmitError::NotServed("relay"))?;
        let trainer = model.info().facts.trainer;
        let domain = domain(self.index().chain_id(), trainer);
        let id = batch.signing_hash(&domain);
        batch.signature = usual_signature(batch.signature, id, batch.author);
        let contributions = parse_batch(&batch.items)
            .map_err(SubmitError::Rejected)?
            .len();
        let submission = Submission {
            id,
            trainer,
            batch,
            contributions: u32::try_from(contributions).unwrap_or(u32::MAX),
            received: clock::now(),
            progress: Progress::Waiting,
        };
        if let Err(error) = check(
            model,
            &self.pending(model),
            &submission,
            terms,
            self.index().now(),
        ) {
            // A batch that was submitted before may be on the chain by now, with its nonce used.
            let known = self.submission(id).await?.ok_or(error)?;
            return Ok((known, Novelty::Known));
        }
        // Check the signature before reserving anything in the author's name.
        self.check_signature(&submission).await?;
        loop {
            match self.reserve_and_store(model, &submission).await {
                // The batch that had the nonce is gone: refused, or not covered by the balance.
                Err(SubmitError::Conflict { nonce, next, .. }) if next <= nonce => {}
                outcome => return outcome,
            }
        }
    }

    /// Reserves the author's nonce and money, and stores a checked batch.
    async fn reserve_and_store(
        &self,
        model: &HostedModel,
        submission: &Submission,
    ) -> Result<(Submission, Novelty), SubmitError> {
        let id = submission.id;
        let (author, nonce) = (submission.batch.author, submission.batch.nonce);
        let (store, pending) = (self.store(), self.pending(model));
        let reservation = if let Ok(reservation) = Reservation::new(model, &pending, submission) {
            reservation
        } else {
            // Another process may have finished the pending batches.
            pending.load_author(store, model.id(), author).await?;
            match Reservation::new(model, &pending, submission) {
                Err(SubmitError::Conflict { other, .. }) => {
                    return Err(self.conflict(model, author, nonce, other).await?);
                }
                reserved => reserved?,
            }
        };
        let new = NewSubmission {
            model: model.id(),
            submission: submission.clone(),
            balance: model.state().trainer().balance(author),
        };
        match self.insert(new).await? {
            Inserted::New => {
                metrics::counter!("cotrain_accepted_total").increment(1);
                reservation.keep();
                Ok((submission.clone(), Novelty::New))
            }
            Inserted::Known => {
                let known = self.submission(id).await?;
                let known = known.ok_or(StoreError::Malformed {
                    what: "no signed batch that is known",
                })?;
                match known.progress {
                    Progress::Waiting | Progress::Sent { .. } => reservation.keep(),
                    // The reason of the refusal no longer holds.
                    Progress::Refused { .. } if store.revive(id, clock::now()).await? => {
                        reservation.keep();
                        return Ok((submission.clone(), Novelty::New));
                    }
                    Progress::Included { .. } | Progress::Refused { .. } => {}
                }
                Ok((known, Novelty::Known))
            }
            Inserted::Conflict => {
                drop(reservation);
                let other = store
                    .submission_with_nonce(model.id(), author, nonce)
                    .await?;
                let other = other.unwrap_or_default();
                Err(self.conflict(model, author, nonce, other).await?)
            }
            Inserted::Uncovered { required } => {
                let balance = model.state().trainer().balance(author);
                Err(SubmitError::BalanceTooLow {
                    author,
                    required,
                    balance,
                })
            }
        }
    }

    async fn conflict(
        &self,
        model: &HostedModel,
        author: Address,
        nonce: u64,
        other: B256,
    ) -> Result<SubmitError, StoreError> {
        Ok(SubmitError::Conflict {
            author,
            nonce,
            other,
            next: self.account(model, author).await?.next_nonce,
        })
    }

    /// Checks that the author's key signed a batch, or the author's code accepts it (ERC-1271).
    async fn check_signature(&self, submission: &Submission) -> Result<(), SubmitError> {
        let batch = &submission.batch;
        if recover(&batch.signature, submission.id) == Some(batch.author) {
            return Ok(());
        }
        self.ask_wallet(batch.author, submission.id, &batch.signature)
            .await
    }

    async fn ask_wallet(
        &self,
        author: Address,
        hash: B256,
        signature: &[u8],
    ) -> Result<(), SubmitError> {
        let invalid = SubmitError::Rejected(ContractError::InvalidSignature { author });
        if self.index().node().code(author).await?.is_empty() {
            return Err(invalid);
        }
        let call = bindings::is_valid_signature(hash, signature);
        match self.index().node().call(author, call, None).await {
            Ok(answer) if bindings::read_valid_signature(&answer) => Ok(()),
            Ok(_) | Err(NodeError::Reverted { .. }) => Err(invalid),
            Err(error) => Err(error.into()),
        }
    }

    /// Lets the keeper claim for an account, until the end of its delegation.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub async fn delegate(
        &self,
        model: &HostedModel,
        mut delegation: Delegation,
    ) -> Result<DelegationRow, SubmitError> {
        let keeper = self
            .keeper()
            .ok_or(SubmitError::NotServed("claim for others"))?;
        let (account, until, now) = (delegation.reporter, delegation.until, self.index().now());
        if now > until {
            let deadline = until;
            return Err(SubmitError::Rejected(ContractError::Expired {
                deadline,
                now,
            }));
        }
        let invalid = ContractError::InvalidSignature { author: account };
        if delegation.keeper != keeper {
            return Err(SubmitError::Rejected(invalid));
        }
        // A delegation is free to submit but costs the keeper work.
        // So only accounts with a balance or a contribution may submit one.
        let has = model.account(account);
        let own = ContributionFilter {
            author: Some(account),
            ..ContributionFilter::default()
        };
        let contributions = self
            .store()
            .chain()
            .contributions(model.id(), own, Page::first(1))
            .await?;
        if has.good == 0 && has.balance == 0 && contributions.is_empty() {
            let caller = account;
            return Err(SubmitError::Rejected(ContractError::NoGoodContribution {
                caller,
            }));
        }
        let domain = domain(self.index().chain_id(), model.info().facts.trainer);
        let hash = delegation.signing_hash(&domain);
        delegation.signature = usual_signature(delegation.signature, hash, account);
        if recover(&delegation.signature, hash) != Some(account) {
            self.ask_wallet(account, hash, &delegation.signature)
                .await?;
        }
        let row = DelegationRow {
            account,
            until,
            received: now,
        };
        self.store()
            .delegate(model.id(), row, &delegation.signature)
            .await?;
        Ok(row)
    }
}

/// Runs every check that needs no I/O, except against reservations of concurrent submissions.
fn check(
    model: &HostedModel,
    pending: &Pending,
    submission: &Submission,
    terms: RelayTerms,
    now: u64,
) -> Result<(), SubmitError> {
    let batch = &submission.batch;
    let (author, nonce) = (batch.author, batch.nonce);
    let waiting = pending.len() as u64;
    if waiting >= terms.max_waiting {
        return Err(SubmitError::TooManyWaiting {
            waiting,
            max: terms.max_waiting,
        });
    }
    let wanted = terms
        .min_fee
        .saturating_mul(submission.contributions.into());
    if batch.fee < wanted {
        let contributions = submission.contributions;
        return Err(SubmitError::FeeTooLow {
            fee: batch.fee,
            wanted,
            contributions,
        });
    }
    if !batch.may_be_sent_by(terms.relayer) {
        return Err(SubmitError::OtherRelayer {
            relayer: batch.relayer,
            expected: terms.relayer,
        });
    }
    if now > batch.deadline {
        let deadline = batch.deadline;
        return Err(SubmitError::Rejected(ContractError::Expired {
            deadline,
            now,
        }));
    }
    let state = model.state();
    let trainer = state.trainer();
    trainer
        .classifier()
        .check_batch(&batch.items)
        .map_err(SubmitError::Rejected)?;
    if trainer.nonce_used(author, nonce) {
        return Err(SubmitError::Rejected(ContractError::NonceUsed {
            author,
            nonce,
        }));
    }
    let max_nonce = trainer.next_nonce(author) + NONCE_WINDOW - 1;
    if nonce > max_nonce {
        return Err(SubmitError::NonceTooFar {
            nonce,
            max: max_nonce,
        });
    }
    Ok(())
}

/// Reservation of an author's nonce and money while a batch is being stored.
/// Dropping it releases them, unless `keep` was called.
struct Reservation<'a> {
    pending: &'a Pending,
    author: Address,
    nonce: u64,
    keep: bool,
}

impl<'a> Reservation<'a> {
    fn new(
        model: &HostedModel,
        pending: &'a Pending,
        submission: &Submission,
    ) -> Result<Self, SubmitError> {
        let (author, nonce) = (submission.batch.author, submission.batch.nonce);
        let new = pending.reserve(submission);
        let new = new.map_err(|other| SubmitError::Conflict {
            author,
            nonce,
            other,
            next: account_of(model, pending, author).next_nonce,
        })?;
        // A batch that was pending before stays, even if submitting it again fails.
        let reservation = Self {
            pending,
            author,
            nonce,
            keep: !new,
        };
        let required = pending.of(author).committed;
        let balance = model.state().trainer().balance(author);
        if required > balance && new {
            return Err(SubmitError::BalanceTooLow {
                author,
                required,
                balance,
            });
        }
        Ok(reservation)
    }

    fn keep(mut self) {
        self.keep = true;
        self.pending.stored(self.author, self.nonce);
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        if !self.keep {
            self.pending.forget(self.author, self.nonce);
        }
    }
}
