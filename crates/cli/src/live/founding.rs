//! A new model on a chosen part of what others contributed to another one.

use std::collections::BTreeSet;

use alloy_primitives::Address;
use anyhow::anyhow;
use clap::Args;
use cotrain_indexer::rows::Settled;
use cotrain_learning::{
    encode::Encoder,
    initial::{Founding, Initial},
};
use cotrain_results::format::counted;
use serde::Serialize;

use super::{
    connection::{ModelArg, Session},
    contributed::{
        judged::{Rule, by_author, judge},
        source::{Source, settlements},
    },
    model::LiveModel,
    options::Options,
    plan::{ModelOptions, Plan},
};
use crate::error::CommandError;

/// Contributions to another model, to found the new one on.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Data")]
pub(crate) struct FromArgs {
    /// Train on what others contributed to this model instead of --data: the address of its trainer
    /// or its name. The new model keeps the learner, the encoder and the classes of its card
    #[arg(
        long,
        value_name = "ADDR|NAME",
        conflicts_with_all = [
            "data",
            "types",
            "missing",
            "picture_size",
            "picture_levels",
            "picture_ink",
            "features",
            "tokenizer",
            "word_pairs",
            "hashed",
            "encoder",
            "dimensions",
            "learner",
            "reserve_classes",
            "reserve_features",
            "fixed_intercept",
            "max_number",
            "max_length",
        ]
    )]
    pub(crate) from: Option<String>,
    /// Train only on contributions of which this became, separated by commas [default: all]
    #[arg(
        long,
        value_name = "STATES",
        value_delimiter = ',',
        value_parser = settlements(),
        requires = "from"
    )]
    from_only: Vec<Settled>,
    /// Leave out what `cotrain data clean` marks as likely lies
    #[arg(long, requires = "from")]
    from_clean: bool,
    /// Last block whose contributions and claims are read [default: the latest]
    #[arg(long, value_name = "N", requires = "from")]
    until_block: Option<u64>,
}

/// Model that gave the samples, and their numbers.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Founded {
    model: Address,
    /// Last block whose contributions and claims were read.
    block: u64,
    contributions: u64,
    chosen: u64,
}

impl FromArgs {
    /// Trains the new model. Adds to `typed` the options that another run must share to continue.
    pub(crate) async fn found(
        &self,
        from: &str,
        session: &Session,
        options: &ModelOptions,
        owner: Address,
        (typed, given): (&mut Options, &BTreeSet<String>),
    ) -> Result<(Plan, Founded), CommandError> {
        let argument = ModelArg {
            model: Some(from.to_owned()),
        };
        let model = LiveModel::find_trainer(session, &argument).await?;
        let encoder: Encoder = model
            .encoder()
            .map_err(|error| {
                CommandError::Mistake(anyhow!(
                    "{error}; train on data of your own with --data, or name its registry with --registry"
                ))
            })?
            .clone();
        let mut source = Source::of_model(session, &model, 0, self.until_block).await?;
        let (_, _, block) = source.origin.facts();
        let block = block.unwrap_or_default();
        let all = source.all().await?;
        let mut chosen: Vec<bool> = all
            .iter()
            .map(|one| self.from_only.is_empty() || self.from_only.contains(&one.settled()))
            .collect();
        if self.from_clean {
            let judged = judge(&source, &all, Rule::default());
            for (chosen, judged) in chosen.iter_mut().zip(judged) {
                *chosen &= !judged.marked;
            }
        }
        let samples: Vec<(&[u8], u16)> = all
            .iter()
            .zip(&chosen)
            .filter(|(_, chosen)| **chosen)
            .map(|(one, _)| (one.contribution.sample.as_slice(), one.contribution.label))
            .collect();
        let founded = Founded {
            model: model.facts.trainer,
            block,
            contributions: all.len() as u64,
            chosen: samples.len() as u64,
        };
        let authors = all.iter().zip(&chosen);
        let authors = authors.map(|(one, chosen)| (one.contribution.author, !chosen));
        founded.tell(session, authors, options.initial.test.is_none());
        let founding = Founding {
            encoder,
            classes: source.classes.clone(),
            samples,
            test: options.initial.test_source()?,
            // All chosen samples, as no others are left to contribute.
            initial: if given.contains("--initial") {
                options.initial.initial
            } else {
                Initial::Share(1.0)
            },
            seed: options.initial.seed,
        };
        let plan = Plan::found(options, founding, owner)?;
        let only: Vec<&str> = self.from_only.iter().map(|it| it.name()).collect();
        typed.insert("--from".to_owned(), founded.model.to_string());
        typed.insert("--from-only".to_owned(), only.join(","));
        typed.insert("--from-clean".to_owned(), self.from_clean.to_string());
        typed.insert("--until-block".to_owned(), block.to_string());
        Ok((plan, founded))
    }
}

impl Founded {
    /// Tells which part of the contributions is chosen, and whose are left out.
    fn tell(
        &self,
        session: &Session,
        authors: impl Iterator<Item = (Address, bool)>,
        measured_on_them: bool,
    ) {
        /// Maximum number of authors that are named.
        const AUTHORS: usize = 10;
        let narrator = &session.narrator;
        narrator.say(format_args!(
            "samples: {} of {} to {}, up to block {}; if this is interrupted, go on with --until-block {}",
            self.chosen,
            counted(self.contributions, "contribution"),
            self.model,
            self.block,
            self.block,
        ));
        let mut authors = by_author(authors);
        authors.retain(|(_, share)| share.out > 0);
        for (author, share) in authors.iter().take(AUTHORS) {
            narrator.say(format_args!(
                "left out: {} of {} of {author}",
                share.out,
                counted(share.of, "contribution")
            ));
        }
        if let Some(more @ 1..) = authors.len().checked_sub(AUTHORS) {
            narrator.say(format_args!(
                "left out: contributions of {more} more authors"
            ));
        }
        if measured_on_them {
            narrator.say(
                "the accuracy is measured on a fifth of the chosen contributions, whose labels are their authors' word; \
                 name data that you trust with --test",
            );
        }
    }
}
