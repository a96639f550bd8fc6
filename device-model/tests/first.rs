//! A packet walks: through words, helpers and maps.

use device_model::{Arrival, Device};
use offwire_image::{DispatchMode, MapKind, MapSpec};
use offwire_isa::{Base, CodeAddr, Read, RequestOp, Space, Src, StoreOp, Target, Word, X16};

fn array(entries: u32) -> MapSpec {
    MapSpec {
        name: "counts".into(),
        kind: MapKind::Array,
        key_size: 4,
        value_size: 8,
        max_entries: entries,
        flags: 0,
        init: Vec::new(),
        frozen: false,
    }
}

/// Counts packets in the array element that byte 14 of the packet names; XDP_PASS if there is none.
#[test]
fn a_packet_counts_in_an_array() {
    let zero = Read::Const(0).encode();
    let plain = Word { ra: zero, rb: zero, rc: zero, ..Word::default() };
    let words = [
        Word {
            ld_off: 14,
            x0_size: 1,
            st_op: StoreOp::Store,
            st_space: Space::Stack,
            st_off: 508,
            s0_size: 4,
            s0_src: Src::X0,
            q_op: RequestOp::Lookup,
            q_kspace: Space::Stack,
            q_koff: 508,
            q_dst: 5,
            q_null: true,
            t2: Target::Exit(2),
            next: Target::Goto(CodeAddr(1)),
            ..plain
        },
        Word {
            ra: Read::Reg(5).encode(),
            st_op: StoreOp::Add64,
            st_space: Space::MapValue,
            st_base: Base::Ra,
            s0_size: 8,
            s0_src: Src::I0,
            i0: 1,
            next: Target::Exit(1),
            ..plain
        },
    ];
    let mut device = Device::new(&X16);
    device.load_words(&words, CodeAddr(0), &[array(4)], DispatchMode::Cpu, 10_000).unwrap();
    for (byte, retval) in [(0, 1), (3, 1), (4, 2), (3, 1)] {
        let mut bytes = vec![0; 60];
        bytes[14] = byte;
        let departure = device.run_one(Arrival { bytes, vcpu: Some(0), ..Arrival::default() }).unwrap();
        assert_eq!((departure.retval, departure.fault), (retval, None), "{departure:?}");
    }
    let values: Vec<u64> = device
        .map_entries(0)
        .unwrap()
        .into_iter()
        .map(|(_, values)| u64::from_le_bytes(values[0].clone().try_into().unwrap()))
        .collect();
    assert_eq!(values, [1, 0, 0, 2]);
}
