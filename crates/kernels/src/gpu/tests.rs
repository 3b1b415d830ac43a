//! What only small limits show: a matrix in several buffers.

use super::*;
use glassbox_formats::DType;

#[test]
fn a_matrix_above_the_binding_limit_is_split_by_tiles_of_rows() {
    let gpu = Device::wgpu(burn::tensor::DeviceKind::DefaultDevice);
    let (rows, columns) = (200, 64);
    let plan = Plan::new(DType::Q8_0, rows, columns).unwrap();
    let probe =
        || primitive(&Tensor::<2>::empty([1, 1], &gpu)).expect("a Vulkan adapter (mesa-vulkan-drivers)");
    // A tile of words takes 64 * 64 bytes.
    let tile = 64 * columns as u64;
    let refused = GpuMatrix::with_piece_limit(probe(), &plan, Packing::I8, tile - 1);
    assert_eq!(refused.unwrap_err().code(), "kernel.too_large");

    // Every row's weights are its number, with scales of 1/2.
    let row = |r: usize| [vec![0, 0x38], vec![r as u8 % 128; 32]].concat().repeat(2);
    let bytes: Vec<u8> = (0..rows).flat_map(row).collect();
    for tiles_per_piece in [1, 3] {
        let limit = tile * tiles_per_piece + 5;
        let matrix = GpuMatrix::with_piece_limit(probe(), &plan, Packing::I8, limit).unwrap();
        assert_eq!(matrix.pieces.len() as u64, 4u64.div_ceil(tiles_per_piece));
        // One chunk across the pieces, another inside one.
        let split = 128 * plan.row_bytes;
        matrix.write(&plan, 128, &bytes[split..]).unwrap();
        matrix.write(&plan, 0, &bytes[..split]).unwrap();
        for tokens in [1, 20] {
            let x = Tensor::<2>::ones([tokens, columns], &gpu);
            let out = matrix
                .linear(&x, Epilogue::None)
                .expect("on the device")
                .into_data()
                .try_to_vec::<f32>()
                .unwrap();
            let want: Vec<f32> = (0..rows).map(|r| (r % 128) as f32 * 32.0).collect();
            assert_eq!(out, want.repeat(tokens));
        }
        let all = matrix.gather(&[199, 0, 64, 127, 128]).into_data().try_to_vec::<f32>().unwrap();
        let first: Vec<f32> = all.chunks(columns).map(|row| row[0]).collect();
        assert_eq!(first, [35.5, 0.0, 32.0, 63.5, 0.0]);
    }
}

#[test]
fn tilings_keep_a_gpu_busy_and_within_its_limits() {
    let tiling =
        |rows: usize, tokens, software| Tiling::new(rows.div_ceil(TILE), tokens, Packing::I8, software);
    // Decoding one token: rows are shared where there are few of them.
    assert_eq!(tiling(576, 1, false), Tiling { height: 1, group: 1, parts: 4 });
    assert_eq!(tiling(49152, 1, false), Tiling { height: 2, group: 1, parts: 1 });
    assert_eq!(tiling(576, 1, true), Tiling { height: 3, group: 1, parts: 1 });
    assert_eq!(tiling(1536, 1, true), Tiling { height: 4, group: 1, parts: 1 });
    // Prefill.
    assert_eq!(tiling(4096, 512, false), Tiling { height: 4, group: 8, parts: 1 });
    assert_eq!(tiling(1, 3, true), Tiling { height: 1, group: 4, parts: 1 });
    for rows in [1, 64, 65, 500, 5000, 200_000] {
        for tokens in [1, 2, 3, 7, 9, 100, 4096] {
            for software in [false, true] {
                let Tiling { height, group, parts } = tiling(rows, tokens, software);
                assert!(height * group <= 32, "registers of a thread");
                assert!(TILE * parts <= 256, "threads of a cube");
                assert!(parts == 1 || height * group * parts * TILE * 4 <= 16384, "shared memory");
            }
        }
    }
}

#[test]
fn every_tiling_gives_the_same_product() {
    let gpu = Device::wgpu(burn::tensor::DeviceKind::DefaultDevice);
    let (rows, columns, tokens) = (300, 96, 11);
    let plan = Plan::new(DType::F32, rows, columns).unwrap();
    let probe = primitive(&Tensor::<2>::empty([1, 1], &gpu)).expect("a Vulkan adapter (mesa-vulkan-drivers)");
    let matrix = GpuMatrix::with_piece_limit(probe, &plan, Packing::F32, PIECE_LIMIT).unwrap();
    // Small whole numbers: every order of summation is exact.
    let weight = |i: usize| ((i * 7 + i / 96) % 13) as f32 - 6.0;
    let bytes: Vec<u8> = (0..rows * columns).flat_map(|i| weight(i).to_le_bytes()).collect();
    matrix.write(&plan, 0, &bytes).unwrap();
    let x: Vec<f32> = (0..tokens * columns).map(|i| (i % 11) as f32 - 5.0).collect();
    let want: Vec<f32> = (0..tokens * rows)
        .map(|i| (0..columns).map(|k| x[i / rows * columns + k] * weight(i % rows * columns + k)).sum())
        .collect();
    let data = burn::tensor::TensorData::new(x, [tokens, columns]);
    let x = primitive(&Tensor::<2>::from_data(data, &gpu)).unwrap();
    for (height, group, parts) in
        [(1, 1, 1), (1, 1, 4), (1, 8, 4), (2, 4, 2), (3, 4, 1), (4, 4, 1), (4, 8, 1), (8, 4, 1)]
    {
        let out = matrix.empty([tokens, rows]);
        let finish = Finish { kind: Kind::Plain, other: x.clone() };
        let tiling = Tiling { height, group, parts };
        matrix.launch_product(&matrix.pieces[0], &x, tokens, &finish, &out, tiling);
        let got = Tensor::<2>::from_primitive::<Cube>(out).into_data().try_to_vec::<f32>().unwrap();
        assert_eq!(got, want, "{height} x {group}, {parts} parts");
    }
}
