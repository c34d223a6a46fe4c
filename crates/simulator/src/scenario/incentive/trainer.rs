//! Keys of scenarios with trainers.

use cotrain_protocol::{
    mechanism::{Term, Terms, Unit},
    trainer::{Incentive as Mechanism, Waits},
};

use super::{IncentiveTable, Section, table::Given};
use crate::scenario::{Incentive, ScenarioError, check::Check};

/// Key that determines the cost weight: the deposit after an hour's pause is 60 times the weight.
const HOURLY: &str = "deposit_after_one_hour";

/// Maximum deposit after an hour, in units.
///
/// The contract's cost weight is below 2^80 wei, and this is 60 times that limit.
const LARGEST_HOURLY_DEPOSIT: f64 = 7.2e7;

pub(super) const SECTION: Section = Section {
    own: &[(HOURLY, Unit::Wei), ("prediction_price", Unit::Wei)],
    counts: &[],
    hidden: &["costWeight"],
    preset,
    finish,
};

fn preset(
    check: &Check<'_>,
    table: &IncentiveTable,
    term: &Term,
) -> Result<Option<u128>, ScenarioError> {
    match term.name {
        "costWeight" => cost_weight(check, table).map(Some),
        "ownerClaimWait" => match table.get("any_address_claim_wait") {
            Some(Given::Duration(wait)) => {
                let seconds = check.seconds("incentive.any_address_claim_wait", wait)?;
                let seconds = Some(seconds.into());
                Ok(seconds
                    .filter(|value| term.validate(*value).is_ok())
                    .or(Some(0)))
            }
            // The term `anyAddressClaimWait` is asked for, or rejected, later.
            _ => Ok(Some(0)),
        },
        "reportNotice" => Ok(Some(0)),
        _ => Ok(None),
    }
}

fn cost_weight(check: &Check<'_>, table: &IncentiveTable) -> Result<u128, ScenarioError> {
    let key = format!("incentive.{HOURLY}");
    let Some(Given::Money(units)) = table.get(HOURLY) else {
        let allowed = "say what a contribution deposits after an hour without one";
        return check.impossible(key, "missing", allowed);
    };
    check.within(&key, units.0, 0.000_001, LARGEST_HOURLY_DEPOSIT)?;
    Ok(check.units(&key, *units)? / 60)
}

fn finish(
    check: &Check<'_>,
    table: &IncentiveTable,
    terms: Terms,
) -> Result<Incentive, ScenarioError> {
    let Terms::Trainer {
        incentive: mechanism,
        waits,
    } = terms
    else {
        return check.impossible("incentive.kind", &table.kind, "expected a trainer's");
    };
    if let (Mechanism::Points, Some(Given::Money(units))) = (mechanism, table.get(HOURLY)) {
        let allowed = "under points nothing is deposited: leave it out";
        return check.impossible(format!("incentive.{HOURLY}"), units.0, allowed);
    }
    let Waits {
        refund,
        owner_claim,
        any_address_claim,
        report_notice,
    } = waits;
    if refund > owner_claim || owner_claim > any_address_claim {
        let allowed = format!(
            "expected refund_wait ({refund} s) <= owner_claim_wait <= any_address_claim_wait ({any_address_claim} s) < 2^40 s"
        );
        let shown = format!("{owner_claim} s");
        return check.impossible("incentive.owner_claim_wait", shown, allowed);
    }
    if report_notice > (owner_claim - refund) / 2 {
        let allowed = format!(
            "expected refund_wait ({refund} s) and twice the report_notice together at most owner_claim_wait ({owner_claim} s)"
        );
        let shown = format!("{report_notice} s");
        return check.impossible("incentive.report_notice", shown, allowed);
    }
    Ok(Incentive::Trainer {
        mechanism,
        waits,
        prediction_price: check.money(table, "prediction_price")?,
    })
}
