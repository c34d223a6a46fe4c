//! Payments by x402 `exact`: signed transfers of a token.

use std::{convert::Infallible, fmt, path::Path};

use alloy_primitives::{Address, B256};
use cotrain_chain::keys::Key;
use cotrain_payments::{
    budget::Currency,
    ledger::{PaymentKey, Token},
    x402::{
        exact, extensions, header,
        payer::{Asset, choose},
    },
};

use super::book::{
    Approve, Asked, Book, Means, Offers, OpenPayment, PaidCall, PayError, WalletError, now, random,
};

/// Account that pays with a token within a budget.
pub struct Tokens {
    key: Key,
    asset: Asset,
    book: Book,
    approve: Approve,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("payer", &self.key.address())
            .field("asset", &self.asset)
            .finish_non_exhaustive()
    }
}

impl Tokens {
    /// Opens the record of an account's payments, or begins it.
    ///
    /// `limit` is the maximum of all payments in the record, earlier ones included, in atomic units.
    ///
    /// # Errors
    /// [`WalletError`] if the record is not of this account, or cannot be read.
    pub fn open(
        key: Key,
        chain_id: u64,
        token: Address,
        limit: u128,
        path: &Path,
        approve: Approve,
    ) -> Result<Self, WalletError> {
        let asset = Asset {
            chain_id,
            token,
            max_payment: limit,
        };
        let book = Book::open_for(path, &key.address().to_string(), currency(&asset), limit)?;
        Ok(Self {
            key,
            asset,
            book,
            approve,
        })
    }

    pub(super) fn book(&self) -> &Book {
        &self.book
    }

    pub(super) fn currency(&self) -> Currency {
        currency(&self.asset)
    }

    /// Signs a transfer, and writes it down.
    pub(super) fn begin(&mut self, offers: &Offers, call: PaidCall) -> Result<(), PayError> {
        let required = offers.x402.as_ref().ok_or(PayError::NoOffer("tokens"))?;
        let currency = self.currency();
        let left = self.book.left(currency);
        let assets = [self.asset.clone()];
        let offer = choose(required, &[exact::SCHEME], &assets, |_| left)?;
        let malformed = || PayError::Offer("the offer lacks a value; choose another".to_owned());
        let amount = offer.amount.to_u128().ok_or_else(malformed)?;
        let resource = required.resource.as_ref();
        let name = offer.extra.get("name").and_then(|it| it.as_str());
        let (chain_id, token) = (self.asset.chain_id, self.asset.token);
        let asked = Asked {
            amount,
            money: format!(
                "atomic units of the token {token} ({})",
                name.unwrap_or_default()
            ),
            chain_id: Some(chain_id),
            pay_to: offer.recipient().ok_or_else(malformed)?.to_string(),
            description: resource
                .and_then(|it| it.description.clone())
                .unwrap_or_default(),
            left,
        };
        if !(self.approve)(&asked) {
            return Err(PayError::NotAgreed);
        }
        let (nonce, payer) = (random()?, self.key.address());
        let sign = |hash: B256| Ok::<_, Infallible>(self.key.sign_hash(&hash));
        let signed = exact::sign(required, offer, payer, nonce, now(), sign);
        let mut signed = signed.map_err(|error| PayError::Offer(error.to_string()))?;
        extensions::add_identifier(&mut signed.extensions, &call.id);
        let valid_before = signed.payload.authorization.valid_before.to_u64();
        let json = serde_json::to_vec(&signed);
        let json = json.map_err(|error| PayError::Offer(error.to_string()))?;
        let token = Token {
            chain: chain_id,
            address: token,
        };
        let open = OpenPayment {
            call,
            payment: PaymentKey::Authorization {
                payer,
                token,
                nonce,
            }
            .id(),
            amount,
            means: Means::Transfer {
                header: header::encode(&json),
                valid_before: valid_before.unwrap_or(u64::MAX),
            },
        };
        Ok(self.book.begin(open, currency)?)
    }

    /// Counts the open payment as taken.
    pub(super) fn paid(&mut self) -> Result<(), WalletError> {
        self.book.change(|record| {
            if let Some(open) = record.open.take() {
                record.budget.paid(open.payment, open.amount)?;
            }
            Ok(())
        })
    }

    /// Ends the open payment, which still counts. Returns the time at which it becomes void.
    pub(super) fn failed(&mut self) -> Result<Option<u64>, WalletError> {
        let void = self.book.open().and_then(|open| match open.means {
            Means::Transfer { valid_before, .. } => Some(valid_before),
            Means::Invoice { .. } | Means::Voucher { .. } => None,
        });
        self.book.change(|record| {
            record.open = None;
            Ok(())
        })?;
        Ok(void)
    }
}

fn currency(asset: &Asset) -> Currency {
    Currency::Token(Token {
        chain: asset.chain_id,
        address: asset.token,
    })
}
