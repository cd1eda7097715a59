//! Which paths call the function, in the modes that start a process for each request.

use crate::harness::{Server, serve_command, server::Builder};

const TELLS: &str = "echo called >>\"$SCRATCH/called\"; echo \"$Http_Path\"";

fn listener(mode: &str) -> Builder {
    serve_command(TELLS).args(["--mode", mode])
}

fn calls(server: &Server) -> usize {
    std::fs::read_to_string(server.scratch().join("called")).unwrap_or_default().lines().count()
}

#[test]
fn jobs_that_are_not_kept_do_not_run_at_once() {
    for mode in ["files", "stdio", "streaming"] {
        let server = listener(mode).quiet().start();
        for target in ["/job/grey", "/job", "/job/", "/job/grey/more?x=1", "/%6Aob/grey"] {
            for method in ["POST", "GET"] {
                let problem = server.request(method, target).send().problem(501);
                assert_eq!(problem["type"], "urn:bandog:error:jobs-not-kept", "{mode} {target}");
                let detail = problem["detail"].as_str().expect("text");
                assert!(detail.contains("--paths any"), "{detail}");
            }
        }
        assert_eq!(calls(&server), 0, "{mode}");
        assert_eq!(server.get("/jobs").send().expect(200).text().trim_end(), "/jobs");
    }
}

#[test]
fn the_files_that_browsers_ask_for_do_not_call_the_function() {
    let server = listener("files").quiet().start();
    for target in ["/favicon.ico", "/robots.txt", "/favicon.ico?v=1", "/favicon%2Eico"] {
        let problem = server.get(target).send().problem(404);
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("--paths any")), "{problem}");
    }
    assert_eq!(calls(&server), 0);
}

#[test]
fn every_path_calls_the_function_where_that_is_wanted() {
    let server = listener("files").quiet().args(["--paths", "any"]).start();
    for (number, target) in ["/job/grey", "/favicon.ico", "/robots.txt"].into_iter().enumerate() {
        assert_eq!(server.get(target).send().expect(200).text().trim_end(), target);
        assert_eq!(calls(&server), number + 1);
    }
    // The watchdogs that it takes the place of keep no path back.
    let watchdog =
        serve_command("cat >/dev/null; echo \"$Http_Path\"").fwatchdog().env("cgi_headers", "true").quiet().start();
    assert_eq!(watchdog.request("POST", "/job/grey").send().expect(200).text().trim_end(), "/job/grey");
}

/// There paths are the function's own.
#[test]
fn a_function_that_speaks_http_gets_every_path() {
    let server = crate::upstream::proxy().quiet().start();
    for target in ["/job/grey", "/favicon.ico"] {
        assert_eq!(server.get(target).send().expect(200).json()["target"], target);
    }
}
