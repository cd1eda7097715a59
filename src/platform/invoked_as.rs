//! The name that bandog was started under, which selects the program that it replaces.

use std::{ffi::OsStr, path::Path};

/// The program that bandog acts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
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
