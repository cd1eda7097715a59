//! `--user`: the user that the function runs as, by number or by name.

use std::path::{Path, PathBuf};

use crate::invocation::User;

/// The file in which names are looked up. A static binary has no other directory of users.
const PASSWD: &str = "/etc/passwd";

/// The spellings that `--user` accepts, for messages.
pub(super) const EXPECTED: &str =
    "a user id such as 1000, 1000:1000, or a name of /etc/passwd; a group is given by its number";

/// The value that means "no id" to the kernel (setresuid(2)).
const NO_ID: u32 = u32::MAX;

/// Parses `UID`, `UID:GID`, `NAME` and `NAME:GID`.
pub(super) fn parse(text: &str) -> Option<User> {
    let passwd = std::fs::read_to_string(Path::new(PASSWD)).unwrap_or_default();
    parse_with(text, &passwd)
}

/// The same with the text of a passwd(5) file.
fn parse_with(text: &str, passwd: &str) -> Option<User> {
    let (user, group) = match text.split_once(':') {
        Some((who, group)) => (who, Some(id(group)?)),
        None => (text, None),
    };
    if user.is_empty() {
        return None;
    }
    let number = id(user);
    let known = passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, gid, _, home, ..] = fields[..] else { return None };
        let (uid, gid) = (id(uid)?, id(gid)?);
        let is_meant = number.map_or(name == user, |number| number == uid);
        is_meant.then(|| User {
            uid,
            gid,
            name: Some(name.to_owned()),
            home: Some(home).filter(|home| !home.is_empty()).map(PathBuf::from),
        })
    });
    let mut parsed = match known {
        Some(user) => user,
        None => number.map(|uid| User { uid, gid: uid, name: None, home: None })?,
    };
    parsed.gid = group.unwrap_or(parsed.gid);
    Some(parsed)
}

fn id(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|id| digits && *id != NO_ID)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str =
        "root:x:0:0:root:/root:/bin/sh\n# no user\nocr:x:70:71:OCR,,,:/srv/ocr:/bin/false\nbare:x:80:80::\n";

    fn ids(text: &str) -> Option<(u32, u32)> {
        parse_with(text, FILE).map(|user| (user.uid, user.gid))
    }

    #[test]
    fn a_user_is_a_number_or_a_name_and_the_group_its_own_unless_given() {
        assert_eq!(ids("1000"), Some((1000, 1000)));
        assert_eq!(ids("1000:5"), Some((1000, 5)));
        assert_eq!(ids("70"), Some((70, 71)));
        assert_eq!(ids("ocr"), Some((70, 71)));
        assert_eq!(ids("ocr:9"), Some((70, 9)));
        assert_eq!(ids("0"), Some((0, 0)));
        let user = parse_with("70", FILE).expect("known");
        assert_eq!((user.name.as_deref(), user.home.as_deref()), (Some("ocr"), Some(Path::new("/srv/ocr"))));
        assert_eq!(parse_with("1000", FILE).expect("a number").home, None);
    }

    #[test]
    fn unknown_users_are_refused() {
        for text in
            ["", ":", "1000:", ":1000", "-1", "+1", "4294967295", "4294967296", "1:2:3", "unknown", "ocr:wheel", "#"]
        {
            assert_eq!(ids(text), None, "{text:?}");
        }
    }
}
