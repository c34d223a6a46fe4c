//! Simulations that clients ask for.

use std::{fs, time::Duration};

use axum::{body::Body, http::Request};
use cotrain_simulator::{
    Options, Threads,
    scenario::{Scenario, settings::Setting},
    simulate,
};
use serde_json::{Value, json};

use crate::client::{Answer, Client};

/// Changes that make the run of `digits` short.
const SHORT: &str = "data.train_samples";

/// Waits until a simulation has ended, and returns its view.
async fn ended(client: &Client, path: &str) -> Value {
    loop {
        let view = client.json(path).await;
        if view["state"] == "done" || view["state"] == "failed" {
            return view;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn delete(client: &Client, path: &str) -> Answer {
    let request = Request::delete(path).body(Body::empty());
    client.ask(request.unwrap()).await
}

#[tokio::test]
async fn scenarios_have_their_numbers_with_bounds() {
    let client = Client::new().await;
    let page = client.json("/v1/scenarios").await;
    let rows = page["rows"].as_array().unwrap();
    let names: Vec<_> = rows
        .iter()
        .map(|row| row["name"].as_str().unwrap())
        .collect();
    let embedded: Vec<_> = Scenario::embedded().iter().map(|(name, _)| *name).collect();
    assert_eq!(names, embedded);
    let default = &rows[0];
    assert_eq!(default["runsHere"], true);
    assert_eq!(default["agents"][1]["side"], "hostile");
    let of = |path: &str| {
        let numbers = default["numbers"].as_array().unwrap();
        numbers
            .iter()
            .find(|number| number["path"] == path)
            .unwrap()
    };
    assert_eq!(
        of("incentive.refund_wait"),
        &json!({"path": "incentive.refund_wait", "unit": "seconds", "value": 86_400.0, "least": 1.0, "max": 1e12})
    );
    assert_eq!(of("agents.Good.mistakes")["unit"], "share");
    let reads_files = rows.iter().find(|row| row["name"] == "imdb-drt").unwrap();
    assert_eq!(reads_files["runsHere"], false);
}

#[tokio::test]
async fn simulate_gives_the_figures_of_the_same_run_elsewhere() {
    let client = Client::new().await;
    let changes =
        json!([{"path": SHORT, "value": 120}, {"path": "incentive.refund_wait", "value": 43_200}]);
    let body = json!({"scenario": "digits", "changes": changes, "seed": 7});
    let taken = client.post("/v1/simulations", &body).await;
    assert_eq!(taken.status, 202, "{}", taken.text());
    let path = taken.header("location").to_owned();
    assert_eq!(
        path,
        format!("/v1/simulations/{}", taken.json()["id"].as_str().unwrap())
    );
    let view = ended(&client, &path).await;
    assert_eq!(view["state"], "done", "{view}");
    assert_eq!(view["command"], "cotrain simulate digits.toml --seed 7");

    let settings = [
        (SHORT, 120.into()),
        ("incentive.refund_wait", "43200s".into()),
    ];
    let settings = settings.map(|(path, value)| Setting {
        path: path.to_owned(),
        value,
    });
    let scenario = Scenario::find("digits").unwrap().with(&settings).unwrap();
    assert_eq!(view["toml"], scenario.text());
    let options = Options {
        seed: 7,
        data_dir: None,
        relay: None,
        threads: Threads::Two,
    };
    let run = simulate(&scenario, &options, &mut |_| {}).unwrap();
    assert_eq!(view["summary"]["digest"], run.digest);
    assert_eq!(view["summary"]["contributions"], run.counts.contributions);

    let page = client.get(view["page"].as_str().unwrap()).await;
    assert!(page.header("content-type").starts_with("text/html"));
    let policy = page.header("content-security-policy");
    assert!(
        policy.starts_with("sandbox allow-scripts; default-src 'none'"),
        "{policy}"
    );
    assert!(!policy.contains("allow-same-origin"));
    assert!(page.text().contains(&run.digest));

    assert_eq!(delete(&client, &path).await.status, 204);
    assert_eq!(client.get(&path).await.problem(404), "unknown-simulation");
    assert_eq!(
        delete(&client, &path).await.problem(404),
        "unknown-simulation"
    );
}

#[tokio::test]
async fn submit_tells_the_place_in_the_queue_and_refuses_beyond_it() {
    let client = Client::set_up(|setup| setup.simulations.max_waiting = 1).await;
    let body = json!({"scenario": "movie-reviews"});
    let first = client.post("/v1/simulations", &body).await;
    let first = first.header("location").to_owned();
    while client.json(&first).await["state"] != "running" {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let unfinished = client.get(&format!("{first}/page")).await;
    assert_eq!(unfinished.problem(404), "no-page");
    let second = client.post("/v1/simulations", &body).await.json();
    assert_eq!(
        (&second["state"], &second["ahead"]),
        (&json!("waiting"), &json!(1))
    );
    let refused = client.post("/v1/simulations", &body).await;
    assert_eq!(refused.problem(503), "too-many-simulations");
    assert_eq!(refused.header("retry-after"), "10");
    assert_eq!(delete(&client, &first).await.status, 204);
    let second = format!("/v1/simulations/{}", second["id"].as_str().unwrap());
    while client.json(&second).await["state"] != "running" {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    client.coordinator.simulations().stop();
    assert_eq!(client.get(&second).await.problem(404), "unknown-simulation");
}

#[tokio::test]
async fn submit_refuses_hostile_scenarios() {
    let client = Client::new().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "label,text\nsecret,words\n").unwrap();
    let path = file.path().to_str().unwrap();
    let digits = Scenario::find("digits").unwrap().text().to_owned();
    let reads = |data: &str| digits.replace("source = \"digits\"", data);
    let deep = format!("a = {}1{}", "[".repeat(30_000), "]".repeat(30_000));
    for (toml, expected) in [
        (
            reads(&format!(
                "source = \"csv\"\ntrain = {path:?}\nlabel = \"label\"\ntext = \"text\""
            )),
            "reads files",
        ),
        (
            reads("source = \"csv\"\ntrain = \"/etc/passwd\"\nlabel = \"root\""),
            "reads files",
        ),
        (
            reads(&format!("source = \"movie-reviews\"\nencoder = {path:?}")),
            "reads files",
        ),
        (
            digits.replace("kind = \"flipper\"", "kind = \"sybil\"\nidentities = 1000"),
            "1001 accounts",
        ),
        (
            reads("source = \"movie-reviews\"\nhashed = 65536")
                .replace("dense-nearest-centroid", "naive-bayes"),
            "65536 features",
        ),
        (format!("{digits}# {}", "x".repeat(70_000)), "bytes long"),
        (deep, ""),
        ("\u{0}".to_owned(), ""),
        (String::new(), "missing field"),
    ] {
        let answer = client.post("/v1/simulations", json!({"toml": toml})).await;
        assert_eq!(answer.problem(422), "scenario-rejected", "{expected}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(expected), "{detail}");
        assert!(!detail.contains("secret"), "{detail}");
    }
    let change = |path: &str, value: Value| json!({"scenario": "digits", "changes": [{"path": path, "value": value}]});
    for body in [
        json!({"scenario": "../../etc/passwd"}),
        json!({"scenario": path}),
        json!({"scenario": "imdb-drt"}),
        change("data.source", json!("csv")),
        change("agents.Nobody.mistakes", json!(0)),
        change("incentive.refund_wait", json!("never")),
        change("agents.Good.mistakes", json!(1.5)),
        change(SHORT, json!(1.5)),
        change(&format!("{}a", "a.".repeat(199)), json!(1)),
    ] {
        let answer = client.post("/v1/simulations", &body).await;
        assert_eq!(answer.problem(422), "scenario-rejected", "{body}");
    }
    for body in [
        json!({}),
        json!({"scenario": "digits", "toml": digits}),
        change(&format!("{}a", "a.".repeat(40_000)), json!(1)),
        change(SHORT, json!("1".repeat(401))),
        json!({"scenario": "digits", "seed": -1}),
        json!({"scenario": "digits", "seed": 1_u64 << 60}),
        json!({"scenario": "digits", "data": "/etc"}),
        json!({"scenario": "digits", "changes": vec![json!({"path": SHORT, "value": 5}); 201]}),
    ] {
        let answer = client.post("/v1/simulations", &body).await;
        assert_eq!(answer.problem(422), "invalid-request", "{body}");
    }
}

#[tokio::test]
async fn simulations_can_be_switched_off() {
    let client = Client::set_up(|setup| setup.simulations.enabled = false).await;
    let answer = client
        .post("/v1/simulations", json!({"scenario": "digits"}))
        .await;
    assert_eq!(answer.problem(404), "not-served");
    let scenarios = client.json("/v1/scenarios").await;
    assert_eq!(scenarios["rows"][0]["runsHere"], false);
}

#[tokio::test]
async fn sweeps_are_those_of_the_folder_and_nothing_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let sweeps = folder.path().join("sweeps");
    fs::create_dir_all(sweeps.join("lazy-1")).unwrap();
    fs::write(sweeps.join("lazy-1/report.html"), "<p>charts</p>").unwrap();
    let figures = json!({"scenario": "lazy", "runs": 3, "of": 4, "points": []});
    fs::write(sweeps.join("lazy-1/summary.json"), figures.to_string()).unwrap();
    fs::write(folder.path().join("report.html"), "beside").unwrap();
    let client = Client::set_up(|setup| setup.simulations.sweeps = Some(sweeps)).await;
    let page = "/v1/sweeps/lazy-1/page";
    assert_eq!(
        client.json("/v1/sweeps").await,
        json!({"rows": [{"name": "lazy-1", "scenario": "lazy", "runs": 3, "of": 4, "page": page}], "next": null})
    );
    let answer = client.get(page).await;
    assert_eq!(answer.text(), "<p>charts</p>");
    assert!(
        answer
            .header("content-security-policy")
            .starts_with("sandbox")
    );
    for name in [
        "..",
        ".",
        "%2e%2e",
        "..%2f..%2fetc",
        "lazy-1%2f..",
        "lazy-2",
        "lazy-1%00",
    ] {
        let answer = client.get(&format!("/v1/sweeps/{name}/page")).await;
        assert_eq!(answer.status, 404, "{name}: {}", answer.text());
    }
    let none = Client::new().await;
    assert_eq!(none.json("/v1/sweeps").await["rows"], json!([]));
    assert_eq!(none.get(page).await.problem(404), "unknown-sweep");
}
