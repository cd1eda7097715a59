//! The name that bandog was started under, which selects the program that it replaces.

use std::{ffi::OsStr, path::Path};

/// The program that bandog acts as.
///
/// Outside tests it cannot be compared: the methods below decide by a full `match`, so that the compiler names each
/// decision that a new name needs.
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(test, derive(PartialEq, Eq))]
pub enum InvokedAs {
    /// bandog itself.
    #[default]
    Bandog,
    /// OpenFaaS' classic-watchdog or of-watchdog, which are both called `fwatchdog`.
    Fwatchdog,
    /// OSCAR's faas-supervisor, called `supervisor`.
    Supervisor,
}

impl InvokedAs {
    /// Reads `argv[0]`. Only the last part of a path counts, without the hyphen that login shells put before it.
    #[must_use]
    pub fn of(argv0: Option<&OsStr>) -> Self {
        let name = argv0.map(Path::new).and_then(Path::file_name).map(OsStr::as_encoded_bytes).unwrap_or_default();
        match name.strip_prefix(b"-").unwrap_or(name) {
            b"fwatchdog" => Self::Fwatchdog,
            b"supervisor" => Self::Supervisor,
            _ => Self::Bandog,
        }
    }

    /// Whether bandog replaces another program. `--compat` has an effect then, and a file of actions must be named: the
    /// other program does not look for one.
    #[must_use]
    pub fn is_replacement(self) -> bool {
        match self {
            Self::Bandog => false,
            Self::Fwatchdog | Self::Supervisor => true,
        }
    }

    /// Whether the flags of the watchdogs are understood.
    #[must_use]
    pub fn takes_watchdog_flags(self) -> bool {
        match self {
            Self::Fwatchdog => true,
            Self::Bandog | Self::Supervisor => false,
        }
    }

    /// Whether a name that the platform gives to the service restricts the paths of requests. The watchdogs pass every
    /// path to the function.
    #[must_use]
    pub fn heeds_platform_name(self) -> bool {
        match self {
            Self::Bandog | Self::Supervisor => true,
            Self::Fwatchdog => false,
        }
    }

    /// Where the command in `fprocess` stands among the commands that may be configured.
    #[must_use]
    pub fn process_rank(self) -> ProcessRank {
        match self {
            Self::Bandog => ProcessRank::Last,
            Self::Fwatchdog => ProcessRank::BeforeScript,
            // The command of the watchdog is not for the supervisor that it starts.
            Self::Supervisor => ProcessRank::Never,
        }
    }

    /// Whether the process is a job of OSCAR: its event may be in its environment, and without arguments it runs once.
    #[must_use]
    pub fn is_job(self) -> bool {
        match self {
            Self::Supervisor => true,
            Self::Bandog | Self::Fwatchdog => false,
        }
    }
}

/// Where the command in `fprocess` stands among the commands that may be configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessRank {
    /// Before the script of the platform.
    BeforeScript,
    /// After the script of the platform.
    Last,
    /// It is not used.
    Never,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part_of_the_name_selects_the_program() {
        for (name, program) in [
            ("fwatchdog", InvokedAs::Fwatchdog),
            ("/oscar/bin/fwatchdog", InvokedAs::Fwatchdog),
            ("-fwatchdog", InvokedAs::Fwatchdog),
            ("./supervisor", InvokedAs::Supervisor),
            ("/oscar/bin/alpine/supervisor", InvokedAs::Supervisor),
            ("bandog", InvokedAs::Bandog),
            ("/fwatchdog/bandog", InvokedAs::Bandog),
            ("fwatchdog.old", InvokedAs::Bandog),
            ("", InvokedAs::Bandog),
        ] {
            assert_eq!(InvokedAs::of(Some(OsStr::new(name))), program, "{name}");
        }
        assert_eq!(InvokedAs::of(None), InvokedAs::Bandog);
    }
}
