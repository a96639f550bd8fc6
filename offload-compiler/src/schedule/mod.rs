//! Puts the operations of a trace into words.
//!
//! [`graph`] says what must come before what, and whether both may share a word, with the help of [`effects`]; [`slots`] says whether a set of operations fits
//! into one word, unit by unit; [`list`] fills word after word, the operations with the longest way to the end first; [`fill`]
//! writes the words down over virtual registers. The result is [`Code`].

mod check;
mod code;
mod effects;
mod fill;
mod graph;
mod list;
mod slots;

pub use check::{Wrong, check};
pub use code::{Code, Read, Target, VReg, VWord, WordId};
pub use list::{Bans, Schedule, Style, Unschedulable};
