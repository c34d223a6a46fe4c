//! The checks of a scenario's incentives.

use cotrain_protocol::{
    market::Terms,
    trainer::{Incentive as Mechanism, Waits},
};

use super::{
    Incentive, Offer, ScenarioError,
    check::Check,
    file::{Duration, IncentiveTable, Number},
};

/// The largest deposit after an hour, in units: the contract's cost weight is below 2^80 wei, and
/// this is 60 times that.
const LARGEST_HOURLY_DEPOSIT: f64 = 7.2e7;
/// What a market has where its scenario says nothing.
const PARTS: usize = 10;
const TEST_SAMPLES: usize = 1_000;
const PASSES: usize = 100;
const CONTRIBUTIONS: usize = 1_000_000;

impl Check<'_> {
    pub(super) fn incentive(&self, table: &IncentiveTable) -> Result<Incentive, ScenarioError> {
        match table.kind.as_str() {
            "prediction-market" => {
                self.none_of(table, &table.trainer_keys())?;
                self.market(table)
            }
            "deposit-refund-take" | "points" => {
                self.none_of(table, &table.market_keys())?;
                self.trainer(table)
            }
            other => {
                let allowed = "known are deposit-refund-take, points, prediction-market";
                self.impossible("incentive.kind", format!("`{other}`"), allowed)
            }
        }
    }

    fn none_of(&self, table: &IncentiveTable, keys: &[&str]) -> Result<(), ScenarioError> {
        match keys.first() {
            None => Ok(()),
            Some(key) => {
                let allowed = format!("`{}` has no such key: leave it out", table.kind);
                self.impossible(format!("incentive.{key}"), "set", allowed)
            }
        }
    }

    fn trainer(&self, table: &IncentiveTable) -> Result<Incentive, ScenarioError> {
        let key = "incentive.deposit_after_one_hour";
        let mechanism = match (table.kind.as_str(), table.deposit_after_one_hour) {
            ("points", None) => Mechanism::Points,
            ("points", Some(units)) => {
                let allowed = "under points nothing is deposited: leave it out";
                return self.impossible(key, units.0, allowed);
            }
            (_, Some(units)) => {
                self.within(key, units.0, 0.000_001, LARGEST_HOURLY_DEPOSIT)?;
                // The deposit after a pause of an hour is 60 times the cost weight.
                Mechanism::DepositRefundTake {
                    cost_weight: self.units(key, units)? / 60,
                }
            }
            (_, None) => {
                let allowed = "say what a contribution deposits after an hour without one";
                return self.impossible(key, "missing", allowed);
            }
        };
        let refund = self.wait("refund_wait", table.refund_wait.as_ref())?;
        let any_address_claim = self.wait(
            "any_address_claim_wait",
            table.any_address_claim_wait.as_ref(),
        )?;
        let key = "incentive.owner_claim_wait";
        let owner_claim = match &table.owner_claim_wait {
            Some(wait) => self.seconds(key, wait)?,
            None => any_address_claim,
        };
        if any_address_claim >= 1 << 40 || refund > owner_claim || owner_claim > any_address_claim {
            return self.impossible(
                key,
                format!("{owner_claim} s"),
                format!(
                    "refund_wait ({refund} s) <= owner_claim_wait <= any_address_claim_wait ({any_address_claim} s) < 2^40 s is wanted"
                ),
            );
        }
        let key = "incentive.report_notice";
        let report_notice = match &table.report_notice {
            Some(wait) if wait.seconds > 0.0 => self.seconds(key, wait)?,
            _ => 0,
        };
        if report_notice > (owner_claim - refund) / 2 {
            return self.impossible(
                key,
                format!("{report_notice} s"),
                format!(
                    "expected refund_wait ({refund} s) and twice the report_notice together at most owner_claim_wait ({owner_claim} s)"
                ),
            );
        }
        let prediction_price = match table.prediction_price {
            None => None,
            Some(price) => Some(self.units("incentive.prediction_price", price)?),
        };
        Ok(Incentive::Trainer {
            mechanism,
            waits: Waits {
                refund,
                owner_claim,
                any_address_claim,
                report_notice,
            },
            prediction_price,
        })
    }

    fn market(&self, table: &IncentiveTable) -> Result<Incentive, ScenarioError> {
        let money = |key: &str, units: Option<Number>| match units {
            Some(units) => self.units(&format!("incentive.{key}"), units),
            None => self.impossible(
                format!("incentive.{key}"),
                "missing",
                "say how many units it is",
            ),
        };
        let count = |key: &str, given: Option<usize>, otherwise: usize, least, most| {
            let given = given.unwrap_or(otherwise);
            if (least..=most).contains(&given) {
                return Ok(given);
            }
            let allowed = format!("a number from {least} to {most} is wanted");
            self.impossible(format!("incentive.{key}"), given, allowed)
        };
        let short = |key: &str, wait: Option<&Duration>, otherwise: u64| match wait {
            None => Ok(otherwise),
            Some(wait) if wait.seconds < 4_294_967_296.0 => {
                self.seconds(&format!("incentive.{key}"), wait)
            }
            Some(wait) => self.impossible(
                format!("incentive.{key}"),
                format!("{:?}", wait.text),
                "less than 2^32 s is wanted",
            ),
        };
        let day = 86_400;
        let terms = Terms {
            stake: money("stake", table.stake)?,
            participation: match &table.participation {
                wait @ Some(_) => short("participation", wait.as_ref(), day)?,
                None => self.wait("participation", None)?,
            },
            reveal_wait: short("reveal_wait", table.reveal_wait.as_ref(), day)?,
            scoring_wait: short("scoring_wait", table.scoring_wait.as_ref(), 7 * day)?,
            most_contributions: count(
                "most_contributions",
                table.most_contributions,
                CONTRIBUTIONS,
                1,
                CONTRIBUTIONS,
            )? as u64,
            most_passes: count("most_passes", table.most_passes, PASSES, 1, 65_535)? as u64,
        };
        let parts = count("parts", table.parts, PARTS, 2, 256)?;
        let offer = Offer {
            bounty: money("bounty", table.bounty)?,
            parts,
            test_samples: match table.test_samples {
                None => TEST_SAMPLES,
                given => count("test_samples", given, 0, parts, 1_000_000)?,
            },
        };
        Ok(Incentive::Market { terms, offer })
    }

    fn wait(&self, key: &str, wait: Option<&Duration>) -> Result<u64, ScenarioError> {
        let key = format!("incentive.{key}");
        match wait {
            Some(wait) => self.seconds(&key, wait),
            None => self.impossible(key, "missing", "say how long, such as \"1 day\""),
        }
    }
}
