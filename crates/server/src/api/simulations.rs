//! Simulations: the embedded scenarios, and runs that clients ask for.

use axum::{
    Json,
    extract::State,
    http::{
        StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY,
            X_CONTENT_TYPE_OPTIONS,
        },
    },
    response::{IntoResponse, Response},
};
use cotrain_simulator::{
    Progress,
    scenario::{
        Scenario,
        numbers::{Number, Unit},
        settings::Setting,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{
    app::App,
    extract::{InBody, InPath, NoQuery},
    kinds::Kind,
    page::{MAX, Rows},
    problem::Problem,
};
use crate::simulations::{Found, Job, Refusal, Stage, scenario};

/// Maximum number of changes to a scenario.
const MAX_CHANGES: usize = 200;

/// Maximum length of the path and of the text of a change, in bytes.
const MAX_CHANGE: usize = 400;

/// Policy of a page of results, which has its own styles and scripts within it. It loads nothing,
/// and the sandbox gives it an origin of its own, so it cannot use this API in its reader's name.
pub(super) const POLICY: &str = "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

/// Embedded scenario.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ScenarioView {
    name: String,
    /// Purpose, in a sentence.
    description: String,
    /// Data that it needs, in words.
    data: String,
    /// Whether this coordinator runs it. One that reads files needs `cotrain simulate`.
    runs_here: bool,
    agents: Vec<AgentView>,
    /// Numbers that it sets, with their bounds.
    numbers: Vec<NumberView>,
    /// Text of its file, in TOML.
    toml: String,
}

/// Agent of a scenario.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AgentView {
    name: String,
    /// Kind, such as `honest` or `copycat`.
    kind: String,
    /// Side: `honest`, `neutral` or `hostile`.
    side: String,
    /// Aim of such agents, in words.
    goal: String,
}

/// Number of a scenario.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct NumberView {
    /// Path of the key, such as `incentive.refund_wait` or `agents.Good.start_balance`.
    path: String,
    unit: UnitView,
    value: f64,
    /// Least value; other keys may narrow it.
    least: f64,
    /// Largest value; other keys may narrow it.
    max: f64,
}

/// Unit of a number: a share from 0 to 1, units of the scenario's money, seconds, a number of things,
/// or none.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum UnitView {
    Share,
    Money,
    Seconds,
    Count,
    Plain,
}

impl From<Number> for NumberView {
    fn from(number: Number) -> Self {
        Self {
            path: number.path,
            unit: match number.unit {
                Unit::Share => UnitView::Share,
                Unit::Money => UnitView::Money,
                Unit::Seconds => UnitView::Seconds,
                Unit::Count => UnitView::Count,
                Unit::Plain => UnitView::Plain,
            },
            value: number.value,
            least: number.least,
            max: number.max,
        }
    }
}

/// Returns the embedded scenarios, the default one first.
#[utoipa::path(
    get, path = "/v1/scenarios", tag = "simulations", operation_id = "listScenarios",
    responses((status = 200, description = "All embedded scenarios.", body = Rows<ScenarioView>)),
)]
pub(super) async fn scenarios(
    State(app): State<App>,
    _query: NoQuery,
) -> Result<Json<Rows<ScenarioView>>, Problem> {
    let view = |(name, text): &(&str, &str)| {
        let scenario = scenario(Some(name), None, &[])?;
        let agents = scenario.agents().map(|(name, strategy)| {
            let profile = strategy.profile();
            AgentView {
                name: name.to_owned(),
                kind: profile.kind.to_owned(),
                side: profile.stance.name().to_owned(),
                goal: profile.goal.to_owned(),
            }
        });
        Ok(ScenarioView {
            name: (*name).to_owned(),
            description: scenario.description().to_owned(),
            data: scenario.data_summary(),
            runs_here: app.simulations().takes(&scenario),
            agents: agents.collect(),
            numbers: scenario.numbers().into_iter().map(Into::into).collect(),
            toml: (*text).to_owned(),
        })
    };
    let rows: Result<Vec<_>, Refusal> = Scenario::embedded().iter().map(view).collect();
    Ok(Json(Rows {
        rows: rows?,
        next: None,
    }))
}

/// Simulation to run: an embedded scenario by its name, or a scenario's text.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct SimulationBody {
    /// Name of an embedded scenario; left out if there is `toml`.
    scenario: Option<String>,
    /// Text of a scenario that reads no file; left out if there is `scenario`.
    #[schema(max_length = 65536)]
    toml: Option<String>,
    /// Values to change in it.
    #[serde(default)]
    #[schema(max_items = 200)]
    changes: Vec<Change>,
    /// Seed of all random choices; 1 if it is left out.
    #[schema(minimum = 0, maximum = 9_007_199_254_740_991_u64)]
    seed: Option<u64>,
}

/// New value of a key of a scenario.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Change {
    /// Path of the key, such as `incentive.refund_wait` or `agents.Good.start_balance`.
    #[schema(max_length = 400)]
    path: String,
    value: ChangeValue,
}

/// Number in the unit of `GET /v1/scenarios`, or a text, such as `12 hours`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
enum ChangeValue {
    Number(f64),
    Text(String),
}

impl Change {
    /// Returns the length of the path or the text, in bytes, if it is above the maximum.
    fn too_long(&self) -> Option<usize> {
        let value = match &self.value {
            ChangeValue::Text(text) => text.len(),
            ChangeValue::Number(_) => 0,
        };
        Some(self.path.len().max(value)).filter(|length| *length > MAX_CHANGE)
    }

    /// Returns the change in the form that the scenario has at its path.
    fn setting(self, numbers: &[Number]) -> Setting {
        let Self { path, value } = self;
        let value = match value {
            ChangeValue::Text(text) => text.into(),
            ChangeValue::Number(value) => match numbers.iter().find(|it| it.path == path) {
                Some(number) => number.form(value),
                // Each number of a scenario may be whole, and some have to be.
                #[allow(clippy::cast_possible_truncation)]
                None if value.fract() == 0.0 && value.abs() < 1e15 => (value as i64).into(),
                None => value.into(),
            },
        };
        Setting { path, value }
    }
}

/// A simulation by its id.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OfSimulation {
    /// Id of the simulation.
    #[param(pattern = "^[0-9a-f]{32}$")]
    id: String,
}

/// State of a simulation.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SimulationView {
    id: String,
    state: SimulationState,
    /// Name of the scenario; `own` if it came as a text.
    scenario: String,
    seed: u64,
    /// Number of simulations that run before it; null unless it is waiting.
    ahead: Option<u64>,
    /// Progress of the run; null unless it is running, and until the first figures are there.
    progress: Option<ProgressView>,
    /// Figures of the ended run, as in its `summary.json`; null before.
    #[schema(value_type = Option<Object>)]
    summary: Option<Value>,
    /// Reason why it was stopped; null unless it has failed.
    reason: Option<String>,
    /// Path of the page; null until the run has ended.
    page: Option<String>,
    /// Command that gives the same results; a changed scenario has to be saved under that name before.
    command: String,
    /// Text of the scenario, with the changes.
    toml: String,
}

/// State of a simulation. `failed` means stopped at a bound, or impossible.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum SimulationState {
    Waiting,
    Running,
    Done,
    Failed,
}

/// Progress of a run.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProgressView {
    /// Contributions so far.
    contributions: u64,
    /// Number of contributions that the data allows.
    of: u64,
    /// Simulated seconds so far.
    seconds: u64,
    /// Contributions that still have something to claim.
    unclaimed: u64,
    /// Accuracy at the latest evaluation, from 0 to 1.
    accuracy: f64,
    /// Number of test samples, of which the accuracy is a share.
    samples: u64,
}

impl From<Progress> for ProgressView {
    fn from(progress: Progress) -> Self {
        Self {
            contributions: progress.contributions,
            of: progress.of,
            seconds: progress.seconds,
            unclaimed: progress.unclaimed,
            accuracy: progress.accuracy,
            samples: progress.samples,
        }
    }
}

impl SimulationView {
    fn of(id: String, Found { job, stage }: Found) -> Self {
        let mut view = Self {
            state: SimulationState::Waiting,
            scenario: job.scenario.name().to_owned(),
            seed: job.seed,
            ahead: None,
            progress: None,
            summary: None,
            reason: None,
            page: None,
            command: job.command(),
            toml: job.scenario.text().to_owned(),
            id,
        };
        match stage {
            Stage::Waiting(ahead) => view.ahead = Some(ahead as u64),
            Stage::Running(progress) => {
                view.state = SimulationState::Running;
                view.progress = progress.map(Into::into);
            }
            Stage::Done { summary, .. } => {
                view.state = SimulationState::Done;
                view.summary = Some(Value::clone(&summary));
                view.page = Some(format!("{}/page", path(&view.id)));
            }
            Stage::Failed(reason) => {
                view.state = SimulationState::Failed;
                view.reason = Some(reason);
            }
        }
        view
    }
}

fn path(id: &str) -> String {
    format!("/v1/simulations/{id}")
}

/// Takes a simulation.
///
/// One runs at a time, and a few more are pending. Each has bounds of time and size, and reads no
/// file. Whoever knows the id may see and cancel the run; the oldest results are forgotten.
#[utoipa::path(
    post, path = "/v1/simulations", tag = "simulations", operation_id = "simulate",
    request_body = SimulationBody,
    responses(
        (status = 202, description = "The simulation is taken.", body = SimulationView,
            headers(("Location" = String, description = "Path of the simulation's state."))),
        (status = 404, description = "No simulations are run here."),
        (status = 422, description = "The scenario is unknown, impossible or beyond the bounds."),
    ),
)]
pub(super) async fn submit(
    State(app): State<App>,
    _query: NoQuery,
    InBody(body): InBody<SimulationBody>,
) -> Result<Response, Problem> {
    if !app.simulations().is_enabled() {
        return Err(Refusal::Disabled.into());
    }
    let invalid = |detail: String| Err(Problem::new(&Kind::INVALID_REQUEST, detail));
    if body.scenario.is_some() == body.toml.is_some() {
        return invalid("expected either `scenario` or `toml`".to_owned());
    }
    if body.changes.len() > MAX_CHANGES {
        let found = body.changes.len();
        return invalid(format!(
            "there are {found} changes; expected at most {MAX_CHANGES}"
        ));
    }
    if let Some(long) = body.changes.iter().find_map(Change::too_long) {
        return invalid(format!(
            "a path or a value of the changes has {long} bytes; expected at most {MAX_CHANGE}"
        ));
    }
    let seed = body.seed.unwrap_or(1);
    if seed > MAX {
        return invalid(format!("seed is {seed}; expected a number from 0 to {MAX}"));
    }
    let unchanged = body.scenario.is_some() && body.changes.is_empty();
    let (name, text) = (body.scenario.as_deref(), body.toml.as_deref());
    let plain = scenario(name, text, &[])?;
    let numbers = plain.numbers();
    let changes = body.changes.into_iter();
    let settings: Vec<_> = changes.map(|change| change.setting(&numbers)).collect();
    let id = app.simulations().submit(Job {
        scenario: plain.with(&settings).map_err(Refusal::from)?,
        seed,
        unchanged,
    })?;
    let view = found(&app, &id)?;
    let about = [(LOCATION, path(&id))];
    Ok((StatusCode::ACCEPTED, about, Json(view)).into_response())
}

fn found(app: &App, id: &str) -> Result<SimulationView, Problem> {
    let found = app.simulations().find(id).ok_or_else(unknown)?;
    Ok(SimulationView::of(id.to_owned(), found))
}

fn unknown() -> Problem {
    Problem::new(
        &Kind::UNKNOWN_SIMULATION,
        "there is no simulation with this id; the oldest ones are forgotten, and so are all when the coordinator starts again",
    )
}

/// Returns the state of a simulation, and its figures once it has ended.
#[utoipa::path(
    get, path = "/v1/simulations/{id}", tag = "simulations", operation_id = "getSimulation",
    params(OfSimulation),
    responses(
        (status = 200, description = "The simulation.", body = SimulationView),
        (status = 404, description = "The simulation is unknown."),
    ),
)]
pub(super) async fn one(
    State(app): State<App>,
    InPath(path): InPath<OfSimulation>,
    _query: NoQuery,
) -> Result<Json<SimulationView>, Problem> {
    found(&app, &path.id).map(Json)
}

/// Cancels a simulation, and forgets it.
#[utoipa::path(
    delete, path = "/v1/simulations/{id}", tag = "simulations", operation_id = "cancelSimulation",
    params(OfSimulation),
    responses(
        (status = 204, description = "The simulation has ended, or will in its next turn; it is forgotten."),
        (status = 404, description = "The simulation is unknown."),
    ),
)]
pub(super) async fn cancel(
    State(app): State<App>,
    InPath(path): InPath<OfSimulation>,
    _query: NoQuery,
) -> Result<StatusCode, Problem> {
    if app.simulations().forget(&path.id) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(unknown())
    }
}

/// Returns the page of an ended simulation: charts and figures in one file.
#[utoipa::path(
    get, path = "/v1/simulations/{id}/page", tag = "simulations", operation_id = "getSimulationPage",
    params(OfSimulation),
    responses(
        (status = 200, description = "The page, which loads nothing.", body = String, content_type = "text/html"),
        (status = 404, description = "The simulation is unknown, or has no page yet."),
    ),
)]
pub(super) async fn page(
    State(app): State<App>,
    InPath(path): InPath<OfSimulation>,
    _query: NoQuery,
) -> Result<Response, Problem> {
    let found = app.simulations().find(&path.id).ok_or_else(unknown)?;
    let Stage::Done { page, .. } = found.stage else {
        let detail = "the simulation has not ended, or it has failed; its `state` says which";
        return Err(Problem::new(&Kind::NO_PAGE, detail));
    };
    Ok(html(page))
}

/// Returns a page of results as an answer.
pub(super) fn html(page: impl IntoResponse) -> Response {
    let about = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-cache"),
    ];
    (about, page).into_response()
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let kind = match &refusal {
            Refusal::Disabled => &Kind::NOT_SERVED,
            Refusal::Full { .. } => {
                return Self::new(&Kind::TOO_MANY_SIMULATIONS, refusal.reason()).retry_after(10);
            }
            _ => &Kind::SCENARIO_REJECTED,
        };
        Self::new(kind, refusal.reason())
    }
}
