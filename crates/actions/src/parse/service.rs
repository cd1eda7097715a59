//! Parses the parts of a file that concern the whole service: information, lifecycle, readiness check, forwards,
//! metrics.

use std::time::Duration;

use super::{
    context::FileContext,
    cursor::{Cursor, Fields},
    interface::path,
    paths::DeclaredPath,
    report::Report,
};
use crate::service::{Forward, Health, Info, Lifecycle, ScrapeTarget, Shutdown};

/// The information is for people only, so its defects are warnings.
pub(super) fn info(cursor: &Cursor<'_>, report: &mut Report) -> Info {
    let Some(mut fields) = Fields::of(cursor, report) else { return Info::default() };
    let mut missing = Vec::new();
    let mut wanted = |name| {
        let text = fields.text(report, name);
        if text.is_none() {
            missing.push(name);
        }
        text
    };
    let (title, version, description) = (wanted("title"), wanted("version"), wanted("description"));
    // A single warning, since it appears at each start.
    if !missing.is_empty() {
        report.warn(cursor, format!("{} missing; it describes the service to people", missing.join(", ")));
    }
    let mut texts = |name, keys: &[&'static str]| -> Vec<Option<String>> {
        let inner = fields.take(report, &[name]).and_then(|cursor| Fields::of(&cursor, report));
        let Some(mut inner) = inner else { return vec![None; keys.len()] };
        let found = keys.iter().map(|key| inner.text(report, key)).collect();
        inner.end_lenient(report);
        found
    };
    let contact = texts("contact", &["name", "url", "email"]).try_into().unwrap_or_default();
    let license = texts("license", &["name", "url"]).try_into().unwrap_or_default();
    fields.end_lenient(report);
    Info { title, version, description, contact, license }
}

pub(super) fn lifecycle(cursor: &Cursor<'_>, report: &mut Report) -> Lifecycle {
    let Some(mut fields) = Fields::of(cursor, report) else { return Lifecycle::default() };
    let mut lifecycle = Lifecycle::default();
    if let Some(startup) = fields.take(report, &["startup", "run"])
        && let Some(mut inner) = Fields::of(&startup, report)
    {
        lifecycle.startup = command(&mut inner, report).unwrap_or_default();
        lifecycle.port = inner.take(report, &["port"]).and_then(|cursor| cursor.port(report));
        inner.end(report);
    }
    if let Some(shutdown) = fields.take(report, &["shutdown"])
        && let Some(mut inner) = Fields::of(&shutdown, report)
    {
        let command = command(&mut inner, report);
        let timeout = inner.take(report, &["timeout"]);
        if let (Some(timeout), None) = (&timeout, &command) {
            report.warn(timeout, "no effect without a command; --kill-grace is the time after SIGTERM");
        }
        let timeout = timeout.and_then(|cursor| seconds(&cursor, report));
        inner.end(report);
        lifecycle.shutdown = command.map(|command| Shutdown { command, timeout });
    }
    fields.end(report);
    lifecycle
}

fn command(fields: &mut Fields<'_>, report: &mut Report) -> Option<Vec<String>> {
    let cursor = fields.take(report, &["command"]).filter(|cursor| !cursor.is_empty_command())?;
    report.record_line(&cursor);
    cursor.words(report)
}

/// A time in seconds; `s` may follow it.
fn seconds(cursor: &Cursor<'_>, report: &mut Report) -> Option<Duration> {
    let text = cursor.scalar().map(|text| text.strip_suffix('s').unwrap_or(text).trim_end());
    let text = text.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'));
    let seconds = text.and_then(|text| text.parse().ok()).and_then(|time| Duration::try_from_secs_f64(time).ok());
    if seconds.is_none() {
        report.error(cursor, "expected a time in seconds such as 10");
    }
    seconds
}

/// The port and path of an `http`, and the position of the path.
fn http<'a>(
    cursor: &Cursor<'a>,
    context: &FileContext,
    is_forward: bool,
    report: &mut Report,
) -> Option<(u16, String, Cursor<'a>)> {
    let mut fields = Fields::of(cursor, report)?;
    let port = match fields.take(report, &["port"]) {
        Some(cursor) => cursor.port(report),
        None => context.port.or_else(|| {
            report.error(&cursor.below("port"), "missing; expected the port that the service listens on");
            None
        }),
    };
    let place = fields.take(report, &["path"]);
    if place.is_none() {
        report.error(&cursor.below("path"), "missing; expected a path that begins with a slash");
    }
    let text = place.as_ref().and_then(|cursor| path(cursor, report)).map(str::to_owned);
    if let Some(method) = is_forward.then(|| fields.take(report, &["method"])).flatten() {
        report.warn(&method, "no effect; all methods are forwarded");
    }
    fields.end(report);
    Some((port?, text?, place?))
}

pub(super) fn health(cursor: &Cursor<'_>, context: &FileContext, report: &mut Report) -> Option<Health> {
    let mut fields = Fields::of(cursor, report)?;
    let place = fields.take(report, &["http"]);
    if place.is_none() {
        report.error(&cursor.below("http"), "missing; expected the path of the readiness check");
    }
    let found = place.and_then(|cursor| http(&cursor, context, false, report));
    fields.end(report);
    found.map(|(port, path, _)| Health { port, path })
}

pub(super) fn forwards<'a>(
    cursor: &Cursor<'a>,
    context: &FileContext,
    paths: &mut Vec<DeclaredPath<'a>>,
    report: &mut Report,
) -> Vec<Forward> {
    let Some(fields) = Fields::of(cursor, report) else { return Vec::new() };
    let mut forwards = Vec::new();
    for (name, cursor) in fields.members() {
        let Some(mut fields) = Fields::of(&cursor, report) else { continue };
        let help = fields.text(report, "help");
        let place = fields.take(report, &["http"]);
        if place.is_none() {
            report.error(&cursor.below("http"), "missing; expected the path to forward");
        }
        let found = place.and_then(|cursor| http(&cursor, context, true, report));
        fields.end(report);
        if let Some((port, path, place)) = found {
            paths.push(DeclaredPath::of_forward(name, &path, place));
            forwards.push(Forward { name: name.to_owned(), help, port, path });
        }
    }
    forwards
}

/// `metrics` with the keys itself or below `prometheus`, or `prometheus` alone.
pub(super) fn metrics(cursor: &Cursor<'_>, context: &FileContext, report: &mut Report) -> Option<ScrapeTarget> {
    let mut fields = Fields::of(cursor, report)?;
    if let Some(inner) = fields.take(report, &["prometheus"]) {
        fields.end(report);
        return metrics(&inner, context, report);
    }
    let tls = fields.take(report, &["tls", "ssl"]);
    let is_tls = tls.as_ref().is_some_and(|cursor| cursor.boolean(report));
    let port = match fields.take(report, &["port"]) {
        Some(cursor) => cursor.port(report),
        None => context.port.or_else(|| {
            report.error(&cursor.below("port"), "missing; expected the port that the metrics are on");
            None
        }),
    };
    let path = match fields.take(report, &["uri", "path"]) {
        Some(cursor) => path(&cursor, report).map(str::to_owned),
        None => Some("/metrics".to_owned()),
    };
    fields.end(report);
    if let Some(tls) = tls.filter(|_| is_tls) {
        report.warn(&tls, "metrics over TLS are not supported; these are left out");
        return None;
    }
    Some(ScrapeTarget { port: port?, path: path? })
}
