//! Prediction markets.

#![expect(
    missing_docs,
    reason = "a doc comment is text of the API's document, where some names say everything"
)]

use cotrain_protocol::market::{Phase, Stage, Terms};
use serde::{Deserialize, Serialize};

use super::{
    models::{BoundsView, EncodingView},
    text::{Account, Hash, Wei, any_account, choice},
};
use crate::market::Action;

/// A prediction market: its fixed facts, and its state after a block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MarketView {
    /// Id of the chain.
    pub chain_id: u64,
    /// Contract of the market.
    pub market: Account,
    /// Model that the market begins with. Contributions do not change it.
    pub classifier: Account,
    /// Provider of test set and bounty.
    #[serde(deserialize_with = "any_account")]
    pub owner: Account,
    /// Whether the market is verified. Then market and model are clones of implementations that run
    /// this release's code, and the card agrees with the contract on learner, features and bounds.
    pub verified: bool,
    /// Name that the provider published, if any.
    pub name: Option<String>,
    /// Description that the provider published, if any.
    pub description: Option<String>,
    /// Names of the classes by label; empty if the provider published none.
    pub class_names: Vec<String>,
    /// Whether the provider published an encoder, which turns texts or rows into samples.
    pub encodes: bool,
    /// Learner, such as `sparse-perceptron`.
    pub learner: String,
    pub encoding: EncodingView,
    /// Number of classes; labels are below it.
    pub classes: u16,
    /// Number of features of a sample. For a dense perceptron, it counts the constant through which
    /// the model learns its intercept.
    pub features: u32,
    /// Bounds of the samples that a model of numbers learns from.
    pub bounds: Option<BoundsView>,
    pub terms: MarketTermsView,
    /// Block from which the market is followed.
    pub from_block: u64,
    /// Block after which the state below holds.
    pub block: u64,
    pub block_hash: Hash,
    /// Time of the chain's next block, in Unix seconds; phase, action and money are of this time.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub time: u64,
    /// Phase in the chain's next block.
    pub phase: MarketPhase,
    /// Transaction that anyone may send now to move the market on. Null if it waits for time, the
    /// provider or contributors, or is over.
    pub action: Option<MarketAction>,
    /// Last block in which the part to test with can be drawn; null before the commitments.
    pub draw_until: Option<u64>,
    /// Last second in which the provider can reveal, in Unix seconds. It is for the drawn part or,
    /// once the market has opened, for the others. Null before the commitments.
    pub reveal_until: Option<u64>,
    /// First second in which contributing is impossible, in Unix seconds; null before the market
    /// opens.
    pub closes_at: Option<u64>,
    /// Last second of the scoring, in Unix seconds; null before the last part is revealed.
    pub scoring_until: Option<u64>,
    /// Money that the provider locked for participants, in wei.
    pub bounty: Wei,
    /// Part of the bounty that is left for future passes, in wei.
    pub remaining_bounty: Wei,
    /// Money that the contract holds according to its events, in wei.
    pub held: Wei,
    /// Money that the provider can collect now, in wei.
    pub remainder: Wei,
    pub contributions: u64,
    /// Number of accounts that have contributed.
    pub participants: u64,
    /// Number of the test set's parts; 0 before the commitments.
    pub parts: u64,
    /// Index of the part that contributors test with and that is not scored on; null before the
    /// draw.
    pub drawn_part: Option<u64>,
    /// Number of revealed parts, including the drawn one.
    pub revealed_parts: u64,
    /// Number of the pass over the contributions, from 1; 0 before the first one.
    pub pass: u64,
    /// Stage of the pass; it has a meaning only in the phase `scoring`.
    pub stage: MarketStage,
    /// Number of revealed test samples that are scored on.
    pub samples: u64,
    /// Number of these samples that the first model predicts right.
    pub correct_before: u64,
    /// Number of these samples that the model of the pass predicted right at their last complete
    /// evaluation.
    pub correct: u64,
    /// Model of the last pass that has begun; once the market is settled, the trained model.
    pub model: Option<Account>,
}

/// Terms of a market, which never change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MarketTermsView {
    /// Stake of each contribution, in wei.
    pub stake: Wei,
    /// Duration of the market's opening for contributions, in seconds.
    pub participation: u64,
    /// Time for the provider to reveal, in seconds: the drawn part after the commitments, the
    /// others after the closing.
    pub reveal_wait: u64,
    /// Time for the scoring after the last reveal, in seconds.
    pub scoring_wait: u64,
    /// Number of contributions at which the market closes early.
    pub most_contributions: u64,
    /// Maximum number of passes over the contributions before the market is settled.
    pub most_passes: u64,
}

impl From<Terms> for MarketTermsView {
    fn from(terms: Terms) -> Self {
        let Terms {
            stake,
            participation,
            reveal_wait,
            scoring_wait,
            most_contributions,
            most_passes,
        } = terms;
        Self {
            stake: stake.into(),
            participation,
            reveal_wait,
            scoring_wait,
            most_contributions,
            most_passes,
        }
    }
}

choice!(
    MarketPhase,
    "Phase of a market. `created`: the provider may commit to a test set. `committed`: a part must be drawn and revealed. \
     `open`: anyone may contribute. `revealing`: the provider must reveal the other parts. `scoring`: anyone may send \
     the steps of the scoring. `settled`: accounts can collect their balances. `failed`: the provider or the scoring was late, \
     and accounts can collect their stakes. `forfeited`: the same, and the bounty is burned.",
    Created = "created",
    Committed = "committed",
    Open = "open",
    Revealing = "revealing",
    Scoring = "scoring",
    Settled = "settled",
    Failed = "failed",
    Forfeited = "forfeited",
);

impl From<Phase> for MarketPhase {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Created => Self::Created,
            Phase::Committed => Self::Committed,
            Phase::Open => Self::Open,
            Phase::Revealing => Self::Revealing,
            Phase::Scoring => Self::Scoring,
            Phase::Settled => Self::Settled,
            Phase::Failed => Self::Failed,
            Phase::Forfeited => Self::Forfeited,
        }
    }
}

choice!(
    MarketStage,
    "Stage of a pass of scoring. `copying`: a new model gets the first weights. `teaching`: it learns the contributions, \
     which are scored. `finding`: the contract finds the sum to play for. `paying`: balances change.",
    Copying = "copying",
    Teaching = "teaching",
    Finding = "finding",
    Paying = "paying",
);

impl From<Stage> for MarketStage {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Copying => Self::Copying,
            Stage::Teaching => Self::Teaching,
            Stage::Finding => Self::Finding,
            Stage::Paying => Self::Paying,
        }
    }
}

choice!(
    MarketAction,
    "Transaction that anyone may send. `draw` draws the part to test with; `score` does a step of the scoring.",
    Draw = "draw",
    Score = "score",
);

impl From<Action> for MarketAction {
    fn from(action: Action) -> Self {
        match action {
            Action::Draw => Self::Draw,
            Action::Score(_) => Self::Score,
        }
    }
}

#[cfg(test)]
mod tests {
    use cotrain_protocol::mechanism::Mechanism;

    use super::*;

    #[test]
    fn market_terms_view_has_the_names_of_the_mechanism() {
        let terms = Terms {
            stake: 1,
            participation: 2,
            reveal_wait: 3,
            scoring_wait: 4,
            most_contributions: 5,
            most_passes: 6,
        };
        let json = serde_json::to_value(MarketTermsView::from(terms)).expect("JSON");
        let named = Mechanism::PredictionMarket.description().terms;
        assert_eq!(
            json.as_object().map(serde_json::Map::len),
            Some(named.len())
        );
        for (term, value) in named.iter().zip(["1", "2", "3", "4", "5", "6"]) {
            let shown = json[term.name].to_string();
            assert_eq!(shown.trim_matches('"'), value, "{}", term.name);
        }
    }

    #[test]
    fn as_str_writes_phases_and_stages_as_they_are_displayed() {
        let phases = [
            Phase::Created,
            Phase::Committed,
            Phase::Open,
            Phase::Revealing,
            Phase::Scoring,
            Phase::Settled,
            Phase::Failed,
            Phase::Forfeited,
        ];
        let named = Mechanism::PredictionMarket.description().phases;
        let shown = phases.map(MarketPhase::from);
        let shown: Vec<_> = shown.iter().map(MarketPhase::as_str).collect();
        assert_eq!(shown, named);
        assert_eq!(phases.map(|phase| phase.to_string())[..], *named);
        for stage in [
            Stage::Copying,
            Stage::Teaching,
            Stage::Finding,
            Stage::Paying,
        ] {
            assert_eq!(MarketStage::from(stage).as_str(), stage.to_string());
        }
    }
}
