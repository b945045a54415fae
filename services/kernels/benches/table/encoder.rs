//! A BERT of random weights: what the kernels give together.

use std::io::Write;

use kernels::{Activation, Epilogue, Executor, Heads, Kernel, LayerNorm, Packed, Precision};

use crate::{matrix, seconds, values};

struct Layer {
    qkv: Packed,
    output: Packed,
    up: Packed,
    down: Packed,
    norm: LayerNorm,
}

fn layer(precision: Precision, width: usize) -> Layer {
    Layer {
        qkv: matrix(precision, width, 3 * width),
        output: matrix(precision, width, width),
        up: matrix(precision, width, 4 * width),
        down: matrix(precision, 4 * width, width),
        norm: LayerNorm::new(&vec![1.0; width], &vec![0.0; width], 1e-12).expect("a norm"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of tokens")]
pub fn run(out: &mut impl Write, kernel: Kernel) -> std::io::Result<()> {
    writeln!(out, "{} encoder, tokens/s", kernel.as_str())?;
    for (name, layers, width, heads) in [("MiniLM-L6", 6, 384, 12), ("BERT-base", 12, 768, 12)] {
        let all = [Precision::F32, Precision::Bf16, Precision::Int8];
        let asked = |precision: &Precision| std::env::args().any(|word| word == precision.as_str());
        let some = all.iter().any(asked);
        for precision in all.into_iter().filter(|precision| !some || asked(precision)) {
            let model: Vec<Layer> = (0..layers).map(|_| layer(precision, width)).collect();
            for lengths in [vec![128; 8], vec![32]] {
                let tokens: usize = lengths.iter().sum();
                let heads = Heads {
                    count: heads,
                    width: width / heads,
                };
                let start = values(tokens * width);
                let (mut hidden, mut qkv) = (start.clone(), vec![0.0; tokens * 3 * width]);
                let mut mixed = vec![0.0; tokens * width];
                for threads in [1, 2] {
                    let mut executor = Executor::new(kernel, threads).expect("an available kernel");
                    let time = seconds(|| {
                        hidden.copy_from_slice(&start);
                        for layer in &model {
                            let qkv = executor.project(&hidden, &layer.qkv, heads, &mut qkv);
                            executor.attention(qkv, heads, &lengths, &mut mixed);
                            executor.linear(
                                &mixed,
                                &layer.output,
                                Epilogue::AddNorm(&layer.norm),
                                &mut hidden,
                            );
                            executor.feed_forward(
                                &mut hidden,
                                &layer.up,
                                Activation::Gelu,
                                &layer.down,
                                &layer.norm,
                            );
                        }
                    });
                    let (count, length, precision) = (lengths.len(), lengths[0], precision.as_str());
                    writeln!(
                        out,
                        "{name} {precision:>4} {count} x {length:3} x{threads} {:9.0}",
                        tokens as f64 / time
                    )?;
                }
            }
        }
    }
    Ok(())
}
