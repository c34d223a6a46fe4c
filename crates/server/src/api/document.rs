//! `OpenAPI` document: the parts that the code generates, and additions for all paths.

use utoipa::{
    OpenApi,
    openapi::{
        ContentBuilder, HeaderBuilder, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder,
        Schema,
        path::{Operation, PathItem},
        schema::{AdditionalProperties, SchemaType, Type},
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use cotrain_client::api::{PROBLEM_JSON, Problem};

/// General part of the document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "cotrain coordinator",
        description = "Models on a chain that anyone can train: facts, predictions, contributions and claims. The API also \
                       relays signed contributions and follows prediction markets for data. Amounts in wei are decimal \
                       strings; bytes and hashes are 0x and hexadecimal digits; times are Unix seconds. Every error is \
                       a problem (RFC 9457).",
        license(name = "MIT", identifier = "MIT"),
    ),
    components(schemas(Problem)),
    modifiers(&Tokens),
    tags(
        (name = "models", description = "Models: facts, prices, weights and predictions."),
        (name = "markets", description = "Prediction markets: phase, money, contributions and participants."),
        (name = "contributions", description = "Contributions and their claims."),
        (name = "accounts", description = "Balances, claims and delegations."),
        (name = "submissions", description = "Signed batches on their way to the chain."),
        (name = "transactions", description = "Transactions that the coordinator sent."),
        (name = "events", description = "Events of models, markets and the coordinator, in pages and as a stream."),
        (name = "plans", description = "Deployments of models from files, planned for a wallet."),
        (name = "simulations", description = "Simulated economies: scenarios, runs within bounds, and pages of sweeps."),
        (name = "labels", description = "Labeling sessions: a model that learns label by label, and says which row to label next."),
        (name = "payments", description = "Facilitator of x402: verifies and settles payments for other servers."),
        (name = "chain", description = "Reads of the chain, for those who have no node."),
        (name = "health", description = "Health of the coordinator, for its operator."),
        (name = "problems", description = "Kinds of errors."),
    ),
)]
pub(super) struct Document;

/// Name of the security scheme of labeling sessions.
const SESSION: &str = "session";

/// Addition of the security schemes.
struct Tokens;

impl utoipa::Modify for Tokens {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("Token of a labeling session, from its opening."));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme(SESSION, SecurityScheme::Http(bearer.build()));
    }
}

/// Adds to every operation the problems that all operations of its kind share.
pub(super) fn complete(document: &mut utoipa::openapi::OpenApi, max_page: u32) {
    for (path, item) in &mut document.paths.paths {
        for operation in operations(item) {
            bound(operation, max_page);
            // Pages show a summary verbatim; only the description is Markdown.
            if let Some(summary) = &mut operation.summary {
                *summary = summary.replace('`', "");
            }
            add_problems(operation, path);
        }
    }
}

/// Returns the operations of the methods in use.
pub(super) fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.delete]
        .into_iter()
        .flatten()
}

/// Marks parameters as optional but never null, and bounds the size of pages.
fn bound(operation: &mut Operation, max_page: u32) {
    for parameter in operation.parameters.iter_mut().flatten() {
        let RefOr::T(parameter) = parameter else {
            continue;
        };
        if let Some(RefOr::T(Schema::OneOf(choice))) = &mut parameter.schema
            && let [_null, value] = choice.items.as_slice()
        {
            parameter.schema = Some(value.clone());
        }
        let Some(RefOr::T(Schema::Object(schema))) = &mut parameter.schema else {
            continue;
        };
        if let SchemaType::Array(types) = &schema.schema_type
            && let [one, Type::Null] = types.as_slice()
        {
            schema.schema_type = SchemaType::Type(one.clone());
        }
        if parameter.name == "limit" {
            schema.maximum = Some(max_page.into());
            let usual = super::page::limit(None, max_page);
            schema.default = usual.ok().map(Into::into);
        }
    }
}

fn add_problems(operation: &mut Operation, path: &str) {
    let mut problems = vec![
        (
            "400",
            "The path, the query or a header is malformed, or the body is not JSON.",
        ),
        ("500", "The coordinator failed."),
    ];
    if operation.request_body.is_some() {
        problems.extend([
            ("413", "The body is too large."),
            ("415", "The body is not sent as JSON."),
            ("422", "The body does not match the schema."),
        ]);
    }
    if path.starts_with("/v1/") || path.starts_with("/x402/") || path == "/rpc" {
        problems.extend([
            ("429", "This client makes too many requests."),
            (
                "503",
                "Too many requests run at the same time, or the store or the node does not answer.",
            ),
        ]);
        if !path.ends_with("/stream") {
            problems.push(("504", "The request took too long."));
        }
    }
    let responses = &mut operation.responses.responses;
    for (status, about) in problems {
        responses
            .entry(status.to_owned())
            .or_insert_with(|| Response::new(about).into());
    }
    for (status, response) in responses {
        if status.starts_with(['4', '5'])
            && let RefOr::T(response) = response
        {
            *response = problem(
                &response.description,
                matches!(status.as_str(), "429" | "503"),
            );
        }
    }
}

fn problem(about: &str, retry: bool) -> Response {
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .build();
    let response = ResponseBuilder::new()
        .description(about)
        .content(PROBLEM_JSON, content);
    if !retry {
        return response.build();
    }
    let seconds = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(0));
    let header = HeaderBuilder::new()
        .schema(Some(seconds))
        .description(Some("Time to wait before the next attempt, in seconds."));
    response.header("Retry-After", header.build()).build()
}

/// Returns the schema of a choice between objects that allow no further keys.
pub(super) fn strict(schema: RefOr<Schema>) -> RefOr<Schema> {
    match schema {
        RefOr::T(Schema::OneOf(mut choice)) => {
            for item in &mut choice.items {
                if let RefOr::T(Schema::Object(object)) = item {
                    object.additional_properties =
                        Some(Box::new(AdditionalProperties::FreeForm(false)));
                }
            }
            RefOr::T(Schema::OneOf(choice))
        }
        schema => schema,
    }
}

/// Returns the schema of any value.
pub(super) fn anything() -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(SchemaType::AnyValue)
        .description(Some("Further fields, which depend on the kind."))
        .into()
}
