//! The firewall looks at an answer: at its head, and at the front of its body where the route selects its type. What is
//! not selected is streamed as ever.

use std::sync::Arc;

use bartizan_pipeline::{Code, Exchange, Judged, Outcome, Reason, Refusal, Stage};
use http::Response;
use http_body::Body;

use super::Forwarder;
use crate::body::{Fronted, HoldError, ResponseBody, Room};

impl Forwarder<'_> {
    /// The answer, if the rules have nothing against it, or there are none that look at it.
    pub(super) async fn inspect(
        &self,
        exchange: &mut Exchange,
        response: Response<ResponseBody>,
    ) -> Result<Response<ResponseBody>, Refusal> {
        let Some(line) = exchange.inspection.as_ref().map(|inspection| inspection.firewall().config().line)
        else {
            return Ok(response);
        };
        let found = self.show(exchange, response).await;
        let account = exchange.inspection.take().map(|mut inspection| {
            inspection.finish();
            let account = inspection.account();
            let unseen = inspection.take_unseen();
            let found: Reason = if inspection.objects_to_response() {
                format!("would refuse: {}", account.summary_of(Judged::RefusedResponse)).into()
            } else if account.outbound_score.is_some_and(|score| score > 0) {
                account.summary_of(Judged::RefusedResponse).into()
            } else if unseen.is_some() {
                "the rules have nothing against the head".into()
            } else {
                "the rules have nothing against the response".into()
            };
            let reason = match unseen {
                Some(why) => format!("body not looked at ({why}): {found}").into(),
                None => found,
            };
            (account, reason)
        });
        let (account, passed) = account.unzip();
        let (outcome, reason) = match &found {
            Ok(_) => (Outcome::Passed, passed.unwrap_or_else(|| "not looked at".into())),
            Err(refusal) => (Outcome::Denied, refusal.reason.clone()),
        };
        if let Some(account) = account {
            exchange.inspected = Some(Arc::new(account));
        }
        exchange.mark(Stage::Response, outcome, reason, line);
        found
    }

    async fn show(
        &self,
        exchange: &mut Exchange,
        response: Response<ResponseBody>,
    ) -> Result<Response<ResponseBody>, Refusal> {
        let Some(inspection) = &mut exchange.inspection else { return Ok(response) };
        inspection.response_head(response.status(), response.headers())?;
        let limit = match inspection.wants_response_body(response.headers()) {
            Ok(limit) => limit,
            Err(why) => {
                if !response.body().is_end_stream() {
                    inspection.leave_unseen(why);
                }
                return inspection.response_body(&[]).map(|()| response);
            }
        };
        let timeouts = exchange.route.as_ref().map(|route| route.config.timeouts.response);
        let (head, body) = response.into_parts();
        let room = Room { all_held: self.held, limit: self.generation.config.hardening.max_held_bytes };
        let fronted = Fronted::hold(body, limit, timeouts.unwrap_or_default(), room)
            .await
            .map_err(|error| refusal(&error))?;
        let front = fronted.front();
        let looked_at = front.slice(..front.len().min(limit));
        self.generation.pipeline.show_response(exchange, looked_at).await?;
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
