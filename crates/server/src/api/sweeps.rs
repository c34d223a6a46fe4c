//! Sweeps whose results lie in the coordinator's folder, to look at.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use axum::{Json, extract::State, response::Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{
    app::App,
    extract::{InPath, NoQuery},
    kinds::Kind,
    page::Rows,
    problem::Problem,
    simulations::html,
};

/// Maximum number of sweeps that are listed.
const MAX_SWEEPS: usize = 1_000;
/// Maximum size of a sweep's page or figures, in bytes.
const MAX_FILE: u64 = 64 << 20;

/// Maximum size of the figures of a sweep, in bytes: all are read for a list.
const MAX_SUMMARY: u64 = 1 << 20;

/// A sweep by its name.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OfSweep {
    /// Name of the sweep's folder.
    #[param(pattern = "^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$")]
    name: String,
}

/// Sweep of a scenario over many seeds and settings.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SweepView {
    /// Name of its folder.
    name: String,
    scenario: String,
    /// Number of finished runs.
    runs: u64,
    /// Number of all runs.
    of: u64,
    /// Path of its page.
    page: String,
}

/// Returns the sweeps in the coordinator's folder, by name.
#[utoipa::path(
    get, path = "/v1/sweeps", tag = "simulations", operation_id = "listSweeps",
    responses((status = 200, description = "All sweeps with a page.", body = Rows<SweepView>)),
)]
pub(super) async fn list(
    State(app): State<App>,
    _query: NoQuery,
) -> Result<Json<Rows<SweepView>>, Problem> {
    let folder = app.sweeps();
    let rows = blocking(move || folder.map_or_else(Vec::new, |folder| sweeps(&folder))).await?;
    Ok(Json(Rows { rows, next: None }))
}

/// Returns the page of a sweep.
#[utoipa::path(
    get, path = "/v1/sweeps/{name}/page", tag = "simulations", operation_id = "getSweepPage",
    params(OfSweep),
    responses(
        (status = 200, description = "The page, which loads nothing.", body = String, content_type = "text/html"),
        (status = 404, description = "The sweep is unknown."),
    ),
)]
pub(super) async fn page(
    State(app): State<App>,
    InPath(path): InPath<OfSweep>,
    _query: NoQuery,
) -> Result<Response, Problem> {
    let folder = app.sweeps().filter(|_| is_name(&path.name));
    let read = blocking(move || {
        let folder = folder?.join(&path.name);
        is_folder(&folder).then(|| read(&folder, "report.html", MAX_FILE).ok())?
    });
    let page = read.await?.ok_or_else(|| {
        let detail = "there is no sweep of this name; /v1/sweeps lists those that there are";
        Problem::new(&Kind::UNKNOWN_SWEEP, detail)
    })?;
    Ok(html(page))
}

/// Reads files without holding up other requests.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "cannot read sweeps");
        Problem::new(&Kind::INTERNAL, "the sweeps cannot be read")
    })
}

/// Returns the sweeps of a folder, by name. A folder without a page and figures is none.
fn sweeps(folder: &Path) -> Vec<SweepView> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<_> = names.filter(|name| is_name(name)).collect();
    names.sort_unstable();
    let view = |name: String| sweep(&folder.join(&name), name);
    names
        .into_iter()
        .filter_map(view)
        .take(MAX_SWEEPS)
        .collect()
}

fn sweep(folder: &Path, name: String) -> Option<SweepView> {
    if !is_folder(folder) || file(folder, "report.html").is_err() {
        return None;
    }
    let summary: Value =
        serde_json::from_slice(&read(folder, "summary.json", MAX_SUMMARY).ok()?).ok()?;
    Some(SweepView {
        scenario: summary["scenario"].as_str()?.to_owned(),
        runs: summary["runs"].as_u64()?,
        // The summary of a single run has no such number.
        of: summary["of"].as_u64()?,
        page: format!("/v1/sweeps/{name}/page"),
        name,
    })
}

/// Returns `true` for a name that is one part of a path, and no hidden one.
fn is_name(name: &str) -> bool {
    let letter = |it: u8| it.is_ascii_alphanumeric() || b"._-".contains(&it);
    (1..=100).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(letter)
}

/// Returns `true` for a folder; a link to one is none.
fn is_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|it| it.is_dir())
}

/// Returns the path of a file of a sweep; a link is an error, and so is a file that is too large.
fn file(folder: &Path, name: &str) -> io::Result<PathBuf> {
    let path = folder.join(name);
    let about = fs::symlink_metadata(&path)?;
    if about.is_file() && about.len() <= MAX_FILE {
        Ok(path)
    } else {
        Err(io::ErrorKind::InvalidInput.into())
    }
}

/// Reads up to a number of bytes of a file of a sweep.
fn read(folder: &Path, name: &str, max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = fs::File::open(file(folder, name)?)?;
    file.take(max).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_name_takes_one_part_of_a_path_alone() {
        for name in ["a", "imdb-1", "A_b.c"] {
            assert!(is_name(name), "{name}");
        }
        let long = "a".repeat(101);
        for name in [
            "", ".", "..", ".git", "a/b", "a\\b", "a b", "ä", "a\0", &long,
        ] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn sweeps_are_folders_with_a_page_and_figures() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, text).expect("written");
        };
        let figures = r#"{"scenario":"lazy","runs":3,"of":4}"#;
        for name in ["b", "a", ".hidden"] {
            write(&format!("{name}/report.html"), "a page");
            write(&format!("{name}/summary.json"), figures);
        }
        write("run/report.html", "the page of a single run");
        write("run/summary.json", r#"{"scenario":"lazy"}"#);
        write("bare/summary.json", figures);
        write("broken/report.html", "a page");
        write("broken/summary.json", "{");
        write("report.html", "a page");
        let found = sweeps(folder.path());
        let names: Vec<_> = found.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!((found[0].runs, found[0].of), (3, 4));
        assert!(sweeps(&folder.path().join("missing")).is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn file_follows_no_link() {
        let folder = tempfile::tempdir().expect("a folder");
        let secret = folder.path().join("secret");
        fs::write(&secret, "a secret").expect("written");
        let sweep = folder.path().join("sweep");
        fs::create_dir(&sweep).expect("a folder");
        std::os::unix::fs::symlink(&secret, sweep.join("report.html")).expect("a link");
        assert!(file(&sweep, "report.html").is_err());
        std::os::unix::fs::symlink(&sweep, folder.path().join("link")).expect("a link");
        assert!(!is_folder(&folder.path().join("link")));
    }
}
