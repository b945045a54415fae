//! How values of the domain become what pages show.

pub mod card;
pub mod case;
pub mod evidence;
pub mod report;
pub mod words;
