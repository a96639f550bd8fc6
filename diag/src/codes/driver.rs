//! 10xx: devices behind their driver.

crate::codes::codes! {
    NOT_READY = 1001, "the device cannot be opened";
    GONE = 1002, "the device does not answer";
    REFUSED = 1003, "the device refused a command";
    NO_SUCH_OBJECT = 1004, "no such program or map on the device";
    STATE = 1005, "the state folder cannot be used";
    STALE = 1006, "the device was reset behind the pinned names";
    PIN = 1007, "not a name to pin under";
    NO_SUCH_DEVICE_KIND = 1008, "devices of this kind are not there";
    BIND = 1009, "a PCI function cannot be bound";
    BAD_DATA = 1010, "a key or value that does not fit the map";
}
