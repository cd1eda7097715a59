//! What to start, and the strings that exec takes.

use std::{
    borrow::Cow,
    ffi::{CString, OsStr, OsString},
    io,
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::Path,
};

/// What to start, ready for exec: made once, used for every invocation.
#[derive(Debug)]
pub struct Program {
    pub(crate) path: CString,
    arguments: Vec<CString>,
    /// `NAME=value`, inherited by every invocation.
    pub(crate) environment: Vec<CString>,
}

impl Program {
    /// Prepares `path` with `arguments` (the name it sees itself under first) and the environment it inherits.
    ///
    /// # Errors
    /// A NUL byte in any of them, which exec cannot pass on.
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

    /// The names of the variables in its inherited environment.
    pub fn environment_names(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.environment.iter().map(|pair| {
            let bytes = pair.as_bytes();
            String::from_utf8_lossy(bytes.split(|byte| *byte == b'=').next().unwrap_or(bytes))
        })
    }

    /// The arguments it is started with, where a start has none of its own; the name it sees itself under first.
    #[must_use]
    pub fn arguments(&self) -> &[CString] {
        &self.arguments
    }

    /// The file that is executed.
    #[must_use]
    pub fn path(&self) -> &Path {
        Path::new(OsStr::from_bytes(self.path.to_bytes()))
    }
}

/// `NAME=value` as exec takes it.
///
/// # Errors
/// A NUL byte in either.
pub fn variable(name: &OsStr, value: &OsStr) -> io::Result<CString> {
    let mut pair = OsString::with_capacity(name.len() + value.len() + 1);
    pair.push(name);
    pair.push("=");
    pair.push(value);
    Ok(CString::new(pair.into_vec())?)
}
