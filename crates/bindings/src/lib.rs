//! Typed contracts, generated from the committed artifacts, and their reverts as typed errors.
