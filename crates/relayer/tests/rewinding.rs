//! Tests of a database whose chain was set back to an earlier state.

use cotrain_chain::keys::Key;
use cotrain_indexer::IndexError;
use cotrain_relayer::{Queue, Rewound};
use cotrain_test_support::{Stage, assert_same};

/// A development chain continues from an earlier save, so it is shorter than the database knows.
#[tokio::test]
async fn rewind_takes_back_what_the_chain_lost() {
    let stage = Stage::new().await;
    let anna = Key::development(1);
    let follower = stage.follow("rewound.db").await;
    stage.contribute(&anna, 1, &[1, 2, 3]).await;
    let kept = stage.node.head().await.expect("a head").number;
    stage.contribute(&anna, 0, &[4]).await;
    stage.contribute(&anna, 0, &[5]).await;
    follower.catch_up().await.expect("followed");
    stage.roll_back(2).await;
    drop(follower);

    let path = stage.path("rewound.db").to_string_lossy().into_owned();
    let queue = Queue::open(&path).await.expect("a queue");
    let rewound = queue.rewind(&stage.node).await.expect("rewound");
    assert_eq!(
        rewound,
        [Rewound {
            trainer: stage.trainer,
            from: kept + 2,
            to: Some(kept),
            waiting_again: 0,
        }]
    );
    assert_eq!(queue.rewind(&stage.node).await.expect("nothing"), []);
    // The chain has no further block, so the follower alone would take the node for a lagging one.
    let follower = stage.follow("rewound.db").await;
    assert_same(&stage, &follower, &[&anna]).await;
    let count = follower.model(stage.trainer).expect("a model");
    assert_eq!(count.summary(0).contributions, 1);
    drop((follower, count));

    // Set the chain back to before the model existed.
    let head = stage.node.head().await.expect("a head").number;
    stage.roll_back(head - stage.from_block + 1).await;
    let rewound = queue.rewind(&stage.node).await.expect("rewound");
    assert_eq!(rewound.len(), 1);
    assert_eq!(rewound[0].to, None);
    assert_eq!(
        queue
            .chain_store()
            .beginnings(&stage.node)
            .await
            .expect("none"),
        []
    );
}

/// Another chain with the same addresses is not an earlier state of this chain.
#[tokio::test]
async fn rewind_refuses_another_chain() {
    let stage = Stage::new().await;
    let follower = stage.follow("other.db").await;
    follower.catch_up().await.expect("followed");
    drop(follower);
    let head = stage.node.head().await.expect("a head").number;
    let depth = head - stage.from_block + 2;
    stage.roll_back(depth).await;
    stage.mine(depth + 1).await;
    let path = stage.path("other.db").to_string_lossy().into_owned();
    let queue = Queue::open(&path).await.expect("a queue");
    let error = queue.rewind(&stage.node).await.expect_err("another chain");
    assert!(matches!(error, IndexError::OtherChain { .. }), "{error}");
}
