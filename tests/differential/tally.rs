//! How often each operation succeeded and failed: what never does compares nothing.

use std::{collections::BTreeMap, ops::AddAssign};

use cotrain_protocol::{Rejection, classifier::Kind};

/// How often each operation must succeed at least, and how often fail, for each kind of model.
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

/// Why signed batches must be skipped at least once, relays be refused, claims be skipped among others, and all
/// claims of a call be refused.
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
    // Who has no good contribution has none for all claims of a call.
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

/// Of some runs.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    operations: BTreeMap<&'static str, (usize, usize)>,
    /// By operation and name.
    reasons: BTreeMap<(&'static str, String), usize>,
}

impl Tally {
    pub(crate) fn count(&mut self, operation: &'static str, success: bool) {
        let (good, bad) = self.operations.entry(operation).or_default();
        if success { *good += 1 } else { *bad += 1 }
    }

    /// Why something was skipped or refused.
    pub(crate) fn reason(&mut self, operation: &'static str, reason: &Rejection) {
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

    /// Whether it was enough.
    pub(crate) fn check(&self, kind: Kind) {
        self.require(kind, LEAST, REASONS);
    }

    /// Whether each operation succeeded and failed so often, and for these reasons.
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
