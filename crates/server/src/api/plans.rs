//! Plans of deployments: a model is trained on a file, and its transactions are listed for a wallet.
//!
//! Nothing of a file is kept: it is in memory until the answer is made, and no message is logged.

mod body;
mod fault;
mod view;

use std::time::Instant;

use axum::{
    Json,
    extract::{FromRequest, Request, State},
};
use cotrain_client::{
    deploy::{Blueprint, Given, MeasureError, Outline, Plan, StepGas},
    initial::InitialModel,
};
use cotrain_indexer::with_sources;
use cotrain_learning::initial::Prepared;
use serde::de::DeserializeOwned;

pub(super) use self::{
    body::{Incentives, MarketBody, SOMEBODY, WaitsBody, named},
    fault::unfit,
    view::{ContractView, PlannedView, WeightsDigest},
};
use self::{
    body::{LookBody, PlanBody, Wanted},
    view::{LookView, PlanView},
};
use super::{
    app::{App, Shared},
    extract::{InBody, NoQuery},
    kinds::Kind,
    planning::{Plans, busy},
    problem::Problem,
};

/// Maximum number of a model's numbers: classes times features.
const MAX_MODEL: usize = 1 << 19;

/// Maximum number of the features of all samples, times the classes. Training and measuring take
/// time in proportion to it.
const MAX_WORK: usize = 1 << 26;

/// Returns the bounds of plans.
fn plans(app: &Shared) -> Result<&Plans, Problem> {
    app.plans.as_ref().ok_or_else(|| {
        let detail = "this coordinator plans no deployments; its operator can set `api.max_plan_bytes`, or use the command `cotrain deploy`";
        Problem::new(&Kind::NOT_SERVED, detail)
    })
}

/// Body of a request to plan, received within the bounds.
pub(super) struct Received<T>(T);

impl<T: DeserializeOwned + Send> FromRequest<App> for Received<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let _upload = plans(app)?.uploads.try_acquire().map_err(|_| busy())?;
        let received = InBody::from_request(request, app);
        let received = tokio::time::timeout(app.timeout, received).await;
        let InBody(body) = received.map_err(|_| {
            let limit = humantime::format_duration(app.timeout);
            let detail = format!("the file did not arrive within {limit}; send a smaller one");
            Problem::new(&Kind::TIMED_OUT, detail)
        })??;
        Ok(Self(body))
    }
}

/// Works on a file, apart from the tasks that answer other requests.
async fn work<T: Send + 'static>(
    app: &App,
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let permit = plans(app)?.begin()?;
    let began = Instant::now();
    let worked = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        work()
    });
    let worked = worked.await.map_err(|_| {
        let detail = "the work on the file failed";
        Problem::new(&Kind::INTERNAL, detail)
    })?;
    tracing::debug!(seconds = began.elapsed().as_secs_f64(), "worked on a file");
    worked
}

/// Looks at a table before a model is planned.
///
/// It tells for each column what its values seem to be, and shows the first rows. The file is CSV,
/// TSV or Parquet, also gzipped, and nothing of it is kept.
#[utoipa::path(
    post, path = "/v1/plans/look", tag = "plans", operation_id = "look",
    request_body(content = LookBody, example = json!({"file": {"name": "mail.csv", "data": "0x6c6162656c2c746578740a7370616d2c77696e0a68616d2c68690a"}})),
    responses(
        (status = 200, description = "The columns and the first rows.", body = LookView),
        (status = 404, description = "The coordinator plans nothing: `api.max_plan_bytes` is 0."),
        (status = 422, description = "The body does not match the schema, or the file is no table."),
    ),
)]
pub(super) async fn look(
    State(app): State<App>,
    _query: NoQuery,
    Received(body): Received<LookBody>,
) -> Result<Json<LookView>, Problem> {
    let plans = plans(&app)?;
    let reading = body.reading()?;
    let content = body.file.content(plans.max_file, plans.bounds())?;
    let looked = work(&app, move || {
        let table = content.table(&reading).map_err(|error| unfit(&error))?;
        Ok(LookView::of(&table))
    });
    looked.await.map(Json)
}

/// Plans a deployment: trains, measures and rounds a model, and lists the transactions that put it
/// on the chain.
///
/// Training and figures are those of `cotrain deploy` with the same options. A wallet of the owner
/// sends the transactions in order. Nothing of the file or the plan is kept.
#[utoipa::path(
    post, path = "/v1/plans", tag = "plans", operation_id = "plan",
    request_body(content = PlanBody),
    responses(
        (status = 200, description = "The plan.", body = PlanView),
        (status = 404, description = "The coordinator plans nothing: `api.max_plan_bytes` is 0."),
        (status = 422, description = "The body does not match the schema, or no model can be made of the file."),
    ),
)]
pub(super) async fn plan(
    State(app): State<App>,
    _query: NoQuery,
    Received(body): Received<PlanBody>,
) -> Result<Json<PlanView>, Problem> {
    let plans = plans(&app)?;
    let wanted = body.wanted(plans.max_file, plans.bounds())?;
    let (model, blueprint, gas) = work(&app, move || train(&wanted)).await?;
    let outline = outline(&app, &blueprint, &gas).await?;
    PlanView::new(app.index().chain_id(), &model, &blueprint, outline).map(Json)
}

/// Measures a deployment, and lists its transactions.
pub(super) async fn outlined(app: &App, plan: Plan) -> Result<(Blueprint, Outline), Problem> {
    let measuring = work(app, move || {
        let parameters = plan.classifier.parameters();
        let (classes, features) = (parameters.classes(), parameters.features());
        check_size(classes.into(), features as usize)?;
        let gas = measure(&plan)?;
        Ok((plan.blueprint(), gas))
    });
    let (blueprint, gas) = measuring.await?;
    let outline = outline(app, &blueprint, &gas).await?;
    Ok((blueprint, outline))
}

/// Lists the transactions of a deployment to the chain.
async fn outline(app: &App, blueprint: &Blueprint, gas: &StepGas) -> Result<Outline, Problem> {
    let registry = app.coordinator.registry();
    let given = Given {
        registry,
        ..Given::default()
    };
    let node = app.index().node();
    let outline = Outline::of(node, blueprint, &given, gas).await;
    outline.map_err(|error| {
        tracing::warn!(error = %with_sources(&error), "cannot ask the node for a plan");
        let detail = "the node does not answer; try again later";
        Problem::new(&Kind::UNAVAILABLE, detail).retry_after(5)
    })
}

/// Trains a model within the bounds, and measures the gas of its deployment.
fn train(wanted: &Wanted) -> Result<(InitialModel, Blueprint, StepGas), Problem> {
    let prepared = Prepared::read(&wanted.options).map_err(|error| unfit(&error))?;
    bounded(&prepared)?;
    let model = InitialModel::train(&wanted.title, wanted.terms, wanted.owner, &prepared);
    let model = model.map_err(|error| unfit(&error))?;
    let gas = measure(&model.deployment)?;
    let blueprint = model.deployment.blueprint();
    Ok((model, blueprint, gas))
}

/// Measures the gas of a deployment.
fn measure(plan: &Plan) -> Result<StepGas, Problem> {
    plan.gas().map_err(|error| match error {
        MeasureError::Card(error) => unfit(&error),
        error @ MeasureError::Chain(_) => {
            tracing::error!(error = %with_sources(&error), "cannot measure a deployment");
            Problem::new(&Kind::INTERNAL, "the deployment cannot be measured")
        }
    })
}

/// Checks that a model is small enough for a coordinator.
fn check_size(classes: usize, features: usize) -> Result<(), Problem> {
    if classes * features > MAX_MODEL {
        let detail = format!(
            "{classes} classes times {features} features are more than {MAX_MODEL}; keep fewer features with `features` or `hashed`, or leave columns out"
        );
        return Err(Problem::new(&Kind::INVALID_DATA, detail));
    }
    Ok(())
}

/// Checks that model and samples are small enough for a coordinator.
fn bounded(prepared: &Prepared) -> Result<(), Problem> {
    let encoded = &prepared.encoded;
    let (classes, features) = (encoded.classes.len(), encoded.encoder.model_features());
    check_size(classes, features)?;
    // A number of a sample has at least 2 bytes.
    let samples = encoded.train.iter().chain(encoded.test.iter());
    let numbers: usize = samples.map(|(sample, _)| sample.len() / 2).sum();
    if numbers.saturating_mul(classes) > MAX_WORK {
        let detail = format!(
            "the examples have {numbers} features together, which times {classes} classes are more than {MAX_WORK}; send fewer examples, or use the command `cotrain deploy`"
        );
        return Err(Problem::new(&Kind::INVALID_DATA, detail));
    }
    Ok(())
}
