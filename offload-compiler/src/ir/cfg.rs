//! Control flow of a function: predecessors, reverse postorder, dominators.

use super::{Block, Func, Term};

/// What the passes want to know of the control flow. Made once, stale as soon as a terminator changes.
#[derive(Clone, Debug)]
pub struct Cfg {
    /// Blocks that jump there, by block; a predecessor with two jumps to it stands twice. Only reachable predecessors.
    pub preds: Vec<Vec<Block>>,
    /// Reachable blocks in reverse postorder: the entry first, each block before its successors except along back edges.
    pub order: Vec<Block>,
    /// Place of a block in `order`; `None` if it is not reachable.
    position: Vec<Option<u32>>,
    /// Immediate dominator, as place in `order`, by place in `order`; the entry is its own.
    idom: Vec<u32>,
    /// Interval of a depth-first walk of the dominator tree, by place in `order`.
    interval: Vec<(u32, u32)>,
}

impl Cfg {
    /// Looks at the function's terminators. Jumps to blocks that do not exist are taken as none.
    pub fn new(func: &Func) -> Self {
        let order = reverse_postorder(func);
        let mut position = vec![None; func.blocks.len()];
        for (place, block) in (0u32..).zip(&order) {
            position[block.at()] = Some(place);
        }
        let mut preds = vec![Vec::new(); func.blocks.len()];
        for &block in &order {
            for jump in func.blocks[block.at()].term.jumps() {
                if let Some(preds) = preds.get_mut(jump.block.at()) {
                    preds.push(block);
                }
            }
        }
        let idom = dominators(&order, &position, &preds);
        let interval = intervals(&idom);
        Cfg { preds, order, position, idom, interval }
    }

    /// True if some execution may come there.
    pub fn is_reachable(&self, block: Block) -> bool {
        self.place(block).is_some()
    }

    /// Place in [`Cfg::order`].
    pub fn place(&self, block: Block) -> Option<u32> {
        self.position.get(block.at()).copied().flatten()
    }

    /// Immediate dominator; `None` for the entry and for blocks that are not reachable.
    pub fn idom(&self, block: Block) -> Option<Block> {
        let place = self.place(block).filter(|place| *place != 0)?;
        Some(self.order[self.idom[place as usize] as usize])
    }

    /// True if every way to `b` leads through `a` (or they are the same). False if one is not reachable.
    pub fn dominates(&self, a: Block, b: Block) -> bool {
        let (Some(a), Some(b)) = (self.place(a), self.place(b)) else { return false };
        let ((first, last), (at, _)) = (self.interval[a as usize], self.interval[b as usize]);
        first <= at && at <= last
    }

    /// True if the jump from `from` to `to` goes backwards in [`Cfg::order`], so `to` may head a loop.
    pub fn is_back_edge(&self, from: Block, to: Block) -> bool {
        matches!((self.place(from), self.place(to)), (Some(from), Some(to)) if to <= from)
    }
}

/// Depth-first without recursion, because blocks may be many.
fn reverse_postorder(func: &Func) -> Vec<Block> {
    let mut seen = vec![false; func.blocks.len()];
    let mut order = Vec::new();
    let mut stack = Vec::new();
    let successors = |block: Block| -> Vec<Block> {
        let jumps: Vec<Block> = func.blocks[block.at()].term.jumps().map(|jump| jump.block).collect();
        jumps.into_iter().rev().collect()
    };
    if let Some(entry) = seen.first_mut() {
        *entry = true;
        stack.push((Block::ENTRY, successors(Block::ENTRY).into_iter()));
    }
    while let Some((block, rest)) = stack.last_mut() {
        match rest.next() {
            Some(next) => {
                if seen.get(next.at()) == Some(&false) {
                    seen[next.at()] = true;
                    stack.push((next, successors(next).into_iter()));
                }
            }
            None => {
                order.push(*block);
                stack.pop();
            }
        }
    }
    order.reverse();
    order
}

/// Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm".
fn dominators(order: &[Block], position: &[Option<u32>], preds: &[Vec<Block>]) -> Vec<u32> {
    let mut idom: Vec<Option<u32>> = vec![None; order.len()];
    if let Some(entry) = idom.first_mut() {
        *entry = Some(0);
    }
    let meet = |idom: &[Option<u32>], mut a: u32, mut b: u32| {
        while a != b {
            if a > b {
                a = idom[a as usize].unwrap_or(0);
            } else {
                b = idom[b as usize].unwrap_or(0);
            }
        }
        a
    };
    let mut changed = true;
    while changed {
        changed = false;
        for (place, block) in order.iter().enumerate().skip(1) {
            let known = preds[block.at()].iter().filter_map(|pred| position[pred.at()]);
            let new = known.filter(|pred| idom[*pred as usize].is_some()).reduce(|a, b| meet(&idom, a, b));
            if idom[place] != new {
                idom[place] = new;
                changed = true;
            }
        }
    }
    idom.into_iter().map(|dominator| dominator.unwrap_or(0)).collect()
}

/// For each node of the dominator tree its preorder number and the last one in its subtree.
fn intervals(idom: &[u32]) -> Vec<(u32, u32)> {
    let mut size = vec![1u32; idom.len()];
    for place in (1..idom.len()).rev() {
        // A dominator stands before what it dominates, so subtrees are complete when they are added.
        size[idom[place] as usize] += size[place];
    }
    let mut next_child: Vec<u32> = vec![1; idom.len()];
    let mut interval = vec![(0, 0); idom.len()];
    for place in 0..idom.len() {
        let parent = idom[place] as usize;
        let first = if place == 0 {
            0
        } else {
            let first = interval[parent].0 + next_child[parent];
            next_child[parent] += size[place];
            first
        };
        interval[place] = (first, first + size[place] - 1);
    }
    interval
}

/// Empties the blocks that cannot be reached, so that nothing stands in the way of passes.
pub fn clear_unreachable(func: &mut Func) {
    let mut reached = vec![false; func.blocks.len()];
    for block in reverse_postorder(func) {
        reached[block.at()] = true;
    }
    for (data, reached) in func.blocks.iter_mut().zip(reached) {
        if !reached {
            data.params.clear();
            data.insts.clear();
            data.term = Term::Unreachable;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::parse;

    /// A loop with an exit from its middle, a diamond and a dead block.
    const TEXT: &str = "func f
b0:
  v0 = const 0
  jump b1
b1:
  guard 14 then b2 else b3
b2:
  guard 20 then b4 else b5
b3:
  exit v0
b4:
  guard 30 then b1 else b3
b5:
  jump b1
b6:
  unreachable
";

    #[test]
    fn dominators_agree_with_their_definition() {
        let func = parse(TEXT).unwrap();
        let cfg = Cfg::new(&func);
        // `a` dominates `b` if `b` cannot be reached once `a` is taken away.
        let reach_without = |gone: Block| {
            let mut seen = [false; 7];
            let mut work = vec![Block::ENTRY];
            while let Some(block) = work.pop() {
                if block != gone && !std::mem::replace(&mut seen[block.at()], true) {
                    work.extend(func.blocks[block.at()].term.jumps().map(|jump| jump.block));
                }
            }
            seen
        };
        for a in func.block_ids().take(6) {
            let reached = reach_without(a);
            for b in func.block_ids().take(6) {
                assert_eq!(cfg.dominates(a, b), !reached[b.at()], "{a} over {b}");
            }
        }
        assert!(!cfg.is_reachable(Block(6)));
        assert_eq!(cfg.idom(Block(4)), Some(Block(2)));
        assert!(cfg.is_back_edge(Block(5), Block(1)));
        assert_eq!(cfg.preds[1], [Block(0), Block(4), Block(5)]);
    }
}
