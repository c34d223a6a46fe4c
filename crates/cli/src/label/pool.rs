//! `cotrain label FILE`: labels an own pool with a coordinator's labeling service.

mod answers;
mod draws;
mod labeling;
mod options;
mod paying;
mod plan;
mod record;
mod report;
mod stored;
mod table;

use std::path::Path;

use anyhow::anyhow;
use cotrain_active::Strategy;
use cotrain_client::{
    api::Client,
    label::{Purse, QuotesBody, Service},
    lock::Lock,
};
use serde::Serialize;

pub(super) use self::options::PoolArgs;
use self::{
    answers::Answers,
    labeling::{Labeling, failed},
    options::Target,
    plan::Plan,
    record::Record,
    stored::Stored,
    table::Pool,
};
use crate::{
    error::CommandError,
    live::{
        block_on,
        data::{Columns, TypeOptions},
        show,
    },
    output::Narrator,
};

/// Choices of `cotrain label` that an own pool shares with experiments.
pub(super) struct Shared<'a> {
    pub(super) columns: &'a Columns,
    pub(super) types: &'a TypeOptions,
    pub(super) learner: &'static str,
    pub(super) strategy: Strategy,
    pub(super) batch: usize,
    pub(super) max_labels: Option<usize>,
    pub(super) json: bool,
    pub(super) quiet: bool,
}

/// Labels the pool of a file.
pub(super) fn run(own: &PoolArgs, file: &Path, shared: &Shared<'_>) -> Result<(), CommandError> {
    let narrator = Narrator::start(shared.quiet)?;
    let target = Target::of(own, file)?;
    let (columns, types) = (shared.columns, shared.types);
    let pool = Pool::read(file, columns, types, &own.classes, own.answers.as_deref())?;
    let plan = Plan {
        batch: shared.batch,
        control: own.control,
        max_labels: shared.max_labels,
        seed: own.seed,
        strategy: shared.strategy.name(),
        learner: shared.learner,
        out: own.out.clone(),
        stopping: own.stop.clone(),
        units: own.units,
    };
    let client = Client::new(&target.url).map_err(CommandError::mistake)?;
    block_on(async {
        if own.consent.dry_run {
            return quote(client, &pool, &plan, shared.json).await;
        }
        let lock = Lock::take(&target.lock).map_err(|error| {
            let told = error.message(&target.labels);
            CommandError::Mistake(anyhow!("{told}; wait until it has ended"))
        })?;
        let record = Record::open(&target.labels, &pool)?;
        let purse = paying::purse(own, &target, &narrator)?;
        let labeling = Labeling {
            pool: &pool,
            plan: &plan,
            answers: Answers::of(&pool),
            record,
            stored: Stored::read(&target.state)?,
            state: &target.state,
            url: client.shown(),
            service: Service::new(client, purse),
            narrator: &narrator,
        };
        let report = labeling.run(file, &target.labels).await?;
        // The next run makes the file anew.
        let _ = lock.remove(&target.lock);
        show(shared.json, &report, || report.text())
    })
}

/// Prices of a dry run.
#[derive(Serialize)]
struct Quoted {
    dry_run: bool,
    /// Ways to pay.
    rails: Vec<String>,
    /// Units of an opening.
    opening: u64,
    /// Number of labels between two trainings.
    batch: usize,
    /// Units of a query, a training and the guesses.
    units_per_batch: u64,
}

/// Prints what labels would cost in units.
async fn quote(client: Client, pool: &Pool, plan: &Plan, json: bool) -> Result<(), CommandError> {
    let url = client.shown();
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let batch = number(plan.batch);
    let mut work = QuotesBody {
        learner: plan.learner.to_owned(),
        features: number(pool.rows.ncols()),
        strategy: plan.strategy.to_owned(),
        train: batch,
        decide: batch,
        pool: number(pool.len().min(plan::rows_of_a_call(pool))),
        count: batch,
    };
    let mut service = Service::new(client, Purse::Empty);
    let mut prices = service.quotes(&work).await.map_err(failed)?;
    let (bounds, rows) = (prices.bounds, pool.len() as u64);
    let numbers = rows.saturating_mul(pool.rows.ncols() as u64);
    if bounds.pools > 0 && rows <= bounds.pool_rows && numbers <= bounds.pool_numbers {
        // The session holds the pool, and each query looks at all of it.
        work.pool = number(pool.len());
        prices = service.quotes(&work).await.map_err(failed)?;
    }
    let quoted = Quoted {
        dry_run: true,
        rails: prices.rails,
        opening: prices.prices.opening,
        batch: plan.batch,
        units_per_batch: prices.units.train + prices.units.decide + prices.units.query,
    };
    show(json, &quoted, || {
        format!(
            "{url} takes payment by: {}\nan opening costs {} units, and {} labels about {} units\nno row \
             was sent (--dry-run)\n",
            quoted.rails.join(", "),
            quoted.opening,
            quoted.batch,
            quoted.units_per_batch
        )
    })
}
