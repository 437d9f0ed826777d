//! `struct packetdrill_interface`: the table that the tool has filled in, in its order.

use super::{calls, device, init, options, readiness, transfer};
use libc::{
    c_int, c_longlong, c_uint, c_ulong, c_void, epoll_event, iovec, loff_t, msghdr, nfds_t, pollfd, size_t,
    sockaddr, socklen_t, ssize_t, timeval, useconds_t,
};

macro_rules! interface {
    ($($room:ident::$name:ident($($argument:ty),*) $(-> $result:ty)?;)+) => {
        /// The data pointer and the 32 functions, each of which takes it first.
        #[repr(C)]
        #[derive(Clone, Copy, Debug)]
        pub struct PacketdrillInterface {
            /// Handed to every function.
            pub userdata: *mut c_void,
            $(
                #[doc = concat!("`", stringify!($name), "`")]
                pub $name: unsafe extern "C" fn(*mut c_void, $($argument),*) $(-> $result)?,
            )+
        }

        impl PacketdrillInterface {
            /// The table for `userdata`.
            pub(super) fn new(userdata: *mut c_void) -> PacketdrillInterface {
                PacketdrillInterface { userdata, $($name: $room::$name,)+ }
            }
        }
    };
}

// The tool declares fcntl and ioctl with `...` where a third argument stands here. With the calling
// conventions of Linux on x86_64 and aarch64 a variable argument travels in the same register as a fixed one;
// when the caller passes none, what stands there is not looked at for commands that take none.
interface! {
    init::free();
    calls::socket(c_int, c_int, c_int) -> c_int;
    calls::bind(c_int, *const sockaddr, socklen_t) -> c_int;
    calls::listen(c_int, c_int) -> c_int;
    calls::accept(c_int, *mut sockaddr, *mut socklen_t) -> c_int;
    calls::connect(c_int, *const sockaddr, socklen_t) -> c_int;
    transfer::read(c_int, *mut c_void, size_t) -> ssize_t;
    transfer::readv(c_int, *const iovec, c_int) -> ssize_t;
    transfer::recv(c_int, *mut c_void, size_t, c_int) -> ssize_t;
    transfer::recvfrom(c_int, *mut c_void, size_t, c_int, *mut sockaddr, *mut socklen_t) -> ssize_t;
    transfer::recvmsg(c_int, *mut msghdr, c_int) -> ssize_t;
    transfer::write(c_int, *const c_void, size_t) -> ssize_t;
    transfer::writev(c_int, *const iovec, c_int) -> ssize_t;
    transfer::send(c_int, *const c_void, size_t, c_int) -> ssize_t;
    transfer::sendto(c_int, *const c_void, size_t, c_int, *const sockaddr, socklen_t) -> ssize_t;
    transfer::sendmsg(c_int, *const msghdr, c_int) -> ssize_t;
    calls::fcntl(c_int, c_int, c_int) -> c_int;
    calls::ioctl(c_int, c_ulong, *mut c_int) -> c_int;
    calls::close(c_int) -> c_int;
    calls::shutdown(c_int, c_int) -> c_int;
    options::getsockopt(c_int, c_int, c_int, *mut c_void, *mut socklen_t) -> c_int;
    options::setsockopt(c_int, c_int, c_int, *const c_void, socklen_t) -> c_int;
    readiness::poll(*mut pollfd, nfds_t, c_int) -> c_int;
    device::netdev_send(*const c_void, size_t) -> c_int;
    device::netdev_receive(*mut c_void, *mut size_t, *mut c_longlong) -> c_int;
    device::usleep(useconds_t) -> c_int;
    device::gettimeofday(*mut timeval, *mut c_void) -> c_int;
    readiness::epoll_create(c_int) -> c_int;
    readiness::epoll_ctl(c_int, c_int, c_int, *mut epoll_event) -> c_int;
    readiness::epoll_wait(c_int, *mut epoll_event, c_int, c_int) -> c_int;
    calls::pipe(*mut c_int) -> c_int;
    transfer::splice(c_int, *mut loff_t, c_int, *mut loff_t, size_t, c_uint) -> c_int;
}

const _: () = assert!(size_of::<PacketdrillInterface>() == 33 * size_of::<*mut c_void>());
