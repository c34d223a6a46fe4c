use std::path::Path;

use super::error::{LineFault, Malformed, shown};
use super::part::{Inputs, SparseRows};
use super::{DataError, MAX_INDEX, Raw, in_bounds};

pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Raw, DataError> {
    let mut malformed = Malformed::new(path);
    let mut rows = SparseRows::default();
    let (mut labels, mut lines) = (Vec::new(), Vec::new());
    // Files of old Macs end their lines with CR alone. A CR before an LF is white space.
    let end = if bytes.contains(&b'\n') { b'\n' } else { b'\r' };
    for (line, number) in bytes.split(|&byte| byte == end).zip(1..) {
        match parse_line(line, &mut rows) {
            Ok(Some(label)) => {
                rows.end_row();
                labels.push(label.to_string());
                lines.push(number);
            }
            Ok(None) => {}
            // `rows` keeps the entries before the fault. After a fault, nobody uses it.
            Err(fault) => malformed.add(number, fault),
        }
    }
    malformed.finish()?;
    Ok(Raw {
        path: path.to_owned(),
        inputs: Inputs::Indexed(rows),
        labels,
        lines,
        columns: Vec::new(),
    })
}

/// Adds the entries of a line to `rows`.
///
/// It returns the label of the line, or `None` if the line is blank or a comment.
fn parse_line(line: &[u8], rows: &mut SparseRows) -> Result<Option<i64>, LineFault> {
    let mut words = line
        .split(|&byte| byte == b'#')
        .next()
        .unwrap_or_default()
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    let Some(label) = words.next() else {
        return Ok(None);
    };
    let label = number(label).ok_or_else(|| LineFault::LabelNotInteger {
        value: shown(label),
    })?;
    let mut previous = 0;
    for word in words {
        let (index, value) = parse_pair(word)?;
        if index <= previous {
            return Err(LineFault::IndexNotIncreasing { index, previous });
        }
        previous = index;
        rows.push(index - 1, value);
    }
    Ok(Some(label))
}

fn parse_pair(word: &[u8]) -> Result<(u32, f64), LineFault> {
    let Some(colon) = word.iter().position(|&byte| byte == b':') else {
        return Err(LineFault::NotAPair { value: shown(word) });
    };
    let (index, value) = (&word[..colon], &word[colon + 1..]);
    let index = number(index)
        .filter(|index| (1..=MAX_INDEX).contains(index))
        .ok_or_else(|| LineFault::Index {
            value: shown(index),
        })?;
    // Most values are 1, and this is faster than parsing them.
    let value = if value == b"1" {
        1.0
    } else {
        number(value)
            .filter(|&value| in_bounds(value))
            .ok_or_else(|| LineFault::Value {
                index,
                value: shown(value),
            })?
    };
    Ok((index, value))
}

fn number<T: std::str::FromStr>(word: &[u8]) -> Option<T> {
    str::from_utf8(word).ok()?.parse().ok()
}
