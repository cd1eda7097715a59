//! A service made from a command line, for the tests of front doors.

use std::{path::Path, sync::Arc, time::Duration};

use bandog_runtime::{
    invocation::{
        Command, Confinement, Function, FunctionContext, FunctionSettings, Logging, OwnLines, Stdin,
        Timeouts as RunTimeouts,
    },
    logs::Level,
    request::HeaderVariables,
    workspace::WorkspaceRoot,
};

use crate::{
    Bodies, Context, Executor, Limits, MetricLabels, OnHangUp, PathPolicy, Requests, Router, Runner, Service, Settings,
    Timeouts,
};

/// A service named `echo` that runs `command` for each call, one at a time, in workspaces below `workspaces`. `runner`
/// runs them, where it is given.
///
/// # Panics
/// The service cannot be prepared.
#[must_use]
pub fn service(workspaces: &Path, command: &[&str], runner: Option<Arc<dyn Runner>>) -> Service {
    let workspaces = Arc::new(WorkspaceRoot::open(workspaces).expect("a directory for workspaces"));
    let ground = FunctionContext::new(&Confinement::default(), Arc::clone(&workspaces)).expect("prepared bounds");
    let grace = Duration::from_secs(1);
    let settings = FunctionSettings {
        environment: vec![("PATH".into(), "/usr/bin:/bin".into())],
        confinement: Confinement::default(),
        timeouts: RunTimeouts { exec: None, grace },
        stdin: Stdin::Null,
        stdout: None,
        max_body: 0,
        logging: Logging {
            level: Level::Info,
            max_logs: 0,
            forward: false,
            own_lines: OwnLines::Among,
            logger: "test",
        },
        shows_failed_output: false,
        retries: 0,
        input_filter: None,
        storage: None,
    };
    let command = Command {
        program: command[0].into(),
        arguments: command.iter().map(Into::into).collect(),
        origin: "a test",
        inline_script: None,
    };
    let function = Function::new(&settings, &ground, &command).expect("a function");
    let name = Some("echo".to_owned());
    let settings = Settings {
        name: name.clone(),
        actions: None,
        limits: Limits { inflight: 1, queue: 16, body: 0 },
        timeouts: Timeouts { exec: None, queue: None, send: None, kill_grace: grace, drain: Duration::from_secs(30) },
        bodies: Bodies { decode: true, forms: crate::input::Forms::Detect, encode: true, ignore_type: false },
        input_filter: None,
        requests: Requests { variables: HeaderVariables::default(), document: None, shows_head: true, echo: false },
        on_hang_up: OnHangUp::Stop,
        retries: 0,
        consumes_authorization: false,
        metric_labels: MetricLabels::Plain,
    };
    let paths = PathPolicy { service: name, ..PathPolicy::default() };
    let router = Router::new(None, Some(Executor::Process(Arc::new(function))), paths).expect("a route");
    let mut context = Context::new(settings, None, workspaces).expect("metrics");
    context.runner = runner.unwrap_or(context.runner);
    Service::new(context, router)
}
