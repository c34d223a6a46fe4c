//! Models and contributions as answers have them.

use cotrain_client::api::{Account, AccuracyPoint, Data, Hash, ModelView, Wei};
use cotrain_indexer::{
    Claimable, HostedModel, ModelInfo,
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
        encodes: encodes(info),
        learner: info.facts.parameters.kind().name().to_owned(),
        encoding: info.facts.parameters.encoding().into(),
        classes: info.facts.parameters.classes(),
        features: info.facts.parameters.features(),
        parameters: info.facts.parameters.into(),
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
        accuracy: summary.measured.as_ref().map(AccuracyRow::share),
        measured: summary.measured.map(point),
        relayer: relayer.terms().map(|terms| Account(terms.relayer)),
        relay_fee: relayer.terms().map(|terms| Wei(terms.min_fee)),
        keeper: relayer.keeper().map(Account),
    }
}

/// Returns `true` if texts or rows can be predicted here.
pub(super) fn encodes(info: &ModelInfo) -> bool {
    let encoder = info.encoder();
    encoder.is_ok_and(|it| it.missing_table().is_none() && it.missing_sentences().is_none())
}

/// Contribution to a model.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContributionView {
    /// Position among all contributions to the model, from 0.
    position: u64,
    author: Account,
    label: u16,
    deposit: Wei,
    /// Time of the contribution, in Unix seconds.
    time: u64,
    sample: Data,
    /// Position of the first contribution of its transaction.
    first_position: u64,
    /// Deprecated: the same as `firstPosition`.
    batch: u64,
    block: u64,
    transaction: Hash,
    /// Id of the signed batch, if the contribution was relayed.
    submission: Option<Hash>,
    settled: SettledView,
    /// Part of the deposit that claims have taken, in wei.
    taken: Wei,
    /// Time of the last announcement of a report, in Unix seconds.
    announced: Option<u64>,
}

/// State of a deposit. `reported` means taken in part and still open.
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
            first_position: row.first_position,
            batch: row.first_position,
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

/// Kind of a claim.
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

/// Successful claim.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClaimView {
    position: u64,
    kind: ClaimKindView,
    /// Account that got the money.
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

/// Claim that an address can make, now or later.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClaimableView {
    contribution: ContributionView,
    kind: ClaimKindView,
    /// First second in which the claim is possible, in Unix seconds.
    from: u64,
    /// Whether the claim would succeed now.
    possible: bool,
    /// Money that the claim would bring, in wei.
    amount: Wei,
    /// Reason that the claim would fail now.
    reason: Option<String>,
    /// Whether the claim is a report that must be announced first, and can be announced now.
    announce: bool,
    /// Last second of an announced report, in Unix seconds.
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

/// Returns a measurement as answers have it.
pub(super) fn point(row: AccuracyRow) -> AccuracyPoint {
    AccuracyPoint {
        block: row.block,
        time: row.time,
        contributions: row.contributions,
        correct: row.correct,
        samples: row.samples,
    }
}

/// Transaction that the coordinator sent.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TransactionView {
    id: i64,
    /// Purpose: `relay`, `refund`, `announce`, `report` or `score`.
    purpose: String,
    trainer: Account,
    from: Account,
    nonce: u64,
    /// Hashes of the transaction, one for each gas price that it was sent with; the newest is the last.
    hashes: Vec<Hash>,
    /// State: `sent`, `included`, `final` or `replaced`.
    state: String,
    block: Option<u64>,
    gas_used: Option<u64>,
    /// Time at which the transaction was first sent, in Unix seconds.
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
