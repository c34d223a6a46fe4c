//! Tests that a follower has what the contract has, whatever the chain does.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use alloy_primitives::{Address, B256};
use cotrain_bindings::{self as bindings, market::events as market_events};
use cotrain_chain::{
    keys::Key,
    node::{Block, Node, NodeError, NodeLog},
};
use cotrain_client::{market::MarketLedger, source::EventSource};
use cotrain_indexer::{
    Beginning, ChainStore, Claimable, ContractSource, Cursor, Follower, HostedMarket, HostedModel,
    Index, InfoError, Ledger, ModelError, ModelInfo, Step, TrainerLedger,
    rows::{ClaimKind, ContributionFilter, Page, Settled},
};
use cotrain_protocol::{
    market::{Fact, Phase},
    trainer::domain,
};
use cotrain_test_support::{MarketStage, Postgres, Stage, assert_same};

/// Returns the stage's model from an index.
fn followed(stage: &Stage, index: &Index) -> Arc<HostedModel> {
    index.model(stage.trainer).expect("followed")
}

// ---------------------------------------------------------------- Models

#[tokio::test]
async fn catch_up_follows_everything_that_happens() {
    follow_everything(&Stage::new().await, ["one.db", "two.db"]).await;
}

#[tokio::test]
async fn catch_up_follows_everything_that_happens_with_postgres() {
    let postgres = Postgres::start();
    let [one, two] = ["one", "two"].map(|name| postgres.database(name));
    follow_everything(&Stage::new().await, [&one, &two]).await;
}

async fn follow_everything(stage: &Stage, [one, two]: [&str; 2]) {
    let [anna, ben, cleo] = [1, 2, 3].map(Key::development);
    let follower = stage.follow(one).await;
    assert_same(stage, &follower, &[&anna]).await;

    stage.contribute(&anna, 1, &[1, 2, 3]).await;
    stage.contribute(&ben, 1, &[4, 5]).await;
    stage.contribute(&ben, 0, &[1, 3]).await;
    for key in [&anna, &ben, &cleo] {
        stage.deposit(key, 10_u128.pow(17)).await;
    }
    let batches = [
        stage.signed(&anna, 0, 1, &[2, 7]),
        stage.signed_for(cleo.address(), &ben, 0, 0, &[9]),
        stage.signed(&cleo, 5, 1, &[8]),
    ];
    stage
        .send(
            &cleo,
            Some(stage.trainer),
            0,
            bindings::relay(&batches, 500_000),
        )
        .await;
    follower.catch_up().await.expect("followed");
    assert_same(stage, &follower, &[&anna, &ben, &cleo]).await;
    // Each row has the id that its author signed, for one relayer or for anyone.
    let rows = follower
        .contributions(
            &followed(stage, &follower),
            ContributionFilter::default(),
            Page::first(10),
        )
        .await
        .expect("rows");
    let ids: Vec<_> = rows[3..].iter().map(|row| row.submission).collect();
    let domain = domain(stage.node.chain_id(), stage.trainer);
    let signed = batches
        .each_ref()
        .map(|batch| Some(batch.signing_hash(&domain)));
    assert_eq!(ids, signed);
    assert_eq!(
        follower
            .model(stage.trainer)
            .expect("a model")
            .account(cleo.address())
            .next_nonce,
        6
    );

    stage.wait(86_401).await;
    follower.catch_up().await.expect("followed");
    let claimable = follower
        .claimable(&followed(stage, &follower), anna.address(), 100)
        .await
        .expect("claims");
    let refunds: Vec<_> = claimable
        .iter()
        .filter(|claim| claim.kind == ClaimKind::Refund && claim.possible)
        .map(|claim| claim.row.contribution.position)
        .collect();
    assert!(!refunds.is_empty(), "{claimable:?}");
    let claims = follower
        .claims(&followed(stage, &follower), &refunds)
        .await
        .expect("claims");
    stage.refund(&anna, &claims).await;
    // Anna sends the transaction that refunds Ben's contributions.
    let claims = follower
        .claimable(&followed(stage, &follower), ben.address(), 100)
        .await
        .expect("claims");
    let pushed: Vec<_> = claims
        .iter()
        .filter(|claim| claim.kind == ClaimKind::Refund && claim.possible)
        .map(|claim| claim.row.contribution.position)
        .collect();
    let claims = follower
        .claims(&followed(stage, &follower), &pushed)
        .await
        .expect("claims");
    stage.refund(&anna, &claims).await;
    follower.catch_up().await.expect("followed");
    assert_same(stage, &follower, &[&anna, &ben, &cleo]).await;
    let row = follower
        .contribution(&followed(stage, &follower), refunds[0])
        .await
        .expect("read")
        .expect("a row");
    assert_eq!(
        (row.settled, row.taken),
        (Settled::Refunded, row.contribution.deposit)
    );

    // A new database comes to the same state; so does the first one, opened again.
    let anew = stage.follow(two).await;
    assert_same(stage, &anew, &[&anna, &ben, &cleo]).await;
    let again = stage.follow(one).await;
    assert_same(stage, &again, &[&anna, &ben, &cleo]).await;
    for other in [&anew, &again] {
        assert_same_history(stage, &follower, other).await;
    }
}

/// Checks that two indexes return the same contributions and events.
async fn assert_same_history(stage: &Stage, one: &Index, other: &Index) {
    let all = Page::first(1_000);
    let rows = async |of: &Index| {
        of.contributions(&followed(stage, of), ContributionFilter::default(), all)
            .await
            .expect("rows")
    };
    assert_eq!(rows(one).await, rows(other).await);
    let kinds = async |of: &Index| {
        let events = of.events(None, all).await.expect("events");
        events
            .into_iter()
            .map(|event| (event.kind, event.block, event.detail))
            .collect::<Vec<_>>()
    };
    assert_eq!(kinds(one).await, kinds(other).await);
}

#[tokio::test]
async fn catch_up_follows_announcements_and_takes_them_back() {
    let stage = Stage::with_notice(3_600).await;
    let [anna, ben] = [1, 2].map(Key::development);
    stage.contribute(&anna, 1, &[1, 2, 3]).await;
    stage.contribute(&anna, 1, &[1, 2, 3, 4]).await;
    stage.contribute(&ben, 0, &[1, 2]).await;
    stage.contribute(&anna, 1, &[1, 2, 5]).await;
    stage.wait(86_401).await;
    let follower = stage.follow("notice.sqlite").await;
    let claims = follower
        .claims(&followed(&stage, &follower), &[0])
        .await
        .expect("claims");
    stage.refund(&anna, &claims).await;
    follower.catch_up().await.expect("followed");
    // Returns the report that Anna can make on Ben's wrong label.
    let report = async |of: &Index| {
        let claimable = of
            .claimable(&followed(&stage, of), anna.address(), 100)
            .await;
        let claimable = claimable.expect("claims").into_iter();
        let mut reports = claimable.filter(|one| one.row.contribution.position == 2);
        reports.next().expect("a report")
    };
    let before = report(&follower).await;
    assert_eq!((before.possible, before.announce), (false, true));
    assert_eq!((before.row.announced, before.until), (None, None));

    let claims = follower
        .claims(&followed(&stage, &follower), &[2])
        .await
        .expect("claims");
    let call = bindings::announce(&claims);
    let announced = stage.send(&ben, Some(stage.trainer), 0, call).await;
    follower.catch_up().await.expect("followed");
    let after = report(&follower).await;
    let time = after.row.announced.expect("announced");
    assert_eq!((after.possible, after.announce), (false, false));
    assert_eq!(
        (after.from, after.until),
        (time + 3_600, Some(time + 7_200))
    );
    // A new database and the first one, opened again, come to the same state.
    let without_reason = |it: Claimable| Claimable { reason: None, ..it };
    for database in ["other.sqlite", "notice.sqlite"] {
        let other = stage.follow(database).await;
        // The reason names the time, which goes on.
        let other = without_reason(report(&other).await);
        assert_eq!(other, without_reason(after.clone()));
    }
    let events = follower
        .events(None, Page::first(1_000))
        .await
        .expect("events");
    let event = events.iter().find(|event| event.kind == "announced");
    let event = event.expect("an announcement");
    assert_eq!(
        (event.position, event.account, event.block),
        (Some(2), Some(ben.address()), announced.block)
    );

    stage.wait(3_600).await;
    follower.catch_up().await.expect("followed");
    assert!(report(&follower).await.possible);

    // Roll back the announcement.
    stage.roll_back(2).await;
    stage.mine(1).await;
    follower.catch_up().await.expect("followed");
    assert_eq!(report(&follower).await.row.announced, None);
}

#[tokio::test]
async fn catch_up_follows_a_chain_to_another_branch() {
    let stage = Stage::new().await;
    let [anna, ben] = [1, 2].map(Key::development);
    let follower = stage.follow("one.db").await;
    stage.deposit(&anna, 10_u128.pow(18)).await;
    for depth in 1..=32_u64 {
        for step in 0..depth {
            let feature = u16::try_from(depth + step).expect("small") % 60;
            stage
                .contribute(&ben, u16::from(step % 2 == 0), &[feature, feature + 1])
                .await;
            if step % 5 == 0 {
                follower.catch_up().await.expect("followed");
            }
        }
        follower.catch_up().await.expect("followed");
        assert_same(&stage, &follower, &[&anna, &ben]).await;
        stage.reorganize(depth).await;
        stage
            .contribute(&anna, 1, &[u16::try_from(depth).expect("small")])
            .await;
        follower.catch_up().await.expect("followed");
        assert_same(&stage, &follower, &[&anna, &ben]).await;
    }
    let events = follower
        .events(None, Page::first(10_000))
        .await
        .expect("events");
    let rollbacks = events
        .iter()
        .filter(|event| event.kind == "rolled-back")
        .count();
    assert_eq!(rollbacks, 32);
    assert!(events.windows(2).all(|pair| pair[0].id < pair[1].id));
    let anew = stage.follow("two.db").await;
    assert_same(&stage, &anew, &[&anna, &ben]).await;
}

#[tokio::test]
async fn index_knows_money_that_came_before_the_model_was_closed() {
    let stage = Stage::before_closing().await;
    let [anna, ben] = [1, 2].map(Key::development);
    stage.deposit(&anna, 10_u128.pow(17)).await;
    stage.deposit(&ben, 10_u128.pow(17)).await;
    stage
        .send(&ben, Some(stage.trainer), 0, bindings::cancel_nonces(9))
        .await;
    let stage = stage.close().await;
    let withdraw = bindings::withdraw_to(anna.address(), 10_u128.pow(16));
    stage.send(&anna, Some(stage.trainer), 0, withdraw).await;
    let follower = stage.follow("one.db").await;
    assert_same(&stage, &follower, &[&anna, &ben]).await;
    let model = follower.model(stage.trainer).expect("a model");
    assert_eq!(model.account(ben.address()).next_nonce, 10);
}

// ---------------------------------------------------------------- Sources without a node

/// A source without a node, such as a log that peers replicate.
/// It has all blocks and events, and the beginning of each contract.
#[derive(Debug, Clone)]
struct Recording {
    chain_id: u64,
    blocks: Vec<Block>,
    logs: Vec<NodeLog>,
    beginnings: Vec<(ModelInfo, Cursor, Beginning)>,
}

impl Recording {
    /// Records the whole chain of a node, and the beginning of a contract with ledger `L`.
    async fn of<L: Ledger>(node: &Node, contract: Address, from_block: u64) -> Self {
        let head = node.head().await.expect("a head").number;
        let mut blocks = Vec::new();
        for number in 0..=head {
            let block = node.block(number).await.expect("an answer");
            blocks.push(block.expect("a block"));
        }
        let info = node.info(None, contract, Some(from_block)).await;
        let info = info.expect("facts");
        let (from, beginning) = node.beginning::<L>(&info).await.expect("a beginning");
        Self {
            chain_id: node.chain_id(),
            blocks,
            logs: node.logs(0, head, &[], &[]).await.expect("logs"),
            beginnings: vec![(info, from, beginning)],
        }
    }

    fn filter(
        &self,
        of: impl Fn(&NodeLog) -> bool,
        contracts: &[Address],
        topics: &[B256],
    ) -> Vec<NodeLog> {
        let is_wanted = |log: &&NodeLog| {
            let topic = log.log.topics().first();
            of(log)
                && contracts.contains(&log.log.address)
                && topic.is_some_and(|topic| topics.contains(topic))
        };
        self.logs.iter().filter(is_wanted).cloned().collect()
    }

    fn beginning_of(&self, contract: Address) -> &(ModelInfo, Cursor, Beginning) {
        let mut all = self.beginnings.iter();
        let found = all.find(|(info, ..)| info.facts.trainer == contract);
        found.expect("a contract of the recording")
    }
}

impl EventSource for Recording {
    async fn head(&self) -> Result<Block, NodeError> {
        Ok(*self.blocks.last().expect("a block"))
    }

    async fn block(&self, number: u64) -> Result<Option<Block>, NodeError> {
        Ok(self.blocks.iter().find(|it| it.number == number).copied())
    }

    async fn logs_from(
        &self,
        from: u64,
        to: u64,
        contracts: &[Address],
        topics: &[B256],
    ) -> Result<(Vec<NodeLog>, u64), NodeError> {
        let is_there = |log: &NodeLog| (from..=to).contains(&log.block);
        Ok((self.filter(is_there, contracts, topics), to))
    }

    async fn logs_of(
        &self,
        block: B256,
        contracts: &[Address],
        topics: &[B256],
    ) -> Result<Vec<NodeLog>, NodeError> {
        Ok(self.filter(|log| log.block_hash == block, contracts, topics))
    }

    fn narrow_logs(&self, _: u64) {}

    fn contracts(&self) -> Option<&Node> {
        None
    }
}

impl ContractSource for Recording {
    fn chain_id(&self) -> u64 {
        self.chain_id
    }

    async fn info(
        &self,
        _: Option<Address>,
        contract: Address,
        _: Option<u64>,
    ) -> Result<ModelInfo, InfoError> {
        Ok(self.beginning_of(contract).0.clone())
    }

    async fn beginning<L: Ledger>(
        &self,
        info: &ModelInfo,
    ) -> Result<(Cursor, Beginning), ModelError> {
        let (_, from, beginning) = self.beginning_of(info.facts.trainer);
        Ok((*from, beginning.clone()))
    }
}

/// Checks that the index doubts no contract.
/// The events of a source without a node are their own evidence.
async fn assert_trusted(index: &Index<Recording>) {
    let health = index.health().await;
    assert!(!health.contracts.is_empty());
    for contract in &health.contracts {
        assert_eq!((contract.behind, &contract.trouble), (0, &None));
    }
    for contract in index.contracts() {
        contract.set_unchecked();
        let source = index.source();
        contract.compare(source).await.expect("an answer");
        assert_eq!(contract.trouble(), None);
    }
}

#[tokio::test]
async fn index_follows_a_model_over_a_source_that_is_no_node() {
    let stage = Stage::before_closing().await;
    let [anna, ben] = [1, 2].map(Key::development);
    // A deposit before the model is closed.
    stage.deposit(&ben, 10_u128.pow(17)).await;
    let stage = stage.close().await;
    stage.contribute(&anna, 1, &[1, 2, 3]).await;
    stage.contribute(&ben, 0, &[1, 3]).await;
    // Move far enough ahead to need a range, with some blocks near the head.
    stage.mine(70).await;
    stage.contribute(&anna, 0, &[2]).await;
    let node = &stage.node;
    let recording = Recording::of::<TrainerLedger>(node, stage.trainer, stage.from_block).await;
    let head = recording.head().await.expect("a head");
    let path = stage.path("recorded.db").display().to_string();
    let store = ChainStore::open(&path).await.expect("a store");
    let index = Index::open(recording, store, None, &[stage.trainer], None).await;
    let index = index.expect("followed");
    let model = index.model(stage.trainer).expect("a model");
    assert_eq!(model.summary(0).block_hash, head.hash);
    assert_eq!(index.now(), head.time);
    assert!(index.market(stage.trainer).is_none(), "it is a model");

    let by_node = stage.follow("node.db").await;
    let known = followed(&stage, &by_node);
    assert_eq!(model.words(), known.words());
    assert_eq!(model.summary(0), known.summary(0));
    assert_eq!(model.summary(0).contributions, 3);
    assert_eq!(model.account(ben.address()), known.account(ben.address()));
    let (filter, page) = (ContributionFilter::default(), Page::first(10));
    let rows = index.contributions(&model, filter, page).await;
    let rows = rows.expect("rows");
    assert_eq!(rows.len(), 3);
    let found = by_node.contributions(&known, filter, page).await;
    assert_eq!(found.expect("rows"), rows);
    assert_trusted(&index).await;
}

#[tokio::test]
async fn index_follows_a_market_over_a_source_that_is_no_node() {
    let stage = MarketStage::new().await;
    let [anna, ben] = [1, 2].map(Key::development);
    let (by_node, market) = market_index(&stage, "node.db").await;
    stage.commit().await;
    stage.open().await;
    stage.contribute(&anna, 1, &[1]).await;
    stage.contribute(&ben, 1, &[2]).await;
    by_node.catch_up().await.expect("followed");
    let node = &stage.stage.node;
    let recording = Recording::of::<MarketLedger>(node, stage.market, stage.from_block).await;
    let path = stage.stage.path("recorded.db").display().to_string();
    let store = ChainStore::open(&path).await.expect("a store");
    let index = Index::new(recording, store);
    index
        .add(None, stage.market, None, true)
        .await
        .expect("added");
    index.catch_up().await.expect("followed");
    let recorded = index.market(stage.market).expect("a market");
    assert_same_market(&stage, &recorded).await;
    assert!(index.model(stage.market).is_none(), "it is a market");
    let (filter, page) = (ContributionFilter::default(), Page::first(10));
    let rows = index.contributions(&recorded, filter, page).await;
    let rows = rows.expect("rows");
    assert_eq!(rows.len(), 2);
    let found = by_node.contributions(&market, filter, page).await;
    assert_eq!(found.expect("rows"), rows);
    assert_trusted(&index).await;
}

// ---------------------------------------------------------------- Markets

/// Opens an index over one of the stage's databases, and begins to follow the market.
async fn market_index(stage: &MarketStage, database: &str) -> (Index, Arc<HostedMarket>) {
    let path = stage.stage.path(database).display().to_string();
    let store = ChainStore::open(&path).await.expect("a store");
    let index = Index::new(stage.stage.node.clone(), store);
    let market = stage.host(&index).await;
    (index, market)
}

/// Checks that a followed market equals the one read from its events without an index.
async fn assert_same_market(stage: &MarketStage, followed: &HostedMarket) {
    let read = stage.read().await;
    let known = followed.state();
    assert_eq!(known.ledger().market(), read.market());
    assert_eq!(
        known.ledger().contributions(),
        read.ledger().contributions()
    );
    assert_eq!(known.ledger().model(), read.ledger().model());
    assert_eq!(Some(known.cursor().block), read.block().map(|it| it.number));
}

#[tokio::test]
async fn hosted_market_is_the_same_after_a_restart_between_any_two_steps() {
    let stage = MarketStage::new().await;
    let [anna, ben] = [1, 2].map(Key::development);
    let (index, market) = market_index(&stage, "market.db").await;
    stage.commit().await;
    stage.open().await;
    stage.contribute(&anna, 1, &[1]).await;
    stage.contribute(&ben, 1, &[2]).await;
    stage.close().await;
    stage.reveal_rest().await;
    loop {
        index.catch_up().await.expect("followed");
        assert_same_market(&stage, &market).await;
        // Load from the store alone: the new index follows nothing before the comparison.
        let (_, again) = market_index(&stage, "market.db").await;
        assert_same_market(&stage, &again).await;
        let ledger = market.state().ledger().clone();
        if !stage.score(&anna, &ledger).await {
            break;
        }
    }
    let now = index.now();
    assert_eq!(market.state().ledger().market().phase(now), Phase::Settled);
    // A new database comes to the same rows.
    let (anew, other) = market_index(&stage, "anew.db").await;
    anew.catch_up().await.expect("followed");
    assert_same_market(&stage, &other).await;
    let (filter, page) = (ContributionFilter::default(), Page::first(10));
    let rows = index.contributions(&market, filter, page).await;
    let rows = rows.expect("rows");
    assert_eq!(rows.len(), 2);
    let found = anew.contributions(&other, filter, page).await;
    assert_eq!(found.expect("rows"), rows);
}

/// A node that can leave out the events of contributions.
struct Forgetful<'a> {
    node: &'a Node,
    forgets: &'a AtomicBool,
}

impl Forgetful<'_> {
    fn known(&self, mut logs: Vec<NodeLog>) -> Vec<NodeLog> {
        let is_contribution = |log: &NodeLog| {
            matches!(
                market_events::decode(&log.log),
                Some(Fact::Contributed { .. })
            )
        };
        logs.retain(|log| !(self.forgets.load(Ordering::Relaxed) && is_contribution(log)));
        logs
    }
}

impl EventSource for Forgetful<'_> {
    async fn head(&self) -> Result<Block, NodeError> {
        self.node.head().await
    }

    async fn block(&self, number: u64) -> Result<Option<Block>, NodeError> {
        self.node.block(number).await
    }

    async fn logs_from(
        &self,
        from: u64,
        to: u64,
        contracts: &[Address],
        topics: &[B256],
    ) -> Result<(Vec<NodeLog>, u64), NodeError> {
        let (logs, to) = self.node.logs_from(from, to, contracts, topics).await?;
        Ok((self.known(logs), to))
    }

    async fn logs_of(
        &self,
        block: B256,
        contracts: &[Address],
        topics: &[B256],
    ) -> Result<Vec<NodeLog>, NodeError> {
        let logs = self.node.logs_of(block, contracts, topics).await?;
        Ok(self.known(logs))
    }

    fn narrow_logs(&self, blocks: u64) {
        self.node.narrow_logs(blocks);
    }

    fn contracts(&self) -> Option<&Node> {
        Some(self.node)
    }
}

#[tokio::test]
async fn step_doubts_a_node_that_leaves_out_an_event_of_a_market() {
    let stage = MarketStage::new().await;
    let anna = Key::development(1);
    let (index, market) = market_index(&stage, "market.db").await;
    stage.commit().await;
    stage.open().await;
    index.catch_up().await.expect("followed");
    let before = market.state().cursor();
    stage.contribute(&anna, 1, &[1]).await;

    let forgets = AtomicBool::new(true);
    let source = Forgetful {
        node: &stage.stage.node,
        forgets: &forgets,
    };
    let mut follower = Follower::new(source, index.store().clone(), market.clone(), None);
    for _ in 0..2 {
        let (step, _) = follower.step().await.expect("an answer");
        assert_eq!(step, Step::Doubted);
        assert_eq!(market.state().cursor(), before, "nothing was taken");
        assert_eq!(market.state().ledger().market().contribution_count(), 0);
    }
    // The market reports the trouble on the next step, before the node recovers.
    follower.step().await.expect("an answer");
    let trouble = market.trouble().expect("trouble");
    assert!(trouble.contains("1 contributions"), "{trouble}");
    forgets.store(false, Ordering::Relaxed);
    follower.catch_up().await.expect("followed");
    assert_eq!(market.trouble(), None);
    assert_same_market(&stage, &market).await;
}
