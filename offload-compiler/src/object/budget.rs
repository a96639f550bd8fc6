//! Limits that keep memory in proportion to the input.

use super::elf::malformed;
use crate::btf::tree::TreeBudget;
use offwire_diag::{Diagnostic, codes::object as code};

/// Instructions of one program: the kernel takes no more (`BPF_COMPLEXITY_LIMIT_INSNS`).
pub(super) const MAX_PROGRAM: usize = 1_000_000;

/// Programs of one object, those that are refused included.
pub(super) const MAX_PROGRAMS: usize = 4096;

/// What may still be spent. Programs share functions, files share names, types share types; copies do not.
pub(super) struct Budget {
    /// Slots over all programs.
    slots: usize,
    /// Bytes of file names, source lines and names of maps.
    text: usize,
    /// Bytes of initial contents of maps.
    contents: usize,
    pub(super) types: TreeBudget,
}

fn spend(left: &mut usize, cost: usize) -> bool {
    match left.checked_sub(cost) {
        Some(rest) => {
            *left = rest;
            true
        }
        None => false,
    }
}

fn too_large(what: &str) -> Diagnostic {
    Diagnostic::error(code::OBJECT_TOO_LARGE, format!("the object is too large: {what}"))
}

impl Budget {
    pub(super) fn for_input(length: usize) -> Self {
        Budget {
            slots: MAX_PROGRAM.saturating_add(length),
            text: length.saturating_mul(16).saturating_add(1 << 24),
            contents: length,
            types: TreeBudget::for_input(length),
        }
    }

    pub(super) fn slots(&mut self, cost: usize) -> Result<(), Diagnostic> {
        let fits = spend(&mut self.slots, cost);
        fits.then_some(()).ok_or_else(|| too_large("its programs repeat the same functions too often"))
    }

    pub(super) fn text(&mut self, cost: usize) -> Result<(), Diagnostic> {
        let fits = spend(&mut self.text, cost);
        fits.then_some(()).ok_or_else(|| too_large("its line information or names repeat the same text too often"))
    }

    pub(super) fn contents(&mut self, cost: usize) -> Result<(), Diagnostic> {
        let fits = spend(&mut self.contents, cost);
        fits.then_some(()).ok_or_else(|| malformed("data sections overlap"))
    }
}
