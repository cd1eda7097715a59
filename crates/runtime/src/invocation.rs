//! One request = one process = one [`Outcome`].
//!
//! Plain, blocking code: [`run`] creates the workspace, stores the body, starts the process, supervises it until it
//! ends, collects its output, and returns the outcome. It knows neither HTTP nor the command line.
//!
//! ```text
//! run              the life of one request
//!   ├─ attempts      the arguments of an action, and its retries
//!   ├─ environment   the variables, arguments and standard input of the process
//!   ├─ supervise     the process, from start to end
//!   └─ conclude      the end of the process → outcome
//! take_in          body → input file, and the arguments of an action
//! function         the program and its rules, the same for every request
//! ```

mod action;
pub mod backoff;
mod command;
mod function;
mod last_lines;
mod lines;
mod log;
mod observer;
mod outcome;
mod recorder;
mod run;
mod settings;
mod stdout;
pub mod take_in;

pub use self::{
    backoff::Backoff,
    command::{Command, InlineScript, Interpreter, check_exists},
    function::{Function, FunctionContext, PORT},
    observer::{InvocationObserver, NoObserver, OutputReceiver},
    outcome::{
        Attempts, Failure, Outcome, RecordEnd, Report, SettledEvent, SettledRecord, UpstreamError, UpstreamKind,
    },
    run::{Call, Finished, run},
    settings::{Confinement, FunctionSettings, Logging, OnHangUp, OwnLines, Stdin, StdoutPolicy, Timeouts, User},
};
pub(crate) use self::{function::TMPDIR, lines::LineForwarder};
pub use crate::process::{Capacity, Cause, Progress};
