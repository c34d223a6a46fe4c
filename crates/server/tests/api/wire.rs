//! Answers read as types of the API's client.

use cotrain_client::api::{
    AccountAnswer, DelegationView, EncodingView, Incentive, ModelView, Price, Problem, Status,
    SubmissionView,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::client::{Client, KEEPER};

/// Reads an answer as a type of the client, and checks that the type keeps all of it.
pub(crate) fn read<T: DeserializeOwned + Serialize>(answer: &Value) -> T {
    let read = T::deserialize(answer).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), *answer);
    read
}

#[tokio::test]
async fn client_reads_all_of_every_answer() {
    let client = Client::new().await;
    let (texts, author) = (client.world.texts, client.world.author.address());
    for (trainer, _) in client.world.models() {
        let model: ModelView = read(&client.json(&format!("/v1/models/{trainer}")).await);
        assert_eq!(model.trainer.0, trainer);
        assert!(!matches!(model.encoding, EncodingView::Other(_)));
        assert!(matches!(model.incentive, Incentive::Known(_)));
    }
    let price: Price = read(&client.json(&format!("/v1/models/{texts}/price?n=4")).await);
    assert_eq!(price.total.0, price.each.0 * 4);
    let account: AccountAnswer = read(
        &client
            .json(&format!("/v1/models/{texts}/accounts/{author}"))
            .await,
    );
    assert_eq!(account.address.0, author);

    let submissions = format!("/v1/models/{texts}/submissions");
    let taken = client.post(&submissions, client.batch(0)).await;
    let submission: SubmissionView = read(&taken.json());
    assert_eq!(submission.status, Status::Waiting);
    let listed = client.json(&submissions).await;
    for row in listed["rows"].as_array().unwrap() {
        let submission: SubmissionView = read(row);
        assert!(!matches!(submission.status, Status::Other(_)));
    }

    let body = client.delegation(KEEPER, client.index().now() + 1_000);
    let delegations = format!("/v1/models/{texts}/delegations");
    let delegated = client.post(&delegations, body).await;
    let delegation: DelegationView = read(&delegated.json());
    assert_eq!(delegation.account.0, author);

    let other = client.batch_with(0, |batch| batch.fee += 1);
    let conflict = client.post(&submissions, other).await;
    assert_eq!(conflict.problem(409), "nonce-taken");
    let problem = Problem::read(&conflict.body);
    assert_eq!(serde_json::to_value(&problem).unwrap(), conflict.json());
    assert_eq!(problem.next_nonce(), conflict.json()["nextNonce"].as_u64());
    assert!(problem.next_nonce().is_some());
    assert_eq!(problem.message(), conflict.json()["detail"].as_str());
}
