//! Section of sales over Lightning.

use std::{num::NonZeroU64, path::PathBuf, time::Duration};

use cotrain_payments::price::UnitPrice;
use serde::Deserialize;
use url::Url;

use super::{error::ConfigError, forms};

const SECOND: u64 = 1_000;
const DAY: u64 = 24 * 60 * 60 * SECOND;
/// Millisatoshi in a satoshi.
const MSAT: u64 = 1_000;

/// Options of sales over Lightning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LightningSection {
    /// URL of the node's REST interface.
    pub url: Url,
    /// File with the node's certificate.
    pub certificate: PathBuf,
    /// File with a macaroon of the node.
    pub macaroon: PathBuf,
    /// Price of a unit, in millisatoshi.
    pub price: UnitPrice,
    /// Smallest purchase, in millisatoshi.
    pub min_purchase: u64,
    /// Time in which an invoice can be paid.
    pub expiry: Duration,
    /// Maximum number of invoices of one client that can still be paid.
    pub max_client_invoices: usize,
    /// Maximum number of invoices of all clients that can still be paid.
    pub max_invoices: usize,
    /// Maximum time of one request to the node.
    pub timeout: Duration,
}

/// Section as the file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LightningGiven {
    // Whoever has the macaroon can make invoices, so it goes over TLS only.
    #[serde(default, deserialize_with = "forms::https_url_if_set")]
    url: Option<Url>,
    #[serde(default, deserialize_with = "forms::path_if_set")]
    certificate: Option<PathBuf>,
    #[serde(default, deserialize_with = "forms::path_if_set")]
    macaroon: Option<PathBuf>,
    #[serde(deserialize_with = "forms::whole::<_, _, 1, 1_000_000_000_000>")]
    price: NonZeroU64,
    #[serde(deserialize_with = "forms::whole::<_, _, 1, 1_000_000_000>")]
    units: NonZeroU64,
    #[serde(deserialize_with = "forms::whole::<_, _, 1, 100_000_000>")]
    min_purchase: u64,
    #[serde(deserialize_with = "forms::duration::<_, SECOND, DAY>")]
    expiry: Duration,
    #[serde(deserialize_with = "forms::whole::<_, _, 1, 1_000_000>")]
    max_client_invoices: usize,
    #[serde(deserialize_with = "forms::whole::<_, _, 1, 1_000_000>")]
    max_invoices: usize,
    #[serde(deserialize_with = "forms::duration::<_, 1, DAY>")]
    timeout: Duration,
}

impl LightningGiven {
    /// Returns the options; `None` if no node is named.
    pub(super) fn read(self) -> Result<Option<LightningSection>, ConfigError> {
        let (url, certificate, macaroon) = match (self.url, self.certificate, self.macaroon) {
            (None, None, None) => return Ok(None),
            (Some(url), Some(certificate), Some(macaroon)) => (url, certificate, macaroon),
            _ => {
                return Err(ConfigError::Together {
                    found: "`lightning` names a part of what it takes to reach the node".to_owned(),
                    wanted: "set `lightning.url`, `lightning.certificate` and `lightning.macaroon`, or none of them".to_owned(),
                });
            }
        };
        Ok(Some(LightningSection {
            url,
            certificate,
            macaroon,
            price: UnitPrice {
                amount: self.price,
                units: self.units,
            },
            min_purchase: self.min_purchase * MSAT,
            expiry: self.expiry,
            max_client_invoices: self.max_client_invoices,
            max_invoices: self.max_invoices,
            timeout: self.timeout,
        }))
    }
}
