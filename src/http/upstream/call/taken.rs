//! What an action is given, taken in and made into arguments that fit, on a thread of its own.

use std::{fmt, sync::Arc};

use tokio::{sync::oneshot, time::Instant};

use super::Asking;
use crate::{
    actions::{Action, Arguments, Text, Type, Way},
    http::{Server, bridge::Incoming},
    intake::{self, Envelope, InputDir},
    invocation::{Failure, Outcome, Report},
    workspace::Workspace,
};

/// What has come of a body.
pub(super) struct Taken {
    pub(super) arguments: Arguments,
    /// The files among them, as long as this lives.
    pub(super) kept: Option<Kept>,
}

/// A workspace that outlives the thread that filled it. Removed by another one, for that may take its time.
pub(in crate::http::upstream) struct Kept {
    workspace: Option<Workspace>,
    server: Arc<Server>,
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("workspace", &self.workspace).finish_non_exhaustive()
    }
}

impl Drop for Kept {
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
    asking: &Asking<'_>,
    envelope: Envelope,
    incoming: Incoming,
) -> Result<Taken, Outcome> {
    let started = Instant::now();
    let failed = |failure| Outcome::Failed { report: Report::of_exchange(started.elapsed()), failure };
    let (tell, told) = oneshot::channel();
    let task = Task {
        server: Arc::clone(server),
        action: Arc::clone(asking.action),
        way: asking.way,
        texts: asking.texts.clone(),
        envelope,
    };
    let submitted = server.workers.submit(move || drop(tell.send(task.run(incoming))));
    submitted.map_err(|error| failed(Failure::Supervise(error)))?;
    let taken = told.await.map_err(|_| failed(Failure::Supervise(std::io::Error::other("the intake broke down"))))?;
    taken.map_err(|fault| match fault {
        Fault::Refused(error) => Outcome::Refused(error),
        Fault::Workspace(error) => failed(Failure::Workspace(error)),
    })
}

/// What goes to the thread, beside the body.
struct Task {
    server: Arc<Server>,
    action: Arc<Action>,
    way: Way,
    texts: Vec<Text>,
    envelope: Envelope,
}

/// What went wrong before there were arguments.
enum Fault {
    Refused(intake::Error),
    Workspace(std::io::Error),
}

impl Task {
    fn run(self, mut incoming: Incoming) -> Result<Taken, Fault> {
        let workspace = self.server.workspaces.workspace().map_err(Fault::Workspace)?;
        let path = workspace.input_path();
        let dir = InputDir { fd: workspace.input(), path: &path };
        let input = intake::receive(&self.envelope, &mut incoming, dir, self.server.max_body);
        let input = input.map_err(Fault::Refused)?;
        let body = intake::arguments(&self.envelope, &input, dir, &self.action, self.way).map_err(Fault::Refused)?;
        let mut store = |_: &str, content: &[u8]| intake::store(dir, content);
        let bound = self.action.bind(self.way, &self.texts, body, &mut store);
        let arguments = bound.map_err(|error| Fault::Refused(error.into()))?;
        let has_files = self.action.arguments.iter().any(|argument| argument.schema.kind == Type::Path);
        // Else it is gone before anybody hears of it.
        let kept = has_files.then(|| Kept { workspace: Some(workspace), server: self.server });
        Ok(Taken { arguments, kept })
    }
}
