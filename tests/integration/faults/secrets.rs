//! Secrets, and headers that pose as what they are not. See also the suite `security`.

use crate::harness::{Request, encode, environment, function, serve, serve_command};

/// Without `proxy` in `HIDDEN` (`request::variables`) there was an `Http_Proxy`; without `query` in `OWN` the variable
/// was there twice, and the header's came last.
#[test]
fn f08_no_header_becomes_a_proxy_or_poses_as_what_bandog_sets() {
    let server = serve(function("environment.sh")).start();
    let seen = environment(
        server
            .request("POST", "/real?real=1")
            .header("Query", "posed")
            .header("Path", "/posed")
            .header("Method", "POSED")
            .header("ContentLength", "99")
            .header("Proxy", "http://evil.example")
            .header("X-Large", "x".repeat(8 * 1024 + 1))
            .header("X-Fits", "y".repeat(4 * 1024)),
    );
    assert_eq!(seen["Http_Query"], "real=1");
    assert_eq!(seen["Http_Path"], "/real");
    assert_eq!(seen["Http_Method"], "POST");
    assert_ne!(seen["Http_ContentLength"], "99");
    assert_eq!(seen["Http_X_Fits"].len(), 4 * 1024);
    for name in ["Http_Proxy", "HTTP_PROXY", "http_proxy", "Http_X_Large"] {
        assert!(!seen.contains_key(name), "{name} in {seen:#?}");
    }
    assert!(!seen.values().any(|value| value.contains("evil.example")), "{seen:#?}");
}

/// Without `authorization` in `HIDDEN` there was an `Http_Authorization`; with `BANDOG_*` and `FUNCTION_CONFIG`
/// inherited (`config::environment`) both were there.
#[test]
fn f25_neither_the_token_nor_what_callers_show_is_in_the_environment_of_the_function() {
    let server = serve(function("environment.sh"))
        .env("BANDOG_TOKEN", "t0p-s3cret")
        .env("FUNCTION_CONFIG", encode("name: named\ntoken: t0p-s3cret-too\n"))
        .start();
    for (name, value) in [("Authorization", "Bearer t0p-s3cret"), ("X-Bandog-Token", "t0p-s3cret")] {
        let request = server.request("POST", "/run/named").header(name, value);
        let seen = environment(request.header("Proxy-Authorization", "Basic t0p-s3cret"));
        for name in ["BANDOG_TOKEN", "FUNCTION_CONFIG", "Http_Authorization", "Http_X_Bandog_Token"] {
            assert!(!seen.contains_key(name), "{name} in {seen:#?}");
        }
        let secret = encode("t0p-s3cret");
        let shows = |value: &String| value.contains("t0p-s3cret") || value.contains(secret.trim_end_matches('='));
        assert!(!seen.values().any(shows), "{seen:#?}");
    }
}

/// With `starts_with` in place of the comparison in `token::shows` the longer ones were let in; with bodies of forms
/// let through unasked they ran the function. That it takes the same time for every wrong token is by construction
/// (`subtle`), and can't be measured here.
#[test]
fn f27_nothing_but_the_whole_token_is_let_in_whatever_the_body_is() {
    let server = serve(function("sign.sh")).args(["--token", "right-token"]).start();
    let form = "--b\r\nContent-Disposition: form-data; name=f; filename=f\r\n\r\nx\r\n--b--\r\n";
    let bodies: [(&str, &str); 4] =
        [("", "eA=="), ("application/json", "{}"), ("multipart/form-data; boundary=b", form), ("image/png", "x")];
    let requests = || {
        bodies.iter().flat_map(|(media, body)| {
            ["POST", "PUT", "PATCH", "DELETE", "GET"].map(|method| {
                let request = server.request(method, "/run/any?token=right-token").body(body);
                if media.is_empty() { request } else { request.media(media) }
            })
        })
    };
    for wrong in ["", "right-toke", "right-token2", "right-tokenright-token", "Right-Token", "ight-token", ".*", "*"] {
        let bearer = format!("Bearer {wrong}");
        let basic = format!("Basic {}", encode("x:right-token"));
        let shown: [&dyn Fn(Request) -> Request; 4] = [
            &|request| request.header("Authorization", &bearer),
            &|request| request.header("X-Bandog-Token", wrong),
            &|request| request.header("Authorization", &basic),
            &|request| request,
        ];
        for request in requests() {
            for show in shown {
                show(request.clone()).send().problem(401);
            }
        }
    }
    server.is_clean();
    assert!(!server.has_sign("started"), "{server}");
    let open = serve_command("exit 0").args(["--token", "right-token"]).start();
    for (media, body) in bodies {
        let request = open.post(body).header("Authorization", "Bearer right-token");
        if media.is_empty() { request } else { request.media(media) }.send().expect(200);
    }
}
