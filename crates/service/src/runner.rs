//! The thread of a call that is a process: runs it, and answers.

use std::fmt;

use bandog_runtime::call::{CompletedCall, ResponseWriter, run_and_answer};

use crate::{
    input::BodySource,
    invocation::{self, Call as Invocation, Finished, Function, InvocationObserver},
    process::Cancel,
    reply::{Accept, CallFacts},
};

/// Runs an invocation on the thread of its call, and answers it. A front door that reads the outcome itself, and not a
/// response, has one of its own.
pub trait Runner: Send + Sync {
    /// Runs the invocation, and sends the response to `writer`: its head at least.
    fn run(&self, call: AdmittedInvocation<'_>, writer: &mut dyn ResponseWriter) -> CompletedCall;
}

impl fmt::Debug for dyn Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Runner")
    }
}

/// Answers in the form that the caller accepts: the runner of front doors that send responses.
#[derive(Debug)]
pub(crate) struct Answer;

impl Runner for Answer {
    fn run(&self, call: AdmittedInvocation<'_>, writer: &mut dyn ResponseWriter) -> CompletedCall {
        let accept = call.accept;
        call.answer(accept, writer)
    }
}

/// An invocation that has its permit. Only the service makes one, so that nothing runs that it has not admitted.
pub struct AdmittedInvocation<'a> {
    /// The function.
    pub function: &'a Function,
    /// The invocation, without its body.
    pub call: &'a Invocation,
    /// The form of the response that the caller accepts.
    pub accept: &'a Accept,
    /// The name of the service.
    pub service: Option<&'a str>,
    pub(crate) source: &'a mut dyn BodySource,
    pub(crate) cancel: &'a Cancel,
}

impl fmt::Debug for AdmittedInvocation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdmittedInvocation").field("call", self.call).finish_non_exhaustive()
    }
}

impl<'a> AdmittedInvocation<'a> {
    /// The facts that the outcome does not contain.
    #[must_use]
    pub fn facts(&self) -> CallFacts<'a> {
        CallFacts { call_id: &self.call.id, service: self.service }
    }

    /// Runs it under the eyes of `observer`.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the service has admitted it")]
    pub fn run(self, observer: &mut dyn InvocationObserver) -> Finished {
        invocation::run(self.function, self.call, self.source, self.cancel, observer)
    }

    /// Runs it, and sends the response to `writer` in the form that `accept` asks for.
    #[expect(clippy::disallowed_methods, reason = "the service has admitted it")]
    pub fn answer(self, accept: &Accept, writer: &mut dyn ResponseWriter) -> CompletedCall {
        run_and_answer(self.function, self.call, self.source, self.cancel, accept, self.service, writer)
    }
}
