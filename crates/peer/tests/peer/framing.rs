//! Tests of frames as bytes.

use alloy_primitives::{Address, B256};
use cotrain_peer::{Content, FRAME_BYTES, Frame, FrameError, LEAF, Prefix, Range};
use proptest::{array::uniform16, collection::vec, option, prelude::*};

fn word() -> impl Strategy<Value = B256> {
    any::<[u8; 32]>().prop_map(B256::from)
}

/// Draws a range below a first digit, so that several of them are disjoint.
fn range(digit: u8) -> impl Strategy<Value = Range> {
    let content = prop_oneof![
        uniform16(option::of(any::<u128>())).prop_map(|prints| Content::Split(prints.into())),
        vec(word(), 0..=LEAF).prop_map(Content::List),
        vec(word(), 0..50).prop_map(Content::Held),
    ];
    (vec(0_u8..16, 0..5), content).prop_map(move |(digits, mut content)| {
        let mut prefix = Prefix::ALL.child(digit).expect("a digit");
        for digit in digits {
            prefix = prefix.child(digit).expect("a digit");
        }
        if let Content::List(ids) | Content::Held(ids) = &mut content {
            for id in ids.iter_mut() {
                let packed = prefix.packed();
                let last = id[packed.len() - 1];
                id[..packed.len()].copy_from_slice(packed);
                if !prefix.depth().is_multiple_of(2) {
                    id[packed.len() - 1] |= last & 0x0f;
                }
            }
            ids.sort_unstable();
            ids.dedup();
        }
        Range { prefix, content }
    })
}

fn frame() -> impl Strategy<Value = Frame> {
    let nonce = (any::<[u8; 20]>(), word());
    let short = any::<[u8; 8]>();
    prop_oneof![
        nonce.prop_map(|(log, nonce)| Frame::Hello {
            log: log.into(),
            nonce
        }),
        vec(word(), 1..20).prop_map(Frame::Have),
        vec(short, 1..20).prop_map(Frame::Want),
        vec(vec(any::<u8>(), 0..40), 1..6).prop_map(Frame::Items),
        (range(1), range(2), range(11)).prop_map(|(a, b, c)| Frame::Reconcile(vec![a, b, c])),
    ]
}

proptest! {
    #[test]
    fn decode_reads_every_frame_that_encode_writes(frame in frame()) {
        let bytes = frame.encode();
        prop_assert_eq!(Frame::decode(&bytes), Ok(Some(frame)));
    }

    #[test]
    fn decode_survives_any_bytes(bytes in vec(any::<u8>(), 0..400)) {
        let _ = Frame::decode(&bytes);
    }

    #[test]
    fn decode_survives_any_body(kind in 0_u8..8, body in vec(prop_oneof![Just(0_u8), Just(1), any::<u8>()], 0..400)) {
        let length = u32::try_from(body.len()).expect("short");
        let bytes = [&[1, kind][..], &length.to_be_bytes(), &body].concat();
        // There is one form alone.
        if let Ok(Some(frame)) = Frame::decode(&bytes) {
            prop_assert_eq!(frame.encode(), bytes);
        }
    }

    #[test]
    fn decode_survives_any_change_of_a_frame(
        frame in frame(),
        at in any::<prop::sample::Index>(),
        to in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = frame.encode();
        let shorter = &bytes[..cut.index(bytes.len())];
        prop_assert!(Frame::decode(shorter).is_err());
        let at = at.index(bytes.len());
        bytes[at] = to;
        if let Ok(Some(frame)) = Frame::decode(&bytes) {
            prop_assert_eq!(frame.encode(), bytes);
        }
    }
}

#[test]
fn decode_names_the_fault() {
    let hello = Frame::Hello {
        log: Address::repeat_byte(1),
        nonce: B256::repeat_byte(2),
    };
    let bytes = hello.encode();
    assert_eq!(bytes.len(), 6 + 52);
    let changed = |at: usize, to: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = to;
        Frame::decode(&bytes)
    };
    assert_eq!(changed(0, 2), Err(FrameError::Version(2)));
    assert_eq!(changed(1, 99), Ok(None));
    assert_eq!(changed(1, 3), Err(FrameError::Body(3)));
    assert_eq!(changed(5, 51), Err(FrameError::Length(58)));
    assert_eq!(Frame::decode(&[]), Err(FrameError::Length(0)));
    let large = vec![1; FRAME_BYTES + 1];
    assert_eq!(
        Frame::decode(&large),
        Err(FrameError::TooLarge(FRAME_BYTES + 1))
    );
    for frame in [
        Frame::Have(vec![]),
        Frame::Want(vec![]),
        Frame::Items(vec![]),
        Frame::Reconcile(vec![]),
    ] {
        assert!(
            matches!(Frame::decode(&frame.encode()), Err(FrameError::Body(_))),
            "{frame:?}"
        );
    }
}

#[test]
fn decode_refuses_ranges_that_overlap_or_lie() {
    let list = |prefix, ids: &[B256]| Range {
        prefix,
        content: Content::List(ids.to_vec()),
    };
    let [first, second] = [1, 2].map(|digit| Prefix::ALL.child(digit).expect("a digit"));
    let id = |byte| B256::repeat_byte(byte);
    for (ranges, is_good) in [
        (vec![list(first, &[id(0x11)]), list(second, &[])], true),
        (vec![list(second, &[]), list(first, &[])], false),
        (vec![list(first, &[]), list(first, &[])], false),
        (vec![list(Prefix::ALL, &[]), list(first, &[])], false),
        (vec![list(first, &[id(0x21)])], false),
        (vec![list(Prefix::ALL, &[id(2), id(1)])], false),
        (vec![list(Prefix::ALL, &[id(1), id(1)])], false),
        (vec![list(Prefix::ALL, &vec![id(1); LEAF + 1])], false),
    ] {
        let frame = Frame::Reconcile(ranges);
        let found = Frame::decode(&frame.encode());
        assert_eq!(found.is_ok(), is_good, "{frame:?}");
    }
}
