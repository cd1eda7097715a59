//! The one call of a run, by [`call_locally`] on a runtime of its own.

use std::{io, sync::Arc};

use crate::{
    input::BodySource,
    output::BodySink,
    service::{Call, LocalStop, Service, Unfinished, call_locally},
};

/// Calls `service`, and sends the result to `sink`.
///
/// # Errors
/// There is no descriptor left for the runtime.
pub(super) fn perform(
    service: Service,
    call: Call,
    source: Box<dyn BodySource + Send>,
    stop: LocalStop,
    sink: &mut (dyn BodySink + Send),
) -> io::Result<Result<(), Unfinished>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let called = runtime.block_on(Box::pin(call_locally(Arc::new(service), call, source, stop, sink)));
    runtime.shutdown_background();
    Ok(called)
}
