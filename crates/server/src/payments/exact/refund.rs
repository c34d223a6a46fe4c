//! Refunds of `exact` payments: tokens go back to the account that paid.
//!
//! The units leave the account before anything is sent. The token takes the nonce of a refund once,
//! so it is sent until it is final, and never moves twice.

use cotrain_payments::{
    ledger::{Fault, Ledger, Refund, RefundId, RefundSeen, RefundState},
    x402::Token,
};
use sha2::{Digest, Sha256};
use tokio::time::timeout;

use super::{
    AccountId, B256, BooksError, ChainError, Entry, Exact, Finding, PayError, Payment, Purse,
    Refunded, Transfer, with_sources,
};

/// Name of the accounts whose owners have closed them, among the states of the books.
pub(super) const CLOSED: &str = "exact-closed";

impl Exact {
    /// Returns `true` if units can go back: the account that is paid is the one that sends.
    pub(super) fn refunds(&self) -> bool {
        self.0.terms.pay_to == self.0.chain.account()
    }

    /// Closes an account: the units of each payer go back together, once all its payments are final.
    pub(super) async fn refund_account(
        &self,
        account: AccountId,
    ) -> Result<Vec<Refunded>, PayError> {
        if !self.refunds() {
            return Ok(Vec::new());
        }
        self.busy().opening.remove(&account);
        // A payment may have become final since the last look.
        let of_account = |ledger: &Ledger| {
            let unsettled = ledger.unsettled();
            let of_account = unsettled.filter(|(_, it)| it.purchase.account == account);
            of_account.map(|(id, _)| id).collect::<Vec<_>>()
        };
        let (rail, unsettled) = (self.clone(), self.0.books.read(of_account));
        let pursuing = tokio::spawn(async move {
            for id in unsettled {
                rail.pursue(id).await;
            }
        });
        // Anyone may have bought units for the account, so there may be many. What is not final in time
        // goes back later.
        let _ = timeout(self.0.chain.options().patience, pursuing).await;
        for id in self.begin_refunds(account).await? {
            self.send_refund(id).await;
        }
        let refunded = |ledger: &Ledger| {
            let unpaid = ledger.unpaid();
            let of_account = unpaid.filter(|(_, refund)| refund.account == account);
            of_account
                .map(|(_, refund)| Refunded {
                    payer: refund.payer,
                    token: refund.token.address,
                    amount: refund.amount,
                    transaction: refund.transaction,
                })
                .collect()
        };
        Ok(self.0.books.read(refunded))
    }

    /// Takes units off an account that its owner closes, and returns the new refunds.
    ///
    /// It stays closed while units of a payment that is not final are left.
    async fn begin_refunds(&self, account: AccountId) -> Result<Vec<RefundId>, BooksError> {
        let begun = self.0.books.write(move |draft| {
            let mut begun = Vec::new();
            if draft.ledger().account(account).is_none() {
                // Its opening was never stored.
                draft.keep(CLOSED, account.0.as_slice(), None);
                return Ok((begun, false));
            }
            for entry in draft.ledger().refunds(account)? {
                if let Entry::RefundStarted { refund, .. } = &entry {
                    begun.push(*refund);
                }
                draft.write(entry)?;
            }
            let mut unsettled = draft.ledger().unsettled();
            let waits = unsettled.any(|(_, payment)| payment.purchase.account == account);
            drop(unsettled);
            draft.keep(CLOSED, account.0.as_slice(), waits.then(|| vec![1]));
            Ok((begun, waits))
        });
        let (begun, waits) = begun.await?;
        if waits {
            self.closed().insert(account);
        } else {
            self.closed().remove(&account);
        }
        Ok(begun)
    }

    /// Keeps the units of an account that was closed. It is no write if it was not.
    pub(super) async fn reopen(&self, account: AccountId) -> Result<(), BooksError> {
        let was_opening = self.busy().opening.contains(&account);
        if !was_opening && !self.closed().contains(&account) {
            return Ok(());
        }
        let written = self.0.books.write(move |draft| {
            draft.keep(CLOSED, account.0.as_slice(), None);
            Ok(())
        });
        written.await?;
        self.busy().opening.remove(&account);
        self.closed().remove(&account);
        Ok(())
    }

    pub(super) async fn reconcile_refunds(&self) {
        let closed: Vec<_> = self.closed().iter().copied().collect();
        for account in closed {
            let due = |ledger: &Ledger| {
                let mut unsettled = ledger.unsettled();
                let waits = unsettled.any(|(_, payment)| payment.purchase.account == account);
                !waits || ledger.refunds(account).is_ok_and(|it| !it.is_empty())
            };
            if self.0.books.read(due)
                && let Err(error) = self.begin_refunds(account).await
            {
                tracing::warn!(%error, "cannot begin a refund");
            }
        }
        let unpaid: Vec<_> = self
            .0
            .books
            .read(|ledger| ledger.unpaid().map(|(id, _)| id).collect());
        for id in unpaid {
            self.send_refund(id).await;
        }
    }

    /// Looks at a refund, sends it if the chain does not have it, and writes what is seen.
    async fn send_refund(&self, id: RefundId) {
        let refund = self.0.books.read(|ledger| ledger.refund(id).cloned());
        let Some(refund) = refund else {
            return;
        };
        let nonce = refund_nonce(id, refund.account);
        let Some(_turn) = self.turn(nonce) else {
            return;
        };
        if let Err(error) = self.pursue_refund(id, refund, nonce).await {
            tracing::warn!(%error, refund = id.0, "a refund is not decided");
        }
    }

    async fn pursue_refund(
        &self,
        id: RefundId,
        refund: Refund,
        nonce: B256,
    ) -> Result<(), PayError> {
        let Some(token) = self.token(&refund) else {
            tracing::error!(
                token = %refund.token.address,
                "cannot send a refund: no asset of [x402] has its token; add it again"
            );
            return Ok(());
        };
        let payment = self
            .0
            .chain
            .refund(&token, refund.payer, refund.amount, nonce);
        let mut transfer = Transfer::from(&payment);
        transfer.transactions.extend(refund.transactions());
        let mut found = self.0.chain.look(&transfer).await;
        let is_open = matches!(
            refund.state,
            RefundState::Started | RefundState::Sent | RefundState::Unknown
        );
        if is_open
            && matches!(found, Ok(Finding::Nothing | Finding::Reverted))
            && !self.is_under_way(nonce)
        {
            found = self.broadcast(id, &payment, &transfer).await?;
        }
        self.record_refund(id, found).await
    }

    async fn broadcast(
        &self,
        id: RefundId,
        payment: &Payment,
        transfer: &Transfer,
    ) -> Result<Result<Finding, ChainError>, PayError> {
        let chain = &self.0.chain;
        let gas = match chain.check(payment).await {
            Ok(gas) => gas,
            Err(error) => return Ok(Err(error)),
        };
        let prepared = match chain.prepare_payment(payment, gas, Purse::Host).await {
            Ok(prepared) => prepared,
            Err(error) => return Ok(Err(error)),
        };
        let transaction = prepared.hash();
        let seen = RefundSeen::Sent { transaction };
        self.see_refund(id, vec![seen]).await?;
        let name = payment.authorization.nonce;
        Ok(self.settle(name, prepared, transfer).await)
    }

    async fn record_refund(
        &self,
        id: RefundId,
        found: Result<Finding, ChainError>,
    ) -> Result<(), PayError> {
        let seen = match found {
            Ok(Finding::Moved {
                counts, is_final, ..
            }) => {
                let paid = counts.then_some(RefundSeen::Paid);
                let ended = is_final.then_some(RefundSeen::Finalized);
                paid.into_iter().chain(ended).collect()
            }
            Ok(Finding::Nothing | Finding::Reverted) => {
                vec![RefundSeen::Removed, RefundSeen::Lost]
            }
            Ok(Finding::Searching) => vec![RefundSeen::Lost],
            // Only our own key could cancel it.
            Ok(Finding::Void(_)) => vec![RefundSeen::Failed],
            Err(error) => {
                tracing::warn!(refund = id.0, error = %with_sources(&error), "cannot send a refund now");
                vec![RefundSeen::Lost]
            }
        };
        Ok(self.see_refund(id, seen).await?)
    }

    async fn see_refund(&self, id: RefundId, seen: Vec<RefundSeen>) -> Result<(), BooksError> {
        let written = self.0.books.write(move |draft| {
            for one in seen {
                if let Some(entry) = draft.ledger().see_refund(id, one)? {
                    draft.write(entry)?;
                }
            }
            Ok::<_, Fault>(())
        });
        written.await
    }

    /// Returns the token of a refund, with its EIP-712 domain.
    fn token(&self, refund: &Refund) -> Option<Token> {
        let is_it = |token: &Token| {
            token.address == refund.token.address && token.chain_id == refund.token.chain
        };
        let mut assets = self.0.terms.assets.iter().map(|asset| asset.token.clone());
        assets.find(is_it).or_else(|| {
            let known = self.known_payments();
            let mut tokens = known.values().map(|known| known.payment.token.clone());
            tokens.find(is_it)
        })
    }
}

/// Returns the nonce of a refund. The account's name keeps it from being that of another ledger.
fn refund_nonce(id: RefundId, account: AccountId) -> B256 {
    let mut hash = Sha256::new();
    hash.update(b"cotrain refund");
    hash.update(account.0);
    hash.update(id.0.to_be_bytes());
    B256::from_slice(&hash.finalize())
}
