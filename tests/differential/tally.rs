//! Counts of successes and failures by operation. An operation that never happens compares nothing.

use std::{collections::BTreeMap, ops::AddAssign};

use cotrain_protocol::{ContractError, classifier::Kind};

/// Minimum number of successes and of failures of each operation, for each kind of model.
const LEAST: &[(&str, usize, usize)] = &[
    ("contribute", 1_000, 100),
    ("relay", 1_000, 10),
    ("signed batch", 1_000, 1_000),
    ("deposit", 300, 5),
    ("withdraw", 100, 100),
    ("cancel", 100, 0),
    ("refund", 100, 100),
    ("announce", 50, 100),
    ("report", 50, 100),
    ("report for", 50, 100),
    ("late", 50, 100),
    ("predict", 100, 50),
    ("evaluate", 100, 100),
];

/// Reasons that must occur at least once for each operation.
///
/// A signed batch or a single claim is skipped. A relay, or all claims of a call, are refused.
const REASONS: &[(&str, &[&str])] = &[
    (
        "signed batch",
        &[
            "EmptyBatch",
            "MalformedBatch",
            "Expired",
            "NonceUsed",
            "PriceTooHigh",
            "BalanceTooLow",
            "InvalidSignature",
            "LabelOutOfRange",
        ],
    ),
    ("relay", &["BalanceOverflow"]),
    (
        "report for",
        &[
            "Expired",
            "InvalidSignature",
            "UnknownContribution",
            "NoClaims",
            "NoGoodContribution",
            "BalanceOverflow",
        ],
    ),
    (
        "claim",
        &[
            "NothingLeft",
            "TooEarly",
            "PredictionDiffers",
            "BalanceOverflow",
            "OwnContribution",
            "AlreadyReported",
            "AlreadyAnnounced",
            "PredictionAgrees",
        ],
    ),
    // A caller without a good contribution has none for every claim of a call.
    (
        "all claims",
        &[
            "UnknownContribution",
            "NoClaims",
            "NoGoodContribution",
            "NoNotice",
            "NotAnnounced",
        ],
    ),
];

/// Counts of one or more runs.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    operations: BTreeMap<&'static str, (usize, usize)>,
    /// Counts by operation and name of the reason.
    reasons: BTreeMap<(&'static str, String), usize>,
}

impl Tally {
    pub(crate) fn count(&mut self, operation: &'static str, success: bool) {
        let (good, bad) = self.operations.entry(operation).or_default();
        if success { *good += 1 } else { *bad += 1 }
    }

    /// Counts the reason of a skip or a refusal.
    pub(crate) fn reason(&mut self, operation: &'static str, reason: &ContractError) {
        let name = format!("{reason:?}")
            .split(' ')
            .next()
            .unwrap_or_default()
            .to_owned();
        *self.reasons.entry((operation, name)).or_default() += 1;
    }

    pub(crate) fn succeeded(&self, operation: &str) -> usize {
        self.operations.get(operation).map_or(0, |(good, _)| *good)
    }

    /// Checks that every operation happened often enough.
    pub(crate) fn check(&self, kind: Kind) {
        self.require(kind, LEAST, REASONS);
    }

    /// Checks that each operation succeeded and failed often enough, and for these reasons.
    pub(crate) fn require(
        &self,
        kind: Kind,
        least: &[(&str, usize, usize)],
        reasons: &[(&'static str, &[&str])],
    ) {
        for (operation, least_good, least_bad) in least {
            let (good, bad) = self.operations.get(operation).copied().unwrap_or_default();
            assert!(
                good >= *least_good && bad >= *least_bad,
                "{operation} of {kind}: {good} good, {bad} bad; {self:?}"
            );
        }
        for (operation, reasons) in reasons {
            for reason in *reasons {
                assert!(
                    self.reasons
                        .contains_key(&(operation, (*reason).to_owned())),
                    "no {operation} of {kind} failed for {reason}; {self:?}"
                );
            }
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        for (operation, (good, bad)) in other.operations {
            let sum = self.operations.entry(operation).or_default();
            *sum = (sum.0 + good, sum.1 + bad);
        }
        for (reason, count) in other.reasons {
            *self.reasons.entry(reason).or_default() += count;
        }
    }
}
