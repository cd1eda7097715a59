//! The variables that OpenFaaS' watchdogs read, with their meaning and their defaults.
//!
//! Both watchdogs are called `fwatchdog`, and their defaults differ, so that the first step is to find out which one is
//! meant. A variable for which bandog has a setting becomes a value of that setting, with precedence over the variables
//! of other platforms. All others are in [`WatchdogSettings`]. Names and defaults are those of the two projects' READMEs
//! and sources.

mod jwt;
mod names;

use std::{
    ffi::{OsStr, OsString},
    path::PathBuf,
    time::Duration,
};

use bandog_codec::quantity;

use self::names::{CLASSIC_ONLY, MODES, OF_ONLY, UNUSED};
use super::{WatchdogKind, fprocess, lock_file};
use crate::platform::{
    Compat, Environment, LegacyBehaviour, TranslatedValue, Translation, VariableError, VariableNote, non_empty,
};

/// The settings of the watchdogs that bandog has no setting for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the replaced programs")]
pub struct WatchdogSettings {
    /// The program that is replaced.
    pub kind: WatchdogKind,
    /// The lock file, which exists while bandog serves; `None` with `suppress_lock`.
    pub lock: Option<PathBuf>,
    /// `cgi_headers`: the request becomes `Http_*` variables.
    pub cgi_headers: bool,
    /// `marshal_request`: the function reads a JSON document that holds headers and body.
    pub marshal_request: bool,
    /// `write_debug`: results are also written to standard output.
    pub write_debug: bool,
    /// The type of every response: `content_type`, or the program's default. Without either it is the type of the
    /// request, or a guess.
    pub content_type: Option<String>,
    /// `combine_output`, if it is set.
    pub combine_output: Option<bool>,
    /// `prefix_logs`, always on in classic-watchdog: the function's lines in the container log begin with the time and
    /// `stderr: `.
    pub prefix_logs: bool,
    /// `jwt_auth_debug`: the keys of the identity provider are named in the log.
    pub jwt_debug: bool,
    /// `log_buffer_size`: the bytes of such a line after which it is cut and marked; `None` for no limit.
    pub log_limit: Option<usize>,
}

/// The default of both programs for reading a request and writing a response, and of of-watchdog for the run.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The address of both programs' metrics.
const METRICS: &str = "0.0.0.0:8081";

/// The default directory of of-watchdog's mode `static`.
const STATIC_DIR: &str = "/home/app/public";

const DURATION_EXPECTED: &str = "seconds such as 30, or a duration such as 1m30s";

/// Reads all variables. `typed` tells that the command line names a function.
#[must_use]
pub fn read(environment: &Environment, compat: Compat, typed: bool) -> (WatchdogSettings, Translation) {
    let kind = if ["mode"].iter().chain(&OF_ONLY).any(|name| non_empty(environment, name).is_some()) {
        WatchdogKind::Of
    } else {
        WatchdogKind::Classic
    };
    let mut reader = VariableReader {
        environment,
        lenient: compat.has(LegacyBehaviour::Lenient),
        kind,
        found: Translation::default(),
    };
    reader.refuse();
    reader.mode(compat, typed);
    reader.listener();
    reader.times();
    let jwt_debug = reader.strictly(VariableReader::jwt);
    let settings = WatchdogSettings { jwt_debug, ..reader.settings() };
    (settings, reader.found)
}

/// Reads one variable at a time.
struct VariableReader<'a> {
    environment: &'a Environment,
    /// Whether an unreadable value is replaced by the default.
    lenient: bool,
    kind: WatchdogKind,
    found: Translation,
}

/// A parsed value, and the variable that it comes from; `None` for the default.
type Sourced<T> = (T, Option<&'static str>);

impl VariableReader<'_> {
    /// Refuses to start where a user relies on something that bandog does not do.
    fn refuse(&mut self) {
        for (name, advice) in [
            ("oauth_enabled", "bandog has no browser login; put a proxy that has one in front, and unset this"),
            ("one_shot", "bandog does not end after one request; unset this"),
        ] {
            if self.strictly(|reader| reader.switch(name, false)) {
                self.error(name, advice.to_owned());
            }
        }
        for name in ["http_buffer_req_body", "buffer_http"] {
            if self.switch(name, false) {
                self.warn(format!("{name}: ignored; bodies are passed on as they come"));
            }
        }
        for (name, advice) in UNUSED {
            if non_empty(self.environment, name).is_some() {
                self.warn(format!("{name}: ignored; {advice}"));
            }
        }
        for name in ["log_callid", "log_call_id"] {
            // Every line about a call has its id already.
            self.noted_if_set(name);
        }
        if self.kind == WatchdogKind::Of {
            for name in CLASSIC_ONLY.into_iter().filter(|name| non_empty(self.environment, name).is_some()) {
                self.warn(format!("{name}: ignored; of-watchdog, which is meant here, does not read it"));
            }
        } else if self.switch("debug_headers", false) {
            self.warn("debug_headers: ignored; --log-level DEBUG shows the request's headers".to_owned());
        }
    }

    fn mode(&mut self, compat: Compat, typed: bool) {
        let process = fprocess::line(self.environment);
        let variable = process.filter(|_| !typed).map(|(name, _)| name);
        // bandog does the supervisor's work itself, whatever the mode.
        let is_supervisors = !typed && process.is_some_and(|(_, line)| fprocess::is_supervisor(line, compat));
        let mode = non_empty(self.environment, "mode").map(OsStr::to_string_lossy);
        let Some(mode) = mode else {
            let mode = match self.kind {
                // The mode of a watchdog is about its own process only.
                _ if is_supervisors || typed || process.is_none() => "files",
                WatchdogKind::Classic => "stdio",
                WatchdogKind::Of => "streaming",
            };
            self.give("mode", mode, variable);
            return;
        };
        let known = MODES.into_iter().find(|(name, _)| *name == mode);
        match (known, &*mode) {
            (Some(_), _) if is_supervisors => self.give("mode", "files", variable),
            (Some((_, mode)), _) => {
                self.give("mode", mode, Some("mode"));
                self.target(mode);
            }
            (None, "afterburn" | "inproc") => {
                self.error("mode", "bandog has no such mode; use streaming, serializing, http or static".to_owned());
            }
            (None, _) => self.error("mode", "expected streaming, serializing, http or static".to_owned()),
        }
    }

    /// The variables of single modes. The second of two names wins.
    fn target(&mut self, mode: &str) {
        if mode == "static" {
            self.give("static-dir", STATIC_DIR, None);
        }
        for (of, name, setting) in [
            ("http", "upstream_url", "upstream"),
            ("http", "http_upstream_url", "upstream"),
            ("http", "ready_path", "ready-path"),
            ("static", "static_path", "static-dir"),
        ] {
            if let Some(value) = non_empty(self.environment, name).filter(|_| of == mode) {
                self.give(setting, &value.to_string_lossy(), Some(name));
            }
        }
    }

    fn listener(&mut self) {
        if let Some((port, variable)) = self.count("port", u16::MAX.into()) {
            self.give("listen", &format!("0.0.0.0:{port}"), variable);
        }
        self.give("metrics", METRICS, None);
        self.give("paths", "any", None);
        if let Some((count, variable)) = self.count("max_inflight", u64::MAX) {
            self.give("max-inflight", &count.to_string(), variable);
        }
    }

    fn times(&mut self) {
        let (read, variable) = self.duration("read_timeout").unwrap_or((TIMEOUT, None));
        self.give("read-timeout", &quantity::duration_text(read), variable);
        // Go's server keeps a connection for as long when it is told nothing else (net/http, Server.IdleTimeout).
        self.give("idle-timeout", &quantity::duration_text(read), variable);
        let write = self.duration("write_timeout").unwrap_or((TIMEOUT, None));
        let exec = self.duration("exec_timeout").unwrap_or(match self.kind {
            WatchdogKind::Classic => (Duration::ZERO, None),
            WatchdogKind::Of => (TIMEOUT, None),
        });
        // No response is sent after `write_timeout`, so that the function need not run on (fault F18).
        let first = [exec, write].into_iter().filter(|(limit, _)| !limit.is_zero()).min_by_key(|(limit, _)| *limit);
        let (limit, mut variable) = first.unwrap_or(exec);
        if let ((asked, Some(_)), (default, None)) = (exec, write)
            && !default.is_zero()
            && (asked.is_zero() || default < asked)
        {
            variable = Some("the default of write_timeout");
            let (asked, default) = (quantity::duration_text(asked), quantity::duration_text(default));
            self.warn(format!(
                "exec_timeout: {asked} is cut to {default}, the default of write_timeout, after which no response is \
                 sent; set write_timeout as well"
            ));
        }
        self.give("exec-timeout", &quantity::duration_text(limit), variable);
        let (drain, variable) = if write.0.is_zero() { (TIMEOUT, None) } else { write };
        self.give("drain-timeout", &quantity::duration_text(drain), variable);
        // Its default is `write_timeout`, which would delay every shutdown for nothing.
        if let Some((interval, variable)) = self.duration("healthcheck_interval") {
            self.give("shutdown-delay", &quantity::duration_text(interval), variable);
        }
    }

    fn settings(&mut self) -> WatchdogSettings {
        let is_classic = self.kind == WatchdogKind::Classic;
        let suppress_lock = self.noted_switch("suppress_lock", false);
        let combine_output = if is_classic { self.optional_switch("combine_output") } else { None };
        let content_type = self.text("content_type");
        let variable = content_type.is_some().then_some("content_type");
        let content_type = match content_type {
            Some(value) if http::HeaderValue::from_str(&value).is_err() => {
                self.invalid("content_type", &value, "a media type such as application/json");
                None
            }
            None if !is_classic => Some("application/octet-stream".to_owned()),
            value => value,
        };
        if let Some(value) = &content_type {
            self.give("answer-type", value, variable);
        }
        // By default classic-watchdog combines standard output and standard error, and of-watchdog does not.
        let variable = combine_output.map(|_| "combine_output");
        if !combine_output.unwrap_or(is_classic) {
            // Standard error is not in the response, so that it belongs in the log.
            self.give("forward-logs", "true", variable);
        }
        self.give("combine-output", &combine_output.unwrap_or(is_classic).to_string(), variable);
        WatchdogSettings {
            kind: self.kind,
            lock: (!suppress_lock).then(|| lock_file(self.environment)),
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
        let (limit, _) = self.count("log_buffer_size", u64::MAX)?;
        self.note("log_buffer_size", &value, true);
        usize::try_from(limit).ok().filter(|limit| *limit > 0)
    }

    // ---- one variable ----

    fn text(&self, name: &str) -> Option<String> {
        non_empty(self.environment, name).map(|value| value.to_string_lossy().into_owned())
    }

    fn duration(&mut self, name: &'static str) -> Option<Sourced<Duration>> {
        let value = self.text(name)?;
        let duration = duration(&value);
        if duration.is_none() {
            self.invalid(name, &value, DURATION_EXPECTED);
        }
        duration.map(|duration| (duration, Some(name)))
    }

    fn count(&mut self, name: &'static str, most: u64) -> Option<Sourced<u64>> {
        let value = self.text(name)?;
        let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
        let count = value.parse().ok().filter(|count| is_number && *count <= most);
        if count.is_none() {
            self.invalid(name, &value, &format!("a whole number from 0 to {most}"));
        }
        count.map(|count| (count, Some(name)))
    }

    /// Reads variables for which the default would be unsafe: an unreadable value is an error, even under `lenient`.
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
        self.note(name, &value.unwrap_or(default).to_string(), value.is_some());
        value.unwrap_or(default)
    }

    /// Shows a switch that has nothing to switch.
    fn noted_if_set(&mut self, name: &'static str) {
        if let Some(value) = self.optional_switch(name) {
            self.note(name, &value.to_string(), true);
        }
    }

    /// classic-watchdog reads only `true` as true. of-watchdog reads `1` too, and for its newer variables all words that
    /// Go does.
    fn optional_switch(&mut self, name: &'static str) -> Option<bool> {
        let value = self.text(name)?;
        match value.to_ascii_lowercase().as_str() {
            "true" if value == "true" => Some(true),
            "false" | "0" | "no" | "off" | "f" | "n" => Some(false),
            "1" | "t" | "true" if self.kind == WatchdogKind::Of => Some(true),
            "true" | "1" | "yes" | "on" | "t" | "y" => {
                self.warn(format!("{name}: {value:?} is false for this watchdog; write true"));
                Some(false)
            }
            _ => {
                self.invalid(name, &value, "true or false");
                None
            }
        }
    }

    fn give(&mut self, setting: &'static str, value: &str, variable: Option<&'static str>) {
        self.found.values.insert(setting, TranslatedValue { text: OsString::from(value), variable });
    }

    fn warn(&mut self, text: String) {
        self.found.warnings.push(text);
    }

    fn note(&mut self, name: &'static str, value: &str, is_set: bool) {
        self.found.notes.push(VariableNote { name, value: value.to_owned(), is_set });
    }

    /// A value that both programs would have silently replaced by the default.
    fn invalid(&mut self, name: &'static str, value: &str, expected: &str) {
        if self.lenient {
            self.warn(format!("{name}: {value:?}: expected {expected}; the default is taken"));
        } else {
            self.error(name, format!("expected {expected}"));
        }
    }

    fn error(&mut self, name: &'static str, advice: String) {
        let value = self.text(name);
        self.found.errors.push(VariableError { name, value, advice });
    }
}

/// Seconds, or a duration in Go's form, which may have a sign. A negative duration counts as zero.
fn duration(text: &str) -> Option<Duration> {
    match text.strip_prefix(['-', '+']) {
        None => quantity::duration(text),
        // Only a number with a unit may have a sign.
        Some(rest) if rest.bytes().all(|byte| byte.is_ascii_digit()) && rest != "0" => None,
        Some(rest) => {
            quantity::duration(rest).map(|positive| if text.starts_with('-') { Duration::ZERO } else { positive })
        }
    }
}

#[cfg(test)]
mod tests;
