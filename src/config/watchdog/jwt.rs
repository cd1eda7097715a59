//! `jwt_auth` and its companions: the identity provider of the platform decides which callers are let in.

use std::{ffi::OsStr, fs};

use super::{Origin, VariableReader, non_empty};

/// The provider of every OpenFaaS installation: its gateway.
const GATEWAY: &str = "http://gateway.openfaas:8080";

/// The gateway at a port that a developer forwards.
const LOCAL_GATEWAY: &str = "http://127.0.0.1:8080";

/// The file in which Kubernetes names the namespace of a pod.
const NAMESPACE_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

impl VariableReader<'_> {
    /// Turns the provider and the name of this function into settings. Returns whether the log is to name its keys.
    pub(super) fn jwt(&mut self) -> bool {
        if !self.noted_switch("jwt_auth", false) {
            // A watchdog reads these values as false, a person as true. Do not start: every caller would be let in.
            let is_meant = self.text("jwt_auth").is_some_and(|value| {
                ["1", "t", "y", "true", "yes", "on"].iter().any(|word| word.eq_ignore_ascii_case(&value))
            });
            if is_meant {
                self.mistake("jwt_auth", "expected true or false; this watchdog takes it for false".to_owned());
            }
            return false;
        }
        let is_local = self.noted_switch("jwt_auth_local", false);
        let (issuer, origin) = match self.text("jwt_auth_issuer") {
            Some(url) => (url, Origin::Variable("jwt_auth_issuer".to_owned())),
            None if is_local => (LOCAL_GATEWAY.to_owned(), Origin::Variable("jwt_auth_local".to_owned())),
            None => (GATEWAY.to_owned(), Origin::Variable("jwt_auth".to_owned())),
        };
        self.give("jwt-issuer", &issuer, origin);
        let Some(name) = self.text("OPENFAAS_NAME") else {
            self.mistake("OPENFAAS_NAME", "expected this function's name, which jwt_auth needs".to_owned());
            return false;
        };
        let given = non_empty(self.environment, "OPENFAAS_NAMESPACE").map(OsStr::to_string_lossy);
        let namespace = given.map(String::from).or_else(|| fs::read_to_string(NAMESPACE_FILE).ok());
        let namespace = namespace.as_deref().map(str::trim_ascii).filter(|namespace| !namespace.is_empty());
        if let Some(namespace) = namespace {
            let origin = Origin::Variable("OPENFAAS_NAME".to_owned());
            self.give("jwt-function", &format!("{namespace}:{name}"), origin);
        } else {
            let advice = "expected this function's namespace, which jwt_auth needs";
            self.mistake("OPENFAAS_NAMESPACE", format!("{advice}; {NAMESPACE_FILE} does not tell it either"));
        }
        self.noted_switch("jwt_auth_debug", false)
    }
}
