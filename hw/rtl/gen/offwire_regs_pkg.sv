// Generated from hw/spec by `cargo xtask codegen`; do not edit.
/* verilator lint_off UNUSEDPARAM */
package offwire_regs_pkg;

  // Version of the interface; a driver refuses another one.
  localparam int unsigned INTERFACE_MAJOR = 32'h1;

  // Grows with what older drivers may ignore.
  localparam int unsigned INTERFACE_MINOR = 32'h0;

  // PCI vendor id (provisional).
  localparam int unsigned PCI_VENDOR = 32'h1d55;

  // PCI device id (provisional).
  localparam int unsigned PCI_DEVICE = 32'hff1;

  // PCI class code.
  localparam int unsigned PCI_CLASS = 32'h20000;

  // Pairs of receive and transmit rings.
  localparam int unsigned QUEUE_PAIRS = 32'h10;

  // Ports.
  localparam int unsigned PORTS = 32'h40;

  // MSI-X vectors.
  localparam int unsigned VECTORS = 32'h24;

  // Bytes of a ring's descriptor.
  localparam int unsigned DESCRIPTOR_BYTES = 32'h40;

  // Bytes of BAR0, the registers.
  localparam int unsigned BAR0_BYTES = 32'h4000;

  // Bytes of BAR2, the doorbells.
  localparam int unsigned BAR2_BYTES = 32'h20000;

  // Bytes of BAR4, MSI-X.
  localparam int unsigned BAR4_BYTES = 32'h1000;

  // Offset of the MSI-X table in BAR4.
  localparam int unsigned MSIX_TABLE = 32'h0;

  // Offset of the pending bits in BAR4.
  localparam int unsigned MSIX_PBA = 32'h800;

  // Offset of the first ring's registers in BAR0.
  localparam int unsigned RING_BASE = 32'h1000;

  // Bytes from one ring's registers to the next one's.
  localparam int unsigned RING_STRIDE = 32'h80;

  // Rings.
  localparam int unsigned RINGS = 32'h24;

  // Number of the command ring.
  localparam int unsigned RING_COMMAND = 32'h0;

  // Number of the completion ring.
  localparam int unsigned RING_COMPLETION = 32'h1;

  // Number of the event ring.
  localparam int unsigned RING_EVENT = 32'h2;

  // Number of the first receive ring; every second one is one.
  localparam int unsigned RING_RECEIVE = 32'h4;

  // Number of the first transmit ring; every second one is one.
  localparam int unsigned RING_TRANSMIT = 32'h5;

  // Binary logarithm of the least entries of a ring.
  localparam int unsigned RING_LOG2_MIN = 32'h1;

  // Binary logarithm of the most entries of a ring.
  localparam int unsigned RING_LOG2_MAX = 32'h10;

  // Bytes of a doorbell page in BAR2.
  localparam int unsigned DOORBELL_PAGE = 32'h1000;

  // Bytes between the doorbells of a page.
  localparam int unsigned DOORBELL_STRIDE = 32'h40;

  // What a command asks for. `object`, `argument`, `value`, `count`, `flags`: fields of the command; `in` and `out`: its buffers.
  typedef enum logic [15:0] {
    OPCODE_NOP = 16'h0000,
    OPCODE_PROGRAM_LOAD = 16'h0010,
    OPCODE_PROGRAM_UNLOAD = 16'h0011,
    OPCODE_PROGRAM_INFO = 16'h0012,
    OPCODE_PROGRAM_NEXT = 16'h0013,
    OPCODE_PORT_ATTACH = 16'h0020,
    OPCODE_PORT_DETACH = 16'h0021,
    OPCODE_PORT_INFO = 16'h0022,
    OPCODE_PORT_SET = 16'h0023,
    OPCODE_MAP_CREATE = 16'h0030,
    OPCODE_MAP_FREE = 16'h0031,
    OPCODE_MAP_INFO = 16'h0032,
    OPCODE_MAP_NEXT = 16'h0033,
    OPCODE_MAP_FREEZE = 16'h0034,
    OPCODE_MAP_LOOKUP = 16'h0035,
    OPCODE_MAP_UPDATE = 16'h0036,
    OPCODE_MAP_DELETE = 16'h0037,
    OPCODE_MAP_NEXT_KEY = 16'h0038,
    OPCODE_MAP_LOOKUP_BATCH = 16'h0039,
    OPCODE_MAP_UPDATE_BATCH = 16'h003a,
    OPCODE_MAP_DELETE_BATCH = 16'h003b,
    OPCODE_COUNTERS_READ = 16'h0040,
    OPCODE_TIME_SET = 16'h0050,
    OPCODE_CHANCE_SET = 16'h0051,
    OPCODE_QUIESCE = 16'h0060,
    OPCODE_RESET = 16'h0061
  } opcode_e;

  // How a command ended. `argument` of the completion says more.
  typedef enum logic [15:0] {
    STATUS_OK = 16'h0000,
    STATUS_BAD_OPCODE = 16'h0001,
    STATUS_BAD_FIELD = 16'h0002,
    STATUS_BAD_RECORD = 16'h0003,
    STATUS_DMA_FAULT = 16'h0004,
    STATUS_BUFFER_SIZE = 16'h0005,
    STATUS_NO_SUCH_PROGRAM = 16'h0006,
    STATUS_NO_SUCH_MAP = 16'h0007,
    STATUS_NO_SUCH_PORT = 16'h0008,
    STATUS_NOT_SUPPORTED = 16'h0009,
    STATUS_BUSY = 16'h000a,
    STATUS_CHANGED = 16'h000b,
    STATUS_NOT_FOUND = 16'h000c,
    STATUS_EXISTS = 16'h000d,
    STATUS_FULL = 16'h000e,
    STATUS_INVALID = 16'h000f,
    STATUS_FROZEN = 16'h0010,
    STATUS_REFERENCE = 16'h0011,
    STATUS_MAP_MEMORY = 16'h0012,
    STATUS_MAP_REFUSED = 16'h0013,
    STATUS_MAP_MISMATCH = 16'h0014,
    STATUS_STORE_FULL = 16'h0015,
    STATUS_TOO_MANY = 16'h0016,
    STATUS_IMAGE_CONTAINER = 16'h0017,
    STATUS_IMAGE_BINDING = 16'h0018,
    STATUS_IMAGE_CHECK = 16'h0019,
    STATUS_INTERNAL = 16'h001a
  } status_e;

  // Why the device cannot hold a map.
  typedef enum logic [15:0] {
    MAP_REFUSAL_KIND = 16'h0001,
    MAP_REFUSAL_FLAGS = 16'h0002,
    MAP_REFUSAL_NO_ENTRIES = 16'h0003,
    MAP_REFUSAL_KEY_SIZE = 16'h0004,
    MAP_REFUSAL_VALUE_SIZE = 16'h0005,
    MAP_REFUSAL_INIT_SIZE = 16'h0006,
    MAP_REFUSAL_RING_SIZE = 16'h0007,
    MAP_REFUSAL_ELEMENTS = 16'h0008,
    MAP_REFUSAL_LOCK = 16'h0009,
    MAP_REFUSAL_INNER = 16'h000a
  } map_refusal_e;

  // Why a ring has stopped. It stays stopped until it is disabled.
  typedef enum logic [15:0] {
    RING_FAULT_NONE = 16'h0000,
    RING_FAULT_DMA_FAULT = 16'h0001,
    RING_FAULT_BAD_PHASE = 16'h0002,
    RING_FAULT_BAD_DOORBELL = 16'h0003,
    RING_FAULT_BAD_BASE = 16'h0004,
    RING_FAULT_BAD_SIZE = 16'h0005,
    RING_FAULT_OVERRUN = 16'h0006
  } ring_fault_e;

  // What an event tells.
  typedef enum logic [15:0] {
    EVENT_KIND_RINGBUF = 16'h0001,
    EVENT_KIND_PERF = 16'h0002,
    EVENT_KIND_PRINTK = 16'h0003,
    EVENT_KIND_DROP = 16'h0004,
    EVENT_KIND_FAULT = 16'h0005,
    EVENT_KIND_RING = 16'h0006
  } event_kind_e;

  // Why a packet was lost outside a program's verdict.
  typedef enum logic [15:0] {
    DROP_REASON_INGRESS = 16'h0001,
    DROP_REASON_NO_BUFFER = 16'h0002,
    DROP_REASON_LENGTH = 16'h0003,
    DROP_REASON_BUFFER_SIZE = 16'h0004,
    DROP_REASON_NO_QUEUE = 16'h0005,
    DROP_REASON_PORT_DOWN = 16'h0006,
    DROP_REASON_REDIRECT = 16'h0007,
    DROP_REASON_DMA_FAULT = 16'h0008
  } drop_reason_e;

  // What became of a transmit descriptor.
  typedef enum logic [15:0] {
    TRANSMIT_STATUS_OK = 16'h0000,
    TRANSMIT_STATUS_BAD_FIELD = 16'h0001,
    TRANSMIT_STATUS_LENGTH = 16'h0002,
    TRANSMIT_STATUS_PORT = 16'h0003,
    TRANSMIT_STATUS_VCPU = 16'h0004,
    TRANSMIT_STATUS_PAST = 16'h0005,
    TRANSMIT_STATUS_DMA_FAULT = 16'h0006
  } transmit_status_e;

  // What is in a receive buffer.
  typedef enum logic [15:0] {
    RECEIVE_STATUS_OK = 16'h0000,
    RECEIVE_STATUS_SIZE = 16'h0001,
    RECEIVE_STATUS_DMA_FAULT = 16'h0002
  } receive_status_e;

  // How device time moves. What a device can do is the operator's choice when it is started.
  typedef enum logic [15:0] {
    TIME_MODE_VIRTUAL = 16'h0000,
    TIME_MODE_REAL = 16'h0001,
    TIME_MODE_FREE = 16'h0002
  } time_mode_e;

  // Dispatch mode of an attachment.
  typedef enum logic [15:0] {
    DISPATCH_CHOICE_PROVEN = 16'h0000,
    DISPATCH_CHOICE_CPU = 16'h0001,
    DISPATCH_CHOICE_FLOW = 16'h0002,
    DISPATCH_CHOICE_ANY = 16'h0003
  } dispatch_choice_e;

  // Whose counters are read.
  typedef enum logic [15:0] {
    COUNTER_DOMAIN_DEVICE = 16'h0000,
    COUNTER_DOMAIN_PORT = 16'h0001,
    COUNTER_DOMAIN_PROGRAM = 16'h0002,
    COUNTER_DOMAIN_RING = 16'h0003
  } counter_domain_e;

  // Where XDP_REDIRECT goes.
  typedef enum logic [15:0] {
    REDIRECT_KIND_NONE = 16'h0000,
    REDIRECT_KIND_INTERFACE = 16'h0001,
    REDIRECT_KIND_MAP = 16'h0002
  } redirect_kind_e;

  // Flags of a command.
  localparam int unsigned COMMAND_FLAG_EXPECT_BIT = 0;
  localparam int unsigned COMMAND_FLAG_BASE_BIT = 1;

  // What a port does.
  localparam int unsigned PORT_FLAG_UP_BIT = 0;
  localparam int unsigned PORT_FLAG_CAPTURE_BIT = 1;
  localparam int unsigned PORT_FLAG_LOOPBACK_BIT = 2;

  // Flags of a transmit descriptor.
  localparam int unsigned TRANSMIT_FLAG_INJECT_BIT = 0;
  localparam int unsigned TRANSMIT_FLAG_STAMPED_BIT = 1;
  localparam int unsigned TRANSMIT_FLAG_VCPU_BIT = 2;
  localparam int unsigned TRANSMIT_FLAG_ALONE_BIT = 3;
  localparam int unsigned TRANSMIT_FLAG_QUEUE_BIT = 4;

  // "OFWR". All ones: the device is gone.
  localparam logic [15:0] MAGIC_OFFSET = 16'h0000;

  // Version of this interface.
  localparam logic [15:0] VERSION_OFFSET = 16'h0004;
  typedef struct packed {
    logic [15:0] major;
    logic [15:0] minor;
  } version_t;

  // ISA version that images must have.
  localparam logic [15:0] ISA_VERSION_OFFSET = 16'h0008;

  // How much there is.
  localparam logic [15:0] GEOMETRY_OFFSET = 16'h000c;
  typedef struct packed {
    logic [7:0] unused_24;
    logic [7:0] vectors;
    logic [7:0] queue_pairs;
    logic [7:0] ports;
  } geometry_t;

  // Hash of the profile that images must be made for.
  localparam logic [15:0] PROFILE_HASH_OFFSET = 16'h0010;

  // Clock of the device, MHz.
  localparam logic [15:0] CLOCK_MHZ_OFFSET = 16'h0018;

  // vCPUs: copies of a per-CPU value.
  localparam logic [15:0] VCPUS_OFFSET = 16'h001c;

  // Words of the instruction store.
  localparam logic [15:0] STORE_WORDS_OFFSET = 16'h0020;

  // Map memory, bytes.
  localparam logic [15:0] MAP_MEMORY_OFFSET = 16'h0024;

  // How many objects there can be.
  localparam logic [15:0] LIMITS_OFFSET = 16'h0028;
  typedef struct packed {
    logic [15:0] maps;
    logic [15:0] programs;
  } limits_t;

  // Time modes.
  localparam logic [15:0] TIME_OFFSET = 16'h002c;
  typedef struct packed {
    logic [19:0] unused_12;
    logic [3:0] choices;
    logic [3:0] unused_4;
    logic [3:0] mode;
  } time_t;

  // A number drawn at power on: tells a device that came back from one that never left.
  localparam logic [15:0] INSTANCE_OFFSET = 16'h0030;

  // Function-level and command resets since power on. What was loaded before the last one is gone.
  localparam logic [15:0] RESET_COUNT_OFFSET = 16'h0038;

  // State of the device.
  localparam logic [15:0] STATE_OFFSET = 16'h003c;
  typedef struct packed {
    logic [28:0] unused_3;
    logic [0:0] quiet;
    logic [0:0] failed;
    logic [0:0] ready;
  } state_t;

  // Cycles since power on or reset.
  localparam logic [15:0] CYCLE_OFFSET = 16'h0040;

  // Device time, ns: what ktime gives.
  localparam logic [15:0] NANOSECONDS_OFFSET = 16'h0048;

  // Writing 0x54455352 ("RSET") resets as an FLR does, but for configuration space and MSI-X; other values do nothing.
  localparam logic [15:0] RESET_REQUEST_OFFSET = 16'h0050;

  // Any write wakes a device that sleeps: it looks at its doorbells.
  localparam logic [15:0] WAKE_OFFSET = 16'h0054;

  // Packets that have arrived since reset.
  localparam logic [15:0] PACKETS_OFFSET = 16'h0058;

  // IOVA of the first descriptor, a multiple of 64. Taken when the ring is enabled.
  localparam logic [15:0] RING_BASE_OFFSET = 16'h0000;

  // Events: IOVA of the data area. Taken when the ring is enabled.
  localparam logic [15:0] RING_DATA_OFFSET = 16'h0008;

  // Entries. Taken when the ring is enabled.
  localparam logic [15:0] RING_SIZE_OFFSET = 16'h0010;
  typedef struct packed {
    logic [26:0] unused_5;
    logic [4:0] log2;
  } ring_size_t;

  // Events: bytes of the data area, a power of two from 4096 on. Taken when the ring is enabled.
  localparam logic [15:0] RING_DATA_SIZE_OFFSET = 16'h0014;

  // Control.
  localparam logic [15:0] RING_CONTROL_OFFSET = 16'h0018;
  typedef struct packed {
    logic [29:0] unused_2;
    logic [0:0] report;
    logic [0:0] enable;
  } ring_control_t;

  // Interrupt.
  localparam logic [15:0] RING_VECTOR_OFFSET = 16'h001c;
  typedef struct packed {
    logic [15:0] unused_16;
    logic [15:0] vector_f;
  } ring_vector_t;

  // When the vector is signalled: after so many entries, or when the delay is over, or when the device has nothing left to do.
  localparam logic [15:0] RING_MODERATION_OFFSET = 16'h0020;
  typedef struct packed {
    logic [15:0] delay_us;
    logic [15:0] count;
  } ring_moderation_t;

  // State.
  localparam logic [15:0] RING_STATE_OFFSET = 16'h0024;
  typedef struct packed {
    logic [15:0] unused_16;
    logic [7:0] fault;
    logic [5:0] unused_2;
    logic [0:0] stopped;
    logic [0:0] enabled;
  } ring_state_t;

  // More about the fault.
  localparam logic [15:0] RING_FAULT_ARGUMENT_OFFSET = 16'h0028;

  // The device's index: entries consumed or produced since the ring was enabled.
  localparam logic [15:0] RING_INDEX_OFFSET = 16'h0030;

  // Events or packets lost since the ring was enabled because it was full.
  localparam logic [15:0] RING_LOST_OFFSET = 16'h0034;

  // Command ring, host to device. Avail phase.
  typedef struct packed {
    logic [31:0] phase;
    logic [31:0] reserved1;
    logic [31:0] reserved0;
    logic [31:0] count;
    logic [31:0] output_bytes;
    logic [31:0] input_bytes;
    logic [63:0] output_f;
    logic [63:0] input_f;
    logic [63:0] value;
    logic [31:0] argument;
    logic [31:0] object;
    logic [31:0] tag;
    logic [15:0] flags;
    logic [15:0] opcode;
  } command_t;

  // Completion ring, device to host. Used phase. Commands complete in order.
  typedef struct packed {
    logic [31:0] phase;
    logic [31:0] reserved2;
    logic [63:0] reserved1;
    logic [31:0] reserved0;
    logic [31:0] command_index;
    logic [63:0] cycle;
    logic [31:0] count;
    logic [31:0] output_bytes;
    logic [63:0] result;
    logic [63:0] argument;
    logic [15:0] status;
    logic [15:0] opcode;
    logic [31:0] tag;
  } completion_t;

  // Event ring, device to host. Used phase. The events of a packet come before its receive descriptor.
  typedef struct packed {
    logic [31:0] phase;
    logic [31:0] reserved;
    logic [63:0] argument;
    logic [15:0] code;
    logic [15:0] program_f;
    logic [31:0] lost;
    logic [31:0] packet_bytes;
    logic [31:0] offset;
    logic [31:0] bytes;
    logic [31:0] index;
    logic [63:0] cycle;
    logic [63:0] seq;
    logic [31:0] map_f;
    logic [15:0] port;
    logic [15:0] kind;
  } event_t;

  // Receive ring: the host posts buffers (avail phase), the device writes the whole descriptor back with used phase. The buffer then has the report (if the ring asks for it), the metadata and the frame, without gaps.
  typedef struct packed {
    logic [31:0] phase;
    logic [31:0] reserved1;
    logic [31:0] reserved0;
    logic [31:0] report_bytes;
    logic [63:0] cycle;
    logic [63:0] seq;
    logic [31:0] flow_hash;
    logic [15:0] status;
    logic [15:0] program_f;
    logic [31:0] retval;
    logic [15:0] port;
    logic [15:0] meta_bytes;
    logic [31:0] packet_bytes;
    logic [31:0] buffer_bytes;
    logic [63:0] buffer;
  } receive_t;

  // Transmit ring: the host's frames (avail phase); the device writes status and seq back with used phase when it does not need the buffer any more, in order.
  typedef struct packed {
    logic [31:0] phase;
    logic [31:0] reserved2;
    logic [63:0] reserved1;
    logic [63:0] seq;
    logic [31:0] reserved0;
    logic [15:0] status;
    logic [15:0] vcpu;
    logic [31:0] rx_queue;
    logic [31:0] ingress_ifindex;
    logic [63:0] cycle;
    logic [15:0] flags;
    logic [15:0] port;
    logic [31:0] bytes;
    logic [63:0] buffer;
  } transmit_t;

  // Record before a received packet: how it went through the device.
  typedef struct packed {
    logic [63:0] reserved;
    logic [31:0] events;
    logic [31:0] fault_address;
    logic [31:0] redirect_key;
    logic [31:0] redirect_target;
    logic [63:0] redirect_flags;
    logic [15:0] fault;
    logic [15:0] redirect;
    logic [31:0] slots;
    logic [31:0] words;
    logic [31:0] departed;
    logic [31:0] exited;
    logic [31:0] dispatched;
    logic [63:0] arrival;
  } receive_report_t;

  // Record at the start of ProgramLoad's input.
  typedef struct packed {
    logic [63:0] reserved;
    logic [31:0] bindings;
    logic [31:0] image_bytes;
  } program_load_t;

  // A program.
  typedef struct packed {
    logic [63:0] budget;
    logic [511:0] name;
    logic [63:0] reserved;
    logic [31:0] unloading;
    logic [31:0] in_flight;
    logic [63:0] loaded;
    logic [63:0] tag;
    logic [63:0] ports;
    logic [15:0] maps;
    logic [15:0] mode;
    logic [31:0] address;
    logic [31:0] words;
    logic [31:0] id;
  } program_info_t;

  // A map to be made.
  typedef struct packed {
    logic [511:0] name;
    logic [63:0] reserved3;
    logic [63:0] reserved2;
    logic [63:0] reserved1;
    logic [31:0] reserved0;
    logic [31:0] frozen;
    logic [31:0] init_bytes;
    logic [31:0] inner;
    logic [31:0] lock;
    logic [31:0] flags;
    logic [31:0] max_entries;
    logic [31:0] value_bytes;
    logic [31:0] key_bytes;
    logic [31:0] kind;
  } map_create_t;

  // A map.
  typedef struct packed {
    logic [511:0] name;
    logic [63:0] reserved1;
    logic [63:0] reserved0;
    logic [63:0] memory;
    logic [31:0] programs;
    logic [31:0] copies;
    logic [31:0] frozen;
    logic [31:0] lock;
    logic [31:0] flags;
    logic [31:0] max_entries;
    logic [31:0] value_bytes;
    logic [31:0] key_bytes;
    logic [31:0] kind;
    logic [31:0] id;
  } map_info_t;

  // A port.
  typedef struct packed {
    logic [255:0] reserved;
    logic [63:0] since;
    logic [31:0] gbps;
    logic [31:0] mode;
    logic [31:0] program_f;
    logic [31:0] ifindex;
    logic [31:0] flags;
    logic [31:0] port;
  } port_info_t;

  // Sources of chance for compared runs.
  typedef struct packed {
    logic [63:0] random_state;
    logic [63:0] jiffies;
    logic [63:0] ktime_ns;
  } chance_t;

endpackage
/* verilator lint_on UNUSEDPARAM */
