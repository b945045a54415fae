//! What goes into the first layer: the sum of three vectors, normalised.

use std::error::Error;
use std::fmt;

use crate::PackError;
use crate::executor::Executor;
use crate::kernel::{Arithmetic, Op};
use crate::norm::{LayerNorm, normalize};

/// A table of vectors, a row for each id.
#[derive(Clone, Debug)]
pub struct Table {
    width: usize,
    values: Values,
}

#[derive(Clone, Debug)]
enum Values {
    F32(Vec<f32>),
    /// With a scale for each row.
    Int8(Vec<i8>, Vec<f32>),
}

impl Table {
    /// A table of f32, row-major.
    ///
    /// # Errors
    /// [`PackError::Shape`] and [`PackError::NotFinite`].
    pub fn f32(width: usize, values: Vec<f32>) -> Result<Self, PackError> {
        whole(width, values.len())?;
        finite(&values)?;
        Ok(Self {
            width,
            values: Values::F32(values),
        })
    }

    /// A table of int8, row-major, with a scale for each row: a quarter of the memory.
    ///
    /// # Errors
    /// [`PackError::Shape`] and [`PackError::NotFinite`].
    pub fn int8(width: usize, values: Vec<i8>, scales: Vec<f32>) -> Result<Self, PackError> {
        if whole(width, values.len())? != scales.len() {
            return Err(PackError::Shape);
        }
        finite(&scales)?;
        Ok(Self {
            width,
            values: Values::Int8(values, scales),
        })
    }

    /// Rows.
    #[must_use]
    pub const fn rows(&self) -> usize {
        match &self.values {
            Values::F32(values) => values.len() / self.width,
            Values::Int8(_, scales) => scales.len(),
        }
    }

    /// Values in a row.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.width
    }

    /// Adds a row to `out`. No fused operation, so that every kernel gives the same bits.
    #[inline(always)]
    fn add(&self, row: usize, out: &mut [f32]) {
        let range = row * self.width..(row + 1) * self.width;
        match &self.values {
            Values::F32(values) => {
                for (out, value) in out.iter_mut().zip(&values[range]) {
                    *out += value;
                }
            }
            Values::Int8(values, scales) => {
                let scale = scales[row];
                for (out, &value) in out.iter_mut().zip(&values[range]) {
                    *out += f32::from(value) * scale;
                }
            }
        }
    }
}

fn whole(width: usize, values: usize) -> Result<usize, PackError> {
    if width == 0 || !values.is_multiple_of(width) {
        return Err(PackError::Shape);
    }
    Ok(values / width)
}

fn finite(values: &[f32]) -> Result<(), PackError> {
    let all = values.iter().all(|value| value.is_finite());
    all.then_some(()).ok_or(PackError::NotFinite)
}

/// The embeddings of a BERT (Devlin et al. 2018, arXiv:1810.04805): words, positions, segment types, and a norm.
#[derive(Clone, Debug)]
pub struct Embedding {
    words: Table,
    positions: Table,
    types: Table,
    norm: LayerNorm,
}

/// Why tokens cannot be embedded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmbedError {
    /// A word's id is not in the vocabulary.
    Word,
    /// A sequence is longer than there are positions.
    Position,
    /// A segment type is not in its table.
    Type,
}

impl fmt::Display for EmbedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Word => "a word's id is not in the vocabulary",
            Self::Position => "a sequence is longer than the model has positions",
            Self::Type => "a segment type is not in its table",
        })
    }
}

impl Error for EmbedError {}

impl Embedding {
    /// Puts the parts together.
    ///
    /// # Errors
    /// [`PackError::Shape`] when they have different widths, or no segment type at all.
    pub fn new(words: Table, positions: Table, types: Table, norm: LayerNorm) -> Result<Self, PackError> {
        let widths = [words.width, positions.width, types.width];
        if widths != [norm.width(); 3] || types.rows() == 0 {
            return Err(PackError::Shape);
        }
        Ok(Self {
            words,
            positions,
            types,
            norm,
        })
    }

    /// Values of a token.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.words.width
    }
}

impl Executor {
    /// Embeds sequences that lie side by side: positions count from each one's start. Without `types` every token has
    /// the first segment type. The sum has candle's and PyTorch's order: words, types, positions.
    ///
    /// # Errors
    /// [`EmbedError`]; `out` is then unchanged.
    ///
    /// # Panics
    /// When lengths, types or `out` do not fit the ids.
    pub fn embed(
        &mut self,
        embedding: &Embedding,
        ids: &[u32],
        types: Option<&[u32]>,
        lengths: &[usize],
        out: &mut [f32],
    ) -> Result<(), EmbedError> {
        let width = embedding.width();
        assert_eq!(lengths.iter().sum::<usize>(), ids.len(), "lengths that add up");
        assert!(
            types.is_none_or(|types| types.len() == ids.len()),
            "a type for each token"
        );
        assert_eq!(out.len(), ids.len() * width, "a result for each token");
        if ids.iter().any(|&id| id as usize >= embedding.words.rows()) {
            return Err(EmbedError::Word);
        }
        if lengths.iter().any(|&length| length > embedding.positions.rows()) {
            return Err(EmbedError::Position);
        }
        if types.is_some_and(|types| types.iter().any(|&kind| kind as usize >= embedding.types.rows())) {
            return Err(EmbedError::Type);
        }
        let positions = &mut self.shared.starts;
        positions.clear();
        for &length in lengths {
            positions.extend(0..length);
        }
        let positions = std::mem::take(positions);
        let isa = self.isa;
        self.by_rows(out, width, |start, out| {
            let first = start / width;
            isa.run(Embed {
                embedding,
                ids,
                types,
                positions: &positions,
                first,
                out,
            });
        });
        self.shared.starts = positions;
        Ok(())
    }
}

struct Embed<'a> {
    embedding: &'a Embedding,
    ids: &'a [u32],
    types: Option<&'a [u32]>,
    positions: &'a [usize],
    first: usize,
    out: &'a mut [f32],
}

impl Op for Embed<'_> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Embedding {
            words,
            positions,
            types,
            norm,
        } = self.embedding;
        for (index, out) in self.out.chunks_exact_mut(norm.width()).enumerate() {
            let token = self.first + index;
            let kind = self.types.map_or(0, |types| types[token] as usize);
            out.fill(0.0);
            words.add(self.ids[token] as usize, out);
            types.add(kind, out);
            positions.add(self.positions[token], out);
            normalize::<A>(norm, out);
        }
    }
}
