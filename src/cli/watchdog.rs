//! The command line of the watchdogs, under the name `fwatchdog`: what platforms call before anything is configured.
//!
//! Go's `flag` package reads it: one hyphen or two, `=true` or `=false` behind, and nothing that follows a word
//! without a hyphen. What is none of their flags is bandog's own, and is read as ever.

use std::{
    ffi::{OsStr, OsString},
    fs, io,
    path::Path,
    process::ExitCode,
};

use jiff::Timestamp;

use super::FAILURE;
use crate::config::Environment;

/// What each of their flags is called, and what is said of it.
const FLAGS: [(&str, &str); 2] = [
    (
        "run-healthcheck",
        "Check for the a lock-file, when using an exec healthcheck. Exit 0 for present, non-zero when not found.",
    ),
    ("version", "Print the version and exit"),
];

/// What the watchdogs' own flags ask for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    healthcheck: bool,
    version: bool,
    help: bool,
}

/// Does what the watchdogs' own flags say; `None` if there is none of them, or none that is on.
pub(super) fn flags(arguments: &[OsString], environment: &Environment) -> Option<ExitCode> {
    let asked = asked(arguments.get(1..).unwrap_or_default());
    if asked.help {
        eprint!("{}", usage(arguments.first().map_or(OsStr::new("fwatchdog"), OsString::as_os_str)));
        return Some(ExitCode::SUCCESS);
    }
    if asked.healthcheck {
        return Some(healthcheck(environment));
    }
    if asked.version {
        let moment = Timestamp::now().strftime("%Y/%m/%d %H:%M:%S");
        eprintln!("{moment} Version: {}\tSHA: unknown", env!("CARGO_PKG_VERSION"));
        return Some(ExitCode::SUCCESS);
    }
    None
}

fn asked(arguments: &[OsString]) -> Asked {
    let mut asked = Asked::default();
    for argument in arguments {
        // bandog has a long help of its own.
        if argument == "-h" || argument == "-help" {
            asked.help = true;
            break;
        }
        match flag(argument) {
            Some(("run-healthcheck", is_on)) => asked.healthcheck = is_on,
            Some((_, is_on)) => asked.version = is_on,
            None => break,
        }
    }
    asked
}

/// The watchdogs' flag that a word is, and whether it is switched on.
fn flag(argument: &OsStr) -> Option<(&'static str, bool)> {
    let word = argument.to_str()?.strip_prefix('-')?;
    let word = word.strip_prefix('-').unwrap_or(word);
    let (name, value) = word.split_once('=').unwrap_or((word, "true"));
    let (name, _) = FLAGS.into_iter().find(|(known, _)| *known == name)?;
    // What Go's strconv.ParseBool takes for true.
    Some((name, matches!(value, "1" | "t" | "T" | "TRUE" | "true" | "True")))
}

/// The command line without the watchdogs' flags at its beginning, which are all off then.
pub(super) fn without_flags(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let flags = arguments.iter().skip(1).take_while(|argument| flag(argument).is_some()).count();
    arguments.drain(1.min(arguments.len())..(1 + flags).min(arguments.len()));
    arguments
}

/// The probe of who has no HTTP client: whether the lock file is there.
fn healthcheck(environment: &Environment) -> ExitCode {
    let place = environment.get(OsStr::new("TMPDIR")).filter(|place| !place.is_empty());
    let lock = place.map_or(Path::new("/tmp"), Path::new).join(".lock");
    match fs::metadata(lock) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            eprintln!("unable to find lock file.");
            FAILURE.into()
        }
        // What is there but cannot be looked at is there.
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

    fn read(words: &[&str]) -> Asked {
        asked(&words.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn one_hyphen_or_two_and_a_value_as_go_has_it() {
        let healthcheck = Asked { healthcheck: true, ..Asked::default() };
        for word in ["-run-healthcheck", "--run-healthcheck", "-run-healthcheck=true", "--run-healthcheck=1"] {
            assert_eq!(read(&[word]), healthcheck, "{word}");
        }
        assert_eq!(read(&["-run-healthcheck=false"]), Asked::default());
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
            assert_eq!(read(words), Asked::default(), "{words:?}");
        }
    }
}
