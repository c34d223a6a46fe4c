//! Problem documents (RFC 9457).

use serde::Serialize;
use serde_json::{Map, Value};

/// Content type of a problem.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Further field of a problem about a nonce: one of the author's that is free.
pub const NEXT_NONCE: &str = "nextNonce";

/// Problem document of RFC 9457: the body of an answer that is not a success.
///
/// RFC 9457 requires no member, and a reader ignores a member of a wrong type. So each is `None` if
/// it is missing or ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Kind of the problem: `/problems/` and the kind's name.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The kind as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// HTTP status of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Cause as text, with the value seen and the value expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Path of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Further fields, which depend on the kind.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

impl Problem {
    /// Reads the body of an answer; a body that is no JSON object is a problem without members.
    #[must_use]
    pub fn read(body: &[u8]) -> Self {
        let mut fields: Map<String, Value> = serde_json::from_slice(body).unwrap_or_default();
        let mut text = |name| match fields.remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let (kind, title) = (text("type"), text("title"));
        let (detail, instance) = (text("detail"), text("instance"));
        let status = fields.remove("status");
        Self {
            kind,
            title,
            status: status
                .and_then(|status| status.as_u64())
                .and_then(|status| status.try_into().ok()),
            detail,
            instance,
            fields,
        }
    }

    /// Returns the most exact description: the detail, or the title if there is no detail.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.detail.as_deref().or(self.title.as_deref())
    }

    /// Returns the author's free nonce, if another batch has the one that was submitted.
    #[must_use]
    pub fn next_nonce(&self) -> Option<u64> {
        self.fields.get(NEXT_NONCE)?.as_u64()
    }
}

#[cfg(feature = "openapi")]
mod schema {
    use std::borrow::Cow;

    use utoipa::{
        PartialSchema, ToSchema,
        openapi::{ObjectBuilder, RefOr, Schema, schema::Type},
    };

    use super::Problem;

    impl PartialSchema for Problem {
        fn schema() -> RefOr<Schema> {
            let string = |doc: &str| {
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .description(Some(doc))
                    .build()
            };
            ObjectBuilder::new()
                .schema_type(Type::Object)
                .description(Some(
                    "Problem document (RFC 9457). Some kinds have further fields.",
                ))
                .property(
                    "type",
                    string("`/problems/` and the kind, the path of a page about it."),
                )
                .property("title", string("Kind in words."))
                .property(
                    "status",
                    ObjectBuilder::new()
                        .schema_type(Type::Integer)
                        .minimum(Some(400))
                        .maximum(Some(599))
                        .description(Some("HTTP status of the answer.")),
                )
                .property(
                    "detail",
                    string("Cause, with the value seen and the value expected."),
                )
                .property("instance", string("Path of the request."))
                .required("type")
                .required("title")
                .required("status")
                .required("detail")
                .required("instance")
                .into()
        }
    }

    impl ToSchema for Problem {
        fn name() -> Cow<'static, str> {
            "Problem".into()
        }
    }
}
