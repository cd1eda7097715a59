//! The settings of the group "Function" for the modes that start no process for each request.

use super::{Fallback, PLAIN, Setting};

/// `--upstream`.
pub static UPSTREAM: Setting = Setting {
    name: "upstream",
    value: Some("URL"),
    default: Fallback::Described("a free port on 127.0.0.1, passed to the function in $PORT"),
    meaning: "with --mode http: the address at which the function listens; without a command bandog starts nothing and passes requests on to it",
    server_only: true,
    ..PLAIN
};

/// `--ready-path`.
pub static READY_PATH: Setting = Setting {
    name: "ready-path",
    value: Some("PATH"),
    default: Fallback::Described("it is ready when it listens"),
    meaning: "with --mode http: a path for which the function responds with 2xx when it is ready, such as /healthz",
    server_only: true,
    ..PLAIN
};

/// `--static-dir`.
pub static STATIC_DIR: Setting = Setting {
    name: "static-dir",
    value: Some("DIR"),
    meaning: "with --mode static: the directory whose files are served; bandog --mode static DIR does the same",
    server_only: true,
    ..PLAIN
};
