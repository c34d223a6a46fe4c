//! Examples without a class, from the command line.

use std::{fs, path::Path};

use alloy_primitives::hex;
use anyhow::{Context, anyhow};
use clap::Args;
use cotrain_learning::{Encoder, data::Example, encode::Sort};
use cotrain_protocol::sample::{Encoding, encode_sparse};

use super::model::LiveModel;
use crate::failure::Failure;

/// One example, in one of the forms that it may have, or a file of many.
#[derive(Debug, Clone, Default, Args)]
#[group(required = false, multiple = false)]
pub(crate) struct Input {
    /// A text, of which the model looks at the words that it knows
    #[arg(long, value_name = "TEXT")]
    pub(crate) text: Option<String>,
    /// A row of data: numbers separated by commas, one a column, or for libsvm `index:value …`
    #[arg(long, value_name = "ROW", allow_hyphen_values = true)]
    pub(crate) row: Option<String>,
    /// The numbers of the features that are present, from 0, separated by commas
    #[arg(long, value_name = "LIST")]
    pub(crate) features: Option<String>,
    /// The sample itself, as the contract takes it
    #[arg(long, value_name = "HEX")]
    pub(crate) sample: Option<String>,
}

impl Input {
    /// The sample; none where none is given.
    pub(crate) fn sample(&self, model: &LiveModel) -> Result<Option<Vec<u8>>, Failure> {
        if let Some(text) = &self.text {
            return encode(model, Sort::Text, text).map(Some);
        }
        if let Some(row) = &self.row {
            let sort = encoder(model)?.takes();
            if sort == Sort::Text {
                return Err(Failure::Mistake(anyhow!(
                    "the model learned from text; give it with --text"
                )));
            }
            return encode(model, sort, row).map(Some);
        }
        if let Some(list) = &self.features {
            return features(model, list).map(Some);
        }
        let Some(sample) = &self.sample else {
            return Ok(None);
        };
        let bytes = hex::decode(sample)
            .with_context(|| format!("--sample is `{sample}`, hexadecimal digits are wanted"));
        Ok(Some(bytes.map_err(Failure::Mistake)?))
    }
}

/// The samples of a file with an example a line, in the form that the model learned from.
pub(crate) fn file(model: &LiveModel, path: &Path) -> Result<Vec<Vec<u8>>, Failure> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("cannot read {}", path.display()))
        .map_err(Failure::Mistake)?;
    let sort = encoder(model)?.takes();
    let sample = |(line, number): (&str, u64)| {
        encode(model, sort, line).map_err(|failure| match failure {
            Failure::Mistake(error) => {
                Failure::Mistake(error.context(format!("line {number} of {}", path.display())))
            }
            fault @ Failure::Fault(_) => fault,
        })
    };
    text.lines().zip(1..).map(sample).collect()
}

/// How the model's samples are made, which its card says.
pub(crate) fn encoder(model: &LiveModel) -> Result<&Encoder, Failure> {
    model
        .card
        .as_ref()
        .and_then(|card| card.encoder.as_ref())
        .ok_or_else(|| {
            Failure::Mistake(anyhow!(
                "nothing says how samples of model {} are made: it has no card in the registry, or one \
                 without an encoder; give --features or --sample, or name the registry with --registry",
                model.trainer
            ))
        })
}

fn encode(model: &LiveModel, sort: Sort, text: &str) -> Result<Vec<u8>, Failure> {
    let encoder = encoder(model)?;
    let sample = match sort {
        Sort::Text => encoder.encode(Example::Text(text)),
        Sort::Numbers => encoder.encode(Example::Numbers(&numbers(text)?)),
        Sort::Indexed => {
            let (indices, values) = entries(text)?;
            encoder.encode(Example::Indexed {
                indices: &indices,
                values: Some(&values),
            })
        }
    };
    sample.map_err(Failure::mistake)
}

fn numbers(row: &str) -> Result<Vec<f64>, Failure> {
    let number = |field: &str| {
        field.trim().parse().map_err(|_| {
            Failure::Mistake(anyhow!(
                "`{field}` is no number; numbers separated by commas are wanted"
            ))
        })
    };
    row.split(',').map(number).collect()
}

/// Indices from 0, and their values.
fn entries(row: &str) -> Result<(Vec<u32>, Vec<f64>), Failure> {
    let entry = |pair: &str| {
        let (index, value) = pair.split_once(':')?;
        Some((
            index.parse::<u32>().ok()?.checked_sub(1)?,
            value.parse::<f64>().ok()?,
        ))
    };
    let mut found = (Vec::new(), Vec::new());
    for pair in row.split_whitespace() {
        let (index, value) = entry(pair).ok_or_else(|| {
            Failure::Mistake(anyhow!(
                "`{pair}` is no entry; `index:value` with an index from 1 is wanted"
            ))
        })?;
        found.0.push(index);
        found.1.push(value);
    }
    Ok(found)
}

fn features(model: &LiveModel, list: &str) -> Result<Vec<u8>, Failure> {
    if model.parameters.encoding() != Encoding::Sparse {
        return Err(Failure::Mistake(anyhow!(
            "the samples of a {} are numbers; give them with --row or --sample",
            model.parameters.kind()
        )));
    }
    let feature = |field: &str| {
        field.trim().parse::<u16>().map_err(|_| {
            Failure::Mistake(anyhow!(
                "`{field}` is no feature; their numbers from 0 are wanted, separated by commas"
            ))
        })
    };
    let mut features: Vec<u16> = list
        .split(',')
        .filter(|field| !field.trim().is_empty())
        .map(feature)
        .collect::<Result<_, _>>()?;
    features.sort_unstable();
    features.dedup();
    Ok(encode_sparse(&features))
}
