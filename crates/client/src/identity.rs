//! Facts that distinguish one deployment from another in journals: each has a name and a value.

mod trainer;

use std::collections::BTreeMap;

use cotrain_protocol::mechanism::Terms;

/// Facts by their names.
pub type Facts = BTreeMap<String, String>;

/// Key of the mechanism's name.
const INCENTIVE: &str = "incentive";

/// Returns the terms of a mechanism: its title, and each number by the name in its description.
pub(crate) fn of_terms(terms: &Terms) -> Facts {
    let description = terms.mechanism().description();
    let numbers = description.terms.iter().zip(terms.values());
    let numbers = numbers.map(|(term, value)| (term.name.to_owned(), value.to_string()));
    [(INCENTIVE.to_owned(), description.title.to_owned())]
        .into_iter()
        .chain(numbers)
        .collect()
}

/// Returns the facts of a journal under this version's names.
///
/// Earlier versions had other names for the terms of trainers. Facts of any other form stay
/// unchanged.
pub(crate) fn renamed(mut facts: Facts) -> Facts {
    if let Some(terms) = trainer::earlier_terms(&facts) {
        for name in trainer::EARLIER {
            facts.remove(name);
        }
        facts.extend(of_terms(&terms));
    }
    facts
}

#[cfg(test)]
mod tests {
    use cotrain_protocol::trainer::{Incentive, Waits};

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
        // Facts of this version stay, and so do facts that no version wrote.
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
