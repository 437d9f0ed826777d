//! The same source text compiles against `tokio::net` and against this crate: only the places where an
//! address is bound, connected or a socket is made know the netstack. Almost nothing here runs.

#![allow(dead_code, reason = "to compile is the test")]

macro_rules! parity {
    ($module:ident, $crate_path:path, $net:ty, $($with_net:tt)*) => {
        mod $module {
            use bytes::BytesMut;
            use std::future::poll_fn;
            use std::io::{self, IoSlice, IoSliceMut};
            use std::net::SocketAddr;
            use std::time::Duration;
            use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, Interest, ReadBuf, Ready};
            use $crate_path::*;
            #[allow(unused_imports)]
            use super::halves::$module::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};

            type Net = $net;

            async fn constructors(net: &Net, addr: SocketAddr) -> io::Result<(TcpListener, TcpStream)> {
                let _ = net;
                parity!(@call $($with_net)*, TcpListener::bind, net, "10.0.0.1:80").await?;
                parity!(@call $($with_net)*, TcpListener::bind, net, ("10.0.0.1", 80)).await?;
                parity!(@call $($with_net)*, TcpListener::bind, net, &[addr, addr][..]).await?;
                parity!(@call $($with_net)*, TcpListener::bind, net, String::from("10.0.0.1:80")).await?;
                parity!(@call $($with_net)*, TcpStream::connect, net, (addr.ip(), 80)).await?;
                let listener = parity!(@call $($with_net)*, TcpListener::bind, net, addr).await?;
                Ok((listener, parity!(@call $($with_net)*, TcpStream::connect, net, addr).await?))
            }

            async fn listener(listener: TcpListener) -> io::Result<()> {
                let (_stream, _peer): (TcpStream, SocketAddr) = listener.accept().await?;
                let (_stream, _peer) = poll_fn(|cx| listener.poll_accept(cx)).await?;
                let _: SocketAddr = listener.local_addr()?;
                let _: u32 = listener.ttl()?;
                listener.set_ttl(64)
            }

            async fn stream(mut stream: TcpStream) -> io::Result<()> {
                let _: (SocketAddr, SocketAddr) = (stream.local_addr()?, stream.peer_addr()?);
                let _: Option<io::Error> = stream.take_error()?;
                let ready: Ready = stream.ready(Interest::READABLE | Interest::WRITABLE).await?;
                let _: (bool, bool) = (ready.is_readable(), ready.is_writable());
                stream.readable().await?;
                stream.writable().await?;
                poll_fn(|cx| stream.poll_read_ready(cx)).await?;
                poll_fn(|cx| stream.poll_write_ready(cx)).await?;
                let (mut buf, mut other) = ([0; 8], [0; 8]);
                let _: usize = stream.try_read(&mut buf)?;
                let mut bufs = [IoSliceMut::new(&mut buf), IoSliceMut::new(&mut other)];
                let _: usize = stream.try_read_vectored(&mut bufs)?;
                let _: usize = stream.try_read_buf(&mut BytesMut::with_capacity(8))?;
                let _: usize = stream.try_write(&buf)?;
                let _: usize = stream.try_write_vectored(&[IoSlice::new(&buf), IoSlice::new(&other)])?;
                let _: usize = stream.try_io(Interest::READABLE, || Ok(1))?;
                let _: usize = stream.async_io(Interest::READABLE, || Ok(1)).await?;
                let _: usize = stream.peek(&mut buf).await?;
                let _: usize = poll_fn(|cx| stream.poll_peek(cx, &mut ReadBuf::new(&mut buf))).await?;
                stream.set_nodelay(stream.nodelay()?)?;
                stream.set_quickack(stream.quickack()?)?;
                stream.set_ttl(stream.ttl()?)?;
                let _: Option<Duration> = stream.linger()?;
                stream.set_zero_linger()?;
                let _: usize = stream.read(&mut buf).await?;
                stream.write_all(&buf).await?;
                let _: usize = stream.write_vectored(&[IoSlice::new(&buf)]).await?;
                stream.flush().await?;
                stream.shutdown().await
            }

            async fn borrowed(mut stream: TcpStream) -> io::Result<()> {
                let (mut reader, mut writer): (ReadHalf<'_>, WriteHalf<'_>) = stream.split();
                let mut buf = [0; 8];
                let _: &TcpStream = reader.as_ref();
                let _: &TcpStream = writer.as_ref();
                let _: (SocketAddr, SocketAddr) = (reader.local_addr()?, writer.peer_addr()?);
                let _: usize = reader.peek(&mut buf).await?;
                let _: usize = poll_fn(|cx| reader.poll_peek(cx, &mut ReadBuf::new(&mut buf))).await?;
                let _: Ready = reader.ready(Interest::READABLE).await?;
                let _: Ready = writer.ready(Interest::WRITABLE).await?;
                reader.readable().await?;
                writer.writable().await?;
                let _: usize = reader.try_read(&mut buf)?;
                let _: usize = reader.try_read_buf(&mut BytesMut::new())?;
                let _: usize = reader.try_read_vectored(&mut [IoSliceMut::new(&mut buf)])?;
                let _: usize = writer.try_write(&buf)?;
                let _: usize = writer.try_write_vectored(&[IoSlice::new(&buf)])?;
                tokio::io::copy(&mut reader, &mut writer).await.map(drop)
            }

            async fn owned(stream: TcpStream) -> io::Result<()> {
                let (mut reader, writer): (OwnedReadHalf, OwnedWriteHalf) = stream.into_split();
                let mut buf = [0; 8];
                let _: &TcpStream = reader.as_ref();
                let _: &TcpStream = writer.as_ref();
                let _: (SocketAddr, SocketAddr) = (reader.local_addr()?, writer.peer_addr()?);
                let _: usize = reader.peek(&mut buf).await?;
                let _: usize = poll_fn(|cx| reader.poll_peek(cx, &mut ReadBuf::new(&mut buf))).await?;
                let _: Ready = reader.ready(Interest::READABLE).await?;
                let _: Ready = writer.ready(Interest::WRITABLE).await?;
                reader.readable().await?;
                writer.writable().await?;
                let _: usize = reader.try_read(&mut buf)?;
                let _: usize = reader.try_read_buf(&mut BytesMut::new())?;
                let _: usize = reader.try_read_vectored(&mut [IoSliceMut::new(&mut buf)])?;
                let _: usize = writer.try_write(&buf)?;
                let _: usize = writer.try_write_vectored(&[IoSlice::new(&buf)])?;
                let stream = reader.reunite(writer).map_err(io::Error::other)?;
                let (reader, writer) = stream.into_split();
                match writer.reunite(reader) {
                    Ok(stream) => stream.into_split().1.forget(),
                    Err(ReuniteError(_reader, _writer)) => {}
                }
                Ok(())
            }

            async fn socket(net: &Net, addr: SocketAddr) -> io::Result<(TcpListener, TcpStream)> {
                let _ = net;
                let socket = parity!(@call $($with_net)*, TcpSocket::new_v6, net)?;
                let other = parity!(@call $($with_net)*, TcpSocket::new_v4, net)?;
                socket.set_keepalive(socket.keepalive()?)?;
                socket.set_reuseaddr(socket.reuseaddr()?)?;
                socket.set_reuseport(socket.reuseport()?)?;
                socket.set_send_buffer_size(socket.send_buffer_size()?)?;
                socket.set_recv_buffer_size(socket.recv_buffer_size()?)?;
                socket.set_zero_linger()?;
                let _: Option<Duration> = socket.linger()?;
                socket.set_nodelay(socket.nodelay()?)?;
                socket.set_tclass_v6(socket.tclass_v6()?)?;
                other.set_tos_v4(other.tos_v4()?)?;
                let _: SocketAddr = socket.local_addr()?;
                let _: Option<io::Error> = socket.take_error()?;
                socket.bind(addr)?;
                Ok((socket.listen(1024)?, other.connect(addr).await?))
            }

            fn traits() {
                fn shared<T: Send + Sync + Unpin + std::fmt::Debug + 'static>() {}
                fn reads<T: AsyncRead>() {}
                fn writes<T: AsyncWrite>() {}
                shared::<TcpListener>();
                shared::<TcpSocket>();
                shared::<TcpStream>();
                shared::<OwnedReadHalf>();
                shared::<OwnedWriteHalf>();
                shared::<ReuniteError>();
                reads::<TcpStream>();
                reads::<ReadHalf<'_>>();
                reads::<OwnedReadHalf>();
                writes::<TcpStream>();
                writes::<WriteHalf<'_>>();
                writes::<OwnedWriteHalf>();
            }
        }
    };
    (@call with_netstack, $call:path, $net:expr $(, $arg:expr)?) => { $call($net $(, $arg)?) };
    (@call alone, $call:path, $net:expr $(, $arg:expr)?) => { $call($($arg)?) };
}

/// Tokio keeps the halves in a module of their own.
mod halves {
    pub(crate) mod kernel {
        pub(crate) use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
    }
    pub(crate) mod ours {
        pub(crate) use cauce::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
    }
}

mod kernel_names {
    pub(crate) use tokio::net::{TcpListener, TcpSocket, TcpStream};
}

mod our_names {
    pub(crate) use cauce::{TcpListener, TcpSocket, TcpStream};
}

parity!(kernel, super::kernel_names, (), alone);
parity!(ours, super::our_names, cauce::Netstack, with_netstack);

#[test]
fn everything_may_cross_threads() {
    fn assert<T: Send + Sync + Unpin + std::fmt::Debug>() {}
    assert::<cauce::Netstack>();
    assert::<cauce::TcpStream>();
    assert::<cauce::TcpListener>();
    assert::<cauce::TcpSocket>();
    assert::<cauce::ReadHalf<'_>>();
    assert::<cauce::WriteHalf<'_>>();
    assert::<cauce::OwnedReadHalf>();
    assert::<cauce::OwnedWriteHalf>();
    assert::<cauce::PacketChannel>();
    assert!(std::mem::size_of::<cauce::TcpStream>() <= 16, "a stream is a handle");
    fn sendable<T: Send>(_: T) {}
    let net = || -> &cauce::Netstack { unimplemented!() };
    if false {
        sendable(net().connect("10.0.0.1:1"));
        sendable(net().bind("10.0.0.1:1"));
        sendable(net().idle());
        sendable(net().shutdown());
    }
}
