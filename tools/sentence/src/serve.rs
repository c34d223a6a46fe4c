use std::io::{BufRead, Write};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{SentenceEncoder, TextVector};

/// Name and version of the exchange of lines (`docs/extending.md`).
pub const PROTOCOL: &str = "cotrain-sentence/1";

/// Writes the identity of the encoder as a line of JSON, and then answers each line of `texts` with
/// one, until `texts` ends.
///
/// A text is `{"id": …, "text": …}`. Its answer is `{"id": …, "numbers": […], "pieces": …}`, or
/// `{"id": …, "error": …}` if it cannot be encoded. The answer has the number of its text.
///
/// # Errors
/// Returns an error if a line cannot be read or written.
pub fn serve(encoder: &SentenceEncoder, texts: impl BufRead, out: &mut impl Write) -> Result<()> {
    let mut say = |line: &Value| -> Result<()> {
        writeln!(out, "{line}")?;
        Ok(out.flush()?)
    };
    say(&json!({
        "protocol": PROTOCOL,
        "name": encoder.name(),
        "sha256": encoder.sha256(),
        "width": encoder.width(),
    }))?;
    for line in texts.lines() {
        let line = line.context("cannot read a line as UTF-8")?;
        let given: Value = serde_json::from_str(&line).unwrap_or_default();
        let id = &given["id"];
        say(&match vector(encoder, &line, &given) {
            Ok(vector) => json!({ "id": id, "numbers": vector.numbers, "pieces": vector.pieces }),
            Err(error) => json!({ "id": id, "error": format!("{error:#}") }),
        })?;
    }
    Ok(())
}

fn vector(encoder: &SentenceEncoder, line: &str, given: &Value) -> Result<TextVector> {
    let text = given["text"].as_str().with_context(|| {
        format!("the line is `{line}`, expected {{\"id\": …, \"text\": …}}")
    })?;
    encoder.encode(text)
}
