//! `cotrain completions` and `cotrain man`.

use std::{
    fmt::Write as _,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::{Arg, Args, Command};
use clap_complete::Shell;
use clap_mangen::Man as Page;

use crate::{error::CommandError, output};

const EXAMPLES: &str = "\
Examples:
  cotrain completions bash > ~/.local/share/bash-completion/completions/cotrain
  cotrain completions zsh > ~/.zfunc/_cotrain
  cotrain completions fish > ~/.config/fish/completions/cotrain.fish";

/// Print a script that lets a shell complete commands
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Completions {
    /// Shell to print the script for
    shell: Shell,
}

/// Write the manual pages into a directory
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cotrain man ~/.local/share/man/man1")]
pub(crate) struct Man {
    /// Directory for the pages, created if it does not exist
    directory: PathBuf,
}

/// Prints completions of the program's `command`.
pub(crate) fn completions(arguments: &Completions, command: Command) -> Result<(), CommandError> {
    output::print_raw(&script(arguments.shell, command)?)
}

/// Returns the completion script of a shell.
fn script(shell: Shell, mut command: Command) -> Result<String, CommandError> {
    let positionals = match shell {
        Shell::Fish => positionals_in_fish(&command),
        _ => String::new(),
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "cotrain", &mut script);
    let script = String::from_utf8(script)? + &positionals;
    Ok(script)
}

/// Writes completions of positional arguments for fish. The library writes only those of options.
fn positionals_in_fish(root: &Command) -> String {
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('\'', "\\'");
    let mut script = String::new();
    for command in root.get_subcommands().filter(|it| !it.is_hide_set()) {
        let mut condition = format!("__fish_cotrain_using_subcommand {}", command.get_name());
        let below: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
        if !below.is_empty() {
            let _ = write!(
                condition,
                "; and not __fish_seen_subcommand_from {}",
                below.join(" ")
            );
        }
        let values = command
            .get_positionals()
            .flat_map(Arg::get_possible_values)
            .filter(|value| !value.is_hide_set());
        for value in values {
            let help = value.get_help().map(|help| {
                let help = help.to_string();
                format!(" -d '{}'", quoted(help.lines().next().unwrap_or_default()))
            });
            let _ = writeln!(
                script,
                "complete -c cotrain -n \"{condition}\" -a '{}'{}",
                quoted(value.get_name()),
                help.unwrap_or_default()
            );
        }
    }
    script
}

/// Writes manual pages of the program's `command`.
pub(crate) fn man(arguments: &Man, command: Command) -> Result<(), CommandError> {
    let directory = &arguments.directory;
    let mut command = command.disable_help_subcommand(true);
    command.build();
    fs::create_dir_all(directory)
        .and_then(|()| pages(directory, &command))
        .with_context(|| format!("cannot write manual pages to {}", directory.display()))
        .map_err(CommandError::Mistake)
}

/// Writes the man pages of a command and of its subcommands.
fn pages(directory: &Path, command: &Command) -> io::Result<()> {
    let name = command.get_display_name().unwrap_or(command.get_name());
    fs::write(directory.join(format!("{name}.1")), page(command)?)?;
    command
        .get_subcommands()
        .filter(|below| !below.is_hide_set())
        .try_for_each(|below| pages(directory, below))
}

fn page(command: &Command) -> io::Result<Vec<u8>> {
    let page = Page::new(command.clone());
    let mut written = Vec::new();
    page.render_title(&mut written)?;
    // Text that is copied from a page must be exact, so troff must not hyphenate or stretch lines.
    written.write_all(b".nh\n.ad l\n")?;
    page.render_name_section(&mut written)?;
    written.write_all(synopsis(command).as_bytes())?;
    page.render_description_section(&mut written)?;
    if command
        .get_arguments()
        .any(|argument| !argument.is_hide_set())
    {
        page.render_options_section(&mut written)?;
    }
    if command.has_subcommands() {
        page.render_subcommands_section(&mut written)?;
    }
    let help = command.get_after_long_help().or(command.get_after_help());
    if let Some(help) = help {
        written.write_all(sections(&help.to_string()).as_bytes())?;
    }
    if command.get_version().is_some() {
        page.render_version_section(&mut written)?;
    }
    Ok(written)
}

/// Writes the usage of a command, with every option and its value.
fn synopsis(command: &Command) -> String {
    let name = command.get_bin_name().unwrap_or(command.get_name());
    let mut lines = vec![".SH SYNOPSIS".to_owned(), format!("\\fB{}\\fR", roff(name))];
    let visible = command.get_arguments().filter(|it| !it.is_hide_set());
    let (positional, options): (Vec<&Arg>, Vec<&Arg>) = visible.partition(|it| it.is_positional());
    for argument in options.into_iter().chain(positional) {
        let values: Vec<String> = argument
            .get_value_names()
            .unwrap_or_default()
            .iter()
            .map(|value| format!("\\fI{}\\fR", roff(value)))
            .collect();
        let long = argument
            .get_long()
            .map(|it| format!("\\fB\\-\\-{}\\fR", roff(it)));
        let short = argument.get_short().map(|it| format!("\\fB\\-{it}\\fR"));
        let takes = argument.get_action().takes_values() || argument.is_positional();
        let parts: Vec<String> = long
            .or(short)
            .into_iter()
            .chain(takes.then(|| values.join(" ")))
            .collect();
        let text = parts.join(" ");
        lines.push(if argument.is_required_set() {
            text
        } else {
            format!("[{text}]")
        });
    }
    if command.has_subcommands() {
        lines.push("[\\fICOMMAND\\fR]".to_owned());
    }
    lines.join("\n") + "\n"
}

/// Writes the text below a help. A heading with indented lines becomes a section with its lines
/// unchanged, and paragraphs become notes.
fn sections(help: &str) -> String {
    let mut written = String::new();
    let mut notes = false;
    for block in help.split("\n\n") {
        let (first, rest) = block.split_once('\n').unwrap_or((block, ""));
        if let Some(heading) = first.strip_suffix(':').filter(|_| !rest.is_empty()) {
            let heading = if heading == "Example" {
                "Examples"
            } else {
                heading
            };
            let _ = write!(written, ".SH \"{}\"\n.nf\n", roff(&heading.to_uppercase()));
            for line in rest.lines() {
                let line = line.strip_prefix("  ").unwrap_or(line);
                let _ = writeln!(written, "{}", roff(line));
            }
            written += ".fi\n";
            notes = false;
        } else {
            if !notes {
                written += ".SH NOTES\n";
                notes = true;
            }
            let _ = write!(written, "{}\n.PP\n", roff(&block.replace('\n', " ")));
        }
    }
    written
}

/// Escapes what troff would interpret. Hyphens become the hyphens of a keyboard.
fn roff(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\e")
        .replace('-', "\\-")
        .replace('\'', "\\(aq");
    if escaped.starts_with('.') {
        format!("\\&{escaped}")
    } else {
        escaped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    #[test]
    fn man_writes_pages_with_examples_that_can_be_copied() {
        let folder = tempfile::tempdir().expect("a folder");
        let directory = folder.path().to_owned();
        man(&Man { directory }, parse::command()).expect("written");
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).expect("a page");
        let sweep = read("cotrain-sweep.1");
        assert!(sweep.contains("\n.nh\n"), "{sweep}");
        assert!(
            sweep.contains(".SH \"EXAMPLES\"\n.nf\ncotrain sweep \\-\\-seeds 1..200\n"),
            "{sweep}"
        );
        assert!(sweep.contains("data.features=500,1000\n"), "{sweep}");
        assert!(
            sweep.contains("\\(aqincentive.refund_wait=12 hours,1 day\\(aq"),
            "{sweep}"
        );
        assert!(sweep.contains("[\\fB\\-\\-jobs\\fR \\fIN\\fR]"), "{sweep}");
        assert!(
            sweep.contains(".SH NOTES\nSettings are named by"),
            "{sweep}"
        );
        for page in fs::read_dir(folder.path()).expect("a folder") {
            let page = page.expect("a page").path();
            let text = fs::read_to_string(&page).expect("a page");
            assert!(!text.contains(".SH EXTRA"), "{}", page.display());
            assert!(text.contains(".SH SYNOPSIS"), "{}", page.display());
        }
        assert!(read("cotrain-sweep-merge.1").contains("cotrain sweep merge"));
        assert!(read("cotrain.1").contains(".SH \"EXAMPLES\""));
    }

    #[test]
    fn script_completes_scenarios_and_learners() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = script(shell, parse::command()).expect("UTF-8");
            assert!(script.contains("dense-nearest-centroid"), "{shell}");
            assert!(script.contains("targeted-poisoner"), "{shell}");
        }
        let fish = script(Shell::Fish, parse::command()).expect("UTF-8");
        for condition in [
            "using_subcommand simulate\"",
            "using_subcommand sweep; and not __fish_seen_subcommand_from merge page\"",
        ] {
            let line = format!(
                "complete -c cotrain -n \"__fish_cotrain_{condition} -a 'targeted-poisoner'"
            );
            assert!(fish.contains(&line), "{line}");
        }
    }
}
