//! An answer of the server, taken apart.

use reqwest::blocking::Response;
use reqwest::header::HeaderMap;
use serde_json::Value;

/// Status, headers and body of an answer.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn of(response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, body: response.bytes().unwrap().to_vec() }
    }

    /// Status and headers alone, of an answer whose body is still to be read.
    pub fn head_of(response: &Response) -> Self {
        Self { status: response.status().as_u16(), headers: response.headers().clone(), body: Vec::new() }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; null where there is none.
    pub fn json(&self) -> Value {
        if self.body.is_empty() {
            return Value::Null;
        }
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The body of an answer with this status.
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        self.json()
    }

    /// The problem of a refusal. What it says to people must hold every one of the given words.
    pub fn problem(&self, status: u16, kind: &str, words: &[&str]) -> Value {
        let body = self.expect(status);
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(body["type"], format!("/problems/{kind}"), "{body}");
        assert_eq!(body["status"], status, "{body}");
        assert!(!body["title"].as_str().unwrap().is_empty(), "{body}");
        for word in words {
            assert!(body["detail"].as_str().unwrap().contains(word), "the answer does not say `{word}`: {body}");
        }
        body
    }
}

pub fn id(value: &Value) -> String {
    value["id"].as_str().unwrap_or_else(|| panic!("no id: {value}")).to_owned()
}
