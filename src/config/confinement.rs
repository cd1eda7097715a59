//! The resources that one function may use, and its user.
//!
//! Each setting is checked at start against the permissions of this process, so that none is silently ignored.

use std::{
    env::split_paths,
    path::{self, PathBuf},
};

use super::{
    quantity::{size, size_text},
    reader::Reader,
    setting, user,
};
use crate::{
    invocation::{Confinement, User},
    process,
};

/// No program can start with less memory.
const LEAST_MEMORY: u64 = 1024 * 1024;

/// No script can start with fewer open files: the three standard streams, the script, and the files of the loader.
const FEWEST_OPEN_FILES: u64 = 8;

/// Reads the group.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<Confinement> {
    let max_memory = reader.parse(
        &setting::MAX_MEMORY,
        &format!("0, or a size of at least {}, such as 512MiB", size_text(LEAST_MEMORY)),
        |text| size(text).filter(|bytes| *bytes == 0 || *bytes >= LEAST_MEMORY),
    );
    let max_cpu_time = reader.timeout(&setting::MAX_CPU_TIME);
    let max_open_files = reader.parse(
        &setting::MAX_OPEN_FILES,
        &format!("0, or a whole number of at least {FEWEST_OPEN_FILES}"),
        |text| number(text).filter(|count| *count == 0 || *count >= FEWEST_OPEN_FILES),
    );
    let max_output = reader.size(&setting::MAX_OUTPUT);
    let nice = read_nice(reader);
    let user = read_user(reader);
    let max_processes = read_max_processes(reader, user.as_ref().and_then(Option::as_ref));
    let sandbox = read_sandbox(reader);
    let allow_write = read_allow_write(reader, sandbox);
    Some(Confinement {
        max_memory: unless_zero(max_memory?),
        max_cpu_time: max_cpu_time?,
        max_processes: max_processes?,
        max_open_files: unless_zero(max_open_files?),
        max_output: unless_zero(max_output?),
        nice: nice?,
        user: user?,
        sandbox: sandbox?,
        allow_write: allow_write?,
    })
}

#[expect(clippy::option_option, reason = "a mistake, no value and a value are three things")]
fn read_nice(reader: &mut Reader<'_>) -> Option<Option<i32>> {
    let setting = &setting::NICE;
    let Some(raw) = reader.raw(setting) else {
        reader.note_unset(setting);
        return Some(None);
    };
    let text = raw.text();
    reader.note(setting, text.clone(), raw.origin.clone());
    let nice = text.parse::<i32>().ok().filter(|nice| (-20..=19).contains(nice));
    let nice = nice.ok_or_else(|| "expected a whole number from -20 (first) to 19 (last)".to_owned());
    let nice = nice.and_then(|nice| process::may_set_nice(nice).map(|()| nice));
    reader.accept(setting, Some(raw), nice).map(Some)
}

#[expect(clippy::option_option, reason = "a mistake, no user and a user are three things")]
fn read_user(reader: &mut Reader<'_>) -> Option<Option<User>> {
    let setting = &setting::USER;
    let Some(raw) = reader.raw(setting) else {
        reader.note_unset(setting);
        return Some(None);
    };
    let text = raw.text();
    let Some(user) = user::parse(&text) else {
        reader.note(setting, text, raw.origin.clone());
        reader.wrong(setting, Some(raw), format!("expected {}", user::EXPECTED));
        return None;
    };
    reader.note(setting, format!("{}:{}", user.uid, user.gid), raw.origin.clone());
    if process::is_own_user(user.uid, user.gid) {
        return Some(None);
    }
    let permitted = process::may_become(user.uid, user.gid);
    reader.accept(setting, Some(raw), permitted).map(|()| Some(user))
}

#[expect(clippy::option_option, reason = "a mistake, no limit and a limit are three things")]
fn read_max_processes(reader: &mut Reader<'_>, user: Option<&User>) -> Option<Option<u64>> {
    let setting = &setting::MAX_PROCESSES;
    let count = reader.parse(setting, "a whole number such as 0 or 64", number)?;
    if count == 0 {
        return Some(None);
    }
    let raw = reader.raw(setting);
    let permitted = process::may_limit_processes(user.map(|user| user.uid), Some(count));
    reader.accept(setting, raw, permitted).map(|()| Some(count))
}

fn read_sandbox(reader: &mut Reader<'_>) -> Option<bool> {
    let setting = &setting::SANDBOX;
    let is_wanted = reader.switch(setting)?;
    if !is_wanted {
        return Some(false);
    }
    let raw = reader.raw(setting);
    reader.accept(setting, raw, process::may_sandbox()).map(|()| true)
}

fn read_allow_write(reader: &mut Reader<'_>, sandbox: Option<bool>) -> Option<Vec<PathBuf>> {
    let setting = &setting::ALLOW_WRITE;
    let Some(raw) = reader.raw_and_noted(setting) else { return Some(Vec::new()) };
    if sandbox == Some(false) {
        reader.wrong(setting, Some(raw), "has an effect only with --sandbox; add it, or remove this");
        return None;
    }
    let paths = split_paths(&raw.value).map(|path| {
        let existing = path::absolute(&path).and_then(|path| path.metadata().map(|_| path));
        existing.map_err(|error| format!("{}: {error}; expected files or directories that exist", path.display()))
    });
    let paths: Result<_, String> = paths.collect();
    reader.accept(setting, Some(raw), paths)
}

fn number(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

fn unless_zero(limit: u64) -> Option<u64> {
    (limit > 0).then_some(limit)
}
