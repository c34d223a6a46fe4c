//! Prediction markets: their state, contributions and participants.

use std::sync::Arc;

use axum::{Json, extract::State};
use cotrain_client::api::{Account, Data, Hash, MarketView, Wei};
use cotrain_indexer::{
    HostedMarket,
    rows::{ContributionFilter, ContributionRow},
};
use cotrain_protocol::market::{Pace, Participant};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    app::App,
    extract::{InPath, InQuery, NoQuery, OfMarket},
    page::{Paging, Rows, limit, page, rows},
    problem::Problem,
};

/// Selection of markets.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct MarketPaging {
    /// Only markets after the one at this address.
    #[param(inline)]
    after: Option<Account>,
    /// Maximum number of rows.
    #[param(minimum = 1, default = 100)]
    limit: Option<u32>,
}

/// Returns the markets that the coordinator follows, by address.
#[utoipa::path(
    get, path = "/v1/markets", tag = "markets", operation_id = "listMarkets",
    params(MarketPaging),
    responses((status = 200, description = "A page of markets.", body = Rows<MarketView>)),
)]
pub(super) async fn list(
    State(app): State<App>,
    InQuery(query): InQuery<MarketPaging>,
) -> Result<Json<Rows<MarketView>>, Problem> {
    let limit = limit(query.limit, app.max_page)?;
    let mut markets = app.index().markets();
    if let Some(after) = &query.after {
        markets.retain(|market| market.info().facts.trainer > after.0);
    }
    // One row more than fits tells that there is a next page.
    markets.truncate(limit as usize + 1);
    let now = app.now();
    let shown = markets.iter().map(|market| market_view(market, now));
    Ok(Json(rows(
        shown.collect(),
        limit,
        "/v1/markets",
        &[],
        |market: &MarketView| market.market.to_string(),
    )))
}

/// Returns a market.
#[utoipa::path(
    get, path = "/v1/markets/{market}", tag = "markets", operation_id = "getMarket",
    params(OfMarket),
    responses(
        (status = 200, description = "The market.", body = MarketView),
        (status = 404, description = "The market is unknown."),
    ),
)]
pub(super) async fn one(
    State(app): State<App>,
    InPath(path): InPath<OfMarket>,
    _query: NoQuery,
) -> Result<Json<MarketView>, Problem> {
    let market = app.market(&path.market)?;
    Ok(Json(market_view(&market, app.now())))
}

/// Selection of contributions to a market.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Only contributions of this author.
    #[param(inline)]
    author: Option<Account>,
    /// Only contributions with this label.
    #[param(minimum = 0, maximum = 65535)]
    label: Option<u16>,
    /// Only contributions after this position.
    #[param(minimum = 0, maximum = 9_007_199_254_740_991_u64)]
    after: Option<u64>,
    /// Maximum number of rows.
    #[param(minimum = 1, default = 100)]
    limit: Option<u32>,
}

/// A contribution to a market.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct MarketContributionView {
    /// Position among all contributions to the market, from 0.
    position: u64,
    author: Account,
    label: u16,
    stake: Wei,
    /// Time of the contribution, in Unix seconds.
    time: u64,
    sample: Data,
    /// Position of the first contribution of its transaction.
    first_position: u64,
    /// Deprecated: the same as `firstPosition`.
    batch: u64,
    block: u64,
    transaction: Hash,
}

impl From<ContributionRow> for MarketContributionView {
    fn from(row: ContributionRow) -> Self {
        let contribution = row.contribution;
        Self {
            position: contribution.position,
            author: contribution.author.into(),
            label: contribution.label,
            stake: contribution.deposit.into(),
            time: contribution.time,
            sample: contribution.sample.into(),
            first_position: row.first_position,
            batch: row.first_position,
            block: row.block,
            transaction: row.transaction.into(),
        }
    }
}

/// Returns the contributions to a market, by position.
#[utoipa::path(
    get, path = "/v1/markets/{market}/contributions", tag = "markets", operation_id = "listMarketContributions",
    params(OfMarket, Filter),
    responses(
        (status = 200, description = "A page of contributions.", body = Rows<MarketContributionView>),
        (status = 404, description = "The market is unknown."),
    ),
)]
pub(super) async fn contributions(
    State(app): State<App>,
    InPath(path): InPath<OfMarket>,
    InQuery(query): InQuery<Filter>,
) -> Result<Json<Rows<MarketContributionView>>, Problem> {
    let market = app.market(&path.market)?;
    let limit = limit(query.limit, app.max_page)?;
    let page = page(query.after, limit)?;
    let filter = ContributionFilter {
        author: query.author.as_ref().map(|author| author.0),
        label: query.label,
        open: None,
    };
    let found = app.index().contributions(&market, filter, page);
    let found = found.await?;
    let filters = [
        ("author", query.author.map(|author| author.to_string())),
        ("label", query.label.map(|label| label.to_string())),
    ];
    let here = format!("/v1/markets/{}/contributions", path.market);
    Ok(Json(rows(found, limit, &here, &filters, |row| {
        row.contribution.position.to_string()
    })))
}

/// An account that has contributed to a market.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ParticipantView {
    /// Index among the participants, in the order of their first contributions, from 0.
    index: u64,
    account: Account,
    contributions: u64,
    /// Stakes, and the changes of all passes that have ended; 0 once collected from a settled market.
    balance: Wei,
    /// Change in the number of test samples that this pass's model predicts right, caused by the
    /// account's contributions.
    score: i64,
    /// Whether the balance cannot pay for a further loss, so that the contributions are skipped.
    removed: bool,
    collected: bool,
    /// Money that the account can collect now, in wei.
    collectable: Wei,
}

/// Returns the participants of a market, in the order of their first contributions; `after` is an index.
#[utoipa::path(
    get, path = "/v1/markets/{market}/participants", tag = "markets", operation_id = "listParticipants",
    params(OfMarket, Paging),
    responses(
        (status = 200, description = "A page of participants.", body = Rows<ParticipantView>),
        (status = 404, description = "The market is unknown."),
    ),
)]
pub(super) async fn participants(
    State(app): State<App>,
    InPath(path): InPath<OfMarket>,
    InQuery(query): InQuery<Paging>,
) -> Result<Json<Rows<ParticipantView>>, Problem> {
    let market = app.market(&path.market)?;
    let limit = limit(query.limit, app.max_page)?;
    let page = page(query.after, limit)?;
    let first = page.after.map_or(0, |after| {
        usize::try_from(after).unwrap_or(usize::MAX - 1) + 1
    });
    let found = participant_views(&market, first, page.limit as usize, app.now());
    let here = format!("/v1/markets/{}/participants", path.market);
    Ok(Json(rows(
        found,
        limit,
        &here,
        &[],
        |row: &ParticipantView| row.index.to_string(),
    )))
}

/// Returns up to `limit` participants, from the index `first` on. `now` is in Unix seconds.
fn participant_views(
    market: &HostedMarket,
    first: usize,
    limit: usize,
    now: u64,
) -> Vec<ParticipantView> {
    let state = market.state();
    let market = state.ledger().market();
    let accounts = (0..).zip(market.participants()).skip(first).take(limit);
    let views = accounts.map(|(index, account)| {
        let Participant {
            balance,
            contributions,
            score,
            removed,
            collected,
        } = market.account(*account);
        ParticipantView {
            index,
            account: Account(*account),
            contributions,
            balance: balance.into(),
            score,
            removed,
            collected,
            collectable: market.collectable(*account, now).into(),
        }
    });
    views.collect()
}

/// Returns the view of a market for answers. `now` is in Unix seconds.
fn market_view(hosted: &Arc<HostedMarket>, now: u64) -> MarketView {
    let info = hosted.info();
    let (facts, card) = (&info.facts, info.card.as_ref());
    // One lock ensures that everything is from the same block.
    let state = hosted.state();
    let (ledger, cursor) = (state.ledger(), state.cursor());
    let market = ledger.market();
    let progress = market.progress();
    let parts = market.commitments().len();
    let action = ledger.action(now, cursor.block, &Pace::default());
    MarketView {
        chain_id: facts.chain_id,
        market: facts.trainer.into(),
        classifier: facts.classifier.into(),
        owner: facts.owner.into(),
        verified: info.verified(),
        name: card.map(|card| card.name.clone()),
        description: card.map(|card| card.description.clone()),
        class_names: card.map(|card| card.classes.clone()).unwrap_or_default(),
        encodes: card.is_some_and(|card| card.encoder.is_some()),
        learner: facts.parameters.kind().name().to_owned(),
        encoding: facts.parameters.encoding().into(),
        classes: facts.parameters.classes(),
        features: facts.parameters.features(),
        bounds: facts.parameters.bounds().map(Into::into),
        terms: market.terms().into(),
        from_block: info.from_block,
        block: cursor.block,
        block_hash: cursor.hash.into(),
        time: now,
        phase: market.phase(now).into(),
        action: action.map(Into::into),
        draw_until: market.latest_draw(),
        reveal_until: market.reveal_deadline(),
        closes_at: market.closing_time(),
        scoring_until: market.scoring_deadline(),
        bounty: market.bounty().into(),
        remaining_bounty: market.remaining_bounty().into(),
        held: market.held().into(),
        remainder: market.remainder(now).into(),
        contributions: market.contribution_count(),
        participants: market.participants().len() as u64,
        parts: parts as u64,
        drawn_part: market.drawn_part().map(|part| part as u64),
        revealed_parts: market.revealed_count() as u64,
        pass: progress.pass,
        stage: progress.stage.into(),
        samples: market.samples(),
        correct_before: market.initial_correct(),
        correct: progress.correct,
        model: ledger.model().map(Account),
    }
}
