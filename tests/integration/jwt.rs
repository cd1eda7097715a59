//! An OpenID provider decides who may call: the provider is a bandog too, whose function prints its two documents.
//! The tests of the validity of tokens stand beside the code that decides it.

use std::{
    fs,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use base64_simd::URL_SAFE_NO_PAD;
use ring::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Builder, Server, bandog, command::BINARY, function, program, serve, serve_command};
use crate::surroundings::limits::{limit_to_no_thread, with_few_rights};

struct Provider {
    server: Server,
    key: Ed25519KeyPair,
    documents: TempDir,
}

fn text(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode_to_string(bytes)
}

impl Provider {
    fn start() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
        let key = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("a key");
        let documents = tempfile::tempdir().expect("a directory");
        let print = format!("cat '{}'\"$Http_Path\"", documents.path().display());
        let server = serve_command(&print).quiet().start();
        let provider = Self { server, key, documents };
        let (url, place) = (provider.url(), provider.documents.path());
        let write = |name: &str, document: Value| fs::write(place.join(name), document.to_string()).expect("written");
        fs::create_dir(place.join(".well-known")).expect("a directory");
        write(".well-known/openid-configuration", json!({"issuer": url, "jwks_uri": format!("{url}/keys")}));
        let x = text(provider.key.public_key());
        write("keys", json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "first", "x": x}]}));
        provider
    }

    fn url(&self) -> String {
        format!("http://{}", self.server.address)
    }

    fn token(&self, permission: &str) -> String {
        self.signed("first", &json!({"function": {"permissions": [permission]}}))
    }

    /// A token with these claims besides, or in place of, those that every good one has.
    fn signed(&self, key: &str, own: &Value) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let header = json!({"alg": "EdDSA", "kid": key}).to_string();
        let mut claims = json!({"iss": self.url(), "aud": [self.url()], "exp": now + 60});
        for (name, value) in own.as_object().expect("an object") {
            claims[name] = value.clone();
        }
        let message = format!("{}.{}", text(header), text(claims.to_string()));
        let signature = text(self.key.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }

    /// A listener that lets its callers in.
    fn guards(&self, server: Builder) -> Server {
        server.args(["--jwt-issuer", &self.url(), "--jwt-function", "ns:sign"]).start()
    }
}

#[test]
fn a_caller_needs_a_token_with_a_permission_for_this_function() {
    let provider = Provider::start();
    let server = provider.guards(serve(function("sign.sh")));
    let answer = server.get("/").send().expect(401);
    assert_eq!(answer.wants("www-authenticate"), r#"Bearer realm="IAM function invoke""#);
    assert_eq!(answer.wants("x-bandog-error"), "unauthorized");
    let with = |token: &str| server.get("/").header("Authorization", format!("Bearer {token}"));
    assert_eq!(with("a.b.c").send().expect(401).wants("x-bandog-error"), "unauthorized");
    assert_eq!(with(&provider.token("ns:sig")).send().expect(403).wants("x-bandog-error"), "forbidden");
    assert!(!server.has_sign("started"), "no function ran so far");
    with(&provider.token("ns:*")).send().expect(200);
    assert!(server.has_sign("started"));
}

/// A wrong setting on either side refuses every caller: the log says which claim is wrong, the client learns nothing.
#[test]
fn the_log_says_why_a_token_is_refused() {
    let provider = Provider::start();
    let server = provider.guards(serve(function("sign.sh")));
    let url = provider.url();
    for (token, reason) in [
        (
            provider.signed("first", &json!({"iss": "https://id.example.org"})),
            format!("its iss is \"https://id.example.org\"; expected \"{url}\""),
        ),
        (provider.signed("first", &json!({"aud": ["other"]})), format!("its aud is [\"other\"]; expected \"{url}\"")),
        (provider.signed("first", &json!({"exp": 1})), "it has expired (exp)".to_owned()),
        (provider.signed("first", &json!({"nbf": 99_999_999_999_u64})), "it is not valid yet (nbf)".to_owned()),
        (provider.signed("second", &json!({})), "the provider has no key \"second\" (kid) for EdDSA".to_owned()),
        ("a.b.c".to_owned(), "it is no JSON Web Token".to_owned()),
    ] {
        let answer = server.get("/").header("Authorization", format!("Bearer {token}")).send().expect(401);
        assert!(!answer.text().contains(&reason), "{answer}");
        let line = server.log_line(&reason, |line| line.contains(&format!("a token was refused: {reason}")));
        assert!(line.contains("WARNING"), "{line}");
        assert!(!server.log().contains(&token), "the token itself is not logged");
    }
    // A signature that is not the provider's says nothing of the claims.
    let forged = format!("{}A", provider.signed("first", &json!({"iss": "forged"})));
    server.get("/").header("Authorization", format!("Bearer {forged}")).send().expect(401);
    assert!(!server.log().contains("forged"), "{server}");
}

#[test]
fn pages_for_the_platform_need_no_token_but_the_status_does() {
    let provider = Provider::start();
    let server = provider.guards(serve(function("sign.sh")));
    for path in ["/_/health", "/_/ready", "/_/metrics"] {
        server.get(path).send().expect(200);
    }
    server.get("/_/status").send().expect(401);
    let token = format!("Bearer {}", provider.token("*"));
    server.get("/_/status").header("Authorization", token).send().expect(200);
}

#[test]
fn under_the_watchdogs_name_the_answers_are_the_middlewares() {
    let provider = Provider::start();
    let server = serve(function("sign.sh"))
        .fwatchdog()
        .env("jwt_auth", "true")
        .env("jwt_auth_issuer", provider.url())
        .env("OPENFAAS_NAME", "sign")
        .env("OPENFAAS_NAMESPACE", "ns")
        .start();
    let with = |token: &str| server.get("/").header("Authorization", format!("Bearer {token}")).send();
    for (answer, text) in [
        (server.get("/").send().expect(401), "Bearer must be present in Authorization header\n"),
        (with("a.b.c").expect(401), "failed to verify JWT token\n"),
        (with(&provider.token("other:*")).expect(403), "insufficient permissions\n"),
    ] {
        assert_eq!(answer.text(), text);
        assert_eq!(answer.wants("content-type"), "text/plain; charset=utf-8");
        assert_eq!(answer.wants("x-openfaas-internal"), "faas-middleware");
        assert_eq!(answer.wants("x-content-type-options"), "nosniff");
    }
    with(&provider.token("ns:sign")).expect(200);
    server.get("/_/health").send().expect(200);
}

#[test]
fn a_provider_that_does_not_answer_holds_up_neither_the_end_of_a_start_nor_the_end() {
    // It takes connections and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let issuer = format!("http://{}", silent.local_addr().expect("an address"));
    let serve = format!("serve --listen 127.0.0.1:0 --jwt-issuer {issuer} --jwt-function ns:f -- true");
    let line = format!("'{BINARY}' {serve} & sleep 0.5; kill $!; wait $!");
    let began = Instant::now();
    program("/bin/sh").args(["-c", &line]).run().expect(0);
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}

#[test]
fn a_provider_that_cannot_be_asked_is_an_error_at_the_start() {
    let nobody = "http://127.0.0.1:1";
    let ran = bandog(["serve", "--jwt-issuer", nobody, "--jwt-function", "ns:f", "--listen", ":0", "--", "true"]).run();
    assert_eq!(ran.code(), 70, "{ran}");
    assert!(ran.complaint().contains("http://127.0.0.1:1/.well-known/openid-configuration"), "{ran}");
}

/// With tokio's blocking pool it panicked, and the connection was closed without a word.
#[test]
fn a_key_that_cannot_be_asked_for_as_there_is_no_thread_is_503() {
    let provider = Provider::start();
    let flags = ["--jwt-issuer", &provider.url(), "--jwt-function", "ns:sign"];
    let server = with_few_rights(serve_command("true").args(flags), 54783);
    limit_to_no_thread(&server);
    let token = format!("Bearer {}", provider.signed("second", &json!({"function": {"permissions": ["*"]}})));
    let began = Instant::now();
    // For half a minute after the start the provider is not asked again.
    let answer = loop {
        let answer = server.get("/").header("Authorization", &token).send();
        if answer.status != 401 {
            break answer;
        }
        assert!(began.elapsed() < Duration::from_mins(2), "{server}");
        std::thread::sleep(Duration::from_secs(1));
    };
    assert_eq!(answer.problem(503)["type"], "urn:bandog:error:overloaded");
    assert_eq!(answer.header("retry-after"), Some("1"), "{answer}");
}

#[test]
fn settings_that_do_not_fit_together_are_mistakes() {
    for (arguments, advice) in [
        (&["--jwt-issuer", "http://id"][..], "NAMESPACE:NAME"),
        (&["--jwt-function", "ns:f"], "without --jwt-issuer"),
        (&["--jwt-issuer", "id.example.com", "--jwt-function", "ns:f"], "expected the URL"),
        (&["--jwt-issuer", "http://id", "--jwt-function", "f"], "NAMESPACE:NAME"),
        (&["--jwt-issuer", "http://id", "--jwt-function", "ns:f", "--token", "t"], "one token only"),
    ] {
        let ran = bandog(["check"].iter().chain(arguments).chain(&["--", "true"])).run();
        assert_eq!(ran.code(), 78, "{ran}");
        assert!(ran.text().contains(advice), "{advice}: {ran}");
    }
}
