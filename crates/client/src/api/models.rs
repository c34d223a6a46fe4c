//! Models and prices.

#![expect(
    missing_docs,
    reason = "a doc comment is text of the API's document, where some names say everything"
)]

use cotrain_protocol::{
    classifier::Bounds,
    mechanism::Mechanism,
    sample::Encoding,
    trainer::{self, Waits},
};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::{Map, Value};

use super::text::{Account, Hash, Wei, any_account, choice};

/// A model: what is fixed of it, and where it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ModelView {
    /// The chain that it is on.
    pub chain_id: u64,
    pub trainer: Account,
    pub classifier: Account,
    #[serde(deserialize_with = "any_account")]
    pub owner: Account,
    /// Whether trainer and classifier are clones of implementations whose code is this release's, and the learner,
    /// features and bounds that its host published are the contract's.
    pub verified: bool,
    /// Its name, where its host published one.
    pub name: Option<String>,
    /// What it is about, where its host published that.
    pub description: Option<String>,
    /// The names of its classes by label; empty where its host published none.
    pub class_names: Vec<String>,
    /// Whether texts or rows can be predicted: its host published how they become samples.
    pub encodes: bool,
    /// The learner, such as `sparse-perceptron`.
    pub learner: String,
    /// How samples are encoded.
    pub encoding: EncodingView,
    /// Labels are below it.
    pub classes: u16,
    /// The numbers of a sample, for a dense perceptron with the constant through which it learns its intercept.
    pub features: u32,
    /// What it learns from at most, of a model of numbers.
    pub bounds: Option<BoundsView>,
    #[cfg_attr(feature = "openapi", schema(value_type = IncentiveView))]
    pub incentive: Incentive,
    pub waits: WaitsView,
    /// The block from which it has been read.
    pub from_block: u64,
    /// The block that the rest is of.
    pub block: u64,
    pub block_hash: Hash,
    pub contributions: u64,
    /// How many contributions have been refunded.
    pub good: u64,
    /// In Unix seconds.
    pub last_contribution_time: u64,
    /// The deposit of one contribution alone now.
    pub price: Wei,
    /// What the trainer holds.
    pub held: Wei,
    /// The share of test samples that it was right about when it was last measured.
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 1))]
    pub accuracy: Option<f64>,
    /// Who relays for it here, if anybody does.
    pub relayer: Option<Account>,
    /// What relaying costs here for each contribution of a batch.
    pub relay_fee: Option<Wei>,
    /// Who claims for others here, if anybody does.
    pub keeper: Option<Account>,
}

/// The largest samples that a model of numbers learns from, in the contract's integers. It predicts larger ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BoundsView {
    /// The largest number either way.
    pub max_number: u32,
    /// The largest sum of the squares of a sample's numbers, in decimal digits.
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
    "How the bytes of samples are read.",
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

/// Who pays whom.
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
        /// Of which the deposit is made.
        #[serde(rename = "costWeight")]
        cost_weight: Wei,
    },
    /// Nothing is paid.
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

/// How long after a contribution claims may be made, in seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WaitsView {
    /// Refunds and reports.
    pub refund: u64,
    /// The owner's late claim.
    pub owner_claim: u64,
    /// Anybody's late claim.
    pub any_address_claim: u64,
    /// From the announcement of a report to the report; 0 if none is needed.
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

/// What contributions cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Price {
    /// How many contributions.
    pub n: u64,
    /// The deposit of each.
    pub each: Wei,
    /// The deposits of all.
    pub total: Wei,
    /// When that is the price, in Unix seconds; it falls while nobody contributes.
    pub time: u64,
    /// The block that it is reckoned from.
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
            // The waits are beside it.
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
