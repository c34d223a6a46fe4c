//! Requests of others that a program forwards to its node as they are.

use alloy_transport::RpcError;
use serde_json::{Value, value::RawValue};
use tracing::{instrument::WithSubscriber, subscriber::NoSubscriber};

use super::{Node, NodeError, error::classify};
use alloy_provider::Provider;

/// A node's refusal of a forwarded request, in its own words.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// JSON-RPC's code of the error.
    pub code: i64,
    /// Message of the node.
    pub message: String,
    /// Further data, such as a contract's revert.
    pub data: Option<Box<RawValue>>,
}

impl Node {
    /// Sends a request once, and returns the node's answer as it is: the result, or the refusal.
    ///
    /// It is for requests of others, who can send theirs again: this client's retries and its view
    /// of the node's condition do not change.
    ///
    /// # Errors
    /// [`NodeError`] if the node does not answer. It names the node's address, which only its
    /// operator may see.
    pub async fn forward(
        &self,
        method: &'static str,
        parameters: Vec<Value>,
    ) -> Result<Result<Box<RawValue>, Refusal>, NodeError> {
        // alloy traces the whole address, with any key in it, so tracing is off here.
        let answer = self
            .provider
            .raw_request::<_, Box<RawValue>>(method.into(), parameters)
            .with_subscriber(NoSubscriber::default())
            .await;
        match answer {
            Ok(result) => Ok(Ok(result)),
            Err(RpcError::ErrorResp(refusal)) => Ok(Err(Refusal {
                code: refusal.code,
                message: refusal.message.into_owned(),
                data: refusal.data,
            })),
            Err(error) => Err(classify(method, &self.asked, error)),
        }
    }
}
