//! `bandog man`: the manual page, made of the description of the command line.

use std::{fmt::Write as _, io, process::ExitCode};

use clap::Command;
use clap_mangen::Man;

use super::{exit::print, help};
use crate::config::setting;

pub(super) const EXAMPLES: &str = "Examples:
  bandog man | man -l -
  bandog man > /usr/local/share/man/man1/bandog.1";

/// The commands whose flags are those of the settings, which the page lists once.
const WITH_SETTINGS: [&str; 4] = ["serve", "run", "watch", "check"];

/// Prints the page.
pub(super) fn main() -> ExitCode {
    print(page(super::command()).as_bytes(), 0)
}

fn page(command: Command) -> String {
    let mut root = in_full(command);
    root.build();
    let (examples, synopsis) = (examples(&root), synopsis(&mut root));
    let root = root.after_help(None::<&str>).after_long_help(None::<&str>);
    let commands: Vec<_> = root.get_subcommands().filter(|command| command.get_name() != "help").cloned().collect();
    let man = Man::new(root).manual("User Commands");
    let mut page = rendered(|to| man.render_title(to));
    page.push_str(&rendered(|to| man.render_name_section(to)));
    let _ = write!(page, ".SH SYNOPSIS\n{synopsis}");
    page.push_str(&rendered(|to| man.render_description_section(to)));
    let _ = write!(page, ".SH EXAMPLES\n{examples}.SH COMMANDS\n");
    for command in commands {
        add_command(&mut page, command);
    }
    page.push_str(&rendered(|to| man.render_options_section(to)));
    help::printed(&page)
}

/// The command with all of its flags: the page leaves out those that the short help leaves out.
fn in_full(command: Command) -> Command {
    let shown = |command: Command| command.mut_args(|argument| argument.hide_short_help(false));
    shown(command).mut_subcommands(shown)
}

/// A command as a part of the section of commands: its synopsis, the flags that it does not share, its examples.
fn add_command(page: &mut String, mut command: Command) {
    let (examples, synopsis) = (examples(&command), synopsis(&mut command));
    let name = command.get_name().to_owned();
    let has_settings = WITH_SETTINGS.contains(&name.as_str());
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let command = command.mut_args(|argument| {
        let id = argument.get_id().as_str();
        let is_shared = has_settings && setting::ALL.iter().any(|setting| setting.name == id);
        if is_shared || ["help", "version"].contains(&id) { argument.hide(true) } else { argument.help_heading(None) }
    });
    let _ = write!(page, ".SS \"bandog {name}\"\n{}.\n", escaped(&about));
    if has_settings {
        page.push_str("It takes the flags at the end of this page too.\n");
    }
    page.push_str(&synopsis);
    page.push_str(&rendered(|to| Man::new(command).render_options_section(to)).replace(".SH OPTIONS\n", ""));
    page.push_str(&examples);
}

fn synopsis(command: &mut Command) -> String {
    let usage = command.render_usage().to_string();
    let lines = usage.trim_start_matches("Usage:").lines().map(|line| escaped(line.trim()));
    verbatim(&lines.collect::<Vec<_>>().join("\n"))
}

fn rendered(render: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> String {
    let mut text = Vec::new();
    // Memory takes everything.
    let _ = render(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// The examples, on lines that stay as they are, and the text below them.
fn examples(command: &Command) -> String {
    let text = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    let text = help::printed(&text);
    let (lines, prose) = text.split_once("\n\n").unwrap_or((&text, ""));
    let lines: Vec<_> = lines.lines().filter(|line| *line != "Examples:").map(escaped).collect();
    let mut examples = verbatim(&lines.join("\n"));
    for paragraph in prose.split("\n\n").filter(|paragraph| !paragraph.is_empty()) {
        let lines: Vec<_> = paragraph.lines().map(escaped).collect();
        // A paragraph that begins with a blank, or has a line that does, is more examples.
        let is_prose = lines.iter().all(|line| !line.starts_with(' '));
        let lines = lines.join("\n");
        let paragraph = if is_prose { format!(".PP\n{lines}\n") } else { verbatim(&lines) };
        examples.push_str(&paragraph);
    }
    examples
}

fn verbatim(lines: &str) -> String {
    format!(".PP\n.nf\n{lines}\n.fi\n")
}

/// A line of text as a line of roff.
fn escaped(line: impl AsRef<str>) -> String {
    let line = line.as_ref().replace('\\', "\\e").replace('-', "\\-");
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_every_command_and_every_flag_once() {
        let page = page(crate::cli::command());
        assert!(page.contains(".TH bandog 1"), "{page}");
        for command in crate::cli::command().get_subcommands() {
            assert!(page.contains(&format!(".SS \"bandog {}\"", command.get_name())), "{page}");
        }
        for setting in setting::ALL {
            let flag = format!("\\fB\\-\\-{}\\fR", setting.name.replace('-', "\\-"));
            let found = page.lines().filter(|line| line.starts_with(&flag)).count();
            // The probe has an address, and the list of actions a file of its own.
            let own = usize::from(["listen", "actions", "actions-lenient", "ca-file"].contains(&setting.name));
            assert_eq!(found, 1 + own, "{flag}: {page}");
        }
        assert!(!page.contains('\u{a0}') && page.contains("bandog \\-\\-listen :9000 \\-\\- tesseract"), "{page}");
    }
}
