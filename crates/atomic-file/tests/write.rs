//! Whole or not at all: what stands after success, failure, a kill, and in a folder that others write into.

use std::fs;
use std::path::Path;

use atomic_file::{beside, remove_leftovers, target_of, write};

fn names(folder: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(name).collect();
    names.sort();
    names
}

#[test]
fn a_file_is_made_and_replaced_and_nothing_else_is_left() {
    let folder = tempfile::tempdir().unwrap();
    // The longest name that the usual file systems take.
    for name in ["model.safetensors", &"ä".repeat(127), "-", "a b\nc"] {
        let path = folder.path().join(name);
        for bytes in [&b"old"[..], b"new", b""] {
            write(&path, bytes).unwrap();
            assert_eq!(fs::read(&path).unwrap(), bytes);
        }
    }
    assert_eq!(names(folder.path()).len(), 4);
}

#[test]
fn what_cannot_be_replaced_is_an_error_and_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let missing = write(folder.path().join("missing/file"), b"x").unwrap_err();
    assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
    assert!(write(folder.path().join(".."), b"x").is_err());
    fs::create_dir(folder.path().join("taken")).unwrap();
    let taken = write(folder.path().join("taken"), b"x").unwrap_err();
    assert_eq!(taken.kind(), std::io::ErrorKind::IsADirectory);
    assert_eq!(names(folder.path()), ["taken"]);
}

#[test]
fn each_name_is_another_one_in_the_same_folder() {
    let path = Path::new("some/folder/loss.svg");
    let (first, second) = (beside(path).unwrap(), beside(path).unwrap());
    assert_eq!(first.parent(), path.parent());
    assert_ne!(first, second);
}

#[test]
fn only_the_leftovers_of_the_files_that_are_named_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let leftover = |name: &str| beside(&folder.path().join(name)).unwrap();
    for name in ["config.json", "loss.svg"] {
        fs::write(leftover(name), "half").unwrap();
    }
    let others = [
        ".config.json.123.tmp",
        ".config.json.0123456789abcdef.part",
        ".config.json.0123456789ABCDEF.half-written",
        ".config.json.0123456789abcde.half-written",
        ".config.json0123456789abcdef.half-written",
        ".other.0123456789abcdef.half-written",
        "config.json.0123456789abcdef.half-written",
        "config.json",
    ];
    for name in others {
        fs::write(folder.path().join(name), "another's").unwrap();
    }
    fs::create_dir(leftover("config.json")).unwrap();
    remove_leftovers(folder.path(), |name| ["config.json", "loss.svg"].contains(&name)).unwrap();
    let mut left = names(folder.path());
    left.retain(|name| !others.contains(&name.as_str()));
    // The folder.
    assert_eq!(left.len(), 1);
    assert_eq!(target_of(&left[0]), Some("config.json"));
    assert!(others.iter().all(|name| folder.path().join(name).exists()));
}

#[cfg(unix)]
mod on_unix {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::process::Command;

    use super::*;

    #[test]
    fn permissions_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for mode in [0o600, 0o640, 0o444, 0o666] {
            fs::write(&path, "old").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            write(&path, b"new").unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, mode);
            fs::remove_file(&path).unwrap();
        }
        // A new file has the permissions that any new file has.
        write(&path, b"new").unwrap();
        fs::write(folder.path().join("usual"), "").unwrap();
        let mode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode("file"), mode("usual"));
    }

    #[test]
    fn links_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let victim = folder.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        // At the target's name, and at the names that writers before this one took.
        let path = folder.path().join("file");
        symlink(&victim, &path).unwrap();
        for name in [format!(".file.{}.tmp", std::process::id()), "file.new".into()] {
            symlink(&victim, folder.path().join(name)).unwrap();
        }
        write(&path, b"new").unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
        // And a link that is called as a leftover is not ours.
        let planted = beside(&path).unwrap();
        symlink(&victim, &planted).unwrap();
        remove_leftovers(folder.path(), |name| name == "file").unwrap();
        assert!(fs::symlink_metadata(planted).is_ok() && victim.exists());
    }

    #[test]
    fn a_device_is_not_replaced() {
        let error = write("/dev/null", b"x").unwrap_err();
        assert_eq!(error.to_string(), "not a regular file");
    }

    /// Writes as the variable says, under whatever the parent has arranged; without it there is nothing to do.
    #[test]
    fn write_in_a_process_of_its_own() {
        let Ok(path) = std::env::var("ATOMIC_FILE_TEST") else { return };
        write(path, &vec![1; 1 << 26]).unwrap();
    }

    fn child(script: &str, path: &Path) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]).arg(std::env::current_exe().unwrap());
        command.args(["--exact", "on_unix::write_in_a_process_of_its_own"]).env("ATOMIC_FILE_TEST", path);
        command
    }

    #[test]
    fn on_a_full_disk_the_old_file_stands_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write(&path, b"old").unwrap();
        let output = child("trap '' XFSZ; ulimit -f 100; exec \"$@\"", &path).output().unwrap();
        assert!(String::from_utf8_lossy(&output.stdout).contains("File too large"), "{output:?}");
        assert_eq!((names(folder.path()), fs::read(&path).unwrap()), (vec!["file".into()], b"old".to_vec()));
    }

    #[test]
    fn what_a_killed_process_leaves_is_known_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write(&path, b"old").unwrap();
        // The system ends the process at the limit, without a chance to clean up.
        let output = child("ulimit -f 100; exec \"$@\"", &path).output().unwrap();
        assert!(!output.status.success());
        let left = names(folder.path());
        assert!(left.len() == 2 && target_of(&left[0]) == Some("file"), "{left:?}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        remove_leftovers(folder.path(), |name| name == "file").unwrap();
        assert_eq!(names(folder.path()), ["file"]);
    }
}
