// Generated from hw/spec by `cargo xtask codegen`; do not edit.
//! Descriptors of rings and records in buffers.

/// Command ring, host to device. Avail phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command {
    /// Opcode.
    pub opcode: u16,
    /// CommandFlag bits.
    pub flags: u16,
    /// Comes back with the completion.
    pub tag: u32,
    /// Program, map or port.
    pub object: u32,
    /// By opcode.
    pub argument: u32,
    /// By opcode.
    pub value: u64,
    /// IOVA of the input buffer.
    pub input: u64,
    /// IOVA of the output buffer.
    pub output: u64,
    /// Bytes of the input buffer.
    pub input_bytes: u32,
    /// Bytes of the output buffer.
    pub output_bytes: u32,
    /// By opcode.
    pub count: u32,
    /// 0.
    pub reserved0: u32,
    /// 0.
    pub reserved1: u32,
    /// Bit 0: avail phase; others 0.
    pub phase: u32,
}

impl Default for Command {
    fn default() -> Self {
        Self::decode(&[0; 64])
    }
}

impl Command {
    /// Its bytes.
    pub const BYTES: usize = 64;

    /// Offset and bytes of each field, in order.
    pub const FIELDS: [(&'static str, u32, u32); 14] = [
        ("opcode", 0, 2),
        ("flags", 2, 2),
        ("tag", 4, 4),
        ("object", 8, 4),
        ("argument", 12, 4),
        ("value", 16, 8),
        ("input", 24, 8),
        ("output", 32, 8),
        ("input_bytes", 40, 4),
        ("output_bytes", 44, 4),
        ("count", 48, 4),
        ("reserved0", 52, 4),
        ("reserved1", 56, 4),
        ("phase", 60, 4),
    ];

    /// The bytes as they lie in memory.
    pub fn encode(&self) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes[0..2].copy_from_slice(&self.opcode.to_le_bytes());
        bytes[2..4].copy_from_slice(&self.flags.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.tag.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.object.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.argument.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.value.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.input.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.output.to_le_bytes());
        bytes[40..44].copy_from_slice(&self.input_bytes.to_le_bytes());
        bytes[44..48].copy_from_slice(&self.output_bytes.to_le_bytes());
        bytes[48..52].copy_from_slice(&self.count.to_le_bytes());
        bytes[52..56].copy_from_slice(&self.reserved0.to_le_bytes());
        bytes[56..60].copy_from_slice(&self.reserved1.to_le_bytes());
        bytes[60..64].copy_from_slice(&self.phase.to_le_bytes());
        bytes
    }

    /// Reads the bytes; any are possible.
    pub fn decode(bytes: &[u8; 64]) -> Self {
        Command {
            opcode: u16::from_le_bytes([bytes[0], bytes[1]]),
            flags: u16::from_le_bytes([bytes[2], bytes[3]]),
            tag: u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
            object: u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]),
            argument: u32::from_le_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]),
            value: u64::from_le_bytes([bytes[16], bytes[17], bytes[18], bytes[19], bytes[20], bytes[21], bytes[22], bytes[23]]),
            input: u64::from_le_bytes([bytes[24], bytes[25], bytes[26], bytes[27], bytes[28], bytes[29], bytes[30], bytes[31]]),
            output: u64::from_le_bytes([bytes[32], bytes[33], bytes[34], bytes[35], bytes[36], bytes[37], bytes[38], bytes[39]]),
            input_bytes: u32::from_le_bytes([bytes[40], bytes[41], bytes[42], bytes[43]]),
            output_bytes: u32::from_le_bytes([bytes[44], bytes[45], bytes[46], bytes[47]]),
            count: u32::from_le_bytes([bytes[48], bytes[49], bytes[50], bytes[51]]),
            reserved0: u32::from_le_bytes([bytes[52], bytes[53], bytes[54], bytes[55]]),
            reserved1: u32::from_le_bytes([bytes[56], bytes[57], bytes[58], bytes[59]]),
            phase: u32::from_le_bytes([bytes[60], bytes[61], bytes[62], bytes[63]]),
        }
    }
}

/// Completion ring, device to host. Used phase. Commands complete in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The command's.
    pub tag: u32,
    /// The command's.
    pub opcode: u16,
    /// Status.
    pub status: u16,
    /// By status.
    pub argument: u64,
    /// By opcode.
    pub result: u64,
    /// Bytes written to the output buffer.
    pub output_bytes: u32,
    /// By opcode.
    pub count: u32,
    /// Device cycle at which it took effect.
    pub cycle: u64,
    /// Commands consumed so far, this one included.
    pub command_index: u32,
    /// 0.
    pub reserved0: u32,
    /// 0.
    pub reserved1: u64,
    /// 0.
    pub reserved2: u32,
    /// Bit 1: used phase; others 0.
    pub phase: u32,
}

impl Default for Completion {
    fn default() -> Self {
        Self::decode(&[0; 64])
    }
}

impl Completion {
    /// Its bytes.
    pub const BYTES: usize = 64;

    /// Offset and bytes of each field, in order.
    pub const FIELDS: [(&'static str, u32, u32); 13] = [
        ("tag", 0, 4),
        ("opcode", 4, 2),
        ("status", 6, 2),
        ("argument", 8, 8),
        ("result", 16, 8),
        ("output_bytes", 24, 4),
        ("count", 28, 4),
        ("cycle", 32, 8),
        ("command_index", 40, 4),
        ("reserved0", 44, 4),
        ("reserved1", 48, 8),
        ("reserved2", 56, 4),
        ("phase", 60, 4),
    ];

    /// The bytes as they lie in memory.
    pub fn encode(&self) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes[0..4].copy_from_slice(&self.tag.to_le_bytes());
        bytes[4..6].copy_from_slice(&self.opcode.to_le_bytes());
        bytes[6..8].copy_from_slice(&self.status.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.argument.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.result.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.output_bytes.to_le_bytes());
        bytes[28..32].copy_from_slice(&self.count.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.cycle.to_le_bytes());
        bytes[40..44].copy_from_slice(&self.command_index.to_le_bytes());
        bytes[44..48].copy_from_slice(&self.reserved0.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.reserved1.to_le_bytes());
        bytes[56..60].copy_from_slice(&self.reserved2.to_le_bytes());
        bytes[60..64].copy_from_slice(&self.phase.to_le_bytes());
        bytes
    }

    /// Reads the bytes; any are possible.
    pub fn decode(bytes: &[u8; 64]) -> Self {
        Completion {
            tag: u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]),
            opcode: u16::from_le_bytes([bytes[4], bytes[5]]),
            status: u16::from_le_bytes([bytes[6], bytes[7]]),
            argument: u64::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11], bytes[12], bytes[13], bytes[14], bytes[15]]),
            result: u64::from_le_bytes([bytes[16], bytes[17], bytes[18], bytes[19], bytes[20], bytes[21], bytes[22], bytes[23]]),
            output_bytes: u32::from_le_bytes([bytes[24], bytes[25], bytes[26], bytes[27]]),
            count: u32::from_le_bytes([bytes[28], bytes[29], bytes[30], bytes[31]]),
            cycle: u64::from_le_bytes([bytes[32], bytes[33], bytes[34], bytes[35], bytes[36], bytes[37], bytes[38], bytes[39]]),
            command_index: u32::from_le_bytes([bytes[40], bytes[41], bytes[42], bytes[43]]),
            reserved0: u32::from_le_bytes([bytes[44], bytes[45], bytes[46], bytes[47]]),
            reserved1: u64::from_le_bytes([bytes[48], bytes[49], bytes[50], bytes[51], bytes[52], bytes[53], bytes[54], bytes[55]]),
            reserved2: u32::from_le_bytes([bytes[56], bytes[57], bytes[58], bytes[59]]),
            phase: u32::from_le_bytes([bytes[60], bytes[61], bytes[62], bytes[63]]),
        }
    }
}

/// Event ring, device to host. Used phase. The events of a packet come before its receive descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// EventKind.
    pub kind: u16,
    /// Port of the packet.
    pub port: u16,
    /// Map id.
    pub map: u32,
    /// Number of the packet.
    pub seq: u64,
    /// Device cycle.
    pub cycle: u64,
    /// By kind.
    pub index: u32,
    /// Bytes in the data area.
    pub bytes: u32,
    /// Where they start there, a multiple of 8; data is never wrapped.
    pub offset: u32,
    /// Perf: how many of them, at the end, are packet bytes.
    pub packet_bytes: u32,
    /// Events lost since the last one that was written.
    pub lost: u32,
    /// Program id, 0xffff: none.
    pub program: u16,
    /// By kind.
    pub code: u16,
    /// By kind.
    pub argument: u64,
    /// 0.
    pub reserved: u32,
    /// Bit 1: used phase; others 0.
    pub phase: u32,
}

impl Default for Event {
    fn default() -> Self {
        Self::decode(&[0; 64])
    }
}

impl Event {
    /// Its bytes.
    pub const BYTES: usize = 64;

    /// Offset and bytes of each field, in order.
    pub const FIELDS: [(&'static str, u32, u32); 15] = [
        ("kind", 0, 2),
        ("port", 2, 2),
        ("map", 4, 4),
        ("seq", 8, 8),
        ("cycle", 16, 8),
        ("index", 24, 4),
        ("bytes", 28, 4),
        ("offset", 32, 4),
        ("packet_bytes", 36, 4),
        ("lost", 40, 4),
        ("program", 44, 2),
        ("code", 46, 2),
        ("argument", 48, 8),
        ("reserved", 56, 4),
        ("phase", 60, 4),
    ];

    /// The bytes as they lie in memory.
    pub fn encode(&self) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes[0..2].copy_from_slice(&self.kind.to_le_bytes());
        bytes[2..4].copy_from_slice(&self.port.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.map.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.seq.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.cycle.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.index.to_le_bytes());
        bytes[28..32].copy_from_slice(&self.bytes.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.offset.to_le_bytes());
        bytes[36..40].copy_from_slice(&self.packet_bytes.to_le_bytes());
        bytes[40..44].copy_from_slice(&self.lost.to_le_bytes());
        bytes[44..46].copy_from_slice(&self.program.to_le_bytes());
        bytes[46..48].copy_from_slice(&self.code.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.argument.to_le_bytes());
        bytes[56..60].copy_from_slice(&self.reserved.to_le_bytes());
        bytes[60..64].copy_from_slice(&self.phase.to_le_bytes());
        bytes
    }

    /// Reads the bytes; any are possible.
    pub fn decode(bytes: &[u8; 64]) -> Self {
        Event {
            kind: u16::from_le_bytes([bytes[0], bytes[1]]),
            port: u16::from_le_bytes([bytes[2], bytes[3]]),
            map: u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
            seq: u64::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11], bytes[12], bytes[13], bytes[14], bytes[15]]),
            cycle: u64::from_le_bytes([bytes[16], bytes[17], bytes[18], bytes[19], bytes[20], bytes[21], bytes[22], bytes[23]]),
            index: u32::from_le_bytes([bytes[24], bytes[25], bytes[26], bytes[27]]),
            bytes: u32::from_le_bytes([bytes[28], bytes[29], bytes[30], bytes[31]]),
            offset: u32::from_le_bytes([bytes[32], bytes[33], bytes[34], bytes[35]]),
            packet_bytes: u32::from_le_bytes([bytes[36], bytes[37], bytes[38], bytes[39]]),
            lost: u32::from_le_bytes([bytes[40], bytes[41], bytes[42], bytes[43]]),
            program: u16::from_le_bytes([bytes[44], bytes[45]]),
            code: u16::from_le_bytes([bytes[46], bytes[47]]),
            argument: u64::from_le_bytes([bytes[48], bytes[49], bytes[50], bytes[51], bytes[52], bytes[53], bytes[54], bytes[55]]),
            reserved: u32::from_le_bytes([bytes[56], bytes[57], bytes[58], bytes[59]]),
            phase: u32::from_le_bytes([bytes[60], bytes[61], bytes[62], bytes[63]]),
        }
    }
}

/// Receive ring: the host posts buffers (avail phase), the device writes the whole descriptor back with used phase. The buffer then has the report (if the ring asks for it), the metadata and the frame, without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receive {
    /// Host: IOVA of the buffer; the device leaves it as it is.
    pub buffer: u64,
    /// Host: its bytes; the device leaves it as it is.
    pub buffer_bytes: u32,
    /// Bytes of the frame.
    pub packet_bytes: u32,
    /// Bytes of metadata before the frame (bpf_xdp_adjust_meta).
    pub meta_bytes: u16,
    /// Port at which it came in.
    pub port: u16,
    /// Return value of the program, XDP_PASS without one.
    pub retval: u32,
    /// Program id, 0xffff: none.
    pub program: u16,
    /// ReceiveStatus.
    pub status: u16,
    /// Hash of the flow.
    pub flow_hash: u32,
    /// Number of the packet since reset.
    pub seq: u64,
    /// Device cycle of departure.
    pub cycle: u64,
    /// 64 if a report comes first, else 0.
    pub report_bytes: u32,
    /// 0.
    pub reserved0: u32,
    /// 0.
    pub reserved1: u32,
    /// Bit 0: avail phase, bit 1: used phase; others 0.
    pub phase: u32,
}

impl Default for Receive {
    fn default() -> Self {
        Self::decode(&[0; 64])
    }
}

impl Receive {
    /// Its bytes.
    pub const BYTES: usize = 64;

    /// Offset and bytes of each field, in order.
    pub const FIELDS: [(&'static str, u32, u32); 15] = [
        ("buffer", 0, 8),
        ("buffer_bytes", 8, 4),
        ("packet_bytes", 12, 4),
        ("meta_bytes", 16, 2),
        ("port", 18, 2),
        ("retval", 20, 4),
        ("program", 24, 2),
        ("status", 26, 2),
        ("flow_hash", 28, 4),
        ("seq", 32, 8),
        ("cycle", 40, 8),
        ("report_bytes", 48, 4),
        ("reserved0", 52, 4),
        ("reserved1", 56, 4),
        ("phase", 60, 4),
    ];

    /// The bytes as they lie in memory.
    pub fn encode(&self) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes[0..8].copy_from_slice(&self.buffer.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.buffer_bytes.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.packet_bytes.to_le_bytes());
        bytes[16..18].copy_from_slice(&self.meta_bytes.to_le_bytes());
        bytes[18..20].copy_from_slice(&self.port.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.retval.to_le_bytes());
        bytes[24..26].copy_from_slice(&self.program.to_le_bytes());
        bytes[26..28].copy_from_slice(&self.status.to_le_bytes());
        bytes[28..32].copy_from_slice(&self.flow_hash.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.seq.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.cycle.to_le_bytes());
        bytes[48..52].copy_from_slice(&self.report_bytes.to_le_bytes());
        bytes[52..56].copy_from_slice(&self.reserved0.to_le_bytes());
        bytes[56..60].copy_from_slice(&self.reserved1.to_le_bytes());
        bytes[60..64].copy_from_slice(&self.phase.to_le_bytes());
        bytes
    }

    /// Reads the bytes; any are possible.
    pub fn decode(bytes: &[u8; 64]) -> Self {
        Receive {
            buffer: u64::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7]]),
            buffer_bytes: u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]),
            packet_bytes: u32::from_le_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]),
            meta_bytes: u16::from_le_bytes([bytes[16], bytes[17]]),
            port: u16::from_le_bytes([bytes[18], bytes[19]]),
            retval: u32::from_le_bytes([bytes[20], bytes[21], bytes[22], bytes[23]]),
            program: u16::from_le_bytes([bytes[24], bytes[25]]),
            status: u16::from_le_bytes([bytes[26], bytes[27]]),
            flow_hash: u32::from_le_bytes([bytes[28], bytes[29], bytes[30], bytes[31]]),
            seq: u64::from_le_bytes([bytes[32], bytes[33], bytes[34], bytes[35], bytes[36], bytes[37], bytes[38], bytes[39]]),
            cycle: u64::from_le_bytes([bytes[40], bytes[41], bytes[42], bytes[43], bytes[44], bytes[45], bytes[46], bytes[47]]),
            report_bytes: u32::from_le_bytes([bytes[48], bytes[49], bytes[50], bytes[51]]),
            reserved0: u32::from_le_bytes([bytes[52], bytes[53], bytes[54], bytes[55]]),
            reserved1: u32::from_le_bytes([bytes[56], bytes[57], bytes[58], bytes[59]]),
            phase: u32::from_le_bytes([bytes[60], bytes[61], bytes[62], bytes[63]]),
        }
    }
}

/// Transmit ring: the host's frames (avail phase); the device writes status and seq back with used phase when it does not need the buffer any more, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// IOVA of the frame.
    pub buffer: u64,
    /// Bytes of the frame.
    pub bytes: u32,
    /// Port.
    pub port: u16,
    /// TransmitFlag bits.
    pub flags: u16,
    /// With Stamped: arrival.
    pub cycle: u64,
    /// With Queue: what the program sees.
    pub ingress_ifindex: u32,
    /// With Queue: what the program sees.
    pub rx_queue: u32,
    /// With Vcpu.
    pub vcpu: u16,
    /// Device: TransmitStatus.
    pub status: u16,
    /// 0.
    pub reserved0: u32,
    /// Device: number of the injected packet.
    pub seq: u64,
    /// 0.
    pub reserved1: u64,
    /// 0.
    pub reserved2: u32,
    /// Bit 0: avail phase, bit 1: used phase; others 0.
    pub phase: u32,
}

impl Default for Transmit {
    fn default() -> Self {
        Self::decode(&[0; 64])
    }
}

impl Transmit {
    /// Its bytes.
    pub const BYTES: usize = 64;

    /// Offset and bytes of each field, in order.
    pub const FIELDS: [(&'static str, u32, u32); 14] = [
        ("buffer", 0, 8),
        ("bytes", 8, 4),
        ("port", 12, 2),
        ("flags", 14, 2),
        ("cycle", 16, 8),
        ("ingress_ifindex", 24, 4),
        ("rx_queue", 28, 4),
        ("vcpu", 32, 2),
        ("status", 34, 2),
        ("reserved0", 36, 4),
        ("seq", 40, 8),
        ("reserved1", 48, 8),
        ("reserved2", 56, 4),
        ("phase", 60, 4),
    ];

    /// The bytes as they lie in memory.
    pub fn encode(&self) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes[0..8].copy_from_slice(&self.buffer.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.bytes.to_le_bytes());
        bytes[12..14].copy_from_slice(&self.port.to_le_bytes());
        bytes[14..16].copy_from_slice(&self.flags.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.cycle.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.ingress_ifindex.to_le_bytes());
        bytes[28..32].copy_from_slice(&self.rx_queue.to_le_bytes());
        bytes[32..34].copy_from_slice(&self.vcpu.to_le_bytes());
        bytes[34..36].copy_from_slice(&self.status.to_le_bytes());
        bytes[36..40].copy_from_slice(&self.reserved0.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.seq.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.reserved1.to_le_bytes());
        bytes[56..60].copy_from_slice(&self.reserved2.to_le_bytes());
        bytes[60..64].copy_from_slice(&self.phase.to_le_bytes());
        bytes
    }

    /// Reads the bytes; any are possible.
    pub fn decode(bytes: &[u8; 64]) -> Self {
        Transmit {
            buffer: u64::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7]]),
            bytes: u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]),
            port: u16::from_le_bytes([bytes[12], bytes[13]]),
            flags: u16::from_le_bytes([bytes[14], bytes[15]]),
            cycle: u64::from_le_bytes([bytes[16], bytes[17], bytes[18], bytes[19], bytes[20], bytes[21], bytes[22], bytes[23]]),
            ingress_ifindex: u32::from_le_bytes([bytes[24], bytes[25], bytes[26], bytes[27]]),
            rx_queue: u32::from_le_bytes([bytes[28], bytes[29], bytes[30], bytes[31]]),
            vcpu: u16::from_le_bytes([bytes[32], bytes[33]]),
            status: u16::from_le_bytes([bytes[34], bytes[35]]),
            reserved0: u32::from_le_bytes([bytes[36], bytes[37], bytes[38], bytes[39]]),
            seq: u64::from_le_bytes([bytes[40], bytes[41], bytes[42], bytes[43], bytes[44], bytes[45], bytes[46], bytes[47]]),
            reserved1: u64::from_le_bytes([bytes[48], bytes[49], bytes[50], bytes[51], bytes[52], bytes[53], bytes[54], bytes[55]]),
            reserved2: u32::from_le_bytes([bytes[56], bytes[57], bytes[58], bytes[59]]),
            phase: u32::from_le_bytes([bytes[60], bytes[61], bytes[62], bytes[63]]),
        }
    }
}

/// Record before a received packet: how it went through the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiveReport {
    /// Cycle of arrival.
    pub arrival: u64,
    /// Cycles from arrival to dispatch.
    pub dispatched: u32,
    /// Cycles from arrival to the end of the program.
    pub exited: u32,
    /// Cycles from arrival to departure.
    pub departed: u32,
    /// Words run.
    pub words: u32,
    /// Issue slots taken.
    pub slots: u32,
    /// RedirectKind.
    pub redirect: u16,
    /// 0xffff: none, else fault cause.
    pub fault: u16,
    /// Flags of the call.
    pub redirect_flags: u64,
    /// By RedirectKind.
    pub redirect_target: u32,
    /// By RedirectKind.
    pub redirect_key: u32,
    /// Word address of the fault.
    pub fault_address: u32,
    /// Events that it made, lost ones included.
    pub events: u32,
    /// 0.
    pub reserved: u64,
}

impl Default for ReceiveReport {
    fn default() -> Self {
        Self::decode(&[0; 64])
    }
}

impl ReceiveReport {
    /// Its bytes.
    pub const BYTES: usize = 64;

    /// Offset and bytes of each field, in order.
    pub const FIELDS: [(&'static str, u32, u32); 14] = [
        ("arrival", 0, 8),
        ("dispatched", 8, 4),
        ("exited", 12, 4),
        ("departed", 16, 4),
        ("words", 20, 4),
        ("slots", 24, 4),
        ("redirect", 28, 2),
        ("fault", 30, 2),
        ("redirect_flags", 32, 8),
        ("redirect_target", 40, 4),
        ("redirect_key", 44, 4),
        ("fault_address", 48, 4),
        ("events", 52, 4),
        ("reserved", 56, 8),
    ];

    /// The bytes as they lie in memory.
    pub fn encode(&self) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes[0..8].copy_from_slice(&self.arrival.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.dispatched.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.exited.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.departed.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.words.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.slots.to_le_bytes());
        bytes[28..30].copy_from_slice(&self.redirect.to_le_bytes());
        bytes[30..32].copy_from_slice(&self.fault.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.redirect_flags.to_le_bytes());
        bytes[40..44].copy_from_slice(&self.redirect_target.to_le_bytes());
        bytes[44..48].copy_from_slice(&self.redirect_key.to_le_bytes());
        bytes[48..52].copy_from_slice(&self.fault_address.to_le_bytes());
        bytes[52..56].copy_from_slice(&self.events.to_le_bytes());
        bytes[56..64].copy_from_slice(&self.reserved.to_le_bytes());
        bytes
    }

    /// Reads the bytes; any are possible.
    pub fn decode(bytes: &[u8; 64]) -> Self {
        ReceiveReport {
            arrival: u64::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7]]),
            dispatched: u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]),
            exited: u32::from_le_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]),
            departed: u32::from_le_bytes([bytes[16], bytes[17], bytes[18], bytes[19]]),
            words: u32::from_le_bytes([bytes[20], bytes[21], bytes[22], bytes[23]]),
            slots: u32::from_le_bytes([bytes[24], bytes[25], bytes[26], bytes[27]]),
            redirect: u16::from_le_bytes([bytes[28], bytes[29]]),
            fault: u16::from_le_bytes([bytes[30], bytes[31]]),
            redirect_flags: u64::from_le_bytes([bytes[32], bytes[33], bytes[34], bytes[35], bytes[36], bytes[37], bytes[38], bytes[39]]),
            redirect_target: u32::from_le_bytes([bytes[40], bytes[41], bytes[42], bytes[43]]),
            redirect_key: u32::from_le_bytes([bytes[44], bytes[45], bytes[46], bytes[47]]),
            fault_address: u32::from_le_bytes([bytes[48], bytes[49], bytes[50], bytes[51]]),
            events: u32::from_le_bytes([bytes[52], bytes[53], bytes[54], bytes[55]]),
            reserved: u64::from_le_bytes([bytes[56], bytes[57], bytes[58], bytes[59], bytes[60], bytes[61], bytes[62], bytes[63]]),
        }
    }
}

/// Record at the start of ProgramLoad's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgramLoad {
    /// Bytes of the image.
    pub image_bytes: u32,
    /// Bindings: as many as the image has maps, or 0: create all.
    pub bindings: u32,
    /// 0.
    pub reserved: u64,
}

impl Default for ProgramLoad {
    fn default() -> Self {
        Self::decode(&[0; 16])
    }
}

impl ProgramLoad {
    /// Its bytes.
    pub const BYTES: usize = 16;

    /// Offset and bytes of each field, in order.
    pub const FIELDS: [(&'static str, u32, u32); 3] = [
        ("image_bytes", 0, 4),
        ("bindings", 4, 4),
        ("reserved", 8, 8),
    ];

    /// The bytes as they lie in memory.
    pub fn encode(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[0..4].copy_from_slice(&self.image_bytes.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.bindings.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.reserved.to_le_bytes());
        bytes
    }

    /// Reads the bytes; any are possible.
    pub fn decode(bytes: &[u8; 16]) -> Self {
        ProgramLoad {
            image_bytes: u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]),
            bindings: u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
            reserved: u64::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11], bytes[12], bytes[13], bytes[14], bytes[15]]),
        }
    }
}

/// A program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgramInfo {
    /// Id.
    pub id: u32,
    /// Words.
    pub words: u32,
    /// First word in the instruction store.
    pub address: u32,
    /// Proven dispatch mode: DispatchChoice.
    pub mode: u16,
    /// Maps; their ids follow the record.
    pub maps: u16,
    /// Bit p: attached to port p.
    pub ports: u64,
    /// First 8 bytes of the SHA-256 over the words.
    pub tag: u64,
    /// Cycle at which it was loaded.
    pub loaded: u64,
    /// Packets that run it or wait for it.
    pub in_flight: u32,
    /// 1: it is unloaded and goes when the last packet has left.
    pub unloading: u32,
    /// 0.
    pub reserved: u64,
    /// Name, UTF-8, padded with zeros.
    pub name: [u8; 64],
    /// Cycles that a packet may take.
    pub budget: u64,
}

impl Default for ProgramInfo {
    fn default() -> Self {
        Self::decode(&[0; 128])
    }
}

impl ProgramInfo {
    /// Its bytes.
    pub const BYTES: usize = 128;

    /// Offset and bytes of each field, in order.
    pub const FIELDS: [(&'static str, u32, u32); 13] = [
        ("id", 0, 4),
        ("words", 4, 4),
        ("address", 8, 4),
        ("mode", 12, 2),
        ("maps", 14, 2),
        ("ports", 16, 8),
        ("tag", 24, 8),
        ("loaded", 32, 8),
        ("in_flight", 40, 4),
        ("unloading", 44, 4),
        ("reserved", 48, 8),
        ("name", 56, 64),
        ("budget", 120, 8),
    ];

    /// The bytes as they lie in memory.
    pub fn encode(&self) -> [u8; 128] {
        let mut bytes = [0; 128];
        bytes[0..4].copy_from_slice(&self.id.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.words.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.address.to_le_bytes());
        bytes[12..14].copy_from_slice(&self.mode.to_le_bytes());
        bytes[14..16].copy_from_slice(&self.maps.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.ports.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.tag.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.loaded.to_le_bytes());
        bytes[40..44].copy_from_slice(&self.in_flight.to_le_bytes());
        bytes[44..48].copy_from_slice(&self.unloading.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.reserved.to_le_bytes());
        bytes[56..120].copy_from_slice(&self.name);
        bytes[120..128].copy_from_slice(&self.budget.to_le_bytes());
        bytes
    }

    /// Reads the bytes; any are possible.
    pub fn decode(bytes: &[u8; 128]) -> Self {
        ProgramInfo {
            id: u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]),
            words: u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
            address: u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]),
            mode: u16::from_le_bytes([bytes[12], bytes[13]]),
            maps: u16::from_le_bytes([bytes[14], bytes[15]]),
            ports: u64::from_le_bytes([bytes[16], bytes[17], bytes[18], bytes[19], bytes[20], bytes[21], bytes[22], bytes[23]]),
            tag: u64::from_le_bytes([bytes[24], bytes[25], bytes[26], bytes[27], bytes[28], bytes[29], bytes[30], bytes[31]]),
            loaded: u64::from_le_bytes([bytes[32], bytes[33], bytes[34], bytes[35], bytes[36], bytes[37], bytes[38], bytes[39]]),
            in_flight: u32::from_le_bytes([bytes[40], bytes[41], bytes[42], bytes[43]]),
            unloading: u32::from_le_bytes([bytes[44], bytes[45], bytes[46], bytes[47]]),
            reserved: u64::from_le_bytes([bytes[48], bytes[49], bytes[50], bytes[51], bytes[52], bytes[53], bytes[54], bytes[55]]),
            name: [bytes[56], bytes[57], bytes[58], bytes[59], bytes[60], bytes[61], bytes[62], bytes[63], bytes[64], bytes[65], bytes[66], bytes[67], bytes[68], bytes[69], bytes[70], bytes[71], bytes[72], bytes[73], bytes[74], bytes[75], bytes[76], bytes[77], bytes[78], bytes[79], bytes[80], bytes[81], bytes[82], bytes[83], bytes[84], bytes[85], bytes[86], bytes[87], bytes[88], bytes[89], bytes[90], bytes[91], bytes[92], bytes[93], bytes[94], bytes[95], bytes[96], bytes[97], bytes[98], bytes[99], bytes[100], bytes[101], bytes[102], bytes[103], bytes[104], bytes[105], bytes[106], bytes[107], bytes[108], bytes[109], bytes[110], bytes[111], bytes[112], bytes[113], bytes[114], bytes[115], bytes[116], bytes[117], bytes[118], bytes[119]],
            budget: u64::from_le_bytes([bytes[120], bytes[121], bytes[122], bytes[123], bytes[124], bytes[125], bytes[126], bytes[127]]),
        }
    }
}

/// A map to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapCreate {
    /// enum bpf_map_type.
    pub kind: u32,
    /// Key size.
    pub key_bytes: u32,
    /// Value size.
    pub value_bytes: u32,
    /// Entries.
    pub max_entries: u32,
    /// BPF_F_* of map_flags.
    pub flags: u32,
    /// Offset of a struct bpf_spin_lock in the value, 0xffffffff: none.
    pub lock: u32,
    /// Map id that all inner maps are like (maps of maps), else 0xffffffff.
    pub inner: u32,
    /// Initial bytes that follow.
    pub init_bytes: u32,
    /// 1: neither programs nor the host change it.
    pub frozen: u32,
    /// 0.
    pub reserved0: u32,
    /// 0.
    pub reserved1: u64,
    /// 0.
    pub reserved2: u64,
    /// 0.
    pub reserved3: u64,
    /// Name, UTF-8, padded with zeros.
    pub name: [u8; 64],
}

impl Default for MapCreate {
    fn default() -> Self {
        Self::decode(&[0; 128])
    }
}

impl MapCreate {
    /// Its bytes.
    pub const BYTES: usize = 128;

    /// Offset and bytes of each field, in order.
    pub const FIELDS: [(&'static str, u32, u32); 14] = [
        ("kind", 0, 4),
        ("key_bytes", 4, 4),
        ("value_bytes", 8, 4),
        ("max_entries", 12, 4),
        ("flags", 16, 4),
        ("lock", 20, 4),
        ("inner", 24, 4),
        ("init_bytes", 28, 4),
        ("frozen", 32, 4),
        ("reserved0", 36, 4),
        ("reserved1", 40, 8),
        ("reserved2", 48, 8),
        ("reserved3", 56, 8),
        ("name", 64, 64),
    ];

    /// The bytes as they lie in memory.
    pub fn encode(&self) -> [u8; 128] {
        let mut bytes = [0; 128];
        bytes[0..4].copy_from_slice(&self.kind.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.key_bytes.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.value_bytes.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.max_entries.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.flags.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.lock.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.inner.to_le_bytes());
        bytes[28..32].copy_from_slice(&self.init_bytes.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.frozen.to_le_bytes());
        bytes[36..40].copy_from_slice(&self.reserved0.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.reserved1.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.reserved2.to_le_bytes());
        bytes[56..64].copy_from_slice(&self.reserved3.to_le_bytes());
        bytes[64..128].copy_from_slice(&self.name);
        bytes
    }

    /// Reads the bytes; any are possible.
    pub fn decode(bytes: &[u8; 128]) -> Self {
        MapCreate {
            kind: u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]),
            key_bytes: u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
            value_bytes: u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]),
            max_entries: u32::from_le_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]),
            flags: u32::from_le_bytes([bytes[16], bytes[17], bytes[18], bytes[19]]),
            lock: u32::from_le_bytes([bytes[20], bytes[21], bytes[22], bytes[23]]),
            inner: u32::from_le_bytes([bytes[24], bytes[25], bytes[26], bytes[27]]),
            init_bytes: u32::from_le_bytes([bytes[28], bytes[29], bytes[30], bytes[31]]),
            frozen: u32::from_le_bytes([bytes[32], bytes[33], bytes[34], bytes[35]]),
            reserved0: u32::from_le_bytes([bytes[36], bytes[37], bytes[38], bytes[39]]),
            reserved1: u64::from_le_bytes([bytes[40], bytes[41], bytes[42], bytes[43], bytes[44], bytes[45], bytes[46], bytes[47]]),
            reserved2: u64::from_le_bytes([bytes[48], bytes[49], bytes[50], bytes[51], bytes[52], bytes[53], bytes[54], bytes[55]]),
            reserved3: u64::from_le_bytes([bytes[56], bytes[57], bytes[58], bytes[59], bytes[60], bytes[61], bytes[62], bytes[63]]),
            name: [bytes[64], bytes[65], bytes[66], bytes[67], bytes[68], bytes[69], bytes[70], bytes[71], bytes[72], bytes[73], bytes[74], bytes[75], bytes[76], bytes[77], bytes[78], bytes[79], bytes[80], bytes[81], bytes[82], bytes[83], bytes[84], bytes[85], bytes[86], bytes[87], bytes[88], bytes[89], bytes[90], bytes[91], bytes[92], bytes[93], bytes[94], bytes[95], bytes[96], bytes[97], bytes[98], bytes[99], bytes[100], bytes[101], bytes[102], bytes[103], bytes[104], bytes[105], bytes[106], bytes[107], bytes[108], bytes[109], bytes[110], bytes[111], bytes[112], bytes[113], bytes[114], bytes[115], bytes[116], bytes[117], bytes[118], bytes[119], bytes[120], bytes[121], bytes[122], bytes[123], bytes[124], bytes[125], bytes[126], bytes[127]],
        }
    }
}

/// A map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapInfo {
    /// Id.
    pub id: u32,
    /// enum bpf_map_type.
    pub kind: u32,
    /// Key size.
    pub key_bytes: u32,
    /// Value size.
    pub value_bytes: u32,
    /// Entries.
    pub max_entries: u32,
    /// BPF_F_* of map_flags.
    pub flags: u32,
    /// Offset of a struct bpf_spin_lock in the value, 0xffffffff: none.
    pub lock: u32,
    /// Bit 0: the host cannot change it, bit 1: programs cannot.
    pub frozen: u32,
    /// Copies of a value: vCPUs, or 1.
    pub copies: u32,
    /// Programs that hold it.
    pub programs: u32,
    /// Bytes of map memory.
    pub memory: u64,
    /// 0.
    pub reserved0: u64,
    /// 0.
    pub reserved1: u64,
    /// Name, UTF-8, padded with zeros.
    pub name: [u8; 64],
}

impl Default for MapInfo {
    fn default() -> Self {
        Self::decode(&[0; 128])
    }
}

impl MapInfo {
    /// Its bytes.
    pub const BYTES: usize = 128;

    /// Offset and bytes of each field, in order.
    pub const FIELDS: [(&'static str, u32, u32); 14] = [
        ("id", 0, 4),
        ("kind", 4, 4),
        ("key_bytes", 8, 4),
        ("value_bytes", 12, 4),
        ("max_entries", 16, 4),
        ("flags", 20, 4),
        ("lock", 24, 4),
        ("frozen", 28, 4),
        ("copies", 32, 4),
        ("programs", 36, 4),
        ("memory", 40, 8),
        ("reserved0", 48, 8),
        ("reserved1", 56, 8),
        ("name", 64, 64),
    ];

    /// The bytes as they lie in memory.
    pub fn encode(&self) -> [u8; 128] {
        let mut bytes = [0; 128];
        bytes[0..4].copy_from_slice(&self.id.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.kind.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.key_bytes.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.value_bytes.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.max_entries.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.flags.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.lock.to_le_bytes());
        bytes[28..32].copy_from_slice(&self.frozen.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.copies.to_le_bytes());
        bytes[36..40].copy_from_slice(&self.programs.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.memory.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.reserved0.to_le_bytes());
        bytes[56..64].copy_from_slice(&self.reserved1.to_le_bytes());
        bytes[64..128].copy_from_slice(&self.name);
        bytes
    }

    /// Reads the bytes; any are possible.
    pub fn decode(bytes: &[u8; 128]) -> Self {
        MapInfo {
            id: u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]),
            kind: u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
            key_bytes: u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]),
            value_bytes: u32::from_le_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]),
            max_entries: u32::from_le_bytes([bytes[16], bytes[17], bytes[18], bytes[19]]),
            flags: u32::from_le_bytes([bytes[20], bytes[21], bytes[22], bytes[23]]),
            lock: u32::from_le_bytes([bytes[24], bytes[25], bytes[26], bytes[27]]),
            frozen: u32::from_le_bytes([bytes[28], bytes[29], bytes[30], bytes[31]]),
            copies: u32::from_le_bytes([bytes[32], bytes[33], bytes[34], bytes[35]]),
            programs: u32::from_le_bytes([bytes[36], bytes[37], bytes[38], bytes[39]]),
            memory: u64::from_le_bytes([bytes[40], bytes[41], bytes[42], bytes[43], bytes[44], bytes[45], bytes[46], bytes[47]]),
            reserved0: u64::from_le_bytes([bytes[48], bytes[49], bytes[50], bytes[51], bytes[52], bytes[53], bytes[54], bytes[55]]),
            reserved1: u64::from_le_bytes([bytes[56], bytes[57], bytes[58], bytes[59], bytes[60], bytes[61], bytes[62], bytes[63]]),
            name: [bytes[64], bytes[65], bytes[66], bytes[67], bytes[68], bytes[69], bytes[70], bytes[71], bytes[72], bytes[73], bytes[74], bytes[75], bytes[76], bytes[77], bytes[78], bytes[79], bytes[80], bytes[81], bytes[82], bytes[83], bytes[84], bytes[85], bytes[86], bytes[87], bytes[88], bytes[89], bytes[90], bytes[91], bytes[92], bytes[93], bytes[94], bytes[95], bytes[96], bytes[97], bytes[98], bytes[99], bytes[100], bytes[101], bytes[102], bytes[103], bytes[104], bytes[105], bytes[106], bytes[107], bytes[108], bytes[109], bytes[110], bytes[111], bytes[112], bytes[113], bytes[114], bytes[115], bytes[116], bytes[117], bytes[118], bytes[119], bytes[120], bytes[121], bytes[122], bytes[123], bytes[124], bytes[125], bytes[126], bytes[127]],
        }
    }
}

/// A port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortInfo {
    /// Number.
    pub port: u32,
    /// PortFlag bits.
    pub flags: u32,
    /// What programs see.
    pub ifindex: u32,
    /// Program id, 0xffffffff: none.
    pub program: u32,
    /// DispatchChoice in force, never Proven; 0 without a program.
    pub mode: u32,
    /// Rate, Gb/s.
    pub gbps: u32,
    /// Cycle of the last attach, detach or swap.
    pub since: u64,
    /// 0.
    pub reserved: [u8; 32],
}

impl Default for PortInfo {
    fn default() -> Self {
        Self::decode(&[0; 64])
    }
}

impl PortInfo {
    /// Its bytes.
    pub const BYTES: usize = 64;

    /// Offset and bytes of each field, in order.
    pub const FIELDS: [(&'static str, u32, u32); 8] = [
        ("port", 0, 4),
        ("flags", 4, 4),
        ("ifindex", 8, 4),
        ("program", 12, 4),
        ("mode", 16, 4),
        ("gbps", 20, 4),
        ("since", 24, 8),
        ("reserved", 32, 32),
    ];

    /// The bytes as they lie in memory.
    pub fn encode(&self) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes[0..4].copy_from_slice(&self.port.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.flags.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.ifindex.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.program.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.mode.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.gbps.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.since.to_le_bytes());
        bytes[32..64].copy_from_slice(&self.reserved);
        bytes
    }

    /// Reads the bytes; any are possible.
    pub fn decode(bytes: &[u8; 64]) -> Self {
        PortInfo {
            port: u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]),
            flags: u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
            ifindex: u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]),
            program: u32::from_le_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]),
            mode: u32::from_le_bytes([bytes[16], bytes[17], bytes[18], bytes[19]]),
            gbps: u32::from_le_bytes([bytes[20], bytes[21], bytes[22], bytes[23]]),
            since: u64::from_le_bytes([bytes[24], bytes[25], bytes[26], bytes[27], bytes[28], bytes[29], bytes[30], bytes[31]]),
            reserved: [bytes[32], bytes[33], bytes[34], bytes[35], bytes[36], bytes[37], bytes[38], bytes[39], bytes[40], bytes[41], bytes[42], bytes[43], bytes[44], bytes[45], bytes[46], bytes[47], bytes[48], bytes[49], bytes[50], bytes[51], bytes[52], bytes[53], bytes[54], bytes[55], bytes[56], bytes[57], bytes[58], bytes[59], bytes[60], bytes[61], bytes[62], bytes[63]],
        }
    }
}

/// Sources of chance for compared runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chance {
    /// What bpf_ktime_get_ns gives.
    pub ktime_ns: u64,
    /// What bpf_jiffies64 gives.
    pub jiffies: u64,
    /// State of the random generator.
    pub random_state: u64,
}

impl Default for Chance {
    fn default() -> Self {
        Self::decode(&[0; 24])
    }
}

impl Chance {
    /// Its bytes.
    pub const BYTES: usize = 24;

    /// Offset and bytes of each field, in order.
    pub const FIELDS: [(&'static str, u32, u32); 3] = [
        ("ktime_ns", 0, 8),
        ("jiffies", 8, 8),
        ("random_state", 16, 8),
    ];

    /// The bytes as they lie in memory.
    pub fn encode(&self) -> [u8; 24] {
        let mut bytes = [0; 24];
        bytes[0..8].copy_from_slice(&self.ktime_ns.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.jiffies.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.random_state.to_le_bytes());
        bytes
    }

    /// Reads the bytes; any are possible.
    pub fn decode(bytes: &[u8; 24]) -> Self {
        Chance {
            ktime_ns: u64::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7]]),
            jiffies: u64::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11], bytes[12], bytes[13], bytes[14], bytes[15]]),
            random_state: u64::from_le_bytes([bytes[16], bytes[17], bytes[18], bytes[19], bytes[20], bytes[21], bytes[22], bytes[23]]),
        }
    }
}
