//! The arithmetic of the CPU engine: products with packed weights in f32, bf16 and int8, and what a BERT needs around
//! them, over plain slices. The only crate with `unsafe`.
//!
//! ```
//! use kernels::{Activation, Epilogue, Executor, Packed};
//!
//! // Two outputs of three inputs, packed once; rows of any number, multiplied often.
//! let layer = Packed::f32(3, &[1.0, 0.0, 2.0, 0.0, 1.0, -1.0], &[0.5, 0.0])?;
//! let mut executor = Executor::detect(2)?;
//! let mut out = [0.0; 4];
//! executor.linear(&[1.0, 2.0, 3.0, 0.0, 0.0, 1.0], &layer, Epilogue::Activation(Activation::Relu), &mut out);
//! assert_eq!(out, [7.5, 0.0, 2.5, 0.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is promised
//!
//! **The same bits.** A result does not depend on the number of threads, on what else is in the batch (a row of a
//! product, a sequence of an attention), or on how rows are cut into blocks and tiles: work is split over rows, panels
//! of outputs, heads and sequences, never along a sum. Every sum has one order: a product's is that of `k`, in one
//! accumulator; a row's is in sixteen lanes, folded as a tree.
//!
//! **The same bits across kernels** for int8 products (with [`Epilogue::Bias`] and [`Epilogue::Add`]), quantization
//! included, on any machine; for everything but bf16 products between [`Kernel::Avx2`], the AVX-512 and NEON kernels
//! and [`Kernel::Reference`] (plain Rust, which rounds as they do on any machine, slowly), which fuse the same operations
//! in the same order. [`Kernel::Portable`] does not fuse: it defines the results, and the others agree with it within
//!
//! | kernel | tolerance |
//! |---|---|
//! | f32 product | `2⁻²³ × (k + 2) × Σ abs(x w)`, the bound of Higham 2002, section 3.1; in practice below 1e-6 × Σ |
//! | bf16 product | the same, and subnormal inputs count as zero in `vdpbf16ps` (Intel SDM vol. 2) |
//! | int8 product | none: equal |
//! | GELU, erf | 1e-6 × max(1, abs x) |
//! | softmax, attention | 1e-5 relative to the largest value |
//! | layer norm | 1e-5 × (1 + abs result) |
//!
//! **Accuracy against the exact function**: exp within 2 units in the last place, erf within 4e-7; int8 within half a
//! step of each input and weight (see [`Precision::Int8`]).
//!
//! **NaN and infinities propagate**: a row of a product with NaN in it is NaN in every output (in int8 also one with an
//! infinity, or whose range is no f32); softmax and attention say what they do; weights must be finite, or [`PackError`].
//!
//! **No allocation** once the largest call was made, and **no padding**: sequences lie side by side with their lengths.
//!
//! # How it is made
//!
//! [`Packed`] keeps weights in panels of 32 outputs; a call packs blocks of rows for the tiles (the first of the two
//! operands of Goto and van de Geijn 2008, cited in `tile.rs`), multiplies them with panel after panel, and finishes each
//! tile while it is in the first-level cache. AVX2 multiplies int8 as pairs of 16 bits, which is exact; it widens each
//! panel once for a block. NEON multiplies bytes with their sign and adds what that took. Products are written in
//! intrinsics (`tile/`); all else is written once in plain Rust and compiled for each instruction set (`kernel.rs`).
//! Threads wait between calls (`pool.rs`), on processors of their own if that is asked for (`affinity.rs`).

mod activation;
mod affinity;
mod area;
mod attention;
mod disjoint;
mod embedding;
mod executor;
mod inputs;
mod kernel;
mod lanes;
mod linear;
mod math;
mod memory;
mod norm;
mod packed;
mod pool;
mod pooling;
mod precision;
mod softmax;
mod step;
mod tile;
mod turn;

pub use activation::Activation;
pub use attention::{Heads, Qkv};
pub use embedding::{EmbedError, Embedding, Table};
pub use executor::{Executor, ExecutorError};
pub use kernel::{Kernel, UnknownKernel};
pub use linear::Epilogue;
pub use memory::Memory;
pub use norm::LayerNorm;
pub use packed::{MOST_INPUTS, PackError, Packed};
pub use pooling::{pool_first, pool_mean};
pub use precision::Precision;
pub use softmax::Keys;
