//! Answers as the client of the API reads them.

use cotrain_client::api::{
    AccountAnswer, DelegationView, EncodingView, Incentive, ModelView, Price, Problem, Status,
    SubmissionView,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    client::Client,
    fake::{AUTHOR, RAW, TABLE, TEXTS},
    submissions::batch,
};

/// Reads an answer as a type of the client, and checks that nothing of it is lost.
fn read<T: DeserializeOwned + Serialize>(answer: &Value) -> T {
    let read = T::deserialize(answer).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), *answer);
    read
}

#[tokio::test]
async fn the_client_reads_all_of_every_answer() {
    let client = Client::new();
    for trainer in [TEXTS, TABLE, RAW] {
        let model: ModelView = read(&client.json(&format!("/v1/models/{trainer}")).await);
        assert_eq!(model.trainer.0, trainer);
        assert!(!matches!(model.encoding, EncodingView::Other(_)));
        assert!(matches!(model.incentive, Incentive::Known(_)));
    }
    let price: Price = read(&client.json(&format!("/v1/models/{TEXTS}/price?n=4")).await);
    assert_eq!(price.total.0, price.each.0 * 4);
    let account: AccountAnswer = read(
        &client
            .json(&format!("/v1/models/{TEXTS}/accounts/{AUTHOR}"))
            .await,
    );
    assert_eq!(account.address.0, AUTHOR);

    let submissions = format!("/v1/models/{TEXTS}/submissions");
    let taken = client.post(&submissions, batch(0)).await;
    let submission: SubmissionView = read(&taken.json());
    assert_eq!(submission.status, Status::Waiting);
    let listed = client.json(&submissions).await;
    for row in listed["rows"].as_array().unwrap() {
        let submission: SubmissionView = read(row);
        assert!(!matches!(submission.status, Status::Other(_)));
    }

    let keeper = client.json(&format!("/v1/models/{TEXTS}")).await["keeper"].clone();
    let body = json!({"reporter": AUTHOR, "keeper": keeper, "until": 5_000, "signature": "0x01"});
    let delegations = format!("/v1/models/{TEXTS}/delegations");
    let delegated = client.post(&delegations, body).await;
    let delegation: DelegationView = read(&delegated.json());
    assert_eq!(delegation.account.0, AUTHOR);

    let conflict = client.post(&submissions, batch(2)).await;
    assert_eq!(conflict.problem(409), "nonce-taken");
    let problem = Problem::read(&conflict.body);
    assert_eq!(serde_json::to_value(&problem).unwrap(), conflict.json());
    assert_eq!(problem.next_nonce(), conflict.json()["nextNonce"].as_u64());
    assert!(problem.next_nonce().is_some());
    assert_eq!(problem.words(), conflict.json()["detail"].as_str());
}
