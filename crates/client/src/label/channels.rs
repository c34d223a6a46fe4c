//! Payments by x402 `batch-settlement`: a deposit into a channel, and a voucher for each call.

use std::{convert::Infallible, fmt, path::Path};

use alloy_primitives::{Address, B256};
use cotrain_chain::keys::Key;
use cotrain_payments::{
    budget::Currency,
    ledger::{PaymentKey, Token},
    x402::{
        Json,
        batch::{self, Deployment, Limits, PayerChannel, Terms},
        extensions, header,
        payer::{Asset, choose},
        wire::{PaymentPayload, PaymentRequirements, SettlementResponse},
    },
};

use super::book::{
    Approve, Asked, Book, Means, Offers, OpenPayment, PaidCall, PayError, WalletError, now, random,
};

/// Account that pays by a channel within a budget.
///
/// The channel has a random number of its own, so that no other program of the account uses it.
pub struct Channels {
    key: Key,
    asset: Asset,
    deployment: Deployment,
    book: Book,
    approve: Approve,
}

impl fmt::Debug for Channels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channels")
            .field("payer", &self.key.address())
            .field("asset", &self.asset)
            .finish_non_exhaustive()
    }
}

impl Channels {
    /// Opens the record of an account's payments, or begins it.
    ///
    /// `limit` is the maximum that vouchers promise, and the maximum of all deposits, in atomic units.
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
            deployment: Deployment::standard(chain_id),
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

    /// Signs a voucher, with a deposit if the channel has too little, and writes it down.
    pub(super) fn begin(&mut self, offers: &Offers, call: PaidCall) -> Result<(), PayError> {
        let required = offers.x402.as_ref().ok_or(PayError::NoOffer("channels"))?;
        let currency = self.currency();
        let left = self.book.left(currency);
        let assets = [self.asset.clone()];
        // An amount that was promised before needs no money again, so the channel has the last word.
        let limit = self.asset.max_payment;
        let offer = choose(required, &[batch::SCHEME], &assets, |_| limit)?;
        let terms = Terms::of(offer).map_err(|word| PayError::Offer(word.word().to_owned()))?;
        let payer = self.key.address();
        let channel = match self.book.channel() {
            Some(channel) => channel.clone(),
            None => PayerChannel::open(&self.deployment, &terms, payer, random()?, 0, 0),
        };
        let asked = Asked {
            amount: terms.amount,
            money: format!(
                "atomic units of the token {} ({}) by a channel, whose deposits are at most {limit}",
                self.asset.token, terms.token.name
            ),
            chain_id: Some(self.asset.chain_id),
            pay_to: terms.receiver.to_string(),
            description: String::new(),
            left,
        };
        // A person is told of the channel once, and not of each voucher.
        if self.book.channel().is_none() && !(self.approve)(&asked) {
            return Err(PayError::NotAgreed);
        }
        let mut paying = channel;
        let total = paying.charged().saturating_add(terms.amount);
        let limits = Limits {
            request: limit,
            total: limit,
            deposits: limit,
        };
        let id = paying.id();
        self.book.permits(id, currency, total)?;
        let sign = |hash: B256| Ok::<_, Infallible>(self.key.sign_hash(&hash));
        let payload = paying.pay(&self.deployment, offer, &limits, random()?, now(), sign);
        let payload = payload.map_err(|error| PayError::Offer(error.to_string()))?;
        let mut signed = PaymentPayload::new(required, offer, &payload);
        extensions::add_identifier(&mut signed.extensions, &call.id);
        let unreadable = |error: serde_json::Error| PayError::Offer(error.to_string());
        let json = serde_json::to_vec(&signed).map_err(unreadable)?;
        let token = Token {
            chain: self.asset.chain_id,
            address: self.asset.token,
        };
        let open = OpenPayment {
            call,
            payment: PaymentKey::Authorization {
                payer,
                token,
                nonce: random()?,
            }
            .id(),
            amount: terms.amount,
            means: Means::Voucher {
                header: header::encode(&json),
                payload: Box::new(payload),
            },
        };
        self.book.change(|record| {
            record.budget.sign(id, currency, total)?;
            record.channel = Some(paying);
            record.open = Some(open);
            Ok(())
        })?;
        Ok(())
    }

    /// Counts the charge of the open payment, as the coordinator tells it.
    pub(super) fn paid(&mut self, settled: &SettlementResponse) -> Result<(), WalletError> {
        let open = self.book.open().cloned();
        let Some((amount, Means::Voucher { payload, .. })) = open.map(|it| (it.amount, it.means))
        else {
            return Ok(());
        };
        let Some(mut channel) = self.book.channel().cloned() else {
            return Ok(());
        };
        let counted = channel.answered(settled, amount, &payload);
        // The voucher was taken, whatever is wrong with the count. The next one would tell.
        self.book.change(|record| {
            record.channel = Some(channel);
            record.open = None;
            Ok(())
        })?;
        counted.map(drop).map_err(WalletError::Charge)
    }

    /// Ends the open payment without a charge: the call failed, or its voucher was refused.
    pub(super) fn unused(&mut self) -> Result<(), WalletError> {
        self.book.change(|record| {
            record.open = None;
            Ok(())
        })
    }

    /// Takes the total over that the coordinator proves by the payer's own voucher. Returns `false` if
    /// it proves none. The open payment ends then, too.
    pub(super) fn correct(&mut self, offers: &Offers) -> Result<bool, WalletError> {
        let mut channel = self.book.channel().cloned();
        let corrected = channel.as_mut().is_some_and(|channel| {
            let accepts = offers.x402.iter().flat_map(|required| &required.accepts);
            let offers = accepts.filter(|offer| offer.scheme == batch::SCHEME);
            let mut offers = offers.filter(|offer| offer.extra.get("channelState").is_some());
            offers.any(|offer| channel.correct(&self.deployment, offer, balance(offer), 0))
        });
        self.book.change(|record| {
            if corrected {
                record.channel = channel;
            }
            record.open = None;
            Ok(())
        })?;
        Ok(corrected)
    }

    /// Returns the header that asks for what is left in the channel.
    pub(super) fn refund(&self, offers: &Offers) -> Result<Option<String>, PayError> {
        let (Some(channel), Some(required)) = (self.book.channel(), &offers.x402) else {
            return Ok(None);
        };
        let is_own = |offer: &&PaymentRequirements| {
            let terms = Terms::of(offer).ok();
            terms.is_some_and(|it| it.check(&self.deployment, channel.config()).is_ok())
        };
        let Some(offer) = required.accepts.iter().find(is_own) else {
            return Ok(None);
        };
        let sign = |hash: B256| Ok::<_, Infallible>(self.key.sign_hash(&hash));
        let payload = channel.refund(&self.deployment, None, sign);
        let payload = payload.map_err(|error| PayError::Offer(error.to_string()))?;
        let signed = PaymentPayload::new(required, offer, payload);
        let json = serde_json::to_vec(&signed);
        let json = json.map_err(|error| PayError::Offer(error.to_string()))?;
        Ok(Some(header::encode(&json)))
    }

    /// Forgets the channel, whose rest came back.
    pub(super) fn refunded(&mut self) -> Result<(), WalletError> {
        self.book.change(|record| {
            record.channel = None;
            Ok(())
        })
    }
}

/// Returns the balance that a correction tells. A wrong one leads to a refused voucher, or to a deposit
/// within the limit.
fn balance(offer: &PaymentRequirements) -> u128 {
    let state = offer.extra.get("channelState");
    let balance = state
        .and_then(|it| it.get("balance"))
        .and_then(Json::as_str);
    balance.and_then(|it| it.parse().ok()).unwrap_or(0)
}

fn currency(asset: &Asset) -> Currency {
    Currency::Token(Token {
        chain: asset.chain_id,
        address: asset.token,
    })
}

#[cfg(test)]
mod tests {
    use cotrain_payments::x402::{
        Token as Erc20,
        batch::payload::SignedVoucher,
        wire::{Extensions, PaymentRequired},
    };
    use tempfile::TempDir;

    use super::*;

    fn channels(folder: &TempDir, limit: u128) -> Channels {
        let (key, token) = (Key::development(1), Address::repeat_byte(5));
        let path = folder.path().join("wallet");
        let approve: Approve = Box::new(|_| true);
        Channels::open(key, 31_337, token, limit, &path, approve).expect("a record")
    }

    /// Returns an offer of a call for 30, with more values of the scheme.
    fn offers(more: &[(&str, Json)]) -> Offers {
        let terms = Terms {
            token: Erc20 {
                chain_id: 31_337,
                address: Address::repeat_byte(5),
                name: "Test".to_owned(),
                version: "1".to_owned(),
            },
            amount: 30,
            receiver: Address::repeat_byte(7),
            receiver_authorizer: Address::repeat_byte(8),
            withdraw_delay: 900,
            max_timeout: 60,
            min_deposit: Some(300),
        };
        let mut offer = terms.offer();
        for (name, value) in more {
            offer.extra.set(name, value.clone());
        }
        let x402 = Some(PaymentRequired {
            x402_version: 2,
            error: None,
            resource: None,
            accepts: vec![offer],
            extensions: Extensions::new(),
        });
        Offers { x402, l402: None }
    }

    /// Begins a payment, and returns its voucher and its deposit.
    fn begin(channels: &mut Channels) -> (SignedVoucher, Option<u128>) {
        let call = PaidCall {
            path: "/".to_owned(),
            body: String::new(),
            id: "0123456789abcdef".to_owned(),
        };
        channels.begin(&offers(&[]), call).expect("a voucher");
        let open = channels.book.open().expect("a payment");
        let Means::Voucher { payload, .. } = &open.means else {
            panic!("{open:?}");
        };
        let (_, voucher) = payload.channel().expect("a voucher");
        let deposit = match &**payload {
            batch::payload::BatchPayload::Deposit(it) => it.deposit.amount.to_u128(),
            _ => None,
        };
        (voucher.clone(), deposit)
    }

    fn total(voucher: &SignedVoucher) -> Option<u128> {
        voucher.max_claimable_amount.to_u128()
    }

    fn charged() -> SettlementResponse {
        SettlementResponse {
            success: true,
            extra: Some(Json::object([("chargedAmount", Json::from("30"))])),
            ..SettlementResponse::default()
        }
    }

    #[test]
    fn begin_goes_on_with_the_stored_channel_and_never_signs_less() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut first = channels(&folder, 1_000);
        let (voucher, deposit) = begin(&mut first);
        assert_eq!((total(&voucher), deposit), (Some(30), Some(300)));
        first.paid(&charged()).expect("counted");
        let (voucher, deposit) = begin(&mut first);
        assert_eq!((total(&voucher), deposit), (Some(60), None));
        // The program is killed here. The payment is there, and then the next one.
        let mut second = channels(&folder, 1_000);
        let open = second.book.open().cloned().expect("a payment");
        assert_eq!(Some(&open), first.book.open());
        second.paid(&charged()).expect("counted");
        let (next, deposit) = begin(&mut second);
        assert_eq!(next.channel_id, voucher.channel_id);
        assert_eq!((total(&next), deposit), (Some(90), None));
        assert_eq!(second.book.counted(second.currency()), 90);
        // The budget ends before the deposit does.
        second.paid(&charged()).expect("counted");
        drop(second);
        let mut third = channels(&folder, 110);
        let call = PaidCall {
            path: "/".to_owned(),
            body: String::new(),
            id: "0123456789abcdef".to_owned(),
        };
        let failure = third.begin(&offers(&[]), call).expect_err("no budget");
        assert!(matches!(failure, PayError::Budget(_)), "{failure:?}");
    }

    #[test]
    fn correct_takes_over_only_what_an_own_voucher_proves() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut channels = channels(&folder, 1_000);
        let (voucher, _) = begin(&mut channels);
        // The call was charged, and its answer says nothing of it.
        let silent = SettlementResponse {
            success: true,
            ..SettlementResponse::default()
        };
        channels.paid(&silent).expect("counted");
        let state = [
            ("chargedCumulativeAmount", Json::from("30")),
            ("balance", Json::from("300")),
        ];
        let proof = |signature: &[u8]| {
            let signature = alloy_primitives::hex::encode_prefixed(signature);
            let voucher = [
                ("signedMaxClaimable", Json::from("30")),
                ("signature", signature.into()),
            ];
            offers(&[
                ("channelState", Json::object(state.clone())),
                ("voucherState", Json::object(voucher)),
            ])
        };
        begin(&mut channels);
        let forged = channels.correct(&proof(&[1; 65])).expect("kept");
        assert!(!forged);
        assert!(channels.book.open().is_none());
        let proven = channels.correct(&proof(&voucher.signature)).expect("kept");
        assert!(proven);
        let (voucher, deposit) = begin(&mut channels);
        assert_eq!((total(&voucher), deposit), (Some(60), None));
    }
}
