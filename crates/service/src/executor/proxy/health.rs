//! Whether a server says that it is ready.

use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::{
    Request, StatusCode,
    header::{HOST, USER_AGENT},
};
use tokio::time::timeout;

use super::{
    address::Address,
    pool::{nothing, shake_hands},
};

/// How a server is asked whether it is ready.
#[derive(Debug)]
pub(crate) struct Health {
    /// Where it listens; without one it is ready once it runs.
    pub(super) address: Option<Address>,
    /// The target of the readiness request; without one the server is ready once it listens.
    pub(super) target: Option<String>,
    /// A redirection is as good as an answer.
    pub(super) takes_redirections: bool,
    /// How long it may take to say so.
    pub(super) limit: Duration,
}

impl Health {
    /// Whether it is ready at this moment.
    pub(super) async fn is_good(&self) -> bool {
        timeout(self.limit, self.says_ready()).await.unwrap_or(false)
    }

    /// Whether it has more to say than that it listens.
    pub(super) fn is_asked(&self) -> bool {
        self.target.is_some()
    }

    fn is_well(&self, status: StatusCode) -> bool {
        status.is_success() || (self.takes_redirections && status.is_redirection())
    }

    async fn says_ready(&self) -> bool {
        let Some(address) = &self.address else { return true };
        let Ok(stream) = address.reach().await else { return false };
        let Some(target) = &self.target else { return true };
        let Ok(mut sender) = shake_hands(stream).await else { return false };
        let request = Request::get(target)
            .header(HOST, address.to_string())
            .header(USER_AGENT, concat!("bandog/", env!("CARGO_PKG_VERSION")));
        let Ok(request) = request.body(nothing()) else { return false };
        match sender.send_request(request).await {
            // To the end, so that the server is not left with a broken connection.
            Ok(response) => self.is_well(response.status()) && response.into_body().collect().await.is_ok(),
            Err(_) => false,
        }
    }
}
