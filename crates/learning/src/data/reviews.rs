use std::path::{Path, PathBuf};

use super::error::{LineFault, Malformed, shown};
use super::part::Inputs;
use super::{DataError, MAX_BYTES, Raw, file};

/// Lines of `id <tab> mean sentiment in [-4, 4] <tab> text`, gzipped.
static SNIPPETS: &[u8] = include_bytes!("../../data/movie-review-snippets.tsv.gz");

/// Name of the embedded file in messages.
const NAME: &str = "movie-review-snippets.tsv.gz";

/// Minimum size of a sentiment. People do not agree on weaker ones, so `read` skips them.
const WEAKEST_SENTIMENT: f64 = 0.25;

pub(super) fn read() -> Result<Raw, DataError> {
    let bytes = file::unpacked(Path::new(NAME), SNIPPETS.to_vec(), MAX_BYTES)?;
    let mut malformed = Malformed::new(NAME);
    let (mut texts, mut labels, mut lines) = (Vec::new(), Vec::new(), Vec::new());
    for (line, number) in bytes.split(|&byte| byte == b'\n').zip(1..) {
        if line.is_empty() {
            continue;
        }
        match parse(line) {
            Ok((score, text)) if score.abs() >= WEAKEST_SENTIMENT => {
                let label = if score > 0.0 { "positive" } else { "negative" };
                texts.push(text.to_owned());
                labels.push(label.to_owned());
                lines.push(number);
            }
            Ok(_) => {}
            Err(fault) => malformed.add(number, fault),
        }
    }
    malformed.finish()?;
    Ok(Raw {
        path: PathBuf::from(NAME),
        inputs: Inputs::Text(texts),
        labels,
        lines,
    })
}

fn parse(line: &[u8]) -> Result<(f64, &str), LineFault> {
    let text = str::from_utf8(line).map_err(|_| LineFault::NotUtf8 {
        column: "text".to_owned(),
        value: shown(line),
    })?;
    let fields: Vec<&str> = text.splitn(3, '\t').collect();
    let &[_, score, text] = fields.as_slice() else {
        return Err(LineFault::FieldCount {
            found: fields.len(),
            wanted: 3,
        });
    };
    let score = score.parse().map_err(|_| LineFault::NotANumber {
        column: "score".to_owned(),
        value: shown(score.as_bytes()),
    })?;
    Ok((score, text))
}
