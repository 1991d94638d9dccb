//! All routes, and what every request passes on its way to them.

use std::any::Any;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::csrf::CsrfLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::{DefaultOnResponse, TraceLayer};
use tracing::{Level, Span};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::SwaggerUi;

use crate::api::{self, BASE, Document};
use crate::problem::{self, Problem};
use crate::request_head::{self, KnownParameters};
use crate::state::AppState;
use crate::{guard, web};

/// What an answer may take that touches nothing but the database and the file store.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// The whole application.
pub fn router(state: AppState) -> Router {
    router_that_answers_within(ANSWER_TIMEOUT, state)
}

fn router_that_answers_within(timeout: Duration, state: AppState) -> Router {
    let (routes, document) = routes(timeout).split_for_parts();
    let document = api::common::announce(document);
    let known = KnownParameters::of(&document);
    // The last layer is the outermost one.
    routes
        // Here, where it is known which operation an address means.
        .route_layer(from_fn_with_state(known, request_head::takes_parameters))
        .merge(
            Router::<AppState>::from(SwaggerUi::new("/docs").url(format!("{BASE}/openapi.json"), document))
                .layer(CompressionLayer::new()),
        )
        .fallback(web::page)
        .with_state(state.clone())
        // There is no authentication yet, so another site's page must not be able to use the visitor's browser.
        .layer(CsrfLayer::new())
        .layer(from_fn_with_state(state, guard::known_host))
        .layer(from_fn(request_head::is_reasonable))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(map_response(problem::complete))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(request_span)
                .on_response(DefaultOnResponse::new().level(Level::INFO)),
        )
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
}

/// Carries the request's id, so that a line of the log can be found by the id of an answer.
fn request_span(request: &Request) -> Span {
    let id = request.headers().get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    tracing::info_span!("request", method = %request.method(), path = request.uri().path(), id)
}

/// The OpenAPI document.
pub fn document() -> utoipa::openapi::OpenApi {
    api::common::announce(routes(ANSWER_TIMEOUT).into_openapi())
}

fn routes(timeout: Duration) -> OpenApiRouter<AppState> {
    let versioned = OpenApiRouter::new().merge(answers(timeout)).merge(checks()).merge(streams());
    OpenApiRouter::with_openapi(Document::openapi()).routes(routes!(api::health::get)).nest(BASE, versioned)
}

/// Short answers from the database.
fn answers(timeout: Duration) -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(api::models::list))
        .routes(routes!(api::models::get, api::models::delete))
        .routes(routes!(api::datasets::list))
        .routes(routes!(api::datasets::get, api::datasets::change, api::datasets::delete))
        .routes(routes!(api::searches::list))
        .routes(routes!(api::strategies::list))
        .routes(routes!(api::presets::list))
        .routes(routes!(api::templates::list))
        .merge(
            OpenApiRouter::new()
                .routes(routes!(api::uploads::create, api::uploads::describe))
                .routes(routes!(api::uploads::get, api::uploads::delete))
                .layer(map_response(api::uploads::in_version)),
        )
        .routes(routes!(api::queue::get))
        .routes(routes!(api::queue::put))
        .routes(routes!(api::searches::get, api::searches::change, api::searches::delete))
        .routes(routes!(api::searches::pause))
        .routes(routes!(api::searches::cancel))
        .routes(routes!(api::search_report::json))
        .routes(routes!(api::search_report::markdown))
        .routes(routes!(api::searches::retry))
        .routes(routes!(api::candidates::list))
        .routes(routes!(api::candidate_rows::list))
        .routes(routes!(api::candidates::get))
        .routes(routes!(api::checkpoints::list, api::checkpoints::create))
        .routes(routes!(api::checkpoints::get))
        .routes(routes!(api::cards::json))
        .routes(routes!(api::cards::markdown))
        .routes(routes!(api::pipelines::list))
        .routes(routes!(api::pipelines::get, api::pipelines::delete))
        .routes(routes!(api::pipelines::cancel))
        .routes(routes!(api::pipelines::retry))
        .routes(routes!(api::tunings::list))
        .routes(routes!(api::tunings::create))
        .routes(routes!(api::tunings::get, api::tunings::delete))
        .routes(routes!(api::tunings::epochs))
        .routes(routes!(api::tunings::pause))
        .routes(routes!(api::tunings::cancel))
        .routes(routes!(api::tunings::retry))
        .routes(routes!(api::tunings::exports, api::tunings::export))
        .routes(routes!(api::tuning_races::list))
        .routes(routes!(api::tuning_races::create))
        .routes(routes!(api::tuning_races::get, api::tuning_races::delete))
        .routes(routes!(api::tuning_races::cancel))
        .routes(routes!(api::studies::list))
        .routes(routes!(api::studies::create))
        .routes(routes!(api::studies::get, api::studies::delete))
        .routes(routes!(api::studies::report))
        .routes(routes!(api::studies::markdown))
        .routes(routes!(api::studies::figure))
        .routes(routes!(api::studies::pause))
        .routes(routes!(api::studies::cancel))
        .routes(routes!(api::studies::retry))
        .layer(CompressionLayer::new())
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, timeout))
}

/// Answers that may have stored files looked at first. Such a check has a time limit of its own, and may have to wait for
/// others.
fn checks() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(api::models::change))
        .routes(routes!(api::models::graph))
        .routes(routes!(api::models::tensors))
        .routes(routes!(api::models::of_checkpoint))
        .routes(routes!(api::references::create))
        .routes(routes!(api::searches::create))
        .routes(routes!(api::searches::clone))
        .routes(routes!(api::pipelines::create))
        .routes(routes!(api::searches::extend))
        .routes(routes!(api::search_check::check))
        .layer(CompressionLayer::new())
}

/// Uploads, downloads and events: as long as they take, and as they are.
fn streams() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(api::models::create))
        .routes(routes!(api::datasets::create))
        // Uploads are counted as they arrive, against limits of their own.
        .layer(DefaultBodyLimit::disable())
        .merge(OpenApiRouter::new().routes(routes!(api::uploads::append)).layer(map_response(api::uploads::in_version)))
        .routes(routes!(api::models::file))
        .routes(routes!(api::datasets::thumbnail))
        .routes(routes!(api::checkpoints::file))
        .routes(routes!(api::events::follow))
        .routes(routes!(api::tuning_events::follow))
}

fn panicked(reason: Box<dyn Any + Send>) -> Response {
    let said = reason.downcast_ref::<String>().map(String::as_str).or_else(|| reason.downcast_ref::<&str>().copied());
    Problem::internal(format!("a handler panicked: {}", said.unwrap_or("no reason given"))).into_response()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::body::{Body, to_bytes};
    use axum::http::header;
    use eagleeye_sandbox::Support;
    use eagleeye_store::{NamedUpload, NewModel, Store, StoreConfig};
    use serde_json::{Value, json};
    use tower::ServiceExt;

    use super::*;
    use crate::checker::Checker;
    use crate::config::Config;
    use crate::followers::Followers;
    use crate::outages::Outages;
    use crate::study_report::Analyses;
    use crate::supervisor::Workers;

    const FAKE_WORKER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/fake_worker.sh");

    /// A server in a folder, whose checks take so long.
    async fn state(folder: &std::path::Path, check: Duration) -> AppState {
        use std::os::unix::fs::PermissionsExt;
        let worker = folder.join("worker");
        let script = format!("#!/bin/sh\nsleep {}\nexec {FAKE_WORKER} \"$@\"\n", check.as_secs_f64());
        std::fs::write(&worker, script).unwrap();
        std::fs::set_permissions(&worker, std::fs::Permissions::from_mode(0o755)).unwrap();
        let config = Config::default();
        AppState {
            store: Store::connect_with(StoreConfig::in_folder(folder)).await.unwrap(),
            checker: Arc::new(Checker::new(worker, config.check_limits(), Support::default()).unwrap()),
            config: Arc::new(config),
            workers: Workers::new(0),
            outages: Outages::default(),
            followers: Followers::default(),
            analyses: Analyses::default(),
            shutdown: tokio_util::sync::CancellationToken::new(),
        }
    }

    /// A stored model that takes any number of pixels.
    async fn model(state: &AppState, folder: &std::path::Path) -> String {
        let file = folder.join("network.pt");
        std::fs::write(&file, "shaped\n").unwrap();
        let inspection = state.checker.inspect(&file, None).await.unwrap();
        let file = NamedUpload { name: "network.pt".to_owned(), upload: state.store.upload_file(&file).await.unwrap() };
        let new = NewModel { name: "network".to_owned(), file, data: None, inspection, lineage: None };
        state.store.models().create(new).await.unwrap().id.to_string()
    }

    #[tokio::test]
    async fn an_answer_that_needs_an_inspection_may_take_as_long_as_the_inspection() {
        let folder = tempfile::tempdir().unwrap();
        let timeout = Duration::from_millis(500);
        let state = state(folder.path(), 3 * timeout).await;
        let id = model(&state, folder.path()).await;
        let router = router_that_answers_within(timeout, state);
        let change = Request::patch(format!("{BASE}/models/{id}"))
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(json!({ "input_shape": [1, 1, 8, 8] }).to_string()))
            .unwrap();
        let answer = router.oneshot(change).await.unwrap();
        let status = answer.status();
        let body: Value = serde_json::from_slice(&to_bytes(answer.into_body(), 1 << 20).await.unwrap()).unwrap();
        assert_eq!((status, &body["input_shape"]), (StatusCode::OK, &json!([1, 1, 8, 8])), "{body}");
    }
}
