//! Refunds of `exact` payments: tokens go back to the account that paid.
//!
//! The units leave the account before anything is sent. The token takes the nonce of a refund once,
//! so it is sent until it is final, and never moves twice.

use cotrain_payments::{
    ledger::{Fault, Ledger, Refund, RefundSeen, RefundState},
    x402::Token,
};

use super::{
    AccountId, B256, BooksError, ChainError, Digest, Entry, Exact, Finding, PayError, Payment,
    Purse, RefundId, Refunded, Sha256, Transfer, with_sources,
};

/// Name of the accounts whose owners have closed them, among the states of the books.
const CLOSED: &str = "exact-closed";

impl Exact {
    /// Returns `true` if units can go back: the account that is paid is the one that sends.
    pub(super) fn refunds(&self) -> bool {
        self.0.terms.pay_to == self.0.chain.account()
    }

    /// Closes an account: its units go back, those of payments that are not final as soon as they are.
    pub(super) async fn refund_account(
        &self,
        account: AccountId,
    ) -> Result<Vec<Refunded>, PayError> {
        if !self.refunds() {
            return Ok(Vec::new());
        }
        let begun = self.begin_refunds(account).await?;
        let mut refunded = Vec::new();
        for id in begun {
            self.send_refund(id).await;
            let refund = self.0.books.read(|ledger| ledger.refund(id).cloned());
            refunded.extend(refund.map(|refund| Refunded {
                payer: refund.payer,
                token: refund.token.address,
                amount: refund.amount,
                transaction: refund.transaction,
            }));
        }
        Ok(refunded)
    }

    /// Takes units off an account that its owner closes, and returns the new refunds.
    async fn begin_refunds(&self, account: AccountId) -> Result<Vec<RefundId>, BooksError> {
        let begun = self.0.books.write(move |draft| {
            let mut begun = Vec::new();
            for entry in draft.ledger().refunds(account)? {
                if let Entry::RefundStarted { refund, .. } = &entry {
                    begun.push(*refund);
                }
                draft.write(entry)?;
            }
            // It stays closed until nothing is left that may go back.
            let left = draft.ledger().account(account).map_or(0, |it| it.left());
            let state = (left > 0).then(|| vec![1]);
            draft.keep(CLOSED, account.0.as_slice(), state);
            Ok(begun)
        });
        begun.await
    }

    pub(super) async fn reconcile_refunds(&self) {
        let closed = self.0.books.states(CLOSED).await;
        let closed = closed.unwrap_or_else(|error| {
            tracing::warn!(error = %with_sources(&error), "cannot read which accounts are closed");
            Vec::new()
        });
        for (name, _) in closed {
            let Ok(account) = B256::try_from(name.as_slice()) else {
                continue;
            };
            let account = AccountId(account);
            let due = |ledger: &Ledger| ledger.refunds(account).is_ok_and(|it| !it.is_empty());
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
        if !self.busy().refunds.insert(id) {
            return;
        }
        if let Err(error) = self.pursue_refund(id).await {
            tracing::warn!(%error, refund = id.0, "a refund is not decided");
        }
        self.busy().refunds.remove(&id);
    }

    async fn pursue_refund(&self, id: RefundId) -> Result<(), PayError> {
        let refund = self.0.books.read(|ledger| ledger.refund(id).cloned());
        let Some(refund) = refund else {
            return Ok(());
        };
        let Some(token) = self.token(&refund) else {
            tracing::error!(
                token = %refund.token.address,
                "cannot send a refund: no asset of [x402] has its token; add it again"
            );
            return Ok(());
        };
        let nonce = refund_nonce(id, refund.account);
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
        if is_open && matches!(found, Ok(Finding::Nothing | Finding::Reverted)) {
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
        Ok(chain.settle(prepared, transfer).await)
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
            let known = self.known();
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
