//! Weights in buffers of a GPU, and products with them.
//!
//! The kernels use no subgroup operations, at most 8 KiB of shared memory, 256 threads in a cube
//! and five storage buffers: what every WebGPU device has. Sizes are arguments, so that one
//! pipeline serves all matrices of a type; only the packing and the tiling are compiled in.

mod decode;
mod gather;
pub(crate) mod ops;
mod pack;
mod product;
pub(crate) mod replay;

use burn::tensor::{Bytes, DType, Device, Int, Tensor};
use burn_cubecl::{Cube, CubeDevice, kernel::into_contiguous, tensor::CubeTensor};
use cubecl::client::Client;
use cubecl::prelude::*;
use cubecl::server::Handle;

use crate::device;
use crate::error::KernelError;
use crate::matrix::Epilogue;
use crate::plan::Plan;
use pack::{BLOCK, Packing, TILE, pack};
use product::{Finish, Kind, Tiling};

/// No piece is larger, even where the device would allow it: offsets stay well within 32 bits.
const PIECE_LIMIT: u64 = 1 << 30;

/// Weights packed in tiles of rows, in as many buffers as the binding limit asks for.
pub(crate) struct GpuMatrix {
    client: Client,
    device: CubeDevice,
    /// Whether the adapter is a program, for which the work is divided otherwise.
    software: bool,
    packing: Packing,
    out_features: usize,
    in_features: usize,
    pieces: Vec<Piece>,
}

/// Consecutive tiles of rows in one buffer, and their scales in another.
struct Piece {
    first_row: usize,
    rows: usize,
    words: Handle,
    scales: Handle,
}

/// Sizes of a matrix's packed form.
struct Sizes {
    /// Bytes of a tile's words.
    tile_words: u64,
    /// Bytes of a tile's scales.
    tile_scales: u64,
}

impl Sizes {
    fn new(plan: &Plan, packing: Packing) -> Self {
        let blocks = plan.in_features.div_ceil(BLOCK);
        let tile_blocks = blocks as u64 * TILE as u64;
        Self {
            tile_words: tile_blocks * packing.words_per_block() as u64 * 4,
            tile_scales: if packing.scaled() { tile_blocks * 4 } else { 0 },
        }
    }
}

impl std::fmt::Debug for GpuMatrix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GpuMatrix")
            .field("packing", &self.packing)
            .field("pieces", &self.pieces.len())
            .finish()
    }
}

/// A primitive on a GPU, if the tensor is there and kernels are to run on it.
fn primitive<const D: usize>(tensor: &Tensor<D>) -> Option<CubeTensor> {
    let on_gpu = device::kind(&tensor.device()) == device::Kind::Gpu;
    on_gpu.then(|| tensor.clone().try_into_primitive::<Cube>().ok()).flatten()
}

/// Submits what was asked of a tensor's GPU so far. A failure shows when something is read back.
pub(crate) fn submit<const D: usize>(tensor: &Tensor<D>) {
    if let Some(tensor) = primitive(tensor) {
        let _ = tensor.client.flush();
    }
}

/// Bytes that one buffer may have.
fn piece_limit(client: &Client) -> u64 {
    client.properties().memory.max_page_size.min(PIECE_LIMIT)
}

/// Whether the adapter is one of the programs that stand in for a GPU: they have telling names
/// natively, and in a browser, which names none, the only subgroups of four lanes (SwiftShader).
fn is_software(client: &Client) -> bool {
    let properties = client.properties();
    crate::device::is_software(&properties.identity.name) || properties.hardware.plane_size_max <= 4
}

impl GpuMatrix {
    /// Allocates room for a matrix, in pieces of whole tiles of rows.
    pub(crate) fn new(device: &Device, plan: &Plan) -> Result<Self, KernelError> {
        let packing = Packing::of(plan.dtype).ok_or(KernelError::UnsupportedType { dtype: plan.dtype })?;
        let probe = primitive(&Tensor::<2>::empty([1, 1], device)).ok_or(KernelError::Device {
            message: "it is not a GPU that burn's wgpu backend knows".into(),
        })?;
        let limit = piece_limit(&probe.client);
        Self::with_piece_limit(probe, plan, packing, limit)
    }

    /// As [`Self::new`], with buffers of at most `limit` bytes.
    fn with_piece_limit(
        probe: CubeTensor,
        plan: &Plan,
        packing: Packing,
        limit: u64,
    ) -> Result<Self, KernelError> {
        let sizes = Sizes::new(plan, packing);
        let too_large = |needed, limit| KernelError::TooLarge {
            dtype: plan.dtype,
            out_features: plan.out_features,
            in_features: plan.in_features,
            needed,
            limit,
        };
        let tiles_per_piece = limit / sizes.tile_words;
        if tiles_per_piece == 0 {
            return Err(too_large(sizes.tile_words, limit));
        }
        let tiles = plan.out_features.div_ceil(TILE) as u64;
        let needed = tiles.saturating_mul(sizes.tile_words + sizes.tile_scales);
        // Known natively only; a browser tells no capacity.
        if let Some(capacity) = probe.client.properties().memory.max_memory().filter(|most| needed > *most) {
            return Err(too_large(needed, capacity));
        }
        let rows_per_piece = usize::try_from(tiles_per_piece).unwrap_or(usize::MAX).saturating_mul(TILE);
        let CubeTensor { client, device, .. } = probe;
        let pieces = (0..plan.out_features)
            .step_by(rows_per_piece)
            .map(|first_row| {
                let rows = rows_per_piece.min(plan.out_features - first_row);
                let tiles = rows.div_ceil(TILE) as u64;
                Piece {
                    first_row,
                    rows,
                    words: client.empty((tiles * sizes.tile_words) as usize),
                    // A binding must not be empty.
                    scales: client.empty((tiles * sizes.tile_scales).max(4) as usize),
                }
            })
            .collect();
        Ok(Self {
            software: is_software(&client),
            client,
            device,
            packing,
            out_features: plan.out_features,
            in_features: plan.in_features,
            pieces,
        })
    }

    /// Rows that must be written together.
    pub(crate) const fn rows_per_write() -> usize {
        TILE
    }

    /// Packs and uploads whole rows in the file's layout, from `first_row`, a multiple of the
    /// tile. The builder has checked the range.
    pub(crate) fn write(&self, plan: &Plan, first_row: usize, bytes: &[u8]) -> Result<(), KernelError> {
        let sizes = Sizes::new(plan, self.packing);
        let end_row = first_row + bytes.len() / plan.row_bytes;
        for piece in &self.pieces {
            let start = first_row.max(piece.first_row);
            let end = end_row.min(piece.first_row + piece.rows);
            if start >= end {
                continue;
            }
            let part = &bytes[(start - first_row) * plan.row_bytes..(end - first_row) * plan.row_bytes];
            let packed = pack(plan, self.packing, part);
            let tile = ((start - piece.first_row) / TILE) as u64;
            self.upload(&piece.words, tile * sizes.tile_words, Bytes::from_elems(packed.words));
            if self.packing.scaled() {
                self.upload(&piece.scales, tile * sizes.tile_scales, Bytes::from_elems(packed.scales));
            }
            // Writes queue up to 32 tasks, each with its bytes, unless they are flushed.
            self.client.flush().map_err(|error| KernelError::Device { message: error.to_string() })?;
        }
        Ok(())
    }

    /// Writes into a buffer, `offset` bytes from its start.
    fn upload(&self, buffer: &Handle, offset: u64, data: Bytes) {
        let rest = buffer.size() - offset - data.len() as u64;
        let place = buffer.clone().offset_start(offset).offset_end(rest);
        self.client.write(&place, data);
    }

    /// Bytes held on the device.
    pub(crate) fn bytes(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.words.size() + piece.scales.size()).sum()
    }

    /// `x @ W^T`, and what `epilogue` makes of it; `None` where the activations are not plain tensors
    /// of this device.
    pub(crate) fn linear(&self, x: &Tensor<2>, epilogue: Epilogue<'_>) -> Option<Tensor<2>> {
        let [tokens, _] = x.dims();
        let x = primitive(&self.padded(x.clone()))?;
        let out = self.empty([tokens, self.out_features]);
        let finish = match epilogue {
            Epilogue::None => Finish { kind: Kind::Plain, other: x.clone() },
            Epilogue::Add(other) => Finish::of(Kind::Add, other)?,
            Epilogue::Gate(gate, pre) => Finish::of(Kind::Gate(gate), pre)?,
        };
        if tokens > 0 {
            let x = into_contiguous(x);
            for piece in &self.pieces {
                let tiling = Tiling::new(piece.rows.div_ceil(TILE), tokens, self.packing, self.software);
                self.launch_product(piece, &x, tokens, &finish, &out, tiling);
            }
        }
        Some(Tensor::from_primitive::<Cube>(out))
    }

    /// Activations whose rows are whole blocks.
    fn padded(&self, x: Tensor<2>) -> Tensor<2> {
        let missing = self.in_features.next_multiple_of(BLOCK) - self.in_features;
        if missing == 0 {
            return x;
        }
        let zeros = Tensor::zeros([x.dims()[0], missing], &x.device());
        Tensor::cat(vec![x, zeros], 1)
    }

    /// An uninitialised tensor on the device.
    fn empty(&self, shape: [usize; 2]) -> CubeTensor {
        let handle = self.client.empty((shape[0] * shape[1]).max(1) * size_of::<f32>());
        CubeTensor::new_contiguous(self.client.clone(), self.device.clone(), shape.into(), handle, DType::F32)
    }

    fn launch_product(
        &self,
        piece: &Piece,
        x: &CubeTensor,
        tokens: usize,
        finish: &Finish,
        out: &CubeTensor,
        tiling: Tiling,
    ) {
        let blocks = self.in_features.div_ceil(BLOCK);
        let tiles = piece.rows.div_ceil(TILE);
        let (words, scales) = self.weights(piece);
        // SAFETY: the lengths are those of the buffers: `x` was made contiguous and padded to
        // whole blocks, `out` was allocated for this product, and `finish` has its shape or is not read.
        let (x, other, out) = unsafe {
            (
                BufferArg::from_raw_parts(x.handle.clone(), tokens * blocks * BLOCK / 4),
                BufferArg::from_raw_parts(finish.other.handle.clone(), finish.len()),
                BufferArg::from_raw_parts(out.handle.clone(), tokens * self.out_features),
            )
        };
        let sizes = [tokens, blocks, piece.rows, piece.first_row, self.out_features].map(|n| n as u32);
        let [tokens32, blocks, rows, first_row, out_features] = sizes;
        let Tiling { height, group, parts } = tiling;
        let count = CubeCount::Static(tiles.div_ceil(height) as u32, tokens.div_ceil(group) as u32, 1);
        let dim = CubeDim::new_2d(TILE as u32, parts as u32);
        // SAFETY: the kernel reads blocks below `blocks` of rows and tokens clamped to those there
        // are, and writes tokens below `tokens` and rows below `rows` from `first_row`.
        unsafe {
            product::product::launch_unchecked(
                &self.client,
                count,
                dim,
                x,
                words,
                scales,
                other,
                out,
                tokens32,
                blocks,
                rows,
                first_row,
                out_features,
                self.packing,
                finish.kind,
                height,
                group,
                parts,
            )
        }
    }

    /// Rows as `f32`, `[rows.len(), in_features]`. Every row must be below `out_features`.
    pub(crate) fn gather(&self, rows: &[u32]) -> Tensor<2> {
        match rows {
            // There are no empty buffers.
            [] => Tensor::from_primitive::<Cube>(self.empty([0, self.in_features])),
            _ => self.select(&self.client.create(Bytes::from_elems(rows.to_vec())), rows.len()),
        }
    }

    /// As [`Self::gather`], for rows that a tensor on the device names.
    pub(crate) fn gather_named(&self, rows: &Tensor<1, Int>) -> Option<Tensor<2>> {
        let names = rows.clone().try_into_primitive::<Cube>().ok().filter(|rows| rows.dtype == DType::I32)?;
        Some(self.select(&into_contiguous(names).handle, rows.dims()[0]))
    }

    fn select(&self, ids: &Handle, wanted: usize) -> Tensor<2> {
        let out = self.empty([wanted, self.in_features]);
        for piece in &self.pieces {
            self.launch_gather(piece, ids, wanted, &out);
        }
        Tensor::from_primitive::<Cube>(out)
    }

    fn launch_gather(&self, piece: &Piece, ids: &Handle, wanted: usize, out: &CubeTensor) {
        let blocks = self.in_features.div_ceil(BLOCK);
        let (words, scales) = self.weights(piece);
        let dim = CubeDim::new_1d(256);
        let cubes = (wanted * blocks * 8).div_ceil(256);
        let count = cubecl::calculate_cube_count_elemwise(&self.client, cubes * 256, dim);
        let sizes = [wanted, blocks, piece.rows, piece.first_row, self.in_features].map(|n| n as u32);
        let [wanted32, blocks, piece_rows, first_row, in_features] = sizes;
        // SAFETY: the lengths are those of the buffers, and the kernel returns for threads and
        // rows outside of them.
        unsafe {
            gather::gather::launch_unchecked(
                &self.client,
                count,
                dim,
                BufferArg::from_raw_parts(ids.clone(), wanted),
                words,
                scales,
                BufferArg::from_raw_parts(out.handle.clone(), wanted * self.in_features),
                wanted32,
                blocks,
                piece_rows,
                first_row,
                in_features,
                self.packing,
            )
        }
    }

    /// A piece's buffers as arguments.
    fn weights(&self, piece: &Piece) -> (BufferArg, BufferArg) {
        let words = (piece.words.size() / 4) as usize;
        let scales = (piece.scales.size() / 4) as usize;
        // SAFETY: the buffers were allocated with these sizes and hold plain numbers.
        unsafe {
            (
                BufferArg::from_raw_parts(piece.words.clone(), words),
                BufferArg::from_raw_parts(piece.scales.clone(), scales),
            )
        }
    }
}

#[cfg(test)]
mod tests;
