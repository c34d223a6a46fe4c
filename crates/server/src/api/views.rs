//! Models and contributions as answers have them.

use cotrain_client::api::{Account, Data, Hash, ModelView, Wei};
use cotrain_indexer::{
    Claimable, HostedModel,
    rows::{AccuracyRow, ClaimKind, ClaimRow, ContributionRow, Settled},
};
use cotrain_relayer::{Relayer, rows::TransactionRow};
use serde::Serialize;
use utoipa::ToSchema;

/// Returns a model as answers have it.
pub(super) fn model_view(model: &HostedModel, relayer: &Relayer, now: u64) -> ModelView {
    let (info, summary) = (model.info(), model.summary(now));
    let card = info.card.as_ref();
    ModelView {
        chain_id: info.facts.chain_id,
        trainer: info.facts.trainer.into(),
        classifier: info.facts.classifier.into(),
        owner: info.facts.owner.into(),
        verified: info.verified(),
        name: card.map(|card| card.name.clone()),
        description: card.map(|card| card.description.clone()),
        class_names: card.map(|card| card.classes.clone()).unwrap_or_default(),
        encodes: card.is_some_and(|card| card.encoder.is_some()),
        learner: info.facts.parameters.kind().name().to_owned(),
        encoding: info.facts.parameters.encoding().into(),
        classes: info.facts.parameters.classes(),
        features: info.facts.parameters.features(),
        bounds: info.facts.parameters.bounds().map(Into::into),
        incentive: model.incentive().into(),
        waits: model.waits().into(),
        from_block: info.from_block,
        block: summary.block,
        block_hash: summary.block_hash.into(),
        contributions: summary.contributions,
        good: summary.total_good,
        last_contribution_time: summary.last_contribution_time,
        price: summary.price.into(),
        held: summary.held.into(),
        accuracy: summary.accuracy,
        relayer: relayer.terms().map(|terms| Account(terms.relayer)),
        relay_fee: relayer.terms().map(|terms| Wei(terms.min_fee)),
        keeper: relayer.keeper().map(Account),
    }
}

/// One contribution.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContributionView {
    /// Its place among all of the model's contributions, from 0.
    position: u64,
    author: Account,
    label: u16,
    deposit: Wei,
    /// In Unix seconds.
    time: u64,
    sample: Data,
    /// The position of its batch's first contribution.
    batch: u64,
    block: u64,
    transaction: Hash,
    /// The id of the signed batch that it came in, where it was relayed.
    submission: Option<Hash>,
    settled: SettledView,
    /// What is gone from the deposit.
    taken: Wei,
    /// When it was last announced, in Unix seconds.
    announced: Option<u64>,
}

/// What has become of a deposit: `reported` is taken in part and still open.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum SettledView {
    Open,
    Refunded,
    Reported,
    TakenByReports,
    ClaimedLate,
}

impl From<ContributionRow> for ContributionView {
    fn from(row: ContributionRow) -> Self {
        let contribution = row.contribution;
        Self {
            position: contribution.position,
            author: contribution.author.into(),
            label: contribution.label,
            deposit: contribution.deposit.into(),
            time: contribution.time,
            sample: contribution.sample.into(),
            batch: row.batch,
            block: row.block,
            transaction: row.transaction.into(),
            submission: row.submission.map(Hash),
            settled: match row.settled {
                Settled::Open => SettledView::Open,
                Settled::Refunded => SettledView::Refunded,
                Settled::Reported => SettledView::Reported,
                Settled::TakenByReports => SettledView::TakenByReports,
                Settled::ClaimedLate => SettledView::ClaimedLate,
            },
            taken: row.taken.into(),
            announced: row.announced,
        }
    }
}

/// Which claim.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum ClaimKindView {
    Refund,
    Report,
    LateClaim,
}

impl From<ClaimKind> for ClaimKindView {
    fn from(kind: ClaimKind) -> Self {
        match kind {
            ClaimKind::Refund => Self::Refund,
            ClaimKind::Report => Self::Report,
            ClaimKind::Late => Self::LateClaim,
        }
    }
}

/// One claim that succeeded.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClaimView {
    position: u64,
    kind: ClaimKindView,
    /// Who got it.
    account: Account,
    amount: Wei,
    block: u64,
    transaction: Hash,
}

impl From<ClaimRow> for ClaimView {
    fn from(row: ClaimRow) -> Self {
        Self {
            position: row.position,
            kind: row.kind.into(),
            account: row.account.into(),
            amount: row.amount.into(),
            block: row.block,
            transaction: row.transaction.into(),
        }
    }
}

/// What an address can claim, now or later.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClaimableView {
    contribution: ContributionView,
    kind: ClaimKindView,
    /// Before it nothing can be claimed, in Unix seconds.
    from: u64,
    /// Whether it would succeed now.
    possible: bool,
    /// What it would bring.
    amount: Wei,
    /// Why it would not succeed.
    reason: Option<String>,
    /// True if it is a report that has to be announced first, and can be now.
    announce: bool,
    /// The last second of an announced report, in Unix seconds.
    until: Option<u64>,
}

impl From<Claimable> for ClaimableView {
    fn from(claimable: Claimable) -> Self {
        Self {
            contribution: claimable.row.into(),
            kind: claimable.kind.into(),
            from: claimable.from,
            possible: claimable.possible,
            amount: claimable.amount.into(),
            reason: claimable.reason,
            announce: claimable.announce,
            until: claimable.until,
        }
    }
}

/// How good a model was.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccuracyPoint {
    /// At the end of this block.
    block: u64,
    /// The block's time, in Unix seconds.
    time: u64,
    /// How many contributions it had learned from.
    contributions: u64,
    /// How many samples it was right about.
    correct: u64,
    /// How many samples there were.
    samples: u64,
}

impl From<AccuracyRow> for AccuracyPoint {
    fn from(row: AccuracyRow) -> Self {
        Self {
            block: row.block,
            time: row.time,
            contributions: row.contributions,
            correct: row.correct,
            samples: row.samples,
        }
    }
}

/// A transaction that the coordinator sent.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TransactionView {
    id: i64,
    /// `relay`, `refund`, `announce`, `report` or `score`.
    purpose: String,
    trainer: Account,
    from: Account,
    nonce: u64,
    /// One each time that it was sent with another fee; the newest is the last.
    hashes: Vec<Hash>,
    /// `sent`, `included`, `final` or `replaced`.
    state: String,
    block: Option<u64>,
    gas_used: Option<u64>,
    /// When it was first sent, in Unix seconds.
    created: u64,
}

impl From<TransactionRow> for TransactionView {
    fn from(row: TransactionRow) -> Self {
        Self {
            id: row.id,
            purpose: row.purpose,
            trainer: row.trainer.into(),
            from: row.from.into(),
            nonce: row.nonce,
            hashes: row.hashes.into_iter().map(Hash).collect(),
            state: row.state.to_owned(),
            block: row.block,
            gas_used: row.gas_used,
            created: row.created,
        }
    }
}
