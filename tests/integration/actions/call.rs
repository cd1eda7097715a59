//! `bandog call -a`: the arguments of an action; and `-v`: the heads of what is sent and received.

use super::{json, serve};
use crate::harness::{Ran, Server, bandog};

const ACTIONS: &str = r#"
oms: 1
actions:
  show:
    format: {command: [sh, -c, 'printf %s "$1"', sh]}
    arguments: {text: {type: string}, number: {type: int}, tags: {type: list}, big: {type: any}}
    output: {type: object}
  size:
    format: {command: [sh, -c, 'wc -c <"$1"; echo {unit}', sh, '{file}']}
    arguments: {file: {type: path, required: true}, unit: {type: string, default: bytes}}
    output: {type: string}
"#;

fn call(server: &Server, path: &str, arguments: &[&str]) -> Ran {
    bandog(["call", &server.url(path)]).args(arguments).file("a.txt", "12345").run()
}

#[test]
fn arguments_are_a_json_object_or_beside_an_input_the_query() {
    let server = serve(ACTIONS).start();
    let arguments = ["-a", "text=to be = not", "--argument", "tags=[1, \"b\"]", "-a", "number=7"];
    let ran = call(&server, "/run/show", &arguments).expect(0);
    assert_eq!(json(ran.text()), serde_json::json!({"text": "to be = not", "tags": [1, "b"], "number": 7}), "{ran}");
    let big = "big=340282366920938463463374607431768211455";
    let ran = call(&server, "/run/show", &["-a", big, "-a", "text=\"80\""]).expect(0);
    assert!(ran.text().contains("340282366920938463463374607431768211455") && ran.text().contains("\"80\""), "{ran}");
    for arguments in [["-a", "file=@a.txt", "-a", "unit=B"], ["-f", "a.txt", "-a", "unit=B"]] {
        let ran = call(&server, "/run/size", &arguments).expect(0);
        assert_eq!(ran.text().split_whitespace().collect::<Vec<_>>(), ["5", "B"], "{ran}");
    }
    let ran = call(&server, "/run/show", &["-a", "number=x"]).expect(1);
    assert!(ran.complaint().contains("`number`"), "{ran}");
    call(&server, "/run/show", &["-a", "no value"]).expect(78);
}

#[test]
fn the_heads_are_shown_without_the_token() {
    let server = serve(ACTIONS).args(["--token", "t0k3n"]).start();
    for (token, code, status) in [("t0k3n", 0, "< HTTP/1.1 200"), ("wr0ng", 1, "< HTTP/1.1 401")] {
        let ran = call(&server, "/run/show", &["-v", "-t", token, "-a", "number=7"]).expect(code);
        for line in [
            "> POST /run/show HTTP/1.1\n",
            "> authorization: Bearer ***\n",
            "> content-type: application/json\n",
            status,
        ] {
            assert!(ran.complaint().contains(line), "{line}: {ran}");
        }
        assert!(!ran.complaint().contains(token), "{ran}");
        assert_eq!(ran.text().is_empty(), code != 0, "nothing of it is in the result: {ran}");
    }
    let ran = call(&server, "/run/show", &["-t", "t0k3n", "-a", "number=7"]).expect(0);
    assert_eq!(ran.complaint(), "", "{ran}");
}
