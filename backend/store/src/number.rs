//! Counts are unsigned in the domain and signed in SQL.

use crate::error::{Kind, StoreError};

pub(crate) fn to_i64(field: &'static str, value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::OutOfRange { field, value, max: i64::MAX as u64 })
}

pub(crate) fn to_i32(field: &'static str, value: u64) -> Result<i32, StoreError> {
    i32::try_from(value).map_err(|_| StoreError::OutOfRange { field, value, max: i32::MAX as u64 })
}

pub(crate) fn from_sql<N, U>(kind: Kind, column: &'static str, value: N) -> Result<U, StoreError>
where
    U: TryFrom<N>,
    N: Copy + std::fmt::Display,
{
    U::try_from(value).map_err(|_| StoreError::Corrupt { kind, column, reason: format!("{value} is out of range") })
}

pub(crate) fn from_json<T: serde::de::DeserializeOwned>(
    kind: Kind,
    column: &'static str,
    value: serde_json::Value,
) -> Result<T, StoreError> {
    serde_json::from_value(value).map_err(|error| StoreError::Corrupt { kind, column, reason: error.to_string() })
}

pub(crate) fn to_json<T: serde::Serialize>(
    kind: Kind,
    column: &'static str,
    value: &T,
) -> Result<serde_json::Value, StoreError> {
    serde_json::to_value(value).map_err(|error| StoreError::Corrupt { kind, column, reason: error.to_string() })
}
