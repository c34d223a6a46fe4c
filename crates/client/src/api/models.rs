//! Models and prices.

#![expect(
    missing_docs,
    reason = "a doc comment is text of the API's document, where some names say everything"
)]

use cotrain_protocol::{
    classifier::{Bounds, Parameters},
    mechanism::Mechanism,
    sample::Encoding,
    trainer::{self, Waits},
};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::{Map, Value};

use super::text::{Account, Hash, Wei, any_account, choice};

/// Model: its fixed facts, and its state after a block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ModelView {
    /// Id of the chain.
    pub chain_id: u64,
    pub trainer: Account,
    pub classifier: Account,
    #[serde(deserialize_with = "any_account")]
    pub owner: Account,
    /// Whether the model is verified. Then both contracts run this release's code, the classifier
    /// obeys this trainer alone, and card and contract agree about samples.
    pub verified: bool,
    /// Name that the owner published, if any.
    pub name: Option<String>,
    /// Description that the owner published, if any.
    pub description: Option<String>,
    /// Names of the classes by label; empty if the owner published none.
    pub class_names: Vec<String>,
    /// Whether texts or rows can be predicted: the owner published an encoder, which turns them
    /// into samples, and the coordinator has its table of word vectors if it needs one.
    pub encodes: bool,
    /// Learner, such as `sparse-perceptron`.
    pub learner: String,
    /// Encoding of samples.
    pub encoding: EncodingView,
    /// Number of classes; labels are below it.
    pub classes: u16,
    /// Number of features of a sample. For a dense perceptron, it counts the constant through which
    /// the model learns its intercept.
    pub features: u32,
    /// Further parameters of the learner.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub parameters: ParametersView,
    /// Bounds of the samples that a model of numbers learns from.
    pub bounds: Option<BoundsView>,
    #[cfg_attr(feature = "openapi", schema(value_type = IncentiveView))]
    pub incentive: Incentive,
    pub waits: WaitsView,
    /// Block from which the model is followed.
    pub from_block: u64,
    /// Block after which the state below holds.
    pub block: u64,
    pub block_hash: Hash,
    pub contributions: u64,
    /// Number of refunded contributions.
    pub good: u64,
    /// Time of the last contribution, in Unix seconds.
    pub last_contribution_time: u64,
    /// Current deposit of one contribution alone, in wei.
    pub price: Wei,
    /// Money that the trainer holds, in wei.
    pub held: Wei,
    /// Share of test samples that the model predicted right when it was last measured.
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 1))]
    pub accuracy: Option<f64>,
    /// Last measurement, with the numbers of samples of which `accuracy` is the share.
    pub measured: Option<AccuracyPoint>,
    /// Account that relays for the model here; null if nothing is relayed.
    pub relayer: Option<Account>,
    /// Minimum relayer's fee here for each contribution of a signed batch, in wei.
    pub relay_fee: Option<Wei>,
    /// Account that claims for others here; null if there is no keeper.
    pub keeper: Option<Account>,
}

/// Accuracy of a model after a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AccuracyPoint {
    /// Block after which the model was measured.
    pub block: u64,
    /// Time of the block, in Unix seconds.
    pub time: u64,
    /// Number of contributions that the model had learned from.
    pub contributions: u64,
    /// Number of test samples that the model predicted right.
    pub correct: u64,
    /// Number of test samples.
    pub samples: u64,
}

/// Parameters of a learner. With the weights, they decide its predictions and what it learns. Each
/// is null for learners that do not have it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ParametersView {
    /// Step of a perceptron's weights: of a sparse one the change of each present feature's weight,
    /// of a dense one the change of a weight whose number is 1, in 1/65536.
    pub learning_rate: Option<u32>,
    /// Number that a perceptron adds to its sum, in decimal digits.
    pub intercept: Option<String>,
    /// Amount that naive Bayes adds to each count, in 1/256.
    pub smoothing: Option<u32>,
}

impl From<Parameters> for ParametersView {
    fn from(parameters: Parameters) -> Self {
        let perceptron = |rate, intercept: i64| Self {
            learning_rate: Some(rate),
            intercept: Some(intercept.to_string()),
            smoothing: None,
        };
        match parameters {
            Parameters::SparsePerceptron {
                learning_rate,
                intercept,
                ..
            } => perceptron(learning_rate.into(), intercept),
            Parameters::DensePerceptron {
                learning_rate,
                intercept,
                ..
            } => perceptron(learning_rate, intercept),
            Parameters::NaiveBayes { smoothing, .. } => Self {
                smoothing: Some(smoothing),
                ..Self::default()
            },
            Parameters::SparseNearestCentroid { .. } | Parameters::DenseNearestCentroid { .. } => {
                Self::default()
            }
        }
    }
}

/// Bounds of the samples that a model of numbers learns from, in the contract's integers. The model
/// also predicts larger samples.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BoundsView {
    /// Largest absolute value of a number.
    pub max_number: u32,
    /// Largest sum of the squares of a sample's numbers, in decimal digits.
    pub max_squared_length: String,
}

impl From<Bounds> for BoundsView {
    fn from(bounds: Bounds) -> Self {
        Self {
            max_number: bounds.max_number,
            max_squared_length: bounds.max_squared_length.to_string(),
        }
    }
}

choice!(
    EncodingView,
    "Encoding of the bytes of samples.",
    Sparse = "sparse",
    Dense16 = "dense16",
    Dense32 = "dense32",
);

impl From<Encoding> for EncodingView {
    fn from(encoding: Encoding) -> Self {
        match encoding {
            Encoding::Sparse => Self::Sparse,
            Encoding::Dense16 => Self::Dense16,
            Encoding::Dense32 => Self::Dense32,
        }
    }
}

/// Mechanism of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum IncentiveView {
    /// Each contribution costs a deposit.
    DepositRefundTake {
        /// Cost weight of the deposit's formula, in wei.
        #[serde(rename = "costWeight")]
        cost_weight: Wei,
    },
    /// Contributions cost nothing.
    Points,
}

impl IncentiveView {
    /// Mechanisms that models of this release have.
    const KINDS: [Mechanism; 2] = [Mechanism::DepositRefundTake, Mechanism::Points];
}

impl From<trainer::Incentive> for Incentive {
    fn from(incentive: trainer::Incentive) -> Self {
        Self::Known(match incentive {
            trainer::Incentive::DepositRefundTake { cost_weight } => {
                IncentiveView::DepositRefundTake {
                    cost_weight: cost_weight.into(),
                }
            }
            trainer::Incentive::Points => IncentiveView::Points,
        })
    }
}

/// Mechanism of a model: one of this release, or a newer server's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Incentive {
    /// Mechanism that this release knows.
    Known(IncentiveView),
    /// Mechanism of a newer server, as it was sent.
    Other(Map<String, Value>),
}

impl<'de> Deserialize<'de> for Incentive {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = Map::deserialize(deserializer)?;
        match fields.get("kind").and_then(Value::as_str) {
            Some(kind) if IncentiveView::KINDS.iter().any(|it| it.name() == kind) => {
                serde_json::from_value(Value::Object(fields))
                    .map(Self::Known)
                    .map_err(D::Error::custom)
            }
            Some(_) => Ok(Self::Other(fields)),
            None => Err(D::Error::missing_field("kind")),
        }
    }
}

/// Times between a contribution and its claims, in seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WaitsView {
    /// Time from the contribution to refunds and reports.
    pub refund: u64,
    /// Time from the contribution to the owner's late claim.
    pub owner_claim: u64,
    /// Time from the contribution to anyone's late claim.
    pub any_address_claim: u64,
    /// Time from the announcement of a report to the report; 0 if none is needed.
    pub report_notice: u64,
}

impl From<Waits> for WaitsView {
    fn from(waits: Waits) -> Self {
        Self {
            refund: waits.refund,
            owner_claim: waits.owner_claim,
            any_address_claim: waits.any_address_claim,
            report_notice: waits.report_notice,
        }
    }
}

/// Price of contributions in one transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Price {
    /// Number of contributions.
    pub n: u64,
    /// Deposit of each contribution, in wei.
    pub each: Wei,
    /// Sum of all deposits, in wei.
    pub total: Wei,
    /// Time at which this price holds, in Unix seconds; it falls while nobody contributes.
    pub time: u64,
    /// Block after which the price is computed.
    pub block: u64,
}

#[cfg(test)]
mod tests {
    use cotrain_protocol::mechanism::Terms;

    use super::*;

    #[test]
    fn incentive_has_the_name_and_the_terms_of_the_mechanism() {
        let mut seen = Vec::new();
        for mechanism in Mechanism::ALL {
            let terms = mechanism.description().terms;
            let values: Vec<_> = (1..=terms.len() as u128).collect();
            let Some(Terms::Trainer { incentive, .. }) = Terms::from_values(mechanism, &values)
            else {
                continue;
            };
            let view = Incentive::from(incentive);
            let json = serde_json::to_value(&view).expect("JSON");
            assert_eq!(json["kind"], mechanism.name());
            // The waits are another field of the model, beside the incentive.
            for (term, value) in terms.iter().zip(values).skip(4) {
                assert_eq!(json[term.name], value.to_string(), "{}", term.name);
            }
            let fields = json.as_object().map(Map::len);
            assert_eq!(fields, Some(1 + terms.len() - 4));
            let read: Incentive = serde_json::from_value(json).expect("an incentive");
            assert_eq!(read, view);
            seen.push(mechanism);
        }
        assert_eq!(seen, IncentiveView::KINDS);
    }
}
