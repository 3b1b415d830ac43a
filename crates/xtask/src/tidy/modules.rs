//! The arrows between the parts of the page, read from the imports of its TypeScript.

use std::path::{Component, Path, PathBuf};

use anyhow::Result;
use regex_lite::Regex;

/// What each part may import, of ours. Any file or folder of `web/src` that is not named here is a page.
const ARROWS: [(&str, &[&str]); 5] = [
    ("client", &["client"]),
    ("views", &["views"]),
    ("elements", &["client", "views", "elements"]),
    // The script of the worker itself: the client's other end.
    ("worker", &["client", "worker"]),
    ("embed", &["embed"]),
];
const IMPORT: &str =
    r#"(?:\bfrom\s*|\bimport\s*\(\s*|\bimport\s+)(?:"(\.[^"\n]*)"|'(\.[^'\n]*)'|`(\.[^`\n]*)`)"#;
/// The client runs in a page, a test and a worker alike, so it may not touch the document.
const DOCUMENT: &str = r"\b(?:document|window)\s*[.\[]|\bHTML\w*Element\b|\bcustomElements\b";

/// The findings in one file; none for files outside of `web/src`.
///
/// # Errors
/// Never for the patterns as they stand.
pub fn check(path: &str, text: &str) -> Result<Vec<String>> {
    let Some(inside) = path.strip_prefix("web/src/").filter(|_| path.ends_with(".ts")) else {
        return Ok(Vec::new());
    };
    let Some((part, allowed)) = ARROWS.iter().find(|(part, _)| *part == part_of(Path::new(inside))) else {
        return Ok(Vec::new());
    };
    let mut findings = Vec::new();
    for import in Regex::new(IMPORT)?.captures_iter(text) {
        let place = import.iter().skip(1).flatten().next().map_or("", |place| place.as_str());
        let target = resolved(Path::new(inside), place);
        let to = part_of(&target);
        if !allowed.contains(&to) {
            findings.push(format!("{path}: {part} may not import {place} ({to})"));
        }
    }
    if *part == "client" {
        let document = Regex::new(DOCUMENT)?;
        let code = |line: &&str| !line.trim_start().starts_with(['/', '*']);
        for found in text.lines().filter(code).filter_map(|line| document.find(line)) {
            findings.push(format!("{path}: the client may not use the document ({})", found.as_str()));
        }
    }
    Ok(findings)
}

/// The part that a path below `web/src` belongs to.
fn part_of(inside: &Path) -> &'static str {
    let first = inside.components().next().map(|first| first.as_os_str().to_string_lossy().into_owned());
    let is_folder = inside.components().count() > 1;
    let known = ARROWS.iter().find(|(part, _)| is_folder && first.as_deref() == Some(*part));
    known.map_or("pages", |(part, _)| part)
}

/// The path below `web/src` that `place`, written in `file`, leads to.
fn resolved(file: &Path, place: &str) -> PathBuf {
    let mut path = file.parent().map_or_else(PathBuf::new, Path::to_path_buf);
    for component in Path::new(place).components() {
        match component {
            Component::ParentDir => {
                path.pop();
            }
            Component::CurDir => {}
            other => path.push(other),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        check(path, text).unwrap()
    }

    #[test]
    fn arrows_that_the_design_has_pass() {
        let element =
            "import { x } from '../client/index.js';\nimport type {\n  Y,\n} from \"../views/grid.js\";";
        assert_eq!(findings("web/src/elements/head.ts", element), Vec::<String>::new());
        assert_eq!(findings("web/src/views/grid.ts", "import a from './scale.js'; import 'lit';").len(), 0);
        assert_eq!(findings("web/src/app.ts", "import './embed/loader.js'; document.title").len(), 0);
        assert_eq!(findings("web/tests/views.ts", "import '../src/client/index.js'").len(), 0);
    }

    #[test]
    fn every_way_to_import_is_seen() {
        let wrong = "web/src/views/grid.ts: views may not import ../client/a.js (client)";
        for text in [
            "import { a } from '../client/a.js';",
            "import type { A } from \"../client/a.js\";",
            "export * from '../client/a.js'",
            "import '../client/a.js';",
            "const a = await import('../client/a.js');",
            "import {\n  a,\n  b,\n} from '../client/a.js';",
        ] {
            assert_eq!(findings("web/src/views/grid.ts", text), [wrong], "{text}");
        }
    }

    #[test]
    fn deep_paths_and_pages_are_resolved() {
        assert_eq!(findings("web/src/views/heat/cell.ts", "import '../../elements/x.js'").len(), 1);
        assert_eq!(findings("web/src/views/heat/cell.ts", "import '../elements/x.js'").len(), 0);
        assert_eq!(findings("web/src/elements/x.ts", "import '../app.js'").len(), 1);
        assert_eq!(findings("web/src/embed/loader.ts", "import '../views/x.js'").len(), 1);
        assert_eq!(findings("web/src/client/a.ts", "import '../views/x.js'").len(), 1);
    }

    #[test]
    fn the_client_does_not_touch_the_document() {
        let found = findings(
            "web/src/client/a.ts",
            "  document.title = '';\n// document.title\n const documents = 1;",
        );
        assert_eq!(found, ["web/src/client/a.ts: the client may not use the document (document.)"]);
        assert_eq!(findings("web/src/client/a.ts", "let x: HTMLCanvasElement;").len(), 1);
        assert_eq!(findings("web/src/views/a.ts", "document.createElement('canvas')").len(), 0);
    }
}
