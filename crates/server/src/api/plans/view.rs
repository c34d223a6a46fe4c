//! Answers about tables and plans.

use alloy_primitives::{Address, B256, U256, keccak256};
use cotrain_client::{
    api::{Account, Data, Hash},
    deploy::{Blueprint, Outline, Outlined, Role, To},
    initial::InitialModel,
};
use cotrain_learning::{
    data::{Doubt, Looks, Table},
    evaluation::Confusion,
    text::escaped_to,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::fault::unfit;
use crate::api::problem::Problem;

/// Maximum number of rows that are shown.
const ROWS: usize = 8;

/// Maximum number of columns that are described.
const COLUMNS: usize = 500;

/// Maximum number of common values of a column that are shown.
const COMMON: usize = 20;

/// Maximum length of a value that is shown, in characters.
const LENGTH: usize = 120;

/// First look at a table.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct LookView {
    /// Number of rows without the header.
    rows: usize,
    /// Number of columns; at most 500 are described.
    count: usize,
    columns: Vec<ColumnView>,
    /// First rows, at most 8. Each value is cut after 120 characters, and has no control characters.
    preview: Vec<Vec<String>>,
}

/// Column at a first look.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ColumnView {
    name: String,
    looks: LooksView,
    /// Number of rows without a value.
    missing: usize,
    /// Number of different values.
    distinct: usize,
    /// Mean length of the values, in bytes.
    length: usize,
    /// Most frequent values, at most 20.
    common: Vec<CommonView>,
}

/// Values that a column seems to have.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum LooksView {
    Numeric,
    Boolean,
    Categorical,
    Text,
    Empty,
}

/// Value with its number of rows.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CommonView {
    value: String,
    rows: usize,
}

/// Returns the beginning of a value, without characters that cannot be seen.
fn shown(value: &str) -> String {
    escaped_to(value, LENGTH).to_string()
}

impl LookView {
    pub(super) fn of(table: &Table) -> Self {
        let described = table.look(COMMON).into_iter().take(COLUMNS).map(|seen| {
            let common = seen.common.iter().map(|(value, rows)| CommonView {
                value: shown(value),
                rows: *rows,
            });
            ColumnView {
                looks: match seen.looks {
                    Looks::Numeric => LooksView::Numeric,
                    Looks::Boolean => LooksView::Boolean,
                    Looks::Categorical => LooksView::Categorical,
                    Looks::Text => LooksView::Text,
                    Looks::Empty => LooksView::Empty,
                },
                missing: seen.missing,
                distinct: seen.distinct,
                length: seen.length,
                common: common.collect(),
                name: seen.name,
            }
        });
        let width = table.names().len().min(COLUMNS);
        let row = |row| {
            (0..width)
                .map(|column| shown(table.field(row, column)))
                .collect()
        };
        Self {
            rows: table.len(),
            count: table.names().len(),
            columns: described.collect(),
            preview: (0..table.len().min(ROWS)).map(row).collect(),
        }
    }
}

/// Plan of a deployment.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct PlanView {
    /// Id of the chain.
    chain_id: u64,
    name: String,
    /// Mechanism: `deposit-refund-take`, `points` or `prediction-market`.
    mechanism: String,
    /// Learner, such as `naive-bayes`.
    learner: String,
    /// Number of features of a sample. For a dense perceptron, it counts the constant through which
    /// the model learns its intercept.
    features: u32,
    /// Names of the classes, by label.
    classes: Vec<String>,
    /// Number of examples that the model was trained on.
    trained_on: usize,
    /// Columns with their types in words; none if all are numbers, or for texts.
    columns: Vec<TypedView>,
    /// Number of columns of a table that the model learns from; 0 for texts.
    column_count: usize,
    /// Doubts about the table, which may mean something else than was read.
    doubts: Vec<DoubtView>,
    /// Columns that seem to number the rows, which a model should not learn from.
    row_numbers: Vec<String>,
    /// Number of the data's numbers that were moved within the model's bounds.
    clipped: usize,
    /// Number of the texts it was trained on of which the encoder knows nothing: they teach the model
    /// nothing.
    unknown: usize,
    /// Share of the test examples that the model predicted right before it was rounded.
    #[schema(minimum = 0, maximum = 1)]
    accuracy_float: f64,
    evaluation: EvaluationView,
    weights: WeightsDigest,
    /// JSON of the model's card. It ends with `"from_block":0}`: the number of the block with the
    /// transaction `closed` replaces the 0. Deflated (zlib, RFC 1950), it is the second argument of
    /// `register`.
    card: String,
    /// Contracts whose addresses are known before the first transaction.
    contracts: Vec<ContractView>,
    /// Transactions in their order.
    transactions: Vec<PlannedView>,
}

/// Something that a table may mean otherwise than it was read.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct DoubtView {
    kind: DoubtKind,
    /// Columns that it is about; none if it is about the classes.
    columns: Vec<String>,
    /// Doubt in words, with the options of `cotrain deploy` that settle it.
    about: String,
}

/// Kind of a doubt: numbers that may be codes of kinds (`codes`) or names of rows (`names`), decimal
/// commas that may separate thousands (`thousands`), classes that are numbers to estimate
/// (`classes`).
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum DoubtKind {
    Codes,
    Names,
    Thousands,
    Classes,
}

impl From<&Doubt> for DoubtView {
    fn from(doubt: &Doubt) -> Self {
        let (kind, columns) = match doubt {
            Doubt::Codes { columns } => (
                DoubtKind::Codes,
                columns.iter().map(|(name, _)| name.clone()).collect(),
            ),
            Doubt::Names { column } => (DoubtKind::Names, vec![column.clone()]),
            Doubt::Thousands { column, .. } => (DoubtKind::Thousands, vec![column.clone()]),
            Doubt::Classes { .. } => (DoubtKind::Classes, Vec::new()),
        };
        Self {
            kind,
            columns,
            about: doubt.to_string(),
        }
    }
}

/// Column with its type.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct TypedView {
    name: String,
    /// Type in words.
    about: String,
}

/// Figures on the predictions of a model for test examples. A share without examples is null.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct EvaluationView {
    /// Number of test examples.
    n: u64,
    /// Number that the model predicts right.
    correct: u64,
    accuracy: Option<f64>,
    /// Ends of the accuracy's 95 % interval.
    interval: Option<[f64; 2]>,
    /// Share of the most common class, which always to name would give.
    majority: Option<f64>,
    /// Row for each true class, with the count of each predicted class.
    confusion: Vec<Vec<u64>>,
    /// Number of examples that the model refuses to predict; they count as wrong.
    refused: u64,
}

impl From<&Confusion> for EvaluationView {
    fn from(confusion: &Confusion) -> Self {
        Self {
            n: confusion.n(),
            correct: confusion.correct(),
            accuracy: confusion.accuracy(),
            interval: confusion.interval(),
            majority: confusion.majority(),
            confusion: confusion.rows().to_vec(),
            refused: confusion.refused(),
        }
    }
}

/// Weights of a model, to compare them with those on the chain before it is closed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct WeightsDigest {
    /// Number of words of 32 bytes.
    words: usize,
    /// keccak256 of all words.
    keccak256: Hash,
}

/// Contract of a deployment with its address.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct ContractView {
    /// Name: `registry`, `factory`, `trainer-code`, `classifier-code`, `trainer` or `classifier`.
    contract: String,
    address: Account,
    /// Whether the chain has it already.
    exists: bool,
}

/// Transaction of a plan.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct PlannedView {
    /// Name of the step, which no other has: `registry`, `factory`, `trainer`, `classifier`, `model`,
    /// `words 0` and so on, `closed` or `registered`.
    name: String,
    /// Receiver, if its address is known.
    to: Option<Account>,
    /// Receiver, by the name of a contract. If this and `to` are null, the data is code to create.
    to_contract: Option<String>,
    /// Calldata or code. Null for `registered`, which calls `register(address trainer, bytes card)`.
    data: Option<Data>,
    /// Addresses that belong into the data, where it has zeros.
    inserts: Vec<InsertView>,
    /// Contracts that it creates. A known address is in `contracts`. That of a creation without
    /// receiver is in the receipt, and those of `model` are in the event `ModelCreated`.
    creates: Vec<String>,
    /// Estimate of its gas.
    gas: u64,
}

/// Address within data.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct InsertView {
    /// Offset of its 20 bytes.
    offset: usize,
    /// Name of the contract.
    contract: String,
}

impl From<Outlined> for PlannedView {
    fn from(step: Outlined) -> Self {
        let (to, to_contract) = match step.to {
            To::Creation => (None, None),
            To::Address(address) => (Some(address.into()), None),
            To::Contract(role) => (None, Some(role.name().to_owned())),
        };
        let inserts = step.inserts.into_iter().map(|it| InsertView {
            offset: it.offset,
            contract: it.contract.name().to_owned(),
        });
        let name = |role: Role| role.name().to_owned();
        Self {
            name: step.name,
            to,
            to_contract,
            data: step.data.map(Into::into),
            inserts: inserts.collect(),
            creates: step.creates.into_iter().map(name).collect(),
            gas: step.gas,
        }
    }
}

impl PlanView {
    pub(super) fn new(
        chain_id: u64,
        model: &InitialModel,
        blueprint: &Blueprint,
        outline: Outline,
    ) -> Result<Self, Problem> {
        let deployment = &model.deployment;
        let parameters = deployment.classifier.parameters();
        let columns = model.types.iter().cloned();
        let contracts = outline.contracts.into_iter();
        Ok(Self {
            chain_id,
            name: deployment.card.name.clone(),
            mechanism: deployment.terms.mechanism().name().to_owned(),
            learner: parameters.kind().name().to_owned(),
            features: parameters.features(),
            classes: deployment.card.classes.clone(),
            trained_on: model.trained_on,
            columns: columns
                .map(|(name, about)| TypedView { name, about })
                .collect(),
            column_count: model.columns,
            doubts: model.doubts.iter().map(Into::into).collect(),
            row_numbers: model.row_numbers.clone(),
            clipped: model.clamped,
            unknown: model.unknown,
            accuracy_float: model.quantization.accuracy_float,
            evaluation: (&model.confusion).into(),
            weights: WeightsDigest::of(blueprint),
            card: deployment.card.to_json().map_err(|error| unfit(&error))?,
            contracts: contracts.map(Into::into).collect(),
            transactions: outline.transactions.into_iter().map(Into::into).collect(),
        })
    }
}

impl WeightsDigest {
    pub(in crate::api) fn of(blueprint: &Blueprint) -> Self {
        Self {
            words: blueprint.words().len(),
            keccak256: Hash(digest(blueprint.words())),
        }
    }
}

impl From<(Role, Address, bool)> for ContractView {
    fn from((role, address, exists): (Role, Address, bool)) -> Self {
        Self {
            contract: role.name().to_owned(),
            address: address.into(),
            exists,
        }
    }
}

/// Returns the hash of all words, each as 32 bytes.
fn digest(words: &[U256]) -> B256 {
    let bytes: Vec<u8> = words.iter().flat_map(U256::to_be_bytes::<32>).collect();
    keccak256(bytes)
}
