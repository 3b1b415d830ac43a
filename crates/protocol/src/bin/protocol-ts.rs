//! Writes the TypeScript types of the protocol to the path given, or to standard output.

fn main() -> std::io::Result<()> {
    let text = glassbox_protocol::typescript();
    match std::env::args().nth(1) {
        Some(path) => std::fs::write(path, text),
        None => {
            print!("{text}");
            Ok(())
        }
    }
}
