use std::os::fd::AsFd as _;

use bandog_runtime::output;

use super::*;

#[test]
fn a_file_that_cannot_be_kept_does_not_stop_the_others() {
    let (made, place) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    for name in ["a", "b", "folder/c"] {
        let path = made.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, name).expect("written");
    }
    let dir = File::open(made.path()).expect("open");
    let output = output::collect(dir.as_fd(), made.path(), None, &mut |_| ()).expect("collected");
    fs::remove_file(made.path().join("a")).expect("removed");
    let Kept { dir, lost } = keep(place.path(), "../call", OutputFiles::of(&output), &[0, 1, 2]).expect("kept");
    assert_eq!(lost.iter().map(|(path, _)| path.as_path()).collect::<Vec<_>>(), [Path::new("a")]);
    assert_eq!(fs::read_to_string(dir.join("b")).expect("kept"), "b");
    assert_eq!(fs::read_to_string(dir.join("folder/c")).expect("kept"), "folder/c");
    assert!(!dir.join("a").exists());
    assert_eq!(dir.parent(), Some(place.path()), "a call id leads nowhere else");
}
