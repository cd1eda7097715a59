//! The settings of the group "Function" that apply in every mode.

use super::{Fallback, PLAIN, Setting};

/// `--script`.
pub static SCRIPT: Setting = Setting {
    name: "script",
    value: Some("PATH"),
    default: Fallback::Described("$SCRIPT (base64), /oscar/config/script.sh, $function_process, $fprocess"),
    meaning: "the script or program to run; without the execute permission it is run by /bin/sh",
    ..PLAIN
};

/// `--actions`.
pub static ACTIONS: Setting = Setting {
    name: "actions",
    value: Some("PATH"),
    default: Fallback::Described(
        "oms.yml, oms.yaml, microservice.yml or microservice.yaml in / or here, if there is one",
    ),
    meaning: "the file that describes the actions (Open Microservice specification); `off` looks for none",
    ..PLAIN
};

/// `--actions-lenient`.
pub static ACTIONS_LENIENT: Setting = Setting {
    name: "actions-lenient",
    value: None,
    default: Fallback::Text("false"),
    meaning: "leaves out the actions that have a mistake in them, with a warning, and serves the others; otherwise bandog does not start",
    ..PLAIN
};

/// `--mode`.
pub static MODE: Setting = Setting {
    name: "mode",
    value: Some("M"),
    default: Fallback::Text("files"),
    choices: &["files", "stdio", "streaming", "http", "static"],
    meaning: "how bandog talks to the function: `files`, `stdio`, `streaming`, `http` or `static`; see Modes",
    ..PLAIN
};

/// `--stdin`.
pub static STDIN: Setting = Setting {
    name: "stdin",
    value: Some("null|input"),
    default: Fallback::Text("null"),
    choices: &["null", "input"],
    meaning: "what the function finds on its standard input: nothing, or the input file",
    ..PLAIN
};

/// `--workspace`.
pub static WORKSPACE: Setting = Setting {
    name: "workspace",
    value: Some("DIR"),
    platform: &["TMPDIR"],
    default: Fallback::Text("/tmp"),
    meaning: "where the private directories of the invocations are made; checked at start",
    ..PLAIN
};

/// `--service`.
pub static SERVICE: Setting = Setting {
    name: "service",
    value: Some("NAME"),
    platform: &["OSCAR_SERVICE_NAME", "K_SERVICE"],
    key: Some("name"),
    meaning: "the name of the service; if it is set, the response to /run/OTHER is 404",
    ..PLAIN
};

/// `--config`.
pub static CONFIG: Setting = Setting {
    name: "config",
    value: Some("PATH"),
    default: Fallback::Described("/oscar/config/function_config.yaml if it exists, $FUNCTION_CONFIG (base64)"),
    meaning: "the configuration file of OSCAR, in YAML: function_config.yaml, of which name and log_level are used, and file_stage_in under the names fwatchdog and supervisor; or an FDL file, of which script and environment are used as well",
    ..PLAIN
};
