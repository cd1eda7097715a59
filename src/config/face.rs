//! The name that bandog was started under, which tells the program that it replaces.

use std::{ffi::OsStr, path::Path};

/// The program whose place bandog takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Face {
    /// None: it is itself.
    #[default]
    Bandog,
    /// OpenFaaS' classic-watchdog and of-watchdog, which are both called `fwatchdog`.
    Fwatchdog,
    /// OSCAR's faas-supervisor, called `supervisor`.
    Supervisor,
}

impl Face {
    /// The program of the name `argv0`: the last part of a path, without the hyphen that login shells put before it.
    #[must_use]
    pub fn of(argv0: Option<&OsStr>) -> Self {
        let name = argv0.map(Path::new).and_then(Path::file_name).map(OsStr::as_encoded_bytes).unwrap_or_default();
        match name.strip_prefix(b"-").unwrap_or(name) {
            b"fwatchdog" => Self::Fwatchdog,
            b"supervisor" => Self::Supervisor,
            _ => Self::Bandog,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part_of_the_name_decides() {
        for (name, face) in [
            ("fwatchdog", Face::Fwatchdog),
            ("/oscar/bin/fwatchdog", Face::Fwatchdog),
            ("-fwatchdog", Face::Fwatchdog),
            ("./supervisor", Face::Supervisor),
            ("/oscar/bin/alpine/supervisor", Face::Supervisor),
            ("bandog", Face::Bandog),
            ("/fwatchdog/bandog", Face::Bandog),
            ("fwatchdog.old", Face::Bandog),
            ("", Face::Bandog),
        ] {
            assert_eq!(Face::of(Some(OsStr::new(name))), face, "{name}");
        }
        assert_eq!(Face::of(None), Face::Bandog);
    }
}
