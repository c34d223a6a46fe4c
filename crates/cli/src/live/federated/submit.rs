//! `cotrain federated submit`: an update's commitment and its reveal.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use alloy_primitives::{Address, B256, hex};
use anyhow::anyhow;
use clap::Args;
use cotrain_chain::{keys::Key, node::NodeReceipt};
use cotrain_client::{
    deploy::{DeployError, DeployEvent},
    federated::{COMMIT, Commitment, REVEAL, Round, UpdateFile, reveal_gas},
    journal::Journal,
    send::{Call, gas_cost},
};
use cotrain_protocol::federated::RoundPhase;
use serde::Serialize;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::view::{View, is_transient, unread, unusable};
use crate::{
    error::CommandError,
    live::{
        acting::Acting,
        block_on,
        connection::Session,
        context::{CommandContext, state_directory},
        deploy::genesis,
        deploying::{narrate, not_deployed, unusable as unusable_journal},
        errors::unsent,
        show,
        time::when,
        wei::Wei,
    },
    stop::stopped,
};

/// Submit an update: commit to it, wait for the reveal, and reveal it
///
/// Update and salt are in the state directory before anything is sent. After an interruption, run the
/// same again soon: it reveals what was committed. An update that is not revealed in time loses its
/// whole stake.
#[derive(Debug, Args)]
pub(crate) struct Submit {
    /// File that `cotrain federated train` wrote; not needed once it is committed to
    #[arg(value_name = "FILE")]
    update: Option<PathBuf>,
    /// Stop after the commitment: run the same again to reveal
    #[arg(long)]
    no_wait: bool,
    /// Interval between requests to the node
    #[arg(
        long,
        value_name = "TIME",
        default_value = "2s",
        value_parser = humantime::parse_duration
    )]
    interval: Duration,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Serialize)]
struct Submitted {
    chain_id: u64,
    trainer: Address,
    author: Address,
    round: u64,
    /// Version of the model that the update is based on.
    version: u64,
    index: usize,
    revealed: bool,
    phase: String,
    /// Last second of the phase in Unix seconds; 0 if it has none.
    deadline: u64,
    gas_cost: String,
}

/// Submits an update.
pub(crate) fn run(arguments: &Submit) -> Result<(), CommandError> {
    block_on(async {
        let session = arguments.acting.connection.open().await?;
        let key = arguments.acting.key.key(session.node.chain_id())?;
        let view = View::find(&session, &arguments.acting.model).await?;
        CommandContext::check()?;
        let folders = Folders::new(&session, &view, key.address()).await?;
        let author = Author {
            arguments,
            session: &session,
            view: &view,
            key: &key,
            folders,
        };
        author.submit().await
    })
}

/// Account that submits an update.
struct Author<'a> {
    arguments: &'a Submit,
    session: &'a Session,
    view: &'a View,
    key: &'a Key,
    folders: Folders,
}

impl Author<'_> {
    async fn submit(&self) -> Result<(), CommandError> {
        let acting = &self.arguments.acting;
        let (account, view) = (self.key.address(), self.view);
        let round = view.round(self.session).await?;
        let entered = round.index_of(account);
        let commitment = self.commitment(&round, entered)?;
        if entered.is_none() {
            check_open(self.session, view, &round, account).await?;
        }
        let budget = acting.spending.budget();
        let sender = acting
            .gas_fees
            .sender(&self.session.node, self.key, &budget);
        let commit_gas = if entered.is_some() {
            0
        } else {
            let call = Call {
                to: Some(view.facts.trainer),
                value: 0,
                data: commitment.commit_call(),
            };
            sender.estimate_next(&call).await.map_err(unsent)?
        };
        let gas = commit_gas + reveal_gas(commitment.update.len());
        if !self.agreed(&round, entered, gas).await? {
            return Ok(());
        }
        if entered.is_none() {
            self.require_unchanged(&round).await?;
        }
        let report = |reported: DeployEvent<'_>| narrate(&self.session.narrator, reported);
        let directory = self.folders.of(round.number);
        let begun = commitment.begin(sender, &directory, &report);
        let mut entering = begun.map_err(unusable_journal)?;
        let mut cost = 0_u128;
        if entered.is_none() {
            let receipt = entering.commit().await.map_err(not_deployed)?;
            cost = cost.saturating_add(gas_cost(&receipt));
        }
        let number = round.number;
        // A further run reveals what this one has committed to.
        let stops = self.arguments.no_wait && entered.is_none();
        let mut send = async |index| {
            let receipt: NodeReceipt = entering.reveal(index).await?;
            cost = cost.saturating_add(gas_cost(&receipt));
            Ok(())
        };
        let (round, index) = self.reveal(number, stops, &mut send).await?;
        self.folders.remove_before(number);
        let submitted = Submitted {
            chain_id: view.facts.chain_id,
            trainer: view.facts.trainer,
            author: account,
            round: number,
            version: round.version,
            index,
            revealed: round.is_revealed(index),
            phase: round.phase.to_string(),
            deadline: round.deadline,
            gas_cost: cost.to_string(),
        };
        show(acting.json, &submitted, || text(&submitted, cost))
    }

    /// Returns what is committed to: what the journal has, or the update of the file.
    fn commitment(
        &self,
        round: &Round,
        entered: Option<usize>,
    ) -> Result<Commitment, CommandError> {
        let (account, view) = (self.key.address(), self.view);
        let refused = |reason: String| CommandError::Mistake(anyhow!("nothing was sent: {reason}"));
        if let Some(index) = entered.filter(|index| round.is_revealed(*index)) {
            return Err(refused(format!(
                "{account} has revealed update {index} of the round {}; wait for the next round",
                round.number
            )));
        }
        let directory = self.folders.of(round.number);
        match (Commitment::kept(&directory), &self.arguments.update) {
            (Some(kept), Some(file)) => {
                check_same(&kept, file, view)?;
                Ok(kept)
            }
            (Some(kept), None) => Ok(kept),
            (None, None) if entered.is_some() => Err(refused(format!(
                "{account} is committed in the round {}, but {} has no journal of it; name the file of the update, or use \
                 the state directory of then: else the stake is lost",
                round.number,
                directory.display()
            ))),
            (None, None) => {
                let missed = self.folders.missed(round.number);
                let lost = missed.map(|number| {
                    format!("the update in the round {number} was not revealed in time, and its stake is lost; ")
                });
                Err(refused(format!(
                    "{}{account} has no commitment in the round {}; name the update that `cotrain federated train` wrote",
                    lost.unwrap_or_default(),
                    round.number
                )))
            }
            (None, Some(file)) => {
                let update = UpdateFile::load(file, &view.facts).map_err(unusable)?;
                if update.version != round.version {
                    return Err(refused(format!(
                        "the update is based on version {} of the model, and the round needs version {}; train again",
                        update.version, round.version
                    )));
                }
                let chain = format!(
                    "{}, first block {}",
                    view.facts.chain_id, self.folders.genesis
                );
                let place = (round.number, round.version);
                let made = Commitment::new(self.key, &view.facts, chain, place, update.update);
                // The salt follows from the key, so the file is enough to reveal.
                if let Some(index) = entered
                    && round.entries[index].hash != made.hash()
                {
                    return Err(refused(format!(
                        "{account} has committed to another update in the round {} than {}; name the file of that one, or \
                         the stake is lost",
                        round.number,
                        file.display()
                    )));
                }
                Ok(made)
            }
        }
    }

    /// Shows the bill, and asks the user if that is necessary.
    async fn agreed(
        &self,
        round: &Round,
        entered: Option<usize>,
        gas: u64,
    ) -> Result<bool, CommandError> {
        let (acting, terms) = (&self.arguments.acting, &self.view.facts.terms);
        let token = &self.view.stake_token;
        let stake = token.show(terms.stake);
        let wait = Duration::from_secs(terms.reveal_wait.into());
        let notes = vec![
            (
                "stake",
                format!(
                    "{stake}, locked until the round ends; a harmful update loses {}",
                    token.show(terms.slash)
                ),
            ),
            (
                "reveal",
                format!(
                    "within {} after the commitments, or all {stake} are lost: keep this running, or run it again in time",
                    humantime::format_duration(wait)
                ),
            ),
        ];
        let action = match entered {
            None => format!(
                "commit to an update in the round {}, and reveal it",
                round.number
            ),
            Some(_) => format!("reveal the update in the round {}", round.number),
        };
        let paying = (&acting.gas_fees, &acting.spending);
        let account = self.key.address();
        let bill = self
            .view
            .bill(self.session, account, paying, (action, gas), notes);
        acting
            .spending
            .agreed(self.session, &bill.await?, acting.json)
    }

    /// Waits until the update can be revealed, and reveals it, unless it `stops` before. Returns the
    /// last state, and the index of the update.
    async fn reveal(
        &self,
        number: u64,
        stops: bool,
        send: &mut impl AsyncFnMut(usize) -> Result<(), DeployError>,
    ) -> Result<(Round, usize), CommandError> {
        let (account, terms) = (self.key.address(), &self.view.facts.terms);
        let stake = self.view.stake_token.show(terms.stake);
        let stop = stopped()?;
        let (mut told, mut last) = (None, None);
        loop {
            let look = Round::read(&self.session.node, &self.view.facts).await;
            let round = match look {
                Ok(round) => round,
                Err(error) if is_transient(&error) => {
                    tracing::warn!(%error, "looking again");
                    self.pause(&stop, last).await?;
                    continue;
                }
                Err(error) => return Err(unread(error)),
            };
            last = Some(round.deadline);
            let missed = || {
                CommandError::Fault(anyhow!(
                    "the update in the round {number} was not revealed in time: its stake of {stake} is lost"
                ))
            };
            if round.number > number {
                return Err(missed());
            }
            let Some(index) = round.index_of(account).filter(|_| round.number == number) else {
                // The node lags behind the commitment.
                self.pause(&stop, last).await?;
                continue;
            };
            match round.phase {
                _ if stops || round.is_revealed(index) => return Ok((round, index)),
                RoundPhase::Open if self.arguments.no_wait => return Ok((round, index)),
                RoundPhase::Open => {}
                RoundPhase::Reveal => {
                    let outcome = send(index).await;
                    let look = Round::read(&self.session.node, &self.view.facts).await.ok();
                    let revealed = look.filter(|it| it.number == number && it.is_revealed(index));
                    return match (outcome, revealed) {
                        // Somebody else may have revealed it.
                        (_, Some(round)) => Ok((round, index)),
                        // The round may have ended since.
                        (Ok(()), None) => {
                            let revealed = round.revealed | 1 << index;
                            Ok((Round { revealed, ..round }, index))
                        }
                        (Err(error), None) => Err(not_deployed(error)),
                    };
                }
                _ => return Err(missed()),
            }
            if told != Some(round.deadline) {
                self.session.narrator.say(format_args!(
                    "committed; the reveal begins at {}, or with the last of {} commitments",
                    when(round.deadline),
                    terms.clients
                ));
                told = Some(round.deadline);
            }
            self.pause(&stop, last).await?;
        }
    }

    /// Waits before the next look. `end` is the last second of the phase, if it is known.
    async fn pause(&self, stop: &CancellationToken, end: Option<u64>) -> Result<(), CommandError> {
        tokio::select! {
            () = sleep(self.arguments.interval) => Ok(()),
            () = stop.cancelled() => {
                let stake = self.view.stake_token.show(self.view.facts.terms.stake);
                let end = end.map(|end| format!(", from {} on", when(end)));
                Err(CommandError::Fault(anyhow!(
                    "stopped before the reveal{}; run `cotrain federated submit` again in time, or the stake of {stake} is \
                     lost",
                    end.unwrap_or_default()
                )))
            }
        }
    }

    /// Refuses to commit if the round has moved on since it was shown: the commitment would enter
    /// another round, in which nothing reveals it.
    async fn require_unchanged(&self, shown: &Round) -> Result<(), CommandError> {
        let now = self.view.round(self.session).await?;
        let place = |round: &Round| (round.number, round.version, round.phase);
        if place(&now) == place(shown) {
            return Ok(());
        }
        Err(CommandError::Mistake(anyhow!(
            "nothing was sent: the round {} of version {} is now the round {} of version {}, in the phase {}; train on the \
             current model and submit that update",
            shown.number,
            shown.version,
            now.number,
            now.version,
            now.phase
        )))
    }
}

fn text(submitted: &Submitted, cost: u128) -> String {
    let state = if submitted.revealed {
        "revealed".to_owned()
    } else {
        format!(
            "committed; reveal it in the phase reveal ({} ends at {})",
            submitted.phase,
            when(submitted.deadline)
        )
    };
    format!(
        "round      {}, phase {}\nupdate     {}, {state}\ngas        {}\n",
        submitted.round,
        submitted.phase,
        submitted.index,
        Wei(cost)
    )
}

/// Checks that an account can commit now.
async fn check_open(
    session: &Session,
    view: &View,
    round: &Round,
    account: Address,
) -> Result<(), CommandError> {
    let refused =
        |reason: String| Err(CommandError::Mistake(anyhow!("nothing was sent: {reason}")));
    if round.phase != RoundPhase::Open {
        return refused(format!(
            "the round {} is in the phase {}, and takes no commitments; wait for the next round",
            round.number, round.phase
        ));
    }
    if round.parts_left == 0 {
        return refused(
            "no part of the test set is left, so there are no more rounds until the owner commits to another".to_owned(),
        );
    }
    if account == view.facts.owner {
        return refused(format!(
            "{account} owns the model and knows the test set; submit with another account"
        ));
    }
    let (free, _) = view.account(session, account).await?;
    let stake = view.facts.terms.stake;
    if free < stake {
        return refused(format!(
            "{account} has {} free with the trainer, and an update locks {}; deposit it with `cotrain federated join`",
            view.stake_token.show(free),
            view.stake_token.show(stake)
        ));
    }
    Ok(())
}

/// Checks that a file has the update that is committed to.
fn check_same(kept: &Commitment, file: &Path, view: &View) -> Result<(), CommandError> {
    let update = UpdateFile::load(file, &view.facts).map_err(unusable)?;
    if update.update == kept.update {
        return Ok(());
    }
    Err(CommandError::Mistake(anyhow!(
        "nothing was sent: another update is committed to in the round {}; run the same without {} to reveal it",
        kept.round,
        file.display()
    )))
}

/// Folders of an account's commitments, one a round.
struct Folders {
    state: PathBuf,
    /// Name of each folder before the number of its round.
    prefix: String,
    genesis: B256,
}

impl Folders {
    async fn new(session: &Session, view: &View, account: Address) -> Result<Self, CommandError> {
        let genesis = genesis(session).await?;
        let (chain, trainer) = (view.facts.chain_id, view.facts.trainer);
        let first = hex::encode(&genesis[..4]);
        Ok(Self {
            state: state_directory()?,
            prefix: format!("round-{chain}-{first}-{trainer}-{account}-"),
            genesis,
        })
    }

    fn of(&self, round: u64) -> PathBuf {
        self.state.join(format!("{}{round}", self.prefix))
    }

    /// Returns the folders of earlier rounds.
    fn before(&self, round: u64) -> impl Iterator<Item = (u64, PathBuf)> {
        let entries = fs::read_dir(&self.state).into_iter().flatten().flatten();
        entries.filter_map(move |entry| {
            let name = entry.file_name();
            let number = name.to_str()?.strip_prefix(&self.prefix)?.parse().ok()?;
            (number < round).then(|| (number, entry.path()))
        })
    }

    /// Returns the last earlier round whose commitment was never revealed.
    fn missed(&self, round: u64) -> Option<u64> {
        let missed = self.before(round).filter(|(_, folder)| {
            let steps = Journal::steps_in(folder);
            steps.iter().any(|step| step == COMMIT) && !steps.iter().any(|step| step == REVEAL)
        });
        missed.map(|(number, _)| number).max()
    }

    /// Removes the folders of earlier rounds, which nothing needs any more.
    fn remove_before(&self, round: u64) {
        for (_, folder) in self.before(round) {
            // A folder that stays does no harm.
            let _ = fs::remove_dir_all(folder);
        }
    }
}
