//! `bandog actions`: lists the actions of the service, from its file.

use std::{ffi::OsString, process::ExitCode};

use clap::{ValueEnum, ValueHint, builder::ValueParser};

use super::{
    BAD_CONFIGURATION, complain,
    exit::{print, say},
};
use crate::{
    actions::{
        list,
        openapi::{self, Authentication},
    },
    config::{Sources, Typed, setting},
};

pub(super) const EXAMPLES: &str = "Examples:
  bandog actions                                  in a container, or beside an oms.yml
  bandog actions --actions service/oms.yml --format json
  bandog actions --format openapi >openapi.json
  bandog actions --format openapi --bodies json   for a generator of clients

The exit code is 78 if there is a mistake in the file; bandog check also looks for what the file names.";

/// The flags of `bandog actions`.
#[derive(Debug, clap::Args)]
pub struct ActionsFlags {
    /// How the actions are listed
    #[arg(long, value_enum, default_value_t = ListFormat::Text, value_name = "FORMAT")]
    pub format: ListFormat,
    /// Which bodies --format openapi describes for each action
    #[arg(long, value_enum, default_value_t = ListBodies::Every, value_name = "BODIES")]
    pub bodies: ListBodies,
    /// The file [default: as in bandog check --help]
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath, value_parser = ValueParser::os_string())]
    pub actions: Option<OsString>,
    /// Leave out the actions that have a mistake in them, and tell of it on standard error
    #[arg(long)]
    pub actions_lenient: bool,
}

/// The form of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// A paragraph for each action.
    Text,
    /// The JSON that a server serves at /_/actions.
    Json,
    /// Their names, a line each.
    Names,
    /// The OpenAPI document that a server without a token serves at /_/openapi.json.
    #[value(name = "openapi")]
    OpenApi,
}

/// The bodies in the OpenAPI document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ListBodies {
    /// All that bandog takes.
    Every,
    /// JSON alone, for generators of clients.
    Json,
}

impl From<ListBodies> for openapi::Bodies {
    fn from(bodies: ListBodies) -> Self {
        match bodies {
            ListBodies::Every => Self::Every,
            ListBodies::Json => Self::Json,
        }
    }
}

impl ActionsFlags {
    /// The settings that are needed, as far as they are given.
    pub(super) fn typed(&self) -> Typed {
        let actions = self.actions.clone().map(|value| (setting::ACTIONS.name, value));
        let lenient = self.actions_lenient.then(|| (setting::ACTIONS_LENIENT.name, "true".into()));
        Typed { values: actions.into_iter().chain(lenient).collect(), ..Typed::default() }
    }
}

/// Lists the actions.
pub(super) fn main(flags: &ActionsFlags, sources: &Sources) -> ExitCode {
    let service = match sources.actions() {
        Ok((Some(service), warnings)) => {
            for warning in &warnings {
                say(&format!("warning: {warning}"));
            }
            service
        }
        Ok((None, _)) => {
            let advice =
                "no actions file: there is no oms.yml or microservice.yml here or in /; name one with --actions";
            return complain(BAD_CONFIGURATION, &advice);
        }
        Err(mistakes) => return complain(BAD_CONFIGURATION, &mistakes),
    };
    let text = match flags.format {
        ListFormat::Text => list::text(&service),
        ListFormat::Json => format!("{:#}\n", list::document(&service)),
        ListFormat::Names => service.actions.iter().flat_map(|action| [action.name.as_str(), "\n"]).collect(),
        ListFormat::OpenApi => {
            format!("{:#}\n", openapi::document(&service, Authentication::None, flags.bodies.into()))
        }
    };
    print(text.as_bytes(), 0)
}
