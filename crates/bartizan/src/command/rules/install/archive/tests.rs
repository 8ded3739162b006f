use std::{io::Write, iter};

use flate2::{Compression, write::GzEncoder};
use tar::Header;
use tempfile::TempDir;

use super::*;

/// What every release has.
const WHOLE: [(&str, &str); 3] = [
    ("crs-4.0.0/crs-setup.conf.example", "# setup"),
    ("crs-4.0.0/rules/REQUEST-901-INITIALIZATION.conf", "# rules"),
    ("crs-4.0.0/rules/sql-errors.data", "phrases"),
];

/// An entry as it stands in an archive, whatever its name: the builder of the library refuses the hostile ones.
fn entry(name: &str, kind: EntryType, link: &str, contents: &[u8]) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o6777);
    header.set_size(contents.len() as u64);
    header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
    header.set_cksum();
    let padding = contents.len().next_multiple_of(512) - contents.len();
    [header.as_bytes().as_slice(), contents, &vec![0; padding]].concat()
}

fn file(name: &str, contents: &str) -> Vec<u8> {
    entry(name, EntryType::Regular, "", contents.as_bytes())
}

fn whole() -> Vec<u8> {
    WHOLE.iter().flat_map(|(name, contents)| file(name, contents)).collect()
}

fn gzipped(entries: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(entries).unwrap();
    gzip.write_all(&[0; 1024]).unwrap();
    gzip.finish().unwrap()
}

/// A place to unpack in, with nothing beside it.
fn folder() -> (TempDir, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("new");
    (parent, folder)
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn what_a_release_needs_is_unpacked_and_nothing_else() {
    let archive = [
        entry("pax_global_header", EntryType::XGlobalHeader, "", b"30 comment=0123456789abcdef012\n"),
        entry("crs-4.0.0/", EntryType::Directory, "", b""),
        whole(),
        file("crs-4.0.0/plugins/empty-before.conf", ""),
        file("crs-4.0.0/tests/regression/1.yaml", "tests"),
        file("crs-4.0.0/README.md", "read me"),
        file("./crs-4.0.0/LICENSE", "licence"),
    ];
    let (_parent, folder) = folder();
    unpack(&gzipped(&archive.concat()), &folder).unwrap();
    assert_eq!(names(&folder), ["LICENSE", "crs-setup.conf.example", "plugins", "rules"]);
    assert_eq!(names(&folder.join("rules")), ["REQUEST-901-INITIALIZATION.conf", "sql-errors.data"]);
    let data = folder.join("rules/sql-errors.data");
    assert_eq!(fs::read_to_string(&data).unwrap(), "phrases");
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&data).unwrap().permissions());
    assert_eq!(mode & 0o7777, 0o600, "the archive does not say who may do what");
}

#[test]
fn hostile_archives_are_refused_and_leave_nothing_outside() {
    let link = |kind, to: &str| entry("crs-4.0.0/rules/link.conf", kind, to, b"");
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("parent", file("crs-4.0.0/rules/../../../evil", "x"), "leads out of its folder"),
        ("parent first", file("../evil", "x"), "leads out of its folder"),
        ("absolute", file("/tmp/bartizan-evil", "x"), "leads out of its folder"),
        ("symbolic link", link(EntryType::Symlink, "/etc/passwd"), "neither a file nor a folder"),
        ("hard link", link(EntryType::Link, "/etc/passwd"), "neither a file nor a folder"),
        ("device", link(EntryType::Char, ""), "neither a file nor a folder"),
        ("pipe", link(EntryType::Fifo, ""), "neither a file nor a folder"),
        ("twice", file(WHOLE[1].0, "other"), "twice"),
        ("escape", file("crs-4.0.0/rules/\x1b[31m.conf", "x"), "is no name of a release's file"),
        ("deep", file("a/rules/b/c/d/e/f/g/h/i.conf", "x"), "is no name of a release's file"),
        ("file as folder", file("crs-4.0.0/rules/sql-errors.data/x", "x"), "cannot"),
    ];
    for (name, hostile, expected) in cases {
        let (parent, folder) = folder();
        let error = unpack(&gzipped(&[whole(), hostile].concat()), &folder).unwrap_err();
        let message = format!("{error:#}");
        assert!(message.contains(expected), "{name}: {message}");
        assert!(!message.contains('\x1b'), "{name}");
        assert_eq!(names(parent.path()), ["new"], "{name}");
    }
    assert!(!Path::new("/tmp/bartizan-evil").exists());
}

#[test]
fn bombs_are_not_unpacked() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&whole()).unwrap();
    let mut header = Header::new_gnu();
    header.set_path("crs-4.0.0/rules/bomb.data").unwrap();
    header.set_size(1 << 40);
    header.set_cksum();
    gzip.write_all(header.as_bytes()).unwrap();
    let zeros = vec![0; 1 << 20];
    iter::repeat_n(&zeros, 50).for_each(|zeros| gzip.write_all(zeros).unwrap());
    let (_parent, place) = folder();
    let message = format!("{:#}", unpack(&gzip.finish().unwrap(), &place).unwrap_err());
    assert!(message.contains("48 MiB"), "{message}");

    let many: Vec<u8> =
        (0..=MAX_ENTRIES).flat_map(|number| file(&format!("crs-4.0.0/docs/{number}"), "")).collect();
    let (_parent, place) = folder();
    let message = format!("{:#}", unpack(&gzipped(&many), &place).unwrap_err());
    assert!(message.contains("more than 20000 entries"), "{message}");
}

#[test]
fn what_is_no_release_is_refused() {
    let archive = gzipped(&whole());
    let missing = |name: &str| {
        let entries = WHOLE.iter().filter(|(file, _)| !file.contains(name));
        gzipped(&entries.flat_map(|(name, contents)| file(name, contents)).collect::<Vec<_>>())
    };
    let cases: [(&str, Vec<u8>); 5] = [
        ("nothing", Vec::new()),
        ("text", b"<!DOCTYPE html><title>Not found</title>".to_vec()),
        ("broken off", archive[..archive.len() / 2].to_vec()),
        ("without setup", missing("setup")),
        ("without rules", missing("901")),
    ];
    for (name, bytes) in cases {
        let (_parent, folder) = folder();
        assert!(unpack(&bytes, &folder).is_err(), "{name}");
    }
}
