//! Splitting: the only module that decides how many items go into one transaction.

use std::future::Future;

/// Result of an attempt with some items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt<T, R> {
    /// The items fit into this transaction.
    Fits(T),
    /// The items do not fit, for this reason; fewer of them may.
    TooMany(R),
}

/// Items that go into one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Split<T, R> {
    /// The first `size` items fit into this transaction.
    Fits {
        /// Number of items, at least 1.
        size: usize,
        /// The transaction.
        transaction: T,
    },
    /// Not even the first item fits alone, for this reason.
    Alone(R),
    /// There are no items.
    Nothing,
}

/// Finds how many items fit into one transaction, counted from the first one. It tries `at_most`
/// items, then half as many, and so on down to one. `attempt` tries the number of items that it
/// gets.
///
/// Halving needs few attempts, each of which costs a request to a node. `attempt` may count other
/// reasons too, such as a transaction that costs more than it earns.
///
/// # Errors
/// Those of `attempt` that a smaller number does not avoid.
pub async fn split_to_fit<T, R, E, F>(
    items: usize,
    at_most: usize,
    mut attempt: impl FnMut(usize) -> F,
) -> Result<Split<T, R>, E>
where
    F: Future<Output = Result<Attempt<T, R>, E>>,
{
    let mut size = at_most.max(1).min(items);
    while size > 0 {
        match attempt(size).await? {
            Attempt::Fits(transaction) => return Ok(Split::Fits { size, transaction }),
            Attempt::TooMany(reason) if size == 1 => return Ok(Split::Alone(reason)),
            Attempt::TooMany(_) => size = size.div_ceil(2),
        }
    }
    Ok(Split::Nothing)
}

#[cfg(test)]
mod tests {
    use std::{
        cell::RefCell,
        convert::Infallible,
        pin::pin,
        task::{Context, Poll, Waker},
    };

    use super::*;

    /// Runs a future that never waits.
    fn now<T>(future: impl Future<Output = T>) -> T {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => value,
            Poll::Pending => panic!("it waits"),
        }
    }

    /// Splits items whose sum may be at most 10, and returns the sizes that it tried.
    fn split(items: &[u32], at_most: usize) -> (Split<u32, &'static str>, Vec<usize>) {
        let tried = RefCell::new(Vec::new());
        let split = now(split_to_fit(items.len(), at_most, async |size| {
            tried.borrow_mut().push(size);
            let sum: u32 = items[..size].iter().sum();
            Ok::<_, Infallible>(match sum {
                0..=10 => Attempt::Fits(sum),
                _ => Attempt::TooMany("too much"),
            })
        }));
        let Ok(split) = split;
        (split, tried.into_inner())
    }

    fn fits(size: usize, transaction: u32) -> Split<u32, &'static str> {
        Split::Fits { size, transaction }
    }

    #[test]
    fn split_to_fit_takes_all_if_they_fit() {
        assert_eq!(split(&[1; 10], 99), (fits(10, 10), vec![10]));
        assert_eq!(split(&[1; 10], 4), (fits(4, 4), vec![4]));
    }

    #[test]
    fn split_to_fit_halves_until_they_fit() {
        assert_eq!(split(&[1; 41], 99), (fits(6, 6), vec![41, 21, 11, 6]));
        assert_eq!(split(&[5, 6], 2), (fits(1, 5), vec![2, 1]));
        // Odd numbers are rounded up, so that no item is skipped.
        assert_eq!(split(&[5, 5, 5], 3), (fits(2, 10), vec![3, 2]));
    }

    #[test]
    fn split_to_fit_tells_of_an_item_that_is_too_big_alone() {
        assert_eq!(
            split(&[11, 1, 1], 3),
            (Split::Alone("too much"), vec![3, 2, 1])
        );
        assert_eq!(split(&[11], 9), (Split::Alone("too much"), vec![1]));
        // Big and small items alternate: no small one fits with the next one.
        assert_eq!(split(&[1, 11, 1, 11], 4), (fits(1, 1), vec![4, 2, 1]));
    }

    #[test]
    fn split_to_fit_ends_with_no_items_and_tries_one_at_least() {
        assert_eq!(split(&[], 5), (Split::Nothing, vec![]));
        assert_eq!(split(&[7, 7], 0), (fits(1, 7), vec![1]));
    }

    #[test]
    fn split_to_fit_stops_at_an_error() {
        let tried = RefCell::new(0);
        let failed = now(split_to_fit(3, 3, async |_| {
            *tried.borrow_mut() += 1;
            Err::<Attempt<(), ()>, _>("the node failed")
        }));
        assert_eq!((failed, tried.into_inner()), (Err("the node failed"), 1));
    }
}
