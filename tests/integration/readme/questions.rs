//! The questions of newcomers: each is answered within two clicks from the README.

use super::pages::Page;

/// The question, the page and the heading of its answer, and words that the answer contains.
const QUESTIONS: [(&str, &str, &str, &[&str]); 10] = [
    (
        "How do I install it without a compiler?",
        "docs/getting-started.md",
        "install-without-a-compiler",
        &["docker cp", "COPY --from=bandog", "bandog install"],
    ),
    (
        "How do I send a PNG with curl and get one back?",
        "docs/clients.md",
        "curl",
        &["Content-Type: image/png", "Accept: image/png", "--data-binary"],
    ),
    (
        "How do I run four at once and let the rest wait?",
        "docs/operations.md",
        "run-four-at-once-and-queue-the-rest",
        &["--max-inflight 4", "--max-queue", "429"],
    ),
    (
        "How does my function set its own status and headers?",
        "docs/responses.md",
        "your-own-status-and-headers",
        &["RESPONSE_HEADERS_PATH", "Status: "],
    ),
    (
        "Why does sh run my Python script?",
        "docs/troubleshooting.md",
        "why-does-sh-run-my-python-script",
        &["execute permission", "#!", "chmod +x"],
    ),
    (
        "How do I get the function's output into the container log?",
        "docs/operations.md",
        "the-functions-output-in-the-container-log",
        &["--forward-logs"],
    ),
    ("What is the exit code of a timeout?", "docs/cli.md", "exit-codes-of-run", &["| 124 |", "--exec-timeout"]),
    (
        "How do I require a token?",
        "docs/requests.md",
        "tokens",
        &["BANDOG_TOKEN", "--token-file", "Authorization: Bearer"],
    ),
    (
        "How do I reload the configuration?",
        "docs/operations.md",
        "change-the-configuration",
        &["restart", "SIGHUP", "--token-file"],
    ),
    ("Does it run on ARM?", "docs/limits-and-sandbox.md", "processor-architectures", &["ARM", "aarch64"]),
];

#[test]
fn every_question_of_a_newcomer_is_answered_within_two_clicks() {
    let readme = Page::read("README.md");
    let first: Vec<String> = readme.links().into_iter().map(|link| link.path).collect();
    let list = Page::read("docs/troubleshooting.md");
    assert!(first.contains(&list.path), "README.md does not link to {}", list.path);
    for (question, path, anchor, words) in QUESTIONS {
        let is_listed = list
            .links()
            .iter()
            .any(|link| (link.words.as_str(), link.path.as_str(), link.anchor.as_str()) == (question, path, anchor));
        assert!(is_listed, "{} does not lead from {question:?} to {path}#{anchor}", list.path);
        let answer = Page::read(path).below(anchor);
        for word in words {
            assert!(answer.contains(word), "{path}#{anchor} does not contain {word:?}: {answer}");
        }
    }
}
