//! Payments by L402: invoices that the payer's own Lightning node pays.

use std::{fmt, path::Path};

use alloy_primitives::hex;
use cotrain_payments::{
    bolt11::{self, Network},
    budget::{BudgetError, Currency, NotSpent},
    l402::Credential,
    ledger::PaymentKey,
    macaroon::Macaroon,
};

use super::{
    book::{
        Approve, Asked, Book, Means, Offers, OpenPayment, PaidCall, PayError, WalletError, now,
    },
    lightning::{LightningNode, NodeError, PaymentEnd},
};

/// Least maximum of a route's fee, in millisatoshi.
const LEAST_FEE: u64 = 5_000;

/// Share of an amount that a route's fee may be at most, as a divisor.
const FEE_SHARE: u64 = 50;

/// Lightning node that pays invoices within a budget.
pub struct Invoices {
    node: LightningNode,
    book: Book,
    approve: Approve,
    /// Credential of the last invoice that was paid.
    credential: Option<String>,
}

impl fmt::Debug for Invoices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invoices")
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

impl Invoices {
    /// Opens the record of a node's payments, or begins it.
    ///
    /// `limit` is the maximum of all payments in the record with their fees, earlier ones included, in
    /// millisatoshi.
    ///
    /// # Errors
    /// [`WalletError`] if the record is of another payer, or cannot be read.
    pub fn open(
        node: LightningNode,
        limit: u128,
        path: &Path,
        approve: Approve,
    ) -> Result<Self, WalletError> {
        Ok(Self {
            node,
            book: Book::open_for(path, "lightning", Currency::Lightning, limit)?,
            approve,
            credential: None,
        })
    }

    pub(super) fn book(&self) -> &Book {
        &self.book
    }

    pub(super) fn credential(&self) -> Option<&str> {
        self.credential.as_deref()
    }

    /// Reads an invoice, and writes down that it will be paid.
    pub(super) fn begin(&mut self, offers: &Offers, call: PaidCall) -> Result<(), PayError> {
        let challenge = offers.l402.as_ref();
        let challenge = challenge.ok_or(PayError::NoOffer("payments over Lightning"))?;
        let invoice = bolt11::Invoice::read(&challenge.invoice);
        let invoice = invoice.map_err(|error| PayError::Offer(error.to_string()))?;
        let amount = invoice.amount.ok_or_else(|| {
            PayError::Offer("the invoice has no amount; ask the coordinator's host".to_owned())
        })?;
        if invoice.expires() <= now() {
            let told = "the invoice has expired; compare the clocks of both machines";
            return Err(PayError::Offer(told.to_owned()));
        }
        let fee_limit = (amount / FEE_SHARE).max(LEAST_FEE);
        let maximum = u128::from(amount) + u128::from(fee_limit);
        let left = self.book.left(Currency::Lightning);
        if maximum > left {
            let asked = maximum;
            return Err(BudgetError::Exceeded { asked, left }.into());
        }
        let asked = Asked {
            amount: maximum,
            money: format!(
                "millisatoshi at most, {fee_limit} of them fees, {}",
                match invoice.network {
                    Network::Bitcoin => "on Bitcoin's main network",
                    Network::Testnet | Network::Signet => "on a test network",
                    Network::Regtest => "on a network of a test",
                }
            ),
            chain_id: None,
            pay_to: format!("the node {}", hex::encode(invoice.payee)),
            description: String::new(),
            left,
        };
        if !(self.approve)(&asked) {
            return Err(PayError::NotAgreed);
        }
        let open = OpenPayment {
            call,
            payment: PaymentKey::Invoice(invoice.payment_hash).id(),
            amount: maximum,
            means: Means::Invoice {
                invoice: challenge.invoice.clone(),
                payment_hash: invoice.payment_hash,
                macaroon: challenge.macaroon.to_base64(),
                fee_limit,
                credential: None,
            },
        };
        Ok(self.book.begin(open, Currency::Lightning)?)
    }

    /// Pays the open invoice, unless that is done.
    ///
    /// The outer error leaves its outcome open, and the inner one says that no money has moved.
    pub(super) async fn complete(&mut self) -> Result<Result<(), PayError>, NodeError> {
        let Some(open) = self.book.open().cloned() else {
            return Ok(Ok(()));
        };
        let Means::Invoice {
            invoice,
            payment_hash,
            macaroon,
            fee_limit,
            credential,
        } = open.means
        else {
            return Ok(Ok(()));
        };
        if credential.is_some() {
            self.credential = credential;
            return Ok(Ok(()));
        }
        let macaroon = match Macaroon::from_base64(&macaroon) {
            Ok(macaroon) => macaroon,
            Err(error) => return Ok(Err(PayError::Offer(error.to_string()))),
        };
        let changed = match self.node.pay(&invoice, payment_hash, fee_limit).await? {
            PaymentEnd::Paid { preimage, amount } => {
                let header = Credential::new(macaroon, preimage).header();
                self.credential = Some(header.clone());
                self.book.change(|record| {
                    record.budget.paid(open.payment, amount.into())?;
                    if let Some(OpenPayment {
                        means: Means::Invoice { credential, .. },
                        ..
                    }) = &mut record.open
                    {
                        *credential = Some(header);
                    }
                    Ok(())
                })
            }
            PaymentEnd::Failed(reason) => {
                let ended = self.book.change(|record| {
                    record.budget.not_spent(open.payment, NotSpent::Failed)?;
                    record.open = None;
                    Ok(())
                });
                return Ok(Err(ended
                    .err()
                    .map_or(PayError::Failed(reason), PayError::Wallet)));
            }
        };
        Ok(changed.map_err(PayError::Wallet))
    }

    /// Ends the open payment, whose units the coordinator has given.
    pub(super) fn used(&mut self) -> Result<(), WalletError> {
        self.book.change(|record| {
            record.open = None;
            Ok(())
        })
    }
}
