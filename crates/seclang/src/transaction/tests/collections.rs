//! Collections that outlive an exchange.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{ask, compile, get, ids, matched, tx};
use crate::{
    CollectionName, CollectionStore, Connection, MemoryCollections, RuleSet, StoredValue, Transaction,
    ValueChange, ast::Collection,
};

/// A whole exchange with this store.
fn ask_with(store: &Arc<MemoryCollections>, rules: &Arc<RuleSet>, target: &str) -> Transaction {
    let mut asked = Transaction::new(rules.clone(), Connection::default(), "test");
    asked.set_collections(store.clone());
    get(target).send(&mut asked);
    asked.finish();
    asked
}

fn named(collection: Collection, key: &str) -> CollectionName {
    CollectionName { collection, application: String::new(), key: key.into() }
}

fn value(store: &MemoryCollections, collection: Collection, key: &str, name: &str) -> Option<StoredValue> {
    let kept = store.load(&named(collection, key), SystemTime::now()).into_iter();
    kept.into_iter().find(|value| value.name == name.as_bytes())
}

#[test]
fn exchanges_count_together() {
    let store = Arc::new(MemoryCollections::default());
    let rules = compile(
        "SecRule ARGS:user \"@rx .\" \"id:1,phase:1,pass,nolog,initcol:ip=%{MATCHED_VAR},setvar:ip.Seen=+1\"\n\
         SecRule IP:seen \"@gt 2\" \"id:2,phase:1,deny\"",
    );
    let refused: Vec<bool> = ["/?user=a", "/?user=b", "/?user=a", "/?user=a", "/?user=b", "/"]
        .map(|target| ask_with(&store, &rules, target).interruption().is_some())
        .into();
    assert_eq!(refused, [false, false, false, true, false, false]);
    assert_eq!(value(&store, Collection::Ip, "a", "seen").unwrap().value, b"3");
    assert_eq!(value(&store, Collection::Ip, "b", "seen").unwrap().value, b"2");
}

#[test]
fn each_collection_has_a_key_of_its_own() {
    let store = Arc::new(MemoryCollections::default());
    let rules = compile(
        "SecAction \"id:1,phase:1,pass,nolog,setvar:session.early=1,setsid:s1,setuid:u1,setrsc:r1,initcol:global=g\"\n\
         SecAction \"id:2,phase:1,pass,nolog,setsid:another,setvar:session.a=1,setvar:user.a=2,setvar:resource.a=3,\
         setvar:global.a=4,setvar:ip.a=5,setvar:'tx.a=%{user.A}'\"\n\
         SecRule SESSIONID|USERID|SESSION|&IP \"@unconditionalMatch\" \"id:3,phase:1,pass\"",
    );
    let asked = ask_with(&store, &rules, "/");
    assert_eq!(matched(&asked, 3), ["SESSIONID=s1", "USERID=u1", "SESSION:a=1", "&IP=0"]);
    assert_eq!(tx(&asked, "a").as_deref(), Some("2"));
    let kept = [
        (Collection::Session, "s1"),
        (Collection::User, "u1"),
        (Collection::Resource, "r1"),
        (Collection::Global, "g"),
    ];
    let values = kept.map(|(collection, key)| value(&store, collection, key, "a").unwrap().value);
    assert_eq!(values, [b"1", b"2", b"3", b"4"]);
}

#[test]
fn values_are_forgotten_when_their_time_is_up() {
    let store = Arc::new(MemoryCollections::default());
    let writes = compile(
        "SecAction \"id:1,phase:1,pass,nolog,initcol:ip=x,setvar:ip.kept=1,setvar:ip.short=1,expirevar:ip.short=60\"",
    );
    ask_with(&store, &writes, "/");
    assert_eq!(value(&store, Collection::Ip, "x", "kept").unwrap().expires, None);
    let short = value(&store, Collection::Ip, "x", "short").unwrap();
    let left = short.expires.unwrap().duration_since(SystemTime::now()).unwrap();
    assert!(left <= Duration::from_mins(1) && left > Duration::from_secs(30), "{left:?}");

    let reads = compile(
        "SecAction \"id:1,phase:1,pass,nolog,initcol:ip=x\"\nSecRule IP:short \"@eq 1\" \"id:2,phase:1,pass\"",
    );
    assert_eq!(ids(&ask_with(&store, &reads, "/")), [2]);
    let now = SystemTime::now();
    store.change(
        &named(Collection::Ip, "x"),
        b"short",
        ValueChange::Expire(now),
        now,
        now + Duration::from_mins(1),
    );
    assert_eq!(ids(&ask_with(&store, &reads, "/")), [0_u64; 0]);
}

#[test]
fn a_change_counts_at_once_and_for_every_exchange() {
    let store = Arc::new(MemoryCollections::default());
    let rules = compile(
        "SecAction \"id:1,phase:1,pass,nolog,initcol:ip=x,setvar:ip.n=+2,setvar:ip.n=-1\"\n\
         SecRule IP:n \"@gt 2\" \"id:2,phase:1,deny\"",
    );
    // None of them ends before the last one has begun.
    let mut asked = [(); 3].map(|()| {
        let mut asked = Transaction::new(rules.clone(), Connection::default(), "test");
        asked.set_collections(store.clone());
        asked.request_headers_done();
        asked
    });
    assert_eq!(asked.each_mut().map(|asked| asked.interruption().is_some()), [false, false, true]);
}

#[test]
fn applications_and_timeouts_keep_collections_apart() {
    let store = Arc::new(MemoryCollections::default());
    let rules = |settings: &str| {
        compile(&format!(
            "{settings}\nSecAction \"id:1,phase:1,pass,nolog,initcol:ip=x,setvar:ip.n=+1\"\n\
             SecRule IP:n \"@gt 1\" \"id:2,phase:1,deny\""
        ))
    };
    let refuses = |settings: &str| {
        let rules = rules(settings);
        [(); 2].map(|()| ask_with(&store, &rules, "/").interruption().is_some())
    };
    assert_eq!(refuses("SecWebAppId one"), [false, true]);
    assert_eq!(refuses("SecWebAppId two"), [false, true]);
    assert_eq!(refuses("SecWebAppId three\nSecCollectionTimeout 0"), [false, false]);
}

#[test]
fn without_a_store_a_collection_lasts_as_long_as_its_exchange() {
    let rules = "SecAction \"id:1,phase:1,pass,nolog,initcol:ip=x,setvar:ip.a=+1\"\n\
                 SecRule IP:a \"@eq 1\" \"id:2,phase:2,pass\"";
    for _ in 0..2 {
        assert_eq!(ids(&ask(rules, get("/"))), [2]);
    }
}
