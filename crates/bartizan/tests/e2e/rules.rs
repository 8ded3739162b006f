//! The rules of the firewall: installed, looked up, tried out.

use std::{fs, io::Write, path::Path};

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::Response;
use http_body_util::{BodyExt, Full};

use crate::{harness::cli, phrases::public, service::Service, upstream::Upstream};

/// A release that objects to one word.
fn release() -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let rule = "SecRule ARGS \"@contains frobnicate\" \"id:901001,phase:2,deny,msg:'A word'\"\n";
    for (path, text) in
        [("crs-setup.conf.example", "# setup\n"), ("rules/REQUEST-901-INITIALIZATION.conf", rule)]
    {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        archive
            .append_data(&mut header, Path::new("coreruleset-4.99.0").join(path), text.as_bytes())
            .unwrap();
    }
    let mut gzip = archive.into_inner().unwrap();
    gzip.flush().unwrap();
    gzip.finish().unwrap()
}

fn checksum(bytes: &[u8]) -> String {
    let bytes = digest(&SHA256, bytes);
    let digits: Vec<_> = bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

#[tokio::test]
async fn a_release_is_installed_and_found() {
    let (upstream, release) = (Upstream::start().await, release());
    let gateway = public(&upstream, "").await;
    let archive = gateway.folder().join("crs.tar.gz");
    fs::write(&archive, &release).unwrap();
    let install = async |from: &str, sha256: &str| {
        gateway.cli(["rules", "install", "crs@4.99.0", "--from", from, "--sha256", sha256]).await
    };
    let (file, right) = (archive.to_str().unwrap(), checksum(&release));
    let rules = gateway.state_directory().join("rules");

    gateway.rewrite(&format!("routes: [{{ path: /**, to: \"{upstream}\", auth: none, waf: crs }}]"));
    let missing = gateway.cli(["check"]).await.failed_with(2);
    assert!(missing.contains("run `bartizan rules install crs@4.28.0`"), "{missing}");

    let wrong = install(file, &"0".repeat(64)).await.failed_with(1);
    assert!(wrong.contains("its SHA-256 is") && wrong.contains(&right), "{wrong}");
    assert!(!rules.join("crs-4.99.0").exists());

    let served = release.clone();
    let site = Service::start(move |_| {
        let body = Bytes::from(served.clone());
        async move { Response::new(Full::new(body).map_err(|never| match never {}).boxed()) }
    })
    .await;
    let said = install(&format!("{site}/crs.tar.gz"), &right).await.succeeded();
    assert!(said.contains("installed:") && said.contains("crs-4.99.0"), "{said}");
    let names: Vec<_> = fs::read_dir(&rules).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["crs-4.99.0"], "nothing else is left");
    let again = install(file, &right).await.failed_with(1);
    assert!(again.contains("is there already"), "{again}");

    gateway.cli(["reload"]).await.succeeded();
    assert_eq!(gateway.get("/?a=frobnicate").await.status(), 403);
    assert_eq!(gateway.get("/?a=b").await.status(), 200);
    gateway.stop().await;
}

/// Packs these files as they are, below `folder`.
fn packed(folder: &str, files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, Path::new(folder).join(path), bytes.as_slice()).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

#[tokio::test]
async fn a_release_that_is_known_needs_no_checksum_and_others_one_beside_them() {
    let folder = tempfile::TempDir::new().unwrap();
    let archive = folder.path().join("crs.tar.gz");
    let file = archive.to_str().unwrap();
    let install = async |version: &str, state: &str| {
        let (release, state) = (format!("crs@{version}"), folder.path().join(state));
        cli(["rules", "install", &release, "--from", file, "--state-dir", state.to_str().unwrap()]).await
    };

    fs::write(&archive, release()).unwrap();
    for version in ["4.99.0", "4.28.0"] {
        let unknown = install(version, "a").await.failed_with(1);
        let hint = format!("say `--sha256 {}`", checksum(&release()));
        assert!(unknown.contains("nothing vouches for it") && unknown.contains(&hint), "{unknown}");
    }
    let beside = folder.path().join("crs.tar.gz.sha256");
    fs::write(&beside, format!("{}  crs.tar.gz\n", "0".repeat(64))).unwrap();
    let wrong = install("4.99.0", "a").await.failed_with(1);
    assert!(wrong.contains("its SHA-256 is"), "{wrong}");
    fs::write(&beside, format!("{}  crs.tar.gz\n", checksum(&release()))).unwrap();
    install("4.99.0", "a").await.succeeded();
    fs::remove_file(&beside).unwrap();

    let Some(data) = super::waf::core_rule_set() else { return };
    let read = |path: String| {
        let bytes = fs::read(data.join(&path)).unwrap();
        (path, bytes)
    };
    let rules = fs::read_dir(data.join("rules")).unwrap();
    let rules = rules.map(|entry| format!("rules/{}", entry.unwrap().file_name().to_str().unwrap()));
    let mut files: Vec<_> = rules.chain(["crs-setup.conf.example".into()]).map(read).collect();
    // Nothing vouches for what is added.
    files.push(("plugins/evil-before.conf".into(), b"SecRuleEngine Off\n".to_vec()));
    for (state, packing) in [("b", "coreruleset-4.28.0"), ("c", ".")] {
        fs::write(&archive, packed(packing, &files)).unwrap();
        install("4.28.0", state).await.succeeded();
        let installed = folder.path().join(state).join("rules/crs-4.28.0");
        assert!(installed.join("rules/REQUEST-901-INITIALIZATION.conf").exists());
        assert!(!installed.join("plugins").exists());
        let state = folder.path().join(state);
        let rule =
            cli(["rules", "explain", "942100", "--state-dir", state.to_str().unwrap()]).await.succeeded();
        assert!(rule.starts_with("942100"), "found without being asked for: {rule}");
    }
    let changed = files.iter().position(|(path, _)| path.ends_with("rules/php-errors.data")).unwrap();
    files[changed].1.push(b'\n');
    fs::write(&archive, packed("coreruleset-4.28.0", &files)).unwrap();
    install("4.28.0", "d").await.failed_with(1);
    files[changed].1.pop();
    files.push(("rules/REQUEST-000-MORE.conf".into(), b"SecRuleEngine Off\n".to_vec()));
    fs::write(&archive, packed("coreruleset-4.28.0", &files)).unwrap();
    install("4.28.0", "d").await.failed_with(1);
}

#[tokio::test]
async fn rules_are_looked_up_and_tried_out() {
    let folder = tempfile::TempDir::new().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let attack = write("attack.http", "GET /?id=1%27%20OR%20%271%27%3D%271 HTTP/1.1\nHost: shop.test\n\n");
    let account = cli(["rules", "test", "--rules", "starter", "--request", &attack]).await.succeeded();
    assert!(account.contains("the firewall refused the request") && account.contains("ARGS:id"), "{account}");
    let id = account.lines().nth(1).unwrap().split_whitespace().next().unwrap().to_owned();

    let rule = cli(["rules", "explain", &id, "--rules", "starter"]).await.succeeded();
    assert!(rule.starts_with(&id) && rule.contains("place") && rule.contains("SecRule "), "{rule}");
    let unknown = cli(["rules", "explain", "1", "--rules", "starter"]).await.failed_with(1);
    assert!(unknown.contains("there is no rule 1"), "{unknown}");

    let test = |number: u32, uri: &str, output: &str| {
        format!(
            "  - test_id: {number}\n    stages:\n      - input: {{ uri: \"{uri}\", headers: {{ Host: a.test }} }}\n        output: {{ {output} }}\n"
        )
    };
    let attacked = "/?id=1%27%20OR%20%271%27%3D%271";
    let good = [
        test(1, attacked, &format!("status: 403, log: {{ expect_ids: [{id}] }}")),
        test(2, "/?id=1", &format!("status: 200, log: {{ no_expect_ids: [{id}] }}")),
    ];
    let head = format!("rule_id: {id}\ntests:\n");
    let file = write("good.yaml", &format!("{head}{}", good.concat()));
    let said = cli(["rules", "test", &file, "--rules", "starter"]).await.succeeded();
    assert_eq!(said.matches("passed").count(), 2, "{said}");

    let bad = test(3, "/?id=1", &format!("log: {{ expect_ids: [{id}] }}"));
    let file = write("bad.yaml", &format!("{head}{}{bad}", good.concat()));
    let complaint = cli(["rules", "test", &file, "--rules", "starter"]).await.failed_with(1);
    assert!(complaint.contains("1 of 3 tests failed"), "{complaint}");
    let logged = [
        test(
            4,
            attacked,
            &format!("log: {{ expect_ids: [{id}], match_regex: 'id \"{id}\"', no_match_regex: 'id \"1\"' }}"),
        ),
        test(5, "/", "response_contains: x"),
    ];
    let file = write("logged.yaml", &format!("{head}{}", logged.concat()));
    let said = cli(["rules", "test", &file, "--rules", "starter", "--json"]).await.succeeded();
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    let outcomes: Vec<_> =
        said.as_array().unwrap().iter().map(|said| said["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["passed", "skipped"], "{said}");
    let wrong = test(6, attacked, "log: { match_regex: 'id \"1\"' }");
    let file = write("wrong.yaml", &format!("{head}{wrong}"));
    cli(["rules", "test", &file, "--rules", "starter"]).await.failed_with(1);
    let unknown = write("unknown.yaml", &format!("{head}{}", test(1, "/", "response_contains: x")));
    let complaint = cli(["rules", "test", &unknown, "--rules", "starter"]).await.failed_with(1);
    assert!(complaint.contains("none of these tests could be judged"), "{complaint}");

    let rule = "SecRule ARGS:a \"@streq b\" \"id:100,phase:1,deny,status:404\"\n";
    write("own.conf", rule);
    let document = "version: 1\nlisten: { http: \"127.0.0.1:0\" }\nwaf: { include: own.conf }\n\
                    routes: [{ path: /**, to: \"http://127.0.0.1:1\", auth: none }]\n";
    let config = write("bartizan.yaml", document);
    let file = write("own.yaml", &format!("rule_id: 100\ntests:\n{}", test(1, "/?a=b", "status: 404")));
    cli(["rules", "test", &file, "-c", &config]).await.succeeded();
}

/// As go-ftw runs them: from folders, with all rules looking, and with answers that the tests ask for.
#[tokio::test]
async fn tests_of_rules_are_judged_as_they_are_meant() {
    let folder = tempfile::TempDir::new().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    write(
        "own.conf",
        "SecRule ARGS:a \"@streq b\" \"id:100,phase:1,deny\"\nSecRule ARGS:a \"@streq b\" \"id:101,phase:2,deny\"\n\
         SecRule RESPONSE_BODY \"@contains secret\" \"id:102,phase:4,deny\"\n\
         SecRule RESPONSE_STATUS \"@streq 418\" \"id:103,phase:3,deny\"\n",
    );
    let config = |waf: &str| {
        write(
            "bartizan.yaml",
            &format!(
                "version: 1\nlisten: {{ http: \"127.0.0.1:0\" }}\n\
                 routes: [{{ path: /**, to: \"http://127.0.0.1:1\", auth: none, waf: {waf} }}]\n"
            ),
        )
    };
    let test = |number: u32, input: &str, output: &str| {
        format!(
            "rule_id: 100\ntests:\n  - test_id: {number}\n    stages:\n      - input: {{ headers: {{ Host: a.test, Content-Type: application/json }}, \
             {input} }}\n        output: {{ {output} }}\n"
        )
    };
    let reflect = |answer: &str| format!("method: POST, uri: /reflect, data: '{answer}'");
    let secret = reflect("{\"body\": \"a secret\"}");
    for (name, text) in [
        ("tests/one/both.yaml", test(1, "uri: \"/?a=b\"", "log: { expect_ids: [100, 101] }")),
        ("tests/one/first.yml", test(2, "uri: \"/?a=b\"", "status: 403, log: { no_expect_ids: [101] }")),
        ("tests/body.yaml", test(3, &secret, "log: { expect_ids: [102], no_expect_ids: [103] }")),
        ("tests/withheld.yaml", test(4, &secret, "status: 502")),
        ("tests/status.yaml", test(5, &reflect("{\"status\": 418}"), "log: { expect_ids: [103] }")),
        ("tests/broken.yaml", test(6, "method: \"GET  /\"", "log: { expect_ids: [100] }")),
    ] {
        write(name, &text);
    }
    let tests = folder.path().join("tests").to_str().unwrap().to_owned();
    let outcomes = async |waf: &str| {
        let config = config(waf);
        let said = cli(["rules", "test", &tests, "-c", &config, "--json"]).await.succeeded();
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        let outcome = |said: &serde_json::Value| (said["test"].clone(), said["outcome"].clone());
        let mut outcomes: Vec<_> = said.as_array().unwrap().iter().map(outcome).collect();
        outcomes.sort_by_key(|(test, _)| test.to_string());
        outcomes.into_iter().map(|(_, outcome)| outcome.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let seen = outcomes("{ include: own.conf, responses: on }").await;
    assert_eq!(seen, ["passed", "passed", "passed", "passed", "passed", "skipped"]);

    fs::remove_file(folder.path().join("tests/withheld.yaml")).unwrap();
    let unseen = outcomes("{ include: own.conf }").await;
    assert_eq!(unseen, ["passed", "passed", "skipped", "skipped", "skipped"]);
    write("tests/none.yaml", "rule_id: [100]\n");
    let complaint = cli(["rules", "test", &tests, "--rules", "starter"]).await.failed_with(1);
    assert!(
        complaint.contains("1 files are not understood") && complaint.contains("none.yaml"),
        "{complaint}"
    );
}

/// What is tried out is what the gateway would do: it finds the same route and exclusions, and refuses what it refuses.
#[tokio::test]
async fn a_request_is_tried_out_as_the_gateway_reads_it() {
    let folder = tempfile::TempDir::new().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    write("own.conf", "SecRule ARGS:a \"@streq b\" \"id:100,phase:1,deny,status:404\"\n");
    let config = write(
        "bartizan.yaml",
        "version: 1\nlisten: { http: \"127.0.0.1:0\" }\n\
         waf: { include: own.conf, max_body: 4KiB, exclude: [{ rule: 100, path: /api/open }] }\n\
         routes: [{ path: /api/**, host: shop.test, to: \"http://127.0.0.1:1\", auth: none }]\n",
    );
    let test = |host: &str, target: &str, more: &str, status: u16| {
        format!(
            "rule_id: 100\ntests:\n  - test_id: 1\n    stages:\n      - input: {{ uri: \"{target}\", \
             headers: {{ Host: {host} }}{more} }}\n        output: {{ status: {status} }}\n"
        )
    };
    for (host, target, status) in [
        ("shop.test", "/api/a?a=b", 404),
        ("shop.test", "//api/a?a=b", 404),
        ("shop.test", "/api;x=1/a?a=b", 404),
        ("shop.test", "/%61pi/./a?a=b", 404),
        ("other.test", "http://shop.test/api/a?a=b", 404),
        ("shop.test", "/api/open?a=b", 200),
        ("shop.test", "//api/./%6fpen;x?a=b", 200),
    ] {
        let file = write("test.yaml", &test(host, target, "", status));
        cli(["rules", "test", &file, "-c", &config]).await.succeeded();
    }
    let long = format!(", method: POST, data: \"{}\"", "x".repeat(5000));
    let file = write("long.yaml", &test("shop.test", "/api/a", &long, 413));
    cli(["rules", "test", &file, "-c", &config]).await.succeeded();
    let request = format!("POST /api/a HTTP/1.1\nHost: shop.test\n\n{}", "x".repeat(5000));
    let request = write("long.http", &request);
    let complaint = cli(["rules", "test", "-c", &config, "--request", &request]).await.failed_with(1);
    assert!(complaint.contains("413") && complaint.contains("`max_body`, 4096 bytes"), "{complaint}");
}
