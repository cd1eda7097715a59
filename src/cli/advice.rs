//! Advice on command lines that look like those of other programs.

use std::{
    ffi::{OsStr, OsString},
    path::Path,
};

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// The names of the commands.
const COMMANDS: [&str; 12] =
    ["serve", "run", "watch", "call", "check", "actions", "health", "install", "init", "completions", "man", "help"];

/// Flags of other programs → how bandog spells it.
const FOREIGN_FLAGS: [(&[&str], &str); 15] = [
    (&["--port", "-p"], "the port is a part of the address: --listen :8080"),
    (&["--host", "--bind", "--address", "--addr"], "the address is --listen, as in --listen 127.0.0.1:8080"),
    (
        &["-d", "--daemon", "--detach", "--background", "-b"],
        "bandog stays in the foreground; leave the rest to the shell (bandog … &), systemd or docker run -d",
    ),
    (&["-v", "--verbose", "--debug"], "the log says more with --log-level DEBUG"),
    (&["-q", "--quiet", "--silent", "-s"], "the log says less with --log-level ERROR"),
    (&["-V"], "the version is --version"),
    (&["--timeout"], "the time that the function may take is --exec-timeout, as in --exec-timeout 5m"),
    (
        &["--workers", "--threads", "--concurrency", "--parallel", "-j", "-w"],
        "how many invocations run at once is --max-inflight, as in --max-inflight 4",
    ),
    (&["--memory", "-m"], "the memory that the function may use is --max-memory, as in --max-memory 512MiB"),
    (&["--env", "-e"], "the function inherits the environment: NAME=VALUE bandog …"),
    (
        &["--tls", "--ssl", "--cert", "--key", "--tls-cert", "--tls-key", "--certfile", "--keyfile"],
        "bandog serves plain HTTP; a proxy or gateway in front of it has the certificate",
    ),
    (&["--cors", "--cors-origin"], "bandog sends no CORS headers; a gateway in front of it can add them"),
    (
        &["--api-key", "--password", "--secret", "--auth", "--basic-auth"],
        "callers are let in by a token: --token-file, or the variable BANDOG_TOKEN",
    ),
    (
        &["--dir", "--directory", "--root", "--public"],
        "the files of a directory are served by bandog --mode static DIR",
    ),
    (&["-c", "--command"], "a command comes after --: bandog -- COMMAND ARG…, and with a shell: bandog -- sh -c '…'"),
];

/// Flags of other clients → how `bandog call` spells it.
const FOREIGN_CLIENT_FLAGS: [(&[&str], &str); 6] = [
    (&["-d", "--data", "--data-binary", "--data-raw", "-F", "--form"], "the input is -i TEXT, or -f FILE"),
    (&["-H"], "a header is --header NAME:VALUE"),
    (&["-X", "--request"], "bandog call sends a POST; for other methods use curl"),
    (&["-k", "--insecure", "--cacert"], "a server with a certificate of a private authority needs --ca-file"),
    (&["-u", "--user"], "callers are let in by a token: --token, or the variable BANDOG_TOKEN"),
    (&["-m", "--max-time"], "the time that the call may take is --timeout, as in --timeout 30s"),
];

/// The letters of two words that may differ: one in three.
const MOST_WRONG: usize = 3;

/// The command that a mistyped word means.
fn meant(word: &str) -> Option<&'static str> {
    let nearest = COMMANDS.iter().map(|known| (strsim::damerau_levenshtein(known, word), *known)).min();
    nearest.filter(|(steps, known)| *steps <= known.len() / MOST_WRONG).map(|(_, known)| known)
}

/// What to do about a word in the place of the script that is no file, but looks like the name of a command.
pub(super) fn on_script(script: Option<&OsStr>) -> Option<String> {
    let word = script?.to_str().filter(|word| !word.contains('/') && !Path::new(word).exists())?;
    let command = meant(word)?;
    Some(if command == word {
        format!("{word}: the command comes before its flags: bandog {command} …")
    } else {
        format!("{word}: there is neither such a command nor such a file; did you mean bandog {command}?")
    })
}

/// Adds to an error of the parser how to say it right, if it is a common mistake.
pub(super) fn added(mut error: clap::Error, arguments: &[OsString]) -> clap::Error {
    let tip = match error.kind() {
        ErrorKind::UnknownArgument => match error.get(ContextKind::InvalidArg) {
            Some(ContextValue::String(word)) => on_unknown(word, arguments),
            _ => None,
        },
        ErrorKind::MissingRequiredArgument => on_missing(arguments).map(str::to_owned),
        _ => None,
    };
    if let Some(tip) = tip {
        // Those of clap are for words that have another meaning here.
        error.remove(ContextKind::SuggestedArg);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

fn on_missing(arguments: &[OsString]) -> Option<&'static str> {
    match arguments.get(1)?.to_str()? {
        "call" => Some("give the address of the function: bandog call localhost:8080 -i hello"),
        "init" => Some("give the kind of function: bandog init oscar my-function"),
        "install" => Some("give the directory: bandog install /usr/local/bin"),
        "completions" => Some("give the shell: bandog completions bash"),
        _ => None,
    }
}

fn is_of(arguments: &[OsString], command: &str) -> bool {
    arguments.get(1).is_some_and(|argument| argument == command)
}

fn on_unknown(word: &str, arguments: &[OsString]) -> Option<String> {
    if word.starts_with('-') {
        let foreign: &[(&[&str], &str)] = match arguments.get(1).and_then(|word| word.to_str()) {
            Some("call") => &FOREIGN_CLIENT_FLAGS,
            Some("health" | "actions" | "install" | "init" | "completions" | "man") => &[],
            _ => &FOREIGN_FLAGS,
        };
        let known = foreign.iter().find(|(flags, _)| flags.contains(&word));
        return known.map(|(_, advice)| (*advice).to_owned());
    }
    let place = arguments.iter().position(|argument| argument == word)?;
    let before = arguments.get(place.checked_sub(1)?)?.to_str()?;
    if let Some(advice) = on_script(Some(OsStr::new(before))) {
        return Some(advice);
    }
    let flag = place.checked_sub(2).and_then(|place| arguments[place].to_str()).filter(|flag| flag.starts_with("--"));
    if let Some(flag) = flag.filter(|flag| !flag.contains('=') && !Path::new(before).exists()) {
        return Some(format!("a switch has its value after =: {flag}={before}"));
    }
    let takes_a_function = arguments
        .get(1)
        .and_then(|word| word.to_str())
        .is_some_and(|first| !COMMANDS.contains(&first) || ["serve", "run", "check"].contains(&first));
    (takes_a_function && !before.starts_with('-')).then(|| {
        let command = if is_of(arguments, "run") { "bandog run" } else { "bandog" };
        let program = if before.contains('/') { before.to_owned() } else { format!("./{before}") };
        format!("a program with arguments comes after --: {command} -- {program} {word}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_close_to_a_command_is_that_command() {
        for (word, command) in
            [("sevre", "serve"), ("srve", "serve"), ("chek", "check"), ("runn", "run"), ("helth", "health")]
        {
            let advice = on_script(Some(OsStr::new(word))).unwrap_or_default();
            assert!(advice.ends_with(&format!("did you mean bandog {command}?")), "{word}: {advice}");
        }
        for word in ["ocr.sh", "predict", "./sevre", "Cargo.toml"] {
            assert_eq!(on_script(Some(OsStr::new(word))), None, "{word}");
        }
        assert!(on_script(Some(OsStr::new("serve"))).is_some_and(|advice| advice.contains("before its flags")));
    }

    #[test]
    fn every_command_is_known_here() {
        let command = crate::cli::command();
        let names = command.get_subcommands().map(clap::Command::get_name);
        let missing: Vec<_> = names.filter(|name| !COMMANDS.contains(name)).collect();
        assert_eq!(missing, [""; 0]);
    }

    #[test]
    fn no_flag_of_another_program_is_one_of_serve() {
        let command = crate::cli::command();
        let call = command.find_subcommand("call").expect("there");
        for flag in FOREIGN_CLIENT_FLAGS.iter().flat_map(|(flags, _)| *flags) {
            let letter = |own: &clap::Arg| own.get_short().is_some_and(|short| *flag == format!("-{short}"));
            assert!(!call.get_arguments().any(letter), "{flag}");
        }
        for flag in FOREIGN_FLAGS.iter().flat_map(|(flags, _)| *flags) {
            let is_own =
                command.get_arguments().any(|own| own.get_long().is_some_and(|long| *flag == format!("--{long}")));
            assert!(!is_own, "{flag}");
        }
    }
}
