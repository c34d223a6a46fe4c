//! Facilitator of x402 for other servers, with the paths and bodies of its standard.

use axum::{Json, extract::State};
use cotrain_payments::x402::wire::{
    FacilitatorRequest, SettlementResponse, SupportedResponse, VerifyResponse,
};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ArrayBuilder, ObjectBuilder, RefOr, Schema,
        schema::{AdditionalProperties, SchemaType, Type},
    },
};

use super::{
    app::{App, Shared},
    document::anything,
    extract::{InBody, NoQuery},
    kinds::Kind,
    limits::ClientAddress,
    problem::Problem,
};
use crate::payments::facilitator::Facilitator;

/// Payment of a client, and the offer that it has to meet.
pub(super) struct PaymentToSettle;
/// Schemes, networks and accounts of the facilitator.
pub(super) struct SupportedPayments;
/// Outcome of the check of a payment.
pub(super) struct VerifiedPayment;
/// Outcome of a settlement.
pub(super) struct SettledPayment;

/// Returns the schema of an object of the standard, which may have further keys.
fn object(about: &str, keys: &[(&str, bool, RefOr<Schema>)]) -> RefOr<Schema> {
    let mut object = ObjectBuilder::new()
        .description(Some(about))
        .additional_properties(Some(AdditionalProperties::FreeForm(true)));
    for (name, is_required, schema) in keys {
        object = object.property(*name, schema.clone());
        if *is_required {
            object = object.required(*name);
        }
    }
    object.into()
}

fn of_type(kind: Type) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(kind))
        .into()
}

fn list() -> RefOr<Schema> {
    ArrayBuilder::new().items(anything()).into()
}

impl PartialSchema for PaymentToSettle {
    fn schema() -> RefOr<Schema> {
        let keys = [
            ("x402Version", true, of_type(Type::Integer)),
            ("paymentPayload", true, of_type(Type::Object)),
            ("paymentRequirements", true, of_type(Type::Object)),
        ];
        object(
            "Payment of x402 version 2, and the offer that it accepts.",
            &keys,
        )
    }
}

impl PartialSchema for SupportedPayments {
    fn schema() -> RefOr<Schema> {
        let keys = [
            ("kinds", true, list()),
            ("extensions", true, list()),
            ("signers", true, of_type(Type::Object)),
        ];
        object("Schemes by network, and the accounts that send.", &keys)
    }
}

impl PartialSchema for VerifiedPayment {
    fn schema() -> RefOr<Schema> {
        let keys = [
            ("isValid", true, of_type(Type::Boolean)),
            ("invalidReason", false, of_type(Type::String)),
            ("invalidMessage", false, of_type(Type::String)),
            ("payer", false, of_type(Type::String)),
            ("extra", false, of_type(Type::Object)),
        ];
        object("Word of x402 for the fault, if there is one.", &keys)
    }
}

impl PartialSchema for SettledPayment {
    fn schema() -> RefOr<Schema> {
        let keys = [
            ("success", true, of_type(Type::Boolean)),
            ("errorReason", false, of_type(Type::String)),
            ("errorMessage", false, of_type(Type::String)),
            ("payer", false, of_type(Type::String)),
            ("transaction", true, of_type(Type::String)),
            ("network", true, of_type(Type::String)),
            ("amount", false, of_type(Type::String)),
            ("extra", false, of_type(Type::Object)),
        ];
        object("Transaction, or the word of x402 for the fault.", &keys)
    }
}

impl ToSchema for PaymentToSettle {}
impl ToSchema for SupportedPayments {}
impl ToSchema for VerifiedPayment {}
impl ToSchema for SettledPayment {}

fn facilitator(app: &Shared) -> Result<&Facilitator, Problem> {
    app.coordinator.facilitator().ok_or_else(|| {
        let detail = "this coordinator settles no payments for others; its operator can set `x402.facilitator`";
        Problem::new(&Kind::NOT_SERVED, detail)
    })
}

/// Returns the schemes and networks of x402 for which the facilitator settles payments.
#[utoipa::path(
    get, path = "/x402/supported", tag = "payments", operation_id = "supportedPayments",
    responses(
        (status = 200, description = "The schemes.", body = SupportedPayments),
        (status = 404, description = "The coordinator settles no payments for others."),
    ),
)]
pub(super) async fn supported(
    State(app): State<App>,
    _query: NoQuery,
) -> Result<Json<SupportedResponse>, Problem> {
    Ok(Json(facilitator(&app)?.supported()))
}

/// Verifies a payment of x402 without settling it.
///
/// The schemes are `exact` by EIP-3009, and `batch-settlement` with deposits, vouchers and refunds.
#[utoipa::path(
    post, path = "/x402/verify", tag = "payments", operation_id = "verifyPayment",
    request_body(content = PaymentToSettle, example = json!({"x402Version": 2, "paymentPayload": {}, "paymentRequirements": {}})),
    responses(
        (status = 200, description = "Whether the payment would settle now.", body = VerifiedPayment),
        (status = 404, description = "The coordinator settles no payments for others."),
    ),
)]
pub(super) async fn verify(
    State(app): State<App>,
    _query: NoQuery,
    ClientAddress(client): ClientAddress,
    InBody(body): InBody<FacilitatorRequest>,
) -> Result<Json<VerifyResponse>, Problem> {
    Ok(Json(facilitator(&app)?.verify(&body, client).await))
}

/// Settles a payment of x402 on the chain, at the host's cost.
///
/// An outcome that is not known in time is `settlement_pending`: the same request asks for it again.
/// Claims and refunds of channels must bring the signatures of the receiver's authorizer.
#[utoipa::path(
    post, path = "/x402/settle", tag = "payments", operation_id = "settlePayment",
    request_body(content = PaymentToSettle, example = json!({"x402Version": 2, "paymentPayload": {}, "paymentRequirements": {}})),
    responses(
        (status = 200, description = "The outcome.", body = SettledPayment),
        (status = 404, description = "The coordinator settles no payments for others."),
    ),
)]
pub(super) async fn settle(
    State(app): State<App>,
    _query: NoQuery,
    ClientAddress(client): ClientAddress,
    InBody(body): InBody<FacilitatorRequest>,
) -> Result<Json<SettlementResponse>, Problem> {
    Ok(Json(facilitator(&app)?.settle(body, client).await))
}
