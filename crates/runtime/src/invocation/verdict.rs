//! Who ended a function that did not succeed: itself, a signal from somewhere, or one of its limits.

use std::time::Duration;

use super::{Failure, settings::Confinement};
use crate::process::Exit;

/// What a shell adds to the number of the signal that killed its last command, to make an exit code of it.
const SHELLS_OWN: i32 = 128;

/// The part of a limit on CPU time that must have been used for the limit to be the cause of an end that can have
/// others. The kernel enforces the limit by what it sees at each tick, and tells afterwards what was measured, which is
/// less where the machine is busy.
const NEARLY: f64 = 0.5;

/// Whom the kernel has killed for want of memory while a function ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Killed {
    /// Nobody.
    Nobody,
    /// One of its own processes, in a cgroup with this limit.
    Ours(Option<u64>),
    /// Somebody of the container, as far as can be seen.
    Somebody,
}

/// Names what ended a run with `exit`, which is not a success.
pub(super) fn failure(
    exit: Exit,
    cpu_time: Duration,
    limits: &Confinement,
    killed: impl FnOnce() -> Killed,
) -> Failure {
    let signal = match exit {
        Exit::Signal(signal) => signal,
        Exit::Code(code) => code - SHELLS_OWN,
    };
    // Nobody else sends that signal.
    let is_told = exit == Exit::Signal(libc::SIGXCPU);
    let used_up = limits.max_cpu_time.filter(|limit| {
        let least = match signal {
            // The kernel's own comes a second after SIGXCPU, which was ignored.
            libc::SIGKILL => limit.as_secs_f64().ceil() + NEARLY,
            _ => limit.as_secs_f64() * NEARLY,
        };
        is_told || cpu_time.as_secs_f64() >= least
    });
    if signal == libc::SIGKILL {
        match killed() {
            Killed::Nobody => {}
            Killed::Ours(limit) => return Failure::OutOfMemory { limit },
            Killed::Somebody => return Failure::OutOfMemory { limit: None },
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

/// The limits that a function meets as an error of its own calls, and nobody else gets to see; `None` if there is none.
pub(super) fn silent(limits: &Confinement) -> Option<String> {
    let mut words = Vec::new();
    for (flag, limit) in [
        ("--max-memory", limits.max_memory),
        ("--max-processes", limits.max_processes),
        ("--max-open-files", limits.max_open_files),
        ("--max-output", limits.max_output),
    ] {
        words.extend(limit.map(|limit| format!("{flag} {limit}")));
    }
    if limits.sandbox {
        words.push("--sandbox".to_owned());
    }
    (!words.is_empty()).then(|| words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn name(exit: Exit, cpu_time: Duration, limits: &Confinement, out_of_memory: bool) -> String {
        format!(
            "{:?}",
            failure(exit, cpu_time, limits, || if out_of_memory { Killed::Somebody } else { Killed::Nobody })
        )
    }

    #[test]
    fn a_kill_is_put_down_to_memory_only_if_the_kernel_says_so() {
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
