//! Keeps pages of other sites out while there is no authentication.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::problem::{Kind, Problem};
use crate::state::AppState;

/// Refuses requests under a foreign host name to a server on loopback: a site can let its own name point at 127.0.0.1
/// and would then count as same-origin (DNS rebinding).
pub async fn known_host(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if !state.config.host.is_loopback() || is_known(host, &state.config.allowed_hosts) {
        return next.run(request).await;
    }
    let detail = format!(
        "this server listens on loopback and does not go by the name `{host}`; start it with --allowed-hosts if it should"
    );
    Problem::new(Kind::Forbidden, detail).into_response()
}

fn is_known(host: &str, allowed: &[String]) -> bool {
    let name = without_port(host);
    let is_loopback = name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    is_loopback
        || name.eq_ignore_ascii_case("localhost")
        || allowed.iter().any(|known| known.eq_ignore_ascii_case(name))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        // In a bare IPv6 address the last colon belongs to the address.
        Some((name, port))
            if port.bytes().all(|b| b.is_ascii_digit()) && (name.ends_with(']') || !name.contains(':')) =>
        {
            name
        }
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_goes_by_its_own_names_and_those_that_are_allowed() {
        let allowed = ["prune.example".to_owned()];
        for known in ["localhost", "localhost:8080", "127.0.0.1:8080", "[::1]:8080", "[::1]", "Prune.Example:443"] {
            assert!(is_known(known, &allowed), "{known}");
        }
        for foreign in ["", "evil.example", "localhost.evil.example:8080", "10.0.0.1"] {
            assert!(!is_known(foreign, &allowed), "{foreign}");
        }
    }
}
