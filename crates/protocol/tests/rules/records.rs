//! Tests leaves, trees and proofs against plain statements of them.

use std::{cell::RefCell, collections::VecDeque};

use alloy_primitives::{Address, B256, U256, keccak256};
use cotrain_protocol::{
    record::{Claims, Contribution, MultiProof, Record, Tree, group_by_record, verify_multi},
    sample::{Item, encode_batch, parse_batch},
};
use proptest::{
    collection::{btree_set, vec},
    prelude::*,
    test_runner::TestRunner,
};

use crate::support::cases;

fn leaves(count: u64) -> Vec<B256> {
    (0..count)
        .map(|number| keccak256(number.to_be_bytes()))
        .collect()
}

fn parent(a: B256, b: B256) -> B256 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    keccak256([low.as_slice(), high.as_slice()].concat())
}

fn choose(leaves: &[B256], indices: &[usize]) -> Vec<B256> {
    indices.iter().map(|index| leaves[*index]).collect()
}

/// Verifies like `MerkleProofLib.verifyMultiProof` of solady, step by step.
///
/// It has the same three checks, and reads unwritten memory as zero.
fn solady(leaves: &[B256], proof: &[B256], flags: &[bool], root: B256) -> bool {
    if leaves.len() + proof.len() != flags.len() + 1 {
        return false;
    }
    if flags.is_empty() {
        return proof.first().unwrap_or_else(|| &leaves[0]) == &root;
    }
    let at = |nodes: &[B256], index: usize| nodes.get(index).copied().unwrap_or_default();
    let mut hashes = leaves.to_vec();
    let (mut front, mut used) = (0, 0);
    for flag in flags {
        let a = at(&hashes, front);
        let mut b = at(&hashes, front + 1);
        front += 2;
        if !flag {
            b = at(proof, used);
            used += 1;
            front -= 1;
        }
        hashes.push(parent(a, b));
    }
    hashes.last() == Some(&root) && used == proof.len()
}

/// Proves like `MerkleTreeLib.multiProofForLeaves` of solady. Returns indices of nodes, and flags.
fn multi_proof_of_solady(leaves: &[B256], indices: &[usize]) -> (Vec<usize>, Vec<bool>) {
    let mut queue: VecDeque<_> = indices
        .iter()
        .map(|index| 2 * leaves.len() - 2 - index)
        .collect();
    let (mut proof, mut flags) = (vec![], vec![]);
    while let Some(node) = queue.pop_front() {
        if node == 0 {
            break;
        }
        let sibling = if node & 1 == 1 { node + 1 } else { node - 1 };
        let flag = queue.front() == Some(&sibling);
        if flag {
            queue.pop_front();
        } else {
            proof.push(sibling);
        }
        flags.push(flag);
        queue.push_back((node - 1) >> 1);
    }
    (proof, flags)
}

/// Computes a node of the tree by its definition.
fn node(leaves: &[B256], index: usize) -> B256 {
    if index + 1 >= leaves.len() {
        return leaves[2 * leaves.len() - 2 - index];
    }
    parent(node(leaves, 2 * index + 1), node(leaves, 2 * index + 2))
}

fn check_proof(leaves: &[B256], indices: &[usize]) {
    let tree = Tree::new(leaves);
    let MultiProof { proof, flags } = tree.multi_proof(indices);
    let chosen = choose(leaves, indices);
    let verify = |chosen: &[B256], proof: &[B256], flags: &[bool]| {
        let verified = verify_multi(chosen, proof, flags, tree.root());
        assert_eq!(verified, solady(chosen, proof, flags, tree.root()));
        verified
    };
    assert!(verify(&chosen, &proof, &flags), "{indices:?}");
    let (nodes, solady_flags) = multi_proof_of_solady(leaves, indices);
    let nodes: Vec<_> = nodes.into_iter().map(|index| node(leaves, index)).collect();
    assert_eq!((&proof, &flags), (&nodes, &solady_flags));

    for index in 0..chosen.len() {
        let mut wrong = chosen.clone();
        wrong[index] = keccak256(wrong[index]);
        assert!(!verify(&wrong, &proof, &flags));
        wrong.remove(index);
        assert!(!verify(&wrong, &proof, &flags));
    }
    for index in 0..proof.len() {
        let mut wrong = proof.clone();
        wrong[index] = keccak256(wrong[index]);
        assert!(!verify(&chosen, &wrong, &flags));
        wrong.remove(index);
        assert!(!verify(&chosen, &wrong, &flags));
    }
    for index in 0..flags.len() {
        let mut wrong = flags.clone();
        wrong[index] = !wrong[index];
        assert!(!verify(&chosen, &proof, &wrong));
        wrong.remove(index);
        assert!(!verify(&chosen, &proof, &wrong));
    }
    assert!(!verify(
        &chosen,
        &[&proof[..], &[B256::ZERO]].concat(),
        &flags
    ));
    assert!(!verify(&chosen, &proof, &[&flags[..], &[false]].concat()));
    assert!(!verify(&chosen, &proof, &[&flags[..], &[true]].concat()));
    assert!(!verify_multi(
        &chosen,
        &proof,
        &flags,
        keccak256(tree.root())
    ));
}

#[test]
fn leaf_is_the_hash_of_six_words() {
    let mut words = [0; 192];
    words[12..32].fill(0xaa);
    words[62..64].copy_from_slice(&[1, 2]);
    words[64..96].copy_from_slice(keccak256([1, 2, 3]).as_slice());
    words[127 - 11] = 4;
    words[159 - 4] = 0x80;
    words[191] = 7;
    let contribution = Contribution {
        author: Address::repeat_byte(0xaa),
        label: 0x0102,
        deposit: 1 << 90,
        time: 1 << 39,
        position: 7,
        sample: vec![1, 2, 3],
    };
    assert_eq!(contribution.leaf(), keccak256(words));
}

#[test]
fn tree_is_flat_and_complete() {
    let all = leaves(5);
    let root = |count: usize| Tree::new(&all[..count]).root();
    let first = parent(all[0], all[1]);
    let second = parent(all[2], all[3]);
    assert_eq!(root(0), B256::ZERO);
    assert_eq!(root(1), all[0]);
    assert_eq!(root(2), first);
    assert_eq!(root(3), parent(first, all[2]));
    assert_eq!(root(4), parent(first, second));
    assert_eq!(root(5), parent(parent(first, all[4]), second));
}

#[test]
fn multi_proof_proves_every_set_of_leaves_and_nothing_else() {
    for count in 1..=9 {
        let leaves = leaves(count as u64);
        for set in 1_u32..1 << count {
            let indices: Vec<_> = (0..count).filter(|index| set >> index & 1 == 1).collect();
            check_proof(&leaves, &indices);
        }
    }
}

#[test]
fn multi_proof_proves_sets_of_many_leaves() {
    let strategy =
        (1..200_usize).prop_flat_map(|count| (Just(count), btree_set(0..count, 1..=count)));
    TestRunner::new(cases(200))
        .run(&strategy, |(count, indices)| {
            let indices: Vec<_> = indices.into_iter().collect();
            let leaves = leaves(count as u64);
            let tree = Tree::new(&leaves);
            let MultiProof { proof, flags } = tree.multi_proof(&indices);
            let chosen = choose(&leaves, &indices);
            prop_assert!(verify_multi(&chosen, &proof, &flags, tree.root()));
            prop_assert!(solady(&chosen, &proof, &flags, tree.root()));
            Ok(())
        })
        .expect("all proved");
}

/// Checks random proofs against the root that their steps lead to, so many of them are valid.
#[test]
fn verify_multi_judges_any_proof_as_solady_does() {
    let nodes = || {
        vec(
            (0_u64..2).prop_map(|node| B256::from(U256::from(node))),
            0..5,
        )
    };
    let flags = vec(any::<bool>(), 0..6);
    let verdicts = RefCell::new([0, 0]);
    TestRunner::new(cases(20_000))
        .run(&(nodes(), nodes(), flags), |(leaves, proof, flags)| {
            prop_assume!(!(leaves.is_empty() && proof.is_empty()));
            let mut queue: VecDeque<_> = leaves.iter().copied().collect();
            let mut rest: VecDeque<_> = proof.iter().copied().collect();
            for flag in &flags {
                let a = queue.pop_front().unwrap_or_default();
                let b = if *flag { &mut queue } else { &mut rest }.pop_front();
                queue.push_back(parent(a, b.unwrap_or_default()));
            }
            let root = queue.back().or(rest.back()).copied().unwrap_or_default();
            let verdict = verify_multi(&leaves, &proof, &flags, root);
            prop_assert_eq!(verdict, solady(&leaves, &proof, &flags, root));
            verdicts.borrow_mut()[usize::from(verdict)] += 1;
            Ok(())
        })
        .expect("the same");
    let verdicts = verdicts.into_inner();
    assert!(verdicts.iter().min() > Some(&500), "{verdicts:?}");
}

#[test]
fn multi_proof_is_empty_if_there_is_nothing_to_prove() {
    let all = leaves(3);
    let tree = Tree::new(&all);
    assert_eq!(tree.multi_proof(&[]), MultiProof::default());
    assert_eq!(tree.multi_proof(&[3, usize::MAX]), MultiProof::default());
    assert_eq!(Tree::new(&[]).multi_proof(&[0]), MultiProof::default());
    assert_eq!(tree.multi_proof(&[2, 0, 2, 9]), tree.multi_proof(&[0, 2]));
    assert!(!verify_multi(&[], &[], &[], B256::ZERO));
    assert!(verify_multi(&[], &[tree.root()], &[], tree.root()));
}

#[test]
fn claims_are_rebuilt_from_events() {
    let samples: Vec<Vec<u8>> = (0..7).map(|number| vec![0, number]).collect();
    let items: Vec<_> = (0..)
        .zip(&samples)
        .map(|(label, sample)| Item { label, sample })
        .collect();
    let data = [&items[..3], &items[3..]].map(|items| encode_batch(items).expect("short"));
    let authors = [5, 6].map(Address::repeat_byte);
    let added: Vec<_> = authors
        .into_iter()
        .zip(&data)
        .map(|(author, data)| (author, parse_batch(data).expect("well formed")))
        .collect();
    let record = Record::new(40, 123, 456, &added);
    assert_eq!(record.first_position(), 40);
    let leaves: Vec<_> = record
        .contributions()
        .iter()
        .map(Contribution::leaf)
        .collect();
    assert_eq!(record.root(), Tree::new(&leaves).root());
    for (index, (item, contribution)) in items.iter().zip(record.contributions()).enumerate() {
        let expected = Contribution {
            author: authors[usize::from(index >= 3)],
            label: item.label,
            deposit: 123,
            time: 456,
            position: 40 + index as u64,
            sample: item.sample.to_vec(),
        };
        assert_eq!(contribution, &expected);
    }
    assert_eq!(record.contributions().len(), items.len());

    let claims = record.claims(&[45, 41, 45, 39, 47, 42, u64::MAX]);
    let positions: Vec<_> = claims
        .contributions
        .iter()
        .map(|one| one.position)
        .collect();
    assert_eq!(
        (claims.first_position, &positions[..]),
        (40, &[41, 42, 45][..])
    );
    assert!(claims.verify(record.root()));
    assert!(!claims.verify(B256::ZERO));

    let alone = Record::new(7, 123, 456, &[(authors[0], vec![items[0]])]);
    let claims = Claims::alone(alone.contributions()[0].clone());
    assert_eq!(alone.claims(&[7]), claims);
    assert!(claims.verify(alone.root()));
}

#[test]
fn group_by_record_keeps_the_order_within_each_batch() {
    let groups = group_by_record([(7, 9), (3, 4), (7, 8), (3, 3)]);
    let groups: Vec<_> = groups.into_iter().collect();
    assert_eq!(groups, [(3, vec![4, 3]), (7, vec![9, 8])]);
    assert!(group_by_record([]).is_empty());
}

#[test]
fn record_of_contributions_is_the_record_of_the_event() {
    let item = |label| Item {
        label,
        sample: &[1, 2],
    };
    let (anna, ben) = (Address::with_last_byte(1), Address::with_last_byte(2));
    let event = [(anna, vec![item(0), item(1)]), (ben, vec![item(1)])];
    let record = Record::new(40, 7, 1_000, &event);
    let stored = record.contributions().to_vec();
    assert_eq!(Record::of(40, stored), record);
    let empty = Record::of(40, Vec::new());
    assert_eq!((empty.root(), empty.first_position()), (B256::ZERO, 40));
}
