//! The cost of a small request, in counts that come out alike on every machine: a change that makes it dearer fails
//! here, however busy the machine is.

use std::{collections::HashMap, fs};

use rustix::process::Signal;

use crate::harness::serve_command;

/// System calls of bandog's own threads for one request, at most. `benches/README.md` says what they are. Without those
/// of the log's thread, which writes in bursts: the slower the machine, the more of them a request. 47 to 49 are
/// counted, and 51 beside bombs; what is left of clocks and rests grows the same way.
const CALLS: f64 = 53.0;

/// System calls in the child between clone and exec, the last one included.
const CALLS_OF_CHILD: f64 = 9.0;

/// The function: one process more than the shell, one output file.
const COPY: &str = "cat \"$INPUT_FILE_PATH\" > \"$TMP_OUTPUT_DIR/out.bin\"";

/// System calls of bandog, and of the children it started before they became programs, for so many requests on one
/// connection, start and end of bandog included.
fn calls(requests: u32) -> (f64, f64) {
    let mut server = serve_command(COPY).quiet().under(&["strace", "-f", "-qq", "-o", "trace"]).start();
    let mut wire = server.connect();
    for _ in 0..requests {
        let request = server.post("hello\n").media("application/octet-stream");
        assert_eq!(request.send_on(&mut wire).expect(200).text(), "aGVsbG8K");
    }
    drop(wire);
    server.signal(Signal::TERM);
    server.end();
    count(&fs::read_to_string(server.workspace().with_file_name("trace")).expect("strace's output"))
}

/// Takes strace's lines apart: those of the process that came first and of its threads, and those of the processes that
/// it made, which begin with a process group of their own.
fn count(trace: &str) -> (f64, f64) {
    let mut by_thread: HashMap<&str, Vec<&str>> = HashMap::new();
    for line in trace.lines() {
        let Some((thread, call)) = line.split_once(' ') else { continue };
        // The second half of a call that others interrupted, a signal or an end is no call.
        let name = call.trim_start().split('(').next().unwrap_or_default();
        // A build for tests checks whether a descriptor that it closes is open; and a signal that was ignored when the
        // tests started has to be given its default back.
        let is_of_the_test = call.contains("F_GETFD") || name == "rt_sigaction";
        if !is_of_the_test && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            by_thread.entry(thread).or_default().push(name);
        }
    }
    let first = trace.split(' ').next().unwrap_or_default();
    let (mut own, mut of_children) = (0, 0);
    for (thread, calls) in by_thread {
        match calls.iter().position(|name| *name == "execve") {
            Some(exec) if thread != first => {
                let made_by_us = calls[..exec].contains(&"setpgid");
                of_children += if made_by_us { exec + 1 } else { 0 };
            }
            _ => own += calls.len(),
        }
    }
    (f64::from(u32::try_from(own).expect("a number")), f64::from(u32::try_from(of_children).expect("a number")))
}

#[test]
fn a_small_request_costs_no_more_system_calls_than_are_accounted_for() {
    const REQUESTS: u32 = 200;
    // The start and the end, which both have in common, fall out of the difference.
    let ((few, few_of_children), (many, many_of_children)) = (calls(20), calls(20 + REQUESTS));
    let each = |calls: f64| calls / f64::from(REQUESTS);
    let (own, of_child) = (each(many - few), each(many_of_children - few_of_children));
    let line = format!("cost: {own:.1} system calls for a small request, and {of_child:.1} in its child before exec\n");
    std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).expect("stderr");
    assert!(own > 30.0 && of_child > 5.0, "the trace was misread: {line}");
    assert!(own <= CALLS && of_child <= CALLS_OF_CHILD, "{line}");
}
