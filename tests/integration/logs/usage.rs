//! The resources that a call has used: time, CPU time, memory and bytes, in the log, as metrics and in the response.

use serde_json::Value;

use crate::harness::{Builder, Server, function, serve, serve_command};

/// Uses about 50 MB, some CPU time, and sends back three bytes.
const BUSY: &str = "head -c 50000000 /dev/zero | tail -c 50000000 | wc -c >/dev/null; printf abc";

fn json_lines(server: &Server, message: &str) -> Vec<Value> {
    let log = server.log();
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("JSON: {line}")));
    lines.filter(|line| line["message"].as_str().is_some_and(|found| found.starts_with(message))).collect()
}

/// The one line that begins with this, after the call has ended.
fn line(server: &Server, message: &str) -> Value {
    server.log_line("the access line", |line| line.contains("\"message\":\"request\""));
    let mut lines = json_lines(server, message);
    assert_eq!(lines.len(), 1, "{message}: {server}");
    lines.remove(0)
}

#[test]
fn one_line_for_each_call_has_time_memory_and_bytes() {
    for mode in ["files", "stdio", "streaming"] {
        let server = serve_command(BUSY).args(["--mode", mode, "--log-format", "json"]).start();
        let sent = server.post("eleven byte").media("application/octet-stream").accept("*/*").send().expect(200);
        let request = line(&server, "request");
        let number = |name: &str| request[name].as_f64().unwrap_or_else(|| panic!("{mode}: no {name} in {request}"));
        assert_eq!((number("bytes_in"), request["bytes"].as_u64()), (11.0, Some(sent.body.len() as u64)), "{request}");
        assert!(number("seconds") > 0.0 && (0.001..60.0).contains(&number("cpu_seconds")), "{mode}: {request}");
        assert!((50e6..500e6).contains(&number("peak_memory_bytes")), "{mode}: {request}");
    }
    let idle = serve_command("sleep 0.3").args(["--log-format", "json"]).start();
    idle.get("/").send().expect(200);
    let request = line(&idle, "request");
    assert!(request["seconds"].as_f64() > Some(0.25) && request["cpu_seconds"].as_f64() < Some(0.2), "{request}");
}

#[test]
fn a_response_without_its_body_has_the_usage_of_its_function() {
    let builder = Builder::new().fwatchdog().env("fprocess", "cat").env("mode", "serializing");
    let server = builder.env("BANDOG_LOG_FORMAT", "json").start();
    server.request("HEAD", "/").send().expect(200);
    let request = line(&server, "request");
    assert!(request["cpu_seconds"].is_f64() && request["peak_memory_bytes"].as_u64() > Some(0), "{request}");
}

#[test]
fn a_call_without_a_process_has_no_cpu_time() {
    let server = Builder::new().args(["--mode", "static", "--static-dir", ".", "--log-format", "json"]).start();
    server.get("/nothing").send().problem(404);
    let request = line(&server, "request");
    assert!(request["bytes_in"] == 0 && request.get("cpu_seconds").is_none(), "{request}");
}

#[test]
fn the_end_of_a_function_is_a_line_with_fields() {
    for (command, status, field, value) in
        [("true", 200, "exit_code", 0), ("exit 3", 500, "exit_code", 3), ("kill -9 $$", 500, "signal", 9)]
    {
        let server = serve_command(command).args(["--log-format", "json"]).start();
        assert_eq!(server.get("/").send().status, status);
        let finished = line(&server, "function finished: ");
        assert_eq!(finished[field], value, "{finished}");
        assert!(finished["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{finished}");
        assert!(finished["cpu_seconds"].is_f64() && finished["peak_memory_bytes"].as_u64() > Some(0), "{finished}");
        assert_eq!(finished.get(if field == "signal" { "exit_code" } else { "signal" }), None, "{finished}");
    }
    let server = serve_command("exit 3").start();
    server.get("/").send().problem(500);
    let line = server.log_line("the end", |line| line.contains("function finished: exit code 3 after "));
    assert!(line.contains(" s cpu_seconds=") && !line.contains("exit_code="), "text has each number once: {line}");
}

#[test]
fn cpu_time_and_memory_are_metrics() {
    let server = serve_command(BUSY).start();
    let value = |name: &str| {
        let page = server.get("/_/metrics").send().expect(200);
        let found = page.text().lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        found.map_or_else(|| panic!("no {name} in {page}"), str::to_owned)
    };
    let cpu = || value("bandog_function_cpu_seconds_total").parse::<f64>().expect("a number");
    assert!(cpu() < 1e-9);
    server.get("/").send().expect(200);
    let first = cpu();
    assert!((0.001..60.0).contains(&first), "{first}");
    assert_eq!(value("bandog_function_peak_memory_bytes_count"), "1");
    assert_eq!(value("bandog_function_peak_memory_bytes_bucket{le=\"33554432\"}"), "0", "it was more than 32 MiB");
    server.get("/").send().expect(200);
    assert!(cpu() > first);
    assert_eq!(value("bandog_function_peak_memory_bytes_count"), "2");
}

#[test]
fn a_response_says_where_its_time_went() {
    for (command, status) in [("sleep 0.2", 200), ("sleep 0.2; exit 3", 500)] {
        let server = serve_command(command).start();
        let answer = server.get("/").send();
        assert_eq!(answer.status, status);
        let timing = answer.wants("server-timing");
        let parts: Vec<&str> = timing.split(", ").collect();
        let number = |part: &str, name: &str| {
            let number = part.strip_prefix(name).and_then(|rest| rest.strip_prefix(";dur=")?.parse::<f64>().ok());
            number.unwrap_or_else(|| panic!("no {name} in {timing}"))
        };
        let (run, cpu) = (number(parts[0], "run"), number(parts[1], "cpu"));
        assert!(run >= 200.0 && (0.0..200.0).contains(&cpu) && parts.len() == 2, "{timing}");
    }
}

#[test]
fn a_function_adds_times_of_its_own_and_a_bad_request_has_none() {
    let command = "printf 'Server-Timing: db;dur=5\\n' >\"$RESPONSE_HEADERS_PATH\"";
    let server = serve_command(command).start();
    let answer = server.get("/").send().expect(200);
    let fields = answer.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("server-timing"));
    let values: Vec<&str> = fields.map(|(_, value)| value.as_str()).collect();
    assert!(values.len() == 2 && values[0].starts_with("run;dur=") && values[1] == "db;dur=5", "{answer}");
    let refused = server.post("!").send();
    refused.problem(400);
    assert_eq!(refused.header("server-timing"), None, "nothing ran: {refused}");
}

#[test]
fn a_replaced_watchdog_sends_no_times() {
    let server = Builder::new().fwatchdog().env("fprocess", "cat").start();
    let answer = server.post("x").send().expect(200);
    assert_eq!(answer.header("server-timing"), None, "{answer}");
    let own = serve(function("copy.sh")).start();
    assert!(own.post("eA==").send().expect(200).header("server-timing").is_some());
}
