//! Seeded weights, and the plain meaning of a product: widened weights, sums in f64.

use burn::tensor::{Device, Tensor, TensorData};
use glassbox_formats::{DType, dequant};
use glassbox_kernels::{Matrix, MatrixBuilder};

/// A small generator of numbers that look random; the same on every machine.
pub struct Random(pub u64);

impl Random {
    pub fn bits(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 32) as u32
    }

    /// Uniform in -1 .. 1.
    pub fn unit(&mut self) -> f32 {
        (self.bits() >> 8) as f32 / 8_388_608.0 - 1.0
    }

    /// `0 .. n`, shuffled.
    pub fn order(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            order.swap(i, self.bits() as usize % (i + 1));
        }
        order
    }
}

/// A matrix as a file holds it.
pub struct File {
    pub dtype: DType,
    pub out_features: usize,
    pub in_features: usize,
    pub bytes: Vec<u8>,
    /// The weights as the formats crate widens them.
    pub weights: Vec<f32>,
}

/// Where a block's halves stand: scales and minima, which must be finite.
pub fn half_places(dtype: DType) -> Vec<usize> {
    match dtype {
        DType::Q4_1 | DType::Q5_1 | DType::Q4_K | DType::Q5_K => vec![0, 2],
        DType::Q2_K => vec![80, 82],
        DType::Q3_K => vec![108],
        DType::Q6_K => vec![208],
        _ => vec![0],
    }
}

impl File {
    pub fn random(dtype: DType, out_features: usize, in_features: usize, seed: u64) -> Self {
        let mut random = Random(seed);
        let elements = out_features * in_features;
        let mut bytes = Vec::new();
        for _ in 0..elements / dtype.block_elements() {
            match dtype {
                DType::F32 => bytes.extend(random.unit().to_le_bytes()),
                DType::F16 => bytes.extend(half::f16::from_f32(random.unit()).to_le_bytes()),
                DType::BF16 => bytes.extend(half::bf16::from_f32(random.unit()).to_le_bytes()),
                _ => {
                    let start = bytes.len();
                    bytes.extend((0..dtype.block_bytes()).map(|_| random.bits() as u8));
                    for place in half_places(dtype) {
                        let scale = half::f16::from_f32(random.unit() / 64.0).to_le_bytes();
                        bytes[start + place..][..2].copy_from_slice(&scale);
                    }
                }
            }
        }
        let mut weights = vec![0.0; elements];
        dequant::to_f32(dtype, &bytes, &mut weights).expect("whole blocks");
        Self { dtype, out_features, in_features, bytes, weights }
    }

    pub fn row_bytes(&self) -> usize {
        self.bytes.len() / self.out_features
    }

    /// Builds the matrix from chunks of `groups` times the builder's step, in a shuffled order.
    pub fn build(&self, device: &Device, groups: usize, random: &mut Random) -> Matrix {
        let mut builder = MatrixBuilder::new(device, self.dtype, self.out_features, self.in_features)
            .expect("a possible shape");
        assert!((1..=64).contains(&builder.rows_per_write()));
        let rows = builder.rows_per_write() * groups;
        for chunk in random.order(self.out_features.div_ceil(rows)) {
            let first = chunk * rows;
            let end = (first + rows).min(self.out_features);
            let bytes = &self.bytes[first * self.row_bytes()..end * self.row_bytes()];
            builder.write_rows(first, bytes).expect("a valid chunk");
        }
        let matrix = builder.finish().expect("all rows written");
        assert_eq!(matrix.out_features(), self.out_features);
        assert_eq!(matrix.in_features(), self.in_features);
        assert_eq!(matrix.dtype(), self.dtype);
        assert!(matrix.bytes() >= self.bytes.len() as u64, "{matrix:?} holds {} bytes", matrix.bytes());
        matrix
    }
}

pub fn tensor(data: Vec<f32>, shape: [usize; 2], device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(data, shape), device)
}

pub fn values(tensor: Tensor<2>) -> Vec<f32> {
    tensor.into_data().try_to_vec().expect("f32")
}

/// Fails unless `got` is `x @ W^T` to within a few roundings of the sum of magnitudes.
pub fn assert_product(file: &File, x: &[f32], got: &[f32]) {
    let (rows, columns) = (file.out_features, file.in_features);
    let tokens = x.len() / columns;
    assert_eq!(got.len(), tokens * rows);
    for (t, x) in x.chunks_exact(columns).enumerate() {
        for (r, weights) in file.weights.chunks_exact(columns).enumerate() {
            let products = x.iter().zip(weights).map(|(x, w)| f64::from(*x) * f64::from(*w));
            let (sum, magnitude) = products.fold((0.0, 0.0), |(s, m), p| (s + p, m + p.abs()));
            let error = (f64::from(got[t * rows + r]) - sum).abs();
            assert!(
                error <= 1e-6 * magnitude + 1e-12,
                "{} {rows} x {columns}, {tokens} tokens: [{t}, {r}] is {}, not {sum}",
                file.dtype,
                got[t * rows + r],
            );
        }
    }
}

/// Shapes for every type, and odd ones for those without blocks.
pub fn shapes(dtype: DType) -> Vec<(usize, usize)> {
    if dtype.block_elements() == 256 {
        return vec![(1, 256), (3, 512), (65, 768), (515, 256)];
    }
    let mut shapes = vec![(1, 32), (3, 64), (64, 96), (65, 32), (130, 1056)];
    if !dtype.is_quantised() {
        shapes.extend([(1, 1), (5, 7), (67, 33), (64, 100), (9, 31)]);
    }
    shapes
}

/// Counts of tokens around every boundary of the kernels.
pub const TOKENS: [usize; 13] = [1, 2, 3, 4, 5, 8, 9, 16, 17, 33, 48, 50, 65];

/// The product of every type and shape with every count of tokens.
pub fn check_products(device: &Device) {
    let mut random = Random(7);
    for dtype in DType::ALL {
        for (i, (rows, columns)) in shapes(dtype).into_iter().enumerate() {
            let file = File::random(dtype, rows, columns, i as u64 + 1);
            let matrix = file.build(device, 1 + i % 2, &mut random);
            for tokens in TOKENS {
                let x: Vec<f32> = (0..tokens * columns).map(|_| random.unit()).collect();
                let out = matrix.linear(tensor(x.clone(), [tokens, columns], device));
                assert_eq!(out.dims(), [tokens, rows]);
                assert_product(&file, &x, &values(out));
            }
        }
    }
}

/// Widening and lookup give the very bits of the formats crate.
pub fn check_gather(device: &Device) {
    let mut random = Random(8);
    for dtype in DType::ALL {
        for (rows, columns) in shapes(dtype) {
            let file = File::random(dtype, rows, columns, 3);
            let matrix = file.build(device, 1, &mut random);
            assert_eq!(values(matrix.dequantise()), file.weights, "{dtype} {rows} x {columns}");
            let last = rows as u32 - 1;
            let wanted = [last, 0, last / 2, last, 0];
            let expected: Vec<f32> = wanted
                .iter()
                .flat_map(|row| file.weights[*row as usize * columns..][..columns].to_vec())
                .collect();
            let out = matrix.gather(&wanted);
            assert_eq!(out.dims(), [5, columns]);
            assert_eq!(values(out), expected, "{dtype} {rows} x {columns}");
        }
    }
}

/// Activations that are views, and none at all.
pub fn check_views(device: &Device) {
    let mut random = Random(9);
    for dtype in DType::ALL {
        let n = dtype.block_elements().max(64);
        let file = File::random(dtype, 70, n, 5);
        let matrix = file.build(device, 1, &mut random);
        let x: Vec<f32> = (0..5 * n).map(|_| random.unit()).collect();
        let columns: Vec<f32> = (0..n * 5).map(|i| x[i % 5 * n + i / 5]).collect();
        let transposed = tensor(columns, [n, 5], device).transpose();
        assert_product(&file, &x, &values(matrix.linear(transposed)));
        let sliced = tensor(x.clone(), [5, n], device).slice([1..4, 0..n]);
        assert_product(&file, &x[n..4 * n], &values(matrix.linear(sliced)));
        let wide: Vec<f32> = x.chunks_exact(n).flat_map(|row| [row, &[f32::NAN; 3]].concat()).collect();
        let sliced = tensor(wide, [5, n + 3], device).slice([0..5, 0..n]);
        assert_product(&file, &x, &values(matrix.linear(sliced)));
    }
}

/// A matrix made from a tensor multiplies and looks up like any other.
pub fn check_dense_tensor(device: &Device) {
    let mut random = Random(10);
    let file = File::random(DType::F32, 37, 50, 6);
    let dense = tensor(file.weights.clone(), [37, 50], device);
    let columns: Vec<f32> = (0..50 * 37).map(|i| file.weights[i % 37 * 50 + i / 37]).collect();
    let view = tensor(columns, [50, 37], device).transpose();
    for matrix in [Matrix::from_tensor(dense), Matrix::from_tensor(view)] {
        assert_eq!((matrix.out_features(), matrix.in_features(), matrix.bytes()), (37, 50, 37 * 50 * 4));
        let x: Vec<f32> = (0..6 * 50).map(|_| random.unit()).collect();
        assert_product(&file, &x, &values(matrix.linear(tensor(x.clone(), [6, 50], device))));
        assert_eq!(
            values(matrix.gather(&[36, 1])),
            [&file.weights[36 * 50..], &file.weights[50..100]].concat()
        );
        assert_eq!(values(matrix.tensor().expect("dense")), file.weights);
    }
}
