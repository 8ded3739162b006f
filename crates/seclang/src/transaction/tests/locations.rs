//! Where addresses are.

use std::{net::IpAddr, path::Path, sync::Arc};

use super::{get, ids, matched};
use crate::{Connection, Location, Locations, RuleFiles, RuleSet, SeclangError, Transaction};

#[derive(Debug)]
struct Map;

impl Locations for Map {
    fn locate(&self, address: IpAddr) -> Option<Location> {
        let text = |text: &str| Some(text.to_owned());
        (address == IpAddr::from([192, 0, 2, 1])).then(|| Location {
            country_code: text("DE"),
            city: text("Köln"),
            latitude: Some(50.9375),
            ..Location::default()
        })
    }
}

fn compile(rules: &str) -> Result<Arc<RuleSet>, SeclangError> {
    let mut files = RuleFiles::default();
    files.add_text(rules, "rules/own.conf").unwrap();
    files.open_locations(|path| {
        assert_eq!(path, Path::new("rules/places.mmdb"), "beside the file that names it");
        Ok(Arc::new(Map))
    })?;
    RuleSet::compile(&files).map(Arc::new)
}

fn ask(rules: &str, client: &str, target: &str) -> Transaction {
    let rules = compile(&format!("SecGeoLookupDb places.mmdb\n{rules}")).unwrap();
    let client = format!("{client}:1").parse().unwrap();
    let mut asked = Transaction::new(rules, Connection { client, ..Connection::default() }, "test");
    get(target).send(&mut asked);
    asked
}

#[test]
fn rules_know_where_a_client_is() {
    let rules = "SecRule REMOTE_ADDR \"@geoLookup\" \"id:1,phase:1,pass,chain\"\n\
                 SecRule GEO:COUNTRY_CODE \"@within DE AT CH\" \"setvar:tx.place=%{GEO.city}\"\n\
                 SecRule REMOTE_ADDR \"!@geoLookup\" \"id:2,phase:1,pass\"\n\
                 SecRule GEO \"@rx .\" \"id:3,phase:2,pass\"\n\
                 SecRule &GEO \"@eq 0\" \"id:4,phase:2,pass\"\n\
                 SecRule GEO:country_name|GEO:REGION \"@rx ^\" \"id:5,phase:2,pass\"";
    for here in ["192.0.2.1", "[::ffff:192.0.2.1]"] {
        let asked = ask(rules, here, "/");
        assert_eq!(ids(&asked), [1, 3], "{here}");
        assert_eq!(
            matched(&asked, 3),
            ["GEO:COUNTRY_CODE=DE", "GEO:CITY=K\\xc3\\xb6ln", "GEO:LATITUDE=50.937500"]
        );
        assert_eq!(asked.variable("TX.place").unwrap(), "Köln".as_bytes());
    }
    assert_eq!(ids(&ask(rules, "192.0.2.2", "/")), [2, 4]);
    assert_eq!(ids(&ask(rules, "[2001:db8::1]", "/")), [2, 4]);
}

/// A place that is known takes that of another value away; one that is not known does not, as in the reference.
#[test]
fn any_value_may_be_an_address() {
    let rules = "SecRule ARGS \"@geoLookup\" \"id:1,phase:1,pass\"\n\
                 SecRule GEO:CITY \"@rx .\" \"id:2,phase:1,pass\"";
    assert_eq!(ids(&ask(rules, "192.0.2.9", "/?a=192.0.2.1&b=192.0.2.2")), [1, 2]);
    let rules = format!(
        "SecRule ARGS:a \"@rx .\" \"id:9,phase:1,pass,nolog,setvar:tx.client=%{{MATCHED_VAR}}\"\n{rules}"
    );
    let rules = rules.replace("SecRule ARGS \"@geo", "SecRule TX:client \"@geo");
    assert_eq!(ids(&ask(&rules, "192.0.2.9", "/?a=192.0.2.1")), [1, 2]);
    for other in ["/?a=shop.test", "/?a=192.0.2.1/8", "/?a=", "/"] {
        assert!(ids(&ask(&rules, "192.0.2.1", other)).is_empty(), "{other}");
    }
}

#[test]
fn a_rule_without_a_database_is_refused() {
    let rule = "\nSecRule REMOTE_ADDR \"@geoLookup\" \"id:1,phase:1,deny\"";
    let error = compile(rule).unwrap_err();
    assert_eq!(
        error.to_string(),
        "rules/own.conf:2: `@geoLookup` needs a database of locations, which `SecGeoLookupDb` names"
    );
    let mut files = RuleFiles::default();
    files.add_text("# where\nSecGeoLookupDb places.mmdb", "rules/own.conf").unwrap();
    let error = files.open_locations(|_| Err(std::io::Error::other("no such file"))).unwrap_err();
    assert_eq!(error.to_string(), "rules/own.conf:2: `rules/places.mmdb` cannot be read: no such file");
}
