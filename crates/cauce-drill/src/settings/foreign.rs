//! Options of other runners of the same language that change nothing here, and why.

/// An option that is accepted and noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foreign {
    /// Its name without dashes.
    pub name: &'static str,
    /// Whether it takes a value.
    pub value: bool,
    /// Why it means nothing here.
    pub why: &'static str,
}

const fn option(name: &'static str, value: bool, why: &'static str) -> Foreign {
    Foreign { name, value, why }
}

const LIBRARY: &str = "the stack under test is built in, and no library is loaded";
const WIRE: &str = "there is no second machine";
const PYTHON: &str = "code is Python 3, over everything that can be sampled";

/// All of them.
pub const FOREIGN: &[Foreign] = &[
    option("anyip", false, "the stack has the script's local address"),
    option("code_command", true, PYTHON),
    option("code_format", true, PYTHON),
    option("code_sockopt", true, PYTHON),
    option("debug", false, "--verbose of the command line tells what happens"),
    option("fm_filename", true, LIBRARY),
    option("is_anyip", false, "the stack has the script's local address"),
    option("link_mtu", true, "--mtu is the device's"),
    option("mss", true, "injected packets arrive whole"),
    option("non_fatal", true, "every difference is a failure"),
    option("persistent_tun_dev", false, "each script has a device of its own"),
    option("remote_ip_prefix", true, "the route to the peer covers its network"),
    option("send_omit_free", false, "buffers live as long as the stack needs them"),
    option("so_filename", true, LIBRARY),
    option("so_flags", true, LIBRARY),
    option("speed", true, "the device has no speed of its own"),
    option("tun_device", true, "the device is tun0 of a private network"),
    option("v", false, "--verbose of the command line tells what happens"),
    option("verbose", false, "--verbose of the command line tells what happens"),
    option("wire_client", false, WIRE),
    option("wire_client_dev", true, WIRE),
    option("wire_server", false, WIRE),
    option("wire_server_at", true, WIRE),
    option("wire_server_dev", true, WIRE),
    option("wire_server_ip", true, WIRE),
    option("wire_server_port", true, WIRE),
];
