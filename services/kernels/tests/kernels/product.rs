//! Products of every precision on every kernel, against the exact ones.

use kernels::{Activation, Epilogue, Kernel, LayerNorm, Packed, Precision};
use proptest::prelude::*;

use crate::common::{bits, executor, kernels, product, values};

const PRECISIONS: [Precision; 3] = [Precision::F32, Precision::Bf16, Precision::Int8];

fn pack(precision: Precision, k: usize, weights: &[f32], bias: &[f32]) -> Packed {
    match precision {
        Precision::F32 => Packed::f32(k, weights, bias),
        Precision::Bf16 => Packed::bf16(k, weights, bias),
        Precision::Int8 => Packed::int8(k, weights, bias),
    }
    .expect("weights that fit")
}

fn bf16(value: f32) -> f32 {
    let bits = value.to_bits();
    f32::from_bits((bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff_0000)
}

/// The int8 product as it is documented, in plain integers.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "the numbers are as small as the code under test documents"
)]
fn int8(k: usize, x: &[f32], weights: &[f32], bias: &[f32]) -> Vec<f32> {
    let rows: Vec<(Vec<i64>, f32)> = weights
        .chunks_exact(k)
        .map(|row| {
            let scale = row.iter().fold(0.0_f32, |most, w| most.max(w.abs())) / 127.0;
            let round = |w: &f32| {
                if scale > 0.0 {
                    (w / scale).round() as i64
                } else {
                    0
                }
            };
            (row.iter().map(round).collect(), scale)
        })
        .collect();
    let mut out = Vec::new();
    for x in x.chunks_exact(k) {
        let low = x.iter().fold(0.0_f32, |a, &b| a.min(b));
        let high = x.iter().fold(0.0_f32, |a, &b| a.max(b));
        let (scale, inverse) = if high > low {
            ((high - low) * (1.0 / 255.0), 255.0 / (high - low))
        } else {
            (0.0, 0.0)
        };
        let zero = (-low * inverse).round_ties_even() as i64;
        let quantized: Vec<i64> = x
            .iter()
            .map(|x| ((x * inverse).round_ties_even() as i64 + zero).clamp(0, 255))
            .collect();
        for ((row, weight), bias) in rows.iter().zip(bias) {
            let sum: i64 = quantized.iter().zip(row).map(|(q, w)| (q - zero) * w).sum();
            out.push(sum as f32 * (scale * weight) + bias);
        }
    }
    out
}

fn run(kernel: Kernel, threads: usize, packed: &Packed, x: &[f32]) -> Vec<f32> {
    let rows = x.len() / packed.inputs();
    let mut out = vec![f32::NAN; rows * packed.outputs()];
    executor(kernel, threads).linear(x, packed, Epilogue::Bias, &mut out);
    out
}

#[expect(clippy::cast_precision_loss, reason = "small shapes")]
fn check(m: usize, k: usize, n: usize, seed: u64) {
    let (x, weights, bias) = (values(seed, m * k), values(seed + 1, n * k), values(seed + 2, n));
    let exact = product(k, &x, &weights, &bias);
    let halves = |values: &[f32]| values.iter().copied().map(bf16).collect::<Vec<_>>();
    let exact_halves = product(k, &halves(&x), &halves(&weights), &bias);
    let integers = int8(k, &x, &weights, &bias);
    for precision in PRECISIONS {
        let packed = pack(precision, k, &weights, &bias);
        let mut fused: Option<Vec<u32>> = None;
        for kernel in kernels() {
            let out = run(kernel, 1, &packed, &x);
            for threads in [2, 3] {
                assert_eq!(
                    bits(&run(kernel, threads, &packed, &x)),
                    bits(&out),
                    "{kernel:?} {threads}"
                );
            }
            let reference = match precision {
                Precision::F32 => &exact,
                Precision::Bf16 => &exact_halves,
                Precision::Int8 => {
                    assert_eq!(bits(&out), bits(&integers), "{kernel:?} {m} {k} {n}");
                    continue;
                }
            };
            for (value, (sum, size)) in out.iter().zip(reference) {
                let tolerance = f64::from(f32::EPSILON) * (k as f64 + 2.0) * size;
                assert!(
                    (f64::from(*value) - sum).abs() <= tolerance,
                    "{kernel:?} {precision:?} {m} {k} {n}"
                );
            }
            if precision == Precision::F32 && kernel != Kernel::Portable {
                let fused = fused.get_or_insert_with(|| bits(&out));
                assert_eq!(*fused, bits(&out), "the fused kernels round alike");
            }
        }
    }
}

#[test]
fn odd_shapes_are_exact_within_the_bounds() {
    for (m, k, n) in [
        (0, 5, 7),
        (1, 1, 1),
        (1, 384, 1),
        (5, 3, 33),
        (12, 4, 32),
        (13, 17, 64),
        (31, 129, 65),
        (100, 64, 31),
        (97, 100, 96),
        (250, 7, 40),
    ] {
        check(m, k, n, 11);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_shape_is_exact_within_the_bounds(m in 0_usize..140, k in 1_usize..90, n in 1_usize..100, seed: u64) {
        check(m, k, n, seed >> 1);
    }
}

#[test]
fn no_outputs_is_no_work() {
    let packed = Packed::f32(3, &[], &[]).expect("an empty matrix");
    executor(Kernel::best(), 2).linear(&[0.0; 6], &packed, Epilogue::Bias, &mut []);
}

#[test]
fn a_row_is_the_same_in_any_batch() {
    let (k, n) = (70, 90);
    let (x, weights, bias) = (values(1, 200 * k), values(2, n * k), values(3, n));
    for precision in PRECISIONS {
        let packed = pack(precision, k, &weights, &bias);
        for kernel in kernels() {
            let all = run(kernel, 2, &packed, &x);
            for row in [0, 1, 57, 199] {
                let alone = run(kernel, 2, &packed, &x[row * k..(row + 1) * k]);
                assert_eq!(bits(&alone), bits(&all[row * n..(row + 1) * n]));
            }
        }
    }
}

#[test]
fn nan_and_infinities_stay_in_their_rows() {
    let (k, n) = (40, 50);
    let (weights, bias) = (values(5, n * k), values(6, n));
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut x = values(4, 3 * k);
        x[k + 7] = bad;
        for precision in PRECISIONS {
            let packed = pack(precision, k, &weights, &bias);
            for kernel in kernels() {
                let out = run(kernel, 1, &packed, &x);
                let (first, rest) = out.split_at(n);
                let (bad_row, last) = rest.split_at(n);
                assert!(first.iter().chain(last).all(|value| value.is_finite()));
                let spoilt = |value: &f32| match precision {
                    Precision::Int8 => value.is_nan(),
                    Precision::F32 | Precision::Bf16 => !value.is_finite(),
                };
                assert!(bad_row.iter().all(spoilt), "{kernel:?} {precision:?} {bad}");
            }
        }
    }
}

#[test]
fn epilogues_do_what_separate_calls_do() {
    let (m, k, n) = (101, 48, 72);
    let (x, weights, bias) = (values(1, m * k), values(2, n * k), values(3, n));
    let (old, gamma, beta) = (values(4, m * n), values(5, n), values(6, n));
    let norm = LayerNorm::new(&gamma, &beta, 1e-12).expect("a norm");
    for precision in PRECISIONS {
        let packed = pack(precision, k, &weights, &bias);
        for kernel in kernels() {
            for threads in [1, 2, 3] {
                let mut executor = executor(kernel, threads);
                let plain = run(kernel, 1, &packed, &x);
                for activation in [Activation::Gelu, Activation::GeluTanh, Activation::Relu] {
                    let (mut fused, mut separate) = (vec![0.0; m * n], plain.clone());
                    executor.linear(&x, &packed, Epilogue::Activation(activation), &mut fused);
                    executor.activate(activation, &mut separate);
                    assert_eq!(bits(&fused), bits(&separate), "{kernel:?}");
                }
                let mut fused = old.clone();
                executor.linear(&x, &packed, Epilogue::Add, &mut fused);
                let sums: Vec<f32> = plain.iter().zip(&old).map(|(a, b)| a + b).collect();
                assert_eq!(bits(&fused), bits(&sums));
                let (mut fused, mut separate) = (old.clone(), plain.clone());
                executor.linear(&x, &packed, Epilogue::AddNorm(&norm), &mut fused);
                executor.add_norm(&norm, &old, &mut separate);
                assert_eq!(bits(&fused), bits(&separate));
            }
        }
    }
}

#[test]
fn a_feed_forward_layer_is_its_two_products() {
    let (width, middle) = (48, 130);
    let (up, down) = (values(1, middle * width), values(2, width * middle));
    let (up_bias, down_bias) = (values(3, middle), values(4, width));
    let norm = LayerNorm::new(&values(5, width), &values(6, width), 1e-12).expect("a norm");
    for precision in PRECISIONS {
        let up = pack(precision, width, &up, &up_bias);
        let down = pack(precision, middle, &down, &down_bias);
        for kernel in kernels() {
            for rows in [1, 50, 333] {
                let hidden = values(7, rows * width);
                let (mut wide, mut want) = (vec![0.0; rows * middle], hidden.clone());
                let mut one = executor(kernel, 1);
                one.linear(&hidden, &up, Epilogue::Activation(Activation::Gelu), &mut wide);
                one.linear(&wide, &down, Epilogue::AddNorm(&norm), &mut want);
                for threads in [1, 2, 3] {
                    let mut fused = hidden.clone();
                    executor(kernel, threads).feed_forward(&mut fused, &up, Activation::Gelu, &down, &norm);
                    assert_eq!(
                        bits(&fused),
                        bits(&want),
                        "{kernel:?} {precision:?} {rows} {threads}"
                    );
                }
            }
        }
    }
}

#[test]
fn quantized_weights_pack_as_they_are() {
    let (k, n) = (37, 41);
    let weights: Vec<i8> = (0..n * k)
        .map(|i| i8::try_from(i * 37 % 255).unwrap_or(-5))
        .collect();
    let scales: Vec<f32> = values(1, n).iter().map(|scale| scale.abs() + 0.01).collect();
    let bias = values(2, n);
    let x = values(3, 9 * k);
    let floats: Vec<f32> = weights
        .chunks(k)
        .zip(&scales)
        .flat_map(|(row, s)| row.iter().map(move |&w| f32::from(w) * s))
        .collect();
    let packed = Packed::from_int8(k, &weights, &scales, &bias).expect("weights that fit");
    let exact = product(k, &x, &floats, &bias);
    for kernel in kernels() {
        for (value, (sum, size)) in run(kernel, 1, &packed, &x).iter().zip(&exact) {
            assert!((f64::from(*value) - sum).abs() <= 0.02 * size);
        }
    }
}

#[test]
fn extremes_of_int8_do_not_saturate() {
    let k = kernels::MOST_INPUTS;
    for weight in [-127_i8, 127] {
        let packed = Packed::from_int8(k, &vec![weight; k], &[1.0], &[]).expect("the longest row");
        for kernel in kernels() {
            for value in [1.0, -1.0] {
                let out = run(kernel, 1, &packed, &vec![value; k]);
                let want = f32::from(weight) * value * 32_768.0;
                assert!(
                    (out[0] - want).abs() <= want.abs() * 1e-5,
                    "{kernel:?} {} {want}",
                    out[0]
                );
            }
        }
    }
}

#[test]
#[should_panic(expected = "whole rows")]
fn half_a_row_is_refused() {
    let packed = Packed::f32(3, &[0.0; 3], &[]).expect("a row");
    executor(Kernel::best(), 1).linear(&[0.0; 4], &packed, Epilogue::Bias, &mut [0.0]);
}

#[test]
#[should_panic(expected = "a result for each row")]
fn a_result_that_does_not_fit_is_refused() {
    let packed = Packed::f32(3, &[0.0; 3], &[]).expect("a row");
    executor(Kernel::best(), 1).linear(&[0.0; 6], &packed, Epilogue::Bias, &mut [0.0]);
}
