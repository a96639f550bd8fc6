//! Graph colouring: simplify, then select, with moves as wishes and banks as demands.

use super::REGISTERS;
use super::graph::Graph;
use crate::schedule::{Code, VReg};

/// What came of it.
pub(super) enum Colors {
    /// By register; what does not occur has any.
    All(Vec<u8>),
    /// These are written by one word and cannot be kept in different banks.
    Clash(Vec<(VReg, VReg)>),
    /// These found no register at all.
    Spill(Vec<VReg>),
}

const NONE: u8 = u8::MAX;
const EVEN: u16 = 0x5555;

/// Colours all registers. Those in `fixed` (by register) must not be spilled; named registers have their colours.
pub(super) fn color(graph: &Graph, code: &Code, fixed: &[bool]) -> Colors {
    let n = code.vregs as usize;
    let mut colors = vec![NONE; n];
    for (color, reg) in (0..).zip(code.named.iter().flatten()) {
        colors[reg.0 as usize] = color;
    }
    let named: Vec<VReg> = code.named.into_iter().flatten().collect();
    let mut clashes = Vec::new();
    let mut spills = Vec::new();
    for reg in simplify(graph, fixed, &named).into_iter().rev() {
        let taken = taken(graph, &colors, reg);
        let free = !(taken | banks(graph, &colors, reg));
        if free != 0 {
            colors[reg.0 as usize] = choose(graph, &colors, reg, free);
            continue;
        }
        if taken == u16::MAX {
            spills.push(reg);
            continue;
        }
        if !recolor(graph, &mut colors, reg, &named) {
            // Only the banks forbid it.
            let partner = graph.partners[reg.0 as usize].iter().find(|(partner, _)| colors[partner.0 as usize] != NONE);
            clashes.extend(partner.map(|(partner, _)| (reg, *partner)));
        }
    }
    // Registers first: spilling changes the words, and with them the banks.
    let spills: Vec<VReg> = spills.into_iter().map(|reg| victim(graph, fixed, reg)).collect();
    if !spills.is_empty() {
        let mut once = Vec::new();
        for reg in spills {
            if !once.contains(&reg) {
                once.push(reg);
            }
        }
        return Colors::Spill(once);
    }
    if clashes.is_empty() { Colors::All(colors) } else { Colors::Clash(clashes) }
}

/// Who goes to memory so that `reg` finds a register: itself, unless it is short-lived; then the neighbour used least.
fn victim(graph: &Graph, fixed: &[bool], reg: VReg) -> VReg {
    let may = |reg: &VReg| !fixed.get(reg.0 as usize).copied().unwrap_or(false);
    if may(&reg) {
        return reg;
    }
    let neighbours = graph.neighbours[reg.0 as usize].iter().copied().filter(may);
    neighbours.min_by_key(|other| (cost(graph, *other), *other)).unwrap_or(reg)
}

/// What a spill costs against what it frees.
fn cost(graph: &Graph, reg: VReg) -> u64 {
    let at = reg.0 as usize;
    u64::from(graph.uses[at]) * 1024 / (graph.neighbours[at].len() as u64 + 1)
}

/// The order in which registers leave the graph: those that certainly find a colour first. Those that are named never do.
fn simplify(graph: &Graph, fixed: &[bool], named: &[VReg]) -> Vec<VReg> {
    let n = graph.neighbours.len();
    let mut degree: Vec<usize> = graph.neighbours.iter().map(Vec::len).collect();
    let used = |at: usize| graph.uses[at] > 0 && !named.contains(&VReg(at as u32));
    let mut gone: Vec<bool> = (0..n).map(|at| !used(at)).collect();
    let mut order = Vec::with_capacity(n);
    let mut easy: Vec<usize> = (0..n).filter(|&at| used(at) && degree[at] < REGISTERS).collect();
    let mut hard: Vec<usize> = (0..n).filter(|&at| used(at) && degree[at] >= REGISTERS).collect();
    loop {
        let at = match easy.pop() {
            Some(at) if gone[at] => continue,
            Some(at) => at,
            None => {
                hard.retain(|&at| !gone[at]);
                // Cheapest to spill first, since it is coloured last.
                let key = |at: &usize| {
                    let reg = VReg(*at as u32);
                    (fixed.get(*at).copied().unwrap_or(false), cost(graph, reg), *at)
                };
                match hard.iter().copied().min_by_key(key) {
                    Some(at) => at,
                    None => return order,
                }
            }
        };
        gone[at] = true;
        order.push(VReg(at as u32));
        for other in &graph.neighbours[at] {
            let other = other.0 as usize;
            degree[other] -= 1;
            if degree[other] == REGISTERS - 1 && !gone[other] {
                easy.push(other);
            }
        }
    }
}

fn taken(graph: &Graph, colors: &[u8], reg: VReg) -> u16 {
    let used = graph.neighbours[reg.0 as usize].iter().map(|other| colors[other.0 as usize]);
    used.filter(|color| *color != NONE).fold(0, |set, color| set | 1 << color)
}

/// Registers that partners in a word's write backs forbid.
fn banks(graph: &Graph, colors: &[u8], reg: VReg) -> u16 {
    let mut set = 0;
    for &(partner, shared) in &graph.partners[reg.0 as usize] {
        let color = colors[partner.0 as usize];
        if color != NONE {
            let bank = if color & 1 == 0 { EVEN } else { !EVEN };
            let may_share = shared && !graph.interfere(reg, partner);
            set |= if may_share { bank & !(1 << color) } else { bank };
        }
    }
    set
}

fn choose(graph: &Graph, colors: &[u8], reg: VReg, free: u16) -> u8 {
    let at = reg.0 as usize;
    let of = |other: &VReg| colors[other.0 as usize];
    // What it is copied from or to, if that is settled.
    let wish = graph.moves[at].iter().map(of).find(|color| *color != NONE && free >> color & 1 == 1);
    if let Some(color) = wish {
        return color;
    }
    // Else something that a partner of a later choice can still be beside, and that unsettled copies could take as well.
    let mut liked = free;
    for other in graph.moves[at].iter().filter(|other| of(other) == NONE) {
        let both = liked & !taken(graph, colors, *other);
        if both != 0 {
            liked = both;
        }
    }
    liked.trailing_zeros() as u8
}

/// Moves one coloured partner to the other bank so that `reg` finds a place; true if that worked.
fn recolor(graph: &Graph, colors: &mut [u8], reg: VReg, named: &[VReg]) -> bool {
    for &(partner, _) in graph.partners[reg.0 as usize].iter().filter(|(partner, _)| !named.contains(partner)) {
        let old = colors[partner.0 as usize];
        if old == NONE {
            continue;
        }
        colors[partner.0 as usize] = NONE;
        let free = !(taken(graph, colors, partner) | banks(graph, colors, partner));
        for color in (0..REGISTERS as u8).filter(|color| free >> color & 1 == 1) {
            colors[partner.0 as usize] = color;
            let free = !(taken(graph, colors, reg) | banks(graph, colors, reg));
            if free != 0 {
                colors[reg.0 as usize] = choose(graph, colors, reg, free);
                return true;
            }
        }
        colors[partner.0 as usize] = old;
    }
    false
}
