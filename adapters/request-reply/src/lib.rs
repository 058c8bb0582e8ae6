//! Request-reply over Kafka that survives its processes, in the words of Spring Kafka, NestJS and
//! SmallRye.
//!
//! - [`requester`] asks: single calls with a deadline each, or hundreds of thousands of requests
//!   whose replies are read in batches, from a position that a restart goes on from.
//! - [`replier`] answers: batches of requests go to a handler, and every request gets a reply,
//!   whatever becomes of it.
//! - [`reply`] has the parts of a reply path, for programs that keep their positions themselves.
//! - [`profile`] knows the headers of every kind of peer, and is the only place that does.
//! - [`pending`] tells replies to calls from late, duplicate and foreign ones.
//! - [`Sender`] returns when everything is acknowledged, [`Reader`] reads from positions that
//!   somebody else keeps, [`Lookout`] says what others have not read, and [`Topics`] looks at
//!   topics and makes them.
//!
//! A failure of the replier ends a call with [`CallError::Failed`](requester::CallError::Failed),
//! whatever kind of peer answers. A requester does not start on a reply topic whose replies would
//! miss it, and counts and logs the replies that answer no call. Requests and replies can be JSON
//! of your own types: `Request::json`, `Incoming::json`, `Reply::json`.
//!
//! What is pure (profiles, the table of calls, windows of records, who owns a partition) stands
//! apart from what talks to a broker, takes instants as arguments, and is tested against naive
//! versions of itself.
//! What a broker or a peer sends never panics, and every queue has a stated capacity.
//!
//! ```no_run
//! use catchment_request_reply::Settings;
//! use catchment_request_reply::requester::{Request, Requester, RequesterSettings};
//! use std::time::{Duration, Instant};
//!
//! # async fn ask() -> Result<(), Box<dyn std::error::Error>> {
//! let clients = Settings::new("127.0.0.1:9092", "greetings-requester");
//! let settings = RequesterSettings::new("greetings", "greetings-replies");
//! let requester = Requester::start(&clients, settings).await?;
//! let deadline = Instant::now() + Duration::from_secs(5);
//! let reply = requester.call(Request::new("Ada", "Ada"), deadline).await?;
//! println!("{}", String::from_utf8_lossy(reply.value()));
//! # Ok(())
//! # }
//! ```

pub mod correlation;
pub mod pending;
pub mod profile;
pub mod replier;
pub mod reply;
pub mod requester;

mod assignment;
mod buffer;
mod client_log;
mod commit;
mod error;
mod incoming;
mod json;
mod lookout;
mod reader;
mod record;
mod rights;
mod sender;
mod settings;
mod point_reader;
mod throttle;
mod topics;

pub use error::{NotClosed, ReadError, Refusal, SendError, SettingsError, TopicsError};
pub use lookout::{Lookout, Member, Unread};
pub use reader::{Commit, GroupEvent, GroupEvents, Reader, Record, Trouble, Watermarks};
pub use record::{Header, Incoming, Message, OwnedRecord, Timestamp};
pub use sender::Sender;
pub use settings::{Membership, Settings, is_secret};
pub use topics::{Created, NewTopic, TopicDescription, Topics};

/// The examples of the README are compiled, too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
