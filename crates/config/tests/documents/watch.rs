//! Changes of the document and of its files are noticed, by content.

use std::fs;

use bartizan_config::{Config, Watch};

use crate::folder;

#[test]
fn only_contents_count_as_changes() {
    let folder = folder();
    let path = folder.path().join("bartizan.yaml");
    let text = "version: 1\nlisten: { https: \"127.0.0.1:0\" }\ntls: { cert: cert.pem, key: key.pem }\n\
                routes: [{ path: /, to: \"http://a\", auth: none }]\n";
    fs::write(&path, text).unwrap();
    let config = Config::load(&path).unwrap().config;
    let mut watch = Watch::new(&config, &path);
    assert!(!watch.changed());

    fs::write(&path, text).unwrap();
    assert!(!watch.changed(), "written again unchanged");

    fs::write(folder.path().join("cert.pem"), "renewed").unwrap();
    assert!(watch.changed(), "a certificate");
    assert!(!watch.changed(), "and only once");

    fs::write(&path, format!("{text}# comment\n")).unwrap();
    assert!(watch.changed(), "the document");

    fs::remove_file(folder.path().join("key.pem")).unwrap();
    assert!(watch.changed(), "a file that is gone");
    fs::write(folder.path().join("key.pem"), "key.pem").unwrap();
    assert!(watch.changed(), "and back");
    assert!(!watch.changed());
}

#[test]
fn a_change_between_loading_and_watching_is_not_missed() {
    let folder = folder();
    let path = folder.path().join("bartizan.yaml");
    let text = crate::with("");
    fs::write(&path, &text).unwrap();
    let config = Config::load(&path).unwrap().config;
    fs::write(&path, format!("{text}# later\n")).unwrap();
    assert!(Watch::new(&config, &path).changed());
}

#[test]
fn files_that_are_new_to_a_pattern_are_changes() {
    let folder = folder();
    let path = folder.path().join("bartizan.yaml");
    let policies = folder.path().join("policies");
    fs::create_dir(&policies).unwrap();
    let write = |name: &str, text: &str| fs::write(policies.join(name), text).unwrap();
    write("a.cedar", "permit (principal, action, resource);");
    let text = |more: &str| crate::with(&format!("policies: {{ files: ./policies/*.cedar{more} }}"));
    fs::write(&path, text("")).unwrap();
    let mut watch = Watch::new(&Config::load(&path).unwrap().config, &path);
    assert!(!watch.changed());

    write("notes.txt", "not of this pattern");
    assert!(!watch.changed());
    write("b.cedar", "forbid (principal, action, resource)");
    assert!(watch.changed(), "a new file");
    assert!(!watch.changed(), "and only once");
    write("b.cedar", "forbid (principal, action, resource);");
    assert!(watch.changed(), "also while the configuration in force does not know it");
    fs::remove_file(policies.join("b.cedar")).unwrap();
    assert!(watch.changed(), "a removed one");

    // Another document names other files.
    write("shop.cedarschema", "entity user;");
    fs::write(&path, text(", schema: ./policies/*.cedarschema")).unwrap();
    assert!(watch.changed());
    watch.follow(&Config::load(&path).unwrap().config);
    assert!(!watch.changed());
    write("shop.cedarschema", "entity person;");
    assert!(watch.changed(), "a file of the document that is now in force");
}
