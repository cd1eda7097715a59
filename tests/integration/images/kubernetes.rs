//! `deploy/kubernetes.yaml`, run by Docker: each container of its pod with the command, the variables, the volumes and
//! the limits that the file gives it. It is no Kubernetes; fields it does not know fail the test.

use std::{collections::BTreeMap, fs, process::Command};

use serde_json::Value;

use super::{Container, Images, Volume, docker, images, name, succeed};
use crate::harness::{encode, shown};

#[test]
fn the_kubernetes_manifest_makes_a_function_without_an_image_of_its_own() {
    let Some(images) = images() else { return };
    let manifest = Manifest::read();
    let pod = &manifest.of("Deployment")["spec"]["template"]["spec"];
    let volumes = manifest.volumes(pod, &images);

    for init in list(&pod["initContainers"]) {
        let container = name("init");
        let (options, image, command) = described(init, &volumes, &images);
        succeed(
            Command::new("docker").args(["run", "--rm", "--name", &container]).args(options).arg(image).args(command),
            b"",
        );
    }

    let [function] = list(&pod["containers"]) else { panic!("more than one container: {pod}") };
    let (options, image, command) = described(function, &volumes, &images);
    let container = Container::run("pod", &borrowed(&options), image, &borrowed(&command));
    container.wait_until_ready("/shared/bandog");
    for probe in ["readinessProbe", "livenessProbe"] {
        let probe = &function[probe]["httpGet"];
        assert_eq!(probe["port"], function["ports"][0]["containerPort"]);
        container.get(text(&probe["path"])).expect(200);
    }
    let answer = container.post(&encode("by way of a volume")).expect(200);
    assert_eq!(shown(&answer.decoded()), "BY WAY OF A VOLUME");

    // The names that tie the documents to each other.
    let label = &manifest.of("Deployment")["spec"]["template"]["metadata"]["labels"];
    assert_eq!(&manifest.of("Deployment")["spec"]["selector"]["matchLabels"], label);
    assert_eq!(&manifest.of("Service")["spec"]["selector"], label);
    assert_eq!(manifest.of("Service")["spec"]["ports"][0]["targetPort"], function["ports"][0]["containerPort"]);
}

/// The documents of the file.
struct Manifest(Vec<Value>);

impl Manifest {
    fn read() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/kubernetes.yaml");
        let file = fs::read_to_string(path).expect("the manifest");
        let parsed = |document| serde_saphyr::from_str(document).unwrap_or_else(|error| panic!("{path}: {error}"));
        Self(file.split("\n---\n").map(parsed).collect())
    }

    /// The one document of this kind.
    fn of(&self, kind: &str) -> &Value {
        self.0.iter().find(|document| document["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"))
    }

    /// The volumes of the pod, filled, by their names in it.
    fn volumes(&self, pod: &Value, images: &Images) -> BTreeMap<String, Volume> {
        let make = |spec: &Value| {
            let volume = Volume(name("pod"));
            docker(["volume", "create", &volume.0]);
            let mount = format!("{}:/mnt", volume.0);
            let fill = |script: &str, input: &str| {
                let run = ["run", "--rm", "--interactive", "--name", &name("fill"), "--volume", &mount, &images.base];
                succeed(Command::new("docker").args(run).args(["sh", "-c", script]), input.as_bytes());
            };
            if spec.get("emptyDir").is_some() {
                // As the kubelet makes it: for any user.
                fill("chmod 0777 /mnt", "");
            } else {
                let map = self.of("ConfigMap");
                assert_eq!(spec["configMap"]["name"], map["metadata"]["name"], "{spec}");
                for (file, content) in map["data"].as_object().expect("files") {
                    fill(&format!("cat >/mnt/{file}"), text(content));
                }
            }
            (text(&spec["name"]).to_owned(), volume)
        };
        list(&pod["volumes"]).iter().map(make).collect()
    }
}

/// Options of `docker run`, image and command of one container.
fn described<'a>(
    container: &Value,
    volumes: &BTreeMap<String, Volume>,
    images: &'a Images,
) -> (Vec<String>, &'a str, Vec<String>) {
    let mut options = Vec::new();
    let mut image = "";
    let mut command = Vec::new();
    for (field, value) in container.as_object().expect("a container") {
        match field.as_str() {
            "image" if value == "bandog" => image = &images.alone.0,
            "image" => image = &images.base,
            "command" => {
                let [program, rest @ ..] = list(value) else { panic!("an empty command") };
                options.push(format!("--entrypoint={}", text(program)));
                command.splice(0..0, rest.iter().map(|word| text(word).to_owned()));
            }
            "args" => command.extend(list(value).iter().map(|word| text(word).to_owned())),
            "env" => {
                let setting = |entry: &Value| format!("--env={}={}", text(&entry["name"]), text(&entry["value"]));
                options.extend(list(value).iter().map(setting));
            }
            "resources" => {
                let memory = text(&value["limits"]["memory"]).strip_suffix("Mi").expect("MiB");
                options.push(format!("--memory={memory}m"));
            }
            "securityContext" => {
                options.push(format!("--user={}", value["runAsUser"]));
                options.push(format!("--read-only={}", value["readOnlyRootFilesystem"]));
            }
            "volumeMounts" => options.extend(list(value).iter().map(|mount| {
                let rights = if mount["readOnly"] == true { "ro" } else { "rw" };
                format!("--volume={}:{}:{rights}", volumes[text(&mount["name"])].0, text(&mount["mountPath"]))
            })),
            // Looked at by the test itself, or a name.
            "name" | "ports" | "readinessProbe" | "livenessProbe" => {}
            unknown => panic!("{unknown}: not understood by this test"),
        }
    }
    (options, image, command)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("not a list: {value}"))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}"))
}

fn borrowed(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}
