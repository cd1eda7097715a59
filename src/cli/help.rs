//! The help: `-h` is the short form, with the flags that most users change, and `--help` the whole.

use std::ffi::OsString;

use clap::Command;

use crate::config::setting::{self, Setting};

/// A space at which clap breaks no line. [`printed`] makes a plain one of it.
const FIXED_SPACE: char = '\u{a0}';

/// How many examples the short form has.
const SHORT_EXAMPLES: usize = 3;

/// The flags of single commands that `--help` alone lists.
const RARE: [(&str, &str); 2] = [("run", "content_type"), ("call", "ca_file")];

/// Gives the command and its subcommands both forms of help.
pub(super) fn shaped(command: Command) -> Command {
    with_both_forms(command).mut_subcommands(with_both_forms)
}

/// Whether the arguments ask for the short form.
pub(super) fn is_short(arguments: &[OsString]) -> bool {
    arguments.iter().take_while(|argument| *argument != "--").any(|argument| argument == "-h")
}

/// The command with its flags in one list. The short form has too few of them for a heading for each group.
pub(super) fn without_headings(command: Command) -> Command {
    let plain = |command: Command| command.mut_args(|argument| argument.help_heading(None::<&str>));
    plain(command).mut_subcommands(plain)
}

/// The text of clap, as it goes to a terminal.
pub(super) fn printed(text: &str) -> String {
    text.replace(FIXED_SPACE, " ")
}

fn with_both_forms(command: Command) -> Command {
    let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let name = command.get_name().to_owned();
    let has_settings = command.get_arguments().any(|argument| argument.get_id() == setting::MODE.name);
    let command = command.mut_args(|argument| {
        let id = argument.get_id().as_str();
        let is_rare = RARE.contains(&(&name, id));
        let setting = setting::ALL.iter().find(|setting| has_settings && setting.name == id);
        let is_unused = setting.is_some_and(|setting| setting.server_only && name == "run");
        let is_unusual = setting.is_some_and(|setting| !is_usual(setting));
        argument.hide(is_unused).hide_short_help(is_rare || is_unusual)
    });
    command.after_help(fixed(&beginning(&examples))).after_long_help(fixed(&examples))
}

fn is_usual(setting: &Setting) -> bool {
    setting::USUAL.iter().any(|usual| usual.name == setting.name)
}

/// The first examples, without the text that follows them.
fn beginning(examples: &str) -> String {
    let mut count = 0;
    let is_example = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
    let lines = examples.lines().take_while(|line| {
        count += usize::from(is_example(line));
        !line.is_empty() && count <= SHORT_EXAMPLES
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The text with every example on its line, however narrow the terminal is; paragraphs are broken where clap likes.
fn fixed(text: &str) -> String {
    let mut fixed = String::new();
    let mut in_paragraph = false;
    for line in text.lines() {
        let is_prose = !line.is_empty() && !line.starts_with(' ') && !line.ends_with(':');
        if !fixed.is_empty() {
            fixed.push(if in_paragraph && is_prose { ' ' } else { '\n' });
        }
        if is_prose {
            fixed.push_str(line);
        } else {
            fixed.extend(line.chars().map(|letter| if letter == ' ' { FIXED_SPACE } else { letter }));
        }
        in_paragraph = is_prose;
    }
    fixed
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Examples:
  bandog a                        one
  bandog b --a-long-flag
                                  two
  bandog c   '{\"a\": 1}'
  bandog d

A paragraph
of two lines.";

    #[test]
    fn an_example_keeps_its_line_and_its_blanks_and_a_paragraph_is_one_line() {
        let fixed = fixed(TEXT);
        assert!(!fixed.lines().take(6).any(|line| line.contains(' ')), "{fixed:?}");
        assert_eq!(fixed.lines().last(), Some("A paragraph of two lines."));
        assert_eq!(printed(&fixed), TEXT.replace("A paragraph\nof", "A paragraph of"));
    }

    #[test]
    fn the_short_form_has_three_examples() {
        assert_eq!(beginning(TEXT), TEXT.split("\n  bandog d").next().expect("the beginning"));
        assert_eq!(beginning("Examples:\n  one\n\nMore."), "Examples:\n  one");
    }

    #[test]
    fn the_short_form_is_asked_for_before_the_command_of_the_function() {
        let asked = |words: &[&str]| is_short(&words.iter().map(OsString::from).collect::<Vec<_>>());
        assert!(asked(&["bandog", "run", "-h"]));
        assert!(!asked(&["bandog", "run", "--help"]) && !asked(&["bandog", "--", "df", "-h"]));
    }
}
