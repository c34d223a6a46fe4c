//! Copies of rows, which are overwritten before their memory is given back.

use ndarray::{Array2, ArrayBase, ArrayView2, Axis, DataMut, Ix2};
use zeroize::Zeroize as _;

/// Copy of some rows, which is overwritten when it goes.
pub(crate) struct Wiped(Array2<f64>);

impl Wiped {
    /// Copies the rows with some indices.
    pub(crate) fn selected(rows: &ArrayView2<'_, f64>, indices: &[usize]) -> Self {
        Self(rows.select(Axis(0), indices))
    }

    /// Returns the rows.
    pub(crate) fn view(&self) -> ArrayView2<'_, f64> {
        self.0.view()
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// Overwrites the numbers of rows.
pub(crate) fn wipe<S: DataMut<Elem = f64>>(rows: &mut ArrayBase<S, Ix2>) {
    if let Some(numbers) = rows.as_slice_memory_order_mut() {
        numbers.zeroize();
    } else {
        rows.iter_mut().for_each(zeroize::Zeroize::zeroize);
    }
}
