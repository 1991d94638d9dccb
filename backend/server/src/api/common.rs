//! Answers that every operation of the API may give, added to the document in one place.

use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder, Schema};

use super::strategies;
use crate::problem::MEDIA_TYPE;

/// What any address may answer, whatever it is for.
const EVERYWHERE: [(&str, &str); 7] = [
    ("400", "A parameter that this address does not accept"),
    ("403", "The request comes from another site's page or uses an unknown host name"),
    ("414", "The address is too long"),
    ("431", "The headers are too large"),
    ("500", "An internal error, or the server has no permission to write to its folders or its database"),
    ("503", "The server cannot do this now, for example because its database is unreachable; try again shortly"),
    ("507", "The server's disk is full"),
];

/// What an address may answer that takes a body.
const WITH_BODY: [(&str, &str); 1] = [("413", "The body is too large")];

/// Lists the names of strategies, which the table of proposers has, and adds to each operation those answers of any operation that it does not describe itself.
pub fn announce(mut document: OpenApi) -> OpenApi {
    if let Some(components) = &mut document.components {
        components.schemas.insert(strategies::NAMES.to_owned(), strategies::names().into());
        components.schemas.values_mut().for_each(drop_null_defaults);
    }
    for item in document.paths.paths.values_mut() {
        // Answers to HEAD have no body.
        if let Some(operation) = &mut item.head {
            for (status, description) in EVERYWHERE {
                let answer = || RefOr::T(ResponseBuilder::new().description(description).build());
                operation.responses.responses.entry(status.into()).or_insert_with(answer);
            }
        }
        let operations =
            [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch, &mut item.options];
        for operation in operations.into_iter().flatten() {
            let of_bodies = WITH_BODY.into_iter().filter(|_| operation.request_body.is_some());
            for (status, description) in EVERYWHERE.into_iter().chain(of_bodies) {
                let problem = || RefOr::T(problem(description));
                operation.responses.responses.entry(status.into()).or_insert_with(problem);
            }
        }
    }
    document
}

/// Fields that may be left out but not be null have no default that could be written down; serde's is `None`.
fn drop_null_defaults(schema: &mut RefOr<Schema>) {
    let RefOr::T(Schema::Object(object)) = schema else { return };
    for property in object.properties.values_mut() {
        let default = match property {
            RefOr::Ref(reference) => &mut reference.default,
            RefOr::T(Schema::Object(of)) => &mut of.default,
            RefOr::T(Schema::Array(of)) => &mut of.default,
            RefOr::T(_) => continue,
        };
        default.take_if(|default| default.is_null());
    }
}

fn problem(description: &str) -> Response {
    let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new().description(description).content(MEDIA_TYPE, problem).build()
}
