//! A client that a program has generated of the description works: it is imported whole, and calls actions.

use std::{fs, path::Path};

use super::description::{of_everything, tool_of};
use crate::harness::{Ran, Server, server::Builder};

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

/// The same with the client of openapi-generator, which checks the arguments itself: a result of bytes is a picture of the
/// size that was asked for, and one from several pictures as well.
const CALLS_OF_OPENAPI_GENERATOR: &str = r#"
import base64, importlib, pkgutil, struct, sys

import openapi_client
for module in pkgutil.walk_packages(openapi_client.__path__, "openapi_client."):
    importlib.import_module(module.name)

from openapi_client import ApiClient, ApiException, Configuration, DefaultApi, Problem
from openapi_client import (
    CollageRequest, GreetRequest, HalfRequest, IdentifyRequest, LabelRequest, LabelRequestParcel, LabelRequestParcelTo,
    LabelRequestStyle, MeasureRequest, ShrinkRequest, StatisticsRequest, TallyRequest,
)

def size(png):
    assert png[:16] == b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR" and png[-8:-4] == b"IEND", png
    return struct.unpack(">II", png[16:24])

api = DefaultApi(ApiClient(Configuration(host=sys.argv[1], access_token="t0ken")))
sent = open(sys.argv[2], "rb").read()
picture = base64.b64encode(sent).decode()
width, height = size(sent)

small = api.shrink(ShrinkRequest(picture=picture, width=8))
assert size(small) == (8, height * 8 // width), small
assert size(api.collage(CollageRequest(pictures=[picture, picture, picture]))) == (3 * width, height)
measured = api.measure(MeasureRequest(picture=picture))
assert (measured.width, measured.height, measured.format) == (width, height, "PNG"), measured

counted = api.statistics(StatisticsRequest(text="to be or not"))
assert (counted.words, counted.characters) == (4, 12), counted
identity = "6ff7f276-75c2-466f-85a5-9b68b1348662"
parcel = LabelRequestParcel(id=identity, weight=2, to=LabelRequestParcelTo(city="Rome", express=True))
assert api.label(LabelRequest(parcel=parcel, style=LabelRequestStyle(3))) == "Rome Rome Rome"
assert api.greet(GreetRequest(name="Ann", times=2)).startswith("Hello, Ann!")
assert str(api.identify(IdentifyRequest(id=identity))) == identity
assert api.half(HalfRequest(number=3)) == 1.5
assert api.tally(TallyRequest(counts={"a": 1, "b": 2})) == 3
assert api.convert_http(var_from="mile", to="metre", amount=2.0).amount == 3218.688

try:
    api.statistics(StatisticsRequest(text=" "))
    sys.exit("no failure")
except ApiException as failure:
    assert isinstance(failure.data, Problem) and failure.data.exit_code == 1, failure
    assert failure.status == failure.data.status == 422, failure
print("called")
"#;

/// Gives the action with arguments of every type a value of each type, in a list, a map and an object as well.
const EVERYTHING: &str = r#"
import importlib, pkgutil, sys

import client
for module in pkgutil.walk_packages(client.__path__, "client."):
    importlib.import_module(module.name)

from client import Client
from client.api.default import everything
from client.models import EverythingBody

SHARED
for given in all_given():
    body = EverythingBody.from_dict(given)
    assert body.to_dict() == given, (body, given)
    response = everything.sync_detailed(client=Client(base_url=sys.argv[1]), body=body)
    assert response.status_code == 200, response
print("called")
"#;

/// The same with the client of openapi-generator, whose check of a file takes little more memory than its base64.
const EVERYTHING_OF_OPENAPI_GENERATOR: &str = r#"
import base64, sys, tracemalloc

from openapi_client import ApiClient, Configuration, DefaultApi, EverythingRequest

SHARED
api = DefaultApi(ApiClient(Configuration(host=sys.argv[1])))
for given in all_given():
    request = EverythingRequest.from_dict(given)
    sent = api.api_client.sanitize_for_serialization(request)
    assert sent == given, (sent, given)
    assert api.everything(request) is None

file = base64.b64encode(bytes(1_000_000)).decode()
tracemalloc.start()
EverythingRequest(one_path=file)
assert tracemalloc.get_traced_memory()[1] < 10 * len(file), tracemalloc.get_traced_memory()
print("called")
"#;

/// Arguments of every type, once with each choice of the one that is an enumeration.
const ALL_GIVEN: &str = r#"
def all_given():
    values = {
        "int": 1, "float": 0.5, "string": "a", "boolean": True, "list": [1, "a", None], "map": {"a": 1},
        "object": {"a": [2]}, "any": {"b": [1]}, "uuid": "6ff7f276-75c2-466f-85a5-9b68b1348662", "path": "QUJD",
    }
    for choice in ["a b", 1, True, 2.5]:
        given = {}
        for kind, value in {**values, "enum": choice}.items():
            given[f"one_{kind}"] = value
            given[f"{kind}_list"] = [value, value]
            given[f"{kind}_map"] = {"k": value}
            given[f"{kind}_object"] = {"a": value, "b": {"c": value}}
        yield given
"#;

/// Generates a client with openapi-generator, and runs a script with it.
#[track_caller]
fn with_openapi_generator(server: &Server, script: &str) -> Ran {
    let generator = tool_of("venv-generator", "openapi-generator-cli");
    fs::write(generator.home().join("openapi.json"), described(server)).expect("writable");
    let generated = generator
        // One compiler is enough for so short a run, and without its counters Java leaves no file behind.
        .env("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:-UsePerfData")
        .args(["generate", "--generator-name", "python", "--input-spec", "openapi.json", "--output", "."])
        .args(["--global-property", "models,apis,supportingFiles,modelDocs=false,apiDocs=false"])
        .args(["--global-property", "modelTests=false,apiTests=false"])
        .run()
        .expect(0);
    run_script("venv-generator", generated.home(), server, script)
}

fn workshop() -> Server {
    Builder::new().service("workshop").args(["--token", "t0ken"]).start()
}

/// A service with arguments of every type.
fn everything() -> Server {
    Builder::new().file("oms.yml", &of_everything().to_string()).start()
}

/// The document that is for generators.
fn described(server: &Server) -> Vec<u8> {
    let request = server.get("/_/openapi.json?bodies=json").header("Authorization", "Bearer t0ken");
    request.send().expect(200).body
}

/// Generates a client with openapi-python-client, and runs a script with it.
#[track_caller]
fn with_openapi_python_client(server: &Server, script: &str) -> Ran {
    let generator = tool_of("venv-client", "openapi-python-client");
    let home = generator.home().to_owned();
    fs::write(home.join("openapi.json"), described(server)).expect("writable");
    // It formats the modules with a program that stands beside it, and warns where there is none. Without it the client is
    // the same.
    fs::write(home.join("settings.yml"), "post_hooks: []\n").expect("writable");
    let generated = generator
        .args(["generate", "--path", "openapi.json", "--meta", "none", "--output-path", "client"])
        .args(["--config", "settings.yml", "--fail-on-warning"])
        .run()
        .expect(0);
    run_script("venv-client", generated.home(), server, script)
}

/// Runs a script beside the generated client. Its arguments are the URL of the server and a picture.
#[track_caller]
fn run_script(environment: &str, home: &Path, server: &Server, script: &str) -> Ran {
    fs::write(home.join("call.py"), script.replace("SHARED", ALL_GIVEN)).expect("writable");
    fs::write(home.join("picture.png"), super::service::picture()).expect("writable");
    let call = tool_of(environment, "python").arg(home.join("call.py")).args([&server.url("")]);
    call.arg(home.join("picture.png")).run().expect(0)
}

#[test]
fn a_generated_client_is_imported_and_calls_actions() {
    assert_eq!(with_openapi_python_client(&workshop(), CALLS).text(), "called\n");
}

#[test]
fn a_generated_client_has_arguments_of_every_type() {
    assert_eq!(with_openapi_python_client(&everything(), EVERYTHING).text(), "called\n");
}

#[test]
fn a_client_of_openapi_generator_is_imported_and_calls_actions() {
    assert_eq!(with_openapi_generator(&workshop(), CALLS_OF_OPENAPI_GENERATOR).text(), "called\n");
}

#[test]
fn a_client_of_openapi_generator_has_arguments_of_every_type() {
    assert_eq!(with_openapi_generator(&everything(), EVERYTHING_OF_OPENAPI_GENERATOR).text(), "called\n");
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
