//! A coordinator that answers from memory.

mod models;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use alloy_primitives::{Address, B256, Bytes};
use cotrain_indexer::{
    Claimable,
    rows::{
        AccuracyRow, ClaimKind, ClaimRow, ContributionFilter, ContributionRow, EventRow, Page,
        Settled,
    },
};
use cotrain_protocol::{
    Rejection,
    record::{Contribution, Record},
    sample::{Item, encode_sparse, parse_batch},
    trainer::{Delegation, SignedBatch, domain},
};
use cotrain_relayer::{
    AccountView, SubmitError,
    rows::{DelegationRow, Handed, Progress, Submission, TransactionRow},
};
use cotrain_server::{
    Health,
    api::{Answer, Backend, Model, Unavailable},
};
use futures_util::future::{BoxFuture, pending, ready};
use tokio::sync::watch;

use self::models::FakeModel;

/// Trainers: of texts, of a table, and without a card.
pub(crate) const TEXTS: Address = Address::repeat_byte(0x11);
pub(crate) const TABLE: Address = Address::repeat_byte(0x22);
pub(crate) const RAW: Address = Address::repeat_byte(0x33);
pub(crate) const AUTHOR: Address = Address::repeat_byte(0xaa);
const RELAYER: Address = Address::repeat_byte(0x66);
pub(crate) const CHAIN: u64 = 31_337;
/// A nonce for which there is no room.
pub(crate) const NO_ROOM: u64 = 123_456;

#[derive(Clone)]
pub(crate) struct Fake(Arc<State>);

/// Time of the chain that it follows: not that of this machine.
pub(crate) const NOW: u64 = 4_000_000_000;

pub(crate) struct State {
    models: Vec<Arc<FakeModel>>,
    submissions: Mutex<Vec<Submission>>,
    events: Mutex<Vec<EventRow>>,
    news: watch::Sender<i64>,
    /// The store does not answer.
    pub(crate) away: AtomicBool,
    /// The list of transactions never comes.
    pub(crate) hangs: AtomicBool,
    pub(crate) health: Mutex<Health>,
}

impl Fake {
    pub(crate) fn new() -> Self {
        Self(Arc::new(State {
            models: models::all(),
            submissions: Mutex::default(),
            events: Mutex::default(),
            news: watch::Sender::new(0),
            away: AtomicBool::new(false),
            hangs: AtomicBool::new(false),
            health: Mutex::new(Health {
                leader: true,
                index: cotrain_indexer::Health {
                    store: true,
                    node: true,
                    head: Some(20),
                    models: vec![(TEXTS, 20, 0)],
                    stopped: vec![],
                },
            }),
        }))
    }

    pub(crate) fn state(&self) -> &State {
        &self.0
    }

    /// Adds an event and wakes those who wait for one.
    pub(crate) fn happen(&self, trainer: Address, kind: &str) -> i64 {
        let mut events = self.0.events.lock().unwrap();
        let id = i64::try_from(events.len()).unwrap() + 1;
        events.push(EventRow {
            id,
            trainer,
            kind: kind.to_owned(),
            block: 20,
            transaction: None,
            account: Some(AUTHOR),
            position: Some(3),
            detail: serde_json::json!({"deposit": "5"}),
        });
        self.0.news.send_replace(id);
        id
    }

    fn answer<T: Send + 'static>(&self, value: T) -> Answer<'_, T> {
        Box::pin(ready(if self.0.away.load(Ordering::Relaxed) {
            Err(Unavailable("it is away".to_owned()))
        } else {
            Ok(value)
        }))
    }

    fn rows(trainer: Address) -> Vec<ContributionRow> {
        let sample = encode_sparse(&[1, 2]);
        let rows = (0..5_u8).map(|position| ContributionRow {
            contribution: Contribution {
                author: if position % 2 == 0 { AUTHOR } else { trainer },
                label: u16::from(position % 2),
                deposit: 5 << 70,
                time: 1_000,
                position: position.into(),
                sample: sample.clone(),
            },
            batch: position.into(),
            block: 10,
            transaction: B256::repeat_byte(position),
            submission: (position == 1).then_some(B256::repeat_byte(9)),
            settled: if position == 0 {
                Settled::Refunded
            } else {
                Settled::Open
            },
            taken: if position == 0 { 5 << 70 } else { 0 },
            announced: (position == 3).then_some(90_000),
        });
        rows.collect()
    }
}

fn paged<T>(rows: Vec<T>, page: Page, id: impl Fn(&T) -> i64) -> Vec<T> {
    let after = page.after.unwrap_or(-1);
    rows.into_iter()
        .filter(|row| id(row) > after)
        .take(page.limit as usize)
        .collect()
}

fn position(row: &ContributionRow) -> i64 {
    i64::try_from(row.contribution.position).unwrap()
}

impl Backend for Fake {
    fn now(&self) -> u64 {
        NOW
    }
    fn chain_id(&self) -> u64 {
        CHAIN
    }
    fn relayer(&self) -> Option<Address> {
        Some(RELAYER)
    }
    fn min_fee(&self) -> Option<u128> {
        Some(2)
    }
    fn keeper(&self) -> Option<Address> {
        Some(Address::repeat_byte(0x77))
    }
    fn models(&self) -> Vec<Arc<dyn Model>> {
        let models = self.0.models.iter().cloned();
        models.map(|model| model as Arc<dyn Model>).collect()
    }
    fn model(&self, trainer: Address) -> Option<Arc<dyn Model>> {
        self.models()
            .into_iter()
            .find(|model| model.info().facts.trainer == trainer)
    }
    fn account(&self, _: Address, address: Address) -> Answer<'_, Option<AccountView>> {
        self.answer(Some(AccountView {
            balance: if address == AUTHOR { 1 << 95 } else { 0 },
            good: 1,
            next_nonce: 3,
            committed: 4,
        }))
    }
    fn submit(
        &self,
        trainer: Address,
        batch: SignedBatch,
    ) -> Answer<'_, (Submission, Handed), SubmitError> {
        let taken = || {
            let contributions = parse_batch(&batch.items)
                .map_err(SubmitError::Rejected)?
                .len();
            let author = batch.author;
            let nonce = batch.nonce;
            let id = batch.signing_hash(&domain(CHAIN, trainer));
            let mut submissions = self.0.submissions.lock().unwrap();
            if let Some(known) = submissions.iter().find(|known| known.id == id) {
                return Ok((known.clone(), Handed::Before));
            }
            match batch {
                _ if batch.deadline < 1_000 => Err(SubmitError::Rejected(Rejection::Expired {
                    deadline: batch.deadline,
                    now: 1_000,
                })),
                _ if nonce == 1 => Err(SubmitError::Rejected(Rejection::NonceUsed {
                    author,
                    nonce,
                })),
                _ if nonce == 2 => Err(SubmitError::Conflict {
                    author,
                    nonce,
                    other: B256::repeat_byte(8),
                    next: 9,
                }),
                _ if nonce == 3 => Err(SubmitError::NotServed("relay")),
                _ if nonce == 5 => Err(SubmitError::NonceTooFar { nonce, most: 4 }),
                _ if nonce == 4 => Err(SubmitError::BalanceTooLow {
                    author,
                    required: 9,
                    balance: 8,
                }),
                _ if nonce == NO_ROOM => Err(SubmitError::TooManyWaiting {
                    waiting: 7,
                    most: 7,
                }),
                _ if !batch.may_be_sent_by(RELAYER) => Err(SubmitError::OtherRelayer {
                    relayer: batch.relayer,
                    expected: RELAYER,
                }),
                _ if batch.max_deposit == 0 => {
                    Err(SubmitError::Rejected(Rejection::PriceTooHigh {
                        price: 5,
                        max_deposit: 0,
                    }))
                }
                _ if batch.fee == 0 => Err(SubmitError::FeeTooLow {
                    fee: 0,
                    wanted: 2,
                    contributions: 1,
                }),
                _ if batch.signature.is_empty() => {
                    Err(SubmitError::Rejected(Rejection::InvalidSignature {
                        author,
                    }))
                }
                batch => {
                    submissions.push(Submission {
                        id,
                        trainer,
                        batch,
                        contributions: u32::try_from(contributions).unwrap(),
                        received: 1_000,
                        progress: match nonce {
                            10 => Progress::Refused {
                                reason: "too late".to_owned(),
                            },
                            11 => Progress::Sent {
                                transaction: Some(B256::ZERO),
                            },
                            12 => Progress::Included {
                                transaction: B256::ZERO,
                                block: 11,
                                position: 4,
                            },
                            _ => Progress::Waiting,
                        },
                    });
                    Ok((submissions.last().unwrap().clone(), Handed::Now))
                }
            }
        };
        Box::pin(ready(taken()))
    }
    fn submission(&self, id: B256) -> Answer<'_, Option<Submission>> {
        let submissions = self.0.submissions.lock().unwrap();
        self.answer(submissions.iter().find(|known| known.id == id).cloned())
    }
    fn submissions(
        &self,
        trainer: Address,
        author: Option<Address>,
        page: Page,
    ) -> Answer<'_, Vec<(i64, Submission)>> {
        let submissions = self.0.submissions.lock().unwrap().clone();
        let rows = (1..)
            .zip(submissions)
            .filter(|(_, one)| {
                one.trainer == trainer && author.is_none_or(|author| one.batch.author == author)
            })
            .collect();
        self.answer(paged(rows, page, |(id, _)| *id))
    }
    fn contributions(
        &self,
        trainer: Address,
        filter: ContributionFilter,
        page: Page,
    ) -> Answer<'_, Vec<ContributionRow>> {
        let mut rows = Self::rows(trainer);
        rows.retain(|row| {
            let open = !matches!(row.settled, Settled::Refunded);
            filter
                .author
                .is_none_or(|author| row.contribution.author == author)
                && filter
                    .label
                    .is_none_or(|label| row.contribution.label == label)
                && filter.open.is_none_or(|wanted| open == wanted)
        });
        self.answer(paged(rows, page, position))
    }
    fn contribution(&self, trainer: Address, at: u64) -> Answer<'_, Option<ContributionRow>> {
        let mut rows = Self::rows(trainer).into_iter();
        self.answer(rows.find(|row| row.contribution.position == at))
    }
    fn claims_of(&self, _: Address, position: u64) -> Answer<'_, Vec<ClaimRow>> {
        let claim = ClaimRow {
            position,
            kind: ClaimKind::Refund,
            account: AUTHOR,
            amount: 5,
            block: 12,
            transaction: B256::ZERO,
        };
        self.answer((position == 0).then_some(claim).into_iter().collect())
    }
    fn proof(&self, trainer: Address, position: u64) -> Answer<'_, Option<Bytes>> {
        let mut rows = Self::rows(trainer).into_iter();
        let found = rows.find(|row| row.contribution.position == position);
        self.answer(found.map(|row| {
            let one = row.contribution;
            let item = Item {
                label: one.label,
                sample: &one.sample,
            };
            let record = Record::new(position, one.deposit, one.time, &[(one.author, vec![item])]);
            record.claims(&[position]).encode().into()
        }))
    }
    fn claimable(
        &self,
        trainer: Address,
        account: Address,
        limit: u32,
    ) -> Answer<'_, Vec<Claimable>> {
        let rows = Self::rows(trainer).into_iter().skip(1);
        let claimable = rows.map(|row| Claimable {
            kind: if row.contribution.author == account {
                ClaimKind::Refund
            } else {
                ClaimKind::Report
            },
            from: 87_400,
            possible: row.contribution.author == account,
            amount: row.contribution.deposit,
            reason: (row.contribution.author != account)
                .then(|| "you have no good contribution".to_owned()),
            announce: row.contribution.position == 1,
            until: row.announced.map(|announced| announced + 100),
            row,
        });
        self.answer(claimable.take(limit as usize).collect())
    }
    fn accuracy(&self, _: Address, page: Page) -> Answer<'_, Vec<AccuracyRow>> {
        let rows = (10..13).map(|block| AccuracyRow {
            block,
            time: 1_000 + block,
            contributions: block,
            correct: 70 + block,
            samples: 100,
        });
        self.answer(paged(rows.collect(), page, |row| {
            i64::try_from(row.contributions).unwrap()
        }))
    }
    fn events(&self, trainer: Option<Address>, page: Page) -> Answer<'_, Vec<EventRow>> {
        let mut rows = self.0.events.lock().unwrap().clone();
        rows.retain(|row| trainer.is_none_or(|trainer| row.trainer == trainer));
        self.answer(paged(rows, page, |row| row.id))
    }
    fn watch_events(&self) -> watch::Receiver<i64> {
        self.0.news.subscribe()
    }
    fn transactions(&self, page: Page) -> Answer<'_, Vec<TransactionRow>> {
        if self.0.hangs.load(Ordering::Relaxed) {
            return Box::pin(pending());
        }
        let row = TransactionRow {
            id: 1,
            purpose: "relay".to_owned(),
            trainer: TEXTS,
            from: Address::repeat_byte(0x66),
            nonce: 0,
            hashes: vec![B256::ZERO, B256::repeat_byte(1)],
            state: "included",
            block: Some(10),
            gas_used: None,
            created: 999,
        };
        self.answer(paged(vec![row], page, |row| row.id))
    }
    fn delegate(
        &self,
        _: Address,
        delegation: Delegation,
    ) -> Answer<'_, DelegationRow, SubmitError> {
        let served = Some(delegation.keeper) == self.keeper();
        Box::pin(ready(if served {
            Ok(DelegationRow {
                account: delegation.reporter,
                until: delegation.until,
                received: 1_000,
            })
        } else {
            Err(SubmitError::NotServed("claim for others"))
        }))
    }
    fn delegation(&self, _: Address, account: Address) -> Answer<'_, Option<DelegationRow>> {
        self.answer((account == AUTHOR).then_some(DelegationRow {
            account,
            until: 5_000,
            received: 1_000,
        }))
    }
    fn health(&self) -> BoxFuture<'_, Health> {
        let health = self.0.health.lock().unwrap().clone();
        Box::pin(ready(health))
    }
}
