//! Ledger against a world of a chain, a Lightning node and callers, with crashes between any two
//! writes.

#[path = "ledger/entries.rs"]
mod entries;
#[path = "ledger/facts.rs"]
mod facts;
#[path = "ledger/rules.rs"]
mod rules;
#[path = "ledger/world.rs"]
mod world;

use proptest::prelude::*;

use self::world::{Op, World};

fn op() -> impl Strategy<Value = Op> {
    let account = 0..world::ACCOUNTS;
    let fate = any::<u8>();
    prop_oneof![
        3 => (account.clone(), 1..60u64).prop_map(|(account, units)| Op::Authorize { account, units }),
        4 => fate.prop_map(Op::MoveChain),
        4 => fate.prop_map(Op::LookAtChain),
        2 => (account.clone(), 1..2_000u64).prop_map(|(account, units)| Op::MakeInvoice { account, units }),
        3 => (fate, 0..5_000u64).prop_map(|(pick, more)| Op::PayInvoice { pick, more }),
        2 => Just(Op::ReadStream),
        1 => fate.prop_map(Op::ExpireInvoices),
        9 => (account.clone(), 1..40u64, fate, 0..12u8)
            .prop_map(|(account, units, outcome, id)| Op::Call { account, units, outcome, id }),
        2 => account.clone().prop_map(|account| Op::Close { account }),
        2 => account.prop_map(|account| Op::ReplaceOwner { account }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn ledger_loses_and_gives_no_unit_whatever_crashes(
        ops in prop::collection::vec((op(), prop::option::weighted(0.3, 0..4u8)), 1..90),
    ) {
        let mut world = World::new();
        for (op, crash) in ops {
            world.step(&op, crash);
            world.check();
        }
        world.settle();
    }
}
