use proptest::prelude::*;

use super::*;

fn filter(prefixes: &[&str], suffixes: &[&str]) -> Filter {
    let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    Filter { prefixes: owned(prefixes), suffixes: owned(suffixes) }
}

fn place(provider: &str, path: &str) -> Place {
    let provider = provider.parse().expect("a provider");
    Place { provider, path: ObjectPath::parse(path), filter: Filter::default() }
}

#[test]
fn a_filter_is_compared_with_the_whole_path() {
    for (prefixes, suffixes, taken, refused) in [
        (&[][..], &[][..], &["a", "sub/a", ""][..], &[][..]),
        (&["result-"], &[], &["result-1.txt", "result-"], &["sub/result-1.txt", "a-result-"]),
        (&["sub/"], &[], &["sub/a"], &["sub", "a/sub/b"]),
        (&[], &["txt", ".png"], &["a.txt", "txt", "sub/a.png"], &["a.txt.gz", "apng", "a.PNG"]),
        (&["a", "b"], &["x", "y"], &["ax", "by", "b/y"], &["a", "x", "cx"]),
        (&[""], &[""], &["a"], &[]),
    ] {
        let filter = filter(prefixes, suffixes);
        assert!(taken.iter().all(|path| filter.takes(path.as_bytes())), "{filter:?} takes {taken:?}");
        assert!(!refused.iter().any(|path| filter.takes(path.as_bytes())), "{filter:?} refuses {refused:?}");
    }
    assert!(filter(&["a"], &["z"]).takes(b"a\xff\xfez"), "a path need not be text");
}

#[test]
fn a_folder_contains_whole_segments() {
    for (folder, key, rest) in [
        ("a", "a/x", Some("x")),
        ("a", "a//x", Some("/x")),
        ("a", "ab/x", None),
        ("a", "a", None),
        ("a/b", "a/b/c/d", Some("c/d")),
        ("a/b", "a/c", None),
        ("", "a/b", Some("a/b")),
        ("", "/a", Some("/a")),
        ("a+b", "a b/x", None),
    ] {
        assert_eq!(below(folder, key), rest, "{key:?} below {folder:?}");
    }
    assert_eq!(place("minio", "b/a//").folder(), "a");
}

#[test]
fn levels_of_isolation_are_read_in_any_case_and_others_refused() {
    let buckets = || vec!["gray-a".to_owned()];
    for level in ["USER", "user", "User"] {
        assert_eq!(Isolation::new(level, buckets()).expect(level).buckets(), buckets());
    }
    for level in ["", "SERVICE", "service"] {
        assert_eq!(Isolation::new(level, buckets()), Ok(Isolation::default()), "{level:?}");
    }
    for level in ["USERS", " USER", "none"] {
        let error = Isolation::new(level, buckets()).expect_err(level).to_string();
        assert!(error.contains(&format!("{level:?}")) && error.contains("USER"), "{error}");
    }
}

#[test]
fn outputs_of_minio_with_a_folder_go_to_the_private_bucket_of_the_event() {
    let isolation = Isolation::new("USER", vec!["gray-a".to_owned()]).expect("a level");
    for (provider, path, event, bucket) in [
        ("minio", "gray/out", Some("gray-a"), "gray-a"),
        ("minio.other", "gray/out/deep", Some("gray-a"), "gray-a"),
        ("minio", "gray/out", Some("gray"), "gray"),
        ("minio", "gray/out", Some("gray-b"), "gray"),
        ("minio", "gray/out", None, "gray"),
        ("minio", "gray", Some("gray-a"), "gray"),
        ("minio", "gray/", Some("gray-a"), "gray"),
        ("s3", "gray/out", Some("gray-a"), "gray"),
        ("webdav", "gray/out", Some("gray-a"), "gray"),
    ] {
        assert_eq!(isolation.bucket_of(&place(provider, path), event), bucket, "{provider} {path} {event:?}");
        assert_eq!(Isolation::default().bucket_of(&place(provider, path), event), "gray", "without isolation");
    }
}

proptest! {
    #[test]
    fn filters_meet_exactly_where_a_path_passes_both(
        ours in ("[ab]{0,2}", "[ab]{0,2}"), theirs in ("[ab]{0,2}", "[ab]{0,2}"),
    ) {
        let one = |(prefix, suffix): &(String, String)| filter(&[prefix.as_str()], &[suffix.as_str()]);
        let (ours, theirs) = (one(&ours), one(&theirs));
        // All paths of up to five letters: a common path of the shortest kind has at most four.
        let mut paths = vec![String::new()];
        let mut found = false;
        for _ in 0..=5 {
            found |= paths.iter().any(|path| ours.takes(path.as_bytes()) && theirs.takes(path.as_bytes()));
            paths = paths.iter().flat_map(|path| [format!("{path}a"), format!("{path}b")]).collect();
        }
        prop_assert_eq!(ours.meets(&theirs), found);
        prop_assert_eq!(theirs.meets(&ours), found);
    }

    #[test]
    fn a_key_that_is_joined_to_a_folder_is_below_it(folder in ".{0,9}", key in ".{0,9}") {
        let folder = folder.trim_end_matches('/');
        let joined = if folder.is_empty() { key.clone() } else { format!("{folder}/{key}") };
        prop_assert_eq!(below(folder, &joined), Some(key.as_str()));
    }
}
