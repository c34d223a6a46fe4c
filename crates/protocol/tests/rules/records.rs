use alloy_primitives::{Address, B256, keccak256};
use cotrain_protocol::{
    record::{self, Leaf},
    sample::{Item, encode_batch, parse_batch},
    trainer::claims,
};

fn leaf(position: u64) -> Leaf {
    Leaf {
        author: Address::repeat_byte(0xaa),
        label: 0x0102,
        sample_hash: keccak256([1, 2, 3]),
        deposit: 1 << 90,
        time: 1 << 39,
        position,
    }
}

fn leaves(count: u64) -> Vec<B256> {
    (0..count).map(|position| leaf(position).hash()).collect()
}

fn parent(a: B256, b: B256) -> B256 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    keccak256([low.as_slice(), high.as_slice()].concat())
}

#[test]
fn a_leaf_is_the_hash_of_six_words() {
    let mut words = [0; 192];
    words[12..32].fill(0xaa);
    words[62..64].copy_from_slice(&[1, 2]);
    words[64..96].copy_from_slice(keccak256([1, 2, 3]).as_slice());
    words[127 - 11] = 4;
    words[159 - 4] = 0x80;
    words[191] = 7;
    assert_eq!(leaf(7).hash(), keccak256(words));
}

#[test]
fn the_tree_is_flat_and_complete() {
    let all = leaves(5);
    let first = parent(all[0], all[1]);
    let second = parent(all[2], all[3]);
    assert_eq!(record::root(&[]), B256::ZERO);
    assert_eq!(record::root(&all[..1]), all[0]);
    assert_eq!(record::root(&all[..2]), first);
    assert_eq!(record::root(&all[..3]), parent(first, all[2]));
    assert_eq!(record::root(&all[..4]), parent(first, second));
    assert_eq!(record::root(&all), parent(parent(first, all[4]), second));
    assert_eq!(record::proof(&all, 1), [all[0], all[4], second]);
    assert!(record::proof(&all[..1], 0).is_empty());
}

#[test]
fn every_leaf_is_proved_and_nothing_else() {
    for count in 1..=64 {
        let leaves = leaves(count);
        let root = record::root(&leaves);
        for (index, leaf) in leaves.iter().enumerate() {
            let proof = record::proof(&leaves, index);
            assert!(
                record::verify(&proof, root, *leaf),
                "leaf {index} of {count}"
            );
            assert!(!record::verify(&proof, root, keccak256(leaf)));
            assert!(!record::verify(&proof, keccak256(root), *leaf));
            assert!(!record::verify(
                &[proof.as_slice(), &[B256::ZERO]].concat(),
                root,
                *leaf
            ));
            for place in 0..proof.len() {
                let mut wrong = proof.clone();
                wrong[place] = keccak256(wrong[place]);
                assert!(!record::verify(&wrong, root, *leaf));
                let shorter = &proof[..place];
                assert!(!record::verify(shorter, root, *leaf));
            }
        }
        assert!(record::proof(&leaves, leaves.len()).is_empty());
        assert!(record::proof(&leaves, usize::MAX).is_empty());
    }
    assert!(record::proof(&[], 0).is_empty());
}

#[test]
fn claims_are_rebuilt_from_an_event() {
    let samples: Vec<Vec<u8>> = (0..7).map(|number| vec![0, number]).collect();
    let items: Vec<_> = (0..)
        .zip(&samples)
        .map(|(label, sample)| Item { label, sample })
        .collect();
    let data = encode_batch(&items).expect("short");
    let author = Address::repeat_byte(5);
    let claims = claims(40, author, 123, 456, &data).expect("well formed");
    let leaves: Vec<_> = claims
        .iter()
        .map(cotrain_protocol::trainer::Claim::leaf)
        .collect();
    for ((position, claim), item) in (40..)
        .zip(&claims)
        .zip(parse_batch(&data).expect("well formed"))
    {
        assert_eq!(
            (claim.author, claim.deposit, claim.time),
            (author, 123, 456)
        );
        assert_eq!((claim.batch, claim.position), (40, position));
        assert_eq!((claim.label, &claim.sample[..]), (item.label, item.sample));
        assert!(record::verify(
            &claim.proof,
            record::root(&leaves),
            claim.leaf()
        ));
        let sample_hash = keccak256(item.sample);
        let expected = Leaf {
            author,
            label: item.label,
            sample_hash,
            deposit: 123,
            time: 456,
            position,
        };
        assert_eq!(claim.leaf(), expected.hash());
    }
    assert_eq!(claims.len(), items.len());
}
