//! Facts that tell one deployment from another, as journals have them: a name and a value each.

use std::collections::BTreeMap;

use cotrain_protocol::{
    mechanism::{Mechanism, Terms},
    trainer::{Incentive, Waits},
};

/// Facts by their names.
pub type Facts = BTreeMap<String, String>;

/// Key of the mechanism's name.
const INCENTIVE: &str = "incentive";

/// Returns the terms of a mechanism: its title, and each number by the name that its description has for it.
pub(crate) fn of_terms(terms: &Terms) -> Facts {
    let description = terms.mechanism().description();
    let numbers = description.terms.iter().zip(terms.values());
    let numbers = numbers.map(|(term, value)| (term.name.to_owned(), value.to_string()));
    [(INCENTIVE.to_owned(), description.title.to_owned())]
        .into_iter()
        .chain(numbers)
        .collect()
}

/// Returns the facts of a journal with the names that this version has for them.
///
/// Versions before this one had names of their own for the terms of trainers. Facts that are of neither form stay.
pub(crate) fn renamed(mut facts: Facts) -> Facts {
    if let Some(terms) = earlier_terms(&facts) {
        for name in EARLIER {
            facts.remove(name);
        }
        facts.extend(of_terms(&terms));
    }
    facts
}

/// Keys of earlier versions: of the mechanism with its cost weight, the three waits, and the notice of a report.
const EARLIER: [&str; 3] = [INCENTIVE, "waits", "report notice"];

/// Reads the terms of a trainer in the form of earlier versions, such as `deposit, refund, take; cost weight 5 wei`,
/// `1, 2 and 3 s` and `0 s`.
fn earlier_terms(facts: &Facts) -> Option<Terms> {
    let [incentive, waits, notice] = EARLIER.map(|name| facts.get(name));
    let incentive = match incentive?.split_once("; cost weight ") {
        Some((title, weight)) if title == title_of(Mechanism::DepositRefundTake) => {
            let cost_weight = weight.strip_suffix(" wei")?.parse().ok()?;
            Incentive::DepositRefundTake { cost_weight }
        }
        None if incentive? == title_of(Mechanism::Points) => Incentive::Points,
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

fn title_of(mechanism: Mechanism) -> &'static str {
    mechanism.description().title
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(pairs: &[(&str, &str)]) -> Facts {
        let pairs = pairs.iter();
        pairs
            .map(|&(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    const WAITS: Waits = Waits {
        refund: 86_400,
        owner_claim: 777_600,
        any_address_claim: 777_601,
        report_notice: 7,
    };

    #[test]
    fn of_terms_has_the_names_of_the_description() {
        let incentive = Incentive::DepositRefundTake { cost_weight: 5 };
        let terms = Terms::Trainer {
            incentive,
            waits: WAITS,
        };
        let expected = facts(&[
            ("incentive", "deposit, refund, take"),
            ("refundWait", "86400"),
            ("ownerClaimWait", "777600"),
            ("anyAddressClaimWait", "777601"),
            ("reportNotice", "7"),
            ("costWeight", "5"),
        ]);
        assert_eq!(of_terms(&terms), expected);
    }

    #[test]
    fn renamed_reads_journals_of_earlier_versions() {
        let earlier = |incentive| {
            facts(&[
                ("chain", "31337"),
                ("incentive", incentive),
                ("waits", "86400, 777600 and 777601 s"),
                ("report notice", "7 s"),
            ])
        };
        let now = |incentive| {
            let mut facts = of_terms(&Terms::Trainer {
                incentive,
                waits: WAITS,
            });
            facts.insert("chain".to_owned(), "31337".to_owned());
            facts
        };
        let cost_weight = 1_000_000_000_000;
        let deposits = "deposit, refund, take; cost weight 1000000000000 wei";
        let expected = now(Incentive::DepositRefundTake { cost_weight });
        assert_eq!(renamed(earlier(deposits)), expected);
        assert_eq!(renamed(earlier("points")), now(Incentive::Points));
        // What this version writes stays, and so does what no version wrote.
        assert_eq!(renamed(expected.clone()), expected);
        for odd in [
            "lottery",
            "points; cost weight 5 wei",
            "deposit, refund, take",
        ] {
            assert_eq!(renamed(earlier(odd)), earlier(odd));
        }
        let mut cut = earlier("points");
        cut.remove("report notice");
        assert_eq!(renamed(cut.clone()), cut);
    }
}
