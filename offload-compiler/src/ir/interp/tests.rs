//! Every request once with its limits, against what the kernel's sources say.

use super::*;
use crate::ir::{check, parse};
use offwire_image::{MapKind, MapSpec};

fn spec(kind: MapKind, key_size: u32, value_size: u32, max_entries: u32) -> MapSpec {
    MapSpec { name: "m".into(), kind, key_size, value_size, max_entries, flags: 0, init: Vec::new(), frozen: false }
}

/// A function of one block that exits with `v9`.
fn body(lines: &str) -> Func {
    let func = parse(&format!("func f\nb0:\n{lines}\n exit v9\n")).unwrap_or_else(|e| panic!("{e}\n{lines}"));
    assert_eq!(check(&func), Ok(()), "{func}");
    func
}

struct Setup {
    maps: Maps,
    packet: Packet,
    world: World,
}

impl Setup {
    fn new(specs: &[MapSpec]) -> Self {
        let packet = Packet::new(&(0..60).collect::<Vec<u8>>());
        Setup { maps: Maps::new(specs), packet, world: World::default() }
    }

    fn try_run(&mut self, lines: &str) -> Result<Outcome, String> {
        run_in(&body(lines), &mut self.packet, &mut self.maps, &mut self.world).map_err(|fault| fault.what)
    }

    /// The low 32 bits of the answer, signed.
    fn run(&mut self, lines: &str) -> i32 {
        match self.try_run(lines) {
            Ok(Outcome::Exit(value)) => value.cast_signed(),
            other => panic!("{other:?}\n{lines}"),
        }
    }
}

#[test]
fn a_hand_made_program_runs() {
    let func = parse(
        "func f
b0:
  guard 14 then b1 else b2
b1:
  v0 = load.2be pkt[12]
  v1 = const 0
  store.4 stack[508], v1
  v2 = lookup map0, stack[508]
  v3 = load.8 map0[v2]
  v4 = add.64 v3, v0
  store.8 map0[v2], v4
  atomic_add.4 map0[v2 + 4], v0
  v5 = const 2
  exit v5
b2:
  v6 = const 1
  exit v6
",
    )
    .unwrap();
    let mut maps = Maps::new([&spec(MapKind::Array, 4, 8, 1)]);
    let mut bytes = [0; 20];
    bytes[12..14].copy_from_slice(&[8, 6]);
    assert_eq!(run(&func, &mut Packet::new(&bytes), &mut maps), Ok(2));
    assert_eq!(maps.entries(MapIdx(0))[&vec![0; 4]], [6, 8, 0, 0, 6, 8, 0, 0]);
    assert_eq!(run(&func, &mut Packet::new(&bytes[..13]), &mut maps), Ok(1));
}

#[test]
fn the_packet_moves_within_its_limits() {
    let mut packet = Packet::new(&[7; 20]);
    assert_eq!(packet.adjust_head(7), EINVAL);
    assert_eq!(packet.adjust_head(6), 0);
    assert_eq!(packet.bytes().len(), 14);
    assert_eq!(packet.adjust_head(-6 - 217), EINVAL);
    assert_eq!(packet.adjust_head(-6 - 216), 0);
    assert_eq!(packet.bytes().len(), 236);
    assert_eq!(packet.adjust_tail(-223), EINVAL);
    assert_eq!(packet.adjust_tail(-222), 0);
    assert_eq!(packet.adjust_tail(3723), EINVAL);
    assert_eq!(packet.adjust_tail(3722), 0);
    assert_eq!(packet.bytes()[14..], [0; 3722]);
}

#[test]
fn metadata_stands_before_the_packet_and_moves_with_it() {
    let mut setup = Setup::new(&[]);
    assert_eq!(setup.run("v0 = const -3\nv9 = request.adjust_meta value v0"), -13);
    assert_eq!(setup.run("v0 = const -256\nv9 = request.adjust_meta value v0"), -22, "below the headroom");
    assert_eq!(setup.run("v0 = const 4\nv9 = request.adjust_meta value v0"), -22, "behind data");
    assert_eq!(setup.run("v0 = const -8\nv9 = request.adjust_meta value v0\nstore.8 pkt[-8], v0"), 0);
    assert_eq!(setup.run("v9 = load.4 scr[24]"), 8);
    assert_eq!(setup.packet.meta()[0], 0xf8);
    assert!(setup.try_run("v9 = load.1 pkt[-9]").is_err());
    assert_eq!(setup.run("v0 = const 14\nv9 = adjust_head v0"), 0);
    assert_eq!(setup.run("v9 = load.1 pkt[-8]"), 0xf8);
    assert_eq!(setup.run("v0 = const -222\nv9 = adjust_head v0"), 0, "216 + 14 - 8");
    assert_eq!(setup.run("v0 = const -1\nv9 = adjust_head v0"), -22);
}

#[test]
fn bytes_are_copied_in_and_out() {
    let mut setup = Setup::new(&[]);
    let load = |offset: i64, len: i64| {
        format!(
            "v0 = const {offset}\nv1 = const {len}\nv9 = request.load_bytes key stack[0]:8 value v0 third v1\n\
             v2 = load.2 stack[0]"
        )
    };
    assert_eq!(setup.run(&load(52, 8)), 0);
    assert_eq!(setup.run(&load(53, 8)), -22);
    assert_eq!(setup.run(&load(0x1_0000, 8)), -14);
    assert_eq!(setup.run(&load(0, 0x1_0000)), -14);
    let store = "v0 = const 0x1122\nstore.2 stack[6], v0\nv1 = const 20\nv2 = const 2\n\
                 v9 = request.store_bytes key stack[6]:2 value v1 third v2";
    assert_eq!(setup.run(store), 0);
    assert_eq!(setup.packet.bytes()[19..23], [19, 0x22, 0x11, 22]);
    assert_eq!(setup.run("v0 = const 20\nv1 = const 2\nv3 = request.load_bytes key stack[0]:8 value v0 third v1\nv9 = load.4 stack[0]"), 0x1122);
}

#[test]
fn sums_are_the_kernels() {
    // RFC 1071, section 3: words little-endian, end-around carry after each.
    assert_eq!(csum(&[0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0], 0), 1);
    assert_eq!(csum(&[1, 2, 3], 5), 0x0003_0206);
    let mut setup = Setup::new(&[]);
    let lines = "v0 = const 6\nv1 = const 0xffffffff\nv9 = request.csum key pkt[0]:6 value v0 third v1";
    assert_eq!(setup.run(lines), 0x0302_0100 + 0x0504);
}

#[test]
fn divisions_follow_rfc_9669() {
    use RequestOp::*;
    let min32 = u64::from(i32::MIN.cast_unsigned());
    let cases = [
        (DivU32, 0x1_0000_0007, 2, 3),
        (DivU32, 7, 0x1_0000_0000, 0),
        (ModU32, 0x1_0000_0007, 0, 7),
        (DivU64, u64::MAX, 10, u64::MAX / 10),
        (DivU64, 5, 0, 0),
        (ModU64, u64::MAX, 0, u64::MAX),
        (ModU64, u64::MAX, 10, 5),
        (DivS32, min32, 0xffff_ffff, min32),
        (ModS32, min32, 0xffff_ffff, 0),
        (DivS32, 0xffff_fff3, 3, 0xffff_fffc),
        (ModS32, 0xffff_fff3, 3, 0xffff_ffff),
        (DivS64, 1 << 63, u64::MAX, 1 << 63),
        (ModS64, 1 << 63, u64::MAX, 0),
        (DivS64, 13u64.wrapping_neg(), 3, 4u64.wrapping_neg()),
        (ModS64, 13u64.wrapping_neg(), 3, u64::MAX),
        (ModS64, 13u64.wrapping_neg(), 0, 13u64.wrapping_neg()),
        (DivS64, 13, 0, 0),
        (ModS32, 0xffff_ffff_0000_0007, 0, 7),
    ];
    for (op, a, b, want) in cases {
        assert_eq!(divide(op, a, b), want, "{} {a:#x} {b:#x}", op.asm());
    }
}

#[test]
fn redirects_remember_the_last_target() {
    let mut setup = Setup::new(&[spec(MapKind::Devmap, 4, 4, 4), spec(MapKind::DevmapHash, 4, 4, 4)]);
    let redirect =
        |to: i32, flags: i32| format!("v0 = const {to}\nv1 = const {flags}\nv9 = request.redirect value v0 third v1");
    assert_eq!(setup.run(&redirect(3, 1)), 0);
    assert_eq!(setup.world.redirect, None);
    assert_eq!(setup.run(&redirect(3, 0)), 4);
    let to_map = |map: i32, key: i32, flags: i32| {
        format!("v0 = const {key}\nv1 = const {flags}\nv9 = request.redirect_map map{map} value v0 third v1")
    };
    assert_eq!(setup.run(&to_map(0, 1, 2)), 2, "no entry: what the flags say");
    assert_eq!(setup.world.redirect, None, "and no target any more");
    setup.maps.update(MapIdx(0), &1u32.to_le_bytes(), &7u32.to_le_bytes(), 0).unwrap();
    assert_eq!(setup.run(&to_map(0, 1, 2)), 4);
    assert_eq!(setup.world.redirect, Some(Redirect::Map { map: MapIdx(0), key: 1, flags: 2 }));
    assert_eq!(setup.run(&to_map(0, 1, 32)), 0);
    assert_eq!(setup.run(&to_map(1, 9, 1)), 1);
    assert_eq!(setup.run(&to_map(1, 9, 8)), 4, "a broadcast needs no entry");
}

#[test]
fn tail_calls_leave_until_there_were_33() {
    let mut setup = Setup::new(&[spec(MapKind::ProgArray, 4, 4, 3)]);
    setup.maps.link(MapIdx(0), &2u32.to_le_bytes(), 5);
    let call = |index: i64| format!("v0 = const {index}\nrequest.tail_call map0 value v0\nv9 = const 77");
    assert_eq!(setup.run(&call(1)), 77);
    assert_eq!(setup.run(&call(9)), 77);
    for _ in 0..33 {
        assert_eq!(setup.try_run(&call(0x1_0000_0002)), Ok(Outcome::TailCall(5)));
    }
    assert_eq!(setup.run(&call(2)), 77);
}

#[test]
fn time_and_chance_come_from_the_world() {
    let mut setup = Setup::new(&[]);
    setup.world = World { ktime_ns: 1234, jiffies: 56, random: 1, ..World::default() };
    assert_eq!(setup.run("v9 = request.ktime_ns"), 1234);
    assert_eq!(setup.run("v9 = request.jiffies"), 56);
    let state = 6_364_136_223_846_793_005u64.wrapping_add(1_442_695_040_888_963_407);
    assert_eq!(setup.run("v9 = request.prandom").cast_unsigned(), (state >> 32) as u32);
    assert_eq!(setup.world.random, state);
}

#[test]
fn atomics_answer_the_old_value() {
    let mut setup = Setup::new(&[spec(MapKind::Array, 4, 16, 1)]);
    let at = |lines: &str| {
        format!(
            "v0 = const 0\nstore.4 stack[0], v0\nv1 = lookup map0, stack[0]\nv2 = const 0x12345678f\nv3 = const 255\n{lines}"
        )
    };
    let run = |setup: &mut Setup, op: &str, value: &str| {
        setup.run(&at(&format!("v9 = request.{op} key map0[v1]:8 value {value}")))
    };
    assert_eq!(run(&mut setup, "xchg64", "v2"), 0);
    assert_eq!(run(&mut setup, "fetch_add32", "v3"), 0x2345_678f);
    assert_eq!(run(&mut setup, "fetch_and32", "v3"), 0x2345_688e);
    assert_eq!(run(&mut setup, "fetch_or32", "v3"), 0x8e);
    assert_eq!(run(&mut setup, "fetch_xor64", "v2"), 0xff);
    assert_eq!(run(&mut setup, "fetch_add64", "v0"), 0x2345_6770, "the upper half was kept until the xor cleared it");
    let swap =
        |wide: &str, third: &str| at(&format!("v9 = request.cmpxchg{wide} key map0[v1]:8 value v3 third {third}"));
    assert_eq!(setup.run(&swap("64", "v3")), 0x2345_6770);
    assert_eq!(setup.run(&at("v9 = load.4 map0[v1]")), 0x2345_6770);
    assert_eq!(run(&mut setup, "xchg32", "v3"), 0x2345_6770);
    assert_eq!(setup.run(&at("v4 = const 0x5000000ff\nv9 = request.cmpxchg32 key map0[v1]:4 value v2 third v4")), 255);
    assert_eq!(setup.run(&at("v9 = load.4 map0[v1]")), 0x2345_678f);
}

#[test]
fn records_are_events_once_they_are_submitted() {
    let mut setup = Setup::new(&[spec(MapKind::Ringbuf, 0, 0, 4096)]);
    let record = |end: &str| {
        format!(
            "v0 = const 16\nv1 = const 0\nv2 = request.ring.reserve map0 value v0 third v1\nv3 = load.8 map0[v2 + 8]\n\
             store.4 map0[v2], v0\n{end}\nv9 = mov.64 v3"
        )
    };
    assert_eq!(setup.run(&record("v4 = request.ring.submit value v2 third v1")), 0);
    let mut bytes = vec![0; 16];
    bytes[0] = 16;
    assert_eq!(setup.world.events, [Event::Ring { map: MapIdx(0), bytes }]);
    assert_eq!(setup.run(&record("v4 = request.ring.discard value v2 third v1")), 0);
    assert_eq!(setup.world.events.len(), 1);
    assert!(setup.try_run(&record("")).unwrap_err().contains("still reserved"));
    let mut setup = Setup::new(&[spec(MapKind::Ringbuf, 0, 0, 4096)]);
    assert!(setup.try_run(&record("v4 = request.ring.submit value v2 third v1\nv5 = load.1 map0[v2]")).is_err());
    let reserve =
        |size: i32| format!("v0 = const {size}\nv1 = const 0\nv9 = request.ring.reserve map0 value v0 third v1");
    // One byte of the ring always stays free.
    assert_eq!(setup.run(&reserve(4096 - 8)), 0);
    let query = |what: i32| format!("v0 = const {what}\nv9 = request.ring.query map0 value v0");
    assert_eq!([0, 1, 2, 3, 4].map(|what| setup.run(&query(what))), [0, 4096, 24, 24, 0]);
    let output = |flags: i32| {
        format!("v0 = const 3\nv1 = const {flags}\nv9 = request.ring.output map0 key pkt[1]:3 value v0 third v1")
    };
    assert_eq!(setup.run(&output(4)), -22);
    assert_eq!(setup.run(&output(1)), 0);
    assert_eq!(setup.world.events.last(), Some(&Event::Ring { map: MapIdx(0), bytes: vec![1, 2, 3] }));
}

#[test]
fn perf_events_and_prints_carry_their_bytes() {
    let mut setup = Setup::new(&[spec(MapKind::PerfEventArray, 4, 4, 2)]);
    let output = |flags: u64| {
        format!("v0 = const 2\nv1 = const {flags}\nv9 = request.perf.output map0 key pkt[4]:2 value v0 third v1")
    };
    assert_eq!(setup.run(&output(1 << 52)), -22);
    assert_eq!(setup.run(&output(61 << 32)), -14);
    assert_eq!(setup.run(&output(2)), -7);
    assert_eq!(setup.run(&output(0xffff_ffff | 3 << 32)), 0);
    let event = Event::Perf { map: MapIdx(0), index: 0, bytes: vec![4, 5], packet: vec![0, 1, 2] };
    assert_eq!(setup.world.events, [event]);
    let print = "v0 = const 2\nv1 = const 9\nstore.8 scr[240], v1\nv9 = request.printk key pkt[65]:2 value v0";
    assert!(setup.try_run(print).is_err());
    assert_eq!(setup.run(&print.replace("65", "7")), 0);
    assert_eq!(setup.world.events[1], Event::Print { format: vec![7, 8], arguments: [0, 9, 0] });
}

#[test]
fn locks_are_taken_once_and_given_back() {
    let mut setup = Setup::new(&[spec(MapKind::Array, 4, 16, 1)]);
    setup.maps.lock_at(MapIdx(0), 4);
    let at = |lines: &str| {
        format!(
            "v0 = const 0\nstore.4 stack[0], v0\nv1 = lookup map0, stack[0]\nv2 = const 4\nv3 = add.64 v1, v2\nv9 = const 0\n{lines}"
        )
    };
    let (lock, unlock) = ("v4 = request.spin.lock value v3\n", "v5 = request.spin.unlock value v3");
    assert_eq!(setup.run(&at(&format!("{lock}{unlock}"))), 0);
    assert!(setup.try_run(&at(unlock)).unwrap_err().contains("nobody holds"));
    assert!(setup.try_run(&at(&lock.replace("v3", "v1"))).unwrap_err().contains("no lock"));
    assert!(setup.try_run(&at(lock)).unwrap_err().contains("still held"));
    // An update leaves the lock's bytes alone.
    let mut maps = Maps::new([&spec(MapKind::Array, 4, 16, 1)]);
    maps.lock_at(MapIdx(0), 4);
    maps.update(MapIdx(0), &[0; 4], &[1; 16], 0).unwrap();
    assert_eq!(maps.entries(MapIdx(0))[&vec![0; 4]], [1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]);
}

#[test]
fn maps_of_maps_lead_to_their_inner_maps() {
    let specs = [spec(MapKind::HashOfMaps, 4, 4, 4), spec(MapKind::Hash, 2, 4, 1), spec(MapKind::Array, 2, 4, 1)];
    let mut setup = Setup::new(&specs);
    setup.maps.link(MapIdx(0), &[9, 0, 0, 0], 1);
    let at = |lines: &str| format!("v0 = const 9\nstore.4 stack[0], v0\nv1 = lookup map0, stack[0]\n{lines}");
    assert_eq!(setup.run(&at("v9 = request.update_in.any map0 key stack[0]:2 at stack[0]:4 third v1")), 0);
    assert_eq!(setup.run(&at("v9 = request.update_in.noexist map0 key stack[0]:2 at stack[0]:4 third v1")), -17);
    assert_eq!(setup.run(&at("v9 = request.update_in.exist map0 key stack[1]:2 at stack[0]:4 third v1")), -2);
    assert_eq!(setup.run(&at("v9 = request.update_in.any map0 key stack[1]:2 at stack[0]:4 third v1")), -7);
    assert_eq!(setup.run(&at("v2 = request.lookup_in map0 key stack[0]:2 third v1\nv9 = load.4 map[v2]")), 9);
    assert_eq!(setup.run(&at("v9 = request.delete_in map0 key stack[0]:2 third v1")), 0);
    assert_eq!(setup.run(&at("v9 = request.delete_in map0 key stack[0]:2 third v1")), -2);
    assert_eq!(setup.run("v9 = lookup map0, stack[0]"), 0);
}

#[test]
fn tries_find_the_longest_prefix() {
    let mut maps = Maps::new([&spec(MapKind::LpmTrie, 8, 1, 3)]);
    let key = |len: u8, ip: [u8; 4]| [&[len, 0, 0, 0][..], &ip].concat();
    let update =
        |maps: &mut Maps, len, ip, value, flags| maps.update(MapIdx(0), &key(len, ip), &[value], flags).unwrap();
    assert_eq!(update(&mut maps, 8, [10, 9, 9, 9], 1, 0), 0);
    assert_eq!(update(&mut maps, 8, [10, 1, 1, 1], 2, 1), EEXIST);
    assert_eq!(update(&mut maps, 12, [10, 0x1f, 0, 0], 3, 0), 0);
    assert_eq!(update(&mut maps, 0, [0; 4], 4, 2), ENOENT);
    assert_eq!(update(&mut maps, 33, [0; 4], 4, 0), EINVAL);
    assert_eq!(update(&mut maps, 0, [0; 4], 5, 0), 0);
    assert_eq!(update(&mut maps, 32, [1; 4], 6, 0), ENOSPC);
    let mut find = |len, ip| {
        let handle = maps.lookup(MapIdx(0), &key(len, ip)).unwrap();
        if handle == 0 { 0 } else { maps.bytes(handle, None, 1).unwrap()[0] }
    };
    assert_eq!(
        [find(32, [10, 0x11, 0, 0]), find(32, [10, 0x21, 0, 0]), find(9, [10, 0x11, 0, 0]), find(32, [9; 4])],
        [3, 1, 1, 5]
    );
    assert_eq!(maps.delete(MapIdx(0), &key(12, [10, 0x10, 0, 0])).unwrap(), 0);
    assert_eq!(maps.delete(MapIdx(0), &key(12, [10, 0x10, 0, 0])).unwrap(), ENOENT);
}

#[test]
fn a_full_lru_hash_drops_what_was_not_used_for_longest() {
    let mut maps = Maps::new([&spec(MapKind::LruHash, 1, 1, 2)]);
    let m = MapIdx(0);
    for key in [1, 2] {
        assert_eq!(maps.update(m, &[key], &[key], 0), Ok(0));
    }
    assert_ne!(maps.lookup(m, &[1]).unwrap(), 0);
    assert_eq!(maps.update(m, &[3], &[3], 0), Ok(0));
    assert_eq!(maps.entries(m).into_keys().collect::<Vec<_>>(), [[1], [3]]);
}
