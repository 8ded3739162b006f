//! The firewall looks at an answer: at its head, and at the front of its body where the route selects its type. What is
//! not selected is streamed as ever.

use std::sync::Arc;

use bartizan_pipeline::{Code, Exchange, Outcome, Refusal, Stage};
use http::Response;

use super::Forwarder;
use crate::body::{Fronted, HoldError, ResponseBody, Room};

impl Forwarder<'_> {
    /// The answer, if the rules have nothing against it, or there are none that look at it.
    pub(super) async fn inspect(
        &self,
        exchange: &mut Exchange,
        response: Response<ResponseBody>,
    ) -> Result<Response<ResponseBody>, Refusal> {
        let Some(mut inspection) = exchange.inspection.take() else { return Ok(response) };
        let found = self.show(exchange, &mut inspection, response).await;
        inspection.finish();
        let account = inspection.account();
        let (outcome, reason) = match &found {
            Err(refusal) => (Outcome::Denied, refusal.reason.clone()),
            Ok(_) if account.outbound_score.is_some_and(|score| score > 0) => {
                (Outcome::Passed, account.summary().into())
            }
            Ok(_) => (Outcome::Passed, "the rules have nothing against the response".into()),
        };
        exchange.inspected = Some(Arc::new(account));
        exchange.mark(Stage::Response, outcome, reason, inspection.firewall().config().line);
        found
    }

    async fn show(
        &self,
        exchange: &Exchange,
        inspection: &mut bartizan_pipeline::Inspection,
        response: Response<ResponseBody>,
    ) -> Result<Response<ResponseBody>, Refusal> {
        inspection.response_head(response.status(), response.headers())?;
        let Some(limit) = inspection.wants_response_body(response.headers()) else {
            return inspection.response_body(&[]).map(|()| response);
        };
        let timeouts = exchange.route.as_ref().map(|route| route.config.timeouts.response);
        let (head, body) = response.into_parts();
        let room = Room { all_held: self.held, limit: self.generation.config.hardening.max_held_bytes };
        let fronted = Fronted::hold(body, limit, timeouts.unwrap_or_default(), room)
            .await
            .map_err(|error| refusal(&error))?;
        let front = fronted.front();
        inspection.response_body(front.get(..limit).unwrap_or(front))?;
        Ok(Response::from_parts(head, ResponseBody::Fronted(fronted)))
    }
}

fn refusal(error: &HoldError) -> Refusal {
    let code = match error {
        HoldError::Body(_) => Code::UpstreamFailed,
        HoldError::TooSlow => Code::UpstreamTimeout,
        HoldError::NoRoom => Code::Overloaded,
    };
    Refusal::new(code, error.to_string())
}
