//! Data that rails and the service exchange. The service does the I/O of each rail.
//!
//! A rail makes [`Challenge`]s for a price, and reads what a request [`Presented`]. It then reserves,
//! which gives a [`Hold`] or a [`RefusalReason`]. After the work it commits, which gives a
//! [`Receipt`](crate::ledger::Receipt), or it releases. It reconciles by evidence, at a start and on a
//! timer. Docs: `docs/adr/018-payments.md`.

use alloy_primitives::B256;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::{
    l402::{self, L402Error},
    ledger::{Fault, Invoice, Owner, Payment, PaymentKey, PaymentState, ReservationId, Token},
    x402::{
        Reason, batch, exact,
        wire::{
            Extensions, PaymentPayload, PaymentRequired, PaymentRequirements, Resource, VERSION,
        },
    },
};

/// Seconds after which a caller should ask again about something that is not decided.
pub const RETRY: u64 = 2;

/// Way to pay, in the order of offers: what leaves least money at the host's mercy comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rail {
    /// The host takes no money.
    Free,
    /// Channel of x402 `batch-settlement`: each call pays for itself.
    Channel,
    /// x402 `exact`: a transfer buys units.
    Exact,
    /// L402: an invoice buys units.
    Lightning,
}

impl Rail {
    /// Returns the rail of an x402 scheme, or `None` if there is none.
    #[must_use]
    pub fn of_scheme(scheme: &str) -> Option<Self> {
        match scheme {
            batch::SCHEME => Some(Self::Channel),
            exact::SCHEME => Some(Self::Exact),
            _ => None,
        }
    }
}

/// Offer of one rail.
#[derive(Debug, Clone, PartialEq)]
pub enum Challenge {
    /// Requirements of a scheme of x402.
    X402(PaymentRequirements),
    /// Token and invoice.
    L402(l402::Challenge),
}

/// Offers of all rails for one call.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Offers(Vec<Challenge>);

impl Offers {
    /// Orders offers by their rail. Those of one rail keep their order.
    #[must_use]
    pub fn new(mut challenges: Vec<Challenge>) -> Self {
        challenges.sort_by_key(|challenge| match challenge {
            Challenge::X402(it) => Rail::of_scheme(&it.scheme),
            Challenge::L402(_) => Some(Rail::Lightning),
        });
        Self(challenges)
    }

    /// `true` if nothing is offered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the contents of the header `PAYMENT-REQUIRED`, or `None` if no offer is of x402.
    #[must_use]
    pub fn payment_required(
        &self,
        resource: Resource,
        error: Option<Reason>,
        extensions: Extensions,
    ) -> Option<PaymentRequired> {
        let accepts: Vec<_> = self.accepts().cloned().collect();
        (!accepts.is_empty()).then_some(PaymentRequired {
            x402_version: VERSION,
            error,
            resource: Some(resource),
            accepts,
            extensions,
        })
    }

    /// Returns the values of the header `WWW-Authenticate`.
    pub fn www_authenticate(&self) -> impl Iterator<Item = String> {
        self.0.iter().filter_map(|challenge| match challenge {
            Challenge::L402(it) => Some(it.header()),
            Challenge::X402(_) => None,
        })
    }

    /// Returns our own offer that a payment has chosen.
    ///
    /// # Errors
    /// The reason if we made no such offer, or the payment has other terms.
    pub fn chosen(&self, payment: &PaymentPayload) -> Result<&PaymentRequirements, Reason> {
        let mut last = Reason::InvalidPaymentRequirements;
        for offer in self.accepts() {
            match payment.check_accepts(offer) {
                Ok(()) => return Ok(offer),
                Err(reason) => last = reason,
            }
        }
        Err(last)
    }

    fn accepts(&self) -> impl Iterator<Item = &PaymentRequirements> {
        self.0.iter().filter_map(|challenge| match challenge {
            Challenge::X402(it) => Some(it),
            Challenge::L402(_) => None,
        })
    }
}

/// Proof of who may spend from an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// Hash of a bearer token.
    Bearer(B256),
    /// Preimage and macaroons. A check must follow.
    L402(l402::Credential),
}

impl Proof {
    /// Returns the owner whose account the proof would open.
    #[must_use]
    pub fn owner(&self) -> Owner {
        match self {
            Self::Bearer(hash) => Owner::Token(*hash),
            Self::L402(credential) => Owner::Invoice(credential.payment_hash()),
        }
    }
}

/// Proof and payment of a request. A top-up has both: the payment buys, and the proof names the session.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Presented {
    /// Proof of the header `Authorization`.
    pub proof: Option<Proof>,
    /// Payment of the header `PAYMENT-SIGNATURE`.
    pub payment: Option<PaymentPayload>,
}

impl Presented {
    /// Reads the header `Authorization` beside a payment that was decoded.
    ///
    /// # Errors
    /// [`RefusalReason`] if the header has a known scheme in another form, or an unknown scheme.
    pub fn read(
        authorization: Option<&str>,
        payment: Option<PaymentPayload>,
    ) -> Result<Self, RefusalReason> {
        let proof = authorization.map(read_proof).transpose()?;
        Ok(Self { proof, payment })
    }
}

fn read_proof(header: &str) -> Result<Proof, RefusalReason> {
    if let Some(credential) = l402::Credential::read(header)? {
        return Ok(Proof::L402(credential));
    }
    let (scheme, token) = header.trim().split_once(' ').unwrap_or((header, ""));
    let token = token.trim();
    if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() {
        return Ok(Proof::Bearer(token_hash(token)));
    }
    Err(RefusalReason::Scheme)
}

/// Returns the hash by which the ledger knows a bearer token.
#[must_use]
pub fn token_hash(token: &str) -> B256 {
    B256::from_slice(&Sha256::digest(token))
}

/// Units and money that are set aside for a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Reservation of the ledger.
    pub reservation: ReservationId,
    /// Units of the account that are neither reserved nor spent after it.
    pub left: u64,
    /// Lock of the channel, if a voucher pays.
    pub lock: Option<batch::Reservation>,
}

/// Reason for which a call is not done.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RefusalReason {
    /// The call must be paid for, and was not.
    #[error("cannot do the work: it must be paid for; take one of the offers")]
    Unpaid,
    /// The header `Authorization` has neither scheme.
    #[error("cannot read the proof: expected `Authorization: Bearer …` or `Authorization: L402 …`")]
    Scheme,
    /// The outcome of the payment is unknown.
    #[error(
        "cannot say yet how the payment ends: do not pay again; repeat the request with its id"
    )]
    Pending,
    /// The ledger refuses.
    #[error(transparent)]
    Ledger(#[from] Fault),
    /// The L402 credential is invalid.
    #[error(transparent)]
    L402(#[from] L402Error),
    /// The x402 payment is invalid.
    #[error("cannot take the payment: {0}; correct it, or take another offer")]
    X402(Reason),
}

impl From<Reason> for RefusalReason {
    fn from(reason: Reason) -> Self {
        Self::X402(reason)
    }
}

impl RefusalReason {
    /// Returns the status of the answer. An unknown outcome is never answered by 402.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Unpaid => 402,
            Self::Scheme | Self::L402(_) => 401,
            Self::Pending => 503,
            Self::Ledger(fault) => fault.status(),
            Self::X402(reason) => reason.status(),
        }
    }

    /// Returns the seconds after which the caller should ask again, if time helps.
    #[must_use]
    pub fn retry_after(&self) -> Option<u64> {
        let is_busy = matches!(
            self,
            Self::Ledger(Fault::Busy) | Self::X402(Reason::BatchChannelBusy)
        );
        (is_busy || self.status() == 503).then_some(RETRY)
    }

    /// Returns the word of x402 for the answer.
    #[must_use]
    pub fn word(&self) -> Option<Reason> {
        match self {
            Self::Pending => Some(Reason::SettlementPending),
            Self::X402(reason) => Some(reason.clone()),
            Self::Ledger(Fault::Busy) => Some(Reason::BatchChannelBusy),
            Self::Ledger(Fault::PaymentUsed) => Some(Reason::ExactNonceUsed),
            Self::Unpaid | Self::Scheme | Self::Ledger(_) | Self::L402(_) => None,
        }
    }
}

/// Outcome of a payment that was presented before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It has bought its units. Whoever proves it again gets its account.
    Paid,
    /// Nobody knows, so the payer must not pay again.
    Pending,
    /// It has bought nothing, and the payer may make a new payment.
    Unpaid,
}

impl Payment {
    /// Returns how a payment stands that is presented again.
    #[must_use]
    pub fn standing(&self) -> Standing {
        match self.state {
            PaymentState::Settlement { state, .. } if state.is_paid() => Standing::Paid,
            PaymentState::Settlement { state, .. } if state.is_pending() => Standing::Pending,
            PaymentState::Settlement { .. } => Standing::Unpaid,
            PaymentState::Invoice { state, .. } => match state {
                Invoice::Settled => Standing::Paid,
                Invoice::Accepted => Standing::Pending,
                Invoice::Open | Invoice::Canceled | Invoice::Expired => Standing::Unpaid,
            },
        }
    }
}

/// Returns the ledger's name of a verified `exact` payment.
#[must_use]
pub fn payment_key(payment: &exact::Payment) -> PaymentKey {
    let (payer, address, nonce) = payment.key();
    let chain = payment.token.chain_id;
    PaymentKey::Authorization {
        payer,
        token: Token { chain, address },
        nonce,
    }
}

#[cfg(test)]
mod tests;
