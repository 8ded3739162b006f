//! What the database is asked: the conditions of a filter as SQL. Texts of strangers are values, never SQL.

use ipnet::IpNet;
use sqlx::{Postgres, QueryBuilder};

use super::write::without_nul;
use crate::{
    EventId, Filter, Kind, Span,
    query::{LAST, TextFilter},
    store::{BY_OPERATOR, Wanted},
};

/// By what a span is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// The ids alone, in whose order the answer is: the index of the key.
    Id,
    /// The moments, too, where every event of it is looked at: the summaries of blocks.
    Time,
}

/// Restricts a question that ends with a condition to what passes the filter.
pub(super) fn restrict(question: &mut QueryBuilder<Postgres>, wanted: &Wanted, by: By) {
    let Wanted { filter, without_operators } = wanted;
    let Filter { span, severity, network, user, organization, route, rule, request, text, .. } = filter;
    restrict_span(question, *span, by);
    restrict_kinds(question, filter);
    if let Some(severity) = severity {
        question.push(" AND severity >= ").push_bind(i16::from(severity.number()));
    }
    if let Some(network) = network {
        restrict_network(question, *network);
    }
    for (column, wanted) in
        [("user_id", user), ("organization_id", organization), ("route", route), ("request", request)]
    {
        if let Some(wanted) = wanted {
            question.push(" AND ").push(column).push(" = ").push_bind(without_nul(wanted));
        }
    }
    if *without_operators {
        question.push(" AND position(").push_bind(BY_OPERATOR).push(" IN details) = 0");
    }
    if let Some(rule) = rule {
        question.push(" AND position(").push_bind(without_nul(&format!("\n{rule}\n"))).push(" IN rules) > 0");
    }
    if let Some(TextFilter(text)) = text {
        // The letters of ASCII alone, as everywhere.
        let text = without_nul(text);
        question
            .push(" AND (position(")
            .push_bind(text.clone())
            .push(" IN lower(message COLLATE \"C\")) > 0");
        question.push(" OR position(").push_bind(text).push(" IN lower(details COLLATE \"C\")) > 0)");
    }
}

fn restrict_span(question: &mut QueryBuilder<Postgres>, span: Span, by: By) {
    let number = |milliseconds| i64::try_from(milliseconds).unwrap_or(i64::MAX);
    if span.since > 0 {
        question
            .push(" AND id >= CAST(")
            .push_bind(EventId::before(span.since).to_string())
            .push(" AS UUID)");
    }
    if span.until < LAST {
        question.push(" AND id < CAST(").push_bind(EventId::before(span.until).to_string()).push(" AS UUID)");
    }
    if by == By::Time && span.since > 0 {
        question.push(" AND at >= ").push_bind(number(span.since));
    }
    if by == By::Time && span.until < LAST {
        question.push(" AND at < ").push_bind(number(span.until));
    }
}

/// One address is looked up, in the order of ids; of a network every one between its first and its last. Hosts alone are kept,
/// and of them one family lies before the other.
fn restrict_network(question: &mut QueryBuilder<Postgres>, network: IpNet) {
    let (first, last) = (network.network().to_string(), network.broadcast().to_string());
    if first == last {
        question.push(" AND address = CAST(").push_bind(first).push(" AS INET)");
    } else {
        question.push(" AND address BETWEEN CAST(").push_bind(first);
        question.push(" AS INET) AND CAST(").push_bind(last).push(" AS INET)");
    }
}

/// Of one of the kinds, and of one of the classes.
pub(super) fn restrict_kinds(question: &mut QueryBuilder<Postgres>, filter: &Filter) {
    let Filter { kinds, classes, .. } = filter;
    let codes = |kinds: Vec<Kind>| kinds.into_iter().map(|kind| i16::from(kind.code())).collect::<Vec<_>>();
    if !kinds.is_empty() {
        question.push(" AND kind = ANY(").push_bind(codes(kinds.clone())).push(")");
    }
    if !classes.is_empty() {
        let of_them = Kind::ALL.iter().copied().filter(|kind| classes.contains(&kind.class())).collect();
        question.push(" AND kind = ANY(").push_bind(codes(of_them)).push(")");
    }
}
