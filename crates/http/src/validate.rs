//! The checks that need a request's head alone, and nothing of what it is to.

use hyper::http::request::Parts;

use super::Server;
use crate::{
    reply::{ErrorCode, Problem},
    service::Phase,
};

/// Bytes of all header fields together; more is answered with 431. The strict reader has a limit of its own, higher.
pub(super) const HEADERS_LIMIT: u32 = 64 * 1024;

/// Checks a head, whatever it is to.
#[expect(clippy::result_large_err, reason = "the response to the request, and made once for it")]
pub(super) fn check(server: &Server, parts: &Parts) -> Result<(), Problem> {
    server.service.context().check_open(Phase::Draining)?;
    let size: usize = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if size > HEADERS_LIMIT as usize {
        let detail = format!("the header fields have {size} bytes, at most {HEADERS_LIMIT} are taken");
        return Err(Problem::new(ErrorCode::HeadersTooLarge, detail));
    }
    Ok(())
}
