//! Answers of a session by the keys of their requests.

use std::collections::VecDeque;

use axum::body::Bytes;
use cotrain_payments::x402::wire::SettlementResponse;
use sha2::{Digest, Sha256};

use super::receipt::Receipt;

/// Maximum number of stored answers.
const MAX_ANSWERS: usize = 16;

/// Maximum size of all stored answers, in bytes. The last one is always stored.
const MAX_BYTES: usize = 64 << 10;

/// Answer to a call that was charged.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answered {
    /// Body.
    pub(crate) body: Bytes,
    /// Units that it cost, and that were left.
    pub(crate) receipt: Receipt,
    /// Contents of the header `PAYMENT-RESPONSE`, if the call had a payment.
    pub(crate) response: Option<SettlementResponse>,
}

/// Request with a key, for which the same answer is given again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    key: String,
    /// SHA-256 of path and body.
    hash: [u8; 32],
}

impl Request {
    /// Returns the request of a key. `content` has the parts of all that makes the request.
    pub(crate) fn new(key: &str, content: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in content {
            hash.update(part);
        }
        Self {
            key: key.to_owned(),
            hash: hash.finalize().into(),
        }
    }

    /// Returns the SHA-256 of path and body.
    pub(crate) fn hash(&self) -> [u8; 32] {
        self.hash
    }
}

/// Answers to the last requests with keys; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Answers(VecDeque<(Request, Answered)>);

/// Result of a search.
#[derive(Debug, PartialEq)]
pub(super) enum Stored {
    /// Answer to the same request.
    Same(Box<Answered>),
    /// The key had another request.
    Other,
    /// The key is unknown.
    None,
}

impl Answers {
    /// Returns the answer to a request.
    pub(super) fn find(&self, request: &Request) -> Stored {
        let found = self.0.iter().find(|(it, _)| it.key == request.key);
        match found {
            Some((it, answer)) if it.hash == request.hash => Stored::Same(Box::new(answer.clone())),
            Some(_) => Stored::Other,
            None => Stored::None,
        }
    }

    /// Stores an answer, and forgets the oldest ones.
    pub(super) fn store(&mut self, request: Request, answer: Answered) {
        self.0.push_back((request, answer));
        while self.0.len() > MAX_ANSWERS || (self.0.len() > 1 && self.bytes() > MAX_BYTES) {
            self.0.pop_front();
        }
    }

    /// Returns the size of the answers, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.0.iter().map(|(_, answer)| answer.body.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(body: impl Into<Bytes>) -> Answered {
        let receipt = Receipt {
            charged: 1,
            spent: 1,
            left: 0,
        };
        Answered {
            body: body.into(),
            receipt,
            response: None,
        }
    }

    #[test]
    fn find_tells_the_same_request_from_another() {
        let mut answers = Answers::default();
        let request = Request::new("key", &[b"one"]);
        assert_eq!(answers.find(&request), Stored::None);
        answers.store(request.clone(), answered("answer"));
        assert_eq!(
            answers.find(&request),
            Stored::Same(Box::new(answered("answer")))
        );
        assert_eq!(answers.find(&Request::new("key", &[b"two"])), Stored::Other);
        assert_eq!(
            answers.find(&Request::new("other", &[b"one"])),
            Stored::None
        );
    }

    #[test]
    fn store_forgets_the_oldest() {
        let mut answers = Answers::default();
        let request = |index: usize| Request::new(&index.to_string(), &[b""]);
        for index in 0..MAX_ANSWERS + 2 {
            answers.store(request(index), answered("1234"));
        }
        assert_eq!(answers.find(&request(1)), Stored::None);
        assert_ne!(answers.find(&request(2)), Stored::None);
        assert_eq!(answers.bytes(), 4 * MAX_ANSWERS);
        answers.store(request(99), answered(vec![0; MAX_BYTES + 1]));
        assert_eq!(answers.bytes(), MAX_BYTES + 1);
        assert_ne!(answers.find(&request(99)), Stored::None);
    }
}
