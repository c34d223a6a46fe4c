//! Sentences about a run that both terminal and page show.

use cotrain_simulator::run::{AgentOutcome, End, Relay, Run};

use super::summary::{claims, each, unclaimed};
use crate::format::{count, share};

/// Says why a run ended before everything was claimed; `None` if everything was.
pub(crate) fn early_end(run: &Run) -> Option<String> {
    let why = match run.end {
        End::Settled => return None,
        End::Stuck if unclaimed(run) == 0 => {
            return Some("Stopped as nobody was willing to contribute any more.".to_owned());
        }
        End::Stuck => "Stopped as nobody could pay the gas of a claim",
        End::Limit => "Stopped at the limit of the scenario (run.limit)",
    };
    if !run.words.has_claims {
        return Some(format!("{why}."));
    }
    let (left, are) = match unclaimed(run) {
        1 => ("1 contribution".to_owned(), "is"),
        left => (format!("{} contributions", count(left)), "are"),
    };
    Some(format!("{why}: {left} {are} unclaimed."))
}

/// Describes other actions of agents, one line each.
pub(crate) fn aside(run: &Run) -> Vec<String> {
    let agents = run.agents.iter().flat_map(|agent| {
        let units =
            |wei: u128| format!("{}.{:02}", wei / run.unit, wei % run.unit * 100 / run.unit);
        let paid = (agent.predictions > 0).then(|| {
            format!(
                "{} paid {} units for {} predictions",
                agent.name,
                units(agent.paid),
                count(agent.predictions)
            )
        });
        let collected = (agent.collected > 0)
            .then(|| format!("{} collected {} units", agent.name, units(agent.collected)));
        let outbid = (agent.outbid > 0)
            .then(|| format!("{} was outbid {} times", agent.name, count(agent.outbid)));
        [paid, collected, outbid].into_iter().flatten()
    });
    agents.collect()
}

/// Describes the transactions and the savings of relaying, line by line.
pub(crate) fn relaying(run: &Run, relay: Relay) -> Vec<String> {
    let compared = |things: &str, number: u64, transactions: u64, together: u64, alone: u64| {
        format!(
            "{things} in {} transactions: {} gas each, alone {}",
            count(transactions),
            count(each(together, number)),
            count(each(alone, number))
        )
    };
    let alone = relay.contributions_alone + relay.claims_alone;
    let mut lines = vec![
        compared(
            "contributions",
            run.counts.contributions,
            relay.relays,
            run.gas.contributions,
            relay.contributions_alone,
        ),
        compared(
            "claims",
            claims(run),
            relay.claims,
            run.gas.claims,
            relay.claims_alone,
        ),
        format!(
            "prepaid {} times, {} gas",
            count(relay.prepayments),
            count(relay.prepaying)
        ),
        format!(
            "saved {} of {} gas",
            share(relay.saved_percent(run.gas) / 100.0),
            count(alone)
        ),
    ];
    lines.extend((relay.unsent > 0).then(|| {
        format!(
            "{} signed contributions were never sent",
            count(relay.unsent)
        )
    }));
    lines
}

/// Describes the number of values that the encoding changed; `None` if it changed none.
pub(crate) fn clamped(run: &Run) -> Option<String> {
    let clamped = run.data.clamped;
    (clamped > 0).then(|| format!("{} numbers out of bounds, moved to them", count(clamped)))
}

/// Returns `hostile` for hostile agents, `harmless` for all others.
pub(crate) fn side(agent: &AgentOutcome) -> &'static str {
    if agent.is_harmless() {
        "harmless"
    } else {
        "hostile"
    }
}
