//! The admin pages below `/_/`: health, ready, status, metrics, and what the actions are.

use bytes::Bytes;
use hyper::{
    HeaderMap, StatusCode,
    header::{CONTENT_TYPE, HeaderValue},
};
use serde::Serialize;

use super::{LockFile, Server, ShownLimits};
use crate::{
    actions::{Service, decode_pairs, list, openapi},
    reply::{ErrorCode, Head, Problem},
    service::{ACTIONS_PAGE, METRICS_TYPE, Phase, TotalsSnapshot},
};

/// The OpenAPI document of the actions.
const OPENAPI: &str = "/_/openapi.json";

/// A page.
pub(super) type Page = (Head, Bytes);

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
    totals: TotalsSnapshot,
    limits: &'a ShownLimits,
}

/// Whether a path is an admin page's.
pub(super) fn is_admin(path: &str) -> bool {
    path.starts_with("/_/")
}

/// The page at `path`; the token has been checked where it is asked for.
pub(super) async fn page(server: &Server, path: &str, query: Option<&str>) -> Result<Page, Problem> {
    match path {
        "/_/health" | "/_/ready" if !is_well(server) => {
            if server.settings.admin.bare_health {
                Ok(text(StatusCode::SERVICE_UNAVAILABLE, ""))
            } else {
                Err(Problem::draining())
            }
        }
        "/_/ready" if server.service.context().admission.is_full() => {
            let detail = "all permits are in use and the queue is full";
            Err(Problem::new(ErrorCode::TooManyRequests, detail))
        }
        "/_/health" | "/_/ready" => Ok(text(StatusCode::OK, "OK")),
        "/_/status" => Ok(status(server)),
        "/_/metrics" if server.settings.admin.metrics => Ok(metrics(server).await),
        ACTIONS_PAGE => actions(server).map(|service| json(&list::document(service))),
        OPENAPI => {
            let service = actions(server)?;
            Ok(json(&openapi::document(service, server.settings.admin.callers, bodies(query)?)))
        }
        _ => Err(Problem::new(
            ErrorCode::NotFound,
            "below /_/ there are health, ready, status, metrics, actions and openapi.json",
        )),
    }
}

/// The bodies that the description is to have: the last `bodies` in the query.
#[expect(clippy::result_large_err, reason = "the answer to the request, and made once for it")]
fn bodies(query: Option<&str>) -> Result<openapi::Bodies, Problem> {
    let pairs = decode_pairs(query.unwrap_or_default().as_bytes());
    let Some((_, value)) = pairs.filter(|(name, _)| name == "bodies").last() else {
        return Ok(openapi::Bodies::default());
    };
    let value = value.unwrap_or_default();
    openapi::Bodies::named(&value).ok_or_else(|| {
        let detail = format!("the query has bodies={value:?}; use json for one body for each action, or every");
        Problem::new(ErrorCode::BadRequest, detail)
    })
}

/// The actions, for the pages that list them.
#[expect(clippy::result_large_err, reason = "the answer to the request, and made once for it")]
fn actions(server: &Server) -> Result<&Service, Problem> {
    let detail = "there are no actions here: no oms.yml or microservice.yml was in / or in the working directory at the \
        start, and --actions names none";
    server.service.context().settings.actions.as_deref().ok_or_else(|| Problem::new(ErrorCode::NotFound, detail))
}

/// Whether it has not been told to end, by a signal or by the removal of its lock file.
fn is_well(server: &Server) -> bool {
    let is_leaving = server.service.context().lifecycle.is(Phase::Leaving);
    !is_leaving && server.lock_file.as_ref().is_none_or(LockFile::is_there)
}

/// Whether a page says that requests are taken.
pub(super) fn asks_ready(path: &str) -> bool {
    path == "/_/ready"
}

/// Whether a page is for those who show the token only.
pub(super) fn needs_token(path: &str) -> bool {
    matches!(path, "/_/status" | ACTIONS_PAGE | OPENAPI)
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

/// The metrics page, for the listener of its own too.
pub(super) async fn metrics(server: &Server) -> Page {
    page_of(StatusCode::OK, METRICS_TYPE, server.service.metrics_page().await.into())
}

fn status(server: &Server) -> Page {
    let context = server.service.context();
    let status = Status {
        service: context.settings.name.as_deref(),
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: server.started.elapsed().as_secs_f64(),
        ready: is_well(server) && !context.admission.is_full(),
        draining: context.lifecycle.is(Phase::Leaving),
        in_flight: context.lifecycle.in_flight().count(),
        queued: context.admission.queued(),
        workspaces: context.workspaces.open_workspaces(),
        totals: context.metrics.totals.snapshot(),
        limits: &server.settings.admin.limits,
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
