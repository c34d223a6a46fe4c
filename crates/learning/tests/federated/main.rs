//! Vectors of federated rounds for other implementations, and tests of training.
//!
//! With the variable `COTRAIN_WRITE_VECTORS` the tests write the vectors.

mod attacks;
mod laboratory;
mod rules;
mod training;

use std::path::Path;
use std::{env, fs};

use serde_json::Value;

/// Compares a file with what the inputs give now, or writes it.
fn check(name: &str, now: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("vectors")
        .join(name);
    if env::var_os("COTRAIN_WRITE_VECTORS").is_some() {
        let text = serde_json::to_string(now).expect("JSON");
        fs::write(&path, text.replace(r#"{"about""#, "\n{\"about\"") + "\n").expect("written");
    }
    let committed = fs::read_to_string(&path).expect("the vectors");
    let committed: Value = serde_json::from_str(&committed).expect("JSON");
    assert_eq!(now, &committed, "{name}: now and as committed");
}
