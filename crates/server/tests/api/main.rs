//! Tests of the HTTP API, in process, over a coordinator on a chain of its own.

mod client;
mod world;

mod document;
mod encoders;
mod events;
mod labels;
mod lightning;
mod limits;
mod markets;
mod plans;
mod predictions;
mod reading;
mod rpc;
mod sessions;
mod simulations;
mod submissions;
mod web;
mod wire;
