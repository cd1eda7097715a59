use http::Request;
use proptest::prelude::*;

use super::*;

fn variables(request: http::request::Builder) -> Vec<String> {
    let (parts, ()) = request.body(()).expect("request").into_parts();
    of(&parts, HeaderVariables::default()).into_iter().map(|pair| pair.into_string().expect("text")).collect()
}

#[test]
fn bandogs_own_are_always_set_and_empty_if_absent() {
    let variables = variables(Request::get("/run/x?a=b%20c"));
    assert_eq!(
        variables,
        [
            "Http_Method=GET",
            "Http_Path=/run/x",
            "Http_Content_Length=",
            "Http_ContentLength=",
            "Http_Query=a=b%20c",
            "Http_Host=",
            "Http_Transfer_Encoding=",
        ]
    );
}

fn parsed() -> HeaderVariables {
    HeaderVariables { values: VariableValues::Parsed, ..HeaderVariables::default() }
}

fn variables_by(policy: HeaderVariables, request: http::request::Builder) -> Vec<String> {
    let (parts, ()) = request.body(()).expect("request").into_parts();
    of(&parts, policy).into_iter().map(|pair| pair.into_string().expect("text")).collect()
}

#[test]
fn parsed_values_have_a_decoded_path_a_number_for_the_length_and_the_first_of_several_values() {
    let request = Request::post("/a%20b%00c?x=%20").header("X-Many", "1").header("X-Many", "2");
    assert_eq!(
        variables_by(parsed(), request),
        [
            "Http_Method=POST",
            "Http_Path=/a b%00c",
            "Http_Content_Length=0",
            "Http_ContentLength=0",
            "Http_Query=x=%20",
            "Http_Host=",
            "Http_Transfer_Encoding=",
            "Http_X_Many=1",
        ]
    );
    let chunked = variables_by(parsed(), Request::post("/").header("Transfer-Encoding", "chunked"));
    assert!(chunked.contains(&"Http_ContentLength=-1".to_owned()), "{chunked:?}");
}

#[test]
fn variables_can_be_switched_off_left_unset_and_show_the_authorization() {
    let request = || Request::post("/").header("Authorization", "Bearer x").header("Proxy", "evil");
    assert!(!variables_by(parsed(), request()).concat().contains("Bearer"));
    let shown = HeaderVariables { authorization: Authorization::Shown, ..parsed() };
    let off = HeaderVariables { set: VariableSet::TraceContext, ..shown };
    assert_eq!(variables_by(off, request()), [""; 0]);
    let old = variables_by(HeaderVariables { when_empty: WhenEmpty::Unset, ..shown }, request());
    assert!(old.contains(&"Http_Authorization=Bearer x".to_owned()), "{old:?}");
    for absent in ["Http_Query", "Http_Host", "Http_Transfer_Encoding", "Http_Proxy"] {
        assert!(!old.iter().any(|pair| pair.starts_with(absent)), "{absent}: {old:?}");
    }
}

#[test]
fn no_header_can_pose_as_another_variable() {
    let request = Request::post("/?real=1")
        .header("Query", "fake=1")
        .header("Method", "FAKE")
        .header("Path", "/fake")
        .header("ContentLength", "7")
        .header("Transfer_Encoding", "fake")
        .header("X_Real", "fake")
        .header("X-Real", "true");
    let variables = variables(request);
    assert_eq!(variables.iter().filter(|pair| pair.contains("fake") || pair.contains("FAKE")).count(), 0);
    assert!(variables.contains(&"Http_Query=real=1".to_owned()));
    assert!(variables.contains(&"Http_X_Real=true".to_owned()));
    let mut names: Vec<_> = variables.iter().map(|pair| pair.split('=').next()).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count, "no name twice");
}

#[test]
fn credentials_and_proxy_never_become_variables() {
    let request = Request::post("/")
        .header("Authorization", "Bearer s3cret")
        .header("Proxy-Authorization", "s3cret")
        .header("X-Bandog-Token", "s3cret")
        .header("Proxy", "s3cret");
    assert!(!variables(request).iter().any(|pair| pair.contains("s3cret")));
}

#[test]
fn repeated_headers_are_joined_and_giants_left_out() {
    let request = Request::post("/")
        .header("X-Many", "a")
        .header("X-Many", "b")
        .header("X-Long", "x".repeat(VALUE_LIMIT + 1))
        .header("traceparent", "00-abc-def-01");
    let variables = variables(request);
    assert!(variables.contains(&"Http_X_Many=a, b".to_owned()));
    assert!(variables.contains(&"TRACEPARENT=00-abc-def-01".to_owned()));
    assert!(!variables.iter().any(|pair| pair.starts_with("Http_X_Long")));
}

proptest! {
    /// A field is one variable, with the values of all its lines in order (RFC 9110 §5.3; of `Cookie` §5.4 of RFC 6265),
    /// or none: credentials, a name that could pose as another, a value that is too long.
    #[test]
    fn any_field_is_one_variable_with_its_values_as_sent(
        fields in prop::collection::vec(
            (
                prop::sample::select(vec![
                    "x-own", "X-Own", "X--Own-", "x_own", "Cookie", "accept", "a.b", "Authorization", "proxy", "path", "Query",
                    "x-bandog-token", "1",
                ]),
                prop_oneof![9 => "[ -~\u{e9}\u{202e}]{0,12}", 1 => Just("x".repeat(VALUE_LIMIT))],
            ),
            0..8,
        ),
    ) {
        let mut request = Request::get("/a?b");
        for (name, value) in &fields {
            request = request.header(*name, HeaderValue::from_bytes(value.as_bytes()).expect("a value"));
        }
        let set = variables(request);
        let is_unsafe = |name: &str| !name.chars().all(|char| char.is_ascii_alphanumeric() || char == '-');
        let hidden = ["authorization", "proxy", "x-bandog-token", "path", "query"];
        for (name, _) in &fields {
            let name = name.to_ascii_lowercase();
            let separator = if name == "cookie" { "; " } else { ", " };
            let values = fields.iter().filter(|(other, _)| other.eq_ignore_ascii_case(&name));
            let value = values.map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(separator);
            let words = name.split('-').map(|word| {
                let first = word.get(..1).unwrap_or_default().to_ascii_uppercase();
                format!("_{first}{}", word.get(1..).unwrap_or_default())
            });
            let variable = format!("Http{}=", words.collect::<String>());
            let found: Vec<_> = set.iter().filter_map(|pair| pair.strip_prefix(&variable)).collect();
            if hidden.contains(&&*name) {
                prop_assert!(found.is_empty() || matches!(&*name, "path" | "query") && found.len() == 1, "{:?}", found);
            } else if is_unsafe(&name) || value.len() > VALUE_LIMIT {
                prop_assert!(found.is_empty(), "{}: {:?}", name, found);
            } else {
                prop_assert_eq!(found, [value.as_str()], "{}", name);
            }
        }
        prop_assert_eq!(&set[1], "Http_Path=/a");
    }
}
