//! Random programs that are safe by construction.
//!
//! r6 holds the context, r7 `data`, r8 `data_end`; r0 to r5 and r9 hold numbers, set before anything else; the stack from r10 - 64
//! on holds numbers too. Every step leaves it so.

mod requests;

use offload_compiler::ebpf::{AluOp, AtomicOp, Cond, Imm64, Insn, InsnIdx, MapIdx, Operand, Reg, Size, Width, encode};
use offload_compiler::object::{Initial, Map, Object, Program};
use offwire_image::{MapKind, MapSpec};

/// Numbers from a seed (splitmix64).
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

const CTX: Reg = Reg(6);
const DATA: Reg = Reg(7);
const END: Reg = Reg(8);
const FP: Reg = Reg(10);
/// Registers that hold numbers.
const NUMBERS: [Reg; 7] = [Reg(0), Reg(1), Reg(2), Reg(3), Reg(4), Reg(5), Reg(9)];
const SIZES: [Size; 4] = [Size::B1, Size::B2, Size::B4, Size::B8];
const ARRAY: u16 = 0;
const HASH: u16 = 1;
const CPU: u16 = 2;
const RODATA: u16 = 3;

fn maps() -> Vec<Map> {
    let map = |name: &str, kind, key_size, value_size, max_entries| MapSpec {
        name: name.into(),
        kind,
        key_size,
        value_size,
        max_entries,
        flags: 0,
        init: Vec::new(),
        frozen: false,
    };
    let rodata = MapSpec { init: (1..25).collect(), frozen: true, ..map("rodata", MapKind::Array, 4, 32, 1) };
    let specs = [
        map("array", MapKind::Array, 4, 32, 4),
        map("hash", MapKind::Hash, 8, 16, 4),
        map("cpu", MapKind::PercpuArray, 4, 16, 2),
        rodata,
        map("dev", MapKind::Devmap, 4, 4, 8),
        map("ring", MapKind::Ringbuf, 0, 0, 4096),
        map("perf", MapKind::PerfEventArray, 4, 4, 4),
        map("outer", MapKind::ArrayOfMaps, 4, 4, 2),
        map("inner", MapKind::Hash, 8, 16, 2),
        map("lru", MapKind::LruHash, 8, 16, 64),
    ];
    let mut maps: Vec<Map> = specs.into_iter().map(Map::from).collect();
    maps[usize::from(requests::OUTER)].inner = Some(Box::new(map("outer.inner", MapKind::Hash, 8, 16, 2)));
    maps[usize::from(requests::OUTER)].initial = vec![(1, Initial::Map(MapIdx(requests::INNER)))];
    maps
}

/// An object with one program of about so many steps.
pub(crate) fn object(seed: u64, steps: u32) -> Object {
    let mut made = Maker {
        rng: Rng(seed ^ 0x5eed),
        insns: Vec::new(),
        packet: 0,
        exits: Vec::new(),
        calls: Vec::new(),
        others: Vec::new(),
        depth: 0,
    };
    made.start();
    for _ in 0..steps {
        made.step();
    }
    made.finish();
    let others = made.add_functions();
    let insns = made.insns;
    let mut functions = vec![(InsnIdx(0), "prog".to_string())];
    functions.extend(made.calls.iter().map(|(_, at)| *at).take(1).map(|at| (InsnIdx(at as u32), "local".to_string())));
    functions.extend(others);
    let raw = encode(&insns).expect("what is made here encodes");
    let program = Program { name: "prog".into(), section: "xdp".into(), insns, raw, functions, ..Program::default() };
    Object { programs: vec![program], maps: maps(), license: "GPL".into(), ..Object::default() }
}

fn mov(dst: Reg, imm: i32) -> Insn {
    Insn::Alu { width: Width::W64, op: AluOp::Mov, dst, src: Operand::Imm(imm) }
}

fn copy(dst: Reg, src: Reg) -> Insn {
    Insn::Alu { width: Width::W64, op: AluOp::Mov, dst, src: Operand::Reg(src) }
}

fn add(dst: Reg, imm: i32) -> Insn {
    Insn::Alu { width: Width::W64, op: AluOp::Add, dst, src: Operand::Imm(imm) }
}

fn load(size: Size, dst: Reg, base: Reg, off: i16) -> Insn {
    Insn::Load { size, signed: false, dst, base, off }
}

struct Maker {
    rng: Rng,
    insns: Vec<Insn>,
    /// Bytes of packet that are certainly there.
    packet: i32,
    /// Jumps to the end of the program.
    exits: Vec<usize>,
    /// Calls of the local function, and where it starts.
    calls: Vec<(usize, usize)>,
    /// Uses of the functions in `requests::FUNCTIONS`: where, and which one.
    others: Vec<(usize, usize)>,
    depth: u32,
}

impl Maker {
    fn put(&mut self, insn: Insn) -> usize {
        self.insns.push(insn);
        self.insns.len() - 1
    }

    fn here(&self) -> InsnIdx {
        InsnIdx(self.insns.len() as u32)
    }

    /// Lets a jump go here.
    fn land(&mut self, at: usize) {
        self.aim(at, self.here());
    }

    fn aim(&mut self, at: usize, to: InsnIdx) {
        if let Insn::Jump { target } | Insn::JumpIf { target, .. } | Insn::CallLocal { target } = &mut self.insns[at] {
            *target = to;
        }
    }

    fn start(&mut self) {
        self.put(copy(CTX, Reg(1)));
        self.pointers();
        // Numbers that nobody can know: bytes of the packet, which always has 14.
        self.put(mov(Reg(0), 1));
        self.put(copy(Reg(2), DATA));
        self.put(add(Reg(2), 14));
        let (jump, _) = self.bounds_jump(Reg(2));
        self.exits.push(jump);
        self.packet = 14;
        for reg in NUMBERS {
            let size = self.rng.pick(&SIZES);
            let off = self.rng.below(15 - u64::from(size.bytes())) as i16;
            self.put(load(size, reg, DATA, off));
        }
        for slot in 1..=8 {
            let src = self.operand();
            self.put(Insn::Store { size: Size::B8, base: FP, off: -8 * slot, src });
        }
    }

    /// Loads data and data_end.
    fn pointers(&mut self) {
        self.put(load(Size::B4, DATA, CTX, 0));
        self.put(load(Size::B4, END, CTX, 4));
        self.packet = 0;
    }

    fn finish(&mut self) {
        let result = self.number();
        self.put(copy(Reg(0), result));
        for at in std::mem::take(&mut self.exits) {
            self.land(at);
        }
        self.put(Insn::Exit);
        if self.calls.is_empty() {
            return;
        }
        // uint64_t local(a, b): stores a on its own stack, works on it, and gives it back.
        let start = self.here();
        for (at, function) in &mut self.calls {
            *function = start.at();
            if let Insn::CallLocal { target } = &mut self.insns[*at] {
                *target = start;
            }
        }
        self.insns.extend([
            Insn::Store { size: Size::B8, base: FP, off: -8, src: Operand::Reg(Reg(1)) },
            Insn::Alu { width: Width::W64, op: AluOp::Xor, dst: Reg(2), src: Operand::Reg(Reg(1)) },
            load(Size::B4, Reg(0), FP, -6),
            Insn::Alu { width: Width::W64, op: AluOp::Add, dst: Reg(0), src: Operand::Reg(Reg(2)) },
            mov(CTX, 7),
            Insn::JumpIf {
                width: Width::W32,
                cond: Cond::Sgt,
                dst: Reg(0),
                src: Operand::Imm(0),
                target: InsnIdx(start.0 + 7),
            },
            Insn::Exit,
            Insn::Alu { width: Width::W32, op: AluOp::Sub, dst: Reg(0), src: Operand::Reg(CTX) },
            Insn::Exit,
        ]);
    }

    fn number(&mut self) -> Reg {
        self.rng.pick(&NUMBERS)
    }

    fn immediate(&mut self) -> i32 {
        match self.rng.below(4) {
            0 => self.rng.below(40) as i32,
            1 => self.rng.pick(&[8, 16, 24, 32, 0xff, 0xffff, -1, i32::MIN, i32::MAX, 0xff1f, 7, 10, 1000, 641]),
            2 => self.rng.next() as i16 as i32,
            _ => self.rng.next() as i32,
        }
    }

    fn width(&mut self) -> Width {
        self.rng.pick(&[Width::W32, Width::W64])
    }

    fn operand(&mut self) -> Operand {
        if self.rng.below(2) == 0 { Operand::Reg(self.number()) } else { Operand::Imm(self.immediate()) }
    }

    fn step(&mut self) {
        match self.rng.below(23) {
            0..=3 => self.alu(),
            4 | 5 => self.other_alu(),
            6..=8 => self.memory(),
            9 => self.joined_load(),
            10 | 11 => self.guard(),
            12 => self.variable_guard(),
            13 | 14 => self.branch(),
            15 => self.lookup(),
            16 => self.change(),
            17 => self.special(),
            18 => self.repeat(),
            19..=21 => self.request(),
            _ => self.global_data(),
        }
    }

    fn alu(&mut self) {
        let (width, dst) = (self.width(), self.number());
        let op = self.rng.pick(&[
            AluOp::Add,
            AluOp::Sub,
            AluOp::Mul,
            AluOp::Or,
            AluOp::And,
            AluOp::Lsh,
            AluOp::Rsh,
            AluOp::Xor,
            AluOp::Mov,
            AluOp::Arsh,
            AluOp::Div,
            AluOp::Mod,
            AluOp::Sdiv,
            AluOp::Smod,
        ]);
        let shift = matches!(op, AluOp::Lsh | AluOp::Rsh | AluOp::Arsh);
        let bits = if width == Width::W64 { 64 } else { 32 };
        let src = match op {
            // The kernel refuses the constant 0.
            AluOp::Div | AluOp::Mod | AluOp::Sdiv | AluOp::Smod => match self.operand() {
                Operand::Imm(0) => Operand::Imm(3),
                Operand::Imm(_) if self.rng.below(3) == 0 => Operand::Imm(1 << self.rng.below(31)),
                src => src,
            },
            _ if shift && self.rng.below(2) == 0 => Operand::Imm(self.rng.below(bits) as i32),
            // The kernel refuses constant shifts beyond the width; registers may hold anything.
            _ if shift => Operand::Reg(self.number()),
            _ => self.operand(),
        };
        self.put(Insn::Alu { width, op, dst, src });
    }

    fn other_alu(&mut self) {
        let (width, dst, src) = (self.width(), self.number(), self.number());
        let bits = self.rng.pick(&[16, 32, 64]);
        let insn = match self.rng.below(5) {
            0 => Insn::Neg { width, dst },
            1 => Insn::Endian { bits, to_be: self.rng.below(2) == 0, dst },
            2 => Insn::Bswap { bits, dst },
            3 if width == Width::W32 => Insn::MovSx { width, bits: self.rng.pick(&[8, 16]), dst, src },
            3 => Insn::MovSx { width, bits: self.rng.pick(&[8, 16, 32]), dst, src },
            _ => {
                let value = Imm64::Const(self.rng.next());
                self.put(Insn::LoadImm64 { dst, value });
                Insn::Wide
            }
        };
        self.put(insn);
    }

    /// A load or store of packet or stack.
    fn memory(&mut self) {
        let size = self.rng.pick(&SIZES);
        let bytes = size.bytes() as i32;
        let (base, off) = if self.packet >= bytes && self.rng.below(2) == 0 {
            (DATA, self.rng.below((self.packet - bytes + 1) as u64) as i16)
        } else {
            // Aligned, as the kernel wants it of the stack.
            (
                FP,
                -8 * (1 + self.rng.below(8) as i16)
                    + (self.rng.below(8 / u64::from(size.bytes())) * u64::from(size.bytes())) as i16,
            )
        };
        let reg = self.number();
        let insn = match self.rng.below(5) {
            0 | 1 => {
                let signed = size != Size::B8 && self.rng.below(4) == 0;
                Insn::Load { size, signed, dst: reg, base, off }
            }
            2 => Insn::Store { size, base, off, src: Operand::Imm(self.immediate()) },
            3 if base == FP && bytes >= 4 => {
                let op = self.rng.pick(&[AtomicOp::Add, AtomicOp::Or, AtomicOp::And, AtomicOp::Xor, AtomicOp::Xchg]);
                Insn::Atomic { size, op, fetch: op == AtomicOp::Xchg || self.rng.below(2) == 0, base, off, src: reg }
            }
            _ => Insn::Store { size, base, off, src: Operand::Reg(reg) },
        };
        self.put(insn);
    }

    /// What clang makes of an unaligned load.
    fn joined_load(&mut self) {
        let bytes = self.rng.pick(&[2, 4]);
        if self.packet < bytes {
            return;
        }
        let off = self.rng.below((self.packet - bytes + 1) as u64) as i16;
        let width = self.width();
        self.put(load(Size::B1, Reg(2), DATA, off));
        for n in 1..bytes {
            self.put(load(Size::B1, Reg(3), DATA, off + n as i16));
            self.put(Insn::Alu { width, op: AluOp::Lsh, dst: Reg(3), src: Operand::Imm(8 * n) });
            self.put(Insn::Alu { width, op: AluOp::Or, dst: Reg(2), src: Operand::Reg(Reg(3)) });
        }
        if self.rng.below(2) == 0 {
            self.put(Insn::Endian { bits: 16, to_be: true, dst: Reg(2) });
        }
    }

    /// A comparison of a pointer in `pointer` with data_end that jumps where the bytes before `pointer` are not there. Gives the
    /// jump, and how many bytes short of `pointer` the proof is.
    fn bounds_jump(&mut self, pointer: Reg) -> (usize, i32) {
        // (condition, end on the left, strict: one byte less is proved)
        let (cond, end_first, less) =
            self.rng.pick(&[(Cond::Gt, false, 0), (Cond::Ge, false, 0), (Cond::Lt, true, 0), (Cond::Le, true, 0)]);
        let (dst, src) = if end_first { (END, pointer) } else { (pointer, END) };
        let jump = Insn::JumpIf { width: Width::W64, cond, dst, src: Operand::Reg(src), target: InsnIdx(0) };
        (self.put(jump), less)
    }

    fn guard(&mut self) {
        let bytes = 14 + self.rng.below(50) as i32;
        self.put(copy(Reg(2), DATA));
        self.put(add(Reg(2), bytes));
        match self.rng.below(3) {
            0 => {
                // Leaves the program.
                let (jump, less) = self.bounds_jump(Reg(2));
                self.scramble(&[2]);
                self.exits.push(jump);
                self.packet = self.packet.max(bytes - less);
            }
            1 => {
                // Jumps over what needs the bytes.
                let (jump, less) = self.bounds_jump(Reg(2));
                self.scramble(&[2]);
                let before = self.packet;
                self.packet = self.packet.max(bytes - less);
                self.some_steps();
                self.packet = self.packet.min(before);
                self.land(jump);
                self.scramble(&[2]);
            }
            _ => {
                // The other sense: jumps to what needs the bytes.
                let (cond, end_first) =
                    self.rng.pick(&[(Cond::Le, false), (Cond::Lt, false), (Cond::Ge, true), (Cond::Gt, true)]);
                let (dst, src) = if end_first { (END, Reg(2)) } else { (Reg(2), END) };
                let jump = Insn::JumpIf { width: Width::W64, cond, dst, src: Operand::Reg(src), target: InsnIdx(0) };
                let there = self.put(jump);
                let out = self.put(Insn::Jump { target: InsnIdx(0) });
                self.land(there);
                let before = self.packet;
                self.packet = self.packet.max(bytes);
                self.scramble(&[2]);
                self.some_steps();
                self.packet = self.packet.min(before);
                self.land(out);
                self.scramble(&[2]);
            }
        }
    }

    /// Numbers again where pointers were.
    fn scramble(&mut self, regs: &[u8]) {
        for reg in regs {
            let insn = match self.rng.below(3) {
                0 => mov(Reg(*reg), self.immediate()),
                1 => copy(Reg(*reg), Reg(9)),
                _ => load(Size::B8, Reg(*reg), FP, -8 * (1 + self.rng.below(8) as i16)),
            };
            self.put(insn);
        }
    }

    fn some_steps(&mut self) {
        self.depth += 1;
        if self.depth < 4 {
            for _ in 0..self.rng.below(5) {
                self.step();
            }
        }
        self.depth -= 1;
    }

    /// data + number + constant, checked.
    fn variable_guard(&mut self) {
        let from = self.number();
        let mask = self.rng.pick(&[0xf, 0x3c, 0x1f]);
        let bytes = 1 + self.rng.below(24) as i32;
        let size = self.rng.pick(&SIZES);
        if (size.bytes() as i32) > bytes {
            return;
        }
        let width = self.width();
        self.put(copy(Reg(3), from));
        self.put(Insn::Alu { width, op: AluOp::And, dst: Reg(3), src: Operand::Imm(mask) });
        if self.rng.below(2) == 0 {
            self.put(add(Reg(3), 14));
        }
        self.put(copy(Reg(4), DATA));
        self.put(Insn::Alu { width: Width::W64, op: AluOp::Add, dst: Reg(4), src: Operand::Reg(Reg(3)) });
        self.put(copy(Reg(5), Reg(4)));
        self.put(add(Reg(5), bytes));
        let (jump, _) = self.bounds_jump(Reg(5));
        let off = self.rng.below((bytes - size.bytes() as i32 + 1) as u64) as i16;
        if self.rng.below(2) == 0 {
            self.put(load(size, Reg(9), Reg(4), off));
        } else {
            self.put(Insn::Store { size, base: Reg(4), off, src: Operand::Reg(Reg(9)) });
        }
        self.land(jump);
        self.scramble(&[4, 5]);
    }

    fn branch(&mut self) {
        let (width, dst, src) = (self.width(), self.number(), self.operand());
        let cond = self.rng.pick(&[
            Cond::Eq,
            Cond::Ne,
            Cond::Gt,
            Cond::Ge,
            Cond::Lt,
            Cond::Le,
            Cond::Set,
            Cond::Sgt,
            Cond::Sge,
            Cond::Slt,
            Cond::Sle,
        ]);
        let jump = self.put(Insn::JumpIf { width, cond, dst, src, target: InsnIdx(0) });
        if self.rng.below(4) == 0 {
            // Out with whatever r0 is.
            self.exits.push(jump);
            return;
        }
        let before = self.packet;
        self.some_steps();
        let inside = self.packet;
        if self.rng.below(2) == 0 {
            let out = self.put(Insn::Jump { target: InsnIdx(0) });
            self.land(jump);
            self.packet = before;
            self.some_steps();
            self.land(out);
        } else {
            self.land(jump);
        }
        self.packet = self.packet.min(inside).min(before);
    }

    /// r2 = the address of a key on the stack, r1 = the map.
    fn key(&mut self, map: u16) {
        let number = self.rng.below(5) as i32;
        if matches!(map, HASH | requests::LRU) {
            self.put(Insn::Store { size: Size::B8, base: FP, off: -72, src: Operand::Imm(number) });
        } else if self.rng.below(2) == 0 {
            self.put(Insn::Store { size: Size::B4, base: FP, off: -72, src: Operand::Imm(number) });
        } else {
            let reg = self.number();
            self.put(Insn::Alu { width: Width::W32, op: AluOp::And, dst: reg, src: Operand::Imm(7) });
            self.put(Insn::Store { size: Size::B4, base: FP, off: -72, src: Operand::Reg(reg) });
        }
        self.put(Insn::LoadImm64 { dst: Reg(1), value: Imm64::Map(MapIdx(map)) });
        self.put(Insn::Wide);
        self.put(copy(Reg(2), FP));
        self.put(add(Reg(2), -72));
    }

    fn lookup(&mut self) {
        let map = self.rng.pick(&[ARRAY, HASH, CPU]);
        let value_size = if map == ARRAY { 32 } else { 16 };
        self.key(map);
        self.put(Insn::CallHelper { id: 1 });
        let (cond, found_next) = self.rng.pick(&[(Cond::Eq, true), (Cond::Ne, false)]);
        let jump =
            self.put(Insn::JumpIf { width: Width::W64, cond, dst: Reg(0), src: Operand::Imm(0), target: InsnIdx(0) });
        let out = if found_next {
            jump
        } else {
            let out = self.put(Insn::Jump { target: InsnIdx(0) });
            self.land(jump);
            out
        };
        for _ in 0..1 + self.rng.below(4) {
            let size = self.rng.pick(&SIZES);
            let bytes = u64::from(size.bytes());
            let off = (self.rng.below(value_size / bytes) * bytes) as i16;
            match self.rng.below(4) {
                0 => {
                    self.put(load(size, Reg(9), Reg(0), off));
                }
                1 => {
                    self.put(Insn::Store { size, base: Reg(0), off, src: Operand::Reg(Reg(9)) });
                }
                2 if bytes >= 4 => {
                    self.put(Insn::Atomic { size, op: AtomicOp::Add, fetch: false, base: Reg(0), off, src: Reg(9) });
                }
                _ => {
                    self.put(load(size, Reg(1), Reg(0), off));
                    let imm = self.immediate();
                    self.put(add(Reg(1), imm));
                    self.put(Insn::Store { size, base: Reg(0), off, src: Operand::Reg(Reg(1)) });
                }
            }
        }
        self.land(out);
        self.scramble(&[0, 1, 2, 3, 4, 5]);
    }

    /// An update or a deletion.
    fn change(&mut self) {
        let map = self.rng.pick(&[ARRAY, HASH, HASH]);
        self.key(map);
        if self.rng.below(2) == 0 {
            self.put(copy(Reg(3), FP));
            self.put(add(Reg(3), -32));
            let flags = self.rng.below(3) as i32;
            self.put(mov(Reg(4), flags));
            self.put(Insn::CallHelper { id: 2 });
        } else {
            self.put(Insn::CallHelper { id: 3 });
        }
        self.scramble(&[1, 2, 3, 4, 5]);
    }

    fn special(&mut self) {
        match self.rng.below(8) {
            0 => {
                self.put(Insn::CallHelper { id: 8 });
                self.scramble(&[1, 2, 3, 4, 5]);
            }
            1 => {
                let off = self.rng.pick(&[12, 16]);
                let dst = self.number();
                self.put(load(Size::B4, dst, CTX, off));
            }
            2 => {
                // The packet's length.
                let dst = self.number();
                self.put(copy(dst, END));
                self.put(Insn::Alu { width: Width::W64, op: AluOp::Sub, dst, src: Operand::Reg(DATA) });
            }
            3 => {
                self.put(copy(Reg(1), CTX));
                let delta = self.rng.below(24) as i32 - 12;
                self.put(mov(Reg(2), delta));
                self.put(Insn::CallHelper { id: 44 });
                self.pointers();
                self.scramble(&[1, 2, 3, 4, 5]);
            }
            4 => {
                let at = self.put(Insn::CallLocal { target: InsnIdx(0) });
                self.calls.push((at, 0));
                self.scramble(&[1, 2, 3, 4, 5]);
            }
            5 | 6 => self.length(),
            _ => {
                // A pointer on the stack, and back.
                self.put(Insn::Store { size: Size::B8, base: FP, off: -80, src: Operand::Reg(DATA) });
                self.put(mov(DATA, 0));
                self.some_numbers();
                self.put(load(Size::B8, DATA, FP, -80));
            }
        }
    }

    /// A length in 32 bits, from the low halves of two packet pointers.
    fn length(&mut self) {
        let alu = |op, dst, src| Insn::Alu { width: Width::W32, op, dst, src };
        let dst = self.number();
        let from = self.rng.pick(&[END, DATA]);
        self.put(alu(AluOp::Mov, dst, Operand::Reg(from)));
        if self.rng.below(2) == 0 {
            let (op, imm) = (self.rng.pick(&[AluOp::Add, AluOp::Sub]), self.immediate());
            self.put(alu(op, dst, Operand::Imm(imm)));
        }
        if self.rng.below(3) == 0 {
            self.put(Insn::Store { size: Size::B4, base: FP, off: -80, src: Operand::Reg(dst) });
            self.put(mov(dst, 0));
            self.put(load(Size::B4, dst, FP, -80));
        }
        let other = self.number();
        if other == dst || self.rng.below(2) == 0 {
            self.put(alu(AluOp::Sub, dst, Operand::Reg(DATA)));
        } else {
            self.put(alu(AluOp::Mov, other, Operand::Reg(END)));
            self.put(alu(AluOp::Sub, other, Operand::Reg(dst)));
            self.put(alu(AluOp::Mov, dst, Operand::Reg(other)));
        }
    }

    fn some_numbers(&mut self) {
        for _ in 0..self.rng.below(4) {
            self.alu();
        }
    }

    /// A loop of a few rounds with numbers in registers and on the stack.
    fn repeat(&mut self) {
        if self.depth > 1 {
            return;
        }
        self.put(Insn::Store { size: Size::B8, base: FP, off: -88, src: Operand::Imm(0) });
        let again = self.here();
        let before = self.packet;
        self.packet = 0;
        self.depth += 2;
        for _ in 0..self.rng.below(4) {
            match self.rng.below(4) {
                0 => self.memory(),
                1 => self.other_alu(),
                _ => self.alu(),
            }
        }
        self.depth -= 2;
        self.packet = before;
        let reg = Reg(5);
        self.put(load(Size::B8, reg, FP, -88));
        self.put(add(reg, 1));
        self.put(Insn::Store { size: Size::B8, base: FP, off: -88, src: Operand::Reg(reg) });
        let rounds = 1 + self.rng.below(4) as i32;
        self.put(Insn::JumpIf {
            width: Width::W64,
            cond: Cond::Lt,
            dst: reg,
            src: Operand::Imm(rounds),
            target: again,
        });
    }

    /// A constant of `.rodata`, or a variable in element 0 of the array.
    fn global_data(&mut self) {
        let map = self.rng.pick(&[ARRAY, RODATA]);
        let size = self.rng.pick(&SIZES);
        let bytes = u64::from(size.bytes());
        let at = self.rng.below(32 / bytes) * bytes;
        let own = self.rng.below(at + 1);
        let value = Imm64::MapValue { map: MapIdx(map), offset: own as u32 };
        self.put(Insn::LoadImm64 { dst: Reg(1), value });
        self.put(Insn::Wide);
        let off = (at - own) as i16;
        if map == RODATA || self.rng.below(2) == 0 {
            self.put(load(size, Reg(9), Reg(1), off));
        } else {
            self.put(Insn::Store { size, base: Reg(1), off, src: Operand::Reg(Reg(9)) });
        }
        self.scramble(&[1]);
    }
}
