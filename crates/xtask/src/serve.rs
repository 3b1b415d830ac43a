//! A static server for this machine: the site as a careful host would send it.
//!
//! Byte ranges, validators and the page's own Content-Security-Policy as a header, so that workers, which do not
//! inherit a page's policy, get it too. No compression: on one machine it costs more than it saves.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result, anyhow, bail};
use regex_lite::Regex;
use tiny_http::{Header, Method, Request, Response, StatusCode};

use crate::process::Cmd;
use crate::project::Project;
use crate::site;

const FIRST_PORT: u16 = 8080;
const THREADS: usize = 4;

/// What `cargo xtask serve` may be told.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The port to listen on; without it the first free one from 8080 on.
    pub port: Option<u16>,
    /// Whether to show the page in the reader's browser.
    pub open: bool,
    /// Whether to build first.
    pub build: bool,
}

/// Builds the site and serves it until the process is ended.
///
/// # Errors
/// When the build fails or no port can be listened on.
pub fn run(project: &Project, options: &Options) -> Result<()> {
    if options.build {
        site::dist(project, &site::Options::default())?;
    } else if !project.dist().join("index.html").is_file() {
        bail!("there is no site in {} yet; leave out --no-build", project.dist().display());
    }
    let ports = match options.port {
        Some(port) => port..=port,
        None => FIRST_PORT..=FIRST_PORT + 20,
    };
    let server = ports
        .map(|port| Server::bind(&project.dist(), port))
        .reduce(|first, next| first.or(next))
        .context("no port to listen on")??;
    let address = format!("http://{}/", server.address());
    println!("serve: Glassbox is at {address} (Ctrl+C ends it)");
    if options.open {
        show(&address);
    }
    server.run();
    Ok(())
}

/// Asks the desktop to show `address`; the address is printed anyway, so failing is no error.
fn show(address: &str) {
    let opener = match std::env::consts::OS {
        "macos" => Cmd::new("open"),
        "windows" => Cmd::new("cmd").args("/C start"),
        _ if std::env::var_os("DISPLAY").or(std::env::var_os("WAYLAND_DISPLAY")).is_none() => return,
        _ => Cmd::new("xdg-open"),
    };
    if let Err(error) = opener.arg(address).capture() {
        println!("serve: no browser could be opened ({error:#})");
    }
}

/// A folder, served on a port of this machine only.
#[derive(Clone)]
pub struct Server {
    inner: Arc<tiny_http::Server>,
    address: SocketAddr,
    root: PathBuf,
}

/// What is sent back, whatever its body is read from.
type Reply = Response<Box<dyn Read + Send>>;

impl Server {
    /// Listens on `port`, or on any free one for 0, and serves nothing yet.
    ///
    /// # Errors
    /// When the port is taken.
    pub fn bind(root: &Path, port: u16) -> Result<Self> {
        let inner = tiny_http::Server::http(("127.0.0.1", port))
            .map_err(|error| anyhow!("port {port} cannot be listened on: {error}"))?;
        let Some(address) = inner.server_addr().to_ip() else { bail!("the listener has no address") };
        Ok(Self { inner: Arc::new(inner), address, root: root.into() })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests until the process ends.
    pub fn run(&self) {
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| self.answer_all());
            }
        });
    }

    /// Answers requests on threads of its own.
    pub fn spawn(&self) {
        let server = self.clone();
        std::thread::spawn(move || server.run());
    }

    fn answer_all(&self) {
        while let Ok(request) = self.inner.recv() {
            let reply = self.reply(&request).unwrap_or_else(|error| text(500, &format!("{error:#}\n")));
            let reply = self.with_policy(reply);
            // A reader that went away is no fault of the server.
            let _ = request.respond(reply);
        }
    }

    fn reply(&self, request: &Request) -> Result<Reply> {
        if !matches!(request.method(), Method::Get | Method::Head) {
            return Ok(text(405, "only GET and HEAD\n").with_header(header("Allow", "GET, HEAD")));
        }
        let path = request.url().split(['?', '#']).next().unwrap_or_default();
        let Some(mut file) = file_of(&self.root, path) else { return Ok(text(400, "bad path\n")) };
        if file.is_dir() {
            if !path.ends_with('/') {
                let name = path.rsplit('/').next().unwrap_or_default();
                return Ok(text(301, "").with_header(header("Location", &format!("./{name}/"))));
            }
            file.push("index.html");
        }
        match File::open(&file) {
            Ok(opened) => send(request, opened, &file),
            Err(_) => Ok(text(404, "not found\n")),
        }
    }

    fn with_policy(&self, reply: Reply) -> Reply {
        let reply = reply
            .with_header(header("X-Content-Type-Options", "nosniff"))
            .with_header(header("Referrer-Policy", "no-referrer"))
            // As GitHub Pages does: other sites may load the client module.
            .with_header(header("Access-Control-Allow-Origin", "*"));
        // Read every time, because the site may be built anew while it is served.
        match fs::read_to_string(self.root.join("index.html")).ok().as_deref().and_then(policy_of) {
            Some(policy) => {
                let policy = format!("{policy}; frame-ancestors 'self'");
                reply.with_header(header("Content-Security-Policy", &policy))
            }
            None => reply,
        }
    }
}

/// Sends a file, or the range of it that was asked for, or word that the reader's copy is still good.
fn send(request: &Request, mut file: File, path: &Path) -> Result<Reply> {
    let metadata = file.metadata()?;
    let size = metadata.len();
    let modified = metadata.modified()?.duration_since(UNIX_EPOCH)?.as_nanos();
    let tag = format!("\"{size:x}-{modified:x}\"");
    let field = |name: &'static str| {
        request.headers().iter().find(|header| header.field.equiv(name)).map(|header| header.value.as_str())
    };
    let common = |reply: Reply| {
        reply
            .with_header(header("Content-Type", media_type(path)))
            .with_header(header("ETag", &tag))
            .with_header(header("Cache-Control", "no-cache"))
            .with_header(header("Accept-Ranges", "bytes"))
    };
    if field("If-None-Match") == Some(tag.as_str()) {
        return Ok(common(reply(304, Box::new(std::io::empty()), 0)));
    }
    let current = field("If-Range").is_none_or(|wanted| wanted == tag);
    match field("Range").filter(|_| current).and_then(|value| range(value, size)) {
        None => Ok(common(reply(200, Box::new(file), size))),
        Some(Err(Unsatisfiable)) => {
            Ok(text(416, "").with_header(header("Content-Range", &format!("bytes */{size}"))))
        }
        Some(Ok((first, last))) => {
            let length = last - first + 1;
            file.seek(SeekFrom::Start(first))?;
            let part = reply(206, Box::new(file.take(length)), length);
            Ok(common(part).with_header(header("Content-Range", &format!("bytes {first}-{last}/{size}"))))
        }
    }
}

/// The range lies outside of the file.
#[derive(Debug, PartialEq, Eq)]
struct Unsatisfiable;

/// First and last byte of a `Range` header; `None` where it is to be ignored: several ranges, or nonsense.
fn range(value: &str, size: u64) -> Option<Result<(u64, u64), Unsatisfiable>> {
    let (first, last) = value.strip_prefix("bytes=")?.split_once('-')?;
    let (first, last) = match (first.trim(), last.trim()) {
        ("", length) => (size.saturating_sub(length.parse().ok()?), size.checked_sub(1)),
        (first, "") => (first.parse().ok()?, size.checked_sub(1)),
        (first, last) => {
            let (first, last) = (first.parse().ok()?, last.parse::<u64>().ok()?);
            if last < first {
                return None;
            }
            (first, size.checked_sub(1).map(|end| end.min(last)))
        }
    };
    Some(last.filter(|last| first <= *last).map(|last| (first, last)).ok_or(Unsatisfiable))
}

/// The file that a URL's path names, never outside of `root`; `None` for a path that is not plain.
fn file_of(root: &Path, path: &str) -> Option<PathBuf> {
    let decoded = percent_decoded(path.trim_start_matches('/'))?;
    let relative = Path::new(&decoded);
    let plain = relative.components().all(|part| matches!(part, Component::Normal(_)));
    (plain && !decoded.contains(['\0', '\\'])).then(|| root.join(relative))
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

/// The policy that the page states for itself, which is thereby written down once.
fn policy_of(page: &str) -> Option<String> {
    let tag = Regex::new(r#"(?is)<meta\b[^>]*http-equiv\s*=\s*"?content-security-policy"?[^>]*>"#).ok()?;
    let content = Regex::new(r#"(?is)\bcontent\s*=\s*"([^"]*)""#).ok()?;
    let policy = content.captures(tag.find(page)?.as_str())?.get(1)?.as_str();
    Some(policy.split_whitespace().collect::<Vec<_>>().join(" ").trim_end_matches(';').to_owned())
}

fn media_type(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("wasm") => "application/wasm",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("webp") => "image/webp",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("txt" | "md" | "ts") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

fn reply(status: u16, body: Box<dyn Read + Send>, length: u64) -> Reply {
    let length = usize::try_from(length).ok();
    // A length that is known is always told: progress bars count by it.
    Response::new(StatusCode(status), Vec::new(), body, length, None).with_chunked_threshold(usize::MAX)
}

fn text(status: u16, body: &str) -> Reply {
    let bytes = body.as_bytes().to_vec();
    let length = bytes.len() as u64;
    reply(status, Box::new(std::io::Cursor::new(bytes)), length)
        .with_header(header("Content-Type", "text/plain; charset=utf-8"))
}

/// A header field. Only what is plain ASCII may be sent; anything else is left empty.
fn header(name: &str, value: &str) -> Header {
    Header::from_bytes(name, value)
        .or_else(|()| Header::from_bytes(name, ""))
        .unwrap_or_else(|()| unreachable!("{name} is a plain header name"))
}

#[cfg(test)]
mod tests {
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
}
