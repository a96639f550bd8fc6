//! 04xx: the compiler.

crate::codes::codes! {
    UNSUPPORTED = 0401, "not supported by the offload compiler";
    HELPER = 0402, "helper not offloaded";
    MAP_KIND = 0403, "map kind not offloaded";
    INSTRUCTION = 0404, "instruction not offloaded";
    POINTER_AS_NUMBER = 0405, "pointer used as a number";
    POINTER_UNKNOWN = 0406, "access through a pointer of unknown kind";
    STACK_TOO_DEEP = 0407, "stack frames too deep";
    TOO_LARGE = 0408, "program too large to inline";
    TOO_MANY_WORDS = 0450, "program does not fit the instruction store";
    TOO_MANY_LIVE = 0451, "too many values live at once";
    TOO_MANY_MAPS = 0452, "more maps than the map table holds";
    IMAGE_REFUSED = 0453, "compiled image refused by its checker";
    INTERNAL = 0459, "mistake in the compiler";
}
