//! Deployment through a node and in the process: the same list of transactions, each made only
//! once.

use std::collections::BTreeSet;

use alloy_primitives::U256;
use cotrain_chain::{
    Config, Embedded,
    anvil::{Anvil, AnvilConfig},
    keys::Key,
    node::{Node, NodeOptions},
};
use cotrain_client::{
    budget::Budget,
    card::Card,
    deploy::{Blueprint, DeployEvent, Deployed, Deployer, Given, Part, REGISTERED, deploy_with},
    journal::{Facts, Journal},
    model::ModelFacts,
    predict::{self, PredictError},
    send::Sender,
};
use cotrain_protocol::{
    classifier::{Classifier, Parameters},
    market,
    mechanism::Terms,
    sample::encode_sparse,
    trainer::{Incentive, Waits},
};
use tokio::sync::mpsc;

/// Returns the terms of a trainer and of a market.
fn terms() -> [Terms; 2] {
    let trainer = Terms::Trainer {
        incentive: Incentive::DepositRefundTake { cost_weight: 1 },
        waits: Waits {
            refund: 1,
            owner_claim: 2,
            any_address_claim: 3,
            report_notice: 0,
        },
    };
    let market = Terms::Market(market::Terms {
        stake: 1,
        participation: 60,
        reveal_wait: 60,
        scoring_wait: 60,
        most_contributions: 10,
        most_passes: 1,
    });
    [trainer, market]
}

/// Returns a model whose words take two transactions.
fn model() -> Classifier {
    let parameters = Parameters::SparsePerceptron {
        features: 10_000,
        learning_rate: 1,
        intercept: 0,
    };
    let mut words = vec![U256::ZERO; parameters.word_count()];
    words[3] = U256::ONE;
    words[520] = U256::from(7);
    Classifier::from_words(parameters, &words).expect("a model")
}

/// Deploys through a node, and kills the deployment after each new transaction. Returns the names
/// of its steps in order.
async fn deploy_in_pieces(
    node: &Node,
    blueprint: &Blueprint,
    given: &Given,
) -> (Deployed, Vec<String>) {
    let key = Key::development(0);
    let folder = tempfile::tempdir().expect("a folder");
    let card = Card {
        name: "it".to_owned(),
        description: String::new(),
        classes: vec!["no".to_owned(), "yes".to_owned()],
        encoder: None,
        from_block: 0,
    };
    let (tell, mut told) = mpsc::unbounded_channel();
    let report = |reported: DeployEvent<'_>| {
        if let DeployEvent::Done { step, .. } = reported {
            let _ = tell.send(step.to_owned());
        }
    };
    let (mut seen, mut order) = (BTreeSet::new(), Vec::new());
    loop {
        let budget = Budget::default();
        let sender = Sender {
            node,
            key: &key,
            max_fee: None,
            budget: &budget,
            settings: "none",
        };
        let journal = Journal::open(folder.path(), Facts::new(), Facts::new()).expect("a journal");
        let mut steps = Deployer::new(sender, journal, &report);
        let mut run = Box::pin(steps.run(blueprint, given, &card));
        let deployed = loop {
            tokio::select! {
                biased;
                Some(step) = told.recv() => {
                    if seen.insert(step.clone()) {
                        order.push(step);
                        break None;
                    }
                }
                deployed = &mut run => break Some(deployed.expect("deployed")),
            }
        };
        if let Some(deployed) = deployed {
            while let Ok(step) = told.try_recv() {
                if seen.insert(step.clone()) {
                    order.push(step);
                }
            }
            return (deployed, order);
        }
    }
}

#[tokio::test]
async fn deployer_and_deploy_with_send_one_list_of_transactions() {
    let anvil = Anvil::spawn(&AnvilConfig::default()).expect("anvil: scripts/setup installs it");
    let node = Node::connect(anvil.url(), NodeOptions::default())
        .await
        .expect("a node");
    let owner = Key::development(0).address();
    let mut given = Given::default();
    let mut sent = 0;
    for terms in terms() {
        let blueprint = Blueprint::new(terms, &model());
        let mut here = Vec::new();
        let mut chain = Embedded::new(Config {
            start: 1,
            gas_price: 0,
        });
        deploy_with(&mut chain, owner, &blueprint, |name, _| {
            here.push(name.to_owned());
        })
        .expect("deployed");

        let (deployed, steps) = deploy_in_pieces(&node, &blueprint, &given).await;
        // The chain already has the parts of the first deployment. The registry is not on the list.
        let reused: Vec<_> = deployed.reused.iter().map(|part| part.name()).collect();
        here.retain(|name| !reused.contains(&name.as_str()));
        if given.registry.is_none() {
            assert_eq!(reused, [""; 0]);
            here.insert(0, "registry".to_owned());
        } else {
            assert_eq!(deployed.reused, [Part::Factory, Part::Classifier]);
        }
        here.push(REGISTERED.to_owned());
        assert_eq!(steps, here);
        assert_eq!(deployed.transactions, here.len() as u64);
        sent += here.len() as u64;
        assert_eq!(node.nonce(owner).await.expect("a nonce"), sent);

        let facts = ModelFacts::read(&node, deployed.trainer)
            .await
            .expect("a model");
        assert!(facts.own_code && facts.closed);
        assert_eq!(
            (facts.terms, facts.classifier),
            (terms, deployed.classifier)
        );
        let words = facts.words(&node, None).await.expect("words");
        assert_eq!(words, blueprint.words());
        given.registry = Some(deployed.registry);
    }
}

#[tokio::test]
async fn predict_and_evaluate_ask_the_contract_in_several_calls() {
    let anvil = Anvil::spawn(&AnvilConfig::default()).expect("anvil: scripts/setup installs it");
    let node = Node::connect(anvil.url(), NodeOptions::default())
        .await
        .expect("a node");
    let model = model();
    let [terms, _] = terms();
    let blueprint = Blueprint::new(terms, &model);
    let (deployed, _) = deploy_in_pieces(&node, &blueprint, &Given::default()).await;
    let facts = ModelFacts::read(&node, deployed.trainer)
        .await
        .expect("a model");
    let block = node.head().await.expect("a head").hash;

    let samples: Vec<Vec<u8>> = (0..120)
        .map(|feature| encode_sparse(&[feature, 8_320 + feature]))
        .collect();
    let mut samples: Vec<&[u8]> = samples.iter().map(Vec::as_slice).collect();
    let expected = model.predict_all(&samples).expect("predicted");
    assert!(expected.contains(&0) && expected.contains(&1));
    let mut labels = Vec::new();
    let predicted = predict::predict(&node, &facts, block, &samples, &mut labels).await;
    predicted.expect("predicted");
    assert_eq!(labels, expected);
    let labeled: Vec<_> = samples.iter().map(|sample| (1, *sample)).collect();
    let correct = predict::evaluate(&node, &facts, block, &labeled).await;
    let ones = expected.iter().filter(|label| **label == 1).count();
    assert_eq!(correct.expect("counted"), ones);

    // The labels before a refusal stay.
    samples[70] = &[7];
    labels.clear();
    let refused = predict::predict(&node, &facts, block, &samples, &mut labels).await;
    let error = refused.expect_err("no sample");
    assert!(matches!(error, PredictError::Refused(_)), "{error}");
    assert_eq!(labels, expected[..50]);
}
