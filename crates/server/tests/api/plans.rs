//! Plans of deployments from files.

use std::{collections::HashMap, io::Write as _};

use alloy_primitives::{Address, B256, U256, hex, keccak256};
use cotrain_bindings::{self as bindings, events, market as calls};
use cotrain_chain::{anvil::AnvilConfig, node::NodeReceipt};
use cotrain_client::card::Card;
use cotrain_learning::{
    data::{Columns, Reading, Source, TableFormat},
    encode,
    initial::{self, Initial, Prepared},
};
use cotrain_protocol::market::Phase;
use cotrain_test_support::Stage;
use flate2::{
    Compression,
    write::{GzEncoder, ZlibEncoder},
};
use serde_json::{Value, json};

use crate::client::{Api, Client, Setup};

/// A table from which plants can be told by size, color and whether they are wild.
fn plants() -> String {
    let row = |at: usize| {
        let big = at.is_multiple_of(2);
        let color = ["red", "green", "blue"][(at * 5 + usize::from(big)) % 3];
        let kind = if big { "tree" } else { "herb" };
        let size = if big { 20 } else { 5 } + at % 7;
        format!("{kind},{size},{color},{}", at.is_multiple_of(3))
    };
    let header = "kind,size,color,wild".to_owned();
    let rows: Vec<String> = std::iter::once(header).chain((0..40).map(row)).collect();
    rows.join("\n") + "\n"
}

fn file(name: &str, bytes: impl AsRef<[u8]>) -> Value {
    json!({"name": name, "data": format!("0x{}", hex::encode(bytes))})
}

/// Returns the body for a plan of the plants, with some fields replaced.
fn body(owner: Address, change: &Value) -> Value {
    let mut body = json!({
        "file": file("plants.csv", plants()),
        "owner": owner,
        "name": "plants",
        "label": "kind",
    });
    let fields = body.as_object_mut().unwrap();
    fields.extend(change.as_object().unwrap().clone());
    body
}

/// Sends the transactions of a plan as a wallet would, and returns the addresses of its contracts.
pub(crate) async fn send(stage: &Stage, plan: &Value) -> HashMap<String, Address> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut known: HashMap<String, Address> = plan["contracts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (text(&it["contract"]), text(&it["address"]).parse().unwrap()))
        .collect();
    let mut closed = 0;
    for step in plan["transactions"].as_array().unwrap() {
        let to = match (step["to"].as_str(), step["toContract"].as_str()) {
            (Some(address), None) => Some(address.parse().unwrap()),
            (None, Some(contract)) => Some(known[contract]),
            (None, None) => None,
            both => panic!("{both:?}"),
        };
        let data = if let Some(data) = step["data"].as_str() {
            let mut data = hex::decode(data).unwrap();
            for insert in step["inserts"].as_array().unwrap() {
                let offset = usize::try_from(insert["offset"].as_u64().unwrap()).unwrap();
                let address = known[insert["contract"].as_str().unwrap()];
                assert_eq!(data[offset..offset + 20], [0; 20]);
                data[offset..offset + 20].copy_from_slice(address.as_slice());
            }
            data
        } else {
            let card = text(&plan["card"]);
            let card = card.strip_suffix("0}").expect("the block at the end");
            let mut deflated = ZlibEncoder::new(Vec::new(), Compression::fast());
            write!(deflated, "{card}{closed}}}").unwrap();
            bindings::register(known["trainer"], &deflated.finish().unwrap())
        };
        let receipt: NodeReceipt = stage.send(&stage.owner, to, 0, data).await;
        assert!(receipt.success, "{step}");
        let estimate = step["gas"].as_u64().unwrap();
        // Code that the CREATE2 deployer creates costs a little more.
        assert!(
            receipt.gas_used <= estimate * 11 / 10 && receipt.gas_used >= estimate * 9 / 10,
            "{}: {} of {estimate} gas",
            step["name"],
            receipt.gas_used
        );
        match step["name"].as_str().unwrap() {
            "model" => {
                let created = receipt
                    .logs
                    .iter()
                    .find_map(|log| events::model_created(&log.log));
                let created = created.expect("a model");
                known.insert("trainer".to_owned(), created.trainer);
                known.insert("classifier".to_owned(), created.classifier);
            }
            "closed" => closed = receipt.block,
            _ => {
                for contract in step["creates"].as_array().unwrap() {
                    let created = receipt.created;
                    known
                        .entry(text(contract))
                        .or_insert_with(|| created.unwrap());
                }
            }
        }
    }
    known
}

#[tokio::test]
async fn plan_is_the_model_of_the_library_and_its_transactions_deploy_it() {
    let stage = Stage::with(AnvilConfig::default()).await;
    let node = stage.node.clone();
    let api = Api::over(node.clone(), None, &[], Setup::new()).await;
    let owner = stage.owner.address();
    let answer = api.post("/v1/plans", body(owner, &json!({}))).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let plan = answer.json();

    // The same file on a disk gives the same model.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plants.csv");
    std::fs::write(&path, plants()).unwrap();
    let prepared = Prepared::read(&initial::Options {
        source: Source::Table {
            format: TableFormat::Csv,
            train: path,
            test: None,
            label: "kind".to_owned(),
            text: None,
            reading: Reading::default(),
            columns: Columns::default(),
        },
        initial: Initial::Share(0.5),
        seed: 1,
        learner: None,
        reserved_classes: Vec::new(),
        encoding: encode::Options::default(),
    });
    let prepared = prepared.unwrap();
    let trained = prepared.train().unwrap();
    let words = trained.classifier.words();
    let bytes: Vec<u8> = words.iter().flat_map(U256::to_be_bytes::<32>).collect();
    assert_eq!(
        plan["weights"],
        json!({"words": words.len(), "keccak256": keccak256(bytes)})
    );
    let confusion = &trained.confusion;
    assert_eq!(
        plan["evaluation"],
        json!({
            "n": confusion.n(),
            "correct": confusion.correct(),
            "accuracy": confusion.accuracy(),
            "interval": confusion.interval(),
            "majority": confusion.majority(),
            "confusion": confusion.rows(),
            "refused": 0,
        })
    );
    assert_eq!(plan["learner"], "dense-nearest-centroid");
    assert_eq!(plan["mechanism"], "deposit-refund-take");
    assert_eq!(plan["classes"], json!(["herb", "tree"]));
    assert_eq!(
        (&plan["chainId"], &plan["trainedOn"]),
        (&31337.into(), &16.into())
    );

    let known = send(&stage, &plan).await;
    let read = bindings::words(0, words.len());
    let found = node.call(known["classifier"], read, None).await.unwrap();
    assert_eq!(bindings::read_words(&found), Some(words));
    let entry = node
        .call(
            known["registry"],
            bindings::registry_entry(known["trainer"]),
            None,
        )
        .await;
    let entry = bindings::read_registry_entry(&entry.unwrap())
        .unwrap()
        .expect("an entry");
    let card = cotrain_client::registry::card_of(&node, known["registry"], &entry).await;
    let card: Card = card.unwrap().expect("a card");
    assert_eq!(card.name, "plants");
    assert_eq!(card.from_block + 1, entry.card_block);

    // A further model needs no code that the chain has already.
    let api = Api::over(node, Some(known["registry"]), &[], Setup::new()).await;
    let change = json!({"points": true, "name": "more"});
    let answer = api.post("/v1/plans", body(owner, &change)).await.json();
    let names = |plan: &Value, list: &str, key: &str| -> Vec<String> {
        let all = plan[list].as_array().unwrap().iter();
        all.map(|it| it[key].as_str().unwrap().to_owned()).collect()
    };
    let steps = names(&answer, "transactions", "name");
    assert_eq!(
        steps,
        ["trainer", "model", "words 0", "closed", "registered"]
    );
    let registry = known["registry"].to_checksum(None);
    assert_eq!(
        answer["contracts"][0],
        json!({"contract": "registry", "address": registry, "exists": true})
    );
    let contracts = names(&answer, "contracts", "contract");
    assert_eq!(
        contracts,
        ["registry", "factory", "trainer-code", "classifier-code"]
    );
}

#[tokio::test]
async fn look_tells_what_columns_seem_to_be() {
    let client = Client::new().await;
    let look = json!({"file": file("plants.csv", plants())});
    let answer = client.post("/v1/plans/look", look).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let look = answer.json();
    assert_eq!((&look["rows"], &look["count"]), (&40.into(), &4.into()));
    let columns = look["columns"].as_array().unwrap();
    let looks: Vec<_> = columns
        .iter()
        .map(|it| it["looks"].as_str().unwrap())
        .collect();
    assert_eq!(looks, ["categorical", "numeric", "categorical", "boolean"]);
    assert_eq!(
        columns[0]["common"],
        json!([{"value": "herb", "rows": 20}, {"value": "tree", "rows": 20}])
    );
    assert_eq!(look["preview"][0], json!(["tree", "20", "green", "true"]));
    assert_eq!(look["preview"].as_array().unwrap().len(), 8);
    // A .tsv file, gzipped; with a hostile value, which is cut and escaped.
    let table = format!("a\tb\n\u{202e}{}\t\n", "x".repeat(1_000));
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(table.as_bytes()).unwrap();
    let look = json!({"file": file("t.tsv.gz", packed.finish().unwrap())});
    let look = client.post("/v1/plans/look", look).await.json();
    let shown = look["preview"][0][0].as_str().unwrap();
    assert!(
        shown.len() < 200 && shown.starts_with("\\u{202e}xx"),
        "{shown}"
    );
    assert_eq!(look["columns"][1]["looks"], "empty");
}

#[tokio::test]
async fn plan_refuses_files_and_options_and_says_why() {
    let client = Client::with(|api| api.max_plan_bytes = 4_096).await;
    let owner = client.world.author.address();
    let refused = async |change: Value, status, kind: &str| {
        let answer = client.post("/v1/plans", body(owner, &change)).await;
        assert_eq!(answer.problem(status), kind, "{}", answer.text());
        answer.json()["detail"].as_str().unwrap().to_owned()
    };
    let invalid = async |change| refused(change, 422, "invalid-data").await;
    let table = plants().replacen("tree,22", "tree,much", 1);
    let detail = invalid(json!({"file": file("plants.csv", table)})).await;
    assert!(
        detail.contains("line 4: column `size` has `much`, expected a number"),
        "{detail}"
    );
    let detail = invalid(json!({"label": "sort"})).await;
    assert!(detail.contains("has no column `sort`"), "{detail}");
    let detail = invalid(json!({"file": file("plants.xls", "")})).await;
    assert!(detail.contains(".csv, .tsv, .txt or .parquet"), "{detail}");
    // A file that says more than it may, packed into few bytes.
    let packed = |text: String| {
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(text.as_bytes()).unwrap();
        file("t.csv.gz", packed.finish().unwrap())
    };
    let detail = invalid(json!({"file": packed("a".repeat(17_000))})).await;
    assert!(detail.contains("unpacked"), "{detail}");
    let detail = invalid(json!({"file": packed(",".repeat(10_000))})).await;
    assert!(detail.contains("10001 columns"), "{detail}");
    // As many columns of numbers as bytes.
    let wide = format!("kind{}\n{}", ",".repeat(80), "a\n".repeat(2));
    let detail = invalid(json!({"file": file("t.csv", wide)})).await;
    assert!(detail.contains("more than one column"), "{detail}");
    let texts = (0..60).map(|at| format!("k{},word{at} w{at}", at % 30));
    let texts = texts.collect::<Vec<_>>().join("\n");
    let texts = file("t.csv", format!("kind,text\n{texts}"));
    let change = json!({"file": texts, "text": "text", "hashed": 65_536});
    let detail = invalid(change).await;
    assert!(detail.contains("features are more than"), "{detail}");
    let long = "x".repeat(4_097);
    let detail = refused(json!({"file": file("t.csv", long)}), 413, "too-large").await;
    assert!(detail.contains("4097 bytes"), "{detail}");
    let longer = "x".repeat(200_000);
    refused(json!({"file": file("t.csv", longer)}), 413, "too-large").await;

    let invalid = async |change| refused(change, 422, "invalid-request").await;
    let detail = invalid(json!({"waits": {"refund": 99, "ownerClaim": 9}})).await;
    assert!(detail.contains("shorter than the refund wait"), "{detail}");
    invalid(json!({"costWeight": "0"})).await;
    invalid(json!({"costWeight": "1", "points": true})).await;
    invalid(json!({"name": ""})).await;
    invalid(json!({"initial": 0})).await;
    invalid(json!({"features": 9, "hashed": 9, "text": "color"})).await;
    invalid(json!({"learner": "oracle"})).await;
    invalid(json!({"drop": vec!["x".repeat(300)]})).await;
    invalid(json!({"more": 1})).await;
}

#[tokio::test]
async fn plan_tells_the_doubts_about_its_table() {
    let client = Client::new().await;
    let owner = client.world.author.address();
    let row = |at: usize| {
        let kind = ["herb", "tree"][at % 2];
        format!("{kind},{},{}", 10_001 + at * 997, at % 3)
    };
    let header = "kind,zip,grade".to_owned();
    let rows: Vec<String> = std::iter::once(header).chain((0..60).map(row)).collect();
    let change = json!({"file": file("numbers.csv", rows.join("\n"))});
    let answer = client.post("/v1/plans", body(owner, &change)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let plan = answer.json();
    assert_eq!(
        (&plan["columns"], &plan["columnCount"]),
        (&json!([]), &json!(2))
    );
    let doubts = plan["doubts"].as_array().unwrap();
    let told: Vec<_> = doubts
        .iter()
        .map(|it| (&it["kind"], &it["columns"]))
        .collect();
    assert_eq!(
        told,
        [
            (&json!("names"), &json!(["zip"])),
            (&json!("codes"), &json!(["grade"]))
        ]
    );
    let about = doubts[1]["about"].as_str().unwrap();
    assert!(about.contains("--type NAME=categorical"), "{about}");
}

#[tokio::test]
async fn plan_deploys_a_market_with_its_terms() {
    let stage = Stage::with(AnvilConfig::default()).await;
    let node = stage.node.clone();
    let api = Api::over(node.clone(), None, &[], Setup::new()).await;
    let terms = json!({"stake": "7", "participation": 300, "mostPasses": 3});
    let change = json!({"market": terms});
    let answer = api.post("/v1/plans", body(stage.owner.address(), &change));
    let answer = answer.await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let plan = answer.json();
    assert_eq!(plan["mechanism"], "prediction-market");
    let market = send(&stage, &plan).await["trainer"];
    let number = async |call: Vec<u8>| -> u64 {
        let answer = node.call(market, call, None).await.unwrap();
        bindings::read_number(&answer).unwrap().to()
    };
    assert_eq!(number(bindings::state::price(1)).await, 7);
    let phase = node.call(market, calls::state::phase(), None).await;
    assert_eq!(calls::read_phase(&phase.unwrap()), Some(Phase::Created));
    let owner = node.call(market, bindings::state::owner(), None).await;
    assert_eq!(
        bindings::read_address(&owner.unwrap()),
        Some(stage.owner.address())
    );
    // The model obeys the market, or nobody could lock a bounty.
    let commitments = [B256::ZERO, B256::repeat_byte(1)];
    let call = calls::commit(&commitments);
    let receipt = stage.send(&stage.owner, Some(market), 1, call).await;
    assert!(receipt.success);

    for (change, text) in [
        (json!({"market": {"stake": "0"}}), "expected 1 to 2^96 - 1"),
        (json!({"market": {}, "points": true}), "leave them out"),
        (json!({"market": {}, "waits": {}}), "leave them out"),
    ] {
        let answer = api.post("/v1/plans", body(stage.owner.address(), &change));
        let answer = answer.await;
        assert_eq!(answer.problem(422), "invalid-request");
        let detail = answer.json()["detail"].to_string();
        assert!(detail.contains(text), "{detail}");
    }
}

#[tokio::test]
async fn plan_can_be_switched_off() {
    let client = Client::with(|api| api.max_plan_bytes = 0).await;
    let owner = client.world.author.address();
    let answer = client.post("/v1/plans", body(owner, &json!({}))).await;
    assert_eq!(answer.problem(404), "not-served");
    let look = json!({"file": file("plants.csv", plants())});
    let answer = client.post("/v1/plans/look", look).await;
    assert_eq!(answer.problem(404), "not-served");
}
