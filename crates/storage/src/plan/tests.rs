use proptest::prelude::*;

use super::*;

fn place(provider: &str, path: &str, prefixes: &[&str], suffixes: &[&str]) -> Place {
    let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    let filter = Filter { prefixes: owned(prefixes), suffixes: owned(suffixes) };
    Place { provider: provider.parse().expect("a provider"), path: ObjectPath::parse(path), filter }
}

fn whole(provider: &str, path: &str) -> Place {
    place(provider, path, &[], &[])
}

fn layout(inputs: Vec<Place>, outputs: Vec<Place>) -> Layout {
    let known = ["minio", "minio.other", "s3", "webdav.dcache", "local"];
    let providers = known.iter().map(|name| KnownProvider { name: name.parse().expect("a provider"), space: None });
    Layout { inputs, outputs, providers: providers.collect(), ..Layout::default() }
}

fn isolated(inputs: Vec<Place>, outputs: Vec<Place>) -> Layout {
    let isolation = Isolation::new("user", vec!["gray-a".to_owned(), "gray-b".to_owned()]).expect("a level");
    Layout { isolation, ..layout(inputs, outputs) }
}

fn plan(outputs: Vec<Place>) -> OutputPlan {
    OutputPlan::new(&layout(Vec::new(), outputs)).expect("a plan")
}

fn mistakes(layout: &Layout) -> Vec<String> {
    OutputPlan::new(layout).err().unwrap_or_default()
}

/// The uploads as `OUTPUT:BUCKET/KEY`.
fn uploads(plan: &OutputPlan, files: &[&str], event_bucket: Option<&str>) -> Vec<String> {
    let planned = plan.files(files, event_bucket);
    planned.uploads.iter().map(|upload| format!("{}:{}", upload.output, upload.to)).collect()
}

#[test]
fn every_file_goes_to_every_output_that_takes_it_below_its_folder() {
    let plan = plan(vec![
        whole("minio", "out/all"),
        place("minio", "thumbs", &["t-", "sub/"], &[".png"]),
        place("local", "/logs/deep/er//", &[], &[".log", ".txt"]),
    ]);
    let files = ["t-1.png", "sub/2.png", "x/t-3.png", "a b+%.txt"];
    let planned = plan.files(&files, None);
    assert_eq!(
        uploads(&plan, &files, None),
        [
            "0:out/all/t-1.png",
            "1:thumbs/t-1.png",
            "0:out/all/sub/2.png",
            "1:thumbs/sub/2.png",
            "0:out/all/x/t-3.png",
            "0:out/all/a b+%.txt",
            "2:logs/deep/er/a b+%.txt",
        ]
    );
    assert_eq!((planned.refused, planned.skipped), (vec![], vec![]));
}

#[test]
fn files_that_no_output_is_for_are_skipped() {
    let plan = plan(vec![place("minio", "out", &[], &[".png"])]);
    let planned = plan.files(&["a.txt", "b.png", "c"], None);
    assert_eq!(planned.skipped, [0, 2]);
    assert_eq!(planned.uploads.len(), 1);
    assert_eq!(super::OutputPlan::new(&Layout::default()).expect("no outputs").files(&["a"], None).skipped, [0]);
}

#[test]
fn a_name_that_is_no_text_is_refused_by_each_output_that_would_take_it() {
    let plan = plan(vec![whole("minio", "out"), place("minio", "png", &[], &[".png"])]);
    let planned = plan.files(&[b"a\xff.txt".as_slice(), b"good"], None);
    let refused: Vec<_> = planned.refused.iter().map(|refused| (refused.file, refused.output)).collect();
    assert_eq!(refused, [(0, 0)], "{planned:?}");
    let reason = &planned.refused[0].reason;
    assert!(reason.contains("xff.txt") && reason.contains("UTF-8"), "{reason}");
    assert_eq!(planned.uploads.len(), 1);
}

#[test]
fn all_mistakes_are_told_at_once() {
    let layout = layout(
        vec![whole("minio.away", "in"), whole("s3", "")],
        vec![whole("minio.gone", "out"), whole("minio", "/"), whole("s3", "x/y"), whole("s3", "x/y/")],
    );
    let mistakes = mistakes(&layout);
    for (mistake, words) in mistakes.iter().zip([
        ["output 1 (minio.gone, path \"out\")", "\"gone\" to storage_providers"],
        ["output 2 (minio.default, path \"\")", "has no bucket"],
        ["input 1 (minio.away, path \"in\")", "storage_providers"],
        ["input 2 (s3.default, path \"\")", "has no bucket"],
        ["output 3 (s3.default, path \"x/y\") and output 4 (s3.default, path \"x/y\")", "the same key"],
    ]) {
        assert!(words.iter().all(|word| mistake.contains(word)), "{mistake}");
    }
    assert_eq!(mistakes.len(), 5, "{mistakes:#?}");
}

#[test]
fn outputs_that_could_store_one_file_twice_are_refused() {
    for (first, second, is_refused) in [
        (whole("minio", "b/f"), whole("minio", "b/f"), true),
        (place("minio", "b/f", &[], &[".txt"]), place("minio", "b/f", &["a"], &[]), true),
        (place("minio", "b/f", &[], &["t"]), place("minio", "b/f", &[], &[".txt"]), true),
        (place("minio", "b/f", &[], &[".txt"]), place("minio", "b/f", &[], &[".png"]), false),
        (place("minio", "b/f", &["a"], &[]), place("minio", "b/f", &["b"], &[]), false),
        (whole("minio", "b/f"), whole("minio", "b/g"), false),
        (whole("minio", "b/f"), whole("minio", "c/f"), false),
        (whole("minio", "b/f"), whole("minio.other", "b/f"), false),
        (whole("minio", "b/f"), whole("s3", "b/f"), false),
    ] {
        let shown = format!("{first:?} {second:?}");
        assert_eq!(!mistakes(&layout(Vec::new(), vec![first, second])).is_empty(), is_refused, "{shown}");
    }
}

#[test]
fn different_files_that_meet_under_one_key_are_not_overwritten_unseen() {
    let plan = plan(vec![whole("minio", "b"), whole("minio", "b/sub"), whole("minio.other", "b/sub")]);
    let planned = plan.files(&["sub/x", "x"], None);
    assert_eq!(
        uploads(&plan, &["sub/x", "x"], None),
        ["0:b/sub/x", "1:b/sub/sub/x", "2:b/sub/sub/x", "0:b/x", "2:b/sub/x"]
    );
    assert_eq!(planned.refused.len(), 1);
    let RefusedUpload { file, output, reason } = &planned.refused[0];
    assert_eq!((*file, *output), (1, 1));
    assert!(reason.contains("b/sub/x of minio.default") && reason.contains("\"sub/x\""), "{reason}");
}

#[test]
fn an_output_below_an_input_is_refused_unless_that_is_allowed() {
    for (input, output, is_loop) in [
        ("b/in", "b/in", true),
        ("b/in", "b/in/out", true),
        ("b/in/", "b/in", true),
        ("b", "b/out", true),
        ("b", "b", true),
        ("b/in", "b/into", false),
        ("b/in", "b", false),
        ("b/in", "c/in", false),
    ] {
        let mut layout = layout(vec![whole("minio", input)], vec![whole("minio", output)]);
        let found = mistakes(&layout);
        assert_eq!(found.len(), usize::from(is_loop), "{input} {output}: {found:?}");
        if let [mistake] = found.as_slice() {
            assert!(mistake.contains("output 1 (") && mistake.contains("input 1 ("), "{mistake}");
            assert!(mistake.contains("--allow-loop"), "{mistake}");
        }
        layout.allows_loops = true;
        assert_eq!(mistakes(&layout), [""; 0], "{input} {output}");
        let elsewhere =
            super::OutputPlan::new(&self::layout(vec![whole("minio.other", input)], vec![whole("minio", output)]));
        assert!(elsewhere.is_ok(), "another provider");
    }
}

#[test]
fn an_input_without_buckets_can_be_the_whole_store() {
    for (input, output, is_loop) in [
        ("", "x", true),
        ("/", "x/y", true),
        ("x", "x/y", true),
        ("x/y", "x", false),
        ("x/y", "/x/y/", true),
        ("x", "xy", false),
    ] {
        let found = mistakes(&layout(vec![whole("webdav.dcache", input)], vec![whole("webdav.dcache", output)]));
        assert_eq!(found.len(), usize::from(is_loop), "{input:?} {output:?}: {found:?}");
    }
}

#[test]
fn runs_for_a_private_bucket_store_there() {
    let layout = isolated(
        vec![whole("minio", "gray/in")],
        vec![whole("minio", "gray/out"), whole("minio", "public"), whole("s3", "gray/out")],
    );
    let plan = OutputPlan::new(&layout).expect("a plan");
    for (event, first) in [
        (Some("gray-a"), "0:gray-a/out/x"),
        (Some("gray-b"), "0:gray-b/out/x"),
        (Some("gray"), "0:gray/out/x"),
        (Some("gray-c"), "0:gray/out/x"),
        (None, "0:gray/out/x"),
    ] {
        assert_eq!(uploads(&plan, &["x"], event), [first, "1:public/x", "2:gray/out/x"], "{event:?}");
    }
}

#[test]
fn loops_and_equal_keys_that_only_private_buckets_have_are_found_too() {
    let equal = isolated(Vec::new(), vec![whole("minio", "one/out"), whole("minio", "two/out")]);
    let found = mistakes(&equal);
    assert!(found.len() == 1 && found[0].contains("private bucket \"gray-a\""), "{found:?}");

    let looping = isolated(vec![whole("minio", "gray/in")], vec![whole("minio", "other/in/deep")]);
    let found = mistakes(&looping);
    assert!(found.len() == 1 && found[0].contains("is below input 1"), "{found:?}");

    let direct = isolated(vec![whole("minio", "gray")], vec![whole("minio", "gray-a")]);
    assert_eq!(mistakes(&direct).len(), 1, "an output that names a private bucket itself");
    let apart = isolated(vec![whole("minio", "gray/in")], vec![whole("minio", "gray/out"), whole("minio", "gray/log")]);
    assert_eq!(mistakes(&apart), [""; 0]);
}

proptest! {
    #[test]
    fn each_file_is_planned_refused_or_skipped_and_no_key_twice(
        files in prop::collection::hash_set("[ab/]{1,4}", 0..9),
        paths in prop::collection::vec(("[bc](/[ab]){0,2}", prop::option::of("[ab]")), 0..4),
    ) {
        let outputs = paths.iter().map(|(path, suffix)| {
            let suffixes: Vec<_> = suffix.as_deref().into_iter().collect();
            place("minio", path, &[], &suffixes)
        });
        let layout = layout(Vec::new(), outputs.collect());
        let Ok(plan) = OutputPlan::new(&layout) else { return Ok(()) };
        let files: Vec<_> = files.into_iter().collect();
        let planned = plan.files(&files, None);
        let keys: HashSet<_> = planned.uploads.iter().map(|upload| &upload.to).collect();
        prop_assert_eq!(keys.len(), planned.uploads.len());
        for (file, path) in files.iter().enumerate() {
            let takers = plan.outputs().iter().filter(|output| output.filter.takes(path.as_bytes())).count();
            let stored = planned.uploads.iter().filter(|upload| upload.file == file).count();
            let refused = planned.refused.iter().filter(|refused| refused.file == file).count();
            prop_assert_eq!(stored + refused, takers);
            prop_assert_eq!(planned.skipped.contains(&file), takers == 0);
        }
    }
}
