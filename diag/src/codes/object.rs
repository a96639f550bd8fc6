//! 01xx and 02xx: the ELF object and its BTF.

crate::codes::codes! {
    NOT_AN_OBJECT = 0101, "not a BPF object";
    MALFORMED_OBJECT = 0102, "malformed object";
    BIG_ENDIAN = 0103, "big-endian object";
    NO_PROGRAM = 0104, "no XDP program";
    NO_SUCH_PROGRAM = 0105, "no such program";
    BAD_INSTRUCTION = 0106, "not a valid instruction";
    BAD_RELOCATION = 0107, "relocation that cannot be resolved";
    LEGACY_MAPS = 0108, "legacy map definition that cannot be read";
    CORE_RELOCATION = 0109, "CO-RE relocation";
    EXTERN_SYMBOL = 0110, "symbol of the kernel or of another object";
    NOT_XDP = 0111, "program of another type";
    ATTACH_TYPE = 0112, "XDP program for a device map or CPU map";
    BAD_MAP = 0113, "invalid map definition";
    UNSUPPORTED_MAP = 0114, "map that offwire cannot load";
    MAP_ATTRIBUTE_IGNORED = 0115, "map attribute without effect";
    UNKNOWN_VARIABLE = 0116, "no such global variable";
    BAD_VALUE = 0117, "value does not fit the variable";
    OBJECT_TOO_LARGE = 0118, "object is too large";
    DATA_RELOCATION = 0119, "pointers in global data are not filled in";
    UNKNOWN_MAP = 0120, "no such map";
    BAD_BTF = 0201, "malformed BTF";
    NO_BTF = 0202, "BTF is missing";
}
