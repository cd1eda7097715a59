//! `--decode`: a body is taken in into a file first, and the content of that file is sent. If it is an event of a platform,
//! the input in it is sent; the variables of the event are for processes, and a server gets none.

use std::{os::fd::OwnedFd, path::Path, sync::Arc};

use bytes::Bytes;
use hyper::{
    HeaderMap,
    header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue},
};
use rustix::{
    fs::{Mode, OFlags, openat},
    io::{Errno, read, retry_on_intr},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use crate::{
    body::{RequestBody, RequestFrame},
    context::Context,
    input::{self, Envelope, Input, InputKind},
    invocation::{Failure, Outcome, Report, take_in},
    reply::CONTENT_TRANSFER_ENCODING,
};

/// Bytes of a piece.
const PIECE: usize = 64 * 1024;

/// The content that is sent in place of a body that has been taken in.
enum Content {
    File(OwnedFd),
    /// The event itself, where the function gets no file because it fetches its input; empty if there is none.
    Event(Bytes),
}

/// A body that has been taken in, and the one that is sent in its place.
struct Decoded {
    input: Input,
    body: RequestBody,
}

/// Decodes a body as mode `files` does, and says in `headers` what it is then.
pub(super) async fn decode(
    context: &Arc<Context>,
    call_id: &str,
    envelope: Envelope,
    body: RequestBody,
    headers: &mut HeaderMap,
) -> Result<RequestBody, Outcome> {
    let started = Instant::now();
    let failed = |failure| Outcome::Failed { report: Report::of_exchange(started.elapsed()), failure };
    let (tell, told) = oneshot::channel();
    let shared = Arc::clone(context);
    let submitted = context.workers.submit(move || work(&shared, &envelope, body, tell));
    submitted.map_err(|error| failed(Failure::NoThread(error)))?;
    let decoded = told
        .await
        .map_err(|_| failed(Failure::Supervise(std::io::Error::other("the thread that decodes the body failed"))))?;
    let Decoded { input, body } = decoded.map_err(|fault| match fault {
        DecodeFault::Refused(error) => Outcome::Refused(error),
        DecodeFault::Workspace(error) => failed(Failure::Workspace(error)),
    })?;
    for note in &input.notes {
        tracing::info!(call_id, "{note}");
    }
    describe(headers, &input);
    Ok(body)
}

/// The reason why there is nothing to send.
enum DecodeFault {
    Refused(input::InputError),
    Workspace(std::io::Error),
}

/// On a thread of its own: first all of the body, then all of the file.
fn work(
    context: &Arc<Context>,
    envelope: &Envelope,
    mut body: RequestBody,
    tell: oneshot::Sender<Result<Decoded, DecodeFault>>,
) {
    // The workspace is removed before the result is sent; the file stays, since it is open.
    let stored = store(context, envelope, &mut body);
    let (input, sent) = match stored {
        Ok(stored) => stored,
        Err(fault) => return drop(tell.send(Err(fault))),
    };
    let (body, pieces) = RequestBody::begun(Bytes::new());
    let length = match &sent {
        Content::File(_) => input.bytes,
        Content::Event(event) => event.len() as u64,
    };
    let body = body.announced(Some(length));
    if tell.send(Ok(Decoded { input, body })).is_err() {
        return;
    }
    match sent {
        Content::File(file) => {
            // An error is a body that ends too early, which the function does not take for the whole.
            if let Err(error) = send_file(&file, &pieces) {
                tracing::error!("cannot read back the decoded body: {error}");
            }
        }
        Content::Event(event) => {
            let is_taken = event.is_empty() || pieces.blocking_send(RequestFrame::Data(event)).is_ok();
            // The receiver is gone if the server has answered before the end, which is its choice.
            let _ = is_taken && pieces.blocking_send(RequestFrame::End).is_ok();
        }
    }
}

/// Decodes the body into a file.
fn store(context: &Arc<Context>, envelope: &Envelope, body: &mut RequestBody) -> Result<(Input, Content), DecodeFault> {
    let workspace = context.workspaces.workspace().map_err(DecodeFault::Workspace)?;
    let (limit, filter) = (context.settings.limits.body, context.settings.input_filter.as_deref());
    let input = take_in::take_in(&workspace, envelope, body, limit, filter).map_err(DecodeFault::Refused)?;
    // A form itself is passed on as it is, and does not come here.
    if input.path.as_deref() == Some(workspace.input_path().as_path()) {
        let reason = "the event contains a form with several files, which is not one body; send the form itself";
        return Err(DecodeFault::Refused(input::InputError::Filter(reason.to_owned())));
    }
    let Some(path) = &input.path else {
        let event = input.event.as_ref().map(|event| Bytes::from(event.json.clone()));
        return Ok((input, Content::Event(event.unwrap_or_default())));
    };
    let name = path.file_name().unwrap_or_default();
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = openat(workspace.input(), name, flags, Mode::empty());
    let file = file.map_err(|error| DecodeFault::Workspace(error.into()))?;
    Ok((input, Content::File(file)))
}

/// Sends what is in the file, for as long as it is taken.
fn send_file(file: &OwnedFd, pieces: &mpsc::Sender<RequestFrame>) -> Result<(), Errno> {
    loop {
        let mut buffer = vec![0; PIECE];
        let count = retry_on_intr(|| read(file, &mut buffer))?;
        buffer.truncate(count);
        let piece = if count == 0 { RequestFrame::End } else { RequestFrame::Data(buffer.into()) };
        if pieces.blocking_send(piece).is_err() || count == 0 {
            return Ok(());
        }
    }
}

/// The fields that speak of the body, as it is now.
fn describe(headers: &mut HeaderMap, input: &Input) {
    headers.remove(CONTENT_ENCODING);
    headers.remove(CONTENT_TRANSFER_ENCODING);
    if !input.notes.is_empty() {
        // The label is that of the event, and not of the input that was in it.
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(type_within(input)));
        return;
    }
    let sent = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let sent = sent.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let kind = match input.kind {
        // As it is labelled.
        InputKind::Empty | InputKind::Raw | InputKind::Text | InputKind::Multipart => return,
        InputKind::Json if sent.ends_with("json") => return,
        InputKind::Json => "application/json",
        // The label of bytes that were made fit for mail is that of the bytes.
        InputKind::Base64 if !is_wrapping(&sent) => return,
        InputKind::Base64 => type_by_name(input),
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
}

/// The type of an input that was within an event.
fn type_within(input: &Input) -> &'static str {
    match input.kind {
        InputKind::Json => "application/json",
        InputKind::Empty | InputKind::Raw | InputKind::Text | InputKind::Base64 | InputKind::Multipart => {
            if input.path.is_none() && input.event.is_some() { "application/json" } else { type_by_name(input) }
        }
    }
}

/// The type that the name of the input file tells.
fn type_by_name(input: &Input) -> &'static str {
    let path = input.path.as_deref().unwrap_or(Path::new(""));
    mime_guess::from_path(path).first_raw().unwrap_or("application/octet-stream")
}

/// Types that say nothing of what is in the base64 they are the label of.
fn is_wrapping(kind: &str) -> bool {
    matches!(kind, "" | "application/x-www-form-urlencoded" | "application/base64" | "text/plain" | "application/json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_is_that_of_what_the_function_gets() {
        let described = |kind, sent: &str, name: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, sent.parse().expect("a value"));
            headers.insert(CONTENT_ENCODING, "gzip".parse().expect("a value"));
            describe(&mut headers, &Input::new(name.into(), kind, 1));
            assert!(!headers.contains_key(CONTENT_ENCODING));
            headers[CONTENT_TYPE].to_str().expect("text").to_owned()
        };
        for (kind, sent, name, wanted) in [
            (InputKind::Base64, "text/plain", "event-file-1", "application/octet-stream"),
            (InputKind::Base64, "application/json", "a.png", "image/png"),
            (InputKind::Base64, "image/jpeg", "event-file-1.jpg", "image/jpeg"),
            (InputKind::Json, "text/plain", "event-file-1", "application/json"),
            (InputKind::Json, "application/ld+json", "event-file-1", "application/ld+json"),
            (InputKind::Text, "text/plain; charset=latin1", "event-file-1", "text/plain; charset=latin1"),
            (InputKind::Raw, "image/png", "event-file-1.png", "image/png"),
        ] {
            assert_eq!(described(kind, sent, name), wanted, "{kind} {sent} {name}");
        }
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let input = Input::new("event-file-1.png".into(), InputKind::Raw, 1);
        describe(&mut headers, &Input { notes: vec!["An event was opened."], ..input });
        assert_eq!(headers[CONTENT_TYPE], "image/png", "the label was that of the event");
    }
}
