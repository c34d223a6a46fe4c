//! The prediction market of Abernethy and Frongillo, "A Collaborative Mechanism for Crowdsourcing Prediction Problems"
//! (2011).

use super::{Description, MARKET_PHASES, Term, Unit};

pub(super) const DESCRIPTION: Description = Description {
    name: "prediction-market",
    title: "prediction market",
    word: "prediction market",
    rules: "A contribution carries a stake, and the model learns it only once the market has closed. Then the \
            contributions are taught one author after the other, and each author is scored by how many more \
            samples of the hidden test set the model gets right with them. Who improves the model is paid out \
            of the bounty; who makes it worse loses stakes to the provider, who also gets back what is left \
            of the bounty.",
    stakes: "stakes",
    carries_money: true,
    terms: &TERMS,
    phases: &MARKET_PHASES,
    claims: &[],
    learns_at_once: false,
    takes_signed_batches: false,
};

pub(crate) const TERMS: [Term; 6] = [
    Term {
        name: "stake",
        unit: Unit::Wei,
        least: 1,
        bits: 96,
        meaning: "stake of each contribution",
    },
    seconds(
        "participation",
        "time for contributions, from the opening on",
    ),
    seconds(
        "revealWait",
        "time for the provider to reveal: the drawn part from the commitments on, the others from the closing on",
    ),
    seconds(
        "scoringWait",
        "time for the scoring, from the last reveal on",
    ),
    Term {
        name: "mostContributions",
        unit: Unit::Count,
        least: 1,
        bits: 32,
        meaning: "contributions with which the market closes early",
    },
    Term {
        name: "mostPasses",
        unit: Unit::Count,
        least: 1,
        bits: 16,
        meaning: "passes over the contributions after which the market is settled at the latest",
    },
];

const fn seconds(name: &'static str, meaning: &'static str) -> Term {
    Term {
        name,
        unit: Unit::Seconds,
        least: 1,
        bits: 32,
        meaning,
    }
}
