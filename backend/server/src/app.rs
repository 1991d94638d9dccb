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

/// What an answer that touches only the database may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// The whole application.
pub fn router(state: AppState) -> Router {
    let (routes, document) = routes().split_for_parts();
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
    api::common::announce(routes().into_openapi())
}

fn routes() -> OpenApiRouter<AppState> {
    let versioned = OpenApiRouter::new().merge(answers()).merge(streams());
    OpenApiRouter::with_openapi(Document::openapi()).routes(routes!(api::health::get)).nest(BASE, versioned)
}

/// Short answers from the database.
fn answers() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(api::models::list))
        .routes(routes!(api::models::get, api::models::change, api::models::delete))
        .routes(routes!(api::datasets::list))
        .routes(routes!(api::datasets::get, api::datasets::change, api::datasets::delete))
        .routes(routes!(api::searches::list, api::searches::create))
        .routes(routes!(api::searches::get, api::searches::change, api::searches::delete))
        .routes(routes!(api::searches::cancel))
        .routes(routes!(api::searches::retry))
        .routes(routes!(api::candidates::list))
        .routes(routes!(api::candidates::get))
        .routes(routes!(api::checkpoints::list, api::checkpoints::create))
        .routes(routes!(api::checkpoints::get))
        .layer(CompressionLayer::new())
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, ANSWER_TIMEOUT))
}

/// Uploads, downloads and events: as long as they take, and as they are.
fn streams() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(api::models::create))
        .routes(routes!(api::datasets::create))
        // Uploads are counted as they arrive, against limits of their own.
        .layer(DefaultBodyLimit::disable())
        .routes(routes!(api::models::file))
        .routes(routes!(api::datasets::thumbnail))
        .routes(routes!(api::checkpoints::file))
        .routes(routes!(api::events::follow))
}

fn panicked(reason: Box<dyn Any + Send>) -> Response {
    let said = reason.downcast_ref::<String>().map(String::as_str).or_else(|| reason.downcast_ref::<&str>().copied());
    Problem::internal(format!("a handler panicked: {}", said.unwrap_or("no reason given"))).into_response()
}
