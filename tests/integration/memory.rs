//! Memory does not grow with what passes through. The figures are printed, also when the test passes.

use std::{fs, os::unix::fs::FileExt as _, path::Path, thread, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::harness::{Server, Wire, bandog, encode, eventually, function, proc_status, serve, serve_command};

/// The most memory that a listener may hold, whatever passes through it.
const PEAK_KIB: u64 = 24 * 1024;

/// Bytes of a test pattern's block: a multiple of 3, so that its base64 has no padding.
const BLOCK: usize = 3 << 18;

/// A stream of bytes that is never held whole: block `n` is a fixed block with `n` at its beginning.
struct Pattern {
    block: Vec<u8>,
}

impl Pattern {
    fn new() -> Self {
        Self { block: crate::harness::noise(BLOCK) }
    }

    fn block(&mut self, number: u64) -> &[u8] {
        self.block[..8].copy_from_slice(&number.to_le_bytes());
        &self.block
    }
}

/// The most the listener has held so far, in KiB.
fn peak(server: &Server) -> u64 {
    proc_status(server.pid(), "VmHWM").expect("it runs")
}

/// The memory that the listener holds now, without its binary, in KiB.
fn own(server: &Server) -> u64 {
    proc_status(server.pid(), "RssAnon").expect("it runs")
}

/// The pages of its binary, and of libraries, that it has at hand, in KiB.
fn binary(server: &Server) -> u64 {
    proc_status(server.pid(), "RssFile").expect("it runs")
}

/// How often its threads were switched to or from.
fn switches(server: &Server) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{}/task", server.pid())).expect("it runs");
    let ids = tasks.flatten().filter_map(|task| task.file_name().to_str()?.parse().ok());
    let of = |id: u32, kind: &str| proc_status(id, &format!("{kind}_ctxt_switches")).unwrap_or_default();
    ids.map(|id| of(id, "voluntary") + of(id, "nonvoluntary")).sum()
}

/// Prints a figure past the test runner, which keeps what a passing test prints to itself.
fn say(line: &str) {
    std::io::Write::write_all(&mut std::io::stderr(), format!("memory: {line}\n").as_bytes()).expect("stderr");
}

#[track_caller]
fn stays_small(server: &Server, what: &str) {
    let peak = peak(server);
    say(&format!("{what}: peak resident memory {peak} KiB (limit {PEAK_KIB} KiB)"));
    assert!(peak < PEAK_KIB, "{what}: {peak} KiB");
}

/// A directory with this many MiB to spare: in memory if there is room, because it is faster, else on disk.
fn roomy(mebibytes: u64) -> tempfile::TempDir {
    let dirs = [Path::new("/dev/shm").to_owned(), std::env::temp_dir()];
    for dir in &dirs {
        let free = rustix::fs::statvfs(dir).map_or(0, |stat| stat.f_bavail * stat.f_frsize);
        if free > (mebibytes << 20) * 2 {
            return tempfile::tempdir_in(dir).expect("a directory");
        }
    }
    panic!("no room for {mebibytes} MiB in {dirs:?}");
}

#[test]
fn half_a_gibibyte_in_and_out_as_base64_costs_no_memory() {
    let blocks = (512 << 20) / BLOCK as u64 + 1;
    let length = blocks * BLOCK as u64;
    let place = roomy(length >> 20);
    // The file moves, so that there is room for it even where there is little.
    let command = r#"mv "$INPUT_FILE_PATH" "$TMP_OUTPUT_DIR/out.bin""#;
    let server = serve_command(command).env("TMPDIR", place.path()).without_workspace().start();
    let mut wire = server.connect();
    let encoded = length / 3 * 4;
    wire.write(format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {encoded}\r\n\r\n").as_bytes());
    let mut pattern = Pattern::new();
    let mut text = Vec::new();
    for number in 0..blocks {
        text.resize(BLOCK / 3 * 4, 0);
        STANDARD.encode_slice(pattern.block(number), &mut text).expect("room");
        wire.write(&text);
        assert!(!wire.is_refused(), "it stopped reading at block {number}: {server}");
    }
    stays_small(&server, "512 MiB in");
    let head = wire.answer_head();
    assert_eq!((head.status, head.wants("content-length")), (200, encoded.to_string().as_str()), "{head}");
    let mut pending: Vec<u8> = Vec::new();
    let mut bytes = vec![0; BLOCK];
    let mut number = 0;
    let whole = wire.body_of(&head, |piece| {
        pending.extend_from_slice(piece);
        while pending.len() >= BLOCK / 3 * 4 {
            let size = STANDARD.decode_slice(&pending[..BLOCK / 3 * 4], &mut bytes).expect("base64");
            assert!(bytes[..size] == *pattern.block(number), "block {number} is as it was sent");
            pending.drain(..BLOCK / 3 * 4);
            number += 1;
        }
    });
    assert!(
        whole && number == blocks && pending.is_empty(),
        "{number} of {blocks} blocks, {} bytes more",
        pending.len()
    );
    stays_small(&server, "512 MiB in and out");
    drop(server);
    assert_eq!(fs::read_dir(place.path()).expect("readable").count(), 0, "nothing is left");
}

#[test]
fn two_gibibytes_of_output_cost_no_memory() {
    const LENGTH: u64 = 2 << 30;
    let server = serve(function("sparse.sh")).start();
    let zeros = vec![b'A'; 64 * 1024];
    for (accept, wanted) in [("*/*", LENGTH.div_ceil(3) * 4), ("application/octet-stream", LENGTH)] {
        let mut wire = server.connect();
        let body = encode(LENGTH.to_string());
        wire.write(&server.post(&body).accept(accept).head());
        wire.write(body.as_bytes());
        let head = wire.answer_head();
        assert_eq!((head.status, head.wants("content-length")), (200, wanted.to_string().as_str()), "{head}");
        let (mut came, mut strange) = (0, 0);
        let whole = wire.body_of(&head, |piece| {
            came += piece.len() as u64;
            // The last digits of the base64 are not zeros.
            if accept == "*/*" && came < wanted - 4 && piece != &zeros[..piece.len()] {
                strange += 1;
            }
        });
        assert!(
            whole && came == wanted && strange == 0,
            "{accept}: {came} of {wanted} bytes, {strange} strange pieces"
        );
        stays_small(&server, &format!("2 GiB out as {accept}"));
    }
}

#[test]
fn other_ways_in_and_out_cost_no_memory() {
    const LENGTH: usize = 48 << 20;
    let server = serve(function("copy.sh")).start();
    let row = format!("\"{}\",\n", "x".repeat(61));
    let json = format!("[{}0]", row.repeat(LENGTH / row.len()));
    let mut form = b"--b\r\nContent-Disposition: form-data; name=f; filename=f\r\n\r\n".to_vec();
    form.resize(LENGTH, b'-');
    form.extend_from_slice(b"\r\n--b--\r\n");
    for (media, accept, body) in [
        ("application/json", "*/*", json.as_bytes()),
        ("application/json", "application/json", json.as_bytes()),
        ("multipart/form-data; boundary=b", "application/octet-stream", &form),
        ("text/plain", "*/*", &form),
    ] {
        let answer = server.post(body).media(media).accept(accept).send().expect(200);
        assert!(answer.body.len() >= LENGTH - 100, "{media}: {} bytes", answer.body.len());
        stays_small(&server, &format!("48 MiB of {media} as {accept}"));
    }
}

#[test]
fn logs_cost_no_memory() {
    let server = serve(function("spam.sh")).quiet().start();
    let answer = server.post(encode("50000000")).send().expect(200);
    assert_eq!(answer.body.len(), 50_000_000);
    let answer = server.post(encode("50000000")).accept("application/json").send().expect(200);
    assert!(answer.body.len() > 50_000_000);
    stays_small(&server, "50 MB of logs");
}

#[test]
fn many_requests_cost_no_memory() {
    let server = serve_command("echo x").start();
    let mut wire = server.connect();
    let mut request = |count: usize| {
        for _ in 0..count {
            server.get("/").send_on(&mut wire).expect(200);
        }
        peak(&server)
    };
    let (early, late) = (request(50), request(2000));
    say(&format!("2050 requests: peak resident memory {early} KiB after 50, {late} KiB after all"));
    assert!(late <= early + 512, "{early} KiB grew to {late} KiB");
}

#[test]
fn an_idle_connection_costs_no_more_than_8_kib_and_leaves_nothing_behind() {
    const CONNECTIONS: usize = 600;
    let server = serve_command("echo x").start();
    let visit = |wire: &mut Wire| drop(server.get("/_/ready").send_on(wire).expect(200));
    visit(&mut server.connect());
    let before = own(&server);
    let mut wires: Vec<Wire> = (0..CONNECTIONS).map(|_| server.connect()).collect();
    // Twice, so that there is no difference between the first request and those that follow.
    for _ in 0..2 {
        for wire in &mut wires {
            visit(wire);
        }
    }
    let each = (own(&server).saturating_sub(before)) * 1024 / CONNECTIONS as u64;
    say(&format!("{CONNECTIONS} idle connections: {each} bytes each"));
    assert!(each <= 8 * 1024, "{each} bytes each");
    // They are all still good for another request.
    for wire in &mut wires {
        visit(wire);
    }
    drop(wires);
    eventually("the memory of the connections is given back", || (own(&server) < before + 512).then_some(()));
}

#[test]
fn after_a_rush_the_memory_is_given_back_and_nothing_stirs() {
    const RUSH: usize = 48;
    // Without requests: the first thread, the network's and the log's.
    const THREADS: u64 = 3;
    let server = serve_command("cat $INPUT_FILE_PATH; sleep 0.1").quiet().start();
    let (mut idle, _silent) = (server.connect(), server.connect());
    server.get("/_/ready").send_on(&mut idle).expect(200);
    let (before, early) = (own(&server), binary(&server));
    let body = vec![b'x'; 200_000];
    thread::scope(|scope| {
        for _ in 0..RUSH {
            scope.spawn(|| server.post(&body).media("text/plain").send().expect(200));
        }
    });
    let during = own(&server);
    eventually("the threads go", || (proc_status(server.pid(), "Threads") == Some(THREADS)).then_some(()));
    // The rest is the C library's: the stacks of threads, of which it keeps 24 KiB each for later threads.
    let after = eventually("the memory is given back", || Some(own(&server)).filter(|kib| *kib < before + 4096));
    say(&format!(
        "{RUSH} at once: own memory {before} KiB before, {during} KiB after, {after} KiB when the threads went"
    ));
    let late = binary(&server);
    say(&format!("the binary's pages: {early} KiB before, {late} KiB when the threads went"));
    assert!(late + 2048 < early, "{early} KiB before, {late} KiB after");
    // It still has them when it needs them.
    server.post(&body).media("text/plain").send().expect(200);
    // That nothing happens can only be seen by waiting. A connection that has been silent for half a minute is ended,
    // so that one look may see that; not two.
    eventually("no thread runs", || {
        let switches = switches(&server);
        thread::sleep(Duration::from_secs(2));
        (switches == self::switches(&server)).then_some(())
    });
}

#[test]
fn the_commands_cost_no_memory_either() {
    const LENGTH: u64 = 128 << 20;
    let server = serve(function("copy.sh")).start();
    let place = roomy(LENGTH >> 20);
    let input = place.path().join("input.bin");
    let file = fs::File::create(&input).expect("a file");
    file.set_len(LENGTH).expect("room");
    file.write_all_at(b"the end", LENGTH - 7).expect("room");
    let run = bandog(["run", "--script"]).arg(function("copy.sh")).with_workspace();
    for (what, command) in [("call", bandog(["call", &server.url("/")])), ("run", run)] {
        let output = place.path().join(what);
        let ran = command.arg("--input").arg(&input).arg("--output").arg(&output).run().expect(0);
        say(&format!("{what} with 128 MiB: peak resident memory {} KiB", ran.peak));
        assert!(ran.peak > 0 && ran.peak < 2 * PEAK_KIB, "{what}: {} KiB", ran.peak);
        let result = fs::File::open(&output).expect("the output");
        assert_eq!(result.metadata().expect("metadata").len(), LENGTH, "{what}");
        let mut end = [0; 9];
        result.read_exact_at(&mut end, LENGTH - 9).expect("readable");
        assert_eq!(&end, b"\0\0the end", "{what}");
        fs::remove_file(&output).expect("removable");
    }
}
