//! From an address in the configuration to a file store.

use std::path::PathBuf;

use super::{CacheConfig, Files};
use crate::address::Address;
use crate::error::StoreError;

pub(super) fn open(address: &Address, cache: CacheConfig) -> Result<Files, StoreError> {
    let url = address.expose();
    match url.split_once("://") {
        None => Files::local(PathBuf::from(url)),
        Some(("file", path)) => Files::local(PathBuf::from(path)),
        Some(("s3", rest)) => s3(address, rest, cache),
        Some((scheme, _)) => Err(StoreError::BadFilesUrl {
            url: address.clone(),
            reason: format!("the scheme {scheme} is unknown: use a folder, file:// or s3://"),
        }),
    }
}

/// `s3://bucket/prefix`, with key, secret, region and endpoint from the `AWS_*` variables.
///
/// The builder takes them one by one: left to itself it would ask the cloud's metadata address for credentials.
#[cfg(feature = "s3")]
fn s3(address: &Address, rest: &str, cache: CacheConfig) -> Result<Files, StoreError> {
    use std::sync::Arc;
    use std::time::Duration;

    use object_store::RetryConfig;
    use object_store::aws::AmazonS3Builder;
    use object_store::path::Path as ObjectPath;

    /// Longer outages are waited out by whoever asked, who can say what it waits for.
    const PATIENCE: Duration = Duration::from_secs(15);

    let bad = |reason: String| StoreError::BadFilesUrl { url: address.clone(), reason };
    let required = |name: &str| std::env::var(name).map_err(|_| bad(format!("the variable {name} must be set")));

    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.is_empty() {
        return Err(bad("the bucket is missing: use s3://bucket/prefix".to_string()));
    }
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_access_key_id(required("AWS_ACCESS_KEY_ID")?)
        .with_secret_access_key(required("AWS_SECRET_ACCESS_KEY")?)
        .with_region(std::env::var("AWS_REGION").unwrap_or_else(|_| "us-east-1".to_string()));
    if let Ok(token) = std::env::var("AWS_SESSION_TOKEN") {
        builder = builder.with_token(token);
    }
    if let Ok(endpoint) = std::env::var("AWS_ENDPOINT_URL") {
        builder = builder.with_allow_http(endpoint.starts_with("http://")).with_endpoint(endpoint);
    }
    let builder = builder.with_retry(RetryConfig { max_retries: 4, retry_timeout: PATIENCE, ..RetryConfig::default() });
    let prefix = ObjectPath::parse(prefix).map_err(|error| bad(error.to_string()))?;
    Files::remote(Arc::new(builder.build()?), prefix, cache)
}

#[cfg(not(feature = "s3"))]
fn s3(address: &Address, _rest: &str, _cache: CacheConfig) -> Result<Files, StoreError> {
    let reason = "this program was built without S3 support; build it with `cargo xtask build --release \
        --s3`"
        .to_string();
    Err(StoreError::BadFilesUrl { url: address.clone(), reason })
}
