//! Contributions that are signed here and sent by a coordinator.

use std::time::Duration;

use clap::Args;
use cotrain_chain::keys::Key;
use cotrain_protocol::sample::Item;
use url::Url;

use super::{connection::Session, model::LiveModel, wei::Wei};
use crate::failure::Failure;

/// Who sends what is signed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Relaying")]
pub(crate) struct RelayArgs {
    /// Sign, and let the coordinator at this address send it; paid from what you prepaid
    #[arg(long, value_name = "URL")]
    pub(crate) relay: Option<Url>,
    /// What the coordinator gets for it
    #[arg(long, value_name = "WEI", default_value = "0", requires = "relay")]
    pub(crate) fee: Wei,
    /// Until when it may be sent, from now on
    #[arg(
        long,
        value_name = "TIME",
        default_value = "1h",
        value_parser = humantime::parse_duration,
        requires = "relay"
    )]
    pub(crate) valid: Duration,
    /// Wait until it is part of the chain
    #[arg(long, requires = "relay")]
    pub(crate) wait: bool,
}

/// What signing takes.
pub(crate) struct Signing<'a> {
    pub(crate) session: &'a Session,
    pub(crate) key: &'a Key,
    pub(crate) model: &'a LiveModel,
    /// For each contribution.
    pub(crate) most: Option<Wei>,
    pub(crate) arguments: &'a RelayArgs,
}

impl Signing<'_> {
    /// Signs the items and hands them over.
    pub(crate) async fn contribute(
        &self,
        _url: &Url,
        _items: &[Item<'_>],
        _json: bool,
    ) -> Result<(), Failure> {
        todo!()
    }
}
