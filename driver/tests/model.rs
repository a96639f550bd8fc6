//! The suite against the software device in process.
#![cfg(target_os = "linux")]

mod suite;

use device_model::host::{HostConfig, HostFunction};
use driver::transport::{InProcess, Transport};
use offwire_hostif::{BAR2_BYTES, PciFunction};
use offwire_hostmem::SharedMemory;
use offwire_isa::SMALL;
use std::sync::{Arc, Mutex};
use suite::Case;

/// Runs a case on a device of its own.
fn run(case: Case) {
    let doorbells = SharedMemory::guarded("doorbells", BAR2_BYTES.into()).expect("memory");
    let function = HostFunction::new(HostConfig::new(&SMALL), Arc::new(doorbells));
    let function: Arc<Mutex<dyn PciFunction>> = Arc::new(Mutex::new(function));
    case(&|| Arc::new(InProcess::new(Arc::clone(&function))) as Arc<dyn Transport>);
}

suite! { super::run:
    commands {
        opening_tells_what_it_is, programs_come_and_go, what_is_no_image_is_refused, maps_can_be_shared_by_programs,
        attaching_and_swapping, ports_keep_what_is_set, counters_time_and_chance, many_commands_are_in_flight,
        commands_of_many_threads_are_not_mixed_up, impossible_commands_are_refused_and_hurt_nothing,
        a_large_image_is_loaded, the_last_handle_turns_it_off,
    }
    maps {
        making_and_freeing, one_entry_at_a_time, batches_of_any_size, a_batch_tells_where_it_stopped,
        a_walk_sees_each_key_once_while_others_delete, arrays_are_walked_in_order, values_larger_than_any_buffer,
        each_vcpu_has_its_copy, typed_entries, maps_of_maps,
    }
    packets {
        what_passes_comes_to_the_host, a_port_that_captures_gives_everything_with_reports,
        small_rings_carry_many_packets, bad_frames_are_told_and_the_others_go, a_packet_that_fits_no_buffer_is_told,
        a_thread_for_each_queue, queues_have_one_owner, records_come_as_events_in_order,
        events_without_room_are_counted, faults_and_formats_come_as_events,
    }
    life {
        the_next_driver_adopts_what_is_there, a_reset_leaves_nothing_and_the_handle_goes_on,
        clearing_keeps_rings_open, a_reset_by_others_is_told_and_recovered_from, a_journal_moves_to_a_new_handle,
        a_journal_that_needs_what_it_did_not_make_is_refused, resets_under_load_of_threads,
    }
}
