// Generated from hw/spec by `cargo xtask codegen`; do not edit.

// Sizes of the device, hw/spec/profiles/*.toml; names carry their units.
package offwire_profiles_pkg;
  // verilator lint_off UNUSEDPARAM
  // verilator lint_off UNUSEDSIGNAL

  // small: xc7a100t
  localparam int unsigned SmallEngines = 1;
  localparam int unsigned SmallContextsPerEngine = 32;
  localparam int unsigned SmallPipelineDepth = 16;
  localparam int unsigned SmallClockMhz = 200;
  localparam int unsigned SmallVcpus = 4;
  localparam int unsigned SmallOrderBuckets = 4096;
  localparam int unsigned SmallInstructionStoreWords = 4096;
  localparam int unsigned SmallPortGbps = 10;
  localparam int unsigned SmallPacketBusBytes = 64;
  localparam int unsigned SmallPacketWindowBytes = 512;
  localparam int unsigned SmallFarLines = 4;
  localparam int unsigned SmallPacketStoreCycles = 24;
  localparam int unsigned SmallMapBanks = 4;
  localparam int unsigned SmallMapIndexCycles = 8;
  localparam int unsigned SmallMapValueCycles = 8;
  localparam int unsigned SmallMapRequestCycles = 4;
  localparam int unsigned SmallMapBankBytes = 16;
  localparam int unsigned SmallValueWindowBytes = 64;
  localparam int unsigned SmallAdjustCycles = 4;
  localparam int unsigned SmallDivideCycles = 36;
  localparam int unsigned SmallCopyBytes = 16;
  localparam int unsigned SmallCsumBytes = 16;
  localparam int unsigned SmallRandomCycles = 4;
  localparam int unsigned SmallRestorerEntries = 32;
  localparam int unsigned SmallIngressFifoPackets = 256;
  localparam int unsigned SmallMapMemoryBytes = 1048576;
  localparam int unsigned SmallPacketCyclesMax = 1048576;
  localparam int unsigned SmallLuts = 63400;
  localparam int unsigned SmallBram36 = 135;
  localparam int unsigned SmallUram = 0;
  localparam logic [63:0] SmallHash = 64'hefcaa4379c746ca7;

  // x16: xcu50
  localparam int unsigned X16Engines = 16;
  localparam int unsigned X16ContextsPerEngine = 32;
  localparam int unsigned X16PipelineDepth = 16;
  localparam int unsigned X16ClockMhz = 250;
  localparam int unsigned X16Vcpus = 128;
  localparam int unsigned X16OrderBuckets = 4096;
  localparam int unsigned X16InstructionStoreWords = 4096;
  localparam int unsigned X16PortGbps = 100;
  localparam int unsigned X16PacketBusBytes = 64;
  localparam int unsigned X16PacketWindowBytes = 512;
  localparam int unsigned X16FarLines = 4;
  localparam int unsigned X16PacketStoreCycles = 24;
  localparam int unsigned X16MapBanks = 16;
  localparam int unsigned X16MapIndexCycles = 8;
  localparam int unsigned X16MapValueCycles = 8;
  localparam int unsigned X16MapRequestCycles = 4;
  localparam int unsigned X16MapBankBytes = 16;
  localparam int unsigned X16ValueWindowBytes = 64;
  localparam int unsigned X16AdjustCycles = 4;
  localparam int unsigned X16DivideCycles = 36;
  localparam int unsigned X16CopyBytes = 16;
  localparam int unsigned X16CsumBytes = 16;
  localparam int unsigned X16RandomCycles = 4;
  localparam int unsigned X16RestorerEntries = 1024;
  localparam int unsigned X16IngressFifoPackets = 256;
  localparam int unsigned X16MapMemoryBytes = 268435456;
  localparam int unsigned X16PacketCyclesMax = 1048576;
  localparam int unsigned X16Luts = 872000;
  localparam int unsigned X16Bram36 = 1344;
  localparam int unsigned X16Uram = 640;
  localparam logic [63:0] X16Hash = 64'h5ec690f06bf79b00;

  // x64: xcvu37p
  localparam int unsigned X64Engines = 64;
  localparam int unsigned X64ContextsPerEngine = 32;
  localparam int unsigned X64PipelineDepth = 16;
  localparam int unsigned X64ClockMhz = 300;
  localparam int unsigned X64Vcpus = 128;
  localparam int unsigned X64OrderBuckets = 4096;
  localparam int unsigned X64InstructionStoreWords = 4096;
  localparam int unsigned X64PortGbps = 400;
  localparam int unsigned X64PacketBusBytes = 64;
  localparam int unsigned X64PacketWindowBytes = 512;
  localparam int unsigned X64FarLines = 4;
  localparam int unsigned X64PacketStoreCycles = 24;
  localparam int unsigned X64MapBanks = 64;
  localparam int unsigned X64MapIndexCycles = 8;
  localparam int unsigned X64MapValueCycles = 8;
  localparam int unsigned X64MapRequestCycles = 4;
  localparam int unsigned X64MapBankBytes = 16;
  localparam int unsigned X64ValueWindowBytes = 64;
  localparam int unsigned X64AdjustCycles = 4;
  localparam int unsigned X64DivideCycles = 36;
  localparam int unsigned X64CopyBytes = 16;
  localparam int unsigned X64CsumBytes = 16;
  localparam int unsigned X64RandomCycles = 4;
  localparam int unsigned X64RestorerEntries = 4096;
  localparam int unsigned X64IngressFifoPackets = 256;
  localparam int unsigned X64MapMemoryBytes = 268435456;
  localparam int unsigned X64PacketCyclesMax = 1048576;
  localparam int unsigned X64Luts = 1304000;
  localparam int unsigned X64Bram36 = 2016;
  localparam int unsigned X64Uram = 960;
  localparam logic [63:0] X64Hash = 64'hdd2ba4f41db0e0b4;

  // verilator lint_on UNUSEDSIGNAL
  // verilator lint_on UNUSEDPARAM
endpackage
