//! Words against IR: whatever the back half makes must do what the IR says.

use super::random::{self, Rng};
use super::{Generated, Links, Parts, check, eval, generate, image};
use crate::ir::interp::{self, Maps, Outcome, Packet, World};
use crate::ir::{self, Func, FuncIdx, parse, print};
use crate::regalloc::Around;
use crate::select::How;
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

/// Runs the IR, over tail calls to `programs`; gives the return value.
pub(super) fn interpret(
    funcs: &[Func],
    programs: &[usize],
    packet: &mut Packet,
    maps: &mut Maps,
    world: &mut World,
) -> Result<u32, String> {
    let mut at = 0;
    loop {
        let entry = FuncIdx(at as u32);
        match interp::run_all(funcs, entry, packet, maps, world).map_err(|fault| format!("{fault:?}"))? {
            Outcome::Exit(value) => return Ok(value),
            Outcome::TailCall(number) => at = *programs.get(number as usize).ok_or("no such program")?,
        }
    }
}

/// Runs both on the same packets and maps, one after the other, so that maps fill up.
fn same(funcs: &[Func], programs: &[usize], made: &Generated, seed: u64, packets: u64) -> (u64, u64) {
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
        let wanted = interpret(funcs, programs, &mut a, &mut maps_a, &mut world_a);
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
        assert_eq!(ir::check(&func), Ok(()), "seed {seed}\n{}", print(&func));
        let made = compile(&func);
        same(&[func], &[0], &made, seed, 12);
    }
}

#[test]
fn requests_do_what_the_ir_says() {
    for seed in 0..random::seeds(400) {
        let funcs: Vec<Func> = (0..2)
            .map(|n| random::asking(seed ^ (n << 40), if n == 0 { 10 + (seed % 90) as u32 } else { 12 }))
            .collect();
        for func in &funcs {
            assert_eq!(ir::check(func), Ok(()), "seed {seed}\n{}", print(func));
        }
        same(&funcs, &[0, 1], &compile_set(&funcs), seed, 12);
    }
}

#[test]
fn calls_do_what_the_ir_says() {
    let (mut called, mut spills, mut refused) = (0, 0, 0);
    for seed in 0..random::seeds(400) {
        let funcs = random::calling(seed, 10 + (seed % 90) as u32);
        for func in &funcs {
            assert_eq!(ir::check(func), Ok(()), "seed {seed}\n{}", print(func));
        }
        let used = ir::keep_called(&funcs);
        called += used.len() - 1;
        // A tail call starts the program anew.
        let links = Links { programs: vec![0, 0], ..Links::default() };
        let made = match generate(&used, &random::maps(), links, dispatch(), &SMALL, |_, _| Span::default()) {
            Ok(made) => made,
            // Values of all functions that are open share the slots.
            Err(error) if error.code == offwire_diag::codes::compiler::TOO_MANY_LIVE => {
                refused += 1;
                continue;
            }
            Err(error) => panic!("{error}, seed {seed}\n{}", ir::print_all(&used)),
        };
        spills += made.stats.spills;
        same(&used, &[0, 0], &made, seed, 12);
    }
    assert!(called > 400 && spills > 400 && refused < 40, "{called} functions, {spills} spills, {refused} refused");
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
    same(&[func], &[0], &made, 1, 5);
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
    same(&[func], &[0], &made, 3, 20);
    // Without room there, it is refused.
    let func = crowded(90, 0);
    let links = Links::default();
    let refused = generate(&[func], &random::maps(), links, dispatch(), &SMALL, |_, _| Span::default());
    assert_eq!(refused.map(|made| made.stats).unwrap_err().code, offwire_diag::codes::compiler::TOO_MANY_LIVE);
}

#[test]
fn large_functions_do_what_the_ir_says() {
    for seed in 0..3 {
        let func = random::function(seed ^ 0xb16, 2000);
        let asking = random::asking(seed ^ 0xb16, 800);
        for func in [func, asking] {
            let funcs = [func.clone(), func];
            same(&funcs, &[0, 1], &compile_set(&funcs), seed, 6);
        }
    }
}

/// Translates in a way that is not the usual one; `None` if that does not fit.
fn translate(func: &Func, how: How) -> Option<Generated> {
    let maps = random::maps();
    let parts = Parts::translate(func, &maps, &how, &Around::default(), |_| Span::default())
        .unwrap_or_else(|error| panic!("{error}"));
    let parts = parts.ok()?;
    let parts = [parts];
    check(&parts).unwrap_or_else(|error| panic!("{error}\n{}", print(func)));
    let links = Links { programs: vec![0, 0], ..Links::default() };
    Some(image(&parts, &maps, links, dispatch(), &SMALL).unwrap_or_else(|error| panic!("{error}")))
}

#[test]
fn sparing_ways_do_what_the_ir_says() {
    for seed in 0..random::seeds(120) {
        let func = random::asking(seed ^ 0xf00, 10 + (seed % 90) as u32);
        let how = How { duplicate: seed % 2 == 0, frugal: true };
        let made = translate(&func, how).unwrap_or_else(|| panic!("seed {seed} does not fit"));
        same(&[func.clone(), func], &[0, 1], &made, seed, 6);
    }
}

#[test]
fn constants_that_do_not_fit_are_made_anew() {
    let mut text = String::from("func constants\nb0:\n  v0 = load.8 scr[0]\n  store.8 stack[0], v0\n");
    let (count, mut last) = (60, 0);
    for n in 0..count {
        text.push_str(&format!("  v{} = const {:#x}\n", n + 1, 0x1234_5678_9abc_0000u64 + n * 0x1_0001_0001));
    }
    for n in 0..2 * count {
        let (value, op) = (count + 1 + n, if n < count { "xor" } else { "mul" });
        text.push_str(&format!("  v{value} = {op}.64 v{last}, v{}\n", n % count + 1));
        last = value;
    }
    text.push_str(&format!("  v{} = load.8 stack[0]\n  v{} = xor.64 v{last}, v{}\n", last + 1, last + 2, last + 1));
    text.push_str(&format!("  exit v{}\n", last + 2));
    let func = parse(&text).unwrap();
    assert!(translate(&func, How { duplicate: true, frugal: false }).is_none());
    let made = compile(&func);
    assert_eq!(made.stats.spills, 0);
    same(&[func], &[0], &made, 1, 3);
}
