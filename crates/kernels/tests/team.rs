//! Products of which helpers compute a share come to what one thread computes.

#[allow(dead_code, reason = "the other suites use the rest")]
mod common;

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;

use burn::tensor::Device;
use common::{File, Random, tensor, values};
use glassbox_formats::DType;
use glassbox_kernels::team::{Share, ShareShape, Team};
use glassbox_kernels::{Matrix, Precision};

/// What a helper is told.
enum Task {
    Hold(ShareShape, Vec<Vec<u8>>),
    Multiply(usize, Vec<f32>),
}

/// Helpers that are threads with nothing in common but what is sent.
struct Threads {
    room: usize,
    tasks: Vec<Mutex<Sender<Task>>>,
    parts: Vec<Mutex<Receiver<Vec<f32>>>>,
    begun: Mutex<usize>,
}

impl Threads {
    fn new(helpers: usize, room: usize) -> Self {
        let mut team = Self { room, tasks: Vec::new(), parts: Vec::new(), begun: Mutex::new(0) };
        for _ in 0..helpers {
            let (task, tasks) = mpsc::channel();
            let (part, parts) = mpsc::channel();
            team.tasks.push(Mutex::new(task));
            team.parts.push(Mutex::new(parts));
            thread::spawn(move || help(&tasks, &part));
        }
        team
    }
}

/// Works until there is nobody any more to tell it what, or it does not know what is meant.
fn help(tasks: &Receiver<Task>, parts: &Sender<Vec<f32>>) {
    let mut shares: Vec<Share> = Vec::new();
    for task in tasks {
        match task {
            Task::Hold(shape, bytes) => {
                let words = ShareShape::from_words(&shape.words()).expect("a shape");
                assert_eq!(words, shape);
                let mut share = Share::new(words).expect("room");
                for (part, bytes) in share.parts().into_iter().zip(bytes) {
                    part.copy_from_slice(&bytes);
                }
                shares.push(share);
            }
            Task::Multiply(matrix, x) => match shares.get(matrix) {
                Some(share) if parts.send(share.multiply(&x)).is_ok() => {}
                _ => return,
            },
        }
    }
}

impl Team for Threads {
    fn helpers(&self) -> usize {
        self.tasks.len()
    }

    fn room(&self) -> usize {
        self.room
    }

    fn hand_over(&self, helper: usize, shape: &ShareShape, parts: &[&[u8]]) {
        let parts = parts.iter().map(|part| part.to_vec()).collect();
        self.tasks[helper].lock().unwrap().send(Task::Hold(*shape, parts)).unwrap();
    }

    fn begin(&self, matrix: u32, x: &[f32]) {
        *self.begun.lock().unwrap() += 1;
        for task in &self.tasks {
            // One that is gone is found out when it is waited for.
            let _ = task.lock().unwrap().send(Task::Multiply(matrix as usize, x.to_vec()));
        }
    }

    fn end(&self, helper: usize, out: &mut [f32]) -> bool {
        match self.parts[helper].lock().unwrap().recv() {
            Ok(part) => {
                out.copy_from_slice(&part);
                true
            }
            Err(_) => false,
        }
    }
}

/// Rows that no number of helpers divides.
const ROWS: usize = 1031;
const COLUMNS: usize = 256;
/// Values that go to and fro at a time: of 40 tokens those of some have to wait.
const ROOM: usize = 12 * ROWS;

fn matrix(dtype: DType) -> Matrix {
    File::random(dtype, ROWS, COLUMNS, 7).build(&Device::flex(), 1, &mut Random(3))
}

#[test]
fn a_team_computes_what_one_thread_does() {
    let device = Device::flex();
    for helpers in [1, 3] {
        for dtype in DType::ALL {
            let threads = Arc::new(Threads::new(helpers, ROOM));
            let team: Arc<dyn Team> = threads.clone();
            let mut random = Random(5);
            let mut next = 0;
            for precision in [Precision::F32, Precision::Int16, Precision::Int8] {
                let alone = matrix(dtype).with_precision(precision);
                let shared = alone.with_team(&team, &mut next);
                for tokens in [1, 3, 40] {
                    let x: Vec<f32> = (0..tokens * COLUMNS).map(|_| random.unit()).collect();
                    let x = tensor(x, [tokens, COLUMNS], &device);
                    let before = *threads.begun.lock().unwrap();
                    let (expected, got) = (values(alone.linear(x.clone())), values(shared.linear(x)));
                    assert!(*threads.begun.lock().unwrap() > before, "{dtype}: nobody helped");
                    // Sums of floats are in another order where a blocked product has other edges.
                    let error = expected.iter().zip(&got).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                    let exact = alone.precision() != Precision::F32;
                    assert!(
                        error <= if exact { 0.0 } else { 1e-4 },
                        "{dtype} {precision:?} {tokens}: {error}"
                    );
                }
            }
            assert_eq!(next, 3);
        }
    }
}

#[test]
fn small_matrices_and_other_precisions_are_not_shared() {
    let threads = Arc::new(Threads::new(1, ROOM));
    let team: Arc<dyn Team> = threads.clone();
    let device = Device::flex();
    let ones = |columns| tensor(vec![1.0; 4 * columns], [4, columns], &device);
    let mut next = 0;
    let small = File::random(DType::Q8_0, 64, 64, 1).build(&device, 1, &mut Random(1));
    values(small.with_team(&team, &mut next).linear(ones(64)));
    let columns = (2 * ROOM).next_multiple_of(32);
    let wide = File::random(DType::Q8_0, 32, columns, 1).build(&device, 1, &mut Random(1));
    values(wide.with_team(&team, &mut next).linear(ones(columns)));
    assert_eq!(next, 0);
    let shared = matrix(DType::Q8_0).with_team(&team, &mut next);
    assert_eq!(next, 1);
    values(shared.with_precision(Precision::Int16).linear(ones(COLUMNS)));
    assert_eq!(*threads.begun.lock().unwrap(), 0);
}

#[test]
fn the_share_of_a_helper_that_is_gone_is_computed_all_the_same() {
    let device = Device::flex();
    let team: Arc<dyn Team> = Arc::new(Threads::new(2, ROOM));
    let alone = matrix(DType::Q4_0).with_precision(Precision::Int16);
    // The helpers know nothing of a matrix with this number.
    let shared = alone.with_team(&team, &mut 5);
    let x = tensor(vec![0.5; 4 * COLUMNS], [4, COLUMNS], &device);
    for _ in 0..2 {
        assert_eq!(values(alone.linear(x.clone())), values(shared.linear(x.clone())));
    }
}

#[test]
fn words_that_are_no_shape_are_refused() {
    assert!(ShareShape::from_words(&[0, 1, 1, 0]).is_none());
    assert!(ShareShape::from_words(&[99, 1, 1, 0, 0]).is_none());
    assert!(ShareShape::from_words(&[0, 1, 1, 3, 0]).is_none());
}
