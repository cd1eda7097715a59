//! A server that keeps files as RFC 4918 has it, of which a test decides some answers.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use percent_encoding::percent_decode_str;

use crate::{
    control::Control,
    error::Error,
    http::Trust,
    object::ObjectPath,
    provider::{
        Provider as _,
        web::{
            Address,
            fake::{Fake, Reply, Seen},
        },
        webdav::{Auth, WebDav, WebDavSettings},
    },
    testing::source,
};

/// Files by path; a folder ends with a slash.
pub(super) type Files = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// The server, and the provider that speaks to it.
pub(super) struct Server {
    pub(super) fake: Fake,
    pub(super) files: Files,
    pub(super) dav: WebDav,
}

pub(super) fn server(fault: impl Fn(&Seen, &Files) -> Option<Reply> + Send + Sync + 'static) -> Server {
    let files = Files::default();
    let kept = Arc::clone(&files);
    let fake = Fake::start(move |seen| fault(seen, &kept).unwrap_or_else(|| answer(seen, &kept)));
    let settings = WebDavSettings { endpoint: fake.endpoint(), auth: Auth::None, trust: Trust::default() };
    let dav = WebDav::new("webdav".parse().expect("a name"), settings).expect("a provider");
    Server { fake, files, dav }
}

pub(super) fn decoded(path: &str) -> String {
    percent_decode_str(path).decode_utf8().expect("UTF-8").into_owned()
}

pub(super) fn empty(status: u16) -> Reply {
    Reply::new(status, &[], "")
}

/// Answers as RFC 4918 has it.
pub(super) fn answer(seen: &Seen, files: &Files) -> Reply {
    let mut files = files.lock().expect("no panic");
    let path = decoded(&seen.target);
    let parent = |path: &str| {
        path.trim_end_matches('/').rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"))
    };
    let has_parent = parent(&path) == "/" || files.contains_key(&parent(&path));
    match seen.method.as_str() {
        "MKCOL" if files.contains_key(&path) => empty(405),
        "PUT" | "MKCOL" if !has_parent => empty(409),
        "PUT" | "MKCOL" => {
            files.insert(path, seen.body.clone());
            empty(201)
        }
        "GET" | "HEAD" => match files.get(&path) {
            Some(content) if seen.method == "GET" => Reply::new(200, &[], content),
            Some(content) => Reply::new(200, &[("Content-Length", &content.len().to_string())], ""),
            None => empty(404),
        },
        "DELETE" => empty(if files.remove(&path).is_some() { 204 } else { 404 }),
        "PROPFIND" => match (path == "/" || files.contains_key(&format!("{path}/")), files.contains_key(&path)) {
            (false, false) => empty(404),
            (is_folder, _) => {
                let of = if is_folder { "<collection/>" } else { "" };
                Reply::new(
                    207,
                    &[],
                    format!("<multistatus xmlns='DAV:'><resourcetype>{of}</resourcetype></multistatus>"),
                )
            }
        },
        "MOVE" => {
            let to = Address::parse(seen.header("destination").expect("a destination")).expect("an absolute one");
            let to = decoded(&to.target);
            let exists = files.contains_key(&to) || files.contains_key(&format!("{to}/"));
            match files.get(&path).cloned() {
                None => empty(404),
                Some(_) if exists && seen.header("overwrite") == Some("F") => empty(412),
                Some(content) => {
                    files.remove(&path);
                    files.insert(to, content);
                    empty(if exists { 204 } else { 201 })
                }
            }
        }
        method => panic!("{method} is not used"),
    }
}

impl Server {
    pub(super) fn put(&self, key: &str, content: &[u8]) -> Result<(), Error> {
        self.dav.store(&source(content), &ObjectPath::new("b", key), &Control::default())
    }

    pub(super) fn files(&self) -> Vec<String> {
        self.files.lock().expect("no panic").keys().filter(|path| !path.ends_with('/')).cloned().collect()
    }

    pub(super) fn content(&self, path: &str) -> Option<Vec<u8>> {
        self.files.lock().expect("no panic").get(path).cloned()
    }

    pub(super) fn methods(&self) -> Vec<String> {
        self.fake.seen().into_iter().map(|seen| seen.method).collect()
    }
}
