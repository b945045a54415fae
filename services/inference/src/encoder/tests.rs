use std::path::PathBuf;
use std::sync::LazyLock;

use candle_core::Device;
use kernels::Kernel;

use super::*;
use crate::classifier::Classifier;
use crate::package::{self, Files, Trust};
use crate::testing::Tiny;

/// Configuration, outputs and weights of a model.
type Model = (Config, usize, Weights);

fn tiny() -> Model {
    let tiny = Tiny::new();
    (tiny.config, tiny.labels.outputs(), tiny.weights)
}

static DEFAULT: LazyLock<Model> = LazyLock::new(|| {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models/default");
    let files = Files::read(&folder, Trust::Anybody).expect("the committed model");
    let get = |name| files.get(name).expect("a file of the model");
    let config = Config::from_json(get(package::CONFIG)).expect("a configuration");
    let labels = crate::LabelSet::from_json(get(package::LABELS), config.max_position_embeddings)
        .expect("a label set");
    let weights = Weights::from_bytes(get(package::WEIGHTS)).expect("weights");
    (config, labels.outputs(), weights)
});

/// Inputs of these lengths, of word pieces that look random.
fn inputs(vocabulary: usize, lengths: &[usize]) -> Vec<Vec<u32>> {
    let mut state = 7_u64;
    let mut draw = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        u32::try_from((state >> 33) as usize % vocabulary).expect("a small vocabulary")
    };
    lengths
        .iter()
        .map(|&length| (0..length).map(|_| draw()).collect())
        .collect()
}

fn logits((config, outputs, weights): &Model, precision: Precision, inputs: &[Vec<u32>]) -> Vec<Vec<f32>> {
    let encoder = Encoder::new(config, *outputs, weights, precision).expect("weights that fit");
    let mut executor = Executor::detect(2).expect("threads");
    run(&encoder, &mut executor, inputs)
}

fn run(encoder: &Encoder, executor: &mut Executor, inputs: &[Vec<u32>]) -> Vec<Vec<f32>> {
    let lengths: Vec<usize> = inputs.iter().map(Vec::len).collect();
    let (mut space, mut out) = (Space::default(), Vec::new());
    encoder
        .forward(executor, &mut space, &inputs.concat(), &lengths, &mut out)
        .expect("word pieces of the vocabulary");
    out.chunks_exact(encoder.labels()).map(<[f32]>::to_vec).collect()
}

fn candle((config, outputs, weights): &Model, inputs: &[Vec<u32>]) -> Vec<Vec<f32>> {
    let merged = weights.clone().merge().expect("LoRA that fits");
    let classifier = Classifier::new(config, *outputs, merged, None, Device::Cpu).expect("weights that fit");
    let rows: Vec<&[u32]> = inputs.iter().map(Vec::as_slice).collect();
    classifier.logits(&rows).expect("candle computes")
}

/// The largest difference, relative for values above 1.
fn difference(a: &[Vec<f32>], b: &[Vec<f32>]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .flatten()
        .zip(b.iter().flatten())
        .map(|(a, b)| (a - b).abs() / b.abs().max(1.0))
        .fold(0.0, f32::max)
}

#[test]
fn in_f32_the_logits_are_those_of_candle() {
    let model = tiny();
    let texts = inputs(model.0.vocab_size, &[16, 1, 7, 3, 16, 2]);
    let apart = difference(&logits(&model, Precision::F32, &texts), &candle(&model, &texts));
    assert!(apart < 1e-4, "tiny: {apart}");
    let texts = inputs(DEFAULT.0.vocab_size, &[128, 5, 64, 33, 1, 200]);
    let apart = difference(
        &logits(&DEFAULT, Precision::F32, &texts),
        &candle(&DEFAULT, &texts),
    );
    assert!(apart < 1e-4, "default: {apart}");
}

#[test]
fn int8_and_bf16_are_near_f32() {
    let texts = inputs(DEFAULT.0.vocab_size, &[128, 5, 64, 33, 1, 200]);
    let reference = logits(&DEFAULT, Precision::F32, &texts);
    for (precision, most) in [(Precision::Bf16, 0.2), (Precision::Int8, 0.5)] {
        let apart = difference(&logits(&DEFAULT, precision, &texts), &reference);
        assert!(apart < most && apart > 0.0, "{}: {apart}", precision.as_str());
    }
}

#[test]
fn the_reference_is_the_encoder_in_f32() {
    let (config, outputs, weights) = &*DEFAULT;
    let texts = inputs(config.vocab_size, &[40, 7]);
    let lengths: Vec<usize> = texts.iter().map(Vec::len).collect();
    let encoder = Encoder::new(config, *outputs, weights, Precision::Int8).expect("weights that fit");
    let mut executor = Executor::detect(2).expect("threads");
    let reference = encoder
        .reference(&mut executor, (config, weights), &texts.concat(), &lengths)
        .expect("the same weights");
    let wanted = logits(&DEFAULT, Precision::F32, &texts).concat();
    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&reference), bits(&wanted));
}

#[test]
fn an_input_gets_the_same_bits_in_any_batch_on_any_number_of_threads() {
    let (config, outputs, weights) = &*DEFAULT;
    let texts = inputs(config.vocab_size, &[128, 5, 64, 33, 1, 97, 12, 128, 256, 40]);
    for precision in [Precision::F32, Precision::Bf16, Precision::Int8] {
        let encoder = Encoder::new(config, *outputs, weights, precision).expect("weights that fit");
        let mut one = Executor::new(Kernel::best(), 1).expect("a thread");
        let alone: Vec<Vec<f32>> = texts
            .iter()
            .flat_map(|text| run(&encoder, &mut one, std::slice::from_ref(text)))
            .collect();
        for threads in 1..=3 {
            let mut executor = Executor::new(Kernel::best(), threads).expect("threads");
            for batch in [0..texts.len(), 3..5, 1..8, 8..10] {
                let together = run(&encoder, &mut executor, &texts[batch.clone()]);
                for (together, alone) in together.iter().zip(&alone[batch]) {
                    let same = together
                        .iter()
                        .zip(alone)
                        .all(|(a, b)| a.to_bits() == b.to_bits());
                    assert!(same, "{} on {threads} threads", precision.as_str());
                }
            }
        }
    }
}

#[test]
fn the_reference_kernel_gives_the_bits_of_the_fused_ones() {
    let (config, outputs, weights) = &*DEFAULT;
    let texts = inputs(config.vocab_size, &[17, 3]);
    for precision in [Precision::F32, Precision::Int8] {
        let encoder = Encoder::new(config, *outputs, weights, precision).expect("weights that fit");
        let on = |kernel| {
            let mut executor = Executor::new(kernel, 2).expect("the kernel is available");
            let logits = run(&encoder, &mut executor, &texts).concat();
            logits.iter().map(|value| value.to_bits()).collect::<Vec<_>>()
        };
        let reference = on(Kernel::Reference);
        let fused = |kernel: &Kernel| *kernel > Kernel::Portable && kernel.is_available();
        for kernel in Kernel::ALL.into_iter().filter(fused) {
            assert!(
                on(kernel) == reference,
                "{} in {}",
                kernel.as_str(),
                precision.as_str()
            );
        }
    }
}

#[test]
fn weights_that_do_not_fit_are_refused() {
    let refused = |change: &dyn Fn(&mut Model)| {
        let mut model = tiny();
        change(&mut model);
        Encoder::new(&model.0, model.1, &model.2, Precision::Int8).err()
    };
    assert!(refused(&|_| ()).is_none());
    let missing = refused(&|model| {
        model.2.floats.remove("encoder.layer.0.attention.self.key.bias");
    });
    assert!(matches!(
        missing,
        Some(EncoderError::Weights(WeightsError::Missing(_)))
    ));
    let shape = refused(&|model| model.0.intermediate_size = 15);
    assert!(matches!(
        shape,
        Some(EncoderError::Weights(WeightsError::Shape(_)))
    ));
    let labels = refused(&|model| model.1 = 5);
    assert!(matches!(
        labels,
        Some(EncoderError::Weights(WeightsError::Shape(_)))
    ));
    for spoilt in [f32::NAN, f32::INFINITY] {
        let number = refused(&|model| {
            let tensor = model.2.floats.get_mut("encoder.layer.0.output.dense.weight");
            tensor.expect("a matrix").values[3] = spoilt;
        });
        assert!(matches!(
            number,
            Some(EncoderError::Pack(_, PackError::NotFinite))
        ));
    }
    let epsilon = refused(&|model| model.0.layer_norm_eps = 0.0);
    assert!(matches!(epsilon, Some(EncoderError::Pack(..))));
}
