//! Reads the arguments of an action and builds the request to its server, on a thread of its own.

use std::{fmt, sync::Arc};

use hyper::HeaderMap;
use tokio::{sync::oneshot, time::Instant};

use super::{RequestedAction, request::PreparedRequest};
use crate::{
    actions::{Action, Endpoint, HttpCall, MediaType, Placement, TextArgument},
    body::RequestBody,
    context::Context,
    executor::proxy::Upstream,
    input::{self, Envelope},
    invocation::{Failure, Outcome, Report, take_in},
    workspace::Workspace,
};

/// A call whose arguments are bound.
pub(super) struct BoundCall {
    pub(super) request: PreparedRequest,
    /// The files among the arguments, as long as this lives.
    pub(super) files: Option<Files>,
}

/// A workspace that outlives the thread that filled it. Another thread removes it, since that may take long.
pub(crate) struct Files {
    workspace: Option<Workspace>,
    context: Arc<Context>,
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Files").field("workspace", &self.workspace).finish_non_exhaustive()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // If no thread can be started, the closure is dropped here, which removes the workspace on the present thread.
        let workspace = self.workspace.take();
        if let Err(error) = self.context.workers.submit(move || drop(workspace)) {
            tracing::warn!("cannot start a thread to remove a workspace, which was removed without one: {error}");
        }
    }
}

/// Takes in what is sent, and holds it against what the action takes.
pub(super) async fn take(
    context: &Arc<Context>,
    upstream: &Arc<Upstream>,
    requested: RequestedAction<'_>,
    headers: HeaderMap,
    envelope: Envelope,
    body: RequestBody,
) -> Result<BoundCall, Outcome> {
    let started = Instant::now();
    let failed = |failure| Outcome::Failed { report: Report::of_exchange(started.elapsed()), failure };
    let (tell, told) = oneshot::channel();
    let task = Task {
        context: Arc::clone(context),
        upstream: Arc::clone(upstream),
        action: Arc::clone(requested.action),
        how: Arc::clone(requested.how),
        way: requested.way,
        texts: requested.texts,
        headers,
        envelope,
    };
    let submitted = context.workers.submit(move || drop(tell.send(task.run(body))));
    submitted.map_err(|error| failed(Failure::NoThread(error)))?;
    let taken = told
        .await
        .map_err(|_| failed(Failure::Supervise(std::io::Error::other("the thread that reads the body failed"))))?;
    taken.map_err(|fault| match fault {
        ArgumentFault::Refused(error) => Outcome::Refused(error),
        ArgumentFault::Workspace(failure) => failed(failure),
    })
}

/// The input of the thread, except the body.
struct Task {
    context: Arc<Context>,
    upstream: Arc<Upstream>,
    action: Arc<Action>,
    how: Arc<HttpCall>,
    way: Placement,
    texts: Vec<TextArgument>,
    /// The header fields of the request, except its arguments.
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

/// The reason why there are no arguments.
enum ArgumentFault {
    Refused(input::InputError),
    Workspace(Failure),
}

impl Task {
    fn run(self, mut body: RequestBody) -> Result<BoundCall, ArgumentFault> {
        let workspace = self.context.workspaces.workspace();
        let workspace = workspace.map_err(|error| ArgumentFault::Workspace(Failure::Workspace(error)))?;
        let limit = self.context.settings.limits.body;
        // The body of an action holds arguments, and no event of a platform.
        let input = take_in::take_in(&workspace, &self.envelope, &mut body, limit, None);
        let input = input.map_err(ArgumentFault::Refused)?;
        let (arguments, has_files) =
            take_in::bind(&workspace, &self.envelope, &input, (&self.action, self.way, &self.texts))
                .map_err(ArgumentFault::Refused)?;
        let arguments = match self.how.endpoint {
            Endpoint::Service { .. } => arguments,
            Endpoint::External { .. } => {
                let told = self.action.with_contents(arguments, self.how.content_type);
                told.map_err(|error| ArgumentFault::Refused(error.into()))?
            }
        };
        let request = PreparedRequest::new(&self.action, &self.how, &arguments, self.headers);
        let request = request.map_err(|flaws| ArgumentFault::Refused(input::InputError::Arguments(flaws)))?;
        if !has_files {
            // The workspace is removed before the request is sent.
            return Ok(BoundCall { request, files: None });
        }
        if let Some(managed) = self.upstream.managed().filter(|_| names_files(&self.how)) {
            managed.hand_over(&workspace).map_err(ArgumentFault::Workspace)?;
        }
        Ok(BoundCall { request, files: Some(Files { workspace: Some(workspace), context: self.context }) })
    }
}
