//! 03xx: the verifier.

crate::codes::codes! {
    PACKET_BOUNDS = 0301, "packet access out of bounds";
    MAP_VALUE_BOUNDS = 0302, "map value access out of bounds";
    STACK_BOUNDS = 0303, "stack access out of bounds";
    MISALIGNED = 0304, "misaligned access";
    UNINITIALISED = 0305, "a register is read before it is written";
    NULL_POINTER = 0306, "use of a pointer that may be null";
    BAD_POINTER = 0307, "access through something that is no pointer";
    CONTEXT_ACCESS = 0308, "invalid access to the context";
    POINTER_ARITHMETIC = 0309, "forbidden arithmetic on a pointer";
    POINTER_RANGE = 0310, "a pointer is moved by an unbounded number";
    POINTER_AS_NUMBER = 0311, "a pointer is used as a number";
    READ_ONLY = 0312, "access that the map does not permit";
    FRAME_POINTER = 0313, "the frame pointer is written";
    BAD_JUMP = 0314, "control flow leaves the function";
    UNREACHABLE = 0315, "unreachable code";
    ENDLESS_LOOP = 0316, "an infinite loop";
    TOO_COMPLEX = 0317, "the program is too complex to verify";
    HELPER_ARGUMENT = 0318, "wrong argument of a helper";
    HELPER_UNSUPPORTED = 0319, "helper not supported yet";
    KFUNC_UNSUPPORTED = 0320, "kernel function not supported yet";
    MAP_UNSUPPORTED = 0321, "map kind not supported by the helper";
    CALL_DEPTH = 0322, "calls are nested too deeply";
    ATOMIC = 0323, "atomic operation not allowed";
    CONTEXT_FIELD = 0324, "context field not available";
    STALE_PACKET = 0325, "a packet pointer is used after the packet moved";
    SPILL = 0326, "a pointer on the stack is read or written in part";
    SPECIAL_FIELD = 0327, "a lock or timer is accessed directly";
    CALLBACK_UNSUPPORTED = 0328, "callback not supported yet";
    BAD_INSTRUCTION = 0329, "malformed instruction";
    HELPER_SIZE = 0330, "a helper is given a size that is not bounded";
    RECORD_BOUNDS = 0331, "access to a reserved record out of bounds";
    REFERENCE_LEAK = 0332, "a reserved record is not given back";
    RELEASED = 0333, "a record is used after it was given back";
    LOCK = 0334, "a spin lock is used against its rules";
    CALLBACK_RESULT = 0335, "a callback returns something else than 0 or 1";
}
