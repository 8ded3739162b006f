//! What rules do: write variables, and change the engine for the rest of the exchange.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::Evaluation;
use crate::{
    CollectionName, ValueChange,
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
                    let name = CollectionName {
                        collection: *collection,
                        application: self.rules.settings.web_app_id.clone(),
                        key: self.reader().expanded(key).to_vec(),
                    };
                    self.state.collections.open(name, SystemTime::now());
                }
            }
        }
    }

    fn set_variable(&mut self, set: &SetVariable) {
        if set.collection != Collection::Tx {
            return self.set_persistent(set);
        }
        let value = match &set.operation {
            Operation::Set(value) => Some(self.reader().expanded(value)),
            Operation::Add(value) => Some(self.sum(&set.name, value, i64::saturating_add)),
            Operation::Subtract(value) => Some(self.sum(&set.name, value, i64::saturating_sub)),
            Operation::Unset => None,
        };
        match &set.name {
            VariableName::Slot(slot) => self.state.tx.set(*slot, value.as_deref()),
            VariableName::Text(name) => {
                let name = self.reader().expanded(name);
                self.state.tx.set_named(&name, value.as_deref(), &self.rules.mentioned);
            }
        }
    }

    /// What is there and is not a number counts as 0.
    fn sum(&self, name: &VariableName, value: &Text, operation: fn(i64, i64) -> i64) -> Written {
        let before = match name {
            VariableName::Slot(slot) => self.state.tx.get(*slot),
            VariableName::Text(name) => {
                self.state.tx.get_named(&self.reader().expanded(name), &self.rules.mentioned)
            }
        };
        let sum = operation(before.map_or(0, number), self.summand(value));
        Written::from_slice(itoa::Buffer::new().format(sum).as_bytes())
    }

    fn summand(&self, value: &Text) -> i64 {
        match value.pieces() {
            [Piece::Tx(slot)] => number(self.state.tx.get(*slot).unwrap_or_default()),
            _ => number(&self.reader().expanded(value)),
        }
    }

    /// Additions are made where the collection is kept: others may add at the same time.
    fn set_persistent(&mut self, set: &SetVariable) {
        let text;
        let change = match &set.operation {
            Operation::Set(value) => {
                text = self.reader().expanded(value);
                ValueChange::Set(&text)
            }
            Operation::Add(value) => ValueChange::Add(self.summand(value)),
            Operation::Subtract(value) => ValueChange::Add(self.summand(value).saturating_neg()),
            Operation::Unset => ValueChange::Remove,
        };
        self.change(set.collection, &set.name, change, SystemTime::now());
    }

    fn change(
        &mut self,
        collection: Collection,
        name: &VariableName,
        change: ValueChange<'_>,
        now: SystemTime,
    ) {
        let (name, timeout) = (self.name(name), self.rules.settings.collection_timeout);
        self.state.collections.change(collection, &name, change, now, timeout);
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
                let now = SystemTime::now();
                // A time that cannot be written never comes.
                if let Some(expires) = now.checked_add(Duration::from_secs(seconds)) {
                    self.change(*collection, name, ValueChange::Expire(expires), now);
                }
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
