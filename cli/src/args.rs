//! The command line: OBJECT VERB as bpftool has it, with ordinary flags.

mod serve;

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

pub use serve::{ServeArgs, TimeArg};

/// Runs unmodified XDP programs on a SmartNIC: verify, compile, run, compare.
#[derive(Debug, Parser)]
#[command(name = "offwire", version, infer_subcommands = true, disable_help_subcommand = true)]
pub struct Cli {
    /// Print one JSON document on stdout, diagnostics as JSON lines on stderr
    #[arg(short = 'j', long, global = true)]
    pub json: bool,
    /// As -j, indented for people
    #[arg(short = 'p', long, global = true)]
    pub pretty: bool,
    /// What to work on
    #[command(subcommand)]
    pub object: ObjectArg,
}

/// The OBJECT of OBJECT VERB.
#[derive(Debug, Subcommand)]
pub enum ObjectArg {
    /// Programs: check, build, dump, run
    #[command(subcommand, visible_alias = "program")]
    Prog(ProgVerb),
    /// Devices: serve
    #[command(subcommand, visible_alias = "device")]
    Dev(DevVerb),
    /// Run one program on several back ends and compare packets, verdicts and maps
    Diff(DiffArgs),
    /// Run a bare program, as bpf_conformance asks its plugins to
    #[command(hide = true)]
    Conform(ConformArgs),
    /// Explain a diagnostic code
    Explain {
        /// A code, as OW0301 or 301; without one all codes are listed
        code: Option<String>,
    },
}

/// Verbs of `prog`.
#[derive(Debug, Subcommand)]
pub enum ProgVerb {
    /// Verify the programs of an object and say what they would cost on the device
    #[command(visible_alias = "verify")]
    Check(CheckArgs),
    /// Compile a program to an image
    Build(BuildArgs),
    /// Print a program: as the kernel sees it, as IR, or as microcode
    Dump(DumpArgs),
    /// Run a capture through a program
    #[command(visible_alias = "test_run")]
    Run(RunArgs),
}

/// Verbs of `dev`.
#[derive(Debug, Subcommand)]
pub enum DevVerb {
    /// Run the software device as a process that drivers and virtual machines connect to (vfio-user)
    Serve(ServeArgs),
}

/// Which program, for which device.
#[derive(Debug, Args)]
pub struct ProgramArgs {
    /// ELF object that clang or rustc made
    pub object: PathBuf,
    /// Program (C function); may be left out if the object has only one
    #[arg(long, visible_alias = "name", value_name = "NAME")]
    pub prog: Option<String>,
    /// Device profile
    #[arg(long, default_value = "x16", value_name = "PROFILE", value_parser = ["small", "x16", "x64"])]
    pub profile: String,
    /// Set a global variable before the program is verified
    #[arg(long, value_name = "VAR=VALUE")]
    pub set: Vec<String>,
    /// Give a map another number of entries before it is made
    #[arg(long, value_name = "NAME=N")]
    pub map_entries: Vec<String>,
}

/// `prog check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Which program
    #[command(flatten)]
    pub program: ProgramArgs,
    /// Instructions that the verifier may process before it gives up
    #[arg(long, default_value_t = 1_000_000, value_name = "N")]
    pub max_insns: u64,
}

/// `prog build`.
#[derive(Debug, Args)]
pub struct BuildArgs {
    /// Which program
    #[command(flatten)]
    pub program: ProgramArgs,
    /// Image file to write
    #[arg(short, long, value_name = "IMG")]
    pub output: PathBuf,
}

/// `prog dump`.
#[derive(Debug, Args)]
pub struct DumpArgs {
    /// Which program
    #[command(flatten)]
    pub program: ProgramArgs,
    /// Form
    #[arg(long = "as", value_enum, default_value = "xlated", value_name = "FORM")]
    pub form: DumpForm,
}

/// Forms of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DumpForm {
    /// eBPF instructions in the kernel's syntax, with C lines
    Xlated,
    /// The compiler's SSA form after optimisation
    Ir,
    /// Microcode of the device, with instruction numbers and C lines
    #[value(alias = "jited")]
    Ucode,
}

/// Back ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum On {
    /// The cycle-exact device model
    Model,
    /// The reference interpreter
    Ref,
    /// The kernel of this machine, through bpf(2)
    Host,
}

/// How packets are serialised on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DispatchArg {
    /// The loosest mode that the compiler has proven
    Auto,
    /// One packet at a time per vCPU
    Cpu,
    /// One packet at a time per flow
    Flow,
    /// No serialisation
    Any,
}

/// `prog run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Which program
    #[command(flatten)]
    pub program: ProgramArgs,
    /// Capture to run (pcap or pcapng, Ethernet)
    #[arg(long, visible_alias = "data_in", value_name = "FILE")]
    pub pcap: PathBuf,
    /// Write the packets that were not dropped, as pcap
    #[arg(long, visible_alias = "data_out", value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Where to run
    #[arg(long, value_enum, default_value = "model", value_name = "BACKEND")]
    pub on: On,
    /// Map contents before the first packet, JSON
    #[arg(long, value_name = "FILE")]
    pub maps: Option<PathBuf>,
    /// Write the map contents after the last packet, JSON
    #[arg(long, value_name = "FILE")]
    pub dump_maps: Option<PathBuf>,
    /// Serialisation of packets
    #[arg(long, value_enum, default_value = "auto", value_name = "MODE")]
    pub dispatch: DispatchArg,
    /// Say which instructions the capture reaches, on the reference interpreter
    #[arg(long, conflicts_with_all = ["out", "dump_maps", "on", "dispatch"])]
    pub coverage: bool,
}

/// `diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// Which program
    #[command(flatten)]
    pub program: ProgramArgs,
    /// Capture to run (pcap or pcapng, Ethernet)
    #[arg(long, visible_alias = "data_in", value_name = "FILE")]
    pub pcap: PathBuf,
    /// Map contents before the first packet, JSON
    #[arg(long, value_name = "FILE")]
    pub maps: Option<PathBuf>,
    /// Back ends to compare
    #[arg(long, value_enum, value_delimiter = ',', default_value = "host,ref,model", value_name = "LIST")]
    pub on: Vec<On>,
    /// Random packets to run after the capture: mutated ones of the capture and pure noise
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub random: u64,
    /// Seed of the random packets
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    pub seed: u64,
    /// Run many packets at the same time on the device model, in each dispatch mode that is proven, and replay the order of
    /// their map operations in the interpreter
    #[arg(long, conflicts_with = "on")]
    pub overlap: bool,
}

/// `conform`: the contract of bpf_conformance's plugins.
#[derive(Debug, Args)]
pub struct ConformArgs {
    /// Memory that r1 points to, hexadecimal
    pub memory: Option<String>,
    /// The program, hexadecimal; read from stdin if it is not given
    #[arg(long, value_name = "HEX")]
    pub program: Option<String>,
    /// Where to run
    #[arg(long, value_enum, default_value = "ref", value_name = "BACKEND")]
    pub on: On,
}
