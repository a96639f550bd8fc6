//! The text form and the checker against hand-written and random functions.

use super::*;
use crate::ebpf::{InsnIdx, MapIdx};

/// One of everything.
const ALL: &str = "func \"odd \\u{e9}\\\"name\" values 40
b0:
  v0 = const 0                                     ; insn 0
  v1 = const -65536                                ; insn 1
  v2 = const 0xffffffff                            ; insn 2
  v3 = const 0x4030000000000010                    ; insn 3
  v4 = load.2be pkt[12]                            ; insn 4
  v5 = load.6.dismiss pkt[v4 - 4]                  ; insn 5
  v6 = load.4 scr[20]                              ; insn 6
  v7 = add.64 v4, v5                               ; insn 7
  v8 = bswap32.32 v7                               ; insn 8
  store.8be stack[504], v8                         ; insn 9
  store.1 map3[v3 + 8], v8                         ; insn 10
  atomic_add.4 map3[v3], v0                        ; insn 11
  v9 = lookup map1, stack[504]                     ; insn 12
  v10 = update.noexist map1, stack[504], stack[v0 + 496] ; insn 13
  update.exist map1, stack[504], pkt[0]            ; insn 14
  v11 = delete map1, stack[504]                    ; insn 15
  v12 = adjust_head v1                             ; insn 16
  v15 = request.csum key stack[v0 + 500]:12 value v1 third v2 ; insn 16
  v16 = request.update_in.exist map2 key stack[504]:4 at pkt[0]:16 third v9 ; insn 16
  request.tail_call map5 value v1                  ; insn 16
  request.fetch_add64 key map[v9 - 8]:8 value v1   ; insn 16
  v17 = request.ktime_ns                           ; insn 16
  if ne.32 v9, v0 then b1(v4, v9) else b2          ; insn 17
b1(v13, v14):
  guard v13 - 2147483648 then b3 else b2           ; insn 18
b2:
  guard 34 then b3 else b4                         ; insn 19
b3:
  exit v0                                          ; insn 20
b4:
  jump b3                                          ; insn 21
b5:
  unreachable                                      ; insn 22
";

#[test]
fn text_comes_back_exactly() {
    let func = parse(ALL).unwrap();
    assert_eq!(print(&func), ALL);
    assert_eq!(func.name, "odd \u{e9}\"name");
    assert_eq!(func.values, 40);
    assert_eq!(check(&func), Ok(()));
}

/// Deterministic numbers (xorshift64*, Vigna).
struct Rng(u64);

impl Rng {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % n
    }
    fn value(&mut self) -> Value {
        Value(self.below(50) as u32)
    }
    fn offset(&mut self) -> i32 {
        match self.below(4) {
            0 => 0,
            1 => i32::MIN,
            _ => self.below(2000) as i32 - 1000,
        }
    }
    fn mem(&mut self) -> Mem {
        let space = Space::ALL[self.below(4) as usize];
        let map = (self.below(2) == 0).then(|| MapIdx(self.below(300) as u16));
        let base = (self.below(2) == 0).then(|| self.value());
        Mem { space, map, base, offset: self.offset() }
    }
    fn constant(&mut self) -> u64 {
        let value = self.0;
        value >> self.below(64)
    }
    fn op(&mut self) -> Op {
        let size = self.below(9) as u8;
        let flag = self.below(2) == 0;
        let map = MapIdx(self.below(300) as u16);
        match self.below(12) {
            10 => Op::Named(self.below(6) as u8),
            11 => {
                let args = (0..self.below(7)).map(|_| self.value()).collect();
                Op::Call { func: FuncIdx(self.below(300) as u32), args, stack: flag }
            }
            0 => Op::Const(if flag { self.constant() } else { self.constant().wrapping_neg() }),
            1 => {
                let op = AluOp::ALL[self.below(AluOp::ALL.len() as u64) as usize];
                Op::Alu { op, wide: flag, a: self.value(), b: self.value() }
            }
            2 => Op::Load { mem: self.mem(), size, swap: flag, dismiss: self.below(2) == 0 },
            3 => Op::Store { mem: self.mem(), size, swap: flag, value: self.value() },
            4 => Op::AtomicAdd { mem: self.mem(), size, value: self.value() },
            5 => Op::Lookup { map, key: self.mem() },
            6 => Op::Update { map, key: self.mem(), value: self.mem(), flags: self.below(256) as u8 },
            7 => Op::Delete { map, key: self.mem() },
            8 => Op::AdjustHead { delta: self.value() },
            _ => {
                let ops: Vec<RequestOp> = (0..64).filter_map(RequestOp::from_code).collect();
                let mut request = Request::new(ops[self.below(ops.len() as u64) as usize]);
                request.map = flag.then_some(map);
                if self.below(2) == 0 {
                    (request.key, request.key_bytes) = (Some(self.mem()), self.below(1 << 32) as u32);
                }
                if self.below(2) == 0 {
                    (request.value_at, request.value_bytes) = (Some(self.mem()), self.below(100) as u32);
                }
                request.value = (self.below(2) == 0).then(|| self.value());
                request.third = (self.below(2) == 0).then(|| self.value());
                Op::Request(request)
            }
        }
    }
    fn jump(&mut self) -> Jump {
        let args = (0..self.below(4)).map(|_| self.value()).collect();
        Jump { block: Block(self.below(10) as u32), args }
    }
    fn term(&mut self) -> Term {
        match self.below(6) {
            5 => Term::Return(self.value()),
            0 => Term::Jump(self.jump()),
            1 => {
                let op = CmpOp::ALL[self.below(9) as usize];
                let wide = self.below(2) == 0;
                Term::Branch { op, wide, a: self.value(), b: self.value(), then: self.jump(), els: self.jump() }
            }
            2 => {
                let base = (self.below(2) == 0).then(|| self.value());
                Term::Guard { base, len: self.offset(), pass: self.jump(), fail: self.jump() }
            }
            3 => Term::Exit(self.value()),
            _ => Term::Unreachable,
        }
    }
    fn func(&mut self) -> Func {
        let blocks = (0..self.below(5) + 1).map(|_| BlockData {
            params: (0..self.below(4)).map(|_| self.value()).collect(),
            insts: (0..self.below(12))
                .map(|_| Inst {
                    result: (self.below(2) == 0).then(|| self.value()),
                    op: self.op(),
                    insn: InsnIdx(self.below(1 << 20) as u32),
                })
                .collect(),
            term: self.term(),
            term_insn: InsnIdx(self.below(100) as u32),
        });
        let blocks = blocks.collect();
        let mut func = Func { name: "f".into(), blocks, values: 0 };
        func.values = func.used_values() + self.below(2) as u32;
        func
    }
}

#[test]
fn anything_that_the_types_can_hold_comes_back() {
    let mut rng = Rng(1);
    for round in 0..2000 {
        let func = rng.func();
        let text = print(&func);
        assert_eq!(parse(&text).as_ref(), Ok(&func), "round {round}:\n{text}");
    }
}

#[test]
fn damaged_text_never_panics() {
    let mut rng = Rng(2);
    for _ in 0..5000 {
        let mut bytes = ALL.as_bytes().to_vec();
        for _ in 0..=rng.below(3) {
            let at = rng.below(bytes.len() as u64) as usize;
            match rng.below(3) {
                0 => bytes[at] = rng.below(128) as u8,
                1 => drop(bytes.remove(at)),
                _ => bytes.truncate(at + 1),
            }
        }
        if let Ok(func) = parse(&String::from_utf8_lossy(&bytes)) {
            let _ = check(&func);
            let text = print(&func);
            assert_eq!(parse(&text).as_ref(), Ok(&func), "{text}");
        }
    }
}

/// The checker's answer for a body between `func f` and the end.
fn verdict(body: &str) -> String {
    let func = parse(&format!("func f\n{body}")).unwrap();
    check(&func).err().unwrap_or_default()
}

#[test]
fn the_checker_finds_each_kind_of_nonsense() {
    let cases = [
        ("b0:\n v0 = const 0\n exit v0\n", ""),
        ("b0:\n v0 = const 0\n jump b0\n", "something jumps to b0"),
        ("b0:\n exit v0\n", "v0 is used in b0, but nowhere defined"),
        ("b0:\n v0 = const 0\n v0 = const 1\n exit v0\n", "v0 is defined twice"),
        ("b0:\n v1 = mov.64 v0\n v0 = const 0\n exit v1\n", "does not dominate"),
        (
            "b0:\n v0 = const 0\n guard 14 then b1 else b2\nb1:\n v1 = const 1\n jump b2\nb2:\n exit v1\n",
            "does not dominate",
        ),
        ("b0:\n v0 = const 0\n jump b1\nb1(v1):\n exit v1\n", "gives 0 arguments to b1, which has 1"),
        ("b0:\n v0 = const 0\n jump b7\n", "does not exist"),
        ("b0:\n v0 = load.9 pkt[0]\n exit v0\n", "1 to 8 bytes"),
        ("b0:\n v0 = load.8 stack[505]\n exit v0\n", "outside of the stack"),
        ("b0:\n v0 = const 0\n store.4 scr[8], v0\n exit v0\n", "read-only"),
        ("b0:\n v0 = const 0\n v1 = load.4 map0[0]\n exit v0\n", "needs a handle"),
        ("b0:\n v0 = const 0\n atomic_add.2 map0[v0], v0\n exit v0\n", "4 or 8"),
        ("b0:\n v0 = const 0\n exit v0\nb1:\n exit v0\n", "cannot be reached"),
        ("b0:\n v0 = const 0\n update.3 map0, stack[0], stack[0]\n exit v0\n", "flags"),
        ("b0:\n v0 = const 0\n v1 = mov.64 v0, v2\n v2 = const 0\n exit v0\n", "repeat"),
        ("b0:\n v0 = const 0\n lookup map0, stack[0]\n exit v0\n", "no result"),
        ("b0:\n v0 = const 0\n request.tail_call value v0\n exit v0\n", "has a map"),
        ("b0:\n v0 = const 0\n v1 = request.tail_call map0 value v0\n exit v0\n", "must have no result"),
        ("b0:\n v0 = const 0\n request.csum value v0 third v0\n exit v0\n", "has an address"),
        ("b0:\n v0 = const 0\n request.divu32 value v0\n exit v0\n", "third operand"),
        ("b0:\n v0 = const 0\n request.ktime_ns value v0\n exit v0\n", "has a number"),
        ("b0:\n v0 = const 0\n request.xchg32 key stack[0]:4 value v0\n exit v0\n", "on map values"),
        ("b0:\n v0 = const 0\n request.exit value v0\n exit v0\n", "terminators"),
        ("b0:\n v0 = const 0\n v1 = call f1(v0, v0, v0, v0, v0, v0)\n exit v0\n", "five arguments"),
        ("b0:\n v0 = const 0\n named r1\n exit v0\n", "no result"),
        ("b0:\n v0 = const 0\n request.call\n exit v0\n", "terminators"),
        ("b0:\n v0 = const 0\n request.delete_in map0 key stack[600]:4 third v0\n exit v0\n", "outside of the stack"),
    ];
    for (body, want) in cases {
        let got = verdict(body);
        assert!(if want.is_empty() { got.is_empty() } else { got.contains(want) }, "{body}\n{got}");
    }
}

/// What is wrong with a program and the functions that it calls.
fn calls(text: &str) -> String {
    let funcs = parse_all(text).unwrap();
    assert_eq!(parse_all(&print_all(&funcs)).as_ref(), Ok(&funcs));
    callees_first(&funcs).err().unwrap_or_default()
}

#[test]
fn calls_lead_down_to_functions_that_return() {
    let leaf = "func g\nb0:\n v0 = named r1\n return v0\n";
    let cases = [
        ("func f\nb0:\n v0 = const 0\n v1 = call f1(v0)\n exit v1\n", ""),
        ("func f\nb0:\n v0 = const 0\n exit v0\n", "f1 returns, but nobody calls it"),
        ("func f\nb0:\n v0 = const 0\n v1 = call f1\n exit v1\n", "f1 looks at r1"),
        ("func f\nb0:\n v0 = const 0\n v1 = call f1(v0)\n v2 = call f2\n exit v1\n", "to no function"),
        ("func f\nb0:\n v0 = const 0\n v1 = call f0(v0)\n exit v1\n", "in a circle"),
        ("func f\nb0:\n v0 = const 0\n v1 = call f1(v0)\n return v1\n", "f0 returns, but nobody calls it"),
    ];
    for (body, want) in cases {
        let got = calls(&format!("{body}{leaf}"));
        assert!(if want.is_empty() { got.is_empty() } else { got.contains(want) }, "{body}\n{got}");
    }
    let text = "func f\nb0:\n v0 = call f1\n exit v0\nfunc g\nb0:\n v0 = const 0\n exit v0\n";
    assert!(calls(text).contains("f1 is called, but ends the packet"));
    // Eight calls may be open, one more may not.
    let level = |n: u32| format!("func g\nb0:\n v0 = call f{}\n return v0\n", n + 1);
    let deep = |levels: u32| {
        let head = "func f\nb0:\n v0 = call f1\n exit v0\n";
        let middle: String = (1..levels).map(level).collect();
        calls(&format!("{head}{middle}func g\nb0:\n v0 = const 1\n return v0\n"))
    };
    assert_eq!(deep(8), "");
    assert!(deep(9).contains("nested too deeply"));
}

#[test]
fn what_a_function_does_not_look_at_is_not_passed() {
    let text = "func f\nb0:\n v0 = const 0\n v1 = const 1\n v2 = call f2(v0, v1)\n exit v2\n\
                func unused\nb0:\n v0 = const 1\n return v0\n\
                func g\nb0:\n v0 = named r2\n return v0\n";
    let mut funcs = parse_all(text).unwrap();
    drop_arguments(&mut funcs, FuncIdx(2));
    let text = print_all(&keep_called(&funcs));
    assert!(text.contains("v2 = call f1(v1)") && text.contains("v0 = named r1"), "{text}");
    assert!(!text.contains("unused"), "{text}");
}
