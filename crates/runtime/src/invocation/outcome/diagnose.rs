//! Finds the cause of a function's failure: its own exit, a signal from elsewhere, or one of its limits.

use std::time::Duration;

use super::{super::settings::Confinement, failure::Failure};
use crate::process::Exit;

/// The number that a shell adds to the signal that killed its last command, to form its own exit code.
const SHELL_SIGNAL_BASE: i32 = 128;

/// The part of the limit on CPU time that a function must have used for the limit to count as the cause of an end that
/// can have other causes. The kernel enforces the limit by samples at each tick, and reports the measured time
/// afterwards, which is less on a busy machine.
const CPU_TIME_SHARE: f64 = 0.5;

/// The processes that the kernel killed for want of memory while a function ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::invocation) enum OomKill {
    /// None.
    None,
    /// One of the function's own processes, in a cgroup with this limit.
    Own(Option<u64>),
    /// Any process of the container.
    Other,
}

/// Returns the cause of a run that ended with `exit` and without success.
pub(in crate::invocation) fn failure(
    exit: Exit,
    cpu_time: Duration,
    limits: &Confinement,
    killed: impl FnOnce() -> OomKill,
) -> Failure {
    let signal = match exit {
        Exit::Signal(signal) => signal,
        Exit::Code(code) => code - SHELL_SIGNAL_BASE,
    };
    // Only the kernel sends SIGXCPU.
    let is_certain = exit == Exit::Signal(libc::SIGXCPU);
    let used_up = limits.max_cpu_time.filter(|limit| {
        let least = match signal {
            // The kernel sends SIGKILL a second after a SIGXCPU that was ignored.
            libc::SIGKILL => limit.as_secs_f64().ceil() + CPU_TIME_SHARE,
            _ => limit.as_secs_f64() * CPU_TIME_SHARE,
        };
        is_certain || cpu_time.as_secs_f64() >= least
    });
    if signal == libc::SIGKILL {
        match killed() {
            OomKill::None => {}
            OomKill::Own(limit) => return Failure::OutOfMemory { limit },
            OomKill::Other => return Failure::OutOfMemory { limit: None },
        }
    }
    match (signal, used_up, limits.max_output) {
        (libc::SIGXCPU | libc::SIGKILL, Some(limit), _) => Failure::CpuTime { limit },
        (libc::SIGXFSZ, _, Some(limit)) => Failure::FileTooLarge { limit },
        _ => match exit {
            Exit::Code(code) => Failure::Exit(code),
            Exit::Signal(signal) => Failure::Signal { signal },
        },
    }
}

/// Lists the limits that a function notices only as errors of its own system calls, so that bandog cannot see whether
/// they were reached; `None` if none of them is set.
pub(in crate::invocation) fn silent(limits: &Confinement) -> Option<String> {
    // Without `..`, so that the compiler names this place for a new limit.
    let Confinement {
        max_memory,
        max_cpu_time: _,
        max_processes,
        max_open_files,
        max_output,
        nice: _,
        user: _,
        sandbox,
        allow_write: _,
    } = limits;
    let mut words = Vec::new();
    for (flag, limit) in [
        ("--max-memory", max_memory),
        ("--max-processes", max_processes),
        ("--max-open-files", max_open_files),
        ("--max-output", max_output),
    ] {
        words.extend(limit.map(|limit| format!("{flag} {limit}")));
    }
    if *sandbox {
        words.push("--sandbox".to_owned());
    }
    (!words.is_empty()).then(|| words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn name(exit: Exit, cpu_time: Duration, limits: &Confinement, out_of_memory: bool) -> String {
        format!("{:?}", failure(exit, cpu_time, limits, || if out_of_memory { OomKill::Other } else { OomKill::None }))
    }

    #[test]
    fn a_kill_is_attributed_to_memory_only_if_the_kernel_reports_it() {
        let none = Confinement::default();
        assert_eq!(name(Exit::Signal(9), SECOND, &none, true), "OutOfMemory { limit: None }");
        assert_eq!(name(Exit::Code(137), SECOND, &none, true), "OutOfMemory { limit: None }");
        assert_eq!(name(Exit::Signal(9), SECOND, &none, false), "Signal { signal: 9 }");
        assert_eq!(name(Exit::Code(137), SECOND, &none, false), "Exit(137)");
        for other in [Exit::Code(1), Exit::Code(9), Exit::Signal(15), Exit::Signal(11)] {
            assert!(!name(other, SECOND, &none, true).contains("Memory"), "{other:?}");
        }
    }

    #[test]
    fn a_limit_is_the_cause_only_if_it_is_set_and_reached() {
        let limits = Confinement { max_cpu_time: Some(SECOND), max_output: Some(7), ..Confinement::default() };
        assert_eq!(name(Exit::Signal(24), SECOND / 9, &limits, false), "CpuTime { limit: 1s }");
        for exit in [Exit::Signal(24), Exit::Signal(9), Exit::Code(152), Exit::Code(137)] {
            assert_eq!(name(exit, 2 * SECOND, &limits, false), "CpuTime { limit: 1s }", "{exit:?}");
            assert!(exit == Exit::Signal(24) || !name(exit, SECOND / 9, &limits, false).contains("Cpu"), "{exit:?}");
            assert!(!name(exit, SECOND, &Confinement::default(), false).contains("Cpu"), "{exit:?}");
        }
        for exit in [Exit::Signal(25), Exit::Code(153)] {
            assert_eq!(name(exit, SECOND, &limits, false), "FileTooLarge { limit: 7 }", "{exit:?}");
            assert!(!name(exit, SECOND, &Confinement::default(), false).contains("Large"), "{exit:?}");
        }
    }
}
