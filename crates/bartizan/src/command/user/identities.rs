//! Where people log in besides here.

use anyhow::Result;
use bartizan_control::LinkedIdentities;
use serde_json::json;

use super::path;
use crate::{
    admin::segment,
    asking::{Asking, list},
    output::{Cell, FAINT, PLAIN, printable},
};

pub(super) async fn show(user: &str, asking: &Asking) -> Result<()> {
    let listed: LinkedIdentities = asking.client()?.get(&path(user, "/identities"), &[]).await?;
    asking.print(&listed, |listed| {
        list(&listed.identities, "none", ["PROVIDER", "SUBJECT", "LINKED", "ID"], |identity| {
            let provider = identity.provider.as_ref().unwrap_or(&identity.issuer);
            [
                Cell::new(PLAIN, provider),
                Cell::new(PLAIN, &identity.subject),
                Cell::new(PLAIN, identity.linked.to_string()),
                Cell::new(FAINT, &identity.id),
            ]
        })
    })
}

pub(super) async fn unlink(user: &str, identity: &str, asking: &Asking) -> Result<()> {
    let place = path(user, &format!("/identities/{}", segment(identity)));
    asking.client()?.delete::<()>(&place, &[]).await?;
    let said = format!("{} logs in there no longer; their sessions have ended", printable(user));
    asking.done(&json!({ "user": user, "identity": identity, "linked": false }), said)
}
