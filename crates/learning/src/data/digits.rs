use std::path::{Path, PathBuf};

use ndarray::Array2;

use super::error::{LineFault, Malformed, shown};
use super::part::Inputs;
use super::{DataError, MAX_BYTES, Raw, file};
use crate::pictures::Form;

/// Lines of 64 pixels and the digit, separated by commas, gzipped.
static DIGITS: &[u8] = include_bytes!("../../data/digits.csv.gz");

/// Name of the embedded file in messages.
const NAME: &str = "digits.csv.gz";

/// Form of the pictures.
pub(super) const FORM: Form = Form::DIGITS;

/// Number of pixels of a picture.
const PIXELS: usize = 64;

pub(super) fn read() -> Result<Raw, DataError> {
    let bytes = file::unpacked(Path::new(NAME), DIGITS.to_vec(), MAX_BYTES)?;
    let mut malformed = Malformed::new(NAME);
    let (mut pixels, mut labels, mut lines) = (Vec::new(), Vec::new(), Vec::new());
    for (line, number) in bytes.split(|&byte| byte == b'\n').zip(1..) {
        if line.is_empty() {
            continue;
        }
        match parse(line) {
            Ok((row, digit)) => {
                pixels.extend(row);
                labels.push(digit.to_owned());
                lines.push(number);
            }
            Err(fault) => malformed.add(number, fault),
        }
    }
    malformed.finish()?;
    let rows = Array2::from_shape_vec((labels.len(), PIXELS), pixels);
    Ok(Raw {
        path: PathBuf::from(NAME),
        // Each line has as many pixels as there are columns.
        inputs: Inputs::Numbers(rows.unwrap_or_default()),
        labels,
        lines,
    })
}

fn parse(line: &[u8]) -> Result<(Vec<f64>, &str), LineFault> {
    let text = str::from_utf8(line).map_err(|_| LineFault::NotUtf8 {
        column: "digit".to_owned(),
        value: shown(line),
    })?;
    let mut fields: Vec<&str> = text.split(',').collect();
    let found = fields.len();
    let (Some(digit), PIXELS) = (fields.pop(), found.saturating_sub(1)) else {
        return Err(LineFault::FieldCount {
            found,
            wanted: PIXELS + 1,
        });
    };
    let pixel = |(field, name): (&&str, String)| {
        field.parse().map_err(|_| LineFault::NotANumber {
            column: name,
            value: shown(field.as_bytes()),
        })
    };
    let row = fields
        .iter()
        .zip(FORM.names())
        .map(pixel)
        .collect::<Result<_, _>>()?;
    Ok((row, digit))
}
