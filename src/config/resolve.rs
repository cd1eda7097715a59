//! Composes the configuration from its groups.
//!
//! Each group reads its own settings. The order of the calls here is the order in which `check` lists them.

use std::{ffi::OsStr, net::SocketAddr};

#[cfg(feature = "storage")]
use super::storage;
use super::{
    Config, FunctionConfig, Mode, Replaced, Sources,
    actions::{self, ActionsFile},
    bodies, compose, config_file, confinement, environment, function, lifecycle, limits, listener,
    reader::Reader,
    replaced,
    report::{Mistake, Resolution},
    setting, target, telemetry, workspace,
};
use crate::actions::Service;

/// Reads all settings.
pub(super) fn resolve(sources: &Sources) -> Resolution {
    let mut reader = Reader::new(sources);
    let config = compose(&mut reader);
    let Reader { entries, mut warnings, mistakes, .. } = reader;
    warnings.extend(environment::unknown(&sources.environment));
    if let Some(config) = &config {
        let (wanted, most) = (config.limits.max_inflight, compose::inflight(config));
        if wanted > most {
            warnings.push(format!(
                "--max-inflight: {wanted}: the limit on open files (ulimit -n) leaves room for {most} calls at once; raise it"
            ));
        }
    }
    let config = config.filter(|_| mistakes.is_empty()).map(|config| Config { warnings: warnings.clone(), ..config });
    Resolution { config, entries, warnings, mistakes }
}

/// Reads `--listen` alone, for a probe.
pub(super) fn listen(sources: &Sources) -> Result<SocketAddr, Vec<Mistake>> {
    let mut reader = Reader::new(sources);
    replaced::read_variables(&mut reader);
    listener::read_address(&mut reader).ok_or(reader.mistakes)
}

/// Reads the actions file alone, to show its content.
pub(super) fn actions(sources: &Sources) -> Result<(Option<Service>, Vec<String>), Vec<Mistake>> {
    let mut reader = Reader::new(sources);
    replaced::read_variables(&mut reader);
    reader.mistakes.clear();
    let found = actions::read_file(&mut reader);
    let is_lenient = found.as_ref().is_some_and(|found| found.is_lenient);
    let warnings = if is_lenient { reader.warnings } else { Vec::new() };
    let service = found.and_then(|found| found.reading.service);
    if reader.mistakes.is_empty() { Ok((service, warnings)) } else { Err(reader.mistakes) }
}

/// `None` only if a part of it is a mistake.
fn compose(reader: &mut Reader<'_>) -> Option<Config> {
    let watchdog = replaced::read_variables(reader);
    let file = config_file::read(reader);
    let mode = reader.choice(&setting::MODE, &Mode::NAMES);
    let target = target::read(reader, mode.unwrap_or(Mode::Files));
    let ActionsFile { is_present, actions, defaults } = actions::read(reader);
    // A function that is reached at a URL may run elsewhere, and actions need none.
    let is_optional = is_present || target.as_ref().is_none_or(|target| target.upstream.is_some());
    let command = match mode {
        Some(Mode::Static) => function::refuse_command(reader),
        _ => function::read_command(reader, is_optional, is_present, actions.service.as_deref()),
    };
    let bodies = bodies::read(reader, mode);
    // Files are served, and bodies passed on, without one: from a root file system that is read-only as well.
    let decodes = bodies.as_ref().is_some_and(|bodies| bodies.decode);
    let is_proxy = command.is_none() && target.as_ref().is_some_and(|target| target.upstream.is_some()) && !decodes;
    let needs_workspace = is_present || !(mode == Some(Mode::Static) || mode == Some(Mode::Http) && is_proxy);
    let workspace = workspace::read(reader, needs_workspace);
    let service = function::read_service(reader);
    let listener = listener::read(reader, watchdog.as_ref().is_some_and(|watchdog| watchdog.jwt_debug));
    let limits = limits::read(reader);
    let confinement = confinement::read(reader);
    let telemetry = telemetry::read(reader);
    let lifecycle = lifecycle::read(reader, command.as_ref());
    let compat = replaced::read_compat(reader);
    let mut environment = environment::inherited(&reader.sources.environment);
    for (name, value) in file.iter().flat_map(|file| &file.variables) {
        let is_set = reader.sources.environment.contains_key(OsStr::new(name));
        // A variable cannot contain a NUL byte.
        if !is_set && !value.contains('\0') && environment::is_inherited(OsStr::new(name)) {
            environment.push((name.into(), value.into()));
        }
    }
    let supervisor = replaced::read_supervisor(reader, file.as_ref(), &mut environment);
    #[cfg(feature = "storage")]
    let storage = {
        let place = workspace.clone().unwrap_or_default();
        storage::read(reader, file.as_ref(), supervisor.is_some(), &place)
    };
    #[cfg(not(feature = "storage"))]
    config_file::warn_of_storage(reader, file.as_ref());
    environment.extend(defaults);
    Some(Config {
        mode: mode?,
        bodies: bodies?,
        target: target?,
        function: FunctionConfig {
            command,
            environment,
            workspace: workspace?,
            needs_workspace,
            service: service?,
            #[cfg(feature = "storage")]
            storage: storage?,
        },
        actions,
        listener: listener?,
        limits: limits?,
        confinement: confinement?,
        telemetry: telemetry?,
        lifecycle: lifecycle?,
        replaced: Replaced { compat: compat?, watchdog, supervisor },
        warnings: Vec::new(),
    })
}
