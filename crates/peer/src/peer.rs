//! Core of a peer: what it does with frames and time.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256};
use cotrain_log::{Added, Item, Log, Refusal, Set};

use crate::{
    chance::Chance,
    check::Check,
    frame::{FRAME_BYTES, Frame, ShortId},
    limits::Limits,
    link::{Link, LinkId, Offer},
    range::{Answer, HELD_MOST, Range, opening},
    refused::{Refused, is_early},
    task::{Action, AddError, Fault},
};

/// Size of frames that are not filled further, in bytes.
const FULL: usize = FRAME_BYTES / 4;
/// Number of items with the same first bytes that are sent to who asks for them.
const TWINS: usize = 4;
/// Part of the time between reconciliations that passes before a new link begins another.
const PAUSE: u64 = 6;
/// Time between two `Hello`s on a link, in milliseconds.
const GREETING: u64 = 1_000;

/// Wish for an item.
#[derive(Debug, Clone, Copy)]
struct Ask {
    of: LinkId,
    since: u64,
    fresh: bool,
    /// Link that offers it, too.
    other: Option<LinkId>,
}

/// A peer without I/O: each call returns what is to be done.
///
/// `now` is in milliseconds of any clock. It may be wrong, and it may leap: only differences count.
#[derive(Debug)]
pub struct Peer<C> {
    check: C,
    log: Log,
    limits: Limits,
    chance: Chance,
    links: BTreeMap<LinkId, Link>,
    asks: BTreeMap<B256, Ask>,
    refused: Refused,
    reconciled: Option<u64>,
}

impl<C: Check> Peer<C> {
    /// Creates a peer that holds nothing. The seed must be secret and drawn anew each time.
    #[must_use]
    pub fn new(check: C, limits: Limits, seed: B256) -> Self {
        Self {
            log: Log::new(check.terms().clone()),
            check,
            limits,
            chance: Chance::new(seed),
            links: BTreeMap::new(),
            asks: BTreeMap::new(),
            refused: Refused::default(),
            reconciled: None,
        }
    }

    /// Takes back an item that was stored.
    ///
    /// # Errors
    /// [`Refusal`] if the bytes were damaged. The peer gets the item again from others.
    pub fn restore(&mut self, stored: &[u8]) -> Result<Added, Refusal> {
        Ok(self.log.add_item(self.check.item(stored)?))
    }

    /// Returns the log.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Returns the log, whose model can be asked.
    pub fn log_mut(&mut self) -> &mut Log {
        &mut self.log
    }

    /// Returns the number of ids and items in memory beside the set: offers, wishes.
    #[must_use]
    pub fn pending(&self) -> usize {
        let offers = self.links.values().map(|link| link.offers.len());
        self.asks.len() + offers.sum::<usize>()
    }

    /// Adds an item that the user has signed.
    ///
    /// # Errors
    /// [`AddError`]; nothing has changed then.
    pub fn add(&mut self, bytes: &[u8]) -> Result<Vec<Action>, AddError> {
        let item = self.check.item(bytes)?;
        let (turn, id) = (item.turn(), item.id());
        let free = self.log.set().free_nonce(turn.author);
        let mut actions = Vec::new();
        match self.take(item, &mut actions) {
            Taken::Yes => {
                self.tell(&[id], None, &mut actions);
                Ok(actions)
            }
            Taken::Known => Ok(actions),
            Taken::Superseded => Err(AddError::NonceUsed {
                nonce: turn.nonce,
                free,
            }),
            Taken::Early => Err(AddError::Early {
                nonce: turn.nonce,
                free,
                last: free.saturating_add(self.limits.pending).saturating_sub(1),
            }),
            Taken::Full => Err(AddError::Full {
                items: self.log.set().len(),
            }),
        }
    }

    /// Takes a link that was opened by either side.
    pub fn connected(&mut self, now: u64, link: LinkId) -> Vec<Action> {
        self.disconnected(link);
        if self.links.len() >= self.limits.links {
            let fault = Fault::TooManyLinks(self.links.len());
            return vec![Action::Close { link, fault }];
        }
        let ours = self.chance.word();
        self.links.insert(link, Link::new(ours, &self.limits, now));
        vec![self.hello(link, ours)]
    }

    /// Forgets a link.
    pub fn disconnected(&mut self, link: LinkId) {
        self.links.remove(&link);
        self.asks.retain(|_, ask| ask.of != link);
    }

    /// Handles a frame. Frames of unknown links and of unknown kinds are ignored.
    pub fn handle(&mut self, now: u64, from: LinkId, frame: &[u8]) -> Vec<Action> {
        let mut actions = Vec::new();
        let Some(link) = self.links.get_mut(&from) else {
            return actions;
        };
        let frame_bytes = frame.len() as u64;
        if !link.bucket.take(&self.limits, now, frame_bytes) {
            return actions;
        }
        let handled = match Frame::decode(frame) {
            Ok(Some(frame)) => self.react(now, from, frame, &mut actions),
            Ok(None) => Ok(()),
            Err(error) => Err(error.into()),
        };
        if let Err(fault) = handled {
            self.disconnected(from);
            actions.push(Action::Close { link: from, fault });
        }
        actions
    }

    /// Does what is due. Callers call it about every second.
    pub fn tick(&mut self, now: u64) -> Vec<Action> {
        let mut actions = Vec::new();
        self.greet(now, &mut actions);
        self.give_up(now);
        let is_due = |last| now.abs_diff(last) >= self.limits.reconcile;
        if self.reconciled.is_none_or(is_due) {
            self.reconciled = Some(now);
            let open = self.links.iter().filter(|(_, link)| link.theirs.is_some());
            let open: Vec<_> = open.map(|(id, _)| *id).collect();
            for link in self.chance.choose(open, 1) {
                self.reconcile(link, &mut actions);
            }
        }
        // Those that have sent what they offered are asked first.
        let mut links: Vec<_> = self
            .links
            .iter()
            .map(|(id, it)| (it.withheld, *id))
            .collect();
        links.sort_unstable();
        for (_, link) in links {
            self.ask(now, link, &mut actions);
        }
        actions
    }

    /// Repeats the `Hello` to peers that have not answered.
    fn greet(&mut self, now: u64, actions: &mut Vec<Action>) {
        let mut due = Vec::new();
        for (id, link) in &mut self.links {
            if link.theirs.is_none() && now.abs_diff(link.greeted) >= GREETING {
                link.greeted = now;
                due.push((*id, link.ours));
            }
        }
        actions.extend(due.into_iter().map(|(id, ours)| self.hello(id, ours)));
    }

    fn hello(&self, to: LinkId, nonce: B256) -> Action {
        let log = self.log.terms().name();
        let frame = Frame::Hello { log, nonce }.encode();
        Action::Send { to, frame }
    }

    fn react(
        &mut self,
        now: u64,
        from: LinkId,
        frame: Frame,
        actions: &mut Vec<Action>,
    ) -> Result<(), Fault> {
        match frame {
            Frame::Hello { log, nonce } => self.meet(now, from, log, nonce, actions),
            Frame::Have(ids) => {
                self.offer(from, ids, true);
                self.ask(now, from, actions);
                Ok(())
            }
            Frame::Want(ids) => {
                self.give(from, &ids, actions);
                Ok(())
            }
            Frame::Items(items) => self.receive(now, from, &items, actions),
            Frame::Reconcile(ranges) => {
                self.answer(from, ranges, actions);
                self.ask(now, from, actions);
                Ok(())
            }
        }
    }

    fn meet(
        &mut self,
        now: u64,
        from: LinkId,
        theirs: Address,
        nonce: B256,
        actions: &mut Vec<Action>,
    ) -> Result<(), Fault> {
        let ours = self.log.terms().name();
        if theirs != ours {
            return Err(Fault::OtherLog { theirs, ours });
        }
        let Some(link) = self.links.get_mut(&from) else {
            return Ok(());
        };
        let is_new = link.theirs.replace(nonce) != Some(nonce);
        let (ours, leads) = (link.ours, link.leads());
        // The other peer may have missed the first one.
        if now.abs_diff(link.greeted) >= GREETING {
            link.greeted = now;
            actions.push(self.hello(from, ours));
        }
        // If many links open at once, as after a cut, one meeting brings what the others would repeat.
        let is_rested = |last| now.abs_diff(last) >= self.limits.reconcile / PAUSE;
        if is_new && leads && self.reconciled.is_none_or(is_rested) {
            self.reconciled = Some(now);
            self.reconcile(from, actions);
        }
        Ok(())
    }

    /// Notes ids that another peer has.
    fn offer(&mut self, from: LinkId, ids: impl IntoIterator<Item = B256>, fresh: bool) {
        let (set, limits) = (self.log.set(), &self.limits);
        let Some(link) = self.links.get_mut(&from) else {
            return;
        };
        for id in ids {
            if link.offers.len() >= limits.offered {
                link.again = true;
                break;
            }
            if !set.contains(&id) && !self.refused.has(&id, set, limits.pending) {
                link.offers.push_back(Offer { id, fresh });
            }
        }
    }

    /// Asks another peer for what it offers, as far as it may be asked.
    fn ask(&mut self, now: u64, of: LinkId, actions: &mut Vec<Action>) {
        let set = self.log.set();
        let mut wanted = Vec::<ShortId>::new();
        let mut trusted = Vec::new();
        for (id, link) in &self.links {
            trusted.push((*id, link.withheld));
        }
        let withheld = |link: LinkId| {
            let at = trusted.binary_search_by_key(&link, |(id, _)| *id);
            at.map_or(u64::MAX, |at| trusted[at].1)
        };
        let Some(link) = self.links.get_mut(&of) else {
            return;
        };
        while link.asked < self.limits.asked {
            let Some(Offer { id, fresh }) = link.offers.pop_front() else {
                break;
            };
            if set.contains(&id) || self.refused.has(&id, set, self.limits.pending) {
                continue;
            }
            if let Some(ask) = self.asks.get_mut(&id) {
                // Somebody else was asked. The one who has withheld less comes next.
                if ask.of != of && ask.other.is_none_or(|other| withheld(of) < withheld(other)) {
                    ask.other = Some(of);
                }
                continue;
            }
            let ask = Ask {
                of,
                since: now,
                fresh,
                other: None,
            };
            self.asks.insert(id, ask);
            link.asked += 1;
            if let Some((short, _)) = id.split_first_chunk() {
                wanted.push(*short);
            }
        }
        if !wanted.is_empty() {
            let frame = Frame::Want(wanted).encode();
            actions.push(Action::Send { to: of, frame });
        }
        if link.again && link.offers.is_empty() && link.asked == 0 {
            link.again = false;
            self.reconcile(of, actions);
        }
    }

    /// Asks others for what was not sent in time.
    fn give_up(&mut self, now: u64) {
        let patience = self.limits.patience;
        let late: Vec<_> = self
            .asks
            .iter()
            .filter(|(_, ask)| now.abs_diff(ask.since) >= patience)
            .map(|(id, ask)| (*id, *ask))
            .collect();
        for (id, ask) in late {
            self.asks.remove(&id);
            if let Some(link) = self.links.get_mut(&ask.of) {
                link.asked = link.asked.saturating_sub(1);
                link.withheld += 1;
            }
            if let Some(other) = ask.other {
                self.offer(other, [id], ask.fresh);
            }
        }
    }

    /// Sends items that another peer asks for.
    fn give(&mut self, to: LinkId, ids: &[ShortId], actions: &mut Vec<Action>) {
        let set = self.log.set();
        let Some(link) = self.links.get_mut(&to) else {
            return;
        };
        let (mut items, mut size) = (Vec::new(), 0);
        for short in ids {
            for item in with_short_id(set, *short) {
                let cost = item.bytes().len() as u64;
                if link.bucket.left() < cost {
                    break;
                }
                link.bucket.spend(cost);
                size += 4 + item.bytes().len();
                items.push(item.bytes().to_vec());
            }
            if size >= FULL {
                let frame = Frame::Items(std::mem::take(&mut items)).encode();
                actions.push(Action::Send { to, frame });
                size = 0;
            }
        }
        if !items.is_empty() {
            let frame = Frame::Items(items).encode();
            actions.push(Action::Send { to, frame });
        }
    }

    fn receive(
        &mut self,
        now: u64,
        from: LinkId,
        items: &[Vec<u8>],
        actions: &mut Vec<Action>,
    ) -> Result<(), Fault> {
        let mut fresh = Vec::new();
        let mut received = Ok(());
        for bytes in items {
            let id = Item::id_of(bytes);
            let ask = self.asks.remove(&id);
            if let Some(link) = ask.and_then(|ask| self.links.get_mut(&ask.of)) {
                link.asked = link.asked.saturating_sub(1);
            }
            let set = self.log.set();
            if set.contains(&id) || self.refused.has(&id, set, self.limits.pending) {
                continue;
            }
            // A check is slow, but an item that fails it closes the link.
            let item = match self.check.item(bytes) {
                Ok(item) => item,
                Err(refusal) => {
                    self.refused.remember(id, None, self.limits.refused);
                    received = Err(refusal.into());
                    break;
                }
            };
            if self.take(item, actions) == Taken::Yes && ask.is_some_and(|ask| ask.fresh) {
                fresh.push(id);
            }
        }
        self.tell(&fresh, Some(from), actions);
        self.ask(now, from, actions);
        received
    }

    /// Takes an item into the set, if the limits admit it.
    fn take(&mut self, item: Item, actions: &mut Vec<Action>) -> Taken {
        let (turn, id, limits) = (item.turn(), item.id(), &self.limits);
        let set = self.log.set();
        if set.contains(&id) {
            return Taken::Known;
        }
        if is_early(turn, set, limits.pending) {
            self.refused.remember(id, Some(turn), limits.refused);
            return Taken::Early;
        }
        let is_more = set.at(turn).is_none();
        let bytes = set.bytes().saturating_add(item.bytes().len());
        if is_more && (set.len() >= limits.items || bytes > limits.bytes) {
            return Taken::Full;
        }
        let stored = item.clone();
        let superseded = match self.log.add_item(item) {
            Added::Superseded => {
                self.refused.remember(id, None, limits.refused);
                return Taken::Superseded;
            }
            Added::Replaced(old) => Some(old),
            Added::New | Added::Known => None,
        };
        if let Some(old) = superseded {
            self.refused.remember(old, None, limits.refused);
        }
        actions.push(Action::Store(stored));
        Taken::Yes
    }

    /// Tells some peers of new items.
    fn tell(&mut self, ids: &[B256], except: Option<LinkId>, actions: &mut Vec<Action>) {
        if ids.is_empty() {
            return;
        }
        let open = self.links.iter().filter(|(_, link)| link.theirs.is_some());
        let others = open.map(|(id, _)| *id).filter(|id| Some(*id) != except);
        for to in self.chance.choose(others.collect(), self.limits.push) {
            let frame = Frame::Have(ids.to_vec()).encode();
            actions.push(Action::Send { to, frame });
        }
    }

    /// Begins to compare the whole set with another peer's.
    fn reconcile(&mut self, with: LinkId, actions: &mut Vec<Action>) {
        let work = self.log.set().len() as u64;
        let Some(link) = self.links.get_mut(&with) else {
            return;
        };
        if let Some(key) = link.key()
            && link.bucket.left() >= work
        {
            link.bucket.spend(work);
            send_ranges(with, opening(self.log.set(), key), actions);
        }
    }

    fn answer(&mut self, to: LinkId, ranges: Vec<Range>, actions: &mut Vec<Action>) {
        let Some(link) = self.links.get_mut(&to) else {
            return;
        };
        let Some(key) = link.key() else {
            return;
        };
        let most = usize::try_from(link.bucket.left()).unwrap_or(usize::MAX);
        let answer = Answer::to(self.log.set(), key, ranges, most);
        let before = actions.len();
        send_ranges(to, answer.ranges, actions);
        let sent = actions[before..].iter().map(|action| match action {
            Action::Send { frame, .. } => frame.len(),
            _ => 0,
        });
        let work = answer.work + sent.sum::<usize>();
        link.bucket.spend(work as u64);
        // The other peer says no more in one answer.
        link.again |= answer.lacking.len() >= HELD_MOST;
        let lacking: BTreeSet<_> = answer.lacking.into_iter().collect();
        self.offer(to, lacking, false);
    }
}

/// Outcome of an item that a peer was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    Yes,
    Known,
    Superseded,
    Early,
    Full,
}

/// Sends ranges, in frames of bounded size.
fn send_ranges(to: LinkId, ranges: Vec<Range>, actions: &mut Vec<Action>) {
    let (mut part, mut size) = (Vec::new(), 0);
    let mut send = |part: Vec<Range>| {
        let frame = Frame::Reconcile(part).encode();
        actions.push(Action::Send { to, frame });
    };
    for range in ranges {
        size += range.size();
        part.push(range);
        if size >= FULL {
            send(std::mem::take(&mut part));
            size = 0;
        }
    }
    if !part.is_empty() {
        send(part);
    }
}

/// Returns the items whose ids begin with these bytes.
fn with_short_id(set: &Set, short: ShortId) -> impl Iterator<Item = &Item> {
    let [mut low, mut high] = [B256::ZERO, B256::repeat_byte(0xff)];
    low[..short.len()].copy_from_slice(&short);
    high[..short.len()].copy_from_slice(&short);
    let ids = set.ids(low..=high).take(TWINS);
    ids.filter_map(|id| set.get(id))
}
