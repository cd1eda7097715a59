//! The program to start, and strings in the form that exec takes.

use std::{
    borrow::Cow,
    ffi::{CString, OsStr, OsString},
    io,
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::Path,
};

/// A program ready for exec: prepared once, used for every invocation.
#[derive(Debug)]
pub struct Program {
    pub(crate) path: CString,
    arguments: Vec<CString>,
    /// `NAME=value` each, inherited by every invocation.
    pub(crate) environment: Vec<CString>,
}

impl Program {
    /// Prepares `path` with `arguments` (the first is the name that it sees as its own) and the environment that it
    /// inherits.
    ///
    /// # Errors
    /// One of them contains a NUL byte, which exec cannot pass on.
    pub fn new(
        path: &Path,
        arguments: &[OsString],
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> io::Result<Self> {
        let arguments = arguments.iter().map(|argument| CString::new(argument.as_bytes())).collect::<Result<_, _>>()?;
        let environment =
            environment.into_iter().map(|(name, value)| variable(&name, &value)).collect::<io::Result<_>>()?;
        Ok(Self { path: CString::new(path.as_os_str().as_bytes())?, arguments, environment })
    }

    /// Returns the names of the variables in the inherited environment.
    pub fn environment_names(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.environment.iter().map(|pair| {
            let bytes = pair.as_bytes();
            String::from_utf8_lossy(bytes.split(|byte| *byte == b'=').next().unwrap_or(bytes))
        })
    }

    /// Returns the default arguments; the first is the name that the program sees as its own.
    #[must_use]
    pub fn arguments(&self) -> &[CString] {
        &self.arguments
    }

    /// Returns the path of the executable file.
    #[must_use]
    pub fn path(&self) -> &Path {
        Path::new(OsStr::from_bytes(self.path.to_bytes()))
    }
}

/// Returns `NAME=value` in the form that exec takes.
///
/// # Errors
/// The name or the value contains a NUL byte.
pub fn variable(name: &OsStr, value: &OsStr) -> io::Result<CString> {
    let mut pair = OsString::with_capacity(name.len() + value.len() + 1);
    pair.push(name);
    pair.push("=");
    pair.push(value);
    Ok(CString::new(pair.into_vec())?)
}
