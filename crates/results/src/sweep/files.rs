//! Files of a sweep: tables, page and figures.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use cotrain_simulator::sweep::{
    Plan, Record,
    analysis::Analyst,
    tables::{Tables, TablesError, Targets},
};
use tempfile::NamedTempFile;

use super::{page::html, summary::Summary};
use crate::{
    error::ResultsError,
    results::{is_unfinished, unfinished},
};

/// Name of the page.
const PAGE: &str = "report.html";

/// Names of the files, in the order in which they are written.
const FILES: [&str; 6] = [
    "runs.csv",
    "runs.parquet",
    "series.csv",
    "series.parquet",
    PAGE,
    "summary.json",
];

/// Finished runs of a sweep.
#[derive(Debug)]
pub struct Runs<'a, I> {
    /// Sweep of these runs.
    pub plan: &'a Plan,
    /// Names of all agents, in the order of the runs.
    pub agents: &'a [String],
    /// Simulated duration of the longest run, in seconds.
    pub longest: u64,
    /// Number of runs.
    pub count: usize,
    /// Records of the runs, in order of their numbers.
    pub records: I,
}

/// Files that were written, and the figures that they show.
#[derive(Debug)]
pub struct Written {
    /// Paths of the files.
    pub files: Vec<PathBuf>,
    /// Path of the page, which is one of them.
    pub page: PathBuf,
    /// Figures of the sweep.
    pub summary: Summary,
}

/// Writes tables, page and figures of runs into a folder. Each file gets its name once it is
/// complete.
///
/// # Errors
/// Returns the error of an unreadable record, and an error if a file cannot be rendered or written.
pub fn write<E, I>(folder: &Path, runs: Runs<'_, I>) -> Result<Written, E>
where
    E: From<ResultsError>,
    I: Iterator<Item = Result<Record, E>>,
{
    let failed = |source| ResultsError::Write {
        folder: folder.to_owned(),
        source,
    };
    let tables = |error: TablesError| ResultsError::Tables(Box::new(error));
    tidy(folder).map_err(failed)?;
    let files: io::Result<Vec<_>> = FILES.iter().map(|_| unfinished(folder)).collect();
    let mut files = files.map_err(failed)?;
    let mut analyst = Analyst::new(runs.plan, runs.agents, runs.longest);
    let target = |index: usize| Ok::<_, io::Error>(BufWriter::new(files[index].reopen()?));
    let targets = || -> io::Result<Targets<BufWriter<File>>> {
        Ok(Targets {
            runs_csv: target(0)?,
            runs_parquet: target(1)?,
            series_csv: target(2)?,
            series_parquet: target(3)?,
        })
    };
    let targets = targets().map_err(failed)?;
    let mut written = Tables::new(runs.plan, runs.agents, targets).map_err(tables)?;
    for record in runs.records {
        let record = record?;
        analyst.add(&record);
        written.add(record).map_err(tables)?;
    }
    let targets = written.finish().map_err(tables)?;
    for mut target in [
        targets.runs_csv,
        targets.runs_parquet,
        targets.series_csv,
        targets.series_parquet,
    ] {
        target.flush().map_err(failed)?;
    }
    let analysis = analyst.finish();
    let summary = Summary::of(runs.plan, &analysis, runs.count);
    let page = html(runs.plan, &analysis, runs.count)?;
    let mut json = serde_json::to_vec_pretty(&summary).map_err(ResultsError::from)?;
    json.push(b'\n');
    files[4].write_all(page.as_bytes()).map_err(failed)?;
    files[5].write_all(&json).map_err(failed)?;
    let persist = |(name, file): (&str, NamedTempFile)| -> io::Result<PathBuf> {
        let path = folder.join(name);
        file.persist(&path)?;
        Ok(path)
    };
    let persisted: io::Result<Vec<_>> = FILES.into_iter().zip(files).map(persist).collect();
    Ok(Written {
        files: persisted.map_err(failed)?,
        page: folder.join(PAGE),
        summary,
    })
}

/// Removes the incomplete files of a process that was killed.
fn tidy(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if is_unfinished(&entry.file_name().to_string_lossy()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
