//! What a claim brings.

use alloy_primitives::{Address, B256, keccak256};

use crate::{
    Rejection,
    record::{Leaf, Tree, verify},
    sample::{Item, parse_batch},
};

/// One contribution as it was made, and the proof of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Who contributed.
    pub author: Address,
    /// The label that was contributed.
    pub label: u16,
    /// What was deposited for this contribution, in wei.
    pub deposit: u128,
    /// When it was contributed, in seconds.
    pub time: u64,
    /// The position of its batch's first contribution.
    pub batch: u64,
    /// Its position among all of the model's contributions, from 0.
    pub position: u64,
    /// The sample that was contributed.
    pub sample: Vec<u8>,
    /// The siblings on the way from its leaf up to the batch's root; none in a batch of one.
    pub proof: Vec<B256>,
}

impl Claim {
    /// The hash by which the contribution is remembered.
    #[must_use]
    pub fn leaf(&self) -> B256 {
        Leaf {
            author: self.author,
            label: self.label,
            sample_hash: keccak256(&self.sample),
            deposit: self.deposit,
            time: self.time,
            position: self.position,
        }
        .hash()
    }

    /// Whether this contribution is in the batch with that root.
    ///
    /// # Errors
    /// [`Rejection::UnknownContribution`].
    pub(super) fn check(&self, root: Option<B256>) -> Result<(), Rejection> {
        let leaf = self.leaf();
        if root.is_some_and(|root| verify(&self.proof, root, leaf)) {
            Ok(())
        } else {
            Err(Rejection::UnknownContribution {
                batch: self.batch,
                leaf,
            })
        }
    }
}

/// The claims, with their proofs, of all contributions of a batch, from what its `Contributed` event
/// carries: the position of the first contribution, the author, the deposit of each in wei, the time
/// in seconds and the batch's bytes.
///
/// # Errors
/// [`Rejection::EmptyBatch`], [`Rejection::MalformedBatch`]: no event of the contract's has such.
pub fn claims(
    batch: u64,
    author: Address,
    deposit: u128,
    time: u64,
    data: &[u8],
) -> Result<Vec<Claim>, Rejection> {
    let mut claims = unproven(batch, author, deposit, time, data)?;
    let leaves: Vec<_> = claims.iter().map(Claim::leaf).collect();
    let tree = Tree::new(&leaves);
    for (index, claim) in claims.iter_mut().enumerate() {
        claim.proof = tree.proof(index);
    }
    Ok(claims)
}

/// [`claims`] without their proofs.
pub(super) fn unproven(
    batch: u64,
    author: Address,
    deposit: u128,
    time: u64,
    data: &[u8],
) -> Result<Vec<Claim>, Rejection> {
    let claim = |(position, item): (u64, Item<'_>)| Claim {
        author,
        label: item.label,
        deposit,
        time,
        batch,
        position,
        sample: item.sample.to_vec(),
        proof: Vec::new(),
    };
    Ok((batch..).zip(parse_batch(data)?).map(claim).collect())
}
