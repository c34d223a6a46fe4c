//! Presentation of a sweep: terminal, page, JSON and the files in its folder.

mod files;
mod format;
mod page;
mod summary;

pub use self::{
    files::{Runs, Written, write},
    summary::Summary,
};
