//! Tests of results: the output of an action, and the response sent.

use serde_json::json;

use super::*;
use crate::Property;

fn output(kind: Type, content_type: Option<MediaType>) -> Output {
    Output { schema: Some(Schema { kind, ..Schema::default() }), content_type, help: None }
}

fn checked(output: &Output, printed: &str) -> Result<(String, String), String> {
    let answer = output.check(&Bytes::copy_from_slice(printed.as_bytes())).map_err(|error| error.to_string())?;
    let body = String::from_utf8(answer.body.to_vec()).expect("text");
    Ok((answer.media_type.unwrap_or_default(), body))
}

#[test]
fn each_type_is_sent_as_what_it_is() {
    let text = "text/plain; charset=utf-8";
    let json = "application/json";
    for (kind, declared, printed, media_type, body) in [
        (Type::Int, None, " 5\n", json, "5"),
        (Type::Int, None, "+5\n", json, "5"),
        (Type::Int, None, "5.0\n", json, "5.0"),
        (Type::Float, None, "5\n", json, "5"),
        (Type::Boolean, None, "true\n", json, "true"),
        (Type::List, None, "[1, 2]\n", json, "[1, 2]"),
        (Type::Map, None, "{\"a\" : 1}", json, "{\"a\" : 1}"),
        (Type::Object, None, "{}", json, "{}"),
        (Type::String, None, " two words\n", text, "two words"),
        (Type::String, None, "", text, ""),
        (Type::String, Some(MediaType::Json), "two\n", json, "\"two\""),
        (Type::String, Some(MediaType::Json), "\"two\"\n", json, "\"two\""),
        (Type::Path, None, "/a\n", text, "/a"),
        (Type::Any, None, "{\"a\":1}\n", json, "{\"a\":1}"),
        (Type::Any, None, "words\n", text, "words"),
        (Type::Any, Some(MediaType::Form), "a=1&b=2\n", "application/x-www-form-urlencoded", "a=1&b=2"),
        (Type::Any, Some(MediaType::Bytes), " \n", "application/octet-stream", " \n"),
    ] {
        let wanted = Ok((media_type.to_owned(), body.to_owned()));
        assert_eq!(checked(&output(kind, declared), printed), wanted, "{printed:?} as {}", kind.as_str());
    }
    let none = Output::default();
    assert_eq!(checked(&none, "whatever"), Ok((String::new(), String::new())));
}

#[test]
fn what_is_no_such_result_is_named_with_its_beginning() {
    for (kind, declared, printed, why) in [
        (Type::Int, None, "five", "`five`"),
        (Type::Int, None, "", "is empty"),
        (Type::Int, None, "5.5", "a whole number"),
        (Type::Boolean, None, "True", "true or false"),
        (Type::List, None, "1, 2", "not JSON"),
        (Type::List, None, "{}", "a list"),
        (Type::Map, None, "[]", "an object"),
        (Type::Map, None, "{\"a\":1,\"a\":2}", "twice"),
        (Type::Any, Some(MediaType::Json), "words", "not JSON"),
        (Type::Uuid, None, "words", "a UUID"),
        (Type::Any, Some(MediaType::Multipart), "words", "boundary"),
    ] {
        let told = checked(&output(kind, declared), printed).expect_err(printed);
        assert!(told.contains(why) && told.contains("the result is not what the action declares"), "{told}");
    }
    let not_utf8 = output(Type::String, None).check(&Bytes::from_static(b"\xff")).expect_err("refused");
    assert_eq!(not_utf8.why, ResultError::NotUtf8);
    let long = output(Type::String, None).check(&vec![b'x'; MAX_RESULT + 1].into()).expect_err("refused");
    assert_eq!((&long.why, long.beginning.chars().count()), (&ResultError::TooLong, 81));
}

fn sized() -> Schema {
    let property = |name: &str, kind, required| Property {
        name: name.to_owned(),
        schema: Schema { kind, ..Schema::default() },
        required,
        help: None,
    };
    let properties = vec![property("width", Type::Int, true), property("unit", Type::Boolean, false)];
    Schema { kind: Type::Object, properties, ..Schema::default() }
}

#[test]
fn the_properties_of_a_result_are_checked_in_every_form_of_it() {
    let of = |content_type| Output { schema: Some(sized()), content_type, help: None };
    let part =
        |name: &str, value: &str| format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    let form = |parts: &[String]| format!("{}--b--\r\n", parts.concat());
    for (content_type, printed, fits) in [
        (None, "{\"width\":5,\"more\":1}".to_owned(), true),
        (None, "{\"unit\":true}".to_owned(), false),
        (None, "{\"width\":\"5\"}".to_owned(), false),
        (Some(MediaType::Form), "width=5&more=1".to_owned(), true),
        (Some(MediaType::Form), "width=5&unit=yes".to_owned(), false),
        (Some(MediaType::Form), "width=5&width=6".to_owned(), false),
        (Some(MediaType::Form), "unit=true".to_owned(), false),
        (Some(MediaType::Multipart), form(&[part("width", "5"), part("more", "x")]), true),
        (Some(MediaType::Multipart), form(&[part("width", "x")]), false),
        (Some(MediaType::Multipart), form(&[part("unit", "true")]), false),
        (Some(MediaType::Multipart), part("width", "5"), false),
    ] {
        assert_eq!(checked(&of(content_type), &printed).is_ok(), fits, "{printed}");
    }
    let (media_type, _) = checked(&of(Some(MediaType::Multipart)), &form(&[part("width", "5")])).expect("it fits");
    assert_eq!(media_type, "multipart/form-data; boundary=\"b\"");
}

#[test]
fn a_servers_answer_is_checked_by_its_own_type_and_goes_on_as_it_is() {
    let object = Output { schema: Some(sized()), content_type: None, help: None };
    let int = output(Type::Int, None);
    for (output, content_type, body, fits) in [
        (&object, Some("application/json; charset=utf-8"), " {\"width\": 5}\n", true),
        (&object, Some("application/vnd.x+json"), "{\"width\":5}", true),
        (&object, Some("application/x-www-form-urlencoded"), "width=5", true),
        (&object, Some("multipart/form-data"), "width=5", false),
        (&object, Some("text/html"), "<p>", false),
        (&int, Some("text/plain"), "5", true),
        (&int, Some("application/json"), "+5", false),
        (&int, Some("application/json"), "\"5\"", false),
        (&output(Type::String, None), Some("text/html"), "<p>", true),
        (&output(Type::Any, Some(MediaType::Bytes)), Some("image/png"), "x", true),
    ] {
        let answer = output.check_response(content_type, &Bytes::copy_from_slice(body.as_bytes()));
        assert_eq!(answer.is_ok(), fits, "{body} as {content_type:?}: {answer:?}");
        if let Ok(answer) = answer {
            assert_eq!((answer.media_type.as_deref(), &answer.body[..]), (content_type, body.as_bytes()));
        }
    }
    assert!(int.is_checked_whole() && object.is_checked_whole());
    assert!(!output(Type::String, None).is_checked_whole() && !Output::default().is_checked_whole());
    assert!(output(Type::String, Some(MediaType::Json)).is_checked_whole());
    let choices = json!(["a"]).as_array().cloned();
    let schema = Some(Schema { kind: Type::String, choices, ..Schema::default() });
    assert!(Output { schema, ..Output::default() }.is_checked_whole());
}
