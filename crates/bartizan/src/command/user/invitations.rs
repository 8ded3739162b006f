//! Invitations that nobody has accepted yet.

use anyhow::Result;
use bartizan_control::PendingInvitations;
use serde_json::json;

use crate::{
    admin::segment,
    asking::{Asking, list, whole},
    output::{Cell, FAINT, PLAIN},
};

pub(super) async fn show(asking: &Asking) -> Result<()> {
    let client = asking.client()?;
    let listed = whole(
        &client,
        "v1/invitations",
        &[],
        |all: &mut PendingInvitations| all.next.take(),
        |all, part| {
            all.invitations.extend(part.invitations);
            all.next = part.next;
        },
    )
    .await?;
    let none = "nobody is invited: invite somebody with `bartizan user invite`";
    asking.print(&listed, |listed| {
        list(&listed.invitations, none, ["EMAIL", "ROLE", "WHERE", "ENDS", "ID"], |invitation| {
            let place = invitation.organization.as_deref().unwrap_or("everywhere");
            [
                Cell::new(PLAIN, &invitation.email),
                Cell::new(PLAIN, &invitation.role),
                Cell::new(PLAIN, place),
                Cell::new(PLAIN, invitation.expires.to_string()),
                Cell::new(FAINT, &invitation.invitation),
            ]
        })
    })
}

pub(super) async fn withdraw(invitation: &str, asking: &Asking) -> Result<()> {
    asking.client()?.delete::<()>(&format!("v1/invitations/{}", segment(invitation)), &[]).await?;
    asking.done(&json!({ "invitation": invitation, "withdrawn": true }), "the invitation is gone")
}
