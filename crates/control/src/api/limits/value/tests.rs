//! What is written against what is counted.

use std::{net::Ipv4Addr, sync::Arc};

use bartizan_config::{Config, Source};
use bartizan_limits::unescaped;
use bartizan_model::{RequestId, TraceContext};
use bartizan_pipeline::{ClientFacts, Exchange, NoBody, Pipeline, Record};
use http::{Request, StatusCode};
use proptest::{prelude::*, test_runner::TestRunner};
use tokio::runtime::Runtime;

use super::*;

/// The rules of a policy with these `per`.
fn config(pers: &str) -> Config {
    let rules = pers.split_whitespace().enumerate();
    let rules = rules.map(|(index, per)| format!("{{ per: {per}, rate: 1/s, on: /{index} }}"));
    let text = format!(
        "version: 1\nlisten: {{ http: \"127.0.0.1:0\" }}\n\
         identity: {{ shop: {{ api_key: {{}} }} }}\n\
         limits: {{ a: [{}] }}\n\
         routes: [{{ path: /**, to: \"http://a\", auth: shop, limit: a }}]",
        rules.collect::<Vec<_>>().join(", ")
    );
    Config::parse(&text, &Source::text(".")).unwrap_or_else(|error| panic!("{error}")).config
}

fn rules(config: &Config) -> Vec<(&LimitPolicy, &LimitRule)> {
    let policy = &config.limits[0];
    policy.rules.iter().map(|rule| (policy.as_ref(), rule)).collect()
}

#[test]
fn what_is_written_takes_the_form_that_is_counted() {
    let cases = [
        ("address", "192.0.2.7", Some("192.0.2.7")),
        ("address", "192.0.2.7/32", Some("192.0.2.7")),
        ("address", "::ffff:192.0.2.7", Some("192.0.2.7")),
        ("address", "::FFFF:c000:207", Some("192.0.2.7")),
        ("address", "2001:DB8:1:2:3::6", Some("2001:db8:1:2::/64")),
        ("address", "2001:DB8:1:2::/64", Some("2001:db8:1:2::/64")),
        ("address", "2001:db8:1:2:3::/64", Some("2001:db8:1:2::/64")),
        ("address", "2001:db8::/48", None),
        ("address", "192.0.2.0/24", None),
        ("address", "shop/ada", None),
        ("address", "", None),
        ("prefix", "192.0.2.7", Some("192.0.2.0/24")),
        ("prefix", "192.0.2.0/24", Some("192.0.2.0/24")),
        ("prefix", "2001:db8:1:2:3::6", Some("2001:db8:1::/48")),
        ("prefix", "2001:db8:1::/48", Some("2001:db8:1::/48")),
        ("prefix", "2001:db8:1:2::/64", None),
        ("prefix", "192.0.2.0/25", None),
        ("user", "shop/ada", Some("shop/ada")),
        ("user", "shop/a/b", Some("shop/a/b")),
        ("user", "ada", None),
        ("user", "shop/", None),
        ("key", "/ada", None),
        ("header:x-t", "", Some("")),
        ("header:host", "Shop.test:443", Some("shop.test")),
        ("header:host", "[2001:DB8::1]:443", Some("[2001:db8::1]")),
        ("header:x-t", "::FFFF:c000:207", Some("::FFFF:c000:207")),
        ("[address,header:x-t]", "9:192.0.2.7,4:a,b:,", Some("9:192.0.2.7,4:a,b:,")),
        ("[address,header:x-t]", "13:2001:DB8::1:2,0:,", Some("13:2001:db8::/64,0:,")),
        ("[address,header:x-t]", "9:192.0.2.7,2:é,", Some("9:192.0.2.7,2:é,")),
        ("[address,header:x-t]", "9:192.0.2.7,1:é,", None),
        ("[address,header:x-t]", "9:192.0.2.7,4:acme", None),
        ("[address,header:x-t]", "9:192.0.2.7,4:acme,x", None),
        ("[address,header:x-t]", "9:192.0.2.7,", None),
        ("[address,header:x-t]", "192.0.2.7", None),
        ("[address,header:x-t]", "-1:192.0.2.7,4:acme,", None),
        ("[address,header:x-t]", "99999999999999999999:192.0.2.7,4:acme,", None),
    ];
    for (per, written, expected) in cases {
        let config = config(per);
        let value = counted(&config.limits[0].rules[0].per, written.as_bytes());
        assert_eq!(value.as_deref(), expected.map(str::as_bytes), "{per} {written}");
    }
}

#[test]
fn of_several_rules_that_by_address_says_what_is_meant() {
    let cases = [
        ("prefix address", "::ffff:c000:207", Some("192.0.2.7")),
        ("prefix header:x-t", "192.0.2.7", Some("192.0.2.7")),
        ("header:x-t address", "2001:DB8::1", Some("2001:db8::/64")),
        ("prefix user", "192.0.2.7", Some("192.0.2.0/24")),
        ("address user", "shop/ada", Some("shop/ada")),
        ("address user", "ada", None),
    ];
    for (pers, written, expected) in cases {
        let config = config(pers);
        let value = meant(&rules(&config), written.as_bytes());
        assert_eq!(value.as_deref(), expected.map(str::as_bytes), "{pers} {written}");
    }
}

#[test]
fn what_could_be_written_instead_is_told_once() {
    let config = config("address user address");
    let problem = format!("{:?}", impossible(&rules(&config), b"ada"));
    let told = "`ada` is no value of these rules: write an address such as `203.0.113.7`, or a user as `PROVIDER/ID`";
    assert!(problem.contains(told), "{problem}");
}

/// One rule of each form, as many as are remembered of a request.
const EVERY_FORM: &str = "
version: 1
listen: { http: \"127.0.0.1:0\", admin: \"127.0.0.1:0\", metrics: \"127.0.0.1:0\" }
identity:
  partners:
    api_key:
      keys: [{ name: acme, hash: \"sha256:512f8d84e6393b07155c3a1daff43277d25ce3794ff4a196115635e79290dfa4\" }]
limits:
  each:
    - { per: address, rate: 1000000/h }
    - { per: prefix, rate: 1000000/h }
    - { per: user, rate: 1000000/h }
    - { per: key, rate: 1000000/h }
    - { per: endpoint, rate: 1000000/h }
    - { per: \"header:x-tenant\", rate: 1000000/h }
    - { per: [address, \"header:x-tenant\"], rate: 1000000/h }
    - { per: [route, user, prefix], rate: 1000000/h }
routes: [{ path: /**, to: \"http://127.0.0.1:1\", auth: partners, limit: each }]
";
const KEY: &str = "shop_0123456789abcdef0123456789abcdef";

/// A request from `address`, decided.
async fn decided(pipeline: &Pipeline, address: IpAddr, tenant: &[u8]) -> Record {
    let request = Request::get("/a").header("host", "shop.test").header("x-api-key", KEY);
    let (head, ()) = request.header("x-tenant", tenant).body(()).unwrap().into_parts();
    let peer = (address, 40_000).into();
    let client =
        ClientFacts { address, peer, local: peer, secure: false, is_disputed: false, certificate: None };
    let mut exchange = Exchange::new(RequestId::generate(), TraceContext::start(), client, head);
    pipeline.decide(&mut exchange, &mut NoBody).await;
    Record::of(exchange, StatusCode::OK, None)
}

#[test]
fn what_requests_are_counted_by_may_be_written_as_it_is_shown_and_addresses_in_any_form() {
    let runtime = Runtime::new().unwrap();
    let _inside = runtime.enter();
    let config =
        Config::parse(EVERY_FORM, &Source::text("")).unwrap_or_else(|error| panic!("{error}")).config;
    let pipeline = Pipeline::new(&config, Arc::default(), None).unwrap();
    let addresses = prop_oneof![
        any::<IpAddr>(),
        any::<Ipv4Addr>().prop_map(|address| IpAddr::V6(address.to_ipv6_mapped())),
    ];
    let outcome = TestRunner::default().run(
        &(addresses, proptest::collection::vec(prop_oneof![33..=126_u8, 128..=255_u8], 0..9)),
        |(address, tenant)| {
            let record = runtime.block_on(decided(&pipeline, address, &tenant));
            let rules = record.limit_rules();
            prop_assert_eq!(rules.len(), 8);
            for said in rules {
                let value = unescaped(&said.value);
                let is_counted =
                    |written: &str| counted(&said.rule.per, &unescaped(written)).as_ref() == Some(&value);
                prop_assert!(is_counted(&said.value), "{}: `{}`", said.rule.name, said.value);
                if let [Dimension::Address | Dimension::Prefix] = said.rule.per[..] {
                    prop_assert!(is_counted(&address.to_string()), "{address}: `{}`", said.value);
                }
            }
            Ok(())
        },
    );
    outcome.unwrap_or_else(|error| panic!("{error}"));
}
