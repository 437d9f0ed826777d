//! The host's side of a device: interface up, MTU, addresses and routes, over netlink.

use crate::setup::{Privilege, SetupError};
use rtnetlink::packet_route::address::{AddressAttribute, AddressFlags, AddressHeaderFlags};
use rtnetlink::{Handle, LinkUnspec, RouteMessageBuilder};
use rustix::net::{AddressFamily, SocketType, netdevice, socket};
use std::future::Future;
use std::io;
use std::net::IpAddr;

/// How the host sees a device. What is left out stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostConfig {
    /// Largest IP packet in bytes.
    pub mtu: Option<usize>,
    /// Set the interface up.
    pub up: bool,
    /// The host's own addresses on it, each with the length of its prefix. IPv6 addresses are usable at
    /// once: nobody else is on the link, so that no duplicate is looked for.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Further destinations behind it.
    pub routes: Vec<HostRoute>,
}

/// A destination behind a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostRoute {
    /// The destination's address.
    pub destination: IpAddr,
    /// The length of its prefix.
    pub prefix: u8,
    /// The neighbour it is reached by; none on a link where all destinations are neighbours.
    pub gateway: Option<IpAddr>,
}

/// Configures the host's side of the interface `name`. Blocks until it is done; may be called inside or
/// outside of an async runtime. Addresses and routes that exist already are left in place.
///
/// ```no_run
/// use cauce_device::host::{HostConfig, configure};
/// let addresses = vec![("10.9.0.1".parse().unwrap(), 24)];
/// configure("cauce0", &HostConfig { up: true, addresses, ..HostConfig::default() })?;
/// # Ok::<(), cauce_device::SetupError>(())
/// ```
///
/// # Errors
/// When the interface does not exist or the system refuses; the message says which step failed and, when a
/// privilege is missing, which command grants it.
pub fn configure(name: &str, config: &HostConfig) -> Result<(), SetupError> {
    let work = || {
        let index = index_of(name).map_err(failed(format!("find interface {name:?}")))?;
        blocking(name, |handle| apply(handle, name, index, config))
    };
    // A runtime may not be started inside another one's thread. The new thread shares the caller's network
    // namespace.
    std::thread::scope(|scope| scope.spawn(work).join())
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// The index of the interface `name`.
///
/// # Errors
/// When there is none of this name.
pub fn index_of(name: &str) -> io::Result<u32> {
    let any = socket(AddressFamily::UNIX, SocketType::DGRAM, None)?;
    Ok(netdevice::name_to_index(any, name)?)
}

fn failed(action: String) -> impl FnOnce(io::Error) -> SetupError {
    move |error| SetupError::new(action, Privilege::NetAdmin, error)
}

/// Runs one conversation over netlink.
fn blocking<'a, F: Future<Output = Result<(), SetupError>> + 'a>(
    name: &str,
    work: impl FnOnce(Handle) -> F,
) -> Result<(), SetupError> {
    let open = || -> io::Result<_> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let (connection, handle, _) = {
            let _inside = runtime.enter();
            rtnetlink::new_connection()?
        };
        runtime.spawn(connection);
        Ok((runtime, handle))
    };
    let (runtime, handle) = open().map_err(failed(format!("open netlink to configure {name:?}")))?;
    runtime.block_on(work(handle))
}

async fn apply(handle: Handle, name: &str, index: u32, config: &HostConfig) -> Result<(), SetupError> {
    let mut link = LinkUnspec::new_with_index(index);
    if let Some(mtu) = config.mtu {
        link = link.mtu(u32::try_from(mtu).unwrap_or(u32::MAX));
    }
    if config.up {
        link = link.up();
    }
    if config.up || config.mtu.is_some() {
        let what = match config.mtu {
            Some(mtu) => format!("set interface {name:?} up with an MTU of {mtu}"),
            None => format!("set interface {name:?} up"),
        };
        done(what, handle.link().set(link.build()).execute().await)?;
    }
    for &(address, prefix) in &config.addresses {
        let mut request = handle.address().add(index, address, prefix);
        if address.is_ipv6() {
            let message = request.message_mut();
            message.header.flags |= AddressHeaderFlags::Nodad;
            message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
        }
        done(format!("give {name:?} the address {address}/{prefix}"), request.execute().await)?;
    }
    for route in &config.routes {
        let what = format!("route {}/{} to {name:?}", route.destination, route.prefix);
        let mut message = RouteMessageBuilder::<IpAddr>::new().output_interface(index);
        let invalid =
            |error| failed(what.clone())(io::Error::new(io::ErrorKind::InvalidInput, format!("{error:?}")));
        message = message.destination_prefix(route.destination, route.prefix).map_err(invalid)?;
        if let Some(gateway) = route.gateway {
            message = message.gateway(gateway).map_err(invalid)?;
        }
        done(what, handle.route().add(message.build()).execute().await)?;
    }
    Ok(())
}

/// Puts netlink's answer into words. That something exists already is no error.
fn done(what: String, result: Result<(), rtnetlink::Error>) -> Result<(), SetupError> {
    let error = match result {
        Ok(()) => return Ok(()),
        Err(rtnetlink::Error::NetlinkError(message)) => message.to_io(),
        Err(other) => io::Error::other(other.to_string()),
    };
    if error.kind() == io::ErrorKind::AlreadyExists { Ok(()) } else { Err(failed(what)(error)) }
}
