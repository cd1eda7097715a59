//! What a request's head has to be, before a place is asked for or a byte of the body.

use hyper::{
    Method,
    header::{CONTENT_LENGTH, EXPECT, HeaderValue},
    http::request::Parts,
};

use super::{
    Phase, Server,
    backend::Kind,
    front::{self, Asked},
    handler::{method_not_allowed, refused},
    probe,
};
use crate::{
    config::Habit,
    intake::{Envelope, Error as IntakeError, Labels, Side},
    reply::problem::{Problem, Slug},
    request,
};

/// The methods that invoke the function.
pub(super) const METHODS: &str = "GET, POST, PUT, PATCH, DELETE";

/// Bytes of all header fields together; more is answered with 431. What comes before the handler has a limit of its
/// own, higher.
pub(super) const HEADERS_LIMIT: u32 = 64 * 1024;

/// What can be wrong with a head, whatever it is to.
#[expect(clippy::result_large_err, reason = "one for each request at most, and the answer to it")]
pub(super) fn check(server: &Server, parts: &Parts) -> Result<(), Problem> {
    if server.is(Phase::Draining) {
        return Err(probe::draining());
    }
    let size: usize = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if size > HEADERS_LIMIT as usize {
        let detail = format!("the header fields have {size} bytes, at most {HEADERS_LIMIT} are taken");
        return Err(Problem::new(Slug::HeadersTooLarge, detail));
    }
    Ok(())
}

/// What can be wrong with one that is to no action.
#[expect(clippy::result_large_err, reason = "one for each request at most, and the answer to it")]
pub(super) fn check_call(server: &Server, parts: &Parts) -> Result<(), Problem> {
    if let Kind::Nobody = server.backend.kind {
        return Err(front::nothing_here(parts.uri.path()));
    }
    match methods(server, &parts.method) {
        Some(methods) if !methods.split(", ").any(|method| parts.method == method) => {
            return Err(method_not_allowed(methods));
        }
        // A tunnel to anywhere is none of a function's tasks.
        None if parts.method == Method::CONNECT => return Err(method_not_allowed("any method but CONNECT")),
        Some(_) | None => {}
    }
    let service = server.service.as_ref().filter(|_| server.backend.names_services());
    if let (Some(service), Some(asked)) = (service, parts.uri.path().strip_prefix("/run/")) {
        let asked = percent_encoding::percent_decode_str(asked.split('/').next().unwrap_or_default());
        if !asked.clone().eq(service.bytes()) {
            let detail = format!("this is the service {service:?}, not {:?}", asked.decode_utf8_lossy());
            return Err(Problem::new(Slug::NotFound, detail));
        }
    }
    Ok(())
}

/// What can be wrong with what a head says of the body.
#[expect(clippy::result_large_err, reason = "one for each request at most, and the answer to it")]
pub(super) fn check_body(server: &Server, parts: &Parts, asked: Option<&Asked<'_>>) -> Result<Envelope, Problem> {
    if let Some(expected) = parts.headers.get(EXPECT).filter(|value| !is_continue(value)) {
        let detail = format!("Expect {expected:?} is not known; only 100-continue is");
        return Err(Problem::new(Slug::ExpectationFailed, detail));
    }
    let length = parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| server.max_body > 0 && length > server.max_body) {
        return Err(refused(IntakeError::TooLarge { limit: server.max_body, side: Side::Sent }));
    }
    match asked {
        Some(Asked::Forward(_)) => return Ok(Envelope::as_sent(&request::labels(&parts.headers))),
        Some(Asked::Command { .. } | Asked::Http { .. }) => {
            return Envelope::for_action(&request::labels(&parts.headers)).map_err(refused);
        }
        None => {}
    }
    // A document of our own says nothing of the body in it.
    let labels = if server.keeps(Habit::Untyped) || server.marshals {
        Labels::default()
    } else {
        request::labels(&parts.headers)
    };
    if server.decodes { Envelope::parse(&labels).map_err(refused) } else { Ok(Envelope::as_sent(&labels)) }
}

/// The methods that are answered; `None` if that is not for bandog to say. of-watchdog gave all of them to its
/// functions. HEAD asks for no body, so that one that is passed on while it is written would be ended with its head.
fn methods(server: &Server, asked: &Method) -> Option<&'static str> {
    match &server.backend.kind {
        Kind::Function(function) if server.takes_any_method && !(function.is_live() && *asked == Method::HEAD) => None,
        Kind::Function(_) | Kind::Upstream(_) | Kind::Files(_) | Kind::Nobody => server.backend.methods(),
    }
}

fn is_continue(value: &HeaderValue) -> bool {
    value.as_bytes().eq_ignore_ascii_case(b"100-continue")
}
