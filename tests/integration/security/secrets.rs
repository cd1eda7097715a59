//! One secret of each kind, put everywhere a secret can be, and looked for everywhere that another user could read.

use std::fs;

use crate::harness::{Ran, bandog, encode, function, serve};

/// Unlike anything else, of signs that URLs and forms encode.
const TOKEN: &str = "t0ken+ZQ9/plum=7f3a";
const CONFIG: &str = "c0nfig+ZQ8/pear=91bb";
const CALLER: &str = "c4ller+ZQ7/fig=55cd";
const KEYS: [&str; 3] = [TOKEN, CONFIG, CALLER];

/// A configuration with a password of a storage provider in it.
fn config() -> String {
    let provider = format!("      endpoint: http://127.0.0.1:9\n      secret_key: \"{CONFIG}\"\n");
    encode(format!("name: named\nstorage_providers:\n  minio:\n    default:\n{provider}"))
}

/// The forms of a secret in a text: plain, percent-encoded, and in base64 wherever it begins.
fn shapes(secret: &str) -> Vec<String> {
    let percent = |all: bool| -> String {
        let encoded = |byte: u8| match byte {
            byte if byte.is_ascii_alphanumeric() && !all => char::from(byte).to_string(),
            byte => format!("%{byte:02x}"),
        };
        secret.bytes().map(encoded).collect()
    };
    let mut shapes = vec![secret.to_owned(), percent(false), percent(true)];
    for before in 0..3 {
        let text = encode([&b"..."[..before], secret.as_bytes()].concat());
        // Without the digits that bits of its neighbours have a part in.
        shapes.push(text[if before == 0 { 0 } else { 4 }..text.len() - 4].to_owned());
    }
    shapes.iter().map(|shape| shape.to_ascii_lowercase()).collect()
}

/// Fails if one of them is told.
#[track_caller]
fn tells_nothing(what: &str, text: impl AsRef<[u8]>, secrets: &[&str]) {
    let text = String::from_utf8_lossy(text.as_ref()).to_ascii_lowercase();
    for secret in secrets {
        for shape in shapes(secret) {
            let at = text.find(&shape);
            let around = at.map(|at| text[at.saturating_sub(200)..].chars().take(400).collect::<String>());
            assert_eq!(around, None, "{what} tells {secret} as {shape}");
        }
    }
}

#[track_caller]
fn says_nothing(ran: &Ran, secrets: &[&str]) {
    tells_nothing(&format!("the output of {ran:.0}"), &ran.stdout, secrets);
    tells_nothing(&format!("the complaint of {ran:.0}"), &ran.stderr, secrets);
}

#[test]
fn the_search_finds_what_is_told() {
    let told = [
        format!("x{TOKEN}y"),
        encode(format!("ab{TOKEN}")),
        encode(format!("a{TOKEN}b")),
        encode(TOKEN),
        "T0KEN%2BZQ9%2fplum%3d7f3a".to_owned(),
    ];
    for text in told {
        assert!(shapes(TOKEN).iter().any(|shape| text.to_ascii_lowercase().contains(shape)), "{text}");
    }
}

/// Without the mask in `request::details` the token was in the first answer, whose logs have the lines at DEBUG.
#[test]
fn no_secret_is_told_by_a_listener() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("token");
    fs::write(&file, TOKEN).expect("writable");
    for (place, format) in [("flag", "text"), ("variable", "json"), ("file", "text"), ("nowhere", "json")] {
        let builder = serve(function("tell.sh")).env("FUNCTION_CONFIG", config());
        let builder = builder.args(["--log-level", "DEBUG", "--forward-logs", "--log-format", format]);
        let server = match place {
            "flag" => builder.args(["--token", TOKEN]),
            "variable" => builder.env("BANDOG_TOKEN", TOKEN),
            "file" => builder.arg_path("--token-file", &file),
            _ => builder,
        }
        .start();
        let bearer = format!("Bearer {TOKEN}");
        let mut answers = 0;
        for path in ["/", "/run/named", "/run/other", "/_/status", "/_/metrics", "/_/health", "/_/nothing"] {
            for accept in ["*/*", "application/json", "text/event-stream", "application/octet-stream"] {
                for body in ["e30=", "ZmFpbA==", "bad body!", "--"] {
                    for (name, value) in [
                        ("Authorization", bearer.as_str()),
                        ("X-Bandog-Token", TOKEN),
                        ("Authorization", &format!("Bearer {CALLER}")),
                        ("Authorization", &format!("Basic {}", encode(CALLER))),
                        ("Authorization", CALLER),
                        ("Proxy-Authorization", &format!("Basic {}", encode(CALLER))),
                        ("X-Bandog-Token", CALLER),
                    ] {
                        let method = if path.starts_with("/_/") { "GET" } else { "POST" };
                        let body = if method == "GET" { "" } else { body };
                        let answer = server.request(method, path).accept(accept).header(name, value).body(body).send();
                        tells_nothing(&format!("{place}: {path} as {accept}"), format!("{answer:?}"), &KEYS);
                        if !answer.wants("content-type").contains("json") && accept == "*/*" {
                            tells_nothing(&format!("{place}: {path}, decoded"), answer.decoded(), &KEYS);
                        }
                        answers += usize::from(answer.status == 200);
                    }
                }
            }
        }
        assert!(answers > 50, "{place}: only {answers} were let in");
        server.log_line("the headers", |line| line.contains("authorization"));
        tells_nothing(place, server.log(), &KEYS);
    }
}

/// Without the mask of secret values in `config::resolve` the token was in the table; without that of mistakes, in what
/// is said of two tokens.
#[test]
fn no_secret_is_told_by_check_and_help() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (file, yaml) = (dir.path().join("token"), dir.path().join("config.yaml"));
    fs::write(&file, format!("two words {TOKEN}")).expect("writable");
    fs::write(&yaml, format!("name: [unclosed\nsecret: {CONFIG}\n")).expect("writable");
    let broken = encode(format!("name: *{CONFIG}\n"));
    let [file, yaml] = [&file, &yaml].map(|path| path.to_str().expect("UTF-8"));
    for command in [&["check"][..], &["check", "--format", "json"], &["serve"], &["run"]] {
        let end = ["--workspace", "/no/such/directory", "--", "/bin/true"];
        for (flags, variables) in [
            (&["--token", TOKEN][..], &[("FUNCTION_CONFIG", config())][..]),
            (&["--token", TOKEN, "--token-file", file], &[("BANDOG_TOKEN", TOKEN.to_owned())]),
            (&["--token-file", file], &[("BANDOG_TOKN", TOKEN.to_owned())]),
            (&[], &[("BANDOG_TOKEN", format!("two words {TOKEN}")), ("FUNCTION_CONFIG", broken.clone())]),
            (&[], &[("BANDOG_TOKEN", format!("{TOKEN}é")), ("FUNCTION_CONFIG", format!("!{CONFIG}"))]),
            (&["--config", yaml], &[("BANDOG_TOKEN", TOKEN.to_owned()), ("FUNCTION_CONFIG", CONFIG.to_owned())]),
        ] {
            let ran = bandog(command).args(flags).args(end);
            let ran = variables.iter().fold(ran, |ran, (name, value)| ran.env(name, value)).run().expect(78);
            says_nothing(&ran, &KEYS);
        }
    }
    for command in ["serve", "run", "call", "check", "health", "install"] {
        let help = bandog([command, "--help"]).env("BANDOG_TOKEN", TOKEN).env("FUNCTION_CONFIG", config()).run();
        says_nothing(&help.expect(0), &KEYS);
    }
}

/// With the address quoted though it has an `@` (`cli::call::url`) the password was in the complaint.
#[test]
fn no_secret_is_told_by_the_commands() {
    for (body, code) in [("e30=", 0), ("ZmFpbA==", 3), ("bad body!", 65)] {
        let ran = bandog(["run", "--log-level", "DEBUG", "--forward-logs"])
            .with_workspace()
            .env("BANDOG_TOKEN", TOKEN)
            .env("FUNCTION_CONFIG", config())
            .args(["--header", &format!("Authorization: Bearer {CALLER}")])
            .arg("--script")
            .arg(function("tell.sh"))
            .stdin(body)
            .run()
            .expect(code);
        says_nothing(&ran, &KEYS);
    }
    let server = serve(function("sign.sh")).args(["--token", "another"]).start();
    for (flags, url) in [
        (vec!["--token".to_owned(), TOKEN.to_owned()], server.url("/")),
        (vec!["--token".to_owned(), format!("two\nlines {TOKEN}")], server.url("/")),
        (vec!["--header".to_owned(), format!("Authorization: Bearer {CALLER}")], server.url("/")),
        (vec!["--header".to_owned(), format!("Authorization: Bearer\n{CALLER}")], server.url("/")),
        (vec!["--header".to_owned(), format!("Authorization {CALLER}")], server.url("/")),
        (vec![], format!("http://user:{CALLER}@{}/", server.address)),
        (vec!["--token".to_owned(), TOKEN.to_owned()], "http://127.0.0.1:9/".to_owned()),
    ] {
        let ran = bandog(["call", &url, "--text-input", "x"]).args(&flags).env("BANDOG_TOKEN", TOKEN).run();
        assert_ne!(ran.code(), 0, "{flags:?}");
        says_nothing(&ran, &KEYS);
    }
    let probe = bandog(["health", "--url", &format!("http://user:{CALLER}@{}", server.address)]).run();
    says_nothing(&probe, &KEYS);
}
