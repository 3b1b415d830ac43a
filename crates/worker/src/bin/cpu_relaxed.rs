//! The CPU-only module for browsers with relaxed SIMD.

fn main() {
    glassbox_worker::init();
}
