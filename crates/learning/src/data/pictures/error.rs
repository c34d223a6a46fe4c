use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::pictures::{Form, FormError, PictureError};

/// Reason why pictures cannot be read as data.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FolderError {
    /// A folder or a file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// Path of the folder or the file.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// There are too many pixels.
    #[error(
        "the {rows} pictures of `{}` with {pixels} pixels each are more than {max} numbers; take smaller ones, or fewer",
        path.display()
    )]
    TooManyPixels {
        /// Path of the folder.
        path: PathBuf,
        /// Number of pictures.
        rows: usize,
        /// Number of pixels of a picture, as the model takes it.
        pixels: usize,
        /// Maximum number of pixels of all pictures.
        max: usize,
    },
    /// An option for pictures is given for data of another sort.
    #[error("{option} is for a folder of pictures; leave it out for `{}`", path.display())]
    NotForPictures {
        /// Path of the data.
        path: PathBuf,
        /// Option that the user gave.
        option: &'static str,
    },
    /// Pictures cannot have the form that is chosen.
    #[error(transparent)]
    Form(#[from] FormError),
    /// A picture cannot be read.
    #[error("cannot read `{}` as a picture", path.display())]
    Picture {
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        source: PictureError,
    },
    /// Some pictures of a folder cannot be read.
    #[error("`{}` has {total} {} that cannot be read; correct or remove {}:{}",
        path.display(),
        if *total == 1 { "picture" } else { "pictures" },
        if *total == 1 { "it" } else { "them" },
        list(damaged, *total))]
    Damaged {
        /// Path of the folder.
        path: PathBuf,
        /// First damaged pictures, each with its fault.
        damaged: Vec<String>,
        /// Number of damaged pictures.
        total: usize,
    },
    /// A folder has no pictures.
    #[error("`{}` has no pictures; expected files that end in .png, .jpg or .jpeg", path.display())]
    NoPictures {
        /// Path of the folder.
        path: PathBuf,
    },
    /// A folder has no pictures in folders of their classes.
    #[error(
        "`{}` has no labeled pictures; expected a folder a class, such as `{}`, with files that end in .png, .jpg or .jpeg",
        path.display(), path.join("cat").display()
    )]
    NoClasses {
        /// Path of the folder.
        path: PathBuf,
    },
    /// The folder of a class has a name that is no text.
    #[error("the name of the folder `{}` is not UTF-8, so it names no class; rename it", path.display())]
    ClassNotUtf8 {
        /// Path of the folder.
        path: PathBuf,
    },
    /// The data has pictures, and the model did not learn from pictures.
    #[error("`{}` has pictures, but the model learned from a table; give it a table with its columns", path.display())]
    NoPictureModel {
        /// Path of the folder.
        path: PathBuf,
    },
    /// The pictures are of another form than the model's.
    #[error("`{}` has pictures of {found}, but the model takes {wanted}; give it other pictures", path.display())]
    OtherPictures {
        /// Path of the data.
        path: PathBuf,
        /// Form of the data's pictures.
        found: Form,
        /// Form of the model's pictures.
        wanted: Form,
    },
}

/// Returns the first damaged pictures, each in a line, and how many more there are.
fn list(damaged: &[String], total: usize) -> String {
    let mut lines: Vec<String> = damaged.iter().map(|it| format!("\n  {it}")).collect();
    if let Some(more @ 1..) = total.checked_sub(damaged.len()) {
        lines.push(format!("\n  and {more} more"));
    }
    lines.concat()
}
