//! `bandog completions`: the script by which a shell completes command lines.

use std::process::ExitCode;

use clap_complete::Shell;

pub(super) const EXAMPLES: &str = "Examples:
  bandog completions bash > /etc/bash_completion.d/bandog
  bandog completions zsh > \"${fpath[1]}/_bandog\"
  bandog completions fish > ~/.config/fish/completions/bandog.fish";

/// The flags of `bandog completions`.
#[derive(Debug, clap::Args)]
pub struct CompletionsFlags {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: Shell,
}

/// Prints the script.
pub(super) fn main(flags: &CompletionsFlags) -> ExitCode {
    // Into memory first: the generator panics if its writer fails, which a closed pipe makes it do.
    let mut script = Vec::new();
    clap_complete::generate(flags.shell, &mut super::command(), "bandog", &mut script);
    super::exit::print(&script, 0)
}
