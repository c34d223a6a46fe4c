//! The command line of cotrain.
fn main() {}
