//! Presentation of a sweep: terminal, page and JSON.

mod format;
mod page;
mod summary;

pub use self::{page::html, summary::Summary};
