//! Lightning node itself: builds it from the arguments, and follows its events.

use std::{
    io::Write as _,
    net::SocketAddr,
    path::Path,
    str::FromStr as _,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use ldk_node::bitcoin::OutPoint;
use ldk_node::{
    Builder, Event, Node, NodeError, UserChannelId,
    bitcoin::Network,
    lightning::{
        events::PaymentFailureReason, ln::channelmanager::PaymentId, ln::msgs::SocketAddress,
    },
    lightning_invoice::Bolt11Invoice,
    lightning_types::payment::{PaymentHash, PaymentPreimage},
    logger::LogLevel,
    payment::PaymentStatus,
};
use tokio::sync::broadcast;

use crate::{
    args::Rpc,
    store::{Payment, Reason, Store, Verdict},
};

/// Pause between attempts to resume the payments of an earlier process: peers must reconnect first.
const RESUME_PAUSE: Duration = Duration::from_secs(3);
/// Number of blocks after which no payment can be in flight: the longest lock time that LDK accepts
/// for a route (1,008), and a day for the transactions that follow.
const MAX_FLIGHT: u32 = 1008 + 144;
/// Pause between searches for expired invoices.
const EXPIRY_PAUSE: Duration = Duration::from_secs(1);
/// Number of funding announcements that a slow listener may fall behind.
const FUNDING_BACKLOG: usize = 64;

/// News about a channel that is being opened.
#[derive(Debug, Clone)]
pub(crate) enum Funding {
    /// Funding transaction is out.
    Pending(UserChannelId, OutPoint),
    /// Channel is closed, or was never opened.
    Closed(UserChannelId, String),
}

/// Node with its invoices and payments.
pub(crate) struct Lightning {
    /// LDK's node.
    pub(crate) node: Node,
    /// Durable invoices and payments.
    pub(crate) store: Store,
    /// Bitcoin network.
    pub(crate) network: Network,
    funding: broadcast::Sender<Funding>,
}

/// Reason why a node cannot start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// Configuration that LDK refuses, or files that it cannot read.
    #[error("cannot build the node: {0}")]
    Build(#[from] ldk_node::BuildError),
    /// Chain or port that is not available.
    #[error("cannot start the node: {0}; see ldk_node.log in its directory")]
    Start(#[from] NodeError),
    /// Database of invoices and payments that cannot be opened.
    #[error("cannot open the database: {0}")]
    Store(#[from] rusqlite::Error),
}

/// Returns the time in seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs())
}

/// Reports an error that no caller waits for.
pub(crate) fn report(text: &str) {
    // A closed standard error must not end the node.
    let _ = writeln!(std::io::stderr(), "lnnode: {text}");
}

impl Lightning {
    /// Builds the node, without a connection to anything.
    pub(crate) fn build(
        dir: &Path,
        network: Network,
        alias: &str,
        listen: SocketAddr,
        rpc: Rpc,
    ) -> Result<Self, StartError> {
        let mut builder = Builder::new();
        builder.set_network(network);
        builder.set_storage_dir_path(dir.display().to_string());
        builder.set_filesystem_logger(None, Some(LogLevel::Info));
        builder.set_node_alias(alias.to_owned())?;
        builder.set_listening_addresses(vec![SocketAddress::from(listen)])?;
        builder.set_chain_source_bitcoind_rpc(rpc.host, rpc.port, rpc.user, rpc.password);
        let store = Store::open(&dir.join("lnnode.sqlite"))?;
        let node = builder.build()?;
        Ok(Self {
            node,
            store,
            network,
            funding: broadcast::Sender::new(FUNDING_BACKLOG),
        })
    }

    /// Starts the node and the threads that follow it.
    pub(crate) fn start(self: &Arc<Self>) -> Result<(), StartError> {
        let earlier = self.store.in_flight()?;
        self.node.start()?;
        let own = Arc::clone(self);
        thread::spawn(move || own.follow());
        let own = Arc::clone(self);
        thread::spawn(move || {
            loop {
                if let Err(error) = own.store.expire(now()) {
                    report(&format!("cannot expire invoices: {error}"));
                }
                thread::sleep(EXPIRY_PAUSE);
            }
        });
        let own = Arc::clone(self);
        thread::spawn(move || own.resume(earlier));
        Ok(())
    }

    /// Returns a receiver of the news about channels that are being opened.
    pub(crate) fn funding(&self) -> broadcast::Receiver<Funding> {
        self.funding.subscribe()
    }

    /// Returns the height of the chain as the node knows it.
    pub(crate) fn height(&self) -> u32 {
        self.node.status().current_best_block.height
    }

    /// Handles events for ever, each at least once: it leaves LDK's queue after it is stored here.
    fn follow(&self) {
        loop {
            let event = self.node.wait_next_event();
            match self.handle(event) {
                Ok(()) => {
                    if let Err(error) = self.node.event_handled() {
                        report(&format!("cannot finish an event: {error}"));
                    }
                }
                Err(error) => {
                    report(&format!(
                        "cannot store an event: {error}; it is tried again"
                    ));
                    thread::sleep(EXPIRY_PAUSE);
                }
            }
        }
    }

    fn handle(&self, event: Event) -> rusqlite::Result<()> {
        match event {
            Event::PaymentClaimable {
                payment_hash,
                claimable_amount_msat,
                ..
            } => {
                let verdict = self
                    .store
                    .accept(&payment_hash.0, claimable_amount_msat, now())?;
                self.answer(payment_hash, claimable_amount_msat, verdict);
            }
            Event::PaymentReceived {
                payment_hash,
                amount_msat,
                ..
            } => {
                // Payments without an invoice change balances and nothing else.
                self.store.settle(&payment_hash.0, amount_msat, now())?;
            }
            Event::PaymentSuccessful {
                payment_hash,
                payment_preimage: Some(preimage),
                fee_paid_msat,
                ..
            } => {
                self.store
                    .succeed(&payment_hash.0, &preimage.0, fee_paid_msat.unwrap_or(0))?;
            }
            Event::PaymentFailed {
                payment_hash: Some(hash),
                reason,
                ..
            } => {
                self.store.fail(&hash.0, failure(reason))?;
            }
            Event::ChannelPending {
                user_channel_id,
                funding_txo,
                ..
            } => {
                // Nobody may be waiting.
                let _ = self
                    .funding
                    .send(Funding::Pending(user_channel_id, funding_txo));
            }
            Event::ChannelClosed {
                user_channel_id,
                reason,
                ..
            } => {
                let reason = reason.map_or_else(|| "unknown".to_owned(), |why| why.to_string());
                report(&format!("channel closed: {reason}"));
                let _ = self.funding.send(Funding::Closed(user_channel_id, reason));
            }
            _ => {}
        }
        Ok(())
    }

    /// Claims or fails an arrived payment. LDK repeats the event until one of both is durable.
    fn answer(&self, hash: PaymentHash, msat: u64, verdict: Verdict) {
        let done = match verdict {
            Verdict::Claim(preimage) => {
                self.node
                    .bolt11_payment()
                    .claim_for_hash(hash, msat, PaymentPreimage(preimage))
            }
            Verdict::Refuse => self.node.bolt11_payment().fail_for_hash(hash),
        };
        if let Err(error) = done {
            report(&format!("cannot answer the payment {hash}: {error}"));
        }
    }

    /// Ends the payments that an earlier process left in flight.
    ///
    /// LDK knows most of them, and tells their end by events. A kill can also hit between our record
    /// and LDK's, or LDK's and its channel's. Such a payment is sent again under the same identifier:
    /// LDK refuses if it knows it after all, so none is paid twice. After `MAX_FLIGHT` blocks without
    /// an event nothing of it can be left, and it has failed.
    fn resume(&self, mut earlier: Vec<Payment>) {
        while !earlier.is_empty() {
            thread::sleep(RESUME_PAUSE);
            earlier.retain(|payment| match self.resume_one(payment) {
                Ok(done) => !done,
                Err(error) => {
                    report(&format!("cannot resume a payment: {error}"));
                    true
                }
            });
        }
    }

    /// Returns `true` once the end of the payment will come by an event, or has come.
    fn resume_one(&self, payment: &Payment) -> rusqlite::Result<bool> {
        let current = self.store.payment(&payment.hash)?;
        if current
            .is_none_or(|current| current.preimage.is_some() || current.reason != Reason::None)
        {
            return Ok(true);
        }
        if self.height() > payment.height.saturating_add(MAX_FLIGHT) {
            self.store.fail(&payment.hash, Reason::Timeout)?;
            return Ok(true);
        }
        // Without a route the answer would not say whether LDK knows the payment.
        let capacity = |channel: &ldk_node::ChannelDetails| {
            channel.is_usable && channel.next_outbound_htlc_limit_msat >= payment.value_msat
        };
        let Ok(invoice) = Bolt11Invoice::from_str(&payment.request) else {
            return Ok(false);
        };
        if invoice.is_expired() || !self.node.list_channels().iter().any(capacity) {
            return Ok(false);
        }
        // LDK's own list refuses what is in flight. This removes the copy that is only for display.
        let id = PaymentId(payment.hash);
        let shown = self.node.payment(&id).map(|shown| shown.status);
        if shown == Some(PaymentStatus::Succeeded) {
            return Ok(true);
        }
        if shown.is_some() && self.node.remove_payment(&id).is_err() {
            return Ok(false);
        }
        Ok(match self.send(&invoice, payment) {
            Ok(()) | Err(NodeError::DuplicatePayment) => true,
            Err(_) => false,
        })
    }

    /// Sends a payment that is recorded.
    pub(crate) fn send(&self, invoice: &Bolt11Invoice, payment: &Payment) -> Result<(), NodeError> {
        let limits = ldk_node::lightning::routing::router::RouteParametersConfig {
            max_total_routing_fee_msat: Some(payment.fee_limit_msat),
            ..Default::default()
        };
        let bolt11 = self.node.bolt11_payment();
        if invoice.amount_milli_satoshis().is_some() {
            bolt11.send(invoice, Some(limits)).map(|_| ())
        } else {
            bolt11
                .send_using_amount(invoice, payment.value_msat, Some(limits))
                .map(|_| ())
        }
    }

    /// Stops the node, at most for `patience`: a lost peer or chain must not keep the process.
    pub(crate) fn stop(self: &Arc<Self>, patience: Duration) {
        let (done, stopped) = mpsc::channel();
        let own = Arc::clone(self);
        thread::spawn(move || {
            // The receiver is gone after its patience, and the process with it.
            let _ = done.send(own.node.stop());
        });
        match stopped.recv_timeout(patience) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => report(&format!("cannot stop the node: {error}")),
            Err(_) => report("cannot stop the node in time; its files are safe as after a crash"),
        }
    }
}

fn failure(reason: Option<PaymentFailureReason>) -> Reason {
    match reason {
        Some(PaymentFailureReason::RecipientRejected) => Reason::IncorrectDetails,
        Some(PaymentFailureReason::RouteNotFound) => Reason::NoRoute,
        Some(PaymentFailureReason::RetriesExhausted | PaymentFailureReason::PaymentExpired) => {
            Reason::Timeout
        }
        _ => Reason::Error,
    }
}
