//! Course of a simulation.

use std::{collections::BTreeMap, hash::Hasher};

use alloy_primitives::{B256, keccak256};
use cotrain_log::{Digest, Turn};
use siphasher::sip128::{Hasher128, SipHasher24};

use super::{
    Moved, Outcome, Plan,
    liar::Liar,
    network::{Agenda, Event, Links},
    people::{Memory, People},
};
use crate::{chance::Chance, link::LinkId, peer::Peer, task::Action};

/// Milliseconds in a second.
const SECOND: u64 = 1_000;
/// Time in which items are signed.
const SIGNING: u64 = 120 * SECOND;
/// Time of the cut, and of its end.
const CUT: (u64, u64) = (SECOND, 150 * SECOND);
/// Time after which a killed peer begins anew, and a closed link is opened again.
const AWAY: u64 = 5 * SECOND;
/// Milliseconds in a year.
const YEAR: u64 = 365 * 86_400 * SECOND;

/// An honest peer with its disk and its clock.
#[derive(Debug)]
struct Honest {
    /// `None` while it is killed.
    peer: Option<Peer<Memory>>,
    disk: BTreeMap<Turn, Vec<u8>>,
    /// Amount by which its clock is ahead of the simulation's.
    ahead: u64,
    /// Number of tasks that it still does before it is killed.
    doomed: Option<usize>,
    lives: u64,
}

/// All peers and what is to happen.
#[derive(Debug)]
pub(super) struct World<'a> {
    plan: &'a Plan,
    people: Option<People>,
    chance: Chance,
    honest: Vec<Honest>,
    liars: Vec<Liar>,
    links: Links,
    agenda: Agenda,
    now: u64,
    is_cut: bool,
    /// Time of the last disturbance.
    disturbed: u64,
    /// Size of all honest peers' sets when the cut was healed.
    before: u64,
    /// Size of items signed since then.
    signed: u64,
    moved: u64,
    wronged: u64,
    caught: u64,
    pending: usize,
    trace: SipHasher24,
}

/// Returns the seed of a part of the simulation.
fn seed(plan: &Plan, part: u64, number: u64) -> B256 {
    let numbers = [plan.seed, part, number].map(u64::to_be_bytes);
    keccak256(numbers.as_flattened())
}

impl<'a> World<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        let honest = plan.peers.saturating_sub(plan.liars);
        let people = People::new(honest);
        let mut chance = Chance::new(seed(plan, 0, 0));
        let links = Links::plan(honest, plan.peers, plan.links, &mut chance);
        let mut world = Self {
            plan,
            chance,
            honest: Vec::new(),
            liars: Vec::new(),
            links,
            agenda: Agenda::default(),
            now: 0,
            is_cut: false,
            disturbed: 0,
            before: 0,
            signed: 0,
            moved: 0,
            wronged: 0,
            caught: 0,
            pending: 0,
            trace: SipHasher24::new(),
            people,
        };
        world.populate(honest);
        world.schedule(honest);
        world
    }

    fn populate(&mut self, honest: usize) {
        let Some(people) = &self.people else {
            return;
        };
        let memory = people.memory().clone();
        let log = crate::check::Check::terms(&memory).name();
        for number in 0..honest {
            self.honest.push(Honest {
                peer: None,
                disk: BTreeMap::new(),
                ahead: 0,
                doomed: None,
                lives: 0,
            });
            self.begin(number, &memory);
        }
        for number in 0..self.plan.liars {
            let seed = seed(self.plan, 2, number as u64);
            self.liars.push(Liar::new(number, log, seed));
        }
    }

    /// Begins a life of a peer, with what is on its disk.
    fn begin(&mut self, number: usize, memory: &Memory) {
        let ahead = self.leap();
        let Some(honest) = self.honest.get_mut(number) else {
            return;
        };
        let part = 1_000 + honest.lives;
        let seed = seed(self.plan, part, number as u64);
        honest.lives += 1;
        honest.ahead = ahead;
        let mut peer = Peer::new(memory.clone(), self.plan.limits, seed);
        // What was damaged is refused, and comes again from others.
        honest.disk.retain(|_, bytes| peer.restore(bytes).is_ok());
        honest.peer = Some(peer);
    }

    /// Draws how far a clock is ahead.
    fn leap(&mut self) -> u64 {
        if self.plan.faults.clocks {
            let share = self.chance.below(2_000_000);
            share * (YEAR / 1_000_000)
        } else {
            YEAR
        }
    }

    fn schedule(&mut self, honest: usize) {
        for (a, b) in self.links.planned() {
            self.agenda.add(0, Event::Open(a, b));
        }
        for peer in 0..self.plan.peers {
            let at = self.chance.below(SECOND);
            self.agenda.add(at, Event::Tick(peer));
        }
        for _ in 0..self.plan.items {
            let at = 2 * SECOND + self.chance.below(SIGNING);
            let user = self.chance.index(honest);
            self.agenda.add(at, Event::Sign(user));
        }
        for _ in 0..self.plan.faults.kills {
            let at = self.chance.below(CUT.1 + 60 * SECOND);
            let peer = self.chance.index(honest);
            self.agenda.add(at, Event::Kill(peer));
        }
        if self.plan.cut.is_some() {
            self.agenda.add(CUT.0, Event::Cut);
            self.agenda.add(CUT.1, Event::Heal);
        }
    }

    pub(super) fn run(mut self) -> Outcome {
        let mut checked = 0;
        let end = self.plan.longest.saturating_mul(SECOND);
        let signed_until = SIGNING + 2 * SECOND;
        while let Some((at, event)) = self.agenda.next() {
            if at / SECOND > checked && self.now >= signed_until && self.is_calm() {
                checked = at / SECOND;
                if self.agrees() {
                    return self.outcome(true);
                }
            }
            if at > end {
                break;
            }
            self.now = at;
            self.record(&event);
            self.happen(event);
        }
        self.outcome(false)
    }

    /// Adds an event to the trace.
    fn record(&mut self, event: &Event) {
        self.trace.write(&self.now.to_be_bytes());
        match event {
            Event::Frame {
                from, to, bytes, ..
            } => {
                let ends = [*from as u64, *to as u64].map(u64::to_be_bytes);
                self.trace.write(ends.as_flattened());
                self.trace.write(bytes);
            }
            other => self.trace.write(format!("{other:?}").as_bytes()),
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Frame {
                from,
                to,
                opening,
                bytes,
            } => {
                if self.links.opening(from, to) == Some(opening) {
                    self.deliver(from, to, &bytes);
                }
            }
            Event::Tick(peer) => self.tick(peer),
            Event::Sign(user) => self.sign(user),
            Event::Kill(peer) => {
                let tasks = self.chance.index(4);
                if let Some(honest) = self.honest.get_mut(peer)
                    && honest.peer.is_some()
                {
                    honest.doomed.get_or_insert(tasks);
                }
            }
            Event::Restart(peer) => self.restart(peer),
            Event::Open(a, b) => self.open(a, b),
            Event::Cut => {
                self.is_cut = true;
                for (a, b) in self.links.planned() {
                    if self.are_apart(a, b) {
                        self.close(a, b);
                    }
                }
            }
            Event::Heal => {
                self.is_cut = false;
                self.disturbed = self.now;
                self.before = self.sizes().sum();
                (self.moved, self.signed) = (0, 0);
                for (a, b) in self.links.planned() {
                    self.open(a, b);
                }
            }
        }
    }

    /// Returns `true` if a cut is between two peers.
    fn are_apart(&self, a: usize, b: usize) -> bool {
        // Numbers are spread over both sides, so that liars are on both.
        let share = usize::try_from(self.plan.cut.unwrap_or_default()).unwrap_or_default();
        let side = |peer: usize| peer * 37 % 100 < share;
        self.is_cut && side(a) != side(b)
    }

    fn sizes(&self) -> impl Iterator<Item = u64> {
        let peers = self.honest.iter().filter_map(|honest| honest.peer.as_ref());
        peers.map(|peer| peer.log().set().bytes() as u64)
    }

    /// Returns `true` if nothing disturbs the peers any more but faults of the network.
    fn is_calm(&self) -> bool {
        let is_up = |honest: &Honest| honest.peer.is_some() && honest.doomed.is_none();
        !self.is_cut
            && self.now > self.disturbed
            && self.honest.iter().all(is_up)
            && (self.plan.faults.kills == 0 || self.now > CUT.1 + 60 * SECOND)
            && (self.plan.cut.is_none() || self.now > CUT.1)
    }

    /// Returns `true` if all honest peers have equal sets.
    fn agrees(&self) -> bool {
        let mut sets = self.honest.iter().filter_map(|honest| honest.peer.as_ref());
        let Some(first) = sets.next().map(|peer| peer.log().set()) else {
            return true;
        };
        sets.all(|peer| {
            let set = peer.log().set();
            set.len() == first.len() && set.ids(..).eq(first.ids(..))
        })
    }

    fn deliver(&mut self, from: usize, to: usize, bytes: &[u8]) {
        if let Some(honest) = self.honest.get_mut(to) {
            let now = self.now + honest.ahead;
            if let Some(peer) = &mut honest.peer {
                let actions = peer.handle(now, LinkId(from as u64), bytes);
                self.act(to, actions);
            }
        } else if let Some(liar) = self.liars.get_mut(to - self.honest.len()) {
            for frame in liar.handle(bytes) {
                self.send(to, from, frame);
            }
        }
    }

    fn tick(&mut self, number: usize) {
        self.agenda.add(self.now + SECOND, Event::Tick(number));
        let leaps = self.plan.faults.clocks && self.chance.below(100) == 0;
        let leap = leaps.then(|| self.leap());
        if let Some(honest) = self.honest.get_mut(number) {
            honest.ahead = leap.unwrap_or(honest.ahead);
            let now = self.now + honest.ahead;
            if let Some(peer) = &mut honest.peer {
                let actions = peer.tick(now);
                self.pending = self.pending.max(peer.pending());
                self.act(number, actions);
            }
            return;
        }
        if let Some(liar) = self.liars.get_mut(number - self.honest.len()) {
            liar.wake();
        }
        for to in self.links.of(number) {
            if self.links.opening(number, to).is_some()
                && let Some(liar) = self.liars.get_mut(number - self.honest.len())
            {
                for frame in liar.tick() {
                    self.send(number, to, frame);
                }
            }
        }
    }

    fn sign(&mut self, user: usize) {
        let Some(people) = &self.people else {
            return;
        };
        let Some(author) = people
            .key(user)
            .map(cotrain_protocol::signature::Key::address)
        else {
            return;
        };
        let Some(peer) = self
            .honest
            .get(user)
            .and_then(|honest| honest.peer.as_ref())
        else {
            // The user tries again later.
            self.agenda.add(self.now + AWAY, Event::Sign(user));
            return;
        };
        let nonce = peer.log().set().free_nonce(author);
        let mut given = vec![(user, people.sign(user, nonce, &mut self.chance))];
        if self.plan.faults.twins && self.chance.below(10) == 0 {
            let other = self.chance.index(self.honest.len());
            given.push((other, people.sign(user, nonce, &mut self.chance)));
        }
        for (number, item) in given {
            let peer = self.honest.get_mut(number).and_then(|it| it.peer.as_mut());
            if let (Some(peer), Some(item)) = (peer, item)
                && let Ok(actions) = peer.add(&item)
            {
                self.signed += item.len() as u64;
                self.disturbed = self.disturbed.max(self.now);
                self.act(number, actions);
            }
        }
    }

    /// Does an honest peer's tasks, or the first of them if it is killed meanwhile.
    fn act(&mut self, number: usize, actions: Vec<Action>) {
        for action in actions {
            let Some(honest) = self.honest.get_mut(number) else {
                return;
            };
            if honest.peer.is_none() {
                return;
            }
            if let Some(left) = honest.doomed {
                if left == 0 {
                    self.kill(number, &action);
                    return;
                }
                honest.doomed = Some(left - 1);
            }
            match action {
                Action::Store(item) => {
                    honest.disk.insert(item.turn(), item.bytes().to_vec());
                }
                Action::Send { to, frame } => {
                    let to = usize::try_from(to.0).unwrap_or(usize::MAX);
                    self.send(number, to, frame);
                }
                Action::Close { link, .. } => {
                    let other = usize::try_from(link.0).unwrap_or(usize::MAX);
                    if other < self.honest.len() {
                        self.wronged += 1;
                    } else {
                        self.caught += 1;
                    }
                    self.close(number, other);
                    self.agenda.add(self.now + AWAY, Event::Open(number, other));
                }
            }
        }
    }

    /// Kills a peer within a task. What it was about to store may be damaged.
    fn kill(&mut self, number: usize, during: &Action) {
        let kept = self.chance.index(200);
        let Some(honest) = self.honest.get_mut(number) else {
            return;
        };
        if let Action::Store(item) = during {
            let bytes = &item.bytes()[..kept.min(item.bytes().len())];
            honest.disk.insert(item.turn(), bytes.to_vec());
        }
        (honest.peer, honest.doomed) = (None, None);
        for other in self.links.of(number) {
            self.close(number, other);
        }
        self.agenda.add(self.now + AWAY, Event::Restart(number));
    }

    fn restart(&mut self, number: usize) {
        let Some(memory) = self.people.as_ref().map(|people| people.memory().clone()) else {
            return;
        };
        self.begin(number, &memory);
        self.disturbed = self.now;
        for other in self.links.of(number) {
            self.open(number, other);
        }
    }

    /// Opens a planned link, if nothing is between the peers.
    fn open(&mut self, a: usize, b: usize) {
        let is_up = |peer: usize| self.honest.get(peer).is_none_or(|it| it.peer.is_some());
        if !self.links.is_planned(a, b) || self.are_apart(a, b) || !is_up(a) || !is_up(b) {
            return;
        }
        if !self.links.open(a, b) {
            return;
        }
        for (one, other) in [(a, b), (b, a)] {
            if let Some(honest) = self.honest.get_mut(one) {
                let now = self.now + honest.ahead;
                if let Some(peer) = &mut honest.peer {
                    let actions = peer.connected(now, LinkId(other as u64));
                    self.act(one, actions);
                }
            } else if let Some(liar) = self.liars.get_mut(one - self.honest.len()) {
                let frame = liar.hello();
                self.send(one, other, frame);
            }
        }
    }

    fn close(&mut self, a: usize, b: usize) {
        if !self.links.close(a, b) {
            return;
        }
        for (one, other) in [(a, b), (b, a)] {
            let honest = self.honest.get_mut(one);
            if let Some(peer) = honest.and_then(|honest| honest.peer.as_mut()) {
                peer.disconnected(LinkId(other as u64));
            }
        }
    }

    /// Sends a frame over the faulty network.
    fn send(&mut self, from: usize, to: usize, bytes: Vec<u8>) {
        if from.max(to) < self.honest.len() {
            self.moved += bytes.len() as u64;
        }
        let faults = self.plan.faults;
        if self.chance.below(100) < faults.lost {
            return;
        }
        let Some(opening) = self.links.opening(from, to) else {
            return;
        };
        let mut arrive = |bytes| {
            let at = self.now + 1 + self.chance.below(faults.delay.max(1));
            self.agenda.add(
                at,
                Event::Frame {
                    from,
                    to,
                    opening,
                    bytes,
                },
            );
            self.chance.below(100) < faults.repeated
        };
        if arrive(bytes.clone()) {
            arrive(bytes);
        }
    }

    fn outcome(mut self, agreed: bool) -> Outcome {
        let after: u64 = self.sizes().sum();
        let minimum = after
            .saturating_sub(self.before)
            .saturating_sub(self.signed);
        let mut digests = Vec::new();
        let (mut contributions, mut items) = (0, 0);
        for peer in self.honest.iter_mut().filter_map(|it| it.peer.as_mut()) {
            if digests.is_empty() {
                let standings = peer.log_mut().standings();
                contributions = standings.values().map(|it| it.contributions).sum();
                items = peer.log().set().len();
            }
            digests.push(peer.log_mut().digest());
        }
        let digest = digests.first().copied().unwrap_or(Digest(B256::ZERO));
        let passed = self.now.saturating_sub(self.disturbed);
        Outcome {
            converged: agreed && digests.iter().all(|it| *it == digest),
            digest,
            contributions,
            items,
            rounds: passed.div_ceil(self.plan.limits.reconcile.max(1)),
            bytes: Moved {
                moved: self.moved,
                minimum,
            },
            seconds: self.now / SECOND,
            wronged: self.wronged,
            caught: self.caught,
            pending: self.pending,
            trace: self.trace.finish128().as_u128(),
        }
    }
}
