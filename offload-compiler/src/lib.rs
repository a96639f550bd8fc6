//! From an unmodified XDP object to an image for the device: object > btf > verify > facts > ir > opt > select > schedule >
//! regalloc > emit.
//!
//! | stage | in | out | what it may rely on |
//! |---|---|---|---|
//! | [`object`] (with [`btf`], [`ebpf`]) | ELF bytes | [`object::Object`]: programs with resolved relocations, maps, lines | nothing: any bytes |
//! | `verify` | a program | accepted, or a Diagnostic; explores paths as the kernel does | decoded instructions |
//! | [`facts`] | a verified program | [`facts::Facts`]: sound ranges and pointer kinds at each instruction | that it is verified |
//! | [`ir`] | program and facts | SSA [`ir::Func`] that prints and parses | facts |
//! | `opt` | IR | smaller IR; plain functions | the IR's own rules |
//! | `select`, `schedule` | IR | regions of words over virtual registers | IR |
//! | `regalloc` | words over virtual registers | words over 16 banked registers and spill slots; checked | |
//! | `emit` | allocated words | [`offwire_image::Image`]; checked | |
//!
//! The crate never sees a device and does no I/O. Whatever it cannot do, it refuses with a Diagnostic.
#![forbid(unsafe_code)]

pub mod backend;
pub mod btf;
pub mod dispatch;
pub mod ebpf;
pub mod emit;
pub mod facts;
pub mod ir;
pub mod object;
pub mod opt;
mod pipeline;
pub mod range;
pub mod regalloc;
pub mod schedule;
pub mod select;
#[cfg(test)]
mod testing;
pub mod verify;

pub use pipeline::{CompileOptions, Compiled, Tail, compile};
