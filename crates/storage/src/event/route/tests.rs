use proptest::prelude::*;

use super::*;
use crate::{
    event::NoticeKind,
    object::ObjectPath,
    place::{Filter, Isolation, KnownProvider},
};

fn place(provider: &str, path: &str) -> Place {
    let provider = provider.parse().expect("a provider");
    Place { provider, path: ObjectPath::parse(path), filter: Filter::default() }
}

/// A layout with these inputs, of which all providers are configured.
fn layout(inputs: &[(&str, &str)]) -> Layout {
    let inputs: Vec<_> = inputs.iter().map(|(provider, path)| place(provider, path)).collect();
    let space = |name: &ProviderName| (name.kind == ProviderType::Onedata).then(|| format!("space-{}", name.id));
    let known = |input: &Place| KnownProvider { name: input.provider.clone(), space: space(&input.provider) };
    Layout { providers: inputs.iter().map(known).collect(), inputs, ..Layout::default() }
}

fn notice(source: EventSource, bucket: &str, key: &str) -> Notice {
    Notice::new(source, "", ObjectPath::new(bucket, key), NoticeKind::Created)
}

/// The provider, with `!` behind it if there is a warning; else the kind of route.
fn name_of(route: &Route) -> String {
    match route {
        Route::Provider { name, warning: None } => name.to_string(),
        Route::Provider { name, warning: Some(_) } => format!("{name}!"),
        Route::Filtered(_) => "filtered".to_owned(),
        Route::Unknown(error) => {
            assert_eq!(error.kind, ErrorKind::Unknown);
            "unknown".to_owned()
        }
    }
}

fn routed(notice: &Notice, inputs: &[(&str, &str)]) -> String {
    name_of(&route(notice, &layout(inputs)))
}

#[test]
fn the_input_with_the_bucket_and_folder_decides() {
    use EventSource::{Aws, Ceph, Minio, StorageGrid};
    for (source, bucket, key, inputs, wanted) in [
        (Minio, "in", "a/x", &[("minio.two", "in/a"), ("minio", "in/b")][..], "minio.two"),
        (Minio, "in", "a/b/x", &[("minio.two", "in/a/")], "minio.two"),
        (Minio, "in", "ab/x", &[("minio.two", "in/a")], "unknown"),
        (Minio, "in", "a", &[("minio.two", "in/a")], "unknown"),
        (Minio, "in", "a x/y", &[("minio", "in/a+x")], "unknown"),
        (Minio, "in", "a x/y", &[("minio", "in/a x")], "minio.default"),
        (Minio, "in", "/x", &[("minio", "in")], "minio.default"),
        (Minio, "other", "x", &[("minio", "in")], "unknown"),
        (Minio, "in", "x", &[("s3", "in")], "s3.default"),
        (Aws, "in", "x", &[("minio", "in")], "minio.default"),
        (Ceph, "in", "x", &[("minio.ceph", "in")], "minio.ceph"),
        (StorageGrid, "in", "x", &[("s3.grid", "in")], "s3.grid"),
        (Minio, "in", "x", &[("webdav", "in"), ("local", "in"), ("rucio", "in")], "unknown"),
        (Minio, "in", "x", &[], "unknown"),
        (Minio, "", "x", &[("minio", "")], "minio.default"),
    ] {
        assert_eq!(routed(&notice(source, bucket, key), inputs), wanted, "{source} {bucket}/{key} {inputs:?}");
    }
}

#[test]
fn of_several_providers_the_own_type_is_first_then_the_default_then_the_order() {
    use EventSource::{Aws, Ceph, Minio, RustFs};
    for (source, inputs, wanted) in [
        (Minio, &[("s3", "in"), ("minio.two", "in")][..], "minio.two"),
        (RustFs, &[("s3", "in"), ("minio.two", "in")], "minio.two"),
        (Aws, &[("minio", "in"), ("s3.two", "in")], "s3.two"),
        (Minio, &[("minio.a", "in"), ("minio", "in")], "minio.default"),
        (Minio, &[("minio.b", "in"), ("minio.a", "in")], "minio.b!"),
        (Minio, &[("minio.b", "in"), ("minio.b", "in/f"), ("s3", "in")], "minio.b"),
        (Ceph, &[("minio.a", "in"), ("s3", "in")], "s3.default"),
        (Ceph, &[("minio", "in"), ("s3", "in")], "minio.default!"),
    ] {
        assert_eq!(routed(&notice(source, "in", "f/x"), inputs), wanted, "{source} {inputs:?}");
    }
    let route = route(&notice(Minio, "in", "x"), &layout(&[("minio.b", "in"), ("minio.a", "in")]));
    let Route::Provider { warning: Some(warning), .. } = route else { panic!("{route:?}") };
    assert!(["minio.a", "minio.b", "in/x", "the first"].iter().all(|word| warning.contains(word)), "{warning}");
}

#[test]
fn a_file_that_no_filter_takes_is_no_error() {
    let mut layout = layout(&[("minio", "in/a"), ("minio.two", "in")]);
    layout.inputs[0].filter.suffixes = vec![".png".to_owned()];
    layout.inputs[1].filter.prefixes = vec!["b/".to_owned()];
    for (key, wanted) in
        [("a/x.png", "minio.default"), ("a/x.txt", "filtered"), ("b/x", "minio.two"), ("x", "filtered")]
    {
        assert_eq!(name_of(&route(&notice(EventSource::Minio, "in", key), &layout)), wanted, "{key}");
    }
}

#[test]
fn an_event_of_a_private_bucket_is_one_of_the_shared_one() {
    let mut layout = layout(&[("minio", "gray/in"), ("s3", "gray/in")]);
    layout.isolation = Isolation::new("USER", vec!["gray-a".to_owned()]).expect("a level");
    for (bucket, key, wanted) in [
        ("gray-a", "in/x", "minio.default"),
        ("gray", "in/x", "minio.default"),
        ("gray-b", "in/x", "unknown"),
        ("gray-a", "out/x", "unknown"),
    ] {
        assert_eq!(name_of(&route(&notice(EventSource::Minio, bucket, key), &layout)), wanted, "{bucket}/{key}");
    }
}

#[test]
fn stores_without_buckets_are_found_by_their_paths() {
    use EventSource::{DCache, Local, Onedata, Rucio};
    for (source, bucket, key, inputs, wanted) in [
        (DCache, "pnfs", "in/x", &[("webdav.b", "/pnfs/in"), ("webdav", "pnfs/in")][..], "webdav.b"),
        (DCache, "", "x", &[("webdav.b", "/")], "webdav.b"),
        (DCache, "", "x", &[("minio", "b")], "unknown"),
        (Local, "in", "a/x", &[("local", "in/b"), ("local.a", "in/a")], "local.a"),
        (Local, "in", "a/x", &[("local", "")], "local.default"),
        (Onedata, "space-b", "f/x", &[("onedata.a", "f"), ("onedata.b", "f")], "onedata.b"),
        (Onedata, "space-b", "f/x", &[("onedata.b", "")], "onedata.b"),
        (Onedata, "space-b", "fg/x", &[("onedata.b", "f")], "unknown"),
        (Onedata, "space-c", "f/x", &[("onedata.b", "f")], "unknown"),
        (Rucio, "user.jdoe", "run/x", &[("rucio.a", "user.jdoe")], "rucio.a"),
        (Rucio, "user.jdoe", "run/x", &[("rucio.a", "user.jdoe/run")], "rucio.a"),
        (Rucio, "user.jdoe", "run/x", &[("rucio.a", "run")], "rucio.a"),
        (Rucio, "user.jdoe", "run/x", &[("rucio.a", "")], "rucio.a"),
        (Rucio, "user.jdoe", "run/x", &[("rucio.a", "user.other")], "unknown"),
    ] {
        assert_eq!(routed(&notice(source, bucket, key), inputs), wanted, "{source} {bucket}/{key} {inputs:?}");
    }
}

#[test]
fn an_unknown_provider_is_told_with_the_inputs_that_there_are() {
    let notice = notice(EventSource::Minio, "in", "x");
    let told = |layout: &Layout| match route(&notice, layout) {
        Route::Unknown(error) => error.to_string(),
        other => panic!("{other:?}"),
    };
    let text = told(&layout(&[("minio", "a"), ("s3.two", "b/c"), ("webdav", "in")]));
    assert!(
        ["in/x", "minio:s3", "minio or s3", "a/ of minio.default, b/c of s3.two"]
            .iter()
            .all(|word| text.contains(word)),
        "{text}"
    );
    let text = told(&layout(&[]));
    assert!(text.ends_with("there is none"), "{text}");
    let unconfigured = Layout { providers: Vec::new(), ..layout(&[("minio.gone", "in")]) };
    let text = told(&unconfigured);
    assert!(text.contains("minio.gone") && text.contains("storage_providers"), "{text}");
}

proptest! {
    #[test]
    fn every_notice_has_a_route_and_its_provider_has_the_folder(
        bucket in "[ab]?", key in "[ab/ ]{0,5}",
        inputs in prop::collection::vec((prop::sample::select(vec!["minio", "s3.x", "webdav", "local", "rucio", "onedata"]),
            "[ab/]{0,5}"), 0..5),
        source in prop::sample::select(vec![EventSource::Aws, EventSource::Ceph, EventSource::Minio, EventSource::DCache,
            EventSource::Local, EventSource::Onedata, EventSource::Rucio]),
    ) {
        let inputs: Vec<_> = inputs.iter().map(|(provider, path)| (*provider, path.as_str())).collect();
        let layout = layout(&inputs);
        let notice = notice(source, &bucket, &key);
        if let Route::Provider { name, .. } = route(&notice, &layout) {
            let has_it = |input: &Place| input.provider == name && place_in(&notice, input, &layout).is_some();
            prop_assert!(layout.inputs.iter().any(has_it));
        } else {
            prop_assert!(layout.inputs.iter().all(|input| place_in(&notice, input, &layout).is_none()));
        }
    }
}
