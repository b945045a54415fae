//! Activations, softmax and layer norm on every kernel, against f64.

use kernels::{Activation, Keys, LayerNorm, PackError};

use crate::common::{bits, erf, executor, kernels, near, softmax, values};

#[test]
fn gelu_is_within_a_millionth() {
    let x: Vec<f32> = (-12_000_i16..12_000)
        .map(|i| f32::from(i) / 1000.0 + 1e-5)
        .collect();
    for kernel in kernels() {
        let mut executor = executor(kernel, 1);
        for activation in [Activation::Gelu, Activation::GeluTanh, Activation::Relu] {
            let mut out = x.clone();
            executor.activate(activation, &mut out);
            for (&x, &value) in x.iter().zip(&out) {
                let x = f64::from(x);
                let want = match activation {
                    Activation::Gelu => 0.5 * x * (1.0 + erf(x * std::f64::consts::FRAC_1_SQRT_2)),
                    Activation::GeluTanh => {
                        let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
                        0.5 * x * (1.0 + inner.tanh())
                    }
                    Activation::Relu => x.max(0.0),
                };
                near(kernel, value, want, 1e-6 * x.abs().max(1.0));
            }
        }
    }
}

#[test]
fn activations_of_extremes_are_as_documented() {
    for kernel in kernels() {
        let mut executor = executor(kernel, 1);
        for activation in [Activation::Gelu, Activation::GeluTanh, Activation::Relu] {
            let mut x = [
                f32::NAN,
                f32::INFINITY,
                f32::MAX,
                f32::MIN,
                f32::NEG_INFINITY,
                0.0,
            ];
            executor.activate(activation, &mut x);
            assert!(
                x[0].is_nan() && bits(&x[1..3]) == bits(&[f32::INFINITY, f32::MAX]) && x[3].abs() <= 0.0,
                "{x:?}"
            );
            assert_eq!(x[4].is_nan(), activation != Activation::Relu);
            assert_eq!(x[5].to_bits(), 0);
        }
    }
}

#[test]
fn softmax_sees_its_keys_only() {
    let (rows, columns) = (40, 53);
    let mut x: Vec<f32> = values(1, rows * columns).iter().map(|x| x * 30.0).collect();
    let marks: Vec<bool> = (0..columns).map(|column| column % 3 != 1).collect();
    for row in x.chunks_exact_mut(columns) {
        (row[1], row[52]) = (f32::NAN, f32::INFINITY);
    }
    for kernel in kernels() {
        for threads in [1, 3] {
            let mut executor = executor(kernel, threads);
            let (mut first, mut marked) = (x.clone(), x.clone());
            for row in first.chunks_exact_mut(columns) {
                row[1] = 0.5;
            }
            let source = first.clone();
            executor.softmax(columns, Keys::First(20), &mut first);
            for (row, source) in first.chunks_exact(columns).zip(source.chunks_exact(columns)) {
                for (value, want) in row.iter().zip(softmax(&source[..20])) {
                    near(kernel, *value, want, 1e-6);
                }
                assert!(row[20..].iter().all(|value| value.to_bits() == 0));
            }
            let mut odd = marks.clone();
            odd[52] = false;
            executor.softmax(columns, Keys::Marked(&odd), &mut marked);
            for (row, source) in marked.chunks_exact(columns).zip(x.chunks_exact(columns)) {
                let kept: Vec<f32> = source
                    .iter()
                    .zip(&odd)
                    .filter(|(_, mark)| **mark)
                    .map(|(x, _)| *x)
                    .collect();
                let mut want = softmax(&kept).into_iter();
                for (value, mark) in row.iter().zip(&odd) {
                    near(
                        kernel,
                        *value,
                        if *mark { want.next().expect("a key") } else { 0.0 },
                        1e-6,
                    );
                }
            }
        }
    }
}

#[test]
fn softmax_of_extremes_is_as_documented() {
    for kernel in kernels() {
        let mut executor = executor(kernel, 1);
        let mut run = |keys: Keys<'_>, mut x: [f32; 3]| {
            executor.softmax(3, keys, &mut x);
            x
        };
        assert_eq!(bits(&run(Keys::First(0), [1.0; 3])), [0; 3]);
        assert_eq!(bits(&run(Keys::Marked(&[false; 3]), [f32::NAN; 3])), [0; 3]);
        assert_eq!(
            bits(&run(Keys::All, [f32::NEG_INFINITY, 0.0, f32::NEG_INFINITY])),
            bits(&[0.0, 1.0, 0.0])
        );
        assert_eq!(
            bits(&run(Keys::All, [f32::MAX, 0.0, f32::MIN])),
            bits(&[1.0, 0.0, 0.0])
        );
        for bad in [
            [f32::NAN, 0.0, 1.0],
            [f32::INFINITY, 0.0, 1.0],
            [f32::NEG_INFINITY; 3],
        ] {
            assert!(run(Keys::All, bad).iter().all(|value| value.is_nan()));
        }
    }
}

#[test]
fn layer_norm_is_that_of_f64() {
    for (rows, width) in [(1, 1), (7, 5), (33, 384), (3, 769)] {
        let (x, gamma, beta) = (values(1, rows * width), values(2, width), values(3, width));
        let norm = LayerNorm::new(&gamma, &beta, 1e-5).expect("a norm");
        for kernel in kernels() {
            let mut out = x.clone();
            executor(kernel, 1).layer_norm(&norm, &mut out);
            let mut again = x.clone();
            executor(kernel, 3).layer_norm(&norm, &mut again);
            assert_eq!(bits(&out), bits(&again));
            for (x, out) in x.chunks_exact(width).zip(out.chunks_exact(width)) {
                let count = f64::from(u32::try_from(width).expect("a small width"));
                let mean = x.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
                let variance = x.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / count;
                for (index, &value) in out.iter().enumerate() {
                    let unit = (f64::from(x[index]) - mean) / (variance + 1e-5).sqrt();
                    let want = unit * f64::from(gamma[index]) + f64::from(beta[index]);
                    near(kernel, value, want, 1e-5 * (1.0 + want.abs()));
                }
            }
        }
    }
    assert_eq!(LayerNorm::new(&[1.0], &[], 1e-5), Err(PackError::Shape));
    assert_eq!(LayerNorm::new(&[1.0], &[0.0], 0.0), Err(PackError::NotFinite));
}
