//! The documents that are printed: the only user of `krilla`, which writes PDF.
//!
//! A document is laid out on [`Sheet`](sheet::Sheet)s as wide as A4 and as high as Letter, so that it prints on both without
//! being scaled. It is PDF/A-2a (ISO 19005-2), made to be archived, and PDF/UA-1 (ISO 14289-1), made to be read aloud.

mod chart;
mod face;
mod lines;
mod report;
mod sheet;

pub use report::report;

/// Why a document could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PrintError {
    /// A face that came with the program cannot be read.
    #[error("a typeface of this program cannot be read: it was built without its files")]
    Face,
    /// The document does not keep the rules of its format. The writer's own message may hold characters of the text, so it
    /// is not repeated.
    #[error("the document cannot be written as PDF: {0}")]
    Write(&'static str),
}
