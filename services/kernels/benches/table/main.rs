//! `cargo bench -p kernels [-- [cpu] [encoder [f32|bf16|int8]] [avx2|portable|avx512|avx512-bf16]]`: products as a fraction of what the registers can do, measured in
//! the same run; element-wise kernels in GB/s; and an encoder of random weights in tokens/s.

mod encoder;
mod peak;

use std::io::Write;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use kernels::{Activation, Epilogue, Executor, Heads, Kernel, Keys, LayerNorm, Packed, Precision, Qkv};

/// Inputs and outputs of the matrices of MiniLM-L6 and BERT-base.
const SHAPES: [(usize, usize); 6] = [
    (384, 384),
    (384, 1536),
    (1536, 384),
    (768, 768),
    (768, 3072),
    (3072, 768),
];

/// Seconds of one call: the best of many, because whatever else runs on the machine only ever adds.
pub fn seconds(mut call: impl FnMut()) -> f64 {
    call();
    let (start, mut best) = (Instant::now(), f64::INFINITY);
    let now = clock();
    while start.elapsed() < Duration::from_millis(150) {
        let one = now();
        call();
        best = best.min(now() - one);
    }
    best
}

/// The clock on the wall, or with the word `cpu` the time that this thread was given, which on a machine that others use is
/// the one that means something (with one thread).
fn clock() -> fn() -> f64 {
    if std::env::args().any(|argument| argument == "cpu") {
        thread_seconds
    } else {
        || {
            static START: LazyLock<Instant> = LazyLock::new(Instant::now);
            START.elapsed().as_secs_f64()
        }
    }
}

#[cfg(target_os = "linux")]
#[expect(clippy::cast_precision_loss, reason = "seconds and nanoseconds")]
fn thread_seconds() -> f64 {
    /// `struct timespec` on 64 bits.
    #[repr(C)]
    struct Time {
        seconds: i64,
        nanoseconds: i64,
    }
    const THREAD: i32 = 3;
    unsafe extern "C" {
        /// `clock_gettime(2)` of the C library, to which the standard library is linked.
        fn clock_gettime(clock: i32, time: *mut Time) -> i32;
    }
    let mut time = Time {
        seconds: 0,
        nanoseconds: 0,
    };
    // SAFETY: the clock exists on Linux, and `time` is its structure on 64 bits.
    unsafe { clock_gettime(THREAD, &raw mut time) };
    time.seconds as f64 + time.nanoseconds as f64 / 1e9
}

#[cfg(not(target_os = "linux"))]
fn thread_seconds() -> f64 {
    f64::NAN
}

/// `count` values in −1..1.
#[expect(clippy::cast_precision_loss, reason = "16 bits fit an f32")]
pub(crate) fn values(count: usize) -> Vec<f32> {
    let mut state = 1_u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 48) as f32 / 32_768.0 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// A random matrix.
pub(crate) fn matrix(precision: Precision, inputs: usize, outputs: usize) -> Packed {
    let (weights, bias) = (values(inputs * outputs), values(outputs));
    match precision {
        Precision::F32 => Packed::f32(inputs, &weights, &bias),
        Precision::Bf16 => Packed::bf16(inputs, &weights, &bias),
        Precision::Int8 => Packed::int8(inputs, &weights, &bias),
    }
    .expect("finite weights")
}

#[expect(clippy::cast_precision_loss, reason = "counts of operations")]
fn products(out: &mut impl Write, kernel: Kernel) -> std::io::Result<()> {
    for precision in [Precision::F32, Precision::Bf16, Precision::Int8] {
        for threads in [1, 2] {
            let mut executor = Executor::new(kernel, threads).expect("an available kernel");
            let peak = peak::operations(kernel, precision, threads);
            writeln!(
                out,
                "\n{} {} x{threads}: peak {peak:.0} Gop/s",
                kernel.as_str(),
                precision.as_str()
            )?;
            writeln!(out, "   inputs outputs     m=64           m=256          m=1024")?;
            for (inputs, outputs) in SHAPES {
                let packed = matrix(precision, inputs, outputs);
                write!(out, "{inputs:9} {outputs:7}")?;
                for rows in [64, 256, 1024] {
                    let (x, mut y) = (values(rows * inputs), vec![0.0; rows * outputs]);
                    let time = seconds(|| executor.linear(&x, &packed, Epilogue::Bias, &mut y));
                    let speed = 2.0 * (rows * inputs * outputs) as f64 / time / 1e9;
                    write!(out, "  {speed:7.1} {:4.1} %", 100.0 * speed / peak)?;
                }
                writeln!(out)?;
            }
        }
    }
    Ok(())
}

/// Bytes read and written once, over the time.
#[expect(clippy::cast_precision_loss, reason = "counts of bytes")]
fn elementwise(out: &mut impl Write, kernel: Kernel) -> std::io::Result<()> {
    let (rows, width) = (1024, 1536);
    let x = values(rows * width);
    let norm = LayerNorm::new(&vec![1.0; 384], &vec![0.0; 384], 1e-12).expect("a norm");
    writeln!(
        out,
        "\n{} on 1024 x 1536 f32, GB/s read and written once",
        kernel.as_str()
    )?;
    for threads in [1, 2] {
        let mut executor = Executor::new(kernel, threads).expect("an available kernel");
        let mut y = x.clone();
        let mut line = |name: &str, call: &mut dyn FnMut(&mut [f32])| {
            y.copy_from_slice(&x);
            let time = seconds(|| call(&mut y));
            writeln!(
                out,
                "{name:>12} x{threads} {:7.1}",
                8.0 * x.len() as f64 / time / 1e9
            )
        };
        line("gelu", &mut |y| executor.activate(Activation::Gelu, y))?;
        line("gelu tanh", &mut |y| executor.activate(Activation::GeluTanh, y))?;
        line("relu", &mut |y| executor.activate(Activation::Relu, y))?;
        line("softmax 128", &mut |y| executor.softmax(128, Keys::All, y))?;
        line("norm 384", &mut |y| executor.layer_norm(&norm, y))?;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts of operations")]
fn attention(out: &mut impl Write, kernel: Kernel) -> std::io::Result<()> {
    writeln!(
        out,
        "\n{} attention, 12 heads, Gop/s of its two products",
        kernel.as_str()
    )?;
    for (width, lengths) in [
        (32, vec![128; 8]),
        (64, vec![128; 8]),
        (32, vec![512; 2]),
        (32, vec![32]),
    ] {
        let (heads, tokens) = (Heads { count: 12, width }, lengths.iter().sum::<usize>());
        let hidden = heads.count * heads.width;
        let (qkv, mut y) = (values(tokens * 3 * hidden), vec![0.0; tokens * hidden]);
        for threads in [1, 2] {
            let mut executor = Executor::new(kernel, threads).expect("an available kernel");
            let time = seconds(|| executor.attention(Qkv::fused(&qkv, hidden), heads, &lengths, &mut y));
            let operations: usize = lengths.iter().map(|length| 4 * length * length * hidden).sum();
            let (count, length) = (lengths.len(), lengths[0]);
            writeln!(
                out,
                "{count:3} x {length:3} width {width} x{threads} {:7.1}  {:.0} µs",
                operations as f64 / time / 1e9,
                time * 1e6
            )?;
        }
    }
    Ok(())
}

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let asked = |kernel: &Kernel| std::env::args().any(|argument| argument == kernel.as_str());
    let kernel = Kernel::ALL.into_iter().find(asked).unwrap_or_else(Kernel::best);
    encoder::run(&mut out, kernel)?;
    if std::env::args().any(|argument| argument == "encoder") {
        return Ok(());
    }
    products(&mut out, kernel)?;
    elementwise(&mut out, kernel)?;
    attention(&mut out, kernel)
}
