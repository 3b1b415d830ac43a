//! What a visitor downloads at most: the budgets of `tests/bench/budgets.toml`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::compressed::compress;
use crate::project::Project;

/// Files of the site that travel together, with the most bytes that they may take on the way.
#[derive(Debug, PartialEq, Eq)]
struct Budget {
    name: String,
    /// In bytes, compressed.
    limit: u64,
    files: Vec<String>,
}

/// Says which budgets the site in `dist/` exceeds, and by how much; prints how much of each is used.
///
/// # Errors
/// When the budgets or the site cannot be read.
pub fn check(project: &Project) -> Result<Vec<String>> {
    let path = project.bench().join("budgets.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let mut findings = Vec::new();
    for budget in parse(&text).with_context(|| path.display().to_string())? {
        let (files, missing) = files_of(&project.dist(), &budget)?;
        findings.extend(missing);
        let used = compress(project, &files)?.iter().map(|file| file.brotli).sum();
        println!("    {:>9} of {:>9} bytes  {}", used, budget.limit, budget.name);
        findings.extend(verdict(&budget, used));
    }
    Ok(findings)
}

fn verdict(budget: &Budget, used: u64) -> Option<String> {
    let over = used.checked_sub(budget.limit).filter(|over| *over > 0)?;
    let Budget { name, limit, .. } = budget;
    Some(format!("{name}: {used} bytes after brotli, {over} more than its budget of {limit}"))
}

/// The files that a budget names, and what of it is not there.
fn files_of(dist: &Path, budget: &Budget) -> Result<(Vec<PathBuf>, Vec<String>)> {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for name in &budget.files {
        let files = matching(dist, name)?;
        if files.is_empty() {
            missing.push(format!("{}: {name} is not in the site", budget.name));
        }
        found.extend(files);
    }
    Ok((found, missing))
}

/// The files that a name stands for, in which `*` is any one folder.
fn matching(dist: &Path, name: &str) -> Result<Vec<PathBuf>> {
    let mut paths = vec![dist.to_path_buf()];
    for part in name.split('/') {
        paths = match part {
            "*" => {
                let folders = paths.iter().filter(|path| path.is_dir()).map(|path| entries(path));
                folders.collect::<Result<Vec<_>>>()?.concat()
            }
            part => paths.into_iter().map(|path| path.join(part)).collect(),
        };
    }
    paths.retain(|path| path.is_file());
    Ok(paths)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn parse(text: &str) -> Result<Vec<Budget>> {
    let table: toml::Table = text.parse().context("not TOML")?;
    let budgets = table.get("budget").and_then(toml::Value::as_array).context("there is no [[budget]]")?;
    budgets.iter().map(|entry| read(entry).with_context(|| format!("not a budget: {entry:?}"))).collect()
}

fn read(entry: &toml::Value) -> Option<Budget> {
    let files = entry.get("files")?.as_array()?;
    Some(Budget {
        name: entry.get("name")?.as_str()?.to_owned(),
        limit: entry.get("brotli")?.as_integer()?.try_into().ok()?,
        files: files.iter().map(|file| file.as_str().map(str::to_owned)).collect::<Option<_>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(files: &[&str]) -> Budget {
        Budget {
            name: "engine".into(),
            limit: 1000,
            files: files.iter().map(|file| (*file).to_owned()).collect(),
        }
    }

    #[test]
    fn the_projects_own_budgets_are_read() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/bench/budgets.toml");
        let budgets = parse(&fs::read_to_string(path).unwrap()).unwrap();
        let limits: Vec<_> = budgets.iter().map(|budget| budget.limit).collect();
        // Megabytes, not kilobytes or bytes.
        assert!(
            limits.len() == 5 && limits.iter().all(|limit| (100_000..10_000_000).contains(limit)),
            "{limits:?}"
        );
        assert!(budgets[4].files.contains(&"models/*/model.gguf".to_owned()));
    }

    #[test]
    fn what_is_no_budget_is_refused() {
        for text in ["", "budget = 1", "[[budget]]\nname = \"x\"", "[["] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("[[budget]]\nname = \"x\"\nbrotli = -1\nfiles = []").is_err());
    }

    #[test]
    fn too_much_is_told_with_how_much() {
        assert_eq!(verdict(&budget(&[]), 1000), None);
        assert_eq!(
            verdict(&budget(&[]), 1001).unwrap(),
            "engine: 1001 bytes after brotli, 1 more than its budget of 1000"
        );
    }

    #[test]
    fn stars_stand_for_folders_and_files_must_be_there() {
        let site = tempfile::tempdir().unwrap();
        fs::create_dir_all(site.path().join("models/house")).unwrap();
        for name in ["app.js", "models/manifest.json", "models/house/model.gguf", "models/house/card.json"] {
            fs::write(site.path().join(name), "x").unwrap();
        }
        let wanted = budget(&["app.js", "models/*/model.gguf", "lessons/*/a.json", "worker.js"]);
        let (found, missing) = files_of(site.path(), &wanted).unwrap();
        assert_eq!(found, ["app.js", "models/house/model.gguf"].map(|name| site.path().join(name)));
        let expected = ["lessons/*/a.json", "worker.js"];
        assert_eq!(missing, expected.map(|name| format!("engine: {name} is not in the site")));
    }
}
