//! What a driver must be able to do with a device, however it gets there.
//!
//! A case takes a way to connect to one device of profile `small` as after power on; it may connect several times, one
//! after the other. tests/model.rs runs them in process, tests/served.rs over a socket.
#![allow(dead_code, reason = "each test takes what it needs")]

pub(crate) mod commands;
pub(crate) mod images;
pub(crate) mod life;
pub(crate) mod maps;
pub(crate) mod packets;

use driver::transport::Transport;
use driver::{Backing, Device, OpenOptions};
use std::sync::Arc;

/// Connects to the device of a case.
pub(crate) type Connect<'a> = &'a dyn Fn() -> Arc<dyn Transport>;

/// A case.
pub(crate) type Case = fn(Connect<'_>);

/// Options of a case: buffers between guard pages.
pub(crate) fn options() -> OpenOptions {
    OpenOptions { queue_pairs: 4, backing: Backing::Guarded, ..OpenOptions::default() }
}

/// Opens the device.
pub(crate) fn open(connect: Connect<'_>) -> Device {
    Device::open(connect(), options()).expect("the device opens")
}

/// Makes a test of each case; `run` gives it a device.
#[macro_export]
macro_rules! suite {
    ($run:path) => {
        suite! { $run:
            commands {
                opening_tells_what_it_is, programs_come_and_go, what_is_no_image_is_refused, maps_can_be_shared_by_programs,
                attaching_and_swapping, ports_keep_what_is_set, counters_time_and_chance, many_commands_are_in_flight,
                pipelines_do_not_wait_for_each_other, commands_of_many_threads_are_not_mixed_up,
                impossible_commands_are_refused_and_hurt_nothing,
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
    };
    ($run:path: $($module:ident { $($case:ident),* $(,)? })*) => {
        $(mod $module {
            $(#[test]
            fn $case() {
                $run(super::suite::$module::$case);
            })*
        })*
    };
}
