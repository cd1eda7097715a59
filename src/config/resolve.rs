//! What was typed → what is meant.
//!
//! Nothing here reads the process environment, and no mistake ends it: each is noted, and the next setting is read.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::{self, File},
    io::Read as _,
    net::SocketAddr,
    path::{self, Path, PathBuf},
    time::Duration,
};

use super::{
    Compat, Config, Face, Metrics, Mode, Sources,
    address::{self, Address},
    backend::Places,
    document::{self, Document},
    environment, function, quantity,
    report::{Entry, Mistake, Origin, Resolution},
    setting::{self, Setting},
    supervisor::{self, Supervisor},
    watchdog::{self, Found, Watchdog},
};
use crate::{actions::Service, invocation::Command, logs::Level, telemetry::Format};

mod values;

/// A value that somebody gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) value: OsString,
    pub(super) origin: Origin,
}

/// Reads all of it.
pub(super) fn resolve(sources: &Sources) -> Resolution {
    let mut resolver = Resolver::new(sources);
    let config = resolver.config();
    let Resolver { entries, mut warnings, mistakes, .. } = resolver;
    warnings.extend(environment::unknown(&sources.environment));
    let config = config.filter(|_| mistakes.is_empty()).map(|config| Config { warnings: warnings.clone(), ..config });
    Resolution { config, entries, warnings, mistakes }
}

/// Reads `--listen` alone, for a probe.
pub(super) fn listen(sources: &Sources) -> Result<SocketAddr, Vec<Mistake>> {
    let mut resolver = Resolver::empty(sources);
    resolver.read_face();
    resolver.listen().ok_or(resolver.mistakes)
}

/// Reads the file of actions alone, for who wants to see what is in it.
pub(super) fn actions(sources: &Sources) -> Result<Option<Service>, Vec<Mistake>> {
    let mut resolver = Resolver::empty(sources);
    resolver.read_face();
    resolver.mistakes.clear();
    let service = resolver.read_actions().and_then(|(_, reading)| reading.service);
    if resolver.mistakes.is_empty() { Ok(service) } else { Err(resolver.mistakes) }
}

/// The reading under way.
pub(super) struct Resolver<'a> {
    pub(super) sources: &'a Sources,
    /// The configuration file and what to call it, if there is one.
    document: Option<(Document, String)>,
    /// What the face's own names say for the settings.
    platform: BTreeMap<&'static str, Given>,
    pub(super) watchdog: Option<Watchdog>,
    entries: Vec<Entry>,
    warnings: Vec<String>,
    mistakes: Vec<Mistake>,
}

impl<'a> Resolver<'a> {
    fn empty(sources: &'a Sources) -> Self {
        Self {
            sources,
            document: None,
            platform: BTreeMap::new(),
            watchdog: None,
            entries: Vec::new(),
            warnings: Vec::new(),
            mistakes: Vec::new(),
        }
    }

    fn new(sources: &'a Sources) -> Self {
        let mut resolver = Self::empty(sources);
        resolver.read_face();
        resolver.document = resolver.read_document();
        resolver
    }

    /// `None` only if something of it is a mistake.
    fn config(&mut self) -> Option<Config> {
        let mode = self.choice(&setting::MODE, &Mode::NAMES);
        let places = self.places(mode.unwrap_or(Mode::Files));
        let found = self.actions();
        let command = self.command(mode.unwrap_or(Mode::Files), places.as_ref(), &found);
        let bodies = self.bodies();
        let stdin = self.stdin(mode);
        let workspace = self.workspace();
        let service = self.service();
        let listen = self.listen();
        let address_file = self.path(&setting::ADDRESS_FILE);
        let token = self.token();
        let jwt = self.jwt();
        let max_body = self.size(&setting::MAX_BODY);
        let exec_timeout = self.duration(&setting::EXEC_TIMEOUT);
        let retries = self.count(&setting::RETRIES);
        let kill_grace = self.duration(&setting::KILL_GRACE);
        let read_timeout = self.duration(&setting::READ_TIMEOUT);
        let send_timeout = self.duration(&setting::SEND_TIMEOUT);
        let max_inflight = self.count(&setting::MAX_INFLIGHT);
        let max_queue = self.count(&setting::MAX_QUEUE);
        let queue_timeout = self.duration(&setting::QUEUE_TIMEOUT);
        let max_logs = self.size(&setting::MAX_LOGS);
        let confinement = self.confinement();
        let log_level = self.log_level();
        let log_format = self.choice(&setting::LOG_FORMAT, &[("text", Format::Text), ("json", Format::Json)]);
        let forward_logs = self.switch(&setting::FORWARD_LOGS);
        let metrics = self.metrics();
        let shutdown_delay = self.duration(&setting::SHUTDOWN_DELAY);
        let drain_timeout = self.duration(&setting::DRAIN_TIMEOUT);
        let compat = self.noted_compat();
        let (supervisor, mut environment) = self.supervisor();
        environment.extend(found.defaults);
        let Places { upstream, ready_path, static_dir } = places?;
        Some(Config {
            upstream,
            ready_path,
            static_dir,
            listen: listen?,
            address_file: address_file?,
            metrics: metrics?,
            command,
            actions: found.service,
            programs: found.programs,
            retries: retries?,
            environment,
            service: service?,
            log_level: log_level?,
            log_format: log_format?,
            forward_logs: forward_logs?,
            max_logs: max_logs?,
            exec_timeout: unless_zero(exec_timeout?),
            kill_grace: kill_grace?,
            max_inflight: max_inflight?,
            max_queue: max_queue?,
            queue_timeout: unless_zero(queue_timeout?),
            max_body: max_body?,
            read_timeout: unless_zero(read_timeout?),
            send_timeout: unless_zero(send_timeout?),
            token: token?,
            jwt: jwt?,
            workspace: workspace?,
            shutdown_delay: shutdown_delay?,
            drain_timeout: drain_timeout?,
            mode: mode?,
            bodies: bodies?,
            stdin: stdin?,
            confinement: confinement?,
            compat: compat?,
            watchdog: self.watchdog.take(),
            supervisor,
            warnings: Vec::new(),
        })
    }

    /// Reads the names that only the face knows.
    fn read_face(&mut self) {
        match self.sources.face {
            Face::Bandog => return,
            Face::Supervisor => {
                self.platform = supervisor::defaults();
                return;
            }
            Face::Fwatchdog => {}
        }
        let typed = &self.sources.typed;
        let is_typed = typed.script.is_some() || !typed.command.is_empty() || self.given(&setting::SCRIPT).is_some();
        let Found { values, watchdog, entries, warnings, mistakes } =
            watchdog::read(&self.sources.environment, self.compat(), is_typed);
        self.platform = values;
        let answer_type = self.given(&setting::ANSWER_TYPE).map(|given| given.value.to_string_lossy().into_owned());
        self.watchdog = Some(Watchdog { content_type: answer_type, ..watchdog });
        self.entries.extend(entries);
        self.warnings.extend(warnings);
        self.mistakes.extend(mistakes);
    }

    /// `--compat`, as far as it can be understood, where it has an effect.
    fn compat(&self) -> Compat {
        let given = self.given(&setting::COMPAT).filter(|_| self.sources.face != Face::Bandog);
        given.and_then(|given| Compat::parse(&given.value.to_string_lossy()).ok()).unwrap_or_default()
    }

    fn noted_compat(&mut self) -> Option<Compat> {
        let setting = &setting::COMPAT;
        let Some(given) = self.given(setting) else {
            self.note_unset(setting);
            return Some(Compat::default());
        };
        let text = given.value.to_string_lossy().into_owned();
        self.note(setting, text.clone(), given.origin.clone());
        if self.sources.face == Face::Bandog {
            self.warnings.push("--compat: without effect; it is for the names fwatchdog and supervisor".to_owned());
        }
        match Compat::parse(&text) {
            Ok(_) => Some(self.compat()),
            Err(advice) => {
                self.wrong(setting, Some(given), advice);
                None
            }
        }
    }

    /// What is done in the place of OSCAR's supervisor, and what functions inherit.
    fn supervisor(&mut self) -> (Option<Supervisor>, Vec<(OsString, OsString)>) {
        let mut environment = environment::inherited(&self.sources.environment);
        let document = self.document.as_ref();
        if let Some((document, file)) = document
            && document.has_output
        {
            self.warnings.push(format!(
                "output in {file}: nothing is uploaded to storage providers yet; results are answered or printed only"
            ));
        }
        let skips_input = document.is_some_and(|(document, _)| document.file_stage_in);
        (supervisor::read(self.sources, self.compat(), skips_input, &mut environment), environment)
    }

    fn read_document(&mut self) -> Option<(Document, String)> {
        let setting = &setting::CONFIG;
        let (bytes, given) = if let Some(given) = self.given(setting) {
            (read_bounded(Path::new(&given.value), document::MAX_BYTES), given)
        } else if self.sources.paths.config.symlink_metadata().is_ok() {
            let given = Given { value: self.sources.paths.config.clone().into(), origin: Origin::Default };
            (read_bounded(&self.sources.paths.config, document::MAX_BYTES), given)
        } else if let Some(encoded) = function::non_empty(&self.sources.environment, "FUNCTION_CONFIG") {
            let origin = Origin::Variable("FUNCTION_CONFIG".to_owned());
            let decoded = base64_simd::forgiving_decode_to_vec(encoded.as_encoded_bytes());
            (
                decoded.map_err(|_| "expected YAML in base64".to_owned()),
                Given { value: "(YAML in base64)".into(), origin },
            )
        } else {
            self.note_unset(setting);
            return None;
        };
        self.note(setting, given.value.to_string_lossy(), given.origin.clone());
        let file = match &given.origin {
            Origin::Variable(name) if name == "FUNCTION_CONFIG" => name.clone(),
            _ => given.value.to_string_lossy().into_owned(),
        };
        let parsed = bytes.and_then(|bytes| Document::parse(&bytes).map_err(|error| format!("expected {error}")));
        match parsed {
            Ok(document) => Some((document, file)),
            Err(advice) => {
                self.wrong(setting, Some(given), advice);
                None
            }
        }
    }

    /// What is run; `None` where there is nothing to run, or it is a mistake.
    fn command(&mut self, mode: Mode, places: Option<&Places>, actions: &super::actions::Found) -> Option<Command> {
        if mode == Mode::Static {
            self.mistakes.extend(self.no_command_in_static());
            return None;
        }
        let script = self.given(&setting::SCRIPT);
        let typed = &self.sources.typed;
        if !typed.command.is_empty() && typed.value("script").is_some() {
            self.warn("--script: ignored, since a command is given after --".to_owned());
        }
        match function::choose(self.sources, script, self.compat()) {
            Ok(Some((command, origin))) => {
                let words = command.arguments.iter().map(|word| word.to_string_lossy());
                let mut shown = shell_words::join(words);
                if command.inline_script.is_some() {
                    shown.push_str(" (the script in SCRIPT)");
                }
                self.entries.push(Entry { name: "function".to_owned(), value: shown, origin });
                Some(command)
            }
            Ok(None) => {
                self.entries.push(Entry {
                    name: "function".to_owned(),
                    value: actions.service.as_ref().map_or_else(|| "-".to_owned(), |service| service.summary()),
                    origin: Origin::Default,
                });
                // One that is reached at a URL may have been started by somebody else, and actions need none.
                if !actions.is_there && places.is_some_and(|places| places.upstream.is_none()) {
                    self.mistakes.push(function::nothing_to_run(self.sources));
                }
                None
            }
            Err(mut mistake) => {
                let origin = mistake.origin.clone();
                let word = typed.script.as_ref().and_then(|word| word.to_str());
                match (word, &actions.service) {
                    (Some(word), Some(service)) if service.action(word).is_some() => {
                        mistake.advice = format!("is an action, and no file; run it by bandog run {word}");
                    }
                    (Some(word), None) if actions.is_there && !word.contains('/') => {
                        mistake.advice.push_str("; if it is an action, mend the file of actions and use bandog run");
                    }
                    (Some(_) | None, _) => {}
                }
                self.entries.push(Entry { name: "function".to_owned(), value: "-".to_owned(), origin });
                self.mistakes.push(mistake);
                None
            }
        }
    }

    fn listen(&mut self) -> Option<SocketAddr> {
        let setting = &setting::LISTEN;
        let given = self.given_or_default(setting)?;
        let text = given.value.to_string_lossy().trim_ascii().to_owned();
        if given.origin == Origin::Variable("PORT".to_owned()) {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            let Some(port) = text.parse::<u16>().ok().filter(|_| digits) else {
                self.note(setting, text, given.origin.clone());
                self.wrong(setting, Some(given), "expected a port number from 0 to 65535");
                return None;
            };
            self.note(setting, format!("0.0.0.0:{port}"), given.origin);
            return Some(SocketAddr::from(([0, 0, 0, 0], port)));
        }
        self.address(setting, given, &text, address::EXPECTED)
    }

    fn metrics(&mut self) -> Option<Metrics> {
        let setting = &setting::METRICS;
        let given = self.given_or_default(setting)?;
        let text = given.value.to_string_lossy().trim_ascii().to_owned();
        let word = match text.to_ascii_lowercase().as_str() {
            "on" => Some(Metrics::On),
            "off" => Some(Metrics::Off),
            _ => None,
        };
        if word.is_some() {
            self.note(setting, text, given.origin);
            return word;
        }
        self.address(setting, given, &text, "on, off, or an address such as :8081").map(Metrics::At)
    }

    fn address(&mut self, setting: &'static Setting, given: Given, text: &str, expected: &str) -> Option<SocketAddr> {
        self.note(setting, text, given.origin.clone());
        let Some(address) = Address::parse(text) else {
            self.wrong(setting, Some(given), format!("expected {expected}"));
            return None;
        };
        match address.resolve() {
            Ok(address) => Some(address),
            Err(error) => {
                self.wrong(setting, Some(given), format!("cannot find the address of that name: {error}"));
                None
            }
        }
    }

    fn log_level(&mut self) -> Option<Level> {
        let level: Level =
            self.read(&setting::LOG_LEVEL, "DEBUG, INFO, WARNING, ERROR or CRITICAL", |text| text.parse().ok())?;
        if let Some(entry) = self.entries.last_mut() {
            level.name().clone_into(&mut entry.value);
        }
        Some(level)
    }

    #[expect(clippy::option_option, reason = "a mistake, nothing, and something are three things")]
    fn service(&mut self) -> Option<Option<String>> {
        let setting = &setting::SERVICE;
        // The watchdogs took every path for the function's, whatever the platform calls it.
        let is_meant = |given: &Given| match &given.origin {
            Origin::Flag => true,
            Origin::Variable(name) => *name == setting.variable(),
            _ => false,
        };
        let given = self.given(setting).filter(|given| self.sources.face != Face::Fwatchdog || is_meant(given));
        let Some(given) = given else {
            self.note_unset(setting);
            return Some(None);
        };
        let text = given.value.to_str().map(str::trim).unwrap_or_default().to_owned();
        self.note(setting, text.clone(), given.origin.clone());
        // It is compared with one segment of a path.
        if text.is_empty() || text.contains(|letter: char| letter == '/' || letter.is_control()) {
            self.wrong(setting, Some(given), "expected a name without slashes");
            return None;
        }
        Some(Some(text))
    }

    fn workspace(&mut self) -> Option<PathBuf> {
        let setting = &setting::WORKSPACE;
        let given = self.given_or_default(setting)?;
        self.note(setting, given.value.to_string_lossy(), given.origin.clone());
        match usable_directory(Path::new(&given.value)) {
            Ok(directory) => Some(directory),
            Err(advice) => {
                self.wrong(setting, Some(given), advice);
                None
            }
        }
    }
}

pub(super) fn unless_zero(duration: Duration) -> Option<Duration> {
    (!duration.is_zero()).then_some(duration)
}

/// The whole of a file of at most `max` bytes, or what to do about it. No more than that is ever read: the path may
/// name a device.
pub(super) fn read_bounded(path: &Path, max: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| format!("cannot be read: {error}"))?;
    file.take(max + 1).read_to_end(&mut bytes).map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > max {
        return Err(format!("expected a file of at most {}", quantity::size_text(max)));
    }
    Ok(bytes)
}

/// The absolute path of a directory in which a directory could be made just now.
fn usable_directory(directory: &Path) -> Result<PathBuf, String> {
    const NEXT: &str = "name another with --workspace or mount a volume there";
    let absolute = path::absolute(directory).map_err(|_| "expected a directory".to_owned())?;
    match fs::metadata(&absolute) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return Err(format!("not a directory; {NEXT}")),
        Err(error) => return Err(format!("cannot be used: {error}; {NEXT}")),
    }
    // Permissions, read-only mounts, quotas and full disks all show in the one real attempt.
    let probe = tempfile::Builder::new().prefix("bandog-check-").tempdir_in(&absolute);
    probe
        .and_then(tempfile::TempDir::close)
        .map_err(|error| format!("cannot make a directory in it: {}; {NEXT}", error.kind()))?;
    Ok(absolute)
}
