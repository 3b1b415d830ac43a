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
            let out = matrix.linear(&x).expect("on the device").into_data().try_to_vec::<f32>().unwrap();
            let want: Vec<f32> = (0..rows).map(|r| (r % 128) as f32 * 32.0).collect();
            assert_eq!(out, want.repeat(tokens));
        }
        let all = matrix.gather(&[199, 0, 64, 127, 128]).into_data().try_to_vec::<f32>().unwrap();
        let first: Vec<f32> = all.chunks(columns).map(|row| row[0]).collect();
        assert_eq!(first, [35.5, 0.0, 32.0, 63.5, 0.0]);
    }
}
