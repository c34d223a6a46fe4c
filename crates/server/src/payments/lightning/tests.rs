use std::{
    net::{IpAddr, Ipv4Addr},
    num::NonZeroU64,
};

use cotrain_indexer::ChainStore;
use cotrain_payments::{macaroon::CaveatError, price::UnitPrice, x402::wire::Resource};
use cotrain_test_support::{LndDouble, LndFault};
use tempfile::TempDir;
use tokio::{task::JoinHandle, time::sleep};

use super::*;
use crate::payments::{BooksError, Fresh};

/// Units that each opening costs.
const OPENING: u64 = 10;

/// Node, database and the rail between them.
struct Shop {
    lnd: LndDouble,
    folder: TempDir,
    rail: Lightning,
    stop: CancellationToken,
    following: Option<JoinHandle<()>>,
}

/// Offer as a client sees it.
#[derive(Clone)]
struct Offered {
    macaroon: Macaroon,
    invoice: String,
}

impl Shop {
    async fn open() -> Self {
        let lnd = LndDouble::start().await;
        let folder = tempfile::tempdir().unwrap();
        let rail = Self::rail(&lnd, &folder).await;
        Self {
            lnd,
            folder,
            rail,
            stop: CancellationToken::new(),
            following: None,
        }
    }

    async fn rail(lnd: &LndDouble, folder: &TempDir) -> Lightning {
        let database = folder.path().join("db");
        let store = ChainStore::open(&database.to_string_lossy()).await.unwrap();
        let books = Books::open(&store).await.unwrap();
        let one = NonZeroU64::MIN;
        let section = LightningSection {
            url: lnd.url().parse().unwrap(),
            certificate: lnd.file("tls.cert"),
            macaroon: lnd.file("invoice.macaroon"),
            // 1 sat a unit.
            price: UnitPrice {
                amount: NonZeroU64::new(1_000).unwrap(),
                units: one,
            },
            min_purchase: 20_000,
            expiry: Duration::from_mins(10),
            max_client_invoices: 3,
            max_invoices: 100,
            timeout: Duration::from_secs(2),
        };
        Lightning::open(section, books).await.unwrap()
    }

    /// Follows the stream from here on.
    fn follow(&mut self) {
        let following = self.rail.clone().follow(self.stop.clone());
        self.following = Some(tokio::spawn(following));
    }

    async fn stop(&mut self) {
        self.stop.cancel();
        if let Some(following) = self.following.take() {
            following.await.unwrap();
        }
        self.stop = CancellationToken::new();
        self.rail.books().close().await;
    }

    /// Starts the coordinator again, on the same database.
    async fn restart(&mut self) {
        self.stop().await;
        self.rail = Self::rail(&self.lnd, &self.folder).await;
    }

    async fn offer(&self, sale: &Sale) -> Offered {
        let offers = self.rail.offers(sale).await.unwrap();
        let Challenge::L402(challenge) = &offers[0] else {
            panic!("another rail");
        };
        Offered {
            macaroon: challenge.macaroon.clone(),
            invoice: challenge.invoice.clone(),
        }
    }

    /// Buys an account, and returns it with its credential.
    async fn buy(&self, session: u8) -> (Presented, Admitted) {
        let offered = self.offer(&sale(session, None)).await;
        let presented = offered.with(self.lnd.pay(&offered.invoice));
        let admitted = self.rail.admit(&presented, &sale(99, None)).await.unwrap();
        (presented, admitted)
    }

    fn left(&self, account: AccountId) -> u64 {
        let books = self.rail.books();
        books.read(|ledger| ledger.account(account).unwrap().spendable())
    }

    /// Waits until an account has these units, without asking the rail for anything.
    async fn has(&self, account: AccountId, units: u64) {
        for _ in 0..200 {
            if self.left(account) == units {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("it has {}, expected {units}", self.left(account));
    }

    /// Spends units as a call does.
    async fn spend(
        &self,
        presented: &Presented,
        account: AccountId,
        units: u64,
    ) -> Result<u64, PayError> {
        let sale = Sale {
            price: units,
            ..sale(98, Some(account))
        };
        match self.rail.reserve(account, presented, &sale).await? {
            Begun::Held(hold) => Ok(self.rail.commit(&hold, units).await?.receipt.left),
            Begun::Done(paid) => Ok(paid.receipt.left),
        }
    }
}

impl Offered {
    fn with(&self, preimage: [u8; 32]) -> Presented {
        let credential = Credential::new(self.macaroon.clone(), preimage);
        Presented {
            proof: Some(Proof::L402(credential)),
            payment: None,
        }
    }
}

fn sale(session: u8, account: Option<AccountId>) -> Sale {
    Sale {
        price: OPENING,
        units: 50,
        account,
        fresh: Fresh {
            session: B256::repeat_byte(session),
            token: B256::ZERO,
        },
        resource: Resource::default(),
        id: None,
        body: B256::ZERO,
        client: IpAddr::V4(Ipv4Addr::LOCALHOST),
        now: now(),
    }
}

fn account(session: u8) -> AccountId {
    account_of(B256::repeat_byte(session))
}

/// Returns the reason of a refusal.
fn reason<T: fmt::Debug>(result: Result<T, PayError>) -> RefusalReason {
    match result {
        Err(PayError::Refused(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn lightning_sells_units_that_only_the_payer_spends() {
    let shop = Shop::open().await;
    let (presented, admitted) = shop.buy(1).await;
    assert_eq!(admitted.account, account(1));
    assert_eq!(admitted.session, Some(B256::repeat_byte(1)));
    assert_eq!(shop.left(account(1)), 50);
    assert!(shop.rail.serves(admitted.owner));
    shop.rail.prove(&presented, admitted.owner).unwrap();
    assert_eq!(shop.spend(&presented, account(1), 30).await.unwrap(), 20);
    // Used up is 402, by which the client gets a new offer.
    let over = shop.spend(&presented, account(1), 21).await.unwrap_err();
    assert_eq!(over.status(), 402);
    assert!(matches!(
        over,
        PayError::Books(BooksError::Refused(Fault::NotEnough {
            asked: 21,
            left: 20
        }))
    ));
    assert_eq!(shop.lnd.received(), 50_000);
}

#[tokio::test]
async fn lightning_takes_no_other_preimage_and_no_other_session() {
    let shop = Shop::open().await;
    let (first, admitted) = shop.buy(1).await;
    let (second, other) = shop.buy(2).await;
    assert_eq!(
        shop.rail.prove(&first, other.owner),
        Err(L402Error::OtherPayment.into())
    );
    let spent = shop.spend(&second, account(1), 1).await;
    assert_eq!(reason(spent), L402Error::OtherPayment.into());
    // The macaroon of one session with the paid preimage of another.
    let offered = shop.offer(&sale(3, None)).await;
    let Some(Proof::L402(credential)) = &second.proof else {
        panic!("no credential");
    };
    let header = credential.header();
    let (_, preimage) = header.rsplit_once(':').unwrap();
    let mut bytes = [0; 32];
    alloy_primitives::hex::decode_to_slice(preimage, &mut bytes).unwrap();
    let mixed = shop.rail.admit(&offered.with(bytes), &sale(98, None)).await;
    assert_eq!(reason(mixed), L402Error::Preimage.into());
    // A preimage that somebody has although nobody has paid.
    let leaked = offered.with(shop.lnd.preimage(&offered.invoice));
    let unpaid = shop.rail.admit(&leaked, &sale(98, None)).await;
    assert_eq!(reason(unpaid), L402Error::Unpaid.into());
    let guessed = offered.with([7; 32]);
    let guessed = shop.rail.admit(&guessed, &sale(98, None)).await;
    assert_eq!(reason(guessed), L402Error::Preimage.into());
    // Ours must have signed it.
    let foreign = Identifier {
        payment_hash: credential.payment_hash(),
        token: B256::repeat_byte(2),
    };
    let forged = Offered {
        macaroon: Macaroon::new(&[0; 32], &foreign),
        invoice: String::new(),
    };
    let forged = shop.rail.admit(&forged.with(bytes), &sale(98, None)).await;
    assert_eq!(reason(forged), L402Error::Signature.into());
    // A holder may narrow its macaroon.
    let late = Caveat::ValidUntil {
        service: SERVICE.to_owned(),
        time: 5,
    };
    let offered = shop.offer(&sale(4, None)).await;
    let narrowed = Offered {
        macaroon: offered.macaroon.clone().with_caveat(&late),
        invoice: offered.invoice.clone(),
    };
    let preimage = shop.lnd.pay(&offered.invoice);
    let over = shop
        .rail
        .admit(&narrowed.with(preimage), &sale(98, None))
        .await;
    let over = reason(over);
    assert!(
        matches!(
            over,
            RefusalReason::L402(L402Error::Caveat(CaveatError::Expired { until: 5, .. }))
        ),
        "{over:?}"
    );
    assert_eq!(over.status(), 401);
    for presented in [
        Presented::default(),
        Presented {
            proof: Some(Proof::Bearer(B256::ZERO)),
            payment: None,
        },
    ] {
        let refused = shop.rail.prove(&presented, admitted.owner).unwrap_err();
        assert_eq!(refused.status(), 401);
    }
}

#[tokio::test]
async fn lightning_credits_a_top_up_whose_credential_spends_too() {
    let shop = Shop::open().await;
    let (_, admitted) = shop.buy(1).await;
    let offered = shop.offer(&sale(5, Some(account(1)))).await;
    assert_eq!(shop.left(account(1)), 50);
    // Sent by the wallet with the same call again, before the node's stream says anything.
    let topped = offered.with(shop.lnd.pay_with(&offered.invoice, 60_999));
    shop.rail.prove(&topped, admitted.owner).unwrap();
    assert_eq!(shop.spend(&topped, account(1), 100).await.unwrap(), 10);
    assert_eq!(shop.lnd.received(), 110_999);
    let again = shop.rail.admit(&topped, &sale(98, None)).await.unwrap();
    // Its macaroon does not name the session.
    assert_eq!((again.account, again.session), (account(1), None));
}

#[tokio::test]
async fn lightning_lets_anyone_buy_for_an_account_but_not_spend() {
    let shop = Shop::open().await;
    let (own, admitted) = shop.buy(1).await;
    let gift = Sale {
        price: 0,
        ..sale(5, Some(account(1)))
    };
    let offered = shop.offer(&gift).await;
    let giver = offered.with(shop.lnd.pay(&offered.invoice));
    let bought = shop.rail.admit(&giver, &gift).await.unwrap();
    assert_eq!((bought.account, shop.left(account(1))), (account(1), 100));
    let refused = L402Error::Caveat(CaveatError::Capability(SPEND.to_owned()));
    let refused = RefusalReason::L402(refused);
    let proven = shop.rail.prove(&giver, admitted.owner);
    assert_eq!(proven, Err(refused.clone()));
    assert_eq!(reason(shop.spend(&giver, account(1), 1).await), refused);
    let opened = shop.rail.admit(&giver, &sale(98, None)).await;
    assert_eq!(reason(opened), refused);
    assert_eq!(shop.spend(&own, account(1), 100).await.unwrap(), 0);
}

#[tokio::test]
async fn follow_credits_what_the_stream_tells_and_survives_its_breaks() {
    let mut shop = Shop::open().await;
    let first = shop.offer(&sale(1, None)).await;
    shop.follow();
    while shop.lnd.requests("GET /v1/invoices/subscribe") == 0 {
        sleep(Duration::from_millis(20)).await;
    }
    sleep(Duration::from_millis(300)).await;
    let _ = shop.lnd.pay(&first.invoice);
    shop.has(account(1), 50).await;
    // Paid while the stream is down: the next one begins after the last settlement.
    let second = shop.offer(&sale(2, None)).await;
    shop.lnd.break_streams(true);
    let _ = shop.lnd.pay(&second.invoice);
    sleep(Duration::from_millis(300)).await;
    shop.lnd.break_streams(false);
    shop.has(account(2), 50).await;
    shop.stop().await;
}

#[tokio::test]
async fn reconcile_finds_what_no_stream_told() {
    let mut shop = Shop::open().await;
    let offers = [1, 2, 3].map(|session| sale(session, None));
    let mut offered = Vec::new();
    for sale in &offers {
        offered.push(shop.offer(sale).await);
    }
    // It is paid while the coordinator is down, and another one is canceled and forgotten.
    let _ = shop.lnd.pay(&offered[0].invoice);
    shop.lnd.put(&offered[1].invoice, "CANCELED");
    shop.lnd.forget(&offered[1].invoice);
    shop.lnd.put(&offered[2].invoice, "ACCEPTED");
    shop.restart().await;
    shop.lnd.fail([LndFault::Error(500, 2, "starting up")]);
    shop.rail.reconcile().await;
    assert_eq!(shop.left(account(1)), 0);
    // The failure is no reason to wait for the next minute.
    shop.rail.reconcile().await;
    assert_eq!(shop.left(account(1)), 50);
    let undecided = |shop: &Shop| shop.rail.books().read(undecided).len();
    assert_eq!(undecided(&shop), 1);
    let asked = shop.lnd.requests("GET /v1/invoice");
    shop.rail.reconcile().await;
    assert_eq!(shop.lnd.requests("GET /v1/invoice"), asked, "once a minute");
    // A held payment is neither paid nor unpaid.
    let held = offered[2].with(shop.lnd.preimage(&offered[2].invoice));
    let pending = reason(shop.rail.admit(&held, &sale(98, None)).await);
    assert_eq!((pending.status(), pending), (503, RefusalReason::Pending));
    // The node says so a moment after the payer came.
    let settling = async {
        sleep(Duration::from_millis(120)).await;
        let _ = shop.lnd.pay(&offered[2].invoice);
    };
    let opening = sale(98, None);
    let (admitted, ()) = tokio::join!(shop.rail.admit(&held, &opening), settling);
    assert_eq!(admitted.unwrap().account, account(3));
    assert_eq!(shop.left(account(3)), 50);
    // The credential made before the restart is known after it.
    let paid = offered[0].with(shop.lnd.preimage(&offered[0].invoice));
    let admitted = shop.rail.admit(&paid, &sale(98, None)).await.unwrap();
    assert_eq!(admitted.session, Some(B256::repeat_byte(1)));
    shop.stop().await;
}

#[tokio::test]
async fn lightning_credits_a_settlement_after_the_expiry() {
    let shop = Shop::open().await;
    let early = Sale {
        now: 0,
        ..sale(1, None)
    };
    let offered = shop.offer(&early).await;
    shop.rail.reconcile().await;
    let state = |shop: &Shop| {
        shop.rail.books().read(|ledger| {
            let payment = ledger.unsettled().next().map(|(_, payment)| payment.state);
            format!("{payment:?}")
        })
    };
    assert!(state(&shop).contains("Expired"), "{}", state(&shop));
    let presented = offered.with(shop.lnd.pay(&offered.invoice));
    shop.rail.admit(&presented, &sale(98, None)).await.unwrap();
    assert_eq!(shop.left(account(1)), 50);
}

#[tokio::test]
async fn offers_are_bounded_for_each_client_and_end_with_the_node() {
    let shop = Shop::open().await;
    let mut offered = Vec::new();
    for session in 1..=3 {
        offered.push(shop.offer(&sale(session, None)).await);
    }
    let refused = shop.rail.offers(&sale(4, None)).await.unwrap_err();
    assert_eq!(refused.status(), 429);
    assert_eq!(shop.lnd.requests("POST /v1/invoices"), 3);
    let presented = offered[0].with(shop.lnd.pay(&offered[0].invoice));
    shop.rail.admit(&presented, &sale(98, None)).await.unwrap();
    // An invoice that the node made without saying so leaves neither account nor payment.
    for fault in [
        LndFault::Cut,
        LndFault::Nonsense,
        LndFault::Late(Duration::from_secs(30)),
    ] {
        shop.lnd.fail([fault]);
        let failed = shop.rail.offers(&sale(4, None)).await.unwrap_err();
        assert_eq!(failed.status(), 503);
        let books = shop.rail.books();
        assert!(books.read(|ledger| ledger.account(account(4)).is_none()));
    }
    shop.offer(&sale(4, None)).await;
    // The node is away when the payer comes: it must not pay again.
    shop.lnd.fail([LndFault::Error(503, 14, "unavailable")]);
    let presented = offered[1].with(shop.lnd.pay(&offered[1].invoice));
    let away = shop
        .rail
        .admit(&presented, &sale(98, None))
        .await
        .unwrap_err();
    assert_eq!(away.status(), 503);
    shop.rail.admit(&presented, &sale(98, None)).await.unwrap();
    assert_eq!(shop.left(account(2)), 50);
    let huge = Sale {
        units: u64::MAX,
        ..sale(6, None)
    };
    assert_eq!(shop.rail.offers(&huge).await.unwrap_err().status(), 400);
}
