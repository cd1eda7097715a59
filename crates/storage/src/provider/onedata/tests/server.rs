//! A Oneprovider as its documentation and the requests of its users have it: there is no package of one to run.
//!
//! A move onto a file that is there fails with 500, as that of the real one does.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::{
    control::Control,
    error::Error,
    http::Trust,
    object::ObjectPath,
    provider::{
        Provider as _,
        onedata::{Onedata, OnedataSettings},
        web::fake::{Fake, Reply, Seen},
    },
    secret::Secret,
    testing::source,
};

/// Files by path; a folder ends with a slash.
pub(super) type Files = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// The server, and the provider that speaks to it.
pub(super) struct Server {
    pub(super) fake: Fake,
    pub(super) files: Files,
    pub(super) onedata: Onedata,
}

pub(super) fn server(fault: impl Fn(&Seen, &Files) -> Option<Reply> + Send + Sync + 'static) -> Server {
    let files = Files::default();
    files.lock().expect("no panic").insert("/space/".to_owned(), Vec::new());
    let kept = Arc::clone(&files);
    let fake = Fake::start(move |seen| fault(seen, &kept).unwrap_or_else(|| answer(seen, &kept)));
    let onedata = provider(&fake, "token");
    Server { fake, files, onedata }
}

pub(super) fn provider(fake: &Fake, token: &str) -> Onedata {
    let token = Secret::Value(token.to_owned());
    let trust = Trust::default();
    let settings = OnedataSettings { endpoint: fake.endpoint(), token, space: "space".to_owned(), trust };
    Onedata::new("onedata".parse().expect("a name"), settings).expect("a provider")
}

pub(super) fn posix(errno: &str) -> Reply {
    let description = format!("Operation failed with POSIX error: {errno}.");
    let error = json!({ "error": { "id": "posix", "details": { "errno": errno }, "description": description } });
    document(400, &error)
}

fn document(status: u16, value: &Value) -> Reply {
    Reply::new(status, &[("Content-Type", "application/json")], value.to_string())
}

pub(super) fn answer(seen: &Seen, files: &Files) -> Reply {
    if seen.header("x-auth-token") != Some("token") {
        return document(401, &json!({ "error": { "id": "unauthorized", "description": "Provide a valid token." } }));
    }
    let mut files = files.lock().expect("no panic");
    let (target, query) = seen.target.split_once('?').unwrap_or((&seen.target, ""));
    let path = percent_decode_str(target).decode_utf8().expect("UTF-8");
    let path = path.strip_prefix("/cdmi").expect("a path of CDMI").to_owned();
    let is_cdmi = seen.header("x-cdmi-specification-version") == Some("1.1.1");
    let parent = path.trim_end_matches('/').rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
    match seen.method.as_str() {
        "GET" if files.contains_key(&format!("{path}/")) => {
            let query = if query.is_empty() { String::new() } else { format!("?{query}") };
            Reply::new(302, &[("Location", &format!("{target}/{query}"))], "")
        }
        "GET" => match files.get(&path) {
            None => posix("enoent"),
            Some(content) if !is_cdmi => Reply::new(200, &[], content),
            Some(_) if query == "objectType" => {
                let kind = if path.ends_with('/') { "container" } else { "object" };
                document(200, &json!({ "objectType": format!("application/cdmi-{kind}") }))
            }
            Some(content) => document(200, &json!({ "metadata": { "cdmi_size": content.len().to_string() } })),
        },
        "PUT" if parent != "/" && !files.contains_key(&parent) => posix("enoent"),
        "PUT" if path.ends_with('/') && files.contains_key(&path) => posix("eexist"),
        "PUT" if seen.header("content-type") == Some("application/cdmi-object") => {
            let document: Value = serde_json::from_slice(&seen.body).expect("a document");
            let from = document["move"].as_str().expect("a move");
            match (files.contains_key(&path), files.get(from).cloned()) {
                (true, _) => Reply::new(500, &[], ""),
                (_, None) => posix("enoent"),
                (_, Some(content)) => {
                    files.remove(from);
                    files.insert(path, content);
                    Reply::new(201, &[], "{}")
                }
            }
        }
        "PUT" => {
            let is_new = files.insert(path, seen.body.clone()).is_none();
            Reply::new(if is_new { 201 } else { 204 }, &[("Content-Length", "0")], "")
        }
        "DELETE" if files.remove(&path).is_some() => Reply::new(204, &[], ""),
        "DELETE" => posix("enoent"),
        _ => Reply::new(405, &[], ""),
    }
}

impl Server {
    pub(super) fn put(&self, path: &str, content: &[u8]) -> Result<(), Error> {
        self.onedata.store(&source(content), &ObjectPath::parse(path), &Control::default())
    }

    pub(super) fn files(&self) -> Vec<String> {
        self.files.lock().expect("no panic").keys().filter(|path| !path.ends_with('/')).cloned().collect()
    }

    pub(super) fn content(&self, path: &str) -> Option<Vec<u8>> {
        self.files.lock().expect("no panic").get(path).cloned()
    }
}
