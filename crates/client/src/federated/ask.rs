//! Typed calls of contracts.

use alloy_primitives::{Address, Bytes};
use alloy_sol_types::SolCall;
use cotrain_chain::node::{At, Node, NodeError};

/// Calls a contract after a block, or after the latest one.
pub(super) async fn ask<C: SolCall>(
    node: &Node,
    to: Address,
    call: &C,
    at: Option<At>,
) -> Result<C::Return, NodeError> {
    let answer = node.call(to, call.abi_encode(), at).await?;
    decoded::<C>(to, &answer)
}

/// Calls a contract in the block that the node is building, because phases depend on its time.
pub(super) async fn ask_next<C: SolCall>(
    node: &Node,
    to: Address,
    call: &C,
) -> Result<C::Return, NodeError> {
    let answer = node.call_next(to, call.abi_encode()).await?;
    decoded::<C>(to, &answer)
}

fn decoded<C: SolCall>(to: Address, answer: &Bytes) -> Result<C::Return, NodeError> {
    C::abi_decode_returns(answer).map_err(|_| NodeError::Contradictory {
        method: "eth_call",
        message: format!("{to} does not answer `{}` in its form", C::SIGNATURE),
    })
}
