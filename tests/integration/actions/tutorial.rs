//! The README's tutorial, done as it is written: every command in one shell, in an empty directory, and what each of
//! them prints compared with what the README says it does.

use std::{fs, path::Path};

use crate::harness::{Command, command::BINARY, service::free_port};

/// What a shell prints between the output of two commands.
const MARK: &str = "\u{1e}";

/// A command and what it prints.
#[derive(Debug, Default)]
struct Step {
    command: String,
    printed: String,
}

/// The steps of the tutorial: a command begins with `$ `, and goes on to the end of its here-document.
fn steps(text: &str) -> Vec<Step> {
    let text =
        text.split_once("<!-- tutorial: ").expect("it begins").1.split_once("<!-- /tutorial -->").expect("it ends").0;
    let text = text.split_once("```console\n").expect("a block").1.split_once("```").expect("its end").0;
    let mut steps: Vec<Step> = Vec::new();
    let mut until: Option<String> = None;
    for line in text.lines() {
        if until.is_none()
            && let Some(command) = line.strip_prefix("$ ")
        {
            steps.push(Step { command: command.to_owned(), ..Step::default() });
            until = command.split_once("<<").map(|(_, word)| word.trim_matches('\'').to_owned());
        } else if let Some(step) = steps.last_mut() {
            let into = if until.is_some() { &mut step.command } else { &mut step.printed };
            if until.is_some() {
                into.push('\n');
            }
            into.push_str(line);
            if until.is_none() {
                into.push('\n');
            }
            until = until.filter(|word| word != line);
        }
    }
    steps
}

#[test]
fn the_tutorial_makes_a_service_from_an_empty_folder_in_ten_lines() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("README.md");
    let steps = steps(&readme);
    let file = steps.iter().find(|step| step.command.contains(">oms.yml")).expect("it writes a file");
    let lines = file.command.lines().count() - 2;
    assert!((1..=10).contains(&lines), "{lines} lines: {}", file.command);
    assert!(steps.len() >= 8, "does this test still read the README? {steps:#?}");

    let port = free_port();
    // It ends with what it started, whatever happens.
    let mut script = vec!["trap 'kill $! 2>/dev/null' EXIT".to_owned()];
    for step in &steps {
        script.push(step.command.replace("8080", &port.to_string()));
        if step.command.ends_with('&') {
            let probe = format!("bandog health --ready --url http://127.0.0.1:{port} 2>/dev/null");
            script.push(format!("until {probe}; do sleep 0.05; done"));
        }
        script.push(format!("echo '{MARK}'"));
    }
    script.push("wait".to_owned());
    let script = script.join("\n");
    let bash = Command::new(Path::new("/bin/bash")).args(["-c", &script]);
    let bin = bash.home().join("bin");
    fs::create_dir(&bin).expect("a directory");
    std::os::unix::fs::symlink(BINARY, bin.join("bandog")).expect("a link");
    let path = format!("{}:{}", bin.display(), crate::harness::PATH);
    let ran = bash.env("PATH", path).run();
    let printed: Vec<&str> = ran.text().split(&format!("{MARK}\n")).collect();
    assert_eq!(printed.len(), steps.len() + 1, "{ran}");
    for (step, printed) in steps.iter().zip(printed) {
        // To the last newline: without it a shell's prompt would follow on the same line.
        assert_eq!(printed, step.printed, "{}: {ran}", step.command);
    }
}
