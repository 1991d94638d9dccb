//! Keeps pages of other sites out while there is no authentication.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::problem::{Kind, Problem};
use crate::state::AppState;

/// Refuses requests under a foreign host name: a site can let its own name point at this server's address and would
/// then count as same-origin (DNS rebinding). Where the server listens does not matter, since the visitor's browser may
/// stand where it can reach it.
pub async fn known_host(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if is_known(host, state.config.host, &state.config.allowed_hosts) {
        return next.run(request).await;
    }
    let detail = format!(
        "this server does not answer to the host name `{host}`; to allow it, start the server with \
        --allowed-hosts"
    );
    Problem::new(Kind::Forbidden, detail).into_response()
}

fn is_known(host: &str, listening: IpAddr, allowed: &[String]) -> bool {
    let name = without_port(host);
    let address = name.trim_matches(['[', ']']).parse::<IpAddr>().ok();
    // Nobody's name leads to an address that was typed in; on loopback only loopback's own can have been.
    let is_own_address = address.is_some_and(|address| address.is_loopback() || !listening.is_loopback());
    is_own_address
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

    const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn loopback_goes_by_its_own_names_and_those_that_are_allowed() {
        let allowed = ["prune.example".to_owned()];
        for known in ["localhost", "localhost:8080", "127.0.0.1:8080", "[::1]:8080", "[::1]", "Prune.Example:443"] {
            assert!(is_known(known, LOOPBACK, &allowed), "{known}");
        }
        for foreign in ["", "evil.example", "localhost.evil.example:8080", "10.0.0.1"] {
            assert!(!is_known(foreign, LOOPBACK, &allowed), "{foreign}");
        }
    }

    #[test]
    fn beyond_loopback_it_goes_by_addresses_and_names_that_are_allowed() {
        let (everywhere, allowed) = (IpAddr::from([0, 0, 0, 0]), ["prune.example".to_owned()]);
        for known in ["10.0.0.1:8080", "[fd00::7]:8080", "localhost:8080", "prune.example"] {
            assert!(is_known(known, everywhere, &allowed), "{known}");
        }
        for foreign in ["", "evil.example", "evil.example:8080", "10.0.0.1.evil.example"] {
            assert!(!is_known(foreign, everywhere, &allowed), "{foreign}");
        }
    }
}
