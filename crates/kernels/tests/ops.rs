//! The steps between products against plain loops in `f64`, on the CPU and on the machine's adapter.

use burn::tensor::{Device, Tensor, TensorData};
use glassbox_formats::DType;
use glassbox_kernels::ops::{self, AttendSpec, Gate, NormSpec, Turns};
use glassbox_kernels::{Matrix, MatrixBuilder};

/// Runs a check on every device there are kernels for.
fn on_all(check: impl Fn(&Device)) {
    check(&Device::flex());
    #[cfg(feature = "gpu")]
    check(&gpu());
}

#[cfg(feature = "gpu")]
fn gpu() -> Device {
    Device::wgpu(burn::tensor::DeviceKind::DefaultDevice)
}

/// Numbers between -1 and 1 that repeat nowhere near.
fn noise(len: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

fn upload<const D: usize>(device: &Device, values: &[f32], shape: [usize; D]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().expect("numbers")
}

fn close(got: &[f32], want: &[f64], what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        let allowed = 2e-6 * want.abs().max(1.0);
        assert!((f64::from(*got) - want).abs() <= allowed, "{what}: [{i}] is {got}, not {want}");
    }
}

#[test]
fn norms_are_those_of_the_definition() {
    on_all(norms);
}

fn norms(device: &Device) {
    for (rows, width) in [(1, 576), (3, 64), (5, 37), (2, 1)] {
        let (x, weight, bias) = (noise(rows * width, 1), noise(width, 2), noise(width, 3));
        for (centred, shifted) in [(false, false), (true, true), (true, false)] {
            let eps = 1e-5;
            let shift = upload(device, &bias, [width]);
            let got = ops::norm(
                &upload(device, &x, [rows, width]),
                &upload(device, &weight, [width]),
                shifted.then_some(&shift),
                NormSpec { centred, eps },
            );
            let mut want = Vec::new();
            for row in x.chunks(width) {
                let count = width as f64;
                let mean = if centred { row.iter().map(|v| f64::from(*v)).sum::<f64>() / count } else { 0.0 };
                let squares: f64 = row.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum();
                let deviation = (squares / count + f64::from(eps)).sqrt();
                want.extend(row.iter().enumerate().map(|(i, v)| {
                    let shift = if shifted { f64::from(bias[i]) } else { 0.0 };
                    (f64::from(*v) - mean) / deviation * f64::from(weight[i]) + shift
                }));
            }
            close(&values(got.expect("a kernel")), &want, &format!("{rows} x {width}, centred {centred}"));
        }
    }
}

#[test]
fn queries_are_turned_and_keys_and_values_written() {
    on_all(rotations);
}

fn rotations(device: &Device) {
    // (heads, kv heads, head_dim, dims that turn)
    for (heads, kv_heads, head_dim, dims) in [(4, 2, 8, 8), (3, 1, 10, 6), (9, 3, 64, 64), (2, 2, 5, 4)] {
        let (count, past, capacity, half) = (3, 5, 16, dims / 2);
        let (q, k) = (noise(count * heads * head_dim, 1), noise(count * kv_heads * head_dim, 2));
        let (v, angle) = (noise(count * kv_heads * head_dim, 3), noise(count * half, 4));
        let angles: Vec<f32> = angle.iter().map(|a| a.cos()).chain(angle.iter().map(|a| a.sin())).collect();
        let cache = vec![7.0; kv_heads * capacity * head_dim];
        let fresh = || upload(device, &cache, [1, kv_heads, capacity, head_dim]);
        let mut cached = Some((fresh(), fresh()));
        let turned = ops::rotate_and_write(
            &upload(device, &q, [1, count, heads, head_dim]),
            &upload(device, &k, [1, count, kv_heads, head_dim]),
            &upload(device, &v, [1, count, kv_heads, head_dim]),
            &Turns::new(angles.clone(), half, past, device),
            &mut cached,
        )
        .expect("a kernel");
        let (keys, written) = cached.expect("written");

        let turn = |x: &[f32], position: usize| -> Vec<f64> {
            (0..head_dim)
                .map(|i| {
                    let (c, s) = (
                        |p: usize| angles[position * half + p],
                        |p: usize| angles[(count + position) * half + p],
                    );
                    let at = |i: usize| f64::from(x[i]);
                    match i {
                        i if i < half => at(i) * f64::from(c(i)) - at(i + half) * f64::from(s(i)),
                        i if i < dims => {
                            at(i) * f64::from(c(i - half)) + at(i - half) * f64::from(s(i - half))
                        }
                        i => at(i),
                    }
                })
                .collect()
        };
        let want: Vec<f64> =
            q.chunks(head_dim).enumerate().flat_map(|(row, x)| turn(x, row / heads)).collect();
        close(&values(turned), &want, "queries");
        let in_cache = |rows: Vec<Vec<f64>>| {
            let mut want: Vec<f64> = cache.iter().map(|v| f64::from(*v)).collect();
            for (row, x) in rows.into_iter().enumerate() {
                let (position, head) = (row / kv_heads, row % kv_heads);
                let to = (head * capacity + past + position) * head_dim;
                want[to..to + head_dim].copy_from_slice(&x);
            }
            want
        };
        let rows = k.chunks(head_dim).enumerate().map(|(row, x)| turn(x, row / kv_heads)).collect();
        close(&values(keys), &in_cache(rows), "keys");
        let rows = v.chunks(head_dim).map(|x| x.iter().map(|v| f64::from(*v)).collect()).collect();
        close(&values(written), &in_cache(rows), "values");
    }
}

/// On a GPU caches are written where they are; the CPU's would be copied.
#[cfg(feature = "gpu")]
#[test]
fn a_cache_with_two_owners_is_handed_back() {
    let device = &gpu();
    let cache = upload(device, &[0.0; 8], [1, 1, 4, 2]);
    let second = cache.clone();
    let x = || upload(device, &[1.0, 2.0], [1, 1, 1, 2]);
    let turns = Turns::new(vec![1.0, 0.0], 1, 0, device);
    let mut cached = Some((cache, upload(device, &[0.0; 8], [1, 1, 4, 2])));
    assert!(ops::rotate_and_write(&x(), &x(), &x(), &turns, &mut cached).is_none());
    assert!(cached.is_some());
    assert_eq!(values(second), [0.0; 8]);
}

#[test]
fn attention_is_that_of_the_definition() {
    on_all(attention);
}

fn attention(device: &Device) {
    // (heads, kv heads, head_dim, past, count, window, softcap)
    let cases = [
        (4, 2, 8, 0, 5, None, None),
        (9, 3, 64, 130, 1, None, None),
        (2, 1, 5, 3, 70, None, None),
        (6, 2, 24, 9, 8, None, None),
        (2, 2, 16, 100, 3, Some(10), None),
        (2, 1, 128, 64, 2, None, Some(2.0)),
        (1, 1, 200, 1, 1, Some(1), None),
    ];
    for (heads, kv_heads, head_dim, past, count, window, softcap) in cases {
        let capacity = usize::next_multiple_of(past + count, 64);
        let q = noise(count * heads * head_dim, 5);
        let (k, v) = (noise(kv_heads * capacity * head_dim, 6), noise(kv_heads * capacity * head_dim, 7));
        let scale = 3.0 / (head_dim as f32).sqrt();
        let cache = [1, kv_heads, capacity, head_dim];
        let got = ops::attend(
            &upload(device, &q, [1, count, heads, head_dim]),
            &upload(device, &k, cache),
            &upload(device, &v, cache),
            &upload(device, &[past as f32], [1]),
            AttendSpec { past, scale, window, softcap },
        );
        if *device == Device::flex() && count > 8 {
            assert!(got.is_none(), "many queries are left to blocked products");
            continue;
        }
        let mut want = Vec::new();
        for (row, q) in q.chunks(head_dim).enumerate() {
            let (last, head) = (past + row / heads, row % heads / (heads / kv_heads));
            let first = window.map_or(0, |window: usize| (last + 1).saturating_sub(window));
            let at = |cache: &[f32], key: usize, i: usize| {
                f64::from(cache[(head * capacity + key) * head_dim + i])
            };
            let scores: Vec<f64> = (first..=last)
                .map(|key| {
                    let dot: f64 = (0..head_dim).map(|i| f64::from(q[i]) * at(&k, key, i)).sum();
                    let score = dot * f64::from(scale);
                    softcap.map_or(score, |cap: f32| f64::from(cap) * (score / f64::from(cap)).tanh())
                })
                .collect();
            let top = scores.iter().copied().fold(f64::MIN, f64::max);
            let weights: Vec<f64> = scores.iter().map(|s| (s - top).exp()).collect();
            let total: f64 = weights.iter().sum();
            want.extend((0..head_dim).map(|i| {
                (first..=last).zip(&weights).map(|(key, w)| w * at(&v, key, i)).sum::<f64>() / total
            }));
        }
        let what = format!("{heads}/{kv_heads} heads of {head_dim}, {count} after {past}");
        close(&values(got.expect("a kernel")), &want, &what);
    }
}

#[test]
fn a_product_adds_and_gates_before_it_stores() {
    on_all(epilogues);
}

fn epilogues(device: &Device) {
    let (rows, columns) = (70, 64);
    let weights = noise(rows * columns, 8);
    let mut builder = MatrixBuilder::new(device, DType::F32, rows, columns).expect("a shape");
    let bytes: Vec<u8> = weights.iter().flat_map(|w| w.to_le_bytes()).collect();
    builder.write_rows(0, &bytes).expect("rows");
    let matrix: Matrix = builder.finish().expect("whole");
    for tokens in [1, 3, 20] {
        let (x, other) = (noise(tokens * columns, 9), noise(tokens * rows, 10));
        let other: Vec<f32> = other.iter().map(|v| v * 20.0).collect();
        let product: Vec<f64> = (0..tokens * rows)
            .map(|i| {
                let (x, w) = (&x[i / rows * columns..], &weights[i % rows * columns..]);
                (0..columns).map(|k| f64::from(x[k]) * f64::from(w[k])).sum()
            })
            .collect();
        let (x, pre) = (upload(device, &x, [tokens, columns]), upload(device, &other, [tokens, rows]));
        let added = ops::linear_add(&matrix, &x, &pre).expect("a kernel");
        let want: Vec<f64> = product.iter().zip(&other).map(|(p, o)| p + f64::from(*o)).collect();
        close(&values(added), &want, "added");
        let silu = |x: f64| x / (1.0 + (-x).exp());
        let gelu = |x: f64| 0.5 * x * (1.0 + (0.797_884_560_802_865_4 * (x + 0.044715 * x.powi(3))).tanh());
        for (gate, reference) in [(Gate::Silu, silu as fn(f64) -> f64), (Gate::GeluTanh, gelu)] {
            let gated = ops::linear_gated(&matrix, &x, &pre, gate).expect("a kernel");
            let want: Vec<f64> =
                product.iter().zip(&other).map(|(p, o)| p * reference(f64::from(*o))).collect();
            // Products of numbers up to 20 and 10.
            let got: Vec<f32> = values(gated).iter().map(|v| v / 20.0).collect();
            close(&got, &want.iter().map(|v| v / 20.0).collect::<Vec<_>>(), "gated");
        }
    }
}
