//! Objects in and out of a store over S3, beside the same by the provider code of OSCAR's faas-supervisor on boto3.
//!
//! The store is rclone's `serve s3` on loopback, with its files on tmpfs. Each turn has a store and a bandog of its own, so
//! that none finds the connections, the memory or the objects of another. Every object is compared with what it should be.

mod content;
mod event;
mod function;
mod loader;
mod many;
mod one;
mod peak;
mod reference;
mod signature;
mod small;
mod store;

use self::{reference::Reference, store::Store};
use crate::{
    report::{Line, Report},
    setting::Setting,
};

/// How the store is called in the report.
const STORE: &str = "rclone serve s3";

/// Rounds in which the reference takes part: it is slow.
const REFERENCE_ROUNDS: usize = 3;

pub fn measure(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    // Without the store there is nothing to measure. Its first start also reads its program from the disk.
    if let Err(error) = Store::start(setting) {
        report.add(Line::Absent { contender: STORE.to_owned(), why: format!("{error:#}") });
        return Ok(());
    }
    let reference = match Reference::find(setting) {
        Ok(reference) => Some(reference),
        Err(error) => {
            report.add(Line::Absent { contender: reference::NAME.to_owned(), why: format!("{error:#}") });
            None
        }
    };
    one::measure(setting, reference.as_ref(), report)?;
    many::measure(setting, reference.as_ref(), report)?;
    small::measure(setting, reference.as_ref(), report)?;
    peak::measure(setting, report)
}

/// Counted rounds of a contender that takes part in all of them, or only in a few.
fn rounds(setting: &Setting) -> usize {
    setting.rounds.min(REFERENCE_ROUNDS)
}
