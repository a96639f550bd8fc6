//! What the map unit tells a trace, as each thing takes effect.

use offwire_isa::RequestOp;

use super::port::{Port, Posted, PostedKind, ValueAddress};
use super::unit::{ContextId, MapUnit};
use crate::id::MapId;
use crate::trace::{self, SharedOp, Trace};

/// The flags argument of an update.
fn update_flags(port: &Port) -> u64 {
    match port.op {
        _ if port.flagged => port.third,
        RequestOp::UpdateNoExist => 1,
        RequestOp::UpdateExist => 2,
        _ => 0,
    }
}

impl MapUnit {
    /// Something that the request of a context did to its map.
    pub(super) fn note<'a, T: Trace>(
        &'a self,
        cycle: u64,
        id: ContextId,
        trace: &mut T,
        op: impl FnOnce(&'a Port) -> SharedOp<'a>,
    ) {
        if T::ON {
            let port = &self.ports[usize::from(id)];
            let (seq, vcpu, map) = (port.seq, port.vcpu, MapId(port.slot));
            trace.event(trace::Event::Shared { cycle, seq, vcpu, map, op: op(port) });
        }
    }

    pub(super) fn note_update<T: Trace>(&self, cycle: u64, id: ContextId, answer: i32, trace: &mut T) {
        self.note(cycle, id, trace, |port| SharedOp::Update {
            key: &port.key,
            value: &port.value,
            flags: update_flags(port),
            answer,
            element: (answer == 0).then_some(port.element),
        });
    }

    pub(super) fn note_read<T: Trace>(&self, cycle: u64, id: ContextId, at: ValueAddress, len: u32, trace: &mut T) {
        if T::ON {
            let port = &self.ports[usize::from(id)];
            let value = self.table.contents[usize::from(at.slot)].elements.value(at.element, at.offset + len);
            let op = SharedOp::Read { element: at.element, offset: at.offset, bytes: &value[at.offset as usize..] };
            trace.event(trace::Event::Shared { cycle, seq: port.seq, vcpu: port.vcpu, map: MapId(at.slot), op });
        }
    }

    pub(super) fn note_posted<T: Trace>(&self, cycle: u64, posted: &Posted, trace: &mut T) {
        if T::ON {
            for (offset, size, operand) in posted.parts {
                let bytes = operand.to_le_bytes();
                let element = posted.element;
                let op = match posted.kind {
                    _ if size == 0 => continue,
                    PostedKind::Store => SharedOp::Store { element, offset, bytes: &bytes[..usize::from(size)] },
                    PostedKind::Add32 | PostedKind::Add64 => SharedOp::Add { element, offset, size, value: operand },
                };
                let (seq, vcpu, map) = (posted.seq, posted.vcpu, MapId(posted.slot));
                trace.event(trace::Event::Shared { cycle, seq, vcpu, map, op });
            }
        }
    }
}
