//! Taking of payments: what is checked before one is stored and sent, and what a repetition gets.

use alloy_primitives::B256;
use cotrain_indexer::with_sources;
use cotrain_payments::{
    ledger::{
        Account, AccountId, Entry, Fault, Ledger, Owner, PaymentId, PaymentKey, Purchase, Token,
    },
    rail::{Offers, Presented, Proof, RefusalReason, Standing, payment_key},
    x402::{
        Reason,
        exact::{self, ExactPayload, Payment},
        wire::PaymentPayload,
    },
};
use cotrain_relayer::clock;
use sha2::{Digest, Sha256};

use super::{
    Admitted, BooksError, ChainError, Exact, PayError, Purse, STATES, Sale, Transfer, Turn,
    known::{Known, hashed, settled},
    payer, refund,
};
use crate::payments::SLACK;

impl Exact {
    /// Takes a payment, or finds the account of a token.
    pub(super) async fn take(
        &self,
        presented: &Presented,
        sale: &Sale,
    ) -> Result<Admitted, PayError> {
        let Some(payment) = &presented.payment else {
            return self.by_token(presented).await;
        };
        let (payload, known) = self.known_payment(payment)?;
        // A bearer token beside a payment names the account that it tops up.
        let mut sale = sale.clone();
        if sale.account.is_none()
            && let Some(proof @ Proof::Bearer(_)) = &presented.proof
        {
            sale.account = self.0.books.read(|ledger| ledger.account_of(proof.owner()));
        }
        let admitted = match known {
            Some(known) => {
                let is_same = known.payment.authorization == payload.authorization
                    && known.payment.signature == payload.signature;
                if !is_same {
                    return Err(RefusalReason::Ledger(Fault::PaymentUsed).into());
                }
                self.take_again(known, &sale).await?
            }
            None => self.take_first(payment, &sale).await?,
        };
        // Who pays for a call works on the account. A purchase proves nothing, so it keeps none open.
        if sale.price > 0 && !self.busy().opening.contains(&admitted.account) {
            self.reopen(admitted.account).await?;
        }
        Ok(admitted)
    }

    /// Returns what a payment signs, and what is known of it if it was presented before.
    fn known_payment(
        &self,
        payment: &PaymentPayload,
    ) -> Result<(ExactPayload, Option<Known>), RefusalReason> {
        let payload: ExactPayload = payment
            .payload
            .read()
            .map_err(|_| RefusalReason::X402(Reason::InvalidPayload))?;
        // A payment that was presented before needs no offer: prices may have changed, and time passed.
        let token = payment.accepted.asset().zip(payment.accepted.chain_id());
        let key = token.map(|(address, chain)| PaymentKey::Authorization {
            payer: payload.authorization.from,
            token: Token { chain, address },
            nonce: payload.authorization.nonce,
        });
        let known = key.and_then(|key| self.known_payments().get(&key.id()).cloned());
        Ok((payload, known))
    }

    /// Returns the account of a token, or of a payment that was presented before.
    pub(super) fn known_account(&self, presented: &Presented) -> Option<AccountId> {
        let Some(payment) = &presented.payment else {
            let owner = presented.proof.as_ref()?.owner();
            return self.0.books.read(|ledger| ledger.account_of(owner));
        };
        let (_, known) = self.known_payment(payment).ok()?;
        let id = payment_key(&known?.payment).id();
        let account = |ledger: &Ledger| Some(ledger.payment(id)?.purchase.account);
        self.0.books.read(account)
    }

    /// Finds the account of a bearer token.
    async fn by_token(&self, presented: &Presented) -> Result<Admitted, PayError> {
        let owner = match &presented.proof {
            Some(proof @ Proof::Bearer(_)) => proof.owner(),
            _ => return Err(RefusalReason::Unpaid.into()),
        };
        // A token that opens nothing is as good as none: the caller may buy.
        let account = self.0.books.read(|ledger| ledger.account_of(owner));
        let account = account.ok_or(RefusalReason::Unpaid)?;
        self.reopen(account).await?;
        Ok(Admitted {
            account,
            owner,
            session: None,
            is_token_fresh: false,
            replaces_token: false,
            response: None,
        })
    }

    async fn take_first(
        &self,
        payment: &PaymentPayload,
        sale: &Sale,
    ) -> Result<Admitted, PayError> {
        let offered = self.requirements(sale.units);
        let offers = Offers::new(offered.iter().map(|(_, offer)| offer.clone()).collect());
        let chosen = offers.chosen(payment).map_err(RefusalReason::from)?;
        // What costs nothing is checked first.
        exact::verify(payment, chosen, sale.now).map_err(RefusalReason::from)?;
        let now = self
            .0
            .chain
            .now()
            .await
            .map_err(|error| unavailable(&error))?
            .max(sale.now);
        let verified = exact::verify(payment, chosen, now).map_err(RefusalReason::from)?;
        // Nobody knows how an authorization ends before its time is over. And a transaction that is
        // included after its time fails at the cost of the host.
        let max_timeout = self.0.terms.max_timeout;
        let latest = now.saturating_add(max_timeout + SLACK);
        let patience = self.0.chain.options().patience.as_secs();
        let earliest = now.saturating_add(patience.min(max_timeout / 2));
        let ends = verified.authorization.valid_before.to_u64();
        if !ends.is_some_and(|ends| (earliest..=latest).contains(&ends)) {
            return Err(RefusalReason::X402(Reason::ExactValidBefore).into());
        }
        let asset = offered
            .iter()
            .find(|(asset, _)| asset.token.address == verified.token.address);
        let (asset, _) = asset.ok_or(RefusalReason::X402(Reason::InvalidPaymentRequirements))?;
        if sale.account.is_none() && sale.id.is_none() && self.needs_id(asset, sale.units) {
            return Err(PayError::NoId);
        }
        let key = payment_key(&verified);
        let id = key.id();
        let turn = self.turn(id.hash()).ok_or(RefusalReason::Pending)?;
        // An equal presentation may have had its turn meanwhile. The next repetition is answered for it.
        if self.known_payments().contains_key(&id) {
            return Err(RefusalReason::Pending.into());
        }
        let payer = self.only_pending(id, &verified)?;
        let gas = self.0.chain.check(&verified).await.map_err(refused)?;
        let preparing = self.0.chain.prepare_payment(&verified, gas, Purse::Host);
        let prepared = preparing.await.map_err(refused)?;

        let owner = Owner::Token(sale.fresh.token);
        let account = sale.account.unwrap_or_else(|| sale.fresh.account());
        let purchase = Purchase {
            account,
            quote: asset.price.quote(sale.units.max(self.0.terms.min_units)),
            price: asset.price,
            refund_fee: self.refunds().then_some(asset.refund_fee),
        };
        let known = Known {
            payment: verified,
            id: sale.id.as_ref().map(|id| hashed(&id.to_string())),
            body: sale.body,
            is_opening: sale.account.is_none(),
            transactions: vec![prepared.hash()],
            block: None,
        };
        let stored = known.stored();
        let valid_before = known.valid_before();
        let is_opening = known.is_opening;
        // Without an id, only the first answer can tell the token. If it is lost, the money goes back.
        let is_closed = is_opening && known.id.is_none();
        // It is known before it is stored: a write whose answer is lost may have stored it.
        self.known_payments().insert(id, known.clone());
        let sent = self.0.books.write(move |draft| {
            if draft.ledger().payment(id).is_some() {
                return Err(Fault::PaymentUsed);
            }
            if is_opening {
                draft.write(Entry::Opened { account, owner })?;
            }
            draft.write(draft.ledger().send_payment(key, purchase, valid_before)?)?;
            draft.keep(STATES, id.hash().as_slice(), Some(stored));
            if is_closed {
                draft.keep(refund::CLOSED, account.0.as_slice(), Some(vec![1]));
            }
            Ok(())
        });
        let sent = sent.await;
        if let Err(error @ BooksError::Refused(_)) = sent {
            self.known_payments().remove(&id);
            return Err(error.into());
        }
        if is_closed {
            self.closed().insert(account);
        }
        sent?;
        // The payment goes on if the caller goes away.
        let rail = self.clone();
        let settling = tokio::spawn(async move {
            let _turns = (turn, payer);
            let transfer = Transfer::from(&known.payment);
            let found = rail.settle(id.hash(), prepared, &transfer).await;
            rail.record(id, found).await
        });
        settling.await.unwrap_or(Err(BooksError::Unwritten))?;
        let admitted = self.admitted(id, owner, is_opening, false)?;
        if is_closed {
            // Nothing goes back while the answer is made.
            self.busy().opening.insert(account);
            self.closed().remove(&account);
        }
        Ok(admitted)
    }

    /// Returns the mark of a payer and token, of which no other payment may be pending.
    ///
    /// Two payments of one balance pass all checks, and the transaction of one fails.
    fn only_pending(&self, id: PaymentId, payment: &Payment) -> Result<Turn, PayError> {
        let (from, token) = payer(payment);
        let mut name = Sha256::new();
        name.update(from);
        name.update(token);
        let turn = self.turn(B256::from_slice(&name.finalize()));
        let turn = turn.ok_or(RefusalReason::Pending)?;
        let mut busy = self.busy();
        if busy.pending.get(&(from, token)).is_some_and(|it| *it != id) {
            return Err(RefusalReason::Pending.into());
        }
        if *busy.failures.at(clock::now(), || 0) >= self.0.terms.max_daily_failures {
            tracing::warn!(
                "no payments are taken: too many transactions failed today; x402.max_daily_failures bounds them"
            );
            return Err(PayError::Unavailable("chain"));
        }
        drop(busy);
        Ok(turn)
    }

    /// Answers for a payment that was presented before. It is never taken twice.
    async fn take_again(&self, known: Known, sale: &Sale) -> Result<Admitted, PayError> {
        let id = payment_key(&known.payment).id();
        let payment = self.0.books.read(|ledger| ledger.payment(id).cloned());
        let Some(payment) = payment else {
            self.forget_unwritten(id).await?;
            return Err(RefusalReason::Pending.into());
        };
        let is_same_call = match sale.account {
            Some(account) => !known.is_opening && account == payment.purchase.account,
            None => known.is_opening,
        };
        if !is_same_call {
            return Err(RefusalReason::Ledger(Fault::PaymentUsed).into());
        }
        // What counts is not looked at again: a node that lags would take it back.
        if payment.standing() == Standing::Pending {
            let turn = self.turn(id.hash()).ok_or(RefusalReason::Pending)?;
            let rail = self.clone();
            let advancing = tokio::spawn(async move { rail.advance(id, &turn).await });
            advancing.await.unwrap_or(Err(BooksError::Unwritten))?;
        }
        let owner = Owner::Token(sale.fresh.token);
        let admitted = self.admitted(id, owner, known.is_opening, known.is_opening)?;
        if known.is_opening {
            // A transfer is public once it is sent. Only its payer knows the id of the request.
            let given = sale.id.as_ref().map(|id| hashed(&id.to_string()));
            if given.is_none() || given != known.id {
                return Err(RefusalReason::Ledger(Fault::PaymentUsed).into());
            }
            if sale.body != known.body {
                return Err(RefusalReason::Ledger(Fault::OtherBody).into());
            }
        }
        Ok(admitted)
    }

    /// Forgets a payment that the ledger lacks after its write failed: the next one like it is a first.
    async fn forget_unwritten(&self, id: PaymentId) -> Result<(), PayError> {
        let _turn = self.turn(id.hash()).ok_or(RefusalReason::Pending)?;
        // A rule sees the ledger as it is stored, which is read again after a failure.
        let stored = self
            .0
            .books
            .write(move |draft| Ok(draft.ledger().payment(id).is_some()));
        if !stored.await? {
            self.known_payments().remove(&id);
        }
        Ok(())
    }

    /// Returns the account of a payment that counts, or the reason why it does not.
    fn admitted(
        &self,
        id: PaymentId,
        fresh: Owner,
        is_opening: bool,
        replaces_token: bool,
    ) -> Result<Admitted, PayError> {
        let payment = self.0.books.read(|ledger| ledger.payment(id).cloned());
        let payment = payment.ok_or(RefusalReason::Pending)?;
        match payment.standing() {
            Standing::Pending => Err(RefusalReason::Pending.into()),
            Standing::Unpaid => Err(RefusalReason::X402(Reason::ExactTransactionFailed).into()),
            Standing::Paid => {
                let account = payment.purchase.account;
                let known = |ledger: &Ledger| ledger.account(account).map(Account::owner);
                let owner = self.0.books.read(known).filter(|_| !is_opening);
                Ok(Admitted {
                    account,
                    owner: owner.unwrap_or(fresh),
                    session: None,
                    is_token_fresh: is_opening,
                    replaces_token,
                    response: Some(settled(&payment)),
                })
            }
        }
    }
}

/// Returns the refusal for a failure before anything was stored or sent.
fn refused(error: ChainError) -> PayError {
    match error {
        // The tokens may have moved to us by somebody else's transaction. Whoever paid must not pay again.
        ChainError::Refused(Reason::ExactNonceUsed) => {
            RefusalReason::Ledger(Fault::PaymentUsed).into()
        }
        ChainError::Refused(reason) => RefusalReason::X402(reason).into(),
        ChainError::Pending => RefusalReason::Pending.into(),
        error => unavailable(&error),
    }
}

fn unavailable(error: &ChainError) -> PayError {
    tracing::warn!(error = %with_sources(error), "cannot take a payment now");
    PayError::Unavailable("chain")
}
