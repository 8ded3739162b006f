//! What the file of a day is asked: the conditions of a filter as SQL. Texts of strangers are values, never SQL.

use std::fmt::Write as _;

use ipnet::IpNet;
use rusqlite::types::Value;

use super::file::number;
use crate::{
    Filter, Span,
    id::{DAY, first_key},
    query::bytes,
    store::{BY_OPERATOR, Day, Wanted},
};

/// A condition and its values.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
}

impl Conditions {
    /// Which rows of a day's file pass.
    pub(super) fn of(wanted: &Wanted, day: Day) -> Self {
        let mut conditions = Self::default();
        let Filter {
            span,
            kinds,
            classes,
            severity,
            network,
            user,
            organization,
            route,
            rule,
            request,
            text,
        } = &wanted.filter;
        let (first, end) = keys(*span, day);
        conditions.add("e.key >= ?", [Value::Integer(first)]);
        conditions.add("e.key < ?", [Value::Integer(end)]);
        let of_classes = crate::Kind::ALL.iter().filter(|kind| classes.contains(&kind.class()));
        if !classes.is_empty() {
            conditions.add_codes(of_classes.copied());
        }
        if !kinds.is_empty() {
            conditions.add_codes(kinds.iter().copied());
        }
        if let Some(severity) = severity {
            conditions.add("e.severity >= ?", [Value::Integer(severity.number().into())]);
        }
        if let Some(network) = network {
            conditions.add_network(*network);
        }
        for (column, word) in [("user", user), ("organization", organization), ("route", route)] {
            if let Some(word) = word {
                let sql = format!("e.{column} = (SELECT id FROM words WHERE text = ?)");
                conditions.add(&sql, [Value::Text(word.clone())]);
            }
        }
        if let Some(request) = request {
            conditions.add("e.request = ?", [Value::Text(request.clone())]);
        }
        if let Some(rule) = rule {
            conditions.add("instr(e.rules, ?) > 0", [Value::Text(format!("\n{rule}\n"))]);
        }
        if let Some(text) = text {
            let texts = [Value::Text(text.0.clone()), Value::Text(text.0.clone())];
            conditions.add("(instr(lower(e.message), ?) > 0 OR instr(lower(e.details), ?) > 0)", texts);
        }
        if wanted.without_operators {
            conditions.add("instr(e.details, ?) = 0", [Value::Text(BY_OPERATOR.into())]);
        }
        conditions
    }

    pub(super) fn add<const COUNT: usize>(&mut self, sql: &str, values: [Value; COUNT]) {
        self.sql.push_str(if self.sql.is_empty() { "" } else { " AND " });
        self.sql.push_str(sql);
        self.values.extend(values);
    }

    fn add_codes(&mut self, kinds: impl Iterator<Item = crate::Kind>) {
        let mut list = String::new();
        for kind in kinds {
            // Numbers of ours: they need no placeholder. Writing to a text does not fail.
            let _ = write!(list, "{}{}", if list.is_empty() { "" } else { ", " }, kind.code());
        }
        self.add(&format!("e.kind IN ({list})"), []);
    }

    /// One address is looked up; of a network every one between its first and its last, of the same length.
    fn add_network(&mut self, network: IpNet) {
        let (first, last) = (bytes(network.network()), bytes(network.broadcast()));
        if first == last {
            return self.add("e.address = ?", [Value::Blob(first)]);
        }
        let length = i64::try_from(first.len()).unwrap_or_default();
        self.add(
            "e.address BETWEEN ? AND ? AND length(e.address) = ?",
            [Value::Blob(first), Value::Blob(last), Value::Integer(length)],
        );
    }
}

/// The places of a day between which a span lies.
fn keys(span: Span, day: Day) -> (i64, i64) {
    let (start, end) = (day.start(), day.start() + DAY);
    let first = if span.since <= start { 0 } else { number(first_key(span.since)) };
    let last = if span.until >= end { i64::MAX } else { number(first_key(span.until)) };
    (first, last)
}
