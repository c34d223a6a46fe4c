//! Room for sessions: a place is taken before anything is paid, and becomes a session or is free again.

use std::{net::IpAddr, sync::Arc, time::Instant};

use cotrain_payments::ledger::{AccountId, Fault};

use super::{Entry, Inner, Sessions, refusal::Refusal};
use crate::payments::{BooksError, PayError};

/// Room for a session that is being opened.
#[derive(Debug)]
pub(super) struct Promise {
    client: IpAddr,
    bytes: usize,
    /// Accounts, and names of sessions, that nobody else may open meanwhile.
    claims: Vec<AccountId>,
}

/// Place of a session that is being opened. It is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place<'a> {
    inner: &'a Inner,
    number: u64,
}

impl Inner {
    /// Takes a place for another session of a client.
    pub(super) fn place(&self, client: IpAddr, bytes: usize) -> Result<Place<'_>, Refusal> {
        let section = &self.section;
        let mut sessions = self.sessions();
        sessions.delete_expired(Instant::now());
        let all = sessions.by_id.len() + sessions.promised.len();
        if sessions.stopped || all >= section.max_sessions {
            let max = section.max_sessions;
            return Err(Refusal::Full { max });
        }
        let max = section.max_client_sessions;
        if sessions.of_client(client) >= max {
            return Err(Refusal::ClientFull { max });
        }
        if sessions.bytes() + bytes > section.max_bytes {
            return Err(Refusal::Memory);
        }
        let number = sessions.next_promise;
        sessions.next_promise += 1;
        let promise = Promise {
            client,
            bytes,
            claims: Vec::new(),
        };
        sessions.promised.insert(number, promise);
        Ok(Place {
            inner: self,
            number,
        })
    }
}

impl Place<'_> {
    /// Keeps others from opening a session of this name or account until this one is open.
    pub(super) fn claim(&self, name: AccountId) -> Result<(), Refusal> {
        let mut sessions = self.inner.sessions();
        let mut others = sessions.promised.iter();
        if others.any(|(number, it)| *number != self.number && it.claims.contains(&name)) {
            let running = BooksError::Refused(Fault::Running);
            return Err(Refusal::Unpayable(PayError::Books(running)));
        }
        if let Some(promise) = sessions.promised.get_mut(&self.number) {
            promise.claims.push(name);
        }
        Ok(())
    }

    /// Checks that the session can still be opened, before it is charged.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        if self.inner.sessions().stopped {
            let max = self.inner.section.max_sessions;
            return Err(Refusal::Full { max });
        }
        Ok(())
    }

    /// Opens the session.
    pub(super) fn fill(self, id: String, entry: Entry) -> Result<(), Refusal> {
        let mut sessions = self.inner.sessions();
        if sessions.stopped {
            let max = self.inner.section.max_sessions;
            return Err(Refusal::Full { max });
        }
        sessions.promised.remove(&self.number);
        sessions.by_id.insert(id, Arc::new(entry));
        Ok(())
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.inner.sessions().promised.remove(&self.number);
    }
}

impl Sessions {
    /// Returns the memory of all sessions, also of those that are being opened, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let open: usize = self.by_id.values().map(|it| it.seen().bytes).sum();
        let promised: usize = self.promised.values().map(|it| it.bytes).sum();
        open + promised
    }

    fn of_client(&self, client: IpAddr) -> usize {
        let open = self.by_id.values().filter(|it| it.client == client);
        let promised = self.promised.values().filter(|it| it.client == client);
        open.count() + promised.count()
    }
}
