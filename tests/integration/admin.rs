//! The questions of a platform to a listener: is it alive, is it ready, what has it done, who may call it.

use std::{
    collections::BTreeMap,
    fs,
    net::TcpListener,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::Value;

use crate::harness::{Answer, Request, Server, bandog, encode, eventually, function, serve, serve_command};

/// Samples of the text format: name with labels → value. Every line must be well formed.
fn samples(answer: &Answer) -> BTreeMap<String, f64> {
    assert!(answer.wants("content-type").starts_with("text/plain"), "{answer}");
    let mut types = BTreeMap::new();
    let mut samples = BTreeMap::new();
    for line in answer.text().lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a type");
            assert!(types.insert(name, kind).is_none(), "{name} has two types");
        } else if !line.starts_with("# HELP ") && !line.is_empty() {
            let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("not a sample: {line}"));
            let value = value.parse().unwrap_or_else(|_| panic!("not a number: {line}"));
            let family = name.split('{').next().expect("a name");
            let stems = ["_bucket", "_sum", "_count"].map(|end| family.strip_suffix(end).unwrap_or(family));
            assert!(types.contains_key(family) || stems.iter().any(|stem| types.contains_key(stem)), "no type: {line}");
            assert!(samples.insert(name.to_owned(), value).is_none(), "twice: {line}");
        }
    }
    samples
}

fn metrics(server: &Server) -> BTreeMap<String, f64> {
    samples(&server.get("/_/metrics").send().expect(200))
}

/// The sample of a family with these labels, in any order.
fn sample(samples: &BTreeMap<String, f64>, family: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let fits = |name: &&String| {
        name.split('{').next() == Some(family)
            && labels.iter().all(|(key, value)| name.contains(&format!("{key}=\"{value}\"")))
    };
    samples.keys().find(fits).map(|name| samples[name])
}

#[test]
fn it_says_that_it_is_alive_and_ready() {
    let server = serve(function("sign.sh")).start();
    let health = server.get("/_/health").send().expect(200);
    assert_eq!(health.text().trim_end(), "OK");
    server.get("/_/ready").send().expect(200);
    server.get("/").header("User-Agent", "kube-probe/1.33").send().expect(200);
    assert!(server.has_sign("started"), "only K-Network-Probe marks a probe");
}

#[test]
fn no_probe_starts_the_function() {
    let server = serve(function("sign.sh")).start();
    for path in ["/_/health", "/_/ready", "/_/status", "/_/metrics"] {
        server.get(path).send().expect(200);
        server.request("HEAD", path).send();
        server.request("POST", path).body("x").send();
    }
    for path in ["/_/", "/_/unheard-of", "/_/health/more"] {
        let answer = server.get(path).send();
        assert!([404, 405].contains(&answer.status), "{path}: {answer}");
    }
    for hash in [None, Some("a-hash")] {
        let mut probe = server.get("/").header("K-Network-Probe", "probe");
        if let Some(hash) = hash {
            probe = probe.header("K-Network-Hash", hash);
        }
        let answer = probe.send().expect(200);
        assert_eq!(answer.header("k-network-hash"), hash, "{answer}");
    }
    server.is_clean();
    assert!(!server.has_sign("started"), "{server}");
}

#[test]
fn it_is_not_ready_when_every_place_is_taken() {
    let server = serve(function("hold.sh")).args(["--max-inflight", "1"]).start();
    std::thread::scope(|scope| {
        let held = server.get("/").header("X-Call-Id", "held");
        let held = scope.spawn(|| held.send());
        server.sign("started.held");
        assert_eq!(server.get("/_/ready").send().status, 429);
        assert_eq!(server.get("/_/health").send().status, 200, "it is alive all the same");
        server.give("go");
        held.join().expect("an answer").expect(200);
    });
    eventually("ready again", || (server.get("/_/ready").send().status == 200).then_some(()));
}

#[test]
fn it_is_ready_while_the_queue_has_a_slot() {
    let server = serve(function("hold.sh")).args(["--max-inflight", "1", "--max-queue", "1"]).start();
    std::thread::scope(|scope| {
        let [first, second] = ["first", "second"].map(|id| server.get("/").header("X-Call-Id", id));
        let first = scope.spawn(|| first.send());
        server.sign("started.first");
        assert_eq!(server.get("/_/ready").send().status, 200);
        let second = scope.spawn(|| second.send());
        eventually("the queue is full", || (server.get("/_/ready").send().status == 429).then_some(()));
        server.give("go");
        first.join().expect("an answer").expect(200);
        second.join().expect("an answer").expect(200);
    });
}

/// The first value of any of these names, wherever it stands.
fn find<'a>(value: &'a Value, names: &[&str]) -> Option<&'a Value> {
    match value {
        Value::Object(object) => object
            .iter()
            .find(|(name, _)| names.contains(&name.as_str()))
            .map(|(_, value)| value)
            .or_else(|| object.values().find_map(|value| find(value, names))),
        _ => None,
    }
}

#[test]
fn status_tells_what_it_has_done() {
    let server = serve(function("exit.sh")).args(["--service", "counted", "--max-inflight", "3"]).start();
    server.post(encode("0")).send().expect(200);
    server.post(encode("3")).send().problem(500);
    server.post("!").send().problem(400);
    let answer = server.get("/_/status").send().expect(200);
    assert_eq!(answer.wants("content-type"), "application/json");
    let status = answer.json();
    assert_eq!(find(&status, &["service"]), Some(&Value::from("counted")), "{answer}");
    assert_eq!(find(&status, &["version"]), Some(&Value::from(env!("CARGO_PKG_VERSION"))), "{answer}");
    assert_eq!(find(&status, &["ready"]), Some(&Value::from(true)), "{answer}");
    assert_eq!(find(&status, &["max_inflight"]), Some(&Value::from(3)), "{answer}");
    for names in [&["in_flight", "inflight"][..], &["queued"]] {
        assert_eq!(find(&status, names), Some(&Value::from(0)), "{names:?}: {answer}");
    }
    let uptime = find(&status, &["uptime_seconds", "uptime"]).and_then(Value::as_f64);
    assert!(uptime.is_some_and(|seconds| seconds >= 0.0), "{answer}");
    let totals = find(&status, &["totals", "outcomes"]).and_then(Value::as_object).expect("totals by outcome");
    let sum: u64 = totals.values().filter_map(Value::as_u64).sum();
    assert!(sum >= 3 && totals.values().filter(|count| count.as_u64() == Some(1)).count() >= 3, "{answer}");
}

#[test]
fn status_has_no_environment_and_no_secrets() {
    let server = serve(function("echo.sh"))
        .env("BANDOG_TOKEN", "t0p-s3cret")
        .env("PASSWORD", "als0-s3cret")
        .env("FUNCTION_CONFIG", encode("name: named\ntoken: c0nfig-s3cret\n"))
        .start();
    server.get("/_/status").send().problem(401);
    let answer = server.get("/_/status").header("Authorization", "Bearer t0p-s3cret").send().expect(200);
    assert!(!answer.text().contains("s3cret") && !answer.text().contains("PASSWORD"), "{answer}");
}

#[test]
fn metrics_have_the_names_that_dashboards_know() {
    let server = serve(function("exit.sh")).start();
    for (code, status) in [("0", 200), ("0", 200), ("3", 500)] {
        assert_eq!(server.post(encode(code)).send().status, status);
    }
    server.get("/").header("Content-Encoding", "br").send();
    let samples = metrics(&server);
    // Upper case as in HTTP, lower case as Go's instrumentation writes it.
    let posts = |code| {
        let count = |method| sample(&samples, "http_requests_total", &[("code", code), ("method", method)]);
        count("POST").or_else(|| count("post"))
    };
    assert_eq!((posts("200"), posts("500")), (Some(2.0), Some(1.0)), "{samples:#?}");
    let idle = || (sample(&metrics(&server), "http_requests_in_flight", &[]) == Some(0.0)).then_some(());
    eventually("nothing in flight", idle);
    for edge in ["0.005", "600", "+Inf"] {
        let bucket = sample(&samples, "http_request_duration_seconds_bucket", &[("le", edge)]);
        assert!(bucket.is_some(), "no bucket {edge}: {samples:#?}");
    }
    let [sum, count] = ["_sum", "_count"].map(|end| {
        let family = format!("http_request_duration_seconds{end}");
        samples.iter().filter(|(name, _)| name.split('{').next() == Some(&family)).map(|(_, value)| value).sum::<f64>()
    });
    assert!(count >= 3.0 && sum > 0.0, "{samples:#?}");
    for word in ["queue", "exit", "workspace", "bytes"] {
        assert!(samples.keys().any(|name| name.contains(word)), "nothing about {word}: {samples:#?}");
    }
    let exits = samples.iter().find(|(name, _)| name.contains("exit") && name.contains("\"3\""));
    assert!(exits.is_some_and(|(_, count)| (*count - 1.0).abs() < f64::EPSILON), "exits by code: {samples:#?}");
}

#[test]
fn metrics_tell_the_version_and_what_bandog_itself_uses() {
    let server = serve_command("true").start();
    for _ in 0..20 {
        server.get("/").send().expect(200);
    }
    let samples = metrics(&server);
    let version = bandog(["--version"]).run().expect(0).text().trim().replace("bandog ", "");
    assert_eq!(sample(&samples, "bandog_build_info", &[("version", &version)]), Some(1.0), "{samples:#?}");
    let value = |name: &str| sample(&samples, name, &[]).unwrap_or_else(|| panic!("no {name}: {samples:#?}"));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64();
    // The time of the boot is a whole second, and clocks are set.
    assert!((now - value("process_start_time_seconds")).abs() < 60.0, "{samples:#?}");
    assert!((0.0..60.0).contains(&value("process_cpu_seconds_total")), "{samples:#?}");
    let resident = value("process_resident_memory_bytes");
    assert!((1e6..200e6).contains(&resident) && value("process_virtual_memory_bytes") > resident, "{samples:#?}");
    let (open, threads) = (value("process_open_fds"), value("process_threads"));
    assert!((5.0..200.0).contains(&open) && value("process_max_fds") > open, "{samples:#?}");
    assert!((2.0..50.0).contains(&threads), "{samples:#?}");
    assert!(value("process_virtual_memory_max_bytes") > 1e6 || value("process_virtual_memory_max_bytes") < 0.0);
}

#[test]
fn buckets_are_cumulative() {
    let server = serve_command("true").start();
    for _ in 0..3 {
        server.get("/").send().expect(200);
    }
    let samples = metrics(&server);
    let mut buckets: Vec<(f64, f64)> = samples
        .iter()
        .filter(|(name, _)| name.starts_with("http_request_duration_seconds_bucket"))
        .filter(|(name, _)| !name.contains("code=") || name.contains("code=\"200\""))
        .map(|(name, count)| {
            let edge = name.split("le=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an edge");
            (if edge == "+Inf" { f64::INFINITY } else { edge.parse().expect("a number") }, *count)
        })
        .collect();
    buckets.sort_by(|left, right| left.partial_cmp(right).expect("numbers"));
    assert!(buckets.len() >= 8, "{buckets:?}");
    assert!(buckets.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{buckets:?}");
    assert!(buckets.last().expect("buckets").1 >= 3.0, "{buckets:?}");
}

#[test]
fn metrics_can_have_a_port_of_their_own() {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port");
    let server = serve(function("echo.sh")).args(["--metrics", &port.to_string()]).start();
    server.post(encode("x")).send().expect(200);
    let own = Request::new(port, "GET", "/metrics").send().expect(200);
    assert!(samples(&own).keys().any(|name| name.starts_with("http_requests_total")), "{own}");
    assert_eq!(server.get("/_/metrics").send().status, 404);
    assert_eq!(Request::new(port, "POST", "/").body(encode("x")).send().status / 100, 4, "no function there");
}

#[test]
fn metrics_can_be_off() {
    let server = serve(function("echo.sh")).args(["--metrics", "off"]).start();
    assert_eq!(server.get("/_/metrics").send().status, 404);
}

#[test]
fn a_token_protects_invocations_and_status_but_no_probe() {
    let server = serve(function("sign.sh")).args(["--token", "right"]).start();
    for field in [
        None,
        Some("Bearer wrong"),
        Some("Bearer"),
        Some("Basic right"),
        Some("Bearer righ"),
        Some("Bearer right2"),
        Some("right"),
    ] {
        for path in ["/", "/run/x", "/_/status"] {
            let mut request = server.get(path);
            if let Some(field) = field {
                request = request.header("Authorization", field);
            }
            let answer = request.send();
            answer.problem(401);
            assert!(answer.wants("www-authenticate").starts_with("Bearer"), "{answer}");
        }
    }
    server.is_clean();
    assert!(!server.has_sign("started"));
    for path in ["/_/health", "/_/ready", "/_/metrics"] {
        server.get(path).send().expect(200);
    }
    for field in ["Bearer right", "bearer right"] {
        server.get("/").header("Authorization", field).send().expect(200);
        server.get("/_/status").header("Authorization", field).send().expect(200);
    }
    assert!(server.has_sign("started"));
}

#[test]
fn a_wrong_token_is_told_before_the_body_is_sent() {
    let server = serve(function("sign.sh")).args(["--token", "right"]).start();
    let mut wire = server.connect();
    wire.write(b"POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer wrong\r\nContent-Length: 1000000000\r\n\r\n");
    wire.answer().problem(401);
    let mut wire = server.connect();
    wire.write(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 8\r\n\r\n");
    let first = wire.line().expect("an answer");
    assert!(first.starts_with("HTTP/1.1 401"), "no go-ahead: {first}");
    server.is_clean();
}

#[test]
fn a_token_file_is_read_again_when_it_changes() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("token");
    fs::write(&path, "first\n").expect("writable");
    let server = serve(function("echo.sh")).arg_path("--token-file", &path).start();
    let status = |token: &str| server.get("/").header("Authorization", format!("Bearer {token}")).send().status;
    assert_eq!((status("first"), status("second-token")), (200, 401));
    // As Kubernetes does it: a new file in the place of the old.
    let new = dir.path().join("new");
    fs::write(&new, "second-token").expect("writable");
    fs::rename(&new, &path).expect("renamable");
    eventually("the new token", || (status("second-token") == 200).then_some(()));
    assert_eq!(status("first"), 401);
}

#[test]
fn a_known_service_has_no_other_name() {
    let server = serve(function("echo.sh")).quiet().args(["--service", "named"]).start();
    let ask = |path: &str| server.request("POST", path).body(encode("x")).send();
    for path in ["/", "/run/named", "/run/named?x=y", "/anything/else"] {
        ask(path).expect(200);
    }
    for path in ["/run/other", "/run/name", "/run/named2"] {
        ask(path).problem(404);
    }
    for (name, value) in [("OSCAR_SERVICE_NAME", "named"), ("K_SERVICE", "named")] {
        let server = serve(function("echo.sh")).env(name, value).start();
        server.request("POST", "/run/other").body(encode("x")).send().problem(404);
        server.request("POST", "/run/named").body(encode("x")).send().expect(200);
    }
    let unnamed = serve(function("echo.sh")).start();
    unnamed.request("POST", "/run/whatever").body(encode("x")).send().expect(200);
}

#[test]
fn the_probe_command_says_the_same() {
    let server = serve(function("hold.sh")).args(["--max-inflight", "1"]).start();
    let probe = |flags: &[&str]| bandog(["health", "--url", &server.url("")]).args(flags).run();
    probe(&[]).expect(0);
    probe(&["--ready"]).expect(0);
    std::thread::scope(|scope| {
        let held = server.get("/").header("X-Call-Id", "held");
        let held = scope.spawn(|| held.send());
        server.sign("started.held");
        probe(&[]).expect(0);
        probe(&["--ready"]).expect(1);
        server.give("go");
        held.join().expect("an answer").expect(200);
    });
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port");
    let ran = bandog(["health", "--url", &format!("http://{nobody}")]).run().expect(1);
    assert!(!ran.stderr.is_empty(), "{ran}");
}

/// Seconds of processor time used so far, times 100.
fn ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number")).sum()
}

fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs").count()
}

#[test]
fn connections_that_could_still_become_http_2_cost_nothing_and_are_forgotten_when_they_hang_up() {
    let server = serve(function("echo.sh")).start();
    let before = descriptors(server.pid());
    let wires: Vec<_> = ["P", "PRI * HTTP/2."]
        .into_iter()
        .cycle()
        .take(300)
        .map(|start| {
            let mut wire = server.connect();
            wire.write(start.as_bytes());
            wire
        })
        .collect();
    eventually("all are taken", || (descriptors(server.pid()) >= before + wires.len()).then_some(()));
    // Two seconds of waiting, of which a server that looks again and again would use all.
    let at_first = ticks(server.pid());
    std::thread::sleep(std::time::Duration::from_secs(2));
    let used = ticks(server.pid()) - at_first;
    assert!(used < 100, "{used} hundredths of a second of processor time in two seconds");
    for wire in wires {
        wire.leave();
    }
    eventually("they are forgotten", || (descriptors(server.pid()) <= before + 1).then_some(()));
}
