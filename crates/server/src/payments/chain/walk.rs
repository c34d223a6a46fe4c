//! Search of an event from the head of the chain backwards, in several looks.

/// Blocks that earlier looks have searched: those above `rest`, up to `top`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Searched {
    top: u64,
    rest: u64,
}

/// Walk through the blocks of one look.
///
/// It begins at the head each time, since the event may be newer than the last look, or a
/// reorganization may have moved it. It passes over what was searched before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Walk {
    /// Last block of the next request.
    pub(super) to: u64,
    /// Blocks below this one stay as they are.
    top: u64,
    before: Option<Searched>,
}

impl Walk {
    /// Begins a look at a head, of which `depth` blocks may change.
    pub(super) fn new(head: u64, depth: u64, before: Option<Searched>) -> Self {
        Self {
            to: head,
            top: head.saturating_sub(depth),
            before,
        }
    }

    /// Goes on after a request that reached down to the block `first` and found nothing.
    ///
    /// Returns `false` if no block is left.
    pub(super) fn pass(&mut self, first: u64) -> bool {
        let Some(next) = first.checked_sub(1) else {
            return false;
        };
        self.to = next;
        if let Some(before) = self.before
            && next <= before.top
        {
            self.to = next.min(before.rest);
            self.before = None;
        }
        true
    }

    /// Returns all that is searched now, for the next look.
    pub(super) fn searched(&self) -> Searched {
        // Above it, some blocks of this look may be left.
        self.before.unwrap_or(Searched {
            top: self.top.max(self.to),
            rest: self.to,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks with few requests of 10 blocks each, and returns those that were searched.
    fn look(head: u64, requests: usize, searched: &mut Option<Searched>) -> Vec<u64> {
        let mut walk = Walk::new(head, 5, *searched);
        let mut blocks = Vec::new();
        for _ in 0..requests {
            let first = walk.to.saturating_sub(9);
            blocks.extend(first..=walk.to);
            if !walk.pass(first) {
                *searched = None;
                return blocks;
            }
            *searched = Some(walk.searched());
        }
        blocks
    }

    #[test]
    fn walk_looks_at_new_blocks_first_and_goes_on_where_it_was() {
        let mut searched = None;
        assert_eq!(look(1_000, 2, &mut searched).first(), Some(&991));
        // The block of the event has come after the head of the first look.
        let second = look(1_003, 2, &mut searched);
        assert!(second.contains(&1_001) && second.contains(&980) && !second.contains(&985));
        // A look that does not reach what was searched before leaves it as it is.
        let before = searched;
        look(1_100, 2, &mut searched);
        assert_eq!(searched, before);
        let mut all: Vec<u64> = second;
        for _ in 0..200 {
            all.extend(look(1_003, 2, &mut searched));
            if searched.is_none() {
                break;
            }
        }
        assert_eq!(searched, None);
        assert!((0..=980).all(|block| all.contains(&block)));
    }
}
