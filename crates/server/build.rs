//! Lists the files of the web page in `web/dist`, which the server embeds.

use std::{env, error::Error, fs, io, path::Path};

/// A file: its path from `web/dist`, with `/` between the parts, and its absolute path.
type Listed = (String, String);

#[allow(
    clippy::print_stdout,
    reason = "cargo reads a build script's instructions from stdout"
)]
fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../web/dist");
    println!("cargo::rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    list(&root, "", &mut files)
        .map_err(|error| format!("cannot list the web page in {}: {error}", root.display()))?;
    files.sort();
    if !files.iter().any(|(name, _)| name == "index.html") {
        return Err(format!(
            "{} has no index.html; check out web/dist, or build the page",
            root.display()
        )
        .into());
    }
    let entries: Vec<String> = files
        .iter()
        .map(|(name, path)| format!("    ({name:?}, include_bytes!({path:?})),\n"))
        .collect();
    let out = Path::new(&env::var("OUT_DIR")?).join("page.rs");
    fs::write(out, format!("&[\n{}]\n", entries.concat()))?;
    Ok(())
}

/// Adds the files below a folder; `prefix` is the folder's path from `web/dist`.
fn list(folder: &Path, prefix: &str, files: &mut Vec<Listed>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let name = entry.file_name().into_string();
        let name =
            name.map_err(|name| io::Error::other(format!("{} is no UTF-8", name.display())))?;
        let name = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            list(&path, &format!("{name}/"), files)?;
        } else {
            files.push((name, path.display().to_string()));
        }
    }
    Ok(())
}
