//! Calls of the typed actions in `fixtures/services/soak/oms.yml`.

use serde_json::{Value, json};

use super::{
    Maker,
    bodies::{BOUNDARY, form},
};
use crate::call::{Call, Problem, Wanted};

/// Words that need no escapes, in JSON or elsewhere.
const WORDS: [&str; 5] = ["tea", "short", "stout", "handle", "spout"];

/// The plain text that an action says.
fn text(said: String) -> Wanted {
    Wanted::Result { kind: "text/plain; charset=utf-8", body: said.into_bytes() }
}

impl Maker {
    fn action(&mut self, name: &str, wanted: Wanted) -> Call {
        let id = self.next_id();
        Call::to(id, &format!("/run/{name}"), Vec::new(), wanted)
    }

    /// The call with its arguments in a query, a form or JSON, whatever their order.
    fn given(&mut self, mut call: Call, mut arguments: Vec<(&'static str, Value)>) -> Call {
        let first = self.chance.below(arguments.len().max(1));
        arguments.rotate_left(first);
        let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let mut fields = form_urlencoded::Serializer::new(String::new());
        fields.extend_pairs(arguments.iter().map(|(name, value)| (name, plain(value))));
        let fields = fields.finish();
        match self.chance.below(4) {
            0 => {
                call.target = format!("{}?{fields}", call.target);
                call
            }
            1 => {
                call.body = fields.into_bytes();
                self.framed(call.with("Content-Type", "application/x-www-form-urlencoded"))
            }
            _ => {
                let members: Vec<String> =
                    arguments.iter().map(|(name, value)| format!("{}: {value}", Value::from(*name))).collect();
                call.body = format!("{{{}}}", members.join(", ")).into_bytes();
                self.framed(call.with("Content-Type", "application/json"))
            }
        }
    }

    pub(super) fn right_arguments(&mut self) -> Call {
        if self.chance.once_in(2) { self.say() } else { self.keep() }
    }

    fn say(&mut self) -> Call {
        let word = self.chance.pick(&WORDS);
        let mut arguments = vec![("text", json!(word))];
        let (mut times, mut loud) = (1, false);
        if self.chance.once_in(2) {
            times = self.chance.between(1, 5);
            arguments.push(("times", json!(times)));
        }
        if self.chance.once_in(2) {
            loud = true;
            arguments.push(("loud", json!(loud)));
        }
        let said = format!("{} {loud}", format!("{word}.").repeat(times));
        let call = self.action("say", text(said));
        self.given(call, arguments)
    }

    /// The document of all arguments, in the order of the file and with its defaults.
    fn keep(&mut self) -> Call {
        let number = self.chance.next() >> 1;
        let mut arguments = vec![("number", json!(number))];
        if self.chance.once_in(2) {
            arguments.push(("share", json!(self.chance.pick(&[0.0, 0.25, 0.5, 1.0]))));
        }
        if self.chance.once_in(2) {
            let words: Vec<&str> = (0..self.chance.between(1, 4)).map(|_| self.chance.pick(&WORDS)).collect();
            arguments.push(("words", json!(words)));
        }
        if self.chance.once_in(2) {
            let id = uuid::Uuid::from_u128(u128::from(self.chance.next()));
            arguments.push(("id", json!(id.to_string())));
        }
        let mut kept = arguments.clone();
        if self.chance.once_in(2) {
            arguments.push(("level", json!("high")));
            kept.push(("level", json!("high")));
        } else {
            kept.push(("level", json!("low")));
        }
        let members: Vec<String> = kept.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        let body = format!("{{{}}}", members.join(",")).into_bytes();
        let call = self.action("keep", Wanted::Result { kind: "application/json", body });
        self.given(call, arguments)
    }

    /// A file as the whole body, or as the part of a form.
    pub(super) fn file_argument(&mut self) -> Call {
        let input = self.input(300_000);
        let wanted = Wanted::Result { kind: "application/octet-stream", body: input.clone() };
        let mut call = self.action("copy", wanted);
        if self.chance.once_in(2) {
            call.body = form(&[("file".to_owned(), Some("in.bin".to_owned()), input)]);
            return self.framed(call.with("Content-Type", format!("multipart/form-data; boundary={BOUNDARY}")));
        }
        call.body = input;
        self.framed(call.with("Content-Type", "application/octet-stream"))
    }

    /// Every mistake is in the list, and nothing is started.
    pub(super) fn wrong_arguments(&mut self) -> Call {
        let (name, arguments, errors) = self.chance.pick(&[
            (
                "say",
                &[("times", "6"), ("txt", "tea")] as &[_],
                &[("text", "missing"), ("times", "invalid"), ("txt", "unexpected")] as &[_],
            ),
            ("say", &[("text", "TEA"), ("loud", "very")], &[("loud", "invalid"), ("text", "invalid")]),
            (
                "keep",
                &[("number", "x"), ("share", "2"), ("level", "middle"), ("id", "7")],
                &[("id", "invalid"), ("level", "invalid"), ("number", "invalid"), ("share", "invalid")],
            ),
            ("keep", &[], &[("number", "missing")]),
            ("fail", &[("code", "0")], &[("code", "invalid")]),
        ]);
        let problem = Problem { status: 400, slug: "invalid-arguments", errors: errors.to_vec(), ..Problem::default() };
        let call = self.action(name, Wanted::Problem(problem));
        self.given(call, arguments.iter().map(|(name, value)| (*name, json!(value))).collect())
    }

    /// Ends with `code`, once, whatever that says of another attempt.
    pub(super) fn failing_action(&mut self, code: i64) -> Call {
        let (status, slug) = match code {
            1 => (422, "action-failed"),
            2 => (503, "action-unavailable"),
            _ => (500, "function-failed"),
        };
        let traceback = Some(format!("words of {code}\n"));
        let problem = Problem { status, slug, exit_code: Some(code), traceback, ..Problem::default() };
        let call = self.action("fail", Wanted::Problem(problem));
        self.given(call, vec![("code", json!(code))])
    }

    pub(super) fn some_actions(&mut self, most: usize) -> Vec<Call> {
        let count = self.chance.between(2, most);
        (0..count)
            .map(|_| match self.chance.below(6) {
                0 => self.wrong_arguments(),
                1 => self.failing_action(1),
                2 => self.failing_action(3),
                3 => self.file_argument(),
                _ => self.right_arguments(),
            })
            .collect()
    }
}
