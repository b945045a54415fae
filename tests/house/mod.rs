//! The house rules as tests.

mod arrows;
mod canary;
mod coverage;
mod doors;
