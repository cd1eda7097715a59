//! An upload: a file takes the place of another one, and that comes back if it cannot.

use super::{
    Onedata,
    cdmi::{Cdmi, Found},
};
use crate::{
    control::Control,
    error::{Error, ErrorKind},
    journal::Entry,
    object::ObjectPath,
    provider::web::{FilePath, FileServer as _, PartState, Sending, late},
    retry::attempts,
    source::Source,
};

/// Stores a file as `object`, whose bucket is the space.
///
/// # Errors
/// It is not stored, and under its name there is what was there before.
pub(super) fn upload(
    onedata: &Onedata,
    source: &Source,
    object: &ObjectPath,
    control: &Control<'_>,
) -> Result<(), Error> {
    let to = FilePath::of(object)?;
    let cdmi = &onedata.cdmi;
    let sending = Sending::begin(cdmi, &onedata.folders, source, &to, control)?;
    let path = to.part();
    let entry = Entry { provider: onedata.name.clone(), object: object.clone(), part: path.to_string() };
    let mut part = sending.part(&entry, path)?;
    let rename =
        |from: &FilePath, to: &FilePath| sending.rename(from, to, || cdmi.rename(from, to, control)).map(|_| ());
    match attempts(control, |_| cdmi.find(&to, control))? {
        Some(Found::Folder) => return Err(Error::new(ErrorKind::Rejected, "there is a folder of this name")),
        None => rename(&part.path, &to)?,
        Some(Found::File) => {
            let aside = part.path.aside();
            let moved = attempts(control, |_| cdmi.rename(&to, &aside, control));
            let replaced = moved.and_then(|()| rename(&part.path, &to));
            if let Err(error) = restore(cdmi, &aside, &to, &late()) {
                tracing::warn!("{}: cannot put {aside} in order: {error}", onedata.name);
                // The record says what is to be done.
                drop(part.record.take());
            }
            replaced?;
        }
    }
    part.state = PartState::Unsent;
    Ok(())
}

/// Moves the file that was moved aside back to its name, or removes it if there is another one now.
///
/// # Errors
/// It may be there still.
pub(super) fn restore(cdmi: &Cdmi, aside: &FilePath, to: &FilePath, control: &Control<'_>) -> Result<(), Error> {
    if attempts(control, |_| cdmi.find(aside, control))?.is_none() {
        return Ok(());
    }
    if attempts(control, |_| cdmi.find(to, control))?.is_none() {
        return attempts(control, |_| cdmi.rename(aside, to, control));
    }
    attempts(control, |_| cdmi.delete(aside, control)).map(drop)
}
