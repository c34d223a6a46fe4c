//! Measures the time from a file of a mixed table to samples.
//!
//! On Linux it is the time on a core, which other processes do not change much.
//! Prints `name<TAB>value<TAB>unit`.

use std::fmt::Write as _;
use std::fs;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use cotrain_learning::data::{Columns, MissingRule, Reading, Source, load};
use cotrain_learning::encode::{encode, suited};

const ROWS: u32 = 100_000;
const TURNS: usize = 5;

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mixed.csv");
    std::fs::write(&path, table()).expect("written");
    let columns = Columns {
        missing_everywhere: MissingRule::Mean,
        ..Columns::default()
    };
    let path = path.to_str().expect("UTF-8");
    let source = Source::chosen(path, None, "class", None, Reading::default(), columns);
    let source = source.expect("a source");
    let mut times: Vec<(f64, f64)> = (0..TURNS)
        .map(|_| {
            let started = now();
            let dataset = load(&source, 0.2, 1).expect("data");
            let read = now() - started;
            let encoded = encode(&dataset, suited(&dataset), None).expect("encoded");
            assert_eq!(encoded.train.len() + encoded.test.len(), ROWS as usize);
            (read, now() - started)
        })
        .collect();
    times.sort_by(|a, b| a.1.total_cmp(&b.1));
    let (read, whole) = times[TURNS / 2];
    print("table_100000_rows_30_columns_read_and_typed", read);
    print("table_100000_rows_30_columns_read_typed_and_encoded", whole);
}

/// Returns the seconds that this thread has spent on a core; elapsed ones if the system does not tell.
fn now() -> f64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let spent = text.split(' ').next().and_then(|it| it.parse().ok());
    spent
        .map_or_else(
            || START.get_or_init(Instant::now).elapsed(),
            Duration::from_nanos,
        )
        .as_secs_f64()
}

// A benchmark's result goes to stdout.
#[allow(clippy::print_stdout)]
fn print(name: &str, seconds: f64) {
    println!("{name}\t{seconds:.3}\tseconds");
}

/// Returns a table of 20 columns of numbers, 6 of categories, 3 of truth values and the class.
/// A hundredth of the numbers and categories are missing.
fn table() -> String {
    let mut text = String::new();
    for (prefix, count) in [("n", 20), ("c", 6), ("b", 3)] {
        for column in 0..count {
            let _ = write!(text, "{prefix}{column},");
        }
    }
    text.push_str("class\n");
    // The constants are those of Numerical Recipes.
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 8
    };
    for _ in 0..ROWS {
        for column in 0..20 {
            let number = f64::from(next() % 100_000) / 100.0 - f64::from(column);
            if next() % 100 > 0 {
                let _ = write!(text, "{number:.2}");
            }
            text.push(',');
        }
        for _ in 0..6 {
            if next() % 100 > 0 {
                let _ = write!(text, "kind {}", next() % 12);
            }
            text.push(',');
        }
        for _ in 0..3 {
            text.push_str(if next() % 2 == 0 { "true," } else { "false," });
        }
        let _ = writeln!(text, "{}", next() % 3);
    }
    text
}
