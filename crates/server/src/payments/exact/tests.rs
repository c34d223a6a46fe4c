mod node;

use std::{
    net::{IpAddr, Ipv4Addr},
    num::NonZeroU64,
    time::{Duration, Instant},
};

use cotrain_chain::keys::{DEVELOPMENT_CHAIN, Key};
use cotrain_indexer::ChainStore;
use cotrain_payments::x402::{
    Reason,
    batch::Deployment,
    exact::ExactPayload,
    wire::{PaymentPayload, PaymentRequired, Resource, VERSION},
};
use tempfile::TempDir;

use super::*;
use crate::payments::{Fresh, chain::ChainOptions};

use self::node::Double;

const TOKEN: Address = Address::repeat_byte(7);

/// Time that a request waits for its transaction.
const PATIENCE: Duration = Duration::from_millis(300);

/// Node, database and the rail between them.
struct Shop {
    node: Double,
    folder: TempDir,
    rail: Exact,
}

impl Shop {
    async fn open() -> Self {
        let node = Double::start(TOKEN).await;
        let folder = tempfile::tempdir().unwrap();
        let rail = Self::rail(&node, &folder).await;
        Self { node, folder, rail }
    }

    async fn rail(node: &Double, folder: &TempDir) -> Exact {
        let database = folder.path().join("db");
        let store = ChainStore::open(&database.to_string_lossy()).await.unwrap();
        let books = Books::open(&store).await.unwrap();
        let options = ChainOptions {
            deployment: Deployment::new(DEVELOPMENT_CHAIN, Address::ZERO, Address::ZERO),
            confirmations: 1,
            final_after: 2,
            patience: PATIENCE,
            max_gas_price: None,
            max_daily_gas: u128::MAX,
        };
        let chain = Chain::new(node.node().await, Key::development(9), options);
        let one = NonZeroU64::MIN;
        let asset = Asset {
            token: Token {
                chain_id: DEVELOPMENT_CHAIN,
                address: TOKEN,
                name: "Test Dollar".to_owned(),
                version: "1".to_owned(),
            },
            decimals: 6,
            price: UnitPrice {
                amount: one,
                units: one,
            },
            refund_fee: 1,
        };
        let terms = Terms {
            assets: vec![asset],
            pay_to: chain.account(),
            min_units: 10,
            max_daily_failures: 10,
            max_timeout: 60,
        };
        Exact::open(books, chain, terms).await.unwrap()
    }

    /// Starts the coordinator again, on the same database. What it was sending is lost.
    async fn restart(&mut self) {
        self.rail.books().close().await;
        self.rail = Self::rail(&self.node, &self.folder).await;
    }

    /// Signs a payment for an opening, and tells the node about it.
    async fn sign(&self) -> Presented {
        self.sign_by(1).await
    }

    /// Signs a payment by the key of a development account.
    async fn sign_by(&self, index: u32) -> Presented {
        let key = Key::development(index);
        let offers = self.rail.offers(&sale()).await.unwrap();
        let Challenge::X402(offer) = &offers[0] else {
            panic!("another rail");
        };
        let required = PaymentRequired {
            x402_version: VERSION,
            error: None,
            resource: None,
            accepts: vec![offer.clone()],
            extensions: std::collections::BTreeMap::new(),
        };
        let nonce = B256::repeat_byte(3);
        let sign = |hash| Ok::<_, std::convert::Infallible>(key.sign_hash(&hash));
        let signed = exact::sign(&required, offer, key.address(), nonce, clock::now(), sign);
        let signed: PaymentPayload<ExactPayload> = signed.unwrap();
        self.node.world().transfer = Some(signed.payload.authorization.clone());
        let payment = serde_json::from_value(serde_json::to_value(signed).unwrap());
        Presented {
            proof: None,
            payment: Some(payment.unwrap()),
        }
    }

    async fn admit(&self, presented: &Presented) -> Result<Admitted, PayError> {
        self.rail.admit(presented, &sale()).await
    }

    /// Returns the id of the only payment.
    fn id(&self) -> PaymentId {
        *self.rail.known_payments().keys().next().unwrap()
    }

    fn standing(&self) -> Standing {
        let id = self.id();
        let books = self.rail.books();
        books.read(|ledger| ledger.payment(id).unwrap().standing())
    }

    /// Looks at the payment as often as it takes to believe anything.
    async fn pursue(&self) {
        for _ in 0..3 {
            self.rail.pursue(self.id()).await;
        }
    }
}

fn sale() -> Sale {
    Sale {
        price: 10,
        units: 50,
        account: None,
        fresh: Fresh {
            session: B256::repeat_byte(1),
            token: B256::repeat_byte(2),
        },
        resource: Resource::default(),
        id: Some("the_only_request".parse().unwrap()),
        body: B256::ZERO,
        client: IpAddr::V4(Ipv4Addr::LOCALHOST),
        now: clock::now(),
    }
}

/// Returns the reason of a refusal.
fn reason<T: std::fmt::Debug>(result: Result<T, PayError>) -> RefusalReason {
    match result {
        Err(PayError::Refused(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

fn used() -> RefusalReason {
    RefusalReason::Ledger(Fault::PaymentUsed)
}

#[tokio::test]
async fn exact_asks_nobody_to_pay_again_for_a_transfer_that_others_sent() {
    let shop = Shop::open().await;
    let presented = shop.sign().await;
    shop.node.world().is_pending = true;
    for _ in 0..2 {
        assert_eq!(reason(shop.admit(&presented).await), RefusalReason::Pending);
    }
    shop.node.world().include(B256::repeat_byte(9));
    assert_eq!(reason(shop.admit(&presented).await), used());
    assert!(shop.node.world().sent.is_empty());

    // It is sent between two looks of the check.
    let shop = Shop::open().await;
    let presented = shop.sign().await;
    shop.node.world().is_overtaken = true;
    assert_eq!(reason(shop.admit(&presented).await), used());

    // Without it, a failure is that of the payment.
    let shop = Shop::open().await;
    let presented = shop.sign().await;
    shop.node.world().refuses = true;
    let failed = RefusalReason::X402(Reason::ExactSimulationFailed);
    assert_eq!(reason(shop.admit(&presented).await), failed);
    shop.node.world().refuses = false;
    shop.admit(&presented).await.unwrap();
}

#[tokio::test]
async fn exact_sends_again_what_never_left_as_soon_as_it_is_repeated() {
    let mut shop = Shop::open().await;
    let presented = shop.sign().await;
    shop.node.world().includes = false;
    assert_eq!(reason(shop.admit(&presented).await), RefusalReason::Pending);
    let sent = shop.node.world().sent.len();
    // While it is on its way, it is not sent beside itself.
    assert_eq!(reason(shop.admit(&presented).await), RefusalReason::Pending);
    assert_eq!(shop.node.world().sent.len(), sent);
    shop.restart().await;
    shop.node.world().includes = true;
    shop.admit(&presented).await.unwrap();
}

#[tokio::test]
async fn exact_finds_after_a_restart_what_was_included_without_a_search() {
    let mut shop = Shop::open().await;
    let presented = shop.sign().await;
    shop.node.world().includes = false;
    assert_eq!(reason(shop.admit(&presented).await), RefusalReason::Pending);
    shop.restart().await;
    {
        let mut world = shop.node.world();
        let sent = world.sent[0];
        world.include(sent);
    }
    shop.admit(&presented).await.unwrap();
    assert_eq!(shop.node.world().searches, 0);
}

#[tokio::test]
async fn exact_forgets_that_it_sends_once_nothing_does() {
    let shop = Shop::open().await;
    shop.admit(&shop.sign().await).await.unwrap();
    for _ in 0..50 {
        if shop.rail.busy().sent.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{:?}", shop.rail.busy().sent);
}

#[tokio::test]
async fn exact_takes_a_payment_back_only_if_its_block_is_gone() {
    let mut shop = Shop::open().await;
    shop.admit(&shop.sign().await).await.unwrap();
    shop.restart().await;
    assert_eq!(shop.standing(), Standing::Paid);
    // A node that lags shows neither the receipt nor the use of the nonce.
    shop.node.world().hides = true;
    shop.pursue().await;
    assert_eq!(shop.standing(), Standing::Paid);
    // Nor does one whose chain is shorter.
    {
        let mut world = shop.node.world();
        world.hides = false;
        world.includes = false;
        world.take_away();
    }
    shop.pursue().await;
    assert_eq!(shop.standing(), Standing::Paid);
    shop.node.world().mine_other();
    shop.pursue().await;
    assert_eq!(shop.standing(), Standing::Pending);
    // Somebody else sends it, and it counts again.
    shop.node.world().include(B256::repeat_byte(9));
    shop.pursue().await;
    assert_eq!(shop.standing(), Standing::Paid);
}

#[tokio::test]
async fn exact_closes_an_account_however_many_payments_strangers_made_for_it() {
    let shop = Shop::open().await;
    shop.node.world().includes = false;
    let opening = shop.admit(&shop.sign().await).await;
    assert_eq!(reason(opening), RefusalReason::Pending);
    let account = sale().fresh.account();
    for index in 2..6 {
        let top_up = Sale {
            price: 0,
            account: Some(account),
            ..sale()
        };
        let presented = shop.sign_by(index).await;
        let bought = shop.rail.admit(&presented, &top_up).await;
        assert_eq!(reason(bought), RefusalReason::Pending);
    }
    shop.node.world().slow = Duration::from_millis(500);
    let begun = Instant::now();
    assert_eq!(shop.rail.refund(account).await.unwrap(), Vec::new());
    let time = begun.elapsed();
    assert!(time < Duration::from_millis(1_500), "{time:?}");
}

#[tokio::test]
async fn chain_finds_nothing_used_before_the_token_was_there() {
    let shop = Shop::open().await;
    let presented = shop.sign().await;
    let payload: ExactPayload = presented.payment.unwrap().payload.read().unwrap();
    let transfer = Transfer {
        token: shop.rail.0.terms.assets[0].token.clone(),
        authorization: payload.authorization,
        transactions: Vec::new(),
    };
    let head = shop.node.world().head();
    shop.node.world().token_since = head;
    let chain = &shop.rail.0.chain;
    assert_eq!(chain.look(&transfer).await.unwrap(), Finding::Nothing);
    // Its time is over in a final block.
    shop.node.world().ahead = 600;
    let found = chain.look(&transfer).await.unwrap();
    assert!(matches!(found, Finding::Void(_)), "{found:?}");
}
