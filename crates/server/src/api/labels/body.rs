//! Bodies of requests about labeling sessions, and what they mean.

use cotrain_active::{
    annotators::Method,
    measure::Measure,
    session::{LearnerKind, Opening},
    stopping::Rule,
    strategy::Strategy,
    stream::{Gate, Manager},
};
use cotrain_protocol::classifier::Kind as Learner;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::rows::{MAX_COUNT, Rows, array, in_range};
use crate::{
    api::{kinds::Kind, problem::Problem},
    labels::Basis,
};

/// Highest number that JavaScript reads without rounding.
const MAX: u64 = crate::api::page::MAX;

/// Maximum number of features that a coordinator can be set to.
const MAX_FEATURES: u32 = 65_536;

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
    /// Whether probabilities are calibrated.
    #[serde(default)]
    calibrated: bool,
    /// Number of rows that are labeled already. A training learns from them, too.
    #[serde(default)]
    #[schema(maximum = 1_000_000)]
    labeled: u32,
    /// Number of new rows to train.
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
            ("labeled", self.labeled, 0, MAX_COUNT),
            ("train", self.train, 0, MAX_COUNT),
            ("decide", self.decide, 0, MAX_COUNT),
            ("pool", self.pool, 0, MAX_COUNT),
            ("count", self.count.unwrap_or(1), 1, MAX_COUNT),
        ];
        counts.into_iter().try_for_each(in_range)
    }

    /// Returns the facts by which the work is priced. A start counts as not over.
    pub(super) fn basis(&self) -> Basis {
        Basis {
            learner: self.learner.kind(),
            features: self.features.unwrap_or(1).max(1),
            strategy: self.strategy.strategy(),
            calibrated: self.calibrated,
            rows: self.labeled.into(),
            opinions: self.labeled.into(),
            fixed: 0,
        }
    }
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

/// Learner of a session: logistic regression, a random forest, gradient-boosted trees, one of the five
/// classifiers that contracts run, or the caller's own model, which sends probabilities.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::api) enum SessionLearnerBody {
    #[default]
    Logistic,
    Forest,
    Boosted,
    SparsePerceptron,
    DensePerceptron,
    NaiveBayes,
    SparseNearestCentroid,
    DenseNearestCentroid,
    Own,
}

impl SessionLearnerBody {
    pub(super) fn kind(self) -> LearnerKind {
        match self {
            Self::Logistic => LearnerKind::Logistic,
            Self::Forest => LearnerKind::Forest,
            Self::Boosted => LearnerKind::Boosted,
            Self::SparsePerceptron => LearnerKind::Deployable(Learner::SparsePerceptron),
            Self::DensePerceptron => LearnerKind::Deployable(Learner::DensePerceptron),
            Self::NaiveBayes => LearnerKind::Deployable(Learner::NaiveBayes),
            Self::SparseNearestCentroid => LearnerKind::Deployable(Learner::SparseNearestCentroid),
            Self::DenseNearestCentroid => LearnerKind::Deployable(Learner::DenseNearestCentroid),
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
    /// Whether probabilities are calibrated: divided by a temperature, from 50 labels on. A training
    /// then costs five times as much.
    #[serde(default)]
    calibrated: bool,
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
            calibrated: self.calibrated,
            seed: self.seed,
        })
    }
}
