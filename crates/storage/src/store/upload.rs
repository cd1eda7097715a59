//! Output files → objects, several at once.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use bandog_runtime::{
    output::FileOpener,
    storage::{StoreRequest, Stored},
};

use super::{Inner, keep, paths, uploads::Uploads};
use crate::{
    control::Control,
    error::{Error, ErrorKind},
    plan::{PlannedFiles, PlannedUpload, RefusedUpload},
    source::Source,
};

/// Bytes of the stack of a transfer's thread.
const STACK: usize = 1024 * 1024;

/// Stores the files of a run as the plan says.
pub(super) fn store(inner: &Inner, request: &StoreRequest<'_>, control: &Control<'_>) -> Stored {
    let files = request.files;
    let paths = paths(files);
    let shown = |file: usize| String::from_utf8_lossy(paths.get(file).copied().unwrap_or_default());
    let PlannedFiles { uploads, refused, skipped } = inner.plan.files(&paths, request.event_bucket);
    let results = transfer(inner, &uploads, request, control);
    let (mut stored, mut failed_files) = (Stored::default(), Vec::new());
    for RefusedUpload { file, output, reason } in &refused {
        let provider = &inner.plan.outputs()[*output].provider;
        stored.add_failed(|| format!("{:?} to {provider}: output-rejected: {reason}", shown(*file)));
        failed_files.push(*file);
    }
    for (upload, result) in uploads.iter().zip(results) {
        let provider = &inner.plan.outputs()[upload.output].provider;
        match result {
            Ok(()) => stored.add_stored(|| format!("{} of {provider}", upload.to)),
            Err(error) => {
                stored.add_failed(|| format!("{} of {provider}: {}: {}", upload.to, name(error.kind), error.detail));
                failed_files.push(upload.file);
            }
        }
    }
    for file in skipped {
        stored.add_skipped(|| shown(file).into_owned());
    }
    if let Some(dir) = inner.options.keep_failed.as_ref().filter(|_| !failed_files.is_empty()) {
        failed_files.sort_unstable();
        failed_files.dedup();
        match keep::keep(dir, request.call_id, files, &failed_files) {
            Ok(keep::Kept { dir, lost }) => {
                for (path, error) in lost.iter().take(Stored::LISTED) {
                    tracing::error!("cannot keep the output {} in {}: {error}", path.display(), dir.display());
                }
                // What is in no store and not kept either is in the response alone.
                stored.kept = lost.is_empty().then_some(dir);
            }
            Err(error) => tracing::error!("cannot keep the outputs in {}: {error}", dir.display()),
        }
    }
    stored
}

/// Stores files, several at once. Returns the result of each.
fn transfer(
    inner: &Inner,
    uploads: &[PlannedUpload],
    request: &StoreRequest<'_>,
    control: &Control<'_>,
) -> Vec<Result<(), Error>> {
    let results: Vec<Mutex<Option<Result<(), Error>>>> = uploads.iter().map(|_| Mutex::default()).collect();
    let (next, journals) = (AtomicUsize::new(0), Uploads::new(inner.options.journal.clone()));
    let work = || {
        let mut opener = request.files.opener();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some((upload, result)) = uploads.get(index).zip(results.get(index)) else { return };
            // A panic in one transfer would end the call, with the files of all of them.
            let done = panic::catch_unwind(AssertUnwindSafe(|| one(inner, upload, &mut opener, &journals, control)));
            let done = done.unwrap_or_else(|_| Err(lost()));
            *result.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
        }
    };
    thread::scope(|scope| {
        for _ in 1..inner.options.parallel.min(uploads.len()) {
            let thread = thread::Builder::new().name("transfer".to_owned()).stack_size(STACK);
            if let Err(error) = thread.spawn_scoped(scope, work) {
                tracing::warn!("cannot start a thread for a transfer: {error}; fewer go on at once");
                break;
            }
        }
        // This thread works too, so that no thread is needed for a single file.
        work();
    });
    results
        .into_iter()
        .map(|result| result.into_inner().unwrap_or_else(PoisonError::into_inner).unwrap_or_else(|| Err(lost())))
        .collect()
}

fn lost() -> Error {
    Error::new(ErrorKind::Rejected, "the transfer ended unexpectedly; see bandog's log")
}

fn one(
    inner: &Inner,
    upload: &PlannedUpload,
    opener: &mut FileOpener<'_>,
    uploads: &Uploads,
    control: &Control<'_>,
) -> Result<(), Error> {
    control.check()?;
    let provider = inner.provider(&inner.plan.outputs()[upload.output].provider)?;
    let file = opener.open(upload.file).map_err(|error| Error::new(ErrorKind::Rejected, error.to_string()))?;
    let source = Source::new(file).map_err(|error| Error::file("read the size of the output", &error))?;
    // Without a journal nothing is lost, but for the means to clean up after a crash.
    let source = match uploads.journal() {
        Ok(journal) => source.recorded_in(&journal),
        Err(error) => {
            tracing::warn!("cannot record open uploads in {}: {error}", inner.options.journal.display());
            source
        }
    };
    provider.store(&source, &upload.to, control)
}

/// The name of the reason why an output was not stored.
fn name(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Denied => "output-denied",
        ErrorKind::NoBucket | ErrorKind::NotFound => "output-no-bucket",
        ErrorKind::Rejected | ErrorKind::TooLarge | ErrorKind::Changed | ErrorKind::File => "output-rejected",
        ErrorKind::Unverified | ErrorKind::Truncated => "output-unverified",
        ErrorKind::Unknown => "provider-unknown",
        ErrorKind::Credentials => "provider-credentials",
        ErrorKind::Unreachable => "provider-unreachable",
        ErrorKind::Tls => "provider-tls",
        ErrorKind::Clock => "provider-clock",
        ErrorKind::Stopped => "stopped",
    }
}

#[cfg(test)]
mod tests;
