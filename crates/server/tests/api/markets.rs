//! Prediction markets, from creation to the last payment.

use std::sync::Arc;

use alloy_primitives::U256;
use axum::{body::Body, http::Request};
use cotrain_bindings::{self as bindings, market as calls};
use cotrain_chain::keys::Key;
use cotrain_client::api::{MarketAction, MarketPhase, MarketView};
use cotrain_indexer::HostedMarket;
use cotrain_test_support::MarketStage;
use serde_json::{Value, json};

use crate::{
    client::{Api, Setup},
    wire::read,
};

const STAKE: u128 = MarketStage::TERMS.stake;
const BOUNTY: u128 = MarketStage::BOUNTY;

/// A market, with an API over the market and a model.
struct MarketApi {
    stage: MarketStage,
    api: Api,
    /// Path of the market.
    path: String,
}

impl MarketApi {
    async fn new() -> Self {
        let stage = MarketStage::new().await;
        let contracts = [
            (stage.stage.trainer, Some(stage.stage.from_block)),
            (stage.market, Some(stage.from_block)),
        ];
        let node = stage.stage.node.clone();
        Self {
            api: Api::over(node, None, &contracts, Setup::new()).await,
            path: format!("/v1/markets/{}", stage.market),
            stage,
        }
    }

    fn hosted(&self) -> Arc<HostedMarket> {
        let hosted = self.api.index().market(self.stage.market);
        hosted.unwrap()
    }

    /// Returns a number that the contract stores.
    async fn number(&self, call: Vec<u8>) -> u128 {
        let node = self.api.index().node();
        let answer = node.call(self.stage.market, call, None).await.unwrap();
        bindings::read_number(&answer).unwrap().to()
    }

    /// Catches up with the chain, and returns the API's view of the market. Checks that it equals
    /// the contract's state.
    async fn told(&self) -> MarketView {
        self.api.index().catch_up().await.unwrap();
        let view: MarketView = read(&self.api.json(&self.path).await);
        let index = self.api.index();
        let node = index.node();
        let state = self.stage.read().await;
        let (ledger, market) = (state.ledger(), state.market());
        let phase = node.call(self.stage.market, calls::state::phase(), None);
        let phase = calls::read_phase(&phase.await.unwrap()).unwrap();
        assert_eq!(view.phase, phase.into());
        assert_eq!(view.time, index.now());
        assert_eq!(view.phase, market.phase(view.time).into());
        let head = node.head().await.unwrap();
        assert_eq!((view.block, view.block_hash.0), (head.number, head.hash));
        let money = node.balance(self.stage.market).await.unwrap();
        assert_eq!(U256::from(view.held.0), money);
        assert_eq!(
            view.remainder.0,
            self.number(calls::state::remainder()).await
        );
        assert_eq!(
            view.remaining_bounty.0,
            self.number(calls::state::remaining_bounty()).await
        );
        assert_eq!(
            u128::from(view.contributions),
            self.number(bindings::state::contribution_count()).await
        );
        assert_eq!(
            u128::from(view.participants),
            self.number(calls::state::participant_count()).await
        );
        let progress = node.call(self.stage.market, calls::state::progress(), None);
        let (progress, model) = calls::read_progress(&progress.await.unwrap()).unwrap();
        assert_eq!(
            (view.pass, view.stage.clone(), view.correct),
            (progress.pass, progress.stage.into(), progress.correct)
        );
        assert_eq!(view.model.as_ref().map(|model| model.0), ledger.model());
        if let Some(model) = model {
            assert_eq!(ledger.model(), Some(model));
        }
        let rows = self.api.json(&format!("{}/participants", self.path)).await;
        let rows = rows["rows"].as_array().unwrap().clone();
        assert_eq!(rows.len(), market.participants().len());
        for (index, (row, account)) in rows.iter().zip(market.participants()).enumerate() {
            let kept = market.account(*account);
            let collectable = self.number(calls::state::collectable(*account)).await;
            assert_eq!(
                *row,
                json!({
                    "index": index, "account": account.to_checksum(None), "contributions": kept.contributions,
                    "balance": kept.balance.to_string(), "score": kept.score, "removed": kept.removed,
                    "collected": kept.collected, "collectable": collectable.to_string(),
                })
            );
        }
        view
    }

    /// Returns the kinds of the market's events, in order.
    async fn events(&self) -> Vec<String> {
        let path = format!("/v1/events?trainer={}", self.stage.market);
        let events = self.api.json(&path).await;
        let rows = events["rows"].as_array().unwrap();
        let kinds = rows.iter().map(|row| row["kind"].as_str().unwrap());
        kinds.map(str::to_owned).collect()
    }
}

/// Returns the phase and the action of a market.
fn standing(view: &MarketView) -> (MarketPhase, Option<MarketAction>) {
    (view.phase.clone(), view.action.clone())
}

fn positions(page: &Value) -> Vec<u64> {
    let rows = page["rows"].as_array().unwrap().iter();
    rows.map(|row| row["position"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn market_view_shows_a_market_from_creation_to_the_last_payment() {
    let market_api = MarketApi::new().await;
    let (stage, terms) = (&market_api.stage, MarketStage::TERMS);
    let [anna, ben] = [1, 2].map(Key::development);

    market_is_told_until_it_opens(&market_api).await;
    // Feature 1 belongs to class 1, and feature 2 does not.
    stage.contribute(&anna, 1, &[1]).await;
    stage.contribute(&ben, 1, &[2]).await;
    let contributed = market_api.told().await;
    assert_eq!(contributed.held.0, BOUNTY + 2 * STAKE);
    contributions_are_filtered_and_paged(&market_api, &anna).await;

    stage.close().await;
    assert_eq!(
        standing(&market_api.told().await),
        (MarketPhase::Revealing, None)
    );
    stage.reveal_rest().await;
    let scoring = market_api.told().await;
    assert_eq!(
        standing(&scoring),
        (MarketPhase::Scoring, Some(MarketAction::Score))
    );
    assert_eq!((scoring.samples, scoring.correct_before), (4, 2));
    let scoring_time = market_api.stage.read().await.market().scoring_time();
    assert_eq!(
        scoring.scoring_until,
        scoring_time.map(|time| time + terms.scoring_wait)
    );
    let mut steps = 0;
    while market_api.told().await.action == Some(MarketAction::Score) {
        let ledger = market_api.hosted().state().ledger().clone();
        assert!(stage.score(&ben, &ledger).await);
        steps += 1;
    }
    assert!(steps >= 6, "three steps a pass, and there were {steps}");

    settled_market_is_told_until_all_is_paid(&market_api, &anna).await;
}

async fn market_is_told_until_it_opens(market_api: &MarketApi) {
    let (stage, terms) = (&market_api.stage, MarketStage::TERMS);
    let owner = &stage.stage.owner;
    let created = market_api.told().await;
    assert_eq!(standing(&created), (MarketPhase::Created, None));
    assert_eq!(created.market.0, stage.market);
    assert_eq!(created.classifier.0, stage.classifier);
    assert_eq!(created.owner.0, owner.address());
    assert_eq!((&created.terms, created.held.0), (&terms.into(), 0));
    assert_eq!(
        (created.verified, &created.name, created.encodes),
        (true, &None, false)
    );
    assert_eq!(
        (created.learner.as_str(), created.features, created.classes),
        ("sparse-perceptron", 64, 2)
    );
    assert_eq!(created.from_block, stage.from_block);
    let deadlines = |view: &MarketView| {
        (
            view.draw_until,
            view.reveal_until,
            view.closes_at,
            view.scoring_until,
        )
    };
    assert_eq!(deadlines(&created), (None, None, None, None));

    let block = stage.commit().await.block;
    let time = market_api.api.index().node().block(block).await.unwrap();
    let reveal_until = time.unwrap().time + terms.reveal_wait;
    let committed = market_api.told().await;
    assert_eq!(standing(&committed), (MarketPhase::Committed, None));
    assert_eq!((committed.bounty.0, committed.held.0), (BOUNTY, BOUNTY));
    assert_eq!((committed.parts, committed.drawn_part), (3, None));
    // Contracts can read the hashes of only the last 256 blocks.
    // The draw uses the hash of the block after the commitments.
    assert_eq!(
        deadlines(&committed),
        (Some(block + 257), Some(reveal_until), None, None)
    );
    stage.stage.mine(2).await;
    let drawable = market_api.told().await;
    assert_eq!(
        standing(&drawable),
        (MarketPhase::Committed, Some(MarketAction::Draw))
    );

    stage.open().await;
    let open = market_api.told().await;
    assert_eq!(standing(&open), (MarketPhase::Open, None));
    let closes_at = open.closes_at.unwrap();
    assert_eq!(open.reveal_until, Some(closes_at + terms.reveal_wait));
    assert!(open.drawn_part.unwrap() < 3);
}

async fn settled_market_is_told_until_all_is_paid(market_api: &MarketApi, anna: &Key) {
    let stage = &market_api.stage;
    let settled = market_api.told().await;
    assert_eq!(standing(&settled), (MarketPhase::Settled, None));
    assert_eq!((settled.pass, settled.remaining_bounty.0), (2, 0));
    assert!(settled.model.is_some());
    let rows = market_api
        .api
        .json(&format!("{}/participants", market_api.path))
        .await;
    let wei = |row: usize| -> u128 {
        let text = rows["rows"][row]["collectable"].as_str().unwrap();
        text.parse().unwrap()
    };
    assert!(wei(0) > STAKE && wei(1) < STAKE, "{rows}");
    assert_eq!(rows["rows"][1]["removed"], true);
    assert_eq!(wei(0) + wei(1) + settled.remainder.0, settled.held.0);
    stage.send(anna, 0, calls::collect()).await;
    let collected = market_api.told().await;
    assert_eq!(collected.held.0, settled.held.0 - wei(0));
    stage
        .send(&stage.stage.owner, 0, calls::collect_remainder())
        .await;
    let over = market_api.told().await;
    assert_eq!((over.held.0, over.remainder.0), (wei(1), 0));

    let kinds = market_api.events().await;
    for kind in [
        "committed",
        "drawn",
        "revealed",
        "contributed",
        "restarted",
        "copied",
        "scored",
        "advanced",
        "balance-changed",
        "removed",
        "pass-settled",
        "collected",
        "remainder-collected",
    ] {
        assert!(kinds.iter().any(|it| it == kind), "{kind}: {kinds:?}");
    }
}

async fn contributions_are_filtered_and_paged(market_api: &MarketApi, anna: &Key) {
    let path = format!("{}/contributions", market_api.path);
    let page = market_api.api.json(&format!("{path}?limit=1")).await;
    let row = &page["rows"][0];
    assert_eq!(row["author"], anna.address().to_string());
    assert_eq!(
        (&row["label"], &row["sample"]),
        (&json!(1), &json!("0x0001"))
    );
    assert_eq!(row["stake"], STAKE.to_string());
    assert_eq!(page["next"], format!("{path}?after=0&limit=1"));
    let next = market_api.api.json(page["next"].as_str().unwrap()).await;
    assert_eq!((positions(&next), &next["next"]), (vec![1], &json!(null)));
    let ben = next["rows"][0]["author"].as_str().unwrap();
    for (query, expected) in [
        (format!("author={ben}"), vec![1]),
        ("label=0".to_owned(), vec![]),
        (format!("label=1&author={ben}&limit=1"), vec![1]),
    ] {
        let page = market_api.api.json(&format!("{path}?{query}")).await;
        assert_eq!(positions(&page), expected, "{query}");
    }
    let path = format!("{}/participants", market_api.path);
    let page = market_api.api.json(&format!("{path}?limit=1")).await;
    assert_eq!(page["rows"][0]["account"], anna.address().to_string());
    assert_eq!(page["next"], format!("{path}?after=0&limit=1"));
    let next = market_api.api.json(page["next"].as_str().unwrap()).await;
    assert_eq!(
        (&next["rows"][0]["account"], &next["next"]),
        (&json!(ben), &json!(null))
    );
    let none = market_api
        .api
        .json(&format!("{path}?after=9007199254740991"))
        .await;
    assert_eq!(none["rows"], json!([]));
}

#[tokio::test]
async fn market_view_of_a_market_that_fails_shows_the_stakes_that_come_back() {
    let market_api = MarketApi::new().await;
    let (stage, anna) = (&market_api.stage, Key::development(1));
    stage.commit().await;
    stage.open().await;
    stage.contribute(&anna, 1, &[1]).await;
    stage.close().await;
    stage.stage.wait(MarketStage::TERMS.reveal_wait).await;
    let failed = market_api.told().await;
    assert_eq!(standing(&failed), (MarketPhase::Failed, None));
    assert_eq!(failed.remainder.0, 0);
    stage.send(&anna, 0, calls::forfeit()).await;
    let forfeited = market_api.told().await;
    assert_eq!(standing(&forfeited), (MarketPhase::Forfeited, None));
    assert_eq!(forfeited.held.0, STAKE);
    stage.send(&anna, 0, calls::collect()).await;
    assert_eq!(market_api.told().await.held.0, 0);
}

#[tokio::test]
async fn market_view_is_read_anew_on_another_branch() {
    let market_api = MarketApi::new().await;
    let (stage, [anna, ben]) = (&market_api.stage, [1, 2].map(Key::development));
    stage.commit().await;
    stage.open().await;
    stage.contribute(&anna, 1, &[1]).await;
    let before = market_api.told().await;
    stage.contribute(&ben, 1, &[2]).await;
    assert_eq!(market_api.told().await.participants, 2);
    stage.stage.reorganize(1).await;
    let after = market_api.told().await;
    assert_eq!(after.contributions, 1);
    assert_eq!((after.held, after.phase), (before.held, before.phase));
    assert_ne!(after.block_hash, before.block_hash);
    assert!(
        market_api
            .events()
            .await
            .contains(&"rolled-back".to_owned())
    );
    // The chain returns to before the opening.
    stage.stage.reorganize(3).await;
    assert_eq!(market_api.told().await.phase, MarketPhase::Committed);
}

#[tokio::test]
async fn market_and_model_are_unknown_under_the_paths_of_the_other() {
    let market_api = MarketApi::new().await;
    let (api, market, model) = (
        &market_api.api,
        market_api.stage.market,
        market_api.stage.stage.trainer,
    );
    let (another, from_block) = market_api.stage.another().await;
    let added = api.index().add(None, another, Some(from_block), true).await;
    added.unwrap();
    let mut both = [market, another];
    both.sort_unstable();
    let [first, second] = both.map(|market| market.to_string());
    let page = api.json("/v1/markets?limit=1").await;
    assert_eq!(page["rows"][0]["market"], first);
    assert_eq!(page["next"], format!("/v1/markets?after={first}&limit=1"));
    let next = api.json(page["next"].as_str().unwrap()).await;
    assert_eq!(
        (&next["rows"][0]["market"], &next["next"]),
        (&json!(second), &json!(null))
    );
    let models = api.json("/v1/models").await;
    assert_eq!(models["rows"].as_array().unwrap().len(), 1);

    let paths = ["", "/weights", "/price", "/contributions", "/submissions"];
    for path in paths.map(|path| format!("/v1/models/{market}{path}")) {
        let answer = api.get(&path).await;
        assert_eq!(answer.problem(404), "unknown-model", "{path}");
        let detail = answer.json()["detail"].to_string();
        assert!(
            detail.contains(&format!("/v1/markets/{market}")),
            "{detail}"
        );
    }
    for path in ["", "/card", "/contributions", "/participants"] {
        let answer = api.get(&format!("/v1/markets/{model}{path}")).await;
        assert_eq!(answer.problem(404), "unknown-market", "{path}");
        assert_eq!(answer.json()["market"], model.to_string());
        let detail = answer.json()["detail"].to_string();
        assert!(detail.contains(&format!("/v1/models/{model}")), "{detail}");
        let nobody = Key::development(9).address();
        let answer = api.get(&format!("/v1/markets/{nobody}{path}")).await;
        assert_eq!(answer.problem(404), "unknown-market", "{path}");
        let detail = answer.json()["detail"].to_string();
        assert!(detail.contains("/v1/markets lists"), "{detail}");
    }
    let path = &market_api.path;
    // Without a registry there is no card.
    let answer = api.get(&format!("{path}/card")).await;
    assert_eq!(answer.problem(404), "no-card");
    assert_eq!(answer.json()["market"], market.to_string());
    for (path, kind) in [
        ("/v1/markets/0x1".to_owned(), "invalid-path"),
        ("/v1/markets/%FF".to_owned(), "invalid-path"),
        ("/v1/markets?after=1".to_owned(), "invalid-query"),
        ("/v1/markets?limit=0".to_owned(), "invalid-query"),
        (format!("{path}?x=1"), "invalid-query"),
        (format!("{path}/contributions?open=true"), "invalid-query"),
        (format!("{path}/contributions?label=65536"), "invalid-query"),
        (
            format!("{path}/contributions?after=9007199254740992"),
            "invalid-query",
        ),
        (
            format!("{path}/participants?after=18446744073709551615"),
            "invalid-query",
        ),
        (format!("{path}/participants?after=-1"), "invalid-query"),
    ] {
        assert_eq!(api.get(&path).await.problem(400), kind, "{path}");
    }
    let post = Request::post(path).body(Body::empty()).unwrap();
    assert_eq!(api.ask(post).await.problem(405), "method-not-allowed");
}
