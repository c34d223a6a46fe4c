//! `cotrain federated create`: a model, its tokens, and a hidden test set.

mod plan;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use alloy_primitives::{Address, hex};
use anyhow::anyhow;
use clap::Args;
use cotrain_client::{
    deploy::{DeployEvent, done_before},
    federated::{FoundError, Founded, Founding, Token, measure},
    journal::Journal,
};
use cotrain_protocol::{federated::Rule, parse_address};
use cotrain_results::format::counted;
use serde::Serialize;

use super::view::{View, shown, test_set_file};
use crate::{
    error::CommandError,
    live::{
        block_on,
        connection::{Connection, Session},
        context::{CommandContext, state_directory},
        data::{Columns, TypeOptions},
        deploy::{genesis, plain, registry},
        deploying::{self, narrate, not_deployed},
        gas_fees::GasFeeArgs,
        key::KeyArgs,
        options::Options,
        show,
        spending::{Bill, Range, SpendingArgs, Target, gas_cost_of_all},
        wei::Wei,
        whole_seconds,
    },
};

/// Create a model for federated rounds: deploy it with its tokens, commit to a test set, and lock the
/// bond
///
/// The model begins with zeros. The test data becomes hidden parts, of which each round uses up one.
/// Their file and salts stay in the state directory. Keep it: who cannot reveal a drawn part in time
/// loses the bond. Who knows the test set can earn by it, so use data that nobody else has.
///
/// After an interruption, run the same command again, and it goes on.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Name of the model
    name: String,
    /// Data that show the model's features and classes, of which a fifth becomes the test set:
    /// `digits`, a table of whole numbers from 0 to 255, or a folder with a folder of pictures for
    /// each class
    #[arg(
        long,
        value_name = "DATA",
        default_value = "digits",
        help_heading = "Data"
    )]
    data: String,
    /// Data of the test set [default: a fifth of the data, set aside at random]
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    test: Option<PathBuf>,
    #[command(flatten)]
    columns: Columns,
    #[command(flatten)]
    types: TypeOptions,
    /// Seed of the random choice of the test data
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Data")]
    seed: u64,
    /// Number of parts of the test set: each round uses up one
    #[arg(long, value_name = "N", default_value_t = 4, help_heading = "Data")]
    parts: usize,
    /// Number of samples of each part
    #[arg(long, value_name = "N", default_value_t = 80, help_heading = "Data")]
    samples: usize,
    /// Description of the model
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true,
        help_heading = "Data"
    )]
    description: String,
    /// Rule that joins the updates: mean, median, trimmed-mean or multi-krum
    #[arg(
        long,
        value_name = "NAME",
        default_value = "trimmed-mean",
        value_parser = str::parse::<Rule>,
        help_heading = "Rounds"
    )]
    rule: Rule,
    /// Number of hostile updates that the rule bears
    #[arg(long, value_name = "N", default_value_t = 3, help_heading = "Rounds")]
    f: u8,
    /// Number of commitments at which a round goes on early, at most 32
    #[arg(long, value_name = "N", default_value_t = 16, help_heading = "Rounds")]
    clients: u8,
    /// Time for commitments, from the first one on
    #[arg(
        long,
        value_name = "TIME",
        default_value = "1day",
        value_parser = whole_seconds,
        help_heading = "Rounds"
    )]
    open_for: Duration,
    /// Time to reveal updates, and for the owner to reveal the drawn part
    #[arg(
        long,
        value_name = "TIME",
        default_value = "1day",
        value_parser = whole_seconds,
        help_heading = "Rounds"
    )]
    reveal_wait: Duration,
    /// Time to score, and to aggregate
    #[arg(
        long,
        value_name = "TIME",
        default_value = "1day",
        value_parser = whole_seconds,
        help_heading = "Rounds"
    )]
    work_wait: Duration,
    /// Number of bits of an update's lanes: 8 or 16
    #[arg(
        long,
        value_name = "BITS",
        default_value = "8",
        value_parser = ["8", "16"],
        help_heading = "Rounds"
    )]
    width: String,
    /// Number of bits of a weight after the point, at most 15
    #[arg(
        long,
        value_name = "BITS",
        default_value_t = 6,
        help_heading = "Rounds"
    )]
    scale: u32,
    /// ERC-20 token of stakes and bond; it must keep no fee [default: on a development chain, a test
    /// token that anyone may mint]
    #[arg(long, value_name = "ADDR", value_parser = parse_address, help_heading = "Tokens")]
    token: Option<Address>,
    /// Stake of each update, in whole tokens
    #[arg(
        long,
        value_name = "TOKENS",
        default_value = "10",
        help_heading = "Tokens"
    )]
    stake: String,
    /// Part of the stake that a harmful update loses, in whole tokens [default: half of the stake]
    #[arg(long, value_name = "TOKENS", help_heading = "Tokens")]
    slash: Option<String>,
    /// Harm that loses nothing, in 1/256 bit over all samples of a part
    #[arg(
        long,
        value_name = "N",
        default_value_t = 2_048,
        help_heading = "Tokens"
    )]
    margin: u32,
    /// Bond of the owner, in whole tokens [default: ten stakes]
    #[arg(long, value_name = "TOKENS", help_heading = "Tokens")]
    bond: Option<String>,
    /// Tokens that a round with a better model mints for its authors
    #[arg(
        long,
        value_name = "TOKENS",
        default_value = "1000",
        help_heading = "Tokens"
    )]
    emission: String,
    /// Number of versions after which the emission halves; it fixes the maximum supply
    #[arg(long, value_name = "N", default_value_t = 100, help_heading = "Tokens")]
    halving: u32,
    /// Name of the reward token [default: the model's]
    #[arg(long, value_name = "TEXT", help_heading = "Tokens")]
    reward_name: Option<String>,
    /// Symbol of the reward token
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "TRAIN",
        help_heading = "Tokens"
    )]
    reward_symbol: String,
    /// File for the test set [default: `federated-CHAIN-ADDR.json` in the state directory]
    #[arg(long, value_name = "FILE", help_heading = None::<&str>)]
    test_set: Option<PathBuf>,
    /// Directory for the journal [default: `federated-CHAIN-NAME` in the state directory]
    #[arg(long, value_name = "DIR", help_heading = None::<&str>)]
    journal: Option<PathBuf>,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    gas_fees: GasFeeArgs,
    #[command(flatten)]
    spending: SpendingArgs,
    /// Print one JSON object to stdout
    #[arg(long, help_heading = None::<&str>)]
    json: bool,
}

#[derive(Serialize)]
struct Created<'a> {
    chain_id: u64,
    name: &'a str,
    #[serde(flatten)]
    founded: Founded,
    parameters: usize,
    parts: usize,
    samples: usize,
    /// Stake in the smallest units of its token, as text, like all amounts here.
    stake: String,
    bond: String,
    emission: String,
    test_set: &'a Path,
    transactions: usize,
    gas_cost: String,
}

/// Creates a trainer.
pub(crate) fn run(arguments: &Create) -> Result<(), CommandError> {
    block_on(async {
        let session = arguments.connection.open().await?;
        let key = arguments.key.key(session.node.chain_id())?;
        arguments.check(session.node.chain_id())?;
        CommandContext::check()?;
        let owner = key.address();
        let genesis = genesis(&session).await?;
        let chain_id = session.node.chain_id();
        let directory = match &arguments.journal {
            Some(directory) => directory.clone(),
            None => state_directory()?.join(format!(
                "federated-{chain_id}-{}-{}",
                hex::encode(&genesis[..4]),
                plain(&arguments.name)?
            )),
        };
        let registry = registry(&session, arguments.connection.registry, &directory).await?;
        let (founding, token) = arguments.founding(&session, owner, registry).await?;
        let chain = format!("{chain_id}, first block {genesis}");
        let facts = founding.facts(&chain).map_err(CommandError::mistake)?;
        let open = || deploying::open(&directory, &facts, &Options::new());
        // A journal of another founding is reported before the user is asked.
        let begun = Journal::peek(&directory, "owner").is_some();
        let begun = if begun { Some(open()?) } else { None };
        let finished = begun.as_ref().and_then(Journal::deployed);
        let gas = measure(&founding).await.map_err(unfounded)?;
        let done = match &begun {
            Some(begun) => done_before(&session.node, begun).await?,
            None => Vec::new(),
        };
        if founding.stake_token.is_some() && !done.contains(&"bond") {
            check_bond(&session, &token, &founding).await?;
        }
        let paid = [founding.reusable(&session.node).await?, done].concat();
        let gas = gas.without(&paid);
        if finished.is_none() || arguments.spending.consent.dry_run {
            let bill = arguments.bill(&session, &founding, &token, gas).await?;
            let spending = &arguments.spending;
            if !spending.agreed(&session, &bill, arguments.json)? {
                return Ok(());
            }
        }
        let journal = match begun {
            Some(journal) => journal,
            None => open()?,
        };
        let budget = arguments.spending.budget();
        let sender = arguments.gas_fees.sender(&session.node, &key, &budget);
        let report = |reported: DeployEvent<'_>| narrate(&session.narrator, reported);
        let state = state_directory()?;
        let file =
            |trainer| test_set_file(arguments.test_set.as_deref(), &state, chain_id, trainer);
        let founded = founding.found(sender, journal, &file, &report).await;
        let (founded, done, cost) = founded.map_err(|error| {
            unfounded(error).context(format!(
                "the founding is not done; run the same again, and it goes on: the journal in {} has what was signed",
                directory.display()
            ))
        })?;
        let view_session = Session {
            registry: Some(founded.registry),
            ..session
        };
        let origin = "just created".to_owned();
        let view = View::read(&view_session, founded.trainer, origin).await?;
        let created = Created {
            chain_id,
            name: &arguments.name,
            founded,
            parameters: founding.model.parameters(),
            parts: arguments.parts,
            samples: arguments.samples,
            stake: founding.terms.stake.to_string(),
            bond: founding.terms.bond.to_string(),
            emission: founding.terms.emission.to_string(),
            test_set: &file(founded.trainer),
            transactions: done.len(),
            gas_cost: cost.to_string(),
        };
        show(arguments.json, &created, || text(&created, &view, cost))?;
        view.remember(&view_session).await.map(drop)
    })
}

impl Create {
    async fn bill(
        &self,
        session: &Session,
        founding: &Founding,
        token: &Token,
        gas: u64,
    ) -> Result<Bill, CommandError> {
        let terms = &founding.terms;
        let now = session.node.gas_fees().await?;
        let mint = if founding.stake_token.is_none() {
            ", minted of a test token"
        } else {
            ""
        };
        let notes = vec![
            (
                "bond",
                format!(
                    "{} of the owner{mint}, locked until rounds have used all parts; it is lost if a drawn part is not revealed \
                     within {}",
                    token.show(terms.bond),
                    humantime::format_duration(self.reveal_wait)
                ),
            ),
            (
                "test set",
                format!(
                    "{} of {}, in a file that must not be lost or seen: without it the bond is lost",
                    counted(self.parts as u64, "part"),
                    counted(self.samples as u64, "sample")
                ),
            ),
            (
                "rounds",
                format!(
                    "up to {} clients, {} with f = {}, stake {}, {} minted at most",
                    terms.clients,
                    terms.rule,
                    terms.hostile,
                    token.show(terms.stake),
                    Token::own(Address::ZERO, &self.reward_symbol, 18).show(founding.cap)
                ),
            ),
        ];
        Ok(Bill {
            action: format!(
                "create {}, a softmax regression of {} parameters for federated rounds",
                shown(&self.name),
                founding.model.parameters()
            ),
            target: Target::new(session, None),
            account: founding.owner,
            count: 1,
            each: None,
            value: Range::exactly(0),
            gas: Some(gas),
            gas_cost: gas_cost_of_all(gas, &now, &self.gas_fees, &self.spending),
            notes,
        })
    }
}

/// Checks that the owner has the bond.
async fn check_bond(
    session: &Session,
    token: &Token,
    founding: &Founding,
) -> Result<(), CommandError> {
    let (owner, bond) = (founding.owner, founding.terms.bond);
    let has = token.balance(&session.node, owner).await?;
    if has >= bond {
        return Ok(());
    }
    Err(CommandError::Mistake(anyhow!(
        "nothing was sent: the bond is {}, and {owner} has {}; get more of the token, or lower --bond",
        token.show(bond),
        token.show(has)
    )))
}

fn text(created: &Created<'_>, view: &View, cost: u128) -> String {
    let terms = &view.facts.terms;
    format!(
        "trainer     {}, in the registry {} as `{}`\n\
         model       {} parameters, version 0\n\
         stake       {}, token {}\n\
         rewards     {} a round, token {}\n\
         test set    {}: keep it secret, and do not lose it\n\
         cost        {}, {}\n",
        created.founded.trainer,
        created.founded.registry,
        created.name,
        created.parameters,
        view.stake_token.show(terms.stake),
        created.founded.stake_token,
        view.reward_token.show(terms.emission),
        created.founded.reward_token,
        created.test_set.display(),
        Wei(cost),
        counted(created.transactions as u64, "transaction"),
    )
}

/// Returns the failure for an unfinished founding, and decides whether the user made a mistake.
fn unfounded(error: FoundError) -> CommandError {
    match error {
        FoundError::Deploy(error) => not_deployed(error),
        FoundError::TestSet(error) => CommandError::mistake(error),
        // The chain in this process has the same rules, so nothing was sent.
        FoundError::Chain(error) => CommandError::mistake(error),
        error => error.into(),
    }
}
