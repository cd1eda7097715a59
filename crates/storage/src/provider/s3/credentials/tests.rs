use std::{fs, path::Path};

use super::{
    super::tests::{Fake, Reply},
    *,
};

fn variables(pairs: &[(&str, &str)]) -> ChainVariables {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn source(pairs: &[(&str, &str)]) -> KeySource {
    KeySource::new(Credentials::Chain(variables(pairs)))
}

fn read(source: &KeySource) -> Result<(String, String, Option<String>), Error> {
    let keys = source.read(&Control::default())?.expect("keys");
    Ok((keys.access_key, keys.secret_key, keys.session_token))
}

fn keys(access: &str, secret: &str, token: Option<&str>) -> (String, String, Option<String>) {
    (access.to_owned(), secret.to_owned(), token.map(str::to_owned))
}

/// A home with these shared files.
fn home(credentials: &str, config: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().expect("a directory");
    fs::create_dir(home.path().join(".aws")).expect("made");
    fs::write(home.path().join(".aws/credentials"), credentials).expect("written");
    fs::write(home.path().join(".aws/config"), config).expect("written");
    home
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path")
}

/// A document of keys that end in this time.
fn document(access: &str, seconds: i64) -> Reply {
    let end = Timestamp::from_second(Timestamp::now().as_second() + seconds).expect("a time");
    let text = format!(
        "{{\"Code\":\"Success\",\"AccessKeyId\":\"{access}\",\"SecretAccessKey\":\"s\",\"Token\":\"t\",\"Expiration\":\"{end}\"}}"
    );
    Reply::new(200, text)
}

#[test]
fn the_environment_comes_first() {
    let home = home("[default]\naws_access_key_id=f\naws_secret_access_key=g\n", "");
    let home = ("HOME", text(home.path()));
    let both = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b"), home];
    assert_eq!(read(&source(&both)).expect("keys"), keys("a", "b", None));
    let session = [both[0], both[1], ("AWS_SESSION_TOKEN", "c"), home];
    assert_eq!(read(&source(&session)).expect("keys"), keys("a", "b", Some("c")));
    // A half of a pair is none.
    let half = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", ""), home];
    assert_eq!(read(&source(&half)).expect("keys"), keys("f", "g", None));
}

#[test]
fn a_shared_file_is_read_at_each_use_and_by_profile() {
    let home = home(
        "[default]\naws_access_key_id = f\naws_secret_access_key = g\n[other]\naws_access_key_id=h\naws_secret_access_key=i\naws_session_token=j\n",
        "[default]\nregion=eu-west-1\n[profile other]\nregion=eu-west-2\n[profile sso]\nsso_session=x\n",
    );
    let path = ("HOME", text(home.path()));
    let plain = source(&[path]);
    assert_eq!((read(&plain).expect("keys"), plain.region()), (keys("f", "g", None), "eu-west-1".to_owned()));
    let other = source(&[path, ("AWS_PROFILE", "other")]);
    assert_eq!((read(&other).expect("keys"), other.region()), (keys("h", "i", Some("j")), "eu-west-2".to_owned()));
    assert_eq!(source(&[path, ("AWS_DEFAULT_REGION", "x")]).region(), "x");
    assert_eq!(source(&[path, ("AWS_DEFAULT_REGION", "x"), ("AWS_REGION", "y")]).region(), "y");
    assert_eq!(source(&[]).region(), "us-east-1");
    for (profile, why) in [("missing", "no profile \"missing\""), ("sso", "sso_session")] {
        let error = read(&source(&[path, ("AWS_PROFILE", profile)])).expect_err("no keys");
        assert!(error.kind == ErrorKind::Credentials && error.detail.contains(why), "{error}");
    }
    let file = home.path().join("elsewhere");
    fs::write(&file, "[default]\naws_access_key_id=k\naws_secret_access_key=l\n").expect("written");
    let elsewhere = source(&[path, ("AWS_SHARED_CREDENTIALS_FILE", text(&file))]);
    assert_eq!(read(&elsewhere).expect("keys"), keys("k", "l", None));
    fs::write(&file, "[default]\naws_access_key_id=m\naws_secret_access_key=n\n").expect("written");
    assert_eq!(read(&elsewhere).expect("keys"), keys("m", "n", None));
}

#[test]
fn the_metadata_of_an_instance_are_asked_with_a_token_and_their_keys_kept() {
    let fake = Fake::start(|request, number| {
        Some(match request.seen.target.as_str() {
            "/latest/api/token" => Reply::new(200, "metadata-token"),
            "/latest/meta-data/iam/security-credentials/" => Reply::new(200, "role-of-it"),
            "/latest/meta-data/iam/security-credentials/role-of-it" => document(&format!("id{number}"), 3600),
            _ => Reply::new(404, ""),
        })
    });
    let address = fake.endpoint().to_string();
    let source = source(&[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &address)]);
    for _ in 0..3 {
        assert_eq!(read(&source).expect("keys"), keys("id2", "s", Some("t")));
    }
    let seen = fake.seen();
    assert_eq!(seen.len(), 3);
    assert_eq!(
        (seen[0].method.as_str(), seen[0].header("x-aws-ec2-metadata-token-ttl-seconds")),
        ("PUT", Some("21600"))
    );
    for later in &seen[1..] {
        assert_eq!((later.method.as_str(), later.header("x-aws-ec2-metadata-token")), ("GET", Some("metadata-token")));
    }
    // The store says that they are over.
    source.forget();
    assert_eq!(read(&source).expect("keys"), keys("id5", "s", Some("t")));
}

#[test]
fn keys_are_renewed_before_they_end_and_those_that_last_are_used_when_that_fails() {
    // The first ones end too soon to be kept, and the last are refused.
    let fake = Fake::start(|_, number| {
        Some(match number {
            0 => document("first", 200),
            1 => Reply::new(503, ""),
            2 => document("second", 200),
            _ => Reply::new(403, ""),
        })
    });
    let address = format!("{}/keys", fake.endpoint());
    let service = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", address.as_str())];
    let chain = source(&service);
    for id in ["first", "second", "second"] {
        assert_eq!(read(&chain).expect("keys").0, id);
    }
    assert_eq!(fake.seen().len(), 4);
    chain.forget();
    assert_eq!(read(&chain).expect_err("none").kind, ErrorKind::Credentials);
}

#[test]
fn a_container_is_asked_with_the_token_of_its_file() {
    let fake = Fake::start(|_, _| Some(document("id", 3600)));
    let address = format!("{}/v1/keys?a=b", fake.endpoint());
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), "from-file\n").expect("written");
    let service = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", address.as_str());
    let token = ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "from-variable");
    let token_file = ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", text(file.path()));
    for pairs in [&[service][..], &[service, token], &[service, token, token_file]] {
        assert_eq!(read(&source(pairs)).expect("keys"), keys("id", "s", Some("t")));
    }
    let seen = fake.seen();
    let tokens: Vec<_> = seen.iter().map(|seen| (seen.target.as_str(), seen.header("authorization"))).collect();
    let target = "/v1/keys?a=b";
    assert_eq!(tokens, [(target, None), (target, Some("from-variable")), (target, Some("from-file"))]);
}

#[test]
fn a_web_identity_is_exchanged_for_keys() {
    let fake = Fake::start(|request, _| {
        request.read_body();
        Some(Reply::new(
            200,
            "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
             <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
             <SessionToken>t=</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration></Credentials>\
             </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>",
        ))
    });
    let address = fake.endpoint().to_string();
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), "web.token\n").expect("written");
    let service = ("AWS_ENDPOINT_URL_STS", address.as_str());
    let role = "arn:aws:iam::1:role/r";
    let of_pod = [service, ("AWS_ROLE_ARN", role), ("AWS_WEB_IDENTITY_TOKEN_FILE", text(file.path()))];
    let of_pod = source(&of_pod);
    for _ in 0..2 {
        assert_eq!(read(&of_pod).expect("keys"), keys("ASIA", "s", Some("t=")));
    }
    let config = format!("[default]\nrole_arn={role}\nweb_identity_token_file={}\n", text(file.path()));
    let home = home("", &config);
    assert_eq!(read(&source(&[service, ("HOME", text(home.path()))])).expect("keys").0, "ASIA");
    let seen = fake.seen();
    assert_eq!(seen.len(), 2);
    let form = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr\
                &RoleSessionName=bandog&WebIdentityToken=web.token";
    for seen in seen {
        assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/"));
        assert_eq!(String::from_utf8_lossy(&seen.body), form);
        assert_eq!(seen.header("authorization"), None);
    }
}

#[test]
fn a_source_that_is_set_up_and_fails_is_named_and_ends_the_search() {
    let refusing = Fake::start(|request, _| {
        request.read_body();
        Some(Reply::new(
            403,
            "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not for you</Message></Error></ErrorResponse>",
        ))
    });
    let address = refusing.endpoint().to_string();
    let file = tempfile::NamedTempFile::new().expect("a file");
    let pairs = [
        ("AWS_ENDPOINT_URL_STS", address.as_str()),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", address.as_str()),
        ("AWS_ROLE_ARN", "arn:r"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", text(file.path())),
    ];
    let error = read(&source(&pairs)).expect_err("refused");
    assert_eq!((error.kind, refusing.seen().len()), (ErrorKind::Credentials, 1));
    assert!(error.detail.contains("arn:r") && error.detail.contains("not for you"), "{error}");
    let error =
        read(&source(&[pairs[0], pairs[2], ("AWS_WEB_IDENTITY_TOKEN_FILE", "/proc/none")])).expect_err("no file");
    assert!(error.kind == ErrorKind::Credentials && error.detail.contains("/proc/none"), "{error}");
}

#[test]
fn without_any_source_the_error_names_them() {
    let error = read(&source(&[("AWS_EC2_METADATA_DISABLED", "true")])).expect_err("no keys");
    assert_eq!(error.kind, ErrorKind::Credentials);
    for named in ["AWS_ACCESS_KEY_ID", "shared file", "web identity", "service of the container", "metadata"] {
        assert!(error.detail.contains(named), "{named}: {error}");
    }
}

#[test]
fn keys_that_are_empty_are_missing() {
    let secret = |value: &str| Secret::Value(value.to_owned());
    let credentials = Credentials::Keys { access_key: secret("a"), secret_key: secret(""), session_token: None };
    assert_eq!(read(&KeySource::new(credentials)).expect_err("no key").kind, ErrorKind::Credentials);
    // A token that is empty is none.
    let credentials =
        Credentials::Keys { access_key: secret("a"), secret_key: secret("b"), session_token: Some(secret("")) };
    assert_eq!(read(&KeySource::new(credentials)).expect("keys"), keys("a", "b", None));
}

#[test]
fn nothing_of_the_variables_and_keys_is_shown_but_names() {
    let variables = variables(&[("AWS_SECRET_ACCESS_KEY", "hunter2"), ("PATH", "x"), ("HOME", "/h")]);
    assert_eq!(format!("{variables:?}"), "{\"AWS_SECRET_ACCESS_KEY\", \"HOME\"}");
    let keys = Keys { access_key: "a".to_owned(), secret_key: "hunter2".to_owned(), session_token: None };
    let source = KeySource::new(Credentials::Chain(variables));
    assert!(!format!("{keys:?} {source:?}").contains("hunter2"));
}
