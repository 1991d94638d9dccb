//! Keyset pagination: a cursor names the last row seen, so pages stay right while rows come and go.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::StoreError;

/// The largest page that is handed out, whatever was asked for.
pub const MAX_PAGE: u64 = 500;

/// Which part of a list is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageRequest {
    /// Rows per page, 1 to [`MAX_PAGE`]; 50 when absent.
    pub limit: Option<u64>,
    /// `next_cursor` of the page before; the first page when absent.
    pub cursor: Option<String>,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Absent on the last page.
    pub next_cursor: Option<String>,
}

impl PageRequest {
    pub(crate) fn limit(&self) -> u64 {
        self.limit.unwrap_or(50).clamp(1, MAX_PAGE)
    }

    pub(crate) fn after_id(&self) -> Result<Option<Uuid>, StoreError> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        Uuid::try_parse(cursor).map(Some).map_err(|_| StoreError::BadCursor { cursor: cursor.clone() })
    }
}

impl<T> Page<T> {
    /// Cuts `rows`, fetched one longer than the page, and names the last row kept when more follow.
    pub(crate) fn cut(mut rows: Vec<T>, limit: u64, cursor_of: impl Fn(&T) -> String) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = if more { rows.last().map(cursor_of) } else { None };
        Page { items: rows, next_cursor }
    }
}
