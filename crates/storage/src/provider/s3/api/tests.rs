use super::*;
use crate::{http::Trust, provider::s3::Credentials, secret::Secret};

fn api(endpoint: &str, addressing: Addressing) -> Api {
    let secret = |value: &str| Secret::Value(value.to_owned());
    let credentials =
        Credentials::Keys { access_key: secret("access"), secret_key: secret("secret"), session_token: None };
    let endpoint = Some(Endpoint::parse(endpoint).expect("an address"));
    Api::new(Settings { endpoint, region: None, credentials, addressing, trust: Trust::default() }).expect("a store")
}

#[test]
fn the_host_and_the_target_are_signed_as_they_are_sent() {
    let object = ObjectPath::new("bucket", "/a b//\u{fc}?");
    for (addressing, host, path) in [
        (Addressing::Path, "store.example.org:9000", "/prefix/bucket//a%20b//%C3%BC%3F"),
        (Addressing::Virtual, "bucket.store.example.org:9000", "/prefix//a%20b//%C3%BC%3F"),
    ] {
        let api = api("http://store.example.org:9000/prefix", addressing);
        let keys = api.keys.read(&Control::default()).expect("keys").expect("keys");
        let call = Call { query: &[("uploads", "")], ..Call::new(Method::POST, &object) };
        let target = target(api.endpoint.as_ref(), addressing, "eu-west-1", &object);
        let request = api.request(&call, &target, Some(&keys), "eu-west-1").expect("a request");
        // The client takes Host from the address.
        assert_eq!(api.client(&target.endpoint).endpoint().authority(), host);
        assert_eq!(request.uri().to_string(), format!("{path}?uploads="));
        let date = request.headers()["x-amz-date"].to_str().expect("text");
        let headers = [("host", host), ("x-amz-content-sha256", EMPTY), ("x-amz-date", date)];
        let signed = Signed { method: "POST", path, query: "uploads=", headers: &headers, payload: EMPTY };
        let expected =
            SigningKey::new(&keys.secret_key, "eu-west-1", date).authorization(&signed, &keys.access_key, date);
        assert_eq!(request.headers()["authorization"], expected);
    }
}

#[test]
fn servers_and_regions_are_remembered_up_to_a_bound() {
    let api = api("http://store.example.org", Addressing::Virtual);
    let client = |name: &str| api.client(&Endpoint::parse(&format!("http://{name}")).expect("an address"));
    assert!(Arc::ptr_eq(&client("a"), &client("a")));
    for number in 0..1000 {
        client(&format!("b{number}"));
    }
    assert_eq!(api.clients.lock().expect("a lock").len(), REMEMBERED);
}
