//! Requests and replies as JSON, for those who have types for them.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::record::Incoming;
use crate::{replier, requester};

impl requester::Request {
    /// A request with an id of its own, and a value in JSON.
    ///
    /// # Errors
    ///
    /// When the value has no form in JSON.
    pub fn json(key: impl Into<Vec<u8>>, value: &impl Serialize) -> serde_json::Result<Self> {
        Ok(Self::new(key, serde_json::to_vec(value)?))
    }
}

impl requester::Reply {
    /// The reply's value, read as JSON.
    ///
    /// # Errors
    ///
    /// When it is no JSON, or another one.
    pub fn json<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_slice(self.value())
    }
}

impl Incoming<'_> {
    /// The record's value, read as JSON.
    ///
    /// # Errors
    ///
    /// When it is no JSON, or another one: a rejection with the code `unreadable`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, replier::Failure> {
        let unreadable = |why: String| replier::Failure::rejected("unreadable", why);
        let value = self.value.ok_or_else(|| unreadable("the value is null".to_owned()))?;
        serde_json::from_slice(value).map_err(|error| unreadable(error.to_string()))
    }
}

impl replier::Reply {
    /// A reply whose value is JSON.
    ///
    /// # Errors
    ///
    /// When the value has no form in JSON: a failure with the code `unwritable`.
    pub fn json(value: &impl Serialize) -> Result<Self, replier::Failure> {
        let written = serde_json::to_vec(value);
        written.map(Self::from).map_err(|error| replier::Failure {
            retryable: false,
            ..replier::Failure::failed("unwritable", error.to_string())
        })
    }
}
