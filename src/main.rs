//! The `bandog` binary: see the library's page for the map.

use std::process::ExitCode;

fn main() -> ExitCode {
    bandog::process::reset_inherited_state();
    bandog::cli::main(std::env::args_os().collect(), &std::env::vars_os().collect())
}
