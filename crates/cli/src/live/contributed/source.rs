//! Contributions from a chain or from a recorded run, page by page.

use std::{
    fs,
    path::{Path, PathBuf},
};

use alloy_primitives::Address;
use anyhow::{Context, anyhow};
use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};
use cotrain_bindings::events::TrainerEvent;
use cotrain_chain::{Outcome, Step};
use cotrain_indexer::{
    contributed::{Contributed, Contributions},
    local::LocalIndex,
    rows::{Page, Settled},
};
use cotrain_learning::Encoder;
use cotrain_protocol::{classifier::Classifier, sample::Encoding};
use cotrain_simulator::{scenario::Scenario, truth::Truth};
use serde::Deserialize;

use super::super::{
    connection::{Connection, ModelArg, Session},
    following::follow,
    model::LiveModel,
    spending::Target,
};
use crate::{
    error::CommandError,
    output::Narrator,
    recording::{Entry, Recording},
};

/// Number of contributions that are read and written at once.
const ROWS: u32 = 1_000;

/// Contributions to read.
#[derive(Debug, Clone, Args)]
pub(crate) struct Selection {
    /// First block whose contributions are read [default: the first one]
    #[arg(
        long,
        value_name = "N",
        help_heading = "Contributions",
        conflicts_with = "run"
    )]
    from_block: Option<u64>,
    /// Last block whose contributions and claims are read [default: the latest]
    #[arg(
        long,
        value_name = "N",
        help_heading = "Contributions",
        conflicts_with = "run"
    )]
    to_block: Option<u64>,
    /// Directory of a run made with `cotrain simulate --record`: its contributions instead of those
    /// on a chain
    #[arg(long, value_name = "DIR", help_heading = "Contributions")]
    run: Option<PathBuf>,
    #[command(flatten)]
    model: ModelArg,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// Returns the parser of settlements. It lists their names for shells and in error messages.
pub(crate) fn settlements() -> impl TypedValueParser<Value = Settled> {
    PossibleValuesParser::new(Settled::ALL.map(Settled::name)).map(|name| {
        let mut all = Settled::ALL.into_iter();
        all.find(|it| it.name() == name).unwrap_or(Settled::Open)
    })
}

/// Source of contributions, and what their samples mean.
pub(crate) struct Source {
    pub(crate) origin: Origin,
    /// Name of each class, by its number.
    pub(crate) classes: Vec<String>,
    pub(crate) encoding: Encoding,
    /// Encoder of the model's card; `None` if there is none that fits.
    pub(crate) encoder: Option<Encoder>,
    /// Model before the first contribution; `None` if the node does not have it any more.
    pub(crate) founded: Option<Classifier>,
    pub(crate) narrator: Narrator,
    rows: Rows,
}

/// Model or run that the contributions are from.
pub(crate) enum Origin {
    Model {
        chain_id: u64,
        trainer: Address,
        /// Last block that is read.
        until: u64,
    },
    Run(Box<RunFacts>),
}

impl Origin {
    /// Returns the chain, the trainer and the last block that is read; a run has none of them.
    pub(crate) fn facts(&self) -> (Option<u64>, Option<Address>, Option<u64>) {
        match self {
            Self::Model {
                chain_id,
                trainer,
                until,
                ..
            } => (Some(*chain_id), Some(*trainer), Some(*until)),
            Self::Run(_) => (None, None, None),
        }
    }
}

/// Facts of a recorded run.
pub(crate) struct RunFacts {
    pub(crate) scenario: Scenario,
    pub(crate) seed: u64,
    pub(crate) truth: Truth,
    /// Accuracy of the run's model at its start and at its end.
    pub(crate) accuracy: RunAccuracy,
}

/// Accuracies from the summary of a run.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct RunAccuracy {
    pub(crate) initial: f64,
    #[serde(rename = "final")]
    pub(crate) last: f64,
}

#[derive(Deserialize)]
struct RunSummary {
    accuracy: RunAccuracy,
}

enum Rows {
    Chain {
        index: Box<LocalIndex>,
        from: u64,
        until: u64,
        after: Option<i64>,
        done: bool,
    },
    Run(std::vec::IntoIter<Contributed>),
}

impl Selection {
    /// Opens the source: follows the model, or reads the run.
    pub(crate) async fn open(&self) -> Result<Source, CommandError> {
        if let Some(run) = &self.run {
            let narrator = Narrator::verbose(self.connection.verbose)?;
            return Source::of_run(run, narrator);
        }
        let session = self.connection.open().await?;
        let model = LiveModel::find_trainer(&session, &self.model).await?;
        Source::of_model(
            &session,
            &model,
            self.from_block.unwrap_or(0),
            self.to_block,
        )
        .await
    }
}

impl Source {
    /// Follows a model. Contributions and claims after the block `until` are left out.
    pub(crate) async fn of_model(
        session: &Session,
        model: &LiveModel,
        from: u64,
        until: Option<u64>,
    ) -> Result<Self, CommandError> {
        Target::new(session, Some(model)).tell(session);
        let index = follow(session, model).await?;
        let head = index.followed().state().cursor().block;
        let until = until.unwrap_or(head);
        if until > head {
            return Err(CommandError::Mistake(anyhow!(
                "cannot read up to block {until}: the latest one that the node has is {head}; name that one, or leave \
                 the option out"
            )));
        }
        if from > until {
            return Err(CommandError::Mistake(anyhow!(
                "cannot read from block {from} to block {until}: the first is after the last; give them in order"
            )));
        }
        Ok(Self {
            origin: Origin::Model {
                chain_id: session.node.chain_id(),
                trainer: model.facts.trainer,
                until,
            },
            classes: model.classes(),
            encoding: model.facts.parameters.encoding(),
            encoder: model.encoder().ok().cloned(),
            founded: index.founded(index.followed()).await?,
            narrator: session.narrator.clone(),
            rows: Rows::Chain {
                index: Box::new(index),
                from,
                until,
                after: None,
                done: false,
            },
        })
    }

    /// Reads a recorded run.
    fn of_run(directory: &Path, narrator: Narrator) -> Result<Self, CommandError> {
        let mut recording =
            Recording::open(directory, |file| file).map_err(CommandError::Mistake)?;
        let (name, seed) = (recording.header().scenario.clone(), recording.header().seed);
        let all = contributions(&mut recording)?;
        if all.is_empty() {
            return Err(CommandError::Mistake(anyhow!(
                "cannot read contributions of {}: the run has none with a deposit; record one of another scenario",
                directory.display()
            )));
        }
        let read = |file: &str| {
            let path = directory.join(file);
            fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}; record the run anew", path.display()))
                .map_err(CommandError::Mistake)
        };
        let file = directory.join("scenario.toml");
        let text = read("scenario.toml")?;
        let folder = Some(directory.to_owned());
        let scenario = Scenario::parse(&name, &file.to_string_lossy(), &text, folder);
        let scenario = scenario.map_err(CommandError::mistake)?;
        let summary: RunSummary = serde_json::from_str(&read("summary.json")?)
            .with_context(|| format!("cannot read the summary of {}", directory.display()))
            .map_err(CommandError::Mistake)?;
        let truth = Truth::load(&scenario, seed, None).map_err(CommandError::mistake)?;
        let founded = truth
            .founded(&scenario, seed)
            .map_err(CommandError::mistake)?;
        Ok(Self {
            classes: truth.classes().to_vec(),
            encoding: truth.encoder().kind().encoding(),
            encoder: Some(truth.encoder().clone()),
            origin: Origin::Run(Box::new(RunFacts {
                scenario,
                seed,
                truth,
                accuracy: summary.accuracy,
            })),
            founded: Some(founded),
            narrator,
            rows: Rows::Run(all.into_iter()),
        })
    }

    /// Returns the next contributions, ordered by position; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Vec<Contributed>, CommandError> {
        match &mut self.rows {
            Rows::Run(rows) => Ok(rows.by_ref().take(ROWS as usize).collect()),
            Rows::Chain {
                index,
                from,
                until,
                after,
                done,
            } => {
                while !*done {
                    let page = Page {
                        after: *after,
                        limit: ROWS,
                    };
                    let mut rows = index.contributed(index.followed(), *until, page).await?;
                    *done = rows.len() < ROWS as usize;
                    if let Some(last) = rows.last() {
                        *after = i64::try_from(last.contribution.position).ok();
                    }
                    rows.retain(|row| row.block.is_none_or(|block| block >= *from));
                    if !rows.is_empty() {
                        return Ok(rows);
                    }
                }
                Ok(Vec::new())
            }
        }
    }

    /// Returns all contributions.
    pub(crate) async fn all(&mut self) -> Result<Vec<Contributed>, CommandError> {
        let mut all = Vec::new();
        loop {
            let some = self.next().await?;
            if some.is_empty() {
                return Ok(all);
            }
            all.extend(some);
        }
    }
}

/// Returns the contributions of the first trainer in a recording.
fn contributions(recording: &mut Recording) -> Result<Vec<Contributed>, CommandError> {
    let mut contributions = Contributions::default();
    let mut trainer = None;
    loop {
        let step = match recording.next().map_err(CommandError::Mistake)? {
            Entry::End(_) => return Ok(contributions.finish()),
            Entry::Step(step) => step,
        };
        let Step::Transaction {
            outcome: Outcome::Success(receipt),
            ..
        } = *step
        else {
            continue;
        };
        for log in &receipt.logs {
            let adds = matches!(
                TrainerEvent::decode(log),
                Some(TrainerEvent::Contributed(_) | TrainerEvent::Relayed(_))
            );
            if adds && trainer.is_none() {
                trainer = Some(log.address);
            }
            if trainer == Some(log.address) {
                let taken = contributions.take(log);
                taken.with_context(|| format!("cannot read {}", recording.path().display()))?;
            }
        }
    }
}
