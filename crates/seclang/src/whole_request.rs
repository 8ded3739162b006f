//! For services that have a request whole and want a decision, in the types of the crate `http`.
//!
//! Who streams bodies, looks at responses, or wants to know which rules matched and why, takes a [`Transaction`].

use std::{
    hash::{BuildHasher, RandomState},
    net::SocketAddr,
    sync::Arc,
};

use http::{StatusCode, header::HOST, request::Parts};

use crate::{Connection, Disruption, RuleSet, Transaction};

impl RuleSet {
    /// What the rules say about a request from `client`: nothing, or the status that refuses it.
    ///
    /// A rule that would have the client go elsewhere, or hear nothing, refuses with 403. The time that it takes grows with the
    /// body; from some ten kilobytes on a thread for blocking work is the place for it.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use bartizan_seclang::{RuleFiles, RuleSet};
    ///
    /// let mut files = RuleFiles::default();
    /// files.add_text(r#"SecRule ARGS "@detectSQLi" "id:1,phase:2,deny""#, "own.conf")?;
    /// let rules = Arc::new(RuleSet::compile(&files)?);
    ///
    /// let client = ([192, 0, 2, 1], 40_000).into();
    /// let (head, body) = http::Request::get("/?id=1'+or+'1'='1").body("")?.into_parts();
    /// assert_eq!(rules.judge(client, &head, body.as_bytes()), Err(http::StatusCode::FORBIDDEN));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn judge(self: &Arc<Self>, client: SocketAddr, head: &Parts, body: &[u8]) -> Result<(), StatusCode> {
        // Sampling takes its chance from the name of the exchange.
        let id = format!("{:016x}", RandomState::new().hash_one(client));
        let connection = Connection { client, ..Connection::default() };
        let mut exchange = Transaction::new(Arc::clone(self), connection, &id);
        exchange.request_head(head);
        exchange.request_headers_done();
        exchange.request_body(body);
        exchange.request_body_done();
        exchange.finish();
        match exchange.interruption() {
            None => Ok(()),
            Some(refused) if refused.action == Disruption::Deny => {
                Err(StatusCode::from_u16(refused.status).unwrap_or(StatusCode::FORBIDDEN))
            }
            Some(_) => Err(StatusCode::FORBIDDEN),
        }
    }
}

impl Transaction {
    /// Shows the request line and the headers. [`Self::request_headers_done`] follows.
    pub fn request_head(&mut self, head: &Parts) {
        let Parts { method, uri, version, headers, .. } = head;
        // A whole URL in the request line is a path to the rules, and its host is in `Host` in any case.
        let target = uri.path_and_query().map_or_else(|| uri.to_string(), ToString::to_string);
        self.request_line(method.as_str().as_bytes(), target.as_bytes(), format!("{version:?}").as_bytes());
        if let Some(authority) = uri.authority().filter(|_| !headers.contains_key(HOST)) {
            self.request_header(b"Host", authority.as_str().as_bytes());
        }
        for (name, value) in headers {
            self.request_header(name.as_str().as_bytes(), value.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{Request, Version};

    use super::*;
    use crate::RuleFiles;

    fn judged(rules: &str, request: Request<&str>) -> Result<(), u16> {
        let mut files = RuleFiles::default();
        files.add_text(rules, "test.conf").unwrap();
        let rules = Arc::new(RuleSet::compile(&files).unwrap());
        let (head, body) = request.into_parts();
        let judged = rules.judge(([192, 0, 2, 1], 40_000).into(), &head, body.as_bytes());
        judged.map_err(|status| status.as_u16())
    }

    #[test]
    fn rules_see_every_part_of_a_request() {
        let request = || {
            let request = Request::post("https://shop.test/a?b=c").version(Version::HTTP_2);
            let request = request.header("Content-Type", "application/x-www-form-urlencoded");
            request.body("d=e").unwrap()
        };
        for seen in [
            "REQUEST_METHOD \"@streq POST\"",
            "REQUEST_URI \"@streq /a?b=c\"",
            "REQUEST_PROTOCOL \"@streq HTTP/2.0\"",
            "REQUEST_HEADERS:Host \"@streq shop.test\"",
            "ARGS_GET:b \"@streq c\"",
            "ARGS_POST:d \"@streq e\"",
            "REMOTE_ADDR \"@streq 192.0.2.1\"",
            "UNIQUE_ID \"@rx ^[0-9a-f]{16}$\"",
        ] {
            let rule = format!("SecRequestBodyAccess On\nSecRule {seen} \"id:1,phase:2,deny,status:418\"");
            assert_eq!(judged(&rule, request()), Err(418), "{seen}");
        }
        let other = r#"SecRule ARGS "@streq x" "id:1,phase:2,deny""#;
        assert_eq!(judged(other, request()), Ok(()));
    }

    #[test]
    fn whatever_ends_the_exchange_refuses() {
        for (action, status) in
            [("deny", 403), ("deny,status:404", 404), ("drop", 403), ("redirect:https://shop.test/", 403)]
        {
            let rule = format!("SecAction \"id:1,phase:1,{action}\"");
            assert_eq!(judged(&rule, Request::new("")), Err(status), "{action}");
        }
    }
}
