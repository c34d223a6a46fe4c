//! Tests the prediction market: figures computed by hand, and bounds of times and blocks.

use alloy_primitives::{Address, B256, U256, keccak256};
use cotrain_protocol::{
    ContractError,
    market::{
        Change, Contributions, Limits, Lost, MAX_BYTES, Market, PassSettled, Phase, Run, Settled,
        Stage, Step, Terms, commitment,
    },
};

use crate::{
    support::address,
    world::{ann, bob, cid, items, model, owner},
};

const TERMS: Terms = Terms {
    stake: 100,
    participation: 1_000,
    reveal_wait: 50,
    scoring_wait: 500,
    most_contributions: 10,
    most_passes: 8,
};
const BOUNTY: u128 = 1_000;
const START: u64 = 10_000;
const BLOCK: u64 = 77;
/// Items of each of the three parts. The model begins with zeros and predicts 0, so it is right on
/// two of five.
const PART: [(u16, u16); 5] = [(1, 0), (1, 1), (0, 2), (0, 3), (1, 4)];
/// An item that agrees with the test set, and one that contradicts it.
const GOOD: (u16, u16) = (1, 0);
const BAD: (u16, u16) = (1, 2);
/// An item whose feature the test set does not have.
const IDLE: (u16, u16) = (1, 9);

/// Limits that no step reaches.
const ALL: Limits = Limits {
    words: 1_000,
    records: 1_000,
    samples: 1_000,
    looks: 1_000,
};

// ---------------------------------------------------------------- Markets in each phase

fn created(terms: Terms) -> Market {
    Market::new(owner(), address(2), address(3), terms, model()).expect("valid")
}

fn salt(part: u64) -> B256 {
    B256::from(U256::from(part + 1_000))
}

fn commitments() -> Vec<B256> {
    (0..3)
        .map(|part| commitment(part, salt(part), &items(&PART)))
        .collect()
}

fn committed(terms: Terms, bounty: u128) -> Market {
    let mut market = created(terms);
    market
        .commit(owner(), START, BLOCK, bounty, &commitments())
        .expect("committed");
    market
}

fn reveal(market: &mut Market, now: u64, part: u64) -> Result<(), ContractError> {
    let revealed = market.reveal(now, part, salt(part), &items(&PART))?;
    assert_eq!((revealed.samples, revealed.correct), (5, 2));
    Ok(())
}

/// Creates a market that is open after the first part was drawn and revealed.
fn opened(terms: Terms, bounty: u128) -> Market {
    let mut market = committed(terms, bounty);
    let hash = hash_that_draws(&market, 0);
    assert_eq!(market.draw(START, BLOCK + 2, hash), Ok(0));
    reveal(&mut market, START + 10, 0).expect("drawn");
    assert_eq!(market.phase(START + 10), Phase::Open);
    market
}

fn hash_that_draws(market: &Market, part: u64) -> B256 {
    (0..1_000_u64)
        .map(|number| keccak256(number.to_be_bytes()))
        .find(|hash| {
            let words = [hash.0, market.address().into_word().0];
            let lot = U256::from_be_bytes(keccak256(words.as_flattened()).0);
            lot % U256::from(market.commitments().len()) == U256::from(part)
        })
        .expect("every part is drawn by some hash")
}

/// A market in its scoring phase at [`SCORING`]. Each of its contributions was sent alone.
struct Scoring {
    market: Market,
    records: Vec<Contributions>,
}

const CLOSED: u64 = START + 10 + 1_000;
const SCORING: u64 = CLOSED + 20;

impl Scoring {
    fn new(terms: Terms, bounty: u128, contributions: &[(Address, (u16, u16))]) -> Self {
        let mut market = opened(terms, bounty);
        let mut records = Vec::new();
        for (index, (author, item)) in contributions.iter().enumerate() {
            let (time, items) = (START + 20, items(&[*item]));
            let done = market.contribute(*author, time, terms.stake + 7, &items);
            let done = done.expect("accepted");
            assert_eq!(
                (done.first_position, done.count, done.surplus),
                (index as u64, 1, 7)
            );
            records.push(Contributions {
                author: *author,
                time,
                items,
            });
        }
        for part in [2, 1] {
            reveal(&mut market, SCORING, part).expect("revealed");
        }
        assert_eq!(market.phase(SCORING), Phase::Scoring);
        assert_eq!((market.samples(), market.initial_correct()), (10, 4));
        Self { market, records }
    }

    /// Copies, scores and settles a whole pass.
    fn pass(&mut self) -> (Vec<Run>, Settled) {
        self.market.restart(SCORING, 1_000).expect("a new model");
        let scored = self.market.score(SCORING, &self.records, 1_000);
        let scored = scored.expect("scored");
        assert_eq!(scored.taken, self.records.len());
        let settled = self.market.settle(SCORING, 1_000).expect("settled");
        (scored.runs, settled)
    }

    fn balance(&self, author: Address) -> u128 {
        self.market.account(author).balance
    }
}

fn run(author: Address, change: i64, correct: u64) -> Run {
    Run {
        author,
        change,
        correct,
    }
}

// ---------------------------------------------------------------- Settling

#[test]
fn settle_pays_winners_what_losers_can_afford_to_play_for() {
    let mut scoring = Scoring::new(TERMS, BOUNTY, &[(ann(), GOOD), (bob(), BAD)]);
    // After Ann two more of ten samples are right, after Bob two fewer. Bob's 100 pay for a pot of
    // 100 * 10 / 2.
    let (runs, settled) = scoring.pass();
    assert_eq!(runs, [run(ann(), 2, 6), run(bob(), -2, 4)]);
    let change = |account, score, balance, removed| Change {
        account,
        score,
        balance,
        removed,
    };
    let pass = |pass, pot, correct, last| {
        Some(PassSettled {
            pass,
            pot,
            correct,
            last,
        })
    };
    assert_eq!(
        settled.changes,
        [change(ann(), 2, 200, false), change(bob(), -2, 0, true)]
    );
    assert_eq!(settled.pass, pass(1, 500, 4, false));
    assert_eq!(scoring.market.remaining_bounty(), 500);
    // Nobody loses now, so the pot is the whole rest.
    let (runs, settled) = scoring.pass();
    assert_eq!(runs, [run(ann(), 2, 6)]);
    assert_eq!(settled.changes, [change(ann(), 2, 300, false)]);
    assert_eq!(settled.pass, pass(2, 500, 6, true));
    assert_eq!(scoring.market.phase(SCORING), Phase::Settled);
    let trained = scoring.market.model().expect("a model");
    assert_eq!(trained.predict(&[0, 0]), Ok(1));
    assert_eq!(trained.predict(&[0, 2]), Ok(0), "Bob's was skipped");

    // The bounty and two stakes, minus 300.
    let market = &mut scoring.market;
    assert_eq!(market.held(), 1_200);
    assert_eq!(market.collect_remainder(owner(), SCORING), Ok(900));
    assert_eq!(market.collect(ann(), SCORING), Ok(300));
    assert_eq!(market.held(), 0);
    for (caller, again) in [
        (ann(), market.collect(ann(), SCORING)),
        (bob(), market.collect(bob(), SCORING)),
        (owner(), market.collect_remainder(owner(), SCORING)),
    ] {
        assert_eq!(again, Err(ContractError::NothingToCollect { caller }));
    }
}

#[test]
fn settle_rounds_payments_down_also_below_zero() {
    let terms = Terms { stake: 7, ..TERMS };
    // Bob could afford 7 * 10 / 2 = 35, but the bounty is less. Two tenths of 33 are 6.6.
    let mut scoring = Scoring::new(terms, 33, &[(ann(), GOOD), (bob(), BAD)]);
    let (_, settled) = scoring.pass();
    assert!(settled.pass.is_some_and(|pass| pass.pot == 33 && pass.last));
    assert_eq!(scoring.balance(ann()), 7 + 6);
    assert_eq!(scoring.balance(bob()), 0);
    assert_eq!(scoring.market.remainder(SCORING), 33 + 14 - 13);
}

#[test]
fn settle_keeps_an_account_that_can_pay_for_one_more_wei() {
    // Two tenths of a pot of 4 are 0.8: Bob pays 1. With the 1 that he has left he can afford a pot
    // of 5.
    let terms = Terms { stake: 2, ..TERMS };
    let mut scoring = Scoring::new(terms, 4, &[(bob(), BAD), (ann(), IDLE)]);
    let (_, settled) = scoring.pass();
    assert!(settled.pass.is_some_and(|pass| pass.pot == 4 && pass.last));
    assert_eq!(scoring.balance(bob()), 1);
    assert!(!scoring.market.account(bob()).removed);

    // With a stake of 1 the pot is 5, and Bob loses it. A participant without a score keeps their
    // balance.
    let terms = Terms { stake: 1, ..TERMS };
    let mut scoring = Scoring::new(terms, 10, &[(bob(), BAD), (ann(), IDLE)]);
    let (_, settled) = scoring.pass();
    assert!(settled.pass.is_some_and(|pass| pass.pot == 5 && !pass.last));
    assert_eq!(settled.changes.len(), 1);
    assert!(scoring.market.account(bob()).removed);
    assert_eq!(scoring.balance(ann()), 1);
}

#[test]
fn settle_ends_if_all_are_removed_or_after_the_last_pass() {
    let mut scoring = Scoring::new(TERMS, BOUNTY, &[(bob(), BAD)]);
    let (_, settled) = scoring.pass();
    assert!(
        settled
            .pass
            .is_some_and(|pass| pass.pot == 500 && pass.last)
    );

    let terms = Terms {
        most_passes: 1,
        ..TERMS
    };
    let mut scoring = Scoring::new(terms, BOUNTY, &[(ann(), GOOD), (bob(), BAD)]);
    let (_, settled) = scoring.pass();
    assert!(
        settled
            .pass
            .is_some_and(|pass| pass.pot == 500 && pass.last)
    );
}

// ---------------------------------------------------------------- Scoring

#[test]
fn score_makes_one_run_of_what_one_author_taught_in_a_row() {
    let contributions = [
        (ann(), GOOD),
        (ann(), IDLE),
        (bob(), BAD),
        (ann(), (1, 1)),
        (cid(), (1, 4)),
    ];
    let mut scoring = Scoring::new(TERMS, BOUNTY, &contributions);
    let (runs, _) = scoring.pass();
    let expected = [
        run(ann(), 2, 6),
        run(bob(), -2, 4),
        run(ann(), 2, 6),
        run(cid(), 2, 8),
    ];
    assert_eq!(runs, expected);
    assert!(scoring.market.account(bob()).removed);
    // A skipped contribution ends no run: Ann's two runs are one now.
    let (runs, _) = scoring.pass();
    assert_eq!(runs, [run(ann(), 4, 8), run(cid(), 2, 10)]);
}

#[test]
fn score_goes_on_where_it_stopped() {
    let mut scoring = Scoring::new(TERMS, BOUNTY, &[(ann(), GOOD), (bob(), BAD)]);
    let Scoring { market, records } = &mut scoring;
    let wrong_stage = |stage, required| Err(ContractError::WrongStage { stage, required });
    assert_eq!(
        market.score(SCORING, records, 1).map(|_| ()),
        wrong_stage(Stage::Copying, Stage::Teaching)
    );
    assert_eq!(market.restart(SCORING, 0), Err(ContractError::NoProgress));
    assert_eq!(market.restart(SCORING, 1), Ok(()));
    assert_eq!(market.progress().copied, 1);
    assert_eq!(market.progress().stage, Stage::Copying);
    assert_eq!(market.restart(SCORING, u64::MAX), Ok(()));
    assert_eq!(
        market.restart(SCORING, 1),
        wrong_stage(Stage::Teaching, Stage::Copying)
    );
    assert_eq!(
        market.settle(SCORING, 1).map(|_| ()),
        wrong_stage(Stage::Teaching, Stage::Finding)
    );

    // No record, or not the next one.
    let unknown = Err(ContractError::UnknownContribution { first_position: 0 });
    assert_eq!(
        market.score(SCORING, &[], 9).map(|_| ()),
        Err(ContractError::NoProgress)
    );
    assert_eq!(market.score(SCORING, &records[1..], 9).map(|_| ()), unknown);
    let mut broken = records[0].clone();
    broken.items.pop();
    assert_eq!(market.score(SCORING, &[broken], 9).map(|_| ()), unknown);

    // Lessons need no samples. Without the next record, the market does not know if the author
    // changes.
    let taken = |market: &mut Market, records: &[Contributions], samples| {
        let scored = market.score(SCORING, records, samples)?;
        Ok((scored.taken, scored.samples, scored.runs.len()))
    };
    assert_eq!(taken(market, &records[..1], 0), Ok((1, 0, 0)));
    assert_eq!(taken(market, &[], 9), Err(ContractError::NoProgress));
    assert_eq!(
        taken(market, &records[1..], 0),
        Err(ContractError::NoProgress),
        "an evaluation is due"
    );
    // A wrong record proves nothing about the end of a run, and changes nothing.
    let before = market.clone();
    assert_eq!(
        taken(market, &records[..1], 9),
        Err(ContractError::UnknownContribution { first_position: 1 })
    );
    assert_eq!(*market, before);
    // The first four samples. Ann's lesson made the first one right; the second and the fifth are
    // still wrong.
    let evaluated = |market: &Market| (market.progress().evaluated, market.progress().counted);
    assert_eq!(taken(market, &records[1..], 4), Ok((0, 4, 0)));
    assert_eq!(evaluated(market), (4, 3));
    // An evaluation that has begun continues with any records, across the end of a part.
    // The market reads records after it.
    assert_eq!(taken(market, &[], 2), Ok((0, 2, 0)));
    assert_eq!(evaluated(market), (6, 4));
    assert_eq!(taken(market, &[], 4), Ok((0, 4, 1)));
    assert_eq!(market.account(ann()).score, 2);
    assert_eq!(taken(market, &records[1..], 0), Ok((1, 0, 0)));
    // At the end no records are needed, and the market does not read any.
    assert_eq!(market.progress().cursor, 2);
    assert_eq!(taken(market, records, 1), Ok((0, 1, 0)));
    assert_eq!(taken(market, records, 99), Ok((0, 9, 1)));
    assert_eq!(market.progress().stage, Stage::Finding);
    assert_eq!(market.progress().pot, BOUNTY);

    assert_eq!(
        market.settle(SCORING, 0).map(|_| ()),
        Err(ContractError::NoProgress)
    );
    // Two visits find the pot, and two pay.
    for (looks, stage, index) in [(1, Stage::Finding, 1), (2, Stage::Paying, 1)] {
        assert_eq!(
            market.settle(SCORING, looks).map(|settled| settled.pass),
            Ok(None)
        );
        let progress = market.progress();
        assert_eq!((progress.stage, progress.participant_index), (stage, index));
    }
    let settled = market.settle(SCORING, 1).expect("the last one");
    assert_eq!(settled.changes.len(), 1);
    assert!(settled.pass.is_some());
    let progress = market.progress();
    assert_eq!((progress.stage, progress.pass), (Stage::Copying, 1));
    assert_eq!((progress.cursor, progress.run_author), (0, None));
}

#[test]
fn next_step_says_what_small_steps_need() {
    let mut scoring = Scoring::new(TERMS, BOUNTY, &[(ann(), GOOD), (ann(), IDLE), (bob(), BAD)]);
    let Scoring { market, records } = &mut scoring;
    let limits = Limits {
        words: 1,
        records: 2,
        samples: 15,
        looks: 3,
    };
    let mut steps = Vec::new();
    while let Some(step) = market.next_step(SCORING, records, limits) {
        let expected = market.evaluates(&step, records);
        let evaluated = match step.clone() {
            Step::Restart { words } => {
                market.restart(SCORING, words).expect("copied");
                0
            }
            Step::Score {
                records: at,
                samples,
            } => {
                let scored = market.score(SCORING, &records[at], samples);
                scored.expect("scored").samples
            }
            Step::Settle { max } => {
                market.settle(SCORING, max).expect("settled");
                0
            }
        };
        assert_eq!(evaluated, expected, "{step:?}");
        steps.push(step);
    }
    let (restart, settle) = (Step::Restart { words: 1 }, Step::Settle { max: 3 });
    let score = |records| Step::Score {
        records,
        samples: 15,
    };
    // A model of 20 weights has two words. Bob's record first shows that Ann's run is over, and is
    // then taught.
    // His evaluation uses the last five samples of that step, and five more.
    let mut expected = vec![restart.clone(), restart.clone()];
    expected.extend([score(0..2), score(2..3), score(3..3)]);
    expected.extend([settle.clone(), settle.clone()]);
    // Bob is skipped in the second pass.
    expected.extend([restart.clone(), restart]);
    expected.extend([score(0..2), score(2..3), settle.clone(), settle]);
    assert_eq!(steps, expected);
    assert_eq!(market.phase(SCORING), Phase::Settled);
    assert_eq!(market.next_step(SCORING, records, ALL), None);
}

// ---------------------------------------------------------------- Failing and collecting

#[test]
fn market_that_failed_pays_stakes_back_and_burns_the_bounty() {
    let mut market = opened(TERMS, 100);
    for (author, count) in [(ann(), 2), (bob(), 1)] {
        let items = items(&vec![GOOD; count]);
        market
            .contribute(author, START + 20, 100 * count as u128, &items)
            .expect("accepted");
    }
    reveal(&mut market, CLOSED + 50, 1).expect("in time");
    assert_eq!(market.phase(CLOSED + 50), Phase::Revealing);
    let late = CLOSED + 51;
    assert_eq!(
        reveal(&mut market, late, 2),
        Err(ContractError::WrongPhase {
            phase: Phase::Failed,
            required: Phase::Revealing
        })
    );
    assert_eq!(market.collectable(cid(), late), 0);
    assert_eq!(market.collect(ann(), late), Ok(200));
    assert_eq!(market.held(), 200);
    let wrong_phase = |phase, required| ContractError::WrongPhase { phase, required };
    assert_eq!(
        market.collect_remainder(owner(), late),
        Err(wrong_phase(Phase::Failed, Phase::Settled))
    );
    // The bounty is burned once. Bob's stake is not burned.
    assert_eq!(market.forfeit(late), Ok(100));
    assert_eq!(market.phase(late), Phase::Forfeited);
    assert_eq!(
        market.forfeit(late),
        Err(wrong_phase(Phase::Forfeited, Phase::Committed))
    );
    assert_eq!(
        market.collect_remainder(owner(), late),
        Err(wrong_phase(Phase::Forfeited, Phase::Settled))
    );
    assert_eq!(market.collectable(bob(), late), 100);
    assert_eq!(market.collect(bob(), late), Ok(100));
    for caller in [ann(), bob(), owner()] {
        assert_eq!(
            market.collect(caller, late),
            Err(ContractError::NothingToCollect { caller })
        );
    }
    assert_eq!(market.held(), 0);
}

#[test]
fn phase_is_failed_if_scoring_takes_too_long() {
    let scoring = Scoring::new(TERMS, BOUNTY, &[(ann(), GOOD)]);
    let latest = SCORING + TERMS.scoring_wait;
    assert_eq!(scoring.market.phase(latest), Phase::Scoring);
    assert_eq!(scoring.market.phase(latest + 1), Phase::Failed);
    assert_eq!(scoring.market.collectable(ann(), latest + 1), 100);
    assert_eq!(scoring.market.next_step(latest + 1, &[], ALL), None);
}

#[test]
fn collect_remainder_pays_all_back_without_contributions() {
    let mut market = opened(TERMS, BOUNTY);
    assert_eq!(
        market.collect_remainder(owner(), CLOSED - 1),
        Err(ContractError::WrongPhase {
            phase: Phase::Open,
            required: Phase::Settled
        })
    );
    assert_eq!(market.phase(CLOSED), Phase::Settled);
    assert_eq!(
        market.collect_remainder(ann(), CLOSED),
        Err(ContractError::NotOwner {
            caller: ann(),
            owner: owner()
        })
    );
    assert_eq!(market.collect_remainder(owner(), CLOSED), Ok(BOUNTY));
    assert_eq!(market.held(), 0);
}

// ---------------------------------------------------------------- Drawing and revealing

#[test]
fn draw_has_256_blocks() {
    let hash = B256::repeat_byte(5);
    let mut market = committed(TERMS, BOUNTY);
    assert_eq!(
        market.draw(START, BLOCK + 1, hash),
        Err(ContractError::TooEarlyToDraw {
            number: BLOCK + 1,
            earliest: BLOCK + 2
        })
    );
    assert_eq!(
        market.draw(START, BLOCK + 258, hash),
        Err(ContractError::TooLateToDraw {
            number: BLOCK + 258,
            latest: BLOCK + 257
        })
    );
    assert_eq!(reveal(&mut market, START, 0), Err(ContractError::NotDrawn));
    let drawn = market.draw(START, BLOCK + 257, hash).expect("in time") as u64;
    assert_eq!(
        market.draw(START, BLOCK + 2, hash),
        Err(ContractError::AlreadyDrawn { part: drawn })
    );
    let other = (drawn + 1) % 3;
    assert_eq!(
        reveal(&mut market, START, other),
        Err(ContractError::NotTheDrawnPart { part: other, drawn })
    );
    assert_eq!(
        reveal(&mut market, START, 3),
        Err(ContractError::UnknownPart { part: 3, parts: 3 })
    );
    let (now, latest) = (START + 51, START + 50);
    assert_eq!(
        reveal(&mut market, now, drawn),
        Err(ContractError::TooLate { now, latest })
    );
    assert_eq!(
        market.forfeit(latest),
        Err(ContractError::TooEarly {
            now: latest,
            earliest: now
        })
    );
    assert_eq!(market.forfeit(now), Ok(BOUNTY));
    assert_eq!((market.phase(now), market.held()), (Phase::Forfeited, 0));
}

#[test]
fn reveal_takes_only_what_was_committed_to() {
    let mut market = opened(TERMS, BOUNTY);
    market
        .contribute(ann(), START + 20, 100, &items(&[GOOD]))
        .expect("accepted");
    let (right, other) = (items(&PART), items(&[GOOD]));
    let differs = |part, commitment| {
        let committed = commitments()[usize::try_from(part).expect("small")];
        Err(ContractError::CommitmentDiffers {
            part,
            commitment: Box::new(commitment),
            committed: Box::new(committed),
        })
    };
    for (part, salt, items) in [
        (1, salt(2), &right),
        (1, salt(1), &other),
        (2, salt(1), &right),
    ] {
        assert_eq!(
            market.reveal(CLOSED, part, salt, items).map(|_| ()),
            differs(part, commitment(part, salt, items))
        );
    }
    assert_eq!(
        reveal(&mut market, CLOSED, 0),
        Err(ContractError::AlreadyRevealed { part: 0 })
    );
    let long = vec![0; MAX_BYTES + 1];
    let too_long = Err(ContractError::TooLong {
        length: 24_576,
        max: 24_575,
    });
    assert_eq!(
        market.reveal(CLOSED, 1, salt(1), &long).map(|_| ()),
        too_long
    );
    assert_eq!(reveal(&mut market, CLOSED, 1), Ok(()));
    assert_eq!(market.part(1), Some(&right[..]));
    assert_eq!(market.part(2), None);
}

#[test]
fn reveal_refuses_a_part_that_the_model_refuses() {
    let bad = items(&[(0, 1), (2, 3)]);
    for (part, refusal) in [
        (vec![], ContractError::EmptyBatch),
        (
            bad[..3].to_vec(),
            ContractError::MalformedBatch { offset: 0 },
        ),
        (
            bad,
            ContractError::LabelOutOfRange {
                item: 1,
                label: 2,
                classes: 2,
            },
        ),
    ] {
        let mut market = created(TERMS);
        let commitments = [0, 1].map(|index| commitment(index, B256::ZERO, &part));
        market
            .commit(owner(), START, BLOCK, BOUNTY, &commitments)
            .expect("committed");
        let hash = B256::repeat_byte(5);
        let drawn = market.draw(START, BLOCK + 2, hash).expect("drawn") as u64;
        let revealed = market.reveal(START, drawn, B256::ZERO, &part);
        assert_eq!(revealed.map(|_| ()), Err(refusal));
        assert_eq!(market.revealed_count(), 0);
    }
}

// ---------------------------------------------------------------- Contributing

#[test]
fn contribute_closes_the_market_with_the_last_contribution() {
    let terms = Terms {
        most_contributions: 2,
        ..TERMS
    };
    let mut market = opened(terms, BOUNTY);
    let now = START + 30;
    let mut contribute = |value, batch: &[u8]| {
        let done = market.contribute(ann(), now, value, batch)?;
        Ok((done.first_position, done.count, done.surplus))
    };
    assert_eq!(
        contribute(1_000, &items(&[GOOD; 3])),
        Err(ContractError::TooManyContributions { count: 3, max: 2 })
    );
    assert_eq!(
        contribute(199, &items(&[GOOD; 2])),
        Err(ContractError::DepositTooLow {
            required: 200,
            sent: 199
        })
    );
    assert_eq!(
        contribute(1_000, &vec![0; MAX_BYTES + 1]),
        Err(ContractError::TooLong {
            length: 24_576,
            max: 24_575
        })
    );
    assert_eq!(contribute(1_000, &[]), Err(ContractError::EmptyBatch));
    assert_eq!(contribute(250, &items(&[GOOD; 2])), Ok((0, 2, 50)));
    assert_eq!(
        contribute(250, &items(&[GOOD])),
        Err(ContractError::WrongPhase {
            phase: Phase::Revealing,
            required: Phase::Open
        })
    );
    assert_eq!(market.closing_time(), Some(now));
    assert_eq!(market.phase(now + terms.reveal_wait), Phase::Revealing);
    assert_eq!(market.phase(now + terms.reveal_wait + 1), Phase::Failed);
}

// ---------------------------------------------------------------- Deadlines

#[test]
fn reveal_deadline_and_scoring_deadline_are_the_last_seconds() {
    let deadlines = |market: &Market| (market.reveal_deadline(), market.scoring_deadline());
    let market = created(TERMS);
    assert_eq!(deadlines(&market), (None, None));
    let mut market = committed(TERMS, BOUNTY);
    let latest = START + 50;
    assert_eq!(deadlines(&market), (Some(latest), None));
    let hash = hash_that_draws(&market, 0);
    assert_eq!(market.draw(START, BLOCK + 2, hash), Ok(0));
    let now = latest + 1;
    assert_eq!(
        reveal(&mut market, now, 0),
        Err(ContractError::TooLate { now, latest })
    );
    reveal(&mut market, latest, 0).expect("in time");
    let latest = latest + 1_000 + 50;
    assert_eq!(deadlines(&market), (Some(latest), None));
    let Scoring { market, .. } = Scoring::new(TERMS, BOUNTY, &[(ann(), GOOD)]);
    let latest = SCORING + 500;
    assert_eq!(deadlines(&market), (Some(CLOSED + 50), Some(latest)));
    assert_eq!(market.phase(latest), Phase::Scoring);
    assert_eq!(market.phase(latest + 1), Phase::Failed);
}

#[test]
fn deadline_is_the_last_second_of_each_phase_that_time_ends() {
    let mut contributed = opened(TERMS, BOUNTY);
    contributed
        .contribute(ann(), START + 20, 100, &items(&[GOOD]))
        .expect("accepted");
    let full = {
        let terms = Terms {
            most_contributions: 1,
            ..TERMS
        };
        let mut market = opened(terms, BOUNTY);
        market
            .contribute(ann(), START + 20, 100, &items(&[GOOD]))
            .expect("accepted");
        market
    };
    let mut late = contributed.clone();
    reveal(&mut late, CLOSED, 2).expect("revealed");
    let scoring = Scoring::new(TERMS, BOUNTY, &[(ann(), GOOD)]).market;
    let mut forfeited = committed(TERMS, BOUNTY);
    assert_eq!(forfeited.forfeit(START + 51), Ok(BOUNTY));
    let settled = opened(TERMS, BOUNTY);
    let empty = created(TERMS);
    for (market, now, phase, deadline, after) in [
        (&empty, START, Phase::Created, None, Phase::Created),
        (
            &settled,
            CLOSED - 1,
            Phase::Open,
            Some(CLOSED - 1),
            Phase::Settled,
        ),
        (&settled, CLOSED, Phase::Settled, None, Phase::Settled),
        (
            &contributed,
            START + 20,
            Phase::Open,
            Some(CLOSED - 1),
            Phase::Revealing,
        ),
        (
            &contributed,
            CLOSED,
            Phase::Revealing,
            Some(CLOSED + 50),
            Phase::Failed,
        ),
        (
            &full,
            START + 20,
            Phase::Revealing,
            Some(START + 70),
            Phase::Failed,
        ),
        (
            &late,
            CLOSED + 50,
            Phase::Revealing,
            Some(CLOSED + 50),
            Phase::Failed,
        ),
        (
            &scoring,
            SCORING,
            Phase::Scoring,
            Some(SCORING + 500),
            Phase::Failed,
        ),
        (&scoring, SCORING + 501, Phase::Failed, None, Phase::Failed),
        (
            &forfeited,
            START + 51,
            Phase::Forfeited,
            None,
            Phase::Forfeited,
        ),
    ] {
        assert_eq!(market.phase(now), phase);
        assert_eq!(market.deadline(now), deadline, "{phase}");
        let last = deadline.unwrap_or(now);
        assert_eq!(market.phase(last), phase, "{phase}");
        assert_eq!(market.phase(last + 1), after, "{phase}");
    }
    // Time does not end this phase: only the owner does, or an account that burns the bounty.
    let market = committed(TERMS, BOUNTY);
    assert_eq!(market.deadline(START), Some(START + 50));
    assert_eq!(market.phase(START + 51), Phase::Committed);
}

#[test]
fn lost_begins_after_the_last_draw_and_after_the_last_reveal() {
    let market = created(TERMS);
    assert_eq!((market.earliest_draw(), market.latest_draw()), (None, None));
    assert_eq!(market.lost(u64::MAX, u64::MAX), None);
    let mut market = committed(TERMS, BOUNTY);
    let (earliest, latest) = (BLOCK + 2, BLOCK + 257);
    assert_eq!(
        (market.earliest_draw(), market.latest_draw()),
        (Some(earliest), Some(latest))
    );
    let late = START + 50;
    let (not_drawn, not_revealed) = (
        Lost::NotDrawn { latest },
        Lost::NotRevealed { latest: late },
    );
    for (now, block, lost) in [
        (START, BLOCK + 1, None),
        (late, latest, None),
        (late, latest + 1, Some(not_drawn)),
        (late + 1, latest, Some(not_revealed)),
        (late + 1, latest + 1, Some(not_drawn)),
    ] {
        assert_eq!(market.lost(now, block), lost, "{now}, {block}");
    }
    // The draw itself has no deadline in time.
    let hash = hash_that_draws(&market, 0);
    let at = |block| market.clone().draw(late + 1, block, hash);
    let number = earliest - 1;
    assert_eq!(
        at(number),
        Err(ContractError::TooEarlyToDraw { number, earliest })
    );
    let number = latest + 1;
    assert_eq!(
        at(number),
        Err(ContractError::TooLateToDraw { number, latest })
    );
    assert_eq!(at(earliest), Ok(0));
    assert_eq!(market.draw(late, latest, hash), Ok(0));
    assert_eq!(market.lost(late, latest + 1), None);
    assert_eq!(market.lost(late + 1, latest + 1), Some(not_revealed));
    assert_eq!(
        reveal(&mut market, late + 1, 0),
        Err(ContractError::TooLate {
            now: late + 1,
            latest: late
        })
    );
    reveal(&mut market, late, 0).expect("in time");
    assert_eq!(market.lost(u64::MAX, u64::MAX), None);
}

// ---------------------------------------------------------------- Committing

#[test]
fn commit_needs_the_owner_and_a_model_closed_for_the_market() {
    let mut market = created(TERMS);
    let mut commit = |caller, value, commitments: &[B256]| {
        market.commit(caller, START, BLOCK, value, commitments)
    };
    let invalid = |name, value| Err(ContractError::InvalidParameter { name, value });
    let many = vec![B256::ZERO; 257];
    assert_eq!(
        commit(ann(), 0, &[]),
        Err(ContractError::NotOwner {
            caller: ann(),
            owner: owner()
        })
    );
    assert_eq!(commit(owner(), 0, &many[..1]), invalid("parts", 1));
    assert_eq!(commit(owner(), 0, &many), invalid("parts", 257));
    assert_eq!(commit(owner(), 0, &many[1..]), invalid("bounty", 0));
    assert_eq!(
        commit(owner(), 1 << 96, &many[1..]),
        invalid("bounty", 1 << 96)
    );
    assert_eq!(commit(owner(), (1 << 96) - 1, &many[1..]), Ok(()));
    assert_eq!(
        commit(owner(), 0, &[]),
        Err(ContractError::WrongPhase {
            phase: Phase::Committed,
            required: Phase::Created
        })
    );

    let model = cotrain_protocol::classifier::Hosted::new(owner(), model());
    let mut market = Market::with_model(owner(), address(2), address(3), TERMS, model);
    let market = market.as_mut().expect("valid");
    let commit = |market: &mut Market| market.commit(owner(), START, BLOCK, 1, &many[1..]);
    let not_ready = |trainer| {
        Err(ContractError::ModelNotClosedForMarket {
            classifier: address(3),
            trainer,
        })
    };
    assert_eq!(commit(market), not_ready(Address::ZERO));
    market
        .initial_mut()
        .close(owner(), address(9))
        .expect("open");
    assert_eq!(commit(market), not_ready(address(9)));
}

// ---------------------------------------------------------------- Terms

/// Accessor of one of the numbers of seconds, contributions or passes.
type Field = fn(&mut Terms) -> &mut u64;

#[test]
fn validate_holds_terms_to_their_bounds() {
    let max = Terms {
        stake: (1 << 96) - 1,
        participation: (1 << 32) - 1,
        reveal_wait: (1 << 32) - 1,
        scoring_wait: (1 << 32) - 1,
        most_contributions: (1 << 32) - 1,
        most_passes: (1 << 16) - 1,
    };
    assert_eq!(max.validate(), Ok(()));
    for value in [0, 1 << 96] {
        let terms = Terms {
            stake: value,
            ..max
        };
        let name = "stake";
        assert_eq!(
            terms.validate(),
            Err(ContractError::InvalidParameter { name, value })
        );
    }
    let fields: [(&str, Field); 5] = [
        ("participation", |terms| &mut terms.participation),
        ("revealWait", |terms| &mut terms.reveal_wait),
        ("scoringWait", |terms| &mut terms.scoring_wait),
        ("mostContributions", |terms| &mut terms.most_contributions),
        ("mostPasses", |terms| &mut terms.most_passes),
    ];
    for (name, field) in fields {
        let above = *field(&mut max.clone()) + 1;
        for value in [0, above] {
            let mut terms = max;
            *field(&mut terms) = value;
            let value = value.into();
            assert_eq!(
                terms.validate(),
                Err(ContractError::InvalidParameter { name, value })
            );
        }
    }
}
