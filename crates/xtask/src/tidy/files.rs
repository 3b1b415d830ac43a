//! How long files are, which hosts they name, and what data is committed.

/// A source file is easy to read up to here; more is told, and past the limit refused.
const LONG: usize = 400;
const TOO_LONG: usize = 600;
/// An architecture is a table, not a program.
const ARCHITECTURE: usize = 120;
/// Bytes of the data that tests need, in `tests/fixtures` and beside single crates' tests, in all.
const FIXTURES: u64 = 12_000_000;
/// Bytes of the models that ship with the page, in all.
const MODELS: u64 = 16_000_000;
/// Bytes of any other file.
const FILE: u64 = 1_000_000;
/// Hosts of package registries. Builds reach them through cargo and npm, whose own settings name them,
/// so that a mirror can take their place. In two parts, so that this file does not name them.
const REGISTRIES: [(&str, &str); 6] = [
    ("registry.npmjs", ".org"),
    ("registry.yarnpkg", ".com"),
    ("index.crates", ".io"),
    ("static.crates", ".io"),
    ("pypi", ".org"),
    ("files.pythonhosted", ".org"),
];

/// The findings in one file.
pub fn check(path: &str, bytes: &[u8]) -> Vec<String> {
    let mut findings = Vec::new();
    let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
    if is_source(path) {
        let limit = if is_architecture(path) { ARCHITECTURE } else { TOO_LONG };
        if lines > limit {
            findings.push(format!("{path}: {lines} lines, more than {limit}"));
        } else if lines > LONG && !is_architecture(path) {
            println!("note: {path}: {lines} lines; better at most {LONG}");
        }
    }
    let text = String::from_utf8_lossy(bytes);
    for (host, domain) in REGISTRIES {
        let host = format!("{host}{domain}");
        if path != "Cargo.lock" && text.contains(&host) {
            findings.push(format!("{path}: names the registry's host {host}"));
        }
    }
    if path.ends_with("package-lock.json") && text.contains("\"resolved\": \"http") {
        let hint = "put `omit-lockfile-registry-resolved=true` into .npmrc beside it";
        findings.push(format!("{path}: names the host that its packages came from; {hint}"));
    }
    findings
}

/// The findings about the sizes of all files together, given as pairs of path and bytes.
pub fn check_sum<'a>(files: impl Iterator<Item = (&'a str, u64)>) -> Vec<String> {
    let mut findings = Vec::new();
    let (mut fixtures, mut models) = (0, 0);
    for (path, size) in files {
        if is_fixture(path) {
            fixtures += size;
        } else if path.starts_with("web/models/") || path.starts_with("web/self-test/") {
            models += size;
        } else if path.ends_with(".gguf") || path.ends_with(".safetensors") {
            findings.push(format!(
                "{path}: models are committed beside tests, in web/models and in web/self-test alone"
            ));
        } else if size > FILE {
            findings.push(format!("{path}: {size} bytes, more than {FILE}"));
        }
    }
    for (folder, size, limit) in
        [("data of tests", fixtures, FIXTURES), ("models of the site", models, MODELS)]
    {
        if size > limit {
            findings.push(format!("{folder}: {size} bytes in all, more than {limit}"));
        }
    }
    findings
}

fn is_fixture(path: &str) -> bool {
    path.starts_with("tests/fixtures/") || (path.starts_with("crates/") && path.contains("/tests/data/"))
}

fn is_source(path: &str) -> bool {
    let rust = path.starts_with("crates/") && path.ends_with(".rs");
    let typescript = path.starts_with("web/src/") && path.ends_with(".ts") && !path.ends_with(".gen.ts");
    rust || typescript
}

fn is_architecture(path: &str) -> bool {
    let folder = "crates/model/src/architectures/";
    path.strip_prefix(folder).is_some_and(|file| file != "mod.rs" && file.ends_with(".rs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_sources_are_found() {
        let lines = |count: usize| "x\n".repeat(count).into_bytes();
        assert_eq!(check("crates/text/src/lib.rs", &lines(600)), Vec::<String>::new());
        assert_eq!(
            check("crates/text/src/lib.rs", &lines(601)),
            ["crates/text/src/lib.rs: 601 lines, more than 600"]
        );
        let llama = "crates/model/src/architectures/llama.rs";
        assert_eq!(check(llama, &lines(121)), [format!("{llama}: 121 lines, more than 120")]);
        assert_eq!(check("crates/model/src/architectures/mod.rs", &lines(121)), Vec::<String>::new());
        assert_eq!(check("web/src/client/protocol.gen.ts", &lines(900)), Vec::<String>::new());
    }

    #[test]
    fn hosts_of_registries_are_found() {
        let text = format!("registry=https://{}{}/", "registry.npmjs", ".org");
        assert_eq!(check("web/.npmrc", text.as_bytes()).len(), 1);
        assert_eq!(check("Cargo.lock", text.as_bytes()).len(), 0);
        let lock = b"{\"resolved\": \"https://mirror.example/lit.tgz\"}";
        assert_eq!(check("web/package-lock.json", lock).len(), 1);
        assert_eq!(check("web/package-lock.json", b"{\"integrity\": \"sha512-x\"}").len(), 0);
    }

    #[test]
    fn stray_and_large_data_is_found() {
        let found = check_sum(
            [
                ("tests/fixtures/a.safetensors", 11_500_000),
                ("crates/formats/tests/data/b.gguf", 500_001),
                ("web/models/house.gguf", 9_000_000),
                ("web/self-test/model.gguf", 60_000),
                ("docs/model.gguf", 10),
                ("web/assets/photo.png", 1_000_001),
            ]
            .into_iter(),
        );
        assert_eq!(
            found,
            [
                "docs/model.gguf: models are committed beside tests, in web/models and in web/self-test alone",
                "web/assets/photo.png: 1000001 bytes, more than 1000000",
                "data of tests: 12000001 bytes in all, more than 12000000",
            ]
        );
    }
}
