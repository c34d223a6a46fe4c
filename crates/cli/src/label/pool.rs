//! `cotrain label FILE`: labels an own pool with a coordinator's labeling service.

mod answers;
mod draws;
mod labeling;
mod options;
mod paying;
mod plan;
mod quote;
mod record;
mod report;
mod stored;
mod table;

use std::path::Path;

use anyhow::anyhow;
use cotrain_active::Strategy;
use cotrain_client::{api::Client, label::Service, lock::Lock};

pub(super) use self::options::PoolArgs;
use self::{
    answers::Answers, labeling::Labeling, options::Target, plan::Plan, record::Record,
    stored::Stored, table::Pool,
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
            return quote::quote(client, &pool, &plan, shared.json).await;
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
