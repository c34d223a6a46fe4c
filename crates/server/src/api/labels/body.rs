//! Bodies of requests about labeling sessions, and what they mean.

use cotrain_active::{
    annotators::{Method, Opinion},
    measure::Measure,
    session::{Batch, Input, LearnerKind, Opening, Pool, Session, SessionError},
    stopping::Rule,
    strategy::Strategy,
    stream::{Gate, Manager},
};
use ndarray::Array2;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::api::{kinds::Kind, problem::Problem};

/// Highest number that JavaScript reads without rounding.
const MAX: u64 = crate::api::page::MAX;

/// Maximum number of rows that a body counts.
const MAX_COUNT: u32 = 1_000_000;

/// Maximum number of features that a coordinator can be set to.
const MAX_FEATURES: u32 = 65_536;

/// Rows: arrays of numbers, all of the same length.
type Rows = Vec<Vec<f64>>;

/// Work to be priced. Left out numbers are 0.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::api) struct QuotesBody {
    /// Learner; logistic regression if it is left out.
    #[serde(default)]
    pub(super) learner: SessionLearnerBody,
    /// Numbers of a row; 1 if it is left out.
    #[schema(minimum = 0, maximum = 65536)]
    pub(super) features: Option<u32>,
    /// Strategy of the query; margin if it is left out.
    #[serde(default)]
    pub(super) strategy: StrategyBody,
    /// Number of rows to train.
    #[serde(default)]
    #[schema(maximum = 1_000_000)]
    pub(super) train: u32,
    /// Number of rows to decide on or to predict.
    #[serde(default)]
    #[schema(maximum = 1_000_000)]
    pub(super) decide: u32,
    /// Number of rows of a pool to look at.
    #[serde(default)]
    #[schema(maximum = 1_000_000)]
    pub(super) pool: u32,
    /// Number of rows to choose of the pool; 1 if it is left out.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub(super) count: Option<u32>,
}

impl QuotesBody {
    /// Checks the numbers.
    pub(super) fn check(&self) -> Result<(), Problem> {
        let counts = [
            ("features", self.features.unwrap_or(0), 0, MAX_FEATURES),
            ("train", self.train, 0, MAX_COUNT),
            ("decide", self.decide, 0, MAX_COUNT),
            ("pool", self.pool, 0, MAX_COUNT),
            ("count", self.count.unwrap_or(1), 1, MAX_COUNT),
        ];
        counts.into_iter().try_for_each(in_range)
    }
}

/// Checks a number by its name, its minimum and its maximum.
fn in_range((name, found, least, max): (&str, u32, u32, u32)) -> Result<(), Problem> {
    if (least..=max).contains(&found) {
        return Ok(());
    }
    let detail = format!("`{name}` is {found}; expected {least} to {max}");
    Err(Problem::new(&Kind::INVALID_REQUEST, detail))
}

/// Form of a model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::api) enum ModelForm {
    #[default]
    Json,
    Onnx,
}

/// Form in which a model is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct ModelQuery {
    /// `json` is the model's own form, from which its answers are the same to the bit; `onnx` is for
    /// other programs.
    #[serde(default)]
    #[param(inline, required = false)]
    pub(super) form: ModelForm,
}

/// Learner of a session: logistic regression, a random forest, gradient-boosted trees, or the caller's
/// own model, which sends probabilities.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::api) enum SessionLearnerBody {
    #[default]
    Logistic,
    Forest,
    Boosted,
    Own,
}

impl SessionLearnerBody {
    pub(super) fn kind(self) -> LearnerKind {
        match self {
            Self::Logistic => LearnerKind::Logistic,
            Self::Forest => LearnerKind::Forest,
            Self::Boosted => LearnerKind::Boosted,
            Self::Own => LearnerKind::Own,
        }
    }
}

/// Strategy for pools.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::api) enum StrategyBody {
    Random,
    LeastConfidence,
    #[default]
    Margin,
    Entropy,
    Committee,
    Density,
    KCenter,
    MarginKCenter,
    Typiclust,
    TypiclustMargin,
    KCenterMargin,
}

impl StrategyBody {
    pub(super) fn strategy(self) -> Strategy {
        use cotrain_active::strategy::Start;
        match self {
            Self::Random => Strategy::Random,
            Self::LeastConfidence => Strategy::LeastConfidence,
            Self::Margin => Strategy::Margin,
            Self::Entropy => Strategy::Entropy,
            Self::Committee => Strategy::Committee,
            Self::Density => Strategy::Density { beta: 1.0 },
            Self::KCenter => Strategy::KCenter,
            Self::MarginKCenter => Strategy::MarginKCenter,
            Self::Typiclust => Strategy::TypiClust,
            Self::TypiclustMargin => Strategy::StartThenMargin(Start::TypiClust),
            Self::KCenterMargin => Strategy::StartThenMargin(Start::KCenter),
        }
    }
}

/// Options of a new session.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::api) struct OpenBody {
    /// Learner; logistic regression if it is left out.
    #[serde(default)]
    learner: SessionLearnerBody,
    /// Number of classes; if it is left out, it grows with the labels.
    #[schema(minimum = 2, maximum = 1000)]
    classes: Option<u32>,
    /// Numbers of a row. 0 is for a model of one's own, whose rows stay with the caller.
    #[schema(minimum = 0, maximum = 65536)]
    features: u32,
    /// Strategy for pools; margin if it is left out.
    #[serde(default)]
    strategy: StrategyBody,
    /// Rows of a stream to label: all that are unsure enough. Not together with `budget`.
    threshold: Option<ThresholdBody>,
    /// Rows of a stream to label: a share of them. Not together with `threshold`.
    budget: Option<BudgetBody>,
    /// Rules that say to stop.
    #[serde(default)]
    #[schema(max_items = 16)]
    stopping: Vec<RuleBody>,
    /// Rows that the rules look at, if one looks at predictions. A model of one's own sends its
    /// probabilities with the examples instead.
    #[schema(min_items = 1)]
    fixed: Option<Rows>,
    /// Method for the consensus of several annotators; `dawid-skene` if it is left out.
    #[serde(default)]
    consensus: ConsensusBody,
    /// Seed of all random choices; 0 if it is left out.
    #[serde(default)]
    #[schema(maximum = 9_007_199_254_740_991_u64)]
    seed: u64,
    /// Units to buy, if they are paid for. Else the maximum number of units that the session spends;
    /// the coordinator's own if it is left out.
    #[schema(maximum = 9_007_199_254_740_991_u64)]
    pub(super) units: Option<u64>,
}

/// Units to buy.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::api) struct UnitsBody {
    /// Number of units.
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_u64)]
    units: u64,
}

impl UnitsBody {
    /// Returns the number of units.
    pub(super) fn units(&self) -> Result<u64, Problem> {
        if (1..=MAX).contains(&self.units) {
            return Ok(self.units);
        }
        let found = self.units;
        let detail = format!("`units` is {found}, expected 1 to {MAX}");
        Err(Problem::new(&Kind::INVALID_REQUEST, detail))
    }
}

/// Method for the consensus of several annotators.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum ConsensusBody {
    Majority,
    #[default]
    DawidSkene,
}

/// Threshold of a stream.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ThresholdBody {
    measure: MeasureBody,
    /// Least uncertainty of a row to label, from 0 to 1.
    #[schema(minimum = 0, maximum = 1)]
    uncertainty: f64,
}

/// Measure of uncertainty: 1 minus the highest probability, 1 minus the difference of the two highest
/// ones, or the entropy as a share of its maximum.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum MeasureBody {
    LeastConfidence,
    Margin,
    Entropy,
}

/// Budget of a stream.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct BudgetBody {
    /// Manager that chooses the rows; `quantile` if it is left out.
    #[serde(default)]
    manager: ManagerBody,
    /// Share of rows to label, above 0 and at most 1.
    #[schema(exclusive_minimum = 0, maximum = 1)]
    share: f64,
}

/// Manager of a budget.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum ManagerBody {
    Fixed,
    Variable,
    Split,
    #[default]
    Quantile,
    Random,
}

/// Rule that says to stop.
///
/// `classification-change` looks at the share of changed predictions, `kappa-average` at the mean kappa of
/// the last trainings, `overall-uncertainty` at the mean entropy as a share of its maximum, and `delta-f`
/// at the estimated change of the F measure (two classes only). `iterations` counts trainings, and `units`
/// what is spent.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct RuleBody {
    kind: RuleKind,
    /// Bound at which the rule stops: a share, a kappa, an uncertainty, a change or a number.
    bound: f64,
    /// Number of last trainings; 3 if it is left out. Only for `kappa-average` and `delta-f`.
    #[schema(minimum = 1, maximum = 100)]
    window: Option<u32>,
}

/// Kind of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum RuleKind {
    ClassificationChange,
    KappaAverage,
    OverallUncertainty,
    DeltaF,
    Iterations,
    Units,
}

impl RuleBody {
    fn rule(self) -> Result<Rule, Problem> {
        let Self { kind, bound, .. } = self;
        let window = self.window.unwrap_or(3) as usize;
        let has_window = matches!(kind, RuleKind::KappaAverage | RuleKind::DeltaF);
        if self.window.is_some() && !has_window {
            let detail = "`window` is for the rules kappa-average and delta-f; leave it out";
            return Err(Problem::new(&Kind::INVALID_REQUEST, detail));
        }
        Ok(match kind {
            RuleKind::ClassificationChange => Rule::ClassificationChange { share: bound },
            RuleKind::KappaAverage => Rule::KappaAverage {
                window,
                kappa: bound,
            },
            RuleKind::OverallUncertainty => Rule::OverallUncertainty { uncertainty: bound },
            RuleKind::DeltaF => Rule::DeltaF {
                window,
                change: bound,
            },
            RuleKind::Iterations => Rule::Iterations { max: whole(bound)? },
            RuleKind::Units => Rule::Units { max: whole(bound)? },
        })
    }
}

/// Returns a bound that counts.
fn whole(bound: f64) -> Result<u64, Problem> {
    #[expect(clippy::cast_precision_loss, reason = "the maximum has 53 bits")]
    let max = MAX as f64;
    if !(0.0..=max).contains(&bound) || bound.fract() != 0.0 {
        let detail = format!("the bound {bound} of a rule counts; expected a whole number");
        return Err(Problem::new(&Kind::INVALID_REQUEST, detail));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the number is whole, and within the range"
    )]
    Ok(bound as u64)
}

impl OpenBody {
    /// Returns the options of the session.
    pub(super) fn opening(self) -> Result<Opening, Problem> {
        let gate = match (self.threshold, self.budget) {
            (None, None) => None,
            (Some(threshold), None) => Some(Gate::Threshold {
                measure: match threshold.measure {
                    MeasureBody::LeastConfidence => Measure::LeastConfidence,
                    MeasureBody::Margin => Measure::Margin,
                    MeasureBody::Entropy => Measure::Entropy,
                },
                uncertainty: threshold.uncertainty,
            }),
            (None, Some(budget)) => Some(Gate::Budget {
                manager: match budget.manager {
                    ManagerBody::Fixed => Manager::Fixed,
                    ManagerBody::Variable => Manager::Variable,
                    ManagerBody::Split => Manager::Split,
                    ManagerBody::Quantile => Manager::Quantile,
                    ManagerBody::Random => Manager::Random,
                },
                share: budget.share,
            }),
            (Some(_), Some(_)) => {
                let detail = "there are `threshold` and `budget`; send one of them";
                return Err(Problem::new(&Kind::INVALID_REQUEST, detail));
            }
        };
        for (name, number) in [("seed", Some(self.seed)), ("units", self.units)] {
            if number.is_some_and(|number| number > MAX) {
                let detail = format!("`{name}` is above {MAX}; send a smaller number");
                return Err(Problem::new(&Kind::INVALID_REQUEST, detail));
            }
        }
        let stopping: Result<Vec<Rule>, Problem> =
            self.stopping.into_iter().map(RuleBody::rule).collect();
        Ok(Opening {
            learner: self.learner.kind(),
            classes: self.classes.map(|classes| classes as usize),
            features: self.features as usize,
            strategy: self.strategy.strategy(),
            gate,
            stopping: stopping?,
            fixed: self.fixed.map(array).transpose()?,
            method: match self.consensus {
                ConsensusBody::Majority => Method::Majority,
                ConsensusBody::DawidSkene => Method::DawidSkene,
            },
            seed: self.seed,
        })
    }
}

/// Labeled rows, and further opinions.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::api) struct ExamplesBody {
    /// New rows with their labels.
    #[serde(default)]
    pub(super) rows: Vec<ExampleBody>,
    /// Opinions about rows by their index, counted from the first row of the session.
    #[serde(default)]
    pub(super) opinions: Vec<OpinionBody>,
    /// Probabilities that a model of one's own gives to its fixed set, if a rule looks at them.
    fixed: Option<Rows>,
}

/// Labeled row.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::api) struct ExampleBody {
    /// Numbers of the row; left out if the session has no features.
    #[serde(default)]
    x: Vec<f64>,
    /// Label: the index of its class, from 0.
    y: u32,
    /// Number of the annotator; 0 if it is left out.
    #[serde(default)]
    annotator: u32,
}

/// Opinion of an annotator about a row.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::api) struct OpinionBody {
    /// Index of the row.
    row: u32,
    /// Label: the index of its class, from 0.
    y: u32,
    /// Number of the annotator.
    annotator: u32,
}

impl ExamplesBody {
    /// Returns the batch for a session.
    pub(super) fn batch(self, session: &Session) -> Result<Batch, SessionError> {
        let (mut rows, mut opinions) = (Vec::new(), Vec::new());
        for (index, example) in self.rows.into_iter().enumerate() {
            opinions.push(Opinion {
                row: session.rows() + index,
                annotator: example.annotator,
                label: example.y as usize,
            });
            rows.push(example.x);
        }
        opinions.extend(self.opinions.iter().map(|opinion| Opinion {
            row: opinion.row as usize,
            annotator: opinion.annotator,
            label: opinion.y as usize,
        }));
        let features = session.opening().features;
        Ok(Batch {
            rows: table(rows, features)?,
            opinions,
            fixed: self
                .fixed
                .map(|rows| {
                    let columns = rows.first().map_or(0, Vec::len);
                    table(rows, columns)
                })
                .transpose()?,
        })
    }
}

/// Rows of a stream, or probabilities that a model of one's own gives to them.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::api) struct DecisionsBody {
    /// Rows; left out with a model of one's own.
    #[schema(min_items = 1)]
    rows: Option<Rows>,
    /// Probabilities of each class, for each row; only with a model of one's own.
    #[schema(min_items = 1)]
    probabilities: Option<Rows>,
}

impl DecisionsBody {
    pub(super) fn input(self) -> Result<Input, Problem> {
        match (self.rows, self.probabilities) {
            (Some(rows), None) => array(rows).map(Input::Rows),
            (None, Some(given)) => array(given).map(Input::Probabilities),
            _ => {
                let detail = "expected either `rows` or `probabilities`";
                Err(Problem::new(&Kind::INVALID_REQUEST, detail))
            }
        }
    }
}

/// Pool of rows without a label.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::api) struct QueriesBody {
    /// Rows; left out if the session has no features.
    #[schema(min_items = 1)]
    rows: Option<Rows>,
    /// Probabilities of each class, for each row; only with a model of one's own.
    #[schema(min_items = 1)]
    probabilities: Option<Rows>,
    /// Maximum number of rows to choose.
    #[schema(minimum = 1, maximum = 1_000_000)]
    count: u32,
}

impl QueriesBody {
    pub(super) fn pool(self) -> Result<(Pool, usize), Problem> {
        if self.rows.is_none() && self.probabilities.is_none() {
            let detail = "expected `rows`, `probabilities` or both";
            return Err(Problem::new(&Kind::INVALID_REQUEST, detail));
        }
        in_range(("count", self.count, 1, MAX_COUNT))?;
        let pool = Pool {
            rows: self.rows.map(array).transpose()?,
            probabilities: self.probabilities.map(array).transpose()?,
        };
        Ok((pool, self.count as usize))
    }
}

/// Rows to predict.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::api) struct PredictionsBody {
    /// Rows.
    #[schema(min_items = 1)]
    rows: Rows,
}

impl PredictionsBody {
    pub(super) fn rows(self) -> Result<Array2<f64>, Problem> {
        array(self.rows)
    }
}

/// Returns the number of rows to decide on.
pub(super) fn rows(input: &Input) -> usize {
    match input {
        Input::Rows(rows) | Input::Probabilities(rows) => rows.nrows(),
    }
}

/// Returns the number of rows of a pool.
pub(super) fn pool_rows(pool: &Pool) -> usize {
    let rows = pool.rows.as_ref().or(pool.probabilities.as_ref());
    rows.map_or(0, Array2::nrows)
}

/// Returns rows as an array, with as many numbers as the first one has.
fn array(rows: Rows) -> Result<Array2<f64>, Problem> {
    let columns = rows.first().map_or(0, Vec::len);
    let rows = table(rows, columns);
    rows.map_err(|error| Problem::new(&Kind::LABELING_REJECTED, error))
}

fn table(rows: Rows, expected: usize) -> Result<Array2<f64>, SessionError> {
    if let Some(row) = rows.iter().find(|row| row.len() != expected) {
        let found = row.len();
        return Err(SessionError::Features { found, expected });
    }
    let count = rows.len();
    let numbers = rows.into_iter().flatten().collect();
    Array2::from_shape_vec((count, expected), numbers).map_err(|_| SessionError::Torn)
}
