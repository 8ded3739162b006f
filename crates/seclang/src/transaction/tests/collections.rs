//! Collections that outlive an exchange.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use super::{ask, compile, get, ids, matched, tx};
use crate::{CollectionStore, Connection, RuleSet, StoredValue, Transaction, ast::Collection};

type Stored = BTreeMap<(Collection, Vec<u8>), Vec<StoredValue>>;

#[derive(Debug, Default)]
struct Memory(Mutex<Stored>);

impl CollectionStore for Memory {
    fn load(&self, collection: Collection, key: &[u8]) -> Vec<StoredValue> {
        self.0.lock().unwrap().get(&(collection, key.to_vec())).cloned().unwrap_or_default()
    }

    fn save(&self, collection: Collection, key: &[u8], values: Vec<StoredValue>) {
        self.0.lock().unwrap().insert((collection, key.to_vec()), values);
    }
}

impl Memory {
    fn value(&self, collection: Collection, key: &str, name: &str) -> Option<StoredValue> {
        self.load(collection, key.as_bytes()).into_iter().find(|value| value.name == name.as_bytes())
    }

    /// A whole exchange with this store.
    fn ask(self: &Arc<Self>, rules: &Arc<RuleSet>, target: &str) -> Transaction {
        let mut asked = Transaction::new(rules.clone(), Connection::default(), "test");
        asked.set_collections(self.clone());
        get(target).send(&mut asked);
        asked.finish();
        asked
    }
}

#[test]
fn exchanges_count_together() {
    let store = Arc::new(Memory::default());
    let rules = compile(
        "SecRule ARGS:user \"@rx .\" \"id:1,phase:1,pass,nolog,initcol:ip=%{MATCHED_VAR},setvar:ip.Seen=+1\"\n\
         SecRule IP:seen \"@gt 2\" \"id:2,phase:1,deny\"",
    );
    let refused: Vec<bool> = ["/?user=a", "/?user=b", "/?user=a", "/?user=a", "/?user=b", "/"]
        .map(|target| store.ask(&rules, target).interruption().is_some())
        .into();
    assert_eq!(refused, [false, false, false, true, false, false]);
    assert_eq!(store.value(Collection::Ip, "a", "seen").unwrap().value, b"3");
    assert_eq!(store.value(Collection::Ip, "b", "seen").unwrap().value, b"2");
}

#[test]
fn each_collection_has_a_key_of_its_own() {
    let store = Arc::new(Memory::default());
    let rules = compile(
        "SecAction \"id:1,phase:1,pass,nolog,setvar:session.early=1,setsid:s1,setuid:u1,setrsc:r1,initcol:global=g\"\n\
         SecAction \"id:2,phase:1,pass,nolog,setsid:another,setvar:session.a=1,setvar:user.a=2,setvar:resource.a=3,\
         setvar:global.a=4,setvar:ip.a=5,setvar:'tx.a=%{user.A}'\"\n\
         SecRule SESSIONID|USERID|SESSION|&IP \"@unconditionalMatch\" \"id:3,phase:1,pass\"",
    );
    let asked = store.ask(&rules, "/");
    assert_eq!(matched(&asked, 3), ["SESSIONID=s1", "USERID=u1", "SESSION:a=1", "&IP=0"]);
    assert_eq!(tx(&asked, "a").as_deref(), Some("2"));
    let kept = [
        (Collection::Session, "s1"),
        (Collection::User, "u1"),
        (Collection::Resource, "r1"),
        (Collection::Global, "g"),
    ];
    let values = kept.map(|(collection, key)| store.value(collection, key, "a").unwrap().value);
    assert_eq!(values, [b"1", b"2", b"3", b"4"]);
    assert_eq!(store.0.lock().unwrap().len(), kept.len(), "and nothing else");
}

#[test]
fn values_are_forgotten_when_their_time_is_up() {
    let store = Arc::new(Memory::default());
    let writes = compile(
        "SecAction \"id:1,phase:1,pass,nolog,initcol:ip=x,setvar:ip.kept=1,setvar:ip.short=1,expirevar:ip.short=60\"",
    );
    store.ask(&writes, "/");
    assert_eq!(store.value(Collection::Ip, "x", "kept").unwrap().expires, None);
    let mut short = store.value(Collection::Ip, "x", "short").unwrap();
    let left = short.expires.unwrap().duration_since(SystemTime::now()).unwrap();
    assert!(left <= Duration::from_mins(1) && left > Duration::from_secs(30), "{left:?}");

    let reads = compile(
        "SecAction \"id:1,phase:1,pass,nolog,initcol:ip=x\"\nSecRule IP:short \"@eq 1\" \"id:2,phase:1,pass\"",
    );
    assert_eq!(ids(&store.ask(&reads, "/")), [2]);
    short.expires = Some(SystemTime::now());
    store.save(Collection::Ip, b"x", vec![short]);
    assert_eq!(ids(&store.ask(&reads, "/")), [0_u64; 0]);
}

#[test]
fn what_was_only_read_is_not_written() {
    struct ReadOnly;
    impl CollectionStore for ReadOnly {
        fn load(&self, _: Collection, _: &[u8]) -> Vec<StoredValue> {
            vec![StoredValue { name: b"a".to_vec(), value: b"1".to_vec(), expires: None }]
        }
        fn save(&self, _: Collection, _: &[u8], _: Vec<StoredValue>) {
            panic!("written without a change");
        }
    }
    let rules = compile(
        "SecAction \"id:1,phase:1,pass,nolog,initcol:ip=x\"\nSecRule IP:A \"@eq 1\" \"id:2,phase:1,pass\"",
    );
    let mut asked = Transaction::new(rules, Connection::default(), "test");
    asked.set_collections(Arc::new(ReadOnly));
    get("/").send(&mut asked);
    asked.finish();
    assert_eq!(ids(&asked), [2]);
}

#[test]
fn without_a_store_a_collection_lasts_as_long_as_its_exchange() {
    let rules = "SecAction \"id:1,phase:1,pass,nolog,initcol:ip=x,setvar:ip.a=+1\"\n\
                 SecRule IP:a \"@eq 1\" \"id:2,phase:2,pass\"";
    for _ in 0..2 {
        assert_eq!(ids(&ask(rules, get("/"))), [2]);
    }
}
