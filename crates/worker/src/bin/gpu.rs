//! The module with WebGPU beside the CPU backend.

fn main() {
    glassbox_worker::init();
}
