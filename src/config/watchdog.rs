//! The variables of OpenFaaS' two watchdogs, read under the name `fwatchdog` as the watchdogs read them.
//!
//! Both watchdogs are called `fwatchdog`, and their defaults differ, so the first step is to tell which one is meant. A
//! variable with the meaning of a setting becomes a value of that setting ([`WatchdogVariables::values`]), which comes
//! before the variables of platforms. [`Watchdog`] has the rest. Names and defaults are those of the READMEs and the
//! sources of the two projects.

mod jwt;

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    Compat, LegacyBehaviour, WatchdogKind,
    environment::{Environment, non_empty},
    fprocess, quantity,
    reader::RawValue,
    report::{Entry, Mistake, Origin},
};

/// The settings of the watchdogs that bandog has none for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the programs it stands in for")]
pub struct Watchdog {
    /// The watchdog that is meant.
    pub kind: WatchdogKind,
    /// The lock file, which exists while bandog serves; `None` with `suppress_lock`.
    pub lock: Option<PathBuf>,
    /// `cgi_headers`: the request becomes `Http_*` variables.
    pub cgi_headers: bool,
    /// `marshal_request`: the function reads a JSON document with the headers and the body.
    pub marshal_request: bool,
    /// `write_debug`: results are also written to standard output.
    pub write_debug: bool,
    /// `content_type`, or the default of the watchdog. `None` for the type of the request, or a guess.
    pub content_type: Option<String>,
    /// `combine_output`, if it is set.
    pub combine_output: Option<bool>,
    /// `prefix_logs`, always on for classic-watchdog: the function's lines in the container log begin with the time and
    /// `stderr: `.
    pub prefix_logs: bool,
    /// `jwt_auth_debug`: the log names the keys that tokens are checked with.
    pub jwt_debug: bool,
    /// `log_buffer_size`: bytes of one such line, beyond which it is cut and marked; `None` for no limit.
    pub log_limit: Option<usize>,
}

/// The content of the environment.
#[derive(Debug)]
pub(super) struct WatchdogVariables {
    /// Values of bandog's settings, by their names.
    pub(super) values: BTreeMap<&'static str, RawValue>,
    /// The variables without such a setting.
    pub(super) watchdog: Watchdog,
    /// Those variables as `bandog check` shows them.
    pub(super) entries: Vec<Entry>,
    pub(super) warnings: Vec<String>,
    pub(super) mistakes: Vec<Mistake>,
}

/// Variables that only of-watchdog reads. One of them without `mode` means its default mode.
const OF_ONLY: [&str; 12] = [
    "function_process",
    "upstream_url",
    "http_upstream_url",
    "http_buffer_req_body",
    "buffer_http",
    "static_path",
    "ready_path",
    "prefix_logs",
    "log_buffer_size",
    "log_callid",
    "log_call_id",
    "one_shot",
];

/// Variables that only classic-watchdog reads.
const CLASSIC_ONLY: [&str; 5] = ["cgi_headers", "combine_output", "marshal_request", "write_debug", "debug_headers"];

/// The modes of of-watchdog, each with the same mode of bandog.
const MODES: [(&str, &str); 4] =
    [("streaming", "streaming"), ("serializing", "stdio"), ("http", "http"), ("static", "static")];

/// The default of both watchdogs for reading a request and for writing the response, and of of-watchdog for the run.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The address at which both serve metrics.
const METRICS: &str = "0.0.0.0:8081";

/// The default directory of of-watchdog in mode `static`.
const STATIC_DIR: &str = "/home/app/public";

const DURATION_EXPECTED: &str = "seconds such as 30, or a duration such as 1m30s";

/// Reads all variables. `is_typed` means that the command line names a function.
pub(super) fn read(environment: &Environment, compat: Compat, is_typed: bool) -> WatchdogVariables {
    let kind = if ["mode"].iter().chain(&OF_ONLY).any(|name| non_empty(environment, name).is_some()) {
        WatchdogKind::Of
    } else {
        WatchdogKind::Classic
    };
    let mut reader = VariableReader {
        environment,
        lenient: compat.has(LegacyBehaviour::Lenient),
        kind,
        values: BTreeMap::new(),
        entries: Vec::new(),
        warnings: Vec::new(),
        mistakes: Vec::new(),
    };
    reader.refuse();
    reader.mode(compat, is_typed);
    reader.listener();
    reader.times();
    let jwt_debug = reader.strictly(VariableReader::jwt);
    let watchdog = Watchdog { jwt_debug, ..reader.watchdog() };
    let VariableReader { values, entries, warnings, mistakes, .. } = reader;
    WatchdogVariables { values, watchdog, entries, warnings, mistakes }
}

/// The variables that have been read so far.
struct VariableReader<'a> {
    environment: &'a Environment,
    lenient: bool,
    kind: WatchdogKind,
    values: BTreeMap<&'static str, RawValue>,
    entries: Vec<Entry>,
    warnings: Vec<String>,
    mistakes: Vec<Mistake>,
}

impl VariableReader<'_> {
    /// Refuses to replace a feature that bandog lacks: a function must not be served without it. Less important ones are
    /// a warning.
    fn refuse(&mut self) {
        for (name, advice) in [
            ("oauth_enabled", "bandog has no browser login; put a proxy that has one in front, and unset this"),
            ("one_shot", "bandog does not end after one request; unset this"),
        ] {
            if self.strictly(|reader| reader.switch(name, false)) {
                self.mistake(name, advice.to_owned());
            }
        }
        for name in ["http_buffer_req_body", "buffer_http"] {
            if self.switch(name, false) {
                self.warnings.push(format!("{name}: ignored; bodies are passed on as they come"));
            }
        }
        if self.kind == WatchdogKind::Of {
            for name in CLASSIC_ONLY.into_iter().filter(|name| non_empty(self.environment, name).is_some()) {
                self.warnings.push(format!("{name}: ignored; of-watchdog, which is meant here, does not read it"));
            }
        } else if self.switch("debug_headers", false) {
            self.warnings.push("debug_headers: ignored; --log-level DEBUG shows the request's headers".to_owned());
        }
    }

    fn mode(&mut self, compat: Compat, is_typed: bool) {
        let process = fprocess::line(self.environment);
        let origin =
            process.filter(|_| !is_typed).map_or(Origin::Default, |(name, _)| Origin::Variable(name.to_owned()));
        // The supervisor's work is done in this process.
        let is_supervisors = !is_typed && process.is_some_and(|(_, line)| fprocess::is_supervisor(line, compat));
        let mode = non_empty(self.environment, "mode").map(OsStr::to_string_lossy);
        let Some(mode) = mode else {
            let mode = match self.kind {
                // A watchdog's defaults apply to its own process only.
                _ if is_supervisors || is_typed || process.is_none() => "files",
                WatchdogKind::Classic => "stdio",
                WatchdogKind::Of => "streaming",
            };
            self.give("mode", mode, origin);
            return;
        };
        let known = MODES.into_iter().find(|(name, _)| *name == mode);
        match (known, &*mode) {
            (Some(_), _) if is_supervisors => self.give("mode", "files", origin),
            (Some((_, mode)), _) => {
                self.give("mode", mode, Origin::Variable("mode".to_owned()));
                self.target(mode);
            }
            (None, "afterburn" | "inproc") => {
                self.mistake("mode", "bandog has no such mode; use streaming, serializing, http or static".to_owned());
            }
            (None, _) => self.mistake("mode", "expected streaming, serializing, http or static".to_owned()),
        }
    }

    /// Reads the variables of one mode. The second of two names for a setting wins.
    fn target(&mut self, mode: &str) {
        if mode == "static" {
            self.give("static-dir", STATIC_DIR, Origin::Default);
        }
        for (owner, name, setting) in [
            ("http", "upstream_url", "upstream"),
            ("http", "http_upstream_url", "upstream"),
            ("http", "ready_path", "ready-path"),
            ("static", "static_path", "static-dir"),
        ] {
            if let Some(value) = non_empty(self.environment, name).filter(|_| owner == mode) {
                self.give(setting, &value.to_string_lossy(), Origin::Variable(name.to_owned()));
            }
        }
    }

    fn listener(&mut self) {
        if let Some((port, origin)) = self.count("port", u16::MAX.into()) {
            self.give("listen", &format!("0.0.0.0:{port}"), origin);
        }
        self.give("metrics", METRICS, Origin::Default);
        if let Some((count, origin)) = self.count("max_inflight", u64::MAX) {
            self.give("max-inflight", &count.to_string(), origin);
        }
    }

    fn times(&mut self) {
        let (read, origin) = self.duration("read_timeout").unwrap_or((TIMEOUT, Origin::Default));
        self.give("read-timeout", &quantity::duration_text(read), origin);
        let write = self.duration("write_timeout").unwrap_or((TIMEOUT, Origin::Default));
        let exec = self.duration("exec_timeout").unwrap_or(match self.kind {
            WatchdogKind::Classic => (Duration::ZERO, Origin::Default),
            WatchdogKind::Of => (TIMEOUT, Origin::Default),
        });
        // No response is sent after `write_timeout`, so the function need not run on.
        let first = [&exec, &write].into_iter().filter(|(limit, _)| !limit.is_zero()).min_by_key(|(limit, _)| *limit);
        let (limit, origin) = first.unwrap_or(&exec).clone();
        self.give("exec-timeout", &quantity::duration_text(limit), origin);
        let (drain, origin) = if write.0.is_zero() { (TIMEOUT, Origin::Default) } else { write };
        self.give("drain-timeout", &quantity::duration_text(drain), origin);
        // Its default, `write_timeout`, would delay every shutdown for nothing.
        if let Some((interval, origin)) = self.duration("healthcheck_interval") {
            self.give("shutdown-delay", &quantity::duration_text(interval), origin);
        }
    }

    fn watchdog(&mut self) -> Watchdog {
        let is_classic = self.kind == WatchdogKind::Classic;
        let directory = non_empty(self.environment, "TMPDIR").unwrap_or(OsStr::new("/tmp"));
        let suppress_lock = self.noted_switch("suppress_lock", false);
        let combine_output = if is_classic { self.optional_switch("combine_output") } else { None };
        let content_type =
            non_empty(self.environment, "content_type").map(|value| value.to_string_lossy().into_owned());
        let is_set = content_type.is_some();
        let content_type = match content_type {
            Some(value) if http::HeaderValue::from_str(&value).is_err() => {
                self.invalid("content_type", &value, "a media type such as application/json");
                None
            }
            None if !is_classic => Some("application/octet-stream".to_owned()),
            value => value,
        };
        if let Some(value) = &content_type {
            let origin = if is_set { Origin::Variable("content_type".to_owned()) } else { Origin::Default };
            self.give("answer-type", value, origin);
        }
        // By default classic-watchdog combines standard output and standard error, and of-watchdog does not.
        let origin = combine_output.map_or(Origin::Default, |_| Origin::Variable("combine_output".to_owned()));
        if !combine_output.unwrap_or(is_classic) {
            // Standard error goes to the log unless it is part of the response.
            self.give("forward-logs", "true", origin.clone());
        }
        self.give("combine-output", &combine_output.unwrap_or(is_classic).to_string(), origin);
        Watchdog {
            kind: self.kind,
            lock: (!suppress_lock).then(|| Path::new(directory).join(".lock")),
            cgi_headers: !is_classic || self.noted_switch("cgi_headers", true),
            marshal_request: is_classic && self.noted_switch("marshal_request", false),
            write_debug: is_classic && self.noted_switch("write_debug", false),
            content_type,
            combine_output,
            prefix_logs: is_classic || self.noted_switch("prefix_logs", true),
            jwt_debug: false,
            log_limit: self.log_limit(),
        }
    }

    fn log_limit(&mut self) -> Option<usize> {
        let value = self.text("log_buffer_size")?;
        if value == "-1" {
            return None;
        }
        let (limit, origin) = self.count("log_buffer_size", u64::MAX)?;
        self.note("log_buffer_size", &value, origin);
        usize::try_from(limit).ok().filter(|limit| *limit > 0)
    }

    // ---- one variable ----

    fn text(&self, name: &str) -> Option<String> {
        non_empty(self.environment, name).map(|value| value.to_string_lossy().into_owned())
    }

    fn duration(&mut self, name: &'static str) -> Option<(Duration, Origin)> {
        let value = self.text(name)?;
        let duration = duration(&value);
        if duration.is_none() {
            self.invalid(name, &value, DURATION_EXPECTED);
        }
        duration.map(|duration| (duration, Origin::Variable(name.to_owned())))
    }

    fn count(&mut self, name: &'static str, most: u64) -> Option<(u64, Origin)> {
        let value = self.text(name)?;
        let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
        let count = value.parse().ok().filter(|count| is_number && *count <= most);
        if count.is_none() {
            self.invalid(name, &value, &format!("a whole number from 0 to {most}"));
        }
        count.map(|count| (count, Origin::Variable(name.to_owned())))
    }

    /// Reads a variable that must not fall back to its default: an invalid value is a mistake even with `lenient`.
    fn strictly<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        let lenient = std::mem::replace(&mut self.lenient, false);
        let value = read(self);
        self.lenient = lenient;
        value
    }

    fn switch(&mut self, name: &'static str, default: bool) -> bool {
        self.optional_switch(name).unwrap_or(default)
    }

    fn noted_switch(&mut self, name: &'static str, default: bool) -> bool {
        let value = self.optional_switch(name);
        let origin = value.map_or(Origin::Default, |_| Origin::Variable(name.to_owned()));
        self.note(name, &value.unwrap_or(default).to_string(), origin);
        value.unwrap_or(default)
    }

    /// classic-watchdog accepts only `true`; of-watchdog accepts `1` too, and for its newer variables everything that Go
    /// accepts.
    fn optional_switch(&mut self, name: &'static str) -> Option<bool> {
        let value = self.text(name)?;
        match value.to_ascii_lowercase().as_str() {
            "true" if value == "true" => Some(true),
            "false" | "0" | "no" | "off" | "f" | "n" => Some(false),
            "1" | "t" | "true" if self.kind == WatchdogKind::Of => Some(true),
            "true" | "1" | "yes" | "on" | "t" | "y" => {
                self.warnings.push(format!("{name}: {value:?} is false for this watchdog; write true"));
                Some(false)
            }
            _ => {
                self.invalid(name, &value, "true or false");
                None
            }
        }
    }

    fn give(&mut self, setting: &'static str, value: &str, origin: Origin) {
        self.values.insert(setting, RawValue { value: OsString::from(value), origin });
    }

    fn note(&mut self, name: &str, value: &str, origin: Origin) {
        self.entries.push(Entry { name: name.to_owned(), value: value.to_owned(), origin });
    }

    /// Reports an invalid value, for which both watchdogs silently take the default.
    fn invalid(&mut self, name: &'static str, value: &str, expected: &str) {
        if self.lenient {
            self.warnings.push(format!("{name}: {value:?}: expected {expected}; the default is taken"));
        } else {
            self.mistake(name, format!("expected {expected}"));
        }
    }

    fn mistake(&mut self, name: &str, advice: String) {
        let value = self.text(name);
        self.mistakes.push(Mistake { name: name.to_owned(), value, origin: Origin::Variable(name.to_owned()), advice });
    }
}

/// Seconds, or a duration in Go's spelling, which may have a sign. A negative one is zero.
fn duration(text: &str) -> Option<Duration> {
    match text.strip_prefix(['-', '+']) {
        None => quantity::duration(text),
        // A sign needs a unit.
        Some(rest) if rest.bytes().all(|byte| byte.is_ascii_digit()) && rest != "0" => None,
        Some(rest) => {
            quantity::duration(rest).map(|positive| if text.starts_with('-') { Duration::ZERO } else { positive })
        }
    }
}

#[cfg(test)]
mod tests;
