//! Stories over HTTP (`journeys`) and the house rules (`house`), in one binary.

mod house;
mod journeys;
