//! Pools that sessions hold: their ids, and the room for receiving them.

use std::sync::Arc;

use cotrain_active::session::PoolId;
use ndarray::Array2;
use sha2::{Digest, Sha256};
use tokio::sync::SemaphorePermit;

use super::{Entry, Labels, refusal::Refusal};

/// Returns the id of a pool: the SHA-256 of its content.
///
/// The content is the number of features as 8 bytes, then all numbers row by row as 64-bit floats,
/// each with its least significant byte first.
pub(crate) fn pool_id(rows: &Array2<f64>) -> PoolId {
    let mut hash = Sha256::new();
    hash.update((rows.ncols() as u64).to_le_bytes());
    for number in rows {
        hash.update(number.to_le_bytes());
    }
    hash.finalize().into()
}

impl Labels {
    /// Returns the permit to receive a large body, of which few are received at a time.
    pub(crate) fn receive(&self) -> Result<SemaphorePermit<'_>, Refusal> {
        let permit = self.inner()?.uploads.try_acquire();
        permit.map_err(|_| Refusal::Uploads)
    }

    /// Works on what was received, as one of the works that run at a time.
    pub(crate) async fn prepare<T: Send + 'static>(
        &self,
        prepare: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        self.inner()?.apart(prepare).await
    }

    /// Returns `true` if a session holds a pool, so that it need not be taken again.
    pub(crate) async fn holds(&self, entry: &Arc<Entry>, pool: &PoolId) -> bool {
        self.read(entry, |session, _| session.pool_rows(pool).is_ok())
            .await
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::hex;
    use ndarray::array;

    use super::*;

    #[test]
    fn pool_id_is_a_hash_of_the_content() {
        let id = pool_id(&array![[0.5, 1.0], [0.0, 0.25]]);
        // Python: sha256(struct.pack('<Q4d', 2, .5, 1, 0, .25)).
        let expected = "05f6f830f872d58db1d44cc4e7f7e348b5d7956facefb3498a7703058328f841";
        assert_eq!(hex::encode(id), expected);
        assert_ne!(pool_id(&array![[0.5, 1.0, 0.0, 0.25]]), id);
    }
}
