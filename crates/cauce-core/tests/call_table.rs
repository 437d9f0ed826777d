//! Every call in every state, against what Linux answers (REQUIREMENTS section 3, A-22 to A-44).
//!
//! `data/calls.txt` holds the kernel's answers. Each cell is tried on a fresh socket in that state.

mod common;

use cauce_core::connection::state::State;
use cauce_core::socket::errno::Errno;
use cauce_core::socket::options::{OptionName, OptionValue, SocketOption};
use cauce_core::socket::{Family, ReadFlags, SendFlags, Shutdown, SocketId};
use cauce_core::time::Duration;
use common::Two;

const TABLE: &str = include_str!("data/calls.txt");

/// Where we differ from the kernel, and why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[];

/// A socket of stack 0 in the state of a row; the peer lives on stack 1.
struct Scene {
    two: Two,
    id: SocketId,
    /// Where a listener of stack 1 waits.
    listening_at: core::net::SocketAddr,
}

impl Scene {
    fn new(state: &str) -> Self {
        let mut two = Two::new();
        let listening_at = "10.0.0.2:7000".parse().unwrap();
        let listener = two.stacks[1].open(Family::V4).unwrap();
        two.stacks[1].socket(listener).bind(listening_at).unwrap();
        two.stacks[1].socket(listener).listen(8).unwrap();
        let id = two.stacks[0].open(Family::V4).unwrap();
        let mut scene = Scene { two, id, listening_at };
        scene.enter(state);
        scene
    }

    fn enter(&mut self, state: &str) {
        let any = "10.0.0.1:0".parse().unwrap();
        let now = self.two.now;
        match state {
            "fresh" => {}
            "bound" => self.two.stacks[0].socket(self.id).bind(any).unwrap(),
            "listening" | "relisten" => {
                self.two.stacks[0].socket(self.id).bind(any).unwrap();
                self.two.stacks[0].socket(self.id).listen(8).unwrap();
                if state == "relisten" {
                    self.shutdown(0, self.id, Shutdown::Read);
                }
            }
            "syn_sent" => {
                let silent = "10.0.0.77:80".parse().unwrap();
                assert_eq!(self.two.stacks[0].socket(self.id).connect(now, silent), Err(Errno::EINPROGRESS));
            }
            "refused" | "refused_told" => {
                let nobody = "10.0.0.2:1".parse().unwrap();
                assert_eq!(self.two.stacks[0].socket(self.id).connect(now, nobody), Err(Errno::EINPROGRESS));
                self.two.exchange();
                if state == "refused_told" {
                    assert_eq!(self.error(), Some(Errno::ECONNREFUSED));
                }
            }
            _ => self.connected(state),
        }
    }

    fn connected(&mut self, state: &str) {
        let (client, server) = self.two.connected();
        self.id = client;
        let now = self.two.now;
        match state {
            "est" => {}
            "est_data" => assert_eq!(self.two.stacks[1].socket(server).send(now, b"abc"), Ok(3)),
            "close_wait" => self.shutdown(1, server, Shutdown::Write),
            "fin_wait2" => self.shutdown(0, client, Shutdown::Write),
            "shut_rd" => self.shutdown(0, client, Shutdown::Read),
            "both_closed" => {
                self.shutdown(0, client, Shutdown::Write);
                self.shutdown(1, server, Shutdown::Write);
            }
            "last_ack_done" => {
                self.shutdown(1, server, Shutdown::Write);
                self.shutdown(0, client, Shutdown::Write);
            }
            "reset" | "reset_told" => {
                let now = self.two.now;
                self.two.stacks[1].socket(server).abort(now).unwrap();
                self.two.exchange();
                if state == "reset_told" {
                    assert_eq!(self.error(), Some(Errno::ECONNRESET));
                }
            }
            "disconnected" => self.two.stacks[0].socket(client).disconnect(now).unwrap(),
            other => panic!("no such state: {other}"),
        }
        self.two.exchange();
    }

    fn shutdown(&mut self, stack: usize, id: SocketId, how: Shutdown) {
        let now = self.two.now;
        self.two.stacks[stack].socket(id).shutdown(now, how).unwrap();
        self.two.pass(Duration::from_millis(60));
    }

    fn error(&mut self) -> Option<Errno> {
        self.two.stacks[0].socket(self.id).take_error()
    }

    fn call(&mut self, call: &str) -> Result<usize, Errno> {
        let (now, to) = (self.two.now, self.listening_at);
        let mut socket = self.two.stacks[0].socket(self.id);
        let mut buffer = [0; 10];
        let read = |peek, out_of_band| ReadFlags { peek, out_of_band, discard: false };
        let nothing = |result: Result<(), Errno>| result.map(|()| 0);
        match call {
            "send" => socket.send(now, b"x"),
            "sendoob" => socket.send_with(now, b"x", SendFlags { out_of_band: true, ..SendFlags::default() }),
            "send0" => socket.send(now, b""),
            "recv" => socket.recv(now, &mut buffer),
            "peek" => socket.recv_with(now, &mut buffer, read(true, false)),
            "recvoob" => socket.recv_with(now, &mut buffer, read(false, true)),
            "errqueue" => socket.recv_error().map(|message| message.payload.len()).ok_or(Errno::EAGAIN),
            "shut_rd" => nothing(socket.shutdown(now, Shutdown::Read)),
            "shut_wr" => nothing(socket.shutdown(now, Shutdown::Write)),
            "shut_rdwr" => nothing(socket.shutdown(now, Shutdown::Both)),
            "connect" => nothing(socket.connect(now, to)),
            "unspec" => nothing(socket.disconnect(now)),
            "listen" => nothing(socket.listen(3)),
            "bind" => nothing(socket.bind("10.0.0.1:0".parse().unwrap())),
            "accept" => socket.accept(now).map(|_| 0),
            "peername" => socket.peer_addr().map(|_| 0),
            "atmark" => Ok(usize::from(socket.at_mark())),
            other => panic!("no such call: {other}"),
        }
    }

    fn state(&mut self) -> &'static str {
        let now = self.two.now;
        match self.two.stacks[0].socket(self.id).tcp_info(now).unwrap().state {
            State::FinWait1 | State::FinWait2 => "FW",
            state => state.name(),
        }
    }
}

/// A result as the table spells it. Calls without a count say `ok`.
fn spelled(result: Result<usize, Errno>, expected: &str) -> String {
    match result {
        Ok(_) if expected == "ok" => "ok".into(),
        Ok(count) => count.to_string(),
        Err(error) => error.name().into(),
    }
}

fn try_cell(state: &str, call: &str, answers: &str) -> Result<(), String> {
    let expected: Vec<&str> = answers.split(',').collect();
    let mut scene = Scene::new(state);
    let result = spelled(scene.call(call), expected[0]);
    scene.two.exchange();
    let after = scene.state();
    let ready = scene.two.stacks[0].socket(scene.id).readiness();
    let mut names: Vec<String> = format!("{ready:?}").split('+').map(String::from).collect();
    let mut wanted: Vec<String> = expected[2].split('+').map(String::from).collect();
    names.sort();
    wanted.sort();
    let error = scene.error().map_or("-", Errno::name);
    let got = (result.as_str(), after, names, error);
    let wanted = (expected[0], expected[1], wanted, expected[3]);
    if got == wanted { Ok(()) } else { Err(format!("{state} {call}: got {got:?}, Linux says {wanted:?}")) }
}

#[test]
fn answers_are_those_of_linux() {
    let (mut state, mut cells) = ("", 0);
    let mut wrong = Vec::new();
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        let Some((call, answers)) = line.trim().split_once('=') else {
            state = line.trim();
            continue;
        };
        cells += 1;
        let excepted = EXCEPTIONS.iter().any(|(at, which, _)| (*at, *which) == (state, call));
        match try_cell(state, call, answers) {
            Err(why) if !excepted => wrong.push(why),
            Ok(()) if excepted => {
                wrong.push(format!("{state} {call} is as Linux has it: no exception any more"))
            }
            _ => {}
        }
    }
    assert_eq!(cells, 17 * 17);
    assert!(wrong.is_empty(), "{} of {cells}:\n{}", wrong.len(), wrong.join("\n"));
}

/// after a disconnect the socket connects again, from the port that the user had chosen.
#[test]
fn a27_disconnect_and_connect_again() {
    let mut scene = Scene::new("fresh");
    let (id, to) = (scene.id, scene.listening_at);
    let from = "10.0.0.1:4000".parse().unwrap();
    let now = scene.two.now;
    scene.two.stacks[0].socket(id).set_option(now, SocketOption::NoDelay(true)).unwrap();
    scene.two.stacks[0].socket(id).bind(from).unwrap();
    for _ in 0..3 {
        let now = scene.two.now;
        assert_eq!(scene.two.stacks[0].socket(id).connect(now, to), Err(Errno::EINPROGRESS));
        scene.two.exchange();
        let now = scene.two.now;
        let mut socket = scene.two.stacks[0].socket(id);
        assert_eq!(socket.connect(now, to), Ok(()));
        assert_eq!(socket.local_addr(), Ok(from));
        assert_eq!(socket.disconnect(now), Ok(()));
        assert_eq!(socket.local_addr(), Ok(from));
        assert_eq!(socket.option(now, OptionName::NoDelay), Ok(OptionValue::Int(1)));
        scene.two.exchange();
    }
    // One reset each, and the port is free once the socket is closed.
    let now = scene.two.now;
    scene.two.stacks[0].socket(id).close(now).unwrap();
    assert!(!scene.two.stacks[0].ports_held());
}

/// a listener stops and listens again, at the same port if the user named it.
#[test]
fn a24_listen_again() {
    let mut scene = Scene::new("fresh");
    let id = scene.id;
    let at = "10.0.0.1:4000".parse().unwrap();
    scene.two.stacks[0].socket(id).bind(at).unwrap();
    for _ in 0..2 {
        scene.two.stacks[0].socket(id).listen(4).unwrap();
        let now = scene.two.now;
        scene.two.stacks[0].socket(id).shutdown(now, Shutdown::Read).unwrap();
        assert_eq!(scene.two.stacks[0].socket(id).local_addr(), Ok(at));
    }
    let now = scene.two.now;
    scene.two.stacks[0].socket(id).close(now).unwrap();
    assert!(!scene.two.stacks[0].ports_held());
}

/// P-009 at the user's call: a socket that connects to itself gets through, and hears what it says.
#[test]
fn connecting_to_oneself() {
    let mut scene = Scene::new("fresh");
    let id = scene.id;
    let own = "10.0.0.1:4000".parse().unwrap();
    scene.two.stacks[0].socket(id).bind(own).unwrap();
    let now = scene.two.now;
    assert_eq!(scene.two.stacks[0].socket(id).connect(now, own), Err(Errno::EINPROGRESS));
    scene.two.exchange();
    assert_eq!(scene.state(), "ESTABLISHED");
    let now = scene.two.now;
    assert_eq!(scene.two.stacks[0].socket(id).send(now, b"echo"), Ok(4));
    scene.two.exchange();
    let mut buffer = [0; 9];
    let now = scene.two.now;
    assert_eq!(scene.two.stacks[0].socket(id).recv(now, &mut buffer), Ok(4));
    assert_eq!(&buffer[..4], b"echo");
    scene.two.close(0, id);
    scene.two.pass(Duration::from_secs(200));
    assert_eq!((scene.two.stacks[0].sockets(), scene.two.stacks[0].ports_held()), (0, false));
}
