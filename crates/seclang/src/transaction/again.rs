//! The same request once more, for whoever wants to know what other exclusions would make of it.

use std::sync::Arc;

use super::Transaction;
use crate::{ast::Variable, evaluate::State};

impl Transaction {
    /// The beginning of the same exchange: who talks to whom, the head of the request, and what was said from outside about
    /// rules ([`Self::exclude`], [`Self::only_report_these`], [`Self::refuse_by_these`], [`Self::declare`]). Nothing of what
    /// rules have made of it is there, and neither is its body. It finds collections as they are now, and what it writes to them
    /// is forgotten with it. Variables of `TX` and a mode that were set from outside are to be set again;
    /// [`Self::request_headers_done`] follows.
    #[must_use]
    pub fn again(&self) -> Self {
        let mut state = State::new(&self.rules);
        for variable in OF_CONNECTION {
            state.values.set(variable, self.single(variable), &mut state.buffers);
        }
        let of_outside = self.state.exclusions.iter().filter(|exclusion| exclusion.is_of_all_links());
        state.exclusions = of_outside.cloned().collect();
        state.reporting.clone_from(&self.state.reporting);
        state.refusing.clone_from(&self.state.refusing);
        state.declarations.clone_from(&self.state.declarations);
        state.collections = self.state.collections.copy();
        let mut again = Self {
            rules: Arc::clone(&self.rules),
            state,
            request_body: super::body::Body::default(),
            response_body: super::body::Body::default(),
            has_read_request_body: false,
        };
        let single = |variable| self.single(variable);
        again.request_line(
            single(Variable::RequestMethod),
            single(Variable::RequestUriRaw),
            single(Variable::RequestProtocol),
        );
        let State { values, buffers, .. } = &self.state;
        for header in values.of(Variable::RequestHeaders) {
            again.request_header(buffers.name(header.name), buffers.bytes(header.value));
        }
        again
    }

    /// The only value of a variable.
    fn single(&self, variable: Variable) -> &[u8] {
        let entry = self.state.values.of(variable).first();
        entry.map(|entry| self.state.buffers.bytes(entry.value)).unwrap_or_default()
    }
}

/// What [`Transaction::new`] is told.
const OF_CONNECTION: [Variable; 7] = [
    Variable::RemoteAddr,
    Variable::RemoteHost,
    Variable::RemotePort,
    Variable::ServerAddr,
    Variable::ServerPort,
    Variable::UniqueId,
    Variable::WebAppId,
];
