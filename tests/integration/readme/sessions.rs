//! Sessions, done as they are written: every command of a page in one shell, in an empty directory, and what each of
//! them prints compared with what the page says.

use std::{fs, path::Path};

use super::pages::{self, Page};
use crate::harness::{self, Command, command::BINARY, function, noise, program, serve, service::free_port};

/// The command after one that starts a server, so that a block that is pasted as a whole sends nothing too early.
const WAIT: &str = "until bandog health --ready; do sleep 0.1; done";

/// Printed between the output of two commands.
const MARK: &str = "\u{1e}";

/// A command and what it prints.
#[derive(Debug, Default)]
struct Step {
    command: String,
    printed: String,
}

/// The sessions of a page. Each begins in an empty directory, and may be interrupted by prose.
fn sessions(page: &Page) -> Vec<Vec<Step>> {
    let parts = page.text.split("<!-- tutorial: ").skip(1);
    parts
        .map(|part| {
            let (session, _) = part.split_once("<!-- /tutorial -->").expect("it ends");
            let blocks = session.split("```console\n").skip(1);
            blocks.flat_map(|block| steps(block.split_once("```").expect("the block ends").0)).collect()
        })
        .collect()
}

/// A command begins with `$ `, and goes on to the end of its here-document.
fn steps(block: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut until: Option<String> = None;
    for line in block.lines() {
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

/// Runs the steps in one shell, with port 8080 replaced by a free one.
fn play(page: &Page, steps: &[Step]) {
    let port = free_port();
    // It ends with what it started, whatever happens.
    let mut script = vec!["trap 'kill $! 2>/dev/null' EXIT".to_owned()];
    for step in steps {
        script.push(step.command.replace("8080", &port.to_string()));
        script.push(format!("echo '{MARK}'"));
    }
    script.push("wait".to_owned());
    let script = script.join("\n");
    let bash = Command::new(Path::new("/bin/bash")).args(["-c", &script]);
    let bin = bash.home().join("bin");
    fs::create_dir(&bin).expect("a directory");
    std::os::unix::fs::symlink(BINARY, bin.join("bandog")).expect("a link");
    let path = format!("{}:{}", bin.display(), harness::PATH);
    // For `bandog health`, which asks at the address that `serve` would use.
    let ran = bash.env("PATH", path).env("BANDOG_LISTEN", format!(":{port}")).run();
    let printed: Vec<&str> = ran.text().split(&format!("{MARK}\n")).collect();
    assert_eq!(printed.len(), steps.len() + 1, "{}: {ran}", page.path);
    for (step, printed) in steps.iter().zip(printed) {
        // To the last newline: without it a shell's prompt would follow on the same line.
        assert_eq!(printed, step.printed, "{}: {}: {ran}", page.path, step.command);
    }
}

#[test]
fn every_session_prints_what_the_page_says() {
    let mut played = 0;
    for page in pages::all() {
        for session in sessions(&page) {
            assert!(session.len() >= 3, "{}: does this test still read the page? {session:#?}", page.path);
            for pair in session.windows(2).filter(|pair| pair[0].command.ends_with('&')) {
                assert_eq!(pair[1].command, WAIT, "{}: after {}", page.path, pair[0].command);
            }
            play(&page, &session);
            played += 1;
        }
    }
    assert!(played >= 6, "only {played} sessions found: does this test still read the pages?");
}

#[test]
fn the_tutorial_makes_a_service_from_an_empty_folder_in_ten_lines() {
    let page = Page::read("docs/actions.md");
    let [steps] = &sessions(&page)[..] else { panic!("{} has one session", page.path) };
    let file = steps.iter().find(|step| step.command.contains(">oms.yml")).expect("it writes a file");
    let lines = file.command.lines().count() - 2;
    assert!((1..=10).contains(&lines), "{lines} lines: {}", file.command);
    assert!(steps.len() >= 8, "does this test still read the page? {steps:#?}");
}

#[test]
fn the_python_client_prints_the_name_and_the_length_of_the_file() {
    let server = serve(function("copy.sh")).quiet().start();
    let page = Page::read("docs/clients.md");
    let (_, example, _) = page.section("python");
    let code = example.split_once("```python\n").expect("a block").1.split_once("```").expect("its end").0;
    let python = program("python3").arg("-c").arg(code.replace("http://localhost:8080/", &server.url("/")));
    let picture = noise(5000);
    fs::write(python.home().join("page.png"), &picture).expect("writable");
    let ran = python.run().expect(0);
    assert!(ran.text().ends_with(&format!(" {}\n", picture.len())), "{ran}");
}
