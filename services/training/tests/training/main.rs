//! Training from outside: weights of others, and runs that are killed.

mod import;
mod resume;
