//! Tests the fold against one relay of the same batches by the trainer.

use std::collections::BTreeSet;

use alloy_primitives::Address;
use cotrain_log::{Item, Log};
use proptest::{collection::vec, prelude::*};

use crate::support::{Fault, TIME, Written, cases, learners, people, terms, written};

/// Faults that only a log minds: a relay takes other forms of a signature.
fn is_relayed(written: &Written) -> bool {
    let parses = !matches!(written.fault, Some(Fault::Truncated | Fault::Longer));
    parses && !matches!(written.fault, Some(Fault::HighS | Fault::Short))
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn model_and_nonces_are_those_of_a_relay_in_order(written in vec(written(), 1..60)) {
        let written: Vec<_> = written.into_iter().filter(is_relayed).collect();
        for parameters in learners() {
            let terms = terms(parameters);
            let mut log = Log::new(terms.clone());
            let mut batches = Vec::new();
            for it in &written {
                let bytes = it.bytes(&terms);
                let _ = log.add(&bytes);
                batches.push((it.batch(&terms), Item::id_of(&bytes)));
            }
            batches.sort_by_key(|(batch, id)| (batch.author, batch.nonce, *id));
            batches.dedup_by_key(|(_, id)| *id);
            let ids: Vec<_> = batches.iter().map(|(_, id)| *id).collect();
            let batches: Vec<_> = batches.into_iter().map(|(batch, _)| batch).collect();

            let mut trainer = terms.trainer().clone();
            let relayed = trainer.relay(Address::ZERO, TIME, &batches).expect("no fees");

            let taken: BTreeSet<_> = ids.iter().zip(&relayed.outcomes)
                .filter_map(|(id, outcome)| outcome.is_ok().then_some(*id))
                .collect();
            let held: BTreeSet<_> = log.set().ids(..).copied().collect();
            prop_assert_eq!(held, taken);
            prop_assert_eq!(log.model().words(), trainer.classifier().words());
            let standings = log.standings();
            for key in people() {
                let standing = standings.get(&key.address()).copied().unwrap_or_default();
                prop_assert_eq!(standing.next_nonce, trainer.next_nonce(key.address()));
            }
            let contributions: u64 = standings.values().map(|it| it.contributions).sum();
            prop_assert_eq!(contributions, trainer.contribution_count());
        }
    }
}
