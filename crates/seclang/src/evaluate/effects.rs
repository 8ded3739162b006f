//! What rules do: write variables, and change the engine for the rest of the exchange.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::Evaluation;
use crate::{
    ast::Collection,
    collections::Written,
    compile::{Piece, Text},
    operator::number,
    rule_set::{CompiledLink, Effect, OnMatch, Operation, SetVariable, VariableName},
};

impl Evaluation<'_> {
    /// What a link does for a value that matches.
    pub(super) fn on_match(&mut self, link: &CompiledLink) {
        for action in &link.on_match {
            match action {
                OnMatch::Set(set) if set.is_score && self.only_reports => {}
                OnMatch::Set(set) => self.set_variable(set),
                OnMatch::Open { collection, key } => {
                    let key = self.reader().expanded(key);
                    self.state.collections.open(*collection, &key, SystemTime::now());
                }
            }
        }
    }

    fn set_variable(&mut self, set: &SetVariable) {
        let value = match &set.operation {
            Operation::Set(value) => Some(self.reader().expanded(value)),
            Operation::Add(value) => Some(self.sum(set, value, i64::saturating_add)),
            Operation::Subtract(value) => Some(self.sum(set, value, i64::saturating_sub)),
            Operation::Unset => None,
        };
        self.write(set.collection, &set.name, value.as_deref());
    }

    /// What is there and is not a number counts as 0.
    fn sum(&self, set: &SetVariable, value: &Text, operation: fn(i64, i64) -> i64) -> Written {
        let before = self.number(set.collection, &set.name);
        let value = match value.pieces() {
            [Piece::Tx(slot)] => number(self.state.tx.get(*slot).unwrap_or_default()),
            _ => number(&self.reader().expanded(value)),
        };
        Written::from_slice(itoa::Buffer::new().format(operation(before, value)).as_bytes())
    }

    fn number(&self, collection: Collection, name: &VariableName) -> i64 {
        let value = match (collection, name) {
            (Collection::Tx, VariableName::Slot(slot)) => self.state.tx.get(*slot),
            (Collection::Tx, VariableName::Text(name)) => {
                self.state.tx.get_named(&self.reader().expanded(name), &self.rules.mentioned)
            }
            (collection, name) => self.state.collections.get(collection, &self.name(name)),
        };
        value.map_or(0, number)
    }

    fn write(&mut self, collection: Collection, name: &VariableName, value: Option<&[u8]>) {
        match (collection, name) {
            (Collection::Tx, VariableName::Slot(slot)) => self.state.tx.set(*slot, value),
            (Collection::Tx, VariableName::Text(name)) => {
                let name = self.reader().expanded(name);
                self.state.tx.set_named(&name, value, &self.rules.mentioned);
            }
            (collection, name) => {
                let name = self.name(name);
                self.state.collections.set(collection, &name, value);
            }
        }
    }

    fn name(&self, name: &VariableName) -> Written {
        match name {
            VariableName::Slot(slot) => Written::from_slice(self.rules.mentioned.name(*slot)),
            VariableName::Text(text) => self.reader().expanded(text),
        }
    }

    pub(super) fn effect(&mut self, effect: &Effect) {
        match effect {
            Effect::SetEnvironment { name, value } => {
                let (name, value) =
                    (self.reader().expanded(name).to_vec(), self.reader().expanded(value).to_vec());
                self.state.environment.insert(name, value);
            }
            Effect::Expire { collection, name, seconds } => {
                let seconds = number(&self.reader().expanded(seconds)).unsigned_abs();
                let name = self.name(name);
                let after = Duration::from_secs(seconds);
                self.state.collections.expire(*collection, &name, after, SystemTime::now());
            }
            Effect::Mode(mode) => self.state.mode = *mode,
            Effect::RequestBodyAccess(access) => self.state.controls.request_body_access = Some(*access),
            Effect::ResponseBodyAccess(access) => self.state.controls.response_body_access = Some(*access),
            Effect::DetectJson(detect) => self.state.controls.detect_json = *detect,
            Effect::ForceRequestBodyVariable(force) => {
                self.state.controls.force_request_body_variable = *force;
            }
            Effect::RequestBodyProcessor(processor) => self.state.choose_processor(*processor),
            Effect::Exclude(number) => {
                self.state.exclusions.push(Arc::clone(&self.rules.exclusions[*number]));
            }
            Effect::Skip(rules) => self.state.skip = *rules,
            Effect::SkipAfter(marker) => self.state.marker = Some(*marker),
        }
    }
}
