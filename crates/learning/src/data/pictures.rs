mod error;

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use ndarray::Array2;

use super::part::Inputs;
use super::{MAX_NUMBERS, ModelInputs, Raw, Source, file};
use crate::pictures::{Form, Grey, MAX_FILE, MAX_PIXELS, PictureError, is_named_as_picture};
use crate::text::escaped;

pub use error::FolderError;

/// Maximum number of damaged pictures that an error names.
const MAX_NAMED: usize = 10;

/// Files and folders that are no labeled pictures, so that they are not read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Number of files and folders whose names begin with a dot.
    pub hidden: usize,
    /// Number of other files that are no .png, .jpg or .jpeg.
    pub others: usize,
    /// Number of pictures beside the folders of classes, and of folders in these.
    pub misplaced: usize,
    /// Number of folders of a class without pictures.
    pub empty: usize,
}

impl LeftOut {
    /// Returns `true` if everything is read.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for LeftOut {
    /// Writes the numbers that are not 0, such as `hidden: 2; folders without pictures: 1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.hidden, "hidden"),
            (self.others, "neither .png, .jpg nor .jpeg"),
            (self.misplaced, "not directly in the folder of a class"),
            (self.empty, "folders without pictures"),
        ];
        let parts = parts.into_iter().filter(|(count, _)| *count > 0);
        let parts: Vec<_> = parts
            .map(|(count, what)| format!("{what}: {count}"))
            .collect();
        f.write_str(&parts.join("; "))
    }
}

/// Picture that a folder has, and its class.
struct Labeled {
    path: PathBuf,
    class: String,
}

/// Reads a folder of pictures, each in a folder of its class, in the order of their names.
pub(super) fn read(folder: &Path, form: Form) -> Result<Raw, FolderError> {
    let (all, _) = list(folder)?;
    let rows = levels(folder, form, all.iter().map(|it| it.path.as_path()))?;
    Ok(Raw {
        path: folder.to_owned(),
        inputs: Inputs::Numbers(rows),
        lines: (1..).take(all.len()).collect(),
        labels: all.into_iter().map(|it| it.class).collect(),
    })
}

/// Reads pictures as rows of levels, one for each, with `folder` in errors.
fn levels<'a>(
    folder: &Path,
    form: Form,
    all: impl ExactSizeIterator<Item = &'a Path>,
) -> Result<Array2<f64>, FolderError> {
    let (rows, features) = (all.len(), form.pixels());
    if rows.saturating_mul(features) > MAX_NUMBERS {
        return Err(FolderError::TooManyPixels {
            path: folder.to_owned(),
            rows,
            pixels: features,
            max: MAX_NUMBERS,
        });
    }
    let mut numbers = Vec::with_capacity(rows * features);
    let (mut damaged, mut total) = (Vec::new(), 0);
    for path in all {
        match one(path)? {
            Ok(grey) => numbers.extend(form.apply(&grey)),
            Err(error) => {
                total += 1;
                if damaged.len() < MAX_NAMED {
                    let name = path.strip_prefix(folder).unwrap_or(path).display();
                    damaged.push(format!("{}: {error}", escaped(&name.to_string())));
                }
            }
        }
    }
    if total > 0 {
        return Err(FolderError::Damaged {
            path: folder.to_owned(),
            damaged,
            total,
        });
    }
    // Each picture has as many levels as there are features.
    Ok(Array2::from_shape_vec((rows, features), numbers).unwrap_or_default())
}

/// Reads one picture. The inner error is the picture's own fault.
fn one(path: &Path) -> Result<Result<Grey, PictureError>, FolderError> {
    let bytes = File::open(path).and_then(|it| file::limited(it, MAX_FILE));
    let bytes = bytes.map_err(|source| not_read(path, source))?;
    Ok(match bytes {
        Some(bytes) => Grey::read(&bytes, MAX_PIXELS),
        None => Err(PictureError::File),
    })
}

/// Reads a file with one picture as a row of levels.
///
/// # Errors
/// [`FolderError`].
pub fn picture(path: &Path, form: Form) -> Result<Vec<f64>, FolderError> {
    let grey = one(path)?.map_err(|source| FolderError::Picture {
        path: path.to_owned(),
        source,
    })?;
    Ok(form.apply(&grey))
}

/// Reads all pictures in a folder and in the folders below it, in the order of their paths, as rows
/// of levels. It leaves out what is hidden, and follows no links to folders.
///
/// # Errors
/// [`FolderError`]: if a folder or a picture cannot be read, or there is none.
pub fn pictures(folder: &Path, form: Form) -> Result<Vec<(PathBuf, Vec<f64>)>, FolderError> {
    let mut paths = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in entries(&next)? {
            match entry {
                Entry::Folder(path, is_link) if !is_link => folders.push(path),
                Entry::File(path) if is_named_as_picture(&path) => paths.push(path),
                _ => {}
            }
        }
    }
    paths.sort();
    if paths.is_empty() {
        return Err(FolderError::NoPictures {
            path: folder.to_owned(),
        });
    }
    let rows = levels(folder, form, paths.iter().map(PathBuf::as_path))?;
    let rows = rows.rows().into_iter().map(|row| row.to_vec());
    Ok(paths.into_iter().zip(rows).collect())
}

/// Returns what of a folder is not read as labeled pictures.
fn left_out(folder: &Path) -> Result<LeftOut, FolderError> {
    list(folder).map(|(_, left_out)| left_out)
}

/// Lists the pictures of a folder by class and name.
fn list(folder: &Path) -> Result<(Vec<Labeled>, LeftOut), FolderError> {
    let (mut all, mut left_out) = (Vec::new(), LeftOut::default());
    for entry in entries(folder)? {
        match entry {
            Entry::Hidden => left_out.hidden += 1,
            Entry::File(path) if is_named_as_picture(&path) => left_out.misplaced += 1,
            Entry::File(_) => left_out.others += 1,
            Entry::Folder(path, _) => {
                let class = class_of(&path)?;
                let before = all.len();
                for entry in entries(&path)? {
                    match entry {
                        Entry::Hidden => left_out.hidden += 1,
                        Entry::Folder(..) => left_out.misplaced += 1,
                        Entry::File(path) if is_named_as_picture(&path) => all.push(Labeled {
                            path,
                            class: class.clone(),
                        }),
                        Entry::File(_) => left_out.others += 1,
                    }
                }
                left_out.empty += usize::from(all.len() == before);
            }
        }
    }
    if all.is_empty() {
        return Err(FolderError::NoClasses {
            path: folder.to_owned(),
        });
    }
    Ok((all, left_out))
}

/// Returns the name of a folder, which is that of its class.
fn class_of(folder: &Path) -> Result<String, FolderError> {
    let name = folder.file_name().unwrap_or_default();
    let name = name.to_str().ok_or_else(|| FolderError::ClassNotUtf8 {
        path: folder.to_owned(),
    })?;
    Ok(name.to_owned())
}

/// Entry of a folder.
enum Entry {
    /// A name that begins with a dot.
    Hidden,
    File(PathBuf),
    /// A folder, with `true` if it is a link to one.
    Folder(PathBuf, bool),
}

/// Returns the entries of a folder in the order of their names.
fn entries(folder: &Path) -> Result<Vec<Entry>, FolderError> {
    let listed = || -> io::Result<Vec<(PathBuf, Entry)>> {
        let entry = |entry: io::Result<fs::DirEntry>| {
            let entry = entry?;
            let path = entry.path();
            // A link to nothing counts as a file, whose reading fails.
            let kind = if entry.file_name().as_encoded_bytes().starts_with(b".") {
                Entry::Hidden
            } else if fs::metadata(&path).is_ok_and(|it| it.is_dir()) {
                Entry::Folder(path.clone(), entry.file_type()?.is_symlink())
            } else {
                Entry::File(path.clone())
            };
            Ok((path, kind))
        };
        fs::read_dir(folder)?.map(entry).collect()
    };
    let mut listed = listed().map_err(|source| not_read(folder, source))?;
    listed.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(listed.into_iter().map(|(_, entry)| entry).collect())
}

fn not_read(path: &Path, source: io::Error) -> FolderError {
    FolderError::Read {
        path: path.to_owned(),
        source,
    }
}

impl Source {
    /// Returns this source with pictures in another form than the default; `option` chose it.
    ///
    /// # Errors
    /// [`FolderError::NotForPictures`] if the source is no folder of pictures.
    pub fn with_form(mut self, chosen: Form, option: &'static str) -> Result<Self, FolderError> {
        let path = match &mut self {
            Self::Pictures { form, .. } => {
                *form = chosen;
                return Ok(self);
            }
            Self::MovieReviews => PathBuf::from("movie-reviews"),
            Self::Digits => PathBuf::from("digits"),
            Self::Table { train, .. } | Self::Libsvm { train, .. } => train.clone(),
            Self::Content { content, .. } => content.name.clone(),
        };
        Err(FolderError::NotForPictures { path, option })
    }

    /// Returns what of the folders of pictures is not read, each with its folder. It is empty for
    /// other sources, and if everything is read.
    ///
    /// # Errors
    /// If a folder cannot be read, or has no pictures.
    pub fn left_out(&self) -> Result<Vec<(PathBuf, LeftOut)>, FolderError> {
        let Self::Pictures { train, test, .. } = self else {
            return Ok(Vec::new());
        };
        let mut all = Vec::new();
        for folder in std::iter::once(train).chain(test) {
            let left_out = left_out(folder)?;
            if !left_out.is_nothing() {
                all.push((folder.clone(), left_out));
            }
        }
        Ok(all)
    }
}

/// Returns the form in which a folder of pictures is read for a model, if there is one.
pub(super) fn form_of_folder(
    folder: &Path,
    chosen: Form,
    model: ModelInputs<'_>,
) -> Result<Form, FolderError> {
    match (model.pictures, model.columns) {
        (Some(form), _) => Ok(form),
        (None, None) => Ok(chosen),
        (None, Some(_)) => Err(FolderError::NoPictureModel {
            path: folder.to_owned(),
        }),
    }
}

/// Checks that a model of pictures takes those of a form. Returns the form, or `None` if the model
/// takes a table of pixels.
pub(super) fn form_for(
    path: &Path,
    found: Form,
    model: ModelInputs<'_>,
) -> Result<Option<Form>, FolderError> {
    match model.pictures {
        Some(wanted) if wanted != found => Err(FolderError::OtherPictures {
            path: path.to_owned(),
            found,
            wanted,
        }),
        None if model.columns.is_some() => Ok(None),
        _ => Ok(Some(found)),
    }
}
