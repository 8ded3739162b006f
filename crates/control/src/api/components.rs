//! `GET /v1/components`: what the gateway needs beside the services behind it, and how it fares.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::{Timestamp, control::Shared};

/// How long the keys may take to be read.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the gateway needs; null is what the configuration does not ask for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Components {
    /// The store of people, services, keys and the audit trail.
    pub store: Option<ComponentHealth>,
    /// Redis or Valkey, which gateways share.
    pub shared_store: Option<ComponentHealth>,
    /// The keys that sign tokens.
    pub signing_keys: Option<SigningKeysHealth>,
}

/// How something fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ComponentHealth {
    /// It answers.
    Working,
    /// It does not: the log says why.
    Failing,
}

/// How the keys fare that sign tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SigningKeysHealth {
    /// Whether they can be read.
    pub health: ComponentHealth,
    /// What signs; null where it cannot be read.
    pub active: Option<ActiveSigningKey>,
}

/// What signs tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ActiveSigningKey {
    /// Its `kid`.
    pub id: String,
    /// What it signs with.
    #[schema(example = "EdDSA")]
    pub algorithm: String,
    /// Since when.
    pub since: Timestamp,
    /// When another takes its place.
    pub rotates: Timestamp,
    /// How many keys are published: this one, the next, and those that have signed.
    pub published: usize,
}

/// What the gateway needs beside the services behind it: its stores and its keys. Each is asked now.
#[utoipa::path(
    get,
    path = "/v1/components",
    operation_id = "read_components",
    tag = "status",
    responses((status = 200, description = "How each fares.", body = Components))
)]
pub(crate) async fn read_components(State(shared): State<Arc<Shared>>) -> Json<Components> {
    let store = async {
        let answer = shared.accounts.as_ref()?.store_answers().await;
        Some(ComponentHealth::of("store", answer))
    };
    let signing_keys = async {
        let keys = match timeout(PATIENCE, shared.tokens.as_ref()?.signing_keys()).await {
            Ok(keys) => keys.map_err(|error| error.to_string()),
            Err(late) => Err(late.to_string()),
        };
        let active = keys.as_ref().ok().map(|keys| ActiveSigningKey {
            id: keys.active.clone(),
            algorithm: keys.algorithm.clone(),
            since: keys.since.into(),
            rotates: keys.rotates.into(),
            published: keys.published.len(),
        });
        Some(SigningKeysHealth { health: ComponentHealth::of("signing keys", keys), active })
    };
    let (store, signing_keys) = tokio::join!(store, signing_keys);
    let decides = shared.system.limits().limiter.store_decides();
    let shared_store =
        decides.map(|decides| if decides { ComponentHealth::Working } else { ComponentHealth::Failing });
    Json(Components { store, shared_store, signing_keys })
}

impl ComponentHealth {
    /// The reason of a failure is for the log.
    fn of<T, E: std::fmt::Display>(component: &str, answer: Result<T, E>) -> Self {
        match answer {
            Ok(_) => Self::Working,
            Err(error) => {
                tracing::warn!(component, %error, "a component fails");
                Self::Failing
            }
        }
    }
}
