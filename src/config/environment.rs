//! The environment: the variables that functions inherit, and those that look like a mistyped setting.

use std::ffi::{OsStr, OsString};

use super::setting;
pub use crate::platform::Environment;
pub(super) use crate::platform::non_empty;

/// Variables that bandog sets for each invocation, or that contain bandog's own input. A function would mistake an
/// inherited value for that of its invocation.
const NOT_INHERITED: [&str; 13] = [
    "ARGUMENTS_PATH",
    "CALL_ID",
    "EVENT",
    "EVENT_TIME",
    "FUNCTION_CONFIG",
    "INPUT_FILE_PATH",
    "RESPONSE_HEADERS_PATH",
    "SCRIPT",
    "STORAGE_OBJECT_KEY",
    "TMP_INPUT_DIR",
    "TMP_OUTPUT_DIR",
    "TRACEPARENT",
    "TRACESTATE",
];

/// The variables that functions inherit: all but bandog's own settings, which include its token, and the names that
/// bandog sets for each invocation.
#[must_use]
pub(super) fn inherited(environment: &Environment) -> Vec<(OsString, OsString)> {
    environment
        .iter()
        .filter(|(name, _)| is_inherited(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Whether functions inherit a variable of this name.
pub(super) fn is_inherited(name: &OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    !bytes.is_empty()
        && !bytes.contains(&b'=')
        && !bytes.contains(&0)
        && !bytes.starts_with(b"BANDOG_")
        && !bytes.starts_with(b"Http_")
        && !NOT_INHERITED.iter().any(|own| own.as_bytes() == bytes)
}

/// A warning for each `BANDOG_*` variable that is not a setting.
#[must_use]
pub(super) fn unknown(environment: &Environment) -> Vec<String> {
    let known: Vec<String> = setting::ALL.iter().map(|setting| setting.variable()).collect();
    let mut warnings = Vec::new();
    for (name, value) in environment {
        if !name.as_encoded_bytes().starts_with(b"BANDOG_") {
            continue;
        }
        let name = name.to_string_lossy();
        if known.iter().any(|known| **known == *name) || is_service_link(&name, value) {
            continue;
        }
        let nearest = known.iter().map(|known| (strsim::levenshtein(known, &name), known)).min();
        let advice = match nearest {
            // One letter in four may be wrong: `BANDOG_EXEC_TIMOUT` is close to a setting; `BANDOG_SCRIPT` is not
            // close to `BANDOG_STDIN`.
            Some((steps, known)) if steps <= (name.len() - "BANDOG_".len()) / 4 + 1 => format!("did you mean {known}?"),
            _ if name == "BANDOG_PORT" => "did you mean BANDOG_LISTEN?".to_owned(),
            _ => "bandog check lists the known ones".to_owned(),
        };
        warnings.push(format!("{name}: unknown variable, ignored; {advice}"));
    }
    warnings
}

/// Kubernetes describes every service of a namespace to every pod in it: one called `bandog` or `bandog-…` makes
/// `BANDOG_SERVICE_HOST`, `BANDOG_PORT=tcp://…`, `BANDOG_PORT_8080_TCP_ADDR` and more. No user has set those.
fn is_service_link(name: &str, value: &OsStr) -> bool {
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || (name.contains("_PORT_") && (name.contains("_TCP") || name.contains("_UDP")))
        || (name.ends_with("_PORT") && value.to_string_lossy().contains("://"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect()
    }

    #[test]
    fn functions_inherit_all_but_secrets_and_the_variables_of_invocations() {
        let all = environment(&[
            ("PATH", "/bin"),
            ("HTTP_PROXY", "kept: it is the operator's"),
            ("MY_EVENT", "kept"),
            ("BANDOG_TOKEN", "s3cr3t"),
            ("BANDOG_WHATEVER", "x"),
            ("FUNCTION_CONFIG", "c2VjcmV0Og=="),
            ("SCRIPT", "eA=="),
            ("Http_Query", "forged"),
            ("INPUT_FILE_PATH", "/old"),
            ("ARGUMENTS_PATH", "/old"),
            ("TMP_INPUT_DIR", "/old"),
            ("TMP_OUTPUT_DIR", "/old"),
            ("STORAGE_OBJECT_KEY", "old"),
            ("EVENT_TIME", "old"),
            ("EVENT", "old"),
            ("CALL_ID", "old"),
            ("TRACEPARENT", "old"),
            ("TRACESTATE", "old"),
            ("RESPONSE_HEADERS_PATH", "/old"),
        ]);
        let names: Vec<OsString> = inherited(&all).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["HTTP_PROXY", "MY_EVENT", "PATH"]);
    }

    #[test]
    fn a_mistyped_variable_is_named_with_the_right_one_and_never_with_its_value() {
        let warnings = unknown(&environment(&[
            ("BANDOG_EXEC_TIMOUT", "5m"),
            ("BANDOG_TOKN", "s3cr3t"),
            ("BANDOG_PORT", "9000"),
            ("BANDOG_SOMETHING_ELSE", "x"),
            ("BANDOG_LISTEN", ":1"),
        ]));
        assert_eq!(warnings.len(), 4, "{warnings:?}");
        assert!(warnings[0].contains("BANDOG_EXEC_TIMEOUT?"), "{warnings:?}");
        assert!(warnings[1].contains("LISTEN?"), "{warnings:?}");
        assert!(warnings[2].contains("bandog check"), "{warnings:?}");
        assert!(warnings[3].contains("BANDOG_TOKEN?"), "{warnings:?}");
        assert!(!warnings.concat().contains("s3cr3t"));
    }

    #[test]
    fn the_variables_of_a_kubernetes_service_called_bandog_cause_no_warning() {
        let links = environment(&[
            ("BANDOG_SERVICE_HOST", "10.0.0.1"),
            ("BANDOG_SERVICE_PORT", "8080"),
            ("BANDOG_SERVICE_PORT_HTTP", "8080"),
            ("BANDOG_PORT", "tcp://10.0.0.1:8080"),
            ("BANDOG_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
            ("BANDOG_PORT_8080_TCP_ADDR", "10.0.0.1"),
            ("BANDOG_TEST_SERVICE_HOST", "10.0.0.1"),
        ]);
        assert_eq!(unknown(&links), Vec::<String>::new());
    }
}
