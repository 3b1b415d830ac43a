//! A static server for this machine: the site as a careful host would send it.
//!
//! Byte ranges, validators and the page's own Content-Security-Policy as a header, so that workers, which do not
//! inherit a page's policy, get it too; isolation, without which there are no threads; files compressed beforehand, and addresses that name their version kept for good.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result, anyhow, bail};
use regex_lite::Regex;
use tiny_http::{Header, Method, Request, Response, StatusCode};

use crate::compressed::with_br;
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
        let Ok(opened) = File::open(&file) else { return Ok(text(404, "not found\n")) };
        match compressed(request, &opened, &file) {
            Some(smaller) => {
                let reply = send(request, smaller, &file)?;
                Ok(reply
                    .with_header(header("Content-Encoding", "br"))
                    .with_header(header("Vary", "Accept-Encoding")))
            }
            None => send(request, opened, &file),
        }
    }

    fn with_policy(&self, reply: Reply) -> Reply {
        let reply = reply
            .with_header(header("X-Content-Type-Options", "nosniff"))
            .with_header(header("Referrer-Policy", "no-referrer"))
            // As GitHub Pages does: other sites may load the client module.
            .with_header(header("Access-Control-Allow-Origin", "*"))
            // What threads need; and that pages with the same wish may show this one.
            .with_header(header("Cross-Origin-Opener-Policy", "same-origin"))
            .with_header(header("Cross-Origin-Embedder-Policy", "require-corp"))
            .with_header(header("Cross-Origin-Resource-Policy", "cross-origin"));
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

/// `NAME.br`, as `cargo xtask dist` makes it, if the reader takes it whole and it is not older than the file.
fn compressed(request: &Request, file: &File, path: &Path) -> Option<File> {
    let accepted = field(request, "Accept-Encoding")?;
    let accepts =
        accepted.split(',').any(|coding| coding.split(';').next().is_some_and(|name| name.trim() == "br"));
    if !accepts || field(request, "Range").is_some() {
        return None;
    }
    let smaller = File::open(with_br(path)).ok()?;
    let modified = |file: &File| file.metadata().ok()?.modified().ok();
    (modified(&smaller)? >= modified(file)?).then_some(smaller)
}

/// A header of the request.
fn field<'a>(request: &'a Request, name: &'static str) -> Option<&'a str> {
    request.headers().iter().find(|header| header.field.equiv(name)).map(|header| header.value.as_str())
}

/// How long a copy is good. The page names its build in the addresses of the worker and the modules, so that what such
/// an address holds never changes; everything else is asked for anew, and mostly answered with 304.
fn freshness(url: &str) -> &'static str {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let versioned =
        query.split('&').any(|pair| pair.strip_prefix("v=").is_some_and(|version| !version.is_empty()));
    if versioned { "public, max-age=31536000, immutable" } else { "no-cache" }
}

/// Sends a file, or the range of it that was asked for, or word that the reader's copy is still good.
fn send(request: &Request, mut file: File, path: &Path) -> Result<Reply> {
    let metadata = file.metadata()?;
    let size = metadata.len();
    let modified = metadata.modified()?.duration_since(UNIX_EPOCH)?.as_nanos();
    let tag = format!("\"{size:x}-{modified:x}\"");
    let common = |reply: Reply| {
        reply
            .with_header(header("Content-Type", media_type(path)))
            .with_header(header("ETag", &tag))
            .with_header(header("Cache-Control", freshness(request.url())))
            .with_header(header("Accept-Ranges", "bytes"))
    };
    if field(request, "If-None-Match") == Some(tag.as_str()) {
        return Ok(common(reply(304, Box::new(std::io::empty()), 0)));
    }
    let current = field(request, "If-Range").is_none_or(|wanted| wanted == tag);
    match field(request, "Range").filter(|_| current).and_then(|value| range(value, size)) {
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
mod tests;
