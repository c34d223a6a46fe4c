//! Predictions of models for one or more inputs.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
};

use axum::{Json, extract::State};
use cotrain_client::{
    api::{Data, Hash},
    described::NoEncoder,
};
use cotrain_indexer::{HostedModel, ModelInfo};
use cotrain_learning::{
    data::{Example, Field},
    encode::{EncodeError, Encoder, Sort},
    input::{Encoded, InputError, encode_fields, encode_picture_bytes},
    pictures::PictureError,
    score::Meaning,
    text::escaped,
};
use cotrain_protocol::sample::{Encoding, encode_dense16, encode_dense32, encode_sparse};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{
        Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
};
use tokio_util::sync::CancellationToken;
use utoipa::{PartialSchema, ToSchema};

use super::{
    app::App,
    extract::{InBody, InPath, NoQuery, OfModel},
    kinds::Kind,
    problem::Problem,
};

/// Maximum number of inputs in a request.
const MAX: usize = 1_000;

/// Maximum number of pixels of a picture.
const MAX_PIXELS: u64 = 1 << 21;

/// Maximum number of pixels of all pictures of a request.
///
/// A picture of one color has some hundred bytes, however many pixels it has. So a request of 1 MiB
/// could have a thousand of the largest ones, whose decoding takes ten seconds of a core.
const MAX_ALL_PIXELS: u64 = 1 << 25;

/// One input.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) enum Input {
    /// Text, for models that learned from texts.
    Text(String),
    /// Row of a table: values by the names of their columns, or all values in order. A value is a
    /// number, a text, true or false, or null if it is missing. For models that learned from libsvm
    /// lines, the row has numbers by index, which count as in those lines.
    Row(Row),
    /// Bytes of a PNG or JPEG of at most 2,097,152 pixels, for models that learned from pictures.
    /// All pictures of a request have at most 33,554,432. A row of their pixels does, too.
    Picture(Data),
    /// Features as the contract takes them. For a sparse model, the indices of the features that
    /// are present; for a dense model, the value of each feature times its scale.
    Features(Vec<i32>),
    /// Sample as the contract takes it.
    Sample(Data),
}

impl<'de> Deserialize<'de> for Input {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneKey;

        impl<'de> Visitor<'de> for OneKey {
            type Value = Input;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(
                    "an object with one of `text`, `row`, `picture`, `features` and `sample`",
                )
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Input, A::Error> {
                const KEYS: &[&str] = &["text", "row", "picture", "features", "sample"];
                let input = match map.next_key::<String>()?.as_deref() {
                    Some("text") => Input::Text(map.next_value()?),
                    Some("row") => Input::Row(map.next_value()?),
                    Some("picture") => Input::Picture(map.next_value()?),
                    Some("features") => Input::Features(map.next_value()?),
                    Some("sample") => Input::Sample(map.next_value()?),
                    Some(other) => return Err(A::Error::unknown_field(other, KEYS)),
                    None => return Err(A::Error::invalid_length(0, &self)),
                };
                match map.next_key::<IgnoredAny>()? {
                    None => Ok(input),
                    Some(_) => Err(A::Error::invalid_length(2, &self)),
                }
            }
        }

        deserializer.deserialize_map(OneKey)
    }
}

/// A row of a table.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(
    untagged,
    expecting = "a row is an object of numbers, texts, truth values and nulls, or an array of them"
)]
pub(super) enum Row {
    /// By name.
    Named(#[schema(inline)] Pairs),
    /// In order.
    Ordered(Vec<Option<Cell>>),
}

/// Value of a row.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub(super) enum Cell {
    /// Number.
    Number(f64),
    /// Truth value.
    Truth(bool),
    /// Text.
    Text(String),
}

impl Cell {
    fn field(cell: Option<&Self>) -> Field<'_> {
        match cell {
            None => Field::Missing,
            Some(Self::Number(number)) => Field::Number(*number),
            Some(Self::Truth(true)) => Field::Text("true"),
            Some(Self::Truth(false)) => Field::Text("false"),
            Some(Self::Text(text)) => Field::Text(text.trim()),
        }
    }
}

/// Values with their names, of which some may be doubled.
#[derive(Debug)]
pub(super) struct Pairs(Vec<(String, Option<Cell>)>);

/// Form of [`Pairs`] in the API's document.
type Object = BTreeMap<String, Option<Cell>>;

impl PartialSchema for Pairs {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        Object::schema()
    }
}

impl ToSchema for Pairs {
    fn schemas(schemas: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::Schema>)>) {
        <Object as ToSchema>::schemas(schemas);
    }
}

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;

        impl<'de> Visitor<'de> for All {
            type Value = Pairs;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(All)
    }
}

/// One input, or an array of at most 1000.
#[derive(Debug)]
pub(super) struct Inputs(Vec<Input>);

impl PartialSchema for Inputs {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        use utoipa::openapi::{OneOfBuilder, Ref, schema::ArrayBuilder};
        let input = || Ref::from_schema_name("Input");
        let many = ArrayBuilder::new()
            .items(input())
            .min_items(Some(1))
            .max_items(Some(MAX));
        OneOfBuilder::new()
            .item(input())
            .item(many)
            .description(Some("One input, or an array of at most 1000."))
            .into()
    }
}

impl ToSchema for Inputs {
    fn schemas(schemas: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::Schema>)>) {
        Input::schemas(schemas);
        schemas.push(("Input".to_owned(), super::document::strict(Input::schema())));
    }
}

impl<'de> Deserialize<'de> for Inputs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;

        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Inputs;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an input such as {\"text\": \"…\"}, or an array of 1 to 1000")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Inputs, A::Error> {
                Ok(Inputs(vec![Input::deserialize(
                    MapAccessDeserializer::new(map),
                )?]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, inputs: A) -> Result<Inputs, A::Error> {
                let inputs: Vec<Input> = Vec::deserialize(SeqAccessDeserializer::new(inputs))?;
                if (1..=MAX).contains(&inputs.len()) {
                    Ok(Inputs(inputs))
                } else {
                    Err(A::Error::invalid_length(inputs.len(), &self))
                }
            }
        }

        deserializer.deserialize_any(OneOrMany)
    }
}

/// Predictions of a model.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Predictions {
    /// Block after which the model predicts.
    block: u64,
    block_hash: Hash,
    /// Meaning of the scores: `posterior` is the probability of the class as naive Bayes counts it;
    /// `relative-distance` is the distance to the second nearest class, divided by the sum of the
    /// distances to both; `share-of-votes` is the share of the weighted evidence for the class.
    score_meaning: &'static str,
    /// One prediction for each input, in order.
    #[allow(clippy::struct_field_names, reason = "the name in the answer")]
    predictions: Vec<Prediction>,
}

/// Prediction for one input.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Prediction {
    label: u16,
    /// Name of the class, if the owner published names.
    class: Option<String>,
    /// Certainty of the model from 0 to 1, as `scoreMeaning` says. Null if nothing speaks for either
    /// class.
    score: Option<f64>,
    /// Number of words, indices or columns of the input that the model knows. At 0, the prediction
    /// is the model's prior and independent of the input. Null for a dense input that was given as
    /// features or a sample.
    known: Option<usize>,
    /// Number of values of the input outside the model's range, which were moved to its bounds.
    clipped: usize,
    /// Number of texts in columns of categories, or of indices, that the model does not know.
    unseen: usize,
}

/// Predicts the class of one input or many.
///
/// It costs nothing and sends no transaction.
#[utoipa::path(
    post, path = "/v1/models/{trainer}/predict", tag = "models", operation_id = "predict",
    params(OfModel),
    request_body(content = Inputs, example = json!({"text": "a warm and funny film"})),
    responses(
        (status = 200, description = "The classes.", body = Predictions),
        (status = 404, description = "The model is unknown."),
        (status = 422, description = "An input does not fit the model; `input` is its index."),
    ),
)]
pub(super) async fn predict(
    State(app): State<App>,
    InPath(path): InPath<OfModel>,
    _query: NoQuery,
    InBody(body): InBody<Inputs>,
) -> Result<Json<Predictions>, Problem> {
    let Inputs(inputs) = body;
    let model = app.model(&path.trainer)?;
    let now = app.now();
    // If the request runs out of time or its client leaves, this is dropped, and the work ends.
    let stop = CancellationToken::new();
    let _stops = stop.clone().drop_guard();
    // Many inputs of a large model take long enough to delay other requests.
    tokio::task::spawn_blocking(move || answer(&model, &inputs, now, &stop))
        .await
        .unwrap_or_else(|_| Err(Problem::new(&Kind::INTERNAL, "the prediction failed")))
        .map(Json)
}

fn answer(
    model: &HostedModel,
    inputs: &[Input],
    now: u64,
    stop: &CancellationToken,
) -> Result<Predictions, Problem> {
    let summary = model.summary(now);
    let info = model.info();
    let names = info.card.as_ref().map(|card| &card.classes);
    let mut pixels = MAX_ALL_PIXELS;
    let predictions = inputs
        .iter()
        .enumerate()
        .map(|(at, input)| {
            if stop.is_cancelled() {
                let detail = "nobody waits for the predictions any more";
                return Err(Problem::new(&Kind::TIMED_OUT, detail));
            }
            let predicted = sample(info, input, &mut pixels).and_then(|encoded| {
                let scored = model.predict(&encoded.sample).map_err(Problem::from)?;
                Ok((scored, encoded))
            });
            let ((label, score), encoded) =
                predicted.map_err(|problem| problem.with("input", at))?;
            let class = names.and_then(|names| names.get(usize::from(label)).cloned());
            Ok(Prediction {
                label,
                class,
                score,
                known: encoded.known,
                clipped: encoded.clipped,
                unseen: encoded.unseen,
            })
        })
        .collect::<Result<_, Problem>>()?;
    Ok(Predictions {
        block: summary.block,
        block_hash: summary.block_hash.into(),
        score_meaning: Meaning::of(info.facts.parameters.kind()).name(),
        predictions,
    })
}

/// Encodes an input as a sample. `pixels` is the number of pixels that pictures may still have.
fn sample(info: &ModelInfo, input: &Input, pixels: &mut u64) -> Result<Encoded, Problem> {
    let encoder = || {
        info.encoder().map_err(|error| {
            let cause = match &error {
                NoEncoder::Unpublished { .. } => {
                    "the model's host has not published how texts and rows become samples"
                        .to_owned()
                }
                contradicted => contradicted.to_string(),
            };
            Problem::new(
                &Kind::NO_ENCODER,
                format!("{cause}; send `features` or a `sample`"),
            )
        })
    };
    let encoding = info.facts.parameters.encoding();
    match input {
        Input::Sample(bytes) => Ok(Encoded::raw(encoding, bytes.0.to_vec())),
        Input::Features(features) => {
            of_features(info, features).map(|sample| Encoded::raw(encoding, sample))
        }
        Input::Text(text) => encoder()?
            .encode_noting(Example::Text(text))
            .map(Into::into)
            .map_err(not_encodable),
        Input::Picture(bytes) => of_picture(encoder()?, &bytes.0, pixels),
        Input::Row(Row::Ordered(cells)) => {
            let fields: Vec<_> = cells
                .iter()
                .map(|cell| Cell::field(cell.as_ref()))
                .collect();
            of_order(encoder()?, &fields)
        }
        Input::Row(Row::Named(Pairs(pairs))) => of_names(encoder()?, pairs),
    }
}

fn of_features(info: &ModelInfo, features: &[i32]) -> Result<Vec<u8>, Problem> {
    let outside = |(at, value): (usize, i32), expected: &str| {
        let detail = format!("`features[{at}]` is {value}, expected {expected}");
        Problem::new(&Kind::NOT_ENCODABLE, detail)
    };
    let entries = || features.iter().copied().enumerate();
    match info.facts.parameters.encoding() {
        Encoding::Sparse => {
            let last = info.facts.parameters.features().saturating_sub(1);
            let present = |(at, feature): (usize, i32)| {
                u16::try_from(feature)
                    .ok()
                    .filter(|number| u32::from(*number) <= last)
                    .ok_or_else(|| {
                        let expected =
                            format!("the number of a feature of this model, 0 to {last}");
                        outside((at, feature), &expected)
                    })
            };
            let mut present = entries().map(present).collect::<Result<Vec<_>, _>>()?;
            present.sort_unstable();
            present.dedup();
            Ok(encode_sparse(&present))
        }
        Encoding::Dense16 => {
            let values = entries().map(|(at, value)| {
                i16::try_from(value)
                    .map_err(|_| outside((at, value), "a value from -32768 to 32767"))
            });
            let mut values = values.collect::<Result<Vec<_>, _>>()?;
            // The constant is no part of the input, so it is added if the client leaves it out.
            let encoder = info.encoder().ok();
            let features = info.facts.parameters.features() as usize;
            if let Some(encoder) = encoder.filter(|_| values.len() + 1 == features) {
                values.extend(encoder.constant().and_then(|it| i16::try_from(it).ok()));
            }
            Ok(encode_dense16(&values))
        }
        Encoding::Dense32 => Ok(encode_dense32(features)),
    }
}

/// Encodes a picture, and takes its pixels from those that are `left` to the request.
fn of_picture(encoder: &Encoder, bytes: &[u8], left: &mut u64) -> Result<Encoded, Problem> {
    match encode_picture_bytes(encoder, bytes, MAX_PIXELS.min(*left)) {
        Ok((sample, pixels)) => {
            *left = left.saturating_sub(pixels);
            Ok(sample)
        }
        Err(InputError::Picture(PictureError::Pixels { width, height, .. }))
            if width * height <= MAX_PIXELS =>
        {
            let detail = format!(
                "the pictures of the request have more than {MAX_ALL_PIXELS} pixels in all; send fewer at a time"
            );
            Err(Problem::new(&Kind::NOT_ENCODABLE, detail))
        }
        Err(error) => Err(refused(error)),
    }
}

/// Encodes a row in the order of the model's columns.
fn of_order(encoder: &Encoder, fields: &[Field<'_>]) -> Result<Encoded, Problem> {
    // A row of another width, or for a model without columns, is the encoder's to refuse.
    let number = |field: &Field<'_>| match field {
        Field::Number(number) => Some(*number),
        Field::Text(_) | Field::Missing => None,
    };
    let numbers: Option<Vec<f64>> = fields.iter().map(number).collect();
    let plain = encoder.columns().is_none_or(|it| it.schema.is_plain());
    match numbers.filter(|_| plain) {
        Some(numbers) => encoder
            .encode_noting(Example::Numbers(&numbers))
            .map(Into::into)
            .map_err(not_encodable),
        None => encode_fields(encoder, fields).map_err(refused),
    }
}

/// Encodes a row whose values have names: those of columns, or indices.
fn of_names(encoder: &Encoder, pairs: &[(String, Option<Cell>)]) -> Result<Encoded, Problem> {
    let mut given: HashMap<&str, Field<'_>> = HashMap::with_capacity(pairs.len());
    for (name, cell) in pairs {
        if given.insert(name, Cell::field(cell.as_ref())).is_some() {
            let detail = format!("the row has `{}` twice; give it once", escaped(name));
            return Err(Problem::new(&Kind::NOT_ENCODABLE, detail));
        }
    }
    let Some(columns) = encoder.columns() else {
        return of_indices(encoder, pairs);
    };
    let names = columns.names();
    if let Some((name, _)) = pairs.iter().find(|(name, _)| !names.contains(name)) {
        let detail = format!(
            "the row has `{}`, which is none of the model's columns",
            escaped(name)
        );
        return Err(Problem::new(&Kind::NOT_ENCODABLE, detail));
    }
    let needed = names.len() - columns.reserved;
    let field = |(at, name): (usize, &String)| match given.get(name.as_str()) {
        Some(field) => Ok(*field),
        // A reserved column is 0 if a row does not name it.
        None if at >= needed => Ok(Field::Number(0.0)),
        None => {
            let detail = format!(
                "the row has no `{}`; expected a value for each of the model's columns",
                escaped(name)
            );
            Err(Problem::new(&Kind::NOT_ENCODABLE, detail))
        }
    };
    let fields: Vec<_> = names
        .iter()
        .enumerate()
        .map(field)
        .collect::<Result<_, _>>()?;
    encode_fields(encoder, &fields).map_err(refused)
}

/// Encodes a row whose numbers have indices, which count as in the data that the model learned from.
fn of_indices(encoder: &Encoder, pairs: &[(String, Option<Cell>)]) -> Result<Encoded, Problem> {
    let first = encoder.first_index();
    let mut entries = Vec::with_capacity(pairs.len());
    for (name, cell) in pairs {
        let index = name
            .parse::<u32>()
            .ok()
            .and_then(|it| it.checked_sub(first));
        let (Some(index), Some(Cell::Number(value))) = (index, cell) else {
            // A model of texts takes no rows, whatever they have.
            if encoder.takes() == Sort::Text {
                break;
            }
            let detail = format!(
                "the row has `{}`, expected numbers by their indices, from {first}",
                escaped(name)
            );
            return Err(Problem::new(&Kind::NOT_ENCODABLE, detail));
        };
        entries.push((index, *value));
    }
    entries.sort_unstable_by_key(|(index, _)| *index);
    let (indices, values): (Vec<u32>, Vec<f64>) = entries.into_iter().unzip();
    let by_index = Example::Indexed {
        indices: &indices,
        values: Some(&values),
    };
    encoder
        .encode_noting(by_index)
        .map(Into::into)
        .map_err(not_encodable)
}

fn refused(error: InputError) -> Problem {
    match error {
        InputError::Encode(error) => not_encodable(error),
        error => Problem::new(&Kind::NOT_ENCODABLE, error),
    }
}

fn not_encodable(error: EncodeError) -> Problem {
    match error {
        EncodeError::NoTable { id } => {
            let detail = format!(
                "the coordinator lacks the model's table of word vectors, the one with {id}; send `features` or a `sample`"
            );
            Problem::new(&Kind::NO_TABLE, detail).with("sha256", id.hexadecimal())
        }
        error => Problem::new(&Kind::NOT_ENCODABLE, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_names_lets_rows_leave_out_reserved_columns_only() {
        let encoder =
            r#"{"classifier":"naive-bayes","features":{"columns":["a","b","c"]},"reserved":1}"#;
        let encoder: Encoder = serde_json::from_str(encoder).unwrap();
        let sample = |row: &[(&str, f64)]| {
            let row = row
                .iter()
                .map(|&(name, value)| (name.to_owned(), Some(Cell::Number(value))));
            of_names(&encoder, &row.collect::<Vec<_>>()).map(|encoded| encoded.sample)
        };
        assert_eq!(sample(&[("a", 1.0), ("b", 0.0)]).unwrap(), [0, 0]);
        let whole = [("a", 0.0), ("b", 1.0), ("c", 1.0)];
        assert_eq!(sample(&whole).unwrap(), [0, 1, 0, 2]);
        for row in [
            &[("a", 1.0), ("c", 1.0)][..],
            &[("a", 1.0), ("b", 1.0), ("d", 1.0)],
        ] {
            assert!(sample(row).is_err(), "{row:?}");
        }
    }

    #[test]
    fn of_picture_takes_the_bytes_of_a_picture_for_models_of_pictures() {
        // Red at the left, then white above black.
        let bytes = include_bytes!("../../../learning/tests/pictures/colors.png");
        let input = serde_json::json!({"picture": alloy_primitives::hex::encode_prefixed(bytes)});
        let Input::Picture(read) = serde_json::from_value(input).unwrap() else {
            panic!("no picture");
        };
        let encoder = |features: &str| {
            let card = format!(r#"{{"classifier":"naive-bayes","features":{features}}}"#);
            serde_json::from_str::<Encoder>(&card).unwrap()
        };
        let pixels = r#"{"pictures":{"width":3,"height":2,"levels":2,"ink":true}}"#;
        let pixels = encoder(pixels);
        let mut left = 1_000;
        let one = of_picture(&pixels, &read.0, &mut left).unwrap();
        assert_eq!(one.sample, [0, 0, 0, 3, 0, 4, 0, 5]);
        let row = of_order(
            &pixels,
            &[1, 0, 0, 1, 1, 1].map(|it| Field::Number(it.into())),
        );
        assert_eq!(row.unwrap(), one);
        // The picture has 24x16 pixels, and further ones must have no more than are left.
        assert_eq!(left, 616);
        of_picture(&pixels, &read.0, &mut left).unwrap();
        let refused = of_picture(&pixels, &read.0, &mut left).unwrap_err();
        assert!(format!("{refused:?}").contains("more than 33554432 pixels in all"));
        let told = |encoder, bytes: &[u8]| {
            let mut left = MAX_ALL_PIXELS;
            format!("{:?}", of_picture(encoder, bytes, &mut left).unwrap_err())
        };
        let words = encoder(r#"{"words":["good"]}"#);
        assert!(told(&words, bytes).contains("the model did not learn from pictures"));
        assert!(told(&pixels, b"GIF89a").contains("it is neither a PNG nor a JPEG"));
        assert!(told(&pixels, &bytes[..60]).contains("it is damaged"));
    }

    #[test]
    fn of_names_takes_texts_truth_values_and_nulls_by_the_types_of_the_columns() {
        let encoder = r#"{"classifier":"naive-bayes","features":{"table":[
            {"name":"paid","type":"boolean"},
            {"name":"port","type":"categorical","values":["C","S"],"missing":{"own":0.0}}]}}"#;
        let encoder: Encoder = serde_json::from_str(encoder).unwrap();
        let answer = |row: &str| {
            let Row::Named(Pairs(pairs)) = serde_json::from_str(row).unwrap() else {
                panic!("no object: {row}");
            };
            of_names(&encoder, &pairs)
        };
        let sample = |row| answer(row).unwrap().sample;
        assert_eq!(sample(r#"{"port":"S","paid":true}"#), [0, 0, 0, 2]);
        assert_eq!(sample(r#"{"paid":"no","port":null}"#), [0, 3]);
        assert_eq!(sample(r#"{"paid":1,"port":"C"}"#), [0, 0, 0, 1]);
        let unseen = answer(r#"{"paid":false,"port":"Q"}"#).unwrap();
        assert_eq!((unseen.unseen, unseen.is_unknown()), (1, true));
        for (row, told) in [
            (
                r#"{"paid":true,"port":"S","paid":true}"#,
                "the row has `paid` twice",
            ),
            (r#"{"paid":true}"#, "the row has no `port`"),
            (
                r#"{"paid":true,"port":"S","x":1}"#,
                "the row has `x`, which is none",
            ),
            (
                r#"{"paid":"maybe","port":"S"}"#,
                "column `paid` has `maybe`",
            ),
            (r#"{"paid":null,"port":"S"}"#, "column `paid` has no value"),
        ] {
            let problem = answer(row).unwrap_err();
            assert!(format!("{problem:?}").contains(told), "{row}: {problem:?}");
        }
        let ordered = of_order(&encoder, &[Field::Text("yes"), Field::Text("S")]).unwrap();
        assert_eq!(ordered.sample, [0, 0, 0, 2]);
        assert!(of_order(&encoder, &[Field::Number(1.0)]).is_err());
    }
}
