//! Vectors that are committed: a test compares them with what the inputs give now.

use std::path::Path;
use std::{env, fs};

use serde_json::Value;

/// Compares a file with what the inputs give now, or writes it.
pub(crate) fn check(name: &str, now: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("vectors")
        .join(name);
    if env::var_os("COTRAIN_WRITE_VECTORS").is_some() {
        let text = serde_json::to_string(now).expect("JSON");
        // One model a line: a difference shows, and the file stays small.
        fs::write(&path, text.replace(r#"{"about""#, "\n{\"about\"") + "\n").expect("written");
    }
    let committed = fs::read_to_string(&path).expect("the vectors");
    let committed: Value = serde_json::from_str(&committed).expect("JSON");
    assert_eq!(now, &committed, "{name}: now and as committed");
}
