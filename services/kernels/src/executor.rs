//! Who runs the kernels: an instruction set, a few threads and their memory.

use std::error::Error;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use crate::activation::{Activate, Activation};
use crate::affinity::Processors;
use crate::area::Area;
use crate::attention::{Heads, Qkv, exact};
use crate::disjoint::Disjoint;
use crate::kernel::{Isa, Kernel};
use crate::linear::{Epilogue, Place, product};
use crate::norm::{LayerNorm, Normalize};
use crate::packed::Packed;
use crate::pool::Pool;
use crate::softmax::{Keys, Softmax};
use crate::step::COLUMNS;
use crate::tile;

/// Bytes of interleaved inputs that a block of rows may take: a fraction of a second-level cache of 1 MiB.
const BLOCK_BYTES: usize = 192 << 10;
/// Fewest rows of a block: each panel that is read from beyond the second-level cache is used for so many rows.
const LEAST_ROWS: usize = 24;
/// The same where a panel's weights are widened first: for so many rows at once, that costs a thirtieth of the product.
const LEAST_ROWS_WIDE: usize = 96;
/// Most rows of a block, so that there are blocks enough to share out.
const MOST_ROWS: usize = 192;
/// With fewer rows than this for each thread, threads share the panels instead, so that each reads only its own.
const FEW_ROWS: usize = 40;
/// Values of an element-wise kernel that are worth a thread.
const LEAST_VALUES: usize = 1 << 13;

/// Why there is no executor.
#[derive(Debug)]
#[non_exhaustive]
pub enum ExecutorError {
    /// This processor lacks the instructions.
    Unavailable(Kernel),
    /// Threads must be at least 1.
    NoThreads,
    /// The operating system gives no more threads, or not where they are to stay.
    Spawn(std::io::Error),
    /// It does not say which processors there are, or does not let a thread stay on one.
    Pin(std::io::Error),
}

impl fmt::Display for ExecutorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(kernel) => {
                write!(f, "this processor cannot run the kernel {}", kernel.as_str())
            }
            Self::NoThreads => f.write_str("no threads to run on"),
            Self::Spawn(_) => f.write_str("no more threads"),
            Self::Pin(_) => {
                f.write_str("threads cannot be kept on processors here: let them go where they like")
            }
        }
    }
}

impl Error for ExecutorError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unavailable(_) | Self::NoThreads => None,
            Self::Spawn(error) | Self::Pin(error) => Some(error),
        }
    }
}

/// Runs the kernels on some threads. Its memory grows to what the largest call needs and is then used again.
///
/// Every method panics when slices do not fit each other, as [`slice::copy_from_slice`] does: shapes come from a model
/// that was checked when it was loaded, not from its inputs.
pub struct Executor {
    pub(crate) isa: Isa,
    pub(crate) pool: Pool,
    /// One for each thread of the pool; never contended.
    pub(crate) areas: Vec<Mutex<Area>>,
    /// What all threads read during a call.
    pub(crate) shared: Area,
    /// Where the threads stay.
    processors: Option<Arc<Processors>>,
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor")
            .field("kernel", &self.kernel())
            .field("threads", &self.threads())
            .finish_non_exhaustive()
    }
}

impl Executor {
    /// An executor on `threads` threads, the caller's among them.
    ///
    /// # Errors
    /// [`ExecutorError`].
    pub fn new(kernel: Kernel, threads: usize) -> Result<Self, ExecutorError> {
        Self::on(kernel, threads, None)
    }

    /// The same with each thread kept on a processor of its own, of those that the calling thread may use. Who calls the
    /// executor's methods is one of the threads: [`Executor::settle`] keeps that one.
    ///
    /// # Errors
    /// [`ExecutorError`]; [`ExecutorError::Pin`] on others than Linux.
    pub fn pinned(kernel: Kernel, threads: usize) -> Result<Self, ExecutorError> {
        let processors = Processors::allowed().map_err(ExecutorError::Pin)?;
        Self::on(kernel, threads, Some(Arc::new(processors)))
    }

    fn on(
        kernel: Kernel,
        threads: usize,
        processors: Option<Arc<Processors>>,
    ) -> Result<Self, ExecutorError> {
        if threads == 0 {
            return Err(ExecutorError::NoThreads);
        }
        let isa = Isa::new(kernel).ok_or(ExecutorError::Unavailable(kernel))?;
        Ok(Self {
            isa,
            pool: Pool::new(threads, processors.as_ref()).map_err(ExecutorError::Spawn)?,
            areas: (0..threads).map(|_| Mutex::default()).collect(),
            shared: Area::default(),
            processors,
        })
    }

    /// Keeps the calling thread on the processor that is left for it, where threads are pinned; else it does nothing.
    ///
    /// # Errors
    /// [`ExecutorError::Pin`].
    pub fn settle(&self) -> Result<(), ExecutorError> {
        let Some(processors) = &self.processors else {
            return Ok(());
        };
        processors.keep(0).map_err(ExecutorError::Pin)
    }

    /// An executor with the best kernel of this processor.
    ///
    /// # Errors
    /// [`ExecutorError`].
    pub fn detect(threads: usize) -> Result<Self, ExecutorError> {
        Self::new(Kernel::best(), threads)
    }

    /// The instructions it uses.
    #[must_use]
    pub const fn kernel(&self) -> Kernel {
        self.isa.kernel()
    }

    /// The threads it uses, the caller's among them.
    #[must_use]
    pub const fn threads(&self) -> usize {
        self.pool.threads()
    }

    /// `x Wᵀ + b` for each row of `x`, with the epilogue, into the rows of `out`.
    ///
    /// # Panics
    /// When `x` has no whole number of rows, or `out` or the norm another shape.
    pub fn linear(&mut self, x: &[f32], packed: &Packed, epilogue: Epilogue<'_>, out: &mut [f32]) {
        let (inputs, outputs) = (packed.inputs(), packed.outputs());
        let rows = rows_of(x, inputs);
        assert_eq!(out.len(), rows * outputs, "a result for each row");
        assert!(
            epilogue.norm().is_none_or(|norm| norm.width() == outputs),
            "a norm of the result's width"
        );
        self.multiply(x, packed, epilogue, outputs, out);
    }

    /// Queries, keys and values of each row of `x` in one product, for [`Executor::attention`], into `out`, where each
    /// head's lie together if a head is whole panels wide: its attention then reads memory from end to end.
    ///
    /// # Panics
    /// When `x` has no whole number of rows, `packed` does not give three values for each of the heads', or `out` has
    /// another length.
    pub fn project<'a>(&mut self, x: &[f32], packed: &Packed, heads: Heads, out: &'a mut [f32]) -> Qkv<'a> {
        let width = heads.hidden();
        assert_eq!(
            packed.outputs(),
            exact(width.checked_mul(3)),
            "queries, keys and values"
        );
        let rows = rows_of(x, packed.inputs());
        assert_eq!(out.len(), rows * packed.outputs(), "a result for each row");
        let together = heads.width.is_multiple_of(COLUMNS);
        let group = if together { heads.width } else { 3 * width };
        self.multiply(x, packed, Epilogue::Bias, group, out);
        if together {
            Qkv::by_head(out, heads)
        } else {
            Qkv::fused(out, width)
        }
    }

    fn multiply(
        &mut self,
        x: &[f32],
        packed: &Packed,
        epilogue: Epilogue<'_>,
        group: usize,
        out: &mut [f32],
    ) {
        let (inputs, outputs) = (packed.inputs(), packed.outputs());
        let rows = x.len() / inputs;
        if rows == 0 || outputs == 0 {
            return;
        }
        let (isa, finish) = (self.isa, epilogue.finish());
        let norm = epilogue.norm();
        if self.few(rows, packed) {
            let panels = packed.panels();
            let tasks = panels.min(self.threads() * 4);
            self.shared.inputs.pack(isa, packed, x);
            let inputs = &self.shared.inputs;
            let out_parts = Disjoint::new(&mut *out);
            let areas = &self.areas;
            self.pool.run(tasks, |worker, task| {
                let range = share(panels, tasks, task);
                let area = &mut *areas[worker].lock().unwrap_or_else(PoisonError::into_inner);
                // SAFETY: tasks have different panels.
                unsafe {
                    product(
                        isa,
                        packed,
                        inputs,
                        range,
                        finish,
                        Place {
                            out: &out_parts,
                            first: 0,
                            rows,
                            group,
                        },
                        &mut area.panel,
                    );
                };
            });
            if let Some(norm) = norm {
                self.layer_norm(norm, out);
            }
            return;
        }
        let tasks = self.blocks(rows, packed.steps_in_panel() * 4, packed);
        let out = Disjoint::new(out);
        let areas = &self.areas;
        self.pool.run(tasks, |worker, task| {
            let block = share(rows, tasks, task);
            let area = &mut *areas[worker].lock().unwrap_or_else(PoisonError::into_inner);
            area.inputs
                .pack(isa, packed, &x[block.start * inputs..block.end * inputs]);
            // SAFETY: tasks have different rows.
            unsafe {
                product(
                    isa,
                    packed,
                    &area.inputs,
                    0..packed.panels(),
                    finish,
                    Place {
                        out: &out,
                        first: block.start,
                        rows,
                        group,
                    },
                    &mut area.panel,
                );
            };
            if let Some(norm) = norm {
                // SAFETY: the same rows, which the product has let go.
                let x = unsafe { out.part(block.start * outputs, block.len() * outputs) };
                isa.run(Normalize {
                    norm,
                    residual: None,
                    x,
                });
            }
        });
    }

    /// The feed-forward half of a BERT layer, `hidden = norm(hidden + down(f(up(hidden))))`, block by block, so that what
    /// lies between the two products stays in the cache. The same bits as two calls of [`Executor::linear`].
    ///
    /// # Panics
    /// When the shapes do not fit.
    pub fn feed_forward(
        &mut self,
        hidden: &mut [f32],
        up: &Packed,
        activation: Activation,
        down: &Packed,
        norm: &LayerNorm,
    ) {
        let (width, middle) = (up.inputs(), up.outputs());
        let rows = rows_of(hidden, width);
        assert_eq!((down.inputs(), down.outputs()), (middle, width), "down undoes up");
        assert_eq!(norm.width(), width, "a norm of the result's width");
        if self.few(rows, up) || self.few(rows, down) {
            let mut wide = std::mem::take(&mut self.shared.middle);
            let between = wide.take(rows * middle);
            self.linear(hidden, up, Epilogue::Activation(activation), between);
            self.linear(between, down, Epilogue::AddNorm(norm), hidden);
            self.shared.middle = wide;
            return;
        }
        let isa = self.isa;
        // The f32 between the products and what it is packed into.
        let tasks = self.blocks(rows, middle * 4, up);
        let hidden = Disjoint::new(hidden);
        let areas = &self.areas;
        let (first, last) = (Epilogue::Activation(activation).finish(), Epilogue::Add.finish());
        self.pool.run(tasks, |worker, task| {
            let block = share(rows, tasks, task);
            let area = &mut *areas[worker].lock().unwrap_or_else(PoisonError::into_inner);
            let wide = area.middle.take(block.len() * middle);
            {
                // SAFETY: tasks have different rows.
                let x = unsafe { hidden.part(block.start * width, block.len() * width) };
                area.inputs.pack(isa, up, x);
            }
            {
                let wide = Disjoint::new(&mut *wide);
                // SAFETY: this thread's own memory.
                unsafe {
                    product(
                        isa,
                        up,
                        &area.inputs,
                        0..up.panels(),
                        first,
                        Place {
                            out: &wide,
                            first: 0,
                            rows: block.len(),
                            group: middle,
                        },
                        &mut area.panel,
                    );
                };
            }
            area.inputs.pack(isa, down, wide);
            // SAFETY: tasks have different rows, and `x` above was let go.
            unsafe {
                product(
                    isa,
                    down,
                    &area.inputs,
                    0..down.panels(),
                    last,
                    Place {
                        out: &hidden,
                        first: block.start,
                        rows,
                        group: width,
                    },
                    &mut area.panel,
                );
            };
            // SAFETY: the same rows, which the product has let go.
            let x = unsafe { hidden.part(block.start * width, block.len() * width) };
            isa.run(Normalize {
                norm,
                residual: None,
                x,
            });
        });
    }

    /// Normalises each row in place.
    ///
    /// # Panics
    /// When `x` has no whole number of rows.
    pub fn layer_norm(&mut self, norm: &LayerNorm, x: &mut [f32]) {
        self.normalize(norm, None, x);
    }

    /// `x = norm(x + residual)` for each row.
    ///
    /// # Panics
    /// When `x` has no whole number of rows, or `residual` another length.
    pub fn add_norm(&mut self, norm: &LayerNorm, residual: &[f32], x: &mut [f32]) {
        assert_eq!(x.len(), residual.len(), "a residual for each value");
        self.normalize(norm, Some(residual), x);
    }

    fn normalize(&mut self, norm: &LayerNorm, residual: Option<&[f32]>, x: &mut [f32]) {
        rows_of(x, norm.width());
        let isa = self.isa;
        self.by_rows(x, norm.width(), |start, x| {
            let residual = residual.map(|residual| &residual[start..start + x.len()]);
            isa.run(Normalize { norm, residual, x });
        });
    }

    /// Softmax of each row of `columns` values in place. A row without keys becomes zeros. A row with NaN or +∞ among its
    /// keys becomes NaN, and so does one with nothing but −∞, as in PyTorch.
    ///
    /// # Panics
    /// When `x` has no whole number of rows, there are more keys than columns, or another number of marks.
    pub fn softmax(&mut self, columns: usize, keys: Keys<'_>, x: &mut [f32]) {
        rows_of(x, columns);
        match keys {
            Keys::All => {}
            Keys::First(count) => assert!(count <= columns, "keys are columns"),
            Keys::Marked(marks) => assert_eq!(marks.len(), columns, "a mark for each column"),
        }
        let isa = self.isa;
        self.by_rows(x, columns, |_, x| isa.run(Softmax { columns, keys, x }));
    }

    /// Applies an activation to each value in place.
    pub fn activate(&mut self, activation: Activation, x: &mut [f32]) {
        let isa = self.isa;
        self.by_rows(x, 1, |_, x| isa.run(Activate { activation, x }));
    }

    /// Whether threads had better share panels than rows.
    fn few(&self, rows: usize, packed: &Packed) -> bool {
        let threads = self.threads();
        threads > 1 && rows < FEW_ROWS * threads && packed.panels() >= threads
    }

    /// Into how many blocks `rows` are cut that take so many bytes each.
    fn blocks(&self, rows: usize, row_bytes: usize, packed: &Packed) -> usize {
        let least = if tile::widens(self.isa, packed.precision()) {
            LEAST_ROWS_WIDE
        } else {
            LEAST_ROWS
        };
        let most = (BLOCK_BYTES / row_bytes.max(1)).clamp(least, MOST_ROWS);
        let threads = self.threads();
        let blocks = rows.div_ceil(most).next_multiple_of(threads);
        blocks.min(rows)
    }

    /// Calls `kernel(start, part)` for parts of `x` that are whole rows.
    pub(crate) fn by_rows(&mut self, x: &mut [f32], width: usize, kernel: impl Fn(usize, &mut [f32]) + Sync) {
        let rows = x.len() / width.max(1);
        let tasks = (x.len() / LEAST_VALUES)
            .clamp(1, self.threads() * 2)
            .min(rows.max(1));
        let x = Disjoint::new(x);
        self.pool.run(tasks, |_, task| {
            let part = share(rows, tasks, task);
            // SAFETY: tasks have different rows.
            let rows = unsafe { x.part(part.start * width, part.len() * width) };
            kernel(part.start * width, rows);
        });
    }
}

/// The `index`th of `parts` even parts of `0..count`.
pub(crate) fn share(count: usize, parts: usize, index: usize) -> Range<usize> {
    // Not `index × count / parts`, whose product may wrap.
    let (each, more) = (count / parts, count % parts);
    let start = |index: usize| index * each + index.min(more);
    start(index)..start(index + 1)
}

/// # Panics
/// When `x` has no whole number of rows of `width` values.
pub(crate) fn rows_of(x: &[f32], width: usize) -> usize {
    assert!(
        width > 0 && x.len().is_multiple_of(width),
        "whole rows of {width} values"
    );
    x.len() / width
}
