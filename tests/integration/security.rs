//! The input that callers may send, and the facts that stay hidden: secrets, names of variables, names of files.
//!
//! `SECURITY.md` lists the attackers and the defences. That a function inherits no descriptor and no signal state
//! is in the suite `process`, that it starts where bandog was started is there too.

mod headers;
mod names;
mod secrets;

use crate::harness::serve_command;

/// With input files made with mode 0666 they were, under the first umask.
#[test]
fn the_umask_is_handed_down_and_what_bandog_makes_is_private_whatever_it_is() {
    let command = r#"umask; stat -c '%a %F' "$TMP_INPUT_DIR" "$TMP_OUTPUT_DIR" "$INPUT_FILE_PATH""#;
    for (before, mask) in [("umask 000", "0000"), ("umask 027", "0027"), ("umask 077", "0077")] {
        let server = serve_command(command).after_command(before).quiet().start();
        let answer = server.post("eA==").send().expect(200);
        let private = "700 directory\n700 directory\n600 regular file\n";
        assert_eq!(answer.text(), format!("{mask}\n{private}"), "{before}");
    }
}
