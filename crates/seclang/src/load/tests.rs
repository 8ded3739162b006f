//! Rule files in a folder of their own.

use std::{fs, path::Path};

use tempfile::TempDir;

use super::*;

/// A folder with these files.
fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, contents) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, contents).unwrap();
    }
    folder
}

/// Loads a pattern in that folder; messages have `~` where the folder's name is.
fn load(folder: &Path, pattern: &str) -> Result<RuleFiles, String> {
    let mut rules = RuleFiles::default();
    let folder = folder.display().to_string();
    match rules.add_files(&format!("{folder}/{pattern}")) {
        Ok(()) => Ok(rules),
        Err(error) => Err(error.to_string().replace(&folder, "~")),
    }
}

/// The names of all markers, in the order of loading.
fn markers(rules: &RuleFiles) -> String {
    let names = rules.directives().iter().filter_map(|directive| match &directive.kind {
        DirectiveKind::Marker(name) => Some(name.as_str()),
        _ => None,
    });
    names.collect::<Vec<_>>().join(" ")
}

#[test]
fn included_files_stand_where_they_are_included() {
    let folder = folder(&[
        ("main.conf", b"SecMarker A\nInclude rules/*.conf\nSecMarker Z"),
        ("rules/20.conf", b"SecMarker C"),
        ("rules/10.conf", b"SecMarker B\nInclude \"../more/[ab].conf\""),
        ("rules/.hidden.conf", b"SecMarker HIDDEN"),
        ("rules/30.conf.example", b"SecMarker EXAMPLE"),
        ("more/b.conf", b"SecMarker B2"),
        ("more/a.conf", b"SecMarker B1"),
    ]);
    let rules = load(folder.path(), "main.conf").unwrap();
    assert_eq!(markers(&rules), "A B B1 B2 C Z");
    assert!(rules.directives()[1].place.file.ends_with("rules/10.conf"));
}

#[test]
fn a_folder_whose_name_looks_like_a_pattern_is_just_a_folder() {
    let folder = folder(&[("a[b]/main.conf", b"Include x*.conf"), ("a[b]/x1.conf", b"SecMarker A")]);
    let mut rules = RuleFiles::default();
    let path = folder.path().join("a[b]/main.conf");
    let text = fs::read_to_string(&path).unwrap();
    rules.add_text(&text, path.to_str().unwrap()).unwrap();
    assert_eq!(markers(&rules), "A");
}

#[test]
fn data_files_are_read_beside_the_rules_that_name_them() {
    let folder = folder(&[
        ("a/one.conf", b"SecRule ARGS \"@pmFromFile words.data more.data\" id:1"),
        ("b/two.conf", b"SecRule ARGS \"@pmf words.data\" id:2"),
        ("a/words.data", b"\xff a\n"),
        ("a/more.data", b"more"),
        ("b/words.data", b"b"),
    ]);
    let rules = load(folder.path(), "*/*.conf").unwrap();
    let data: Vec<_> = rules
        .directives()
        .iter()
        .map(|directive| match &directive.kind {
            DirectiveKind::Rule(rule) => {
                rules.data().of(&directive.place, rule.first.operator.as_ref().unwrap()).unwrap()
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(data, [vec![b"\xff a\n".as_slice(), b"more"], vec![b"b".as_slice()]]);
}

#[test]
fn what_cannot_be_loaded_is_refused_with_its_place() {
    let folder = folder(&[
        ("itself.conf", b"SecMarker A\nInclude itself.conf"),
        ("bytes.conf", b"SecMarker \xff"),
        ("folder.conf/x", b""),
        ("twice.conf", b"SecAction id:7\nSecAction id:8\nSecRule ARGS a id:7"),
        ("again.conf", b"Include once.conf\nInclude once.conf"),
        ("once.conf", b"SecAction id:9"),
        ("default.conf", b"SecDefaultAction phase:1,pass\nSecDefaultAction phase:1,deny"),
        ("nothing.conf", b"\nInclude none/*.conf"),
        ("missing.conf", b"Include none.conf"),
        ("data.conf", b"SecRule ARGS b id:1,chain\nSecRule ARGS \"@pmFromFile none.data\""),
        ("macro.conf", b"SecRule ARGS \"@pmFromFile %{tx.a}\" id:1"),
        ("remote.conf", b"SecRule ARGS \"@pmFromFile https://a.example/b\" id:1"),
        ("syntax.conf", b"Include denny.conf"),
        ("denny.conf", b"\nSecAction id:1,denny"),
    ]);
    let cases = [
        (
            "itself.conf",
            "~/itself.conf:2: `~/itself.conf` is included 16 levels deep: does a file include itself?",
        ),
        ("bytes.conf", "~/bytes.conf: `~/bytes.conf` is not UTF-8"),
        ("folder.conf", "~/folder.conf: `~/folder.conf` cannot be read: not a regular file"),
        ("none.conf", "~/none.conf: `~/none.conf` cannot be read: No such file or directory (os error 2)"),
        ("no*.thing", "~/no*.thing: `~/no*.thing` names no file"),
        ("twice.conf", "~/twice.conf:3: rule 7 exists already, at ~/twice.conf:1"),
        ("again.conf", "~/once.conf:1: rule 9 exists already, at ~/once.conf:1"),
        ("default.conf", "~/default.conf:2: phase 1 has default actions already, at ~/default.conf:1"),
        ("nothing.conf", "~/nothing.conf:2: `none/*.conf` names no file"),
        (
            "missing.conf",
            "~/missing.conf:1: `~/none.conf` cannot be read: No such file or directory (os error 2)",
        ),
        ("data.conf", "~/data.conf:2: `~/none.data` cannot be read: No such file or directory (os error 2)"),
        (
            "macro.conf",
            "~/macro.conf:1: `%{TX.a}` is not a value of `@pmFromFile`: expected a file name without macros: it is \
             read only once",
        ),
        (
            "remote.conf",
            "~/remote.conf:1: `https://a.example/b` is not a value of `@pmFromFile`: expected the name of a file on \
             this machine",
        ),
        ("syntax.conf", "~/denny.conf:2: unknown action `denny`, did you mean `deny`?"),
    ];
    for (file, message) in cases {
        assert_eq!(load(folder.path(), file).err().as_deref(), Some(message), "{file}");
    }
}

#[test]
fn files_without_end_are_refused() {
    let folder =
        folder(&[("many.conf", "Include empty.conf\n".repeat(5_000).as_bytes()), ("empty.conf", b"")]);
    let message = "~/many.conf:4096: files exceed their limit of 4096";
    assert_eq!(load(folder.path(), "many.conf").err().as_deref(), Some(message));

    let file = fs::File::create(folder.path().join("large.conf")).unwrap();
    file.set_len(100 * 1024 * 1024).unwrap();
    let message = "~/large.conf: bytes of files exceed their limit of 67108864";
    assert_eq!(load(folder.path(), "large.conf").err().as_deref(), Some(message));
}
