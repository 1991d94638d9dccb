//! Lists that are handed out page by page.

use eagleeye_store::{self as store, PageRequest};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::problem::{Kind, Problem};

/// Rows of a page when the request does not say.
const DEFAULT_LIMIT: u64 = 50;
/// Rows of the largest page.
const MAX_LIMIT: u64 = 100;

/// Which part of a list is wanted.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Items per page, 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<u64>,
    /// `next_cursor` of the previous page, unchanged. If omitted, the first page.
    cursor: Option<String>,
}

impl PageQuery {
    /// As the store wants it, with the limit checked.
    pub fn request(self) -> Result<PageRequest, Problem> {
        checked(self.limit.unwrap_or(DEFAULT_LIMIT), MAX_LIMIT, self.cursor)
    }
}

/// Rows of the largest page of what is small.
const LONG_LIMIT: u64 = 500;

/// Which part of a list of small items is wanted.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LongPageQuery {
    /// Items per page, 1 to 500.
    #[param(minimum = 1, maximum = 500, default = 500)]
    limit: Option<u64>,
    /// `next_cursor` of the previous page, unchanged. If omitted, the first page.
    cursor: Option<String>,
}

impl LongPageQuery {
    /// As the store wants it, with the limit checked.
    pub fn request(self) -> Result<PageRequest, Problem> {
        checked(self.limit.unwrap_or(LONG_LIMIT), LONG_LIMIT, self.cursor)
    }
}

fn checked(limit: u64, most: u64, cursor: Option<String>) -> Result<PageRequest, Problem> {
    if !(1..=most).contains(&limit) {
        let detail = format!("limit is {limit}; it must be from 1 to {most}");
        return Err(Problem::new(Kind::InvalidParameter, detail));
    }
    Ok(PageRequest { limit: Some(limit), cursor })
}

/// One page of a list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Pass it back as `cursor` for the next page. Null on the last page.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A page of the store's with each of its items converted.
    pub fn of<U>(page: store::Page<U>, convert: impl Fn(U) -> T) -> Self {
        Page { items: page.items.into_iter().map(convert).collect(), next_cursor: page.next_cursor }
    }
}
