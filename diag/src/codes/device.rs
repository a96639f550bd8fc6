//! 06xx: the device.

crate::codes::codes! {
    LOAD_REFUSED = 0601, "the device refused the image";
    MAP = 0602, "the device refused a map operation";
    PACKET = 0603, "the device does not take the packet";
    EVENT = 0604, "the device cannot tell what the program printed";
    SERVE_SOCKET = 0611, "the device cannot be served at this path";
    SERVE_PORT = 0612, "a port cannot be connected";
    SERVE_FAILED = 0613, "the served device has failed";
    SERVE_TROUBLE = 0614, "trouble while the device was served";
}
