//! Answers that every operation of the API may give, added to the document in one place.

use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, ResponseBuilder};

use crate::problem::MEDIA_TYPE;

/// Adds the refusal of an unknown parameter to each operation that has no refusal of wrong parameters of its own.
pub fn announce(mut document: OpenApi) -> OpenApi {
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch];
        for operation in operations.into_iter().flatten() {
            let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
            let refusal = ResponseBuilder::new()
                .description("A parameter that this address does not take")
                .content(MEDIA_TYPE, problem)
                .build();
            operation.responses.responses.entry("400".into()).or_insert(RefOr::T(refusal));
        }
    }
    document
}
