//! Sources of chance for the kernel: calls of clocks and of the random generator become accesses to a map of ours.
//!
//! A replaced call gives its result in r0 and uses r1 and r2, which a call leaves without a value. Instructions move, so every
//! relative distance is made anew: jumps, local calls, references to functions.

use crate::chance::{Chance, RANDOM_FACTOR, RANDOM_INCREMENT};

/// Bytes of the map's only value: `ktime_ns`, `jiffies` and `random_state` of a [`Chance`], 8 bytes each.
pub(super) const VALUE_SIZE: usize = 24;
const KTIME: i16 = 0;
const JIFFIES: i16 = 8;
const RANDOM: i16 = 16;

/// Numbers of the helpers (include/uapi/linux/bpf.h).
const KTIME_GET_NS: i32 = 5;
const TRACE_PRINTK: i32 = 6;
const GET_PRANDOM_U32: i32 = 7;
const JIFFIES64: i32 = 118;
const KTIME_GET_BOOT_NS: i32 = 125;
const KTIME_GET_COARSE_NS: i32 = 160;

const LD_IMM64: u8 = 0x18;
const CALL: u8 = 0x85;
/// BPF_JMP | BPF_JA is relative by its offset, BPF_JMP32 | BPF_JA by its immediate.
const JA32: u8 = 0x06;
const EXIT: u8 = 0x95;
const PSEUDO_MAP_VALUE: u8 = 2;
const PSEUDO_CALL: u8 = 1;
const PSEUDO_FUNC: u8 = 4;

type Slot = [u8; 8];

/// The value of the map.
pub(super) fn value(chance: &Chance) -> Vec<u8> {
    [chance.ktime_ns, chance.jiffies, chance.random_state].into_iter().flat_map(u64::to_ne_bytes).collect()
}

/// True if the instruction calls a source of chance.
fn draws(insn: &Slot) -> bool {
    let [opcode, regs, _, _, imm @ ..] = *insn;
    opcode == CALL
        && regs >> 4 == 0
        && matches!(
            i32::from_le_bytes(imm),
            KTIME_GET_NS | GET_PRANDOM_U32 | JIFFIES64 | KTIME_GET_BOOT_NS | KTIME_GET_COARSE_NS
        )
}

/// True if the program calls bpf_trace_printk.
pub(super) fn prints(insns: &[Slot]) -> bool {
    let number = TRACE_PRINTK.to_le_bytes();
    insns.iter().any(|insn| {
        insn.first() == Some(&CALL) && insn.get(1).is_some_and(|regs| regs >> 4 == 0) && insn.ends_with(&number)
    })
}

/// True if the program calls any source of chance.
pub(super) fn any(insns: &[Slot]) -> bool {
    insns.iter().any(draws)
}

fn slot(opcode: u8, dst: u8, src: u8, off: i16, imm: i32) -> Slot {
    let ([a, b], [c, d, e, f]) = (off.to_le_bytes(), imm.to_le_bytes());
    [opcode, dst | src << 4, a, b, c, d, e, f]
}

fn load_imm64(dst: u8, src: u8, low: i32, high: i32) -> [Slot; 2] {
    [slot(LD_IMM64, dst, src, 0, low), slot(0, 0, 0, 0, high)]
}

/// What stands in place of the call.
fn instead(insn: &Slot, map_fd: i32) -> Vec<Slot> {
    let [_, _, _, _, imm @ ..] = *insn;
    let constant = |value: u64| load_imm64(2, 0, value as u32 as i32, (value >> 32) as u32 as i32);
    let mut slots = load_imm64(1, PSEUDO_MAP_VALUE, map_fd, 0).to_vec();
    match i32::from_le_bytes(imm) {
        GET_PRANDOM_U32 => {
            slots.push(slot(0x79, 0, 1, RANDOM, 0)); // r0 = *(u64 *)(r1 + 16)
            slots.extend(constant(RANDOM_FACTOR));
            slots.push(slot(0x2f, 0, 2, 0, 0)); // r0 *= r2
            slots.extend(constant(RANDOM_INCREMENT));
            slots.push(slot(0x0f, 0, 2, 0, 0)); // r0 += r2
            slots.push(slot(0x7b, 1, 0, RANDOM, 0)); // *(u64 *)(r1 + 16) = r0
            slots.push(slot(0x77, 0, 0, 0, 32)); // r0 >>= 32
        }
        JIFFIES64 => slots.push(slot(0x79, 0, 1, JIFFIES, 0)),
        _ => slots.push(slot(0x79, 0, 1, KTIME, 0)),
    }
    slots
}

/// A program whose calls are replaced.
pub(super) struct Rewritten {
    pub(super) insns: Vec<Slot>,
    /// Where each instruction of the program stands now, and the end.
    pub(super) places: Vec<usize>,
}

/// Replaces all calls; `None` if a distance does not fit its field any more.
pub(super) fn replace(insns: &[Slot], map_fd: i32) -> Option<Rewritten> {
    let mut places = Vec::with_capacity(insns.len() + 1);
    let mut at = 0;
    for insn in insns {
        places.push(at);
        at += if draws(insn) { instead(insn, map_fd).len() } else { 1 };
    }
    places.push(at);
    let mut out = Vec::with_capacity(at);
    let mut second = false;
    for (at, insn) in insns.iter().enumerate() {
        if !std::mem::take(&mut second) {
            if draws(insn) {
                out.extend(instead(insn, map_fd));
                continue;
            }
            second = insn[0] == LD_IMM64;
            out.push(moved(insn, at, &places)?);
        } else {
            out.push(*insn);
        }
    }
    Some(Rewritten { insns: out, places })
}

/// The instruction with its distance as it is between the new places.
fn moved(insn: &Slot, at: usize, places: &[usize]) -> Option<Slot> {
    let [opcode, regs, off_low, off_high, imm @ ..] = *insn;
    let distance = |old: i64| -> Option<i64> {
        let target = usize::try_from(i64::try_from(at).ok()? + 1 + old).ok()?;
        Some(*places.get(target)? as i64 - *places.get(at + 1)? as i64)
    };
    let by_imm = || -> Option<Slot> {
        let [a, b, c, d] = i32::try_from(distance(i64::from(i32::from_le_bytes(imm)))?).ok()?.to_le_bytes();
        Some([opcode, regs, off_low, off_high, a, b, c, d])
    };
    match (opcode, opcode & 7) {
        // The distance counts from the first slot of the load.
        (LD_IMM64, _) if regs >> 4 == PSEUDO_FUNC => by_imm(),
        (CALL, _) if regs >> 4 == PSEUDO_CALL => by_imm(),
        (JA32, _) => by_imm(),
        (CALL | EXIT, _) => Some(*insn),
        (_, 5 | 6) => {
            let off = i64::from(i16::from_le_bytes([off_low, off_high]));
            let [a, b] = i16::try_from(distance(off)?).ok()?.to_le_bytes();
            let [c, d, e, f] = imm;
            Some([opcode, regs, a, b, c, d, e, f])
        }
        _ => Some(*insn),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_follow_what_is_inserted() {
        // 0: r1 = func(+4), 2: call ktime, 3: if r0 == 0 goto +1, 4: gotol -3, 5: exit, 6: call prandom, 7: goto -2
        let [first, second] = load_imm64(1, PSEUDO_FUNC, 5, 0);
        let insns = [
            first,
            second,
            slot(CALL, 0, 0, 0, KTIME_GET_NS),
            slot(0x15, 0, 0, 1, 0),
            slot(JA32, 0, 0, 0, -3),
            slot(EXIT, 0, 0, 0, 0),
            slot(CALL, 0, 0, 0, GET_PRANDOM_U32),
            slot(0x05, 0, 0, -2, 0),
        ];
        let Rewritten { insns, places } = replace(&insns, 9).expect("short distances");
        assert_eq!(places, [0, 1, 2, 5, 6, 7, 8, 19, 20]);
        let imm = |at: usize| i32::from_le_bytes([insns[at][4], insns[at][5], insns[at][6], insns[at][7]]);
        assert_eq!(imm(0), 7, "the function is at slot 8");
        assert_eq!(i16::from_le_bytes([insns[5][2], insns[5][3]]), 1);
        assert_eq!(imm(6), -5, "back to the first slot that reads the clock");
        assert_eq!(i16::from_le_bytes([insns[19][2], insns[19][3]]), -12, "back to the random number");
    }

    #[test]
    fn a_distance_that_no_longer_fits_is_told() {
        let mut insns = vec![slot(0x15, 0, 0, i16::MAX, 0)];
        insns.extend(vec![slot(CALL, 0, 0, 0, KTIME_GET_NS); 40_000]);
        assert!(replace(&insns, 3).is_none());
    }
}
