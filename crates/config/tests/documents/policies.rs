//! Policies, zones, and what routes ask.

use bartizan_config::{EntityPattern, IdPart, PolicyMode, Provider, ZoneRule};
use bartizan_model::{CallerType, Line, Zone};

use crate::{folder, parse_in};

const KEY: &str = "hash: \"sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae\"";

#[test]
fn policies_are_read_and_watched_and_routes_say_what_they_ask() {
    let folder = folder();
    for (file, text) in [("b.cedar", "second"), ("a.cedar", "first"), ("more.cedarschema", "schema")] {
        std::fs::write(folder.path().join(file), text).unwrap();
    }
    let document = format!(
        r#"
version: 1
listen: {{ http: "127.0.0.1:0" }}
policies: {{ files: ./*.cedar, schema: more.cedarschema, mode: shadow }}
zones: {{ data: {{ callers: [services] }} }}
identity:
  users: {{ jwt: {{ issuer: i, audience: o, jwks: "https://i" }} }}
  machines: {{ jwt: {{ issuer: m, audience: o, jwks: "https://m", principal: service, zone: services }} }}
  keys: {{ api_key: {{ zone: gateway, keys: [{{ name: a, {KEY} }}] }} }}
routes:
  - {{ path: "/orgs/{{org}}/orders/{{id}}", to: "http://a", auth: [users, machines], zone: data,
      policy: {{ action: "orders:refund", resource: {{ type: Order, id: "{{org}}-{{id}}" }},
                parents: [{{ type: Organization, id: "{{org}}" }}] }} }}
  - {{ path: /keys, to: "http://a", auth: keys, zone: gateway }}
  - {{ path: /off, to: "http://a", auth: keys, policy: off }}
  - {{ path: /open, to: "http://a", auth: none }}
"#
    );
    let config = parse_in(folder.path(), &document).unwrap().config;

    let policies = config.policies.unwrap();
    assert_eq!((policies.mode, policies.line), (PolicyMode::Shadow, Line::new(4)));
    let texts: Vec<_> =
        policies.files.iter().chain(&policies.schemas).map(|file| file.text.as_str()).collect();
    assert_eq!(texts, ["first", "second", "schema"]);
    assert!(policies.files.iter().chain(&policies.schemas).all(|file| config.files.contains(&file.path)));

    let rule =
        |zone, line, callers: &[Zone]| ZoneRule { zone, line: Line::new(line), callers: callers.to_vec() };
    let expected =
        [rule(Zone::Gateway, 14, &[Zone::Public, Zone::Gateway]), rule(Zone::Data, 5, &[Zone::Services])];
    assert_eq!(config.zones, expected);

    let asked = &config.routes[0].policy;
    assert_eq!(asked.action.as_deref(), Some("orders:refund"));
    let segment = |index| IdPart::Segment(index);
    let order = EntityPattern {
        entity_type: "Order".into(),
        id: vec![segment(1), IdPart::Text("-".into()), segment(3)],
    };
    assert_eq!(asked.resource, Some(order));
    assert_eq!(asked.parents, [EntityPattern { entity_type: "Organization".into(), id: vec![segment(1)] }]);
    let asks: Vec<_> = config.routes.iter().map(|route| route.policy.is_asked).collect();
    assert_eq!(asks, [true, true, false, false]);

    let mut callers = Vec::new();
    for provider in &config.identity {
        match &provider.provider {
            Provider::Jwt(jwt) => callers.push((jwt.principal, jwt.zone)),
            Provider::ApiKey(keys) => {
                callers.extend(keys.keys.iter().map(|key| (CallerType::ApiKey, key.zone)));
            }
            Provider::Certificate(_) | Provider::Signature(_) | Provider::Session => {}
        }
    }
    let expected = [
        (CallerType::User, Zone::Public),
        (CallerType::Service, Zone::Services),
        (CallerType::ApiKey, Zone::Gateway),
    ];
    assert_eq!(callers, expected);
}
