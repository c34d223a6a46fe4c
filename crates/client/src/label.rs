//! Labeling sessions of a coordinator: their calls, and the money for them.
//!
//! [`Service`] makes the calls. A call that changes a session has an id, so it is worked on and
//! charged once, however often it is sent. What it costs is paid from a [`Purse`].

mod book;
mod channels;
mod invoices;
mod lightning;
mod purse;
mod service;
mod tokens;
mod wire;

pub use self::{
    book::{Approve, Asked, PayError, WalletError},
    channels::Channels,
    invoices::Invoices,
    lightning::{LightningNode, NodeError},
    purse::Purse,
    service::{Access, Form, LabelError, Service},
    tokens::Tokens,
    wire::{
        Closed, HeldPool, NewSession, Predicted, Predictions, Prices, Queries, Quotes, QuotesBody,
        Refund, Row, RowBounds, RowOf, SessionState, Stop, StopRule, Teaching, Trained, Units,
        Work,
    },
};
