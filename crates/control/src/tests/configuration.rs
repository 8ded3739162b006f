//! Looking at the configuration and taking a new one.

use bartizan_config::{Config, Source};
use http::StatusCode;
use serde_json::json;

use super::fixture::{Admin, moment};
use crate::{ConfigurationFailure, Problem, ReloadFailure, ReloadFuture, System};

#[tokio::test]
async fn the_last_failure_is_told() {
    let admin = Admin::new();
    let told = admin.get("/v1/configuration").await.json();
    let expected = json!({
        "revision": "3f0a9b6c2d41",
        "path": "bartizan.yaml",
        "loaded_at": "2026-03-01T09:30:07Z",
        "last_failure": null
    });
    assert_eq!(told, expected);
    let failure = ConfigurationFailure { at: moment(), message: "line 3 is odd".into() };
    admin.system.status.lock().unwrap().configuration.last_failure = Some(failure);
    let told = admin.get("/v1/configuration").await.json();
    assert_eq!(told["last_failure"], json!({ "at": "2026-03-01T09:30:07Z", "message": "line 3 is odd" }));
}

#[tokio::test]
async fn a_configuration_is_taken() {
    let answer = Admin::new().post("/v1/configuration/reload", None).await;
    assert_eq!(answer.json(), json!({ "revision": "77d1c0ffee00", "changed": true, "warnings": [] }));
}

#[tokio::test]
async fn a_bad_configuration_is_refused_with_every_problem_in_it() {
    let error = Config::parse("version: 1\nroutess: []\n", &Source::text("bartizan.yaml")).unwrap_err();
    let admin = Admin::new();
    *admin.system.reload.lock().unwrap() = Err(ReloadFailure::from(&error));
    let answer = admin.post("/v1/configuration/reload", None).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::CONFLICT, "configuration_invalid".into()));
    let problem: Problem = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(problem.diagnostics.len(), error.diagnostics().len());
    let (told, meant) = (&problem.diagnostics[0], &error.diagnostics()[0]);
    assert_eq!((told.line, told.column, &told.message), (meant.line, meant.column, &meant.message));
    assert_eq!((&told.file, &told.hint, &told.snippet), (&meant.file, &meant.hint, &meant.snippet));
}

#[tokio::test]
async fn a_reload_that_breaks_off_is_our_fault() {
    struct Broken(Admin);
    impl System for Broken {
        fn status(&self) -> crate::Status {
            self.0.system.status()
        }
        fn config(&self) -> std::sync::Arc<Config> {
            self.0.system.config()
        }
        fn reload(&self) -> ReloadFuture<'_> {
            Box::pin(async { panic!("as the test wants it") })
        }
        fn upstreams(&self) -> Vec<crate::UpstreamStatus> {
            Vec::new()
        }
        fn limits(&self) -> crate::LimitsInUse {
            self.0.system.limits()
        }
        fn policies(&self) -> crate::PoliciesInUse {
            self.0.system.policies()
        }
        fn detection(&self) -> crate::DetectionStatus {
            self.0.system.detection()
        }
        fn exports(&self) -> Vec<crate::Export> {
            Vec::new()
        }
        fn test_export(&self, _: String) -> crate::ExportTestFuture<'_> {
            Box::pin(async { None })
        }
        fn metrics(&self) -> String {
            String::new()
        }
    }
    let (mut admin, inner) = (Admin::new(), Admin::new());
    admin.control = crate::Control::new(
        std::sync::Arc::new(Broken(inner)),
        admin.records.clone(),
        std::sync::Arc::default(),
        admin.token.clone(),
    );
    let answer = admin.post("/v1/configuration/reload", None).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::INTERNAL_SERVER_ERROR, "internal_error".into()));
}
