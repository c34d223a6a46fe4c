//! Deposit, refund, take: the mechanism of Harris and Waggoner, "Decentralized & Collaborative AI on Blockchain" (2019).

use super::{ClaimKind, Description, Term, Unit};

pub(super) const DESCRIPTION: Description = Description {
    name: "deposit-refund-take",
    title: "deposit, refund, take",
    word: "model",
    rules: "A contribution carries a deposit. Its sender gets it back once the model agrees with the label; if \
            the model does not, others who were right before report it and take a share.",
    stakes: "deposits",
    carries_money: true,
    terms: &[
        REFUND_WAIT,
        OWNER_CLAIM_WAIT,
        ANY_ADDRESS_CLAIM_WAIT,
        REPORT_NOTICE,
        Term {
            name: "costWeight",
            unit: Unit::Wei,
            least: 0,
            bits: COST_WEIGHT_BITS,
            meaning: "weight of deposits: each is this times 3600 divided by the square root of the seconds since the \
                      last contribution",
        },
    ],
    phases: &[],
    claims: &[ClaimKind::Refund, ClaimKind::Report, ClaimKind::Late],
    learns_at_once: true,
    takes_signed_batches: true,
};

/// Bits of a cost weight: an hour's worth of it leaves a deposit below 2^92.
pub(crate) const COST_WEIGHT_BITS: u32 = 80;

/// Bits of a wait: 34,000 years.
pub(crate) const WAIT_BITS: u32 = 40;

pub(super) const REFUND_WAIT: Term = Term {
    name: "refundWait",
    unit: Unit::Seconds,
    least: 0,
    bits: WAIT_BITS,
    meaning: "wait before a contribution can be refunded or reported",
};

pub(super) const OWNER_CLAIM_WAIT: Term = Term {
    name: "ownerClaimWait",
    unit: Unit::Seconds,
    least: 0,
    bits: WAIT_BITS,
    meaning: "wait before the owner may take what nobody claimed",
};

pub(super) const ANY_ADDRESS_CLAIM_WAIT: Term = Term {
    name: "anyAddressClaimWait",
    unit: Unit::Seconds,
    least: 0,
    bits: WAIT_BITS,
    meaning: "wait before anyone may take what nobody claimed",
};

pub(super) const REPORT_NOTICE: Term = Term {
    name: "reportNotice",
    unit: Unit::Seconds,
    least: 0,
    bits: WAIT_BITS,
    meaning: "notice that a report needs",
};
