//! The receiver's rules on a channel.

use alloy_primitives::{Address, B256, Bytes, U256};
use cotrain_payments::x402::{
    Reason,
    batch::{
        ChainState, Channel, ChannelConfig, ClaimRule, ContractAnswer, Due, LockError, Refusal,
        Reservation, calls,
        payload::{BatchPayload, RefundPayload, SignedVoucher, VoucherPayload},
        verify::{self, Verdict},
    },
};
use cotrain_protocol::signature::Key;

use crate::common::{NOW, PAYER, chain, deployment, facts, pair, pay, payer, terms};

/// Returns a payment of any total, signed by a key.
pub(crate) fn voucher(config: &ChannelConfig, total: u128, key: &Key) -> BatchPayload {
    let channel_id = deployment().channel_id(config);
    let hash = deployment().voucher_hash(channel_id, total);
    BatchPayload::Voucher(VoucherPayload {
        channel_config: config.clone(),
        voucher: SignedVoucher {
            channel_id,
            max_claimable_amount: total.into(),
            signature: key.sign(hash).into(),
        },
    })
}

fn reserve(
    channel: &mut Channel,
    amount: u128,
    payload: &BatchPayload,
) -> Result<Reservation, Refusal> {
    channel.reserve(&deployment(), &terms(amount), payload, &facts(NOW))
}

/// Returns a channel in which 30 of 100 are charged, by a voucher over 40.
fn charged() -> Channel {
    let (mut payer, mut channel) = pair(100);
    let payload = pay(&mut payer, 40);
    let reservation = reserve(&mut channel, 40, &payload).expect("a reservation");
    channel.commit(&reservation, 30, NOW).expect("charged");
    channel
}

fn word(refusal: Result<Reservation, Refusal>) -> Option<Reason> {
    refusal.expect_err("a refusal").reason()
}

#[test]
fn reserve_takes_exactly_the_next_total() {
    let channel = charged();
    let config = channel.config().clone();
    for total in [0, 29, 30, 39, 41, 100, 101, u128::MAX] {
        let payload = voucher(&config, total, &payer());
        let refusal = reserve(&mut channel.clone(), 10, &payload);
        assert_eq!(
            word(refusal),
            Some(Reason::BatchCumulativeMismatch),
            "{total}"
        );
    }
    let payload = voucher(&config, 40, &payer());
    assert!(reserve(&mut channel.clone(), 10, &payload).is_ok());
    let free = reserve(&mut channel.clone(), 0, &voucher(&config, 30, &payer()));
    assert_eq!(word(free), Some(Reason::InvalidPaymentRequirements));
    let dear = reserve(&mut channel.clone(), 71, &voucher(&config, 101, &payer()));
    assert_eq!(word(dear), Some(Reason::BatchExceedsBalance));
}

#[test]
fn reserve_refuses_other_signers_and_channels() {
    let mut channel = charged();
    let config = channel.config().clone();
    let stranger = Key::new(B256::with_last_byte(7)).expect("a key");
    let forged = reserve(&mut channel, 10, &voucher(&config, 40, &stranger));
    assert_eq!(word(forged), Some(Reason::BatchVoucherSignature));

    let mut other = config.clone();
    other.salt = B256::with_last_byte(1);
    let foreign = reserve(&mut channel, 10, &voucher(&other, 40, &payer()));
    assert_eq!(word(foreign), Some(Reason::BatchChannelIdMismatch));
    // A voucher of the other channel under the name of this one.
    let BatchPayload::Voucher(mut stolen) = voucher(&other, 40, &payer()) else {
        panic!("expected a voucher");
    };
    stolen.channel_config = config.clone();
    let refusal = reserve(&mut channel, 10, &BatchPayload::Voucher(stolen.clone()));
    assert_eq!(word(refusal), Some(Reason::BatchChannelIdMismatch));
    stolen.voucher.channel_id = channel.id();
    let refusal = reserve(&mut channel, 10, &BatchPayload::Voucher(stolen));
    assert_eq!(word(refusal), Some(Reason::BatchVoucherSignature));
    assert_eq!(channel, charged());
}

#[test]
fn reserve_refuses_channels_of_other_terms() {
    let check = |change: fn(&mut ChannelConfig)| {
        let (payer_side, _) = pair(100);
        let mut config = payer_side.config().clone();
        change(&mut config);
        let payload = voucher(&config, 10, &payer());
        let mut channel = Channel::open(&deployment(), config, chain(100, 0, NOW));
        word(reserve(&mut channel, 10, &payload))
    };
    assert_eq!(
        check(|it| it.receiver = Address::ZERO),
        Some(Reason::BatchReceiverMismatch)
    );
    assert_eq!(
        check(|it| it.token = Address::ZERO),
        Some(Reason::BatchTokenMismatch)
    );
    assert_eq!(
        check(|it| it.withdraw_delay = 901),
        Some(Reason::BatchWithdrawDelayMismatch)
    );
    let authorizer = check(|it| it.receiver_authorizer = Address::ZERO);
    assert_eq!(authorizer, Some(Reason::BatchReceiverAuthorizerMismatch));
    let mut range = terms(1);
    range.withdraw_delay = 899;
    let offer = range.offer();
    let read = cotrain_payments::x402::batch::Terms::of(&offer);
    assert_eq!(read, Err(Reason::BatchWithdrawDelayRange));
}

#[test]
fn reserve_locks_the_channel_for_a_time() {
    let mut channel = charged();
    let payload = voucher(channel.config(), 40, &payer());
    let first = reserve(&mut channel, 10, &payload).expect("a reservation");
    assert_eq!(first.expires, Some(NOW + 60));
    assert_eq!(
        reserve(&mut channel, 10, &payload),
        Err(Refusal::Busy(Some(NOW + 60)))
    );

    let mut later = facts(NOW + 60);
    later.chain = Some(chain(100, 0, NOW + 60));
    let second = channel.reserve(&deployment(), &terms(10), &payload, &later);
    let second = second.expect("the lock has expired");
    assert_eq!(channel.commit(&first, 10, NOW), Err(LockError::Lost));
    assert_eq!(channel.release(&first), Err(LockError::Lost));
    channel.commit(&second, 10, NOW).expect("charged");
    assert_eq!(
        channel.commit(&second, 10, NOW),
        Err(LockError::Lost),
        "twice"
    );
    assert_eq!(channel.charged(), 40);
    assert_eq!(
        word(reserve(&mut channel, 10, &payload)),
        Some(Reason::BatchCumulativeMismatch)
    );

    for (timeout, life) in [(0, 5), (u64::MAX, 600)] {
        let (mut payer, mut channel) = pair(100);
        let mut terms = terms(1);
        terms.max_timeout = timeout;
        let payload = pay(&mut payer, 1);
        let reservation = channel.reserve(&deployment(), &terms, &payload, &facts(NOW));
        assert_eq!(
            reservation.expect("a reservation").expires,
            Some(NOW + life)
        );
    }
}

#[test]
fn commit_charges_at_most_the_reserved_amount() {
    let mut channel = charged();
    let payload = voucher(channel.config(), 40, &payer());
    let reservation = reserve(&mut channel, 10, &payload).expect("a reservation");
    let before = channel.clone();
    let error = LockError::ExceedsSigned {
        charge: 11,
        covered: 10,
    };
    assert_eq!(channel.commit(&reservation, 11, NOW), Err(error));
    assert_eq!(channel, before);
    // Meanwhile someone with the receiver's key claimed 35.
    channel.mirror(chain(100, 35, NOW));
    let error = LockError::ExceedsSigned {
        charge: 10,
        covered: 5,
    };
    assert_eq!(channel.commit(&reservation, 10, NOW), Err(error));
    channel.commit(&reservation, 5, NOW).expect("charged");
    assert_eq!(channel.charged(), 40);
}

#[test]
fn reserve_asks_for_a_fresh_state_of_the_chain() {
    let mut channel = charged();
    let payload = voucher(channel.config(), 40, &payer());
    let at = |channel: &mut Channel, now| {
        channel.reserve(&deployment(), &terms(10), &payload, &facts(now))
    };
    // A third of the delay of 900 s.
    assert_eq!(at(&mut channel, NOW + 301), Err(Refusal::NeedsChain));
    assert!(at(&mut channel, NOW + 300).is_ok());
    for (delay, trust) in [(1_000, 300), (2_592_000, 300)] {
        let mut config = channel.config().clone();
        config.withdraw_delay = delay;
        let channel = Channel::open(&deployment(), config, chain(1, 0, NOW));
        assert!(channel.is_fresh(NOW + trust) && !channel.is_fresh(NOW + trust + 1));
    }
}

#[test]
fn reserve_leaves_a_pending_withdrawal_untouched() {
    let mut channel = charged();
    let mut state = chain(100, 0, NOW);
    state.withdraw_amount = 60;
    state.withdraw_requested_at = NOW;
    channel.mirror(state);
    let config = channel.config().clone();
    let dear = reserve(&mut channel, 11, &voucher(&config, 41, &payer()));
    assert_eq!(word(dear), Some(Reason::BatchExceedsBalance));
    assert!(reserve(&mut channel, 10, &voucher(&config, 40, &payer())).is_ok());
}

#[test]
fn reserve_asks_a_payer_that_may_be_a_contract() {
    let (payer_side, _) = pair(100);
    let mut config = payer_side.config().clone();
    config.payer_authorizer = Address::ZERO;
    let payload = voucher(&config, 10, &payer());
    let mut channel = Channel::open(&deployment(), config.clone(), chain(100, 0, NOW));
    let Err(Refusal::NeedsContractCheck(check)) = reserve(&mut channel, 10, &payload) else {
        panic!("expected a question");
    };
    assert_eq!(check.account, PAYER);
    assert_eq!(check.hash, deployment().voucher_hash(channel.id(), 10));
    let with = |verdict, payload: &BatchPayload| {
        let mut facts = facts(NOW);
        let check = check.clone();
        facts.contract = Some(ContractAnswer { check, verdict });
        channel
            .clone()
            .reserve(&deployment(), &terms(10), payload, &facts)
    };
    assert!(with(Verdict::NoCode, &payload).is_ok());
    assert!(with(Verdict::Accepts, &payload).is_ok());
    let refused = with(Verdict::Refuses, &payload);
    assert_eq!(word(refused), Some(Reason::BatchVoucherSignature));
    // An answer about another voucher counts nothing.
    let other = with(Verdict::Accepts, &voucher(&config, 11, &payer()));
    assert!(matches!(other, Err(Refusal::NeedsContractCheck(_))));
}

#[test]
fn reserve_checks_deposits() {
    let (mut payer_side, channel) = pair(0);
    let payload = pay(&mut payer_side, 10);
    let reserve = |payload: &BatchPayload, balance: u64, now| {
        let mut channel = channel.clone();
        let mut facts = facts(now);
        facts.chain = Some(chain(0, 0, now));
        facts.payer_balance = Some(U256::from(balance));
        channel.reserve(&deployment(), &terms(10), payload, &facts)
    };
    assert!(reserve(&payload, 50, NOW).is_ok());
    assert_eq!(
        word(reserve(&payload, 49, NOW)),
        Some(Reason::BatchInsufficientBalance)
    );
    assert_eq!(
        word(reserve(&payload, 50, NOW + 55)),
        Some(Reason::BatchValidBefore)
    );
    let unread = channel
        .clone()
        .reserve(&deployment(), &terms(10), &payload, &facts(NOW));
    assert_eq!(unread, Err(Refusal::NeedsChain));

    let changed = |change: fn(&mut cotrain_payments::x402::batch::payload::Deposit)| {
        let BatchPayload::Deposit(mut payload) = payload.clone() else {
            panic!("expected a deposit");
        };
        change(&mut payload.deposit);
        word(reserve(&BatchPayload::Deposit(payload), 50, NOW))
    };
    let amount = changed(|it| it.amount = 49_u64.into());
    assert_eq!(amount, Some(Reason::BatchAuthorizationSignature));
    assert_eq!(
        changed(|it| it.amount = 0_u64.into()),
        Some(Reason::BatchDepositPayload)
    );
    let missing = changed(|it| it.authorization.erc3009_authorization = None);
    assert_eq!(missing, Some(Reason::BatchAuthorizationRequired));
    let BatchPayload::Deposit(paid) = &payload else {
        panic!("expected a deposit");
    };
    let unfunded = BatchPayload::Voucher(VoucherPayload {
        channel_config: paid.channel_config.clone(),
        voucher: paid.voucher.clone(),
    });
    assert_eq!(
        word(reserve(&unfunded, 50, NOW)),
        Some(Reason::BatchChannelNotFound)
    );
}

#[test]
fn payload_is_verified_as_by_a_facilitator() {
    let (mut payer_side, _) = pair(100);
    let payload = pay(&mut payer_side, 10);
    let verify = |state: &ChainState, amount| {
        verify::payload(
            &deployment(),
            &terms(amount),
            &payload,
            state,
            U256::ZERO,
            None,
            NOW,
        )
    };
    assert_eq!(verify(&chain(100, 0, NOW), 10), Ok(payer_side.id()));
    let fault = |reason| Err(verify::Fault::Invalid(reason));
    assert_eq!(
        verify(&chain(100, 1, NOW), 10),
        fault(Reason::BatchBelowClaimed)
    );
    assert_eq!(
        verify(&chain(9, 0, NOW), 10),
        fault(Reason::BatchExceedsBalance)
    );
    assert_eq!(
        verify(&chain(0, 0, NOW), 10),
        fault(Reason::BatchChannelNotFound)
    );
}

#[test]
fn snapshot_is_read_with_any_withdrawal_as_a_whole_one() {
    let id = charged().id();
    let mut state = chain(100, 30, NOW);
    state.refund_nonce = U256::from(7);
    let read = |state: &ChainState| ChainState::of_snapshot(&state.snapshot(id), id, NOW);
    assert_eq!(read(&state), Some(state.clone()));
    let other = ChainState::of_snapshot(&state.snapshot(id), B256::ZERO, NOW);
    assert_eq!(other, None);
    state.withdraw_requested_at = NOW;
    state.withdraw_amount = 1;
    assert_eq!(state.promisable(), 99);
    assert_eq!(read(&state).expect("a state").promisable(), 30);
}

#[test]
fn due_claims_at_once_if_the_payer_withdraws() {
    let mut channel = charged();
    let rule = ClaimRule {
        every: 3600,
        above: 31,
    };
    assert_eq!(channel.due(rule, NOW + 3599), None);
    assert_eq!(channel.due(rule, NOW + 3600), Some(Due::Timer));
    assert_eq!(
        channel.due(ClaimRule { above: 30, ..rule }, NOW),
        Some(Due::Threshold)
    );
    let mut state = chain(100, 0, NOW);
    state.withdraw_amount = 100;
    state.withdraw_requested_at = NOW;
    channel.mirror(state);
    assert_eq!(channel.due(rule, NOW), Some(Due::Withdrawal(NOW + 900)));
    channel.mirror(chain(100, 30, NOW));
    assert_eq!(channel.due(rule, NOW + 9999), None);
    assert_eq!(channel.claim(), None);
}

#[test]
fn refund_leaves_what_was_charged() {
    let mut channel = charged();
    let reservation = channel.begin_refund(NOW).expect("a reservation");
    let payload = voucher(channel.config(), 40, &payer());
    assert_eq!(
        reserve(&mut channel, 10, &payload),
        Err(Refusal::Busy(None))
    );
    let all = channel.plan_refund(&reservation, None).expect("a plan");
    assert_eq!((all.amount, all.nonce), (70, U256::ZERO));
    let plan = |asked| {
        channel
            .plan_refund(&reservation, Some(asked))
            .map(|it| it.amount)
    };
    assert_eq!(plan(20), Ok(20));
    assert_eq!(plan(71), Ok(70));
    let (claim, entry) = all.claim.clone().expect("a claim");
    assert_eq!((entry.totalClaimed, entry.maxClaimableAmount), (30, 40));
    let hash = all.refund_hash(&deployment());
    assert_eq!(hash, deployment().refund_hash(channel.id(), U256::ZERO, 70));
    assert_eq!(
        all.claim_hash(&deployment()),
        Some(deployment().claims_hash(vec![entry]))
    );
    let signature = Bytes::from(vec![1; 65]);
    let BatchPayload::Voucher(asked) = voucher(channel.config(), 30, &payer()) else {
        panic!("expected a voucher");
    };
    let complete = |claim| all.complete(asked.voucher.clone(), signature.clone(), claim);
    assert_eq!(
        calls::refund(&complete(None)),
        None,
        "the claim is not signed"
    );
    let call = calls::refund(&complete(Some(signature.clone()))).expect("a call");
    let inner = calls::claim(&[claim], signature).expect("a call");
    assert!(call.windows(inner.len()).any(|part| part == &inner[..]));

    let pending = channel.refunded(&reservation, chain(100, 30, NOW));
    assert!(matches!(pending, Err(LockError::RefundPending { .. })));
    let mut after = chain(30, 30, NOW);
    after.refund_nonce = U256::ONE;
    channel.refunded(&reservation, after).expect("refunded");
    assert_eq!(
        (channel.charged(), channel.refundable(), channel.lock()),
        (30, 0, None)
    );
    assert_eq!(channel.begin_refund(NOW), Err(Reason::BatchRefundNoBalance));
}

#[test]
fn refund_payload_needs_the_charged_total() {
    let mut channel = charged();
    let config = channel.config().clone();
    let mut refund = |total, amount: Option<u128>| {
        let BatchPayload::Voucher(it) = voucher(&config, total, &payer()) else {
            panic!("expected a voucher");
        };
        let payload = BatchPayload::Refund(RefundPayload {
            channel_config: it.channel_config,
            voucher: it.voucher,
            amount: amount.map(Into::into),
            refund_nonce: None,
            claims: None,
            refund_authorizer_signature: None,
            claim_authorizer_signature: None,
        });
        let mut facts = facts(NOW);
        facts.chain = Some(channel.chain().clone());
        channel.reserve(&deployment(), &terms(10), &payload, &facts)
    };
    assert_eq!(
        word(refund(40, None)),
        Some(Reason::BatchCumulativeMismatch)
    );
    assert_eq!(word(refund(30, Some(0))), Some(Reason::BatchRefundAmount));
    assert!(refund(30, Some(5)).is_ok());
}

#[test]
fn mirror_counts_claims_by_others_and_no_old_state() {
    let mut channel = charged();
    channel.mirror(chain(100, 35, NOW + 1));
    assert_eq!((channel.charged(), channel.unclaimed()), (35, 0));
    assert_eq!(channel.voucher().map(|it| it.total), Some(40));
    let before = channel.clone();
    channel.mirror(chain(1000, 0, NOW));
    assert_eq!(channel, before, "an older state");
    // A claim above our voucher is by a voucher that we lost.
    channel.mirror(chain(100, 50, NOW + 1));
    assert_eq!((channel.charged(), channel.voucher()), (50, None));
}

#[test]
fn open_begins_at_what_is_claimed() {
    let (_, channel) = pair(100);
    let lost = Channel::open(&deployment(), channel.config().clone(), chain(100, 25, NOW));
    assert_eq!((lost.charged(), lost.unclaimed()), (25, 0));
    let text = serde_json::to_string(&charged()).expect("JSON");
    assert_eq!(
        serde_json::from_str::<Channel>(&text).expect("a channel"),
        charged()
    );
}
