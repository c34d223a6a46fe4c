//! Keys of scenarios with prediction markets.

use cotrain_protocol::mechanism::{Term, Terms, Unit};

use super::{IncentiveTable, Section, missing};
use crate::scenario::{Incentive, Offer, ScenarioError, check::Check};

/// Minimum and maximum number of parts of a test set, and the default.
const PARTS: (usize, usize) = (2, 256);
const USUAL_PARTS: usize = 10;

/// Maximum number of samples in a test set, and the default.
const MAX_TEST_SAMPLES: usize = 1_000_000;
const USUAL_TEST_SAMPLES: usize = 1_000;

const DAY: u128 = 86_400;

pub(super) const SECTION: Section = Section {
    own: &[
        ("bounty", Unit::Wei),
        ("parts", Unit::Count),
        ("test_samples", Unit::Count),
    ],
    counts: &[
        ("parts", PARTS.0, PARTS.1),
        ("test_samples", PARTS.0, MAX_TEST_SAMPLES),
    ],
    hidden: &[],
    preset,
    finish,
};

#[expect(
    clippy::unnecessary_wraps,
    reason = "other mechanisms' presets depend on what the file says"
)]
fn preset(_: &Check<'_>, _: &IncentiveTable, term: &Term) -> Result<Option<u128>, ScenarioError> {
    Ok(match term.name {
        "revealWait" => Some(DAY),
        "scoringWait" => Some(7 * DAY),
        "mostContributions" => Some(1_000_000),
        "mostPasses" => Some(100),
        _ => None,
    })
}

fn finish(
    check: &Check<'_>,
    table: &IncentiveTable,
    terms: Terms,
) -> Result<Incentive, ScenarioError> {
    let Terms::Market(terms) = terms else {
        return check.impossible("incentive.kind", &table.kind, "expected a market's");
    };
    let parts = check.whole(table, "parts", USUAL_PARTS, PARTS)?;
    let Some(bounty) = check.money(table, "bounty")? else {
        return check.impossible("incentive.bounty", "missing", missing(Unit::Wei));
    };
    let samples = (parts, MAX_TEST_SAMPLES);
    let test_samples = check.whole(table, "test_samples", USUAL_TEST_SAMPLES, samples)?;
    Ok(Incentive::Market {
        terms,
        offer: Offer {
            bounty,
            parts,
            test_samples,
        },
    })
}
