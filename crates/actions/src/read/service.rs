//! What a file says of the service as a whole: who it is, and how its process lives.

use std::time::Duration;

use super::{
    Setting,
    interface::path,
    routes::Route,
    walk::{Fields, Notes, Spot},
};
use crate::{Forward, Health, Info, Lifecycle, Scrape, Shutdown};

/// For people alone, so nothing in it stops a start.
pub(super) fn info(spot: &Spot<'_>, notes: &mut Notes) -> Info {
    let Some(mut fields) = Fields::of(spot, notes) else { return Info::default() };
    let mut missing = Vec::new();
    let mut wanted = |name| {
        let text = fields.text(notes, name);
        if text.is_none() {
            missing.push(name);
        }
        text
    };
    let (title, version, description) = (wanted("title"), wanted("version"), wanted("description"));
    // One line, whatever is missing: it is told at each start.
    if !missing.is_empty() {
        notes.warn(spot, format!("{} missing; it is what people are told about the service", missing.join(", ")));
    }
    let mut texts = |name, keys: &[&'static str]| -> Vec<Option<String>> {
        let inner = fields.take(notes, &[name]).and_then(|spot| Fields::of(&spot, notes));
        let Some(mut inner) = inner else { return vec![None; keys.len()] };
        let found = keys.iter().map(|key| inner.text(notes, key)).collect();
        inner.end_lenient(notes);
        found
    };
    let contact = texts("contact", &["name", "url", "email"]).try_into().unwrap_or_default();
    let license = texts("license", &["name", "url"]).try_into().unwrap_or_default();
    fields.end_lenient(notes);
    Info { title, version, description, contact, license }
}

pub(super) fn lifecycle(spot: &Spot<'_>, notes: &mut Notes) -> Lifecycle {
    let Some(mut fields) = Fields::of(spot, notes) else { return Lifecycle::default() };
    let mut lifecycle = Lifecycle::default();
    if let Some(startup) = fields.take(notes, &["startup"])
        && let Some(mut inner) = Fields::of(&startup, notes)
    {
        lifecycle.startup = command(&mut inner, notes).unwrap_or_default();
        lifecycle.port = inner.take(notes, &["port"]).and_then(|spot| spot.port(notes));
        inner.end(notes);
    }
    if let Some(shutdown) = fields.take(notes, &["shutdown"])
        && let Some(mut inner) = Fields::of(&shutdown, notes)
    {
        let command = command(&mut inner, notes);
        let timeout = inner.take(notes, &["timeout"]);
        if let (Some(timeout), None) = (&timeout, &command) {
            notes.warn(timeout, "without effect, since there is no command; --kill-grace is the time after SIGTERM");
        }
        let timeout = timeout.and_then(|spot| seconds(&spot, notes));
        inner.end(notes);
        lifecycle.shutdown = command.map(|command| Shutdown { command, timeout });
    }
    fields.end(notes);
    lifecycle
}

fn command(fields: &mut Fields<'_>, notes: &mut Notes) -> Option<Vec<String>> {
    let spot = fields.take(notes, &["command"])?;
    notes.keep(&spot);
    spot.words(notes)
}

/// A time in seconds; `s` may stand behind it.
fn seconds(spot: &Spot<'_>, notes: &mut Notes) -> Option<Duration> {
    let text = spot.scalar().map(|text| text.strip_suffix('s').unwrap_or(text).trim_end());
    let text = text.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'));
    let seconds = text.and_then(|text| text.parse().ok()).and_then(|time| Duration::try_from_secs_f64(time).ok());
    if seconds.is_none() {
        notes.wrong(spot, "expected a time in seconds such as 10");
    }
    seconds
}

/// Port and path of an `http`, with the place of the path.
fn http<'a>(spot: &Spot<'a>, setting: &Setting, notes: &mut Notes) -> Option<(u16, String, Spot<'a>)> {
    let mut fields = Fields::of(spot, notes)?;
    let port = match fields.take(notes, &["port"]) {
        Some(spot) => spot.port(notes),
        None => setting.port.or_else(|| {
            notes.wrong(&spot.below("port"), "missing; expected the port that the service listens on");
            None
        }),
    };
    let place = fields.take(notes, &["path"]);
    if place.is_none() {
        notes.wrong(&spot.below("path"), "missing; expected a path that begins with a slash");
    }
    let text = place.as_ref().and_then(|spot| path(spot, notes)).map(str::to_owned);
    fields.end(notes);
    Some((port?, text?, place?))
}

pub(super) fn health(spot: &Spot<'_>, setting: &Setting, notes: &mut Notes) -> Option<Health> {
    let mut fields = Fields::of(spot, notes)?;
    let place = fields.take(notes, &["http"]);
    if place.is_none() {
        notes.wrong(&spot.below("http"), "missing; expected the path that says whether the service is ready");
    }
    let found = place.and_then(|spot| http(&spot, setting, notes));
    fields.end(notes);
    found.map(|(port, path, _)| Health { port, path })
}

pub(super) fn forwards<'a>(
    spot: &Spot<'a>,
    setting: &Setting,
    routes: &mut Vec<Route<'a>>,
    notes: &mut Notes,
) -> Vec<Forward> {
    let Some(fields) = Fields::of(spot, notes) else { return Vec::new() };
    let mut forwards = Vec::new();
    for (name, spot) in fields.members() {
        let Some(mut fields) = Fields::of(&spot, notes) else { continue };
        let help = fields.text(notes, "help");
        let place = fields.take(notes, &["http"]);
        if place.is_none() {
            notes.wrong(&spot.below("http"), "missing; expected the path that is handed on");
        }
        let found = place.and_then(|spot| http(&spot, setting, notes));
        fields.end(notes);
        if let Some((port, path, place)) = found {
            routes.push(Route::of_forward(name, &path, place));
            forwards.push(Forward { name: name.to_owned(), help, port, path });
        }
    }
    forwards
}

/// `metrics`, which holds them itself or under `prometheus`, or `prometheus` alone.
pub(super) fn metrics(spot: &Spot<'_>, setting: &Setting, notes: &mut Notes) -> Option<Scrape> {
    let mut fields = Fields::of(spot, notes)?;
    if let Some(inner) = fields.take(notes, &["prometheus"]) {
        fields.end(notes);
        return metrics(&inner, setting, notes);
    }
    let tls = fields.take(notes, &["tls", "ssl"]);
    let is_tls = tls.as_ref().is_some_and(|spot| spot.switch(notes));
    let port = match fields.take(notes, &["port"]) {
        Some(spot) => spot.port(notes),
        None => setting.port.or_else(|| {
            notes.wrong(&spot.below("port"), "missing; expected the port that the metrics are on");
            None
        }),
    };
    let path = match fields.take(notes, &["uri", "path"]) {
        Some(spot) => path(&spot, notes).map(str::to_owned),
        None => Some("/metrics".to_owned()),
    };
    fields.end(notes);
    if let Some(tls) = tls.filter(|_| is_tls) {
        notes.warn(&tls, "these metrics are left out, since they are asked for without TLS only");
        return None;
    }
    Some(Scrape { port: port?, path: path? })
}
