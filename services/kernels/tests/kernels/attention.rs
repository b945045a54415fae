//! Attention on every kernel, against f64.

use kernels::{Epilogue, Heads, Kernel, Packed, Qkv};
use proptest::prelude::*;

use crate::common::{bits, executor, kernels, near, softmax, values};

/// Attention of one sequence in f64, token after token, head after head.
fn attention(qkv: &[f32], heads: Heads) -> Vec<f64> {
    let hidden = heads.count * heads.width;
    let mut out = Vec::new();
    for query in qkv.chunks_exact(3 * hidden) {
        for head in 0..heads.count {
            let range =
                |part: usize| part * hidden + head * heads.width..part * hidden + (head + 1) * heads.width;
            let scores: Vec<f32> = qkv
                .chunks_exact(3 * hidden)
                .map(|key| {
                    let pairs = query[range(0)].iter().zip(&key[range(1)]);
                    let root = f32::from(u8::try_from(heads.width).expect("a narrow head")).sqrt();
                    pairs.map(|(q, k)| q * k).sum::<f32>() / root
                })
                .collect();
            let mut sums = vec![0.0; heads.width];
            for (probability, key) in softmax(&scores).iter().zip(qkv.chunks_exact(3 * hidden)) {
                for (sum, &value) in sums.iter_mut().zip(&key[range(2)]) {
                    *sum += probability * f64::from(value);
                }
            }
            out.extend(sums);
        }
    }
    out
}

fn attend(heads: Heads, lengths: &[usize], seed: u64) {
    let hidden = heads.count * heads.width;
    let tokens: usize = lengths.iter().sum();
    let qkv: Vec<f32> = values(seed, tokens * 3 * hidden)
        .iter()
        .map(|x| x * 3.0)
        .collect();
    for kernel in kernels() {
        let run = |threads: usize, qkv: &[f32], lengths: &[usize]| {
            let mut out = vec![f32::NAN; qkv.len() / 3];
            executor(kernel, threads).attention(Qkv::fused(qkv, hidden), heads, lengths, &mut out);
            out
        };
        let out = run(1, &qkv, lengths);
        assert_eq!(bits(&out), bits(&run(3, &qkv, lengths)));
        let mut start = 0;
        for &length in lengths {
            let (own, end) = (
                &qkv[start * 3 * hidden..(start + length) * 3 * hidden],
                start + length,
            );
            let part = &out[start * hidden..end * hidden];
            assert_eq!(bits(part), bits(&run(2, own, &[length])), "alone as in a batch");
            for (value, want) in part.iter().zip(attention(own, heads)) {
                near(kernel, *value, want, 2e-5);
            }
            start = end;
        }
    }
}

#[test]
fn attention_over_sequences_of_any_length() {
    attend(Heads { count: 3, width: 32 }, &[7, 0, 32, 1, 70], 1);
    attend(Heads { count: 2, width: 64 }, &[130], 2);
    attend(Heads { count: 1, width: 1 }, &[3, 3], 3);
    attend(Heads { count: 2, width: 4 }, &[], 4);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn attention_of_any_shape(
        count in 1_usize..4,
        width in 1_usize..40,
        lengths in prop::collection::vec(0_usize..50, 0..4),
        seed: u64,
    ) {
        attend(Heads { count, width }, &lengths, seed);
    }
}

/// What one product and attention over rows of queries, keys and values gives, a projection gives, wherever it puts them.
#[test]
fn a_projection_lies_as_attention_reads_it() {
    for (heads, lengths) in [
        (Heads { count: 3, width: 32 }, vec![7, 0, 32, 1, 70]),
        (Heads { count: 2, width: 64 }, vec![130]),
        (Heads { count: 4, width: 8 }, vec![5, 40]),
        (Heads { count: 1, width: 33 }, vec![3, 3]),
        (Heads { count: 2, width: 32 }, vec![]),
    ] {
        let (hidden, inputs) = (heads.count * heads.width, 24);
        let tokens: usize = lengths.iter().sum();
        let (x, weights) = (values(5, tokens * inputs), values(6, 3 * hidden * inputs));
        let bias = values(7, 3 * hidden);
        for packed in [
            Packed::f32(inputs, &weights, &bias).expect("weights"),
            Packed::int8(inputs, &weights, &bias).expect("weights"),
        ] {
            for (kernel, threads) in kernels().flat_map(|kernel| [(kernel, 1), (kernel, 3)]) {
                let mut run = executor(kernel, threads);
                let mut qkv = vec![f32::NAN; tokens * 3 * hidden];
                let (mut apart, mut together) =
                    (vec![f32::NAN; tokens * hidden], vec![f32::NAN; tokens * hidden]);
                let projected = run.project(&x, &packed, heads, &mut qkv);
                run.attention(projected, heads, &lengths, &mut apart);
                let mut rows = vec![f32::NAN; tokens * 3 * hidden];
                run.linear(&x, &packed, Epilogue::Bias, &mut rows);
                run.attention(Qkv::fused(&rows, hidden), heads, &lengths, &mut together);
                assert_eq!(bits(&apart), bits(&together), "{kernel:?} {heads:?}");
            }
        }
    }
}

#[test]
fn nan_in_one_sequence_leaves_the_others_alone() {
    let heads = Heads { count: 1, width: 8 };
    let mut qkv = values(1, 10 * 24);
    qkv[2 * 24] = f32::NAN;
    for kernel in kernels() {
        let mut out = vec![0.0; 80];
        executor(kernel, 2).attention(Qkv::fused(&qkv, 8), heads, &[5, 5], &mut out);
        assert!(out[16..24].iter().all(|value| value.is_nan()));
        assert!(out[40..].iter().all(|value| value.is_finite()));
    }
}

/// In a build that does not check additions, two sequences would have got the same rows of the result.
#[test]
fn shapes_that_wrap_are_refused() {
    let refused = |heads: Heads, lengths: &[usize]| {
        let (qkv, mut out) = (vec![0.0; 3 * 64], vec![0.0; 16]);
        let qkv = Qkv::new(&qkv[..64], &qkv[64..128], &qkv[128..], heads.width);
        let run = std::panic::AssertUnwindSafe(|| {
            executor(Kernel::Portable, 3).attention(qkv, heads, lengths, &mut out);
        });
        let message = std::panic::catch_unwind(run).expect_err("refused");
        let text = message
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| message.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        assert_eq!(text.as_deref(), Some("shapes of what is in memory"));
    };
    refused(Heads { count: 1, width: 4 }, &[4, usize::MAX - 3, 4]);
    refused(
        Heads {
            count: (1 << 63) + 1,
            width: 2,
        },
        &[8],
    );
}
