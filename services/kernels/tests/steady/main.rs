//! A forward pass of an encoder allocates nothing once the largest batch was seen. A program of its own, because it
//! counts every allocation of the process.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use kernels::{Activation, Embedding, Epilogue, Executor, Heads, LayerNorm, Packed, Precision, Qkv, Table};

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: every call is handed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const WIDTH: usize = 64;
const LABELS: usize = 5;

/// Values in ±1/2 without a pattern.
fn values(count: usize) -> Vec<f32> {
    let mut state = 3_u32;
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f32::from(u16::try_from(state >> 16).expect("16 bits")) / 65_536.0 - 0.5
        })
        .collect()
}

fn packed(precision: Precision, inputs: usize, outputs: usize) -> Packed {
    let (weights, bias) = (values(inputs * outputs), values(outputs));
    match precision {
        Precision::F32 => Packed::f32(inputs, &weights, &bias),
        Precision::Bf16 => Packed::bf16(inputs, &weights, &bias),
        Precision::Int8 => Packed::int8(inputs, &weights, &bias),
    }
    .expect("finite weights")
}

#[test]
fn a_forward_pass_allocates_nothing_after_the_first() {
    let norm = LayerNorm::new(&[1.0; WIDTH], &[0.0; WIDTH], 1e-12).expect("a norm");
    let table = |rows: usize| Table::f32(WIDTH, values(rows * WIDTH)).expect("a table");
    let embedding = Embedding::new(table(50), table(128), table(2), norm.clone()).expect("an embedding");
    let heads = Heads {
        count: 4,
        width: WIDTH / 4,
    };
    for precision in [Precision::F32, Precision::Bf16, Precision::Int8] {
        let (qkv, output) = (
            packed(precision, WIDTH, 3 * WIDTH),
            packed(precision, WIDTH, WIDTH),
        );
        let (up, down) = (
            packed(precision, WIDTH, 4 * WIDTH),
            packed(precision, 4 * WIDTH, WIDTH),
        );
        let look = packed(Precision::F32, WIDTH, 2 * LABELS);
        let mut executor = Executor::detect(2).expect("threads");
        let most = 600;
        let ids: Vec<u32> = (0..most).map(|id| id % 50).collect();
        let most = ids.len();
        let (mut hidden, mut wide) = (vec![0.0; most * WIDTH], vec![0.0; most * 3 * WIDTH]);
        let (mut mixed, mut looks) = (vec![0.0; most * WIDTH], vec![0.0; most * 2 * LABELS]);
        let mut out = [0.0; 8 * LABELS];
        let mut pass = |lengths: &[usize]| {
            let tokens: usize = lengths.iter().sum();
            let hidden = &mut hidden[..tokens * WIDTH];
            executor
                .embed(&embedding, &ids[..tokens], None, lengths, hidden)
                .expect("word pieces of the table");
            let wide = &mut wide[..3 * tokens * WIDTH];
            let mixed = &mut mixed[..tokens * WIDTH];
            executor.linear(hidden, &qkv, Epilogue::Bias, wide);
            executor.attention(Qkv::fused(wide, WIDTH), heads, lengths, mixed);
            executor.linear(mixed, &output, Epilogue::AddNorm(&norm), hidden);
            executor.feed_forward(hidden, &up, Activation::Gelu, &down, &norm);
            let looks = &mut looks[..tokens * 2 * LABELS];
            executor.linear(hidden, &look, Epilogue::Bias, looks);
            executor.pool_labels(LABELS, looks, lengths, &mut out[..lengths.len() * LABELS]);
        };
        let shapes: [&[usize]; 4] = [&[128, 128, 128, 128, 88], &[32], &[1, 7, 100, 3], &[128]];
        // Which thread takes which part of a call is chance, and each grows its memory when it first takes one: soon there
        // is a round in which nobody does. What every call allocated, every round would show.
        let quiet = (0..50).any(|_| {
            let before = ALLOCATIONS.load(Ordering::SeqCst);
            for lengths in shapes {
                (0..10).for_each(|_| pass(lengths));
            }
            ALLOCATIONS.load(Ordering::SeqCst) == before
        });
        assert!(quiet, "{}", precision.as_str());
    }
}
