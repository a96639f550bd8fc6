//! What a journal keeps of what is gone.

use super::*;

fn spec(name: &str) -> MapSpec {
    MapSpec {
        name: name.to_owned(),
        kind: offwire_image::MapKind::Array,
        key_size: 4,
        value_size: 8,
        max_entries: 4,
        flags: 0,
        init: Vec::new(),
        frozen: false,
    }
}

fn record() -> Record {
    Record::new(Journaling::Contents)
}

#[test]
fn nothing_is_kept_when_it_is_off() {
    let mut record = Record::new(Journaling::Off);
    record.created(MapId(1), &spec("a"), None, None);
    record.loaded(ProgramId(0), b"image", &[], &[MapId(2)]);
    record.attached(3, ProgramId(0), DispatchChoice::Proven);
    record.port_set(3, 1, None);
    record.froze(MapId(1));
    assert!(record.journal().is_empty());
}

#[test]
fn what_is_freed_is_forgotten() {
    let mut record = record();
    record.created(MapId(1), &spec("a"), None, None);
    record.froze(MapId(1));
    record.loaded(ProgramId(0), b"image", &[], &[MapId(2)]);
    record.unloaded(ProgramId(0));
    record.freed(MapId(1));
    assert!(record.journal().is_empty(), "{:?}", record.journal());
}

#[test]
fn a_program_whose_map_another_holds_is_kept_until_that_goes() {
    let mut record = record();
    record.loaded(ProgramId(0), b"old", &[], &[MapId(2), MapId(3)]);
    record.loaded(ProgramId(1), b"new", &[Some(MapId(2)), None], &[MapId(2), MapId(4)]);
    record.unloaded(ProgramId(0));
    assert_eq!(record.journal().programs().collect::<Vec<_>>(), [ProgramId(1)]);
    assert_eq!(record.journal().maps().collect::<Vec<_>>(), [2, 3, 4].map(MapId));
    record.unloaded(ProgramId(1));
    assert!(record.journal().is_empty());
}

#[test]
fn a_template_of_inner_maps_is_kept() {
    let mut record = record();
    record.created(MapId(1), &spec("template"), None, None);
    record.created(MapId(2), &spec("outer"), None, Some(MapId(1)));
    record.freed(MapId(1));
    assert_eq!(record.journal().objects.len(), 2);
    record.freed(MapId(2));
    assert!(record.journal().is_empty());
}

#[test]
fn an_id_that_is_used_again_is_another_object() {
    let mut record = record();
    record.created(MapId(1), &spec("template"), None, None);
    record.created(MapId(2), &spec("outer"), None, Some(MapId(1)));
    record.freed(MapId(1));
    record.created(MapId(1), &spec("other"), None, None);
    record.freed(MapId(1));
    assert_eq!(record.journal().maps().collect::<Vec<_>>(), [MapId(2)]);
    assert_eq!(record.journal().objects.len(), 2, "the template is still needed");
}
