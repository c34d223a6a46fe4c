//! The payer's state of a channel, and its limits.

use alloy_primitives::{Address, B256};
use cotrain_protocol::signature::recover_strict;
use serde::{Deserialize, Serialize};

use super::{
    ChannelConfig, Deployment, Terms,
    deployment::deposit_nonce,
    payload::{
        BatchPayload, Deposit, DepositAuthorization, DepositPayload, Erc3009Authorization,
        RefundPayload, SignedVoucher, VoucherPayload,
    },
};
use crate::x402::{
    Decimal, Json, Reason, exact,
    token::Authorization,
    wire::{PaymentRequirements, SettlementResponse},
};

/// Times of a request's price that a deposit has without another hint, as in the package.
const DEPOSIT_FACTOR: u128 = 5;

/// The payer's state of a channel. Its vouchers are signed by the payer's key.
///
/// The receiver can claim what the largest voucher promises, whatever it says that it charged. So the
/// limit is on what was promised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayerChannel {
    id: B256,
    config: ChannelConfig,
    charged: u128,
    promised: u128,
    balance: u128,
    start: u128,
    deposits: u128,
}

/// Limits of a payer on a channel, in atomic units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Maximum price of a request.
    pub request: u128,
    /// Maximum that vouchers promise since the channel was opened here.
    pub total: u128,
    /// Maximum of all deposits that are signed since the channel was opened here.
    ///
    /// A signed deposit counts even if the server says that it failed: it may still happen.
    pub deposits: u128,
}

/// Reason why the payer signs nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PayError<E> {
    /// The offer has a fault.
    #[error("cannot pay: the server's offer has the fault `{0}`; choose another offer")]
    Offer(Reason),
    /// The offer is for another channel.
    #[error("cannot pay: the offer's terms are not those of the channel; open a channel for them")]
    OtherChannel,
    /// The price is above the limit of a request.
    #[error(
        "cannot pay: the request costs up to {price} atomic units, above the limit of {limit}; raise the limit"
    )]
    Price {
        /// Price of the request.
        price: u128,
        /// Limit.
        limit: u128,
    },
    /// The vouchers would promise more than the limit.
    #[error(
        "cannot pay: vouchers would promise {promised} atomic units, above the limit of {limit}; raise the limit"
    )]
    Total {
        /// Amount that they would promise.
        promised: u128,
        /// Limit.
        limit: u128,
    },
    /// The deposits would be above the limit.
    #[error(
        "cannot pay: the channel needs a deposit of {needed} atomic units, and the limit leaves {left}; read the channel's balance, or raise the limit"
    )]
    Deposit {
        /// Smallest deposit that covers the request.
        needed: u128,
        /// Amount that the limit leaves for deposits.
        left: u128,
    },
    /// The signer failed.
    #[error("cannot pay: the signer failed")]
    Signer(#[source] E),
}

/// Reason why an answer of the server does not change the payer's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// The answer has no such form.
    #[error(
        "cannot count the charge: the answer's `extra` is malformed; ask the server's operator"
    )]
    Malformed,
    /// The charge is above the price.
    #[error(
        "cannot count the charge: the server charged {charged} atomic units, above the price of {price}"
    )]
    AbovePrice {
        /// Charge.
        charged: u128,
        /// Price.
        price: u128,
    },
    /// The server's total differs from ours.
    #[error("cannot count the charge: the server counts {theirs} atomic units, expected {ours}")]
    OtherTotal {
        /// Total of the server.
        theirs: u128,
        /// Total of the payer.
        ours: u128,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReceiptExtra {
    #[serde(default)]
    charged_amount: Option<Decimal>,
    #[serde(default)]
    channel_state: Option<ChannelState>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChannelState {
    #[serde(default)]
    charged_cumulative_amount: Option<Decimal>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VoucherState {
    signed_max_claimable: Decimal,
    signature: alloy_primitives::Bytes,
}

impl PayerChannel {
    /// Opens the channel of a payer with the terms of an offer.
    ///
    /// - `balance`, `claimed`: what the contract's `channels` answers
    #[must_use]
    pub fn open(
        deployment: &Deployment,
        terms: &Terms,
        payer: Address,
        salt: B256,
        balance: u128,
        claimed: u128,
    ) -> Self {
        let config = ChannelConfig {
            payer,
            payer_authorizer: payer,
            receiver: terms.receiver,
            receiver_authorizer: terms.receiver_authorizer,
            token: terms.token.address,
            withdraw_delay: terms.withdraw_delay,
            salt,
        };
        Self {
            id: deployment.channel_id(&config),
            config,
            charged: claimed,
            promised: claimed,
            balance,
            start: claimed,
            deposits: 0,
        }
    }

    /// Returns the id.
    #[must_use]
    pub fn id(&self) -> B256 {
        self.id
    }

    /// Returns parties and terms.
    #[must_use]
    pub fn config(&self) -> &ChannelConfig {
        &self.config
    }

    /// Returns the total that the server charged, as this payer counts, in atomic units.
    #[must_use]
    pub fn charged(&self) -> u128 {
        self.charged
    }

    /// Returns what the receiver can claim by vouchers since the channel was opened here, in atomic
    /// units.
    #[must_use]
    pub fn promised(&self) -> u128 {
        self.promised.saturating_sub(self.start)
    }

    /// Takes over the balance that the contract's `channels` answers, such as after a deposit whose
    /// answer was lost.
    pub fn mirror(&mut self, balance: u128) {
        self.balance = balance;
    }

    /// Signs the payment of one request, with a deposit if the balance is too small.
    ///
    /// `salt` must be random. `sign` signs a hash with the payer's key; it is called once for the
    /// voucher, and before that once for a deposit.
    ///
    /// # Errors
    ///
    /// Fails if the offer has a fault, a limit is exceeded, or `sign` fails. Nothing is promised then.
    pub fn pay<E>(
        &mut self,
        deployment: &Deployment,
        offer: &PaymentRequirements,
        limits: &Limits,
        salt: B256,
        now: u64,
        mut sign: impl FnMut(B256) -> Result<[u8; 65], E>,
    ) -> Result<BatchPayload, PayError<E>> {
        let terms = Terms::of(offer).map_err(PayError::Offer)?;
        if terms.check(deployment, &self.config).is_err() {
            return Err(PayError::OtherChannel);
        }
        let price = terms.amount;
        if price > limits.request {
            let limit = limits.request;
            return Err(PayError::Price { price, limit });
        }
        let total = self.charged.saturating_add(price);
        let promised = total.max(self.promised).saturating_sub(self.start);
        if promised > limits.total {
            let limit = limits.total;
            return Err(PayError::Total { promised, limit });
        }
        let needed = total.saturating_sub(self.balance);
        let deposit = if needed == 0 {
            None
        } else {
            let left = limits.deposits.saturating_sub(self.deposits);
            let amount = deposit_amount(&terms, needed, left)?;
            Some((
                amount,
                self.deposit(deployment, &terms, amount, salt, now, &mut sign)?,
            ))
        };
        let voucher = self.voucher(deployment, total, sign)?;
        self.promised = self.promised.max(total);
        self.deposits += deposit.as_ref().map_or(0, |(amount, _)| *amount);
        let channel_config = self.config.clone();
        Ok(match deposit {
            None => BatchPayload::Voucher(VoucherPayload {
                channel_config,
                voucher,
            }),
            Some((_, deposit)) => BatchPayload::Deposit(DepositPayload {
                channel_config,
                voucher,
                deposit,
            }),
        })
    }

    /// Signs the request of a refund. Without `amount` all that is left comes back.
    ///
    /// # Errors
    ///
    /// Fails if `sign` fails.
    pub fn refund<E>(
        &self,
        deployment: &Deployment,
        amount: Option<u128>,
        sign: impl FnOnce(B256) -> Result<[u8; 65], E>,
    ) -> Result<BatchPayload, PayError<E>> {
        Ok(BatchPayload::Refund(RefundPayload {
            channel_config: self.config.clone(),
            voucher: self.voucher(deployment, self.charged, sign)?,
            amount: amount.map(Into::into),
            refund_nonce: None,
            claims: None,
            refund_authorizer_signature: None,
            claim_authorizer_signature: None,
        }))
    }

    fn deposit<E>(
        &self,
        deployment: &Deployment,
        terms: &Terms,
        amount: u128,
        salt: B256,
        now: u64,
        sign: impl FnOnce(B256) -> Result<[u8; 65], E>,
    ) -> Result<Deposit, PayError<E>> {
        let valid_before = exact::valid_before(now, terms.max_timeout);
        let transfer = Authorization {
            from: self.config.payer,
            to: deployment.collector(),
            value: amount.into(),
            valid_after: 0_u64.into(),
            valid_before,
            nonce: deposit_nonce(self.id, salt),
        };
        let signature = sign(terms.token.receive_hash(&transfer)).map_err(PayError::Signer)?;
        Ok(Deposit {
            amount: transfer.value,
            authorization: DepositAuthorization {
                erc3009_authorization: Some(Erc3009Authorization {
                    valid_after: transfer.valid_after,
                    valid_before,
                    salt,
                    signature: signature.into(),
                }),
            },
        })
    }

    fn voucher<E>(
        &self,
        deployment: &Deployment,
        total: u128,
        sign: impl FnOnce(B256) -> Result<[u8; 65], E>,
    ) -> Result<SignedVoucher, PayError<E>> {
        let signature = sign(deployment.voucher_hash(self.id, total));
        Ok(SignedVoucher {
            channel_id: self.id,
            max_claimable_amount: total.into(),
            signature: signature.map_err(PayError::Signer)?.into(),
        })
    }

    /// Counts the charge of an answered payment, and returns it.
    ///
    /// The server's numbers are not trusted: the payer adds the charge to its own total.
    ///
    /// # Errors
    ///
    /// Fails if the charge is above the price, or the server's total differs. The state stays as it
    /// was then.
    pub fn answered(
        &mut self,
        answer: &SettlementResponse,
        price: u128,
        payload: &BatchPayload,
    ) -> Result<u128, AnswerError> {
        let extra = answer.extra.as_ref().map(Json::read::<ReceiptExtra>);
        let extra = extra.transpose().map_err(|_| AnswerError::Malformed)?;
        let (charged, state) =
            extra.map_or((None, None), |it| (it.charged_amount, it.channel_state));
        let charged = charged.unwrap_or_default().to_u128();
        let charged = charged.ok_or(AnswerError::Malformed)?;
        if charged > price {
            return Err(AnswerError::AbovePrice { charged, price });
        }
        let ours = self.charged.saturating_add(charged);
        let theirs = state.and_then(|it| it.charged_cumulative_amount);
        let theirs = theirs.map_or(Some(ours), Decimal::to_u128);
        let theirs = theirs.ok_or(AnswerError::Malformed)?;
        if theirs != ours {
            return Err(AnswerError::OtherTotal { theirs, ours });
        }
        self.charged = ours;
        if let BatchPayload::Deposit(payload) = payload {
            let deposit = payload.deposit.amount.to_u128().unwrap_or_default();
            self.balance = self.balance.saturating_add(deposit);
        }
        Ok(charged)
    }

    /// Corrects the state by a 402 answer that says that the totals differ.
    ///
    /// Returns `true` if the payer may try again. The server proves its total by the payer's own
    /// voucher; without a voucher, the total is what is claimed on the chain.
    ///
    /// - `balance`, `claimed`: what the contract's `channels` answers now
    pub fn correct(
        &mut self,
        deployment: &Deployment,
        offer: &PaymentRequirements,
        balance: u128,
        claimed: u128,
    ) -> bool {
        let extra = |key| offer.extra.get(key);
        let charged = extra("channelState")
            .and_then(|it| it.read::<ChannelState>().ok())
            .and_then(|it| it.charged_cumulative_amount?.to_u128());
        let voucher = extra("voucherState").and_then(|it| it.read::<VoucherState>().ok());
        let (charged, promised) = match (charged, voucher) {
            (Some(charged), Some(voucher)) => {
                let Some(promised) = voucher.signed_max_claimable.to_u128() else {
                    return false;
                };
                let hash = deployment.voucher_hash(self.id, promised);
                let signer = recover_strict(&voucher.signature, hash);
                let is_proof = signer == Some(self.config.payer_authorizer);
                if !is_proof || charged > promised || charged < claimed {
                    return false;
                }
                (charged, promised)
            }
            _ => (claimed, claimed),
        };
        self.charged = charged;
        // Older vouchers still count: the receiver may hold them.
        self.promised = self.promised.max(promised);
        self.balance = balance;
        true
    }
}

/// Returns the deposit: the server's hint or some requests, at least what is needed, within the limit.
fn deposit_amount<E>(terms: &Terms, needed: u128, left: u128) -> Result<u128, PayError<E>> {
    if needed > left {
        return Err(PayError::Deposit { needed, left });
    }
    let usual = terms.amount.saturating_mul(DEPOSIT_FACTOR);
    let target = terms.min_deposit.unwrap_or(usual);
    Ok(target.clamp(needed, left))
}
