//! The parts that the stores share which keep files behind plain HTTP: WebDAV, Onedata and Rucio.
//!
//! [`Sites`] sends a request and follows redirects, [`Answer`] turns a status into an error, [`download`] fetches a file
//! and resumes it, [`Address`] and [`FilePath`] are the addresses and the keys.

mod address;
mod answer;
mod download;
#[cfg(test)]
pub(crate) mod fake;
mod file_server;
mod folders;
mod part;
mod path;
mod sending;
mod sites;

pub(crate) use self::{
    address::Address,
    answer::Answer,
    download::{FileDownload, download},
    file_server::FileServer,
    folders::Folders,
    part::{PartState, late},
    path::{FilePath, encoded},
    sending::Sending,
    sites::{Credential, FileRequest, Sites},
};
