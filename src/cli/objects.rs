//! New files in the directories of `local` inputs as calls: a front door beside that of HTTP.
//!
//! A thread waits for files, a task makes a call of each. As many go on at once as the service permits, so that none waits in
//! its queue, where callers over HTTP would be turned away for it; the other files wait in the directories.

use std::{io, sync::Arc, thread, time::Duration};

use bandog_storage::{
    Control,
    watch::{FoundFile, Watch},
};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::{
    Method, Request, StatusCode,
    header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER},
};
use tokio::{
    sync::{Semaphore, mpsc, watch},
    task::JoinSet,
    time::sleep,
};

use crate::{
    config::{Config, compose},
    process::WakeFd,
    request,
    service::{Call, Phase, Response, Service, Stop},
};

/// Calls at once where the service sets no limit.
const AT_ONCE: usize = 16;

/// Files that are taken from the thread before their calls begin.
const WAITING: usize = 64;

/// Attempts at a call that may succeed later.
const ATTEMPTS: u32 = 5;

/// The pause before the next attempt, where the response names none.
const PAUSE: Duration = Duration::from_secs(1);

/// The treatment of files that are there at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    /// Each of them is a call.
    Called,
    /// They are no calls.
    Ignored,
}

/// Discards unfinished uploads of dead predecessors, and begins to watch the directories of the inputs, if there are some.
/// Returns the task, which ends when all its calls have.
///
/// # Errors
/// A directory cannot be watched, or the kernel refuses a thread.
pub(super) fn open(
    config: &Config,
    service: &Arc<Service>,
    stop: &watch::Receiver<Stop>,
    existing: Existing,
) -> io::Result<JoinSet<()>> {
    let mut doors = JoinSet::new();
    let Some(store) = &config.function.storage else { return Ok(doors) };
    let swept = Arc::clone(store);
    thread::Builder::new().name("sweep".to_owned()).spawn(move || swept.sweep(&Control::default()))?;
    let dirs = store.watched_dirs();
    if dirs.is_empty() {
        return Ok(doors);
    }
    for dir in &dirs {
        tracing::info!("watching {}", dir.path.display());
    }
    let mut watch = Watch::new(dirs)?;
    let (send, files) = mpsc::channel(WAITING);
    let stopped = Arc::new(WakeFd::new()?);
    let of_thread = Arc::clone(&stopped);
    thread::Builder::new().name("objects".to_owned()).spawn(move || {
        // An error is the end of the task, and so of this thread.
        let mut found = |file| drop(send.blocking_send(file));
        if existing == Existing::Called {
            watch.list(&mut found);
        }
        if let Err(error) = watch.run(&of_thread, &mut found) {
            tracing::error!("new files are no events any more: {error}");
        }
    })?;
    let at_once = match compose::inflight(config) {
        0 => AT_ONCE,
        limit => limit,
    };
    doors.spawn(take(Arc::clone(service), files, at_once, stop.clone(), stopped));
    Ok(doors)
}

/// Makes a call of each file until the service is to end, then waits for the calls.
async fn take(
    service: Arc<Service>,
    mut files: mpsc::Receiver<FoundFile>,
    at_once: usize,
    mut stop: watch::Receiver<Stop>,
    thread: Arc<WakeFd>,
) {
    let (permits, mut calls) = (Arc::new(Semaphore::new(at_once.min(Semaphore::MAX_PERMITS))), JoinSet::new());
    loop {
        let file = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop > Stop::No) => break,
            Some(_) = calls.join_next() => continue,
            file = files.recv() => file,
        };
        let Some(file) = file else { break };
        let permit = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop > Stop::No) => break,
            permit = Arc::clone(&permits).acquire_owned() => permit,
        };
        let service = Arc::clone(&service);
        let stop = stop.clone();
        calls.spawn(async move {
            call(&service, &file, stop).await;
            drop(permit);
        });
    }
    thread.wake();
    files.close();
    while calls.join_next().await.is_some() {}
}

/// Calls the function for a file; again, if that may help.
async fn call(service: &Service, file: &FoundFile, mut stop: watch::Receiver<Stop>) {
    let event = file.event();
    for attempt in 1..=ATTEMPTS {
        let (status, pause) = one(service, &event).await;
        let may_help = matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS);
        if !may_help || service.context().lifecycle.is(Phase::Draining) {
            let object = &file.object;
            tracing::info!("event of {object}: status {status}", status = status.as_u16());
            return;
        }
        tracing::info!("event of {}: status {}, attempt {attempt} of {ATTEMPTS}", file.object, status.as_u16());
        if attempt < ATTEMPTS {
            tokio::select! {
                () = sleep(pause) => {}
                // The file is there at the next start.
                _ = stop.wait_for(|stop| *stop > Stop::No) => return,
            }
        }
    }
}

/// One call. Returns its status, and the pause before the next.
async fn one(service: &Service, event: &str) -> (StatusCode, Duration) {
    let (mut head, ()) = Request::new(()).into_parts();
    head.method = Method::POST;
    head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let call = Call { id: request::call_id(&head.headers), head, action: None };
    let body = Some(Bytes::copy_from_slice(event.as_bytes()));
    let Response { head, mut body, .. } = match service.call(call, Box::new(body), &()).await {
        Ok(response) => response,
        Err(problem) => {
            tracing::warn!("{}", problem.detail);
            return (problem.code.status(), problem.retry_after.unwrap_or(PAUSE));
        }
    };
    // The output is in the store; the response is for callers over HTTP.
    while let Some(Ok(_)) = body.frame().await {}
    let pause = head.headers.get(RETRY_AFTER).and_then(|pause| pause.to_str().ok()?.parse().ok());
    (head.status, pause.map_or(PAUSE, Duration::from_secs))
}
