//! Sockets.
slotmap::new_key_type! {
    /// Names a socket of one stack. A stale id never names another socket.
    pub struct SocketId;
}
