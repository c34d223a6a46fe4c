//! Pictures as samples: PNG and JPEG files become rows of grey pixels of one size.

mod decode;
mod form;

pub use decode::{Grey, MAX_FILE, MAX_PIXELS, PictureError, is_named_as_picture};
pub use form::{Form, FormError, Size};
