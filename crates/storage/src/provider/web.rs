//! The parts that the stores share which keep files behind plain HTTP: WebDAV, Onedata and Rucio.
//!
//! [`Sites`] sends a request and follows redirects, [`Answer`] turns a status into an error, [`download`] fetches a file
//! and resumes it, [`Address`] and [`FilePath`] are the addresses and the keys.

mod address;
mod answer;
mod download;
#[cfg(test)]
pub(crate) mod fake;
mod path;
mod sites;

pub(crate) use self::{
    address::Address,
    answer::Answer,
    download::{FileDownload, download},
    path::{FilePath, encoded},
    sites::{FileRequest, Sites},
};
