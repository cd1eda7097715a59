//! The machine that it was measured on: figures of another one are not to be compared with these.

use std::{fmt, fs, process::Command};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::setting::Setting;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Machine {
    processor: String,
    cores: usize,
    kernel: String,
    memory_bytes: u64,
    /// Of the beginning of the run, in UTC.
    date: String,
    /// The version that it prints.
    bandog: String,
    pub bandog_bytes: u64,
}

impl Machine {
    pub fn of(setting: &Setting) -> anyhow::Result<Self> {
        let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let processor = processors.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
        let system = rustix::system::uname();
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let memory = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.strip_suffix("kB"));
        let said = |program: &mut Command| -> anyhow::Result<String> {
            let output = program.output().with_context(|| format!("{}", program.get_program().display()))?;
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        Ok(Self {
            processor: processor.trim_start_matches([' ', '\t', ':']).to_owned(),
            cores: setting.cores,
            kernel: kernel(&system.sysname().to_string_lossy(), &system.release().to_string_lossy()),
            memory_bytes: memory.and_then(|text| text.trim().parse::<u64>().ok()).unwrap_or_default() * 1024,
            date: said(Command::new("date").args(["-u", "+%Y-%m-%d"]))?,
            bandog: said(Command::new(&setting.bandog).arg("--version"))?,
            bandog_bytes: fs::metadata(&setting.bandog)?.len(),
        })
    }
}

/// The kernel's name with the major and the minor version: the rest of a release is a build's own name.
fn kernel(name: &str, release: &str) -> String {
    let mut parts = release.split(['.', '-']);
    match (parts.next(), parts.next()) {
        (Some(major), Some(minor)) => format!("{name} {major}.{minor}"),
        (_, _) => name.to_owned(),
    }
}

impl Machine {
    /// A form short enough for a picture.
    pub fn short(&self) -> String {
        let Self { processor, cores, kernel, date, bandog, .. } = self;
        format!("{bandog} · {processor}, {cores} processors · {kernel} · {date}")
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { processor, cores, kernel, memory_bytes, date, bandog, bandog_bytes } = self;
        #[expect(clippy::cast_precision_loss, reason = "shown with one digit after the point")]
        let [memory, size] = [*memory_bytes as f64 / f64::from(1 << 30), *bandog_bytes as f64 / f64::from(1 << 20)];
        write!(
            f,
            "{processor}, {cores} processors, {memory:.0} GiB, {kernel}, {date}; {bandog}, a binary of {size:.2} MiB"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_build_is_not_part_of_the_kernel() {
        assert_eq!(kernel("Linux", "6.18.44-own-v1"), "Linux 6.18");
        assert_eq!(kernel("Linux", "6.1-rc1"), "Linux 6.1");
        assert_eq!(kernel("Linux", "odd"), "Linux");
    }
}
