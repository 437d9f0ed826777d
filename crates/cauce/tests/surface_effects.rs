//! What options change, seen from outside: in packets, in what calls return, in counters (REQUIREMENTS 2).

mod common;

use bytes::Bytes;
use cauce::{
    CcInfo, Counter, Netstack, OptionName, OptionValue, PathMtuDiscovery, RecvFlags, SendFlags, TcpSocket,
    packet_channel,
};
use cauce_core::congestion::{CongestionControl, SenderView, Window};
use common::{Path, addr, arrived, errno, with_bytes};
use std::io;
use std::net::Shutdown;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};

const EAGAIN: i32 = 11;

/// The SYN of a socket that was prepared by `prepare`.
async fn syn_of(prepare: impl FnOnce(&TcpSocket) -> io::Result<()>) -> io::Result<Bytes> {
    let (device, mut wire) = packet_channel(1500, 16);
    let net = Netstack::builder().address("10.0.0.1/24").device(device).build()?;
    let socket = TcpSocket::new_v4(&net)?;
    prepare(&socket)?;
    let _ = socket.try_connect(addr("10.0.0.2:80"));
    Ok(wire.recv().await.expect("a SYN"))
}

/// The value of an option of a SYN.
fn option_of(syn: &[u8], kind: u8) -> Option<Bytes> {
    let mut rest = &syn[40..];
    while let [found, tail @ ..] = rest {
        match (*found, tail) {
            (0, _) => return None,
            (1, _) => rest = tail,
            (found, [len, ..]) if found == kind => {
                return Some(Bytes::copy_from_slice(&rest[2..usize::from(*len)]));
            }
            (_, [len, ..]) => rest = &rest[usize::from(*len)..],
            _ => return None,
        }
    }
    None
}

/// O-09, O-14, O-51, O-52, O-53: the first packet shows them.
#[tokio::test]
async fn options_stand_in_packets() -> io::Result<()> {
    let plain = syn_of(|_| Ok(())).await?;
    assert_eq!((plain[1], plain[6] & 0x40, plain[8]), (0, 0x40, 64));
    assert_eq!(option_of(&plain, 2).expect("an MSS"), [0x05, 0xb4][..], "1460");
    assert_eq!(syn_of(|socket| socket.set_tos_v4(0x20)).await?[1], 0x20);
    assert_eq!(syn_of(|socket| socket.set_ttl(9)).await?[8], 9);
    let dont = syn_of(|socket| socket.set_mtu_discover_v4(PathMtuDiscovery::Dont)).await?;
    assert_eq!(dont[6] & 0x40, 0, "may be fragmented");
    let small = syn_of(|socket| socket.set_max_segment(500)).await?;
    assert_eq!(option_of(&small, 2).expect("an MSS"), [0x01, 0xf4][..]);
    let clamped = syn_of(|socket| socket.set_window_clamp(5000)).await?;
    assert!(u16::from_be_bytes([clamped[34], clamped[35]]) <= 5000);
    let asks = syn_of(|socket| socket.set_fast_open_connect(true)).await?;
    assert_eq!(option_of(&asks, 34), Some(Bytes::new()), "for a cookie");
    Ok(())
}

/// O-52 on a stream, O-57: and IPv6 has its own.
#[tokio::test]
async fn options_of_a_stream_change_its_next_packet() -> io::Result<()> {
    let path = Path::new()?;
    let (mut client, mut server) = path.connected().await?;
    client.set_ttl(7)?;
    client.set_tos_v4(0x48)?;
    client.write_all(b"x").await?;
    server.read_exact(&mut [0]).await?;
    assert_eq!((path.last()[8], path.last()[1]), (7, 0x48));
    Ok(())
}

/// O-55: what has come too far is dropped.
#[tokio::test]
async fn segments_from_afar_are_dropped() -> io::Result<()> {
    let (mut client, mut server) = cauce::stream_pair().await?;
    server.set_min_ttl_v4(65)?;
    client.write_all(b"x").await?;
    while server.netstack().counters().get(Counter::TCPMinTTLDrop) == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.bytes_to_read()?, 0);
    server.set_min_ttl_v4(0)?;
    server.read_exact(&mut [0]).await.map(drop)
}

/// O-39: fewer bytes than SO_RCVLOWAT make nobody ready, and can be read all the same.
#[tokio::test]
async fn few_bytes_make_nobody_ready() -> io::Result<()> {
    let (stream, mut peer) = with_bytes(b"").await?;
    stream.set_recv_lowat(100)?;
    peer.set_nodelay(true)?;
    peer.write_all(&[7; 50]).await?;
    arrived(&stream, 50).await?;
    let ready = stream.ready(Interest::READABLE | Interest::WRITABLE).await?;
    assert!(!ready.is_readable() && ready.is_writable());
    peer.write_all(&[7; 50]).await?;
    stream.readable().await?;
    assert_eq!(stream.bytes_to_read()?, 100);
    assert_eq!(stream.try_read(&mut [0; 60])?, 60);
    assert_eq!(stream.try_read(&mut [0; 60])?, 40);
    Ok(())
}

/// O-21: the SYN is kept for who asks, and handed out once.
#[tokio::test]
async fn the_syn_can_be_kept() -> io::Result<()> {
    let (left, right) = cauce::pair();
    let listener = right.bind("10.0.0.2:80").await?;
    let _first = left.connect("10.0.0.2:80").await?;
    assert_eq!(listener.accept().await?.0.take_saved_syn()?, None, "nobody had asked");
    listener.set_save_syn(true)?;
    let second = left.connect("10.0.0.2:80").await?;
    let (server, _) = listener.accept().await?;
    let syn = server.take_saved_syn()?.expect("kept");
    assert_eq!(syn[20..22], second.local_addr()?.port().to_be_bytes());
    assert_eq!(server.take_saved_syn()?, None);
    Ok(())
}

/// O-15, O-19: without cookies the very first SYN carries data; a listener with keys of its own takes only its cookies.
#[tokio::test]
async fn fast_open_without_cookies() -> io::Result<()> {
    let (left, right) = cauce::pair();
    right.set_sysctl("tcp_fastopen", "3")?;
    let listener = right.bind("10.0.0.2:80").await?;
    listener.set_fast_open(4)?;
    listener.set_fast_open_no_cookie(true)?;
    let socket = TcpSocket::new_v4(&left)?;
    socket.set_fast_open_no_cookie(true)?;
    let client = socket.connect_with_data(addr("10.0.0.2:80"), b"hello").await?;
    let (mut server, _) = listener.accept().await?;
    server.read_exact(&mut [0; 5]).await?;
    assert_eq!(client.tcp_info()?.options & 32, 32, "the data of the SYN was taken");

    listener.set_fast_open_no_cookie(false)?;
    for (key, taken) in [([1; 16], false), ([1; 16], true), ([2; 16], false), ([2; 16], true)] {
        listener.set_fast_open_key(&key)?;
        let client = TcpSocket::new_v4(&left)?.connect_with_data(addr("10.0.0.2:80"), b"hello").await?;
        let (mut server, _) = listener.accept().await?;
        server.read_exact(&mut [0; 5]).await?;
        assert_eq!(client.tcp_info()?.options & 32 != 0, taken, "{key:?}");
    }
    Ok(())
}

/// O-43, O-56: where a socket may be, and which port it gets.
#[tokio::test]
async fn addresses_and_ports_are_chosen() -> io::Result<()> {
    let (left, right) = cauce::pair();
    let _there = right.bind("10.0.0.2:80").await?;
    let socket = TcpSocket::new_v4(&left)?;
    socket.set_bind_address_no_port(true)?;
    socket.bind(addr("10.0.0.1:0"))?;
    assert_eq!(socket.local_addr()?.port(), 0, "connect() will choose");
    let stream = socket.connect(addr("10.0.0.2:80")).await?;
    assert_ne!(stream.local_addr()?.port(), 0);
    let socket = TcpSocket::new_v4(&left)?;
    socket.set_local_port_range((41_000, 41_003))?;
    socket.bind(addr("10.0.0.1:0"))?;
    assert!((41_000..=41_003).contains(&socket.local_addr()?.port()));
    let device =
        left.with_stack(|stack, _| stack.interfaces().iter().map(|(_, one)| one.name.clone()).next());
    let socket = TcpSocket::new_v4(&left)?;
    socket.bind_device(device.as_deref().map(str::as_bytes))?;
    assert_eq!(socket.device()?, device.map(String::into_bytes));
    socket.connect(addr("10.0.0.2:80")).await.map(drop)
}

/// An algorithm of the program's own, which has something to show.
struct Own;

impl CongestionControl for Own {
    fn name(&self) -> &'static str {
        "own"
    }

    fn ssthresh(&mut self, window: &Window, _: &SenderView) -> u32 {
        window.cwnd()
    }

    fn cong_avoid(&mut self, _: &mut Window, _: &SenderView, _: u32) {}

    fn info(&self, _: &Window) -> Option<CcInfo> {
        Some(CcInfo::Vegas { enabled: true, rttcnt: 1, rtt_us: 2, min_rtt_us: 3 })
    }
}

/// O-01, TCP_CC_INFO: algorithms that have something to show, and those that have not.
#[tokio::test]
async fn congestion_controls_show_themselves() -> io::Result<()> {
    let (client, _server) = cauce::stream_pair().await?;
    assert_eq!(client.congestion_info()?, None, "CUBIC has nothing to show");
    client.netstack().with_stack(|stack, _| {
        stack.registry_mut().register("own", Box::new(|| Box::new(Own))).expect("the name is free");
    });
    client.set_congestion("own")?;
    assert_eq!(client.option(OptionName::Congestion)?, OptionValue::Bytes(b"own".to_vec()));
    assert!(matches!(client.congestion_info()?, Some(CcInfo::Vegas { min_rtt_us: 3, .. })));
    Ok(())
}

/// O-04, A-24: TCP_INFO of each face; listening again changes the backlog, within `somaxconn`.
#[tokio::test]
async fn listening_again() -> io::Result<()> {
    let (left, right) = cauce::pair();
    let listener = right.bind("10.0.0.2:80").await?;
    listener.set_backlog(2)?;
    assert_eq!(listener.tcp_info()?.sacked, 2);
    right.set_sysctl("net.core.somaxconn", "3")?;
    listener.set_backlog(100)?;
    assert_eq!(listener.tcp_info()?.sacked, 3);
    let _client = left.connect("10.0.0.2:80").await?;
    while listener.tcp_info()?.unacked == 0 {
        tokio::task::yield_now().await;
    }
    let (socket, state) = (TcpSocket::new_v4(&left)?, listener.tcp_info()?.state as u8);
    assert_eq!((state, socket.tcp_info()?.state as u8), (10, 7));
    Ok(())
}

/// a dissolved connection leaves a socket with its port and its options; so does a listener.
#[tokio::test]
async fn dissolving() -> io::Result<()> {
    let (left, right) = cauce::pair();
    let listener = right.bind("10.0.0.2:80").await?;
    let socket = TcpSocket::new_v4(&left)?;
    socket.set_mark(7)?;
    socket.bind(addr("10.0.0.1:5000"))?;
    let client = socket.connect(addr("10.0.0.2:80")).await?;
    let (mut server, _) = listener.accept().await?;
    let socket = client.disconnect()?;
    assert_eq!(errno(server.read(&mut [0]).await), 104);
    assert_eq!((socket.mark()?, socket.local_addr()?), (7, addr("10.0.0.1:5000")));
    drop(server);
    let again = socket.connect(addr("10.0.0.2:80")).await?;
    assert_eq!(again.local_addr()?, addr("10.0.0.1:5000"));
    let (waits, waiting) = (again, left.connect("10.0.0.2:80").await?);
    while listener.tcp_info()?.unacked < 2 {
        tokio::task::yield_now().await;
    }
    let socket = listener.disconnect()?;
    for mut reset in [waits, waiting] {
        assert_eq!(errno(reset.read(&mut [0]).await), 104, "nobody had accepted it");
    }
    let listener = socket.listen(8)?;
    assert_eq!(listener.local_addr()?, addr("10.0.0.2:80"));
    left.connect("10.0.0.2:80").await.map(drop)
}

/// O-35, O-30: closing in both directions, and a send buffer that is not exceeded.
#[tokio::test]
async fn a_fixed_send_buffer_bounds_what_is_taken() -> io::Result<()> {
    let (client, server) = cauce::stream_pair().await?;
    server.set_recv_buffer_size(2000)?;
    client.set_send_buffer_size(10_000)?;
    let mut written = 0;
    let refused = loop {
        match client.try_send_with(&[7; 3000], SendFlags::default()) {
            Ok(count) => written += count,
            Err(error) => break error,
        }
    };
    assert_eq!(refused.raw_os_error(), Some(EAGAIN));
    assert!((20_000..65_536).contains(&written), "a super-segment may overshoot: {written}");
    client.shutdown_with(Shutdown::Both)?;
    assert_eq!(client.try_recv_with(&mut [0], RecvFlags::default())?.bytes, 0);
    Ok(())
}

/// O-13, O-40, O-54 and a connection that is over: what can still be read of it.
#[tokio::test]
async fn options_outlive_the_connection() -> io::Result<()> {
    let (client, server) = cauce::stream_pair().await?;
    client.set_user_timeout(Some(Duration::from_secs(5)))?;
    server.abort();
    client.readable().await?;
    assert_eq!(client.option(OptionName::Mtu)?, OptionValue::Int(1500));
    assert_eq!(client.user_timeout()?, Some(Duration::from_secs(5)));
    client.set_mark(3)?;
    assert_eq!(client.mark()?, 3);
    Ok(())
}
