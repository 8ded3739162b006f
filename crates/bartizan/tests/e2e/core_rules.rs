//! What the Core Rule Set documents for those who run it: sampling, early blocking, plug-ins.
//!
//! It is not part of the repository; without it there is nothing to tell.

use std::{fs, os::unix::fs::symlink, path::Path};

use crate::{harness::Gateway, raw::RawConnection, upstream::Upstream, waf::core_rule_set};

const ATTACK: &str = "/orders?text=1%27%20OR%20%271%27%3D%271";

/// A gateway with the Core Rule Set in a folder, and what an own file says before it.
async fn guarded(folder: &Path, own: &str) -> (Upstream, Gateway) {
    let upstream = Upstream::start().await;
    let launch = Gateway::launch(&format!(
        "routes:\n  - path: /**\n    to: \"{upstream}\"\n    auth: none\n    \
         waf: {{ rules: crs, path: \"{}\", include: own-before.conf }}\n",
        folder.display()
    ));
    fs::write(launch.folder().join("own-before.conf"), own).unwrap();
    (upstream, launch.start().await)
}

fn setting(variable: &str) -> String {
    format!("SecAction \"id:100,phase:1,pass,nolog,setvar:tx.{variable}\"\n")
}

/// As a browser would ask: nothing else about it is a finding.
async fn status(gateway: &Gateway, path: &str) -> u16 {
    let request = gateway.client().get(gateway.url(path)).header("user-agent", "Mozilla/5.0 (X11; Linux)");
    let request = request.header("accept", "text/html").header("host", "shop.test");
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_sample_of_the_requests_is_looked_at() {
    let Some(rules) = core_rule_set() else { return };
    let (_upstream, gateway) = guarded(&rules, &setting("sampling_percentage=50")).await;
    let mut refused = 0;
    for _ in 0..40 {
        refused += usize::from(status(&gateway, ATTACK).await == 403);
    }
    assert!((1..40).contains(&refused), "{refused} of 40 were refused");
    for (percentage, expected) in [(0, 200), (100, 403)] {
        let own = setting(&format!("sampling_percentage={percentage}"));
        fs::write(gateway.folder().join("own-before.conf"), own).unwrap();
        gateway.cli(["reload"]).await.succeeded();
        assert_eq!(status(&gateway, ATTACK).await, expected, "{percentage} %");
    }
    gateway.stop().await;
}

/// Without it the rules would wait for the body, which never comes.
#[tokio::test]
async fn early_blocking_refuses_before_the_body_is_there() {
    let Some(rules) = core_rule_set() else { return };
    let (upstream, gateway) = guarded(&rules, &setting("early_blocking=1")).await;
    let mut connection = RawConnection::open(gateway.http()).await;
    let head = "POST /orders HTTP/1.1\r\nHost: shop.test\r\nAccept: */*\r\nUser-Agent: sqlmap/1.7\r\n\
                Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\n";
    connection.send(head).await;
    let answer = connection.read_answer().await;
    assert_eq!((answer.status, answer.code().as_deref()), (403, Some("suspicious_activity_detected")));
    let account = gateway.cli(["explain", answer.request_id()]).await.succeeded();
    assert!(account.contains("949111"), "the rule that blocks early: {account}");
    assert!(upstream.has_received_nothing().await);
    gateway.stop().await;
}

/// `-config.conf` and `-before.conf` are read before the rules, in this order, and `-after.conf` after them.
#[tokio::test]
async fn plug_ins_are_read_where_they_belong() {
    let Some(rules) = core_rule_set() else { return };
    let installed = tempfile::tempdir().unwrap();
    for part in ["rules", "crs-setup.conf.example"] {
        symlink(rules.join(part), installed.path().join(part)).unwrap();
    }
    let plugins = installed.path().join("plugins");
    fs::create_dir(&plugins).unwrap();
    for (name, text) in [
        (
            "shop-config.conf",
            "SecRule &TX:shop-plugin_enabled \"@eq 0\" \
             \"id:9599010,phase:1,pass,nolog,setvar:'tx.shop-plugin_enabled=1'\"\n",
        ),
        (
            "shop-before.conf",
            "SecRule TX:shop-plugin_enabled \"@eq 0\" \
             \"id:9599099,phase:1,pass,nolog,ctl:ruleRemoveById=9599100-9599999\"\n\
             SecRule REQUEST_FILENAME \"@beginsWith /comments\" \
             \"id:9599100,phase:1,pass,nolog,ctl:ruleRemoveTargetByTag=OWASP_CRS;ARGS:text\"\n",
        ),
        (
            "shop-after.conf",
            "SecRule TX:blocking_inbound_anomaly_score \"@eq 0\" \"id:9599200,phase:2,deny,status:404,chain\"\n\
             SecRule ARGS:text \"@streq discontinued\"\n",
        ),
    ] {
        fs::write(plugins.join(name), text).unwrap();
    }
    let (_upstream, gateway) = guarded(installed.path(), "").await;
    assert_eq!(status(&gateway, ATTACK).await, 403);
    assert_eq!(status(&gateway, &ATTACK.replace("orders", "comments")).await, 200);
    assert_eq!(status(&gateway, "/orders?text=discontinued").await, 404);

    // As for every plug-in, a setting of one's own turns it off.
    fs::write(gateway.folder().join("own-before.conf"), "").unwrap();
    fs::write(plugins.join("aaa-config.conf"), setting("shop-plugin_enabled=0")).unwrap();
    gateway.cli(["reload"]).await.succeeded();
    assert_eq!(status(&gateway, &ATTACK.replace("orders", "comments")).await, 403);
    assert_eq!(status(&gateway, "/orders?text=discontinued").await, 200);
    gateway.stop().await;
}
