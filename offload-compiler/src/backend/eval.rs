//! Runs an image's words one after the other, for tests: the contract of `hw/spec/isa.toml` read once more, unit by unit, over
//! memory, maps and requests of the IR interpreter.

use crate::ebpf::MapIdx;
use crate::ir::interp::{Answer, Maps, Memory, Operands, Packet, World};
use offwire_image::Image;
use offwire_isa::{Base, METADATA_BYTES, Read, RequestOp, Space, Src, StoreOp, Target, Word};

/// Words that one packet may run.
const MAX_WORDS: u32 = 1 << 16;

pub(super) struct Machine<'a> {
    regs: [u64; 16],
    /// Where open calls return to.
    calls: Vec<Target>,
    memory: Memory<'a>,
}

/// What one word's units have made so far.
#[derive(Default)]
struct Results {
    ports: [u64; 3],
    x: [u64; 2],
    a: [u64; 2],
}

/// Return value and number of words. Tail calls go on in the image's programs.
pub(super) fn run(
    image: &Image,
    packet: &mut Packet,
    maps: &mut Maps,
    world: &mut World,
) -> Result<(u32, u32), String> {
    let words = image.validate().map_err(|error| error.to_string())?;
    let mut machine = Machine { regs: [0; 16], calls: Vec::new(), memory: Memory::new(packet, maps, world) };
    let mut at = image.entry;
    for count in 1..MAX_WORDS {
        let word = words.get(usize::from(at.0)).ok_or("no such word")?;
        let go = machine.word(word).map_err(|what| format!("word {}: {what}", at.0))?;
        let value = match go {
            Go::Target(Target::Goto(next)) => {
                at = next;
                continue;
            }
            Go::Program(number) => {
                let program = image.programs.get(number as usize).ok_or("no such program")?;
                at = program.entry;
                machine.memory.maps.finish()?;
                let Memory { packet, maps, world, .. } = machine.memory;
                machine = Machine { regs: [0; 16], calls: Vec::new(), memory: Memory::new(packet, maps, world) };
                continue;
            }
            Go::Target(Target::Exit(code)) => u32::from(code),
            Go::End(value) => value,
        };
        machine.memory.maps.finish()?;
        return Ok((value, count));
    }
    Err("too many words".into())
}

enum Go {
    Target(Target),
    Program(u32),
    End(u32),
}

impl Machine<'_> {
    fn word(&mut self, word: &Word) -> Result<Go, String> {
        let mut got = Results::default();
        for (port, field) in got.ports.iter_mut().zip([word.ra, word.rb, word.rc]) {
            *port = match Read::decode(field) {
                Read::Reg(reg) => self.regs[usize::from(reg)],
                Read::Const(constant) => i64::from(constant) as u64,
            };
        }
        let base = |base: Base| match base {
            Base::Zero => 0,
            Base::Ra => got.ports[0],
            Base::Rb => got.ports[1],
            Base::Rc => got.ports[2],
        };
        let address = |from: Base, offset: i16| base(from).wrapping_add(i64::from(offset) as u64);
        let (load, store) = (address(word.ld_base, word.ld_off), address(word.st_base, word.st_off));
        let key = address(word.q_kbase, word.q_koff);
        if word.g_en {
            let need = i128::from(base(word.g_base) as i64) + i128::from(word.g_len);
            if need > self.memory.packet.bytes().len() as i128 {
                return Ok(Go::Target(word.t2));
            }
        }
        let extracts = [(word.x0_delta, word.x0_size, word.x0_swap), (word.x1_delta, word.x1_size, word.x1_swap)];
        for (n, (delta, size, swap)) in extracts.into_iter().enumerate() {
            if size == 0 {
                continue;
            }
            let mut bytes = [0; 8];
            match self.bytes(word.ld_space, load.wrapping_add(u64::from(delta)), size.into()) {
                Ok(from) => bytes[..from.len()].copy_from_slice(from),
                Err(_) if word.ld_dismiss => {}
                Err(what) => return Err(what),
            }
            if swap {
                bytes[..usize::from(size)].reverse();
            }
            got.x[n] = u64::from_le_bytes(bytes);
        }
        let src = |got: &Results, src: Src| match src {
            Src::Zero => 0,
            Src::Ra => got.ports[0],
            Src::Rb => got.ports[1],
            Src::Rc => got.ports[2],
            Src::X0 => got.x[0],
            Src::X1 => got.x[1],
            Src::A1 => got.a[0],
            Src::A2 => got.a[1],
            Src::I0 => i64::from(word.i0) as u64,
            Src::I1 => i64::from(word.i1) as u64,
            Src::Iw => i64::from((i32::from(word.i1) << 16) | i32::from(word.i0 as u16)) as u64,
        };
        got.a[0] = word.a1_op.eval(word.a1_w, src(&got, word.a1_a), src(&got, word.a1_b));
        got.a[1] = word.a2_op.eval(word.a2_w, src(&got, word.a2_a), src(&got, word.a2_b));
        let first = word.c1_op.eval(word.c1_w, src(&got, word.c1_a), src(&got, word.c1_b));
        let second = !first && word.c2_op.eval(word.c2_w, src(&got, word.c2_a), src(&got, word.c2_b));
        let killed = (first && word.st_kill1) || (second && word.st_kill2);
        if word.st_op != StoreOp::None && !killed {
            let inserts = [
                (word.s0_delta, word.s0_size, word.s0_swap, src(&got, word.s0_src)),
                (word.s1_delta, word.s1_size, word.s1_swap, src(&got, word.s1_src)),
            ];
            for (delta, size, swap, value) in inserts {
                if size == 0 {
                    continue;
                }
                let at = store.wrapping_add(u64::from(delta));
                if word.st_space == Space::Scratch && at < u64::from(METADATA_BYTES) {
                    return Err("a store into the metadata".into());
                }
                let to = self.bytes(word.st_space, at, size.into())?;
                let mut bytes = value.to_le_bytes();
                if word.st_op != StoreOp::Store {
                    let mut old = [0; 8];
                    old[..to.len()].copy_from_slice(to);
                    bytes = u64::from_le_bytes(old).wrapping_add(value).to_le_bytes();
                }
                let bytes = &mut bytes[..usize::from(size)];
                if swap {
                    bytes.reverse();
                }
                to.copy_from_slice(bytes);
            }
        }
        let even = (word.w0_src != Src::Zero).then(|| (2 * word.w0_reg, src(&got, word.w0_src)));
        let odd = (word.w1_src != Src::Zero).then(|| (2 * word.w1_reg + 1, src(&got, word.w1_src)));
        for (reg, value) in [even, odd].into_iter().flatten() {
            self.regs[usize::from(reg)] = value;
        }
        if first {
            return Ok(Go::Target(word.t1));
        }
        if second {
            return Ok(Go::Target(word.t2));
        }
        let value = src(&got, word.q_vsrc);
        let operands = Operands {
            op: word.q_op,
            map: Some(MapIdx(word.q_map.into())),
            key: (word.q_kspace, key),
            key_map: None,
            value_space: word.q_vspace,
            value,
            third: got.ports[2],
        };
        let answer = match word.q_op {
            RequestOp::None => return Ok(Go::Target(word.next)),
            RequestOp::Exit => return Ok(Go::End(value as u32)),
            RequestOp::Call if self.calls.len() >= 8 => return Err("calls are nested too deeply".into()),
            RequestOp::Call => {
                self.calls.push(word.next);
                return Ok(Go::Target(word.t2));
            }
            RequestOp::Ret => return self.calls.pop().map(Go::Target).ok_or_else(|| "nobody called".into()),
            _ => match self.memory.request(&operands)? {
                Answer::Value(answer) => answer,
                Answer::TailCall(number) => return Ok(Go::Program(number)),
            },
        };
        if word.q_op.shape().answers {
            self.regs[usize::from(word.q_dst)] = answer;
        }
        Ok(Go::Target(if word.q_null && answer == 0 { word.t2 } else { word.next }))
    }

    fn bytes(&mut self, space: Space, address: u64, size: usize) -> Result<&mut [u8], String> {
        self.memory.bytes(space, address, None, size)
    }
}
