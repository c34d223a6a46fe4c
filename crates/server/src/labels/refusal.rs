//! Reasons why a call on a labeling session is refused.

use cotrain_active::session::SessionError;
use cotrain_payments::{price::PriceError, seal::SealError, x402::wire::SettlementResponse};

use super::receipt::OutOfUnits;
use crate::payments::{PayError, Refused};

/// Reason why a call is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("no labeling sessions are opened here; labels.enabled switches them on")]
    Disabled,
    #[error("{max} labeling sessions are open here already; try again later")]
    Full { max: usize },
    #[error("this client has {max} labeling sessions open; close one, or wait until one expires")]
    ClientFull { max: usize },
    #[error("the labeling sessions take as much memory as they may; try again later")]
    Memory,
    #[error(
        "there is no labeling session with this id; it was closed, or it expired, or the coordinator has started again"
    )]
    Unknown,
    #[error("the token is not that of the session; send `Authorization: Bearer` with it")]
    Token,
    #[error("a request with this Idempotency-Key had another body; use a new key")]
    OtherBody,
    #[error(transparent)]
    Units(#[from] OutOfUnits),
    #[error(transparent)]
    Price(#[from] PriceError),
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error("other pools or snapshots are being received, of which few are at a time; try again")]
    Uploads,
    #[error(
        "the snapshot would have more than {max} bytes, which is all that is taken back here; take the model along instead"
    )]
    SnapshotSize { max: usize },
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(
        "the snapshot names a ledger that this coordinator does not have; restore it where it was made"
    )]
    Ledger,
    #[error("the account of this snapshot has an open session already; call it, or close it first")]
    Open,
    #[error("the work on the session failed; nothing was charged")]
    Failed,
    /// Refusal of a call after its payment has bought units, which are in the account.
    #[error("{refusal}")]
    Bought {
        response: Box<SettlementResponse>,
        refusal: Box<Self>,
    },
    #[error("{}", .0.error)]
    Unpaid(Box<Refused>),
    #[error(transparent)]
    Unpayable(PayError),
    #[error(
        "this request was done and charged before, and its answer is no longer here; ask for the session's state, and go on with a new key"
    )]
    AnswerLost { charged: u64, left: u64 },
    #[error("nothing is sold here: units are free; open a session without a payment")]
    NothingSold,
}

impl Refusal {
    /// Returns the refusal of a proof.
    pub(super) fn proof(reason: cotrain_payments::rail::RefusalReason) -> Self {
        Self::Unpayable(reason.into())
    }
}

impl Refusal {
    /// Adds the result of a payment that came with the call, if there was one.
    pub(super) fn after(self, response: Option<SettlementResponse>) -> Self {
        match response {
            Some(response) => Self::Bought {
                response: Box::new(response),
                refusal: Box::new(self),
            },
            None => self,
        }
    }
}

impl From<Box<Refused>> for Refusal {
    fn from(refused: Box<Refused>) -> Self {
        Self::Unpaid(refused)
    }
}
