//! The command line of the watchdogs, under the name `fwatchdog`. Platforms call it before anything is configured.
//!
//! The rules are those of Go's `flag` package: one hyphen or two, optionally `=true` or `=false`, and no flags after a
//! word without a hyphen. All other words belong to bandog's own command line.

use std::{
    ffi::{OsStr, OsString},
    fs,
    io::{self, Write as _},
    process::ExitCode,
};

use jiff::Timestamp;

use super::lock_file;
use crate::platform::Environment;

/// The exit code of a health check that fails.
const UNHEALTHY: u8 = 1;

/// The name of each flag, and the watchdogs' own text about it.
const FLAGS: [(&str, &str); 2] = [
    (
        "run-healthcheck",
        "Check for the a lock-file, when using an exec healthcheck. Exit 0 for present, non-zero when not found.",
    ),
    ("version", "Print the version and exit"),
];

/// The requests that the watchdogs' flags make.
#[derive(Debug, Default, PartialEq, Eq)]
struct Requests {
    healthcheck: bool,
    version: bool,
    help: bool,
}

/// Carries out the watchdogs' flags; `None` if there is none of them, or none that is on.
#[must_use]
pub fn run_flags(arguments: &[OsString], environment: &Environment) -> Option<ExitCode> {
    let requests = requests(arguments.get(1..).unwrap_or_default());
    if requests.help {
        say(&usage(arguments.first().map_or(OsStr::new("fwatchdog"), OsString::as_os_str)));
        return Some(ExitCode::SUCCESS);
    }
    if requests.healthcheck {
        return Some(healthcheck(environment));
    }
    if requests.version {
        let moment = Timestamp::now().strftime("%Y/%m/%d %H:%M:%S");
        say(&format!("{moment} Version: {}\tSHA: unknown\n", env!("CARGO_PKG_VERSION")));
        return Some(ExitCode::SUCCESS);
    }
    None
}

/// Writes a message to standard error, where the watchdogs had it. What cannot be written is dropped: the exit code is what
/// counts.
fn say(message: &str) {
    let _ = io::stderr().write_all(message.as_bytes());
}

fn requests(arguments: &[OsString]) -> Requests {
    let mut requests = Requests::default();
    for argument in arguments {
        // `--help` is bandog's own.
        if argument == "-h" || argument == "-help" {
            requests.help = true;
            break;
        }
        match flag(argument) {
            Some(("run-healthcheck", is_on)) => requests.healthcheck = is_on,
            Some((_, is_on)) => requests.version = is_on,
            None => break,
        }
    }
    requests
}

/// The flag that a word names, and whether it is switched on.
fn flag(argument: &OsStr) -> Option<(&'static str, bool)> {
    let word = argument.to_str()?.strip_prefix('-')?;
    let word = word.strip_prefix('-').unwrap_or(word);
    let (name, value) = word.split_once('=').unwrap_or((word, "true"));
    let (name, _) = FLAGS.into_iter().find(|(known, _)| *known == name)?;
    // The values that Go's strconv.ParseBool reads as true.
    Some((name, matches!(value, "1" | "t" | "T" | "TRUE" | "true" | "True")))
}

/// The command line without the watchdogs' flags at its beginning. All of them are off when this is called.
#[must_use]
pub fn without_flags(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let flags = arguments.iter().skip(1).take_while(|argument| flag(argument).is_some()).count();
    arguments.drain(1.min(arguments.len())..(1 + flags).min(arguments.len()));
    arguments
}

/// A health check without an HTTP client: it looks for the lock file.
fn healthcheck(environment: &Environment) -> ExitCode {
    match fs::metadata(lock_file(environment)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            say("unable to find lock file.\n");
            UNHEALTHY.into()
        }
        // After any other error the file may well be there.
        Ok(_) | Err(_) => ExitCode::SUCCESS,
    }
}

fn usage(name: &OsStr) -> String {
    let flags = FLAGS.map(|(flag, meaning)| format!("  -{flag}\n    \t{meaning}\n")).concat();
    format!("Usage of {}:\n{flags}bandog's own commands and flags work as well; --help shows them.\n", name.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Requests {
        requests(&words.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn one_hyphen_or_two_and_a_value_as_go_has_it() {
        let healthcheck = Requests { healthcheck: true, ..Requests::default() };
        for word in ["-run-healthcheck", "--run-healthcheck", "-run-healthcheck=true", "--run-healthcheck=1"] {
            assert_eq!(read(&[word]), healthcheck, "{word}");
        }
        assert_eq!(read(&["-run-healthcheck=false"]), Requests::default());
        assert!(read(&["-version", "-run-healthcheck"]).healthcheck);
        assert!(read(&["--version"]).version);
        assert!(read(&["-h"]).help && read(&["-help"]).help);
    }

    #[test]
    fn flags_that_are_off_are_no_words_of_bandogs() {
        let words = ["fwatchdog", "-version=false", "--run-healthcheck=0", "serve", "-version=false"];
        let rest = without_flags(words.iter().map(OsString::from).collect());
        assert_eq!(rest, ["fwatchdog", "serve", "-version=false"]);
        assert_eq!(without_flags(vec!["fwatchdog".into()]), ["fwatchdog"]);
        assert_eq!(without_flags(Vec::new()), Vec::<OsString>::new());
    }

    #[test]
    fn bandogs_own_words_are_left_alone() {
        for words in
            [&["serve", "-version"][..], &["--", "-version"], &["--listen", ":0", "-version"], &["--help"], &["-"], &[]]
        {
            assert_eq!(read(words), Requests::default(), "{words:?}");
        }
    }
}
