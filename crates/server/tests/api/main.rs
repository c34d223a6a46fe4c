//! The HTTP API, in process, over a coordinator that answers from memory.

mod client;
mod fake;

mod document;
mod events;
mod limits;
mod predictions;
mod reading;
mod submissions;
mod wire;
