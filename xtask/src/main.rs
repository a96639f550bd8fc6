//! Developer tasks: `cargo xtask VERB`.

mod examples;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (verb, rest) = args.split_first().map_or(("", &[][..]), |(verb, rest)| (verb.as_str(), rest));
    let result = match verb {
        "examples" => examples::run(rest),
        other => Err(anyhow::anyhow!("unknown verb \"{other}\"; verbs: examples")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
