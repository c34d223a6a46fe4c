use std::path::Path;

use super::error::{LineFault, Malformed, shown};
use super::part::{Inputs, SparseRows};
use super::{DataError, MAX_INDEX, Raw, in_bounds};

/// Contents of a libsvm file, whose indices still count from where the file does.
pub(super) struct Lines {
    rows: SparseRows,
    labels: Vec<String>,
    /// Line of each example, from 1.
    numbers: Vec<u64>,
    /// Line of the first index 0, if there is one.
    zero: Option<u64>,
    /// Line of the first index [`MAX_INDEX`], if there is one.
    last: Option<u64>,
}

impl Lines {
    /// Returns `true` if the file has an index 0, so that it counts from 0.
    pub(super) fn has_zero(&self) -> bool {
        self.zero.is_some()
    }

    /// Returns the contents with indices that count from 0, given whether the file's do.
    pub(super) fn based(self, path: &Path, zero_based: bool) -> Result<Raw, DataError> {
        let mut rows = self.rows;
        // One more index would follow the last.
        let outside = match (zero_based, self.zero, self.last) {
            (false, Some(line), _) => Some((line, 0)),
            (true, _, Some(line)) => Some((line, MAX_INDEX)),
            _ => None,
        };
        if let Some((line, index)) = outside {
            let mut malformed = Malformed::new(path);
            let fault = LineFault::Index {
                value: index.to_string(),
                first: u32::from(!zero_based),
                last: MAX_INDEX - u32::from(zero_based),
            };
            malformed.add(line, fault);
            malformed.finish()?;
        }
        if !zero_based {
            rows.count_from_zero();
        }
        Ok(Raw {
            path: path.to_owned(),
            inputs: Inputs::Indexed(rows),
            labels: self.labels,
            lines: self.numbers,
        })
    }
}

/// Reads lines as `dump_svmlight_file` of scikit-learn writes them.
///
/// `qid:n` before the entries is left out and counted: no model here learns from queries.
pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Lines, DataError> {
    let mut malformed = Malformed::new(path);
    let mut found = Lines {
        rows: SparseRows::default(),
        labels: Vec::new(),
        numbers: Vec::new(),
        zero: None,
        last: None,
    };
    let mut entries = Vec::new();
    // Files of old Macs end their lines with CR alone. A CR before an LF is white space.
    let end = if bytes.contains(&b'\n') { b'\n' } else { b'\r' };
    for (line, number) in bytes.split(|&byte| byte == end).zip(1..) {
        match parse_line(line, &mut entries) {
            Ok(Some((label, has_query))) => {
                if entries.first().is_some_and(|(index, _)| *index == 0) {
                    found.zero.get_or_insert(number);
                }
                if entries.last().is_some_and(|(index, _)| *index == MAX_INDEX) {
                    found.last.get_or_insert(number);
                }
                for &(index, value) in &entries {
                    found.rows.push(index, value);
                }
                found.rows.end_row(has_query);
                found.labels.push(label.to_string());
                found.numbers.push(number);
            }
            Ok(None) => {}
            Err(fault) => malformed.add(number, fault),
        }
    }
    malformed.finish()?;
    Ok(found)
}

/// Reads the entries of a line into `entries`, by increasing index.
///
/// It returns the label of the line, with `true` if there is a query. It returns `None` if the line
/// is blank or a comment.
fn parse_line(
    line: &[u8],
    entries: &mut Vec<(u32, f64)>,
) -> Result<Option<(i64, bool)>, LineFault> {
    entries.clear();
    let mut words = line
        .split(|&byte| byte == b'#')
        .next()
        .unwrap_or_default()
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    let Some(label) = words.next() else {
        return Ok(None);
    };
    let label = whole(label).ok_or_else(|| LineFault::LabelNotInteger {
        value: shown(label),
    })?;
    let mut has_query = false;
    for (at, word) in words.enumerate() {
        match word.strip_prefix(b"qid:") {
            Some(query) if at == 0 => {
                has_query = true;
                number::<i64>(query).ok_or_else(|| LineFault::Query {
                    value: shown(query),
                })?;
            }
            _ => entries.push(parse_pair(word)?),
        }
    }
    if !entries.is_sorted_by_key(|(index, _)| *index) {
        entries.sort_unstable_by_key(|(index, _)| *index);
    }
    match entries.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => Err(LineFault::IndexTwice { index: pair[0].0 }),
        None => Ok(Some((label, has_query))),
    }
}

fn parse_pair(word: &[u8]) -> Result<(u32, f64), LineFault> {
    let Some(colon) = word.iter().position(|&byte| byte == b':') else {
        return Err(LineFault::NotAPair { value: shown(word) });
    };
    let (index, value) = (&word[..colon], &word[colon + 1..]);
    let index = number(index)
        .filter(|index| *index <= MAX_INDEX)
        .ok_or_else(|| LineFault::Index {
            value: shown(index),
            first: 0,
            last: MAX_INDEX,
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

/// Reads a label: an integer, or a float of that value, such as `-1.0` or `1.000000e+00`.
// Floats up to 2^53 represent whole numbers exactly.
#[allow(clippy::cast_possible_truncation)]
fn whole(word: &[u8]) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    number(word).or_else(|| {
        let float: f64 = number(word)?;
        (float.fract() == 0.0 && float.abs() <= EXACT).then_some(float as i64)
    })
}

fn number<T: std::str::FromStr>(word: &[u8]) -> Option<T> {
    str::from_utf8(word).ok()?.parse().ok()
}
