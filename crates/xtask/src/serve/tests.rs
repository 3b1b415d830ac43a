use std::io::Write;
use std::net::TcpStream;

use super::*;

const PAGE: &str = "<!doctype html><meta http-equiv=\"Content-Security-Policy\"\n content=\"default-src 'none';\n \
                    script-src 'self';\"><p>page";

/// A server over a small site; the folder must outlive the requests.
fn served() -> (tempfile::TempDir, Server) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("index.html"), PAGE).unwrap();
    fs::write(folder.path().join("model.bin"), b"0123456789").unwrap();
    fs::create_dir(folder.path().join("sub")).unwrap();
    fs::write(folder.path().join("sub/index.html"), "sub").unwrap();
    let server = Server::bind(folder.path(), 0).unwrap();
    server.spawn();
    (folder, server)
}

/// Sends a request line with extra header lines; returns the head in lower case, and the body.
fn ask(server: &Server, line: &str, headers: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    write!(stream, "{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    (String::from_utf8_lossy(&answer[..end]).to_lowercase(), answer[end + 4..].to_vec())
}

#[test]
fn a_page_comes_whole_with_its_own_policy() {
    let (_folder, server) = served();
    let (head, body) = ask(&server, "GET /?q=1", "");
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(head.contains("content-type: text/html; charset=utf-8"), "{head}");
    assert!(head.contains(&format!("content-length: {}", PAGE.len())), "{head}");
    let policy = "content-security-policy: default-src 'none'; script-src 'self'; frame-ancestors 'self'";
    assert!(head.contains(policy), "{head}");
    assert_eq!(body, PAGE.as_bytes());
}

#[test]
fn ranges_are_cut_exactly() {
    let (_folder, server) = served();
    for (wanted, got, part) in [
        ("bytes=2-4", "bytes 2-4/10", "234"),
        ("bytes=7-", "bytes 7-9/10", "789"),
        ("bytes=-3", "bytes 7-9/10", "789"),
        ("bytes=8-100", "bytes 8-9/10", "89"),
    ] {
        let (head, body) = ask(&server, "GET /model.bin", &format!("Range: {wanted}\r\n"));
        assert!(head.starts_with("http/1.1 206"), "{head}");
        assert!(head.contains(&format!("content-range: {got}")), "{head}");
        assert_eq!(String::from_utf8(body).unwrap(), part);
    }
    let (head, _) = ask(&server, "GET /model.bin", "Range: bytes=10-\r\n");
    assert!(head.starts_with("http/1.1 416") && head.contains("content-range: bytes */10"), "{head}");
    let (head, body) = ask(&server, "GET /model.bin", "Range: bytes=0-1,4-5\r\n");
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert_eq!(body.len(), 10);
}

#[test]
fn an_unchanged_copy_is_confirmed_and_a_changed_one_is_sent_whole() {
    let (folder, server) = served();
    let (head, _) = ask(&server, "HEAD /model.bin", "");
    let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap().to_owned();
    let (head, body) = ask(&server, "GET /model.bin", &format!("If-None-Match: {tag}\r\n"));
    assert!(head.starts_with("http/1.1 304") && body.is_empty(), "{head}");
    fs::write(folder.path().join("model.bin"), b"abcdefghijk").unwrap();
    let again = format!("Range: bytes=2-4\r\nIf-Range: {tag}\r\n");
    let (head, body) = ask(&server, "GET /model.bin", &again);
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert_eq!(body, b"abcdefghijk");
}

#[test]
fn pages_are_isolated_so_that_workers_may_share_memory() {
    let (_folder, server) = served();
    for path in ["/", "/model.bin", "/missing"] {
        let (head, _) = ask(&server, &format!("GET {path}"), "");
        assert!(head.contains("cross-origin-opener-policy: same-origin"), "{path}: {head}");
        assert!(head.contains("cross-origin-embedder-policy: require-corp"), "{path}: {head}");
        assert!(head.contains("cross-origin-resource-policy: cross-origin"), "{path}: {head}");
    }
}

#[test]
fn compressed_files_are_sent_to_who_takes_them() {
    let (folder, server) = served();
    let (_, body) = ask(&server, "GET /model.bin", "Accept-Encoding: gzip, br\r\n");
    assert_eq!(body, b"0123456789");
    fs::write(folder.path().join("model.bin.br"), b"small").unwrap();
    let (head, body) = ask(&server, "GET /model.bin", "Accept-Encoding: gzip, br;q=1\r\n");
    assert!(head.contains("content-encoding: br") && head.contains("vary: accept-encoding"), "{head}");
    assert!(head.contains("content-type: application/octet-stream"), "{head}");
    assert_eq!(body, b"small");
    for headers in ["", "Accept-Encoding: gzip, brotli\r\n"] {
        let (head, body) = ask(&server, "GET /model.bin", headers);
        assert!(!head.contains("content-encoding") && body == b"0123456789", "{headers}: {head}");
    }
    let (head, body) = ask(&server, "GET /model.bin", "Accept-Encoding: br\r\nRange: bytes=0-1\r\n");
    assert!(head.starts_with("http/1.1 206") && body == b"01", "{head}");
    let old = File::open(folder.path().join("model.bin.br")).unwrap();
    old.set_modified(UNIX_EPOCH).unwrap();
    assert_eq!(ask(&server, "GET /model.bin", "Accept-Encoding: br\r\n").1, b"0123456789");
}

#[test]
fn addresses_that_name_a_version_are_kept() {
    let (_folder, server) = served();
    let (head, _) = ask(&server, "GET /model.bin?v=abc", "");
    assert!(head.contains("cache-control: public, max-age=31536000, immutable"), "{head}");
    for path in ["/model.bin", "/model.bin?v=", "/model.bin?vv=1"] {
        let (head, _) = ask(&server, &format!("GET {path}"), "");
        assert!(head.contains("cache-control: no-cache"), "{path}: {head}");
    }
}

#[test]
fn nothing_outside_of_the_site_is_read() {
    let (_folder, server) = served();
    for path in
        ["/../secret", "/sub/../../secret", "/%2e%2e/secret", "/..%5csecret", "/%00", "/%zz", "/%e2%82"]
    {
        let (head, _) = ask(&server, &format!("GET {path}"), "");
        assert!(head.starts_with("http/1.1 400"), "{path}: {head}");
    }
}

#[test]
fn folders_methods_and_missing_files_are_answered() {
    let (_folder, server) = served();
    let (head, _) = ask(&server, "GET /sub", "");
    assert!(head.starts_with("http/1.1 301") && head.contains("location: ./sub/"), "{head}");
    assert_eq!(ask(&server, "GET /sub/", "").1, b"sub");
    assert!(ask(&server, "GET /nothing.js", "").0.starts_with("http/1.1 404"));
    assert!(ask(&server, "POST /index.html", "").0.starts_with("http/1.1 405"));
    let (head, body) = ask(&server, "HEAD /model.bin", "");
    assert!(head.contains("content-length: 10") && body.is_empty(), "{head}");
}
