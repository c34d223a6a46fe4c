//! Reading models, contributions and accounts.

use axum::{body::Body, http::Request};
use cotrain_chain::node::Block;
use serde_json::json;

use crate::client::Client;

#[tokio::test]
async fn list_shows_models_in_pages_by_trainer() {
    let client = Client::new().await;
    let mut trainers = client.world.models().map(|(trainer, _)| trainer);
    trainers.sort_unstable();
    let [first, second, third] = trainers.map(|trainer| trainer.to_string());
    let page = client.json("/v1/models?limit=2").await;
    assert_eq!(page["rows"][0]["trainer"], first);
    assert_eq!(page["rows"][1]["trainer"], second);
    let next = page["next"].as_str().unwrap();
    assert_eq!(next, format!("/v1/models?after={second}&limit=2"));
    let page = client.json(next).await;
    assert_eq!(page["rows"][0]["trainer"], third);
    assert_eq!(page["next"], json!(null));
}

#[tokio::test]
async fn model_view_says_what_a_model_is_and_its_state() {
    let client = Client::new().await;
    let (texts, table, raw) = (client.world.texts, client.world.table, client.world.raw);
    let model = client.json(&format!("/v1/models/{texts}")).await;
    assert_eq!(model["name"], "Reviews");
    assert_eq!(model["classNames"], json!(["bad", "good"]));
    assert_eq!(
        (&model["encodes"], &model["encoding"]),
        (&json!(true), &json!("sparse"))
    );
    assert_eq!(model["learner"], "sparse-perceptron");
    assert_eq!(
        model["parameters"],
        json!({"learningRate": 1, "intercept": "0", "smoothing": null})
    );
    assert_eq!(
        model["incentive"],
        json!({"kind": "deposit-refund-take", "costWeight": "1000000"})
    );
    let held = client.index().node().balance(texts).await.unwrap();
    assert_eq!(model["held"], held.to_string());
    assert_eq!(model["bounds"], json!(null));
    let numbers = client.json(&format!("/v1/models/{table}")).await;
    assert_eq!(
        numbers["bounds"],
        json!({"maxNumber": 4_096, "maxSquaredLength": "50331648"})
    );
    assert_eq!(model["block"], client.world.head);
    let raw = client
        .json(&format!("/v1/models/{raw}").to_lowercase())
        .await;
    assert_eq!(
        (&raw["name"], &raw["encodes"]),
        (&json!(null), &json!(false))
    );
    let author = client.world.author.address();
    let unknown = client.get(&format!("/v1/models/{author}")).await;
    assert_eq!(unknown.problem(404), "unknown-model");
    assert_eq!(unknown.json()["trainer"], author.to_string());
    assert_eq!(unknown.json()["instance"], format!("/v1/models/{author}"));
}

#[tokio::test]
async fn price_is_for_as_many_contributions_as_are_asked_for() {
    let client = Client::new().await;
    let path = format!("/v1/models/{}/price", client.world.raw);
    let [one, many] = [
        client.json(&path).await,
        client.json(&format!("{path}?n=100")).await,
    ];
    let wei = |price: &serde_json::Value, name: &str| {
        price[name].as_str().unwrap().parse::<u128>().unwrap()
    };
    assert_eq!((&one["n"], &many["n"]), (&json!(1), &json!(100)));
    assert_eq!(
        one["time"],
        client.index().now(),
        "the chain's time, not that of this machine"
    );
    // The price counts only a hundredth of the pause for each of the 100 contributions.
    // So the deposit is ten times as high, except for rounding.
    assert!(wei(&many, "each") > 9 * wei(&one, "each"));
    assert_eq!(wei(&many, "total"), 100 * wei(&many, "each"));
    for n in ["0", "1000001", "-1", "", "1e3"] {
        assert_eq!(
            client.get(&format!("{path}?n={n}")).await.problem(400),
            "invalid-query",
            "{n}"
        );
    }
}

#[tokio::test]
async fn weights_are_json_or_bytes_and_known_ones_are_not_sent_again() {
    let client = Client::new().await;
    let path = format!("/v1/models/{}/weights", client.world.raw);
    let weights = client.get(&path).await;
    let words = weights.json()["words"].as_str().unwrap().to_owned();
    // There are 100 weights of 16 bits, 16 in a word.
    assert_eq!(words.len(), 2 + 7 * 64);
    let hash = client.world.head_hash;
    assert_eq!(weights.json()["blockHash"], format!("{hash:?}"));
    let raw = client
        .get_with(&path, "accept", "application/octet-stream")
        .await;
    assert_eq!(raw.header("content-type"), "application/octet-stream");
    assert_eq!(
        (raw.header("x-block-number"), raw.body.len()),
        (client.world.head.to_string().as_str(), 7 * 32)
    );
    assert_ne!(raw.header("etag"), weights.header("etag"));
    assert!(raw.header("vary").contains("accept"));
    for (accept, bytes) in [
        ("application/json, application/octet-stream;q=0.5", false),
        (
            "application/octet-stream;q=0.9, application/json;q=0.5",
            true,
        ),
        ("*/*", false),
    ] {
        let answer = client.get_with(&path, "accept", accept).await;
        assert_eq!(
            answer.header("content-type") != "application/json",
            bytes,
            "{accept}"
        );
    }

    let tag = weights.header("etag");
    for known in [tag, &format!("\"other\", {tag}"), &format!("W/{tag}"), "*"] {
        let answer = client.get_with(&path, "if-none-match", known).await;
        assert_eq!(
            (answer.status.as_u16(), answer.body.len()),
            (304, 0),
            "{known}"
        );
        assert_eq!(answer.header("etag"), tag);
    }
    let changed = client.get_with(&path, "if-none-match", "\"other\"").await;
    assert_eq!(changed.status, 200);
}

#[tokio::test]
async fn totals_are_the_sums_over_all_contributions() {
    let client = Client::new().await;
    let texts = client.world.texts;
    let model = format!("/v1/models/{texts}");
    let totals = client.json(&format!("{model}/totals")).await;
    let contributions = client.json(&format!("{model}/contributions")).await;
    let rows = contributions["rows"].as_array().unwrap();
    let wei = |value: &serde_json::Value| value.as_str().unwrap().parse::<u128>().unwrap();
    let sum = |of: &str| rows.iter().map(|row| wei(&row[of])).sum::<u128>();
    assert!(sum("taken") > 0, "a contribution is refunded");
    assert_eq!(wei(&totals["deposited"]), sum("deposit"));
    assert_eq!(wei(&totals["refunded"]), sum("taken"));
    assert_eq!(wei(&totals["open"]), sum("deposit") - sum("taken"));
    assert_eq!(
        (&totals["reported"], &totals["claimedLate"]),
        (&json!("0"), &json!("0"))
    );
    let facts = client.json(&model).await;
    assert_eq!(
        (&totals["held"], &totals["block"]),
        (&facts["held"], &facts["block"])
    );
    assert_eq!(
        totals["contributions"],
        json!({"open": rows.len() - 1, "reported": 0, "refunded": 1, "takenByReports": 0, "claimedLate": 0})
    );
    let nobody = format!("/v1/models/{}/totals", client.world.author.address());
    assert_eq!(client.get(&nobody).await.problem(404), "unknown-model");
}

#[tokio::test]
async fn list_filters_contributions_and_shows_them_in_pages() {
    let client = Client::new().await;
    let (texts, author) = (client.world.texts, client.world.author.address());
    let path = format!("/v1/models/{texts}/contributions");
    let positions = |page: &serde_json::Value| -> Vec<u64> {
        let rows = page["rows"].as_array().unwrap();
        rows.iter()
            .map(|row| row["position"].as_u64().unwrap())
            .collect()
    };
    let all = client.json(&path).await;
    assert_eq!(positions(&all), [0, 1, 2, 3, 4]);
    for row in all["rows"].as_array().unwrap() {
        // `batch` is the deprecated name.
        assert!(
            row["firstPosition"].as_u64() <= row["position"].as_u64(),
            "{row}"
        );
        assert!(
            row["firstPosition"].is_u64() && row["firstPosition"] == row["batch"],
            "{row}"
        );
    }
    assert_eq!(all["next"], json!(null));
    let page = client
        .json(&format!("{path}?author={author}&label=0&limit=2"))
        .await;
    assert_eq!(positions(&page), [0, 2]);
    let next = page["next"].as_str().unwrap();
    assert_eq!(
        next,
        format!("{path}?after=2&limit=2&author={author}&label=0")
    );
    assert_eq!(positions(&client.json(next).await), [4]);
    assert_eq!(
        positions(&client.json(&format!("{path}?open=false")).await),
        [0]
    );

    let one = client.json(&format!("{path}/0")).await;
    assert_eq!(one["sample"], "0x0002");
    assert_eq!(one["deposit"], client.world.deposit.to_string());
    assert_eq!(one["taken"], one["deposit"]);
    assert_eq!(
        (&one["settled"], &one["submission"]),
        (&json!("refunded"), &json!(null))
    );
    let relayed = client.json(&format!("{path}/4")).await;
    assert!(relayed["submission"].is_string(), "{relayed}");
    let announced = client.json(&format!("{path}/3")).await["announced"].clone();
    assert_eq!(
        (&announced, &one["announced"]),
        (&json!(client.world.announced), &json!(null))
    );
    let model = client.json(&format!("/v1/models/{texts}")).await;
    assert_eq!(model["waits"]["reportNotice"], 7_200);
    let claims = client.json(&format!("{path}/0/claims")).await;
    assert_eq!(claims["rows"][0]["kind"], "refund");
    let proof = client.json(&format!("{path}/3/proof")).await;
    assert!(
        proof["claims"]
            .as_str()
            .unwrap()
            .starts_with("0x0000000000000003")
    );
    for path in ["5", "5/claims", "5/proof", "9007199254740991"] {
        let answer = client
            .get(&format!("/v1/models/{texts}/contributions/{path}"))
            .await;
        assert_eq!(answer.problem(404), "unknown-contribution");
    }
    for position in ["-1", "x", "9007199254740992", "18446744073709551616", "%00"] {
        let answer = client.get(&format!("{path}/{position}")).await;
        assert_eq!(answer.problem(400), "invalid-path", "{position}");
    }
}

#[tokio::test]
async fn account_claimable_accuracy_and_transactions_show_the_state() {
    let client = Client::new().await;
    let (texts, author) = (client.world.texts, client.world.author.address());
    let path = format!("/v1/models/{texts}/accounts/{author}");
    let balance = client.world.balance.to_string();
    assert_eq!(
        client.json(&path).await,
        json!({
            "address": author.to_string(), "balance": balance, "committed": "0", "good": 1, "nextNonce": 2
        })
    );
    // A pending batch changes the account's figures.
    let submissions = format!("/v1/models/{texts}/submissions");
    let taken = client.post(&submissions, client.batch(5)).await;
    assert_eq!(taken.status, 202, "{}", taken.text());
    assert_eq!(
        client.json(&path).await,
        json!({
            "address": author.to_string(), "balance": balance, "committed": "5007", "good": 1, "nextNonce": 6
        })
    );
    let claimable = client.json(&format!("{path}/claimable?limit=2")).await;
    let rows = claimable["rows"].as_array().unwrap();
    let shown: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                &row["contribution"]["position"],
                &row["kind"],
                &row["possible"],
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            (&json!(1), &json!("report"), &json!(false)),
            (&json!(2), &json!("refund"), &json!(true)),
        ]
    );
    let reason = rows[0]["reason"].as_str().unwrap();
    assert!(reason.contains("announce"), "{reason}");
    assert_eq!(
        (&rows[0]["announce"], &rows[0]["until"]),
        (&json!(true), &json!(null))
    );
    let claimable = client.json(&format!("{path}/claimable")).await;
    let announced = &claimable["rows"][2];
    assert_eq!(announced["contribution"]["position"], 3);
    assert_eq!(announced["until"], client.world.announced + 2 * 7_200);

    client
        .change(&format!(
            "INSERT INTO accuracy (model, contributions, block, time, correct, samples) SELECT id, column1, column1, \
             1000 + column1, 70 + column1, 100 FROM models, (VALUES (10), (11), (12)) WHERE trainer = x'{texts:x}'"
        ))
        .await;
    let path = format!("/v1/models/{texts}/accuracy");
    let page = client.json(&format!("{path}?after=10&limit=1")).await;
    assert_eq!(page["rows"][0]["correct"], 81);
    assert_eq!(page["next"], format!("{path}?after=11&limit=1"));
    let unmeasured = client.json(&format!("/v1/models/{texts}")).await;
    assert_eq!(unmeasured["measured"], json!(null));
    let store = client.index().store();
    client.model(texts).reload(store).await.unwrap();
    let model = client.json(&format!("/v1/models/{texts}")).await;
    assert_eq!(
        (&model["accuracy"], &model["measured"]),
        (
            &json!(0.82),
            &json!({"block": 12, "time": 1_012, "contributions": 12, "correct": 82, "samples": 100})
        )
    );

    client
        .change(&format!(
            "INSERT INTO transactions (model, purpose, sender, nonce, target, data, gas_limit, created, state, block) \
             SELECT id, 'relay', zeroblob(20), 0, trainer, zeroblob(4), 21000, 999, 1, 10 FROM models \
             WHERE trainer = x'{texts:x}'"
        ))
        .await;
    client
        .change(
            "INSERT INTO attempts (transaction_id, hash, raw, max_fee, priority_fee, sent) VALUES \
             (1, zeroblob(32), x'', zeroblob(16), zeroblob(16), 999), \
             (1, randomblob(32), x'', randomblob(16), zeroblob(16), 999)",
        )
        .await;
    let sent = client.json("/v1/transactions").await;
    assert_eq!(sent["rows"][0]["hashes"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&sent["rows"][0]["state"], &sent["rows"][0]["gasUsed"]),
        (&json!("included"), &json!(null))
    );
}

#[tokio::test]
async fn problem_names_what_is_wrong_with_a_request() {
    let client = Client::with(|config| config.max_page = 5).await;
    for (path, status, kind) in [
        ("/v2", 404, "not-found"),
        ("/v1/models/0x1", 400, "invalid-path"),
        ("/v1/models/%FF", 400, "invalid-path"),
        ("/v1/models?limit=0", 400, "invalid-query"),
        ("/v1/models?limit=6", 400, "invalid-query"),
        ("/v1/models?limit=1&limit=2", 400, "invalid-query"),
        ("/v1/models?pages=1", 400, "invalid-query"),
        ("/v1/models?after=1", 400, "invalid-query"),
        ("/v1/events?after=9007199254740992", 400, "invalid-query"),
        ("/health/live?x=1", 400, "invalid-query"),
        ("/problems/none", 404, "not-found"),
        ("/docs/none", 404, "not-found"),
    ] {
        assert_eq!(client.get(path).await.problem(status), kind, "{path}");
    }
    let model = format!("/v1/models/{}", client.world.texts);
    for (path, detail) in [
        (
            format!("{model}/contributions/abc"),
            "`position` is `abc`, expected a whole number, 0 or more",
        ),
        (
            format!("{model}/contributions/-1"),
            "`position` is `-1`, expected a whole number, 0 or more",
        ),
        (
            format!("{model}/price?n=x"),
            "`n` is `x`, expected a whole number",
        ),
        (
            format!("{model}/contributions?open=perhaps"),
            "`open` is `perhaps`, expected true or false",
        ),
        (
            format!("{model}/contributions?author=me"),
            "`author`: \"me\" is no address; expected 0x and 40 hexadecimal digits",
        ),
        (
            "/v1/models/model/price".to_owned(),
            "\"model\" is no address; expected 0x and 40 hexadecimal digits",
        ),
        (
            "/v1/models?pages=1".to_owned(),
            "`pages` is unknown, expected ",
        ),
        (
            "/v1/models?limit=1&limit=2".to_owned(),
            "`limit` is there twice, expected once",
        ),
        ("/v1/models/%FF".to_owned(), "`trainer` is not UTF-8"),
    ] {
        let answer = client.get(&path).await;
        let told = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(told.starts_with(detail), "{path}: {told}");
        for leak in ["u64", "deserialize", "Invalid URL", "URL:"] {
            assert!(!told.contains(leak), "{path}: {told}");
        }
    }
    assert_eq!(
        client.get(&format!("{model}?x")).await.problem(400),
        "invalid-query"
    );
    let put = Request::put(&model).body(Body::empty()).unwrap();
    let put = client.ask(put).await;
    assert_eq!(put.problem(405), "method-not-allowed");
    assert_eq!(put.header("allow"), "GET,HEAD");
    // Without a limit, a page has the default number of rows or the maximum, whichever is lower.
    assert_eq!(
        client.json(&format!("{model}/contributions")).await["rows"]
            .as_array()
            .unwrap()
            .len(),
        5
    );
}

#[tokio::test]
async fn problem_of_a_store_that_does_not_answer_hides_the_reasons() {
    let client = Client::new().await;
    client.index().store().close().await;
    let answer = client.get("/v1/events").await;
    assert_eq!(answer.problem(503), "unavailable");
    assert_eq!(answer.header("retry-after"), "5");
    for reason in ["database", "pool", "closed"] {
        assert!(!answer.text().contains(reason), "{}", answer.text());
    }
}

#[tokio::test]
async fn ready_names_the_reasons_if_it_is_false() {
    let client = Client::new().await;
    assert_eq!(
        client.json("/health/live").await["version"],
        env!("CARGO_PKG_VERSION")
    );
    let ready = client.json("/health/ready").await;
    assert_eq!(
        (&ready["head"], &ready["models"][0]["behind"]),
        (&json!(client.world.head), &json!(0))
    );
    assert_eq!(ready["models"].as_array().unwrap().len(), 3);
    let index = client.index();
    let head = index.node().head().await.unwrap();
    index.note_head(Block {
        number: head.number + 51,
        ..head
    });
    index.note_silence();
    index.note_trouble(client.world.raw, Some("it is torn".to_owned()));
    let answer = client.get("/health/ready").await;
    assert_eq!(answer.problem(503), "not-ready");
    let reasons = answer.json()["reasons"].clone();
    let raw = client.world.raw;
    assert_eq!(reasons[0], "the node does not answer");
    assert_eq!(
        reasons[1],
        format!("model {raw} cannot be vouched for: it is torn")
    );
    // Each of the three models is too far behind.
    assert_eq!(reasons.as_array().unwrap().len(), 5);
    index.store().close().await;
    let answer = client.get("/health/ready").await;
    assert_eq!(answer.json()["reasons"][0], "the store does not answer");
    assert_eq!(client.get("/health/live").await.status, 200);
}
