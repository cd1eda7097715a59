//! The settings of the group "Listener".

use super::{Fallback, Group, PLAIN, Setting};

/// `--listen`.
pub static LISTEN: Setting = Setting {
    name: "listen",
    value: Some("ADDR"),
    group: Group::Listener,
    platform: &["PORT"],
    default: Fallback::Text("0.0.0.0:8080"),
    meaning: "the address to listen on; port 0 picks a free one",
    server_only: true,
    ..PLAIN
};

/// `--address-file`.
pub static ADDRESS_FILE: Setting = Setting {
    name: "address-file",
    value: Some("PATH"),
    group: Group::Listener,
    meaning: "a file that the bound address is written to",
    server_only: true,
    ..PLAIN
};

/// `--paths`.
pub static PATHS: Setting = Setting {
    name: "paths",
    value: Some("usual|any"),
    group: Group::Listener,
    default: Fallback::Text("usual"),
    choices: &["usual", "any"],
    meaning: "the paths that call the function in the modes that start a process for each request: all but /job/NAME, /favicon.ico and /robots.txt, or any",
    server_only: true,
    ..PLAIN
};

/// `--token`.
pub static TOKEN: Setting = Setting {
    name: "token",
    value: Some("T"),
    group: Group::Listener,
    meaning: "the Bearer token that clients must send; other users of the machine can read a flag, so prefer the variable or the file",
    secret: true,
    server_only: true,
    ..PLAIN
};

/// `--token-file`.
pub static TOKEN_FILE: Setting = Setting {
    name: "token-file",
    value: Some("PATH"),
    group: Group::Listener,
    meaning: "a file that holds the Bearer token; read again when it changes",
    server_only: true,
    ..PLAIN
};

/// `--jwt-issuer`.
pub static JWT_ISSUER: Setting = Setting {
    name: "jwt-issuer",
    value: Some("URL"),
    group: Group::Listener,
    meaning: "clients must send a JSON Web Token of this OpenID provider, with a permission for --jwt-function",
    server_only: true,
    ..PLAIN
};

/// `--jwt-function`.
pub static JWT_FUNCTION: Setting = Setting {
    name: "jwt-function",
    value: Some("NAMESPACE:NAME"),
    group: Group::Listener,
    meaning: "the name of this function in the permissions of tokens",
    server_only: true,
    ..PLAIN
};

/// `--ca-file`.
pub static CA_FILE: Setting = Setting {
    name: "ca-file",
    value: Some("PATH"),
    group: Group::Listener,
    platform: &["SSL_CERT_FILE"],
    default: Fallback::Described("the authorities that Mozilla's programs trust"),
    meaning: "certificates, in PEM, that the provider of --jwt-issuer and the servers of actions are trusted by: their own, or those of authorities",
    ..PLAIN
};
