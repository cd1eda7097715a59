//! `bandog init`: each template works as printed, and nothing is overwritten.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use crate::harness::{Command, Ran, bandog, command::BINARY, listing, service::free_port};

/// Writes a template into a directory with a blank in its name. Returns the run, and the commands that it prints.
fn written(template: &str) -> (Ran, Vec<String>) {
    let ran = bandog(["init", template, "my function"]).run().expect(0);
    let (files, next) = ran.text().split_once("\n\nNext:\n").unwrap_or_else(|| panic!("{ran}"));
    for file in files.lines() {
        assert!(ran.home().join(file).is_file(), "{file}: {ran}");
    }
    assert_eq!(files.lines().count(), listing(&ran.home().join("my function")).len(), "{ran}");
    let commands: Vec<String> = next.lines().map(|line| line.trim().to_owned()).collect();
    assert_eq!(commands.len(), 2, "{ran}");
    (ran, commands)
}

/// Runs commands in one shell where the template was written, with `bandog` on its path.
fn typed(ran: &Ran, script: &str) -> Ran {
    let bash = Command::new(Path::new("/bin/bash"));
    let bin = bash.home().join("bin");
    fs::create_dir(&bin).expect("a directory");
    std::os::unix::fs::symlink(BINARY, bin.join("bandog")).expect("a link");
    let path = format!("{}:{}", bin.display(), crate::harness::PATH);
    let script = format!("cd '{}'\n{script}", ran.home().display());
    bash.args(["-ec", &script]).env("PATH", path).run().expect(0)
}

#[test]
fn the_template_for_oscar_runs_and_serves() {
    let (ran, next) = written("oscar");
    assert_eq!(typed(&ran, &next[0]).text(), "HELLO");
    assert_eq!(next[1], "docker build -t my-function .");
    let dir = ran.home().join("my function");
    let mode = fs::metadata(dir.join("script.sh")).expect("a script").permissions().mode();
    assert_eq!(mode & 0o777, 0o755, "it can be executed");
    bandog(["check", "--script"]).arg(dir.join("script.sh")).run().expect(0);
    let port = free_port();
    let script = format!(
        "cd 'my function'; bandog ./script.sh --listen :{port} & trap 'kill $!; wait $!' EXIT
         until bandog health --ready --listen :{port}; do sleep 0.1; done 2>/dev/null
         bandog call localhost:{port} -i hello"
    );
    assert_eq!(typed(&ran, &script).text(), "HELLO");
}

#[test]
fn the_template_of_actions_runs_and_has_no_mistake() {
    let (ran, next) = written("actions");
    assert_eq!(typed(&ran, &next[0]).text().trim(), "6");
    assert_eq!(next[1], "docker build -t my-function .");
    let lines = typed(&ran, "cd 'my function'; bandog run count -a text='to be' -a unit=lines; bandog check >&2");
    assert_eq!(lines.text().trim(), "1");
}

#[test]
fn the_template_of_a_server_serves_as_printed() {
    let (ran, next) = written("http");
    let port = free_port();
    let script = format!(
        "export BANDOG_LISTEN=:{port}
         {{ {}; }} & trap 'kill $(jobs -p); wait' EXIT
         until bandog health --ready; do sleep 0.1; done 2>/dev/null
         {}",
        next[0].replace("&& bandog", "&& exec bandog"),
        next[1].replace("8080", &port.to_string()).replace("curl", "curl -s")
    );
    assert_eq!(typed(&ran, &script).text(), "HELLO");
}

#[test]
fn every_dockerfile_starts_what_the_template_has() {
    for template in ["oscar", "actions", "http"] {
        let (ran, _) = written(template);
        let dir = ran.home().join("my function");
        let dockerfile = fs::read_to_string(dir.join("Dockerfile")).expect("a Dockerfile");
        assert!(dockerfile.contains("COPY --from=bandog /bandog /usr/local/bin/bandog\n"), "{dockerfile}");
        for line in dockerfile.lines().filter(|line| line.starts_with("COPY ") && !line.contains("--from")) {
            let file = line.split(' ').find(|word| !word.starts_with('-') && *word != "COPY").expect("a file");
            assert!(dir.join(file).is_file(), "{line}");
        }
    }
}

#[test]
fn nothing_is_overwritten_and_each_file_in_the_way_is_named() {
    let ran = bandog(["init", "oscar"]).file("script.sh", "mine").file("Dockerfile", "mine").run().expect(73);
    for name in ["script.sh", "Dockerfile"] {
        assert!(ran.complaint().contains(&format!("./{name} is there already; nothing is written")), "{ran}");
        assert_eq!(fs::read_to_string(ran.home().join(name)).expect("kept"), "mine");
    }
    assert!(!ran.home().join("fdl.yml").exists(), "{ran}");
    // Other files are no hindrance.
    bandog(["init", "http"]).file("README.md", "mine").run().expect(0);
}
