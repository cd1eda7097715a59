//! `bandog completions`: the script by which a shell completes command lines.

use std::process::ExitCode;

use clap::{Command, builder::PossibleValuesParser};
use clap_complete::Shell;

use crate::config::setting;

pub(super) const EXAMPLES: &str = "Examples:
  bandog completions bash > /etc/bash_completion.d/bandog
  bandog completions zsh > \"${fpath[1]}/_bandog\"
  bandog completions fish > ~/.config/fish/completions/bandog.fish

The values of flags such as --mode are completed too, and after bandog run the names of the actions of an oms.yml in the
current directory (bash, zsh, fish).";

/// The flags of `bandog completions`.
#[derive(Debug, clap::Args)]
pub struct CompletionsFlags {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: Shell,
}

/// Completes the names of actions after `bandog run`, or files; the rest by the function that is generated.
const BASH: &str = r#"
_bandog_or_action() {
    _bandog "$@"
    if [[ "${COMP_WORDS[1]}" == run && "$2" != -* && "$3" != -* ]]; then
        COMPREPLY=( $(compgen -W "$("$1" actions --format names 2>/dev/null)" -- "$2") $(compgen -f -- "$2") )
    fi
}
complete -F _bandog_or_action -o bashdefault -o default bandog
"#;

const FISH: &str = r#"
complete -c bandog -n "__fish_bandog_using_subcommand run" -a "(bandog actions --format names 2>/dev/null)" -d action
"#;

/// Defined before the line that registers the completions, or calls them.
const ZSH: &str = r#"
_bandog_actions() {
    local -a names
    names=(${(f)"$(bandog actions --format names 2>/dev/null)"})
    _alternative "actions:action:compadd -a names" "files:script:_files"
}
"#;

/// The block of `bandog run` in the script for zsh, and the next one.
const ZSH_RUN: (&str, &str) = ("\n(run)\n", "\n;;\n");

/// Prints the script.
pub(super) fn main(flags: &CompletionsFlags) -> ExitCode {
    super::exit::print(script(flags.shell).as_bytes(), 0)
}

fn script(shell: Shell) -> String {
    // Into memory first: the generator panics if its writer fails, which a closed pipe makes it do.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut with_values(super::command()), "bandog", &mut script);
    let mut script = String::from_utf8_lossy(&script).into_owned();
    match shell {
        Shell::Bash => script.push_str(BASH),
        Shell::Fish => script.push_str(FISH),
        Shell::Zsh => script = with_actions(&script),
        _ => {}
    }
    script
}

/// The command with the values of its flags. The parser itself accepts any text, and reports a mistake with all others.
fn with_values(command: Command) -> Command {
    fn of_flags(command: Command) -> Command {
        command.mut_args(|argument| {
            let setting = setting::ALL.iter().find(|setting| setting.name == argument.get_id().as_str());
            match setting.map(|setting| setting.choices) {
                None | Some([]) => argument,
                Some(choices) => argument.value_parser(PossibleValuesParser::new(choices)),
            }
        })
    }
    of_flags(command).mut_subcommands(of_flags)
}

/// The script for zsh with the names of actions in the place of a script of `bandog run`.
fn with_actions(script: &str) -> String {
    let (begin, end) = ZSH_RUN;
    let whole = script.split_once(begin).and_then(|(before, rest)| {
        let (block, after) = rest.split_once(end)?;
        let line = block.lines().find(|line| line.starts_with("'::SCRIPT "))?;
        let block = block.replace(line, &line.replace(":_files'", ":_bandog_actions'"));
        Some(format!("{before}{begin}{block}{end}{after}"))
    });
    let whole = whole.unwrap_or_else(|| script.to_owned());
    match whole.split_once('\n') {
        Some((first, rest)) => format!("{first}\n{ZSH}{rest}"),
        None => whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_for_zsh_completes_actions_in_one_place() {
        let script = script(Shell::Zsh);
        assert!(script.starts_with("#compdef bandog\n"), "{script}");
        assert_eq!(script.matches(":_bandog_actions'").count(), 1);
        let (_, run) = script.split_once("\n(run)\n").expect("a block");
        assert!(run.split("\n;;\n").next().is_some_and(|block| block.contains(":_bandog_actions'")));
        assert!(script.contains("]:M:(files stdio streaming http static)'"), "{script}");
    }

    #[test]
    fn the_script_for_fish_has_values_and_actions() {
        let script = script(Shell::Fish);
        let mode =
            script.lines().find(|line| line.contains("subcommand run") && line.contains("-l mode")).expect("a line");
        assert!(
            ["files", "stdio", "streaming"].iter().all(|value| mode.contains(value)) || script.contains("streaming\\t")
        );
        assert!(script.contains("actions --format names"));
    }
}
