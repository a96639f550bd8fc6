//! The flags of an update that come with its request: which there are, and what the kernel says to the others.

use offwire_image::MapKind;
use offwire_isa::RequestOp;

use super::table::MapInfo;
use super::unit::{ContextId, MapUnit, errno, negative};
use crate::trace::Trace;

/// `BPF_NOEXIST`, `BPF_EXIST` and `BPF_F_LOCK` of include/uapi/linux/bpf.h.
const NOEXIST: u64 = 1;
const EXIST: u64 = 2;
pub(crate) const FLAG_LOCK: u64 = 4;

/// The update that the flags ask for, and whether it takes the lock of the value; else the error that comes before all others.
/// An array looks at its index before it asks whether there is a lock (`array_map_update_elem`, `htab_map_update_elem`,
/// `__htab_percpu_map_update_elem`, `htab_lru_map_update_elem`, `trie_update_elem`).
fn asked(flags: u64, info: &MapInfo) -> Result<(RequestOp, bool), i32> {
    let (how, locked) = (flags & !FLAG_LOCK, flags & FLAG_LOCK != 0);
    let array = matches!(info.kind, MapKind::Array | MapKind::PercpuArray);
    if how > EXIST || (locked && !array && info.lock.is_none()) {
        return Err(errno::INVAL);
    }
    let op = match how {
        NOEXIST => RequestOp::UpdateNoExist,
        EXIST => RequestOp::UpdateExist,
        _ => RequestOp::UpdateAny,
    };
    Ok((op, locked))
}

impl MapUnit {
    /// Makes an ordinary update of one with flags. Returns false if that is not what happens now: it waits for the context's own
    /// writes, or is refused.
    pub(super) fn take_flags<T: Trace>(&mut self, cycle: u64, id: ContextId, trace: &mut T) -> bool {
        let port = &mut self.ports[usize::from(id)];
        let info = &self.table.infos[usize::from(port.slot)];
        match asked(port.third, info) {
            // What the context wrote before is seen by whoever has the lock next.
            Ok((_, true)) if port.credits.contains(&u64::MAX) => {
                port.fenced = true;
                self.counters.fences += 1;
                false
            }
            Ok((op, locked)) => {
                (port.op, port.locked) = (op, locked);
                true
            }
            Err(errno) => {
                self.counters.updates += 1;
                self.note_update(cycle, id, errno, trace);
                self.answer(cycle + 1, 0, id, negative(errno));
                false
            }
        }
    }
}
