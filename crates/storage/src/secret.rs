//! Keys and passwords: given in the configuration, or in a file that is read again at each use.

use std::{
    fmt, fs,
    io::{self, Read as _},
    path::PathBuf,
};

/// Bytes of a file with a secret. A longer one holds something else.
const LIMIT: u64 = 64 * 1024;

/// A key or a password. Its value appears in no message.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// The value itself.
    Value(String),
    /// The file that contains it; a line end at its end is no part of it.
    File(PathBuf),
}

impl Secret {
    /// The value as it is now.
    ///
    /// # Errors
    /// The file cannot be read, or is not UTF-8.
    pub fn read(&self) -> io::Result<String> {
        match self {
            Self::Value(value) => Ok(value.clone()),
            Self::File(path) => read(path).map_err(|error| {
                io::Error::new(error.kind(), format!("cannot read the secret in {}: {error}", path.display()))
            }),
        }
    }
}

fn read(path: &PathBuf) -> io::Result<String> {
    let mut text = String::new();
    fs::File::open(path)?.take(LIMIT).read_to_string(&mut text)?;
    let length = text.trim_end_matches(['\r', '\n']).len();
    text.truncate(length);
    Ok(text)
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(_) => f.write_str("Value(…)"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_at_each_use_without_its_last_line_end() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("secretKey");
        let secret = Secret::File(path.clone());
        assert!(secret.read().expect_err("no file").to_string().contains("secretKey"));
        for (content, value) in [("one\n", "one"), ("two \r\n", "two "), ("", "")] {
            fs::write(&path, content).expect("written");
            assert_eq!(secret.read().expect("a value"), value);
        }
    }

    #[test]
    fn a_value_is_not_shown() {
        assert!(!format!("{:?}", Secret::Value("hunter2".to_owned())).contains("hunter2"));
    }
}
