//! Whether a server reads the escapes of `Destination` as it reads those of a request's path.
//!
//! WsgiDAV 4.4 removes them before it takes the address apart: a rename to `a%3Fb` ends at `a`, and overwrites a file of
//! that name. So a name with such a sign is tried first on a name that no other file has.

use std::sync::atomic::{AtomicU8, Ordering};

use super::verbs::{Moved, Verbs};
use crate::{
    control::Control,
    error::{Error, ErrorKind},
    provider::web::{FilePath, FileServer as _},
    retry::attempts,
};

/// The signs that end the path of a URL, or of its last segment.
const ENDS: [char; 3] = ['?', '#', ';'];

/// What is known of a server.
/// Neither [`READ`] nor [`MISREAD`] before the first such name.
#[derive(Debug, Default)]
pub(crate) struct Escapes(AtomicU8);

const READ: u8 = 1;
const MISREAD: u8 = 2;

impl Escapes {
    /// Whether a file may be renamed to `to`. If that is not known, `part` is renamed, and then has another name.
    pub(crate) fn can_rename(
        &self,
        verbs: &Verbs,
        part: &mut FilePath,
        to: &FilePath,
        control: &Control<'_>,
    ) -> Result<bool, Error> {
        if !to.has_any(&ENDS) {
            return Ok(true);
        }
        match self.0.load(Ordering::Relaxed) {
            READ => return Ok(true),
            MISREAD => return Ok(false),
            _ => {}
        }
        let reads = try_out(verbs, part, to, control)?;
        if let Some(reads) = reads {
            self.0.store(if reads { READ } else { MISREAD }, Ordering::Relaxed);
        }
        Ok(reads == Some(true))
    }
}

/// The names that a part may have had while they were tried out.
pub(crate) fn tried(to: &FilePath, part: &FilePath) -> Vec<FilePath> {
    let (misread, read) = to.trial(part, &ENDS);
    if to.has_any(&ENDS) { vec![misread, read] } else { Vec::new() }
}

/// Renames `part` to a name with all these signs, in a folder without one. `None` if the server does not.
fn try_out(verbs: &Verbs, part: &mut FilePath, to: &FilePath, control: &Control<'_>) -> Result<Option<bool>, Error> {
    let (misread, read) = to.trial(part, &ENDS);
    match attempts(control, |_| verbs.rename(part, &read, false, control)) {
        Ok(Moved::Done) => {}
        Ok(_) => return Ok(None),
        // It may not be allowed to write to a folder further up.
        Err(error) if error.kind == ErrorKind::Denied && read.folder() != to.folder() => return Ok(None),
        Err(error) => return Err(error),
    }
    match attempts(control, |_| verbs.size(&read, control)) {
        Err(error) if error.kind == ErrorKind::NotFound => *part = misread,
        found => {
            *part = read;
            found?;
            return Ok(Some(true));
        }
    }
    Ok(Some(false))
}
