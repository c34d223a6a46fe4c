//! Purse that pays for calls.

use cotrain_payments::{budget::Currency, x402::wire::SettlementResponse};

use super::{
    book::{Book, Means, Offers, OpenPayment, PaidCall, PayError, WalletError},
    channels::Channels,
    invoices::Invoices,
    lightning::NodeError,
    tokens::Tokens,
};

/// Header that proves a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Proof {
    Signature(String),
    Credential(String),
}

/// State of a payment that the coordinator refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failed {
    /// A transfer that is void from this time on, in Unix seconds.
    Transfer(u64),
    /// A voucher.
    Voucher,
    /// The payment is open as before.
    Open,
}

/// Money for calls.
#[derive(Debug)]
pub enum Purse {
    /// There is none: calls with a price fail.
    Empty,
    /// Tokens of an account, by x402 `exact`.
    Tokens(Box<Tokens>),
    /// Tokens of an account, by a channel of x402 `batch-settlement`.
    Channels(Box<Channels>),
    /// Lightning node, by L402.
    Invoices(Box<Invoices>),
}

impl Purse {
    fn book(&self) -> Option<(&Book, Currency)> {
        match self {
            Self::Empty => None,
            Self::Tokens(tokens) => Some((tokens.book(), tokens.currency())),
            Self::Channels(channels) => Some((channels.book(), channels.currency())),
            Self::Invoices(invoices) => Some((invoices.book(), Currency::Lightning)),
        }
    }

    /// Returns the payment without a known outcome.
    pub(super) fn open_payment(&self) -> Option<&OpenPayment> {
        self.book()?.0.open()
    }

    /// Returns what was spent or could still be taken, in the smallest unit of the money.
    #[must_use]
    pub fn spent(&self) -> u128 {
        let book = self.book();
        book.map_or(0, |(book, currency)| book.counted(currency))
    }

    /// Returns what the budget leaves, in the smallest unit of the money; `None` if there is no purse.
    #[must_use]
    pub fn left(&self) -> Option<u128> {
        let (book, currency) = self.book()?;
        Some(book.left(currency))
    }

    /// Returns the name of the smallest unit.
    #[must_use]
    pub fn unit(&self) -> &'static str {
        match self {
            Self::Empty => "units",
            Self::Tokens(_) | Self::Channels(_) => "atomic units of the token",
            Self::Invoices(_) => "millisatoshi",
        }
    }

    /// Returns the proof of a payment for a call, if one is open.
    pub(super) fn proof(&self, id: &str) -> Option<Proof> {
        let open = self.open_payment().filter(|open| open.call.id == id)?;
        match &open.means {
            Means::Transfer { header, .. } | Means::Voucher { header, .. } => {
                Some(Proof::Signature(header.clone()))
            }
            Means::Invoice { credential, .. } => credential.clone().map(Proof::Credential),
        }
    }

    /// Returns the credential of the last invoice that was paid.
    pub(super) fn credential(&self) -> Option<&str> {
        match self {
            Self::Empty | Self::Tokens(_) | Self::Channels(_) => None,
            Self::Invoices(invoices) => invoices.credential(),
        }
    }

    /// Begins a payment, and writes it down.
    pub(super) fn begin(&mut self, offers: &Offers, call: PaidCall) -> Result<(), PayError> {
        if self.open_payment().is_some() {
            return Err(PayError::Open);
        }
        match self {
            Self::Empty => Err(PayError::NoMoney),
            Self::Tokens(tokens) => tokens.begin(offers, call),
            Self::Channels(channels) => channels.begin(offers, call),
            Self::Invoices(invoices) => invoices.begin(offers, call),
        }
    }

    /// Pays the open invoice, if there is one. Signed transfers need no more than their header.
    pub(super) async fn complete(&mut self) -> Result<Result<(), PayError>, NodeError> {
        match self {
            Self::Empty | Self::Tokens(_) | Self::Channels(_) => Ok(Ok(())),
            Self::Invoices(invoices) => invoices.complete().await,
        }
    }

    /// Ends the open payment, which was taken.
    pub(super) fn paid(&mut self, settled: &SettlementResponse) -> Result<(), WalletError> {
        tracing::info!(transaction = settled.transaction, "paid");
        match self {
            Self::Empty => Ok(()),
            Self::Tokens(tokens) => tokens.paid(),
            Self::Channels(channels) => channels.paid(settled),
            Self::Invoices(invoices) => invoices.used(),
        }
    }

    /// Ends the open payment, which the coordinator refused. It counts as spent as long as no chain says
    /// otherwise.
    pub(super) fn failed(&mut self) -> Result<Failed, WalletError> {
        match self {
            Self::Empty | Self::Invoices(_) => Ok(Failed::Open),
            Self::Tokens(tokens) => Ok(tokens.failed()?.map_or(Failed::Open, Failed::Transfer)),
            Self::Channels(channels) => channels.unused().map(|()| Failed::Voucher),
        }
    }

    /// Ends the open payment of a call that failed, if such a call takes nothing. Returns `false` if it
    /// may have taken something.
    pub(super) fn released(&mut self) -> Result<bool, WalletError> {
        match self {
            Self::Channels(channels) => channels.unused().map(|()| true),
            Self::Empty | Self::Tokens(_) | Self::Invoices(_) => Ok(false),
        }
    }

    /// Takes over what the coordinator proves of the channel. Returns `false` if it proves nothing.
    pub(super) fn correct(&mut self, offers: &Offers) -> Result<bool, WalletError> {
        match self {
            Self::Channels(channels) => channels.correct(offers),
            Self::Empty | Self::Tokens(_) | Self::Invoices(_) => Ok(false),
        }
    }

    /// Returns `true` if there is a channel, which may hold money that comes back.
    #[must_use]
    pub fn has_channel(&self) -> bool {
        self.book()
            .is_some_and(|(book, _)| book.channel().is_some())
    }

    /// Returns the header that asks for what is left in the channel.
    pub(super) fn refund(&self, offers: &Offers) -> Result<Option<String>, PayError> {
        match self {
            Self::Channels(channels) => channels.refund(offers),
            Self::Empty | Self::Tokens(_) | Self::Invoices(_) => Ok(None),
        }
    }

    /// Forgets the channel, whose rest came back.
    pub(super) fn refunded(&mut self) -> Result<(), WalletError> {
        match self {
            Self::Channels(channels) => channels.refunded(),
            Self::Empty | Self::Tokens(_) | Self::Invoices(_) => Ok(()),
        }
    }
}
