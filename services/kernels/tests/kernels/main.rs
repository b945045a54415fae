//! Every kernel of this machine against the exact results, and against itself on any number of threads.

mod attention;
mod common;
mod elementwise;
mod embedding;
mod product;
