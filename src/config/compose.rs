//! The configuration → the settings of the service and of its HTTP front door, and the executors that it asks for.
//!
//! Modes and the behaviour of the replaced programs end here: below this, there are only policies.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use super::{Config, Metrics, Mode, Token};
use crate::{
    http::{self, AdminSettings, AuthSettings, JwtSettings, ShownLimits, TokenSource},
    invocation::{Function, FunctionContext},
    platform::{
        LegacyBehaviour,
        openfaas::{self, WatchdogSettings},
    },
    process,
    service::{
        Actions, Bodies, Commands, Context, Executor, Limits, MetricLabels, PathPolicy, ProxySettings, Requests,
        Router, Runner, Service, Settings, StaticDir, Timeouts, Upstream,
    },
    workspace::WorkspaceRoot,
};

/// The variable that names the certificates that servers elsewhere are checked with. OpenSSL's programs read it too, so
/// that an image needs one setting for all.
const SSL_CERT_FILE: &str = "SSL_CERT_FILE";

/// Prepares the service that `config` asks for. Nothing is started yet.
///
/// # Errors
/// A function cannot be prepared, a directory not be opened, or there is nothing to call.
pub fn service(config: &Config, workspaces: &Arc<WorkspaceRoot>) -> io::Result<Service> {
    let router = router(config, workspaces)?;
    let context = Context::new(settings(config), config.answer_style(), Arc::clone(workspaces))?;
    Ok(Service::new(context, router))
}

/// Prepares a service that has nothing but `function`, for a front door with one call. `runner` runs it, and answers.
///
/// # Errors
/// The metrics cannot be registered.
pub fn service_of(config: &Config, function: Function, runner: Arc<dyn Runner>) -> io::Result<Service> {
    let all = settings(config);
    let settings = Settings {
        // The one call neither waits nor is refused; the function has its own limit of a body.
        limits: Limits { inflight: 1, queue: 0, body: 0 },
        // Its settings are those of a function, whatever program bandog replaces as a server.
        bodies: Bodies { ignore_type: false, ..all.bodies },
        requests: Requests { document: None, shows_head: false, echo: false, ..all.requests },
        ..all
    };
    let mut context = Context::new(settings, None, Arc::clone(function.workspaces()))?;
    context.runner = runner;
    let router = Router::new(None, Some(Executor::Process(Arc::new(function))), PathPolicy::default())?;
    Ok(Service::new(context, router))
}

/// The settings of the service.
fn settings(config: &Config) -> Settings {
    let watchdog = config.replaced.watchdog.as_ref();
    Settings {
        name: config.function.service.clone(),
        actions: config.actions.service.clone(),
        limits: Limits { inflight: inflight(config), queue: config.limits.max_queue, body: config.limits.max_body },
        timeouts: Timeouts {
            exec: config.limits.exec_timeout,
            queue: config.limits.queue_timeout,
            send: config.limits.send_timeout,
            kill_grace: config.limits.kill_grace,
            drain: config.lifecycle.drain_timeout,
        },
        bodies: Bodies {
            decode: config.decodes(),
            forms: config.bodies.forms,
            encode: config.encodes(),
            ignore_type: config.replaced.compat.has(LegacyBehaviour::Untyped),
        },
        input_filter: config.input_filter(),
        requests: Requests {
            variables: config.header_variables(),
            document: watchdog.and_then(WatchdogSettings::document),
            shows_head: true,
            echo: watchdog.is_some_and(|watchdog| watchdog.write_debug),
        },
        on_hang_up: config.replaced.compat.on_hang_up(),
        retries: config.limits.retries,
        consumes_authorization: config.listener.auth.token.is_some() || config.listener.auth.jwt.is_some(),
        metric_labels: if watchdog.is_some() { MetricLabels::Detailed } else { MetricLabels::Plain },
    }
}

/// The most calls at once: the number that is configured, and no more than there can be open files for.
#[must_use]
pub fn inflight(config: &Config) -> usize {
    /// Open files of a call: its connection, its workspace, its process, its cgroup, its pipes, and its input and output.
    const FILES_OF_A_PROCESS: u64 = 16;
    /// Open files of a call that starts no process: both connections, or a connection and a file, and some to spare.
    const FILES_OF_AN_EXCHANGE: u64 = 4;
    let exchanges = matches!(config.mode, Mode::Http | Mode::Static) && config.actions.service.is_none();
    let most = process::most_calls(if exchanges { FILES_OF_AN_EXCHANGE } else { FILES_OF_A_PROCESS });
    match config.limits.max_inflight {
        0 => most,
        wanted => wanted.min(most),
    }
}

/// The settings of the HTTP front door.
#[must_use]
pub fn http_settings(config: &Config) -> http::Settings {
    let token = config.listener.auth.token.clone().map(|token| match token {
        Token::Value(value) => TokenSource::Value(value),
        Token::File(path) => TokenSource::File(path),
    });
    let jwt = config.listener.auth.jwt.clone().map(|jwt| JwtSettings {
        issuer: jwt.issuer,
        function: jwt.function,
        debug: jwt.debug,
        certificates: config.listener.ca_file.clone(),
        realm: openfaas::REALM,
    });
    http::Settings {
        read_timeout: config.limits.read_timeout,
        idle_timeout: config.limits.idle_timeout,
        shutdown_delay: config.lifecycle.shutdown_delay,
        auth: AuthSettings { token, jwt },
        admin: AdminSettings {
            metrics: config.telemetry.metrics == Metrics::On,
            bare_health: config.replaced.watchdog.is_some(),
            callers: config.callers(),
            limits: limits(config),
        },
        lock_file: config.replaced.watchdog.as_ref().and_then(WatchdogSettings::lock_file),
    }
}

fn limits(config: &Config) -> ShownLimits {
    let seconds = |limit: Option<Duration>| limit.map(|limit| limit.as_secs_f64());
    let limits = &config.confinement;
    ShownLimits {
        max_inflight: config.limits.max_inflight,
        max_queue: config.limits.max_queue,
        max_body: config.limits.max_body,
        max_logs: config.limits.max_logs,
        exec_timeout_seconds: seconds(config.limits.exec_timeout),
        queue_timeout_seconds: seconds(config.limits.queue_timeout),
        read_timeout_seconds: seconds(config.limits.read_timeout),
        max_memory: limits.max_memory.unwrap_or(0),
        max_cpu_time_seconds: seconds(limits.max_cpu_time),
        max_processes: limits.max_processes.unwrap_or(0),
        max_open_files: limits.max_open_files.unwrap_or(0),
        max_output: limits.max_output.unwrap_or(0),
        nice: limits.nice,
        sandbox: limits.sandbox,
        idle_timeout_seconds: seconds(config.limits.idle_timeout),
        send_timeout_seconds: seconds(config.limits.send_timeout),
    }
}

/// The routes to all executors.
fn router(config: &Config, workspaces: &Arc<WorkspaceRoot>) -> io::Result<Router> {
    let needs_ground = config.function.command.is_some() || config.actions.service.is_some();
    let ground = needs_ground.then(|| FunctionContext::new(&config.confinement, Arc::clone(workspaces))).transpose()?;
    let actions = config.actions.service.as_ref().zip(ground.as_ref());
    let actions = actions.map(|(service, ground)| Actions::new(service, commands(config, ground)?)).transpose()?;
    let function = config.function.command.as_ref().zip(ground.as_ref());
    let function =
        function.map(|(command, ground)| Function::new(&config.function_settings(), ground, command)).transpose()?;
    let fallback = match (config.mode, &config.target.static_dir, function) {
        (Mode::Static, Some(dir), _) => Some(Executor::Files(Arc::new(StaticDir::open(dir)?))),
        (Mode::Http, _, function) if function.is_some() || config.target.upstream.is_some() => {
            let address = config.target.upstream.as_ref().map(|given| (given.authority.clone(), given.prefix.clone()));
            let settings = ProxySettings { address, ready_path: config.target.ready_path.clone(), function };
            Some(Executor::Proxy(Arc::new(Upstream::new(settings))))
        }
        (_, _, function) => function.map(|function| Executor::Process(Arc::new(function))),
    };
    let paths = PathPolicy {
        service: config.function.service.clone(),
        any_method: config.takes_any_method(),
        any_path: config.listener.any_path,
    };
    Router::new(actions, fallback, paths)
}

/// The commands in the file of actions.
fn commands(config: &Config, ground: &FunctionContext) -> io::Result<Commands> {
    let (service, settings) = (config.actions.service.as_deref(), config.function_settings());
    let mut commands = Commands::default();
    for action in service.iter().flat_map(|service| &service.actions) {
        if let Some(program) = config.actions.programs.actions.get(&action.name) {
            let function = Function::of_action(&settings, ground, action, program)?;
            commands.actions.insert(action.name.clone(), function);
        }
    }
    let of_service = |command: &Option<_>, limit| {
        command.as_ref().map(|command| Function::of_service(&settings, ground, command, limit))
    };
    commands.startup = of_service(&config.actions.programs.startup, None).transpose()?;
    let limit = service.and_then(|service| service.lifecycle.shutdown.as_ref()?.timeout);
    commands.shutdown =
        of_service(&config.actions.programs.shutdown, Some(limit.unwrap_or(config.limits.kill_grace))).transpose()?;
    // The actions file may have a default for the variable.
    let of_file = || config.function.environment.iter().find(|(name, _)| name == SSL_CERT_FILE);
    let certificates = config.listener.ca_file.clone();
    commands.certificates = certificates.or_else(|| of_file().map(|(_, path)| PathBuf::from(path)));
    Ok(commands)
}
