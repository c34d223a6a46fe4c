//! Signed batches and delegations: an account signs them, and a coordinator sends them.
//!
//! A signature is a right to spend. So [`Submitter`] counts each one against a budget, even if the
//! coordinator refuses the batch: the coordinator could still relay it.

use std::{error::Error, fmt, time::Duration};

use alloy_primitives::{Address, B256};
use cotrain_bindings::state;
use cotrain_chain::{
    keys::Key,
    node::{Node, NodeError},
};
use cotrain_learning::text::escaped_to;
use cotrain_protocol::{
    Amount, ContractError,
    sample::{Item, encode_batch},
    trainer::{Delegation, LARGEST_NONCE, SignedBatch, domain},
};
use tokio::time::{Instant, sleep};

use crate::{
    api::{
        AccountAnswer, ApiError, Client, MAX_WORDS, POLL_INTERVAL, SignedBatchBody, Status,
        SubmissionView, Submitted,
    },
    budget::Budget,
    model::{ModelFacts, ReadError, Reader},
};

/// Maximum number of samples in one signed batch. The relayer joins batches into transactions, and
/// splits them by gas. A batch itself cannot be split, so it must be far smaller than a
/// transaction.
pub const MAX_SAMPLES: usize = 50;

/// Longest time that a coordinator may be behind the chain.
const BEHIND: Duration = Duration::from_secs(10);
/// Maximum number of signatures for one batch. A batch is signed again if another batch has its
/// nonce.
const TRIES: usize = 4;
/// Distance below a nonce at which the chain must have used one. An account never has so many
/// pending batches.
const AHEAD: u64 = 4_096;

/// Account that signs, and the coordinator that sends.
#[derive(Debug, Clone, Copy)]
pub struct Signer<'a> {
    /// Node of the model's chain.
    pub node: &'a Node,
    /// Key of the account.
    pub key: &'a Key,
    /// The model.
    pub facts: &'a ModelFacts,
    /// Client of the coordinator.
    pub client: &'a Client,
}

/// Terms of each signed batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchTerms {
    /// Only account that may send the batch; zero if anyone may.
    pub relayer: Address,
    /// Maximum deposit of each sample, in wei.
    pub max_deposit: u128,
    /// Relayer's fee for the batch, in wei.
    pub fee: u128,
    /// Time from the signature to the deadline.
    pub valid: Duration,
}

impl BatchTerms {
    /// Returns the maximum cost of a signed batch for its author, in wei.
    #[must_use]
    pub fn max_cost(&self, samples: usize) -> u128 {
        self.max_deposit
            .saturating_mul(samples as u128)
            .saturating_add(self.fee)
    }
}

/// Returns the number of batches for a number of samples.
#[must_use]
pub const fn batches(samples: u64) -> u64 {
    samples.div_ceil(MAX_SAMPLES as u64)
}

/// Submission of signed batches to a coordinator.
#[derive(Clone, Copy)]
pub struct Submitter<'a> {
    /// Author of the batches, and the coordinator.
    pub signer: Signer<'a>,
    /// Terms of each batch.
    pub terms: BatchTerms,
    /// Limit of the maximum cost of all signatures together.
    pub budget: &'a Budget,
    /// Receiver of the events.
    pub report: &'a (dyn Fn(RelayEvent) + Sync),
}

/// Event of a submission, for its observers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayEvent {
    /// Another batch of the author has the nonce, so the samples are signed again.
    NonceTaken {
        /// The nonce.
        nonce: u64,
        /// Nonce of the next signature.
        next: u64,
    },
}

/// Batch that a coordinator took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmittedBatch {
    /// EIP-712 hash that the author signed.
    pub id: B256,
    /// Nonce of the batch.
    pub nonce: u64,
    /// Number of its samples.
    pub samples: usize,
    /// State of the batch in the coordinator's last answer.
    pub submission: SubmissionView,
}

/// Failure to sign or submit something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RelayError {
    /// The coordinator does not answer, or refuses.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The node failed.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The model cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The samples do not make a batch.
    #[error(transparent)]
    Samples(#[from] ContractError),
    /// The coordinator relays nothing for the model.
    #[error(
        "cannot sign: the coordinator at {coordinator} names no relayer for the model; use one that relays, or sign for anyone"
    )]
    NoRelayer {
        /// Address of the coordinator.
        coordinator: String,
    },
    /// The coordinator claims for no account.
    #[error("the coordinator at {coordinator} claims for nobody; its host has to set keep.enabled")]
    NoKeeper {
        /// Address of the coordinator.
        coordinator: String,
    },
    /// Batches of the author are not part of the chain yet.
    #[error(transparent)]
    Waiting(#[from] Waiting),
    /// The author has prepaid too little.
    #[error(transparent)]
    NotPrepaid(#[from] NotPrepaid),
    /// All signatures together could cost more than the budget.
    #[error(transparent)]
    OverBudget(#[from] SignedTooMuch),
    /// The coordinator names a nonce that is far above those that the chain has used. A batch with
    /// it would use up all nonces below.
    #[error(
        "nothing more was signed: the coordinator wants the nonce {nonce}, and the chain has not used {unused} of {author}; with it, all nonces below would be used up; use another coordinator"
    )]
    FarNonce {
        /// The nonce.
        nonce: u64,
        /// Nonce below it that is not used.
        unused: u64,
        /// Account that signs.
        author: Address,
    },
    /// The coordinator has the same batch already: another program signed the same samples in the
    /// same second.
    #[error(
        "the signed batch {id} was not submitted: the coordinator has it already, of another program that signed the same"
    )]
    Known {
        /// EIP-712 hash of the batch.
        id: B256,
    },
    /// The coordinator may have taken a batch without an answer.
    #[error(
        "the signed batch {id} may have been taken all the same; before you sign its samples again, ask {coordinator} for it by its id"
    )]
    Unsure {
        /// EIP-712 hash of the batch.
        id: B256,
        /// Address of the coordinator.
        coordinator: String,
        /// Failure of the request.
        source: Box<ApiError>,
    },
    /// A batch will never be part of the chain.
    #[error("the signed batch {id} will not be sent: {reason}")]
    Refused {
        /// EIP-712 hash of the batch.
        id: B256,
        /// Reason that the coordinator gives, escaped and cut.
        reason: String,
    },
    /// A batch is not part of the chain at the end of the wait.
    #[error("the signed batch {id} was not sent in time; is the coordinator's relayer running?")]
    NotInTime {
        /// EIP-712 hash of the batch.
        id: B256,
    },
}

/// All signatures that the coordinator received could cost more than the budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "nothing more was signed: the signatures that the coordinator would have then could cost {}, which is more than {}; find out what became of the signed batches, or allow more",
    Amount(*cost),
    Amount(*limit)
)]
pub struct SignedTooMuch {
    /// Maximum cost of all signatures including the next one, in wei.
    pub cost: u128,
    /// Limit of the budget, in wei.
    pub limit: u128,
}

/// Batches of an author are pending with a coordinator, so their samples are not on the chain yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Author of the batches.
    pub author: Address,
    /// Maximum cost of all pending batches together, in wei.
    pub committed: u128,
    /// Address of the coordinator.
    pub coordinator: String,
}

impl fmt::Display for Waiting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "nothing was signed: signed batches of {} that may cost {} are pending with {}; wait until they are part of the chain",
            self.author,
            Amount(self.committed),
            self.coordinator
        )
    }
}

impl Error for Waiting {}

/// An author has prepaid less than the maximum cost of the signed batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "nothing was signed: the account {author} has {} prepaid with the model {model}, and this may cost {} besides {} of pending signed batches: {} is missing; prepay it, or contribute fewer",
    Amount(*balance),
    Amount(*needed),
    Amount(*committed),
    Amount(self.missing())
)]
pub struct NotPrepaid {
    /// The author.
    pub author: Address,
    /// Trainer of the model, which holds the money.
    pub model: Address,
    /// Money that the author has prepaid, in wei.
    pub balance: u128,
    /// Maximum cost of the batches that are pending with the coordinator, in wei; part of the
    /// balance.
    pub committed: u128,
    /// Maximum cost of the new batches, in wei.
    pub needed: u128,
}

impl NotPrepaid {
    /// Returns the missing amount, in wei.
    #[must_use]
    pub fn missing(&self) -> u128 {
        let all = self.committed.saturating_add(self.needed);
        all.saturating_sub(self.balance)
    }
}

impl Signer<'_> {
    /// Returns the account that signs.
    #[must_use]
    pub fn address(&self) -> Address {
        self.key.address()
    }

    /// Returns the account that relays the coordinator's batches.
    ///
    /// # Errors
    /// [`RelayError::NoRelayer`] or [`RelayError::Api`].
    pub async fn relayer(&self) -> Result<Address, RelayError> {
        let model = self.client.model(self.facts.trainer).await?;
        let relayer = model.relayer.map(|relayer| relayer.0);
        relayer.ok_or_else(|| RelayError::NoRelayer {
            coordinator: self.client.shown(),
        })
    }

    /// Returns the account that claims for others for the coordinator.
    ///
    /// # Errors
    /// [`RelayError::NoKeeper`] or [`RelayError::Api`].
    pub async fn keeper(&self) -> Result<Address, RelayError> {
        let model = self.client.model(self.facts.trainer).await?;
        let keeper = model.keeper.map(|keeper| keeper.0);
        keeper.ok_or_else(|| RelayError::NoKeeper {
            coordinator: self.client.shown(),
        })
    }

    /// Returns the author's account at the coordinator, once its balance agrees with the chain's:
    /// the author may have prepaid a moment ago. After ten seconds the coordinator's answer counts
    /// even if it differs.
    ///
    /// # Errors
    /// [`RelayError::Api`] or [`RelayError::Read`].
    pub async fn account(&self) -> Result<AccountAnswer, RelayError> {
        let (trainer, author) = (self.facts.trainer, self.address());
        let start = Instant::now();
        loop {
            let account = self.client.account(trainer, author).await?;
            let call = state::balance_of(author);
            let balance: u128 = self.reader().number("balanceOf", call).await?;
            if account.balance.0 == balance || start.elapsed() > BEHIND {
                return Ok(account);
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    /// Checks that no batch of the author is pending with the coordinator. The samples of a pending
    /// batch are not on the chain yet.
    ///
    /// # Errors
    /// [`RelayError::Waiting`] or [`RelayError::Api`].
    pub async fn check_nothing_waits(&self) -> Result<(), RelayError> {
        let author = self.address();
        let account = self.client.account(self.facts.trainer, author).await?;
        match account.committed.0 {
            0 => Ok(()),
            committed => Err(Waiting {
                author,
                committed,
                coordinator: self.client.shown(),
            }
            .into()),
        }
    }

    /// Checks that the author has prepaid `needed` wei for new batches, besides the pending ones.
    ///
    /// # Errors
    /// [`NotPrepaid`].
    pub fn check_prepaid(&self, account: &AccountAnswer, needed: u128) -> Result<(), NotPrepaid> {
        let short = NotPrepaid {
            author: self.address(),
            model: self.facts.trainer,
            balance: account.balance.0,
            committed: account.committed.0,
            needed,
        };
        if short.missing() == 0 {
            return Ok(());
        }
        Err(short)
    }

    /// Returns the deposit of each of `samples` samples, in wei, if a relay contained only their
    /// first batch now.
    ///
    /// # Errors
    /// [`RelayError::Read`].
    pub async fn price(&self, samples: usize) -> Result<u128, RelayError> {
        let together = samples.min(MAX_SAMPLES) as u64;
        Ok(self.facts.price(self.node, together).await?)
    }

    /// Signs a delegation that lets `keeper` report for the account for a time `valid` from now,
    /// and submits it.
    ///
    /// # Errors
    /// [`RelayError::Api`] or [`RelayError::Node`].
    pub async fn delegate(
        &self,
        keeper: Address,
        valid: Duration,
    ) -> Result<Delegation, RelayError> {
        let mut delegation = Delegation {
            reporter: self.address(),
            keeper,
            until: self.end_of(valid).await?,
            signature: Vec::new(),
        };
        let hash = delegation.signing_hash(&domain(self.node.chain_id(), self.facts.trainer));
        delegation.signature = self.key.sign_hash(&hash).to_vec();
        let body = delegation.clone().into();
        self.client.delegate(self.facts.trainer, &body).await?;
        Ok(delegation)
    }

    /// Returns the last second of a time that begins with the chain's next block, in Unix seconds.
    async fn end_of(&self, valid: Duration) -> Result<u64, NodeError> {
        Ok(self.node.now().await?.saturating_add(valid.as_secs()))
    }

    fn reader(&self) -> Reader<'_> {
        Reader::new(self.node, self.facts.trainer, None)
    }
}

impl Submitter<'_> {
    /// Signs samples in batches and submits them one after the other; `nonce` is that of the first
    /// one. Each batch that the coordinator took is added to `submitted`, also before an error.
    ///
    /// # Errors
    /// [`RelayError`]. After [`RelayError::Unsure`], the coordinator may have taken one more batch
    /// than `submitted` has.
    pub async fn all(
        &self,
        items: &[Item<'_>],
        mut nonce: u64,
        submitted: &mut Vec<SubmittedBatch>,
    ) -> Result<(), RelayError> {
        for some in items.chunks(MAX_SAMPLES) {
            let batch = self.batch(some, nonce).await?;
            tracing::info!(id = %batch.id, nonce = batch.nonce, "submitted");
            nonce = batch.nonce + 1;
            submitted.push(batch);
        }
        Ok(())
    }

    /// Signs a batch and submits it. If another batch of the same account has the nonce, the
    /// samples are signed again: two batches must never be reported as one.
    async fn batch(
        &self,
        items: &[Item<'_>],
        mut nonce: u64,
    ) -> Result<SubmittedBatch, RelayError> {
        let Signer { client, facts, .. } = self.signer;
        let mut tries = 0;
        loop {
            count_signature(self.budget, self.terms.max_cost(items.len()))?;
            let (id, body) = self.sign(items, nonce).await?;
            let answer = client.submit(facts.trainer, id, &body).await;
            let (next, error) = match Answer::new(answer, id, nonce, client) {
                Answer::Taken(submission) => {
                    return Ok(SubmittedBatch {
                        id,
                        nonce,
                        samples: items.len(),
                        submission: *submission,
                    });
                }
                Answer::NonceTaken { next, error } => (next, error),
                Answer::Failed(error) => return Err(error),
            };
            tries += 1;
            if tries == TRIES {
                return Err(error);
            }
            (self.report)(RelayEvent::NonceTaken { nonce, next });
            nonce = next;
        }
    }

    /// Signs a batch; returns its id and the body to submit.
    async fn sign(
        &self,
        items: &[Item<'_>],
        nonce: u64,
    ) -> Result<(B256, SignedBatchBody), RelayError> {
        let (signer, terms) = (self.signer, &self.terms);
        let author = signer.address();
        check_nonce(nonce, author, async |nonce| {
            let call = state::nonce_used(author, nonce);
            let used: u128 = signer.reader().number("nonceUsed", call).await?;
            Ok(used == 1)
        })
        .await?;
        let mut batch = SignedBatch {
            author,
            relayer: terms.relayer,
            max_deposit: terms.max_deposit,
            fee: terms.fee,
            nonce,
            deadline: signer.end_of(terms.valid).await?,
            items: encode_batch(items)?,
            signature: Vec::new(),
        };
        let domain = domain(signer.node.chain_id(), signer.facts.trainer);
        let hash = batch.signing_hash(&domain);
        batch.signature = signer.key.sign_hash(&hash).to_vec();
        Ok((hash, batch.into()))
    }
}

/// Counts one more signature, with its maximum cost in wei, even if the coordinator refuses the
/// batch: the coordinator could still relay it.
fn count_signature(budget: &Budget, cost: u128) -> Result<(), SignedTooMuch> {
    budget.check(cost).map_err(|over| SignedTooMuch {
        cost: (over.limit - over.left).saturating_add(over.cost),
        limit: over.limit,
    })?;
    budget.spend(cost);
    Ok(())
}

/// Checks that a nonce of the coordinator is not far above those that the chain has used. A batch
/// with it uses up all nonces below. `is_used` asks the chain for one of them.
async fn check_nonce(
    nonce: u64,
    author: Address,
    is_used: impl AsyncFnOnce(u64) -> Result<bool, RelayError>,
) -> Result<(), RelayError> {
    let Some(below) = nonce.checked_sub(AHEAD) else {
        return Ok(());
    };
    if nonce <= LARGEST_NONCE && is_used(below).await? {
        return Ok(());
    }
    Err(RelayError::FarNonce {
        nonce,
        unused: below,
        author,
    })
}

/// Meaning of a coordinator's answer to a batch.
#[derive(Debug)]
enum Answer {
    /// The coordinator took the batch.
    Taken(Box<SubmissionView>),
    /// Another batch has the nonce.
    NonceTaken {
        /// Nonce that may be free.
        next: u64,
        /// Failure, if the samples are not signed again.
        error: RelayError,
    },
    /// Another signature does not help, or could contribute the samples twice.
    Failed(RelayError),
}

impl Answer {
    /// Reads the answer to the batch `id`.
    fn new(answer: Result<Submitted, ApiError>, id: B256, nonce: u64, client: &Client) -> Self {
        match answer {
            Ok(Submitted::Taken(submission)) => Self::Taken(submission),
            // Another program signed the same samples with the same deadline at the same time. That
            // batch is not this one.
            Ok(Submitted::Known) => Self::NonceTaken {
                next: nonce + 1,
                error: RelayError::Known { id },
            },
            Err(ApiError::Unsure(source)) => Self::Failed(RelayError::Unsure {
                id,
                coordinator: client.shown(),
                source,
            }),
            Err(error) => match error.next_nonce() {
                Some(next) if next > nonce => Self::NonceTaken {
                    next,
                    error: error.into(),
                },
                _ => Self::Failed(error.into()),
            },
        }
    }
}

/// Waits until the batch `id` is part of the chain, or never will be, or `patience` is over.
/// Afterwards `submission` is its newest known state, also after an error.
///
/// # Errors
/// [`RelayError::Refused`], [`RelayError::NotInTime`] or [`RelayError::Api`].
pub async fn wait_included(
    client: &Client,
    id: B256,
    submission: &mut SubmissionView,
    patience: Duration,
) -> Result<(), RelayError> {
    client.follow(id, submission, patience).await?;
    let id = submission.id.as_ref().map_or(id, |id| id.0);
    match &submission.status {
        Status::Included => Ok(()),
        Status::Refused => {
            let reason = submission.reason.as_deref();
            let reason = escaped_to(reason.unwrap_or("no reason is given"), MAX_WORDS);
            Err(RelayError::Refused {
                id,
                reason: reason.to_string(),
            })
        }
        Status::Waiting | Status::Sent | Status::Other(_) => Err(RelayError::NotInTime { id }),
    }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use serde_json::json;

    use super::*;
    use crate::api::Problem;

    const AUTHOR: Address = Address::repeat_byte(7);
    const ID: B256 = B256::repeat_byte(9);

    fn refused(status: StatusCode, next_nonce: Option<u64>) -> ApiError {
        let body = json!({ "detail": "no", "nextNonce": next_nonce }).to_string();
        ApiError::Refused {
            status,
            problem: Box::new(Problem::read(body.as_bytes())),
        }
    }

    fn answer(answer: Result<Submitted, ApiError>, nonce: u64) -> Answer {
        let url = "http://user:secret@127.0.0.1:1".parse();
        let client = Client::new(&url.expect("an address")).expect("a client");
        Answer::new(answer, ID, nonce, &client)
    }

    #[test]
    fn answer_signs_anew_only_if_another_batch_has_the_nonce() {
        let known = answer(Ok(Submitted::Known), 5);
        assert!(
            matches!(
                known,
                Answer::NonceTaken {
                    next: 6,
                    error: RelayError::Known { id: ID }
                }
            ),
            "{known:?}"
        );
        let conflict = |next| answer(Err(refused(StatusCode::CONFLICT, next)), 5);
        for next in [6, 7, u64::MAX] {
            let message = conflict(Some(next));
            assert!(
                matches!(&message, Answer::NonceTaken { next: other, .. } if *other == next),
                "{message:?}"
            );
        }
        // A nonce that is not above the signed one is not free.
        for next in [None, Some(0), Some(5)] {
            let message = conflict(next);
            let failed = Answer::Failed(RelayError::Api(refused(StatusCode::CONFLICT, next)));
            assert_eq!(format!("{message:?}"), format!("{failed:?}"));
        }
        for status in [StatusCode::UNPROCESSABLE_ENTITY, StatusCode::BAD_GATEWAY] {
            let message = answer(Err(refused(status, Some(6))), 5);
            assert!(
                matches!(message, Answer::Failed(RelayError::Api(_))),
                "{message:?}"
            );
        }
    }

    #[test]
    fn answer_signs_nothing_anew_that_may_have_been_taken() {
        // This also holds if the lost answer named a nonce.
        let lost = refused(StatusCode::CONFLICT, Some(6));
        let message = answer(Err(ApiError::Unsure(Box::new(lost))), 5);
        let Answer::Failed(error @ RelayError::Unsure { id: ID, .. }) = message else {
            panic!("{message:?}");
        };
        let message = error.to_string();
        assert!(
            message.contains("ask http://127.0.0.1:1 for it by its id")
                && !message.contains("secret"),
            "{message}"
        );
    }

    #[tokio::test]
    async fn check_nonce_asks_the_chain_for_one_far_below() {
        // The chain is not asked if all nonces below are near.
        for nonce in [0, 1, AHEAD - 1] {
            let near = check_nonce(nonce, AUTHOR, async |_| unreachable!());
            near.await.expect("near");
        }
        for nonce in [AHEAD, AHEAD + 9, LARGEST_NONCE] {
            let below = nonce - AHEAD;
            for is_used in [true, false] {
                let checked = check_nonce(nonce, AUTHOR, async |asked| {
                    assert_eq!(asked, below);
                    Ok(is_used)
                });
                match checked.await {
                    Ok(()) => assert!(is_used),
                    Err(RelayError::FarNonce { unused, .. }) => {
                        assert_eq!((unused, is_used), (below, false));
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        }
        // The contract accepts no nonce above the largest one.
        for nonce in [LARGEST_NONCE + 1, u64::MAX] {
            let far = check_nonce(nonce, AUTHOR, async |_| Ok(true)).await;
            assert!(matches!(far, Err(RelayError::FarNonce { .. })), "{far:?}");
        }
    }

    #[test]
    fn count_signature_counts_each_signature_and_stops_at_the_limit() {
        let terms = BatchTerms {
            relayer: Address::ZERO,
            max_deposit: 10,
            fee: 5,
            valid: Duration::ZERO,
        };
        assert_eq!(terms.max_cost(50), 505);
        let free = BatchTerms {
            max_deposit: u128::MAX,
            ..terms
        };
        assert_eq!(free.max_cost(2), u128::MAX);
        for (limit, signatures) in [(504, 0), (505, 1), (1_009, 1), (1_010, 2)] {
            let budget = Budget::new(Some(limit));
            let counted = (0..9).map_while(|_| count_signature(&budget, terms.max_cost(50)).ok());
            assert_eq!(counted.count(), signatures, "{limit}");
        }
        let budget = Budget::new(Some(1_009));
        count_signature(&budget, 505).expect("within");
        let over = count_signature(&budget, 505).expect_err("over");
        let expected = SignedTooMuch {
            cost: 1_010,
            limit: 1_009,
        };
        assert_eq!(over, expected);
        // A refused signature is not counted.
        count_signature(&budget, 504).expect("the rest");
        count_signature(&Budget::default(), u128::MAX).expect("no limit");
    }

    #[test]
    fn batches_hold_fifty_samples_each() {
        assert_eq!([0, 1, 50, 51, 100, 101].map(batches), [0, 1, 1, 2, 2, 3]);
    }

    #[test]
    fn not_prepaid_counts_what_waits() {
        let short = NotPrepaid {
            author: AUTHOR,
            model: Address::ZERO,
            balance: 100,
            committed: 60,
            needed: 45,
        };
        assert_eq!(short.missing(), 5);
        assert_eq!(
            NotPrepaid {
                needed: 40,
                ..short
            }
            .missing(),
            0
        );
        let message = short.to_string();
        assert!(
            message.contains("has 100 wei prepaid") && message.contains("5 wei is missing"),
            "{message}"
        );
    }
}
