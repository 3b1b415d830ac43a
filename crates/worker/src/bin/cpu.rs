//! The CPU-only module: small, and there at once.

fn main() {
    glassbox_worker::init();
}
