//! How much of a text an event keeps. Much of it comes from strangers.

use crate::{Event, HttpDetails};

const NAME: usize = 128;
const SENTENCE: usize = 512;
const PATH: usize = 512;
const QUERY: usize = 1024;
const WORDS: usize = 32;

/// The most bytes of an event as JSON: every text at its limit, each byte written as `\u00xx`.
pub(crate) const LARGEST: usize = 128 * 1024;

impl Event {
    /// With every text cut to its limit.
    #[must_use]
    pub(crate) fn bounded(mut self) -> Self {
        let Self { message, user, organization, route, request, rules, details, .. } = &mut self;
        cut(message, SENTENCE);
        for text in [user, organization, request].into_iter().flatten() {
            cut(text, NAME);
        }
        for text in [route, &mut details.explanation].into_iter().flatten() {
            cut(text, SENTENCE);
        }
        let names = [
            &mut details.reason,
            &mut details.stage,
            &mut details.policy,
            &mut details.key,
            &mut details.session,
            &mut details.subject,
        ];
        names.into_iter().flatten().for_each(|text| cut(text, NAME));
        for words in [rules, &mut details.tags] {
            words.truncate(WORDS);
            for word in words {
                cut(word, NAME);
            }
        }
        if let Some(http) = &mut details.http {
            let HttpDetails { method, path, query, host, version, user_agent, referrer, .. } = &mut **http;
            for (text, limit) in [
                (method, NAME),
                (path, PATH),
                (query, QUERY),
                (host, 255),
                (version, NAME),
                (user_agent, SENTENCE),
                (referrer, SENTENCE),
            ] {
                cut(text, limit);
            }
        }
        self
    }
}

fn cut(text: &mut String, limit: usize) {
    if text.len() > limit {
        text.truncate(text.floor_char_boundary(limit));
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::{Decision, Details, Kind};

    #[test]
    fn nothing_is_longer_than_a_frame_holds() {
        let long = || "\u{1}ä".repeat(100_000);
        let http = HttpDetails {
            method: long(),
            path: long(),
            query: long(),
            host: long(),
            version: long(),
            user_agent: long(),
            referrer: long(),
            ..HttpDetails::default()
        };
        let details = Details {
            reason: Some(long()),
            explanation: Some(long()),
            stage: Some(long()),
            policy: Some(long()),
            key: Some(long()),
            session: Some(long()),
            subject: Some(long()),
            tags: vec![long(); 1000],
            http: Some(Box::new(http)),
            ..Details::default()
        };
        let event = Event {
            user: Some(long()),
            organization: Some(long()),
            route: Some(long()),
            request: Some(long()),
            rules: vec![long(); 1000],
            details,
            ..Event::new(Kind::RequestRefused, SystemTime::now(), Decision::Refused, long())
        };
        let written = serde_json::to_vec(&event.bounded()).unwrap();
        assert!(written.len() < LARGEST, "{}", written.len());
    }
}
