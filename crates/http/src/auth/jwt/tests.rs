use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use base64_simd::URL_SAFE_NO_PAD;
use hyper::header::AUTHORIZATION;
use jsonwebtoken::get_current_timestamp;
use ring::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
        Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
        RsaPublicKeyComponents,
    },
};
use serde_json::{Number, Value, json};

use super::*;

fn text(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode_to_string(bytes)
}

/// A key with its name, its public half as the provider tells it, and how it signs.
struct Signer {
    id: &'static str,
    algorithm: &'static str,
    public: Value,
    sign: Box<Sign>,
}

/// The signature of a message.
type Sign = dyn Fn(&[u8]) -> Vec<u8>;

impl Signer {
    fn rsa(id: &'static str, algorithm: &'static str, encoding: &'static dyn RsaEncoding) -> Self {
        let key = ["genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-outform", "DER"];
        let made = Command::new("openssl").args(key).output().expect("openssl");
        // Which of the two forms it writes depends on its version.
        let pair = RsaKeyPair::from_pkcs8(&made.stdout).or_else(|_| RsaKeyPair::from_der(&made.stdout));
        let pair = pair.expect("a key of openssl's");
        let RsaPublicKeyComponents::<Vec<u8>> { n, e } = pair.public().into();
        let sign = move |message: &[u8]| {
            let mut signature = vec![0; pair.public().modulus_len()];
            pair.sign(encoding, &SystemRandom::new(), message, &mut signature).expect("signed");
            signature
        };
        Self { id, algorithm, public: json!({"kty": "RSA", "n": text(n), "e": text(e)}), sign: Box::new(sign) }
    }

    fn ec(
        id: &'static str,
        algorithm: &'static str,
        curve: &'static str,
        signing: &'static EcdsaSigningAlgorithm,
    ) -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(signing, &random).expect("a key");
        let pair = EcdsaKeyPair::from_pkcs8(signing, pkcs8.as_ref(), &random).expect("a key");
        let point = pair.public_key().as_ref()[1..].to_vec();
        let (x, y) = point.split_at(point.len() / 2);
        let public = json!({"kty": "EC", "crv": curve, "x": text(x), "y": text(y)});
        let sign = move |message: &[u8]| pair.sign(&SystemRandom::new(), message).expect("signed").as_ref().to_vec();
        Self { id, algorithm, public, sign: Box::new(sign) }
    }

    fn ed(id: &'static str) -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("a key");
        let public = json!({"kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref())});
        Self { id, algorithm: "EdDSA", public, sign: Box::new(move |message| pair.sign(message).as_ref().to_vec()) }
    }

    fn token(&self, claims: &Value) -> String {
        self.token_as(self.id, self.algorithm, claims)
    }

    fn token_as(&self, id: &str, algorithm: &str, claims: &Value) -> String {
        self.token_with(&json!({"alg": algorithm, "typ": "JWT", "kid": id}), claims)
    }

    fn token_with(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", text(header.to_string()), text(claims.to_string()));
        let signature = (self.sign)(message.as_bytes());
        format!("{message}.{}", text(signature))
    }

    /// As the provider lists it.
    fn listed(&self) -> Value {
        let mut key = self.public.clone();
        key["kid"] = self.id.into();
        key["use"] = "sig".into();
        key
    }
}

/// A provider on this machine. Its list of keys may change.
struct Server {
    url: String,
    keys: Arc<Mutex<Vec<Value>>>,
    asked: Arc<AtomicUsize>,
}

impl Server {
    fn start(keys: Vec<Value>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let url = format!("http://{}", listener.local_addr().expect("address"));
        let server = Self { url: url.clone(), keys: Arc::new(Mutex::new(keys)), asked: Arc::default() };
        let (keys, asked) = (Arc::clone(&server.keys), Arc::clone(&server.asked));
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let mut line = String::new();
                let mut reader = BufReader::new(stream.try_clone().expect("cloned"));
                reader.read_line(&mut line).expect("a request");
                while reader.read_line(&mut String::new()).is_ok_and(|length| length > 2) {}
                let body = if line.contains("/.well-known/openid-configuration") {
                    json!({"issuer": url, "jwks_uri": format!("{url}/keys"), "response_types_supported": []})
                } else {
                    asked.fetch_add(1, Ordering::SeqCst);
                    json!({"keys": *keys.lock().expect("keys")})
                };
                let body = body.to_string();
                let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
                let _ = stream.write_all((head + &body).as_bytes());
            }
        });
        server
    }

    fn claims(&self, permissions: &[&str]) -> Value {
        json!({
            "iss": self.url, "aud": self.url, "sub": "somebody", "exp": get_current_timestamp() + 60,
            "function": {"permissions": permissions},
        })
    }

    async fn jwt(&self) -> Arc<Jwt> {
        let (issuer, function) = (self.url.clone(), "ns:figlet".to_owned());
        let settings = JwtSettings { issuer, function, debug: true, certificates: None, realm: "functions" };
        Arc::new(Jwt::new(&settings).await.expect("keys"))
    }
}

async fn check(jwt: &Arc<Jwt>, token: &str) -> Result<(), Denied> {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().expect("a value"));
    jwt.check(&headers).await
}

#[test]
fn a_denied_caller_is_told_the_realm_of_the_settings() {
    let challenge = |denied: Denied| denied.problem("functions").into_parts().0.headers.remove(WWW_AUTHENTICATE);
    assert_eq!(challenge(Denied::NoToken).expect("a challenge"), r#"Bearer realm="functions""#);
    assert_eq!(challenge(Denied::Invalid).expect("a challenge"), r#"Bearer realm="functions", error="invalid_token""#);
    assert_eq!(challenge(Denied::NotPermitted), None);
}

#[tokio::test]
async fn tokens_of_every_kind_of_key_are_checked() {
    let signers = [
        Signer::rsa("a", "RS256", &RSA_PKCS1_SHA256),
        Signer::rsa("b", "RS512", &RSA_PKCS1_SHA512),
        Signer::rsa("c", "PS256", &RSA_PSS_SHA256),
        Signer::ec("d", "ES256", "P-256", &ECDSA_P256_SHA256_FIXED_SIGNING),
        Signer::ec("e", "ES384", "P-384", &ECDSA_P384_SHA384_FIXED_SIGNING),
        Signer::ed("f"),
    ];
    let server = Server::start(signers.iter().map(Signer::listed).collect());
    let jwt = server.jwt().await;
    for signer in &signers {
        let token = signer.token(&server.claims(&["ns:figlet"]));
        assert_eq!(check(&jwt, &token).await, Ok(()), "{}", signer.algorithm);
        // The same claims under another signature, and other claims under the same.
        let other = signer.token(&server.claims(&["*"]));
        let (start, _) = token.rsplit_once('.').expect("three parts");
        let forged = format!("{start}.{}", other.rsplit_once('.').expect("three parts").1);
        assert_eq!(check(&jwt, &forged).await, Err(Denied::Invalid), "{}", signer.algorithm);
        // The key of another.
        let wrong = signer.token_as(if signer.id == "a" { "b" } else { "a" }, signer.algorithm, &server.claims(&["*"]));
        assert_eq!(check(&jwt, &wrong).await, Err(Denied::Invalid), "{}", signer.algorithm);
    }
}

#[tokio::test]
async fn a_token_must_be_signed_by_the_provider_in_the_way_of_its_key() {
    let signer = Signer::ed("key");
    let server = Server::start(vec![signer.listed()]);
    let jwt = server.jwt().await;
    let claims = server.claims(&["*"]);
    // The public key as the secret of a code that both sides can make, the oldest of these attacks.
    let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, signer.public["x"].as_str().expect("x").as_bytes());
    let by_secret = Signer {
        id: "key",
        algorithm: "HS256",
        public: Value::Null,
        sign: Box::new(move |message| ring::hmac::sign(&secret, message).as_ref().to_vec()),
    };
    let unsigned = Signer { id: "key", algorithm: "none", public: Value::Null, sign: Box::new(|_| Vec::new()) };
    let critical = json!({"alg": "EdDSA", "kid": "key", "crit": ["x"], "x": 1});
    for token in [
        signer.token_with(&critical, &claims),
        by_secret.token(&claims),
        unsigned.token(&claims),
        signer.token_as("key", "ES256", &claims),
        signer.token_as("key", "RS256", &claims),
        Signer::ed("key").token(&claims),
        String::new(),
        "a.b.c".to_owned(),
        format!("{}.", signer.token(&claims)),
    ] {
        assert_eq!(check(&jwt, &token).await, Err(Denied::Invalid), "{token}");
    }
    let mut headers = HeaderMap::new();
    assert_eq!(jwt.check(&headers).await, Err(Denied::NoToken));
    headers.insert(AUTHORIZATION, format!("Basic {}", signer.token(&claims)).parse().expect("a value"));
    assert_eq!(jwt.check(&headers).await, Err(Denied::NoToken));
}

#[tokio::test]
async fn the_claims_of_a_token_must_hold() {
    let signer = Signer::ed("key");
    let server = Server::start(vec![signer.listed()]);
    let jwt = server.jwt().await;
    let now = get_current_timestamp();
    let fraction = |seconds: u64| format!("{seconds}.25").parse::<Number>().expect("a number").into();
    let with = |name: &str, value: Value| {
        let mut claims = server.claims(&["*"]);
        claims[name] = value;
        signer.token(&claims)
    };
    for (token, expected) in [
        (with("exp", (now - 5).into()), Err(Denied::Invalid)),
        (with("exp", "soon".into()), Err(Denied::Invalid)),
        (with("exp", Value::Null), Err(Denied::Invalid)),
        (with("exp", json!([now + 60])), Err(Denied::Invalid)),
        (with("exp", (-1).into()), Err(Denied::Invalid)),
        (with("exp", fraction(now + 60)), Ok(())),
        (with("exp", fraction(now - 5)), Err(Denied::Invalid)),
        (with("exp", "1e400".parse::<Number>().expect("a number").into()), Err(Denied::Invalid)),
        (with("exp", "1e18".parse::<Number>().expect("a number").into()), Ok(())),
        (with("nbf", "soon".into()), Err(Denied::Invalid)),
        (with("nbf", fraction(now + 30)), Err(Denied::Invalid)),
        (with("nbf", fraction(now - 30)), Ok(())),
        (with("nbf", (now + 30).into()), Err(Denied::Invalid)),
        (with("nbf", (now - 30).into()), Ok(())),
        (with("iss", "http://somebody.else".into()), Err(Denied::Invalid)),
        (with("iss", Value::Null), Err(Denied::Invalid)),
        (with("aud", "http://somebody.else".into()), Err(Denied::Invalid)),
        (with("aud", Value::Null), Err(Denied::Invalid)),
        (with("aud", json!(["x", server.url])), Ok(())),
        (with("function", json!({})), Err(Denied::NotPermitted)),
        (with("function", json!({"permissions": []})), Err(Denied::NotPermitted)),
        (with("function", json!({"permissions": ["ns:fig"]})), Err(Denied::NotPermitted)),
        (with("function", json!({"permissions": ["other:*", "ns:*"]})), Ok(())),
        (with("function", json!({"permissions": ["*"], "audience": ["*:env"]})), Err(Denied::NotPermitted)),
        (with("function", json!({"permissions": ["*"], "audience": ["x", "ns:figlet"]})), Ok(())),
        (with("function", json!({"permissions": "*"})), Err(Denied::Invalid)),
    ] {
        let claims = token.split('.').nth(1).map(|part| URL_SAFE_NO_PAD.decode_to_vec(part).expect("base64"));
        let claims = String::from_utf8(claims.expect("claims")).expect("text");
        assert_eq!(check(&jwt, &token).await, expected, "{claims}");
    }
}

#[tokio::test]
async fn new_keys_are_fetched_once_they_are_named_and_not_at_every_try() {
    let (old, new) = (Signer::ed("old"), Signer::ed("new"));
    let server = Server::start(vec![old.listed()]);
    let jwt = server.jwt().await;
    *server.keys.lock().expect("keys") = vec![new.listed()];
    let claims = server.claims(&["*"]);
    // Just fetched: callers that make up names of keys are no load for the provider.
    assert_eq!(check(&jwt, &new.token(&claims)).await, Err(Denied::Invalid));
    assert_eq!(server.asked.load(Ordering::SeqCst), 1);
    *jwt.fetched.lock().await = Instant::now().checked_sub(PAUSE).expect("a while ago");
    assert_eq!(check(&jwt, &new.token(&claims)).await, Ok(()));
    assert_eq!(check(&jwt, &old.token(&claims)).await, Err(Denied::Invalid), "it is not listed any more");
    assert_eq!(server.asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_key_that_was_withdrawn_lets_nobody_in_once_the_keys_are_old() {
    let (old, new) = (Signer::ed("old"), Signer::ed("new"));
    let server = Server::start(vec![old.listed(), new.listed()]);
    let jwt = server.jwt().await;
    *server.keys.lock().expect("keys") = vec![new.listed()];
    let claims = server.claims(&["*"]);
    assert_eq!(check(&jwt, &old.token(&claims)).await, Ok(()), "nobody has said so yet");
    lock(&jwt.keys).make_old();
    *jwt.fetched.lock().await = Instant::now().checked_sub(PAUSE).expect("a while ago");
    assert_eq!(check(&jwt, &old.token(&claims)).await, Err(Denied::Invalid));
    assert_eq!(check(&jwt, &new.token(&claims)).await, Ok(()));
}

#[tokio::test]
async fn a_provider_that_does_not_answer_holds_callers_up_briefly_and_once() {
    let signer = Signer::ed("key");
    let server = Server::start(vec![signer.listed()]);
    let mut jwt = server.jwt().await;
    let claims = server.claims(&["*"]);
    // It takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("bound");
    let url = format!("http://{}", silent.local_addr().expect("address"));
    Arc::get_mut(&mut jwt).expect("nobody else has it").provider = Provider::new(&url, None).expect("a provider");
    lock(&jwt.keys).make_old();
    *jwt.fetched.lock().await = Instant::now().checked_sub(PAUSE).expect("a while ago");
    let began = Instant::now();
    assert_eq!(check(&jwt, &signer.token(&claims)).await, Ok(()));
    assert!(began.elapsed() >= BRIEFLY, "the keys were asked for again");
    let again = Instant::now();
    assert_eq!(check(&jwt, &signer.token(&claims)).await, Ok(()));
    assert!(again.elapsed() < BRIEFLY, "not for every caller");
}

#[tokio::test]
async fn a_provider_that_fails_leaves_the_keys_as_they_are() {
    let signer = Signer::ed("key");
    let server = Server::start(vec![signer.listed()]);
    let jwt = server.jwt().await;
    server.keys.lock().expect("keys").clear();
    *jwt.fetched.lock().await = Instant::now().checked_sub(PAUSE).expect("a while ago");
    let claims = server.claims(&["*"]);
    assert_eq!(check(&jwt, &Signer::ed("unknown").token(&claims)).await, Err(Denied::Invalid));
    assert_eq!(server.asked.load(Ordering::SeqCst), 2);
    assert_eq!(check(&jwt, &signer.token(&claims)).await, Ok(()));
}

#[test]
fn a_pattern_fits_as_a_whole_or_not_at_all() {
    for (pattern, name, expected) in [
        ("default:foo", "default:foo", true),
        ("default:foo", "default:foobar", false),
        ("default:foo", "xdefault:foo", false),
        ("default:foo*", "default:foobar", true),
        ("default:foo*", "default:foo", true),
        ("*foo", "xfoo", true),
        ("*foo", "foox", false),
        ("ns:*fn", "ns:myfn", true),
        ("ns:*fn", "ns:fnfnx", false),
        ("staging-*:env", "staging:env", false),
        ("*", "anything:at-all", true),
        ("**", "a", true),
        ("a*b*c", "a-b-b-c", true),
        ("a*b*c", "a-c-b", false),
        ("a.c", "abc", false),
        ("a?c", "abc", false),
        ("", "", false),
        ("", "a", false),
        ("*", "", true),
    ] {
        assert_eq!(fits(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
    }
}
