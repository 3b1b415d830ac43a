//! The project's own commands: `cargo xtask serve` and `cargo xtask test` are the two a newcomer needs.
//!
//! Both do all the set-up they need on a fresh machine and say so step by step.

mod bench;
mod budget;
mod compressed;
mod house_model;
mod process;
mod project;
mod protocol;
mod serve;
mod setup;
mod site;
mod test;
mod tidy;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use lexopt::prelude::*;

use crate::project::Project;

const HELP: &str = "\
Usage: cargo xtask COMMAND

  serve [--port N] [--no-open] [--no-build]
                     set up, build the site and serve it on this machine
  test [--fast] [--only STEP]...
                     set up and run every check; --fast leaves out what needs wasm or a browser
  dist [--wasm-opt LEVEL]
                     build the site into dist/, for any static host and any path;
                     --wasm-opt (1..4, s, z) runs wasm-opt over the modules: less to parse, more to download
  bench [OPTIONS]    measure against other engines in the browser, and write tests/bench/RESULTS.md; see `bench --help`
  web                bundle the TypeScript of web/ alone
  protocol           write the TypeScript types of the protocol to web/src/client/protocol.gen.ts
  train-house-model --corpus FILE [--out DIR] [--work DIR]
                     train the model that the page opens with, and write web/models/glassbox-stories
  tidy               check the layout: dependency arrows, file sizes, generated files
";

enum Command {
    Help,
    Serve(serve::Options),
    Test(test::Options),
    Dist(site::Options),
    Bench(Vec<OsString>),
    Web,
    Protocol,
    TrainHouseModel(house_model::Options),
    Tidy,
}

fn main() -> ExitCode {
    match parse(lexopt::Parser::from_env()).and_then(execute) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn execute(command: Command) -> Result<bool> {
    let project = Project::locate()?;
    match command {
        Command::Help => print!("{HELP}"),
        Command::Serve(options) => serve::run(&project, &options)?,
        Command::Test(options) => return test::run(&project, &options),
        Command::Dist(options) => site::dist(&project, &options)?,
        Command::Bench(arguments) => bench::run(&project, &arguments)?,
        Command::Web => site::web(&project)?,
        Command::Protocol => protocol::write(&project)?,
        Command::TrainHouseModel(options) => house_model::run(&project, &options)?,
        Command::Tidy => {
            let mut findings = tidy::check(&project)?;
            findings.extend(protocol::check(&project).unwrap_or_else(|error| vec![format!("{error:#}")]));
            findings.iter().for_each(|finding| println!("{finding}"));
            println!("tidy: {} findings", findings.len());
            return Ok(findings.is_empty());
        }
    }
    Ok(true)
}

fn parse(mut args: lexopt::Parser) -> Result<Command> {
    let name = match args.next()? {
        Some(Value(name)) => name.string()?,
        Some(Long("help") | Short('h')) | None => return Ok(Command::Help),
        Some(other) => return Err(other.unexpected().into()),
    };
    let command = match name.as_str() {
        "serve" => Command::Serve(serve_options(&mut args)?),
        "test" => Command::Test(test_options(&mut args)?),
        "dist" => Command::Dist(site_options(&mut args)?),
        // The bench reads its own options.
        "bench" => Command::Bench(args.raw_args()?.collect()),
        "web" => Command::Web,
        "protocol" => Command::Protocol,
        "train-house-model" => Command::TrainHouseModel(house_model_options(&mut args)?),
        "tidy" => Command::Tidy,
        "help" => Command::Help,
        other => bail!("there is no command '{other}'\n\n{HELP}"),
    };
    match args.next()? {
        Some(extra) => Err(extra.unexpected().into()),
        None => Ok(command),
    }
}

fn serve_options(args: &mut lexopt::Parser) -> Result<serve::Options> {
    let mut options = serve::Options { port: None, open: true, build: true };
    while let Some(arg) = args.next()? {
        match arg {
            Long("port") => options.port = Some(args.value()?.parse().context("--port takes a number")?),
            Long("no-open") => options.open = false,
            Long("no-build") => options.build = false,
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(options)
}

fn test_options(args: &mut lexopt::Parser) -> Result<test::Options> {
    let mut options = test::Options::default();
    while let Some(arg) = args.next()? {
        match arg {
            Long("fast") => options.fast = true,
            Long("only") => options.only.push(args.value()?.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(options)
}

fn house_model_options(args: &mut lexopt::Parser) -> Result<house_model::Options> {
    let (mut corpus, mut out, mut work) = (None, None, None);
    while let Some(arg) = args.next()? {
        match arg {
            Long("corpus") => corpus = Some(args.value()?.into()),
            Long("out") => out = Some(args.value()?.into()),
            Long("work") => work = Some(args.value()?.into()),
            other => return Err(other.unexpected().into()),
        }
    }
    let corpus = corpus.context("train-house-model needs --corpus FILE")?;
    Ok(house_model::Options { corpus, out, work })
}

fn site_options(args: &mut lexopt::Parser) -> Result<site::Options> {
    let mut options = site::Options::default();
    while let Some(arg) = args.next()? {
        match arg {
            Long("wasm-opt") => options.wasm_opt = Some(args.value()?.string()?.parse()?),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command> {
        parse(lexopt::Parser::from_args(line.split_whitespace()))
    }

    #[test]
    fn options_are_read() {
        let Command::Serve(options) = parsed("serve --port 9000 --no-open").unwrap() else { panic!("serve") };
        assert_eq!((options.port, options.open, options.build), (Some(9000), false, true));
        let Command::Test(options) = parsed("test --only fmt --only tidy").unwrap() else { panic!("test") };
        assert_eq!((options.fast, options.only), (false, vec!["fmt".to_owned(), "tidy".to_owned()]));
        let Command::Bench(arguments) = parsed("bench --rounds 3 --help").unwrap() else { panic!("bench") };
        assert_eq!(arguments, ["--rounds", "3", "--help"]);
    }

    #[test]
    fn the_house_model_needs_a_corpus() {
        let Command::TrainHouseModel(options) = parsed("train-house-model --corpus a.txt --out b").unwrap()
        else {
            panic!("train-house-model")
        };
        assert_eq!((options.corpus, options.out, options.work), ("a.txt".into(), Some("b".into()), None));
        assert!(parsed("train-house-model").is_err());
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for line in
            ["bulid", "serve --prot 1", "serve --port many", "tidy now", "dist --wasm-opt 9", "--fast"]
        {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
