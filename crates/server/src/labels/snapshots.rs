//! Sealed snapshots: a session's state, which leaves the coordinator and comes back.
//!
//! The state is sealed by a key that only its owner can make again, and names the head of its
//! account's ledger. It has no units: those of an account are the ledger's, so a snapshot wins none
//! back. If units are free, nothing has them after a restart: then a restored session gets what a
//! new one gets, less what it had spent.

use std::{sync::Arc, time::Instant};

use alloy_primitives::B256;
use axum::body::Bytes;
use cotrain_active::session::{Limits, Session, SessionError, Snapshot};
use cotrain_payments::{ledger::AccountId, rail::token_hash, seal::SealKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    Entry, Inner, Labels,
    account::{Account, Counted},
    answers::Answered,
    caller::Caller,
    opening::Ready,
    prices::{self, Asked},
    receipt::Receipt,
    refusal::Refusal,
    secrets::Secret,
};
use crate::payments::{RailKind, account_of};

/// State of a session within the seal.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    /// Units that the session had spent.
    spent: u64,
    session: Snapshot,
}

/// Session that was restored.
#[derive(Debug)]
pub(crate) struct Restored {
    /// Id, in hexadecimal.
    pub(crate) id: String,
    /// New token; `None` if the session or its account has one already.
    pub(crate) token: Option<String>,
    /// Number of labeled rows.
    pub(crate) rows: usize,
    pub(crate) receipt: Receipt,
    /// Time at which it is deleted unless there is a call, in Unix seconds.
    pub(crate) expires: u64,
}

/// Owner's key material, of which the keys of all its sessions are made. It is wiped from memory.
pub(crate) enum Owner {
    /// Random secret.
    Secret(Zeroizing<[u8; 32]>),
    /// Wallet's signature of the fixed message.
    Signature(Zeroizing<[u8; 65]>),
}

impl Owner {
    fn key(&self, session: AccountId) -> SealKey {
        match self {
            Self::Secret(secret) => SealKey::from_secret(secret, session),
            Self::Signature(signature) => SealKey::from_signature(signature, session),
        }
    }
}

/// Session of a snapshot.
struct Unsealed {
    session: Session,
    /// Units that it had spent.
    spent: u64,
    /// Head of its account at the time of the sealing.
    head: (u64, B256),
}

impl Unsealed {
    /// Opens a seal, and makes the session.
    fn of(
        owner: &Owner,
        session: AccountId,
        bytes: &[u8],
        limits: Limits,
    ) -> Result<Self, Refusal> {
        let opened = owner.key(session).open(session, bytes)?;
        let state = serde_json::from_slice(&opened.state);
        let State { spent, session } = state.map_err(|_| SessionError::Torn)?;
        Ok(Self {
            session: Session::restore(session, limits)?,
            spent,
            head: opened.head,
        })
    }

    /// Checks that an account has had the head of the snapshot.
    ///
    /// A head of its future is that of another ledger, or of one that lost entries.
    fn check(&self, account: &Account) -> Result<(), Refusal> {
        let now = account.head();
        if self.head.0 < now.0 || self.head == now {
            return Ok(());
        }
        Err(Refusal::Ledger)
    }
}

impl Labels {
    /// Returns a sealed snapshot of a session.
    pub(crate) async fn seal(
        &self,
        id: &str,
        entry: &Arc<Entry>,
        owner: Owner,
    ) -> Result<Vec<u8>, Refusal> {
        let inner = self.inner()?;
        let name = name(id)?;
        let max = inner.section.max_upload;
        let (session, spent, head) = {
            let turn = entry.turn.lock().await;
            let spent = turn.account.receipt().spent;
            (turn.session.clone(), spent, turn.account.head())
        };
        let sealed = inner.apart(move || {
            let state = State {
                spent,
                session: session.snapshot(),
            };
            let written = serde_json::to_vec(&state).map_err(|_| SessionError::Torn)?;
            let written = Zeroizing::new(written);
            if written.len() > max {
                return Err(Refusal::SnapshotSize { max });
            }
            let mut nonce = [0; 24];
            getrandom::fill(&mut nonce).map_err(|error| {
                tracing::error!(%error, "the system gives no random numbers");
                Refusal::Failed
            })?;
            Ok(owner.key(name).seal(name, head, &nonce, &written)?)
        });
        sealed.await?
    }

    /// Restores a session from a sealed snapshot, and returns the answer that `view` makes of it.
    ///
    /// If it is open, it goes on from the snapshot. Else it is opened under its id, in the account of
    /// the ledger that it had, or with new units if they are free. It costs as much as an opening.
    pub(crate) async fn restore(
        &self,
        id: String,
        caller: Caller,
        owner: Owner,
        sealed: Bytes,
        view: impl FnOnce(Restored) -> Vec<u8> + Send + 'static,
    ) -> Result<Answered, Refusal> {
        let inner = Arc::clone(self.inner()?);
        let name = name(&id)?;
        let limits = inner.section.limits();
        let open = match self.find(&id, &caller.presented) {
            Ok(entry) => Some(entry),
            Err(Refusal::Unknown) => None,
            Err(refusal) => return Err(refusal),
        };
        let unsealing = inner.apart(move || Unsealed::of(&owner, name, &sealed, limits));
        let unsealed = unsealing.await??;
        let Some(entry) = open else {
            let reopening =
                tokio::spawn(async move { inner.reopen(id, &caller, unsealed, view).await });
            return reopening.await.unwrap_or(Err(Refusal::Failed));
        };
        unsealed.check(&entry.turn.lock().await.account)?;
        let (session, expires) = (unsealed.session, inner.expires(entry.opened));
        let rows = session.rows();
        let work = move |_: &Session, _| Ok((session, ()));
        let check = move |_: &Session| Ok(work);
        let answer = move |(), receipt| {
            view(Restored {
                id,
                token: None,
                rows,
                receipt,
                expires,
            })
        };
        self.work(entry, caller, Asked::Restoring, check, answer)
            .await
    }
}

impl Inner {
    /// Opens a session of a snapshot under its id.
    async fn reopen(
        &self,
        id: String,
        caller: &Caller,
        unsealed: Unsealed,
        view: impl FnOnce(Restored) -> Vec<u8>,
    ) -> Result<Answered, Refusal> {
        let price = prices::units(&self.prices, &unsealed.session, Asked::Restoring)?;
        let rows = unsealed.session.rows();
        let place = self.place(caller.client, unsealed.session.bytes())?;
        place.claim(name(&id)?)?;
        if self.sessions().by_id.contains_key(&id) {
            return Err(Refusal::Open);
        }
        let token = Secret::new()?;
        let (account, told) = if self.payments.is_on() {
            let booked = self.booked(&id, caller)?;
            if let Err(refusal) = booked.prove(&caller.presented) {
                let is_unpaid = caller.presented.payment.is_none();
                if is_unpaid && booked.rail.kind() == RailKind::Channel {
                    // Its client signs a voucher once it is told the price.
                    return Err(booked.unpaid(caller, price).await);
                }
                return Err(refusal);
            }
            if self.open_session_of(booked.account).is_some() {
                return Err(Refusal::Open);
            }
            if booked.rail.kind() != RailKind::Channel && name(&id)? != booked.account {
                place.claim(booked.account)?;
            }
            // As with an opening, a voucher proves no question about the session.
            let needs_token = booked.rail.kind() == RailKind::Channel;
            (Account::Booked(booked), needs_token)
        } else {
            let max = self.section.max_units;
            let spent = unsealed.spent.min(max);
            (Account::Free(Counted::new(max).charged(spent)?), true)
        };
        unsealed.check(&account)?;
        if let Account::Booked(booked) = &account {
            booked.reopened().await?;
        }
        let held = account.hold(caller, price).await?;
        let receipt = held.receipt();
        if let Err(refusal) = place.check() {
            return Err(held.refuse(refusal).await);
        }
        let (account, response) = held.commit().await?;
        let ready = Ready {
            session: unsealed.session,
            price,
        };
        let hash = told.then(|| token_hash(&token.text()));
        self.insert(place, id.clone(), caller, ready, hash, account)?;
        let body = view(Restored {
            id,
            token: told.then(|| token.text()),
            rows,
            receipt,
            expires: self.expires(Instant::now()),
        });
        Ok(Answered {
            body: body.into(),
            receipt,
            response,
        })
    }
}

/// Returns the name of a session in seals, which its id alone decides.
fn name(id: &str) -> Result<AccountId, Refusal> {
    let id = Secret::read(id).ok_or(Refusal::Unknown)?;
    Ok(account_of(id.bytes()))
}
