//! Peers that replicate a log of signed batches, without I/O.
//!
//! [`Peer`] takes links, frames and time, and returns what is to be done. It draws from a seed.
//! [`simulation`] joins many of them in one process, with faults and liars. `docs/log.md` has the
//! frames to the bit.

mod chance;
mod check;
mod frame;
mod limits;
mod link;
mod peer;
mod range;
mod refused;
pub mod simulation;
mod task;

pub use self::{
    check::Check,
    frame::{FRAME_BYTES, Frame, FrameError, ShortId},
    limits::Limits,
    link::LinkId,
    peer::Peer,
    range::{Content, Key, LEAF, Prefix, Range},
    task::{Action, AddError, Fault},
};
