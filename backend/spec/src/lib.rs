//! What can be asked of EagleEye and what is answered: one type for each, which the API documents, the store keeps and the
//! engine takes.
//!
//! Ranges and defaults are stated here and nowhere else. No tokio, libtorch, SQL or HTTP.

pub mod report;
