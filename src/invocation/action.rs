//! An action as an invocation: what its process is given beside what every function finds.

use std::sync::Arc;

use crate::actions::Action;

/// What a function does that is an action's command.
#[derive(Debug)]
#[expect(dead_code, reason = "what its caller gives is not bound to it yet")]
pub(super) struct Task {
    /// What it takes and gives.
    pub(super) action: Arc<Action>,
    /// How often it is tried once more if it says that this may help.
    pub(super) retries: usize,
}
