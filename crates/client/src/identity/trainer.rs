//! Terms of trainers in journals of earlier versions.

use std::collections::BTreeMap;

use cotrain_protocol::{
    mechanism::Terms,
    trainer::{Incentive, Waits},
};

/// Keys of the mechanism with its cost weight, of the three waits, and of the notice of a report.
pub(super) const EARLIER: [&str; 3] = ["incentive", "waits", "report notice"];

/// Reads the terms of earlier versions, such as `deposit, refund, take; cost weight 5 wei`, `1, 2
/// and 3 s` and `0 s`. Returns `None` if they have another form.
pub(super) fn earlier_terms(facts: &BTreeMap<String, String>) -> Option<Terms> {
    let [incentive, waits, notice] = EARLIER.map(|name| facts.get(name));
    // These are the titles of those versions, even if a mechanism has another title today.
    let incentive = match incentive?.split_once("; cost weight ") {
        Some(("deposit, refund, take", weight)) => {
            let cost_weight = weight.strip_suffix(" wei")?.parse().ok()?;
            Incentive::DepositRefundTake { cost_weight }
        }
        None if incentive? == "points" => Incentive::Points,
        _ => return None,
    };
    let (before, any) = waits?.strip_suffix(" s")?.split_once(" and ")?;
    let (refund, owner) = before.split_once(", ")?;
    let seconds = |text: &str| text.parse().ok();
    let waits = Waits {
        refund: seconds(refund)?,
        owner_claim: seconds(owner)?,
        any_address_claim: seconds(any)?,
        report_notice: seconds(notice?.strip_suffix(" s")?)?,
    };
    Some(Terms::Trainer { incentive, waits })
}
