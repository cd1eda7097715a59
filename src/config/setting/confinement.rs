//! The settings of the group "Confinement".

use super::{Fallback, Group, PLAIN, Setting};

const NONE: Setting = Setting { group: Group::Confinement, default: Fallback::Text("0"), ..PLAIN };

/// `--max-memory`.
pub static MAX_MEMORY: Setting = Setting {
    name: "max-memory",
    value: Some("SIZE"),
    meaning: "how much memory the function may use: all of its processes together where it has a cgroup, else each of them; 0 for no limit",
    ..NONE
};

/// `--max-cpu-time`.
pub static MAX_CPU_TIME: Setting = Setting {
    name: "max-cpu-time",
    value: Some("D"),
    meaning: "how long each process of the function may compute, in whole seconds, rounded up; then it is killed; 0 for no limit",
    ..NONE
};

/// `--max-processes`.
pub static MAX_PROCESSES: Setting = Setting {
    name: "max-processes",
    value: Some("N"),
    meaning: "how many processes and threads the function may have, itself included; then it can start no more; needs a cgroup, or a user other than root; 0 for no limit",
    ..NONE
};

/// `--max-open-files`.
pub static MAX_OPEN_FILES: Setting = Setting {
    name: "max-open-files",
    value: Some("N"),
    meaning: "how many files each process of the function may have open; then it can open no more; 0 for no limit",
    ..NONE
};

/// `--max-output`.
pub static MAX_OUTPUT: Setting = Setting {
    name: "max-output",
    value: Some("SIZE"),
    meaning: "how large the output files may be together, and any one file that the function writes; then the run fails; 0 for no limit",
    ..NONE
};

/// `--nice`.
pub static NICE: Setting = Setting {
    name: "nice",
    value: Some("N"),
    default: Fallback::Described("bandog's own"),
    meaning: "the function's scheduling priority, from -20 (first) to 19 (last); below bandog's own only with CAP_SYS_NICE",
    ..NONE
};

/// `--user`.
pub static USER: Setting = Setting {
    name: "user",
    value: Some("UID[:GID]"),
    default: Fallback::Described("bandog's own"),
    meaning: "the user that the function runs as: a number, or a name of /etc/passwd; bandog itself must be root, or have its capabilities",
    ..NONE
};

/// `--sandbox`.
pub static SANDBOX: Setting = Setting {
    name: "sandbox",
    value: None,
    default: Fallback::Text("false"),
    meaning: "the function writes, makes and removes files only in its workspace, and gains no privileges (Landlock, Linux 6.2)",
    ..NONE
};

/// `--allow-write`.
pub static ALLOW_WRITE: Setting = Setting {
    name: "allow-write",
    value: Some("PATH"),
    default: Fallback::Described("none"),
    meaning: "with --sandbox, a file or directory that the function may also write; may be repeated, or name several separated by :",
    repeated: true,
    ..NONE
};
