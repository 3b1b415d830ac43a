//! Opening takes memory in proportion to the bytes that are really there, whatever numbers they claim.
#![cfg(not(target_arch = "wasm32"))]
#![allow(missing_docs)]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use common::{Gguf, Random, code, open_gguf, open_safetensors, safetensors};

/// Counts the bytes that the thread holds, and the most it has held.
struct Counting;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

fn count(taken: usize, freed: usize) {
    // The thread may be ending, and its counters gone.
    let _ = HELD.try_with(|held| {
        held.set((held.get() + taken).saturating_sub(freed));
        PEAK.with(|peak| peak.set(peak.get().max(held.get())));
    });
}

// SAFETY: every call is passed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller keeps to the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: the caller keeps to the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Old and new may both be there while the bytes are moved.
        count(size, 0);
        count(0, layout.size());
        // SAFETY: the caller keeps to the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes that `work` held at once beyond what there was.
fn peak<T>(work: impl FnOnce() -> T) -> usize {
    let before = HELD.get();
    PEAK.set(before);
    drop(work());
    PEAK.get() - before
}

/// Fixed room, for the first range of a header and small structures.
const ROOM: usize = 1 << 20;

#[test]
fn the_counter_counts() {
    assert!((1_000_000..1_100_000).contains(&peak(|| vec![1u8; 1_000_000])));
}

#[test]
fn lying_counts_take_no_memory() {
    let claims = [1u64 << 24, 1 << 30, 1 << 40, u64::MAX];
    for n in claims {
        let length = n.to_le_bytes();
        let string = Gguf::default().raw("k", 8, &length).build();
        let tensors = Gguf::default().header(n, 1);
        let keys = Gguf::default().header(0, n);
        for bytes in [string, tensors, keys] {
            assert!(peak(|| code(open_gguf(bytes))) < ROOM);
        }
        for kind in [0, 5, 6, 7, 8, 12] {
            let bytes = Gguf::default().array("k", kind, n, &[]).build();
            assert!(peak(|| code(open_gguf(bytes))) < ROOM);
        }
        let header = format!(r#"{{"a":{{"dtype":"F32","shape":[{}],"data_offsets":[0,{n}]}}}}"#, n / 4);
        assert!(peak(|| code(open_safetensors(safetensors(&header, 8)))) < ROOM);
        let length_only = [&n.to_le_bytes()[..], b"{}"].concat();
        assert!(peak(|| code(open_safetensors(length_only))) < ROOM);
    }
}

/// The densest files: as many small things as fit.
#[test]
fn memory_is_a_small_multiple_of_the_file() {
    let count = 200_000u64;
    let empty_strings = Gguf::default().array("k", 8, count, &vec![0; count as usize * 8]).build();
    let mut tensors = Gguf::default();
    for i in 0..20_000 {
        tensors = tensors.tensor(&i.to_string(), &[0], 0, 0);
    }
    for bytes in [empty_strings, tensors.build()] {
        let size = bytes.len();
        let used = peak(|| open_gguf(bytes).unwrap());
        assert!(used < size * 12 + ROOM, "{used} bytes for a file of {size}");
    }
    let entry =
        |i: usize| format!(r#""{i}":{{"dtype":"F32","shape":[0,0,0,0,0,0,0,0],"data_offsets":[0,0]}}"#);
    let header = format!("{{{}}}", (0..20_000).map(entry).collect::<Vec<_>>().join(","));
    let bytes = safetensors(&header, 0);
    let size = bytes.len();
    let used = peak(|| open_safetensors(bytes).unwrap());
    assert!(used < size * 12 + ROOM, "{used} bytes for a file of {size}");
}

#[test]
fn random_damage_takes_no_memory() {
    let bytes = Gguf::default()
        .strings("tokenizer.ggml.tokens", &["a", "b", "c"])
        .array("n", 12, 2, &[0; 16])
        .tensor("a", &[32, 2], 8, 68)
        .build();
    let mut random = Random(7);
    for _ in 0..5000 {
        let mut damaged = bytes.clone();
        for _ in 0..=random.below(3) {
            let at = random.below(damaged.len() - 8);
            let number = random.next() >> random.below(64);
            damaged[at..at + 8].copy_from_slice(&number.to_le_bytes());
        }
        assert!(peak(|| code(open_gguf(damaged))) < ROOM);
    }
}
