//! What one function may use, and as whom: read, and checked against what the kernel lets this process do, so that
//! nothing that was asked for is silently left out.

use std::{
    env::split_paths,
    path::{self, PathBuf},
};

use super::{
    quantity::{size, size_text},
    resolve::{Resolver, unless_zero},
    setting, user,
};
use crate::{
    invocation::{Confinement, User},
    process,
};

/// No program can start with less memory than this.
const LEAST_MEMORY: u64 = 1024 * 1024;

/// No script can start with fewer open files: the standard three, the script, and what the loader opens.
const FEWEST_OPEN_FILES: u64 = 8;

impl Resolver<'_> {
    /// Reads all of it; `None` if something of it is a mistake.
    pub(super) fn confinement(&mut self) -> Option<Confinement> {
        let max_memory = self.read(
            &setting::MAX_MEMORY,
            &format!("0, or a size of at least {}, such as 512MiB", size_text(LEAST_MEMORY)),
            |text| size(text).filter(|bytes| *bytes == 0 || *bytes >= LEAST_MEMORY),
        );
        let max_cpu_time = self.duration(&setting::MAX_CPU_TIME);
        let max_open_files = self.read(
            &setting::MAX_OPEN_FILES,
            &format!("0, or a whole number of at least {FEWEST_OPEN_FILES}"),
            |text| number(text).filter(|count| *count == 0 || *count >= FEWEST_OPEN_FILES),
        );
        let max_output = self.size(&setting::MAX_OUTPUT);
        let nice = self.nice();
        let user = self.user();
        let max_processes = self.processes(user.as_ref().and_then(Option::as_ref));
        let sandbox = self.sandbox();
        let allow_write = self.allow_write(sandbox);
        Some(Confinement {
            max_memory: some(max_memory?),
            max_cpu_time: unless_zero(max_cpu_time?),
            max_processes: max_processes?,
            max_open_files: some(max_open_files?),
            max_output: some(max_output?),
            nice: nice?,
            user: user?,
            sandbox: sandbox?,
            allow_write: allow_write?,
        })
    }

    #[expect(clippy::option_option, reason = "a mistake, nothing, and something are three things")]
    fn nice(&mut self) -> Option<Option<i32>> {
        let setting = &setting::NICE;
        let Some(given) = self.given(setting) else {
            self.note_unset(setting);
            return Some(None);
        };
        let text = given.value.to_string_lossy().trim_ascii().to_owned();
        self.note(setting, text.clone(), given.origin.clone());
        let Some(nice) = text.parse::<i32>().ok().filter(|nice| (-20..=19).contains(nice)) else {
            self.wrong(setting, Some(given), "expected a whole number from -20 (first) to 19 (last)");
            return None;
        };
        match process::may_set_nice(nice) {
            Ok(()) => Some(Some(nice)),
            Err(advice) => {
                self.wrong(setting, Some(given), advice);
                None
            }
        }
    }

    #[expect(clippy::option_option, reason = "a mistake, nothing, and something are three things")]
    fn user(&mut self) -> Option<Option<User>> {
        let setting = &setting::USER;
        let Some(given) = self.given(setting) else {
            self.note_unset(setting);
            return Some(None);
        };
        let text = given.value.to_string_lossy().trim_ascii().to_owned();
        let Some(user) = user::parse(&text) else {
            self.note(setting, text, given.origin.clone());
            self.wrong(setting, Some(given), format!("expected {}", user::EXPECTED));
            return None;
        };
        self.note(setting, format!("{}:{}", user.uid, user.gid), given.origin.clone());
        if process::is_own_user(user.uid, user.gid) {
            return Some(None);
        }
        match process::may_become(user.uid, user.gid) {
            Ok(()) => Some(Some(user)),
            Err(advice) => {
                self.wrong(setting, Some(given), advice);
                None
            }
        }
    }

    #[expect(clippy::option_option, reason = "a mistake, nothing, and something are three things")]
    fn processes(&mut self, user: Option<&User>) -> Option<Option<u64>> {
        let setting = &setting::MAX_PROCESSES;
        let count = self.read(setting, "a whole number such as 0 or 64", number)?;
        if count == 0 {
            return Some(None);
        }
        match process::may_limit_processes(user.map(|user| user.uid), Some(count)) {
            Ok(()) => Some(Some(count)),
            Err(advice) => {
                let given = self.given(setting);
                self.wrong(setting, given, advice);
                None
            }
        }
    }

    fn sandbox(&mut self) -> Option<bool> {
        let setting = &setting::SANDBOX;
        let wanted = self.switch(setting)?;
        match wanted.then(process::may_sandbox) {
            None | Some(Ok(())) => Some(wanted),
            Some(Err(advice)) => {
                let given = self.given(setting);
                self.wrong(setting, given, advice);
                None
            }
        }
    }

    fn allow_write(&mut self, sandbox: Option<bool>) -> Option<Vec<PathBuf>> {
        let setting = &setting::ALLOW_WRITE;
        let Some(given) = self.given(setting) else {
            self.note_unset(setting);
            return Some(Vec::new());
        };
        self.note(setting, given.value.to_string_lossy(), given.origin.clone());
        if sandbox == Some(false) {
            self.wrong(setting, Some(given), "means something only with --sandbox; add that, or leave this out");
            return None;
        }
        let mut paths = Vec::new();
        for path in split_paths(&given.value) {
            match path::absolute(&path).and_then(|path| path.metadata().map(|_| path)) {
                Ok(path) => paths.push(path),
                Err(error) => {
                    let advice = format!("{}: {error}; expected files or directories that exist", path.display());
                    self.wrong(setting, Some(given), advice);
                    return None;
                }
            }
        }
        Some(paths)
    }
}

fn number(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

fn some(limit: u64) -> Option<u64> {
    (limit > 0).then_some(limit)
}
