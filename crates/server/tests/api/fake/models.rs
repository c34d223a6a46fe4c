//! The models of the fake coordinator.

use std::sync::Arc;

use alloy_primitives::{Address, B256, U256};
use cotrain_client::model::ModelFacts;
use cotrain_indexer::{ModelInfo, Summary, card::Card};
use cotrain_learning::{
    data::{Source, TableFormat, load},
    encode::{Encoder, encode},
};
use cotrain_protocol::{
    Rejection,
    classifier::{Classifier, Kind, Parameters},
    mechanism::Terms,
    trainer::{Incentive, Waits},
};

use cotrain_server::api::Model;

use super::{CHAIN, RAW, TABLE, TEXTS};

pub(crate) struct FakeModel {
    info: ModelInfo,
    classifier: Classifier,
}

/// One of texts, one of a table, and one without a card.
pub(super) fn all() -> Vec<Arc<FakeModel>> {
    let sparse = |features| Parameters::SparsePerceptron {
        features,
        learning_rate: 1,
        intercept: 0,
    };
    let texts = "label,text\nbad,dull film\ngood,great film\n";
    let table = "label,width,height\nsmall,1,2\nlarge,3,4\n";
    let table = encoder(Kind::DensePerceptron, table, None);
    // Two columns, and the constant that nobody is asked for.
    let dense = Parameters::DensePerceptron {
        features: 3,
        learning_rate: 1,
        intercept: 0,
        bounds: table.0.bounds().expect("numbers"),
    };
    vec![
        model(TABLE, dense, Some(card("Sizes", table))),
        model(RAW, sparse(100), None),
        model(
            TEXTS,
            sparse(3),
            Some(card(
                "Reviews",
                encoder(Kind::SparsePerceptron, texts, Some("text")),
            )),
        ),
    ]
}

fn encoder(kind: Kind, table: &str, text: Option<&str>) -> (Encoder, Vec<String>) {
    let directory = tempfile::tempdir().unwrap();
    let train = directory.path().join("train.csv");
    std::fs::write(&train, table).unwrap();
    let source = Source::Table {
        format: TableFormat::Csv,
        test: Some(train.clone()),
        train,
        label: "label".to_owned(),
        text: text.map(str::to_owned),
    };
    let encoded = encode(&load(&source, 0.5, 0).unwrap(), kind, None).unwrap();
    (encoded.encoder, encoded.classes)
}

fn model(trainer: Address, parameters: Parameters, card: Option<Card>) -> Arc<FakeModel> {
    let mut classifier = Classifier::new(parameters).unwrap();
    // The weight of feature 1 is 1, where there are weights.
    classifier.write(0, &[U256::from(1) << 16]).unwrap();
    let incentive = Incentive::DepositRefundTake {
        cost_weight: 1_000_000,
    };
    let waits = Waits {
        refund: 86_400,
        owner_claim: 604_800,
        any_address_claim: 777_600,
        report_notice: 7_200,
    };
    Arc::new(FakeModel {
        info: ModelInfo {
            facts: ModelFacts {
                chain_id: CHAIN,
                trainer,
                classifier: Address::repeat_byte(0x44),
                owner: Address::repeat_byte(0x55),
                terms: Terms::Trainer { incentive, waits },
                parameters,
                own_code: true,
                closed: true,
            },
            incentive,
            waits,
            contradiction: None,
            card,
            from_block: 5,
        },
        classifier,
    })
}

fn card(name: &str, (encoder, classes): (Encoder, Vec<String>)) -> Card {
    Card {
        name: name.to_owned(),
        description: format!("{name} and what they say"),
        classes,
        encoder: Some(encoder),
        from_block: 5,
    }
}

impl Model for FakeModel {
    fn info(&self) -> &ModelInfo {
        &self.info
    }
    fn summary(&self, now: u64) -> Summary {
        Summary {
            block: 20,
            block_hash: B256::repeat_byte(0xbb),
            contributions: 5,
            total_good: 1,
            last_contribution_time: 1_000,
            price: self.info.incentive.price(1, now - 1_000),
            accuracy: Some(0.75),
            held: u128::MAX,
        }
    }
    fn predict(&self, sample: &[u8]) -> Result<u16, Rejection> {
        self.classifier.predict(sample)
    }
    fn words(&self) -> (u64, B256, Vec<U256>) {
        (20, B256::repeat_byte(0xbb), self.classifier.words())
    }
}
