//! The first and the last step: embeddings and pooling.

use kernels::{EmbedError, Embedding, Kernel, LayerNorm, Table, pool_first, pool_mean};

use crate::common::{bits, executor, kernels, near, values};

fn embedding() -> Embedding {
    let quantized = (0..50).map(|i| i8::try_from(i).expect("small") - 25).collect();
    Embedding::new(
        Table::int8(5, quantized, values(1, 10)).expect("ten words"),
        Table::f32(5, values(2, 20)).expect("four positions"),
        Table::f32(5, values(3, 10)).expect("two types"),
        LayerNorm::new(&[1.0; 5], &[0.0; 5], 1e-12).expect("a norm"),
    )
    .expect("equal widths")
}

#[test]
fn embeddings_are_summed_and_normalised() {
    let embedding = embedding();
    let (ids, types) = ([3, 9, 0, 7], [0, 1, 0, 1]);
    let (scales, positions, kinds) = (values(1, 10), values(2, 20), values(3, 10));
    let mut want = Vec::new();
    for (token, position) in [0_usize, 1, 0, 1].into_iter().enumerate() {
        for column in 0..5 {
            let word = ids[token] as usize;
            let value = f32::from(u8::try_from(word * 5 + column).expect("small")) - 25.0;
            want.push(
                value * scales[word]
                    + kinds[types[token] as usize * 5 + column]
                    + positions[position * 5 + column],
            );
        }
    }
    let norm = LayerNorm::new(&[1.0; 5], &[0.0; 5], 1e-12).expect("a norm");
    for kernel in kernels() {
        let (mut out, mut want) = ([0.0; 20], want.clone());
        let mut executor = executor(kernel, 2);
        assert_eq!(
            executor.embed(&embedding, &ids, Some(&types), &[2, 2], &mut out),
            Ok(())
        );
        executor.layer_norm(&norm, &mut want);
        assert_eq!(bits(&out), bits(&want));
    }
}

#[test]
fn tokens_out_of_range_are_refused() {
    let (embedding, mut executor, mut out) = (embedding(), executor(Kernel::best(), 1), [0.0; 25]);
    let mut embed = |ids: &[u32], types: Option<&[u32]>| {
        executor.embed(&embedding, ids, types, &[ids.len()], &mut out[..ids.len() * 5])
    };
    assert_eq!(embed(&[10], None), Err(EmbedError::Word));
    assert_eq!(embed(&[1; 5], None), Err(EmbedError::Position));
    assert_eq!(embed(&[1], Some(&[2])), Err(EmbedError::Type));
    assert_eq!(embed(&[], None), Ok(()));
}

#[test]
fn pooling_takes_the_first_the_mean_or_what_each_label_looks_at() {
    let hidden = [1.0, 2.0, 3.0, 6.0, 5.0, 7.0];
    let mut out = [9.0; 6];
    pool_first(2, &hidden, &[2, 0, 1], &mut out);
    assert_eq!(bits(&out), bits(&[1.0, 2.0, 0.0, 0.0, 5.0, 7.0]));
    pool_mean(2, &hidden, &[2, 0, 1], &mut out);
    assert_eq!(bits(&out), bits(&[2.0, 4.0, 0.0, 0.0, 5.0, 7.0]));
    for kernel in kernels() {
        // One label: scores 0 and ln 3, values 4 and 8.
        let mut out = [9.0; 3];
        executor(kernel, 1).pool_labels(1, &[0.0, 4.0, 3.0_f32.ln(), 8.0, 5.0, 7.0], &[2, 0, 1], &mut out);
        for (value, want) in out.iter().zip([7.0, 0.0, 7.0]) {
            near(kernel, *value, want, 1e-6);
        }
    }
}
