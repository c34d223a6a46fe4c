//! The second thread of a run.

use std::{
    panic,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{Scope, ScopedJoinHandle},
};

/// Number of threads that a run may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// Only the caller's thread, for many runs side by side.
    One,
    /// A second thread, which trains the baseline during the run. Then it checks the signatures of
    /// relayed contributions while the chain executes them.
    Two,
}

/// Second thread that a run may have. It does one piece of work at a time.
#[derive(Debug, Clone)]
pub(crate) struct Second {
    /// Whether the thread is at work, or does not exist.
    busy: Arc<AtomicBool>,
}

impl Second {
    pub(crate) fn new(threads: Threads) -> Self {
        Self {
            busy: Arc::new(AtomicBool::new(threads == Threads::One)),
        }
    }

    /// Begins `work` on the second thread if it is free. Otherwise the work runs when its result is
    /// needed.
    pub(crate) fn begin<'scope, T, F>(
        &self,
        scope: &'scope Scope<'scope, '_>,
        work: F,
    ) -> Beside<'scope, T, F>
    where
        T: Send + 'scope,
        F: FnOnce() -> T + Send + 'scope,
    {
        if self.busy.swap(true, Ordering::Relaxed) {
            return Beside::Later(work);
        }
        let busy = Arc::clone(&self.busy);
        Beside::Begun(scope.spawn(move || {
            let result = work();
            busy.store(false, Ordering::Relaxed);
            result
        }))
    }
}

/// Work that runs beside the run, or later.
pub(crate) enum Beside<'scope, T, F> {
    Begun(ScopedJoinHandle<'scope, T>),
    Later(F),
}

impl<T, F: FnOnce() -> T> Beside<'_, T, F> {
    /// Returns the result of the work, once it is done.
    pub(crate) fn finish(self) -> T {
        match self {
            Self::Begun(thread) => thread
                .join()
                .unwrap_or_else(|panic| panic::resume_unwind(panic)),
            Self::Later(work) => work(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::mpsc,
        thread::{self, ThreadId},
    };

    use super::*;

    fn here() -> ThreadId {
        thread::current().id()
    }

    #[test]
    fn begin_does_one_piece_of_work_at_a_time() {
        let second = Second::new(Threads::Two);
        let (go, wait) = mpsc::channel::<()>();
        thread::scope(|scope| {
            let first = second.begin(scope, move || {
                wait.recv().expect("told to go on");
                here()
            });
            assert_eq!(second.begin(scope, here).finish(), here(), "it is busy");
            go.send(()).expect("it waits");
            assert_ne!(first.finish(), here());
            assert_ne!(second.begin(scope, here).finish(), here(), "it is free");
        });
    }

    #[test]
    fn begin_takes_no_thread_if_there_is_only_one() {
        let second = Second::new(Threads::One);
        thread::scope(|scope| {
            for _ in 0..2 {
                assert_eq!(second.begin(scope, here).finish(), here());
            }
        });
    }
}
