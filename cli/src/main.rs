//! The `offwire` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    offwire_cli::main(std::env::args_os())
}
