//! Which claims an expression reads.

use jmespath::ast::Ast;

/// The claims that have been found, each by the names on the way to it.
#[derive(Default)]
pub(super) struct Reading(Vec<Vec<String>>);

/// What a part of an expression stands for.
#[derive(Clone)]
enum Part {
    /// The claim at this place; without a name all of them.
    Claim(Vec<String>),
    /// Something that was made of claims which are known already.
    Made,
}

impl Reading {
    /// Fails for an expression that takes every claim: nobody could say which those are.
    pub(super) fn of(ast: &Ast) -> Result<Vec<Vec<String>>, String> {
        let mut reading = Self::default();
        let result = reading.part(ast, &Part::Claim(Vec::new()));
        reading.used(result);
        if reading.0.iter().any(Vec::is_empty) {
            return Err(
                "this expression takes every claim, those that users write, too: name those that it is about"
                    .into(),
            );
        }
        reading.0.sort();
        reading.0.dedup();
        Ok(reading.0)
    }

    /// What `ast` stands for where `@` is `at`.
    fn part(&mut self, ast: &Ast, at: &Part) -> Part {
        match ast {
            Ast::Identity { .. } => return at.clone(),
            Ast::Field { name, .. } => {
                if let Part::Claim(path) = at {
                    return Part::Claim(path.iter().chain([name]).cloned().collect());
                }
            }
            Ast::Subexpr { lhs, rhs, .. } => {
                let inner = self.part(lhs, at);
                return self.part(rhs, &inner);
            }
            Ast::Index { .. } | Ast::Slice { .. } => self.used(at.clone()),
            Ast::Projection { lhs, rhs, .. } => {
                self.uses(lhs, at);
                self.uses(rhs, &Part::Made);
            }
            Ast::Condition { predicate, then, .. } => {
                self.uses(predicate, at);
                self.uses(then, at);
            }
            Ast::Comparison { lhs, rhs, .. } | Ast::And { lhs, rhs, .. } | Ast::Or { lhs, rhs, .. } => {
                self.uses(lhs, at);
                self.uses(rhs, at);
            }
            Ast::Not { node, .. } | Ast::Flatten { node, .. } | Ast::ObjectValues { node, .. } => {
                self.uses(node, at);
            }
            Ast::Expref { ast, .. } => self.uses(ast, at),
            Ast::Function { args: parts, .. } | Ast::MultiList { elements: parts, .. } => {
                for part in parts {
                    self.uses(part, at);
                }
            }
            Ast::MultiHash { elements, .. } => {
                for element in elements {
                    self.uses(&element.value, at);
                }
            }
            Ast::Literal { .. } => {}
        }
        Part::Made
    }

    fn uses(&mut self, ast: &Ast, at: &Part) {
        let part = self.part(ast, at);
        self.used(part);
    }

    fn used(&mut self, part: Part) {
        if let Part::Claim(path) = part {
            self.0.push(path);
        }
    }
}
