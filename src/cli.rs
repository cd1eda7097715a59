//! The command line: one file for each subcommand.
//!
//! The arguments are collected here and interpreted by [`crate::config`], together with the other sources.

use std::{ffi::OsString, process::ExitCode};

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::{
    config::{Config, Environment, Paths, Resolution, Sources, Typed},
    platform::{InvokedAs, openfaas::command_line},
};

pub mod actions;
mod advice;
pub mod call;
pub mod check;
#[cfg(feature = "completions")]
pub mod completions;
mod destination;
mod exit;
mod flags;
pub mod header;
pub mod health;
mod help;
#[cfg(feature = "init")]
pub mod init;
pub mod install;
#[cfg(feature = "man")]
mod man;
#[cfg(feature = "storage")]
mod objects;
pub mod run;
pub mod serve;
#[cfg(feature = "storage")]
pub mod watch;

#[cfg(feature = "init")]
use exit::CANNOT_CREATE;
pub use exit::{BAD_CONFIGURATION, BAD_INPUT, FAILURE, INTERNAL, NOT_WRITTEN, STOPPED};
use exit::{complain, fail, say};
pub use flags::{FunctionFlags, SettingFlags};

const LONG_ABOUT: &str = "Turns any program into an HTTP function: one request, one process, one response.

bandog decodes the body of a request into a file ($INPUT_FILE_PATH) and runs the program. The files that the program \
writes to $TMP_OUTPUT_DIR become the response: one file in base64, several as a zip, or its logs if there is none.";

const EXAMPLES: &str = "Examples:
  bandog ./ocr.sh                                 serve a script on port 8080
  bandog --listen :9000 -- tesseract-wrapper -l eng
                                                  serve a command on port 9000
  bandog run ./ocr.sh -f page.png --content-type image/png -o page.txt
                                                  try the script once, without HTTP
  bandog call localhost:8080 -f page.png -o page.txt
                                                  call it
  bandog check ./ocr.sh                           see what is configured, and by what

Every flag of the function can also be set by a variable: BANDOG_ and its name, as in BANDOG_EXEC_TIMEOUT=10m.
Durations are written 300, 300s, 5m or 1m30s, sizes 1024, 64KiB or 10MB.";

/// The command line of `bandog`.
#[derive(Debug, Parser)]
#[command(
    name = "bandog",
    bin_name = "bandog",
    version,
    about = "Turns any program into an HTTP function",
    long_about = LONG_ABOUT,
    after_help = EXAMPLES,
    args_conflicts_with_subcommands = true,
    subcommand_help_heading = "Commands",
    max_term_width = 100
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: FunctionFlags,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the function over HTTP (what bandog does without a subcommand)
    #[command(after_help = serve::EXAMPLES)]
    Serve(FunctionFlags),
    /// Run the function once, without HTTP: same decoding, same process rules, same result
    #[command(after_help = run::EXAMPLES)]
    Run(run::RunFlags),
    /// Run the function for each file that appears in a directory, and write its output to another
    #[cfg(feature = "storage")]
    #[command(after_help = watch::EXAMPLES)]
    Watch(watch::WatchFlags),
    /// Call a function over HTTP: encode the input, decode the response
    #[command(after_help = call::EXAMPLES)]
    Call(call::CallFlags),
    /// Print the configuration, where each value comes from, and everything that is wrong with it
    #[command(after_help = check::EXAMPLES)]
    Check(check::CheckFlags),
    /// List the actions that the service has, or every mistake in the file that describes them
    #[command(after_help = actions::EXAMPLES)]
    Actions(actions::ActionsFlags),
    /// Ask a running bandog how it is, for images without curl
    #[command(after_help = health::EXAMPLES)]
    Health(health::HealthFlags),
    /// Copy this binary into a directory, for init containers and shared volumes
    #[command(after_help = install::EXAMPLES)]
    Install(install::InstallFlags),
    /// Write a small function that works into a directory, to begin with
    #[cfg(feature = "init")]
    #[command(after_help = init::EXAMPLES)]
    Init(init::InitFlags),
    /// Print the completion script of a shell
    #[cfg(feature = "completions")]
    #[command(after_help = completions::EXAMPLES)]
    Completions(completions::CompletionsFlags),
    /// Print the manual page
    #[cfg(feature = "man")]
    #[command(after_help = man::EXAMPLES)]
    Man,
}

/// Runs the command line, and returns the exit code.
///
/// Nothing else reads the environment.
pub fn main(mut arguments: Vec<OsString>, environment: &Environment) -> ExitCode {
    let invoked_as = InvokedAs::of(arguments.first().map(OsString::as_os_str));
    if invoked_as.takes_watchdog_flags() {
        if let Some(code) = command_line::run_flags(&arguments, environment) {
            return code;
        }
        arguments = command_line::without_flags(arguments);
    }
    let cli = match parse(arguments) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            // A message that cannot be written is dropped, as every other.
            let _ = error.print();
            exit::write_termination_log(&error.to_string());
            return BAD_CONFIGURATION.into();
        }
        Err(error) => return exit::print(help::printed(&error.to_string()).as_bytes(), 0),
    };
    let sources = |typed| Sources { typed, environment: environment.clone(), paths: Paths::default(), invoked_as };
    match cli.command {
        None => {
            if let Some(advice) = advice::on_script(cli.serve.script.as_deref()) {
                return complain(BAD_CONFIGURATION, &advice);
            }
            start_server(&sources(cli.serve.typed()))
        }
        Some(Command::Serve(flags)) => start_server(&sources(flags.typed())),
        Some(Command::Run(mut flags)) => {
            let service = sources(flags.function.clone().typed()).actions();
            let arguments = flags.run_arguments().and_then(|mut arguments| match service {
                Ok((service, _)) => flags.select_action(&mut arguments, service.as_ref()).map(|()| arguments),
                // Reported with all other mistakes.
                Err(_) => Ok(arguments),
            });
            match arguments {
                Ok(arguments) => start(&sources(flags.function.typed()), |config| run::run(config, arguments)),
                Err(error) => complain(BAD_CONFIGURATION, &error),
            }
        }
        #[cfg(feature = "storage")]
        Some(Command::Watch(flags)) => {
            let new_only = flags.new_only;
            start(&sources(flags.typed()), |config| watch::run(config, new_only))
        }
        Some(Command::Call(flags)) => call::main(flags, environment),
        Some(Command::Check(flags)) => check::main(&flags, &sources(flags.function.clone().typed()).resolve()),
        Some(Command::Actions(flags)) => actions::main(&flags, &sources(flags.typed())),
        Some(Command::Health(flags)) => {
            let typed = Typed { values: flags.settings.values.clone(), ..Typed::default() };
            health::main(&flags, &sources(typed))
        }
        Some(Command::Install(flags)) => install::main(&flags),
        #[cfg(feature = "init")]
        Some(Command::Init(flags)) => init::main(&flags),
        #[cfg(feature = "completions")]
        Some(Command::Completions(flags)) => completions::main(&flags),
        #[cfg(feature = "man")]
        Some(Command::Man) => man::main(),
    }
}

/// The description of the command line, for completions and tests.
fn command() -> clap::Command {
    help::shaped(Cli::command())
}

fn parse(mut arguments: Vec<OsString>) -> Result<Cli, clap::Error> {
    // OSCAR's supervisor, started without arguments, handles the one event on its standard input.
    let invoked_as = InvokedAs::of(arguments.first().map(OsString::as_os_str));
    if invoked_as.is_job() && arguments.len() == 1 {
        arguments.push("run".into());
    }
    let mut command = command();
    if help::is_short(&arguments) {
        command = help::without_headings(command);
    }
    let matches = command.try_get_matches_from_mut(&arguments).map_err(|error| advice::added(error, &arguments))?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

fn start_server(sources: &Sources) -> ExitCode {
    start(sources, |config| serve::serve(config, sources))
}

/// Starts a command that needs a whole configuration, or reports every mistake in it.
fn start(sources: &Sources, run: impl FnOnce(Config) -> ExitCode) -> ExitCode {
    let Resolution { config, mistakes, .. } = sources.resolve();
    if let Some(config) = config {
        return run(config);
    }
    let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    complain(BAD_CONFIGURATION, &lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::setting;

    fn parsed(words: &[&str]) -> Cli {
        parse(words.iter().map(OsString::from).collect()).unwrap_or_else(|error| panic!("{error}"))
    }

    fn refused(words: &[&str]) -> clap::Error {
        parse(words.iter().map(OsString::from).collect()).expect_err("refused")
    }

    #[test]
    fn the_command_line_does_not_contradict_itself() {
        command().debug_assert();
    }

    #[test]
    fn serve_run_and_check_have_exactly_the_flags_of_the_table() {
        let mut root = command();
        root.build();
        let own = |name: &str| {
            [
                "input",
                "text_input",
                "output",
                "content_type",
                "header",
                "argument",
                "format",
                "online",
                "help",
                "version",
            ]
            .contains(&name)
        };
        let serve = root.clone();
        let others = ["serve", "run", "check"].map(|name| root.find_subcommand(name).expect("there").clone());
        for command in [serve].iter().chain(&others) {
            let flags = command.get_arguments().filter(|arg| arg.get_long().is_some() && !own(arg.get_id().as_str()));
            let mut names: Vec<_> = flags.map(|arg| arg.get_long().unwrap_or_default().to_owned()).collect();
            names.sort();
            let mut wanted: Vec<_> = setting::ALL.iter().map(|setting| setting.name.to_owned()).collect();
            wanted.sort();
            assert_eq!(names, wanted, "{}", command.get_name());
        }
    }

    #[test]
    fn every_command_explains_itself_with_examples() {
        for command in command().get_subcommands() {
            let name = command.get_name();
            assert!(command.get_about().is_some(), "{name}");
            let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(examples.starts_with("Examples:\n"), "{name}");
            assert!(
                command.get_after_long_help().is_some_and(|long| long.to_string().len() >= examples.len()),
                "{name}"
            );
        }
    }

    #[test]
    fn a_script_a_command_or_nothing_is_served() {
        let cli = parsed(&["bandog", "./ocr.sh"]);
        assert!(cli.command.is_none());
        assert_eq!(cli.serve.script, Some("./ocr.sh".into()));
        let cli = parsed(&["bandog", "--listen", ":0", "--", "run", "--verbose"]);
        assert_eq!(cli.serve.command, ["run", "--verbose"]);
        assert_eq!(cli.serve.typed().value("listen"), Some(":0".as_ref()));
        assert!(parsed(&["bandog"]).command.is_none());
        let Some(Command::Serve(flags)) = parsed(&["bandog", "serve", "x.sh", "--forward-logs"]).command else {
            panic!("serve")
        };
        assert_eq!(flags.typed().value("forward-logs"), Some("true".as_ref()));
    }

    #[test]
    fn a_switch_does_not_swallow_the_script() {
        let cli = parsed(&["bandog", "--forward-logs", "./ocr.sh"]);
        assert_eq!(cli.serve.script, Some("./ocr.sh".into()));
        let cli = parsed(&["bandog", "--forward-logs=false", "./ocr.sh"]);
        assert_eq!(cli.serve.typed().value("forward-logs"), Some("false".as_ref()));
    }

    #[test]
    fn run_takes_its_event_from_one_place() {
        let io = |words: &[&str]| match parsed(words).command {
            Some(Command::Run(flags)) => flags.run_arguments(),
            other => panic!("{other:?}"),
        };
        assert_eq!(io(&["bandog", "run", "x.sh"]).expect("fine").event, run::Event::Stdin);
        assert_eq!(io(&["bandog", "run", "-f", "-", "x.sh"]).expect("fine").event, run::Event::Stdin);
        for flag in ["-f", "--file-input", "--input"] {
            assert_eq!(io(&["bandog", "run", flag, "a"]).expect("fine").event, run::Event::File("a".into()));
        }
        assert_eq!(io(&["bandog", "run", "-i", "-x"]).expect("fine").event, run::Event::Text("-x".to_owned()));
        refused(&["bandog", "run", "-i", "x", "-f", "y"]);
        let args =
            io(&["bandog", "run", "--content-type", "image/png", "--header", "content-type: x", "--header", "a:b"]);
        let headers = args.expect("fine").headers;
        assert_eq!(headers.len(), 2);
        assert_eq!(headers[1], (http::header::CONTENT_TYPE, "image/png".parse().expect("value")));
    }

    #[test]
    fn an_unknown_flag_is_refused_with_the_right_one_and_a_wrong_use_is_78() {
        let error = refused(&["bandog", "--exec-timout", "5m"]);
        assert!(error.use_stderr() && error.to_string().contains("--exec-timeout"), "{error}");
        let code = main(["bandog", "--nonsense"].map(OsString::from).into(), &Environment::new());
        assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(BAD_CONFIGURATION)));
        assert!(!refused(&["bandog", "--version"]).use_stderr());
        assert!(!refused(&["bandog", "run", "--help"]).use_stderr());
    }

    #[test]
    fn started_as_supervisor_it_runs_once() {
        assert!(matches!(parsed(&["/bin/supervisor"]).command, Some(Command::Run(_))));
        assert!(parsed(&["/bin/fwatchdog"]).command.is_none());
        assert!(matches!(parsed(&["supervisor", "health"]).command, Some(Command::Health(_))));
    }
}
