//! The page behind the link that the gateway prints when it knows nobody: a form that posts what stands behind `#`, which
//! browsers send to nobody. It loads nothing, and runs the one script that its policy names by hash.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::response::{Html, IntoResponse, Response};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{
    HeaderValue,
    header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY},
};

const PAGE: &str = include_str!("page.html");

/// What the page may do. Where it cannot be told, nothing.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let [script, style] = ["script", "style"].map(|element| hash(between(PAGE, element)));
    let policy = format!(
        "default-src 'none'; script-src '{script}'; style-src '{style}'; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

/// What the one element of this name holds.
fn between<'p>(page: &'p str, element: &str) -> &'p str {
    let inside = page.split_once(&format!("<{element}>")).map(|(_, rest)| rest);
    inside.and_then(|rest| rest.split_once(&format!("</{element}>"))).map_or("", |(inside, _)| inside)
}

/// As a content security policy writes it (CSP Level 3, section 2.3.1).
fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(digest(&SHA256, text.as_bytes())))
}

/// A page on which the first administrator chooses an address and a password; the token stands behind `#` in its address.
#[utoipa::path(
    get,
    path = "/first-administrator",
    operation_id = "show_first_administrator_page",
    responses((status = 200, description = "The page.", body = String, content_type = "text/html"))
)]
pub(crate) async fn show_first_administrator_page() -> Response {
    let headers =
        [(CONTENT_SECURITY_POLICY, POLICY.clone()), (CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (headers, Html(PAGE)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_page_may_run_its_own_script_and_nothing_else() {
        let page = show_first_administrator_page().await;
        let policy = page.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
        for element in ["script", "style"] {
            let inside = between(PAGE, element);
            assert!(
                !inside.is_empty() && policy.contains(&format!("{element}-src '{}'", hash(inside))),
                "{policy}"
            );
        }
        // Attributes would need a policy that lets anything run.
        assert!(!PAGE.contains(" style=") && !PAGE.contains(" onsubmit") && !PAGE.contains("://"));
        assert_eq!(hash(""), "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }
}
