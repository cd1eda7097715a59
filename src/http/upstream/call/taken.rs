//! What an action is given, taken in and made into the request that does it, on a thread of its own.

use std::{fmt, sync::Arc};

use hyper::HeaderMap;
use tokio::{sync::oneshot, time::Instant};

use super::{Asking, order::Order};
use crate::{
    actions::{Action, Endpoint, HttpCall, MediaType, Text, Way},
    http::{Server, bridge::Incoming, upstream::Upstream},
    intake::{self, Envelope, InputDir},
    invocation::{Failure, Outcome, Report},
    workspace::Workspace,
};

/// What has come of a body.
pub(super) struct Taken {
    pub(super) order: Order,
    /// The files among the arguments, as long as this lives.
    pub(super) files: Option<Files>,
}

/// A workspace that outlives the thread that filled it. Removed by another one, for that may take its time.
pub(in crate::http::upstream) struct Files {
    workspace: Option<Workspace>,
    server: Arc<Server>,
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Files").field("workspace", &self.workspace).finish_non_exhaustive()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // Where no thread is to be had, who is here does it.
        let workspace = self.workspace.take();
        if let Err(error) = self.server.workers.submit(move || drop(workspace)) {
            tracing::warn!("no thread to remove a workspace: {error}");
        }
    }
}

/// Takes in what is sent, and holds it against what the action takes.
pub(super) async fn take(
    server: &Arc<Server>,
    upstream: &Arc<Upstream>,
    asking: Asking<'_>,
    headers: HeaderMap,
    envelope: Envelope,
    incoming: Incoming,
) -> Result<Taken, Outcome> {
    let started = Instant::now();
    let failed = |failure| Outcome::Failed { report: Report::of_exchange(started.elapsed()), failure };
    let (tell, told) = oneshot::channel();
    let task = Task {
        server: Arc::clone(server),
        upstream: Arc::clone(upstream),
        action: Arc::clone(asking.action),
        how: Arc::clone(asking.how),
        way: asking.way,
        texts: asking.texts,
        headers,
        envelope,
    };
    let submitted = server.workers.submit(move || drop(tell.send(task.run(incoming))));
    submitted.map_err(|error| failed(Failure::Supervise(error)))?;
    let taken = told.await.map_err(|_| failed(Failure::Supervise(std::io::Error::other("the intake broke down"))))?;
    taken.map_err(|fault| match fault {
        Fault::Refused(error) => Outcome::Refused(error),
        Fault::Workspace(failure) => failed(failure),
    })
}

/// What goes to the thread, beside the body.
struct Task {
    server: Arc<Server>,
    upstream: Arc<Upstream>,
    action: Arc<Action>,
    how: Arc<HttpCall>,
    way: Way,
    texts: Vec<Text>,
    /// What the request has beside its arguments.
    headers: HeaderMap,
    envelope: Envelope,
}

/// Whether files go to the service by name, for it to open. Those that are sent stay out of its reach: it could put a link
/// in their place, to what bandog may read and it may not.
fn names_files(how: &HttpCall) -> bool {
    match how.content_type {
        MediaType::Json | MediaType::Form => true,
        MediaType::Multipart | MediaType::Bytes => false,
    }
}

/// What went wrong before there were arguments.
enum Fault {
    Refused(intake::Error),
    Workspace(Failure),
}

impl Task {
    fn run(self, mut incoming: Incoming) -> Result<Taken, Fault> {
        let workspace = self.server.workspaces.workspace();
        let workspace = workspace.map_err(|error| Fault::Workspace(Failure::Workspace(error)))?;
        let path = workspace.input_path();
        let dir = InputDir { fd: workspace.input(), path: &path };
        let input = intake::receive(&self.envelope, &mut incoming, dir, self.server.max_body);
        let input = input.map_err(Fault::Refused)?;
        let body = intake::arguments(&self.envelope, &input, dir, &self.action, self.way).map_err(Fault::Refused)?;
        let mut has_files = body.has_files();
        let mut store = |_: &str, content: &[u8]| {
            has_files = true;
            intake::store(dir, content)
        };
        let bound = self.action.bind(self.way, &self.texts, body, &mut store);
        let arguments = bound.map_err(|error| Fault::Refused(error.into()))?;
        let arguments = match self.how.endpoint {
            Endpoint::Service { .. } => arguments,
            Endpoint::Elsewhere { .. } => {
                let told = self.action.with_contents(arguments, self.how.content_type);
                told.map_err(|error| Fault::Refused(error.into()))?
            }
        };
        let order = Order::new(&self.action, &self.how, &arguments, self.headers);
        let order = order.map_err(|flaws| Fault::Refused(intake::Error::Arguments(flaws)))?;
        if !has_files {
            // The workspace is gone before anybody hears of it.
            return Ok(Taken { order, files: None });
        }
        if let Some(standing) = self.upstream.standing().filter(|_| names_files(&self.how)) {
            standing.hand_over(&workspace).map_err(Fault::Workspace)?;
        }
        Ok(Taken { order, files: Some(Files { workspace: Some(workspace), server: self.server }) })
    }
}
