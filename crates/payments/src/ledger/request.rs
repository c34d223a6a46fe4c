//! Requests with an id, so that a repeated one is neither done nor charged twice.

use std::collections::{BTreeMap, VecDeque};

use alloy_primitives::B256;
use serde::{Deserialize, Serialize};

use super::{
    entry::Receipt,
    fault::Fault,
    key::{Request, RequestId, ReservationId},
};

/// Number of requests that a scope remembers. A repetition of an older one is a new request.
pub const REMEMBERED: usize = 1_024;

/// Requests by scope.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Requests(BTreeMap<B256, Scope>);

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Scope {
    /// Ids, oldest first.
    order: VecDeque<RequestId>,
    known: BTreeMap<RequestId, Known>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    body: B256,
    state: State,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Running(ReservationId),
    Done(Receipt),
    /// The work failed and cost nothing, so the same request may try again.
    Failed,
}

impl Requests {
    /// Returns the receipt of a request that was done, or `None` if it may run.
    ///
    /// # Errors
    /// [`Fault::OtherBody`] or [`Fault::Running`].
    pub(super) fn answered(&self, request: &Request) -> Result<Option<&Receipt>, Fault> {
        let known = self
            .0
            .get(&request.scope)
            .and_then(|scope| scope.known.get(&request.id));
        match known {
            Some(known) if known.body != request.body => Err(Fault::OtherBody),
            Some(Known {
                state: State::Running(_),
                ..
            }) => Err(Fault::Running),
            Some(Known {
                state: State::Done(receipt),
                ..
            }) => Ok(Some(receipt)),
            Some(_) | None => Ok(None),
        }
    }

    pub(super) fn run(&mut self, request: &Request, reservation: ReservationId) {
        let scope = self.0.entry(request.scope).or_default();
        let known = Known {
            body: request.body,
            state: State::Running(reservation),
        };
        if scope.known.insert(request.id.clone(), known).is_none() {
            scope.order.push_back(request.id.clone());
        }
        scope.forget();
    }

    pub(super) fn end(&mut self, request: &Request, receipt: Option<Receipt>) {
        let scope = self.0.get_mut(&request.scope);
        if let Some(known) = scope.and_then(|scope| scope.known.get_mut(&request.id)) {
            known.state = receipt.map_or(State::Failed, State::Done);
        }
    }
}

impl Scope {
    /// Forgets the oldest requests that are not running.
    fn forget(&mut self) {
        let mut at = 0;
        while self.order.len() > REMEMBERED && at < self.order.len() {
            let running = self.order.get(at).is_none_or(|id| {
                let known = self.known.get(id);
                matches!(known.map(|it| &it.state), Some(State::Running(_)))
            });
            if running {
                at += 1;
            } else if let Some(id) = self.order.remove(at) {
                self.known.remove(&id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::key::AccountId;

    fn request(number: usize) -> Request {
        Request {
            scope: B256::ZERO,
            id: format!("request-{number:08}").parse().expect("an id"),
            body: B256::ZERO,
        }
    }

    #[test]
    fn requests_forget_the_oldest_that_are_not_running() {
        let receipt = Receipt {
            account: AccountId::default(),
            reservation: ReservationId(0),
            reserved: 1,
            units: 1,
            left: 0,
            charged: None,
        };
        let mut requests = Requests::default();
        for number in 0..REMEMBERED + 2 {
            requests.run(&request(number), ReservationId(0));
            if number > 0 {
                requests.end(&request(number), Some(receipt.clone()));
            }
        }
        assert_eq!(requests.answered(&request(0)), Err(Fault::Running));
        // The newest was running when the last one was forgotten.
        assert_eq!(requests.answered(&request(1)), Ok(None));
        assert_eq!(requests.answered(&request(2)), Ok(None));
        assert_eq!(requests.answered(&request(3)), Ok(Some(&receipt)));
        assert_eq!(requests.0[&B256::ZERO].order.len(), REMEMBERED);
    }

    #[test]
    fn requests_bind_an_id_to_its_body_also_after_a_failure() {
        let mut requests = Requests::default();
        requests.run(&request(1), ReservationId(0));
        requests.end(&request(1), None);
        assert_eq!(requests.answered(&request(1)), Ok(None));
        let other = Request {
            body: B256::with_last_byte(1),
            ..request(1)
        };
        assert_eq!(requests.answered(&other), Err(Fault::OtherBody));
        let elsewhere = Request {
            scope: B256::with_last_byte(1),
            ..other
        };
        assert_eq!(requests.answered(&elsewhere), Ok(None));
    }
}
