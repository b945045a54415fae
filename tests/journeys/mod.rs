//! Stories over HTTP, one file a noun, as in `services/server/src/http`.

pub mod helpers;

mod audit;
mod case;
mod database;
mod deid;
mod diagnostic_report;
mod portal;
mod session;
