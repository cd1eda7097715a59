//! No path from a caller reaches the file system as one, and none that a function makes leaves its archive.

use std::{collections::BTreeSet, fs, path::Path};

use crate::harness::{
    Answer, Server,
    archive::{names, unzip},
    bandog, encode, listing, program, serve, serve_command,
};

/// Where a name that leads out of its directory would be found.
fn escaped(server: &Server, canary: &str) -> Vec<String> {
    let home = server.workspace().parent().expect("a home").to_owned();
    let places = [Path::new("/"), Path::new("/tmp"), Path::new("/etc"), Path::new("/var/tmp"), home.as_path()];
    let near = places.iter().flat_map(|place| fs::read_dir(place).into_iter().flatten().flatten());
    let near = near.map(|entry| entry.path().display().to_string());
    near.chain(listing(&home)).filter(|path| path.contains(canary)).collect()
}

/// Names that want to be somewhere or something else, each with the canary in it where there is room for one.
fn hostile(canary: &str) -> Vec<String> {
    let up = "../".repeat(20);
    let mut names: Vec<String> = [
        "../C",
        "../../C",
        "..//C",
        "....//C",
        "./../C",
        "a/../../C",
        "/C",
        "//C",
        "/tmp/C",
        "/etc/C",
        "~/C",
        "~root/C",
        "C/",
        "C/.",
        "C/..",
        "..\\C",
        "..\\..\\C",
        "C:\\C",
        "C:C",
        "c:/C",
        "\\\\server\\share\\C",
        "\\\\?\\C:\\C",
        "/\\C",
        "CON",
        "NUL.txt",
        "aux",
        "COM1",
        "C.",
        "C..",
        "C...",
        "C ",
        " C",
        ".",
        "..",
        "...",
        " ",
        "",
        "/",
        "\\",
        ".\\",
        "\t",
        "-rf",
        "--C",
        "-",
        "@C",
        "C\n",
        "C\r\nX-Posed: 1",
        "C\nnewline",
        "C\0.png",
        "\0../C",
        "C\u{1b}[2J",
        "C\u{7f}",
        "..\u{2215}C",
        "..\u{ff0f}C",
        "\u{ff0e}\u{ff0e}/C",
        "..\u{29f5}C",
        "C\u{202e}gpj.exe",
        "C\u{200b}",
        "\u{feff}C",
        "e\u{301}C",
        "\u{e9}C",
        "\u{212b}C",
        "\u{c5}C",
        "%2e%2e%2fC",
        "..%2fC",
        "%252e%252e%252fC",
        "%00C",
        "..%5cC",
        "$(touch C)",
        "`C`",
        "C;C",
        "*",
        "?",
        "C|C",
        "${HOME}/C",
        "C&C",
        "\"C\"",
        "'C'",
        "C%n",
    ]
    .iter()
    .map(|name| name.replace('C', canary))
    .collect();
    names.push(format!("{up}{canary}"));
    names.push(format!("{up}tmp/{canary}"));
    names.push(format!("{}/{canary}", "d".repeat(4096)));
    for length in [254, 255, 256, 4095, 4096, 5000] {
        names.push("n".repeat(length));
        // Characters of two, three and four bytes across every limit.
        names.extend(["é", "文", "\u{1f600}"].map(|sign| format!("x{}.png", sign.repeat(length / sign.len() + 1))));
    }
    names
}

/// The findings of the function: the path it was given, and the bytes of each name in its input directory.
struct Found {
    path: Vec<u8>,
    names: Vec<Vec<u8>>,
}

/// A function that tells that, each ended by a NUL.
fn server() -> Server {
    let command = r#"printf '%s\0' "${INPUT_FILE_PATH#"$TMP_INPUT_DIR"}"; cd "$TMP_INPUT_DIR" && find . -mindepth 1 -printf '%P\0'"#;
    serve_command(command).quiet().start()
}

fn found(answer: &Answer) -> Found {
    let mut parts = answer.body.split(|byte| *byte == 0).map(<[u8]>::to_vec);
    let path = parts.next().expect("a path");
    let mut names: Vec<_> = parts.filter(|name| !name.is_empty()).collect();
    names.sort();
    Found { path, names }
}

/// Fails unless it is the name of a file in a directory, and nothing else.
#[track_caller]
fn is_plain(sent: &str, name: &[u8]) {
    let text =
        std::str::from_utf8(name).unwrap_or_else(|error| panic!("{sent:?} became {}: {error}", name.escape_ascii()));
    assert!(!text.is_empty() && text != "." && text != ".." && text.len() <= 255, "{sent:?} became {text:?}");
    let deceptive = |sign: char| matches!(sign, '/' | '\\' | '\u{202e}' | '\u{200b}' | '\u{feff}') || sign.is_control();
    assert!(!text.contains(deceptive) && text.trim() == text, "{sent:?} became {text:?}");
}

/// Fails unless there is one file of a plain name, and the function was given it.
#[track_caller]
fn is_one_plain_file(sent: &str, answer: &Answer) {
    let Found { path, names } = found(answer);
    assert_eq!(names.len(), 1, "{sent:?}: {answer}");
    is_plain(sent, &names[0]);
    assert_eq!(path, [b"/", &names[0][..]].concat(), "{sent:?}: {answer}");
}

/// The parameter as forms and headers quote it.
fn quoted(name: &str) -> String {
    name.replace('\\', "\\\\").replace('"', "\\\"")
}

/// The parameter of RFC 8187.
fn extended(name: &str) -> String {
    name.bytes().map(percent_encoding::percent_encode_byte).collect()
}

fn part(disposition: &str, content: &str) -> Vec<u8> {
    format!("--XyZ\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{content}\r\n").into_bytes()
}

/// Without the cut of long names (`filename::shortened`) they could not be stored; the rest as below.
#[test]
fn the_name_of_a_part_is_a_plain_name_in_the_input_directory() {
    let (server, canary) = (server(), format!("canary-{}", uuid::Uuid::new_v4()));
    let mut sent = 0;
    for name in hostile(&canary) {
        let (plain, extended) = (quoted(&name), extended(&name));
        for disposition in [
            format!("name=\"f\"; filename=\"{plain}\""),
            format!("name=f; filename*=UTF-8''{extended}"),
            format!("name=\"f\"; filename=\"good\"; filename*=UTF-8''{extended}"),
            format!("name=\"{plain}\""),
        ] {
            let body = [part(&disposition, "content"), b"--XyZ--\r\n".to_vec()].concat();
            let answer = server.post(body).media("multipart/form-data; boundary=XyZ").send();
            // A header block that the name has broken, or made too long, is refused: as good as tamed.
            if answer.status != 200 {
                answer.problem(400);
                continue;
            }
            is_one_plain_file(&name, &answer);
            sent += 1;
        }
        assert_eq!(escaped(&server, &canary), [""; 0], "{name:?}");
    }
    assert!(sent > 300, "only {sent} were taken");
    server.is_clean();
}

/// Without `Form::unique` the second `x` could not be stored.
#[test]
fn names_that_become_the_same_are_kept_apart() {
    let (server, canary) = (server(), "canary");
    let same =
        ["../x", "/x", "a\\x", "x", "x-2", "x", "X", "e\u{301}", "\u{e9}", "a\u{202e}b", "a\u{200b}b", "a_b", "a_b-2"];
    let names: Vec<String> = same.iter().map(ToString::to_string).chain(hostile(canary)).collect();
    let mut body = Vec::new();
    let mut parts = 0;
    for name in names.iter().filter(|name| !name.contains(['\0', '\r', '\n']) && name.len() < 4000) {
        // An empty file name with something in it is a file; a browser's without is none.
        body.extend(part(&format!("name=f; filename=\"{}\"", quoted(name)), "content"));
        parts += 1;
    }
    body.extend_from_slice(b"--XyZ--\r\n");
    let answer = server.post(body).media("multipart/form-data; boundary=XyZ").send().expect(200);
    let found = found(&answer);
    assert_eq!(found.names.len(), parts, "every part is a file of its own: {answer}");
    assert_eq!(found.names.iter().collect::<BTreeSet<_>>().len(), parts);
    for name in &found.names {
        is_plain("one of many", name);
    }
    assert_eq!(found.path, b"", "the directory itself");
    let invalid = [
        b"--XyZ\r\nContent-Disposition: form-data; name=f; filename=\"..\xff/\xfe\"\r\n\r\nx\r\n",
        &b"--XyZ--\r\n"[..],
    ];
    let answer = server.post(invalid.concat()).media("multipart/form-data; boundary=XyZ").send().expect(200);
    is_one_plain_file("invalid UTF-8", &answer);
}

/// Without the cut to the last part of a path (`filename::sanitised`) a file was found beside the input directory;
/// without `is_deceptive` a name had line breaks in it.
#[test]
fn the_name_in_content_disposition_is_a_plain_name_in_the_input_directory() {
    let (server, canary) = (server(), format!("canary-{}", uuid::Uuid::new_v4()));
    let mut sent = 0;
    for name in hostile(&canary) {
        let mut dispositions = vec![format!("attachment; filename*=UTF-8''{}", extended(&name))];
        if !name.contains(['\0', '\r', '\n', '\u{7f}', '\u{1b}']) {
            dispositions.push(format!("attachment; filename=\"{}\"", quoted(&name)));
            dispositions.push(format!("inline; filename={name}"));
        }
        for disposition in dispositions {
            for media in ["image/png", "application/base64"] {
                let request = server.post(encode("x")).media(media).header("Content-Disposition", &disposition);
                is_one_plain_file(&name, &request.send().expect(200));
                sent += 1;
            }
        }
        assert_eq!(escaped(&server, &canary), [""; 0], "{name:?}");
    }
    assert!(sent > 300, "only {sent} were taken");
    server.is_clean();
}

#[test]
fn call_ids_paths_and_object_keys_are_no_paths() {
    let (server, canary) = (server(), format!("canary-{}", uuid::Uuid::new_v4()));
    for name in hostile(&canary) {
        let key = serde_json::to_string(&name).expect("JSON");
        let event = format!(
            r#"{{"Records": [{{"eventSource": "aws:s3", "s3": {{"bucket": {{"name": {key}}}, "object": {{"key": {key}}}}}}}]}}"#
        );
        let request = server.request("POST", &format!("/run/{}", extended(&name))).body(event);
        let request = if name.contains(['\0', '\r', '\n', '\u{7f}', '\u{1b}']) {
            request
        } else {
            request.header("X-Call-Id", &name).header("X-Request-Id", &name)
        };
        let answer = request.send().expect(200);
        let Found { names, .. } = found(&answer);
        let [only] = &names[..] else { panic!("{name:?}: {answer}") };
        let own = only.strip_prefix(b"event-file-").map(<[u8]>::len);
        assert_eq!(own, Some(36), "{name:?}: the file has a name of bandog's own: {answer}");
        assert_eq!(escaped(&server, &canary), [""; 0], "{name:?}");
    }
    server.is_clean();
}

/// Leaves a file for each line of its input, which is a name in the notation of Python's bytes.
const LEAVE: &str = "
import ast, os
out = os.environb[b'TMP_OUTPUT_DIR']
for line in open(os.environ['INPUT_FILE_PATH']):
    path = out + b'/' + ast.literal_eval(line)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'xb') as file:
        file.write(line.encode())
";

/// Base names and paths that Linux takes and others read as something else.
const LEFT: &str = r"b'..\\..\\evil'
b'..\\evil'
b'\\evil'
b'\\\\server\\share\\evil'
b'C:\\evil'
b'C:evil'
b'c:/evil'
b'd/..\\..\\evil'
b'a\\b'
b'a_b'
b'a\nb'
b'line\r\nbreak'
b'\x1b[2Jevil'
b'\x7f'
b' '
b'-rf'
b'--evil'
b'...'
b'dots...'
b'CON'
b'nul.txt'
b'evil\xff\xfe'
b'Case'
b'case'
b'e\xcc\x81'
b'\xc3\xa9'
b'evil\xe2\x80\xaegpj.exe'
b'..\xef\xbc\x8fevil'
b'%2e%2e%2fevil'
b'*?<>|'
b'$(touch evil)'
b'nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn'
b'deep/.../er/.hidden'
";

/// Fails unless the name leads nowhere but into the directory it is unpacked in, on whatever system.
#[track_caller]
fn is_safe_in_an_archive(name: &[u8]) {
    let shown = name.escape_ascii();
    assert!(!name.is_empty() && name[0] != b'/', "{shown}");
    assert!(!name.contains(&b'\\'), "{shown}");
    assert!(!(name.len() > 1 && name[1] == b':' && name[0].is_ascii_alphabetic()), "{shown}");
    for part in name.split(|byte| *byte == b'/') {
        assert!(![&b""[..], b".", b".."].contains(&part), "{shown}");
    }
}

/// With paths stored as they are (`Entry::archived`) there was a `..\..\evil` in the archive; without the numbers in
/// `names::renamed` two files had one name.
#[test]
fn what_a_function_leaves_under_hostile_names_comes_back_under_safe_ones() {
    let count = LEFT.lines().count();
    let script = tempfile::tempdir().expect("a temporary directory");
    let path = script.path().join("leave.sh");
    fs::write(&path, "exec python3 -c \"$LEAVE\"\n").expect("writable");
    let server = serve(&path).env("LEAVE", LEAVE).quiet().start();
    let answer = server.post(encode(LEFT)).send().expect(200);
    let entries = unzip(&answer.decoded());
    let different: BTreeSet<Vec<u8>> = entries.iter().map(|entry| entry.name.clone()).collect();
    assert_eq!((entries.len(), different.len()), (count, count), "{:?}", names(&entries));
    for entry in &entries {
        is_safe_in_an_archive(&entry.name);
        assert!(LEFT.contains(std::str::from_utf8(&entry.content).expect("a line")), "{}", entry.name());
    }
    let home = tempfile::tempdir().expect("a temporary directory");
    let archive = home.path().join("answer.zip");
    fs::write(&archive, answer.decoded()).expect("writable");
    // Info-ZIP's own program renames what has controls in it, and calls that a warning.
    let unpack = "import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extractall(sys.argv[2])";
    program("python3").args(["-c", unpack]).arg(&archive).arg(home.path().join("into")).run().expect(0);
    let beside: Vec<String> = listing(home.path()).into_iter().filter(|path| !path.starts_with("into")).collect();
    assert_eq!(beside, ["answer.zip"]);

    let ran = bandog(["run", "--log-level", "CRITICAL", "--output", "into", "--script"])
        .arg(&path)
        .env("LEAVE", LEAVE)
        .with_workspace()
        .stdin(encode(LEFT))
        .run()
        .expect(0);
    let beside: Vec<String> = listing(ran.home()).into_iter().filter(|path| !path.starts_with("into")).collect();
    assert_eq!(beside, ["workspace"], "{ran}");
    let files = program("find").arg(ran.home().join("into")).args(["-type", "f", "-printf", "x"]).run().expect(0);
    assert_eq!(files.stdout.len(), count, "every file was unpacked: {ran}");
}

/// Without `names::portable` the browser was told `..\..\evil`.
#[test]
fn the_name_of_the_one_file_is_safe_in_every_field_and_on_disk() {
    let script = tempfile::tempdir().expect("a temporary directory");
    let path = script.path().join("leave.sh");
    fs::write(&path, "exec python3 -c \"$LEAVE\"\n").expect("writable");
    let server = serve(&path).env("LEAVE", LEAVE).quiet().start();
    for line in LEFT.lines() {
        let answer = server.post(encode(line)).accept("application/octet-stream").send().expect(200);
        assert_eq!(answer.text(), line);
        let disposition = answer.wants("content-disposition");
        let (plain, extended) = disposition
            .strip_prefix("attachment; filename=\"")
            .and_then(|rest| rest.split_once("\"; filename*=UTF-8''"))
            .unwrap_or_else(|| panic!("{line}: {disposition}"));
        let extended: Vec<u8> = percent_encoding::percent_decode_str(extended).collect();
        for name in [plain.as_bytes(), &extended] {
            is_safe_in_an_archive(name);
            assert!(!name.contains(&b'/'), "{line}: {disposition}");
        }
        let ran = bandog(["run", "--log-level", "CRITICAL", "--output", "into/", "--script"])
            .arg(&path)
            .env("LEAVE", LEAVE)
            .with_workspace()
            .stdin(encode(line))
            .run()
            .expect(0);
        let beside: Vec<String> = listing(ran.home()).into_iter().filter(|path| !path.starts_with("into")).collect();
        assert_eq!((beside, listing(&ran.home().join("into")).len()), (vec!["workspace".to_owned()], 1), "{ran}");
    }
}
