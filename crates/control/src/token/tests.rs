use std::{collections::HashSet, os::unix::fs::MetadataExt, thread};

use super::*;

fn write(folder: &Path, content: &[u8], mode: u32) -> PathBuf {
    let path = folder.join("admin.token");
    let _ = fs::remove_file(&path);
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path
}

#[test]
fn a_token_is_made_once_and_only_its_owner_may_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state/bartizan/admin.token");
    let made = AdminToken::create_or_read(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o7777, 0o700);
    let text = made.0.expose_secret();
    assert_eq!(URL_SAFE_NO_PAD.decode(text).unwrap().len(), 32);
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{text}\n"));
    for read in [AdminToken::create_or_read(&path), AdminToken::read(&path)] {
        assert!(read.unwrap().matches(text.as_bytes()));
    }
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no draft is left behind");
}

#[test]
fn those_who_start_at_once_agree_on_one_token() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.token");
    let start = || {
        let path = path.clone();
        thread::spawn(move || AdminToken::create_or_read(&path).unwrap().0.expose_secret().to_owned())
    };
    let starting: Vec<_> = (0..16).map(|_| start()).collect();
    let tokens: HashSet<_> = starting.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!(tokens.len(), 1);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_file_that_others_can_use_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    for mode in [0o640, 0o604, 0o644, 0o620, 0o602, 0o610, 0o666] {
        let path = write(folder.path(), &[b'x'; 43], mode);
        let error = AdminToken::create_or_read(&path).unwrap_err();
        assert!(
            matches!(error, ControlError::Exposed { mode: found, .. } if found == mode),
            "{mode:o}: {error}"
        );
        assert!(error.to_string().contains("chmod 600"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), [b'x'; 43]);
    }
    for mode in [0o600, 0o400] {
        assert!(AdminToken::create_or_read(&write(folder.path(), &[b'x'; 43], mode)).is_ok(), "{mode:o}");
    }
}

#[test]
fn a_file_without_a_token_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let cases: [(&[u8], Option<&str>); 9] = [
        (b"", Some("is empty")),
        (b"\n", Some("is empty")),
        (&[b'x'; 31], Some("shorter")),
        (&[b'x'; 32], None),
        (b"  0123456789abcdef0123456789abcdef\r\n", None),
        (&[b'x'; 512], None),
        (&[b'x'; 513], Some("longer")),
        (b"0123456789abcdef 0123456789abcdef", Some("characters that no token has")),
        ("0123456789abcdef0123456789abcdef\u{e9}".as_bytes(), Some("characters that no token has")),
    ];
    for (content, expected) in cases {
        let read = AdminToken::read(&write(folder.path(), content, 0o600));
        match expected {
            None => assert!(read.is_ok(), "{content:?}"),
            Some(expected) => assert!(read.unwrap_err().to_string().contains(expected), "{content:?}"),
        }
    }
    assert!(
        matches!(AdminToken::read(folder.path()).unwrap_err(), ControlError::Unusable { .. }),
        "a folder"
    );
    let missing = AdminToken::read(&folder.path().join("missing")).unwrap_err();
    assert!(matches!(missing, ControlError::Read { .. }), "reading makes no token");
}

#[test]
fn only_the_same_bytes_match() {
    let token = AdminToken("0123456789abcdef0123456789abcdef".into());
    let cases: [(&[u8], bool); 5] = [
        (b"0123456789abcdef0123456789abcdef", true),
        (b"0123456789abcdef0123456789abcdee", false),
        (b"0123456789abcdef0123456789abcde", false),
        (b"0123456789abcdef0123456789abcdef0", false),
        (b"", false),
    ];
    for (presented, expected) in cases {
        assert_eq!(token.matches(presented), expected, "{presented:?}");
    }
}

#[test]
fn a_token_is_not_shown() {
    let token = AdminToken("0123456789abcdef0123456789abcdef".into());
    let authorization = token.authorization();
    assert_eq!(authorization, "Bearer 0123456789abcdef0123456789abcdef");
    for shown in [format!("{token:?}"), format!("{authorization:?}")] {
        assert!(!shown.contains("0123"), "{shown}");
    }
}
