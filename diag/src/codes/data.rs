//! 07xx: captures, map files and comparisons.

crate::codes::codes! {
    BAD_CAPTURE = 0701, "not a readable capture";
    CAPTURE_LINK_TYPE = 0702, "the capture is not Ethernet";
    CAPTURE_CUT_PACKET = 0703, "the capture holds packets that were cut";
    BAD_MAP_FILE = 0711, "not a readable map file";
    UNKNOWN_MAP = 0712, "the object has no such map";
    BAD_MAP_ENTRY = 0713, "an entry of a map file does not fit its map";
    MAP_NOT_WRITABLE = 0714, "the map cannot be filled from a file";
    DIFFER = 0721, "back ends differ";
}
