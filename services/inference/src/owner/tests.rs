use std::num::NonZeroUsize;

use kernels::Precision;

use super::*;
use crate::runner::{Place, Threads};
use crate::testing::Tiny;

fn limits(batch_tokens: usize, longest_wait: Duration) -> Limits {
    Limits {
        batch_tokens,
        longest_wait,
        speed: 100.0,
    }
}

fn runner() -> Runner {
    let tiny = Tiny::new();
    Runner::new(
        &tiny.config,
        tiny.labels.outputs(),
        &tiny.weights,
        Precision::Int8,
        Place::new(
            None,
            Threads {
                number: NonZeroUsize::new(2),
                pinned: false,
            },
        ),
    )
    .expect("a tiny model")
}

/// Inputs of these lengths, of some word pieces.
fn inputs(lengths: &[usize]) -> Vec<Vec<u32>> {
    let word = |at: usize| u32::try_from(4 + at % 8).expect("small");
    lengths
        .iter()
        .enumerate()
        .map(|(seed, &length)| (0..length).map(|at| word(seed * 3 + at * at)).collect())
        .collect()
}

fn urgency(lane: Lane) -> Urgency {
    Urgency {
        lane,
        ..Urgency::default()
    }
}

#[test]
fn inputs_that_the_encoder_cannot_read_are_refused_alone() {
    let owner = Owner::start(runner(), limits(64, Duration::from_mins(1))).expect("a thread");
    let ask = |input: Vec<u32>| owner.logits(&[vec![2, 3], input], urgency(Lane::Routine));
    assert_eq!(ask(Vec::new()), Err(Refusal::Empty));
    assert_eq!(ask(vec![4; 17]), Err(Refusal::TooLong(17)));
    assert_eq!(ask(vec![4; 100_000]), Err(Refusal::TooLong(100_000)));
    assert_eq!(ask(vec![4, 12]), Err(Refusal::Vocabulary));
    assert_eq!(owner.logits(&[], urgency(Lane::Stat)), Ok(Vec::new()));
    assert_eq!(ask(vec![4; 16]).map(|logits| logits.len()), Ok(8));
}

#[test]
fn an_input_gets_the_same_bits_alone_and_among_others_from_many_threads() {
    let owner = Owner::start(runner(), limits(40, Duration::from_mins(1))).expect("a thread");
    let all = inputs(&[3, 16, 1, 7, 12, 2, 16, 5, 9, 11, 4, 16, 16, 8]);
    let alone: Vec<Vec<u32>> = all
        .iter()
        .map(|input| {
            let logits = owner.logits(std::slice::from_ref(input), urgency(Lane::Stat));
            logits
                .expect("room")
                .iter()
                .map(|logit| logit.to_bits())
                .collect()
        })
        .collect();
    std::thread::scope(|scope| {
        for seed in 0..6 {
            let (owner, all, alone) = (&owner, &all, &alone);
            scope.spawn(move || {
                for round in 0..20 {
                    let from = (seed * 5 + round * 3) % all.len();
                    let lane = Lane::ALL[(seed + round) % 3];
                    let patient = Urgency {
                        patient: true,
                        ..urgency(lane)
                    };
                    let logits = owner.logits(&all[from..], patient).expect("room");
                    for (row, wanted) in logits.chunks_exact(4).zip(&alone[from..]) {
                        let row: Vec<u32> = row.iter().map(|logit| logit.to_bits()).collect();
                        assert_eq!(&row, wanted);
                    }
                }
            });
        }
    });
    let load = owner.load();
    assert_eq!((load.waiting, load.refused, load.late), ([0; 3], 0, 0));
    assert!(load.batches > 0 && load.tokens_per_s > 0.0);
}

#[test]
fn a_full_queue_refuses_and_keeps_a_fifth_for_the_urgent() {
    // A hundred word pieces may wait, and nobody takes any.
    let owner = Owner::idle((12, 16), limits(10, Duration::from_secs(1)));
    let submit = |tokens: &[usize], lane| owner.submit(&inputs(tokens), urgency(lane)).map(|_| ());
    assert_eq!(owner.load().capacity, 100);
    assert_eq!(submit(&[16; 5], Lane::Routine), Ok(()));
    assert_eq!(submit(&[1], Lane::Routine), Err(Refusal::Overloaded));
    assert_eq!(submit(&[1], Lane::Explain), Err(Refusal::Overloaded));
    assert_eq!(submit(&[10, 10], Lane::Stat), Ok(()));
    assert_eq!(submit(&[1], Lane::Stat), Err(Refusal::Overloaded));
    let load = owner.load();
    assert_eq!((load.waiting, load.refused), ([20, 80, 0], 3));
}

#[test]
fn explanations_do_not_keep_new_notes_out() {
    let owner = Owner::idle((12, 16), limits(10, Duration::from_secs(1)));
    let submit = |tokens: &[usize], lane| owner.submit(&inputs(tokens), urgency(lane)).map(|_| ());
    // An empty queue takes any.
    assert_eq!(submit(&[16; 20], Lane::Explain), Ok(()));
    assert_eq!(submit(&[1], Lane::Explain), Err(Refusal::Overloaded));
    assert_eq!(submit(&[16; 5], Lane::Routine), Ok(()));
    assert_eq!(submit(&[10, 10], Lane::Stat), Ok(()));
}

#[test]
fn who_waits_for_room_gives_up_at_the_deadline() {
    let owner = Owner::idle((12, 16), limits(10, Duration::ZERO));
    assert!(owner.submit(&inputs(&[16]), urgency(Lane::Routine)).is_ok());
    let patient = Urgency {
        lane: Lane::Explain,
        deadline: Some(Instant::now() + Duration::from_millis(5)),
        patient: true,
    };
    assert_eq!(owner.logits(&inputs(&[1]), patient), Err(Refusal::Late));
    assert_eq!(owner.load().late, 1);
}

#[test]
fn work_whose_deadline_passed_is_dropped_and_the_rest_is_done() {
    let mut owner = Owner::idle((12, 16), limits(1000, Duration::from_mins(1)));
    let late = Urgency {
        deadline: Some(Instant::now()),
        ..urgency(Lane::Stat)
    };
    let late = owner.submit(&inputs(&[4]), late).expect("room");
    let other = owner
        .submit(&inputs(&[4, 5]), urgency(Lane::Routine))
        .expect("room");
    let shared = Arc::clone(&owner.shared);
    owner.thread = Some(std::thread::spawn(move || Loop::new(&shared, runner()).run()));
    assert_eq!(late.recv(), Ok(Err(Refusal::Late)));
    assert_eq!(other.recv().expect("an answer").map(|logits| logits.len()), Ok(8));
}

#[test]
fn the_urgent_go_first_and_explanations_go_on() {
    let owner = Owner::idle((12, 16), limits(40, Duration::from_mins(1)));
    let _answers: Vec<_> = [Lane::Explain, Lane::Routine, Lane::Stat]
        .into_iter()
        .map(|lane| owner.submit(&inputs(&[10; 4]), urgency(lane)).expect("room"))
        .collect();
    let shared = Arc::clone(&owner.shared);
    let mut engine = Loop::new(&shared, runner());
    assert!(engine.fill());
    // Three quarters of 40 are for new notes, the rest for explanations; no input is cut.
    let lanes: Vec<(usize, usize)> = engine
        .taken
        .iter()
        .map(|(lane, _, sequences)| (*lane, *sequences))
        .collect();
    assert_eq!(lanes, [(0, 3), (2, 1)]);
    assert_eq!(owner.load().waiting, [10, 40, 30]);
}

#[test]
fn who_waits_hears_when_the_engine_stops() {
    let owner = Owner::idle((12, 16), limits(40, Duration::from_mins(1)));
    let answer = owner.submit(&inputs(&[4]), urgency(Lane::Routine)).expect("room");
    drop(Closing(&owner.shared));
    assert!(answer.recv().is_err());
    assert_eq!(
        owner.logits(&inputs(&[4]), urgency(Lane::Stat)),
        Err(Refusal::Stopped)
    );
}
