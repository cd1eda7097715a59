//! Request body → input file.
//!
//! Knows encodings, not sockets: a body arrives as a [`BodySource`] of chunks with the sender's [`ContentHeaders`] and
//! leaves as an [`Input`] on disk. Memory does not grow with the body.

pub use self::{
    arguments::arguments,
    directory::InputDir,
    document::{DocumentBody, DocumentFrame, InputDocument},
    envelope::{ContentHeaders, Envelope},
    error::{BodyForm, InputError, InputErrorKind},
    event::{StorageNotification, storage_notification},
    filter::InputFilter,
    receive::receive,
    received::{FormPart, Input, InputKind, StorageEvent},
    source::{BodyError, BodySource},
    storage_error::{StorageError, StorageErrorKind},
    store::store_file,
    urlencoded::Forms,
};

mod arguments;
#[cfg(any(test, feature = "testing"))]
pub mod chunkings;
#[cfg(test)]
mod corpus;
mod directory;
mod document;
mod envelope;
mod error;
mod event;
pub mod filename;
mod filter;
mod form;
mod receive;
mod received;
pub mod shape;
mod source;
mod storage_error;
mod store;
#[cfg(test)]
mod tests;
mod text;
mod urlencoded;
