//! Description of the opening of a session, by which catalogs of x402 find the service.

use std::sync::LazyLock;

use cotrain_payments::x402::{
    Json,
    extensions::{BAZAAR, Endpoint, describe},
    wire::PaymentRequired,
};
use serde_json::{Value, json};
use utoipa::PartialSchema;

use super::body::OpenBody;

/// Path of the call that is described. Clients send all of it back with each payment, so the calls of
/// a session have none.
const PATH: &str = "/v1/label/sessions";

static OPENING: LazyLock<Json> = LazyLock::new(|| {
    describe(&Endpoint {
        body: read(json!({"features": 2, "classes": 2})),
        schema: read(schema()),
        answer: read(json!({
            "session": "3f".repeat(32),
            "token": "a1".repeat(32),
            "units": {"charged": 10, "left": 990},
            "expires": 1_800_000_000,
        })),
    })
});

/// Adds the description to the offers of an opening.
pub(super) fn describe_opening(required: &mut PaymentRequired) {
    let url = required.resource.as_ref().map(|it| it.url.as_str());
    if url.is_some_and(|url| url.ends_with(PATH)) {
        let extensions = &mut required.extensions;
        extensions.insert(BAZAAR.to_owned(), OPENING.clone());
    }
}

/// Returns the schema of an opening's body without references and formats, which validators of
/// catalogs do not know.
fn schema() -> Value {
    let schema = serde_json::to_value(OpenBody::schema()).unwrap_or_default();
    let properties = schema["properties"].as_object().cloned();
    let simple = |(name, property): (String, Value)| {
        let kept = ["type", "minimum", "maximum"];
        let kept = kept.iter().filter_map(|&key| {
            let value = property.get(key)?;
            Some((key.to_owned(), value.clone()))
        });
        (name, Value::Object(kept.collect()))
    };
    let properties = properties.unwrap_or_default().into_iter().map(simple);
    json!({
        "type": "object",
        "properties": Value::Object(properties.collect()),
        "required": schema["required"],
        "additionalProperties": false,
    })
}

/// Reads a value as one of x402. All have the forms of both.
fn read(value: Value) -> Json {
    serde_json::from_value(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schema_has_the_keys_of_the_body_and_no_references() {
        let schema = schema();
        assert_eq!(schema["required"], json!(["features"]));
        let features = &schema["properties"]["features"];
        assert_eq!(features["type"], "integer");
        assert_eq!(features["maximum"], 65_536);
        let text = schema.to_string();
        assert!(
            text.contains("\"units\"") && !text.contains("$ref"),
            "{text}"
        );
    }
}
