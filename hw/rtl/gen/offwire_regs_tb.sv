// Generated from hw/spec by `cargo xtask codegen`; do not edit.
module offwire_regs_tb;
  import offwire_regs_pkg::*;
  localparam command_t Only_command_opcode = '{opcode: '1, default: '0};
  if (Only_command_opcode != (512'({16{1'b1}}) << 0)) begin : gen_command_opcode
    $error("Command.opcode moved");
  end
  localparam command_t Only_command_flags = '{flags: '1, default: '0};
  if (Only_command_flags != (512'({16{1'b1}}) << 16)) begin : gen_command_flags
    $error("Command.flags moved");
  end
  localparam command_t Only_command_tag = '{tag: '1, default: '0};
  if (Only_command_tag != (512'({32{1'b1}}) << 32)) begin : gen_command_tag
    $error("Command.tag moved");
  end
  localparam command_t Only_command_object = '{object: '1, default: '0};
  if (Only_command_object != (512'({32{1'b1}}) << 64)) begin : gen_command_object
    $error("Command.object moved");
  end
  localparam command_t Only_command_argument = '{argument: '1, default: '0};
  if (Only_command_argument != (512'({32{1'b1}}) << 96)) begin : gen_command_argument
    $error("Command.argument moved");
  end
  localparam command_t Only_command_value = '{value: '1, default: '0};
  if (Only_command_value != (512'({64{1'b1}}) << 128)) begin : gen_command_value
    $error("Command.value moved");
  end
  localparam command_t Only_command_input = '{input_f: '1, default: '0};
  if (Only_command_input != (512'({64{1'b1}}) << 192)) begin : gen_command_input
    $error("Command.input moved");
  end
  localparam command_t Only_command_output = '{output_f: '1, default: '0};
  if (Only_command_output != (512'({64{1'b1}}) << 256)) begin : gen_command_output
    $error("Command.output moved");
  end
  localparam command_t Only_command_input_bytes = '{input_bytes: '1, default: '0};
  if (Only_command_input_bytes != (512'({32{1'b1}}) << 320)) begin : gen_command_input_bytes
    $error("Command.input_bytes moved");
  end
  localparam command_t Only_command_output_bytes = '{output_bytes: '1, default: '0};
  if (Only_command_output_bytes != (512'({32{1'b1}}) << 352)) begin : gen_command_output_bytes
    $error("Command.output_bytes moved");
  end
  localparam command_t Only_command_count = '{count: '1, default: '0};
  if (Only_command_count != (512'({32{1'b1}}) << 384)) begin : gen_command_count
    $error("Command.count moved");
  end
  localparam command_t Only_command_reserved0 = '{reserved0: '1, default: '0};
  if (Only_command_reserved0 != (512'({32{1'b1}}) << 416)) begin : gen_command_reserved0
    $error("Command.reserved0 moved");
  end
  localparam command_t Only_command_reserved1 = '{reserved1: '1, default: '0};
  if (Only_command_reserved1 != (512'({32{1'b1}}) << 448)) begin : gen_command_reserved1
    $error("Command.reserved1 moved");
  end
  localparam command_t Only_command_phase = '{phase: '1, default: '0};
  if (Only_command_phase != (512'({32{1'b1}}) << 480)) begin : gen_command_phase
    $error("Command.phase moved");
  end
  localparam completion_t Only_completion_tag = '{tag: '1, default: '0};
  if (Only_completion_tag != (512'({32{1'b1}}) << 0)) begin : gen_completion_tag
    $error("Completion.tag moved");
  end
  localparam completion_t Only_completion_opcode = '{opcode: '1, default: '0};
  if (Only_completion_opcode != (512'({16{1'b1}}) << 32)) begin : gen_completion_opcode
    $error("Completion.opcode moved");
  end
  localparam completion_t Only_completion_status = '{status: '1, default: '0};
  if (Only_completion_status != (512'({16{1'b1}}) << 48)) begin : gen_completion_status
    $error("Completion.status moved");
  end
  localparam completion_t Only_completion_argument = '{argument: '1, default: '0};
  if (Only_completion_argument != (512'({64{1'b1}}) << 64)) begin : gen_completion_argument
    $error("Completion.argument moved");
  end
  localparam completion_t Only_completion_result = '{result: '1, default: '0};
  if (Only_completion_result != (512'({64{1'b1}}) << 128)) begin : gen_completion_result
    $error("Completion.result moved");
  end
  localparam completion_t Only_completion_output_bytes = '{output_bytes: '1, default: '0};
  if (Only_completion_output_bytes != (512'({32{1'b1}}) << 192)) begin : gen_completion_output_bytes
    $error("Completion.output_bytes moved");
  end
  localparam completion_t Only_completion_count = '{count: '1, default: '0};
  if (Only_completion_count != (512'({32{1'b1}}) << 224)) begin : gen_completion_count
    $error("Completion.count moved");
  end
  localparam completion_t Only_completion_cycle = '{cycle: '1, default: '0};
  if (Only_completion_cycle != (512'({64{1'b1}}) << 256)) begin : gen_completion_cycle
    $error("Completion.cycle moved");
  end
  localparam completion_t Only_completion_command_index = '{command_index: '1, default: '0};
  if (Only_completion_command_index != (512'({32{1'b1}}) << 320)) begin : gen_completion_command_index
    $error("Completion.command_index moved");
  end
  localparam completion_t Only_completion_reserved0 = '{reserved0: '1, default: '0};
  if (Only_completion_reserved0 != (512'({32{1'b1}}) << 352)) begin : gen_completion_reserved0
    $error("Completion.reserved0 moved");
  end
  localparam completion_t Only_completion_reserved1 = '{reserved1: '1, default: '0};
  if (Only_completion_reserved1 != (512'({64{1'b1}}) << 384)) begin : gen_completion_reserved1
    $error("Completion.reserved1 moved");
  end
  localparam completion_t Only_completion_reserved2 = '{reserved2: '1, default: '0};
  if (Only_completion_reserved2 != (512'({32{1'b1}}) << 448)) begin : gen_completion_reserved2
    $error("Completion.reserved2 moved");
  end
  localparam completion_t Only_completion_phase = '{phase: '1, default: '0};
  if (Only_completion_phase != (512'({32{1'b1}}) << 480)) begin : gen_completion_phase
    $error("Completion.phase moved");
  end
  localparam event_t Only_event_kind = '{kind: '1, default: '0};
  if (Only_event_kind != (512'({16{1'b1}}) << 0)) begin : gen_event_kind
    $error("Event.kind moved");
  end
  localparam event_t Only_event_port = '{port: '1, default: '0};
  if (Only_event_port != (512'({16{1'b1}}) << 16)) begin : gen_event_port
    $error("Event.port moved");
  end
  localparam event_t Only_event_map = '{map_f: '1, default: '0};
  if (Only_event_map != (512'({32{1'b1}}) << 32)) begin : gen_event_map
    $error("Event.map moved");
  end
  localparam event_t Only_event_seq = '{seq: '1, default: '0};
  if (Only_event_seq != (512'({64{1'b1}}) << 64)) begin : gen_event_seq
    $error("Event.seq moved");
  end
  localparam event_t Only_event_cycle = '{cycle: '1, default: '0};
  if (Only_event_cycle != (512'({64{1'b1}}) << 128)) begin : gen_event_cycle
    $error("Event.cycle moved");
  end
  localparam event_t Only_event_index = '{index: '1, default: '0};
  if (Only_event_index != (512'({32{1'b1}}) << 192)) begin : gen_event_index
    $error("Event.index moved");
  end
  localparam event_t Only_event_bytes = '{bytes: '1, default: '0};
  if (Only_event_bytes != (512'({32{1'b1}}) << 224)) begin : gen_event_bytes
    $error("Event.bytes moved");
  end
  localparam event_t Only_event_offset = '{offset: '1, default: '0};
  if (Only_event_offset != (512'({32{1'b1}}) << 256)) begin : gen_event_offset
    $error("Event.offset moved");
  end
  localparam event_t Only_event_packet_bytes = '{packet_bytes: '1, default: '0};
  if (Only_event_packet_bytes != (512'({32{1'b1}}) << 288)) begin : gen_event_packet_bytes
    $error("Event.packet_bytes moved");
  end
  localparam event_t Only_event_lost = '{lost: '1, default: '0};
  if (Only_event_lost != (512'({32{1'b1}}) << 320)) begin : gen_event_lost
    $error("Event.lost moved");
  end
  localparam event_t Only_event_program = '{program_f: '1, default: '0};
  if (Only_event_program != (512'({16{1'b1}}) << 352)) begin : gen_event_program
    $error("Event.program moved");
  end
  localparam event_t Only_event_code = '{code: '1, default: '0};
  if (Only_event_code != (512'({16{1'b1}}) << 368)) begin : gen_event_code
    $error("Event.code moved");
  end
  localparam event_t Only_event_argument = '{argument: '1, default: '0};
  if (Only_event_argument != (512'({64{1'b1}}) << 384)) begin : gen_event_argument
    $error("Event.argument moved");
  end
  localparam event_t Only_event_reserved = '{reserved: '1, default: '0};
  if (Only_event_reserved != (512'({32{1'b1}}) << 448)) begin : gen_event_reserved
    $error("Event.reserved moved");
  end
  localparam event_t Only_event_phase = '{phase: '1, default: '0};
  if (Only_event_phase != (512'({32{1'b1}}) << 480)) begin : gen_event_phase
    $error("Event.phase moved");
  end
  localparam receive_t Only_receive_buffer = '{buffer: '1, default: '0};
  if (Only_receive_buffer != (512'({64{1'b1}}) << 0)) begin : gen_receive_buffer
    $error("Receive.buffer moved");
  end
  localparam receive_t Only_receive_buffer_bytes = '{buffer_bytes: '1, default: '0};
  if (Only_receive_buffer_bytes != (512'({32{1'b1}}) << 64)) begin : gen_receive_buffer_bytes
    $error("Receive.buffer_bytes moved");
  end
  localparam receive_t Only_receive_packet_bytes = '{packet_bytes: '1, default: '0};
  if (Only_receive_packet_bytes != (512'({32{1'b1}}) << 96)) begin : gen_receive_packet_bytes
    $error("Receive.packet_bytes moved");
  end
  localparam receive_t Only_receive_meta_bytes = '{meta_bytes: '1, default: '0};
  if (Only_receive_meta_bytes != (512'({16{1'b1}}) << 128)) begin : gen_receive_meta_bytes
    $error("Receive.meta_bytes moved");
  end
  localparam receive_t Only_receive_port = '{port: '1, default: '0};
  if (Only_receive_port != (512'({16{1'b1}}) << 144)) begin : gen_receive_port
    $error("Receive.port moved");
  end
  localparam receive_t Only_receive_retval = '{retval: '1, default: '0};
  if (Only_receive_retval != (512'({32{1'b1}}) << 160)) begin : gen_receive_retval
    $error("Receive.retval moved");
  end
  localparam receive_t Only_receive_program = '{program_f: '1, default: '0};
  if (Only_receive_program != (512'({16{1'b1}}) << 192)) begin : gen_receive_program
    $error("Receive.program moved");
  end
  localparam receive_t Only_receive_status = '{status: '1, default: '0};
  if (Only_receive_status != (512'({16{1'b1}}) << 208)) begin : gen_receive_status
    $error("Receive.status moved");
  end
  localparam receive_t Only_receive_flow_hash = '{flow_hash: '1, default: '0};
  if (Only_receive_flow_hash != (512'({32{1'b1}}) << 224)) begin : gen_receive_flow_hash
    $error("Receive.flow_hash moved");
  end
  localparam receive_t Only_receive_seq = '{seq: '1, default: '0};
  if (Only_receive_seq != (512'({64{1'b1}}) << 256)) begin : gen_receive_seq
    $error("Receive.seq moved");
  end
  localparam receive_t Only_receive_cycle = '{cycle: '1, default: '0};
  if (Only_receive_cycle != (512'({64{1'b1}}) << 320)) begin : gen_receive_cycle
    $error("Receive.cycle moved");
  end
  localparam receive_t Only_receive_report_bytes = '{report_bytes: '1, default: '0};
  if (Only_receive_report_bytes != (512'({32{1'b1}}) << 384)) begin : gen_receive_report_bytes
    $error("Receive.report_bytes moved");
  end
  localparam receive_t Only_receive_reserved0 = '{reserved0: '1, default: '0};
  if (Only_receive_reserved0 != (512'({32{1'b1}}) << 416)) begin : gen_receive_reserved0
    $error("Receive.reserved0 moved");
  end
  localparam receive_t Only_receive_reserved1 = '{reserved1: '1, default: '0};
  if (Only_receive_reserved1 != (512'({32{1'b1}}) << 448)) begin : gen_receive_reserved1
    $error("Receive.reserved1 moved");
  end
  localparam receive_t Only_receive_phase = '{phase: '1, default: '0};
  if (Only_receive_phase != (512'({32{1'b1}}) << 480)) begin : gen_receive_phase
    $error("Receive.phase moved");
  end
  localparam transmit_t Only_transmit_buffer = '{buffer: '1, default: '0};
  if (Only_transmit_buffer != (512'({64{1'b1}}) << 0)) begin : gen_transmit_buffer
    $error("Transmit.buffer moved");
  end
  localparam transmit_t Only_transmit_bytes = '{bytes: '1, default: '0};
  if (Only_transmit_bytes != (512'({32{1'b1}}) << 64)) begin : gen_transmit_bytes
    $error("Transmit.bytes moved");
  end
  localparam transmit_t Only_transmit_port = '{port: '1, default: '0};
  if (Only_transmit_port != (512'({16{1'b1}}) << 96)) begin : gen_transmit_port
    $error("Transmit.port moved");
  end
  localparam transmit_t Only_transmit_flags = '{flags: '1, default: '0};
  if (Only_transmit_flags != (512'({16{1'b1}}) << 112)) begin : gen_transmit_flags
    $error("Transmit.flags moved");
  end
  localparam transmit_t Only_transmit_cycle = '{cycle: '1, default: '0};
  if (Only_transmit_cycle != (512'({64{1'b1}}) << 128)) begin : gen_transmit_cycle
    $error("Transmit.cycle moved");
  end
  localparam transmit_t Only_transmit_ingress_ifindex = '{ingress_ifindex: '1, default: '0};
  if (Only_transmit_ingress_ifindex != (512'({32{1'b1}}) << 192)) begin : gen_transmit_ingress_ifindex
    $error("Transmit.ingress_ifindex moved");
  end
  localparam transmit_t Only_transmit_rx_queue = '{rx_queue: '1, default: '0};
  if (Only_transmit_rx_queue != (512'({32{1'b1}}) << 224)) begin : gen_transmit_rx_queue
    $error("Transmit.rx_queue moved");
  end
  localparam transmit_t Only_transmit_vcpu = '{vcpu: '1, default: '0};
  if (Only_transmit_vcpu != (512'({16{1'b1}}) << 256)) begin : gen_transmit_vcpu
    $error("Transmit.vcpu moved");
  end
  localparam transmit_t Only_transmit_status = '{status: '1, default: '0};
  if (Only_transmit_status != (512'({16{1'b1}}) << 272)) begin : gen_transmit_status
    $error("Transmit.status moved");
  end
  localparam transmit_t Only_transmit_reserved0 = '{reserved0: '1, default: '0};
  if (Only_transmit_reserved0 != (512'({32{1'b1}}) << 288)) begin : gen_transmit_reserved0
    $error("Transmit.reserved0 moved");
  end
  localparam transmit_t Only_transmit_seq = '{seq: '1, default: '0};
  if (Only_transmit_seq != (512'({64{1'b1}}) << 320)) begin : gen_transmit_seq
    $error("Transmit.seq moved");
  end
  localparam transmit_t Only_transmit_reserved1 = '{reserved1: '1, default: '0};
  if (Only_transmit_reserved1 != (512'({64{1'b1}}) << 384)) begin : gen_transmit_reserved1
    $error("Transmit.reserved1 moved");
  end
  localparam transmit_t Only_transmit_reserved2 = '{reserved2: '1, default: '0};
  if (Only_transmit_reserved2 != (512'({32{1'b1}}) << 448)) begin : gen_transmit_reserved2
    $error("Transmit.reserved2 moved");
  end
  localparam transmit_t Only_transmit_phase = '{phase: '1, default: '0};
  if (Only_transmit_phase != (512'({32{1'b1}}) << 480)) begin : gen_transmit_phase
    $error("Transmit.phase moved");
  end
  localparam receive_report_t Only_receive_report_arrival = '{arrival: '1, default: '0};
  if (Only_receive_report_arrival != (512'({64{1'b1}}) << 0)) begin : gen_receive_report_arrival
    $error("ReceiveReport.arrival moved");
  end
  localparam receive_report_t Only_receive_report_dispatched = '{dispatched: '1, default: '0};
  if (Only_receive_report_dispatched != (512'({32{1'b1}}) << 64)) begin : gen_receive_report_dispatched
    $error("ReceiveReport.dispatched moved");
  end
  localparam receive_report_t Only_receive_report_exited = '{exited: '1, default: '0};
  if (Only_receive_report_exited != (512'({32{1'b1}}) << 96)) begin : gen_receive_report_exited
    $error("ReceiveReport.exited moved");
  end
  localparam receive_report_t Only_receive_report_departed = '{departed: '1, default: '0};
  if (Only_receive_report_departed != (512'({32{1'b1}}) << 128)) begin : gen_receive_report_departed
    $error("ReceiveReport.departed moved");
  end
  localparam receive_report_t Only_receive_report_words = '{words: '1, default: '0};
  if (Only_receive_report_words != (512'({32{1'b1}}) << 160)) begin : gen_receive_report_words
    $error("ReceiveReport.words moved");
  end
  localparam receive_report_t Only_receive_report_slots = '{slots: '1, default: '0};
  if (Only_receive_report_slots != (512'({32{1'b1}}) << 192)) begin : gen_receive_report_slots
    $error("ReceiveReport.slots moved");
  end
  localparam receive_report_t Only_receive_report_redirect = '{redirect: '1, default: '0};
  if (Only_receive_report_redirect != (512'({16{1'b1}}) << 224)) begin : gen_receive_report_redirect
    $error("ReceiveReport.redirect moved");
  end
  localparam receive_report_t Only_receive_report_fault = '{fault: '1, default: '0};
  if (Only_receive_report_fault != (512'({16{1'b1}}) << 240)) begin : gen_receive_report_fault
    $error("ReceiveReport.fault moved");
  end
  localparam receive_report_t Only_receive_report_redirect_flags = '{redirect_flags: '1, default: '0};
  if (Only_receive_report_redirect_flags != (512'({64{1'b1}}) << 256)) begin : gen_receive_report_redirect_flags
    $error("ReceiveReport.redirect_flags moved");
  end
  localparam receive_report_t Only_receive_report_redirect_target = '{redirect_target: '1, default: '0};
  if (Only_receive_report_redirect_target != (512'({32{1'b1}}) << 320)) begin : gen_receive_report_redirect_target
    $error("ReceiveReport.redirect_target moved");
  end
  localparam receive_report_t Only_receive_report_redirect_key = '{redirect_key: '1, default: '0};
  if (Only_receive_report_redirect_key != (512'({32{1'b1}}) << 352)) begin : gen_receive_report_redirect_key
    $error("ReceiveReport.redirect_key moved");
  end
  localparam receive_report_t Only_receive_report_fault_address = '{fault_address: '1, default: '0};
  if (Only_receive_report_fault_address != (512'({32{1'b1}}) << 384)) begin : gen_receive_report_fault_address
    $error("ReceiveReport.fault_address moved");
  end
  localparam receive_report_t Only_receive_report_events = '{events: '1, default: '0};
  if (Only_receive_report_events != (512'({32{1'b1}}) << 416)) begin : gen_receive_report_events
    $error("ReceiveReport.events moved");
  end
  localparam receive_report_t Only_receive_report_reserved = '{reserved: '1, default: '0};
  if (Only_receive_report_reserved != (512'({64{1'b1}}) << 448)) begin : gen_receive_report_reserved
    $error("ReceiveReport.reserved moved");
  end
  localparam program_load_t Only_program_load_image_bytes = '{image_bytes: '1, default: '0};
  if (Only_program_load_image_bytes != (128'({32{1'b1}}) << 0)) begin : gen_program_load_image_bytes
    $error("ProgramLoad.image_bytes moved");
  end
  localparam program_load_t Only_program_load_bindings = '{bindings: '1, default: '0};
  if (Only_program_load_bindings != (128'({32{1'b1}}) << 32)) begin : gen_program_load_bindings
    $error("ProgramLoad.bindings moved");
  end
  localparam program_load_t Only_program_load_reserved = '{reserved: '1, default: '0};
  if (Only_program_load_reserved != (128'({64{1'b1}}) << 64)) begin : gen_program_load_reserved
    $error("ProgramLoad.reserved moved");
  end
  localparam program_info_t Only_program_info_id = '{id: '1, default: '0};
  if (Only_program_info_id != (1024'({32{1'b1}}) << 0)) begin : gen_program_info_id
    $error("ProgramInfo.id moved");
  end
  localparam program_info_t Only_program_info_words = '{words: '1, default: '0};
  if (Only_program_info_words != (1024'({32{1'b1}}) << 32)) begin : gen_program_info_words
    $error("ProgramInfo.words moved");
  end
  localparam program_info_t Only_program_info_address = '{address: '1, default: '0};
  if (Only_program_info_address != (1024'({32{1'b1}}) << 64)) begin : gen_program_info_address
    $error("ProgramInfo.address moved");
  end
  localparam program_info_t Only_program_info_mode = '{mode: '1, default: '0};
  if (Only_program_info_mode != (1024'({16{1'b1}}) << 96)) begin : gen_program_info_mode
    $error("ProgramInfo.mode moved");
  end
  localparam program_info_t Only_program_info_maps = '{maps: '1, default: '0};
  if (Only_program_info_maps != (1024'({16{1'b1}}) << 112)) begin : gen_program_info_maps
    $error("ProgramInfo.maps moved");
  end
  localparam program_info_t Only_program_info_ports = '{ports: '1, default: '0};
  if (Only_program_info_ports != (1024'({64{1'b1}}) << 128)) begin : gen_program_info_ports
    $error("ProgramInfo.ports moved");
  end
  localparam program_info_t Only_program_info_tag = '{tag: '1, default: '0};
  if (Only_program_info_tag != (1024'({64{1'b1}}) << 192)) begin : gen_program_info_tag
    $error("ProgramInfo.tag moved");
  end
  localparam program_info_t Only_program_info_loaded = '{loaded: '1, default: '0};
  if (Only_program_info_loaded != (1024'({64{1'b1}}) << 256)) begin : gen_program_info_loaded
    $error("ProgramInfo.loaded moved");
  end
  localparam program_info_t Only_program_info_in_flight = '{in_flight: '1, default: '0};
  if (Only_program_info_in_flight != (1024'({32{1'b1}}) << 320)) begin : gen_program_info_in_flight
    $error("ProgramInfo.in_flight moved");
  end
  localparam program_info_t Only_program_info_unloading = '{unloading: '1, default: '0};
  if (Only_program_info_unloading != (1024'({32{1'b1}}) << 352)) begin : gen_program_info_unloading
    $error("ProgramInfo.unloading moved");
  end
  localparam program_info_t Only_program_info_reserved = '{reserved: '1, default: '0};
  if (Only_program_info_reserved != (1024'({64{1'b1}}) << 384)) begin : gen_program_info_reserved
    $error("ProgramInfo.reserved moved");
  end
  localparam program_info_t Only_program_info_name = '{name: '1, default: '0};
  if (Only_program_info_name != (1024'({512{1'b1}}) << 448)) begin : gen_program_info_name
    $error("ProgramInfo.name moved");
  end
  localparam program_info_t Only_program_info_budget = '{budget: '1, default: '0};
  if (Only_program_info_budget != (1024'({64{1'b1}}) << 960)) begin : gen_program_info_budget
    $error("ProgramInfo.budget moved");
  end
  localparam map_create_t Only_map_create_kind = '{kind: '1, default: '0};
  if (Only_map_create_kind != (1024'({32{1'b1}}) << 0)) begin : gen_map_create_kind
    $error("MapCreate.kind moved");
  end
  localparam map_create_t Only_map_create_key_bytes = '{key_bytes: '1, default: '0};
  if (Only_map_create_key_bytes != (1024'({32{1'b1}}) << 32)) begin : gen_map_create_key_bytes
    $error("MapCreate.key_bytes moved");
  end
  localparam map_create_t Only_map_create_value_bytes = '{value_bytes: '1, default: '0};
  if (Only_map_create_value_bytes != (1024'({32{1'b1}}) << 64)) begin : gen_map_create_value_bytes
    $error("MapCreate.value_bytes moved");
  end
  localparam map_create_t Only_map_create_max_entries = '{max_entries: '1, default: '0};
  if (Only_map_create_max_entries != (1024'({32{1'b1}}) << 96)) begin : gen_map_create_max_entries
    $error("MapCreate.max_entries moved");
  end
  localparam map_create_t Only_map_create_flags = '{flags: '1, default: '0};
  if (Only_map_create_flags != (1024'({32{1'b1}}) << 128)) begin : gen_map_create_flags
    $error("MapCreate.flags moved");
  end
  localparam map_create_t Only_map_create_lock = '{lock: '1, default: '0};
  if (Only_map_create_lock != (1024'({32{1'b1}}) << 160)) begin : gen_map_create_lock
    $error("MapCreate.lock moved");
  end
  localparam map_create_t Only_map_create_inner = '{inner: '1, default: '0};
  if (Only_map_create_inner != (1024'({32{1'b1}}) << 192)) begin : gen_map_create_inner
    $error("MapCreate.inner moved");
  end
  localparam map_create_t Only_map_create_init_bytes = '{init_bytes: '1, default: '0};
  if (Only_map_create_init_bytes != (1024'({32{1'b1}}) << 224)) begin : gen_map_create_init_bytes
    $error("MapCreate.init_bytes moved");
  end
  localparam map_create_t Only_map_create_frozen = '{frozen: '1, default: '0};
  if (Only_map_create_frozen != (1024'({32{1'b1}}) << 256)) begin : gen_map_create_frozen
    $error("MapCreate.frozen moved");
  end
  localparam map_create_t Only_map_create_reserved0 = '{reserved0: '1, default: '0};
  if (Only_map_create_reserved0 != (1024'({32{1'b1}}) << 288)) begin : gen_map_create_reserved0
    $error("MapCreate.reserved0 moved");
  end
  localparam map_create_t Only_map_create_reserved1 = '{reserved1: '1, default: '0};
  if (Only_map_create_reserved1 != (1024'({64{1'b1}}) << 320)) begin : gen_map_create_reserved1
    $error("MapCreate.reserved1 moved");
  end
  localparam map_create_t Only_map_create_reserved2 = '{reserved2: '1, default: '0};
  if (Only_map_create_reserved2 != (1024'({64{1'b1}}) << 384)) begin : gen_map_create_reserved2
    $error("MapCreate.reserved2 moved");
  end
  localparam map_create_t Only_map_create_reserved3 = '{reserved3: '1, default: '0};
  if (Only_map_create_reserved3 != (1024'({64{1'b1}}) << 448)) begin : gen_map_create_reserved3
    $error("MapCreate.reserved3 moved");
  end
  localparam map_create_t Only_map_create_name = '{name: '1, default: '0};
  if (Only_map_create_name != (1024'({512{1'b1}}) << 512)) begin : gen_map_create_name
    $error("MapCreate.name moved");
  end
  localparam map_info_t Only_map_info_id = '{id: '1, default: '0};
  if (Only_map_info_id != (1024'({32{1'b1}}) << 0)) begin : gen_map_info_id
    $error("MapInfo.id moved");
  end
  localparam map_info_t Only_map_info_kind = '{kind: '1, default: '0};
  if (Only_map_info_kind != (1024'({32{1'b1}}) << 32)) begin : gen_map_info_kind
    $error("MapInfo.kind moved");
  end
  localparam map_info_t Only_map_info_key_bytes = '{key_bytes: '1, default: '0};
  if (Only_map_info_key_bytes != (1024'({32{1'b1}}) << 64)) begin : gen_map_info_key_bytes
    $error("MapInfo.key_bytes moved");
  end
  localparam map_info_t Only_map_info_value_bytes = '{value_bytes: '1, default: '0};
  if (Only_map_info_value_bytes != (1024'({32{1'b1}}) << 96)) begin : gen_map_info_value_bytes
    $error("MapInfo.value_bytes moved");
  end
  localparam map_info_t Only_map_info_max_entries = '{max_entries: '1, default: '0};
  if (Only_map_info_max_entries != (1024'({32{1'b1}}) << 128)) begin : gen_map_info_max_entries
    $error("MapInfo.max_entries moved");
  end
  localparam map_info_t Only_map_info_flags = '{flags: '1, default: '0};
  if (Only_map_info_flags != (1024'({32{1'b1}}) << 160)) begin : gen_map_info_flags
    $error("MapInfo.flags moved");
  end
  localparam map_info_t Only_map_info_lock = '{lock: '1, default: '0};
  if (Only_map_info_lock != (1024'({32{1'b1}}) << 192)) begin : gen_map_info_lock
    $error("MapInfo.lock moved");
  end
  localparam map_info_t Only_map_info_frozen = '{frozen: '1, default: '0};
  if (Only_map_info_frozen != (1024'({32{1'b1}}) << 224)) begin : gen_map_info_frozen
    $error("MapInfo.frozen moved");
  end
  localparam map_info_t Only_map_info_copies = '{copies: '1, default: '0};
  if (Only_map_info_copies != (1024'({32{1'b1}}) << 256)) begin : gen_map_info_copies
    $error("MapInfo.copies moved");
  end
  localparam map_info_t Only_map_info_programs = '{programs: '1, default: '0};
  if (Only_map_info_programs != (1024'({32{1'b1}}) << 288)) begin : gen_map_info_programs
    $error("MapInfo.programs moved");
  end
  localparam map_info_t Only_map_info_memory = '{memory: '1, default: '0};
  if (Only_map_info_memory != (1024'({64{1'b1}}) << 320)) begin : gen_map_info_memory
    $error("MapInfo.memory moved");
  end
  localparam map_info_t Only_map_info_reserved0 = '{reserved0: '1, default: '0};
  if (Only_map_info_reserved0 != (1024'({64{1'b1}}) << 384)) begin : gen_map_info_reserved0
    $error("MapInfo.reserved0 moved");
  end
  localparam map_info_t Only_map_info_reserved1 = '{reserved1: '1, default: '0};
  if (Only_map_info_reserved1 != (1024'({64{1'b1}}) << 448)) begin : gen_map_info_reserved1
    $error("MapInfo.reserved1 moved");
  end
  localparam map_info_t Only_map_info_name = '{name: '1, default: '0};
  if (Only_map_info_name != (1024'({512{1'b1}}) << 512)) begin : gen_map_info_name
    $error("MapInfo.name moved");
  end
  localparam port_info_t Only_port_info_port = '{port: '1, default: '0};
  if (Only_port_info_port != (512'({32{1'b1}}) << 0)) begin : gen_port_info_port
    $error("PortInfo.port moved");
  end
  localparam port_info_t Only_port_info_flags = '{flags: '1, default: '0};
  if (Only_port_info_flags != (512'({32{1'b1}}) << 32)) begin : gen_port_info_flags
    $error("PortInfo.flags moved");
  end
  localparam port_info_t Only_port_info_ifindex = '{ifindex: '1, default: '0};
  if (Only_port_info_ifindex != (512'({32{1'b1}}) << 64)) begin : gen_port_info_ifindex
    $error("PortInfo.ifindex moved");
  end
  localparam port_info_t Only_port_info_program = '{program_f: '1, default: '0};
  if (Only_port_info_program != (512'({32{1'b1}}) << 96)) begin : gen_port_info_program
    $error("PortInfo.program moved");
  end
  localparam port_info_t Only_port_info_mode = '{mode: '1, default: '0};
  if (Only_port_info_mode != (512'({32{1'b1}}) << 128)) begin : gen_port_info_mode
    $error("PortInfo.mode moved");
  end
  localparam port_info_t Only_port_info_gbps = '{gbps: '1, default: '0};
  if (Only_port_info_gbps != (512'({32{1'b1}}) << 160)) begin : gen_port_info_gbps
    $error("PortInfo.gbps moved");
  end
  localparam port_info_t Only_port_info_since = '{since: '1, default: '0};
  if (Only_port_info_since != (512'({64{1'b1}}) << 192)) begin : gen_port_info_since
    $error("PortInfo.since moved");
  end
  localparam port_info_t Only_port_info_reserved = '{reserved: '1, default: '0};
  if (Only_port_info_reserved != (512'({256{1'b1}}) << 256)) begin : gen_port_info_reserved
    $error("PortInfo.reserved moved");
  end
  localparam chance_t Only_chance_ktime_ns = '{ktime_ns: '1, default: '0};
  if (Only_chance_ktime_ns != (192'({64{1'b1}}) << 0)) begin : gen_chance_ktime_ns
    $error("Chance.ktime_ns moved");
  end
  localparam chance_t Only_chance_jiffies = '{jiffies: '1, default: '0};
  if (Only_chance_jiffies != (192'({64{1'b1}}) << 64)) begin : gen_chance_jiffies
    $error("Chance.jiffies moved");
  end
  localparam chance_t Only_chance_random_state = '{random_state: '1, default: '0};
  if (Only_chance_random_state != (192'({64{1'b1}}) << 128)) begin : gen_chance_random_state
    $error("Chance.random_state moved");
  end
endmodule
