//! Recording of a run: lines of JSON, gzipped. The first line describes the run and the beginning
//! of its chain. One line for each step follows. The last line has the number of steps and the
//! digest of the chain's final state.
//!
//! Lines are written while the run continues and read while it is replayed, so neither needs much
//! memory.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, ErrorKind, Read, Write},
    path::{Path, PathBuf},
};

use alloy_primitives::{B256, U128};
use anyhow::{Context, Error, bail, ensure};
use cotrain_chain::{Chain, Config, Recorded, Step};
use cotrain_results::results::RECORDING;
use cotrain_simulator::{Options, Progress, beginning, run::Run, scenario::Scenario};
use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::{backend, error::CommandError};

/// Mark at the beginning of every recording.
const FORMAT: &str = "cotrain recording";
/// Version of the format, which changes with the meaning of a line.
const VERSION: u32 = 1;
/// The version of this program.
const COTRAIN: &str = env!("CARGO_PKG_VERSION");
/// Maximum size of a line, in bytes. No transaction needs more, since gas bounds its data and
/// events.
const LONGEST_LINE: u64 = 32 << 20;

/// Format and version of a recording, which every release can read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    format: String,
    version: u32,
    /// Version of the program that wrote the recording.
    cotrain: String,
}

/// Scenario and options of a recorded run, and the first state of its chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    #[serde(flatten)]
    mark: Mark,
    pub(crate) scenario: String,
    pub(crate) seed: u64,
    pub(crate) relay: Option<usize>,
    /// Kind of chain that the run was recorded on.
    pub(crate) backend: String,
    pub(crate) chain_id: u64,
    /// Time of the chain's beginning, in Unix seconds.
    start: u64,
    /// Price of a unit of gas, in wei.
    gas_price: U128,
}

impl Header {
    fn new(scenario: &Scenario, options: &Options, chain: &dyn Chain) -> Self {
        let Config { start, gas_price } = beginning(scenario);
        Self {
            mark: Mark {
                format: FORMAT.to_owned(),
                version: VERSION,
                cotrain: COTRAIN.to_owned(),
            },
            scenario: scenario.name().to_owned(),
            seed: options.seed,
            relay: options.relay.map(Into::into),
            backend: chain.name().to_owned(),
            chain_id: chain.chain_id(),
            start,
            gas_price: U128::from(gas_price),
        }
    }

    /// Returns the configuration with which the chain began.
    pub(crate) fn beginning(&self) -> Config {
        Config {
            start: self.start,
            gas_price: self.gas_price.to(),
        }
    }

    /// The version of the program that wrote the recording.
    pub(crate) fn cotrain(&self) -> &str {
        &self.mark.cotrain
    }
}

/// Any line but the first.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line<S> {
    Step(S),
    End {
        steps: u64,
        /// The digest of the chain's state.
        state: B256,
    },
}

/// Simulates on `chain`, and writes every change of the chain into `file`.
pub(crate) fn simulate(
    chain: &mut dyn Chain,
    scenario: &Scenario,
    options: &Options,
    file: NamedTempFile,
    progress: &mut dyn FnMut(&Progress),
) -> Result<(Run, NamedTempFile), CommandError> {
    let failed = || "cannot write the recording";
    let header = Header::new(scenario, options, chain);
    let mut writer = Writer::start(file.as_file(), &header).with_context(failed)?;
    let mut chain = Recorded::new(chain, |step: &Step| writer.line(&Line::Step(step)));
    let run = backend::simulate(&mut chain, scenario, options, progress)?;
    let end = Line::<Step>::End {
        steps: chain.steps(),
        state: chain.state_digest()?,
    };
    writer.end(&end).with_context(failed)?;
    Ok((run, file))
}

struct Writer<W: Write> {
    gzip: GzEncoder<W>,
    /// Buffer for a line, because serialization makes many small writes.
    line: Vec<u8>,
}

impl<W: Write> Writer<W> {
    fn start(file: W, header: &Header) -> io::Result<Self> {
        let mut writer = Self {
            gzip: GzEncoder::new(file, Compression::fast()),
            line: Vec::new(),
        };
        writer.line(header)?;
        Ok(writer)
    }

    fn line(&mut self, content: &impl Serialize) -> io::Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, content)?;
        self.line.push(b'\n');
        self.gzip.write_all(&self.line)
    }

    fn end(mut self, end: &impl Serialize) -> io::Result<()> {
        self.line(end)?;
        self.gzip.finish()?.flush()
    }
}

/// A recording, read line by line.
pub(crate) struct Recording {
    path: PathBuf,
    header: Header,
    lines: Lines,
    steps: u64,
}

/// Next entry of a recording.
#[derive(Debug)]
pub(crate) enum Entry {
    /// A step.
    Step(Box<Step>),
    /// End of the steps, with the digest of the chain's state.
    End(B256),
}

impl Recording {
    /// Opens a recording, or that in a run's directory. `watch` wraps the file, to observe the
    /// reading.
    pub(crate) fn open<R: Read + 'static>(
        run: &Path,
        watch: impl FnOnce(File) -> R,
    ) -> anyhow::Result<Self> {
        let path = if run.is_dir() {
            run.join(RECORDING)
        } else {
            run.to_owned()
        };
        let file = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound && path != run => bail!(
                "{} holds no {}; record a run with `cotrain simulate --record`",
                run.display(),
                RECORDING
            ),
            file => file.with_context(|| format!("cannot read {}", path.display()))?,
        };
        let gzip = MultiGzDecoder::new(watch(file));
        let mut lines = Lines {
            from: Box::new(BufReader::new(gzip)),
            line: Vec::new(),
            read: 0,
        };
        let header = lines.header().with_context(|| cannot(&path))?;
        Ok(Self {
            path,
            header,
            lines,
            steps: 0,
        })
    }

    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// Returns the path of the recording.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the next entry. Do not call it again after [`Entry::End`].
    pub(crate) fn next(&mut self) -> anyhow::Result<Entry> {
        self.entry().with_context(|| cannot(&self.path))
    }

    fn entry(&mut self) -> anyhow::Result<Entry> {
        if !self.lines.next()? {
            bail!(torn(self.lines.read));
        }
        match self.lines.parse()? {
            Line::Step(step) => {
                self.steps += 1;
                Ok(Entry::Step(Box::new(step)))
            }
            Line::End { steps, .. } if steps != self.steps => bail!(
                "it has {} steps, and its end says {steps}; record the run anew",
                self.steps
            ),
            Line::End { state, .. } if !self.lines.next()? => Ok(Entry::End(state)),
            Line::End { .. } => bail!(
                "its line {} comes after its end; record the run anew",
                self.lines.read
            ),
        }
    }
}

/// The lines of a gzipped file.
struct Lines {
    from: Box<dyn BufRead>,
    /// Line that was read last.
    line: Vec<u8>,
    /// Number of lines that were read.
    read: u64,
}

impl Lines {
    /// Reads a line; returns `false` at the end.
    fn next(&mut self) -> anyhow::Result<bool> {
        self.line.clear();
        let read = (&mut self.from)
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut self.line);
        match read {
            Ok(0) => return Ok(false),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => bail!(torn(self.read)),
            Err(error) => {
                let damaged = format!("it is damaged after its first {} lines", self.read);
                return Err(Error::new(error).context(damaged));
            }
            Ok(_) => {}
        }
        if self.line.pop_if(|byte| *byte == b'\n').is_none() {
            if self.line.len() as u64 == LONGEST_LINE {
                bail!(
                    "its line {} is longer than {LONGEST_LINE} bytes; no step is",
                    self.read + 1
                );
            }
            bail!(torn(self.read));
        }
        self.read += 1;
        Ok(true)
    }

    fn parse<'a, T: Deserialize<'a>>(&'a self) -> anyhow::Result<T> {
        serde_json::from_slice(&self.line)
            .with_context(|| format!("its line {} is not one of a recording", self.read))
    }

    fn header(&mut self) -> anyhow::Result<Header> {
        let mark = self.next().and_then(|found| {
            ensure!(found, "it is empty");
            let mark = self.parse::<Mark>()?;
            ensure!(mark.format == FORMAT, "its format is `{}`", mark.format);
            Ok(mark)
        });
        let mark =
            mark.with_context(|| format!("it is no {RECORDING} of `cotrain simulate --record`"))?;
        if mark.version != VERSION {
            bail!(
                "it is a recording of format {}, written by cotrain {}; this is cotrain {COTRAIN}, which reads format \
                 {VERSION}: replay it with that version, or record the run anew",
                mark.version,
                mark.cotrain
            );
        }
        self.parse()
    }
}

fn cannot(path: &Path) -> String {
    format!("cannot replay {}", path.display())
}

/// Returns the error for a file that is cut off.
fn torn(whole: u64) -> String {
    format!(
        "it is cut off after its first {whole} lines: not all of it was written or copied; copy it again or record the run \
         anew"
    )
}
