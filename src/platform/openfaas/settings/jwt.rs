//! `jwt_auth` and its companions: callers need a token of the platform's identity provider.

use std::{ffi::OsStr, fs};

use super::{VariableReader, non_empty};

/// OpenFaaS' own provider: its gateway.
const GATEWAY: &str = "http://gateway.openfaas:8080";

/// The gateway behind a developer's forwarded port.
const LOCAL_GATEWAY: &str = "http://127.0.0.1:8080";

/// The file in which Kubernetes tells a pod its namespace.
const NAMESPACE_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

impl VariableReader<'_> {
    /// Sets the provider and the name of this function. Returns whether the provider's keys are named in the log.
    pub(super) fn jwt(&mut self) -> bool {
        if !self.noted_switch("jwt_auth", false) {
            // A value that this watchdog reads as false and its user meant as true would let all callers in.
            let is_meant = self.text("jwt_auth").is_some_and(|value| {
                ["1", "t", "y", "true", "yes", "on"].iter().any(|word| word.eq_ignore_ascii_case(&value))
            });
            if is_meant {
                self.error("jwt_auth", "expected true or false; this watchdog takes it for false".to_owned());
            }
            return false;
        }
        let is_local = self.noted_switch("jwt_auth_local", false);
        let (issuer, variable) = match self.text("jwt_auth_issuer") {
            Some(url) => (url, "jwt_auth_issuer"),
            None if is_local => (LOCAL_GATEWAY.to_owned(), "jwt_auth_local"),
            None => (GATEWAY.to_owned(), "jwt_auth"),
        };
        self.give("jwt-issuer", &issuer, Some(variable));
        let Some(name) = self.text("OPENFAAS_NAME") else {
            self.error("OPENFAAS_NAME", "expected this function's name, which jwt_auth needs".to_owned());
            return false;
        };
        let told = non_empty(self.environment, "OPENFAAS_NAMESPACE").map(OsStr::to_string_lossy);
        let namespace = told.map(String::from).or_else(|| fs::read_to_string(NAMESPACE_FILE).ok());
        let namespace = namespace.as_deref().map(str::trim_ascii).filter(|namespace| !namespace.is_empty());
        if let Some(namespace) = namespace {
            self.give("jwt-function", &format!("{namespace}:{name}"), Some("OPENFAAS_NAME"));
        } else {
            let advice = "expected this function's namespace, which jwt_auth needs";
            self.error("OPENFAAS_NAMESPACE", format!("{advice}; {NAMESPACE_FILE} does not have it either"));
        }
        self.noted_switch("jwt_auth_debug", false)
    }
}
