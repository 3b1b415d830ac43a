//! Speed of every product on this machine: milliseconds, bytes of weights read per second and
//! floating-point operations per second, with activations in f32 and (on the CPU) in 16 bits, beside
//! burn's own dense product.
//!
//! `products [cpu|gpu] [rows columns]` prints them; `products json` prints what `RESULTS.md` shows, beside a
//! plain loop over the widened weights and the speed of reading memory.

use std::hint::black_box;
use std::time::{Duration, Instant};

use burn::tensor::{Device, Tensor, TensorData};
use glassbox_formats::DType;
use glassbox_kernels::{KernelError, Matrix, MatrixBuilder, Precision};

/// The shapes of SmolLM2-135M (projections and head), and a square one of a larger model.
const SHAPES: [(usize, usize); 4] = [(576, 576), (1536, 576), (49152, 576), (2048, 2048)];
const TOKENS: [usize; 4] = [1, 4, 16, 64];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|arg| arg == "json") {
        return Ok(report()?);
    }
    let device = match args.first().map(String::as_str) {
        None | Some("cpu") => Device::flex(),
        #[cfg(feature = "gpu")]
        Some("gpu") => Device::wgpu_options().init()?,
        Some(other) => {
            return Err(format!("no device {other:?}: say cpu, or gpu where it is built in").into());
        }
    };
    let shapes = match args.get(1..3) {
        Some([rows, columns]) => vec![(rows.parse()?, columns.parse()?)],
        _ => SHAPES.to_vec(),
    };
    println!("{:>6} {:>13} {:>6} {:>10} {:>8} {:>9}", "type", "shape", "tokens", "ms", "GB/s", "GFLOP/s");
    for (rows, columns) in shapes {
        for dtype in DType::ALL.into_iter().filter(|dtype| columns.is_multiple_of(dtype.block_elements())) {
            let matrix = build(&device, dtype, rows, columns)?;
            measure(dtype.name(), &matrix, &device, |x| matrix.linear(x));
            for (name, precision) in [("int16", Precision::Int16), ("int8", Precision::Int8)] {
                let rounded = matrix.with_precision(precision);
                if rounded.precision() == precision {
                    measure(name, &rounded, &device, |x| rounded.linear(x));
                }
            }
        }
        let dense = Matrix::from_tensor(build(&device, DType::F32, rows, columns)?.dequantise());
        let weight = dense.dequantise().transpose();
        measure("burn", &dense, &device, |x| x.matmul(weight.clone()));
    }
    Ok(())
}

/// Prints the products of one shape, too large for the caches when in `f32`, as JSON.
fn report() -> Result<(), KernelError> {
    let (device, [rows, columns]) = (Device::flex(), [8192, 2048]);
    let types = [DType::F32, DType::F16, DType::Q8_0, DType::Q4_0, DType::Q4_K, DType::Q6_K];
    let mut lines = Vec::new();
    for tokens in [1, 64] {
        let x: Vec<f32> = (0..tokens * columns).map(|i| (i % 17) as f32 / 17.0 - 0.5).collect();
        let on_device = Tensor::from_data(TensorData::new(x.clone(), [tokens, columns]), &device);
        for dtype in types {
            let matrix = build(&device, dtype, rows, columns)?;
            for precision in [Precision::F32, Precision::Int16, Precision::Int8] {
                let matrix = matrix.with_precision(precision);
                if matrix.precision() == precision {
                    let seconds = best(&device, || black_box(matrix.linear(on_device.clone())));
                    lines.push(line(&format!("{dtype} {precision:?}"), tokens, seconds, matrix.bytes()));
                }
            }
        }
        let weights = build(&device, DType::F32, rows, columns)?.dequantise().into_data();
        let weights: &[f32] = weights.as_slice().expect("the weights are f32");
        let start = Instant::now();
        black_box(plain(weights, &x, columns));
        let seconds = start.elapsed().as_secs_f64();
        lines.push(line("plain loop", tokens, seconds, size_of_val(weights) as u64));
    }
    println!(
        "{{\"rows\": {rows}, \"columns\": {columns}, \"memoryBytesPerSecond\": {:.0}, \"products\": [\n  {}\n]}}",
        memory(),
        lines.join(",\n  ")
    );
    Ok(())
}

fn line(name: &str, tokens: usize, seconds: f64, bytes: u64) -> String {
    format!("{{\"name\": \"{name}\", \"tokens\": {tokens}, \"seconds\": {seconds:.7}, \"bytes\": {bytes}}}")
}

/// The product as its definition says it, one number after the other.
fn plain(weights: &[f32], x: &[f32], columns: usize) -> Vec<f32> {
    let rows = |x: &[f32]| {
        let x = x.to_vec();
        let product = move |row: &[f32]| row.iter().zip(&x).fold(0.0, |sum, (w, x)| sum + w * x);
        weights.chunks_exact(columns).map(product).collect::<Vec<f32>>()
    };
    x.chunks_exact(columns).flat_map(rows).collect()
}

/// Bytes of memory that one thread reads in a second, at best.
fn memory() -> f64 {
    let words = vec![1u64; 32 << 20];
    let mut best = f64::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        let mut sums = [0u64; 16];
        for words in words.as_chunks::<16>().0 {
            for (sum, word) in sums.iter_mut().zip(words) {
                *sum = sum.wrapping_add(*word);
            }
        }
        black_box(sums);
        best = best.min(start.elapsed().as_secs_f64());
    }
    size_of_val(&words[..]) as f64 / best
}

/// A matrix of arbitrary small weights.
fn build(device: &Device, dtype: DType, rows: usize, columns: usize) -> Result<Matrix, KernelError> {
    let mut builder = MatrixBuilder::new(device, dtype, rows, columns)?;
    let row_bytes = columns / dtype.block_elements() * dtype.block_bytes();
    let step = 64;
    // Bytes with a low exponent wherever they are read as a number.
    let chunk: Vec<u8> = (0..step * row_bytes).map(|i| (i * 37 % 41) as u8).collect();
    for first in (0..rows).step_by(step) {
        builder.write_rows(first, &chunk[..step.min(rows - first) * row_bytes])?;
    }
    builder.finish()
}

/// Prints the best of many runs for each count of tokens.
fn measure(name: &str, matrix: &Matrix, device: &Device, product: impl Fn(Tensor<2>) -> Tensor<2>) {
    let (rows, columns) = (matrix.out_features(), matrix.in_features());
    for tokens in TOKENS {
        let x: Vec<f32> = (0..tokens * columns).map(|i| (i % 17) as f32 / 17.0 - 0.5).collect();
        let x = Tensor::from_data(TensorData::new(x, [tokens, columns]), device);
        let seconds = best(device, || black_box(product(x.clone())));
        println!(
            "{name:>6} {:>13} {tokens:>6} {:>10.3} {:>8.1} {:>9.1}",
            format!("{rows}x{columns}"),
            seconds * 1e3,
            matrix.bytes() as f64 / seconds / 1e9,
            2.0 * (rows * columns * tokens) as f64 / seconds / 1e9,
        );
    }
}

/// Seconds of the fastest run. On a GPU a run is several products and one wait.
fn best(device: &Device, run: impl Fn() -> Tensor<2>) -> f64 {
    let repeats = if *device == Device::flex() { 1 } else { 8 };
    let wait = || device.sync().expect("the device answers");
    run();
    wait();
    let (start, mut best) = (Instant::now(), f64::MAX);
    while start.elapsed() < Duration::from_millis(300) {
        let begin = Instant::now();
        for _ in 0..repeats {
            run();
        }
        wait();
        best = best.min(begin.elapsed().as_secs_f64() / f64::from(repeats));
    }
    best
}
