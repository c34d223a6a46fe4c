//! Numbers, tables and words of a shell as text.

use console::{Alignment, measure_text_width, pad_str};
use cotrain_learning::text::escaped;
use indicatif::HumanCount;

/// Returns a share in percent, with one decimal.
#[must_use]
pub fn share(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// Returns a count with commas between thousands.
#[must_use]
pub fn count(count: u64) -> String {
    HumanCount(count).to_string()
}

/// Returns a number with its noun, in the plural unless the number is 1.
#[must_use]
pub fn counted(number: u64, noun: &str) -> String {
    format!(
        "{} {noun}{}",
        count(number),
        if number == 1 { "" } else { "s" }
    )
}

/// Returns as text how many examples of libsvm data have a query, which no model here learns from;
/// `None` if there are none.
#[must_use]
pub fn left_out_queries(queries: usize) -> Option<String> {
    (queries > 0).then(|| {
        format!(
            "{} of libsvm data {} `qid:`, which is left out: no model here learns from queries",
            counted(queries as u64, "example"),
            if queries == 1 { "has" } else { "have" },
        )
    })
}

/// Returns the warning that a column, from which a model learns, seems to number the rows.
#[must_use]
pub fn numbers_rows(column: &str) -> String {
    format!(
        "the column `{}` seems to number the rows, and the model learns from it",
        escaped(column)
    )
}

/// Returns the words for texts to learn from of which the encoder knows nothing; `None` if they are
/// less than one in a hundred, as some rare words always are.
#[must_use]
pub fn unknown_texts(unknown: usize, texts: usize) -> Option<String> {
    (unknown > 0 && unknown.saturating_mul(100) >= texts).then(|| {
        format!(
            "the encoder knows no word of {} of the {} texts to learn from, which teach the model nothing",
            count(unknown as u64),
            count(texts as u64)
        )
    })
}

/// Returns the lines of a table. The first two columns are aligned left, numbers right.
#[must_use]
pub fn aligned<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let width = |column: usize| {
        rows.iter()
            .map(|row| measure_text_width(&row[column]))
            .max()
            .unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let side = |column| {
        if column < 2 {
            Alignment::Left
        } else {
            Alignment::Right
        }
    };
    let line = |row: &[String; N]| {
        let cells = row.iter().enumerate();
        let cells = cells.map(|(column, cell)| pad_str(cell, widths[column], side(column), None));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// Returns a word, quoted for a POSIX shell.
#[must_use]
pub fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "-_./~=:,+@%".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_leaves_plain_words_and_quotes_others() {
        for plain in ["movie-reviews", "my/own.toml", "a=1,2", "12%", "größe"] {
            assert_eq!(quoted(plain), plain);
        }
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("12 hours"), "'12 hours'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted("$(id)"), "'$(id)'");
    }

    #[test]
    fn counted_is_plural_unless_one() {
        let message = [0, 1, 1_234].map(|number| counted(number, "run"));
        assert_eq!(message, ["0 runs", "1 run", "1,234 runs"]);
    }
}
