//! Operations that refund, report or claim several contributions late at once.

use alloy_primitives::{Address, B256, Log};
use cotrain_bindings::{
    self as bindings, Revert,
    events::{Announced, ClaimSkipped, Deposited, Paid, TrainerEvent},
};
use cotrain_protocol::{
    ContractError,
    record::{Claims, Contribution},
    trainer::{Delegation, Settled, Status},
};
use rand::{RngExt, seq::IndexedRandom};

use crate::{
    pair::Pair,
    people::{AUTHORS, Author, Form, STRANGER, everyone},
    relaying::with_bytes,
};

/// Maximum number of contributions in one call.
const MAX: usize = 10;
/// Maximum number of batches that they come from.
const MAX_BATCHES: usize = 4;

/// Kind of claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Refund,
    Announce,
    Report,
    /// A keeper's report for a reporter.
    ReportFor,
    Late,
}

impl Operation {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Refund => "refund",
            Self::Announce => "announce",
            Self::Report => "report",
            Self::ReportFor => "report for",
            Self::Late => "late",
        }
    }

    fn call(self, claims: &[Claims]) -> Vec<u8> {
        match self {
            Self::Refund => bindings::refund(claims),
            Self::Announce => bindings::announce(claims),
            Self::Report => bindings::report(claims),
            Self::Late => bindings::claim_late(claims),
            Self::ReportFor => unreachable!("needs a delegation"),
        }
    }
}

impl Pair {
    /// Claims by a random caller, sometimes with contributions that were never made.
    pub(crate) fn claim(&mut self, operation: Operation) {
        let mut claims = self.claims();
        let Some(author) = claims.first().map(|group| group.contributions[0].author) else {
            return;
        };
        let callers = [[author; 2].as_slice(), &everyone()].concat();
        let caller = *callers.choose(&mut self.chance).expect("callers");
        match self.chance.random_range(0..40) {
            0..4 => self.forge(&mut claims),
            4 => return self.claim_torn(operation, caller, &claims),
            // The same group comes twice.
            5 => claims.extend(claims.first().cloned()),
            6 => claims.clear(),
            _ => {}
        }
        self.send_claims(operation, caller, &claims);
    }

    /// Draws claims on contributions of a few batches, mostly on those with a rest of the deposit.
    fn claims(&mut self) -> Vec<Claims> {
        let (batches, mut room) = if self.chance.random_bool(0.4) {
            (1, 1)
        } else {
            let batches = self.chance.random_range(1..=MAX_BATCHES);
            (batches, self.chance.random_range(1..=MAX))
        };
        let all = self.chance.random_bool(0.2);
        let mut claims = Vec::new();
        for _ in 0..8 * batches {
            if claims.len() == batches || room == 0 {
                break;
            }
            let Some(record) = self.records.choose(&mut self.chance) else {
                break;
            };
            let mut positions: Vec<_> = record
                .contributions()
                .iter()
                .map(|one| one.position)
                .filter(|position| {
                    all || self.reference.settlement(*position).status != Status::Closed
                })
                .filter(|_| self.chance.random_bool(0.8))
                .collect();
            positions.truncate(room);
            room -= positions.len();
            if !positions.is_empty() {
                claims.push(record.claims(&positions));
            }
        }
        claims
    }

    pub(crate) fn send_claims(&mut self, operation: Operation, caller: Address, claims: &[Claims]) {
        let now = self.now();
        let sent = self.send(caller, 0, operation.call(claims));
        let expected = match operation {
            Operation::Refund => self.reference.refund(caller, now, claims),
            Operation::Announce => self.reference.announce(now, claims),
            Operation::Report => self.reference.report(caller, now, claims),
            Operation::Late => self.reference.claim_late(caller, now, claims),
            Operation::ReportFor => unreachable!("needs a delegation"),
        };
        self.tally.count(operation.name(), expected.is_ok());
        match (sent, expected) {
            (Ok(receipt), Ok(expected)) => {
                self.compare_settled(operation, caller, claims, &receipt.logs, &expected);
                self.earn(caller, expected.paid);
            }
            (sent, expected) => {
                if let Err(reason) = &expected {
                    self.tally.reason("all claims", reason);
                }
                self.same_refusal(sent, expected);
            }
        }
        for one in claims.iter().flat_map(|group| &group.contributions) {
            self.compare_settlement(one.position);
            self.compare_reported(one.position, caller);
        }
    }

    /// Reports for an author by another account, with a delegation that is mostly good.
    pub(crate) fn report_for(&mut self) {
        let mut claims = self.claims();
        if claims.is_empty() {
            return;
        }
        match self.chance.random_range(0..40) {
            0..4 => self.forge(&mut claims),
            4 => claims.extend(claims.first().cloned()),
            5 => claims.clear(),
            _ => {}
        }
        let keeper = *everyone().choose(&mut self.chance).expect("people");
        let author = AUTHORS.choose(&mut self.chance).expect("authors");
        let now = self.now();
        let until = match self.chance.random_range(0..20) {
            0 => now - 1,
            1 => 0,
            2..10 => now,
            10..15 => (1 << 40) - 1,
            _ => now + self.chance.random_range(0..1_000_000),
        };
        let delegation = Delegation {
            reporter: author.address,
            keeper,
            until,
            signature: vec![],
        };
        let delegation = if self.chance.random_bool(0.85) {
            let forms = [Form::Long, Form::Compact, Form::Malleable];
            let form = *forms.choose(&mut self.chance).expect("forms");
            author.delegate(
                self.reference.chain_id(),
                self.reference.address(),
                form,
                &delegation,
            )
        } else {
            self.delegate_badly(author, &delegation)
        };
        self.send_delegated(keeper, &delegation, &claims);
    }

    /// Forges a delegation: signed by another, for another chain or trainer, changed, or of no
    /// account.
    fn delegate_badly(&mut self, author: &Author, delegation: &Delegation) -> Delegation {
        let (chain_id, trainer) = (self.reference.chain_id(), self.reference.address());
        let signed =
            |by: &Author, chain_id, trainer| by.delegate(chain_id, trainer, Form::Long, delegation);
        let mut forged = signed(author, chain_id, trainer);
        match self.chance.random_range(0..9) {
            0 => {
                let other = AUTHORS.iter().find(|other| other.address != author.address);
                forged = signed(other.expect("another"), chain_id, trainer);
            }
            1 => forged = signed(author, chain_id + 1, trainer),
            2 => forged = signed(author, chain_id, STRANGER),
            3 => forged.until ^= 1,
            // The contract assumes that the caller is the keeper.
            4 => {
                forged.keeper = self.model.classifier;
                forged = author.delegate(chain_id, trainer, Form::Long, &forged);
            }
            // The account does not exist, is a contract without signatures, or is a precompile that
            // returns its input.
            5 => {
                let nobody = [
                    Address::ZERO,
                    self.model.classifier,
                    Address::with_last_byte(4),
                ];
                forged.reporter = *nobody.choose(&mut self.chance).expect("some");
            }
            6 => {
                let length = self.chance.random_range(0..70);
                forged.signature.resize(length, 0);
            }
            7 => forged.signature.fill(self.chance.random()),
            _ => {
                let index = self.chance.random_range(0..64);
                forged.signature[index] ^= 1;
            }
        }
        forged
    }

    fn send_delegated(&mut self, keeper: Address, delegation: &Delegation, claims: &[Claims]) {
        let (now, reporter) = (self.now(), delegation.reporter);
        let sent = self.send(keeper, 0, bindings::report_for(delegation, claims));
        let expected = self.reference.report_for(keeper, now, delegation, claims);
        let operation = Operation::ReportFor;
        self.tally.count(operation.name(), expected.is_ok());
        match (sent, expected) {
            (Ok(receipt), Ok(expected)) => {
                assert_eq!(expected.paid, 0, "{}", self.at());
                self.compare_settled(operation, reporter, claims, &receipt.logs, &expected);
            }
            (sent, expected) => {
                if let Err(reason) = &expected {
                    self.tally.reason(operation.name(), reason);
                }
                self.same_refusal(sent, expected);
            }
        }
        for one in claims.iter().flat_map(|group| &group.contributions) {
            self.compare_settlement(one.position);
            self.compare_reported(one.position, reporter);
            self.compare_reported(one.position, keeper);
        }
    }

    /// Compares events: one for each contribution, in order, with its amount or the reason for a
    /// skip.
    ///
    /// A refund that the caller pushed has an event of the author's balance before it.
    /// After all reports of a keeper comes one of the reporter's balance. `caller` is the reporter
    /// then.
    fn compare_settled(
        &mut self,
        operation: Operation,
        caller: Address,
        claims: &[Claims],
        logs: &[Log],
        expected: &Settled,
    ) {
        let mut settled = expected.settled.iter().peekable();
        let mut skipped = expected.skipped.iter();
        let mut wanted = Vec::new();
        for one in claims.iter().flat_map(|group| &group.contributions) {
            let (position, author) = (one.position, one.author);
            let Some(&(_, amount)) = settled.next_if(|(settled, _)| *settled == position) else {
                let (skipped, reason) = skipped.next().expect("settled or skipped");
                assert_eq!(*skipped, position, "{}", self.at());
                self.tally.reason("claim", reason);
                wanted.push(TrainerEvent::ClaimSkipped(ClaimSkipped {
                    position,
                    reason: Revert::Contract(reason.clone()),
                }));
                continue;
            };
            let to = |to| Paid {
                position,
                to,
                amount,
            };
            if operation == Operation::Refund && author != caller && amount != 0 {
                let account = author;
                wanted.push(TrainerEvent::Deposited(Deposited { account, amount }));
            }
            wanted.push(match operation {
                Operation::Refund => TrainerEvent::Refunded(to(author)),
                Operation::Announce => TrainerEvent::Announced(Announced {
                    position,
                    announcer: caller,
                    time: self.now(),
                }),
                Operation::Report | Operation::ReportFor => TrainerEvent::Reported(to(caller)),
                Operation::Late => TrainerEvent::ClaimedLate(to(caller)),
            });
        }
        let amount = expected.settled.iter().map(|(_, share)| share).sum();
        if operation == Operation::ReportFor && amount != 0 {
            let account = caller;
            wanted.push(TrainerEvent::Deposited(Deposited { account, amount }));
        }
        let seen: Vec<_> = logs
            .iter()
            .map(|log| TrainerEvent::decode(log).expect("an event of a trainer"))
            .collect();
        assert_eq!(seen, wanted, "{}", self.at());
    }

    /// Claims with an empty group, or with one that lacks its end. The contract refuses everything.
    fn claim_torn(&mut self, operation: Operation, caller: Address, claims: &[Claims]) {
        let index = self.chance.random_range(0..claims.len());
        let before: usize = claims[..index]
            .iter()
            .map(|group| group.encode().len())
            .sum();
        let mut bytes: Vec<_> = claims.iter().flat_map(Claims::encode).collect();
        if self.chance.random_bool(0.5) {
            bytes.splice(
                before..before,
                claims[index]
                    .first_position
                    .to_be_bytes()
                    .into_iter()
                    .chain([0; 4]),
            );
        } else {
            let length = claims[index].encode().len();
            bytes.truncate(before + self.chance.random_range(1..length));
        }
        let sent = self.send(caller, 0, with_bytes(&operation.call(&[]), &bytes));
        let offset = before as u64;
        // If nothing can be announced, the contract does not read the claims.
        let no_notice = self.reference.waits().report_notice == 0;
        if operation == Operation::Announce && no_notice {
            self.refused(&sent, &Revert::Contract(ContractError::NoNotice));
        } else {
            self.refused(&sent, &Revert::MalformedClaims { offset });
        }
        self.tally.count(operation.name(), false);
    }

    /// Changes one thing of one group. The number of flags still fits the encoding.
    fn forge(&mut self, claims: &mut [Claims]) {
        let count = self.reference.contribution_count();
        let chance = &mut self.chance;
        let index = chance.random_range(0..claims.len());
        let group = &mut claims[index];
        match chance.random_range(0..9) {
            0 => group.first_position = chance.random_range(0..=count),
            1 if !group.flags.is_empty() => {
                let flag = chance.random_range(0..group.flags.len());
                group.flags[flag] ^= true;
            }
            2 if !group.proof.is_empty() => {
                let node = chance.random_range(0..group.proof.len());
                group.proof[node].0[chance.random_range(0..32)] ^= 1;
            }
            3 => group.proof.push(B256::from(chance.random::<[u8; 32]>())),
            4 if !group.proof.is_empty() => {
                group
                    .proof
                    .remove(chance.random_range(0..group.proof.len()));
            }
            5 => group.contributions.push(group.contributions[0].clone()),
            6 => group.contributions.reverse(),
            7 => group.proof.reverse(),
            _ => {
                let one = chance.random_range(0..group.contributions.len());
                forge_contribution(&mut group.contributions[one], chance.random_range(0..6));
            }
        }
        let steps = group.contributions.len() + group.proof.len() - 1;
        group.flags.resize(steps, false);
    }
}

/// Changes a field.
fn forge_contribution(one: &mut Contribution, field: u8) {
    match field {
        0 => one.author = STRANGER,
        1 => one.label ^= 1,
        2 => one.deposit += 1,
        3 => one.time -= 1,
        4 => one.position += 1,
        _ => one.sample.push(0),
    }
}
