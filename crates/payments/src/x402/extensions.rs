//! Extensions of x402 that this service offers: `payment-identifier`, and `bazaar` for discovery.

use super::{Json, wire::Extensions};

/// Name of the extension by which a client names its payment.
pub const PAYMENT_IDENTIFIER: &str = "payment-identifier";
/// Name of the extension that describes an endpoint for catalogs.
pub const BAZAAR: &str = "bazaar";

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
const MIN_LENGTH: usize = 16;
const MAX_LENGTH: usize = 128;

/// Reason why an extension of a payment is malformed. The answer is 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdentifierError {
    /// The server requires an id, and the client sent none.
    #[error(
        "cannot read the payment's id: expected one in the extension `payment-identifier`, found none"
    )]
    Missing,
    /// The id has another form.
    #[error(
        "cannot read the payment's id: expected 16 to 128 letters, digits, hyphens or underscores; \
         send such an `info.id` in the extension `payment-identifier`"
    )]
    Malformed,
}

/// Returns the offer of `payment-identifier`.
#[must_use]
pub fn offer_identifier(required: bool) -> Json {
    let bounds = [
        ("type", Json::from("string")),
        ("minLength", (MIN_LENGTH as u64).into()),
        ("maxLength", (MAX_LENGTH as u64).into()),
        ("pattern", "^[A-Za-z0-9_-]+$".into()),
    ];
    let properties = [
        ("required", Json::object([("type", Json::from("boolean"))])),
        ("id", Json::object(bounds)),
    ];
    Json::object([
        ("info", Json::object([("required", Json::from(required))])),
        ("schema", object_schema(properties, &["required"])),
    ])
}

/// Returns the id that the client gave the payment, if it gave one.
///
/// # Errors
///
/// Fails if the id is malformed, or `required` and missing.
pub fn identifier(
    extensions: &Extensions,
    required: bool,
) -> Result<Option<&str>, IdentifierError> {
    let info = extensions
        .get(PAYMENT_IDENTIFIER)
        .and_then(|it| it.get("info"));
    match info.and_then(|it| it.get("id")) {
        None if required => Err(IdentifierError::Missing),
        None => Ok(None),
        Some(id) => {
            let has_form = |id: &&str| {
                let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
                (MIN_LENGTH..=MAX_LENGTH).contains(&id.len()) && id.bytes().all(allowed)
            };
            let id = id.as_str().filter(has_form);
            id.map(Some).ok_or(IdentifierError::Malformed)
        }
    }
}

/// Adds the client's id to the extensions that it echoes, if the server offers this extension.
pub fn add_identifier(extensions: &mut Extensions, id: &str) {
    if let Some(Json::Object(offered)) = extensions.get_mut(PAYMENT_IDENTIFIER) {
        let info = offered.entry("info".to_owned()).or_default();
        info.set("id", id.into());
    }
}

/// Description of an endpoint that takes a JSON body by `POST`.
#[derive(Debug, Clone, PartialEq)]
pub struct Endpoint {
    /// Example of a request's body.
    pub body: Json,
    /// JSON schema of the request's body.
    pub schema: Json,
    /// Example of an answer.
    pub answer: Json,
}

/// Returns the description of an endpoint as the extension `bazaar`.
#[must_use]
pub fn describe(endpoint: &Endpoint) -> Json {
    let constant =
        |text: &str| Json::object([("type", Json::from("string")), ("const", text.into())]);
    let input = [
        ("type", Json::from("http")),
        ("method", "POST".into()),
        ("bodyType", "json".into()),
        ("body", endpoint.body.clone()),
    ];
    let output = [
        ("type", Json::from("json")),
        ("example", endpoint.answer.clone()),
    ];
    let input_form = [
        ("type", constant("http")),
        ("method", constant("POST")),
        ("bodyType", constant("json")),
        ("body", endpoint.schema.clone()),
    ];
    let mut input_schema = object_schema(input_form, &["type", "method", "bodyType", "body"]);
    input_schema.set("additionalProperties", false.into());
    let output_form = [("type", Json::object([("type", Json::from("string"))]))];
    let form = [
        ("input", input_schema),
        ("output", object_schema(output_form, &["type"])),
    ];
    Json::object([
        (
            "info",
            Json::object([
                ("input", Json::object(input)),
                ("output", Json::object(output)),
            ]),
        ),
        ("schema", object_schema(form, &["input"])),
    ])
}

fn object_schema<const N: usize>(properties: [(&str, Json); N], required: &[&str]) -> Json {
    let required = required.iter().map(|&it| it.into()).collect();
    Json::object([
        ("$schema", Json::from(DIALECT)),
        ("type", "object".into()),
        ("properties", Json::object(properties)),
        ("required", Json::Array(required)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifier_is_read_as_it_was_added() {
        let mut extensions = Extensions::new();
        assert_eq!(identifier(&extensions, false), Ok(None));
        assert_eq!(identifier(&extensions, true), Err(IdentifierError::Missing));
        add_identifier(&mut extensions, "pay_0123456789abcdef");
        assert_eq!(
            identifier(&extensions, false),
            Ok(None),
            "the server offers none"
        );

        let offered = offer_identifier(false);
        extensions.insert(PAYMENT_IDENTIFIER.to_owned(), offered.clone());
        assert_eq!(identifier(&extensions, false), Ok(None));
        add_identifier(&mut extensions, "pay_0123456789abcdef");
        assert_eq!(
            identifier(&extensions, true),
            Ok(Some("pay_0123456789abcdef"))
        );
        assert!(extensions[PAYMENT_IDENTIFIER].includes(&offered));
    }

    #[test]
    fn identifier_refuses_other_forms() {
        let long = "a".repeat(MAX_LENGTH + 1);
        for id in [
            "",
            "short",
            "pay_0123456789abcde!",
            "pay.0123456789abcdef",
            &long,
        ] {
            let mut extensions = Extensions::new();
            extensions.insert(PAYMENT_IDENTIFIER.to_owned(), offer_identifier(false));
            add_identifier(&mut extensions, id);
            assert_eq!(
                identifier(&extensions, false),
                Err(IdentifierError::Malformed),
                "{id}"
            );
        }
    }
}
