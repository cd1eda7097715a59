//! Tables and examples, compared with the program.

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt as _, path::Path};

use bandog::{config::setting, platform::LegacyBehaviour, reply::ErrorCode};

use super::{
    generated,
    pages::{self, Page, has_extension},
};
use crate::harness::{Answer, bandog, encode, environment, function, serve, serve_command};

/// The words of a page that are in code spans.
fn code(text: &str) -> BTreeSet<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The lines of the fenced blocks that are in one of `languages`, continued lines joined.
fn examples(page: &Page, languages: &[&str]) -> Vec<String> {
    let page = Page { path: page.path.clone(), text: page.text.replace("\\\n", " ") };
    let lines = page.lines().into_iter();
    lines
        .filter(|(language, _)| language.is_some_and(|language| languages.contains(&language)))
        .map(|(_, line)| line.to_owned())
        .collect()
}

/// The words after `bandog` of every command in a line that starts it, up to a `--` of its own.
fn uses(line: &str) -> Vec<Vec<&str>> {
    let commands = line.split(['|', ';', '&']).map(|command| {
        let words = command.split_whitespace().skip_while(|word| *word == "$" || word.starts_with("BANDOG_"));
        words.take_while(|word| *word != "--").collect::<Vec<_>>()
    });
    commands.filter(|words| words.first() == Some(&"bandog")).map(|words| words[1..].to_vec()).collect()
}

/// Every flag in the help of a subcommand; of `serve` without one.
fn flags(subcommand: &str) -> BTreeSet<String> {
    let help = bandog([subcommand, "--help"]).run().expect(0).text().to_owned();
    let words = help.split(|letter: char| letter.is_whitespace() || ",[]=".contains(letter));
    words.filter(|word| word.starts_with('-')).map(str::to_owned).collect()
}

#[test]
fn the_table_of_settings_is_the_one_of_the_program() {
    generated(&Page::read("docs/settings.md"), "settings", &setting::markdown());
}

#[test]
fn every_setting_is_in_the_table_and_those_of_the_readme_have_its_defaults() {
    let settings = Page::read("docs/settings.md");
    let table = settings.rows("settings");
    for setting in setting::ALL {
        let (flag, flag_and_value) = (format!("`{}`", setting.flag()), format!("`{} ", setting.flag()));
        let is_there = |row: &Vec<String>| row[0] == flag || row[0].starts_with(&flag_and_value);
        assert!(table.iter().any(is_there), "{} has no row for {flag}", settings.path);
    }
    let readme = Page::read("README.md");
    let rows = pages::rows(&readme.below("settings"));
    assert_eq!(rows.len(), 10, "README.md has the ten settings that people change");
    for row in rows {
        let setting = setting::ALL.iter().find(|setting| format!("`{}`", setting.flag()) == row[0]);
        let default = setting.unwrap_or_else(|| panic!("README.md: there is no {}", row[0])).default.shown();
        assert_eq!(row[1].trim_matches('`'), default, "README.md: the default of {}", row[0]);
    }
}

#[test]
fn every_flag_in_an_example_exists() {
    let subcommands =
        ["serve", "run", "watch", "call", "check", "health", "install", "completions", "actions", "man", "init"];
    let mut seen = 0;
    for page in pages::all() {
        for line in examples(&page, &["sh", "console"]) {
            for words in uses(&line) {
                let subcommand = words.first().filter(|first| subcommands.contains(first)).unwrap_or(&"serve");
                let known = flags(subcommand);
                for flag in words.iter().filter(|word| word.starts_with('-') && word.len() > 1) {
                    let flag = flag.split('=').next().unwrap_or(flag);
                    assert!(known.contains(flag), "{}: bandog {subcommand} has no {flag}: {line}", page.path);
                    seen += 1;
                }
            }
        }
    }
    assert!(seen >= 30, "only {seen} flags found: does this test still read the pages?");
}

#[test]
fn the_table_of_errors_has_every_one_with_its_status_and_a_section() {
    let page = Page::read("docs/errors.md");
    let anchors = page.anchors();
    for slug in ErrorCode::ALL {
        let (code, status) = (slug.as_str(), slug.status().as_u16());
        let row = format!("| [`{code}`](#{code}) | {status} | ");
        assert!(page.prose().any(|line| line.starts_with(&row)), "{} has no row {row:?}", page.path);
        assert!(anchors.iter().any(|anchor| anchor == code), "{} has no section {code}", page.path);
        let section = page.below(code);
        assert!(section.trim().starts_with(&format!("**{status}**: ")), "{}: {code}: {section}", page.path);
    }
    let rows = page.prose().filter(|line| line.starts_with("| [`")).count();
    assert_eq!(rows, ErrorCode::ALL.len(), "{} has codes that do not exist", page.path);
}

#[test]
fn the_page_of_differences_has_the_way_back_of_every_one_that_has_one() {
    let page = Page::read("docs/compatibility.md");
    // The last cell of each row with four.
    let rows = page.text.lines().filter(|line| line.starts_with("| ") && line.matches(" | ").count() >= 4);
    let ways: Vec<&str> = rows.filter_map(|line| line.trim_end_matches('|').rsplit('|').next()).collect();
    for behaviour in LegacyBehaviour::ALL {
        let word = format!("`{}`", behaviour.word());
        assert!(ways.iter().any(|way| way.contains(&word)), "{} does not say what {word} takes back", page.path);
    }
}

#[test]
fn every_metric_it_names_is_on_the_page() {
    let server = serve_command("true").quiet().start();
    server.get("/").send().expect(200);
    let metrics = server.get("/_/metrics").send().expect(200).text().to_owned();
    let page = Page::read("docs/operations.md");
    let named: BTreeSet<&str> = code(page.section("metrics").1)
        .into_iter()
        .filter_map(|code| code.split('{').next())
        .filter(|name| ["http_", "bandog_", "process_"].iter().any(|start| name.starts_with(start)))
        .collect();
    let there: BTreeSet<&str> =
        metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_whitespace().next()).collect();
    assert_eq!(named, there);
}

#[test]
fn the_table_of_headers_has_every_one_that_is_sent() {
    // The connection's, which every server sends.
    const ORDINARY: [&str; 3] = ["connection", "date", "transfer-encoding"];
    // The one takes a full queue, which `admission` fills; the other a store, which `storage` has.
    const NOT_SEEN: [&str; 2] = ["retry-after", "x-bandog-stored"];
    let server = serve(function("copy.sh")).quiet().args(["--token", "t", "--service", "copy"]).start();
    let post = || server.post(encode("text")).header("X-Bandog-Token", "t");
    let failing = serve_command("exit 3").quiet().start();
    let printing = serve_command("echo").quiet().args(["--mode", "stdio"]).start();
    let passing = crate::upstream::proxy().quiet().args(["--encode"]).start();
    let coded = passing.get("/bytes?base64=eA%3D%3D&coding=gzip").send().expect(200);
    // Of a response that is passed on, only what bandog adds.
    let own = ["x-output-encoding", "content-transfer-encoding"];
    let coded = Answer {
        headers: coded
            .headers
            .into_iter()
            .filter(|(name, _)| own.contains(&name.to_ascii_lowercase().as_str()))
            .collect(),
        ..coded
    };
    let answers: [Answer; 10] = [
        coded,
        post().send().expect(200),
        post().accept("application/octet-stream").send().expect(200),
        post().accept("application/json").send().expect(200),
        post().accept("text/event-stream").send().expect(200),
        post().to("/run/other").send().expect(404),
        server.request("DELETE", "/").send().expect(401),
        server.request("OPTIONS", "/").header("X-Bandog-Token", "t").send().expect(405),
        failing.post("").send().expect(500),
        printing.post("").send().expect(200),
    ];
    let sent: BTreeSet<String> = answers
        .iter()
        .flat_map(|answer| answer.headers.iter().map(|(name, _)| name.to_ascii_lowercase()))
        .filter(|name| !ORDINARY.contains(&name.as_str()))
        .collect();
    let page = Page::read("docs/responses.md");
    let table = page.rows("headers");
    let all: BTreeSet<String> = table.iter().flat_map(|row| code(&row[0])).map(str::to_ascii_lowercase).collect();
    let named: BTreeSet<String> = all.iter().filter(|name| !NOT_SEEN.contains(&name.as_str())).cloned().collect();
    assert_eq!(named, sent);
    for name in bandog_runtime::headers::RESERVED {
        assert!(all.contains(*name), "docs/responses.md has no row for {name}");
    }
}

#[test]
fn no_setting_that_is_declared_is_missing_in_the_list_of_all() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/setting");
    let files = fs::read_dir(directory).expect("the settings").map(|entry| entry.expect("a file").path());
    let text: String = files.map(|path| fs::read_to_string(path).expect("Rust")).collect();
    let is_listed = |name: &str| setting::ALL.iter().any(|setting| setting.name == name);
    let declared: Vec<&str> =
        text.lines().filter_map(|line| line.trim().strip_prefix("name: \"")?.strip_suffix("\",")).collect();
    assert!(declared.len() > 20, "the declarations were found: {declared:?}");
    for name in declared {
        assert!(is_listed(name), "--{name} is not in ALL of src/config/setting.rs");
    }
}

#[test]
fn the_table_of_the_environment_has_every_variable_that_is_set() {
    let page = Page::read("docs/functions.md");
    let text = page.below("environment");
    let named = code(&text);
    let server = serve(function("environment.sh")).quiet().start();
    let event = r#"{"Records": [{"eventSource": "aws:s3", "eventTime": "now",
                   "s3": {"bucket": {"name": "b"}, "object": {"key": "k"}}}]}"#;
    let request = server.post(event).header("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    let seen = environment(request.header("Tracestate", "a=b"));
    // The shell's, those that bandog was started with, and those of the headers that are sent here.
    let own = ["PWD", "OLDPWD", "SHLVL", "_", "HARNESS_MARK", "PATH", "SCRATCH", "Http_Traceparent", "Http_Tracestate"];
    for name in seen.keys().filter(|name| !own.contains(&name.as_str())) {
        assert!(named.contains(name.as_str()), "{} does not name the variable {name}", page.path);
    }
    let rows = pages::rows(&text);
    for name in rows.iter().flat_map(|row| code(&row[0])).filter(|name| *name != "Http_NAME") {
        assert!(seen.contains_key(name), "{} names {name}, which is not set", page.path);
    }
}

#[test]
fn the_table_of_exit_codes_has_those_of_run() {
    let page = Page::read("docs/cli.md");
    let told: BTreeSet<String> = page.rows("exit codes").into_iter().map(|row| row[0].clone()).collect();
    let of = |arguments: &[&str]| bandog(["run"]).with_workspace().args(arguments).stdin("").run().code().to_string();
    let home = tempfile::tempdir().expect("a temporary directory");
    let broken = home.path().join("broken");
    fs::write(&broken, "#!/no/interpreter\n").expect("writable");
    fs::set_permissions(&broken, fs::Permissions::from_mode(0o755)).expect("its owner's");
    assert_eq!(of(&["-i", "x", "--", "sh", "-c", "exit 7"]), "7");
    assert_eq!(of(&["-i", "x", "--", "sh", "-c", "kill -KILL $$"]), (128 + 9).to_string());
    let seen = [
        of(&["-i", "no!", "--content-type", "application/json", "--", "true"]),
        of(&["-i", "x", "--script", broken.to_str().expect("text")]),
        of(&["-i", "x", "--max-body", "lots", "--", "true"]),
        of(&["-i", "x", "--exec-timeout", "50ms", "--", "sleep", "60"]),
    ];
    // 74 is that of a full stream, see `surroundings::streams`; 141 and 143 are those of signals, see `commands`; 66, 69 and
    // 75 those of stores, see `storage`.
    let others = ["the function's own", "128 + n", "66", "69", "74", "75", "141", "143"];
    let expected = seen.into_iter().chain(others.map(str::to_owned));
    assert_eq!(told, expected.collect());
}

#[test]
fn the_copies_of_deployment_files_are_those_of_the_repository() {
    for (page, file) in
        [("docs/deploy/docker.md", "Dockerfile.example"), ("docs/deploy/kubernetes.md", "deploy/kubernetes.yaml")]
    {
        let text = fs::read_to_string(pages::root().join(file)).expect("a file to deploy");
        let language = if has_extension(file, "yaml") { "yaml" } else { "dockerfile" };
        generated(&Page::read(page), "file", &format!("```{language}\n{text}```"));
    }
}

#[test]
fn the_figures_of_the_readme_are_those_of_the_benchmark() {
    let benchmark = Page::read("docs/performance.md");
    let table = benchmark.rows("bench");
    let readme = Page::read("README.md");
    let figures = readme.rows("figures");
    assert_eq!(figures.len(), 4, "four figures");
    for row in figures {
        let [_, ours, theirs, ratio] = &row[..] else { panic!("README.md: {row:?} has no four cells") };
        let is_measured = table.iter().any(|measured| {
            let [_, our_cell, against, their_cell, ratio_cell, ..] = &measured[..] else { return false };
            let median = |cell: &str| cell.split(" (").next().unwrap_or_default().to_owned();
            let other = format!("{against} {}", median(their_cell));
            median(our_cell) == *ours && other.trim() == theirs && ratio_cell == ratio
        });
        assert!(is_measured, "README.md: {row:?} is not in {}; refresh it: BENCH_README=1 make bench", benchmark.path);
    }
}
