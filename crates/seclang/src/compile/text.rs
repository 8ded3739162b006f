//! Texts with macros, with the names in `TX` looked up once.

use std::collections::{HashMap, HashSet};

use crate::ast::{Macro, Part, Template, Variable};

/// A place in `TX` for a name that rules mention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot(pub(crate) usize);

impl Slot {
    /// Whether it is one of `TX:0` to `TX:9`.
    pub(crate) fn is_capture(self) -> bool {
        self.0 < Mentioned::CAPTURES
    }
}

/// What rules mention: names in `TX`, in lower case, and variables.
#[derive(Debug)]
pub(crate) struct Mentioned {
    names: Vec<Box<[u8]>>,
    slots: HashMap<Box<[u8]>, Slot>,
    variables: HashSet<Variable>,
}

impl Mentioned {
    /// How many captures there are: `TX:0` to `TX:9`, which have the first slots.
    pub(crate) const CAPTURES: usize = 10;

    pub(crate) fn new() -> Self {
        let mut names = Self { names: Vec::new(), slots: HashMap::new(), variables: HashSet::new() };
        for number in 0..Self::CAPTURES {
            names.claim(number.to_string().as_bytes());
        }
        names
    }

    /// The slot of this name, which has one from now on.
    pub(crate) fn claim(&mut self, name: &[u8]) -> Slot {
        let name: Box<[u8]> = name.to_ascii_lowercase().into();
        if let Some(slot) = self.slots.get(&name) {
            return *slot;
        }
        let slot = Slot(self.names.len());
        self.names.push(name.clone());
        self.slots.insert(name, slot);
        slot
    }

    pub(crate) fn mention(&mut self, variable: Variable) {
        self.variables.insert(variable);
    }

    /// Whether any rule looks at this variable.
    pub(crate) fn mentions(&self, variable: Variable) -> bool {
        self.variables.contains(&variable)
    }

    /// The slot of a name in lower case, if rules mention it.
    pub(crate) fn slot(&self, name: &[u8]) -> Option<Slot> {
        self.slots.get(name).copied()
    }

    pub(crate) fn name(&self, slot: Slot) -> &[u8] {
        self.names.get(slot.0).map_or(&[], AsRef::as_ref)
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// Every name with its slot.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Slot, &[u8])> {
        self.names.iter().enumerate().map(|(at, name)| (Slot(at), name.as_ref()))
    }
}

/// A text that may differ from exchange to exchange.
#[derive(Clone, Debug)]
pub(crate) struct Text(Box<[Piece]>);

/// A piece of a text.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    Literal(Box<[u8]>),
    Tx(Slot),
    Variable(Variable, Option<Box<[u8]>>),
}

impl Text {
    pub(crate) fn new(template: &Template, names: &mut Mentioned) -> Self {
        let piece = |part: &Part| match part {
            Part::Text(text) => Piece::Literal(text.as_bytes().into()),
            Part::Macro(Macro { variable: Variable::Tx, name: Some(name) }) => {
                Piece::Tx(names.claim(name.as_bytes()))
            }
            Part::Macro(Macro { variable, name }) => {
                names.mention(*variable);
                Piece::Variable(*variable, name.as_ref().map(|name| name.as_bytes().into()))
            }
        };
        Self(template.parts().iter().map(piece).collect())
    }

    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.0
    }

    /// Whether it may say what was captured.
    pub(crate) fn concerns_captures(&self) -> bool {
        self.0.iter().any(|piece| match piece {
            Piece::Literal(_) => false,
            Piece::Tx(slot) => slot.is_capture(),
            Piece::Variable(variable, _) => *variable == Variable::Tx,
        })
    }
}
