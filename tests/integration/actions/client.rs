//! A client that a program has generated of the description works: it is imported whole, and calls actions.

use std::fs;

use super::description::tool_of;
use crate::harness::{Server, server::Builder};

/// Calls the workshop: a JSON result, a choice that is a number, a result of bytes, and mistakes in the arguments.
const CALLS: &str = r#"
import base64, importlib, pkgutil, sys

import client
for module in pkgutil.walk_packages(client.__path__, "client."):
    importlib.import_module(module.name)

from client import AuthenticatedClient
from client.api.default import label, shrink, statistics
from client.models import (
    LabelBody, LabelBodyParcel, LabelBodyStyleType1, Problem, ShrinkBody, StatisticsBody,
)

to = AuthenticatedClient(base_url=sys.argv[1], token="t0ken")
counted = statistics.sync(client=to, body=StatisticsBody(text="to be or not"))
assert (counted.words, counted.characters) == (4, 12), counted

parcel = LabelBodyParcel.from_dict(
    {"id": "6ff7f276-75c2-466f-85a5-9b68b1348662", "weight": 2, "to": {"city": "Rome", "express": True}}
)
answer = label.sync_detailed(client=to, body=LabelBody(parcel=parcel, style=LabelBodyStyleType1(3)))
assert answer.content == b"Rome Rome Rome", answer

picture = base64.b64encode(open(sys.argv[2], "rb").read()).decode()
small = shrink.sync(client=to, body=ShrinkBody(picture=picture, width=8))
assert small.payload.read().startswith(b"\x89PNG"), small

wrong = shrink.sync(client=to, body=ShrinkBody(picture=picture, width=0))
assert isinstance(wrong, Problem) and wrong.status == 400, wrong
print("called")
"#;

fn workshop() -> Server {
    Builder::new().service("workshop").args(["--token", "t0ken"]).start()
}

#[test]
fn a_generated_client_is_imported_and_calls_actions() {
    let server = workshop();
    let document = server.get("/_/openapi.json?bodies=json").header("Authorization", "Bearer t0ken").send().expect(200);
    let generator = tool_of("venv-client", "openapi-python-client");
    let home = generator.home().to_owned();
    fs::write(home.join("openapi.json"), &document.body).expect("writable");
    fs::write(home.join("call.py"), CALLS).expect("writable");
    fs::write(home.join("picture.png"), super::service::picture()).expect("writable");
    // It formats the modules with a program that stands beside it, and warns where there is none. Without it the client is
    // the same.
    fs::write(home.join("settings.yml"), "post_hooks: []\n").expect("writable");
    let generated = generator
        .args(["generate", "--path", "openapi.json", "--meta", "none", "--output-path", "client"])
        .args(["--config", "settings.yml", "--fail-on-warning"])
        .run()
        .expect(0);
    let call = tool_of("venv-client", "python").arg(home.join("call.py")).args([&server.url("")]);
    let ran = call.arg(home.join("picture.png")).run().expect(0);
    assert_eq!(ran.text(), "called\n");
    drop(generated);
}

#[test]
fn one_body_for_each_action_is_described_where_that_is_asked_for() {
    let server = workshop();
    let get =
        |query: &str| server.get(&format!("/_/openapi.json{query}")).header("Authorization", "Bearer t0ken").send();
    let medias = |document: &serde_json::Value| {
        let content = document["paths"]["/run/shrink"]["post"]["requestBody"]["content"].clone();
        content.as_object().expect("content").keys().cloned().collect::<Vec<_>>()
    };
    let every =
        ["application/json", "application/x-www-form-urlencoded", "multipart/form-data", "application/octet-stream"];
    assert_eq!(medias(&get("").expect(200).json()), every);
    assert_eq!(medias(&get("?bodies=every").expect(200).json()), every);
    let json = get("?x=1&bodies=json").expect(200).json();
    assert_eq!(medias(&json), ["application/json"]);
    let result = &json["paths"]["/run/shrink"]["post"]["responses"]["200"]["content"]["application/octet-stream"];
    assert_eq!(result["schema"], serde_json::json!({"type": "string", "format": "binary"}));
    let problem = get("?bodies=xml").problem(400);
    assert!(problem["detail"].as_str().expect("text").contains("use json for one body for each action"), "{problem}");

    let listed = crate::harness::bandog(&["actions", "--format", "openapi", "--bodies", "json"]);
    crate::harness::service::unpack("workshop", listed.home());
    assert_eq!(medias(&super::json(listed.run().expect(0).text())), ["application/json"]);
}
