//! Points: the life of deposit, refund, take without money.

use super::{
    ClaimKind, Description,
    deposit_refund_take::{ANY_ADDRESS_CLAIM_WAIT, OWNER_CLAIM_WAIT, REFUND_WAIT, REPORT_NOTICE},
};

pub(super) const DESCRIPTION: Description = Description {
    name: "points",
    title: "points",
    word: "model",
    rules: "A contribution costs no deposit. It counts as good, a point for its sender, once the model agrees \
            with the label. Nobody is paid.",
    stakes: "deposits",
    carries_money: false,
    terms: &[
        REFUND_WAIT,
        OWNER_CLAIM_WAIT,
        ANY_ADDRESS_CLAIM_WAIT,
        REPORT_NOTICE,
    ],
    phases: &[],
    claims: &[ClaimKind::Refund, ClaimKind::Report, ClaimKind::Late],
    learns_at_once: true,
    takes_signed_batches: true,
};
