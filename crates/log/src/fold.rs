//! Model of a set: all items, taught in their order.

use alloy_primitives::Address;
use cotrain_protocol::{classifier::Hosted, trainer::Trainer};

use crate::{item::Turn, set::Set};

/// Number of items between two states that the fold keeps.
///
/// An item that comes late is folded from the last kept state before its turn.
pub const SNAPSHOT_EVERY: usize = 1_024;

/// State after some items.
#[derive(Debug, Clone)]
struct State {
    /// Turn of the last item; `None` before the first.
    last: Option<Turn>,
    /// Number of items since the kept state before it.
    since: usize,
    model: Hosted,
}

/// States of a fold, which follows a set.
#[derive(Debug, Clone)]
pub(crate) struct Fold {
    /// Only account that may teach the model.
    teacher: Address,
    first: State,
    /// State after each [`SNAPSHOT_EVERY`] items, in order.
    kept: Vec<State>,
    /// State after the last item, if it was computed.
    head: Option<State>,
}

impl Fold {
    /// Creates the fold that begins with this trainer's model.
    pub(crate) fn new(trainer: &Trainer) -> Self {
        Self {
            teacher: trainer.address(),
            first: State {
                last: None,
                since: 0,
                model: trainer.model().clone(),
            },
            kept: Vec::new(),
            head: None,
        }
    }

    /// Forgets the states that an item of this turn changes.
    pub(crate) fn forget(&mut self, turn: Turn) {
        let is_before = |state: &State| state.last < Some(turn);
        self.kept.truncate(self.kept.partition_point(is_before));
        self.head.take_if(|state| !is_before(state));
    }

    /// Returns the model after all items of the set, whose changes were all told to
    /// [`forget`](Self::forget).
    pub(crate) fn model(&mut self, set: &Set) -> &Hosted {
        let kept = || self.kept.last().unwrap_or(&self.first).clone();
        let mut state = self.head.take().unwrap_or_else(kept);
        for item in set.after(state.last) {
            // The terms checked the items, so none is refused. If one were, it would teach nothing.
            let _ = state.model.learn(self.teacher, item.batch());
            state.last = Some(item.turn());
            state.since += 1;
            if state.since == SNAPSHOT_EVERY {
                state.since = 0;
                self.kept.push(state.clone());
            }
        }
        &self.head.insert(state).model
    }
}
