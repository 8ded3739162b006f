//! How much an expression can make of a token: a list that is doubled twenty times is a million lists.

use jmespath::ast::Ast;

/// The result is at most `factor` times as large as what is looked at, and `constant` bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Growth {
    factor: u64,
    constant: u64,
}

/// How many times as large as its claims a result may be.
const MOST: u64 = 256;
/// How many bytes an expression may add from its own text.
const MOST_OWN: u64 = 16 * 1024;
/// What one character can become when a text is written as JSON (`\u0000`).
const ESCAPED: u64 = 6;

impl Growth {
    const SAME: Self = Self { factor: 1, constant: 0 };

    /// Of an expression with no other functions than those that are known.
    pub(super) fn of(ast: &Ast, is_known: &dyn Fn(&str) -> bool) -> Result<Self, String> {
        let of = |ast: &Ast| Self::of(ast, is_known);
        Ok(match ast {
            Ast::Identity { .. } | Ast::Field { .. } | Ast::Index { .. } | Ast::Slice { .. } => Self::SAME,
            Ast::Literal { value, .. } => Self::constant(value.to_string().len()),
            Ast::Flatten { node, .. } | Ast::ObjectValues { node, .. } => of(node)?,
            Ast::Expref { .. } => {
                return Err(
                    "this expression hands on another expression (`&`): none of the functions here takes one"
                        .into(),
                );
            }
            Ast::Not { node, .. } => {
                of(node)?;
                Self::constant(5)
            }
            Ast::Comparison { lhs, rhs, .. } => {
                of(lhs)?;
                of(rhs)?;
                Self::constant(5)
            }
            Ast::Condition { predicate, then, .. } => {
                of(predicate)?;
                of(then)?
            }
            Ast::And { lhs, rhs, .. } | Ast::Or { lhs, rhs, .. } => of(lhs)?.and(of(rhs)?),
            Ast::Subexpr { lhs, rhs, .. } => of(rhs)?.after(of(lhs)?),
            Ast::Projection { lhs, rhs, .. } => of(rhs)?.for_each(of(lhs)?),
            Ast::MultiList { elements, .. } => Self::together(elements.iter().map(of))?,
            Ast::MultiHash { elements, .. } => {
                let keys = elements.iter().map(|element| Ok(Self::constant(element.key.len())));
                Self::together(keys.chain(elements.iter().map(|element| of(&element.value))))?
            }
            Ast::Function { name, args, .. } => {
                if !is_known(name) {
                    return Err("this expression calls a function that is not known here".into());
                }
                let arguments = Self::together(args.iter().map(of))?;
                match (name.as_str(), args.as_slice()) {
                    ("join", [Ast::Literal { value, .. }, _]) => {
                        Self::constant(value.to_string().len()).and(Self::SAME).for_each(arguments)
                    }
                    ("join", _) => {
                        return Err(
                            "in this expression `join` needs a text in quotes to put between the others"
                                .into(),
                        );
                    }
                    ("to_string", _) => Self { factor: ESCAPED, constant: 2 }.after(arguments),
                    _ => arguments.and(Self::constant(20)),
                }
            }
        })
    }

    pub(super) fn check(self) -> Result<(), String> {
        if self.factor > MOST || self.constant > MOST_OWN {
            return Err(format!(
                "this expression could make more than {MOST} times as much of a token as there is in it"
            ));
        }
        Ok(())
    }

    fn constant(bytes: usize) -> Self {
        Self { factor: 0, constant: u64::try_from(bytes).unwrap_or(u64::MAX).saturating_add(1) }
    }

    fn and(self, other: Self) -> Self {
        Self {
            factor: self.factor.saturating_add(other.factor),
            constant: self.constant.saturating_add(other.constant),
        }
    }

    /// This of what `first` makes.
    fn after(self, first: Self) -> Self {
        Self {
            factor: self.factor.saturating_mul(first.factor),
            constant: self.factor.saturating_mul(first.constant).saturating_add(self.constant),
        }
    }

    /// This of every element of what `list` makes: there are no more elements than bytes.
    fn for_each(self, list: Self) -> Self {
        let each = self.factor.saturating_add(self.constant);
        Self { factor: each.saturating_mul(list.factor), constant: each.saturating_mul(list.constant) }
    }

    fn together(all: impl Iterator<Item = Result<Self, String>>) -> Result<Self, String> {
        let mut sum = Self::constant(1);
        for one in all {
            sum = sum.and(one?);
        }
        Ok(sum)
    }
}
