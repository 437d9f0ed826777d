//! Urgent data as sender and reader meet it (A-01 to, S-43, P-073).

mod common;

use cauce_core::socket::errno::Errno;
use cauce_core::socket::options::SocketOption;
use cauce_core::socket::readiness::Readiness;
use cauce_core::socket::{ReadFlags, SendFlags, SocketId};
use cauce_core::sysctl::Sysctls;
use cauce_core::time::Duration;
use cauce_wire::Flags;
use common::Two;

const OOB: ReadFlags = ReadFlags { peek: false, discard: false, out_of_band: true };
const OOB_PEEK: ReadFlags = ReadFlags { peek: true, discard: false, out_of_band: true };
const URGENT: SendFlags =
    SendFlags { more: false, end_of_record: false, out_of_band: true, zero_copy: false, timestamping: None };

/// A client that writes and a server that reads.
struct Pair {
    two: Two,
    client: SocketId,
    server: SocketId,
}

impl Pair {
    fn new() -> Self {
        Self::with(Sysctls::default())
    }

    fn with(sysctl: Sysctls) -> Self {
        let mut two = Two::with(sysctl);
        let (client, server) = two.connected();
        two.log.clear();
        Pair { two, client, server }
    }

    fn send(&mut self, data: &[u8], flags: SendFlags) {
        let now = self.two.now;
        assert_eq!(self.two.stacks[0].socket(self.client).send_with(now, data, flags), Ok(data.len()));
        self.two.exchange();
    }

    /// Reads at most `max` bytes as text.
    fn recv(&mut self, max: usize, flags: ReadFlags) -> Result<String, Errno> {
        let mut buffer = vec![0; max];
        let now = self.two.now;
        let count = self.two.stacks[1].socket(self.server).recv_with(now, &mut buffer, flags)?;
        self.two.exchange();
        Ok(String::from_utf8(buffer[..count].to_vec()).unwrap())
    }

    fn read(&mut self, max: usize) -> Result<String, Errno> {
        self.recv(max, ReadFlags::default())
    }

    fn unread(&mut self) -> usize {
        self.two.stacks[1].socket(self.server).bytes_to_read()
    }

    fn at_mark(&mut self) -> bool {
        self.two.stacks[1].socket(self.server).at_mark()
    }

    fn ready(&mut self) -> Readiness {
        let ready = self.two.stacks[1].socket(self.server).readiness();
        Readiness(ready.0 & (Readiness::IN.0 | Readiness::PRI.0))
    }

    fn inline(&mut self) {
        let now = self.two.now;
        self.two.stacks[1].socket(self.server).set_option(now, SocketOption::OobInline(true)).unwrap();
    }

    /// Pointers of the segments that the client has sent.
    fn pointers(&mut self) -> Vec<(usize, u16)> {
        let sent =
            self.two.log.iter().filter(|sent| sent.from == 0 && sent.header.flags.contains(Flags::URG));
        sent.map(|sent| (sent.len, sent.header.urgent)).collect()
    }
}

/// A-01, S-43: the pointer names the byte after the urgent one, or with tcp_stdurg the byte itself.
#[test]
fn a01_the_pointer_of_a_write() {
    let mut pair = Pair::new();
    pair.send(b"XYZ", URGENT);
    assert_eq!(pair.pointers(), [(3, 3)]);
    pair.send(b"", URGENT);
    pair.send(b"plain", SendFlags::default());
    assert_eq!(pair.pointers(), [(3, 3)], "acknowledged: urgent mode is over");

    let mut pair = Pair::with(Sysctls { tcp_stdurg: 1, ..Sysctls::default() });
    pair.send(b"XYZ", URGENT);
    assert_eq!(pair.pointers(), [(3, 2)]);
    assert_eq!((pair.read(9), pair.recv(1, OOB)), (Ok("XY".into()), Ok("Z".into())));
}

/// Nagle and the cork do not hold an urgent byte back.
#[test]
fn a01_urgent_data_is_not_held_back() {
    let mut pair = Pair::new();
    let now = pair.two.now;
    pair.two.stacks[0].socket(pair.client).set_option(now, SocketOption::Cork(true)).unwrap();
    pair.send(b"held", SendFlags::default());
    assert_eq!(pair.unread(), 0);
    pair.send(b"!", URGENT);
    assert_eq!(pair.unread(), 4);
}

/// behind a closed window the probes announce it, counted from the byte before `snd.una`.
#[test]
fn a02_probes_announce_urgent_data() {
    let mut pair = Pair::new();
    let now = pair.two.now;
    pair.two.stacks[0].socket(pair.client).set_option(now, SocketOption::SendBuffer(400_000)).unwrap();
    pair.send(&[b'.'; 200_000], SendFlags::default());
    pair.two.pass(Duration::from_secs(1));
    let (unacked, unsent) = pair.two.stacks[0].socket(pair.client).bytes_queued();
    assert_eq!(unacked, unsent, "the window is closed");
    pair.two.log.clear();
    let now = pair.two.now;
    pair.two.stacks[0].socket(pair.client).send_with(now, b"!", URGENT).unwrap();
    pair.two.pass(Duration::from_secs(5));
    let ahead = u16::try_from(unacked + 1).unwrap_or(u16::MAX);
    let probes = pair.pointers();
    assert!(probes.contains(&(0, ahead.saturating_add(1))), "{probes:?}");
}

/// the byte is taken out of the stream and read once, beside it.
#[test]
fn a03_the_byte_is_read_beside_the_stream() {
    let mut pair = Pair::new();
    assert_eq!(pair.recv(1, OOB), Err(Errno::EINVAL));
    pair.send(b"abcX", URGENT);
    assert_eq!((pair.unread(), pair.at_mark()), (3, false));
    assert_eq!(pair.ready(), Readiness::IN | Readiness::PRI);
    assert_eq!(pair.recv(5, OOB_PEEK), Ok("X".into()));
    assert_eq!(pair.read(9), Ok("abc".into()));
    assert_eq!((pair.at_mark(), pair.ready()), (true, Readiness::PRI));
    assert_eq!(pair.recv(5, OOB), Ok("X".into()));
    assert_eq!(pair.recv(5, OOB), Err(Errno::EINVAL));
    assert_eq!(pair.ready(), Readiness::NONE);
    assert_eq!(pair.read(9), Err(Errno::EAGAIN));
}

/// MSG_TRUNC throws the urgent byte away.
#[test]
fn a14_discarding_the_urgent_byte() {
    let mut pair = Pair::new();
    pair.send(b"X", URGENT);
    let mut buffer = *b"z";
    let now = pair.two.now;
    let flags = ReadFlags { discard: true, ..OOB };
    assert_eq!(pair.two.stacks[1].socket(pair.server).recv_with(now, &mut buffer, flags), Ok(1));
    assert_eq!(&buffer, b"z");
    assert_eq!(pair.recv(1, OOB), Err(Errno::EINVAL));
}

/// reads of any size stop at the mark, peeks too.
#[test]
fn a05_reads_stop_at_the_mark() {
    for size in 1..6 {
        let mut pair = Pair::new();
        pair.send(b"12Y", URGENT);
        pair.send(b"34", SendFlags::default());
        let mut before = String::new();
        while !pair.at_mark() {
            let peeked = pair.recv(size, ReadFlags { peek: true, ..ReadFlags::default() }).unwrap();
            assert_eq!(pair.read(size).as_ref(), Ok(&peeked));
            before += &peeked;
        }
        assert_eq!(before, "12", "in reads of {size}");
        assert_eq!(pair.recv(9, ReadFlags { peek: true, ..ReadFlags::default() }), Ok("34".into()));
        assert_eq!(pair.read(9), Ok("34".into()));
        assert_eq!(pair.recv(1, OOB), Err(Errno::EINVAL), "A-07: passed, it is gone");
        assert!(!pair.at_mark());
    }
}

/// a newer urgent byte makes the older one ordinary.
#[test]
fn a06_a_newer_byte_demotes_the_older() {
    let mut pair = Pair::new();
    pair.send(b"aP", URGENT);
    pair.send(b"bQ", URGENT);
    assert_eq!((pair.unread(), pair.read(9)), (3, Ok("aPb".into())));
    assert_eq!(pair.recv(1, OOB), Ok("Q".into()));
}

/// A-06 at the mark: the byte that the reader stands at is passed when a newer one is announced.
#[test]
fn a06_at_the_mark_the_older_byte_is_lost() {
    let mut pair = Pair::new();
    pair.send(b"aP", URGENT);
    assert_eq!(pair.read(9), Ok("a".into()));
    pair.send(b"bQ", URGENT);
    assert_eq!((pair.unread(), pair.read(9), pair.recv(1, OOB)), (1, Ok("b".into()), Ok("Q".into())));
}

/// in line the byte is one of the stream.
#[test]
fn a08_in_line() {
    let mut pair = Pair::new();
    pair.inline();
    pair.send(b"abcX", URGENT);
    assert_eq!((pair.unread(), pair.recv(1, OOB)), (4, Err(Errno::EINVAL)));
    assert_eq!((pair.read(9), pair.at_mark()), (Ok("abc".into()), true));
    assert_eq!(pair.ready(), Readiness::IN | Readiness::PRI);
    assert_eq!((pair.read(9), pair.at_mark()), (Ok("X".into()), false));
    assert_eq!(pair.ready(), Readiness::NONE);
}

/// one notice for each new pointer, and none for repetitions.
#[test]
fn a10_one_notice_a_pointer() {
    let mut pair = Pair::new();
    assert!(!pair.two.stacks[1].socket(pair.server).take_urgent_notice());
    for _ in 0..2 {
        pair.send(b"xY", URGENT);
        assert!(pair.two.stacks[1].socket(pair.server).take_urgent_notice());
        assert!(!pair.two.stacks[1].socket(pair.server).take_urgent_notice());
        assert_eq!((pair.read(9), pair.recv(1, OOB)), (Ok("x".into()), Ok("Y".into())));
    }
}

/// RFC 9293 3.8.5: urgent data among plenty of other data arrives in its place.
#[test]
fn urgent_data_in_a_long_stream() {
    let mut pair = Pair::new();
    let text = vec![b'.'; 20_000];
    pair.send(&text, SendFlags::default());
    pair.send(b"U", URGENT);
    pair.send(&text, SendFlags::default());
    let mut got = 0;
    while !pair.at_mark() {
        got += pair.read(3_000).unwrap().len();
    }
    assert_eq!(got, 20_000);
    assert_eq!(pair.recv(1, OOB), Ok("U".into()));
    while got < 40_000 {
        got += pair.read(3_000).unwrap().len();
    }
    assert_eq!(pair.read(1), Err(Errno::EAGAIN));
}
