//! Where numbers come from, and how the path went.
//!
//! Precision: a number's range matters for safety only if the number, or one computed from it, decides something (is added
//! to a pointer, or lets a branch go one way only). Two states that differ in numbers that never decide are the same for
//! pruning. The kernel finds the deciding numbers by walking the path's instructions backwards (`mark_chain_precision`). Here
//! every number has a node with the nodes that it was computed from, and deciding marks the node and all it depends on; each
//! node is marked once, so that the cost is linear in the instructions processed.
//!
//! Each checkpoint gives the path fresh nodes, whose only input is the old one: its numbers are marked by what follows the
//! checkpoint, not by what other paths do with the same values.

use std::collections::BTreeMap;

/// A node; [`NodeId::NONE`] for what is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NodeId(u32);

impl NodeId {
    /// No node.
    pub(super) const NONE: NodeId = NodeId(0);
}

#[derive(Clone, Copy)]
struct Node {
    inputs: [NodeId; 2],
    precise: bool,
}

/// All nodes of an exploration.
pub(super) struct Nodes {
    nodes: Vec<Node>,
    marking: Vec<NodeId>,
    /// Further inputs, for numbers that took the place of others.
    links: BTreeMap<u32, Vec<NodeId>>,
}

impl Nodes {
    pub(super) fn new() -> Self {
        // Node 0 stands for none and stops every walk.
        Nodes {
            nodes: vec![Node { inputs: [NodeId::NONE; 2], precise: true }],
            marking: Vec::new(),
            links: BTreeMap::new(),
        }
    }

    /// A number computed from others.
    pub(super) fn derive(&mut self, a: NodeId, b: NodeId) -> NodeId {
        let Ok(id) = u32::try_from(self.nodes.len()) else { return NodeId::NONE };
        self.nodes.push(Node { inputs: [a, b], precise: false });
        NodeId(id)
    }

    /// A number that comes from nowhere (constants, memory).
    pub(super) fn fresh(&mut self) -> NodeId {
        self.derive(NodeId::NONE, NodeId::NONE)
    }

    /// The number decides something.
    pub(super) fn mark(&mut self, node: NodeId) {
        self.marking.push(node);
        while let Some(NodeId(id)) = self.marking.pop() {
            if let Some(node) = usize::try_from(id).ok().and_then(|id| self.nodes.get_mut(id))
                && !node.precise
            {
                node.precise = true;
                self.marking.extend(node.inputs);
                self.marking.extend(self.links.get(&id).into_iter().flatten());
            }
        }
    }

    /// If the first number decides something, now or later, so does the second.
    pub(super) fn link(&mut self, from: NodeId, to: NodeId) {
        if self.is_precise(from) {
            self.mark(to);
        } else {
            self.links.entry(from.0).or_default().push(to);
        }
    }

    /// True if the number decided something. `NONE` does.
    pub(super) fn is_precise(&self, NodeId(id): NodeId) -> bool {
        usize::try_from(id).ok().and_then(|id| self.nodes.get(id)).is_none_or(|node| node.precise)
    }
}

/// Something worth telling about a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A conditional jump that can go both ways went there.
    Taken,
    /// It fell through.
    NotTaken,
    /// A function was called.
    Called,
    /// A function returned.
    Returned,
    /// The packet moved.
    PacketMoved,
    /// A record was reserved.
    Reserved,
    /// It was given back.
    Released,
    /// A spin lock was taken.
    Locked,
    /// It was released.
    Unlocked,
    /// A helper called a function back.
    CalledBack,
    /// It called it no more.
    LoopDone,
    /// A tail call succeeded; the other program returned to the caller.
    TailCalled,
    /// A tail call in a function failed.
    TailCallFailed,
}

/// The last event of a path; [`TrailId::START`] before the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TrailId(u32);

impl TrailId {
    /// No event yet.
    pub(super) const START: TrailId = TrailId(0);
}

/// The events of all paths, as a tree that grows towards the root.
pub(super) struct Trail {
    events: Vec<(TrailId, u32, Event)>,
}

impl Trail {
    pub(super) fn new() -> Self {
        Trail { events: Vec::new() }
    }

    /// Adds an event after `last`.
    pub(super) fn add(&mut self, last: TrailId, insn: u32, event: Event) -> TrailId {
        self.events.push((last, insn, event));
        TrailId(u32::try_from(self.events.len()).unwrap_or(0))
    }

    /// The last `limit` events up to `last`, oldest first, and how many came before them.
    pub(super) fn path(&self, mut last: TrailId, limit: usize) -> (Vec<(u32, Event)>, usize) {
        let (mut path, mut earlier) = (Vec::new(), 0usize);
        while let Some(&(before, insn, event)) =
            usize::try_from(last.0).ok().and_then(|id| self.events.get(id.checked_sub(1)?))
        {
            if path.len() < limit {
                path.push((insn, event));
            } else {
                earlier = earlier.saturating_add(1);
            }
            last = before;
        }
        path.reverse();
        (path, earlier)
    }
}
