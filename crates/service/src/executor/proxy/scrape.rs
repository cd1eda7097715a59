//! The metrics of the service's process, asked for when bandog's own are.

use std::time::Duration;

use http_body_util::{BodyExt as _, Limited};
use hyper::{
    Request,
    header::{HOST, USER_AGENT},
};
use tokio::time::timeout;

use super::{pool::nothing, targets::Targets};

/// How long the process may take: a client that asks for the metrics does not wait longer either.
const LIMIT: Duration = Duration::from_secs(1);

/// Bytes of a page that are taken.
const MOST: usize = 8 * 1024 * 1024;

impl Targets {
    /// The page; `None` without one, or if it cannot be had.
    pub(crate) async fn scrape(&self) -> Option<String> {
        let scrape = self.scrape.as_ref()?;
        let page = timeout(LIMIT, self.ask(scrape.port, &scrape.path)).await;
        let page = page.unwrap_or_else(|_| Err(format!("no answer within {} s", LIMIT.as_secs())));
        page.inspect_err(|error| {
            tracing::warn!("no metrics of the service from port {} at {}: {error}", scrape.port, scrape.path);
        })
        .ok()
    }

    async fn ask(&self, port: u16, path: &str) -> Result<String, String> {
        let upstream = self.port(port).ok_or("it has no such port")?;
        let request = Request::get(path)
            .header(HOST, upstream.address.to_string())
            .header(USER_AGENT, concat!("bandog/", env!("CARGO_PKG_VERSION")));
        let (head, ()) = request.body(()).map_err(|error| error.to_string())?.into_parts();
        let answered = upstream.send(&head, nothing(), false).await.map_err(|(error, _)| error.to_string())?;
        let status = answered.response.status();
        if !status.is_success() {
            return Err(format!("it answered {status}"));
        }
        let page = Limited::new(answered.response.into_body(), MOST).collect().await;
        let page = page.map_err(|error| error.to_string())?.to_bytes();
        String::from_utf8(page.into()).map_err(|error| error.to_string())
    }
}
