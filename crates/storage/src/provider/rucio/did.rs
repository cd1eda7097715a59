//! Data identifiers: a scope, and a name in it.

use std::fmt;

use crate::{
    error::{Error, ErrorKind},
    object::ObjectPath,
    provider::web::encoded,
};

/// Characters of a scope, and of a name, at most (Rucio's generic schema).
const SCOPE_LENGTH: usize = 25;
const NAME_LENGTH: usize = 250;

/// A data identifier.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Did {
    pub(crate) scope: String,
    pub(crate) name: String,
}

impl fmt::Display for Did {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.scope, self.name)
    }
}

impl Did {
    /// The identifier `scope:name`, unchecked.
    pub(crate) fn new(scope: impl Into<String>, name: impl Into<String>) -> Self {
        Self { scope: scope.into(), name: name.into() }
    }

    /// The identifier of an object; without a bucket, in the scope of the account.
    ///
    /// # Errors
    /// [`ErrorKind::Rejected`]: Rucio gives no such identifier.
    pub(crate) fn of(object: &ObjectPath, account: &str) -> Result<Self, Error> {
        let scope = if object.bucket.is_empty() { account } else { &object.bucket };
        let wrong = |detail: String| Err(Error::new(ErrorKind::Rejected, detail));
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if scope.is_empty() || scope.len() > SCOPE_LENGTH || !scope.bytes().all(is_plain) {
            return wrong(format!(
                "{scope:?} cannot be a scope of Rucio; expected at most {SCOPE_LENGTH} of a-z, A-Z, 0-9, '.', '_' and '-'"
            ));
        }
        let name = object.key.as_str();
        let begins_well = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'/');
        if !begins_well || name.len() > NAME_LENGTH || !name.bytes().all(|byte| is_plain(byte) || byte == b'/') {
            return wrong(format!(
                "{name:?} cannot be a name of Rucio; expected at most {NAME_LENGTH} of a-z, A-Z, 0-9, '.', '_', '-' and '/', \
                 where none of '.', '_' and '-' is the first"
            ));
        }
        Ok(Self::new(scope, name))
    }

    /// The dataset that a file belongs to by its name: the folder of it.
    pub(crate) fn dataset(&self) -> Option<Self> {
        let (folder, _) = self.name.rsplit_once('/')?;
        (!folder.is_empty()).then(|| Self::new(&self.scope, folder))
    }

    /// The identifier in a URL.
    pub(crate) fn encoded(&self) -> String {
        format!("{}{}", encoded(&self.scope), encoded(&self.name))
    }

    /// The identifier in a document.
    pub(crate) fn document(&self) -> serde_json::Value {
        serde_json::json!({ "scope": self.scope, "name": self.name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn did(scope: &str, name: &str) -> Result<Did, Error> {
        Did::of(&ObjectPath::new(scope, name), "me")
    }

    #[test]
    fn the_rules_of_names_are_checked_before_anything_is_sent() {
        for (scope, name) in
            [("user.me", "a/b.c-d_e"), ("", "a"), ("s", "/a"), ("s", &"x".repeat(250)), (&"s".repeat(25), "a")]
        {
            let did = did(scope, name).expect(name);
            assert_eq!((did.scope.as_str(), did.name.as_str()), (if scope.is_empty() { "me" } else { scope }, name));
        }
        for name in ["", "a b", "a+b", "a@b", "\u{fc}", "_a", ".a", "-a", "a%20b", "a\nb", &"x".repeat(251)] {
            let error = did("s", name).expect_err(name);
            assert_eq!(error.kind, ErrorKind::Rejected);
            assert!(error.detail.contains(&format!("{name:?}")), "{error}");
        }
        for scope in ["a b", "a/b", "\u{fc}", &"s".repeat(26)] {
            assert!(did(scope, "a").expect_err(scope).detail.contains("scope"), "{scope}");
        }
    }

    #[test]
    fn the_folder_of_a_name_is_its_dataset() {
        assert_eq!(did("s", "set/a").expect("a did").dataset(), Some(Did::new("s", "set")));
        assert_eq!(did("s", "a/b/c").expect("a did").dataset(), Some(Did::new("s", "a/b")));
        assert_eq!(did("s", "a").expect("a did").dataset(), None);
        assert_eq!(did("s", "/a").expect("a did").dataset(), None);
        assert_eq!(did("s.x", "a/b").expect("a did").encoded(), "/s.x/a/b");
    }
}
