use bandog_storage::{Secret, http::Endpoint, provider::webdav::*, testing::suite};
fn run(url: &str) {
    let trust = bandog_storage::http::Trust::default();
    let auth = Auth::Basic { login: Secret::Value("me".into()), password: Secret::Value("secret".into()) };
    let dav = WebDav::new("webdav".parse().unwrap(), Settings { endpoint: Endpoint::parse(url).unwrap(), auth, trust })
        .unwrap();
    suite::run(&dav, "bucket", "folder/", suite::Abilities { without: &[], keeps_object_keys: false });
}
#[test]
fn rclone() {
    run("http://127.0.0.1:18081")
}
#[test]
fn wsgidav() {
    run("http://127.0.0.1:18082")
}
#[test]
fn apache() {
    run("http://127.0.0.1:18083/dav")
}
#[test]
fn seaweed() {
    run("http://127.0.0.1:18084")
}
