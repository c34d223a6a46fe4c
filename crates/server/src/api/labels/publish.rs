//! A labeling session's model on the chain: the plan of its deployment, and its labels as a table.

use std::fmt::Write as _;

use axum::{
    Json,
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use cotrain_active::{
    learner::Learner as _,
    session::{Session, SessionError},
};
use cotrain_client::{
    api::{Account, Wei},
    card::Card,
    deploy::{Blueprint, Outline, Plan},
};
use cotrain_learning::{
    encode::Encoder,
    text::{self, MAX_DESCRIPTION},
};
use cotrain_protocol::{classifier::Classifier, mechanism::Terms};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::call::{Call, OfSession, OnSession, no_store};
use crate::{
    api::{
        app::App,
        extract::{InPath, NoQuery},
        kinds::Kind,
        plans::{
            self, ContractView, Incentives, MarketBody, PlannedView, SOMEBODY, WaitsBody,
            WeightsDigest,
        },
        problem::Problem,
    },
    labels::Refusal,
};

/// Deployment of a session's model. What is left out has the default of `cotrain deploy`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::api) struct PublishBody {
    /// Name of the model.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// Purpose of the model, in one or a few sentences.
    #[schema(max_length = 4_000)]
    description: Option<String>,
    /// Names of the classes, by label; their numbers if they are left out.
    #[schema(max_items = 256)]
    classes: Option<Vec<String>>,
    /// Account that will deploy the model and own it. The plan depends on it in nothing but its
    /// gas, so it may be left out.
    owner: Option<Account>,
    /// Whether refunded contributions are counted, instead of taking deposits.
    #[serde(default)]
    points: bool,
    /// Cost weight of the deposit's formula, in wei; 10^12 by default.
    cost_weight: Option<Wei>,
    #[schema(inline)]
    waits: Option<WaitsBody>,
    /// Terms of a prediction market, if the model is to be the first one of a market.
    #[schema(inline)]
    market: Option<MarketBody>,
}

/// Plan of a session's deployment.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct PublishView {
    /// Id of the chain.
    chain_id: u64,
    /// Mechanism: `deposit-refund-take`, `points` or `prediction-market`.
    mechanism: String,
    /// Learner, such as `naive-bayes`.
    learner: String,
    /// Number of features of a sample.
    features: u32,
    /// Names of the classes, by label.
    classes: Vec<String>,
    /// Number of labeled rows that the model has learned from.
    trained_on: u64,
    weights: WeightsDigest,
    /// JSON of the model's card, as in `POST /v1/plans`.
    card: String,
    /// Contracts whose addresses are known before the first transaction.
    contracts: Vec<ContractView>,
    /// Transactions in their order, as in `POST /v1/plans`. A wallet of the owner signs them.
    transactions: Vec<PlannedView>,
}

/// Model that a session has learned, as a contract stores it.
struct Learned {
    classifier: Classifier,
    encoder: Encoder,
    classes: usize,
    rows: u64,
}

impl Learned {
    fn of(session: &Session) -> Result<Self, Problem> {
        let model = session.model().ok_or(SessionError::NoModel);
        let model = model.map_err(|error| Problem::from(Refusal::from(error)))?;
        let rejected = |detail| Problem::new(&Kind::LABELING_REJECTED, detail);
        let deployable = model.deployable().ok_or_else(|| {
            let kind = session.opening().learner;
            rejected(format!(
                "no contract runs a model by `{kind}`; take the labels along as a table and give it to `cotrain deploy`, or open a session with a contract's learner"
            ))
        })?;
        let (classifier, encoder) = deployable.model().ok_or_else(|| {
            let detail = "the model has learned too little; teach it labels of two classes first";
            rejected(detail.to_owned())
        })?;
        Ok(Self {
            classifier: classifier.clone(),
            encoder: encoder.clone(),
            classes: deployable.classes(),
            rows: session.rows() as u64,
        })
    }
}

impl PublishBody {
    fn terms(&self) -> Result<Terms, Problem> {
        let incentives = Incentives {
            points: self.points,
            cost_weight: self.cost_weight.as_ref(),
            waits: self.waits.as_ref(),
            market: self.market.as_ref(),
        };
        incentives.terms()
    }

    /// Returns the deployment of a model.
    fn plan(self, learned: Learned) -> Result<Plan, Problem> {
        let terms = self.terms()?;
        plans::named("name", &self.name)?;
        let description = self.description.unwrap_or_default();
        text::check("`description`", &description, MAX_DESCRIPTION)
            .map_err(|error| Problem::new(&Kind::INVALID_REQUEST, error))?;
        let numbers = || {
            (0..learned.classes)
                .map(|class| class.to_string())
                .collect()
        };
        let classes: Vec<String> = self.classes.unwrap_or_else(numbers);
        if classes.len() != learned.classes {
            let detail = format!(
                "`classes` has {} names; expected {}, one for each class of the session",
                classes.len(),
                learned.classes
            );
            return Err(Problem::new(&Kind::INVALID_REQUEST, detail));
        }
        let card = Card {
            name: self.name,
            description,
            classes,
            encoder: Some(learned.encoder),
            from_block: 0,
        };
        card.check().map_err(|error| plans::unfit(&error))?;
        Ok(Plan {
            owner: self.owner.map_or(SOMEBODY, |owner| owner.0),
            terms,
            classifier: learned.classifier,
            card,
        })
    }
}

/// Plans the deployment of a labeling session's model: lists the transactions that put it on the chain.
///
/// It is for sessions with a contract's learner, whose model goes to the chain as it is. The coordinator
/// signs and sends nothing: a wallet of the owner sends the transactions in order. It is free.
#[utoipa::path(
    post, path = "/v1/label/sessions/{session}/publish", tag = "labels", operation_id = "publishSession",
    params(OfSession), security(("session" = [])),
    request_body(content = PublishBody, example = json!({"name": "spam", "classes": ["ham", "spam"]})),
    responses(
        (status = 200, description = "The plan.", body = PublishView),
        (status = 401, description = "The token is missing, or not that of the session."),
        (status = 404, description = "The session is unknown, or the coordinator plans nothing: `api.max_plan_bytes` is 0."),
        (status = 422, description = "The body does not match the schema, or no contract runs the session's model."),
    ),
)]
pub(in crate::api) async fn publish(
    State(app): State<App>,
    InPath(path): InPath<OfSession>,
    _query: NoQuery,
    call: Call<PublishBody>,
) -> Result<Response, Problem> {
    let (session, body): (OnSession, _) = call.on(&app, &path)?;
    let learned = session.read(|session, _| Learned::of(session)).await?;
    let rows = learned.rows;
    let plan = body.plan(learned)?;
    let card = plan.card.to_json().map_err(|error| plans::unfit(&error))?;
    let parameters = *plan.classifier.parameters();
    let (mechanism, classes) = (plan.terms.mechanism(), plan.card.classes.clone());
    let (blueprint, outline): (Blueprint, Outline) = plans::outlined(&app, plan).await?;
    let view = PublishView {
        chain_id: app.index().chain_id(),
        mechanism: mechanism.name().to_owned(),
        learner: parameters.kind().name().to_owned(),
        features: parameters.features(),
        classes,
        trained_on: rows,
        weights: WeightsDigest::of(&blueprint),
        card,
        contracts: outline.contracts.into_iter().map(Into::into).collect(),
        transactions: outline.transactions.into_iter().map(Into::into).collect(),
    };
    Ok(([no_store()], Json(view)).into_response())
}

/// Returns the labeled rows of a labeling session as a table, with the consensus as labels. It is free.
///
/// Its columns are `0`, `1` and so on, then `label`. `cotrain deploy --data` and
/// `cotrain contribute --data` take it.
#[utoipa::path(
    get, path = "/v1/label/sessions/{session}/examples", tag = "labels", operation_id = "getExamples",
    params(OfSession), security(("session" = [])),
    responses(
        (status = 200, description = "The table.", content_type = "text/csv", body = String),
        (status = 401, description = "The token is missing, or not that of the session."),
        (status = 404, description = "The session is unknown."),
    ),
)]
pub(in crate::api) async fn examples(
    State(app): State<App>,
    InPath(path): InPath<OfSession>,
    _query: NoQuery,
    call: Call,
) -> Result<Response, Problem> {
    let labels = app.labels();
    let entry = labels.find(&path.session, call.presented())?;
    let table = labels.make(&entry, table).await?;
    let content = (CONTENT_TYPE, "text/csv; charset=utf-8".to_owned());
    Ok(([content, no_store()], table).into_response())
}

/// Returns the labeled rows of a session as CSV.
fn table(session: &Session) -> String {
    let features = session.opening().features;
    let (numbers, labels) = session.labeled();
    let mut table = String::new();
    for column in 0..features {
        // Writing into a string does not fail.
        let _ = write!(table, "{column},");
    }
    table.push_str("label\n");
    for (row, label) in labels.iter().enumerate() {
        for number in &numbers[row * features..(row + 1) * features] {
            let _ = write!(table, "{number},");
        }
        let _ = writeln!(table, "{label}");
    }
    table
}
