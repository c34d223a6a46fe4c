//! Options with which a model was deployed, as on the command line.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
};

use clap::{Args, Parser, parser::ValueSource};

use super::plan::ModelOptions;

/// The options of a model by their names, such as `--initial`, each with its typed or default
/// value.
pub(crate) type Options = BTreeMap<String, String>;

/// Returns the options of a model from the program's arguments, and the names of the typed ones.
/// `name` is the called subcommand, and `C` its arguments.
pub(crate) fn typed<C: Args>(name: &'static str) -> (Options, BTreeSet<String>) {
    let mut options = Options::new();
    let mut typed = BTreeSet::new();
    // The program has parsed these arguments before, so parsing them again succeeds.
    let called = clap::Command::new("").subcommand(C::augment_args(clap::Command::new(name)));
    let Ok(matches) = called.try_get_matches_from(env::args_os()) else {
        return (options, typed);
    };
    let Some(matches) = matches.subcommand_matches(name) else {
        return (options, typed);
    };
    for argument in ModelOptions::augment_args(clap::Command::new("")).get_arguments() {
        let id = argument.get_id().as_str();
        let (Some(long), Ok(Some(values))) = (argument.get_long(), matches.try_get_raw(id)) else {
            continue;
        };
        let values: Vec<_> = values.map(|value| value.to_string_lossy()).collect();
        let name = format!("--{long}");
        if matches.value_source(id) == Some(ValueSource::CommandLine) {
            typed.insert(name.clone());
        }
        options.insert(name, values.join(","));
    }
    // The absolute path means the same file in every directory.
    for name in ["--data", "--test"] {
        if let Some(value) = options.get_mut(name)
            && let Ok(path) = fs::canonicalize(&*value)
        {
            *value = path.to_string_lossy().into_owned();
        }
    }
    (options, typed)
}

/// Returns the differences, one line each: `--initial was 0.5, now 0.8`.
pub(crate) fn differences<'a>(
    before: &'a Options,
    now: &'a Options,
) -> impl Iterator<Item = String> + 'a {
    let names: BTreeSet<_> = before.keys().chain(now.keys()).collect();
    names.into_iter().filter_map(|name| {
        let (was, is) = (before.get(name), now.get(name));
        let shown = |value: Option<&String>| value.map_or("not given", String::as_str).to_owned();
        (was != is).then(|| format!("{name} was {}, now {}", shown(was), shown(is)))
    })
}

/// Returns the options of a model from their texts; `None` if this version cannot read them.
pub(crate) fn read(options: &Options) -> Option<ModelOptions> {
    #[derive(Parser)]
    struct Alone {
        #[command(flatten)]
        model: ModelOptions,
    }
    let command = ModelOptions::augment_args(clap::Command::new(""));
    let flags: BTreeSet<String> = command
        .get_arguments()
        .filter(|argument| !argument.get_action().takes_values())
        .filter_map(|argument| Some(format!("--{}", argument.get_long()?)))
        .collect();
    let flag = |name: &str| options.get(name).map(String::as_str) == Some("true");
    let mut arguments = vec!["cotrain".to_owned()];
    for (name, value) in options {
        match value.as_str() {
            "true" if flags.contains(name) => arguments.push(name.clone()),
            _ if flags.contains(name) => {}
            // The two options exclude each other.
            _ if name == "--cost-weight" && flag("--points") => {}
            _ => arguments.push(format!("{name}={value}")),
        }
    }
    Alone::try_parse_from(arguments).ok().map(|read| read.model)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(pairs: &[(&str, &str)]) -> Options {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn read_parses_model_options_and_no_unknown_ones() {
        let some = options(&[
            ("--refund-wait", "5s"),
            ("--points", "true"),
            ("--cost-weight", "1000gwei"),
            ("--name", "--odd = name"),
        ]);
        let model = read(&some).expect("read");
        assert!(model.points);
        assert_eq!(model.refund_wait.as_secs(), 5);
        assert_eq!(model.initial.name, "--odd = name");
        assert!(read(&options(&[("--no-such", "1")])).is_none());
        // A name may be any text.
        for name in ["true", "false"] {
            let model = read(&options(&[("--name", name), ("--points", "false")])).expect("read");
            assert_eq!((model.initial.name.as_str(), model.points), (name, false));
        }
    }

    #[test]
    fn differences_names_each_option_with_both_values() {
        let before = options(&[("--initial", "0.5"), ("--name", "a")]);
        let now = options(&[("--initial", "0.8"), ("--name", "a"), ("--test", "t.csv")]);
        let lines: Vec<_> = differences(&before, &now).collect();
        assert_eq!(
            lines,
            [
                "--initial was 0.5, now 0.8",
                "--test was not given, now t.csv"
            ]
        );
    }
}
