//! Prices of a pool's labels, for a dry run.

use cotrain_client::{
    api::Client,
    label::{Purse, QuotesBody, Service},
};
use serde::Serialize;

use super::{
    labeling::failed,
    plan::{Plan, is_held},
    table::Pool,
};
use crate::{error::CommandError, live::show};

/// Learner and strategy whose search of a pool costs as much as holding it.
const HOLDING: (&str, &str) = ("own", "margin");

/// Prices of a dry run.
#[derive(Serialize)]
struct Quoted {
    dry_run: bool,
    /// Ways to pay.
    rails: Vec<String>,
    /// Units of an opening.
    opening: u64,
    /// Units of holding the pool; 0 if its rows are sent with each query.
    pool_units: u64,
    /// Number of labels between two trainings.
    batch: usize,
    /// Units of a query, a training and the guesses.
    units_per_batch: u64,
}

/// Prints what labels would cost in units.
pub(super) async fn quote(
    client: Client,
    pool: &Pool,
    plan: &Plan,
    json: bool,
) -> Result<(), CommandError> {
    let url = client.shown();
    let mut service = Service::new(client, Purse::Empty);
    let prices = service.quotes(&plan.first_batch(pool)).await;
    let prices = prices.map_err(failed)?;
    let mut pool_units = 0;
    if is_held(pool, &prices.bounds) {
        let holding = QuotesBody {
            learner: HOLDING.0.to_owned(),
            strategy: HOLDING.1.to_owned(),
            train: 0,
            decide: 0,
            count: 1,
            ..plan.first_batch(pool)
        };
        let holding = service.quotes(&holding).await.map_err(failed)?;
        pool_units = holding.units.query;
    }
    let quoted = Quoted {
        dry_run: true,
        rails: prices.rails,
        opening: prices.prices.opening,
        pool_units,
        batch: plan.batch,
        units_per_batch: prices.units.train + prices.units.decide + prices.units.query,
    };
    show(json, &quoted, || {
        let held = match quoted.pool_units {
            0 => String::new(),
            units => format!(", the pool {units}"),
        };
        format!(
            "{url} takes payment by: {}\nan opening costs {} units{held}, and {} labels about {} units\nno \
             row was sent (--dry-run)\n",
            quoted.rails.join(", "),
            quoted.opening,
            quoted.batch,
            quoted.units_per_batch
        )
    })
}
