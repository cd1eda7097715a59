//! A check that accepts any bytes as an event and panics if a promise is broken, for tests and the fuzz target.

use crate::{
    dedupe::EventKey,
    event::{ENVIRONMENT_LIMIT, Notice, NoticeKind, Route, parse, route},
    object::ObjectPath,
    place::{Filter, Isolation, KnownProvider, Layout, Place},
};

/// Reads bytes as an event, and goes on with each notice as a run would.
///
/// # Panics
/// If a created object has no key, an event is too long for the environment or no JSON, or the event of one record does not
/// tell of the same object again.
pub fn check_event(bytes: &[u8]) {
    let layout = layout();
    let Some(notices) = parse(bytes, &layout.inputs) else { return };
    assert!(!notices.is_empty(), "an event tells of something");
    for notice in &notices {
        check_notice(notice, notices.len() == 1, &layout);
    }
}

fn check_notice(notice: &Notice, is_single: bool, layout: &Layout) {
    assert_eq!(EventKey::of(notice), EventKey::of(notice));
    if let Route::Provider { name, .. } = route(notice, layout) {
        assert!(notice.source.is_served_by(name.kind), "{name} serves {}", notice.source);
    }
    let event = notice.event.as_deref();
    assert!(event.is_none_or(|event| event.len() <= ENVIRONMENT_LIMIT));
    match &notice.kind {
        NoticeKind::Ignored(reason) => assert!(!reason.is_empty()),
        NoticeKind::Created => {
            assert!(!notice.object.key.is_empty() && !notice.object.key.contains('\0'));
            if let Some(event) = event {
                let again = parse(event.as_bytes(), &layout.inputs).expect("an event");
                assert_eq!((again.len(), &again[0].object), (1, &notice.object));
                assert!(!is_single || again[0] == *notice, "{notice:?}");
            }
        }
    }
}

/// A configuration with an input of each kind.
fn layout() -> Layout {
    let place = |provider: &str, path: &str| {
        let provider = provider.parse().expect("a provider");
        Place { provider, path: ObjectPath::parse(path), filter: Filter::default() }
    };
    let inputs = vec![
        place("minio", "in/folder"),
        place("s3", "in"),
        place("webdav", "pnfs/in"),
        place("onedata", ""),
        place("rucio", "user.jdoe"),
    ];
    let space = |input: &Place| Some("space".to_owned()).filter(|_| input.provider.to_string().starts_with("onedata"));
    let providers =
        inputs.iter().map(|input| KnownProvider { name: input.provider.clone(), space: space(input) }).collect();
    let isolation = Isolation::new("USER", vec!["in-private".to_owned()]).expect("a level");
    Layout { inputs, providers, isolation, ..Layout::default() }
}
