//! What clients learn by asking: about the authorization server (RFC 8414, `OpenID` Connect Discovery 1.0), and about what
//! its tokens are for (RFC 9728).

use serde_json::{Value, json};

use super::{AuthorizationServer, signing_key::algorithm_name};
use crate::MULTI_FACTOR_CLASSES;

/// Of keys that proofs may be made with.
const PROOF_ALGORITHMS: [&str; 9] =
    ["EdDSA", "ES256", "ES384", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512"];

impl AuthorizationServer {
    /// The authorization server's metadata, for both standards.
    pub fn metadata(&self) -> Value {
        let tokens = self.settings();
        let at = |name: &str| format!("{}/{name}", tokens.endpoints);
        // Another algorithm signs only after its key has been published for a while.
        let mut algorithms: Vec<_> = tokens.algorithms().into_iter().map(algorithm_name).collect();
        for signing in self.own.keys.algorithms() {
            if !algorithms.contains(&signing) {
                algorithms.push(signing);
            }
        }
        let mut metadata = json!({
            "issuer": tokens.issuer,
            "authorization_endpoint": at("authorize"),
            "token_endpoint": at("token"),
            "revocation_endpoint": at("revoke"),
            "introspection_endpoint": at("introspect"),
            "userinfo_endpoint": at("userinfo"),
            "end_session_endpoint": at("end-session"),
            "jwks_uri": at("jwks"),
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": [
                "authorization_code",
                "refresh_token",
                "client_credentials",
                "urn:ietf:params:oauth:grant-type:token-exchange",
            ],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
            "request_parameter_supported": false,
            "request_uri_parameter_supported": false,
            "prompt_values_supported": ["none", "login"],
            "acr_values_supported": MULTI_FACTOR_CLASSES,
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": algorithms,
            "claims_supported": ["iss", "sub", "aud", "exp", "iat", "auth_time", "amr", "acr", "nonce", "sid", "email", "email_verified", "name"],
            "dpop_signing_alg_values_supported": PROOF_ALGORITHMS,
            "tls_client_certificate_bound_access_tokens": true,
            "protected_resources": tokens.resources,
        });
        let methods =
            ["client_secret_basic", "client_secret_post", "none", "private_key_jwt", "tls_client_auth"];
        let proven = methods.into_iter().filter(|method| *method != "none").collect::<Vec<_>>();
        for (endpoint, methods) in
            [("token", &methods[..]), ("revocation", &methods), ("introspection", &proven)]
        {
            metadata[format!("{endpoint}_endpoint_auth_methods_supported")] = json!(methods);
            metadata[format!("{endpoint}_endpoint_auth_signing_alg_values_supported")] =
                json!(PROOF_ALGORITHMS);
        }
        metadata
    }

    /// The metadata of the resource with this path (empty for none), if tokens are for it.
    pub fn resource_metadata(&self, path: &str) -> Option<Value> {
        let tokens = self.settings();
        let resource =
            tokens.resources.iter().find(|resource| path_of(resource) == path.trim_end_matches('/'))?;
        Some(json!({
            "resource": resource,
            "authorization_servers": [tokens.issuer],
            "bearer_methods_supported": ["header"],
            "dpop_signing_alg_values_supported": PROOF_ALGORITHMS,
            "tls_client_certificate_bound_access_tokens": true,
        }))
    }
}

fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let path = rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default();
    path.split('?').next().unwrap_or_default().trim_end_matches('/')
}

/// Where the metadata of a resource is (RFC 9728, section 3.1), for the challenge of a refusal.
pub(crate) fn resource_metadata_url(resource: &str) -> Option<String> {
    let origin_end = resource.find("://").map(|at| at + 3)?;
    let rest = resource.get(origin_end..)?;
    let host_end = rest.find('/').map_or(resource.len(), |at| origin_end + at);
    let (origin, path) = resource.split_at_checked(host_end)?;
    Some(format!("{origin}/.well-known/oauth-protected-resource{}", path.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_of_a_resource_is_at_its_origin() {
        for (resource, url) in [
            ("https://shop.test", "https://shop.test/.well-known/oauth-protected-resource"),
            ("https://shop.test/a/b/", "https://shop.test/.well-known/oauth-protected-resource/a/b"),
        ] {
            assert_eq!(resource_metadata_url(resource).as_deref(), Some(url));
        }
    }

    #[test]
    fn paths_of_resources() {
        for (url, path) in [
            ("https://shop.test", ""),
            ("https://shop.test/", ""),
            ("https://shop.test/orders", "/orders"),
            ("https://shop.test/orders/?a=b", "/orders"),
        ] {
            assert_eq!(path_of(url), path, "{url}");
        }
    }
}
