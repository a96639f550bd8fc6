// Generated from hw/spec by `cargo xtask codegen`; do not edit.

// The instruction set of the offwire engine; docs/isa.md explains it.
package offwire_isa_pkg;
  // verilator lint_off UNUSEDPARAM
  // verilator lint_off UNUSEDSIGNAL

  localparam int unsigned IsaVersion = 1;  // version of the encoding and of its meaning
  localparam int unsigned WordBits = 288;  // bits of a word
  localparam int unsigned Registers = 16;  // registers of a context, 64 bits each
  localparam int unsigned CodeAddressBits = 12;  // bits of a code address
  localparam int unsigned StackBytes = 512;  // space Stack
  localparam int unsigned ScratchBytes = 256;  // space Scratch, packet metadata included
  localparam int unsigned MetadataBytes = 64;  // read-only packet metadata at the start of the scratch
  localparam int unsigned MetadataPacketLen = 0;  // 8 bytes: data_end - data, bytes, now.
  localparam int unsigned MetadataIngressIfindex = 8;  // 4 bytes: xdp_md.ingress_ifindex.
  localparam int unsigned MetadataRxQueueIndex = 12;  // 4 bytes: xdp_md.rx_queue_index.
  localparam int unsigned MetadataEgressIfindex = 16;  // 4 bytes: xdp_md.egress_ifindex; 0.
  localparam int unsigned MetadataVcpu = 20;  // 4 bytes: What bpf_get_smp_processor_id returns.
  localparam int unsigned MetadataMetaLen = 24;  // 8 bytes: data - data_meta, bytes, now.
  localparam logic [3:0] HandleTag = 4'd4;  // bits 63 to 60 of a map-value handle

  // Memory space of an access.
  typedef enum logic [1:0] {
    SpacePacket = 2'd0,  // Packet bytes; address 0 is the first byte (`data`), metadata has negative addresses. In bounds: -metadata length <= a, a + size <= packet length.
    SpaceStack = 2'd1,  // The program's stack, 512 B; address 0 is the lowest byte, so eBPF r10 is address 512.
    SpaceScratch = 2'd2,  // Per-context scratch, 256 B. Bytes 0 to 63 are the read-only packet metadata, 64 to 231 spills, 232 to 255 arguments of printk.
    SpaceMapValue = 2'd3  // A map value; the base register holds a handle made by a lookup or by the compiler.
  } space_e;

  // Base of an address: address = base + signed offset.
  typedef enum logic [1:0] {
    BaseZero = 2'd0,  // Zero.
    BaseRa = 2'd1,  // Read port A.
    BaseRb = 2'd2,  // Read port B.
    BaseRc = 2'd3  // Read port C.
  } base_e;

  // Operand selector. What a unit may select depends on its place in the pipe (`sources` of each unit).
  typedef enum logic [3:0] {
    SrcZero = 4'd0,  // The constant 0; in a write-back field: no write.
    SrcRa = 4'd1,  // Read port A.
    SrcRb = 4'd2,  // Read port B.
    SrcRc = 4'd3,  // Read port C.
    SrcX0 = 4'd4,  // First extract of the load, zero-extended.
    SrcX1 = 4'd5,  // Second extract of the load, zero-extended.
    SrcA1 = 4'd6,  // Result of ALU1.
    SrcA2 = 4'd7,  // Result of ALU2.
    SrcI0 = 4'd8,  // Immediate 0, sign-extended from 16 bits.
    SrcI1 = 4'd9,  // Immediate 1, sign-extended from 16 bits.
    SrcIw = 4'd10  // Both immediates as one 32-bit value, i1:i0, sign-extended.
  } src_e;

  // What the store unit does with its inserts.
  typedef enum logic [2:0] {
    StoreOpNone = 3'd0,  // Nothing.
    StoreOpStore = 3'd1,  // Writes the enabled inserts.
    StoreOpAdd32 = 3'd2,  // Posted atomic 32-bit add of insert 0's source; insert 0 must have size 4, insert 1 is off.
    StoreOpAdd64 = 3'd3  // Posted atomic 64-bit add of insert 0's source; insert 0 must have size 8, insert 1 is off.
  } store_op_e;

  // Request to a shared unit, or to one of the engine that takes longer than a word. The context sleeps until the answer is in; the answer goes to register `q_dst`. K is the address (q_kspace, q_kbase + q_koff), V what `q_vsrc` selects, W read port C.
  typedef enum logic [5:0] {
    RequestOpNone = 6'd0,  // No request.
    RequestOpExit = 6'd1,  // Ends the packet with the low 32 bits of `q_vsrc` as its return value. No answer.
    RequestOpLookup = 6'd2,  // Key at K. Answers a handle or 0; on a map of maps a map pointer or 0.
    RequestOpUpdateAny = 6'd3,  // Key at K, value at address V of `q_vspace`; answers 0 or a negative errno. BPF_ANY.
    RequestOpUpdateNoExist = 6'd4,  // As UpdateAny, BPF_NOEXIST.
    RequestOpUpdateExist = 6'd5,  // As UpdateAny, BPF_EXIST.
    RequestOpDelete = 6'd6,  // Key at K; answers 0 or a negative errno.
    RequestOpAdjustHead = 6'd7,  // Moves the front of the packet by the signed low 32 bits of V; answers 0 or -22 (bpf_xdp_adjust_head).
    RequestOpAdjustTail = 6'd8,  // Moves the end of the packet by the signed low 32 bits of V; answers 0 or -22 (bpf_xdp_adjust_tail).
    RequestOpAdjustMeta = 6'd9,  // Moves the front of the metadata by the signed low 32 bits of V; answers 0 or a negative errno (bpf_xdp_adjust_meta).
    RequestOpLoadBytes = 6'd10,  // Copies W bytes of the packet from byte V on to memory at K; answers 0 or a negative errno (bpf_xdp_load_bytes).
    RequestOpStoreBytes = 6'd11,  // Copies W bytes from memory at K into the packet from byte V on; answers 0 or a negative errno (bpf_xdp_store_bytes).
    RequestOpCsum = 6'd12,  // Ones' complement sum of V bytes at K and the low 32 bits of W, as 32 bits: little-endian 32-bit words added one after the other to W with end-around carry, the last one filled up with zeros.
    RequestOpRedirect = 6'd13,  // Sets interface V (low 32 bits) as the packet's target; W are the flags; answers XDP_REDIRECT, or XDP_ABORTED if there are flags (bpf_redirect).
    RequestOpRedirectMap = 6'd14,  // Sets entry V (low 32 bits) of the map as the packet's target; W are the flags; answers XDP_REDIRECT, or else what the flags say (bpf_redirect_map).
    RequestOpTailCall = 6'd15,  // Goes on in the program at index V (low 32 bits) of the program array, with registers zero and a stack that was never written; at `next` if there is none or after 33 of them (bpf_tail_call).
    RequestOpKtimeNs = 6'd16,  // Answers the time in ns (bpf_ktime_get_ns).
    RequestOpJiffies = 6'd17,  // Answers the kernel's tick count (bpf_jiffies64).
    RequestOpPrandom = 6'd18,  // Answers a random number of 32 bits (bpf_get_prandom_u32).
    RequestOpLookupIn = 6'd19,  // As Lookup, in the map that the map pointer W names.
    RequestOpUpdateInAny = 6'd20,  // As UpdateAny, in the map that the map pointer W names.
    RequestOpUpdateInNoExist = 6'd21,  // As UpdateInAny, BPF_NOEXIST.
    RequestOpUpdateInExist = 6'd22,  // As UpdateInAny, BPF_EXIST.
    RequestOpDeleteIn = 6'd23,  // As Delete, in the map that the map pointer W names.
    RequestOpRingReserve = 6'd24,  // Reserves a record of V bytes in the ring buffer; W are the flags; answers its handle or 0 (bpf_ringbuf_reserve).
    RequestOpRingSubmit = 6'd25,  // Submits the record with handle V; W are the flags. Answers 0 (bpf_ringbuf_submit).
    RequestOpRingDiscard = 6'd26,  // Discards the record with handle V; W are the flags. Answers 0 (bpf_ringbuf_discard).
    RequestOpRingOutput = 6'd27,  // Submits a record with the V bytes at K; W are the flags; answers 0 or a negative errno (bpf_ringbuf_output).
    RequestOpRingQuery = 6'd28,  // Answers what V (flags of bpf_ringbuf_query) asks of the ring buffer.
    RequestOpPerfOutput = 6'd29,  // Makes an event of the V bytes at K and of as many packet bytes as bits 51 to 32 of the flags W say; answers 0 or a negative errno (bpf_perf_event_output).
    RequestOpPrintk = 6'd30,  // Makes an event of the format text of V bytes at K, of all that printk.text has kept since the last one, and of the three arguments in scratch bytes 232 to 255; formatted on the host. Answers 0 (bpf_trace_printk).
    RequestOpSpinLock = 6'd31,  // Takes the lock whose handle is V, first come, first served. Answers 0 once it is held (bpf_spin_lock).
    RequestOpSpinUnlock = 6'd32,  // Gives back the lock whose handle is V. Answers 0 (bpf_spin_unlock).
    RequestOpFetchAdd32 = 6'd33,  // Atomic add of V at the map value at K, 32 bits; answers the old value, zero-extended.
    RequestOpFetchAdd64 = 6'd34,  // Atomic add of V at the map value at K, 64 bits; answers the old value, zero-extended.
    RequestOpFetchOr32 = 6'd35,  // Atomic or of V at the map value at K, 32 bits; answers the old value, zero-extended.
    RequestOpFetchOr64 = 6'd36,  // Atomic or of V at the map value at K, 64 bits; answers the old value, zero-extended.
    RequestOpFetchAnd32 = 6'd37,  // Atomic and of V at the map value at K, 32 bits; answers the old value, zero-extended.
    RequestOpFetchAnd64 = 6'd38,  // Atomic and of V at the map value at K, 64 bits; answers the old value, zero-extended.
    RequestOpFetchXor32 = 6'd39,  // Atomic exclusive or of V at the map value at K, 32 bits; answers the old value, zero-extended.
    RequestOpFetchXor64 = 6'd40,  // Atomic exclusive or of V at the map value at K, 64 bits; answers the old value, zero-extended.
    RequestOpXchg32 = 6'd41,  // Atomic exchange of V at the map value at K, 32 bits; answers the old value, zero-extended.
    RequestOpXchg64 = 6'd42,  // Atomic exchange of V at the map value at K, 64 bits; answers the old value, zero-extended.
    RequestOpCmpxchg32 = 6'd43,  // Atomic compare with W and, if equal, exchange of V at the map value at K, 32 bits; answers the old value, zero-extended.
    RequestOpCmpxchg64 = 6'd44,  // Atomic compare with W and, if equal, exchange of V at the map value at K, 64 bits; answers the old value, zero-extended.
    RequestOpDivU32 = 6'd45,  // Quotient of V by W, unsigned, 32 bits, zero-extended; by zero 0 (RFC 9669, 4.1).
    RequestOpDivU64 = 6'd46,  // Quotient of V by W, unsigned, 64 bits; by zero 0 (RFC 9669, 4.1).
    RequestOpDivS32 = 6'd47,  // Quotient of V by W, signed, 32 bits, zero-extended; by zero 0, overflow wraps (RFC 9669, 4.1).
    RequestOpDivS64 = 6'd48,  // Quotient of V by W, signed, 64 bits; by zero 0, overflow wraps (RFC 9669, 4.1).
    RequestOpModU32 = 6'd49,  // Remainder of V by W, unsigned, 32 bits, zero-extended; by zero V (RFC 9669, 4.1).
    RequestOpModU64 = 6'd50,  // Remainder of V by W, unsigned, 64 bits; by zero V (RFC 9669, 4.1).
    RequestOpModS32 = 6'd51,  // Remainder of V by W, signed, 32 bits, zero-extended; by zero V, overflow wraps (RFC 9669, 4.1).
    RequestOpModS64 = 6'd52,  // Remainder of V by W, signed, 64 bits; by zero V, overflow wraps (RFC 9669, 4.1).
    RequestOpCall = 6'd53,  // Remembers `next` as the place to return to (8 deep, one more is a fault) and goes on at `t2`. No guard, compare 2 or `q_null` in its word. No answer.
    RequestOpRet = 6'd54,  // Goes on at the place of the last call that has not returned; a fault if there is none. No answer.
    RequestOpUpdateFlags = 6'd55,  // As UpdateAny, with W as the flags; BPF_F_LOCK waits for the lock of the value and writes in place. Flags that the map does not have are refused as bpf_map_update_elem does.
    RequestOpUpdateInFlags = 6'd56,  // As UpdateFlags, in the map that the map pointer W names; the lowest 3 bits of W, which a map pointer has zero, are the flags.
    RequestOpPrintkText = 6'd57  // Keeps the V bytes at K and a zero behind them for the event of the next printk, as many as 2,048 bytes have room for. Answers how many bytes were kept before.
  } request_op_e;

  // Operation of an ALU.
  typedef enum logic [4:0] {
    AluOpMov = 5'd0,  // a.
    AluOpAdd = 5'd1,  // Wrapping sum.
    AluOpSub = 5'd2,  // Wrapping difference.
    AluOpAnd = 5'd3,  // Bitwise and.
    AluOpOr = 5'd4,  // Bitwise or.
    AluOpXor = 5'd5,  // Bitwise exclusive or.
    AluOpLsh = 5'd6,  // Left shift by b mod W.
    AluOpRsh = 5'd7,  // Logical right shift by b mod W.
    AluOpArsh = 5'd8,  // Arithmetic right shift by b mod W.
    AluOpMul = 5'd9,  // Low W bits of the product.
    AluOpBswap16 = 5'd10,  // Low 16 bits byte-reversed, zero-extended (BPF_TO_BE 16).
    AluOpBswap32 = 5'd11,  // Low 32 bits byte-reversed, zero-extended.
    AluOpBswap64 = 5'd12,  // All W bits byte-reversed.
    AluOpSext8 = 5'd13,  // Low 8 bits sign-extended.
    AluOpSext16 = 5'd14,  // Low 16 bits sign-extended.
    AluOpSext32 = 5'd15,  // Low 32 bits sign-extended.
    AluOpZext8 = 5'd16,  // Low 8 bits zero-extended.
    AluOpZext16 = 5'd17,  // Low 16 bits zero-extended.
    AluOpPack = 5'd18  // On 64 bits a:b, the low halves joined; makes wide constants. On 32 bits a | b (the shift is by 32 mod 32 = 0).
  } alu_op_e;

  // Condition of a compare unit.
  typedef enum logic [3:0] {
    CmpOpNever = 4'd0,  // Not taken.
    CmpOpEq = 4'd1,  // a = b.
    CmpOpNe = 4'd2,  // a /= b.
    CmpOpLtu = 4'd3,  // a < b, unsigned.
    CmpOpGeu = 4'd4,  // a >= b, unsigned.
    CmpOpLts = 4'd5,  // a < b, signed.
    CmpOpGes = 4'd6,  // a >= b, signed.
    CmpOpTst = 4'd7,  // a and b have a common one bit (BPF_JSET).
    CmpOpNtst = 4'd8  // a and b have no common one bit.
  } cmp_op_e;

  // Where to go on: {0, code address}, or {1, zeros, return value 0 to 4}.
  typedef logic [12:0] target_t;

  // One word; the first field is in the most significant bits.
  typedef struct packed {
    // read
    logic [5:0] ra;  // 287:282
    logic [5:0] rb;  // 281:276
    logic [5:0] rc;  // 275:270
    // guard
    logic g_en;  // 269:269
    base_e g_base;  // 268:267
    logic [9:0] g_len;  // 266:257
    // load
    space_e ld_space;  // 256:255
    base_e ld_base;  // 254:253
    logic [9:0] ld_off;  // 252:243
    logic ld_dismiss;  // 242:242
    logic [3:0] x0_delta;  // 241:238
    logic [3:0] x0_size;  // 237:234
    logic x0_swap;  // 233:233
    logic [3:0] x1_delta;  // 232:229
    logic [3:0] x1_size;  // 228:225
    logic x1_swap;  // 224:224
    // alu1
    alu_op_e a1_op;  // 223:219
    logic a1_w;  // 218:218
    src_e a1_a;  // 217:214
    src_e a1_b;  // 213:210
    // alu2
    alu_op_e a2_op;  // 209:205
    logic a2_w;  // 204:204
    src_e a2_a;  // 203:200
    src_e a2_b;  // 199:196
    // compare1
    cmp_op_e c1_op;  // 195:192
    logic c1_w;  // 191:191
    src_e c1_a;  // 190:187
    src_e c1_b;  // 186:183
    // compare2
    cmp_op_e c2_op;  // 182:179
    logic c2_w;  // 178:178
    src_e c2_a;  // 177:174
    src_e c2_b;  // 173:170
    // store
    store_op_e st_op;  // 169:167
    space_e st_space;  // 166:165
    base_e st_base;  // 164:163
    logic [9:0] st_off;  // 162:153
    logic st_kill1;  // 152:152
    logic st_kill2;  // 151:151
    logic [3:0] s0_delta;  // 150:147
    logic [3:0] s0_size;  // 146:143
    src_e s0_src;  // 142:139
    logic s0_swap;  // 138:138
    logic [3:0] s1_delta;  // 137:134
    logic [3:0] s1_size;  // 133:130
    src_e s1_src;  // 129:126
    logic s1_swap;  // 125:125
    // write
    src_e w0_src;  // 124:121
    logic [2:0] w0_reg;  // 120:118
    src_e w1_src;  // 117:114
    logic [2:0] w1_reg;  // 113:111
    // immediate
    logic [15:0] i0;  // 110:95
    logic [15:0] i1;  // 94:79
    // request
    request_op_e q_op;  // 78:73
    logic [7:0] q_map;  // 72:65
    space_e q_kspace;  // 64:63
    base_e q_kbase;  // 62:61
    logic [9:0] q_koff;  // 60:51
    space_e q_vspace;  // 50:49
    src_e q_vsrc;  // 48:45
    logic [3:0] q_dst;  // 44:41
    logic q_null;  // 40:40
    // target
    target_t t1;  // 39:27
    target_t t2;  // 26:14
    target_t next;  // 13:1
    // must be zero
    logic spare;
  } word_t;

  // Codes of store_op that are legal.
  localparam logic [7:0] StoreOpCodes = 8'b00001111;
  // Codes of request_op that are legal.
  localparam logic [63:0] RequestOpCodes = 64'b0000001111111111111111111111111111111111111111111111111111111111;
  // Codes of alu_op that are legal.
  localparam logic [31:0] AluOpCodes = 32'b00000000000001111111111111111111;
  // Codes of cmp_op that are legal.
  localparam logic [15:0] CmpOpCodes = 16'b0000000111111111;
  // Operands that unit alu1 can select.
  localparam logic [15:0] Alu1Sources = 16'b0000011100111111;
  // Operands that unit alu2 can select.
  localparam logic [15:0] Alu2Sources = 16'b0000011101111111;
  // Operands that unit compare1 can select.
  localparam logic [15:0] Compare1Sources = 16'b0000011101111111;
  // Operands that unit compare2 can select.
  localparam logic [15:0] Compare2Sources = 16'b0000011101111111;
  // Operands that unit store can select.
  localparam logic [15:0] StoreSources = 16'b0000011111111111;
  // Operands that unit write can select.
  localparam logic [15:0] WriteSources = 16'b0000011111111111;
  // Operands that unit request can select.
  localparam logic [15:0] RequestSources = 16'b0000011111111111;

  function automatic logic target_valid(target_t target);
    target_valid = !target[12] || target[11:0] <= 12'd4;
  endfunction

  // True if the word is one; what decode refuses in software is refused here. Takes bits and not a word_t, because yosys
  // finds no members of a function's arguments.
  function automatic logic word_valid(logic [287:0] word);
    logic ok;
    ok = 1'b1;
    ok = ok & (word[0:0] == 1'd0);  // spare
    ok = ok & AluOpCodes[word[223:219]];  // a1_op
    ok = ok & Alu1Sources[word[217:214]];  // a1_a
    ok = ok & Alu1Sources[word[213:210]];  // a1_b
    ok = ok & AluOpCodes[word[209:205]];  // a2_op
    ok = ok & Alu2Sources[word[203:200]];  // a2_a
    ok = ok & Alu2Sources[word[199:196]];  // a2_b
    ok = ok & CmpOpCodes[word[195:192]];  // c1_op
    ok = ok & Compare1Sources[word[190:187]];  // c1_a
    ok = ok & Compare1Sources[word[186:183]];  // c1_b
    ok = ok & CmpOpCodes[word[182:179]];  // c2_op
    ok = ok & Compare2Sources[word[177:174]];  // c2_a
    ok = ok & Compare2Sources[word[173:170]];  // c2_b
    ok = ok & StoreOpCodes[word[169:167]];  // st_op
    ok = ok & StoreSources[word[142:139]];  // s0_src
    ok = ok & StoreSources[word[129:126]];  // s1_src
    ok = ok & WriteSources[word[124:121]];  // w0_src
    ok = ok & WriteSources[word[117:114]];  // w1_src
    ok = ok & RequestOpCodes[word[78:73]];  // q_op
    ok = ok & RequestSources[word[48:45]];  // q_vsrc
    ok = ok & target_valid(word[39:27]);  // t1
    ok = ok & target_valid(word[26:14]);  // t2
    ok = ok & target_valid(word[13:1]);  // next
    ok = ok & (word[237:234] <= 4'd8);  // x0_size <= 8
    ok = ok & (word[228:225] <= 4'd8);  // x1_size <= 8
    ok = ok & ({1'd0, word[241:238]} + {1'd0, word[237:234]} <= 5'd16);  // x0_delta + x0_size <= 16
    ok = ok & ({1'd0, word[232:229]} + {1'd0, word[228:225]} <= 5'd16);  // x1_delta + x1_size <= 16
    ok = ok & (word[146:143] <= 4'd8);  // s0_size <= 8
    ok = ok & (word[133:130] <= 4'd8);  // s1_size <= 8
    ok = ok & ({1'd0, word[150:147]} + {1'd0, word[146:143]} <= 5'd16);  // s0_delta + s0_size <= 16
    ok = ok & ({1'd0, word[137:134]} + {1'd0, word[133:130]} <= 5'd16);  // s1_delta + s1_size <= 16
    if (word[169:167] == 3'd2) begin  // st_op = Add32: s0_size = 4, s0_swap = 0, s1_size = 0
      ok = ok & (word[146:143] == 4'd4);  // s0_size
      ok = ok & (word[138] == 1'd0);  // s0_swap
      ok = ok & (word[133:130] == 4'd0);  // s1_size
    end
    if (word[169:167] == 3'd3) begin  // st_op = Add64: s0_size = 8, s0_swap = 0, s1_size = 0
      ok = ok & (word[146:143] == 4'd8);  // s0_size
      ok = ok & (word[138] == 1'd0);  // s0_swap
      ok = ok & (word[133:130] == 4'd0);  // s1_size
    end
    word_valid = ok;
  endfunction

  // On 64 bits.
  function automatic logic [63:0] alu64(alu_op_e op, logic [63:0] a, logic [63:0] b);
    case (op)
      offwire_isa_pkg::AluOpMov: alu64 = a;
      offwire_isa_pkg::AluOpAdd: alu64 = a + b;
      offwire_isa_pkg::AluOpSub: alu64 = a - b;
      offwire_isa_pkg::AluOpAnd: alu64 = a & b;
      offwire_isa_pkg::AluOpOr: alu64 = a | b;
      offwire_isa_pkg::AluOpXor: alu64 = a ^ b;
      offwire_isa_pkg::AluOpLsh: alu64 = a << b[5:0];
      offwire_isa_pkg::AluOpRsh: alu64 = a >> b[5:0];
      offwire_isa_pkg::AluOpArsh: alu64 = $unsigned($signed(a) >>> b[5:0]);
      offwire_isa_pkg::AluOpMul: alu64 = a * b;
      offwire_isa_pkg::AluOpBswap16: alu64 = {48'd0, {a[7:0], a[15:8]}};
      offwire_isa_pkg::AluOpBswap32: alu64 = {32'd0, {a[7:0], a[15:8], a[23:16], a[31:24]}};
      offwire_isa_pkg::AluOpBswap64: alu64 = {a[7:0], a[15:8], a[23:16], a[31:24], a[39:32], a[47:40], a[55:48], a[63:56]};
      offwire_isa_pkg::AluOpSext8: alu64 = {{56{a[7]}}, a[7:0]};
      offwire_isa_pkg::AluOpSext16: alu64 = {{48{a[15]}}, a[15:0]};
      offwire_isa_pkg::AluOpSext32: alu64 = {{32{a[31]}}, a[31:0]};
      offwire_isa_pkg::AluOpZext8: alu64 = {56'd0, a[7:0]};
      offwire_isa_pkg::AluOpZext16: alu64 = {48'd0, a[15:0]};
      offwire_isa_pkg::AluOpPack: alu64 = (a << 6'd32) | {32'd0, b[31:0]};
      default: alu64 = 64'd0;
    endcase
  endfunction

  // On 32 bits.
  function automatic logic [31:0] alu32(alu_op_e op, logic [31:0] a, logic [31:0] b);
    case (op)
      offwire_isa_pkg::AluOpMov: alu32 = a;
      offwire_isa_pkg::AluOpAdd: alu32 = a + b;
      offwire_isa_pkg::AluOpSub: alu32 = a - b;
      offwire_isa_pkg::AluOpAnd: alu32 = a & b;
      offwire_isa_pkg::AluOpOr: alu32 = a | b;
      offwire_isa_pkg::AluOpXor: alu32 = a ^ b;
      offwire_isa_pkg::AluOpLsh: alu32 = a << b[4:0];
      offwire_isa_pkg::AluOpRsh: alu32 = a >> b[4:0];
      offwire_isa_pkg::AluOpArsh: alu32 = $unsigned($signed(a) >>> b[4:0]);
      offwire_isa_pkg::AluOpMul: alu32 = a * b;
      offwire_isa_pkg::AluOpBswap16: alu32 = {16'd0, {a[7:0], a[15:8]}};
      offwire_isa_pkg::AluOpBswap32: alu32 = {a[7:0], a[15:8], a[23:16], a[31:24]};
      offwire_isa_pkg::AluOpBswap64: alu32 = {a[7:0], a[15:8], a[23:16], a[31:24]};
      offwire_isa_pkg::AluOpSext8: alu32 = {{24{a[7]}}, a[7:0]};
      offwire_isa_pkg::AluOpSext16: alu32 = {{16{a[15]}}, a[15:0]};
      offwire_isa_pkg::AluOpSext32: alu32 = a;
      offwire_isa_pkg::AluOpZext8: alu32 = {24'd0, a[7:0]};
      offwire_isa_pkg::AluOpZext16: alu32 = {16'd0, a[15:0]};
      offwire_isa_pkg::AluOpPack: alu32 = (a << 5'd0) | b;
      default: alu32 = 32'd0;
    endcase
  endfunction

  // On 64 bits if wide, else on the low 32 bits, zero-extended.
  function automatic logic [63:0] alu(alu_op_e op, logic wide, logic [63:0] a, logic [63:0] b);
    alu = wide ? alu64(op, a, b) : {32'd0, alu32(op, a[31:0], b[31:0])};
  endfunction

  // On 64 bits.
  function automatic logic cmp64(cmp_op_e op, logic [63:0] a, logic [63:0] b);
    case (op)
      offwire_isa_pkg::CmpOpNever: cmp64 = 1'd0;
      offwire_isa_pkg::CmpOpEq: cmp64 = a == b;
      offwire_isa_pkg::CmpOpNe: cmp64 = a != b;
      offwire_isa_pkg::CmpOpLtu: cmp64 = a < b;
      offwire_isa_pkg::CmpOpGeu: cmp64 = b <= a;
      offwire_isa_pkg::CmpOpLts: cmp64 = $signed(a) < $signed(b);
      offwire_isa_pkg::CmpOpGes: cmp64 = $signed(b) <= $signed(a);
      offwire_isa_pkg::CmpOpTst: cmp64 = (a & b) != 64'd0;
      offwire_isa_pkg::CmpOpNtst: cmp64 = (a & b) == 64'd0;
      default: cmp64 = 1'd0;
    endcase
  endfunction

  // On 32 bits.
  function automatic logic cmp32(cmp_op_e op, logic [31:0] a, logic [31:0] b);
    case (op)
      offwire_isa_pkg::CmpOpNever: cmp32 = 1'd0;
      offwire_isa_pkg::CmpOpEq: cmp32 = a == b;
      offwire_isa_pkg::CmpOpNe: cmp32 = a != b;
      offwire_isa_pkg::CmpOpLtu: cmp32 = a < b;
      offwire_isa_pkg::CmpOpGeu: cmp32 = b <= a;
      offwire_isa_pkg::CmpOpLts: cmp32 = $signed(a) < $signed(b);
      offwire_isa_pkg::CmpOpGes: cmp32 = $signed(b) <= $signed(a);
      offwire_isa_pkg::CmpOpTst: cmp32 = (a & b) != 32'd0;
      offwire_isa_pkg::CmpOpNtst: cmp32 = (a & b) == 32'd0;
      default: cmp32 = 1'd0;
    endcase
  endfunction

  // On 64 bits if wide, else on the low 32 bits.
  function automatic logic cmp(cmp_op_e op, logic wide, logic [63:0] a, logic [63:0] b);
    cmp = wide ? cmp64(op, a, b) : cmp32(op, a[31:0], b[31:0]);
  endfunction

  // `size` bytes of the window from byte `delta` on, little-endian, byte-reversed if `swap`, zero-extended; size 0 gives 0. Byte 0 of the window is its low byte.
  function automatic logic [63:0] extract(logic [127:0] window, logic [3:0] delta, logic [3:0] size, logic swap);
    logic [7:0] n;
    logic [7:0] part1;
    logic [127:0] part2;
    logic [63:0] top;
    n = 8'd64 - ({4'd0, size} << 3'd3);
    part1 = {4'd0, delta} << 3'd3;
    part2 = window >> part1[6:0];
    top = part2[63:0] << n[5:0];
    extract = (size == 4'd0) ? 64'd0 : (swap ? {top[7:0], top[15:8], top[23:16], top[31:24], top[39:32], top[47:40], top[55:48], top[63:56]} : (top >> n[5:0]));
  endfunction

  // The window with its bytes `delta` to `delta + size - 1` replaced by the low `size` bytes of `value`, little-endian, byte-reversed if `swap`.
  function automatic logic [127:0] insert(logic [127:0] window, logic [63:0] value, logic [3:0] delta, logic [3:0] size, logic swap);
    logic [7:0] n;
    logic [7:0] at;
    logic [63:0] top;
    logic [63:0] part;
    logic [63:0] ones;
    n = 8'd64 - ({4'd0, size} << 3'd3);
    at = {4'd0, delta} << 3'd3;
    top = value << n[5:0];
    part = (size == 4'd0) ? 64'd0 : (swap ? {top[7:0], top[15:8], top[23:16], top[31:24], top[39:32], top[47:40], top[55:48], top[63:56]} : (top >> n[5:0]));
    ones = (size == 4'd0) ? 64'd0 : ((~64'd0) >> n[5:0]);
    insert = (window & (~({64'd0, ones} << at[6:0]))) | ({64'd0, part} << at[6:0]);
  endfunction

  // verilator lint_on UNUSEDSIGNAL
  // verilator lint_on UNUSEDPARAM
endpackage
