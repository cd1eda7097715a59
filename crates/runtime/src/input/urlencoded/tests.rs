use proptest::prelude::*;

use super::*;

fn object(form: &[u8]) -> Result<String, String> {
    let mut object = FormObject::default();
    for piece in form.chunks(3) {
        object.push(piece).map_err(|error| error.to_string())?;
    }
    let (kind, text) = object.finish().map_err(|error| error.to_string())?;
    assert_eq!(kind == InputKind::Empty, form.is_empty());
    Ok(String::from_utf8(text).expect("text"))
}

#[test]
fn the_fields_become_an_object_in_the_order_sent() {
    for (form, wanted) in [
        ("token=a&text=b", r#"{"token":"a","text":"b"}"#),
        ("key=", r#"{"key":""}"#),
        ("a=1&b=x+y&a=%C3%A9&a=3", r#"{"a":["1","é","3"],"b":"x y"}"#),
        ("a%3D%26=%22%0A\r\n", r#"{"a=&":"\"\n"}"#),
        ("alone", r#"{"alone":""}"#),
        ("&&=x&", r#"{"":"x"}"#),
        (" {\"a\": 1}", " {\"a\": 1}"),
        ("{a}=1", r#"{"{a}":"1"}"#),
        ("", ""),
    ] {
        assert_eq!(object(form.as_bytes()).as_deref(), Ok(wanted), "{form}");
    }
    for form in ["a=%ff", "%ff=1", "a=1&b=\u{e9}%80"] {
        let error = object(form.as_bytes()).expect_err(form);
        assert!(error.contains("is not UTF-8; --forms raw"), "{error}");
    }
    assert!(FormObject::default().push(&vec![b'a'; LIMIT + 1]).is_err());
}

#[test]
fn a_form_is_told_by_its_name_and_characters() {
    for form in ["key=", "a=1&b=x+y", "token=a&text=%20b\r\n", "a.b[0]=1;c=2"] {
        assert!(is_like_form(form.as_bytes()), "{form}");
    }
    for other in [
        "",
        "=",
        "=a",
        "QQ==",
        "QQ==l",
        "hello",
        "Hello World",
        "a = b",
        "{\"a\"=1}",
        "key=\u{e9}",
        "<a b=\"c\">",
        "a\0=b",
    ] {
        assert!(!is_like_form(other.as_bytes()), "{other:?}");
    }
}

#[test]
fn the_line_to_type_has_the_body_only_if_it_is_whole_and_plain() {
    let line = |head: &[u8], length| AskedBy { url: "http://h/".to_owned(), length }.curl_line(head);
    assert!(line(b"hello", Some(5)).ends_with(" --data-binary 'hello' http://h/"));
    for (head, length) in [
        (&b"hello"[..], Some(6)),
        (b"hello", None),
        (b"it's", Some(4)),
        (b"@file", Some(5)),
        (b"a\nb", Some(3)),
        (b"\xff", Some(1)),
    ] {
        assert!(line(head, length).ends_with(" --data-binary @FILE http://h/"), "{head:?}");
    }
}

proptest! {
    #[test]
    fn any_fields_come_out_as_they_went_into_the_form(
        fields in prop::collection::vec(("\\PC{1,6}|[+%&= \"\\\\\n\0]{1,4}", "\\PC{0,6}|[+%&= \"\\\\\n\0]{0,4}"), 1..6),
    ) {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
        let read: Value = serde_json::from_str(&object(form.as_bytes()).expect("a form")).expect("JSON");
        for (name, _) in &fields {
            let wanted: Vec<_> = fields.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str()).collect();
            let found: Vec<_> = match &read[name] {
                Value::Array(values) => values.iter().filter_map(Value::as_str).collect(),
                value => value.as_str().into_iter().collect(),
            };
            prop_assert_eq!(found, wanted);
        }
    }

    #[test]
    fn no_body_does_harm(form in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = object(&form);
        let _ = is_like_form(&form);
    }
}
