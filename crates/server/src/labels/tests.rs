use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use cotrain_active::{
    annotators::Method,
    session::{Batch, Input, LearnerKind, Opening},
    strategy::Strategy,
    stream::{Gate, Manager},
};
use cotrain_payments::rail::token_hash;
use ndarray::Array2;

use super::*;

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn section() -> LabelsSection {
    LabelsSection {
        enabled: true,
        max_sessions: 3,
        max_client_sessions: 2,
        ..LabelsSection::default()
    }
}

fn opening() -> Opening {
    Opening {
        learner: LearnerKind::Logistic,
        classes: Some(2),
        features: 1_000,
        strategy: Strategy::Margin,
        gate: Some(Gate::Budget {
            manager: Manager::Quantile,
            share: 0.5,
        }),
        stopping: Vec::new(),
        fixed: None,
        method: Method::DawidSkene,
        calibrated: false,
        seed: 0,
    }
}

fn caller(client: IpAddr) -> Caller {
    Caller {
        presented: Presented::default(),
        request: None,
        id: None,
        body: B256::ZERO,
        url: String::new(),
        client,
    }
}

fn with_token(opened: &Opened) -> Caller {
    let token = opened.token.as_deref().unwrap();
    let mut caller = caller(CLIENT);
    caller.presented.proof = Some(Proof::Bearer(token_hash(token)));
    caller
}

fn find(labels: &Labels, opened: &Opened) -> Result<Arc<Entry>, Refusal> {
    labels.find(&opened.id, &with_token(opened).presented)
}

async fn open(labels: &Labels, client: u8) -> Result<Opened, Refusal> {
    let client = Ipv4Addr::new(10, 0, 0, client).into();
    labels.open(caller(client), opening(), None).await
}

async fn train(labels: &Labels, opened: &Opened, rows: usize) -> Result<Answered, Refusal> {
    let entry = find(labels, opened)?;
    let asked = Asked::Training {
        rows,
        opinions: rows,
        fixed: 0,
    };
    let work = move |session: &Session, spent| {
        let opinion = |index| cotrain_active::annotators::Opinion {
            row: session.rows() + index,
            annotator: 0,
            label: index % 2,
        };
        let batch = Batch {
            rows: Array2::zeros((rows, 1_000)),
            opinions: (0..rows).map(opinion).collect(),
            fixed: None,
        };
        session.train(&batch, spent)
    };
    let answer = |_, receipt: Receipt| receipt.charged.to_string().into_bytes();
    let check = |_: &Session| Ok(work);
    labels
        .work(entry, caller(CLIENT), asked, check, answer)
        .await
}

#[tokio::test]
async fn open_refuses_beyond_the_bounds() {
    let labels = Labels::new(section());
    assert!(open(&labels, 1).await.is_ok() && open(&labels, 1).await.is_ok());
    let refused = open(&labels, 1).await;
    assert!(matches!(refused, Err(Refusal::ClientFull { max: 2 })));
    assert!(open(&labels, 2).await.is_ok());
    assert!(matches!(
        open(&labels, 3).await,
        Err(Refusal::Full { max: 3 })
    ));
    labels.stop();
    assert_eq!(labels.count(), 0);
    assert!(open(&labels, 1).await.is_err());
    assert!(matches!(
        open(&Labels::default(), 1).await,
        Err(Refusal::Disabled)
    ));
    let labels = Labels::new(section());
    let few = labels.open(caller(CLIENT), opening(), Some(1));
    assert!(matches!(few.await, Err(Refusal::Units(_))));
}

#[tokio::test]
async fn delete_expired_forgets_sessions_without_calls() {
    let labels = Labels::new(LabelsSection {
        time_to_live: Duration::from_millis(200),
        ..section()
    });
    let used = open(&labels, 1).await.unwrap();
    let unused = open(&labels, 1).await.unwrap();
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(80)).await;
        labels.delete_expired();
        assert!(find(&labels, &used).is_ok());
    }
    assert!(matches!(find(&labels, &unused), Err(Refusal::Unknown)));
    assert_eq!(labels.count(), 1);
    tokio::time::sleep(Duration::from_millis(300)).await;
    labels.delete_expired();
    assert_eq!(labels.count(), 0);
}

#[tokio::test]
async fn find_keeps_no_session_beyond_its_maximum_age() {
    let labels = Labels::new(LabelsSection {
        max_age: Duration::from_millis(1_500),
        ..section()
    });
    let opened = open(&labels, 1).await.unwrap();
    assert!(
        opened.expires <= clock::now() + 1,
        "its time to live is longer"
    );
    let begun = Instant::now();
    while let Ok(entry) = find(&labels, &opened) {
        assert!(begun.elapsed() < Duration::from_secs(5));
        assert!(labels.expires(&entry).unwrap() <= opened.expires + 1);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(begun.elapsed() >= Duration::from_millis(1_200));
    assert_eq!(labels.count(), 0);
}

#[tokio::test]
async fn work_keeps_within_the_memory_of_all_sessions() {
    let labels = Labels::new(LabelsSection {
        max_bytes: 1 << 20,
        ..section()
    });
    let (first, second) = (
        open(&labels, 1).await.unwrap(),
        open(&labels, 2).await.unwrap(),
    );
    // A row has 8,000 bytes.
    assert!(train(&labels, &first, 60).await.is_ok());
    assert!(train(&labels, &second, 40).await.is_ok());
    let refused = train(&labels, &second, 60).await;
    assert!(matches!(refused, Err(Refusal::Memory)), "{refused:?}");
    labels.close(&first.id, with_token(&first)).await.unwrap();
    assert!(train(&labels, &second, 60).await.is_ok());
}

#[tokio::test]
async fn work_counts_the_memory_of_the_answer_that_it_stores() {
    let labels = Labels::new(LabelsSection {
        max_bytes: 1 << 20,
        ..section()
    });
    let opened = open(&labels, 1).await.unwrap();
    let entry = find(&labels, &opened).unwrap();
    let working = |request: Option<Request>, size: usize| {
        let work = |session: &Session, _| Ok::<_, SessionError>((session.clone(), ()));
        let answer = move |(), _: Receipt| vec![b' '; size];
        let caller = Caller {
            request,
            ..caller(CLIENT)
        };
        let check = move |_: &Session| Ok(work);
        labels.work(Arc::clone(&entry), caller, Asked::Nothing, check, answer)
    };
    let request = || Some(Request::new("0123456789abcdef", &[b"body"]));
    let before = entry.seen().bytes;
    let refused = working(request(), 1 << 20).await;
    assert!(matches!(refused, Err(Refusal::Memory)), "{refused:?}");
    assert!(working(None, 1 << 20).await.is_ok());
    assert_eq!(entry.seen().bytes, before);
    assert!(working(request(), 1_000).await.is_ok());
    assert_eq!(entry.seen().bytes, before + 1_000);
}

#[tokio::test]
async fn work_ends_and_is_charged_once_if_the_caller_goes_away() {
    let labels = Labels::new(section());
    let opened = open(&labels, 1).await.unwrap();
    let entry = find(&labels, &opened).unwrap();
    let request = || Request::new("0123456789abcdef", &[b"body"]);
    let rows = Array2::zeros((2, 1_000));
    let deciding = || {
        let rows = rows.clone();
        let work = move |session: &Session, _| {
            thread::sleep(Duration::from_millis(50));
            session.decide(&Input::Rows(rows))
        };
        let answer = |_, receipt: Receipt| receipt.spent.to_string().into_bytes();
        let caller = Caller {
            request: Some(request()),
            ..caller(CLIENT)
        };
        let asked = Asked::Deciding { rows: 2 };
        let check = move |_: &Session| Ok(work);
        labels.work(Arc::clone(&entry), caller, asked, check, answer)
    };
    let left = tokio::time::timeout(Duration::from_millis(10), deciding()).await;
    assert!(left.is_err());
    let answer = deciding().await.unwrap();
    // Each row has 16 blocks of 64 features.
    assert_eq!(answer.body, opened_with(&opened, 32));
    let (state, receipt) = labels
        .read(&entry, |session, receipt| (session.state(), receipt))
        .await;
    assert_eq!(state.seen, 2);
    assert_eq!(receipt.spent, opened.receipt.spent + 32);
}

fn opened_with(opened: &Opened, more: u64) -> String {
    (opened.receipt.spent + more).to_string()
}

#[tokio::test]
async fn work_that_fails_or_panics_costs_nothing() {
    let labels = Labels::new(section());
    let opened = open(&labels, 1).await.unwrap();
    let entry = find(&labels, &opened).unwrap();
    let answer = |(), _: Receipt| Vec::new();
    let asked = Asked::Deciding { rows: 1 };
    let failing = |_: &Session, _| Err(SessionError::NoGate);
    let check = move |_: &Session| Ok(failing);
    let failed = labels.work(Arc::clone(&entry), caller(CLIENT), asked, check, answer);
    assert!(matches!(failed.await, Err(Refusal::Session(_))));
    let panicking = |_: &Session, _| -> Result<(Session, ()), _> { panic!("as tested") };
    let check = move |_: &Session| Ok(panicking);
    let failed = labels.work(Arc::clone(&entry), caller(CLIENT), asked, check, answer);
    assert!(matches!(failed.await, Err(Refusal::Failed)));
    let spent = labels.read(&entry, |_, receipt| receipt.spent).await;
    assert_eq!(spent, opened.receipt.spent);
}

#[tokio::test]
async fn work_that_is_known_to_be_too_large_is_refused_before_it_begins() {
    let labels = Labels::new(LabelsSection {
        max_bytes: 1 << 20,
        ..section()
    });
    let opened = open(&labels, 1).await.unwrap();
    let entry = find(&labels, &opened).unwrap();
    let asked = Asked::Training {
        rows: 131,
        opinions: 131,
        fixed: 0,
    };
    let work = |_: &Session, _| -> Result<(Session, ()), _> { panic!("it has begun") };
    let answer = |(), _: Receipt| Vec::new();
    let check = move |_: &Session| Ok(work);
    let refused = labels
        .work(entry, caller(CLIENT), asked, check, answer)
        .await;
    assert!(matches!(refused, Err(Refusal::Memory)), "{refused:?}");
}
