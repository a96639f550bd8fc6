//! Words against IR: whatever the back half makes must do what the IR says.

use super::random::{self, Rng};
use super::{Generated, Links, eval, generate};
use crate::ir::interp::{self, Maps, Outcome, Packet, World};
use crate::ir::{Func, check, parse, print};
use offwire_diag::Span;
use offwire_image::{Dispatch, DispatchMode};
use offwire_isa::SMALL;

fn dispatch() -> Dispatch {
    Dispatch { mode: DispatchMode::Cpu, reason: "a test".into() }
}

fn compile(func: &Func) -> Generated {
    compile_set(std::slice::from_ref(func))
}

/// Every function is a program that tail calls go to, under its own number.
fn compile_set(funcs: &[Func]) -> Generated {
    let show = || funcs.iter().map(print).collect::<String>();
    let links = Links { programs: (0..funcs.len()).collect(), ..Links::default() };
    generate(funcs, &random::maps(), links, dispatch(), &SMALL, |_, _| Span::default())
        .unwrap_or_else(|error| panic!("{error}\n{}", show()))
}

/// Runs the IR, over tail calls; gives the return value.
pub(super) fn interpret(
    funcs: &[Func],
    packet: &mut Packet,
    maps: &mut Maps,
    world: &mut World,
) -> Result<u32, String> {
    let mut at = 0;
    loop {
        let func = funcs.get(at).ok_or("no such program")?;
        match interp::run_in(func, packet, maps, world).map_err(|fault| format!("{fault:?}"))? {
            Outcome::Exit(value) => return Ok(value),
            Outcome::TailCall(number) => at = number as usize,
        }
    }
}

/// Runs both on the same packets and maps, one after the other, so that maps fill up.
fn same(funcs: &[Func], made: &Generated, seed: u64, packets: u64) -> (u64, u64) {
    let mut rng = Rng::new(seed);
    let (mut maps_a, mut maps_b) = (random::filled(), random::filled());
    let mut words = 0;
    for n in 0..packets {
        let len = 14 + rng.below(100) as usize;
        let bytes: Vec<u8> = (0..len).map(|_| if rng.below(3) == 0 { 0 } else { rng.next() as u8 }).collect();
        let (mut a, mut b) = (Packet::new(&bytes), Packet::new(&bytes));
        let world = World { ktime_ns: rng.next(), jiffies: rng.next(), random: rng.next(), ..World::default() };
        let (mut world_a, mut world_b) = (world.clone(), world);
        let show =
            || format!("{}\n{}", funcs.iter().map(print).collect::<String>(), crate::emit::dump(&made.image, None));
        let wanted = interpret(funcs, &mut a, &mut maps_a, &mut world_a);
        let wanted = wanted.unwrap_or_else(|fault| panic!("{fault}, seed {seed}\n{}", show()));
        let got = eval::run(&made.image, &mut b, &mut maps_b, &mut world_b);
        let (got, count) = got.unwrap_or_else(|what| panic!("{what}, packet {n} of seed {seed}\n{}", show()));
        words += u64::from(count);
        assert_eq!(got, wanted, "return value, packet {n} of seed {seed}\n{}", show());
        assert_eq!(a, b, "packet {n} of seed {seed}\n{}", show());
        assert_eq!(world_a, world_b, "packet {n} of seed {seed}\n{}", show());
        assert_eq!(maps_a, maps_b, "maps, packet {n} of seed {seed}\n{}", show());
    }
    (words, packets)
}

#[test]
fn words_do_what_the_ir_says() {
    for seed in 0..random::seeds(400) {
        let func = random::function(seed, 10 + (seed % 90) as u32);
        assert_eq!(check(&func), Ok(()), "seed {seed}\n{}", print(&func));
        let made = compile(&func);
        same(&[func], &made, seed, 12);
    }
}

#[test]
fn requests_do_what_the_ir_says() {
    for seed in 0..random::seeds(400) {
        let funcs: Vec<Func> = (0..2)
            .map(|n| random::asking(seed ^ (n << 40), if n == 0 { 10 + (seed % 90) as u32 } else { 12 }))
            .collect();
        for func in &funcs {
            assert_eq!(check(func), Ok(()), "seed {seed}\n{}", print(func));
        }
        same(&funcs, &compile_set(&funcs), seed, 12);
    }
}

/// Loads that could all be made at once, but are used up slowly.
fn hungry(loads: u32) -> Func {
    let mut text = format!("func hungry\nb0:\n  guard {} then b1 else b2\nb1:\n", 2 * loads);
    text.push_str("  v0 = const 31\n  v1 = const 1\n");
    let mut sum = 1;
    for n in 0..loads {
        let load = 4 * n + 2;
        text.push_str(&format!("  v{load} = load.2 pkt[{}]\n  v{} = mul.64 v{sum}, v0\n", 2 * n, load + 1));
        text.push_str(&format!("  v{} = xor.64 v{}, v{load}\n", load + 2, load + 1));
        sum = load + 3;
        text.push_str(&format!("  v{sum} = mul.64 v{}, v0\n", load + 2));
    }
    text.push_str(&format!("  exit v{sum}\nb2:\n  v{} = const 1\n  exit v{}\n", sum + 1, sum + 1));
    parse(&text).unwrap()
}

#[test]
fn what_is_loaded_early_does_not_fill_the_registers() {
    let func = hungry(100);
    let made = compile(&func);
    assert_eq!(made.stats.spills, 0);
    same(&[func], &made, 1, 5);
}

/// `count` words of the packet change places with those half of them further on, and key and value of an update stand on the stack
/// from byte `stack` on.
fn crowded(count: u32, stack: u32) -> Func {
    let mut text = String::from("func crowded\nb0:\n  v0 = const 2\n  guard 100 then b1 else b2\nb1:\n");
    for n in 0..count {
        text.push_str(&format!("  v{} = load.2 pkt[{n}]\n", n + 1));
    }
    for n in 0..count {
        text.push_str(&format!("  store.2 pkt[{n}], v{}\n", (n + count / 2) % count + 1));
    }
    text.push_str(&format!(
        "  store.8 stack[{stack}], v1\n  v{} = update.any map1, stack[{stack}], stack[{}]\n",
        count + 1,
        stack + 8
    ));
    text.push_str("  exit v0\nb2:\n  exit v0\n");
    parse(&text).unwrap()
}

#[test]
fn what_scratch_does_not_hold_goes_below_the_stack_that_is_used() {
    let func = crowded(90, 488);
    let made = compile(&func);
    assert!(made.stats.spills > 21, "{} spills", made.stats.spills);
    same(&[func], &made, 3, 20);
    // Without room there, it is refused.
    let func = crowded(90, 0);
    let links = Links::default();
    let refused = generate(&[func], &random::maps(), links, dispatch(), &SMALL, |_, _| Span::default());
    assert_eq!(refused.map(|made| made.stats).unwrap_err().code, offwire_diag::codes::compiler::TOO_MANY_LIVE);
}

#[test]
fn large_functions_do_what_the_ir_says() {
    for seed in 0..random::seeds(3) {
        let func = random::function(seed ^ 0xb16, 2000);
        let asking = random::asking(seed ^ 0xb16, 800);
        for func in [func, asking] {
            let funcs = [func.clone(), func];
            same(&funcs[..], &compile_set(&funcs), seed, 6);
        }
    }
}
