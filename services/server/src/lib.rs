//! The doors: the only user of actix-web and askama; one binary, `countersign`, with many roles.
//!
//! A handler in `http/` authorises, calls and renders; `pipeline` carries a report from the intake to the queue;
//! `config` alone reads the environment; `outbound` alone speaks HTTP to others.
//!
//! ```
//! // Every route is in one list, which the house test walks.
//! let open: Vec<_> = server::http::routes().into_iter().filter(|route| route.access == server::http::Access::Public).collect();
//! assert!(open.iter().all(|route| !route.path.starts_with("/cases")));
//! ```

pub mod cli;
pub mod config;
pub mod deidentification;
pub mod http;
pub mod keys;
pub mod metrics;
pub mod model;
pub mod nightly;
pub mod outbound;
pub mod pages;
pub mod pipeline;
pub mod postgres;
pub mod print;
pub mod request;
pub mod service;
pub mod signals;
pub mod telemetry;
pub mod view;
