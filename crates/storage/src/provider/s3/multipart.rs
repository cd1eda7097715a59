//! An object that is sent in parts, several at once.
//!
//! An upload is recorded before its first part, and aborted however it ends unless it is complete. One that cannot be
//! aborted stays recorded.

use std::{
    num::NonZeroUsize,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use http::{HeaderName, Method, header};
use jiff::Timestamp;

use super::{
    api::{Api, Call, Failure},
    complete::{SentPart, complete},
    digest::{Digests, check_etag, etag},
    document::{Document, LIMIT},
    refusal::http_date,
    sign::hex,
};
use crate::{
    control::Control,
    error::{Error, ErrorKind},
    http::{FilePart, Payload},
    journal::{Entry, OpenEntry},
    name::ProviderName,
    object::ObjectPath,
    retry::attempts,
    source::Source,
};

/// Bytes of a part, at least. S3 takes no part under 5 MiB but the last.
const PART: u64 = 8 * 1024 * 1024;

/// Parts of an object, at most.
const PARTS: u64 = 10_000;

/// Bytes that the size of a part is a multiple of.
const UNIT: u64 = 1024 * 1024;

/// The time to abort an upload, which begins after that of the call may be over.
const ABORT: Duration = Duration::from_secs(10);

/// Threads that send parts beside those of the transfers, for all objects of a store: each has a connection and its
/// buffers, and many objects at once need no parts at once.
const PART_THREADS: usize = 4;

/// The threads that send parts.
#[derive(Debug, Default)]
pub(super) struct PartThreads(AtomicUsize);

/// The permit for one of them, given back when this is dropped.
struct PartPermit<'a>(&'a PartThreads);

impl PartThreads {
    fn permit(&self) -> Option<PartPermit<'_>> {
        let more = |count| (count < PART_THREADS).then_some(count + 1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok().map(|_| PartPermit(self))
    }
}

impl Drop for PartPermit<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Stores a file.
pub(super) fn store(
    api: &Api,
    provider: &ProviderName,
    source: &Source,
    to: &ObjectPath,
    (parts_at_once, threads): (NonZeroUsize, &PartThreads),
    control: &Control<'_>,
) -> Result<(), Error> {
    let mut upload = OpenUpload::begin(api, provider, source, to, control)?;
    let parts = upload.send_parts(source, (parts_at_once, threads), control)?;
    source.check_unchanged()?;
    complete(api, to, &upload.id, &parts, (source.size(), upload.begun), control)?;
    upload.is_complete = true;
    Ok(())
}

/// Aborts an upload; succeeds if there is none.
pub(super) fn abort(api: &Api, to: &ObjectPath, id: &str, control: &Control<'_>) -> Result<(), Error> {
    attempts(control, |_| {
        let query = [("uploadId", id)];
        let call = Call { query: &query, ..Call::new(Method::DELETE, to) };
        match api.send(&call, control, |_| Ok(())) {
            Err(failure @ Failure::Refused(_)) => match failure.code() {
                "NoSuchUpload" | "NoSuchBucket" | "NoSuchKey" => Ok(()),
                _ => Err(failure.into()),
            },
            sent => Ok(sent?),
        }
    })
}

/// An upload that is open until it is complete.
struct OpenUpload<'a> {
    api: &'a Api,
    to: &'a ObjectPath,
    id: String,
    /// The time of the store.
    begun: Option<Timestamp>,
    record: Option<OpenEntry>,
    is_complete: bool,
}

impl<'a> OpenUpload<'a> {
    fn begin(
        api: &'a Api,
        provider: &ProviderName,
        source: &Source,
        to: &'a ObjectPath,
        control: &Control<'_>,
    ) -> Result<Self, Error> {
        let (document, begun) = attempts(control, |_| {
            let call = Call { query: &[("uploads", "")], ..Call::new(Method::POST, to) };
            let begun = api.send(&call, control, |response| {
                let date = response.header(header::DATE).and_then(http_date);
                Ok((response.read(LIMIT, control)?, date))
            });
            Ok(begun?)
        })?;
        let id = Document::parse(&document).and_then(|document| document.text("UploadId").map(str::to_owned));
        let Some(id) = id else {
            return Err(Error::new(ErrorKind::Rejected, "the store began an upload in parts without 'UploadId'"));
        };
        // From here on dropping it aborts the upload.
        let mut upload = Self { api, to, id, begun, record: None, is_complete: false };
        let entry = Entry { provider: provider.clone(), object: to.clone(), part: upload.id.clone() };
        upload.record = source.record(&entry)?;
        Ok(upload)
    }

    /// Sends all parts. The first error ends the others after the requests that they are in.
    fn send_parts(
        &self,
        source: &Source,
        (parts_at_once, threads): (NonZeroUsize, &PartThreads),
        control: &Control<'_>,
    ) -> Result<Vec<SentPart>, Error> {
        let plan = PartSizes::new(source.size());
        let next = AtomicU64::new(0);
        let has_failed = AtomicBool::new(false);
        let done = Mutex::new(Vec::new());
        let work = &|| -> Result<(), Error> {
            while !has_failed.load(Ordering::Relaxed) {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(bytes) = plan.part(number) else { break };
                let sent = self.send_part(source, number + 1, bytes, control);
                let part = sent.inspect_err(|_| has_failed.store(true, Ordering::Relaxed))?;
                done.lock().unwrap_or_else(PoisonError::into_inner).push(part);
            }
            Ok(())
        };
        let others = plan.count.min(parts_at_once.get() as u64) - 1;
        thread::scope(|scope| {
            // Without another thread this one sends all parts.
            let start = |_| {
                let permit = threads.permit()?;
                let work = move || {
                    let _permit = permit;
                    work()
                };
                thread::Builder::new().name("bandog-part".to_owned()).spawn_scoped(scope, work).ok()
            };
            let others: Vec<_> = (0..others).map_while(start).collect();
            let mut result = work();
            for other in others {
                let ended = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                result = result.and(ended);
            }
            result
        })?;
        let mut parts = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        parts.sort_unstable_by_key(|part| part.number);
        Ok(parts)
    }

    fn send_part(
        &self,
        source: &Source,
        number: u64,
        (offset, length): (u64, u64),
        control: &Control<'_>,
    ) -> Result<SentPart, Error> {
        let digests = Digests::of_file(source.file(), offset, length, self.api.signs_payloads(), control)?;
        let text = number.to_string();
        let query = [("partNumber", text.as_str()), ("uploadId", &self.id)];
        attempts(control, |_| {
            source.check_unchanged()?;
            let call = Call {
                query: &query,
                headers: vec![(HeaderName::from_static("content-md5"), digests.content_md5())],
                payload: Payload::File(FilePart { file: source.file().clone(), offset, length }),
                sha256: digests.sha256.as_deref(),
                ..Call::new(Method::PUT, self.to)
            };
            let sent = self.api.send(&call, control, |response| {
                check_etag(&response.headers, digests.md5)?;
                let etag = etag(&response.headers).map_or_else(|| format!("\"{}\"", hex(&digests.md5)), str::to_owned);
                response.read(LIMIT, control)?;
                Ok(SentPart { number, etag, md5: digests.md5 })
            });
            Ok(sent?)
        })
    }
}

impl Drop for OpenUpload<'_> {
    fn drop(&mut self) {
        if !self.is_complete {
            // The call may be over or cancelled, which is why it is aborted.
            let control = Control { deadline: Some(Instant::now() + ABORT), cancel: None };
            if let Err(error) = abort(self.api, self.to, &self.id, &control) {
                tracing::warn!("cannot abort the upload {} of {}: {error}", self.id, self.to);
                return;
            }
        }
        if let Some(record) = self.record.take() {
            record.end();
        }
    }
}

/// The parts of a file.
#[derive(Debug)]
struct PartSizes {
    size: u64,
    part: u64,
    count: u64,
}

impl PartSizes {
    fn new(size: u64) -> Self {
        let part = size.div_ceil(PARTS).next_multiple_of(UNIT).max(PART);
        Self { size, part, count: size.div_ceil(part).max(1) }
    }

    /// The offset and the length of a part. The first has number 0.
    fn part(&self, number: u64) -> Option<(u64, u64)> {
        let offset = number * self.part;
        (number < self.count).then(|| (offset, self.part.min(self.size - offset)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts_grow_with_the_object() {
        const GIB: u64 = 1024 * 1024 * 1024;
        for (size, part, count) in [
            (16 * UNIT + 1, PART, 3),
            (80_000 * UNIT, PART, 10_000),
            (80_000 * UNIT + 1, 9 * UNIT, 8889),
            (5 * 1024 * GIB, 525 * UNIT, 9987),
        ] {
            let plan = PartSizes::new(size);
            assert_eq!((plan.part, plan.count), (part, count), "{size}");
        }
    }

    #[test]
    fn threads_for_parts_are_few_and_come_back() {
        let threads = PartThreads::default();
        let permits: Vec<_> = std::iter::from_fn(|| threads.permit()).take(2 * PART_THREADS).collect();
        assert_eq!(permits.len(), PART_THREADS);
        drop(permits);
        assert!(threads.permit().is_some());
    }

    proptest! {
        #[test]
        fn parts_cover_the_object_without_a_gap(size in 1_u64..(60 << 40)) {
            let plan = PartSizes::new(size);
            prop_assert!(plan.count <= PARTS);
            let mut end = 0;
            for number in 0..plan.count {
                let (offset, length) = plan.part(number).expect("a part");
                prop_assert_eq!(offset, end);
                prop_assert!(length > 0 && (length == plan.part || number + 1 == plan.count));
                end += length;
            }
            prop_assert_eq!(end, size);
            prop_assert_eq!(plan.part(plan.count), None);
        }
    }
}
