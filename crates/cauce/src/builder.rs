//! Making a netstack: addresses, routes, settings, and the device underneath.

use crate::addr::Cidr;
use crate::clock::{Clock, monotonic, unpredictable};
use crate::driver::{Driver, ForeignHandler};
use crate::error::invalid;
use crate::netstack::Netstack;
use crate::shard::{Shard, ShardRef};
use bytes::Bytes;
use cauce_core::journal::Remark;
use cauce_core::rng::Rng;
use cauce_core::stack::{InterfaceConfig, Medium, Stack};
use cauce_core::sysctl::{Profile, Sysctls};
use cauce_core::time::Instant;
use cauce_device::Device;
use cauce_device::wrap::pcap::{Pcap, PcapFile};
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

/// Describes a [`Netstack`]. What is wrong with the description is told by [`NetstackBuilder::build`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// let (device, _wire) = cauce::device::pipe(Default::default());
/// let net = cauce::Netstack::builder()
///     .address("10.0.0.1/24")
///     .address("fd00::1/64")
///     .gateway("10.0.0.254".parse().unwrap())
///     .sysctl("tcp_keepalive_time", "60")
///     .device(device)
///     .build()?;
/// assert_eq!(net.sysctl("tcp_keepalive_time")?, "60");
/// # Ok(()) }
/// ```
#[must_use = "nothing happens before `build`"]
pub struct NetstackBuilder {
    device: Option<Box<dyn Device>>,
    addresses: Vec<Cidr>,
    routes: Vec<(Cidr, Option<IpAddr>)>,
    mtu: Option<u16>,
    sysctls: Sysctls,
    rng: Option<Box<dyn Rng>>,
    clock: Option<Clock>,
    foreign: Option<ForeignHandler>,
    name: String,
    capture: Option<PcapFile>,
    wrong: Option<io::Error>,
}

impl NetstackBuilder {
    pub(crate) fn new() -> NetstackBuilder {
        NetstackBuilder {
            device: None,
            addresses: Vec::new(),
            routes: Vec::new(),
            mtu: None,
            sysctls: Sysctls::default(),
            rng: None,
            clock: None,
            foreign: None,
            name: "dev0".into(),
            capture: None,
            wrong: None,
        }
    }

    fn take<T>(&mut self, value: Result<T, io::Error>) -> Option<T> {
        value.map_err(|error| self.wrong.get_or_insert(error)).ok()
    }

    /// The device that carries the packets. A netstack has one.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (device, _channel) = cauce::packet_channel(1400, 256);
    /// let net = cauce::Netstack::builder().device(device).address("10.0.0.1").build()?;
    /// # Ok(()) }
    /// ```
    pub fn device(mut self, device: impl Device + 'static) -> Self {
        self.device = Some(Box::new(device));
        self
    }

    /// An address of the netstack; with a length, the network around it is reached directly. May repeat.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// # let (device, _wire) = cauce::device::pipe(Default::default());
    /// let builder = cauce::Netstack::builder().address("192.0.2.1/24").address("fd00::1/64");
    /// # builder.device(device).build()?; Ok(()) }
    /// ```
    pub fn address(mut self, address: impl TryInto<Cidr, Error = io::Error>) -> Self {
        let address = self.take(address.try_into());
        self.addresses.extend(address);
        self
    }

    /// The router for everything that is not reached directly. One for IPv4, one for IPv6.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// # let (device, _wire) = cauce::device::pipe(Default::default());
    /// let builder = cauce::Netstack::builder().address("10.0.0.1/24").gateway([10, 0, 0, 254].into());
    /// # builder.device(device).build()?; Ok(()) }
    /// ```
    pub fn gateway(mut self, gateway: IpAddr) -> Self {
        let everything = if gateway.is_ipv4() { "0.0.0.0/0" } else { "::/0" };
        let everything = self.take(everything.parse());
        self.routes.extend(everything.map(|prefix| (prefix, Some(gateway))));
        self
    }

    /// A route, through a gateway or straight onto the device. May repeat.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// # let (device, _wire) = cauce::device::pipe(Default::default());
    /// // Everything leaves through the device: right for a TUN or a tunnel.
    /// let builder = cauce::Netstack::builder().address("10.0.0.1").route("0.0.0.0/0", None);
    /// # builder.device(device).build()?; Ok(()) }
    /// ```
    pub fn route(mut self, to: impl TryInto<Cidr, Error = io::Error>, gateway: Option<IpAddr>) -> Self {
        let to = self.take(to.try_into());
        self.routes.extend(to.map(|prefix| (prefix, gateway)));
        self
    }

    /// Largest IP packet in bytes; the device's own limit if this is not called.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// # let (device, _wire) = cauce::device::pipe(Default::default());
    /// let builder = cauce::Netstack::builder().address("10.0.0.1/24").mtu(1280);
    /// # builder.device(device).build()?; Ok(()) }
    /// ```
    pub fn mtu(mut self, mtu: u16) -> Self {
        self.mtu = Some(mtu);
        self
    }

    /// A setting by its Linux name (`net.ipv4.` may be left out), as text.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let wrong = cauce::Netstack::builder().sysctl("tcp_syn_retries", "128").build().unwrap_err();
    /// assert!(wrong.to_string().contains("tcp_syn_retries"));
    /// # Ok(()) }
    /// ```
    pub fn sysctl(mut self, name: &str, value: &str) -> Self {
        let set = self.sysctls.set(name, value).map_err(|error| invalid(error.to_string()));
        self.take(set);
        self
    }

    /// Starts from the defaults of a profile. What [`NetstackBuilder::sysctl`] set before is forgotten.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// # let (device, _wire) = cauce::device::pipe(Default::default());
    /// let builder = cauce::Netstack::builder().profile(cauce::sysctl::Profile::Manpage);
    /// # builder.device(device).build()?; Ok(()) }
    /// ```
    pub fn profile(mut self, profile: Profile) -> Self {
        self.sysctls = Sysctls::with_profile(profile);
        self
    }

    /// Starts from a whole table of settings. What [`NetstackBuilder::sysctl`] set before is forgotten.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// # let (device, _wire) = cauce::device::pipe(Default::default());
    /// let mut settings = cauce::sysctl::Sysctls::default();
    /// settings.tcp_keepalive_time = 120;
    /// let builder = cauce::Netstack::builder().settings(settings);
    /// # builder.device(device).build()?; Ok(()) }
    /// ```
    pub fn settings(mut self, settings: Sysctls) -> Self {
        self.sysctls = settings;
        self
    }

    /// The name of the interface, for people.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// # let (device, _wire) = cauce::device::pipe(Default::default());
    /// let builder = cauce::Netstack::builder().interface_name("wg0");
    /// # builder.device(device).build()?; Ok(()) }
    /// ```
    pub fn interface_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Writes every packet to a pcapng file, as it would look on a wire: super-packets cut, checksums
    /// complete. Several netstacks may write to one file.
    ///
    /// ```
    /// use cauce::device::wrap::pcap::PcapFile;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// # let (device, _wire) = cauce::device::pipe(Default::default());
    /// let file = PcapFile::new(Vec::new())?;
    /// let builder = cauce::Netstack::builder().address("10.0.0.1/24").capture(&file);
    /// # builder.device(device).build()?; Ok(()) }
    /// ```
    pub fn capture(mut self, file: &PcapFile) -> Self {
        self.capture = Some(file.clone());
        self
    }

    /// Where packets go that are not TCP's business: UDP, ICMP that concerns no connection, other
    /// protocols. Each arrives whole, from its IP header on. Without a handler they are dropped.
    ///
    /// The handler runs in the netstack's own task and holds no lock: it may use the netstack, but should
    /// not take long. Answers go out with [`Netstack::send_packet`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (sender, mut packets) = tokio::sync::mpsc::unbounded_channel();
    /// let (device, wire) = cauce::packet_channel(1500, 64);
    /// let net = cauce::Netstack::builder()
    ///     .address("10.0.0.1/24")
    ///     .device(device)
    ///     .non_tcp(move |packet| drop(sender.send(packet)))
    ///     .build()?;
    /// // A UDP datagram to one of the netstack's addresses.
    /// let datagram = b"E\0\0\x1d\0\0\0\0@\x11\x66\xce\x0a\0\0\x02\x0a\0\0\x01\0\x07\0\x07\0\x09\0\0x";
    /// wire.send(bytes::Bytes::from_static(datagram)).await?;
    /// assert_eq!(packets.recv().await.unwrap()[..], datagram[..]);
    /// # Ok(()) }
    /// ```
    pub fn non_tcp(mut self, mut handler: impl FnMut(Bytes) + Send + 'static) -> Self {
        self.foreign = Some(Box::new(move |frame| handler(frame.to_bytes())));
        self
    }

    /// Replaces the source of randomness, from which initial sequence numbers, ports and keys are drawn, so
    /// that a test repeats. Anything that a peer could guess makes connections open to attack.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// # let (device, _wire) = cauce::device::pipe(Default::default());
    /// let mut state = 7u64;
    /// let builder = cauce::Netstack::builder().rng(move || {
    ///     state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
    ///     state
    /// });
    /// # builder.device(device).build()?; Ok(()) }
    /// ```
    pub fn rng(mut self, rng: impl Rng + 'static) -> Self {
        self.rng = Some(Box::new(rng));
        self
    }

    /// Replaces the clock by one that never goes back. Deadlines are still waited for in real time.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// # let (device, _wire) = cauce::device::pipe(Default::default());
    /// let start = std::time::Instant::now();
    /// let builder = cauce::Netstack::builder()
    ///     .clock(move || cauce::Instant::from_nanos(start.elapsed().as_nanos() as u64));
    /// # builder.device(device).build()?; Ok(()) }
    /// ```
    pub fn clock(mut self, clock: impl Fn() -> Instant + Send + Sync + 'static) -> Self {
        self.clock = Some(Box::new(clock));
        self
    }

    /// Makes the netstack and starts its task on the current tokio runtime.
    ///
    /// # Errors
    /// `InvalidInput` with a sentence about what is wrong in the description; `Other` outside a tokio
    /// runtime; errors of the system when it has no descriptor or no randomness left.
    ///
    /// # Panics
    /// In a tokio runtime that was built without `enable_io`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let without_device = cauce::Netstack::builder().address("10.0.0.1/24").build();
    /// assert_eq!(without_device.unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
    /// # }
    /// ```
    pub fn build(mut self) -> io::Result<Netstack> {
        if let Some(wrong) = self.wrong.take() {
            return Err(wrong);
        }
        let runtime = tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
        let device = self.device.take().ok_or_else(|| invalid("a netstack needs a device"))?;
        let device: Box<dyn Device> = match self.capture.take() {
            Some(file) => Box::new(Pcap::new(device, &self.name, &file, since_unix_epoch)),
            None => device,
        };
        let rng = match self.rng.take() {
            Some(rng) => rng,
            None => unpredictable()?,
        };
        let mut stack = Stack::new(std::mem::take(&mut self.sysctls), rng);
        stack.journal_mut().replace(Some(Box::new(|_, remark| tell(remark))));
        self.add_interface(&mut stack, &*device)?;
        let clock = self.clock.take().unwrap_or_else(monotonic);
        let shard = Arc::new(Shard::new(stack, device, clock)?);
        let netstack = Netstack { shard: ShardRef::new(shard.clone()) };
        runtime.spawn(Driver::new(shard, self.foreign.take())?);
        Ok(netstack)
    }

    fn add_interface(&self, stack: &mut Stack, device: &dyn Device) -> io::Result<()> {
        let capabilities = device.capabilities();
        let limit = u16::try_from(capabilities.mtu).unwrap_or(u16::MAX);
        let mtu = self.mtu.unwrap_or(limit);
        if mtu < 68 || mtu > limit {
            return Err(invalid(format!("an MTU of {mtu} is not between 68 and the device's {limit}")));
        }
        let whole = capabilities.max_gso > capabilities.mtu;
        let medium = match capabilities.medium {
            cauce_device::Medium::Ip => Medium::Ip,
            cauce_device::Medium::Ethernet { mac } => Medium::Ethernet { mac },
        };
        let headers = 120;
        let max_super =
            if whole { capabilities.max_gso.min(65_535).saturating_sub(headers) as u16 } else { 0 };
        let id = stack.add_interface(InterfaceConfig { name: self.name.clone(), mtu, medium, max_super });
        let interfaces = stack.interfaces();
        for Cidr { ip, len } in &self.addresses {
            if !interfaces.add_address(id, *ip, *len) {
                return Err(invalid(format!("the address {ip}/{len} is given twice")));
            }
        }
        for (Cidr { ip, len }, gateway) in &self.routes {
            if gateway.is_some_and(|gateway| gateway.is_ipv4() != ip.is_ipv4())
                || !interfaces.add_route(*ip, *len, *gateway, id)
            {
                return Err(invalid(format!("the route to {ip}/{len} does not fit its gateway")));
            }
        }
        Ok(())
    }
}

/// What captures are dated with.
fn since_unix_epoch() -> Duration {
    UNIX_EPOCH.elapsed().unwrap_or_default()
}

impl fmt::Debug for NetstackBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetstackBuilder")
            .field("addresses", &self.addresses)
            .field("routes", &self.routes)
            .field("mtu", &self.mtu)
            .finish_non_exhaustive()
    }
}

/// Hands a remark of the engine on to whoever collects events of `tracing`.
fn tell(remark: &Remark) {
    match remark {
        Remark::UserTimeout(_) => tracing::info!("{remark}"),
        _ => tracing::warn!("{remark}"),
    }
}
