use std::num::NonZeroU64;

use cotrain_payments::{lnd::InvoiceState, price::UnitPrice};
use cotrain_test_support::{LndDouble, LndFault};
use tokio::time::timeout;

use super::*;

fn section(lnd: &LndDouble) -> LightningSection {
    LightningSection {
        url: lnd.url().parse().unwrap(),
        certificate: lnd.file("tls.cert"),
        macaroon: lnd.file("invoice.macaroon"),
        price: UnitPrice {
            amount: NonZeroU64::MIN,
            units: NonZeroU64::MIN,
        },
        min_purchase: 1_000_000,
        expiry: Duration::from_mins(10),
        max_client_invoices: 10,
        max_invoices: 10,
        timeout: Duration::from_secs(10),
    }
}

fn new_invoice() -> NewInvoice {
    NewInvoice {
        memo: "units".to_owned(),
        value_msat: 5_000,
        expiry: 600,
        private: false,
    }
}

#[tokio::test]
async fn lnd_makes_invoices_and_finds_them() {
    let double = LndDouble::start().await;
    let lnd = Lnd::new(&section(&double)).unwrap();
    lnd.check().await.unwrap();
    let made = lnd.make_invoice(&new_invoice()).await.unwrap();
    let found = lnd.invoice(made.r_hash).await.unwrap().unwrap();
    assert_eq!((found.state, found.value_msat), (InvoiceState::Open, 5_000));
    assert_eq!(found.payment_request, made.payment_request);
    double.forget(&made.payment_request);
    assert_eq!(lnd.invoice(made.r_hash).await.unwrap(), None);
    // As old versions tell it.
    double.fail([LndFault::Error(500, 2, "unable to locate invoice")]);
    assert_eq!(lnd.invoice(made.r_hash).await.unwrap(), None);
}

#[tokio::test]
async fn lnd_trusts_its_certificate_only_and_reads_both_forms_of_macaroons() {
    let double = LndDouble::start().await;
    let with = |certificate: &str, macaroon: &str| {
        let section = LightningSection {
            certificate: double.file(certificate),
            macaroon: double.file(macaroon),
            ..section(&double)
        };
        Lnd::new(&section)
    };
    with("tls.cert", "hex.macaroon")
        .unwrap()
        .check()
        .await
        .unwrap();
    let other = with("other.cert", "invoice.macaroon").unwrap();
    let error = other.check().await.unwrap_err();
    assert!(
        matches!(error, LndError::OtherCertificate { .. }),
        "{error}"
    );
    assert!(!error.is_transient());
    let error = with("none", "invoice.macaroon").unwrap_err().to_string();
    assert!(error.contains("lightning.certificate"), "{error}");
    for wrong in ["none", "tls.cert"] {
        let error = with("tls.cert", wrong).unwrap_err().to_string();
        assert!(error.contains("lightning.macaroon"), "{error}");
    }
    fs::write(double.file("foreign"), "0201036c6e64").unwrap();
    let foreign = with("tls.cert", "foreign").unwrap();
    let error = foreign.check().await.unwrap_err();
    assert!(
        matches!(error, LndError::Macaroon { status: 500, .. }),
        "{error}"
    );
    double.fail([LndFault::Error(401, 16, "unauthenticated")]);
    let error = with("tls.cert", "hex.macaroon").unwrap().check().await;
    assert!(matches!(error, Err(LndError::Macaroon { .. })));
}

#[tokio::test]
async fn lnd_tells_faults_that_pass_from_those_that_stay() {
    let double = LndDouble::start().await;
    let lnd = Lnd::new(&LightningSection {
        timeout: Duration::from_millis(500),
        ..section(&double)
    });
    let lnd = lnd.unwrap();
    let starting = "the RPC server is in the process of starting up";
    for (fault, is_transient) in [
        (LndFault::Error(500, 2, starting), true),
        (LndFault::Error(400, 3, "no"), false),
        (LndFault::Cut, true),
        (LndFault::Late(Duration::from_mins(1)), true),
        (LndFault::Nonsense, false),
    ] {
        double.fail([fault.clone()]);
        let error = lnd.make_invoice(&new_invoice()).await.unwrap_err();
        assert_eq!(error.is_transient(), is_transient, "{fault:?}: {error}");
    }
    let nobody = Lnd::new(&LightningSection {
        url: "https://localhost:1".parse().unwrap(),
        ..section(&double)
    });
    let error = nobody.unwrap().check().await.unwrap_err();
    assert!(matches!(error, LndError::Unreachable { .. }), "{error}");
    assert!(
        !format!("{lnd:?}").contains("0201"),
        "the macaroon is secret"
    );
}

#[tokio::test]
async fn subscription_goes_on_after_the_last_settlement() {
    let double = LndDouble::start().await;
    let lnd = Lnd::new(&section(&double)).unwrap();
    let mut texts = Vec::new();
    for _ in 0..3 {
        texts.push(
            lnd.make_invoice(&new_invoice())
                .await
                .unwrap()
                .payment_request,
        );
    }
    let _ = double.pay(&texts[0]);
    let _ = double.pay_with(&texts[1], 6_000);
    let mut stream = lnd.subscribe(1).await.unwrap();
    let second = stream.next().await.unwrap().unwrap();
    assert_eq!((second.settle_index, second.amt_paid_msat), (2, 6_000));
    let _ = double.pay(&texts[2]);
    let third = stream.next().await.unwrap().unwrap();
    assert_eq!(
        (third.settle_index, third.state),
        (3, InvoiceState::Settled)
    );
    double.break_streams(true);
    let end = timeout(Duration::from_secs(10), stream.next()).await;
    // The end of a stream is an end or a broken connection, and neither hangs.
    assert!(matches!(
        end.unwrap(),
        Ok(None) | Err(LndError::Broken { .. })
    ));
    double.break_streams(false);
    double.fail([LndFault::Error(500, 2, "shutting down")]);
    assert!(lnd.subscribe(3).await.unwrap_err().is_transient());
}
