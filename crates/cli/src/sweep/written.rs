//! What is written of a sweep: tables, page and figures.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;
use cotrain_report::{
    format::counted,
    results::{is_unfinished, unfinished},
    sweep::{self, Summary},
};
use cotrain_simulator::sweep::{
    analysis::{Analysis, Analyst},
    tables::{Tables, Targets},
};
use serde::Serialize;
use tempfile::NamedTempFile;

use super::{folder::Folder, journal::Index, shard::Shard};
use crate::{failure::Failure, output};

/// The names of the files, in the order in which they are put there.
const FILES: [&str; 6] = [
    "runs.csv",
    "runs.parquet",
    "series.csv",
    "series.parquet",
    "report.html",
    "summary.json",
];

/// Files that are there, and what they show.
pub(super) struct Written {
    pub(super) files: Vec<PathBuf>,
    folder: PathBuf,
    summary: Summary,
}

impl Written {
    /// The summary, on stdout.
    pub(super) fn show(&self, json: bool) -> Result<(), Failure> {
        if json {
            return output::print_json(&(serde_json::to_string_pretty(&self.summary)? + "\n"));
        }
        let page = self.folder.join("report.html");
        output::print(&format!(
            "{}\npage: {}\n",
            self.summary.text(),
            page.display()
        ))
    }
}

/// Writes everything of the runs that are there. Each file takes its place once it is complete.
pub(super) fn write(folder: &Folder, index: &Index) -> Result<Written, Failure> {
    let failed = || format!("cannot write to {}", folder.path.display());
    tidy(&folder.path).with_context(failed)?;
    let files: io::Result<Vec<_>> = FILES.iter().map(|_| unfinished(&folder.path)).collect();
    let mut files = files.with_context(failed)?;
    let mut analyst = Analyst::new(&folder.plan, &index.agents, index.longest);
    {
        let target = |place: usize| Ok::<_, io::Error>(BufWriter::new(files[place].reopen()?));
        let targets = || -> io::Result<Targets<BufWriter<File>>> {
            Ok(Targets {
                runs_csv: target(0)?,
                runs_parquet: target(1)?,
                series_csv: target(2)?,
                series_parquet: target(3)?,
            })
        };
        let targets = targets().with_context(failed)?;
        let mut tables = Tables::new(&folder.plan, &index.agents, targets)?;
        for record in index.records() {
            let record = record?;
            analyst.add(&record);
            tables.add(record)?;
        }
        let targets = tables.finish()?;
        for mut target in [
            targets.runs_csv,
            targets.runs_parquet,
            targets.series_csv,
            targets.series_parquet,
        ] {
            target.flush().with_context(failed)?;
        }
    }
    let analysis: Analysis = analyst.finish();
    let summary = Summary::of(&folder.plan, &analysis, index.len());
    let page = sweep::html(&folder.plan, &analysis, index.len())?;
    let mut json = serde_json::to_vec_pretty(&summary)?;
    json.push(b'\n');
    files[4].write_all(page.as_bytes()).with_context(failed)?;
    files[5].write_all(&json).with_context(failed)?;
    let place = |(name, file): (&str, NamedTempFile)| -> io::Result<PathBuf> {
        let path = folder.path.join(name);
        file.persist(&path)?;
        Ok(path)
    };
    let placed: io::Result<Vec<_>> = FILES.into_iter().zip(files).map(place).collect();
    Ok(Written {
        files: placed.with_context(failed)?,
        folder: folder.path.clone(),
        summary,
    })
}

/// Takes away what a process that was killed has left half-written.
fn tidy(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if is_unfinished(&entry.file_name().to_string_lossy()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// What a part has done.
#[derive(Serialize)]
struct PartDone {
    part: String,
    runs: usize,
    of: u64,
}

/// Shows that a part is done.
pub(super) fn show_part(
    folder: &Folder,
    shard: Shard,
    runs: usize,
    json: bool,
) -> Result<(), Failure> {
    let part = PartDone {
        part: format!("{}/{}", shard.number, shard.of),
        runs,
        of: folder.plan.runs(),
    };
    if json {
        return output::print_json(&(serde_json::to_string_pretty(&part)? + "\n"));
    }
    output::print(&format!(
        "part {}: {} of the {} of the sweep, in {}\n",
        part.part,
        part.runs,
        counted(part.of, "run"),
        folder.path.display()
    ))
}
