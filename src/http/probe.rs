//! The admin pages below `/_/`: health, ready, status, metrics, and what the actions are.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use bytes::Bytes;
use hyper::{
    HeaderMap, StatusCode,
    header::{CONNECTION, CONTENT_TYPE, HeaderValue},
};
use serde::Serialize;

use super::{Lock, Phase, Server, front, handler::RETRY_AFTER, metrics};
use crate::{
    actions::{Service, list, openapi},
    config::{self, Config},
    invocation::Outcome,
    reply::{
        Head,
        problem::{Problem, Slug},
    },
};

/// What the actions are, as an OpenAPI document.
const OPENAPI: &str = "/_/openapi.json";

/// What a page says.
pub(super) type Page = (Head, Bytes);

/// How invocations ended, since the start.
#[derive(Debug, Default)]
pub(super) struct Totals {
    done: AtomicU64,
    failed: AtomicU64,
    timed_out: AtomicU64,
    cancelled: AtomicU64,
    refused: AtomicU64,
    turned_away: AtomicU64,
}

impl Totals {
    pub(super) fn count(&self, outcome: &Outcome) {
        let counter = match outcome {
            Outcome::Done { .. } | Outcome::Passed => &self.done,
            Outcome::Failed { .. } => &self.failed,
            Outcome::TimedOut { .. } => &self.timed_out,
            Outcome::Cancelled { .. } => &self.cancelled,
            Outcome::Refused(_) => &self.refused,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// An invocation that bandog itself broke off.
    pub(super) fn count_broken(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    /// A body that did not arrive.
    pub(super) fn count_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// A request for which there was no place.
    pub(super) fn count_turned_away(&self) {
        self.turned_away.fetch_add(1, Ordering::Relaxed);
    }
}

/// The limits that are in force, as the status page shows them: 0 or `null` is none.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Limits {
    max_inflight: usize,
    max_queue: usize,
    max_body: u64,
    max_logs: u64,
    exec_timeout_seconds: Option<f64>,
    queue_timeout_seconds: Option<f64>,
    read_timeout_seconds: Option<f64>,
    max_memory: u64,
    max_cpu_time_seconds: Option<f64>,
    max_processes: u64,
    max_open_files: u64,
    max_output: u64,
    nice: Option<i32>,
    sandbox: bool,
    send_timeout_seconds: Option<f64>,
}

impl Limits {
    pub(super) fn of(config: &Config) -> Self {
        let seconds = |limit: Option<Duration>| limit.map(|limit| limit.as_secs_f64());
        let limits = &config.confinement;
        Self {
            max_inflight: config.max_inflight,
            max_queue: config.max_queue,
            max_body: config.max_body,
            max_logs: config.max_logs,
            exec_timeout_seconds: seconds(config.exec_timeout),
            queue_timeout_seconds: seconds(config.queue_timeout),
            read_timeout_seconds: seconds(config.read_timeout),
            max_memory: limits.max_memory.unwrap_or(0),
            max_cpu_time_seconds: seconds(limits.max_cpu_time),
            max_processes: limits.max_processes.unwrap_or(0),
            max_open_files: limits.max_open_files.unwrap_or(0),
            max_output: limits.max_output.unwrap_or(0),
            nice: limits.nice,
            sandbox: limits.sandbox,
            send_timeout_seconds: seconds(config.send_timeout),
        }
    }
}

#[derive(Serialize)]
struct Status<'a> {
    service: Option<&'a str>,
    version: &'static str,
    uptime_seconds: f64,
    ready: bool,
    draining: bool,
    in_flight: usize,
    queued: usize,
    workspaces: usize,
    totals: StatusTotals,
    limits: &'a Limits,
}

#[derive(Serialize)]
struct StatusTotals {
    done: u64,
    failed: u64,
    timed_out: u64,
    cancelled: u64,
    bad_input: u64,
    turned_away: u64,
}

/// Whether a path is an admin page's.
pub(super) fn is_admin(path: &str) -> bool {
    path.starts_with("/_/")
}

/// The page at `path`; the token has been checked where it is asked for.
pub(super) async fn page(server: &Server, path: &str) -> Result<Page, Problem> {
    match path {
        "/_/health" | "/_/ready" if !is_well(server) => match server.style {
            Some(_) => Ok(text(StatusCode::SERVICE_UNAVAILABLE, "")),
            None => Err(draining()),
        },
        "/_/ready" if server.admission.is_full() => {
            let detail = "every place and every place in the queue is taken";
            Err(Problem::new(Slug::TooManyRequests, detail).retry_after(RETRY_AFTER))
        }
        "/_/health" | "/_/ready" => Ok(text(StatusCode::OK, "OK")),
        "/_/status" => Ok(status(server)),
        "/_/metrics" if server.metrics_place == config::Metrics::On => Ok(metrics(server).await),
        front::LIST => actions(server).map(|service| json(&list::document(service))),
        OPENAPI => actions(server).map(|service| json(&openapi::document(service, server.callers))),
        _ => Err(Problem::new(
            Slug::NotFound,
            "below /_/ there are health, ready, status, metrics, actions and openapi.json",
        )),
    }
}

/// The actions, for who asks for them.
#[expect(clippy::result_large_err, reason = "the answer to the request, and made once for it")]
fn actions(server: &Server) -> Result<&Service, Problem> {
    let detail = "there are no actions here: no oms.yml or microservice.yml was in / or in the working directory at the \
        start, and --actions names none";
    server.actions.as_deref().ok_or_else(|| Problem::new(Slug::NotFound, detail))
}

/// Whether it has not been told to end: by a signal or, in the place of a watchdog, by the removal of its lock file.
fn is_well(server: &Server) -> bool {
    !server.is(Phase::Leaving) && server.lock.as_ref().is_none_or(Lock::is_there)
}

/// Whether a page says that requests are taken.
pub(super) fn asks_ready(path: &str) -> bool {
    path == "/_/ready"
}

/// Whether a page is for those who show the token only.
pub(super) fn needs_token(path: &str) -> bool {
    matches!(path, "/_/status" | front::LIST | OPENAPI)
}

/// Whether it is Knative's queue-proxy that asks.
pub(super) fn is_network_probe(headers: &HeaderMap) -> bool {
    headers.get("k-network-probe").is_some_and(|probe| probe == "probe")
}

/// The answer to Knative's probe (`K-Network-Probe: probe`), whatever the path: the function is not started.
pub(super) fn network_probe(headers: &HeaderMap) -> Option<Page> {
    if !is_network_probe(headers) {
        return None;
    }
    let (mut head, body) = text(StatusCode::OK, "OK");
    if let Some(hash) = headers.get("k-network-hash") {
        head.headers.insert("k-network-hash", hash.clone());
    }
    Some((head, body))
}

/// What is answered to who comes while bandog is going.
pub(super) fn draining() -> Problem {
    Problem::new(Slug::Draining, "this instance is shutting down; repeat the request and another one will take it")
        .retry_after(RETRY_AFTER)
        .header(CONNECTION, HeaderValue::from_static("close"))
}

/// The metrics page, for the listener of its own too.
pub(super) async fn metrics(server: &Server) -> Page {
    let scraped = match &server.backend.front {
        Some(front) => front.origins().scrape().await,
        None => None,
    };
    let (queued, workspaces) = (server.admission.queued(), server.workspaces.open_workspaces());
    let body = server.metrics.render(queued, workspaces, scraped.as_deref());
    page_of(StatusCode::OK, metrics::CONTENT_TYPE, body.into())
}

fn status(server: &Server) -> Page {
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let totals = &server.totals;
    let status = Status {
        service: server.service.as_deref(),
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: server.started.elapsed().as_secs_f64(),
        ready: is_well(server) && !server.admission.is_full(),
        draining: server.is(Phase::Leaving),
        in_flight: server.running.count(),
        queued: server.admission.queued(),
        workspaces: server.workspaces.open_workspaces(),
        totals: StatusTotals {
            done: count(&totals.done),
            failed: count(&totals.failed),
            timed_out: count(&totals.timed_out),
            cancelled: count(&totals.cancelled),
            bad_input: count(&totals.refused),
            turned_away: count(&totals.turned_away),
        },
        limits: &server.limits,
    };
    json(&status)
}

fn json(document: &impl Serialize) -> Page {
    let body = serde_json::to_vec(document).unwrap_or_default();
    page_of(StatusCode::OK, "application/json", body.into())
}

fn text(status: StatusCode, text: &'static str) -> Page {
    page_of(status, "text/plain; charset=utf-8", Bytes::from_static(text.as_bytes()))
}

fn page_of(status: StatusCode, media_type: &'static str, body: Bytes) -> Page {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    (Head { status, headers, length: Some(body.len() as u64) }, body)
}
