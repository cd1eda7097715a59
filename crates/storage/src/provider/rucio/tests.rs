use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::{receive::credential_for, *};
use crate::{
    provider::web::{
        Address,
        fake::{Fake, Reply, Seen},
    },
    secret::Secret,
    testing::{Received, source},
};

fn value(text: &str) -> Secret {
    Secret::Value(text.to_owned())
}

fn rucio(fake: &Fake, auth: RucioAuth) -> Rucio {
    let settings = RucioSettings {
        host: fake.endpoint(),
        auth_host: fake.endpoint(),
        account: "me".to_owned(),
        rse: None,
        auth,
        trust: Trust::default(),
    };
    Rucio::new("rucio".parse().expect("a name"), settings).expect("a provider")
}

fn login() -> RucioAuth {
    RucioAuth::UserPass { username: value("name"), password: value("secret") }
}

fn document(status: u16, document: &serde_json::Value) -> Reply {
    Reply::new(status, &[("Content-Type", "application/json")], document.to_string())
}

fn failed(status: u16, class: &str) -> Reply {
    document(status, &json!({ "ExceptionClass": class, "ExceptionMessage": "the reason" }))
}

/// The answers of a catalogue with two storage elements, and of the second one, which is at `url`.
fn answer(seen: &Seen, url: &str) -> Reply {
    let protocol = |scheme: &str, write: i64| json!({ "scheme": scheme, "domains": { "wan": { "write": write } } });
    match (seen.method.as_str(), seen.target.split('?').next().expect("a path")) {
        ("GET", "/auth/userpass") => Reply::new(200, &[("X-Rucio-Auth-Token", "token")], ""),
        ("GET", "/rses/") => {
            let elements = [
                json!({ "rse": "READ_ONLY", "availability_write": false }),
                json!({ "rse": "TAPE" }),
                json!({ "rse": "DISK" }),
            ];
            Reply::new(200, &[], elements.map(|element| element.to_string()).join("\n"))
        }
        ("GET", "/rses/TAPE") => document(200, &json!({ "rse": "TAPE", "protocols": [protocol("root", 1)] })),
        ("GET", "/rses/DISK") => {
            let protocols = [protocol("davs", 0), protocol("root", 1), protocol("http", 2)];
            document(200, &json!({ "rse": "DISK", "protocols": protocols }))
        }
        ("GET", "/rses/DISK/lfns2pfns") => {
            assert_eq!(
                seen.target.split_once('?').expect("a query").1,
                "lfn=me%3Aa&operation=write&domain=wan&scheme=http"
            );
            document(200, &json!({ "me:a": format!("{url}/store/a") }))
        }
        ("GET", path) if path.starts_with("/dids/") => failed(404, "DataIdentifierNotFound"),
        ("POST", "/replicas/" | "/rules/") => Reply::new(201, &[], "Created"),
        ("HEAD", _) => Reply::new(200, &[("Content-Length", "3")], ""),
        ("PUT" | "MKCOL" | "MOVE", _) => Reply::new(201, &[], ""),
        ("DELETE", _) => Reply::new(204, &[], ""),
        (method, path) => panic!("{method} {path} is not expected"),
    }
}

fn server(fault: impl Fn(&Seen) -> Option<Reply> + Send + Sync + 'static) -> Fake {
    Fake::start(move |seen| {
        let url = format!("http://{}", seen.header("host").expect("a host"));
        fault(seen).unwrap_or_else(|| answer(seen, &url))
    })
}

fn put(rucio: &Rucio) -> Result<(), Error> {
    rucio.store(&source(b"one"), &ObjectPath::new("me", "a"), &Control::default())
}

fn count(fake: &Fake, line: &str) -> usize {
    fake.lines().iter().filter(|other| other.starts_with(line)).count()
}

#[test]
fn a_file_is_sent_registered_looked_at_and_kept() {
    let looks = AtomicUsize::new(0);
    let fake = server(move |seen| {
        let is_look = seen.line() == "GET /dids/me/a" && looks.fetch_add(1, Ordering::SeqCst) == 1;
        is_look.then(|| document(200, &json!({ "type": "FILE", "bytes": 3, "adler32": "02910143" })))
    });
    put(&rucio(&fake, login())).expect("stored");
    let steps: Vec<String> = fake.lines().into_iter().filter(|line| !line.starts_with("GET /rses")).collect();
    let is_part = |line: &String| line.contains("/store/.a.bandog-");
    assert_eq!(steps[..3], ["GET /auth/userpass", "GET /dids/me/a", "MKCOL /store/"], "{steps:?}");
    assert!(steps[3..6].iter().all(is_part), "PUT, HEAD, MOVE: {steps:?}");
    assert_eq!(steps[6..], ["POST /replicas/", "GET /dids/me/a", "POST /rules/"]);
    let seen = fake.seen();
    let registered = seen.iter().find(|seen| seen.line() == "POST /replicas/").expect("a registration");
    let registered: serde_json::Value = serde_json::from_slice(&registered.body).expect("a document");
    let file = json!({
        "scope": "me", "name": "a", "bytes": 3, "adler32": "02910143", "md5": "f97c5d29941bfb1b2fdab0874906ab82", "state": "A",
    });
    assert_eq!((&registered["rse"], &registered["files"]), (&json!("DISK"), &json!([file])));
    // Storage elements get no token of Rucio, and none over plain HTTP.
    let to_storage = |seen: &&Seen| seen.target.starts_with("/store/");
    assert!(seen.iter().filter(to_storage).all(|seen| seen.header("x-rucio-auth-token").is_none()));
    assert!(seen.iter().filter(to_storage).all(|seen| seen.header("authorization").is_none()));
}

#[test]
fn content_that_is_not_registered_does_not_stay() {
    let fake = server(|seen| (seen.line() == "POST /replicas/").then(|| failed(500, "InvalidObject")));
    let error = put(&rucio(&fake, login())).expect_err("refused");
    assert_eq!(error.kind, ErrorKind::Rejected, "{error}");
    assert_eq!(count(&fake, "POST /replicas/"), 1, "a failure with a name is final");
    assert_eq!(fake.lines().last().expect("a request"), "DELETE /store/a");
    // It stays if it may have been registered.
    let fake = server(|seen| (seen.line() == "POST /replicas/").then(|| Reply::new(502, &[("Retry-After", "0")], "")));
    assert_eq!(put(&rucio(&fake, login())).expect_err("unknown").kind, ErrorKind::Unreachable);
    assert_eq!((count(&fake, "POST /replicas/"), count(&fake, "DELETE")), (5, 0));
}

#[test]
fn a_name_that_another_upload_has_taken_meanwhile_is_an_error() {
    let looks = AtomicUsize::new(0);
    let fake = server(move |seen| {
        let is_second = seen.line() == "GET /dids/me/a" && looks.fetch_add(1, Ordering::SeqCst) == 1;
        is_second.then(|| document(200, &json!({ "type": "FILE", "bytes": 4 })))
    });
    let error = put(&rucio(&fake, login())).expect_err("taken");
    assert!(error.kind == ErrorKind::Rejected && error.detail.contains("4 bytes"), "{error}");
}

#[test]
fn a_token_that_is_good_no_more_is_renewed_once() {
    let asked = AtomicUsize::new(0);
    let fake = server(move |seen| {
        let is_first = seen.target == "/accounts/me/scopes/" && asked.fetch_add(1, Ordering::SeqCst) == 0;
        let is_scopes = seen.target == "/accounts/me/scopes/";
        is_scopes.then(|| if is_first { failed(401, "CannotAuthenticate") } else { document(200, &json!(["me"])) })
    });
    rucio(&fake, login()).check(None, &Control::default()).expect("with another token");
    assert_eq!((count(&fake, "GET /auth/userpass"), count(&fake, "GET /accounts")), (2, 2));
    let seen = fake.seen();
    assert_eq!(
        (seen[0].header("x-rucio-username"), seen[0].header("x-rucio-password")),
        (Some("name"), Some("secret"))
    );
    // It stays refused: no third login.
    let fake = server(|seen| seen.target.starts_with("/accounts").then(|| failed(401, "CannotAuthenticate")));
    let error = rucio(&fake, login()).check(None, &Control::default()).expect_err("refused");
    assert_eq!((error.kind, count(&fake, "GET /auth/userpass")), (ErrorKind::Credentials, 2));
}

#[test]
fn a_login_is_sent_to_no_other_server() {
    let other = server(|_| None);
    let to = format!("{}/auth/userpass", other.url());
    let fake = server(move |_| Some(Reply::new(302, &[("Location", &to)], "")));
    rucio(&fake, login()).check(None, &Control::default()).expect_err("no token");
    assert_eq!(other.lines(), Vec::<String>::new());
}

#[test]
fn a_refresh_token_becomes_an_access_token() {
    let fake = server(|seen| match seen.target.as_str() {
        "/realms/x/token" => Some(document(200, &json!({ "access_token": "access", "expires_in": 3600 }))),
        "/accounts/me/scopes/" => Some(document(200, &json!(["me"]))),
        _ => None,
    });
    let endpoint = Endpoint::parse(&format!("{}/realms/x/token", fake.url())).expect("an address");
    let refresh = RefreshToken {
        token: value("re+fresh"),
        endpoint,
        client_id: "client".to_owned(),
        scopes: "openid offline_access".to_owned(),
        audience: None,
    };
    let rucio = rucio(&fake, RucioAuth::RefreshToken(refresh));
    for _ in 0..2 {
        rucio.check(None, &Control::default()).expect("it answers");
    }
    let seen = fake.seen();
    assert_eq!(fake.lines(), ["POST /realms/x/token", "GET /accounts/me/scopes/", "GET /accounts/me/scopes/"]);
    let form = "grant_type=refresh%5Ftoken&refresh_token=re%2Bfresh&client_id=client&scope=openid%20offline%5Faccess";
    assert_eq!(String::from_utf8_lossy(&seen[0].body), form);
    assert_eq!(seen[1].header("x-rucio-auth-token"), Some("access"));
}

#[test]
fn a_token_goes_to_storage_elements_over_tls_that_have_none_of_their_own() {
    let fake = server(|_| None);
    let known = rucio(&fake, RucioAuth::AccessToken(value("access")));
    let sent = |rucio: &Rucio, url: &str| {
        let address = Address::parse(url).expect("an address");
        let credential = credential_for(rucio, &address, &Control::default()).expect("no failure");
        credential.map(|(_, value)| value.to_str().expect("text").to_owned())
    };
    assert_eq!(sent(&known, "davs://x/a").as_deref(), Some("Bearer access"));
    assert_eq!(sent(&known, "http://x/a"), None);
    assert_eq!(sent(&known, "https://x/a?X-Amz-Signature=1"), None);
    assert_eq!(sent(&known, "https://x/a?authz=1"), None);
    assert_eq!(sent(&rucio(&fake, login()), "https://x/a"), None);
}

#[test]
fn a_file_is_fetched_from_the_next_storage_element_if_one_fails() {
    let fake = server(|seen| {
        let url = format!("http://{}", seen.header("host").expect("a host"));
        let places = json!({
            format!("{url}/gone"): { "rse": "A", "priority": 1 },
            format!("{url}/damaged"): { "rse": "B", "priority": 2 },
            format!("{url}/whole"): { "rse": "C", "priority": 3 },
            format!("{url}/unused"): { "rse": "D", "priority": 4 },
        });
        let file = json!({ "scope": "me", "name": "a", "bytes": 3, "adler32": "02910143", "pfns": places });
        match seen.target.as_str() {
            "/dids/me/a" => Some(document(200, &json!({ "type": "FILE", "bytes": 3 }))),
            "/replicas/list" => Some(document(200, &file)),
            "/gone" => Some(Reply::new(404, &[], "")),
            "/damaged" => Some(Reply::new(200, &[], "oen")),
            "/whole" => Some(Reply::new(200, &[], "one")),
            _ => None,
        }
    });
    let received = Received::default();
    assert_eq!(received.fetch(&rucio(&fake, login()), &ObjectPath::new("me", "a")).expect("fetched"), b"one");
    let lines = fake.lines();
    assert_eq!(lines[3..], ["GET /gone", "GET /damaged", "GET /whole"], "{lines:?}");
}

#[test]
fn without_a_replica_over_http_a_file_is_not_found() {
    let fake = server(|seen| match seen.target.as_str() {
        "/dids/me/a" => Some(document(200, &json!({ "type": "FILE", "bytes": 3 }))),
        "/replicas/list" => Some(document(200, &json!({ "scope": "me", "name": "a", "bytes": 3, "pfns": {} }))),
        _ => None,
    });
    let received = Received::default();
    let error = received.fetch(&rucio(&fake, login()), &ObjectPath::new("me", "a")).expect_err("no replica");
    assert!(error.kind == ErrorKind::NotFound && error.detail.contains("over HTTP"), "{error}");
    assert_eq!(received.names(), Vec::<String>::new());
}
