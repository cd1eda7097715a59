//! The flags of the settings, generated from the table in [`crate::config::setting`].

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
};

use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint, builder::ValueParser};

use crate::config::{
    Typed,
    setting::{self, Fallback, Setting},
};

/// The flags of all settings, not yet interpreted.
#[derive(Debug, Clone, Default)]
pub struct SettingFlags {
    /// Their values, by the names in [`setting`].
    pub values: BTreeMap<&'static str, OsString>,
}

impl clap::FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for setting in setting::ALL {
            if let Ok(Some(values)) = matches.try_get_many::<OsString>(setting.name) {
                let values: Vec<&OsStr> = values.map(OsString::as_os_str).collect();
                self.values.insert(setting.name, values.join(OsStr::new(":")));
            }
        }
        Ok(())
    }
}

impl clap::Args for SettingFlags {
    fn augment_args(command: Command) -> Command {
        command.args(setting::ALL.map(flag))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// The flag of a setting. It accepts any text: a mistake in it is reported with all others.
pub(super) fn flag(setting: &'static Setting) -> Arg {
    let default = match setting.default {
        _ if setting.value.is_none() => String::new(),
        Fallback::Described("none") => String::new(),
        Fallback::Text(text) | Fallback::Described(text) => format!(" [default: {text}]"),
    };
    let platform = match setting.platform {
        [] => String::new(),
        names => format!(" [env: {}]", names.join(", ")),
    };
    let flag = Arg::new(setting.name)
        .long(setting.name)
        .help(format!("{}{default}{platform}", capitalised(setting.meaning)))
        .help_heading(setting.group.heading())
        .value_parser(ValueParser::os_string())
        .action(if setting.repeated { ArgAction::Append } else { ArgAction::Set });
    match setting.value {
        Some("PATH") => flag.value_name("PATH").value_hint(ValueHint::FilePath),
        Some("DIR") => flag.value_name("DIR").value_hint(ValueHint::DirPath),
        // A number below zero reaches the check that says which numbers are right.
        Some(name) => flag.value_name(name).allow_negative_numbers(true),
        // `--forward-logs=false` overrides a variable.
        None => flag.num_args(0..=1).require_equals(true).default_missing_value("true").value_name("BOOL"),
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// The flags that `serve`, `run` and `check` share: the settings and the function.
#[derive(Debug, Clone, clap::Args)]
pub struct FunctionFlags {
    /// The flags.
    #[command(flatten)]
    pub settings: SettingFlags,
    /// The script or program to run; short for --script SCRIPT
    #[arg(id = "SCRIPT", value_name = "SCRIPT", value_hint = ValueHint::FilePath)]
    pub script: Option<OsString>,
    /// The command to run, with its arguments; no shell is involved
    #[arg(id = "COMMAND", last = true, value_name = "COMMAND", value_hint = ValueHint::CommandWithArguments)]
    pub command: Vec<OsString>,
}

impl FunctionFlags {
    /// The arguments for [`crate::config`].
    #[must_use]
    pub fn typed(self) -> Typed {
        Typed { values: self.settings.values, script: self.script, command: self.command, watched: None }
    }
}
