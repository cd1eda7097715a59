mod server;

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use self::server::{answer, posix, provider, server};
use super::*;
use crate::{
    journal::Journal,
    provider::web::fake::{Reply, Seen},
    testing::{Received, source, suite},
};

fn is_move(seen: &Seen) -> bool {
    seen.header("content-type") == Some("application/cdmi-object")
}

#[test]
fn it_passes_the_suite() {
    let server = server(|_, _| None);
    suite::run(&server.onedata, "space", "folder/", suite::Abilities { without: &[], keeps_object_keys: false });
    assert!(server.files().iter().all(|path| !path.contains("bandog")), "{:?}", server.files());
}

#[test]
fn an_output_goes_into_the_space_under_its_own_name_at_the_end() {
    let server = server(|_, _| None);
    server.put("out/a b", b"one").expect("stored");
    server.put("space/out/c", b"two").expect("stored");
    assert_eq!(server.files(), ["/space/out/a b", "/space/out/c"]);
    let seen = server.fake.seen();
    assert_eq!(seen[0].line(), "GET /cdmi/space/?objectType");
    assert!(seen.iter().all(|seen| seen.header("x-auth-token") == Some("token")));
    let in_place = |seen: &&Seen| seen.method == "PUT" && !is_move(seen) && !seen.target.contains("bandog");
    let folders: Vec<String> = seen.iter().filter(in_place).map(Seen::line).collect();
    assert_eq!(folders, ["PUT /cdmi/space/out/"], "no file is written in place, and the folder is made once");
}

#[test]
fn a_file_takes_the_place_of_another() {
    let server = server(|_, _| None);
    for content in [&b"one"[..], b"two"] {
        server.put("space/a", content).expect("stored");
        assert_eq!((server.files(), server.content("/space/a")), (vec!["/space/a".to_owned()], Some(content.to_vec())));
    }
    server.put("space/f/x", b"x").expect("stored");
    let error = server.put("space/f", b"y").expect_err("a folder");
    assert_eq!((error.kind, server.files().len()), (ErrorKind::Rejected, 2), "{error}");
}

#[test]
fn the_file_before_comes_back_if_the_new_one_cannot_take_its_place() {
    let is_set = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&is_set);
    let server = server(move |seen, _| {
        let is_second =
            is_move(seen) && seen.target == "/cdmi/space/a" && !String::from_utf8_lossy(&seen.body).contains(".old.");
        let is_replacing = is_second && set.load(Ordering::SeqCst);
        is_replacing.then(|| posix("eacces"))
    });
    server.put("space/a", b"before").expect("stored");
    is_set.store(true, Ordering::SeqCst);
    let error = server.put("space/a", b"after").expect_err("refused");
    assert_eq!(error.kind, ErrorKind::Denied, "{error}");
    assert_eq!((server.files(), server.content("/space/a")), (vec!["/space/a".to_owned()], Some(b"before".to_vec())));
}

#[test]
fn a_move_whose_answer_is_lost_is_found_done() {
    let count = AtomicUsize::new(0);
    let server = server(move |seen, files| {
        (is_move(seen) && count.fetch_add(1, Ordering::SeqCst) == 0).then(|| {
            let _ = answer(seen, files);
            Reply::cut()
        })
    });
    server.put("space/a", b"one").expect("stored");
    assert_eq!((server.files(), server.content("/space/a")), (vec!["/space/a".to_owned()], Some(b"one".to_vec())));
}

#[test]
fn failures_have_names_and_the_words_of_the_server() {
    for (errno, kind) in [
        ("eacces", ErrorKind::Denied),
        ("eperm", ErrorKind::Denied),
        ("enospc", ErrorKind::Rejected),
        ("edquot", ErrorKind::Rejected),
    ] {
        let server =
            server(move |seen, _| (seen.target.contains("bandog") && seen.method == "PUT").then(|| posix(errno)));
        let error = server.put("space/a", b"one").expect_err("refused");
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.detail.contains(errno), "{error}");
        assert_eq!(server.files(), Vec::<String>::new());
    }
    let server = server(|_, _| None);
    let stranger = provider(&server.fake, "other");
    let at = ObjectPath::new("space", "a");
    for error in [
        stranger.check(None, &Control::default()).expect_err("a stranger"),
        Received::default().fetch(&stranger, &at).expect_err("a stranger"),
        stranger.store(&source(b"x"), &at, &Control::default()).expect_err("a stranger"),
    ] {
        assert_eq!(error.kind, ErrorKind::Credentials, "{error}");
        assert!(error.detail.contains("Provide a valid token."), "{error}");
    }
}

#[test]
fn a_stored_file_of_another_size_is_an_error() {
    let server = server(|seen, _| {
        let is_asked = seen.target.ends_with("?metadata:cdmi_size");
        is_asked.then(|| Reply::new(200, &[], r#"{"metadata":{"cdmi_size":"2"}}"#))
    });
    assert_eq!(server.put("space/a", b"one").expect_err("short").kind, ErrorKind::Unverified);
    assert_eq!(server.files(), Vec::<String>::new());
}

#[test]
fn a_folder_is_no_input_and_a_missing_space_is_named() {
    let server = server(|_, _| None);
    server.put("space/f/x", b"x").expect("stored");
    let error = Received::default().fetch(&server.onedata, &ObjectPath::new("space", "f")).expect_err("a folder");
    assert_eq!(error.kind, ErrorKind::NotFound);
    server.onedata.check(None, &Control::default()).expect("the space is there");
    server.files.lock().expect("no panic").clear();
    let error = server.onedata.check(None, &Control::default()).expect_err("no space");
    assert_eq!(error.kind, ErrorKind::NoBucket);
    assert!(error.detail.contains("\"space\""), "{error}");
}

#[test]
fn a_part_is_recorded_and_the_next_process_puts_things_in_order() {
    let dir = tempfile::tempdir().expect("a directory");
    let journal = Journal::open(&dir.path().join("journal")).expect("a journal");
    let server = server(|seen, _| (is_move(seen) || seen.method == "DELETE").then(|| posix("eacces")));
    let recorded = source(b"one").recorded_in(&journal);
    server.onedata.store(&recorded, &ObjectPath::new("space", "a"), &Control::default()).expect_err("refused");
    let part = server.files().pop().expect("the part stays");
    // The process was killed after the file before was moved aside.
    let again = self::server::server(|_, _| None);
    let aside = FilePath::of_part(part.trim_start_matches('/')).expect("a part").aside();
    again.files.lock().expect("no panic").extend([(part, b"one".to_vec()), (format!("/{aside}"), b"before".to_vec())]);
    let swept = journal.sweep(|entry| again.onedata.discard(entry, &Control::default())).expect("swept");
    assert_eq!((swept.discarded, again.files()), (1, vec!["/space/a".to_owned()]));
    assert_eq!(again.content("/space/a"), Some(b"before".to_vec()));
}
